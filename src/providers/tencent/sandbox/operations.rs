//! The actions: what each does to the library and what it answers.
//!
//! Its own file because it is the table of actions (names, parameters, published limits) together with the
//! rules every action shares, like which application is meant. Deleting has a file of its own, `deletes`, and so
//! have taking off the air, `distribution`, and the account of one media, `describe`.
//!
//! Does not know signatures, limits or envelopes.

use serde_json::{Map, Value, json};

use super::envelope::Refusal;
use super::fields::{self, Arguments, Field};
use super::library::Library;
use super::options::{Options, WrongSubAppId};
use super::{deletes, describe, distribution, seed};
use crate::sandbox::Effect;

/// "at most 20" for `DescribeMediaInfos` (index 0..19), `ForbidMediaDistribution` and `RefreshUrlCache`.
const MAX_LIST: usize = 20;

/// The documented length bound of a `FileId`.
pub(super) const MAX_FILE_ID: usize = 40;

/// What an action did: the fields of its answer, and what it took from the library.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) fields: Map<String, Value>,
    pub(super) effects: Vec<Effect>,
}

/// A refusal, with what was asked for in vain.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) effects: Vec<Effect>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, effects: Vec::new() }
    }
}

/// What an action works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) library: &'a Library,
    pub(super) options: &'a Options,
    pub(super) now_ms: i64,
}

/// One action of the API.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Calls per second: the published default per action, access region and sub-account.
    pub(super) limit: u32,
    pub(super) fields: &'static [Field],
    pub(super) run: fn(Bench<'_>, &Arguments) -> Result<Done, Refused>,
}

/// The actions that there are. The API has 241; these are the ones a delete service needs.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation { name: "DeleteMedia", limit: 100, fields: fields::DELETE_MEDIA, run: deletes::delete_media },
    Operation {
        name: "DescribeMediaInfos",
        limit: 100,
        fields: fields::DESCRIBE_MEDIA_INFOS,
        run: describe_media_infos,
    },
    Operation {
        name: "ForbidMediaDistribution",
        limit: 20,
        fields: fields::FORBID_MEDIA_DISTRIBUTION,
        run: distribution::forbid_media_distribution,
    },
    Operation {
        name: "DescribeSubAppIds",
        limit: 100,
        fields: fields::DESCRIBE_SUB_APP_IDS,
        run: describe_sub_app_ids,
    },
    Operation {
        name: "RefreshUrlCache",
        limit: 5,
        fields: fields::REFRESH_URL_CACHE,
        run: refresh_url_cache,
    },
];

/// Which application a call means: nothing stands for one that the account does not own, if such a call is to
/// find nothing there.
pub(super) fn application(options: &Options, arguments: &Arguments) -> Result<Option<u64>, Refusal> {
    // Open question 10: 0 as "absent" is stated for earlier accounts only.
    let given = arguments.unsigned("SubAppId").filter(|id| *id != 0);
    let Some(id) = given else {
        if options.sub_app_id_mandatory {
            // Section 3.2 says "mandatory" and names no code. MissingParameter would be the front's answer,
            // but the parameter is optional in the schema; the VOD list has this one.
            let message = "SubAppId is needed: the account was opened on or after 2023-12-25.";
            return Err(Refusal::new("InvalidParameterValue.SubAppId", message));
        }
        return Ok(Some(seed::SUB_APP_MAIN));
    };
    if seed::SUB_APPS.iter().any(|(known, _, _)| *known == id) {
        return Ok(Some(id));
    }
    match options.wrong_sub_app_id {
        WrongSubAppId::NotFound => Ok(None),
        WrongSubAppId::SubAppId => {
            Err(Refusal::new("InvalidParameterValue.SubAppId", "SubAppId is invalid."))
        }
        WrongSubAppId::UnauthorizedOperation => {
            Err(Refusal::new("UnauthorizedOperation", "The application is not yours."))
        }
    }
}

/// Up to 20 ids. The codes are documented for `DescribeMediaInfos`; no page names others for the rest.
pub(super) fn file_ids(arguments: &Arguments) -> Result<Vec<&str>, Refusal> {
    let ids = arguments.texts("FileIds").unwrap_or_default();
    if ids.is_empty() {
        return Err(Refusal::new("InvalidParameterValue.FileIdsEmpty", "FileIds is empty."));
    }
    if ids.len() > MAX_LIST {
        let message = format!("FileIds has {} ids, {MAX_LIST} are allowed.", ids.len());
        return Err(Refusal::new("InvalidParameterValue.FileIdsOverLimit", message));
    }
    let bad = |id: &&&str| id.is_empty() || id.len() > MAX_FILE_ID;
    if ids.iter().find(bad).is_some() {
        return Err(Refusal::new("InvalidParameterValue.FileIds", "FileIds has an invalid id."));
    }
    let mut unique = Vec::new();
    for id in ids {
        if !unique.contains(&id) {
            unique.push(id);
        }
    }
    Ok(unique)
}

fn describe_media_infos(bench: Bench<'_>, arguments: &Arguments) -> Result<Done, Refused> {
    let ids = file_ids(arguments)?;
    let filters = arguments.texts("Filters").unwrap_or_default();
    let sections = describe::Sections::named(&filters)
        .ok_or_else(|| Refusal::invalid("Filters has an unknown value."))?;
    let application = application(bench.options, arguments)?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for id in ids {
        let info = application.and_then(|application| {
            let write = |media: &_| describe::media_info(id, media, sections, bench.now_ms);
            bench.library.read(application, id, bench.now_ms, write)
        });
        match info {
            Some(info) => found.push(info),
            None => missing.push(id),
        }
    }
    // "order is not promised": the other way round, so that nobody matches by place.
    found.reverse();
    let fields = json!({ "MediaInfoSet": found, "NotExistFileIdSet": missing });
    Ok(read_only(fields))
}

fn describe_sub_app_ids(_: Bench<'_>, arguments: &Arguments) -> Result<Done, Refused> {
    let limit = arguments.unsigned("Limit").unwrap_or(200);
    if limit > 200 {
        let message = "Limit is above 200.";
        return Err(Refusal::new("InvalidParameterValue.Limit", message).into());
    }
    let offset = arguments.unsigned("Offset").unwrap_or(0);
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    // The page names the states but not the fields; the names are those of the vendor's SDK.
    let all = seed::SUB_APPS.iter().map(|(id, name, status)| {
        json!({ "SubAppId": id, "SubAppIdName": name, "Description": "", "Status": status })
    });
    let listed: Vec<Value> = all.skip(size(offset)).take(size(limit)).collect();
    let total = seed::SUB_APPS.len();
    Ok(read_only(json!({ "SubAppIdInfoSet": listed, "TotalCount": total })))
}

/// Takes 1 to 20 full URLs and answers with nothing: there is no task and no status to ask for.
fn refresh_url_cache(bench: Bench<'_>, arguments: &Arguments) -> Result<Done, Refused> {
    application(bench.options, arguments)?;
    let urls = arguments.texts("Urls").unwrap_or_default();
    if urls.is_empty() || urls.len() > MAX_LIST {
        return Err(Refusal::invalid("Urls takes 1 to 20 URLs.").into());
    }
    let whole = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    if !urls.iter().all(whole) {
        return Err(Refusal::invalid("A URL has no scheme.").into());
    }
    Ok(Done::default())
}

pub(super) fn read_only(fields: Value) -> Done {
    if let Value::Object(fields) = fields {
        return Done { fields, effects: Vec::new() };
    }
    Done::default()
}

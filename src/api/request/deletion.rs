//! The JSON body of `POST /v1/deletions`.
//!
//! All faults are found in one pass; nothing is accepted while there is one. Its
//! own file for the fields around the targets, which an upload has in its query.

use serde_json::{Map, Value};

use super::MAX_REASON_LEN;
use super::faults::{Faults, refuse_unknown, take_text};
use super::query::if_absent;
use super::target::{take_account, target};
use super::wish;
use crate::api::json;
use crate::api::problem::Problem;
use crate::guard::policy::Wish;
use crate::types::deletion::{IfAbsent, Wanted};
use crate::types::target::AccountId;

/// Most targets in a JSON body.
pub const MAX_JSON_TARGETS: usize = 1_000;

/// What a caller asked for, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletionRequest {
    /// The targets, in input order.
    pub wanted: Vec<Wanted>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// What is to happen before anything is sent.
    pub wish: Wish,
}

/// Reads the body of `POST /v1/deletions`. `sees` tells which accounts the caller may know of.
pub fn deletion(body: &[u8], sees: &dyn Fn(&AccountId) -> bool) -> Result<DeletionRequest, Problem> {
    let tree = json::parse(body)
        .map_err(|error| Problem::malformed(format!("the body is not usable JSON: {error}")))?;
    let Value::Object(mut fields) = tree else {
        return Err(Problem::malformed("the body must be a JSON object with a list `targets`"));
    };
    let mut faults = Faults::default();
    let targets = fields.remove("targets");
    let account = take_account(&mut fields, "#", &mut faults, sees);
    let reason = take_text(&mut fields, "#", "reason", MAX_REASON_LEN, &mut faults);
    let if_absent = match fields.remove("if_absent") {
        None => IfAbsent::Ok,
        Some(value) => match value.as_str().and_then(if_absent) {
            Some(word) => word,
            None => faults.add("#/if_absent", "must be \"ok\" or \"error\"").unwrap_or_default(),
        },
    };
    let wish = wish::from_body(&mut fields, &mut faults);
    let not_served = refuse_unserved(&mut fields);
    let wanted = match targets {
        Some(Value::Array(list)) if list.len() > MAX_JSON_TARGETS => {
            let detail =
                format!("{} targets; JSON carries at most {MAX_JSON_TARGETS}: split the request", list.len());
            return Err(Problem::new("too_large", detail));
        }
        Some(Value::Array(list)) if !list.is_empty() => {
            read_targets(list, account.as_ref(), &mut faults, sees)
        }
        Some(_) => faults.add("#/targets", "must be a list of at least one target").unwrap_or_default(),
        None => faults.add("#/targets", "is missing: a list of at least one target").unwrap_or_default(),
    };
    refuse_unknown(fields, "#", &mut faults);
    faults.check()?;
    not_served?;
    Ok(DeletionRequest { wanted, reason, if_absent, wish })
}

/// Parts of the contract that are not served yet: fine at their default, refused otherwise.
fn refuse_unserved(fields: &mut Map<String, Value>) -> Result<(), Problem> {
    let asked = fields.remove("purge_cdn").is_some_and(|value| value != Value::Bool(false));
    if asked { Err(Problem::not_served(&["purge_cdn"])) } else { Ok(()) }
}

fn read_targets(
    list: Vec<Value>,
    account: Option<&AccountId>,
    faults: &mut Faults,
    sees: &dyn Fn(&AccountId) -> bool,
) -> Vec<Wanted> {
    list.into_iter()
        .enumerate()
        .filter_map(|(n, value)| {
            let at = format!("#/targets/{n}");
            let Value::Object(fields) = value else {
                return faults.add(at, "must be an object with a `kind`");
            };
            target(fields, &at, account, faults, sees)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::target::{Family, Kind, Renditions, Selector, What};

    fn read(body: &str) -> Result<DeletionRequest, Vec<(String, String)>> {
        deletion(body.as_bytes(), &|account| account.as_str().starts_with("media-")).map_err(|problem| {
            let text = format!("{problem:?}");
            let found = regexless_pointers(&text);
            if found.is_empty() { vec![(String::new(), text)] } else { found }
        })
    }

    /// Pointer and detail of each field error in a problem's debug text.
    fn regexless_pointers(text: &str) -> Vec<(String, String)> {
        text.split("FieldError { pointer: \"")
            .skip(1)
            .filter_map(|rest| {
                let (pointer, rest) = rest.split_once('"')?;
                let detail = rest.split_once("detail: \"")?.1.split("\" }").next()?;
                Some((pointer.to_owned(), detail.to_owned()))
            })
            .collect()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = read(
            r#"{"account": "media-cn", "dry_runn": true, "if_absent": "maybe", "targets": [
                {"kind": "media", "id": "ok-1"},
                {"kind": "media", "id": "no,good"},
                {"kind": "video", "id": "x"},
                {"kind": "renditions", "id": "x", "definitions": []},
                {"kind": "renditions", "id": "x", "all": true, "family": "transcode"},
                {"kind": "snapshots", "id": "x", "types": ["cover", "poster"]},
                {"kind": "media", "account": "other", "id": "x"},
                {"kind": "image", "id": "x", "url": "https://h/x"},
                {"kind": "source", "force": "yes", "id": "x", "a/b": 1},
                7
            ]}"#,
        )
        .unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "#/if_absent",
                "#/targets/1/id",
                "#/targets/2/kind",
                "#/targets/3/definitions",
                "#/targets/4/all",
                "#/targets/5/types/1",
                "#/targets/6/account",
                "#/targets/7/url",
                "#/targets/8/force",
                "#/targets/8/a~1b",
                "#/targets/9",
                "#/dry_runn",
            ]
        );
    }

    #[test]
    fn every_kind_is_read() {
        let request = read(
            r#"{"account": "media-cn", "reason": "r", "dry_run": false, "delay": "0s", "targets": [
                {"kind": "media", "reference_id": "my-video-7", "ref": "row-1"},
                {"kind": "source", "id": "v", "force": true},
                {"kind": "renditions", "id": "v", "definitions": [100010, "HD", "HD"], "family": "adaptive"},
                {"kind": "snapshots", "id": "v", "types": ["cover", "cover"]},
                {"kind": "image", "url": "https://h/x.png"},
                {"kind": "attached_media", "account": "media-2", "id": "a"}
            ]}"#,
        )
        .unwrap();
        let kinds: Vec<Kind> = request.wanted.iter().map(|wanted| wanted.target.kind()).collect();
        assert_eq!(kinds, Kind::ALL);
        let What::Renditions(Renditions::Some { definitions, family, .. }) = &request.wanted[2].target.what
        else {
            panic!("renditions were read as something else");
        };
        let texts: Vec<&str> = definitions.iter().map(Selector::as_str).collect();
        assert_eq!((texts, *family), (vec!["100010", "HD"], Some(Family::Adaptive)));
        assert_eq!(request.wanted[5].target.account.as_str(), "media-2");
    }

    #[test]
    fn what_is_not_served_is_never_ignored() {
        let body = r#"{"account": "media-cn", "purge_cdn": true, "targets": [{"kind": "media", "id": "x"}]}"#;
        assert_eq!(read(body).unwrap_err()[0].1, "is not served yet");
    }

    #[test]
    fn wishes_are_read_and_none_is_guessed() {
        let read_with = |fields: &str| {
            read(&format!(
                r#"{{"account": "media-cn", {fields}, "targets": [{{"kind": "media", "id": "x"}}]}}"#
            ))
        };
        let wish =
            read_with(r#""dry_run": true, "check": true, "delay": "24h", "quarantine": true"#).unwrap().wish;
        let day = std::time::Duration::from_hours(24);
        assert_eq!(wish, Wish { dry_run: true, check: true, delay: day, quarantine: true });
        for (fields, pointer) in [
            (r#""dry_run": "yes""#, "#/dry_run"),
            (r#""delay": "31d""#, "#/delay"),
            (r#""delay": 60"#, "#/delay"),
            (r#""delay": "1h30m""#, "#/delay"),
            (r#""check": true"#, "#/check"),
        ] {
            assert_eq!(read_with(fields).unwrap_err()[0].0, pointer, "{fields}");
        }
    }
}

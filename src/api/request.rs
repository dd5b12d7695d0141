//! Bodies and queries become types: the only parser of client input.
//!
//! All faults of a body are found in one pass and told as JSON Pointers; nothing
//! is accepted while there is one. Unknown fields are refused everywhere (a
//! mistyped `dry_runn` must never delete), and parts of the contract that are not
//! served yet are refused unless they stand at their default. What a provider can
//! serve is not known here.

use std::collections::HashSet;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use serde_json::{Map, Value};

use super::problem::{FieldError, Problem};
use crate::types::deletion::{IfAbsent, Wanted};
use crate::types::target::{
    AccountId, BadName, Family, ImageUrl, Kind, MAX_REF_LEN, MAX_SELECTORS, MediaId, Name, ReferenceId,
    Renditions, Selector, SnapshotType, Snapshots, Target, What,
};

/// Most targets in a JSON body.
pub const MAX_JSON_TARGETS: usize = 1_000;
/// Longest reason.
pub const MAX_REASON_LEN: usize = 1_000;
/// Longest wait that a caller may ask for.
pub const MAX_WAIT: Duration = Duration::from_mins(1);
/// How long an answer waits for the outcome if the caller does not say.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// What a caller asked for, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletionRequest {
    /// The targets, in input order.
    pub wanted: Vec<Wanted>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
}

/// Reads the body of `POST /v1/deletions`. `sees` tells which accounts the caller may know of.
pub fn deletion(body: &[u8], sees: &dyn Fn(&AccountId) -> bool) -> Result<DeletionRequest, Problem> {
    let tree = super::json::parse(body)
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
    Ok(DeletionRequest { wanted, reason, if_absent })
}

/// Parts of the contract that are not served yet: fine at their default, refused otherwise.
fn refuse_unserved(fields: &mut Map<String, Value>) -> Result<(), Problem> {
    let defaults = [
        ("dry_run", Value::Bool(false)),
        ("check", Value::Bool(false)),
        ("delay", Value::String("0s".to_owned())),
        ("quarantine", Value::Bool(false)),
        ("purge_cdn", Value::Bool(false)),
    ];
    let unserved: Vec<&str> = defaults
        .iter()
        .filter(|(name, default)| fields.remove(*name).is_some_and(|value| value != *default))
        .map(|(name, _)| *name)
        .collect();
    if unserved.is_empty() {
        return Ok(());
    }
    Err(Problem::not_served(&unserved))
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

fn target(
    mut fields: Map<String, Value>,
    at: &str,
    default_account: Option<&AccountId>,
    faults: &mut Faults,
    sees: &dyn Fn(&AccountId) -> bool,
) -> Option<Wanted> {
    let before = faults.0.len();
    let kinds = || Kind::ALL.map(Kind::as_str).join(", ");
    let kind = match fields.remove("kind") {
        Some(value) => match value.as_str().and_then(Kind::parse) {
            Some(kind) => Some(kind),
            None => faults.add(format!("{at}/kind"), format!("must be one of: {}", kinds())),
        },
        None => faults.add(format!("{at}/kind"), format!("is missing: one of {}", kinds())),
    };
    let named = fields.contains_key("account");
    let account = take_account(&mut fields, at, faults, sees).or_else(|| default_account.cloned());
    if account.is_none() && !named {
        faults.add::<()>(format!("{at}/account"), "is missing here and on the deletion");
    }
    let label = take_text(&mut fields, at, "ref", MAX_REF_LEN, faults);
    // Without a kind nothing can be said of the other fields.
    let kind = kind?;
    let name = take_name(&mut fields, at, kind, faults);
    let what = match kind {
        Kind::Media => Some(What::Media),
        Kind::Source => Some(What::Source { force: take_bool(&mut fields, at, "force", faults) }),
        Kind::Renditions => take_renditions(&mut fields, at, faults).map(What::Renditions),
        Kind::Snapshots => take_snapshots(&mut fields, at, faults).map(What::Snapshots),
        Kind::Image => Some(What::Image),
        Kind::AttachedMedia => Some(What::AttachedMedia),
    };
    refuse_unknown(fields, at, faults);
    if faults.0.len() > before {
        return None;
    }
    Some(Wanted { target: Target { account: account?, name: name?, what: what? }, label })
}

fn take_account(
    fields: &mut Map<String, Value>,
    at: &str,
    faults: &mut Faults,
    sees: &dyn Fn(&AccountId) -> bool,
) -> Option<AccountId> {
    let value = fields.remove("account")?;
    let pointer = format!("{at}/account");
    match value.as_str().map(AccountId::parse) {
        // One that the caller may not see looks like one that is not there.
        Some(Ok(account)) if sees(&account) => Some(account),
        Some(Ok(_)) => faults.add(pointer, "there is no such account"),
        Some(Err(bad)) => faults.add(pointer, bad.0),
        None => faults.add(pointer, "must be a string"),
    }
}

fn take_name(fields: &mut Map<String, Value>, at: &str, kind: Kind, faults: &mut Faults) -> Option<Name> {
    let forms: &[&str] = match kind {
        Kind::Media | Kind::Source | Kind::Renditions => &["id", "reference_id"],
        Kind::Image => &["id", "url"],
        Kind::Snapshots | Kind::AttachedMedia => &["id"],
    };
    let given: Vec<(&str, Value)> =
        forms.iter().filter_map(|form| Some((*form, fields.remove(*form)?))).collect();
    match given.as_slice() {
        [] => faults.add(
            format!("{at}/{}", forms.first().unwrap_or(&"id")),
            format!("is missing: give {}", forms.join(" or ")),
        ),
        [(form, value)] => {
            let pointer = format!("{at}/{form}");
            let parsed = match (*form, value.as_str()) {
                (_, None) => Err(BadName("must be a string".to_owned())),
                ("reference_id", Some(text)) => ReferenceId::parse(text).map(Name::Reference),
                ("url", Some(text)) => ImageUrl::parse(text).map(Name::Url),
                (_, Some(text)) => MediaId::parse(text).map(Name::Id),
            };
            match parsed {
                Ok(name) => Some(name),
                Err(bad) => faults.add(pointer, bad.0),
            }
        }
        [_, (second, _), ..] => {
            faults.add(format!("{at}/{second}"), format!("give only one of {}", forms.join(" and ")))
        }
    }
}

fn take_renditions(fields: &mut Map<String, Value>, at: &str, faults: &mut Faults) -> Option<Renditions> {
    let before = faults.0.len();
    let selected = ["definitions", "job_ids", "family"].iter().any(|name| fields.contains_key(*name));
    let definitions = take_selectors(fields, at, "definitions", faults);
    let job_ids = take_selectors(fields, at, "job_ids", faults);
    let family = match fields.remove("family") {
        None => None,
        Some(value) => value.as_str().and_then(Family::parse).or_else(|| {
            let known = Family::ALL.map(Family::as_str).join(", ");
            faults.add(format!("{at}/family"), format!("must be one of: {known}"))
        }),
    };
    let all = take_bool(fields, at, "all", faults);
    if faults.0.len() > before {
        return None;
    }
    match (all, selected) {
        (true, true) => faults.add(format!("{at}/all"), "stands beside a selector: give one or the other"),
        (true, false) => Some(Renditions::All),
        (false, true) => Some(Renditions::Some { definitions, job_ids, family }),
        (false, false) => {
            let fix = "give definitions, job_ids or family, or all: true for every rendition";
            faults.add(format!("{at}/definitions"), format!("nothing is selected: {fix}"))
        }
    }
}

fn take_selectors(
    fields: &mut Map<String, Value>,
    at: &str,
    name: &str,
    faults: &mut Faults,
) -> Vec<Selector> {
    let Some(value) = fields.remove(name) else { return Vec::new() };
    let pointer = format!("{at}/{name}");
    let Value::Array(list) = value else {
        return faults.add(pointer, "must be a list of strings").unwrap_or_default();
    };
    // An empty list would read as "everything" at the vendor.
    if list.is_empty() || list.len() > MAX_SELECTORS {
        return faults.add(pointer, format!("must hold 1 to {MAX_SELECTORS} entries")).unwrap_or_default();
    }
    let mut seen = HashSet::with_capacity(list.len());
    let mut selectors = Vec::with_capacity(list.len());
    for (n, entry) in list.into_iter().enumerate() {
        let text = match entry {
            Value::String(text) => Ok(text),
            Value::Number(number) if number.is_u64() || number.is_i64() => Ok(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(BadName("must be a string".to_owned()))
            }
        };
        match text.and_then(|text| Selector::parse(&text)) {
            Ok(selector) if seen.insert(selector.clone()) => selectors.push(selector),
            Ok(_) => {}
            Err(bad) => {
                faults.add::<()>(format!("{pointer}/{n}"), bad.0);
            }
        }
    }
    selectors
}

fn take_snapshots(fields: &mut Map<String, Value>, at: &str, faults: &mut Faults) -> Option<Snapshots> {
    let before = faults.0.len();
    let types = fields.remove("types");
    let all = take_bool(fields, at, "all", faults);
    let pointer = format!("{at}/types");
    let known = SnapshotType::ALL.map(SnapshotType::as_str).join(", ");
    match (types, all) {
        (Some(_), true) => faults.add(format!("{at}/all"), "stands beside types: give one or the other"),
        (None, true) => Some(Snapshots::All),
        (None, false) => {
            faults.add(pointer, format!("nothing is selected: give types ({known}) or all: true"))
        }
        (Some(Value::Array(list)), false) if !list.is_empty() => {
            let mut types = Vec::with_capacity(SnapshotType::ALL.len());
            for (n, entry) in list.iter().enumerate() {
                match entry.as_str().and_then(SnapshotType::parse) {
                    Some(kind) if types.contains(&kind) => {}
                    Some(kind) => types.push(kind),
                    None => {
                        faults.add::<()>(format!("{pointer}/{n}"), format!("must be one of: {known}"));
                    }
                }
            }
            (faults.0.len() == before).then_some(Snapshots::Types(types))
        }
        (Some(_), false) => faults.add(pointer, format!("must be a list of at least one of: {known}")),
    }
}

fn take_bool(fields: &mut Map<String, Value>, at: &str, name: &str, faults: &mut Faults) -> bool {
    match fields.remove(name) {
        None => false,
        Some(Value::Bool(value)) => value,
        Some(_) => faults.add(format!("{at}/{name}"), "must be true or false").unwrap_or_default(),
    }
}

fn take_text(
    fields: &mut Map<String, Value>,
    at: &str,
    name: &str,
    most: usize,
    faults: &mut Faults,
) -> Option<String> {
    let pointer = format!("{at}/{name}");
    let Value::String(text) = fields.remove(name)? else {
        return faults.add(pointer, "must be a string");
    };
    if text.chars().count() > most {
        return faults.add(pointer, format!("must be at most {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return faults.add(pointer, "must not hold control characters");
    }
    Some(text)
}

fn refuse_unknown(fields: Map<String, Value>, at: &str, faults: &mut Faults) {
    for name in fields.into_iter().map(|(name, _)| name) {
        // RFC 6901: ~ and / inside a name are escaped; the rest of a fragment is percent-encoded.
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let encoded = percent_encoding::utf8_percent_encode(&escaped, percent_encoding::NON_ALPHANUMERIC);
        let shown = if escaped.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)) {
            escaped.clone()
        } else {
            encoded.to_string()
        };
        faults.add::<()>(format!("{at}/{shown}"), "is not a field of this object");
    }
}

fn if_absent(word: &str) -> Option<IfAbsent> {
    match word {
        "ok" => Some(IfAbsent::Ok),
        "error" => Some(IfAbsent::Error),
        _ => None,
    }
}

/// The faults of a body, in the order they were found.
#[derive(Debug, Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    /// Notes a fault. Always `None`, so that it can stand where a value would.
    fn add<T>(&mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Option<T> {
        self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        None
    }

    fn check(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}

/// The query of a request: every parameter must be asked for, and stands there once unless it is a list.
#[derive(Debug)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a raw query.
    pub fn parse(raw: Option<&str>) -> Result<Self, Problem> {
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return Ok(Self { pairs: Vec::new() }) };
        let decode = |text: &str| {
            if !is_percent_encoded(text) {
                return Err(Problem::malformed("the query holds a % that no two hex digits follow"));
            }
            percent_encoding::percent_decode_str(&text.replace('+', " "))
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| Problem::malformed("the query is not UTF-8"))
        };
        let pairs = raw
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, Problem>>()?;
        Ok(Self { pairs })
    }

    /// Takes a parameter that may stand there once.
    pub fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.list(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Problem::malformed(format!("the query parameter `{name}` stands there more than once"))),
        }
    }

    /// Takes a parameter that may repeat.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let (mine, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(known, _)| known == name);
        self.pairs = rest;
        let mine: Vec<(String, String)> = mine;
        mine.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes a parameter and reads it; `what` tells what it must be.
    pub fn read<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.one(name)?
            .map(|text| {
                read(&text)
                    .ok_or_else(|| Problem::malformed(format!("the query parameter `{name}` must be {what}")))
            })
            .transpose()
    }

    /// Takes `true` or `false`; absent means false.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        Ok(self.read(name, "true or false", |text| text.parse().ok())?.unwrap_or_default())
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Problem> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::malformed(format!("unknown query parameter `{name}`"))),
        }
    }
}

/// Whether two hex digits follow every `%`. Parsers differ on the rest, and a delete must not
/// depend on which one read it.
fn is_percent_encoded(text: &str) -> bool {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        hex(digits.first()) && hex(digits.get(1))
    })
}

/// What every single-target DELETE takes in its query.
pub fn delete_query(query: &mut Query) -> Result<(IfAbsent, Option<String>), Problem> {
    let absent = query.read("if_absent", "ok or error", if_absent)?.unwrap_or_default();
    let reason = query.read("reason", "at most 1000 characters without control characters", |text| {
        let fits = text.chars().count() <= MAX_REASON_LEN && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    })?;
    if query.flag("dry_run")? {
        return Err(Problem::not_served(&["dry_run"]));
    }
    Ok((absent, reason))
}

/// Renditions from a query: `definition`, `job_id`, `family` and `all`.
pub fn renditions_query(query: &mut Query) -> Result<Renditions, Problem> {
    let list = |values: Vec<String>| Value::Array(values.into_iter().map(Value::String).collect());
    let mut fields = Map::new();
    for (name, field) in [("definition", "definitions"), ("job_id", "job_ids")] {
        let values = query.list(name);
        if !values.is_empty() {
            fields.insert(field.to_owned(), list(values));
        }
    }
    if let Some(family) = query.one("family")? {
        fields.insert("family".to_owned(), Value::String(family));
    }
    if query.flag("all")? {
        fields.insert("all".to_owned(), Value::Bool(true));
    }
    let mut faults = Faults::default();
    let renditions = take_renditions(&mut fields, "#", &mut faults);
    faults.check()?;
    renditions.ok_or_else(|| Problem::malformed("no renditions were selected"))
}

/// Snapshots from a query: `type` and `all`.
pub fn snapshots_query(query: &mut Query) -> Result<Snapshots, Problem> {
    let mut fields = Map::new();
    let types = query.list("type");
    if !types.is_empty() {
        fields.insert("types".to_owned(), Value::Array(types.into_iter().map(Value::String).collect()));
    }
    if query.flag("all")? {
        fields.insert("all".to_owned(), Value::Bool(true));
    }
    let mut faults = Faults::default();
    let snapshots = take_snapshots(&mut fields, "#", &mut faults);
    faults.check()?;
    snapshots.ok_or_else(|| Problem::malformed("no snapshots were selected"))
}

/// How long the caller will wait for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the answer waits.
    pub wait: Duration,
    /// The caller is content with an answer before the outcome.
    pub is_async: bool,
    /// The wait in seconds, if one was asked for.
    pub asked: Option<u64>,
}

impl Patience {
    /// What to answer as `Preference-Applied`.
    #[must_use]
    pub fn applied(&self) -> Option<String> {
        match (self.is_async, self.asked) {
            (true, Some(seconds)) => Some(format!("respond-async, wait={seconds}")),
            (true, None) => Some("respond-async".to_owned()),
            (false, Some(seconds)) => Some(format!("wait={seconds}")),
            (false, None) => None,
        }
    }
}

/// Reads `Prefer` (RFC 7240): `wait=N` and `respond-async`; what is not understood is ignored, as the RFC asks.
#[must_use]
pub fn prefer(headers: &HeaderMap) -> Patience {
    let mut patience = Patience { wait: DEFAULT_WAIT, is_async: false, asked: None };
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    for preference in values.flat_map(|value| value.split(',')) {
        let preference = preference.split(';').next().unwrap_or_default().trim();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => patience.is_async = true,
            "wait" if patience.asked.is_none() => {
                if let Ok(seconds) = value.trim().trim_matches('"').parse::<u64>() {
                    patience.asked = Some(seconds.min(MAX_WAIT.as_secs()));
                }
            }
            _ => {}
        }
    }
    patience.wait = match (patience.asked, patience.is_async) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, true) => Duration::ZERO,
        (None, false) => DEFAULT_WAIT,
    };
    patience
}

/// A single-target DELETE says everything in its URL: what somebody put into a body (`dry_run`,
/// perhaps) would be overlooked, so it is refused.
pub fn refuse_body(headers: &HeaderMap) -> Result<(), Problem> {
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if is_empty && !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    Err(Problem::malformed("a DELETE takes no body here: say it in the query; nothing was accepted"))
}

/// Parts of the contract that come in headers and are not served yet are refused, never ignored.
pub fn refuse_unserved_headers(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key("idempotency-key") {
        return Err(Problem::new("not_served", "Idempotency-Key is not served yet; nothing was accepted"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for field in [r#""dry_run": true"#, r#""delay": "1h""#, r#""purge_cdn": true"#, r#""check": true"#] {
            let body =
                format!(r#"{{"account": "media-cn", {field}, "targets": [{{"kind": "media", "id": "x"}}]}}"#);
            let refusal = read(&body).unwrap_err();
            assert_eq!(refusal[0].1, "is not served yet", "{field}: {refusal:?}");
        }
    }

    #[test]
    fn a_query_parameter_is_asked_for_or_refused() {
        let mut query = Query::parse(Some("definition=HD&definition=SD&all=false&x=%7A")).unwrap();
        assert!(renditions_query(&mut query).is_ok());
        assert!(query.end().is_err());
        for broken in ["x=%zz", "x=%", "%4=x", "x=%FF"] {
            assert!(Query::parse(Some(broken)).is_err(), "{broken}");
        }
        let mut twice = Query::parse(Some("reason=a&reason=b")).unwrap();
        assert!(delete_query(&mut twice).is_err());
        assert!(
            renditions_query(&mut Query::parse(None).unwrap()).is_err(),
            "an empty selection is not everything"
        );
        assert!(snapshots_query(&mut Query::parse(Some("type=cover&all=true")).unwrap()).is_err());
    }

    #[test]
    fn preferences_follow_the_rfc() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", value.parse().unwrap());
            let patience = prefer(&headers);
            (patience.wait.as_secs(), patience.is_async)
        };
        assert_eq!(with("wait=3"), (3, false));
        assert_eq!(with("respond-async"), (0, true));
        assert_eq!(with("respond-async, wait=5"), (5, true));
        assert_eq!(with("wait=600"), (60, false));
        assert_eq!(with("wait=soon, foo=bar"), (10, false));
        assert_eq!(prefer(&HeaderMap::new()).wait, DEFAULT_WAIT);
    }
}

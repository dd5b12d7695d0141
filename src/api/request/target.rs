//! One thing to delete, from the fields of a JSON object.
//!
//! The same reader for a target in a JSON body, a line of an upload and, for
//! selectors, a query, so that a target means one thing however it came. Nothing
//! is widened: an empty selection is a fault, never "everything".

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::faults::{Faults, refuse_unknown, take_bool, take_text};
use crate::types::deletion::Wanted;
use crate::types::target::{
    AccountId, BadName, Family, ImageUrl, Kind, MAX_REF_LEN, MAX_SELECTORS, MediaId, Name, ReferenceId,
    Renditions, Selector, SnapshotType, Snapshots, Target, What,
};

/// Reads a target; `sees` tells which accounts the caller may know of.
pub(in crate::api) fn target(
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

pub(super) fn take_account(
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

pub(super) fn take_renditions(
    fields: &mut Map<String, Value>,
    at: &str,
    faults: &mut Faults,
) -> Option<Renditions> {
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

pub(super) fn take_snapshots(
    fields: &mut Map<String, Value>,
    at: &str,
    faults: &mut Faults,
) -> Option<Snapshots> {
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

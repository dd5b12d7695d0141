//! `[callers.NAME]`: who may do what, where.
//!
//! Turns the configured words into `guard`'s types and refuses what cannot be
//! meant: an empty right, one key for two callers, a key where its digest should
//! stand, a daily cap below that of one deletion.

use std::collections::BTreeMap;

use super::section::Section;
use crate::guard::caller::{ANONYMOUS, Caller, Caps, KEY_PREFIX, KeyDigest, Rights, caller_name};
use crate::guard::glob::Glob;

/// Largest cap: more than any library holds, and far from where sums overflow.
const LARGEST_CAP: u64 = 1_000_000_000_000;

/// One caller.
#[derive(Debug, Clone)]
pub struct CallerSettings {
    /// Who, and what it may.
    pub caller: Caller,
    /// The digests of its keys.
    pub keys: Vec<KeyDigest>,
    /// The issuer whose tokens may name it.
    pub issuer: Option<String>,
}

/// Reads the callers; `issuers` are the names of those that can vouch for one.
pub(super) fn read(root: &mut Section<'_>, issuers: &[String]) -> Vec<CallerSettings> {
    let mut owners = BTreeMap::new();
    root.tables("callers")
        .into_iter()
        .filter_map(|(name, section)| read_caller(&name, section, issuers, &mut owners))
        .collect()
}

fn read_caller(
    name: &str,
    mut section: Section<'_>,
    issuers: &[String],
    owners: &mut BTreeMap<KeyDigest, String>,
) -> Option<CallerSettings> {
    let known = section.named(caller_name(name));
    if name == ANONYMOUS {
        section.refuse("is the name of whoever calls while no callers are configured; choose another");
    }
    let has_issuer = section.has("issuer");
    let issuer = section.get("issuer").parsed(|text| {
        let known = issuers.iter().any(|known| known == text);
        if known { Ok(text.to_owned()) } else { Err("names no [issuers.NAME] that is configured") }
    });
    let keys = if has_issuer { section.get("key_sha256") } else { section.need("key_sha256") };
    let texts = keys.list();
    if texts.as_ref().is_some_and(Vec::is_empty) {
        section.fault("key_sha256", "must hold at least one digest");
    }
    let keys = texts.unwrap_or_default();
    let keys = keys.iter().filter_map(|text| read_key(name, text, &section, owners)).collect();
    let globs = section.need("accounts").list().map(|texts| read_globs(&texts, &section));
    let rights = section.need("may").list().map(|words| read_rights(&words, &section));
    let caps = read_caps(&mut section);
    section.finish();
    let caller = Caller { name: known?, rights: rights?, accounts: globs?, caps };
    Some(CallerSettings { caller, keys, issuer })
}

fn read_caps(section: &mut Section<'_>) -> Caps {
    let caps = Caps {
        max_items: section.get("max_items").whole(1..=LARGEST_CAP),
        max_items_per_day: section.get("max_items_per_day").whole(1..=LARGEST_CAP),
    };
    if let (Some(one), Some(day)) = (caps.max_items, caps.max_items_per_day)
        && one > day
    {
        section.fault("max_items", "must not be above max_items_per_day, which it counts towards");
    }
    caps
}

fn read_key(
    name: &str,
    text: &str,
    section: &Section<'_>,
    owners: &mut BTreeMap<KeyDigest, String>,
) -> Option<KeyDigest> {
    if text.starts_with(KEY_PREFIX) {
        section.fault("key_sha256", "holds a key; put its SHA-256 here and use another key from now on");
        return None;
    }
    let Some(digest) = KeyDigest::parse(text) else {
        section.fault("key_sha256", "must be a SHA-256 in hex: 64 characters");
        return None;
    };
    if digest == KeyDigest::of("") {
        section.fault("key_sha256", "is the digest of an empty key");
        return None;
    }
    match owners.insert(digest, name.to_owned()) {
        Some(other) => {
            section.fault("key_sha256", format!("holds a key that callers.{other} has already"));
            None
        }
        None => Some(digest),
    }
}

fn read_globs(texts: &[String], section: &Section<'_>) -> Vec<Glob> {
    if texts.is_empty() {
        section.fault("accounts", "must hold at least one account or pattern; [\"*\"] is all");
    }
    let mut globs = Vec::new();
    for text in texts {
        match Glob::parse(text) {
            Ok(glob) => globs.push(glob),
            Err(why) => section.fault("accounts", format!("each {why}")),
        }
    }
    globs
}

fn read_rights(words: &[String], section: &Section<'_>) -> Rights {
    if words.is_empty() {
        section.fault(
            "may",
            "must hold at least one of \"read\", \"delete\", \"approve\", \"hold\" and \"admin\"",
        );
    }
    let mut rights = Rights::default();
    for word in words {
        if let Err(why) = rights.add(word) {
            section.fault("may", why);
        }
    }
    rights
}

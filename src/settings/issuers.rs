//! `[issuers.NAME]`: whose tokens are taken, and where their keys are.
//!
//! Its own file because an issuer is trusted to name callers: everything that could
//! widen that trust is refused here, such as an algorithm without a public key, keys
//! fetched in the clear, or two issuers that give the same name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;

use super::accounts::is_loopback;
use super::section::Section;
use crate::guard::caller::caller_name;
use crate::guard::jwt::{ALGORITHMS, Algorithm, DEFAULT_CALLER_CLAIM, Issuer};

/// Longest `issuer`, `audience` and `caller_claim`.
const LONGEST_TEXT: usize = 1_000;

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAt {
    /// Fetched.
    Url(Url),
    /// Read; again when it changes.
    File(PathBuf),
}

/// One issuer.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// What its tokens must say.
    pub issuer: Issuer,
    /// Its keys.
    pub keys: KeysAt,
}

pub(super) fn read(root: &mut Section<'_>) -> Vec<IssuerSettings> {
    let mut names = BTreeMap::new();
    root.tables("issuers")
        .into_iter()
        .filter_map(|(name, section)| read_issuer(&name, section, &mut names))
        .collect()
}

fn read_issuer(
    name: &str,
    mut section: Section<'_>,
    names: &mut BTreeMap<String, String>,
) -> Option<IssuerSettings> {
    let known = section.named(caller_name(name));
    let issuer = section.need("issuer").parsed(plain);
    if let Some(issuer) = &issuer
        && let Some(other) = names.insert(issuer.clone(), name.to_owned())
    {
        section.fault("issuer", format!("is the same as that of issuers.{other}"));
    }
    let audience = section.need("audience").parsed(plain);
    let keys = section.need("jwks").parsed(keys_at);
    let algorithms = section.need("algorithms").list().map(|words| read_algorithms(&words, &section));
    let caller_claim = if section.has("caller_claim") {
        section.get("caller_claim").parsed(plain)
    } else {
        Some(DEFAULT_CALLER_CLAIM.to_owned())
    };
    section.finish();
    let issuer = Issuer {
        name: known?,
        issuer: issuer?,
        audience: audience?,
        algorithms: algorithms?,
        caller_claim: caller_claim?,
    };
    Some(IssuerSettings { issuer, keys: keys? })
}

fn plain(text: &str) -> Result<String, String> {
    if (1..=LONGEST_TEXT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be 1 to {LONGEST_TEXT} visible ASCII characters"))
    }
}

fn read_algorithms(words: &[String], section: &Section<'_>) -> Vec<Algorithm> {
    if words.is_empty() {
        section.fault("algorithms", "must hold at least one, such as [\"RS256\"]");
    }
    let known = ALGORITHMS.map(|(word, _)| word).join(", ");
    let mut read = Vec::new();
    for word in words {
        match ALGORITHMS.iter().find(|(known, _)| known == word) {
            Some((_, algorithm)) => read.push(*algorithm),
            None => section.fault("algorithms", format!("must hold nothing but {known}")),
        }
    }
    read
}

fn keys_at(text: &str) -> Result<KeysAt, &'static str> {
    const FORM: &str = "must be an https URL or the path of a file";
    if text.is_empty() || text.contains('\0') {
        return Err(FORM);
    }
    if !text.contains("://") {
        return Ok(KeysAt::File(PathBuf::from(text)));
    }
    let url = Url::parse(text).map_err(|_| FORM)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    match url.scheme() {
        "https" if url.host_str().is_some() => Ok(KeysAt::Url(url)),
        "http" if url.host_str().is_some_and(is_loopback) => Ok(KeysAt::Url(url)),
        "http" => Err("must be https: who can change the keys on the way can be any caller"),
        _ => Err(FORM),
    }
}

//! `Idempotency-Key`: one request, one deletion, however often it is sent.
//!
//! The journal keeps keys, in the commit that makes the deletion; here a key is
//! checked and the request gets its fingerprint, over what the contract names
//! and the method and target too, so that one key cannot mean two things.

use std::time::Duration;

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use crate::journal::Once;
use crate::types::deletion::Digest;

/// The header of the key.
pub const HEADER: &str = "idempotency-key";
/// The header of an answer that was there already.
pub const REPLAYED: &str = "idempotency-replayed";
/// Longest key.
pub const MAX_LEN: usize = 255;

/// What is asked of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRules {
    /// How long one is kept.
    pub keep: Duration,
    /// Whether a request that deletes must have one.
    pub required: bool,
}

impl KeyRules {
    /// The key of a request, if it has one.
    pub fn key(&self, headers: &HeaderMap) -> Result<Option<String>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            if self.required {
                return Err(Problem::new(
                    "idempotency_key_required",
                    "this service takes no delete without an Idempotency-Key; nothing was accepted",
                ));
            }
            return Ok(None);
        };
        let bytes = value.as_bytes();
        let fits = (1..=MAX_LEN).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(text) if fits && values.next().is_none() => Ok(Some(text.to_owned())),
            _ => {
                let rule = format!("must be one value of 1 to {MAX_LEN} visible ASCII characters");
                Err(Problem::malformed(format!("Idempotency-Key {rule}; nothing was accepted")))
            }
        }
    }

    /// What the journal keeps of a request that is all there.
    #[must_use]
    pub fn once(&self, key: String, mut sum: Fingerprint, body: &[u8]) -> Once {
        sum.add(body);
        Once { key, fingerprint: sum.end(), keep: self.keep }
    }
}

/// The fingerprint of a request, while its body is read.
#[derive(Debug, Clone)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Over these parts, each with its length, and the body that follows.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut sum = Sha256::new();
        for part in parts {
            sum.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            sum.update(part.as_bytes());
        }
        Self(sum)
    }

    /// More of the body.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The whole.
    #[must_use]
    pub fn end(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_visible_word() {
        let rules = KeyRules { keep: Duration::from_secs(1), required: false };
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, value.parse().unwrap());
            }
            rules.key(&headers)
        };
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["run-7/2026!"]).unwrap().as_deref(), Some("run-7/2026!"));
        assert!(read(&[&"k".repeat(255)]).is_ok());
        for bad in [vec![""], vec!["a b"], vec![&"k".repeat(256)], vec!["a", "a"], vec!["é"]] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        assert!(KeyRules { required: true, ..rules }.key(&HeaderMap::new()).is_err());
    }

    #[test]
    fn where_one_part_ends_matters() {
        let sum = |parts: &[&str], body: &str| {
            let mut sum = Fingerprint::of(parts);
            sum.add(body.as_bytes());
            sum.end()
        };
        assert_eq!(sum(&["a", "b"], "cd"), sum(&["a", "b"], "cd"));
        assert_ne!(sum(&["a", "b"], "cd"), sum(&["ab", ""], "cd"));
        assert_ne!(sum(&["a", "b"], "cd"), sum(&["a", "b"], "dc"));
    }
}

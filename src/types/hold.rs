//! Holds and stops: what must not be deleted, whoever asks.
//!
//! A hold protects an asset; a stop keeps everything of an account, or of all,
//! from being sent. Its own file because callers, the journal and dispatch share
//! these few words. Whether a target is under a hold is decided in `guard`.

use std::fmt;

use jiff::Timestamp;

use super::target::{AccountId, MAX_NAME_LEN, MediaId};

/// What a hold covers: an asset's name, or a pattern over names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(String);

/// A text that names no hold. It is not repeated in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_NAME_LEN} of A-Z a-z 0-9 _ -, with * for any run of characters and ? for one")]
pub struct BadHoldId;

impl HoldId {
    /// Reads an id or a pattern.
    pub fn parse(text: &str) -> Result<Self, BadHoldId> {
        let fits = (1..=MAX_NAME_LEN).contains(&text.len());
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"_-*?".contains(&b);
        if fits && text.bytes().all(letters) { Ok(Self(text.to_owned())) } else { Err(BadHoldId) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers more than one name.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.0.bytes().any(|b| b == b'*' || b == b'?')
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A hold: the asset is not deleted, by whatever name and in none of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Where.
    pub account: AccountId,
    /// What it covers.
    pub id: HoldId,
    /// The vendor's id, if `id` is the caller's own id of an asset and the vendor told which it is.
    pub asset: Option<MediaId>,
    /// Why.
    pub reason: String,
    /// The caller who put it.
    pub held_by: String,
    /// Since when.
    pub held_at: Timestamp,
}

/// A stop switch that is on: nothing more is sent until it is lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The account; `None` stops all.
    pub account: Option<AccountId>,
    /// Why.
    pub reason: Option<String>,
    /// The caller who stopped it.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
}

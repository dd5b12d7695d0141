//! From a stream of lines to journaled items.
//!
//! An upload is staged in chunks that nobody sees and sealed by one commit, so
//! that one that breaks off deletes nothing. Its own file because it is the way in
//! of large deletions; how lines are read is `api`'s business, and duplicates are
//! found by the journal.

use std::time::Duration;

use super::Dispatch;
use super::submit::{Accepted, SubmitError};
use crate::types::deletion::{DeletionId, Digest, IfAbsent, Wanted};
use crate::types::outcome::ItemError;

/// An upload that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// The caller's name.
    pub requested_by: String,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// The caller's key, and how long it is kept.
    pub key: Option<(String, Duration)>,
}

/// What became of the beginning.
#[derive(Debug)]
pub enum Begun {
    /// Lines may come.
    Upload(Box<Upload>),
    /// The key has this deletion already: it is the answer if the body's fingerprint is this one.
    Known {
        /// Its public name.
        id: DeletionId,
        /// What its request was.
        fingerprint: Digest,
    },
    /// Another request with the key is still being received.
    KeyBusy,
}

/// An upload under way. Dropped before it is sealed, it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {}

impl Dispatch {
    /// Begins an upload.
    pub async fn begin_upload(&self, _upload: NewUpload) -> Result<Begun, SubmitError> {
        Err(SubmitError::Stopping)
    }
}

impl Upload {
    /// Takes one line, numbered from 1 as it stands in the body, comments and blanks counted.
    /// A line that could not be read becomes a refused item.
    pub async fn push(&mut self, _line: u64, _item: Result<Wanted, ItemError>) -> Result<(), SubmitError> {
        Err(SubmitError::Stopping)
    }

    /// Items so far.
    #[must_use]
    pub fn items(&self) -> u32 {
        0
    }

    /// Items so far that could be read.
    #[must_use]
    pub fn valid(&self) -> u32 {
        0
    }

    /// Closes it: on disk before this returns, and before anything is sent.
    pub async fn seal(self: Box<Self>, _fingerprint: Option<Digest>) -> Result<Accepted, SubmitError> {
        Err(SubmitError::Stopping)
    }

    /// Drops it. To drop the value does the same in the background.
    pub async fn discard(self: Box<Self>) {}
}

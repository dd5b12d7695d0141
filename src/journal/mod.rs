//! What was promised and what happened. The only folder that knows SQL.
//!
//! The contract of `Journal`, in prose; `contract/` tests it on every store:
//!
//! 1. A method that writes returns `Ok` only after its commit is on stable
//!    storage. Concurrent writes may share a commit; each is still all or nothing.
//! 2. `Journal::claim` commits `sending`, a lease and a higher generation for
//!    the items that it hands out. Nothing may be sent for an item that was not
//!    handed out so, by `claim` or by `Journal::append` with `Start::Sends`.
//! 3. `Journal::record` changes an item only if it is still `sending` under the
//!    generation that is named: a writer that was presumed dead changes nothing.
//! 4. An item that is done never changes. Its place in its deletion's sequence of
//!    outcomes is given at the same commit, and the sequence has no gap.
//! 5. A deletion's counts are written in the commit that changes its items, so
//!    they add up at any moment that a reader looks.
//! 6. A follower (a duplicate within its deletion) ends with its leader, in one
//!    commit. An item that waits for another becomes due when that one has ended.
//! 7. Times are the store's own: one clock for leases and due times, whoever asks.
//! 8. An upload is invisible and nothing of it is handed out until `Journal::seal`
//!    has committed; one that is discarded leaves nothing.
//! 9. Of concurrent appends under one caller's key, one makes a deletion and the
//!    others are told which.
//! 10. A verb is a compare-and-set on the state (`types/lifecycle.rs`). Nothing of a
//!     deletion that is not running is handed out.
//! 11. An item that is handed out takes along the open items of the same target in
//!     other deletions, and one whose target is being sent waits for that: one
//!     call, and all get its outcome (`Claimed` names the leader only).
//! 12. A lane is shared: callers take turns, and so do the deletions of a caller
//!     (`fair.rs`). What a claim hands out may come from several deletions.
//! 13. Nothing of a deletion is handed out before it runs: a plan, one that awaits
//!     approval, one whose delay is not over have their items, and no claim finds them.
//!     Who was let go on, by whom and against which digest is decided in one transaction.
//! 14. A caller's items of a day are counted in the transaction that makes them real.
//! 15. What is decided, sent and answered is recorded (`audit.rs`) in the transaction of the
//!     write that it tells of.
//! 16. `Journal::retry` and `Journal::settle` are the only ways out of an outcome;
//!     both keep the earlier one in the item's rounds.
//!
//! PostgreSQL comes behind the same trait. What an item's next step should be is
//! not decided here: callers bring it.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::lifecycle::Pause;
use crate::types::target::AccountId;

/// Who did what, in a chain of hashes.
pub mod audit;

/// What comes in.
mod accepting;

/// What is handed out and recorded.
mod sending;

/// What readers are told.
mod rows;

/// Verbs and work in steps.
mod turning;

/// Whose turn it is in a lane.
pub mod fair;

/// SQLite, for one process.
pub mod sqlite;

/// The model, for simulations and tests: it survives nothing.
pub mod memory;

#[cfg(test)]
mod contract;

pub use accepting::{
    Accepted, Appended, Begun, CapReached, NewDeletion, NewItem, NewUpload, Once, Seal, Sealed, Start,
};
pub use rows::{
    AttemptRow, DeletionFilter, DeletionRow, Found, ItemFilter, ItemRow, Note, Quarantine, Receipt, Round,
};
pub use sending::{
    CallRecord, Change, Claim, Claimed, LaneShare, Next, OpenLane, Recorded, Rescue, Touched, Waiting,
};
pub use turning::{
    Asked, Chore, ChoreKind, ChoreWord, Lapsed, Noted, Reopen, Retry, Settled, Settlement, Turned,
};

/// What went wrong with the journal. Nothing was written if a write ends so,
/// except after [`Error::Uncertain`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No space left.
    #[error("the journal's disk is full")]
    DiskFull,
    /// The store cannot be read or written now.
    #[error("the journal is not usable: {0}")]
    Unavailable(String),
    /// The commit failed in a way that leaves open whether it happened.
    #[error("whether the journal was written is not known: {0}")]
    Uncertain(String),
    /// A row does not mean anything to this version.
    #[error("the journal holds something that this version cannot read: {0}")]
    Unreadable(String),
    /// The write contradicts itself or what is stored: its caller has a bug.
    #[error("the journal was asked for something impossible: {0}")]
    Invalid(String),
    /// Too many writes wait already.
    #[error("too many writes wait for the journal")]
    Overloaded,
}

/// The durable store of deletions.
#[async_trait]
pub trait Journal: Debug + Send + Sync {
    /// Accepts a deletion: all of it, or nothing.
    async fn append(&self, deletion: NewDeletion) -> Result<Accepted, Error>;

    /// What a caller's key would give now, if it is in use: an equal request is
    /// answered before anything else can refuse it.
    async fn known(&self, requested_by: &str, once: &Once) -> Result<Option<Accepted>, Error>;

    /// Begins an upload.
    async fn begin(&self, upload: NewUpload) -> Result<Begun, Error>;

    /// Stages items of an upload, from this index on, in order. The journal itself
    /// finds the ones that repeat an earlier target of the upload or wait for
    /// another on the same asset: they come as [`Start::Waits`].
    async fn stage(&self, upload: DeletionSeq, from: u32, items: Vec<NewItem>) -> Result<(), Error>;

    /// Closes an upload: from this commit on it is a deletion like any other.
    async fn seal(&self, upload: DeletionSeq, seal: Seal) -> Result<Sealed, Error>;

    /// Drops an upload that broke off, and frees its key. Its rows go by [`Journal::clean`].
    async fn discard(&self, upload: DeletionSeq) -> Result<(), Error>;

    /// Drops all uploads begun before this time that were not sealed.
    async fn discard_unsealed(&self, begun_before: Timestamp) -> Result<usize, Error>;

    /// Hands out up to `max` due items of one group of the lane, in fair order.
    async fn claim(&self, lane: &LaneId, max: usize, lease: Duration) -> Result<Claim, Error>;

    /// Records a call and what becomes of its items.
    async fn record(&self, call: CallRecord, changes: Vec<Change>) -> Result<Recorded, Error>;

    /// Hands out again, under a new generation and lease, items whose sender is
    /// gone, at most `max`. The caller records them like any others, with a call
    /// whose class tells that the answer is lost. Oldest lease first; with
    /// [`Rescue::All`] what was handed out comes again until it is recorded.
    async fn rescue(&self, which: Rescue, max: usize, lease: Duration) -> Result<Vec<Claimed>, Error>;

    /// Does what a verb says, by compare-and-set. After a cancel, a rejection or an expiry,
    /// [`Journal::cancel_step`] does the items.
    async fn turn(&self, deletion: &DeletionId, asked: Asked) -> Result<Option<Turned>, Error>;

    /// Ends up to `max` items of a canceled, rejected or expired deletion that were not sent; an
    /// item that was sent goes on to its outcome. Whether there are more, or a block to be lifted.
    async fn cancel_step(&self, deletion: DeletionSeq, max: usize) -> Result<(Recorded, bool), Error>;

    /// Items of a deletion from an index on that may be opened again, by index.
    async fn retriable(&self, deletion: DeletionSeq, from: u32, limit: usize) -> Result<Vec<ItemRow>, Error>;

    /// Opens items again: a new round, with the earlier outcome kept.
    async fn retry(&self, deletion: &DeletionId, retry: Retry) -> Result<Option<Turned>, Error>;

    /// Decides an `unknown` item.
    async fn settle(&self, key: ItemKey, settlement: Settlement) -> Result<Settled, Error>;

    /// Writes down a step; whether that work is still to be done.
    async fn note(&self, deletion: DeletionSeq, noted: Noted) -> Result<bool, Error>;

    /// Deletions whose deadline is over: [`Verb::Lapse`](crate::types::lifecycle::Verb::Lapse) is for them.
    async fn lapsed(&self, limit: usize) -> Result<Lapsed, Error>;

    /// Puts a hold, or puts another in its place.
    async fn hold(&self, hold: Hold) -> Result<(), Error>;

    /// Lifts a hold; the hold that it was.
    async fn lift(&self, account: &AccountId, id: &HoldId, by: &str) -> Result<Option<Hold>, Error>;

    /// Every hold, by account and id.
    async fn holds(&self) -> Result<Vec<Hold>, Error>;

    /// Sets a stop switch; whether it was off. One that is on stays as it was.
    async fn stop(&self, stop: Stop) -> Result<bool, Error>;

    /// Lifts a stop switch; whether it was on.
    async fn restart(
        &self,
        account: Option<&AccountId>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<bool, Error>;

    /// The stop switches that are on.
    async fn stops(&self) -> Result<Vec<Stop>, Error>;

    /// Records what no other write tells of.
    async fn audit(&self, entries: Vec<audit::Entry>) -> Result<(), Error>;

    /// Audit records, newest first.
    async fn audited(&self, filter: audit::AuditFilter, limit: usize) -> Result<Vec<audit::Record>, Error>;

    /// Work in steps that is under way.
    async fn chores(&self) -> Result<Vec<Chore>, Error>;

    /// Pauses every open deletion; how many there were.
    async fn pause_all(&self, pause: Pause) -> Result<usize, Error>;

    /// Removes, in one small step of at most about `max` rows, what is no longer
    /// kept: deletions finished before this time, discarded uploads, old keys.
    /// Whether there is more.
    async fn clean(&self, finished_before: Timestamp, max: usize) -> Result<bool, Error>;

    /// The lanes that have waiting items.
    async fn open_lanes(&self) -> Result<Vec<OpenLane>, Error>;

    /// Where a deletion's items wait.
    async fn shares(&self, deletion: DeletionSeq) -> Result<Vec<LaneShare>, Error>;

    /// One deletion by its public name. Uploads that are not sealed are not there.
    async fn deletion(&self, id: &DeletionId) -> Result<Option<DeletionRow>, Error>;

    /// Deletions, newest first.
    async fn deletions(&self, filter: DeletionFilter, limit: usize) -> Result<Vec<DeletionRow>, Error>;

    /// Items of one deletion, by index.
    async fn items(
        &self,
        deletion: DeletionSeq,
        filter: ItemFilter,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error>;

    /// Items of one deletion that have ended, by their place in the sequence of
    /// outcomes, after this place.
    async fn outcomes(&self, deletion: DeletionSeq, after: u32, limit: usize) -> Result<Vec<ItemRow>, Error>;

    /// One item with all that happened to it.
    async fn item(&self, key: ItemKey) -> Result<Option<Receipt>, Error>;

    /// What ever happened to this asset, newest first; `before` is the page token.
    async fn items_of(
        &self,
        account: &AccountId,
        id: &str,
        before: Option<ItemKey>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error>;

    /// Bytes that the journal takes on disk, its log included.
    async fn size(&self) -> Result<u64, Error>;

    /// Whether the journal can be written now.
    async fn check(&self) -> Result<(), Error>;

    /// Finishes what is queued and lets go of the store.
    async fn close(&self);
}

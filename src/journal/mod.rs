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
//!
//! PostgreSQL comes behind the same trait. What an item's next step should be is
//! not decided here: callers bring it.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::types::deletion::{
    Counts, DeletionId, DeletionSeq, DeletionState, IfAbsent, ItemKey, ItemState, LaneId, Phase, Progress,
    Step, Wanted,
};
use crate::types::outcome::{AttemptClass, Ending, Outcome};
use crate::types::target::{AccountId, MediaId, OperationName, Target};

/// SQLite, for one process.
pub mod sqlite;

#[cfg(test)]
mod contract;

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

/// A deletion to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeletion {
    /// Its public name.
    pub id: DeletionId,
    /// The caller's name.
    pub requested_by: String,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// The items, in input order.
    pub items: Vec<NewItem>,
}

/// An item to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// What was asked.
    pub wanted: Wanted,
    /// How it starts.
    pub start: Start,
}

/// How an item starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// It ended before anything was sent.
    Ended(Ending),
    /// It waits for a call.
    Waits(Step),
    /// A permit is in hand: it is journaled as `sending` at once and handed out.
    Sends {
        /// The call.
        step: Step,
        /// How long the sender may take.
        lease: Duration,
    },
    /// It is the same target as an earlier item of this deletion and ends with it.
    Follows {
        /// The earlier item's index.
        leader: u32,
    },
    /// It is another target on the asset of an earlier item and must wait for it.
    After {
        /// The earlier item's index.
        earlier: u32,
        /// Its first call, once it may start.
        step: Step,
    },
}

/// What [`Journal::append`] made.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The journal's number of the deletion.
    pub seq: DeletionSeq,
    /// The items that started as [`Start::Sends`], in index order.
    pub claimed: Vec<Claimed>,
    /// Whether every item has ended already.
    pub finished: bool,
}

/// An item handed out for one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Which item.
    pub key: ItemKey,
    /// The generation that [`Journal::record`] must name.
    pub generation: i64,
    /// The deletion's public name, for logs.
    pub deletion: DeletionId,
    /// What was asked.
    pub target: Target,
    /// The call it was handed out for.
    pub step: Step,
    /// How far it has come, if a call before this one left anything to remember.
    pub progress: Option<Progress>,
    /// Calls that carried it before.
    pub calls: u32,
    /// Those of them that count against the limit.
    pub tries: u32,
    /// When the deletion was accepted.
    pub accepted_at: Timestamp,
    /// When the lease of the sender that is gone ended, for items that were taken back.
    pub lapsed_at: Option<Timestamp>,
}

/// What [`Journal::claim`] found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claim {
    /// Items of one group, oldest first; empty if none is due.
    pub items: Vec<Claimed>,
    /// When the next item of the lane is due, if nothing is now.
    pub next_due: Option<Timestamp>,
}

/// One call, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Where it went.
    pub lane: LaneId,
    /// What it was for.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub class: AttemptClass,
    /// HTTP status, where an answer came.
    pub status: Option<u16>,
    /// The vendor's error code.
    pub vendor_code: Option<String>,
    /// The vendor's request id.
    pub request_id: Option<String>,
}

/// What becomes of one item after a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which item.
    pub key: ItemKey,
    /// The generation it was handed out with.
    pub generation: i64,
    /// What it has come to, if anything of it must be remembered.
    pub progress: Option<Progress>,
    /// What follows.
    pub next: Next,
}

/// What follows for one item.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It has its outcome.
    Ended(Ending),
    /// It waits for another call.
    Again {
        /// That call.
        step: Step,
        /// Not before this time.
        due_at: Timestamp,
        /// Whether the call just made counts as a try.
        counts: bool,
    },
}

/// What [`Journal::record`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Deletions whose last item ended in this commit.
    pub finished: Vec<DeletionSeq>,
    /// Lanes that have more waiting items now than before (repeats, next steps, items that waited), each once per item.
    pub waiting: Vec<LaneId>,
    /// Outcomes that were given, followers included.
    pub ended: Vec<Outcome>,
    /// Changes that named an old generation and were left out.
    pub stale: usize,
}

/// Which items whose sender is gone are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rescue {
    /// All that are `sending`: their process is dead (at start).
    All,
    /// Those whose lease has run out.
    Expired,
}

/// Waiting items of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLane {
    /// The lane.
    pub lane: LaneId,
    /// How many items wait in it, due or not.
    pub waiting: u64,
}

/// A deletion, as read.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletionRow {
    /// The journal's number.
    pub seq: DeletionSeq,
    /// Its public name.
    pub id: DeletionId,
    /// Who asked.
    pub requested_by: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// Where it stands.
    pub state: DeletionState,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the first call for it was journaled.
    pub started_at: Option<Timestamp>,
    /// When its last item ended.
    pub finished_at: Option<Timestamp>,
    /// How many items stand where.
    pub counts: Counts,
    /// Every account that its items name.
    pub accounts: Vec<AccountId>,
}

/// An item, as read.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Which item.
    pub key: ItemKey,
    /// The deletion's public name.
    pub deletion: DeletionId,
    /// What was asked.
    pub wanted: Wanted,
    /// Where it stands.
    pub state: ItemState,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Its place in its deletion's sequence of outcomes, from 1, once it has ended.
    pub outcome_seq: Option<u32>,
    /// Its parts, where there is more to say than the ending.
    pub progress: Option<Progress>,
    /// Calls that carried it; a follower shows its leader's.
    pub attempts: u32,
    /// The last call that carried it: operation and the vendor's request id.
    pub last_call: Option<(OperationName, Option<String>)>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The earlier item of the same deletion that it is a duplicate of.
    pub same_as: Option<u32>,
    /// Whether "not found" is ok, from the deletion.
    pub if_absent: IfAbsent,
}

/// One attempt of an item, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// From 1, in order.
    pub number: u32,
    /// The call.
    pub call: CallRecord,
}

/// Which deletions to list. Newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeletionFilter {
    /// Only deletions all of whose accounts are among these (what the caller may see); `None` sees all.
    pub visible: Option<Vec<AccountId>>,
    /// Only those that touch this account.
    pub account: Option<AccountId>,
    /// Only those in this state.
    pub state: Option<DeletionState>,
    /// Only those of this caller.
    pub requested_by: Option<String>,
    /// Only those accepted at or after.
    pub since: Option<Timestamp>,
    /// Only those accepted before.
    pub until: Option<Timestamp>,
    /// Only those older than this one (the page token).
    pub before: Option<DeletionSeq>,
}

/// Which items of one deletion to list, by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemFilter {
    /// Only those with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those in this state.
    pub state: Option<ItemState>,
    /// Only those from this index on (the page token).
    pub from: u32,
}

/// The durable store of deletions.
#[async_trait]
pub trait Journal: Debug + Send + Sync {
    /// Accepts a deletion: all of it, or nothing.
    async fn append(&self, deletion: NewDeletion) -> Result<Appended, Error>;

    /// Hands out up to `max` due items of one group of the lane, oldest first.
    async fn claim(&self, lane: &LaneId, max: usize, lease: Duration) -> Result<Claim, Error>;

    /// Records a call and what becomes of its items.
    async fn record(&self, call: CallRecord, changes: Vec<Change>) -> Result<Recorded, Error>;

    /// Hands out again, under a new generation and lease, items whose sender is
    /// gone, at most `max`. The caller records them like any others, with a call
    /// whose class tells that the answer is lost. Oldest lease first; with
    /// [`Rescue::All`] what was handed out comes again until it is recorded.
    async fn rescue(&self, which: Rescue, max: usize, lease: Duration) -> Result<Vec<Claimed>, Error>;

    /// The lanes that have waiting items.
    async fn open_lanes(&self) -> Result<Vec<OpenLane>, Error>;

    /// One deletion by its public name.
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

    /// One item with its attempts, oldest first.
    async fn item(&self, key: ItemKey) -> Result<Option<(ItemRow, Vec<AttemptRow>)>, Error>;

    /// What ever happened to this asset, newest first; `before` is the page token.
    async fn items_of(
        &self,
        account: &AccountId,
        id: &str,
        before: Option<ItemKey>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error>;

    /// Whether the journal can be written now.
    async fn check(&self) -> Result<(), Error>;

    /// Finishes what is queued and lets go of the store.
    async fn close(&self);
}

/// The asset that a step of this item is about, for readers of [`ItemRow`].
impl ItemRow {
    /// The vendor's id that a reference id was resolved to.
    #[must_use]
    pub fn resolved(&self) -> Option<&MediaId> {
        self.progress.as_ref().and_then(|progress| progress.asset.as_ref())
    }
}

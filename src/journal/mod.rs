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
use serde::{Deserialize, Serialize};

use crate::types::asset::Facts;
use crate::types::deletion::{
    Counts, DeletionId, DeletionSeq, Digest, IfAbsent, ItemKey, ItemState, LaneId, Phase, Progress, Step,
    Wanted,
};
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::lifecycle::{DeletionState, Pause, Review, Standing, Terms, Verb};
use crate::types::outcome::{AttemptClass, Ending, Outcome};
use crate::types::target::{AccountId, MediaId, OperationName, Target};

/// Who did what, in a chain of hashes.
pub mod audit;

/// Whose turn it is in a lane.
pub mod fair;

/// SQLite, for one process.
pub mod sqlite;

/// The model, for simulations and tests: it survives nothing.
pub mod memory;

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
    /// What was asked, in one number.
    pub digest: Digest,
    /// Makes it at most once.
    pub once: Option<Once>,
    /// What must happen before it runs. Only if that is nothing may items start as [`Start::Sends`].
    pub terms: Terms,
    /// The caller's items a day, at most. A plan counts when it is started.
    pub daily_cap: Option<u64>,
}

/// A caller's `Idempotency-Key` on a request whose body is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The caller's key; keys of different callers never meet.
    pub key: String,
    /// What the request was: SHA-256 over body, content type and query.
    pub fingerprint: Digest,
    /// How long the key is kept from now on.
    pub keep: Duration,
}

/// An item to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// What was asked; `None` for a line of an upload that could not be read, which must have [`Start::Ended`].
    pub wanted: Option<Wanted>,
    /// How it starts.
    pub start: Start,
}

/// An upload that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// The deletion's public name.
    pub id: DeletionId,
    /// The caller's name.
    pub requested_by: String,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// The caller's key, and how long it is kept; its fingerprint comes with [`Seal`].
    pub key: Option<(String, Duration)>,
}

/// A caller's items of a day are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapReached {
    /// Items a day.
    pub limit: u64,
    /// Those of today (UTC) that are left.
    pub left: u64,
    /// When the next day begins.
    pub resets_at: Timestamp,
}

/// What [`Journal::seal`] did.
#[derive(Debug, Clone, PartialEq)]
pub enum Sealed {
    /// It is a deletion now.
    Done(Touched),
    /// Nothing: the upload is as it was, and should be discarded.
    CapReached(CapReached),
}

/// What [`Journal::begin`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Items may be staged under this number.
    Receiving(DeletionSeq),
    /// The key has a deletion already: it is the answer if the body's fingerprint is this one.
    Known {
        /// Its public name.
        id: DeletionId,
        /// What its request was.
        fingerprint: Digest,
    },
    /// Another request with the key is still being received.
    KeyBusy,
}

/// What closes an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// How many items were staged: another number is refused.
    pub total: u32,
    /// What was asked, in one number.
    pub digest: Digest,
    /// What the request was, if it has a key.
    pub fingerprint: Option<Digest>,
    /// What must happen before it runs, now that all its items are known.
    pub terms: Terms,
    /// The caller's items a day, at most.
    pub daily_cap: Option<u64>,
}

impl Seal {
    /// Closes an upload that runs at once.
    #[must_use]
    pub fn of(total: u32, digest: Digest) -> Self {
        Self { total, digest, fingerprint: None, terms: Terms::default(), daily_cap: None }
    }
}

/// What [`Journal::append`] did.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// The deletion was made.
    New(Appended),
    /// The key has this deletion already, made by an equal request.
    Known(DeletionId),
    /// The key was used for another request.
    KeyReused,
    /// A request with the key is still being received.
    KeyBusy,
    /// The caller's items of the day would not do.
    CapReached(CapReached),
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
    /// When the deletion was accepted, or the item's round began.
    pub accepted_at: Timestamp,
    /// When the lease of the sender that is gone ended, for items that were taken back.
    pub lapsed_at: Option<Timestamp>,
    /// Whether it came with an upload: such items wait in the journal, not in a bounded queue.
    pub bulk: bool,
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

/// What a write that gives outcomes did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Deletions in which an item ended, with how they stand after this commit.
    pub touched: Vec<Touched>,
    /// Items that wait now and did not before (repeats, next steps, items that waited for another).
    pub waiting: Vec<Waiting>,
    /// Outcomes that were given, followers included.
    pub ended: Vec<Outcome>,
    /// Changes that named an old generation and were left out.
    pub stale: usize,
}

/// A deletion in which items ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The journal's number.
    pub seq: DeletionSeq,
    /// Its public name.
    pub id: DeletionId,
    /// How its items stand.
    pub counts: Counts,
    /// How they stood when it was accepted or last resumed.
    pub baseline: Counts,
    /// Whether this commit ended its last item.
    pub finished: bool,
}

/// An item that has come to wait in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The lane.
    pub lane: LaneId,
    /// Whether it came with an upload.
    pub bulk: bool,
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
    /// How many items wait in it, due or not; those of paused deletions too.
    pub waiting: u64,
    /// How many of them came with uploads.
    pub bulk: u64,
}

/// Items of one deletion that wait in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneShare {
    /// The lane.
    pub lane: LaneId,
    /// How many of the deletion's items wait in it.
    pub waiting: u64,
    /// Callers who have items of running deletions in it.
    pub callers: u32,
    /// Running deletions of the same caller in it.
    pub siblings: u32,
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
    /// Why it is paused, if it is.
    pub pause: Option<Pause>,
    /// What must happen before it runs.
    pub terms: Terms,
    /// Who let it go on, or did not.
    pub review: Review,
    /// When it goes on, or expires, by itself.
    pub deadline: Option<Timestamp>,
    /// What is being done to it in steps.
    pub chore: Option<ChoreWord>,
    /// What was asked, in one number.
    pub digest: Digest,
    /// Whether it came as an upload.
    pub bulk: bool,
    /// How often it was opened again.
    pub round: u32,
    /// The last number given in its sequence of outcomes.
    pub last_outcome: u32,
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

impl DeletionRow {
    /// How it stands, for the table of verbs.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing<'_> {
        Standing {
            state: self.state,
            terms: &self.terms,
            review: &self.review,
            is_early: self.deadline.is_some_and(|at| at > now),
            is_checking: self.chore == Some(ChoreWord::Check),
        }
    }
}

/// An item, as read.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Which item.
    pub key: ItemKey,
    /// The deletion's public name.
    pub deletion: DeletionId,
    /// Where the deletion stands.
    pub deletion_state: DeletionState,
    /// What was asked; `None` for a line of an upload that could not be read.
    pub wanted: Option<Wanted>,
    /// Where it stands.
    pub state: ItemState,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Its place in its deletion's sequence of outcomes, from 1, once it has ended.
    /// An item that is opened again gives it up and later gets a new, higher one.
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
    /// The item of another deletion whose call served this one too.
    pub coalesced_with: Option<(DeletionId, u32)>,
    /// Whether "not found" is ok, from the deletion.
    pub if_absent: IfAbsent,
    /// What was found out about it before anything was sent.
    pub note: Option<Note>,
}

/// What was found out about an item, or done for it, before its delete.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Note {
    /// What stands at the vendor, for a plan that was to tell.
    pub found: Option<Found>,
    /// Whether its playback is blocked.
    pub quarantine: Option<Quarantine>,
}

/// What a look at the vendor told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Nothing stands there.
    Missing,
    /// This does.
    Stands(Box<Facts>),
    /// It could not be told: why.
    Untold(String),
}

/// What became of the playback of an item that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// We have blocked it.
    Blocked,
    /// It was blocked before: that is not lifted.
    BlockedBefore,
    /// We have lifted our block.
    Lifted,
    /// It could not be blocked.
    NotBlocked,
    /// Our block could not be lifted.
    NotLifted,
}

impl Quarantine {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Blocked, Self::BlockedBefore, Self::Lifted, Self::NotBlocked, Self::NotLifted];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Quarantine::Blocked => "blocked",
            Quarantine::BlockedBefore => "blocked_before",
            Quarantine::Lifted => "lifted",
            Quarantine::NotBlocked => "not_blocked",
            Quarantine::NotLifted => "not_lifted",
        }
    }
}

/// One item with all that happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The item.
    pub item: ItemRow,
    /// Every call that carried it, oldest first; a follower shows its leader's.
    pub attempts: Vec<AttemptRow>,
    /// Its earlier outcomes, oldest first.
    pub rounds: Vec<Round>,
    /// The audit records that are about it, oldest first.
    pub audit: Vec<i64>,
}

/// An outcome that was given up for another.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// From 1, in order.
    pub number: u32,
    /// How it had ended.
    pub ending: Ending,
    /// When it had ended.
    pub finished_at: Timestamp,
    /// When that was given up.
    pub reopened_at: Timestamp,
    /// Who gave it up.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether an operator decided what took its place; else it was tried again.
    pub settled: bool,
}

/// What a verb did.
#[derive(Debug, Clone, PartialEq)]
pub enum Turned {
    /// It did this.
    Done(DeletionRow, Recorded),
    /// It would have changed nothing.
    Same(DeletionRow),
    /// It does not fit the state.
    Wrong(DeletionRow),
    /// The digest that was given is not the deletion's.
    OtherDigest(DeletionRow),
    /// Who asked for a deletion, or started it, does not approve or reject it.
    Own(DeletionRow),
    /// To start it would be more than the caller may on one day.
    CapReached(CapReached),
}

/// A verb, with who asked. Two that race are decided by the transaction: one wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The verb; [`Verb::Retry`] goes by [`Journal::retry`]. [`Verb::Lapse`] is [`Turned::Same`]
    /// before the deadline; after it, every other verb finds the deletion lapsed.
    pub verb: Verb,
    /// The caller, or [`audit::SERVICE`].
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// With [`Verb::Pause`]: what is shown.
    pub pause: Option<Pause>,
    /// With [`Verb::Start`], [`Verb::Approve`], [`Verb::Reject`]: what the caller has seen.
    pub digest: Option<Digest>,
    /// With [`Verb::Start`]: the caller's items a day, at most.
    pub daily_cap: Option<u64>,
}

impl Asked {
    /// A verb of a caller, without more.
    #[must_use]
    pub fn of(verb: Verb, by: &str) -> Self {
        Self { verb, by: by.to_owned(), reason: None, pause: None, digest: None, daily_cap: None }
    }
}

/// An item that is opened again.
#[derive(Debug, Clone, PartialEq)]
pub struct Reopen {
    /// Which item. It must be done as `busy`, `failed` or `unknown`, or nothing is done with it.
    pub key: ItemKey,
    /// Its next call.
    pub step: Step,
    /// What it has come to, if anything of it must be remembered.
    pub progress: Option<Progress>,
    /// Not before this time.
    pub due_at: Timestamp,
}

/// A step of opening items again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The items, in order of their index.
    pub items: Vec<Reopen>,
    /// Where the next step looks for more, if it must; kept across a restart.
    pub next: Option<u32>,
    /// Who asked, and why.
    pub by: String,
    /// The caller's reason.
    pub reason: Option<String>,
}

/// What an operator decides about an `unknown` item.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// How it ended.
    pub ending: Ending,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// What [`Journal::settle`] did.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// It was decided; with the item as it stands now.
    Done(ItemRow, Recorded),
    /// The item is not `unknown`.
    Wrong(ItemRow),
    /// There is no such item.
    NoItem,
}

/// Work on a deletion that goes in steps and survives a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chore {
    /// The deletion.
    pub seq: DeletionSeq,
    /// Its public name.
    pub id: DeletionId,
    /// What is to be done.
    pub kind: ChoreKind,
}

/// Work that goes in steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoreKind {
    /// Items that were not sent become `canceled`: [`Journal::cancel_step`].
    Cancel,
    /// Items from here on are opened again: [`Journal::retriable`], [`Journal::retry`].
    Retry {
        /// The next index to look at.
        from: u32,
        /// Who asked.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// Items of a plan from here on are looked up at the vendor: [`Journal::note`].
    Check {
        /// The next index to look at.
        from: u32,
    },
    /// The playback of items from here on is blocked: [`Journal::note`].
    Quarantine {
        /// The next index to look at.
        from: u32,
    },
    /// Our blocks from here on are lifted: [`Journal::note`].
    Lift {
        /// The next index to look at.
        from: u32,
    },
}

/// What kind of work in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChoreWord {
    /// [`ChoreKind::Cancel`].
    Cancel,
    /// [`ChoreKind::Retry`].
    Retry,
    /// [`ChoreKind::Check`].
    Check,
    /// [`ChoreKind::Quarantine`].
    Quarantine,
    /// [`ChoreKind::Lift`].
    Lift,
}

impl ChoreKind {
    /// Its word.
    #[must_use]
    pub fn word(&self) -> ChoreWord {
        match self {
            ChoreKind::Cancel => ChoreWord::Cancel,
            ChoreKind::Retry { .. } => ChoreWord::Retry,
            ChoreKind::Check { .. } => ChoreWord::Check,
            ChoreKind::Quarantine { .. } => ChoreWord::Quarantine,
            ChoreKind::Lift { .. } => ChoreWord::Lift,
        }
    }
}

/// A step of [`ChoreWord::Check`], [`ChoreWord::Quarantine`] or [`ChoreWord::Lift`].
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// Which work.
    pub chore: ChoreWord,
    /// What was found out of which item, in order of the indexes. Only what is `Some` is changed.
    pub notes: Vec<(u32, Note)>,
    /// Where the next step looks for more; without it the work is done.
    pub next: Option<u32>,
}

/// Deletions whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapsed {
    /// Those whose deadline is over, earliest first, at most as many as were asked for.
    pub ids: Vec<DeletionId>,
    /// When the next one's is, if none is left.
    pub next: Option<Timestamp>,
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

    /// Deletions whose deadline is over: [`Verb::Lapse`] is for them.
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

/// The asset that a step of this item is about, for readers of [`ItemRow`].
impl ItemRow {
    /// The vendor's id that a reference id was resolved to.
    #[must_use]
    pub fn resolved(&self) -> Option<&MediaId> {
        self.progress.as_ref().and_then(|progress| progress.asset.as_ref())
    }
}

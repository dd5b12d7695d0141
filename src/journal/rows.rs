//! What readers are told: deletions, items, their receipts, and what to ask for.
//!
//! Its own file because readers see nothing else of the journal. How it is shown to
//! callers is `api`'s business.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CallRecord, ChoreWord};
use crate::types::asset::Facts;
use crate::types::deletion::{
    Counts, DeletionId, DeletionSeq, Digest, IfAbsent, ItemKey, ItemState, Progress, Wanted,
};
use crate::types::lifecycle::{DeletionState, Pause, Review, Standing, Terms};
use crate::types::outcome::{Ending, Outcome};
use crate::types::target::{AccountId, MediaId, OperationName};

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

/// The asset that a step of this item is about, for readers of [`ItemRow`].
impl ItemRow {
    /// The vendor's id that a reference id was resolved to.
    #[must_use]
    pub fn resolved(&self) -> Option<&MediaId> {
        self.progress.as_ref().and_then(|progress| progress.asset.as_ref())
    }
}

//! What is handed out for a call, and what is written down of it.
//!
//! Its own file because only the lanes use these. Why an item goes out or ends so is
//! not known here.

use std::time::Duration;

use jiff::Timestamp;

use crate::types::deletion::{Counts, DeletionId, DeletionSeq, ItemKey, LaneId, Phase, Progress, Step};
use crate::types::outcome::{AttemptClass, Ending, Outcome};
use crate::types::target::Target;

/// An item handed out for one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Which item.
    pub key: ItemKey,
    /// The generation that [`Journal::record`](super::Journal::record) must name.
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
    /// Its deletion was canceled meanwhile: what was sent is settled, nothing is sent again.
    pub is_dead: bool,
    /// Whether it came with an upload: such items wait in the journal, not in a bounded queue.
    pub bulk: bool,
}

/// What [`Journal::claim`](super::Journal::claim) found.
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

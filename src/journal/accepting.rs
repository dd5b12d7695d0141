//! What comes in: deletions whole, and uploads in chunks.
//!
//! Its own file because callers of the journal fill these; what is read back is in
//! `rows`. Nothing here knows a store.

use std::time::Duration;

use jiff::Timestamp;

use super::{Claimed, Touched};
use crate::types::deletion::{DeletionId, DeletionSeq, Digest, IfAbsent, Step, Wanted};
use crate::types::lifecycle::Terms;
use crate::types::outcome::Ending;

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

/// What [`Journal::seal`](super::Journal::seal) did.
#[derive(Debug, Clone, PartialEq)]
pub enum Sealed {
    /// It is a deletion now.
    Done(Touched),
    /// Nothing: the upload is as it was, and should be discarded.
    CapReached(CapReached),
}

/// What [`Journal::begin`](super::Journal::begin) found.
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

/// What [`Journal::append`](super::Journal::append) did.
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

/// What [`Journal::append`](super::Journal::append) made.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The journal's number of the deletion.
    pub seq: DeletionSeq,
    /// The items that started as [`Start::Sends`], in index order.
    pub claimed: Vec<Claimed>,
    /// Whether every item has ended already.
    pub finished: bool,
}

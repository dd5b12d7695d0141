//! Verbs and what they came to, and the work that they leave to be done in steps.
//!
//! Its own file because these change a deletion as a whole. Which verb leads where is
//! `types/lifecycle.rs`.

use jiff::Timestamp;

use super::{CapReached, DeletionRow, ItemRow, Note, Recorded};
use crate::types::deletion::{DeletionId, DeletionSeq, Digest, ItemKey, Progress, Step};
use crate::types::lifecycle::{Pause, Verb};
use crate::types::outcome::Ending;

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
    /// The verb; [`Verb::Retry`] goes by [`Journal::retry`](super::Journal::retry). [`Verb::Lapse`] is [`Turned::Same`]
    /// before the deadline; after it, every other verb finds the deletion lapsed.
    pub verb: Verb,
    /// The caller, or [`SERVICE`](super::audit::SERVICE).
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

/// What [`Journal::settle`](super::Journal::settle) did.
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
    /// Items that were not sent become `canceled`: [`Journal::cancel_step`](super::Journal::cancel_step).
    Cancel,
    /// Items from here on are opened again: [`Journal::retriable`](super::Journal::retriable), [`Journal::retry`](super::Journal::retry).
    Retry {
        /// The next index to look at.
        from: u32,
        /// Who asked.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// Items of a plan from here on are looked up at the vendor: [`Journal::note`](super::Journal::note).
    Check {
        /// The next index to look at.
        from: u32,
    },
    /// The playback of items from here on is blocked: [`Journal::note`](super::Journal::note).
    Quarantine {
        /// The next index to look at.
        from: u32,
    },
    /// Our blocks from here on are lifted: [`Journal::note`](super::Journal::note).
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

//! Who asked, who allowed, what was refused, what was sent and what came back.
//!
//! Records are only ever added, each with a hash over itself and the one before
//! it, so that a record that was changed, removed or moved shows. They are written
//! in the transaction of what they tell. Its own file because the hash must be the
//! same on every store. Which rows a store needs for it is its own business.

use jiff::Timestamp;

use crate::types::deletion::{DeletionId, Digest};
use crate::types::target::AccountId;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A deletion was accepted.
    Requested,
    /// A plan was made.
    Planned,
    /// A plan was made real.
    Started,
    /// An approver let a deletion go on.
    Approved,
    /// An approver did not.
    Rejected,
    /// A plan or a request for approval ran out.
    Expired,
    /// A delay was over.
    Released,
    /// A request was refused: no or bad credentials, a missing right, a cap.
    Refused,
    /// A vendor call went out.
    Sent,
    /// The vendor answered it.
    Answered,
    /// A deletion was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// It was canceled.
    Canceled,
    /// Items were opened again.
    Retried,
    /// An operator decided an unknown item.
    Settled,
    /// A hold was put.
    Held,
    /// A hold was lifted.
    Lifted,
    /// A stop switch was set.
    Stopped,
    /// A stop switch was lifted.
    Restarted,
}

impl Action {
    /// All actions. A place in this list is never given a second meaning.
    pub const ALL: [Self; 19] = [
        Self::Requested,
        Self::Planned,
        Self::Started,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Released,
        Self::Refused,
        Self::Sent,
        Self::Answered,
        Self::Paused,
        Self::Resumed,
        Self::Canceled,
        Self::Retried,
        Self::Settled,
        Self::Held,
        Self::Lifted,
        Self::Stopped,
        Self::Restarted,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Requested => "requested",
            Action::Planned => "planned",
            Action::Started => "started",
            Action::Approved => "approved",
            Action::Rejected => "rejected",
            Action::Expired => "expired",
            Action::Released => "released",
            Action::Refused => "refused",
            Action::Sent => "sent",
            Action::Answered => "answered",
            Action::Paused => "paused",
            Action::Resumed => "resumed",
            Action::Canceled => "canceled",
            Action::Retried => "retried",
            Action::Settled => "settled",
            Action::Held => "held",
            Action::Lifted => "lifted",
            Action::Stopped => "stopped",
            Action::Restarted => "restarted",
        }
    }

    /// The action that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// Who acts where no caller does.
pub const SERVICE: &str = "vodrm";

/// What is to be recorded; its place and its hash the store gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The caller, or [`SERVICE`].
    pub actor: String,
    /// What happened.
    pub action: Action,
    /// Where, if it is about one account.
    pub account: Option<AccountId>,
    /// The deletion that it is about.
    pub deletion: Option<DeletionId>,
    /// The items that it is about, if not all.
    pub items: Option<Span>,
    /// Why; with [`Action::Answered`] what the vendor said.
    pub reason: Option<String>,
    /// The vendor's request id.
    pub vendor_request_id: Option<String>,
}

/// Items of one deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Their indexes: `0-19,25`.
    pub ranges: String,
    /// How many.
    pub count: u32,
    /// SHA-256 over what is said of each of them.
    pub digest: Digest,
}

/// One record, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
    /// The hash of the record before it; all zero before the first.
    pub previous: Digest,
    /// The hash over this record and `previous`.
    pub hash: Digest,
}

/// Which records to list. Newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuditFilter {
    /// Only records all of whose accounts are among these (what the reader may see), and none
    /// about no account; `None` sees all.
    pub visible: Option<Vec<AccountId>>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only those about this account.
    pub account: Option<AccountId>,
    /// Only those about this deletion.
    pub deletion: Option<DeletionId>,
    /// Only those at or after.
    pub since: Option<Timestamp>,
    /// Only those before.
    pub until: Option<Timestamp>,
    /// Only those with a lower place (the page token).
    pub before: Option<i64>,
}

//! Outcomes, reasons, and how one attempt ended.
//!
//! The words that callers see for what came of an item, and the four classes of
//! an attempt that decide whether it may be repeated. Its own file because the
//! whole service turns on these few words; how a vendor's answer maps to them is
//! each provider's `outcome.rs`, and what happens next is `dispatch/retry.rs`.

use serde::{Deserialize, Serialize};

use super::target::Kind;

/// What came of an item. Terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The vendor accepted the delete.
    Deleted,
    /// Not found in this account.
    Absent,
    /// Will not work as asked.
    Refused,
    /// The vendor's status forbids it now.
    Busy,
    /// The vendor failed after all tries.
    Failed,
    /// Sent, answer lost, and nothing could settle it.
    Unknown,
    /// Never sent.
    Canceled,
}

impl Outcome {
    /// All outcomes, in the order of the contract.
    pub const ALL: [Outcome; 7] = [
        Outcome::Deleted,
        Outcome::Absent,
        Outcome::Refused,
        Outcome::Busy,
        Outcome::Failed,
        Outcome::Unknown,
        Outcome::Canceled,
    ];

    /// Its place in [`Outcome::ALL`], by which counts of outcomes are kept.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Deleted => "deleted",
            Outcome::Absent => "absent",
            Outcome::Refused => "refused",
            Outcome::Busy => "busy",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
            Outcome::Canceled => "canceled",
        }
    }

    /// The outcome that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    /// Which of several parts' outcomes speaks for the whole target; greater is
    /// worse. An open question is the worst, then what failed, then what a caller
    /// can mend.
    #[must_use]
    pub fn severity(self) -> u8 {
        match self {
            Outcome::Absent => 0,
            Outcome::Deleted => 1,
            Outcome::Canceled => 2,
            Outcome::Busy => 3,
            Outcome::Refused => 4,
            Outcome::Failed => 5,
            Outcome::Unknown => 6,
        }
    }
}

/// Why an item is not ok: the contract's `error.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A hold protects the asset.
    Held,
    /// The source is still needed for playback.
    Protected,
    /// No right to delete it.
    Forbidden,
    /// The provider cannot serve this target.
    Unsupported,
    /// The vendor, or a check, calls the target malformed.
    Invalid,
    /// The vendor's status forbids it now.
    Busy,
    /// Throttled until the tries or the time ran out.
    Throttled,
    /// The vendor did not work until the tries or the time ran out.
    Unavailable,
    /// The vendor answered with a code that is not in our table.
    VendorError,
    /// Nothing could settle what became of it.
    Unsettled,
    /// Not found, where the caller asked for that to be an error.
    Absent,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 11] = [
        Reason::Held,
        Reason::Protected,
        Reason::Forbidden,
        Reason::Unsupported,
        Reason::Invalid,
        Reason::Busy,
        Reason::Throttled,
        Reason::Unavailable,
        Reason::VendorError,
        Reason::Unsettled,
        Reason::Absent,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Held => "held",
            Reason::Protected => "protected",
            Reason::Forbidden => "forbidden",
            Reason::Unsupported => "unsupported",
            Reason::Invalid => "invalid",
            Reason::Busy => "busy",
            Reason::Throttled => "throttled",
            Reason::Unavailable => "unavailable",
            Reason::VendorError => "vendor_error",
            Reason::Unsettled => "unsettled",
            Reason::Absent => "absent",
        }
    }
}

/// Why an item or a part is not ok, for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemError {
    /// The stable word.
    pub code: Reason,
    /// A sentence of ours; never the vendor's text, which may carry identifiers.
    pub message: String,
    /// The vendor's own code, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_code: Option<String>,
    /// With `invalid`: the line of the upload, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// With `unsupported`: the kinds that the provider can serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported: Vec<Kind>,
    /// With `held`: the hold. Shown only to callers who may read holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<HeldBy>>,
}

/// The hold for which an item was refused, as it stood then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// The id or pattern of the hold.
    pub id: String,
    /// Who put it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl ItemError {
    /// An error without a vendor's code.
    #[must_use]
    pub fn new(code: Reason, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            vendor_code: None,
            line: None,
            supported: Vec::new(),
            hold: None,
        }
    }
}

/// How an item or one of its parts ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// What came of it.
    pub outcome: Outcome,
    /// `deleted` was inferred: an earlier answer was lost and it is gone now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inferred: bool,
    /// Why it is not ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

impl Ending {
    /// The vendor accepted the delete.
    #[must_use]
    pub fn deleted() -> Self {
        Self { outcome: Outcome::Deleted, inferred: false, error: None }
    }

    /// Gone now, after an attempt whose answer was lost.
    #[must_use]
    pub fn inferred() -> Self {
        Self { outcome: Outcome::Deleted, inferred: true, error: None }
    }

    /// Not found.
    #[must_use]
    pub fn absent() -> Self {
        Self { outcome: Outcome::Absent, inferred: false, error: None }
    }

    /// Never sent.
    #[must_use]
    pub fn canceled() -> Self {
        Self { outcome: Outcome::Canceled, inferred: false, error: None }
    }

    /// Not ok, with its reason.
    #[must_use]
    pub fn not_ok(outcome: Outcome, error: ItemError) -> Self {
        Self { outcome, inferred: false, error: Some(error) }
    }
}

/// How one attempt ended. These four and no others decide what may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptClass {
    /// No byte left: free to repeat.
    NotSent,
    /// The vendor's answer was read and tells what happened.
    Answered,
    /// A byte may have left and nothing tells what happened.
    Ambiguous,
    /// The vendor says that it did nothing (throttled, not authorised).
    Refused,
}

impl AttemptClass {
    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptClass::NotSent => "not_sent",
            AttemptClass::Answered => "answered",
            AttemptClass::Ambiguous => "ambiguous",
            AttemptClass::Refused => "refused",
        }
    }

    /// The class that a word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::NotSent, Self::Answered, Self::Ambiguous, Self::Refused]
            .into_iter()
            .find(|class| class.as_str() == text)
    }
}

/// What is wrong with an account, not with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneReason {
    /// The vendor does not accept the key or its signature.
    BadCredentials,
    /// The temporary credentials have expired and no newer ones are at hand.
    ExpiredCredentials,
    /// The service is not activated for the account.
    NotActivated,
    /// The account is overdue or suspended.
    Suspended,
    /// The sub-application is wrong.
    WrongSubApplication,
    /// The clocks are too far apart and correcting ours did not help.
    ClockSkew,
    /// Several different items in a row were forbidden.
    Forbidden,
    /// An operator has set a stop switch.
    Stopped,
}

impl LaneReason {
    /// All reasons.
    pub const ALL: [LaneReason; 8] = [
        LaneReason::BadCredentials,
        LaneReason::ExpiredCredentials,
        LaneReason::NotActivated,
        LaneReason::Suspended,
        LaneReason::WrongSubApplication,
        LaneReason::ClockSkew,
        LaneReason::Forbidden,
        LaneReason::Stopped,
    ];

    /// The stable word that callers see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LaneReason::BadCredentials => "bad_credentials",
            LaneReason::ExpiredCredentials => "expired_credentials",
            LaneReason::NotActivated => "not_activated",
            LaneReason::Suspended => "suspended",
            LaneReason::WrongSubApplication => "wrong_sub_application",
            LaneReason::ClockSkew => "clock_skew",
            LaneReason::Forbidden => "forbidden",
            LaneReason::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcomes_place_is_where_it_stands_in_the_list() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.place(), place);
        }
    }
}

//! Where a deletion stands, and which verb leads where.
//!
//! One table, pure, asked by every store in the transaction that changes the
//! state, so that of two verbs that race one wins and the other is told. Its own
//! file because callers, stores and the simulation share it. What a state means
//! for the items is the journal's business.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a deletion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionState {
    /// Its upload is under way: shown to nobody, and nothing of it is sent.
    Receiving,
    /// Some item is open.
    Running,
    /// Nothing more of it is sent until it is resumed.
    Paused,
    /// Every item has its outcome.
    Finished,
    /// Nothing more of it is sent; what was sent ends by itself.
    Canceled,
}

impl DeletionState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Receiving, Self::Running, Self::Paused, Self::Finished, Self::Canceled];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeletionState::Receiving => "receiving",
            DeletionState::Running => "running",
            DeletionState::Paused => "paused",
            DeletionState::Finished => "finished",
            DeletionState::Canceled => "canceled",
        }
    }

    /// The state that a word of the contract names; `receiving` is never shown and has none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let shown = |state: &Self| *state != Self::Receiving && state.as_str() == text;
        Self::ALL.into_iter().find(shown)
    }

    /// Whether its items may be sent.
    #[must_use]
    pub fn sends(self) -> bool {
        self == Self::Running
    }
}

impl fmt::Display for DeletionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an operator can do to a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Send nothing more until it is resumed.
    Pause,
    /// Go on.
    Resume,
    /// Send nothing more, for good.
    Cancel,
    /// Open items that are not ok but could be.
    Retry,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Cancel, Self::Retry];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Cancel => "cancel",
            Verb::Retry => "retry",
        }
    }
}

/// What a verb does in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It leads to this state, perhaps the same one with something done.
    To(DeletionState),
    /// It would change nothing.
    Nothing,
    /// It does not fit.
    Wrong,
}

/// What a verb does to a deletion in this state.
#[must_use]
pub fn turn(state: DeletionState, verb: Verb) -> Turn {
    use DeletionState::{Canceled, Finished, Paused, Receiving, Running};
    match (verb, state) {
        (Verb::Pause, Running) | (Verb::Retry, Paused) => Turn::To(Paused),
        (Verb::Resume, Paused) | (Verb::Retry, Running | Finished) => Turn::To(Running),
        (Verb::Cancel, Running | Paused) => Turn::To(Canceled),
        (Verb::Pause, Paused) | (Verb::Resume, Running) | (Verb::Cancel, Canceled) => Turn::Nothing,
        (_, Receiving | Finished | Canceled) => Turn::Wrong,
    }
}

/// Why a deletion is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The stable word.
    pub code: PauseCode,
    /// A sentence for people, or the operator's own reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The caller who paused it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

/// Who or what paused a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseCode {
    /// A caller.
    Operator,
    /// More than half of what was tried failed.
    MostlyFailed,
    /// Many items in a row failed with one code that a repeat cannot cure.
    SameFailure,
    /// The journal was restored or copied: what it says may be old.
    JournalMoved,
}

impl PauseCode {
    /// All codes.
    pub const ALL: [Self; 4] = [Self::Operator, Self::MostlyFailed, Self::SameFailure, Self::JournalMoved];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PauseCode::Operator => "operator",
            PauseCode::MostlyFailed => "mostly_failed",
            PauseCode::SameFailure => "same_failure",
            PauseCode::JournalMoved => "journal_moved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_time_changes_nothing() {
        for verb in Verb::ALL {
            for state in DeletionState::ALL {
                if let Turn::To(next) = turn(state, verb)
                    && verb != Verb::Retry
                {
                    assert_eq!(turn(next, verb), Turn::Nothing, "{verb:?} in {state}");
                }
            }
        }
    }

    #[test]
    fn what_is_canceled_or_being_received_stays_so() {
        for verb in Verb::ALL {
            assert!(!matches!(turn(DeletionState::Canceled, verb), Turn::To(_)));
            assert_eq!(turn(DeletionState::Receiving, verb), Turn::Wrong);
        }
        assert_eq!(DeletionState::parse("receiving"), None);
        assert_eq!(DeletionState::parse("paused"), Some(DeletionState::Paused));
    }
}

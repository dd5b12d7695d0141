//! Where a deletion stands, and which verb leads where.
//!
//! One table, pure, asked by every store in the transaction that changes the
//! state, so that of two verbs that race one wins and the other is told. Its own
//! file because callers, stores and the simulation share it. What a state means
//! for the items is the journal's business.

use std::fmt;
use std::time::Duration;

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
    /// A dry run: nothing of it is sent unless it is started.
    Planned,
    /// Nothing of it is sent until another caller approves.
    AwaitingApproval,
    /// An approver said no: nothing of it was or will be sent.
    Rejected,
    /// Nobody started or approved it in time: nothing of it was or will be sent.
    Expired,
    /// Nothing of it is sent until its delay is over.
    Scheduled,
}

impl DeletionState {
    /// All states.
    pub const ALL: [Self; 10] = [
        Self::Receiving,
        Self::Running,
        Self::Paused,
        Self::Finished,
        Self::Canceled,
        Self::Planned,
        Self::AwaitingApproval,
        Self::Rejected,
        Self::Expired,
        Self::Scheduled,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeletionState::Receiving => "receiving",
            DeletionState::Running => "running",
            DeletionState::Paused => "paused",
            DeletionState::Finished => "finished",
            DeletionState::Canceled => "canceled",
            DeletionState::Planned => "planned",
            DeletionState::AwaitingApproval => "awaiting_approval",
            DeletionState::Rejected => "rejected",
            DeletionState::Expired => "expired",
            DeletionState::Scheduled => "scheduled",
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

    /// Whether what was not sent ends as `canceled`: no verb leads out of it.
    #[must_use]
    pub fn is_dead(self) -> bool {
        matches!(self, Self::Canceled | Self::Rejected | Self::Expired)
    }

    /// Whether it waits for a person, or for its time, before anything of it is sent.
    #[must_use]
    pub fn is_ahead(self) -> bool {
        matches!(self, Self::Planned | Self::AwaitingApproval | Self::Scheduled)
    }
}

impl fmt::Display for DeletionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What must happen before anything of a deletion is sent: what the caller asked for and what the
/// policies of its accounts said when it was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// It is a plan until it is started; then for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Duration>,
    /// Another caller must approve; within so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Duration>,
    /// So long after that nothing is sent.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub delay: Duration,
    /// The plan tells what stands at the vendor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
    /// Playback is blocked while it waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantine: bool,
}

/// What a deletion goes through before it runs, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passed {
    /// Nothing yet.
    Nothing,
    /// It is no plan, or was started.
    Plan,
    /// It needs no approval, or has it.
    Approval,
    /// Its delay is over.
    Delay,
}

impl Terms {
    /// Where a deletion stands that has passed so much.
    #[must_use]
    pub fn state(&self, passed: Passed) -> DeletionState {
        if passed < Passed::Plan && self.plan.is_some() {
            DeletionState::Planned
        } else if passed < Passed::Approval && self.approval.is_some() {
            DeletionState::AwaitingApproval
        } else if passed < Passed::Delay && !self.delay.is_zero() {
            DeletionState::Scheduled
        } else {
            DeletionState::Running
        }
    }

    /// Whether everybody who must let a deletion go on has done so.
    #[must_use]
    pub fn are_met(&self, review: &Review) -> bool {
        let started = self.plan.is_none() || review.started.is_some();
        started && (self.approval.is_none() || review.approved.is_some())
    }

    /// How long it stands there by itself: then a plan or a request for approval expires, and a
    /// scheduled deletion runs.
    #[must_use]
    pub fn time_in(&self, state: DeletionState) -> Option<Duration> {
        match state {
            DeletionState::Planned => self.plan,
            DeletionState::AwaitingApproval => self.approval,
            DeletionState::Scheduled => Some(self.delay),
            DeletionState::Receiving
            | DeletionState::Running
            | DeletionState::Paused
            | DeletionState::Finished
            | DeletionState::Canceled
            | DeletionState::Rejected
            | DeletionState::Expired => None,
        }
    }
}

/// Who let a deletion go on, or did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who started the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Decision>,
    /// Who approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Decision>,
    /// Who rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Decision>,
}

/// What somebody decided about a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The caller.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be done to a deletion.
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
    /// Make a plan real.
    Start,
    /// Let it go on.
    Approve,
    /// Do not.
    Reject,
    /// Its time is over: a plan or a request for approval ends, a scheduled deletion runs. Time
    /// does this, and no caller.
    Lapse,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 8] = [
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::Retry,
        Self::Start,
        Self::Approve,
        Self::Reject,
        Self::Lapse,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Cancel => "cancel",
            Verb::Retry => "retry",
            Verb::Start => "start",
            Verb::Approve => "approve",
            Verb::Reject => "reject",
            Verb::Lapse => "lapse",
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

/// How a deletion stands, as far as verbs depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Its state.
    pub state: DeletionState,
    /// What must happen before it runs.
    pub terms: &'a Terms,
    /// What was decided about it.
    pub review: &'a Review,
    /// While it is paused: its delay is not over. What is resumed goes back to waiting for it.
    pub is_early: bool,
    /// What stands at the vendor is still being looked up for the plan.
    pub is_checking: bool,
}

/// What a verb does to a deletion that stands so.
#[must_use]
pub fn turn(standing: &Standing<'_>, verb: Verb) -> Turn {
    use DeletionState::{
        AwaitingApproval, Canceled, Expired, Finished, Paused, Planned, Receiving, Rejected, Running,
        Scheduled,
    };
    let Standing { state, terms, review, .. } = *standing;
    match (verb, state) {
        (Verb::Pause, Running | Scheduled) | (Verb::Retry, Paused) => Turn::To(Paused),
        (Verb::Resume, Paused) if standing.is_early => Turn::To(Scheduled),
        (Verb::Resume, Paused) | (Verb::Retry, Running | Finished) | (Verb::Lapse, Scheduled) => {
            Turn::To(Running)
        }
        (Verb::Cancel, Running | Paused | Planned | AwaitingApproval | Scheduled) => Turn::To(Canceled),
        (Verb::Start, Planned) if standing.is_checking => Turn::Wrong,
        (Verb::Start, Planned) => Turn::To(terms.state(Passed::Plan)),
        (Verb::Approve, AwaitingApproval) => Turn::To(terms.state(Passed::Approval)),
        (Verb::Reject, AwaitingApproval) => Turn::To(Rejected),
        (Verb::Lapse, Planned | AwaitingApproval) => Turn::To(Expired),
        (Verb::Pause, Paused)
        | (Verb::Resume, Running)
        | (Verb::Cancel, Canceled)
        | (Verb::Reject, Rejected) => Turn::Nothing,
        (Verb::Start, AwaitingApproval | Scheduled | Running | Paused | Finished)
            if review.started.is_some() =>
        {
            Turn::Nothing
        }
        (Verb::Approve, Scheduled | Running | Paused | Finished) if review.approved.is_some() => {
            Turn::Nothing
        }
        (
            _,
            Receiving | Running | Paused | Finished | Canceled | Planned | AwaitingApproval | Rejected
            | Expired | Scheduled,
        ) => Turn::Wrong,
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

    fn gated() -> Terms {
        let hour = Duration::from_hours(1);
        Terms { plan: Some(hour), approval: Some(hour), delay: hour, ..Terms::default() }
    }

    fn at<'a>(state: DeletionState, terms: &'a Terms, review: &'a Review) -> Standing<'a> {
        Standing { state, terms, review, is_early: false, is_checking: false }
    }

    /// What the journal notes when a verb has led somewhere.
    fn noted(verb: Verb) -> Review {
        let decision = || Some(Decision { by: "ops".to_owned(), at: Timestamp::UNIX_EPOCH, reason: None });
        match verb {
            Verb::Start => Review { started: decision(), ..Review::default() },
            Verb::Approve => Review { approved: decision(), ..Review::default() },
            Verb::Reject => Review { rejected: decision(), ..Review::default() },
            Verb::Pause | Verb::Resume | Verb::Cancel | Verb::Retry | Verb::Lapse => Review::default(),
        }
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for terms in [Terms::default(), gated()] {
            for verb in Verb::ALL.into_iter().filter(|verb| !matches!(verb, Verb::Retry | Verb::Lapse)) {
                for state in DeletionState::ALL {
                    if let Turn::To(next) = turn(&at(state, &terms, &Review::default()), verb) {
                        let again = turn(&at(next, &terms, &noted(verb)), verb);
                        assert_eq!(again, Turn::Nothing, "{verb:?} in {state}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_over_or_being_received_stays_so() {
        let (terms, review) = (gated(), Review::default());
        for verb in Verb::ALL {
            for state in DeletionState::ALL.into_iter().filter(|state| state.is_dead()) {
                assert!(
                    !matches!(turn(&at(state, &terms, &review), verb), Turn::To(_)),
                    "{verb:?} in {state}"
                );
            }
            assert_eq!(turn(&at(DeletionState::Receiving, &terms, &review), verb), Turn::Wrong);
        }
        assert_eq!(DeletionState::parse("receiving"), None);
        assert_eq!(DeletionState::parse("paused"), Some(DeletionState::Paused));
    }

    #[test]
    fn every_gate_is_passed_in_order_and_none_is_skipped() {
        use DeletionState::{AwaitingApproval, Planned, Running, Scheduled};

        let (terms, review) = (gated(), Review::default());
        let mut state = terms.state(Passed::Nothing);
        let mut seen = vec![state];
        for verb in [Verb::Start, Verb::Approve, Verb::Lapse] {
            let Turn::To(next) = turn(&at(state, &terms, &review), verb) else {
                panic!("{verb:?} in {state}")
            };
            state = next;
            seen.push(state);
        }
        assert_eq!(seen, [Planned, AwaitingApproval, Scheduled, Running]);
        // Nothing but these leads to where things are sent.
        for from in [Planned, AwaitingApproval, Scheduled] {
            for verb in Verb::ALL {
                let led = turn(&at(from, &terms, &review), verb);
                let may = matches!((from, verb), (Scheduled, Verb::Lapse));
                assert_eq!(led == Turn::To(Running), may, "{verb:?} in {from}");
            }
        }
    }

    #[test]
    fn a_paused_delay_goes_on_being_one() {
        let (terms, review) = (gated(), Review::default());
        let early = Standing { is_early: true, ..at(DeletionState::Paused, &terms, &review) };
        assert_eq!(turn(&early, Verb::Resume), Turn::To(DeletionState::Scheduled));
        assert_eq!(
            turn(&at(DeletionState::Paused, &terms, &review), Verb::Resume),
            Turn::To(DeletionState::Running)
        );
    }
}

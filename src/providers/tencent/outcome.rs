//! What an answer means: from the vendor's code to a verdict per entry.
//!
//! Two pages decide: the vendor's for what a code says (the table in `codes.rs`),
//! and FAULTS.md for deletes whose effect an answer leaves open, which are doubtful
//! and never "unavailable". Whether to try again is judged here and nowhere else.
//! Pure: whether a new key or a corrected clock was at hand is told by the caller.
//! Knows neither bodies nor the network.

use serde_json::Value;

use super::codes::Meaning::{
    self, Account, Busy, Clock, Denied, FileGone, Invalid, InvalidPart, Key, Misuse, OtherGone, Protected,
    QuotaUsedUp, Throttled, Trouble, Unspecified,
};
use super::codes::meaning;
use super::facts;
use crate::providers::{Again, Call, CallReport, Effect, Entry, LaneReason, Verdict};
use crate::types::asset::{Facts, Standing};
use crate::types::outcome::{AttemptClass, ItemError, Outcome, Reason};
use crate::types::target::{MediaId, Name};

/// Longest vendor code or request id that is kept.
const MAX_WORD: usize = 100;

/// What may mend the fault that a code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// A newer key.
    NewKey,
    /// The vendor's time.
    Clock,
}

/// What may mend the fault that this code names, if anything on our side may.
pub(super) fn remedy(code: &str) -> Option<Remedy> {
    match meaning(code).0 {
        Key(_) => Some(Remedy::NewKey),
        Clock => Some(Remedy::Clock),
        FileGone | OtherGone | Account(_) | Denied | Protected | Invalid | InvalidPart | Misuse | Busy
        | Throttled(_) | QuotaUsedUp | Trouble | Unspecified => None,
    }
}

/// A report of these verdicts that tells nothing else.
fn report(class: AttemptClass, verdicts: Vec<Verdict>) -> CallReport {
    CallReport {
        class,
        status: None,
        code: None,
        request_id: None,
        unlisted: false,
        throttled: None,
        verdicts,
    }
}

/// The call broke a rule of ours and was not made.
pub(super) fn not_made(call: &Call, why: &str) -> CallReport {
    let verdict = |_: &Entry| Verdict::NotOk {
        outcome: Outcome::Refused,
        error: ItemError::new(Reason::Invalid, why),
        of_whole_call: false,
        maybe_account: false,
    };
    report(AttemptClass::NotSent, call.entries.iter().map(verdict).collect())
}

/// The key cannot be put into a request; a renewed one may.
pub(super) fn unsignable(call: &Call, renewed: bool) -> CallReport {
    report(AttemptClass::NotSent, vec![lane(LaneReason::BadCredentials, renewed); call.entries.len()])
}

/// No byte left.
pub(super) fn not_sent(call: &Call) -> CallReport {
    report(AttemptClass::NotSent, vec![Verdict::Again(Again::NotSent); call.entries.len()])
}

/// A byte may have left and no answer of the vendor's own came.
pub(super) fn unanswered(call: &Call) -> CallReport {
    report(AttemptClass::Ambiguous, vec![in_doubt(call, true); call.entries.len()])
}

/// The delete was accepted.
pub(super) fn deleted(call: &Call) -> CallReport {
    report(AttemptClass::Answered, vec![Verdict::Deleted; call.entries.len()])
}

/// The vendor answered with an error. `mended`: since the call was signed there
/// is another key, or the clock was corrected, whichever the code asks for.
pub(super) fn of_error(code: &str, call: &Call, mended: bool) -> CallReport {
    let (meaning, listed) = meaning(code);
    if meaning == Misuse {
        tracing::error!(
            operation = call.operation.name,
            code = clean(code),
            "the vendor calls our request malformed"
        );
    }
    let of_entry = |entry: &Entry| verdict(meaning, code, call, entry, mended);
    let throttled = match meaning {
        Throttled(wait) => Some(wait),
        FileGone | OtherGone | Key(_) | Clock | Account(_) | Denied | Protected | Invalid | InvalidPart
        | Misuse | Busy | QuotaUsedUp | Trouble | Unspecified => None,
    };
    CallReport {
        code: clean(code),
        unlisted: !listed,
        throttled,
        ..report(class(meaning, call), call.entries.iter().map(of_entry).collect())
    }
}

fn class(meaning: Meaning, call: &Call) -> AttemptClass {
    match meaning {
        Key(_) | Clock | Account(_) | Denied | Throttled(_) | QuotaUsedUp => AttemptClass::Refused,
        Trouble if call.operation.effect == Effect::Delete => AttemptClass::Ambiguous,
        Trouble | FileGone | OtherGone | Protected | Invalid | InvalidPart | Misuse | Busy | Unspecified => {
            AttemptClass::Answered
        }
    }
}

fn verdict(meaning: Meaning, code: &str, call: &Call, entry: &Entry, mended: bool) -> Verdict {
    let read = call.operation.effect == Effect::Read;
    // A delete carries one entry with all its parts, a read many entries.
    let several = if read { call.entries.len() > 1 } else { entry.parts.len() > 1 };
    let not_ok = |outcome, reason, message: &str, of_parts: bool| Verdict::NotOk {
        outcome,
        error: ItemError { vendor_code: clean(code), ..ItemError::new(reason, message) },
        of_whole_call: several && (read || of_parts),
        maybe_account: meaning == Denied,
    };
    let refused = |reason, message, of_parts| not_ok(Outcome::Refused, reason, message, of_parts);
    match meaning {
        // Without the file none of its parts stands, however many were named.
        FileGone if !read => Verdict::Absent,
        FileGone if !several => missing(entry),
        OtherGone if !read && !several => Verdict::Absent,
        // A read is not documented to say so; it proves nothing of the file.
        OtherGone if read => Verdict::Again(Again::Unlisted),
        FileGone | OtherGone => Verdict::Unclear,
        Key(reason) => lane(reason, mended),
        Clock => lane(LaneReason::ClockSkew, mended),
        Account(reason) => Verdict::Fault(reason),
        Denied => refused(
            Reason::Forbidden,
            "the key has no right to this action, or the asset belongs to another application",
            false,
        ),
        Protected => refused(Reason::Protected, "the vendor guards this asset against the action", false),
        Invalid | Misuse => refused(Reason::Invalid, "the vendor calls the request invalid", false),
        InvalidPart => refused(Reason::Invalid, "the vendor calls the target or a part of it invalid", true),
        Busy => not_ok(
            Outcome::Busy,
            Reason::Busy,
            "the vendor cannot do this in the asset's present state",
            false,
        ),
        Throttled(_) => Verdict::Again(Again::Throttled),
        QuotaUsedUp => Verdict::Again(Again::QuotaUsedUp),
        Trouble => in_doubt(call, false),
        Unspecified => Verdict::Again(Again::Unlisted),
    }
}

fn lane(reason: LaneReason, mended: bool) -> Verdict {
    if mended { Verdict::Again(Again::Resign) } else { Verdict::Fault(reason) }
}

/// A read that told nothing can be made again; of a delete the effect is open.
fn in_doubt(call: &Call, unanswered: bool) -> Verdict {
    match call.operation.effect {
        Effect::Read => Verdict::Again(Again::Unavailable),
        Effect::Delete => Verdict::Doubtful { unanswered },
    }
}

/// What a read told of each entry. The order of the answer is not promised, so
/// entries are found by their id (vendor page 4.1).
pub(super) fn of_read(response: &Value, call: &Call) -> CallReport {
    let told = facts::read(response);
    let asked = |id: &str| call.entries.iter().any(|entry| asked_id(entry).is_some_and(|i| i.as_str() == id));
    for stranger in told.standing.keys().chain(&told.missing).filter(|id| !asked(id)) {
        tracing::warn!(file = clean(stranger), "the vendor told of a file that it was not asked for");
    }
    let of_entry = |entry: &Entry| {
        let Some(id) = asked_id(entry).map(MediaId::as_str) else {
            return Verdict::Again(Again::Unavailable);
        };
        match (told.standing.get(id), told.missing.contains(id)) {
            (Some(facts), false) => Verdict::Facts(Box::new(facts.clone())),
            (None, true) => missing(entry),
            (Some(_), true) => {
                tracing::warn!(file = id, "the vendor says that a file stands and that it is missing");
                Verdict::Facts(Box::new(Facts::only(Standing::Untold)))
            }
            (None, false) => Verdict::Again(Again::Unavailable),
        }
    };
    report(AttemptClass::Answered, call.entries.iter().map(of_entry).collect())
}

fn missing(entry: &Entry) -> Verdict {
    let id = asked_id(entry).cloned();
    Verdict::Facts(Box::new(Facts { id, ..Facts::only(Standing::Missing) }))
}

/// The id that stands in the request. Only the vendor's own ids reach this vendor.
pub(super) fn asked_id(entry: &Entry) -> Option<&MediaId> {
    match &entry.target.name {
        Name::Id(id) => Some(id),
        Name::Reference(_) | Name::Url(_) => None,
    }
}

/// A word of the vendor's, fit for logs and answers: at most 100 visible ASCII characters.
pub(super) fn clean(word: &str) -> Option<String> {
    let kept = word.chars().filter(char::is_ascii_graphic).take(MAX_WORD).collect::<String>();
    Some(kept).filter(|kept| !kept.is_empty())
}

//! What Alibaba's answers mean: verdicts from the code, the lists and the operation.
//!
//! The vendor's page calls many answers "unavailable" that leave open whether a
//! delete happened; FAULTS wins there, so those are doubtful for a delete and
//! merely unavailable for a read. The code decides, never the HTTP status: the
//! pages print 400, 403 and 404 for one code. Pure: what could cure a refusal
//! (another key, another offset) is named here and tried in `mod.rs`.

use std::time::Duration;

use super::answer::{self, Fate, Object, Reply, Said};
use super::codes::{Meaning, Thing, meaning};
use super::reads;
use super::wire::{self, Action, Ask};
use crate::providers::transport::SendError;
use crate::providers::{Again, Call, CallReport, Verdict};
use crate::types::asset::{Facts, Source, Standing};
use crate::types::outcome::LaneReason;
use crate::types::outcome::{AttemptClass, ItemError, Outcome, Reason};
use crate::types::target::What;

/// Longest wait that is honoured; the vendor's SDKs cap theirs so.
const MAX_WAIT: Duration = Duration::from_mins(2);

/// What may turn a refusal into a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// Another key, if there is one by now.
    NewKey,
    /// Another clock offset, if the answer's date teaches one.
    NewTime,
}

/// A report, and what might cure it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) report: CallReport,
    pub(super) cure: Option<Cure>,
}

/// Judges an answer.
pub(super) fn judge(call: &Call, ask: &Ask, reply: &Reply) -> Judged {
    let report = empty(reply);
    match &reply.said {
        Said::Done(body) => plain(listed(call, ask, body, report)),
        Said::Code(code) => coded(call, ask, reply, code, report),
        // Whoever sent a 429 says that the call did not get through.
        Said::Nothing if reply.status == 429 => plain(throttled(call, reply.retry_after, report)),
        Said::Nothing => {
            let report = CallReport { class: AttemptClass::Ambiguous, ..report };
            plain(all(call, doubt(ask.action, true), report))
        }
    }
}

/// No answer came.
pub(super) fn unanswered(call: &Call, ask: &Ask, error: &SendError) -> CallReport {
    let (class, verdict) = match error {
        SendError::NotSent(_) => (AttemptClass::NotSent, Verdict::Again(Again::NotSent)),
        SendError::Ambiguous(_) => (AttemptClass::Ambiguous, doubt(ask.action, true)),
    };
    all(call, verdict, unsent(class))
}

/// The key cannot be put into a request.
pub(super) fn unsignable(call: &Call) -> CallReport {
    all(call, Verdict::Fault(LaneReason::BadCredentials), unsent(AttemptClass::NotSent))
}

/// The call was not formed. Another entry may be the cause, so a crowd is split.
pub(super) fn unfit(call: &Call) -> CallReport {
    let error = ItemError::new(Reason::Invalid, "No request of this provider can ask for this.");
    all(call, not_ok(Outcome::Refused, error, true, false), unsent(AttemptClass::NotSent))
}

/// The cure worked: signing again should do.
pub(super) fn resigned(call: &Call, report: CallReport) -> CallReport {
    all(call, Verdict::Again(Again::Resign), report)
}

/// A success: those in no list are done.
fn listed(call: &Call, ask: &Ask, body: &Object, report: CallReport) -> CallReport {
    let Some(fates) = fates(ask, body) else {
        tracing::error!(
            operation = ask.action.name(),
            request_id = report.request_id,
            "the vendor's lists contradict the call, so none of it is believed"
        );
        let report = CallReport { class: AttemptClass::Ambiguous, ..report };
        return all(call, doubt(ask.action, false), report);
    };
    let kind = wire::snapshot_type(call);
    let verdict = |(key, fate): (&String, Option<Fate>)| match (fate, ask.action.deletes()) {
        (None, true) => Verdict::Deleted,
        // Alibaba: this list is described as "failed to be deleted"; a read tells which it is.
        (Some(Fate::Missing), true) if ask.action == Action::DeleteAttachedMedia => Verdict::Unclear,
        (Some(Fate::Missing), true) => Verdict::Absent,
        (Some(Fate::Unremovable), true) => unremovable(ask),
        (Some(Fate::Forbidden), _) | (Some(Fate::Unremovable), false) => {
            let message = "The account has no right to this asset; it may belong to another application.";
            not_ok(Outcome::Refused, ItemError::new(Reason::Forbidden, message), false, false)
        }
        (None, false) => facts(reads::told(ask, key, kind, body)),
        (Some(Fate::Missing), false) => match reads::told(ask, key, kind, body).standing {
            Standing::Stands => Verdict::Again(Again::Unavailable),
            Standing::Missing | Standing::Untold => facts(Facts::only(Standing::Missing)),
        },
    };
    let verdicts = ask.keys.iter().zip(fates).map(verdict).collect();
    CallReport { verdicts, ..report }
}

/// The list that each key stands in. `None` if a list is unreadable, or names an id that
/// was not sent, or if an id stands in two lists: then nothing in the answer can be
/// trusted, least of all that who is in no list was deleted.
fn fates(ask: &Ask, body: &Object) -> Option<Vec<Option<Fate>>> {
    let lists = answer::lists(body).ok()?;
    if lists.iter().flat_map(|(_, ids)| ids).any(|id| !ask.keys.contains(id)) {
        return None;
    }
    let fate = |key: &String| {
        let mut found = lists.iter().filter(|(_, ids)| ids.contains(key)).map(|(fate, _)| *fate);
        let first = found.next();
        found.next().is_none().then_some(first)
    };
    ask.keys.iter().map(fate).collect()
}

/// Alibaba: the list means that the source is the playback original, or a missing right;
/// with Force it can only be the right. `DeleteMezzanines` page.
fn unremovable(ask: &Ask) -> Verdict {
    let protected = ask.action == Action::DeleteMezzanines && !ask.force;
    let error = if protected {
        ItemError::new(
            Reason::Protected,
            "The source is what plays (or the account has no right to it); force deletes it all the same.",
        )
    } else {
        ItemError::new(Reason::Forbidden, "The account has no right to delete this.")
    };
    not_ok(Outcome::Refused, error, false, false)
}

/// An error of the vendor's.
fn coded(call: &Call, ask: &Ask, reply: &Reply, code: &str, report: CallReport) -> Judged {
    let known = meaning(code);
    let report = CallReport { code: Some(code.to_owned()), unlisted: known.is_none(), ..report };
    let lane = |report, reason, cure| Judged { report: all(call, Verdict::Fault(reason), report), cure };
    let refused = CallReport { class: AttemptClass::Refused, ..report.clone() };
    // The streams and snapshot types of one call belong to one video: its state or a
    // missing right is no one part's fault, so going apart would help none of them.
    let of_several_assets = call.entries.len() > 1;
    match known {
        Some(Meaning::QuotaUsedUp) => plain(all(call, Verdict::Again(Again::QuotaUsedUp), refused)),
        Some(Meaning::Throttled(wait)) => plain(throttled(call, reply.retry_after.or(wait), report)),
        // Alibaba: since July 2026 this header on any error means throttling, whatever the code.
        _ if reply.retry_after.is_some() || reply.status == 429 => {
            plain(throttled(call, reply.retry_after, report))
        }
        Some(Meaning::Missing(thing)) => plain(all(call, missing(call, ask, thing), report)),
        Some(Meaning::Busy) => {
            let message = "The asset's status does not allow this now, for example while it is transcoded.";
            let error = with_code(Reason::Busy, message, code);
            plain(all(call, not_ok(Outcome::Busy, error, of_several_assets, false), report))
        }
        Some(Meaning::Forbidden) => {
            let message = "The account has no right to this operation or to this asset.";
            let error = with_code(Reason::Forbidden, message, code);
            plain(all(call, not_ok(Outcome::Refused, error, of_several_assets, true), refused))
        }
        Some(Meaning::Invalid) => {
            let error = with_code(Reason::Invalid, "The vendor calls a value in the call invalid.", code);
            plain(all(call, not_ok(Outcome::Refused, error, true, false), report))
        }
        Some(Meaning::WrongRequest) => {
            let message = "The vendor does not know this request; check the account's region and endpoint.";
            let error = with_code(Reason::Invalid, message, code);
            plain(all(call, not_ok(Outcome::Refused, error, false, false), report))
        }
        Some(Meaning::Failed) => plain(failed(call, ask, report)),
        Some(Meaning::Replayed) if ask.action.deletes() => {
            // The other copy may still be at work, and its answer never came.
            let report = CallReport { class: AttemptClass::Ambiguous, ..report };
            plain(all(call, doubt(ask.action, true), report))
        }
        Some(Meaning::Replayed) => plain(all(call, Verdict::Again(Again::Unavailable), refused)),
        Some(Meaning::WrongTime) => lane(refused, LaneReason::ClockSkew, Some(Cure::NewTime)),
        Some(Meaning::Key(reason)) => lane(refused, reason, Some(Cure::NewKey)),
        Some(Meaning::Account(reason)) => lane(refused, reason, None),
        None if reply.status >= 500 => plain(failed(call, ask, report)),
        None => plain(all(call, Verdict::Again(Again::Unlisted), report)),
    }
}

/// "Not found", of the whole call.
fn missing(call: &Call, ask: &Ask, thing: Thing) -> Verdict {
    let gone = || facts(Facts::only(Standing::Missing));
    let untold = || Facts::only(Standing::Untold);
    let alone = ask.things == 1;
    match (ask.action, thing) {
        // Alibaba: of a list this is said if none exists; DeleteVideo page.
        (
            Action::DeleteVideo
            | Action::DeleteMezzanines
            | Action::DeleteAttachedMedia
            | Action::DeleteStream,
            Thing::Asset,
        ) => Verdict::Absent,
        // All that is asked here is of one video, and it is gone.
        (Action::DeleteImage, Thing::Asset) if call.entries.iter().all(|e| e.target.what != What::Image) => {
            Verdict::Absent
        }
        // No answer tells which of several jobs, images or types is meant, or what became of the others.
        (action, _) if action.deletes() && alone => Verdict::Absent,
        (action, _) if action.deletes() => Verdict::Unclear,

        (
            Action::GetVideoInfos
            | Action::BatchGetMediaInfos
            | Action::GetPlayInfo
            | Action::GetMezzanineInfo
            | Action::ListSnapshots,
            Thing::Asset,
        ) => gone(),
        (Action::GetImageInfos | Action::GetAttachedMediaInfo, Thing::Asset | Thing::Resource) if alone => {
            gone()
        }
        (Action::GetImageInfos | Action::GetAttachedMediaInfo, Thing::Asset | Thing::Resource) => {
            Verdict::Unclear
        }
        (Action::GetPlayInfo, Thing::Stream) => {
            facts(Facts { renditions: Some(vec![]), ..Facts::only(Standing::Stands) })
        }
        (Action::GetMezzanineInfo, Thing::File) => facts(Facts { source: Some(Source::Gone), ..untold() }),
        (Action::ListSnapshots, Thing::Resource) => facts(Facts { snapshots: Some(vec![]), ..untold() }),
        _ => facts(untold()),
    }
}

/// The vendor failed at it.
fn failed(call: &Call, ask: &Ask, report: CallReport) -> CallReport {
    let class = if ask.action.deletes() { AttemptClass::Ambiguous } else { AttemptClass::Answered };
    all(call, doubt(ask.action, false), CallReport { class, ..report })
}

fn throttled(call: &Call, wait: Option<Duration>, report: CallReport) -> CallReport {
    let throttled = Some(wait.map(|wait| wait.min(MAX_WAIT)));
    let report = CallReport { class: AttemptClass::Refused, throttled, ..report };
    all(call, Verdict::Again(Again::Throttled), report)
}

/// A read can simply be made again; a delete cannot be taken back.
fn doubt(action: Action, unanswered: bool) -> Verdict {
    if action.deletes() { Verdict::Doubtful { unanswered } } else { Verdict::Again(Again::Unavailable) }
}

fn facts(facts: Facts) -> Verdict {
    Verdict::Facts(Box::new(facts))
}

fn not_ok(outcome: Outcome, error: ItemError, of_whole_call: bool, maybe_account: bool) -> Verdict {
    Verdict::NotOk { outcome, error, of_whole_call, maybe_account }
}

fn with_code(reason: Reason, message: &str, code: &str) -> ItemError {
    ItemError { vendor_code: Some(code.to_owned()), ..ItemError::new(reason, message) }
}

fn plain(report: CallReport) -> Judged {
    Judged { report, cure: None }
}

/// The same verdict for every entry.
fn all(call: &Call, verdict: Verdict, report: CallReport) -> CallReport {
    CallReport { verdicts: vec![verdict; call.entries.len()], ..report }
}

fn empty(reply: &Reply) -> CallReport {
    CallReport {
        status: Some(reply.status),
        request_id: reply.request_id.clone(),
        ..unsent(AttemptClass::Answered)
    }
}

fn unsent(class: AttemptClass) -> CallReport {
    CallReport {
        class,
        status: None,
        code: None,
        request_id: None,
        unlisted: false,
        throttled: None,
        verdicts: Vec::new(),
    }
}

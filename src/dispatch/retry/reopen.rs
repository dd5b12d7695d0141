//! How an item that ended not ok is opened again. Pure.
//!
//! Parts that were refused or went well stay as they ended; those that are busy,
//! failed or unknown are open once more. What is not known stays a doubt: it is
//! asked about before anything is sent, and what is gone then went by our hand.
//! Its own file because this is the only way back from an outcome.

use jiff::{SignedDuration, Timestamp};

use super::super::steps;
use crate::journal::{ItemRow, Reopen};
use crate::providers::transport::CALL_TIMEOUT;
use crate::providers::{Provider, Repeat, Route};
use crate::types::deletion::{Doubt, DoubtKind, Part, PartName, Phase, Progress, Step};
use crate::types::outcome::Outcome;
use crate::types::target::Target;

/// How an item goes on; `None` if nothing could come of it: its outcome cannot be
/// cured, nobody serves it any more, or only an operator can tell what it is.
#[must_use]
pub fn reopen(provider: &dyn Provider, item: &ItemRow, now: Timestamp) -> Option<Reopen> {
    let target = &item.wanted.as_ref()?.target;
    let outcome = item.ending.as_ref().map(|ending| ending.outcome).filter(|outcome| is_curable(*outcome))?;
    let route = provider.route(target).ok()?;
    let mut progress = item.progress.clone().unwrap_or_default();
    progress.crowd = None;
    if progress.parts.is_empty() && outcome == Outcome::Unknown {
        // A plain item keeps nothing but its ending: its last delete is what is not known.
        let sent = item.finished_at.unwrap_or(now);
        progress.parts = route.parts.iter().map(|name| doubtful(name, sent)).collect();
    }
    for part in progress.parts.iter_mut().filter(|part| ended_curable(part)) {
        open(part, &route, now);
    }
    // Without a doubt, an asset or a part that is done nothing is lost by beginning anew.
    let plain = |part: &Part| part.is_open() && part.doubt.is_none();
    let (step, progress) = if progress.asset.is_none() && progress.parts.iter().all(plain) {
        (steps::first(provider, route, target), None)
    } else {
        (next(provider, &route, target, &progress)?, Some(progress))
    };
    Some(Reopen { key: item.key, step, progress, due_at: now })
}

fn is_curable(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Busy | Outcome::Failed | Outcome::Unknown)
}

fn ended_curable(part: &Part) -> bool {
    part.ending.as_ref().is_some_and(|ending| is_curable(ending.outcome))
}

fn doubtful(name: &PartName, ended: Timestamp) -> Part {
    // When it went out was not kept: as long before as a call can take.
    let longest = SignedDuration::try_from(CALL_TIMEOUT).unwrap_or_default();
    let first_sent = ended.checked_sub(longest).unwrap_or(ended);
    let doubt = Doubt { first_sent, since: ended, kind: DoubtKind::Lost, asked: None };
    let unknown = crate::types::outcome::Ending { outcome: Outcome::Unknown, inferred: false, error: None };
    Part { ending: Some(unknown), doubt: Some(doubt), ..Part::named(name.clone()) }
}

/// Opens a part. The order to try again is given now: what a read then shows
/// standing under the same name is what is meant, so the minute within which a
/// delete may be repeated begins anew, with the read.
fn open(part: &mut Part, route: &Route, now: Timestamp) {
    let is_unknown = part.ending.take().is_some_and(|ending| ending.outcome == Outcome::Unknown);
    let Some(doubt) = &mut part.doubt else { return };
    if !is_unknown && doubt.kind >= DoubtKind::Answered {
        // It failed although a delete may have worked: a read had shown it standing when all was quiet.
        part.doubt = None;
        return;
    }
    doubt.asked = None;
    if route.repeat == Repeat::Briefly {
        doubt.first_sent = now;
    }
}

/// The next call of an item of which something is known.
fn next(provider: &dyn Provider, route: &Route, target: &Target, progress: &Progress) -> Option<Step> {
    let mut open = progress.parts.iter().filter(|part| part.is_open()).peekable();
    // An item is as its worst part: if none is open, it did not end as it says.
    open.peek()?;
    let names = open.clone().map(|part| part.name.clone()).collect();
    let asset = progress.asset.clone();
    let in_doubt = open.any(|part| part.doubt.is_some());
    let (operation, phase) = match route.settle {
        Some(read) if in_doubt => (read, Phase::Settle),
        // Not safe to repeat, and no read can tell: only an operator can.
        None if in_doubt && route.repeat == Repeat::Briefly => return None,
        Some(_) | None => (route.delete, Phase::Delete),
    };
    Some(steps::step(provider, operation, phase, target, asset, names))
}

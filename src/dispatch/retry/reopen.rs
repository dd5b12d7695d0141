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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Paper, at};
    use super::*;
    use crate::types::deletion::{Asked, DeletionId, IfAbsent, ItemKey, ItemState, Wanted};
    use crate::types::lifecycle::DeletionState;
    use crate::types::outcome::{Ending, ItemError, Reason};
    use crate::types::target::{AccountId, Name, What};

    fn paper(settle: bool, repeat: Repeat) -> Paper {
        Paper { first: None, settle, repeat, parts: vec![PartName::Asset] }
    }

    fn not_ok(outcome: Outcome) -> Ending {
        Ending::not_ok(outcome, ItemError::new(Reason::Unavailable, "x"))
    }

    fn item(outcome: Outcome, parts: Vec<Part>) -> ItemRow {
        let target = Target {
            account: AccountId::parse("a").unwrap(),
            name: Name::parse("id", "v1").unwrap(),
            what: What::Media,
        };
        ItemRow {
            deletion_state: DeletionState::Finished,
            key: ItemKey { deletion: 1, index: 4 },
            deletion: DeletionId::new(),
            wanted: Some(Wanted { target, label: None }),
            state: ItemState::Done,
            ending: Some(not_ok(outcome)),
            outcome_seq: Some(1),
            progress: (!parts.is_empty()).then(|| Progress::with_parts(parts)),
            attempts: 3,
            last_call: None,
            finished_at: Some(at(100)),
            same_as: None,
            coalesced_with: None,
            if_absent: IfAbsent::Ok,
            note: None,
        }
    }

    fn part(job: u8, ending: Option<Ending>, doubt: Option<(DoubtKind, bool)>) -> Part {
        let asked = |stands| Asked { at: at(90), stands };
        Part {
            ending,
            doubt: doubt.map(|(kind, stands)| Doubt {
                first_sent: at(50),
                since: at(60),
                kind,
                asked: Some(asked(stands)),
            }),
            ..Part::named(PartName::Job(format!("j{job}")))
        }
    }

    #[test]
    fn a_plain_item_begins_anew() {
        let provider = paper(true, Repeat::Always);
        for outcome in [Outcome::Busy, Outcome::Failed] {
            let reopened = reopen(&provider, &item(outcome, vec![]), at(200)).unwrap();
            assert_eq!(
                (reopened.step.phase, reopened.progress, reopened.due_at),
                (Phase::Delete, None, at(200))
            );
        }
    }

    #[test]
    fn what_is_unknown_is_read_first_and_keeps_its_doubt() {
        for repeat in [Repeat::Always, Repeat::Briefly] {
            // Of a plain item nothing is kept but that it is unknown.
            let doubtful = part(1, Some(not_ok(Outcome::Unknown)), Some((DoubtKind::Lost, false)));
            for parts in [vec![], vec![doubtful]] {
                let reopened = reopen(&paper(true, repeat), &item(Outcome::Unknown, parts), at(200)).unwrap();
                assert_eq!(reopened.step.phase, Phase::Settle);
                let progress = reopened.progress.unwrap();
                assert!(progress.parts[0].may_be_gone() && progress.parts[0].wants_read(), "{progress:?}");
            }
        }
    }

    #[test]
    fn without_a_read_only_what_is_safe_to_repeat_is_sent_again() {
        let unknown = item(Outcome::Unknown, vec![]);
        assert_eq!(reopen(&paper(false, Repeat::Briefly), &unknown, at(200)), None);
        let reopened = reopen(&paper(false, Repeat::Always), &unknown, at(200)).unwrap();
        assert_eq!(reopened.step.phase, Phase::Delete);
        assert!(reopened.progress.unwrap().parts[0].may_be_gone(), "absent now would be by our hand");
    }

    #[test]
    fn parts_that_are_done_stay_done() {
        let parts = vec![
            part(1, Some(Ending::deleted()), None),
            part(2, Some(not_ok(Outcome::Refused)), None),
            part(3, Some(not_ok(Outcome::Failed)), Some((DoubtKind::Lost, true))),
        ];
        let reopened =
            reopen(&paper(true, Repeat::Always), &item(Outcome::Failed, parts.clone()), at(200)).unwrap();
        let progress = reopened.progress.unwrap();
        assert_eq!(progress.parts[..2], parts[..2]);
        assert_eq!(progress.parts[2], part(3, None, None), "it was seen standing: no doubt is left");
        assert_eq!(reopened.step.phase, Phase::Delete);
    }

    proptest! {
        /// Nothing that went well or was refused is opened, and no doubt of an unknown part is lost.
        #[test]
        fn only_what_can_be_cured_is_opened(
            outcomes in proptest::collection::vec(0_usize..6, 1..6),
            doubts in proptest::collection::vec(any::<bool>(), 6),
            settle in any::<bool>(),
            briefly in any::<bool>(),
        ) {
            let endings = outcomes.iter().map(|n| match Outcome::ALL[*n] {
                Outcome::Deleted => Ending::deleted(),
                Outcome::Absent => Ending::absent(),
                other @ (Outcome::Refused
                | Outcome::Busy
                | Outcome::Failed
                | Outcome::Unknown
                | Outcome::Canceled) => not_ok(other),
            });
            let parts: Vec<Part> = (0..).zip(endings).zip(doubts).map(|((n, ending), doubt)| {
                let unknown = ending.outcome == Outcome::Unknown;
                part(n, Some(ending), (doubt || unknown).then_some((DoubtKind::Lost, !unknown)))
            }).collect();
            let worst = Progress::with_parts(parts.clone()).ending().unwrap().outcome;
            let repeat = if briefly { Repeat::Briefly } else { Repeat::Always };
            let reopened = reopen(&paper(settle, repeat), &item(worst, parts.clone()), at(200));
            let unknown = outcomes.iter().any(|n| Outcome::ALL[*n] == Outcome::Unknown);
            if !is_curable(worst) || (unknown && briefly && !settle) {
                prop_assert_eq!(reopened, None);
                return Ok(());
            }
            let reopened = reopened.unwrap();
            let Some(progress) = reopened.progress else {
                prop_assert!(!unknown && parts.iter().all(ended_curable));
                return Ok(());
            };
            prop_assert_eq!(reopened.step.phase == Phase::Settle, unknown && settle);
            for (before, after) in parts.iter().zip(&progress.parts) {
                prop_assert_eq!(ended_curable(before), after.is_open());
                if before.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Unknown) {
                    prop_assert!(after.may_be_gone());
                }
            }
        }
    }
}

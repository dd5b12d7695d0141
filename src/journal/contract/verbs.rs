//! What tests of deletions that do not simply run to their end have in common.
//!
//! Its own file because several subjects use it. What is promised is tested there.

use super::*;
use crate::types::deletion::{Doubt, DoubtKind, Part, PartName};
use crate::types::outcome::{ItemError, Reason};

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// Longer than anything here is kept.
pub(super) const DAYS: Duration = Duration::from_hours(24 * 100);

pub(super) fn verb(verb: Verb) -> Asked {
    Asked::of(verb, "ops")
}

pub(super) fn why(bench: &Bench) -> Pause {
    Pause {
        code: PauseCode::Operator,
        reason: Some("wait for the audit".to_owned()),
        by: Some("ops".to_owned()),
        at: bench.now(),
    }
}

pub(super) async fn pause(bench: &Bench, id: &DeletionId) -> Turned {
    let asked = Asked { pause: Some(why(bench)), ..verb(Verb::Pause) };
    bench.journal.turn(id, asked).await.unwrap().unwrap()
}

pub(super) async fn resume(bench: &Bench, id: &DeletionId) -> Turned {
    bench.journal.turn(id, verb(Verb::Resume)).await.unwrap().unwrap()
}

pub(super) async fn cancel(bench: &Bench, id: &DeletionId) -> Turned {
    bench.journal.turn(id, verb(Verb::Cancel)).await.unwrap().unwrap()
}

/// All steps of a cancel, together.
pub(super) async fn cancel_steps(bench: &Bench, seq: DeletionSeq, max: usize) -> Recorded {
    let mut all = Recorded::default();
    loop {
        let (step, more) = bench.journal.cancel_step(seq, max).await.unwrap();
        all.ended.extend(step.ended);
        all.waiting.extend(step.waiting);
        all.touched.extend(step.touched);
        if !more {
            return all;
        }
    }
}

pub(super) fn done(turned: Turned) -> (DeletionRow, Recorded) {
    let Turned::Done(row, recorded) = turned else { panic!("{turned:?}") };
    (row, recorded)
}

pub(super) async fn begun(bench: &Bench, items: Vec<NewItem>) -> (DeletionId, Appended) {
    let new = deletion(items);
    (new.id.clone(), bench.accept(new).await)
}

pub(super) async fn row(bench: &Bench, id: &DeletionId) -> DeletionRow {
    bench.journal.deletion(id).await.unwrap().unwrap()
}

pub(super) async fn outcomes(bench: &Bench, seq: DeletionSeq) -> Vec<Option<Outcome>> {
    bench.items(seq).await.iter().map(|item| item.ending.as_ref().map(|ending| ending.outcome)).collect()
}

/// What an item looks like whose delete went out and whose answer was lost.
pub(super) fn in_doubt(bench: &Bench) -> Progress {
    let doubt = Doubt { first_sent: bench.now(), since: bench.now(), kind: DoubtKind::Lost, asked: None };
    Progress::with_parts(vec![Part { doubt: Some(doubt), ..Part::named(PartName::Asset) }])
}

pub(super) async fn doubt(bench: &Bench, item: &Claimed) -> Recorded {
    let next = Next::Again { step: step("GetVideoInfo", ""), due_at: bench.now(), counts: true };
    let changes = vec![Change { progress: Some(in_doubt(bench)), ..change(item, next) }];
    bench.journal.record(bench.call(AttemptClass::Ambiguous), changes).await.unwrap()
}

pub(super) fn ending(outcome: Outcome) -> Ending {
    Ending::not_ok(outcome, ItemError::new(Reason::Unavailable, "it did not work"))
}

pub(super) fn follows(name: &str, leader: u32) -> NewItem {
    item(name, Start::Follows { leader })
}

pub(super) fn reopen(bench: &Bench, item: &ItemRow) -> Reopen {
    Reopen { key: item.key, step: delete(), progress: None, due_at: bench.now() }
}

pub(super) async fn retry(bench: &Bench, id: &DeletionId, items: Vec<Reopen>, next: Option<u32>) -> Turned {
    let retry = Retry { items, next, by: "night-job".to_owned(), reason: Some("vendor was down".to_owned()) };
    bench.journal.retry(id, retry).await.unwrap().unwrap()
}

pub(super) fn settlement(outcome: Ending) -> Settlement {
    Settlement { ending: outcome, by: "ops".to_owned(), reason: Some("seen in the console".to_owned()) }
}

/// A deletion that leads, one whose item waits for its call, and the leader's claim.
pub(super) async fn pair(bench: &Bench) -> ((DeletionId, Appended), (DeletionId, Appended)) {
    let leads = begun(bench, vec![sent("v1"), follows("v1", 0)]).await;
    let waits = begun(bench, vec![sent("v1"), follows("v1", 0)]).await;
    assert_eq!(waits.1.claimed, vec![], "one call for both");
    assert_eq!(bench.item(waits.1.seq, 0).await.coalesced_with, Some((leads.0.clone(), 0)));
    (leads, waits)
}

//! Promises 10, 11 and 13: verbs, what they do to items, and what is kept.
//!
//! Its own file because these tests are about deletions that do not simply run to
//! their end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::types::deletion::{Doubt, DoubtKind, Part, PartName};
use crate::types::lifecycle::PauseCode;
use crate::types::outcome::{ItemError, Reason};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than anything here is kept.
const DAYS: Duration = Duration::from_hours(24 * 100);

fn verb(verb: Verb) -> Asked {
    Asked { verb, pause: None }
}

fn why(bench: &Bench) -> Pause {
    Pause {
        code: PauseCode::Operator,
        reason: Some("wait for the audit".to_owned()),
        by: Some("ops".to_owned()),
        at: bench.now(),
    }
}

async fn pause(bench: &Bench, id: &DeletionId) -> Turned {
    let asked = Asked { verb: Verb::Pause, pause: Some(why(bench)) };
    bench.journal.turn(id, asked).await.unwrap().unwrap()
}

async fn resume(bench: &Bench, id: &DeletionId) -> Turned {
    bench.journal.turn(id, verb(Verb::Resume)).await.unwrap().unwrap()
}

async fn cancel(bench: &Bench, id: &DeletionId) -> Turned {
    bench.journal.turn(id, verb(Verb::Cancel)).await.unwrap().unwrap()
}

/// All steps of a cancel, together.
async fn cancel_steps(bench: &Bench, seq: DeletionSeq, max: usize) -> Recorded {
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

fn done(turned: Turned) -> (DeletionRow, Recorded) {
    match turned {
        Turned::Done(row, recorded) => (row, recorded),
        Turned::Same(row) | Turned::Wrong(row) => panic!("{row:?}"),
    }
}

async fn begun(bench: &Bench, items: Vec<NewItem>) -> (DeletionId, Appended) {
    let new = deletion(items);
    (new.id.clone(), bench.accept(new).await)
}

async fn row(bench: &Bench, id: &DeletionId) -> DeletionRow {
    bench.journal.deletion(id).await.unwrap().unwrap()
}

async fn outcomes(bench: &Bench, seq: DeletionSeq) -> Vec<Option<Outcome>> {
    bench.items(seq).await.iter().map(|item| item.ending.as_ref().map(|ending| ending.outcome)).collect()
}

/// What an item looks like whose delete went out and whose answer was lost.
fn in_doubt(bench: &Bench) -> Progress {
    let doubt = Doubt { first_sent: bench.now(), since: bench.now(), kind: DoubtKind::Lost, asked: None };
    Progress::with_parts(vec![Part { doubt: Some(doubt), ..Part::named(PartName::Asset) }])
}

async fn doubt(bench: &Bench, item: &Claimed) -> Recorded {
    let next = Next::Again { step: step("GetVideoInfo", ""), due_at: bench.now(), counts: true };
    let changes = vec![Change { progress: Some(in_doubt(bench)), ..change(item, next) }];
    bench.journal.record(bench.call(AttemptClass::Ambiguous), changes).await.unwrap()
}

fn ending(outcome: Outcome) -> Ending {
    Ending::not_ok(outcome, ItemError::new(Reason::Unavailable, "it did not work"))
}

fn follows(name: &str, leader: u32) -> NewItem {
    item(name, Start::Follows { leader })
}

fn reopen(bench: &Bench, item: &ItemRow) -> Reopen {
    Reopen { key: item.key, step: delete(), progress: None, due_at: bench.now() }
}

async fn retry(bench: &Bench, id: &DeletionId, items: Vec<Reopen>, next: Option<u32>) -> Turned {
    let retry = Retry { items, next, by: "night-job".to_owned(), reason: Some("vendor was down".to_owned()) };
    bench.journal.retry(id, retry).await.unwrap().unwrap()
}

fn settlement(outcome: Ending) -> Settlement {
    Settlement { ending: outcome, by: "ops".to_owned(), reason: Some("seen in the console".to_owned()) }
}

// ---- pause and resume ----

pub(in crate::journal) async fn a_paused_deletion_hands_out_nothing(bench: &Bench) {
    let (id, appended) = begun(bench, vec![waiting("v1"), waiting("v2")]).await;
    let (paused, _) = done(pause(bench, &id).await);
    assert_eq!((paused.state, paused.pause), (DeletionState::Paused, Some(why(bench))));
    let claim = bench.journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap();
    assert_eq!((claim.items, claim.next_due), (vec![], None));
    assert_eq!(bench.journal.open_lanes().await.unwrap()[0].waiting, 2, "it still waits");
    assert!(matches!(pause(bench, &id).await, Turned::Same(_)));
    // Another deletion in the lane goes on.
    bench.append(vec![waiting("v3")]).await;
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v3"]);

    let (resumed, _) = done(resume(bench, &id).await);
    assert_eq!((resumed.state, resumed.pause), (DeletionState::Running, None));
    assert!(matches!(resume(bench, &id).await, Turned::Same(_)));
    let all = bench.claim("DeleteVideo", 9).await;
    assert_eq!(names(&all), ["v1", "v2"]);
    assert_eq!(finished(&bench.end(&all, &Ending::deleted()).await), [appended.seq]);
    assert!(matches!(pause(bench, &id).await, Turned::Wrong(_)));
    assert!(matches!(cancel(bench, &id).await, Turned::Wrong(_)));
    assert_eq!(bench.journal.turn(&DeletionId::new(), verb(Verb::Cancel)).await, Ok(None));
}

pub(in crate::journal) async fn what_was_sent_before_a_pause_is_recorded(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), sent("v2"), waiting("v3")]).await;
    done(pause(bench, &id).await);
    bench.end(&appended.claimed[..1], &Ending::deleted()).await;
    let later = bench.again(&appended.claimed[1..], &delete(), SECOND, true).await;
    assert_eq!(lanes(&later), [lane("DeleteVideo")]);
    bench.clock.advance(SECOND * 2);
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    let now = row(bench, &id).await;
    assert_eq!((now.state, now.counts.of(Outcome::Deleted)), (DeletionState::Paused, 1));
    done(resume(bench, &id).await);
    assert_eq!(bench.claim("DeleteVideo", 9).await.len(), 2);
}

pub(in crate::journal) async fn a_paused_deletion_may_finish(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1")]).await;
    done(pause(bench, &id).await);
    assert_eq!(finished(&bench.end(&appended.claimed, &Ending::deleted()).await), [appended.seq]);
    let now = row(bench, &id).await;
    assert_eq!((now.state, now.pause, now.finished_at), (DeletionState::Finished, None, Some(bench.now())));
    assert!(matches!(resume(bench, &id).await, Turned::Wrong(_)));
}

pub(in crate::journal) async fn what_is_tried_counts_from_the_last_resume(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), sent("v2"), waiting("v3")]).await;
    let first = bench.end(&appended.claimed[..1], &ending(Outcome::Failed)).await;
    assert_eq!(first.touched[0].baseline.of(Outcome::Failed), 0);
    done(pause(bench, &id).await);
    done(resume(bench, &id).await);
    let second = bench.end(&appended.claimed[1..], &ending(Outcome::Failed)).await;
    let touched = &second.touched[0];
    assert_eq!((touched.counts.of(Outcome::Failed), touched.baseline.of(Outcome::Failed)), (2, 1));
}

pub(in crate::journal) async fn all_that_runs_can_be_paused_at_once(bench: &Bench) {
    let (one, _) = begun(bench, vec![waiting("v1")]).await;
    let (two, appended) = begun(bench, vec![sent("v2"), waiting("v3")]).await;
    let (own, _) = begun(bench, vec![waiting("v4")]).await;
    done(pause(bench, &own).await);
    bench.append(vec![item("v5", Start::Ended(Ending::absent()))]).await;
    let moved = Pause { code: PauseCode::JournalMoved, by: None, ..why(bench) };
    assert_eq!(bench.journal.pause_all(moved.clone()).await, Ok(2));
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    assert_eq!(row(bench, &one).await.pause, Some(moved));
    assert_eq!(row(bench, &own).await.pause, Some(why(bench)), "an earlier pause stays as it was");
    // What is taken back waits as well.
    let taken = bench.journal.rescue(Rescue::All, 9, LEASE).await.unwrap();
    assert_eq!(names(&taken), ["v2"]);
    doubt(bench, &taken[0]).await;
    assert_eq!(bench.claim("GetVideoInfo", 9).await, vec![]);
    done(resume(bench, &two).await);
    assert_eq!(names(&bench.claim("GetVideoInfo", 9).await), ["v2"]);
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v3"]);
    assert_eq!(appended.claimed.len(), 1);
}

// ---- cancel ----

pub(in crate::journal) async fn a_cancel_ends_what_was_not_sent(bench: &Bench) {
    let asked = vec![
        waiting("v0"),
        follows("v0", 0),
        sent("v2"),
        follows("v2", 2),
        item("v2", Start::After { earlier: 2, step: step("DeleteStream", "") }),
        sent("v5"),
        item("v6", Start::Ended(Ending::absent())),
        sent("v7"),
    ];
    let (id, appended) = begun(bench, asked).await;
    doubt(bench, &appended.claimed[1]).await;
    bench.again(&appended.claimed[2..], &delete(), SECOND * 9, true).await;
    let (canceled, _) = done(cancel(bench, &id).await);
    assert_eq!((canceled.state, canceled.finished_at), (DeletionState::Canceled, None));
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    assert_eq!(bench.journal.chores().await.unwrap()[0].kind, ChoreKind::Cancel);
    let steps = cancel_steps(bench, appended.seq, 3).await;
    assert_eq!(steps.ended, [Outcome::Canceled; 4]);
    let (none, dropped, absent) = (None, Some(Outcome::Canceled), Some(Outcome::Absent));
    assert_eq!(
        outcomes(bench, appended.seq).await,
        [dropped, dropped, none, none, dropped, none, absent, dropped]
    );
    assert_eq!(bench.journal.chores().await, Ok(vec![]));
    assert_eq!(bench.journal.cancel_step(appended.seq, 9).await, Ok((Recorded::default(), false)));
    for (second, same) in [(Verb::Cancel, true), (Verb::Pause, false), (Verb::Resume, false)] {
        let asked = Asked { verb: second, pause: (second == Verb::Pause).then(|| why(bench)) };
        let turned = bench.journal.turn(&id, asked).await.unwrap().unwrap();
        assert_eq!(matches!(turned, Turned::Same(_)), same, "{turned:?}");
        assert_eq!(matches!(turned, Turned::Wrong(_)), !same, "{turned:?}");
    }
    assert!(matches!(retry(bench, &id, vec![], None).await, Turned::Wrong(_)));

    // What was sent keeps its true outcome: the one under way, and the one in doubt.
    bench.end(&appended.claimed[..1], &Ending::deleted()).await;
    let open = bench.claim("GetVideoInfo", 9).await;
    assert_eq!(names(&open), ["v5"]);
    bench.clock.advance(SECOND);
    assert_eq!(finished(&bench.end(&open, &Ending::inferred()).await), [appended.seq]);
    let last = row(bench, &id).await;
    assert_eq!((last.state, last.finished_at), (DeletionState::Canceled, Some(bench.now())));
    assert_eq!(last.counts.by_outcome, [3, 1, 0, 0, 0, 0, 4]);
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
}

pub(in crate::journal) async fn a_try_that_did_nothing_is_the_last_after_a_cancel(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), sent("v2")]).await;
    done(cancel(bench, &id).await);
    let steps = cancel_steps(bench, appended.seq, 9).await;
    assert_eq!(steps.ended, vec![]);
    let recorded = bench.again(&appended.claimed[..1], &delete(), SECOND, false).await;
    assert_eq!((recorded.ended, recorded.waiting), (vec![Outcome::Canceled], vec![]));
    // In doubt it goes on, although the cancel is over.
    assert_eq!(lanes(&doubt(bench, &appended.claimed[1]).await), [lane("GetVideoInfo")]);
    let open = bench.claim("GetVideoInfo", 9).await;
    assert_eq!(finished(&bench.end(&open, &Ending::inferred()).await), [appended.seq]);
    let item = bench.journal.item(ItemKey { deletion: appended.seq, index: 0 }).await.unwrap().unwrap();
    assert_eq!((item.attempts.len(), item.item.attempts), (1, 1));
}

pub(in crate::journal) async fn a_cancel_of_nothing_open_finishes_at_once(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1")]).await;
    done(cancel(bench, &id).await);
    // The last item ends while the cancel is under way: it has not finished before that is over.
    assert_eq!(finished(&bench.end(&appended.claimed, &Ending::deleted()).await), Vec::<DeletionSeq>::new());
    assert_eq!(row(bench, &id).await.finished_at, None);
    let (step, more) = bench.journal.cancel_step(appended.seq, 9).await.unwrap();
    assert_eq!((finished(&step), more), (vec![appended.seq], false));
    assert_eq!(row(bench, &id).await.finished_at, Some(bench.now()));
}

pub(in crate::journal) async fn a_cancel_goes_on_after_a_restart(bench: &Bench) {
    let items = (0..50).map(|n| waiting(&format!("v{n}"))).collect();
    let (id, appended) = begun(bench, items).await;
    done(cancel(bench, &id).await);
    let (step, more) = bench.journal.cancel_step(appended.seq, 7).await.unwrap();
    assert_eq!((step.ended.len(), more), (7, true));
    assert_eq!(step.touched[0].counts.of(Outcome::Canceled), 7);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    assert_eq!(journal.claim(&lane("DeleteVideo"), 9, LEASE).await, Ok(Claim::default()));
    assert_eq!(
        journal.chores().await.unwrap(),
        [Chore { seq: appended.seq, id: id.clone(), kind: ChoreKind::Cancel }]
    );
    let mut ended = 7;
    loop {
        let (step, more) = journal.cancel_step(appended.seq, 7).await.unwrap();
        assert!(step.ended.len() <= 7);
        ended += step.ended.len();
        if !more {
            assert_eq!(finished(&step), [appended.seq]);
            break;
        }
    }
    assert_eq!(ended, 50);
    assert_eq!(journal.deletion(&id).await.unwrap().unwrap().counts.of(Outcome::Canceled), 50);
    journal.close().await;
}

// ---- calls that serve several deletions ----

/// A deletion that leads, one whose item waits for its call, and the leader's claim.
async fn pair(bench: &Bench) -> ((DeletionId, Appended), (DeletionId, Appended)) {
    let leads = begun(bench, vec![sent("v1"), follows("v1", 0)]).await;
    let waits = begun(bench, vec![sent("v1"), follows("v1", 0)]).await;
    assert_eq!(waits.1.claimed, vec![], "one call for both");
    assert_eq!(bench.item(waits.1.seq, 0).await.coalesced_with, Some((leads.0.clone(), 0)));
    (leads, waits)
}

pub(in crate::journal) async fn a_leader_that_was_not_sent_hands_on(bench: &Bench) {
    for paused in [false, true] {
        for before in [false, true] {
            let ((id, leads), (_, waits)) = pair(bench).await;
            if before {
                bench.again(&leads.claimed, &delete(), SECOND * 99, true).await;
            }
            let mut found =
                if paused { done(pause(bench, &id).await).1 } else { done(cancel(bench, &id).await).1 };
            if !before {
                found = bench.again(&leads.claimed, &delete(), SECOND * 99, true).await;
            } else if !paused {
                found = cancel_steps(bench, leads.seq, 9).await;
            }
            assert_eq!(lanes(&found).last(), Some(&lane("DeleteVideo")), "{paused} {before}");
            let own = bench.claim("DeleteVideo", 9).await;
            assert_eq!(own.iter().map(|item| item.key.deletion).collect::<Vec<_>>(), [waits.seq]);
            assert_eq!(bench.item(waits.seq, 0).await.coalesced_with, None);
            assert_eq!(finished(&bench.end(&own, &Ending::deleted()).await), [waits.seq]);
            cancel_steps(bench, leads.seq, 9).await;
            let left = if paused { None } else { Some(Outcome::Canceled) };
            assert_eq!(outcomes(bench, leads.seq).await, [left, left]);
            if paused {
                done(cancel(bench, &id).await);
                cancel_steps(bench, leads.seq, 9).await;
            }
        }
    }
}

pub(in crate::journal) async fn who_waits_for_a_call_can_be_canceled_alone(bench: &Bench) {
    let ((_, leads), (id, waits)) = pair(bench).await;
    done(cancel(bench, &id).await);
    let steps = cancel_steps(bench, waits.seq, 9).await;
    assert_eq!((steps.ended.clone(), finished(&steps)), (vec![Outcome::Canceled; 2], vec![waits.seq]));
    assert_eq!(bench.item(waits.seq, 0).await.coalesced_with, None);
    let recorded = bench.end(&leads.claimed, &Ending::deleted()).await;
    assert_eq!(finished(&recorded), [leads.seq]);
    assert_eq!(outcomes(bench, waits.seq).await, [Some(Outcome::Canceled); 2]);
}

pub(in crate::journal) async fn a_call_that_may_have_worked_serves_all_who_wait(bench: &Bench) {
    let ((id, leads), (waiting_id, waits)) = pair(bench).await;
    doubt(bench, &leads.claimed[0]).await;
    done(cancel(bench, &id).await);
    cancel_steps(bench, leads.seq, 9).await;
    done(pause(bench, &waiting_id).await);
    let read = bench.claim("GetVideoInfo", 9).await;
    let recorded = bench.end(&read, &Ending::inferred()).await;
    assert_eq!(recorded.ended, [Outcome::Deleted; 4]);
    assert_eq!(
        finished(&recorded).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([leads.seq, waits.seq])
    );
    let served = bench.item(waits.seq, 0).await;
    assert_eq!((served.attempts, served.coalesced_with), (2, Some((id, 0))));
    assert_eq!(served.last_call, bench.item(leads.seq, 0).await.last_call);
    assert_eq!(bench.item(waits.seq, 1).await.attempts, 2);
}

// ---- retry and settle ----

pub(in crate::journal) async fn a_retry_keeps_what_was(bench: &Bench) {
    let asked = vec![sent("v0"), sent("v1"), follows("v1", 1), sent("v3"), sent("v4"), sent("v5")];
    let (id, appended) = begun(bench, asked).await;
    let claimed = &appended.claimed;
    let first = [Outcome::Deleted, Outcome::Failed, Outcome::Busy, Outcome::Unknown, Outcome::Refused];
    let again = bench.again(&claimed[1..2], &delete(), Duration::ZERO, true).await;
    assert_eq!(again.waiting.len(), 1);
    let failed = [bench.claim("DeleteVideo", 9).await, claimed[2..].to_vec()].concat();
    bench.end(&claimed[..1], &ending(first[0])).await;
    for (item, outcome) in failed.iter().zip(&first[1..]) {
        bench.end(std::slice::from_ref(item), &ending(*outcome)).await;
    }
    let ended_at = bench.now();
    let before = row(bench, &id).await;
    assert_eq!((before.state, before.last_outcome, before.round), (DeletionState::Finished, 6, 0));
    bench.clock.advance(SECOND * 60);

    let found = bench.journal.retriable(appended.seq, 0, 2).await.unwrap();
    let more = bench.journal.retriable(appended.seq, 4, 9).await.unwrap();
    let of = |rows: &[ItemRow]| rows.iter().map(|row| row.key.index).collect::<Vec<_>>();
    assert_eq!((of(&found), of(&more)), (vec![1, 3], vec![4]));
    let mut items: Vec<_> = found.iter().chain(&more).map(|item| reopen(bench, item)).collect();
    // What is ok, refused or a duplicate is left alone.
    items.extend([0, 2, 5].map(|index| {
        let key = ItemKey { deletion: appended.seq, index };
        Reopen { key, ..items[0].clone() }
    }));
    let (opened, recorded) = done(retry(bench, &id, items.clone(), None).await);
    assert_eq!((opened.state, opened.round, opened.finished_at), (DeletionState::Running, 1, None));
    assert_eq!(opened.counts.by_outcome, [1, 0, 1, 0, 0, 0, 0]);
    assert_eq!((opened.last_outcome, lanes(&recorded).len()), (6, 3));
    assert!(matches!(retry(bench, &id, items, None).await, Turned::Same(_)), "they are open already");
    let duplicate = bench.item(appended.seq, 2).await;
    assert_eq!((duplicate.state, duplicate.ending, duplicate.outcome_seq), (ItemState::Pending, None, None));

    let open = bench.claim("DeleteVideo", 9).await;
    assert_eq!(names(&open), ["v1", "v3", "v4"]);
    assert_eq!((open[0].calls, open[0].tries, open[0].accepted_at), (2, 0, bench.now()));
    assert_eq!(finished(&bench.end(&open, &Ending::deleted()).await), [appended.seq]);
    let receipt = bench.journal.item(open[0].key).await.unwrap().unwrap();
    assert_eq!(receipt.item.ending, Some(Ending::deleted()));
    assert_eq!(receipt.item.outcome_seq, Some(7));
    assert_eq!(receipt.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    let round = Round {
        number: 1,
        ending: ending(Outcome::Failed),
        finished_at: ended_at,
        reopened_at: bench.now(),
        by: "night-job".to_owned(),
        reason: Some("vendor was down".to_owned()),
        settled: false,
    };
    assert_eq!((receipt.rounds.len(), &receipt.rounds[0]), (1, &round));
    let duplicate = bench.journal.item(ItemKey { deletion: appended.seq, index: 2 }).await.unwrap().unwrap();
    assert_eq!((duplicate.item.outcome_seq, duplicate.rounds), (Some(8), vec![round]));
    // Who follows the sequence sees every item once more.
    let after = bench.journal.outcomes(appended.seq, 6, 99).await.unwrap();
    assert_eq!(of(&after), [1, 2, 3, 4]);
    let all = bench.journal.outcomes(appended.seq, 0, 99).await.unwrap();
    assert_eq!(all.iter().map(|item| item.outcome_seq).collect::<Vec<_>>(), [1, 6, 7, 8, 9, 10].map(Some));
    let last = row(bench, &id).await;
    assert_eq!(
        (last.state, last.last_outcome, last.counts.of(Outcome::Deleted)),
        (DeletionState::Finished, 10, 5)
    );
}

pub(in crate::journal) async fn a_retry_goes_on_after_a_restart(bench: &Bench) {
    let (id, appended) = begun(bench, (0..6).map(|n| sent(&format!("v{n}"))).collect()).await;
    bench.end(&appended.claimed, &ending(Outcome::Busy)).await;
    let found = bench.journal.retriable(appended.seq, 0, 2).await.unwrap();
    let items = found.iter().map(|item| reopen(bench, item)).collect();
    let (opened, _) = done(retry(bench, &id, items, Some(2)).await);
    assert_eq!((opened.state, opened.counts.of(Outcome::Busy), opened.round), (DeletionState::Running, 4, 1));
    // What was opened first ends before the rest is opened: that finishes nothing.
    let first = bench.claim("DeleteVideo", 9).await;
    assert_eq!(finished(&bench.end(&first, &Ending::deleted()).await), Vec::<DeletionSeq>::new());
    assert_eq!(row(bench, &id).await.finished_at, None);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    let (by, reason) = ("night-job".to_owned(), Some("vendor was down".to_owned()));
    let kind = ChoreKind::Retry { from: 2, by: by.clone(), reason: reason.clone() };
    assert_eq!(journal.chores().await.unwrap(), [Chore { seq: appended.seq, id: id.clone(), kind }]);
    let rest = journal.retriable(appended.seq, 2, 9).await.unwrap();
    let items: Vec<_> = rest.iter().map(|item| reopen(bench, item)).collect();
    assert_eq!(items.len(), 4);
    let step = Retry { items, next: Some(6), by: by.clone(), reason: reason.clone() };
    let (opened, _) = done(journal.retry(&id, step).await.unwrap().unwrap());
    assert_eq!((opened.counts.of(Outcome::Busy), opened.round), (0, 1), "one round, however many steps");
    let open = journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap().items;
    let changes = open.iter().map(|item| change(item, Next::Ended(Ending::deleted()))).collect();
    journal.record(bench.call(AttemptClass::Answered), changes).await.unwrap();
    let last = Retry { items: vec![], next: None, by, reason };
    let (row, recorded) = done(journal.retry(&id, last).await.unwrap().unwrap());
    assert_eq!((row.state, finished(&recorded)), (DeletionState::Finished, vec![appended.seq]));
    assert_eq!(journal.chores().await, Ok(vec![]));
    journal.close().await;
}

pub(in crate::journal) async fn a_retry_keeps_a_pause(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), waiting("v2")]).await;
    bench.end(&appended.claimed, &ending(Outcome::Failed)).await;
    assert!(matches!(retry(bench, &id, vec![], None).await, Turned::Same(_)));
    done(pause(bench, &id).await);
    let item = bench.item(appended.seq, 0).await;
    let (opened, _) = done(retry(bench, &id, vec![reopen(bench, &item)], None).await);
    assert_eq!((opened.state, opened.pause), (DeletionState::Paused, Some(why(bench))));
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    done(resume(bench, &id).await);
    assert_eq!(bench.claim("DeleteVideo", 9).await.len(), 2);
}

pub(in crate::journal) async fn an_item_served_by_anothers_call_can_be_opened_alone(bench: &Bench) {
    let ((leading, leads), (id, waits)) = pair(bench).await;
    bench.end(&leads.claimed, &ending(Outcome::Failed)).await;
    let found = bench.journal.retriable(waits.seq, 0, 9).await.unwrap();
    assert_eq!(found.iter().map(|item| item.key.index).collect::<Vec<_>>(), [0]);
    done(retry(bench, &id, vec![reopen(bench, &found[0])], None).await);
    let open = bench.claim("DeleteVideo", 9).await;
    assert_eq!((open.len(), open[0].key.deletion), (1, waits.seq));
    assert_eq!(finished(&bench.end(&open, &Ending::deleted()).await), [waits.seq]);
    assert_eq!(outcomes(bench, leads.seq).await, [Some(Outcome::Failed); 2]);
    assert_eq!(row(bench, &leading).await.round, 0);
    // The call that it had shared is part of its history.
    let receipt = bench.journal.item(open[0].key).await.unwrap().unwrap();
    assert_eq!(receipt.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((receipt.item.attempts, receipt.rounds.len()), (2, 1));
}

pub(in crate::journal) async fn only_what_is_unknown_is_settled(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), follows("v1", 0), sent("v3"), sent("v4")]).await;
    bench.end(&appended.claimed[..1], &ending(Outcome::Unknown)).await;
    bench.end(&appended.claimed[1..2], &ending(Outcome::Failed)).await;
    let key = |index| ItemKey { deletion: appended.seq, index };
    let settle = |index, ending| bench.journal.settle(key(index), settlement(ending));
    for (index, _) in [(2, "failed"), (3, "sending")] {
        assert!(matches!(settle(index, Ending::deleted()).await, Ok(Settled::Wrong(_))));
    }
    assert_eq!(settle(9, Ending::deleted()).await, Ok(Settled::NoItem));
    let ended_at = bench.now();
    bench.clock.advance(SECOND);
    let Ok(Settled::Done(item, recorded)) = settle(0, Ending::deleted()).await else { panic!("not settled") };
    assert_eq!((item.ending, item.outcome_seq), (Some(Ending::deleted()), Some(4)));
    assert_eq!((item.finished_at, recorded.ended), (Some(bench.now()), vec![Outcome::Deleted; 2]));
    assert_eq!(recorded.touched[0].counts.by_outcome, [2, 0, 0, 0, 1, 0, 0]);
    let duplicate = bench.item(appended.seq, 1).await;
    assert_eq!((duplicate.ending, duplicate.outcome_seq), (Some(Ending::deleted()), Some(5)));
    assert!(matches!(settle(0, Ending::absent()).await, Ok(Settled::Wrong(_))), "once");
    let receipt = bench.journal.item(key(0)).await.unwrap().unwrap();
    let round = &receipt.rounds[0];
    assert_eq!((round.number, &round.ending, round.settled), (1, &ending(Outcome::Unknown), true));
    assert_eq!((round.finished_at, round.reopened_at, round.by.as_str()), (ended_at, bench.now(), "ops"));
    assert_eq!(receipt.attempts.len(), 1);
    bench.end(&appended.claimed[2..], &Ending::deleted()).await;
    let last = row(bench, &id).await;
    assert_eq!((last.state, last.last_outcome, last.round), (DeletionState::Finished, 6, 0));
    let places = bench.journal.outcomes(appended.seq, 0, 9).await.unwrap();
    assert_eq!(places.iter().map(|item| item.key.index).collect::<Vec<_>>(), [2, 0, 1, 3]);
}

// ---- what readers of large deletions ask ----

pub(in crate::journal) async fn shares_tell_who_else_is_in_a_lane(bench: &Bench) {
    let read = || Start::Waits(step("GetVideoInfo", ""));
    let (id, appended) = begun(bench, vec![waiting("v1"), waiting("v2"), item("v3", read())]).await;
    bench.append(vec![waiting("v4")]).await;
    let other = NewDeletion { requested_by: "cms".to_owned(), ..deletion(vec![waiting("v5")]) };
    bench.accept(other).await;
    let (paused, _) = begun(bench, vec![waiting("v6")]).await;
    done(pause(bench, &paused).await);
    let share = |operation, waiting, callers, siblings| LaneShare {
        lane: lane(operation),
        waiting,
        callers,
        siblings,
    };
    let shares = || async { bench.journal.shares(appended.seq).await.unwrap() };
    assert_eq!(shares().await, [share("DeleteVideo", 2, 2, 2), share("GetVideoInfo", 1, 1, 1)]);
    bench.claim("GetVideoInfo", 9).await;
    done(pause(bench, &id).await);
    assert_eq!(shares().await, [share("DeleteVideo", 2, 2, 1)]);
}

// ---- retention ----

pub(in crate::journal) async fn what_is_no_longer_kept_goes_and_nothing_else(bench: &Bench) {
    let mut asked: Vec<_> = (0..300).map(|n| sent(&format!("v{n}"))).collect();
    asked.extend((0..20).map(|n| follows(&format!("v{n}"), n)));
    let once = Once { key: "k1".to_owned(), fingerprint: Digest([1; 32]), keep: DAYS * 2 };
    let old = NewDeletion { once: Some(once), ..deletion(asked) };
    let (old_id, old) = (old.id.clone(), bench.accept(old).await);
    let other = begun(bench, vec![sent("v0"), waiting("w1")]).await;
    bench.again(&old.claimed[..9], &delete(), Duration::ZERO, true).await;
    let again = bench.claim("DeleteVideo", 9).await;
    let rest: Vec<_> = again.iter().filter(|item| item.key.deletion == old.seq).cloned().collect();
    bench.end(&rest, &ending(Outcome::Failed)).await;
    loop {
        let open = bench.claim("DeleteVideo", 99).await;
        if open.is_empty() {
            break;
        }
        bench.end(&open, &ending(Outcome::Failed)).await;
    }
    bench.end(&old.claimed[9..], &Ending::deleted()).await;
    let finished_at = row(bench, &old_id).await.finished_at.unwrap();
    bench.clock.advance(DAYS);
    let (late_id, _) = begun(bench, vec![item("v1", Start::Ended(Ending::absent())), sent("v2")]).await;
    let kept = (
        bench.items(other.1.seq).await,
        bench.journal.item(ItemKey { deletion: other.1.seq, index: 0 }).await,
    );

    // Not yet: it finished at this time, not before.
    while bench.journal.clean(finished_at, 50).await.unwrap() {}
    assert!(bench.journal.deletion(&old_id).await.unwrap().is_some());
    let mut steps = 1;
    while bench.journal.clean(finished_at + SECOND, 50).await.unwrap() {
        steps += 1;
        assert!(steps < 100, "it comes to an end");
    }
    assert!(steps >= 3, "{steps} steps for 320 items in steps of about 50 rows");
    assert_eq!(bench.journal.deletion(&old_id).await, Ok(None));
    assert_eq!(bench.items(old.seq).await, vec![]);
    assert_eq!(bench.journal.item(ItemKey { deletion: old.seq, index: 0 }).await, Ok(None));
    assert_eq!(bench.journal.items_of(&account(), "v7", None, 9).await, Ok(vec![]));
    assert!(bench.journal.deletion(&late_id).await.unwrap().is_some());
    let here = bench.journal.items_of(&account(), "v0", None, 9).await.unwrap();
    assert_eq!(here.iter().map(|item| item.key.deletion).collect::<Vec<_>>(), [other.1.seq]);
    // Who was served by a call of what is gone keeps its outcome and its calls.
    let now = bench.items(other.1.seq).await;
    assert_eq!(now.len(), kept.0.len());
    for (now, was) in now.iter().zip(&kept.0) {
        assert_eq!(
            (&now.ending, now.outcome_seq, now.attempts),
            (&was.ending, was.outcome_seq, was.attempts)
        );
        assert_eq!((&now.last_call, &now.coalesced_with), (&was.last_call, &None));
    }
    let attempts = bench.journal.item(now[0].key).await.unwrap().unwrap().attempts;
    assert_eq!(attempts, kept.1.unwrap().unwrap().attempts);
    // Its key is free again.
    let once = Once { key: "k1".to_owned(), fingerprint: Digest([2; 32]), keep: DAYS };
    bench.accept(NewDeletion { once: Some(once), ..deletion(vec![waiting("v1")]) }).await;
}

pub(in crate::journal) async fn a_removal_goes_on_after_a_restart(bench: &Bench) {
    let asked = (0..400).map(|n| item(&format!("v{n}"), Start::Ended(Ending::absent()))).collect();
    let (id, appended) = begun(bench, asked).await;
    let open = begun(bench, vec![waiting("v1")]).await;
    bench.clock.advance(DAYS);
    assert_eq!(bench.journal.clean(bench.now(), 60).await, Ok(true));
    assert_eq!(bench.journal.deletion(&id).await, Ok(None), "half of it is never shown");
    assert_eq!(bench.items(appended.seq).await, vec![]);
    assert_eq!(bench.journal.deletions(DeletionFilter::default(), 9).await.unwrap().len(), 1);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    while journal.clean(bench.now() - DAYS, 60).await.unwrap() {}
    assert_eq!(journal.clean(bench.now(), 60).await, Ok(false));
    assert_eq!(journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap().items.len(), 1);
    assert!(journal.deletion(&open.0).await.unwrap().is_some());
    journal.close().await;
}

pub(in crate::journal) async fn a_discarded_upload_is_removed(bench: &Bench) {
    let key = Some(("k".to_owned(), DAYS));
    let upload = NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        key,
    };
    let Ok(Begun::Receiving(seq)) = bench.journal.begin(upload.clone()).await else { panic!("not begun") };
    let items = (0..200).map(|n| waiting(&format!("v{n}"))).collect();
    bench.journal.stage(seq, 0, items).await.unwrap();
    // While it is received it is not old, however long that takes.
    bench.clock.advance(SECOND);
    while bench.journal.clean(bench.now() + DAYS, 50).await.unwrap() {}
    assert_eq!(bench.journal.begin(upload.clone()).await, Ok(Begun::KeyBusy));
    bench.journal.discard(seq).await.unwrap();
    let mut steps = 1;
    while bench.journal.clean(bench.now(), 50).await.unwrap() {
        steps += 1;
    }
    assert!((2..50).contains(&steps), "{steps} steps");
    assert_eq!(bench.journal.items_of(&account(), "v7", None, 9).await, Ok(vec![]));
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    let again = NewUpload { id: DeletionId::new(), ..upload };
    assert!(matches!(bench.journal.begin(again).await, Ok(Begun::Receiving(_))));
}

pub(in crate::journal) async fn old_keys_are_forgotten(bench: &Bench) {
    let asked = |n: u8, keep| {
        let once = Once { key: format!("k{n}"), fingerprint: Digest([n; 32]), keep };
        NewDeletion { once: Some(once), ..deletion(vec![waiting(&format!("v{n}"))]) }
    };
    for n in 0..20 {
        bench.accept(asked(n, SECOND * u32::from(n))).await;
    }
    bench.clock.advance(SECOND * 9);
    while bench.journal.clean(bench.now() - DAYS, 3).await.unwrap() {}
    for n in 0..20 {
        let accepted = bench.journal.append(asked(n, DAYS)).await.unwrap();
        assert_eq!(matches!(accepted, Accepted::New(_)), n <= 9, "key {n}");
    }
}

// ---- races ----

pub(in crate::journal) async fn of_equal_verbs_one_wins(bench: &Bench) {
    let (id, appended) = begun(bench, vec![waiting("v1"), waiting("v2")]).await;
    let won = |turned: &[Turned]| turned.iter().filter(|one| matches!(one, Turned::Done(..))).count();
    for _ in 0..5 {
        let paused = join_all((0..40).map(|_| pause(bench, &id))).await;
        let resumed = join_all((0..40).map(|_| resume(bench, &id))).await;
        assert_eq!((won(&paused), won(&resumed)), (1, 1));
    }
    let one = &id;
    let both =
        join_all((0..40).map(|n| async move {
            if n % 2 == 0 { cancel(bench, one).await } else { pause(bench, one).await }
        }));
    let both = both.await;
    assert!(won(&both) <= 2 && matches!(cancel(bench, &id).await, Turned::Same(_)));
    cancel_steps(bench, appended.seq, 1).await;
    assert_eq!(row(bench, &id).await.state, DeletionState::Canceled);
}

pub(in crate::journal) async fn verbs_race_with_calls_and_all_adds_up(bench: &Bench) {
    const ITEMS: u32 = 120;
    let mut asked: Vec<_> = (0..ITEMS - 20).map(|n| waiting(&format!("v{n}"))).collect();
    asked.extend((0..20).map(|n| follows(&format!("v{n}"), n)));
    let (id, appended) = begun(bench, asked.clone()).await;
    // The same targets once more, so that calls are shared.
    let (other, twin) = begun(bench, asked).await;
    let over = AtomicBool::new(false);
    let over = &over;
    let work = async {
        for n in 0..160_u32 {
            let items = bench.claim("DeleteVideo", 3).await;
            match n % 4 {
                0 => drop(bench.end(&items, &ending(Outcome::Failed)).await),
                1 => drop(bench.again(&items, &delete(), Duration::ZERO, true).await),
                _ => drop(bench.end(&items, &Ending::deleted()).await),
            }
        }
    };
    let verbs = async {
        for n in 0..60 {
            let one = if n % 2 == 0 { &id } else { &other };
            match n % 5 {
                0 | 3 => drop(pause(bench, one).await),
                1 | 4 => drop(resume(bench, one).await),
                _ => {
                    let seq = if n % 2 == 0 { appended.seq } else { twin.seq };
                    let found = bench.journal.retriable(seq, 0, 5).await.unwrap();
                    let items = found.iter().map(|item| reopen(bench, item)).collect();
                    drop(retry(bench, one, items, None).await);
                }
            }
        }
        done_or_finished(&resume(bench, &other).await);
        drop(cancel(bench, &id).await);
        cancel_steps(bench, appended.seq, 7).await;
    };
    let look = async {
        while !over.load(Ordering::Relaxed) {
            for id in [&id, &other] {
                let row = row(bench, id).await;
                let counts = row.counts;
                assert_eq!(counts.open() + counts.by_outcome.iter().sum::<u64>(), u64::from(ITEMS));
                assert_eq!(
                    row.state == DeletionState::Finished,
                    counts.open() == 0 && row.finished_at.is_some() && row.state != DeletionState::Canceled
                );
                assert_eq!(row.pause.is_some(), row.state == DeletionState::Paused);
                let items = bench.items(row.seq).await;
                let places: Vec<_> = items.iter().filter_map(|item| item.outcome_seq).collect();
                assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len());
                for item in items.iter().filter(|item| item.same_as.is_some()) {
                    let leader = &items[usize::try_from(item.same_as.unwrap()).unwrap()];
                    assert_eq!(leader.ending, item.ending);
                }
            }
        }
    };
    let act = async {
        tokio::join!(work, verbs);
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(act, look);
    // What is left runs to its end.
    loop {
        let items = bench.claim("DeleteVideo", 9).await;
        if items.is_empty() {
            break;
        }
        bench.end(&items, &Ending::deleted()).await;
    }
    for (id, state) in [(&id, DeletionState::Canceled), (&other, DeletionState::Finished)] {
        let row = row(bench, id).await;
        assert_eq!((row.counts.open(), row.finished_at.is_some()), (0, true));
        assert!(row.state == state || row.state == DeletionState::Finished, "{row:?}");
    }
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
}

fn done_or_finished(turned: &Turned) {
    let (Turned::Done(row, _) | Turned::Same(row) | Turned::Wrong(row)) = turned;
    assert!(matches!(row.state, DeletionState::Running | DeletionState::Finished), "{row:?}");
}

//! Promise 10: what a cancel ends, and what of it goes on.
//!
//! Its own file because here items end without a call, and those of other
//! deletions may have waited for it.

use std::collections::BTreeSet;

use super::verbs::*;
use super::*;

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
        let asked = Asked { pause: (second == Verb::Pause).then(|| why(bench)), ..verb(second) };
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

//! Promise 16: the two ways out of an outcome.
//!
//! Its own file because only here an item that is done changes.

use super::verbs::*;
use super::*;

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

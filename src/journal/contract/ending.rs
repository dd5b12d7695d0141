//! Promises 4, 5 and 6: outcomes, their numbers, and what hangs on them.
//!
//! Its own file because these tests are about several items that end together.

use super::*;
use crate::types::outcome::{ItemError, Reason};
use crate::types::target::Kind;

fn follows(name: &str, leader: u32) -> NewItem {
    item(name, Start::Follows { leader })
}

pub(in crate::journal) async fn a_follower_ends_with_its_leader(bench: &Bench) {
    let asked = vec![sent("v1"), sent("v2"), follows("v1", 0), follows("v2", 1), follows("v1", 0)];
    let appended = bench.append(asked).await;
    let failed = Ending::not_ok(Outcome::Failed, ItemError::new(Reason::Unavailable, "gave up"));
    let recorded = bench.end(&appended.claimed[..1], &failed).await;
    assert_eq!(recorded.ended, [Outcome::Failed; 3]);
    assert_eq!((finished(&recorded), &recorded.waiting), (vec![], &vec![]));
    let rows = bench.items(appended.seq).await;
    for (index, row) in rows.iter().enumerate() {
        let ended = [0, 2, 4].contains(&index);
        assert_eq!(row.ending.as_ref(), ended.then_some(&failed), "item {index}");
        assert_eq!(row.finished_at, ended.then_some(bench.now()));
    }
    assert_eq!((rows[2].same_as, rows[2].attempts, rows[3].state), (Some(0), 1, ItemState::Pending));
    assert_eq!(rows[2].last_call, rows[0].last_call);
    assert!(rows[2].last_call.is_some() && rows[3].last_call.is_none());
    assert_eq!(finished(&bench.end(&appended.claimed[1..], &Ending::deleted()).await), [appended.seq]);
}

pub(in crate::journal) async fn followers_of_followers_end_in_the_same_commit(bench: &Bench) {
    let asked = vec![
        sent("v1"),
        follows("v1", 0),
        follows("v1", 1),
        item("v1", Start::After { earlier: 2, step: delete() }),
        follows("v1", 3),
    ];
    let appended = bench.append(asked).await;
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    let recorded = bench.end(&appended.claimed, &Ending::absent()).await;
    assert_eq!((recorded.ended.len(), lanes(&recorded)), (3, vec![lane("DeleteVideo")]));
    let last = bench.claim("DeleteVideo", 9).await;
    assert_eq!(last.iter().map(|item| item.key.index).collect::<Vec<_>>(), [3]);
    let recorded = bench.end(&last, &Ending::deleted()).await;
    assert_eq!((recorded.ended.len(), finished(&recorded)), (2, vec![appended.seq]));
}

pub(in crate::journal) async fn an_item_that_waits_becomes_due_when_the_earlier_has_ended(bench: &Bench) {
    let after = |earlier, operation| item("v1", Start::After { earlier, step: step(operation, "g") });
    let asked =
        vec![sent("v1"), after(0, "DeleteStream"), after(1, "DeleteMezzanines"), after(0, "DeleteStream")];
    let appended = bench.append(asked).await;
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]), "what waits for another is not in a lane yet");
    bench.again(&appended.claimed, &delete(), Duration::ZERO, true).await;
    assert_eq!(bench.claim("DeleteStream", 9).await, vec![]);
    let first = bench.claim("DeleteVideo", 9).await;
    bench.clock.advance(Duration::from_secs(5));
    let recorded = bench.end(&first, &Ending::deleted()).await;
    assert_eq!(lanes(&recorded), [lane("DeleteStream"), lane("DeleteStream")]);
    assert_eq!(recorded.ended, [Outcome::Deleted]);
    let second = bench.claim("DeleteStream", 9).await;
    assert_eq!(second.iter().map(|item| item.key.index).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((second[0].calls, second[0].step.group.as_str()), (0, "g"));
    assert_eq!(bench.claim("DeleteMezzanines", 9).await, vec![]);
    assert_eq!(lanes(&bench.end(&second, &Ending::absent()).await), [lane("DeleteMezzanines")]);
    let third = bench.claim("DeleteMezzanines", 9).await;
    assert_eq!(finished(&bench.end(&third, &Ending::absent()).await), [appended.seq]);
}

pub(in crate::journal) async fn outcomes_are_numbered_without_a_gap(bench: &Bench) {
    let mut asked =
        vec![item("v0", Start::Ended(Ending::absent())), sent("v1"), follows("v1", 1), sent("v3")];
    asked.extend((4..40).map(|n| waiting(&format!("v{n}"))));
    let appended = bench.append(asked).await;
    let (second, first) = (&appended.claimed[..1], &appended.claimed[1..]);
    bench.end(first, &Ending::deleted()).await;
    bench.end(second, &Ending::deleted()).await;
    loop {
        let some = bench.claim("DeleteVideo", 7).await;
        if some.is_empty() {
            break;
        }
        // A change that is left out takes no number.
        let stale = Claimed { generation: 0, ..some[0].clone() };
        let both = [vec![stale], some.clone()].concat();
        assert_eq!(bench.end(&both, &Ending::deleted()).await.stale, 1);
    }
    let rows = bench.items(appended.seq).await;
    assert_eq!(rows[..4].iter().map(|row| row.outcome_seq).collect::<Vec<_>>(), [1, 3, 4, 2].map(Some));
    let mut numbers: Vec<_> = rows.iter().filter_map(|row| row.outcome_seq).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}

pub(in crate::journal) async fn a_call_for_two_deletions_finishes_both(bench: &Bench) {
    let one = bench.append(vec![waiting("v1"), waiting("v2")]).await.seq;
    let two = bench.append(vec![waiting("v3")]).await.seq;
    let all = bench.claim("DeleteVideo", 20).await;
    assert_eq!(names(&all), ["v1", "v2", "v3"]);
    bench.clock.advance(Duration::from_secs(1));
    let changes = all.iter().map(|item| {
        let ending = if item.key.index == 0 { Ending::deleted() } else { Ending::absent() };
        change(item, Next::Ended(ending))
    });
    let call = bench.call(AttemptClass::Answered);
    let recorded = bench.journal.record(call, changes.collect()).await.unwrap();
    assert_eq!(finished(&recorded), [one, two]);
    assert_eq!(recorded.ended, [Outcome::Deleted, Outcome::Absent, Outcome::Deleted]);
    let row = bench.newest(1).await;
    assert_eq!((row.counts.of(Outcome::Deleted), row.counts.of(Outcome::Absent)), (1, 1));
    assert_eq!((row.state, row.finished_at), (DeletionState::Finished, Some(bench.now())));
}

pub(in crate::journal) async fn every_ending_reads_back(bench: &Bench) {
    let error = ItemError {
        vendor_code: Some("Forbidden.IllegalStatus".to_owned()),
        supported: vec![Kind::Media, Kind::Source],
        ..ItemError::new(Reason::Unsupported, "what \"it\" says: é")
    };
    let mut endings: Vec<_> = Outcome::ALL.map(|one| Ending::not_ok(one, error.clone())).to_vec();
    endings.extend([Ending::deleted(), Ending::inferred(), Ending::absent()]);
    let appended = bench.append(endings.iter().map(|_| sent("v1")).collect()).await;
    let both = appended.claimed.iter().zip(&endings);
    let changes = both.map(|(item, ending)| change(item, Next::Ended(ending.clone()))).collect();
    bench.journal.record(bench.call(AttemptClass::Answered), changes).await.unwrap();
    let read = bench.items(appended.seq).await.into_iter().map(|row| row.ending.unwrap()).collect::<Vec<_>>();
    assert_eq!(read, endings);
    let counts = bench.newest(0).await.counts;
    assert_eq!(counts, Counts { total: 10, by_outcome: [3, 2, 1, 1, 1, 1, 1] });
}

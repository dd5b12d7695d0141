//! Promises 1 and 5 in a crowd: shared commits, and readers beside writers.
//!
//! Its own file because these tests are about many callers at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;

fn made(result: Result<Accepted, Error>) -> Appended {
    accepted(result.unwrap())
}

pub(in crate::journal) async fn concurrent_appends_share_commits(bench: &Bench) {
    let asked: Vec<_> = (0..500).map(|n| deletion(vec![waiting(&format!("v{n}"))])).collect();
    let appended = join_all(asked.iter().map(|new| bench.journal.append(new.clone()))).await;
    let numbers: HashSet<_> = appended.into_iter().map(|result| made(result).seq).collect();
    assert_eq!(numbers.len(), 500);
    assert!(bench.commits() < 100, "{} commits for 500 writes", bench.commits());
    bench.journal.close().await;
    let again = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    for new in &asked {
        assert!(again.deletion(&new.id).await.unwrap().is_some());
    }
}

pub(in crate::journal) async fn a_caller_that_goes_away_loses_nothing(bench: &Bench) {
    let asked: Vec<_> = (0..50).map(|_| deletion(vec![waiting("v1"), waiting("v2")])).collect();
    for new in &asked {
        // Polled once, which hands the write over, and dropped.
        drop(bench.journal.append(new.clone()).now_or_never());
    }
    // The journal works in order, so this comes after them.
    bench.journal.check().await.unwrap();
    for new in &asked {
        let row = bench.journal.deletion(&new.id).await.unwrap().unwrap();
        assert_eq!(bench.items(row.seq).await.len(), 2);
    }
}

pub(in crate::journal) async fn counts_add_up_whenever_one_looks(bench: &Bench) {
    const ITEMS: usize = 300;
    let mut asked: Vec<_> = (0..ITEMS - 50).map(|n| waiting(&format!("v{n}"))).collect();
    asked.extend((0..50).map(|n| item(&format!("v{n}"), Start::Follows { leader: n })));
    let asked = deletion(asked);
    let seq = bench.accept(asked.clone()).await.seq;
    let done = AtomicBool::new(false);
    let work = async {
        loop {
            let some = bench.claim("DeleteVideo", 3).await;
            if some.is_empty() {
                break;
            }
            bench.end(&some, &Ending::deleted()).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let look = async {
        let mut last = 0;
        while !done.load(Ordering::Relaxed) {
            // The row first: items that end between the two reads only add.
            let row = bench.journal.deletion(&asked.id).await.unwrap().unwrap();
            let items = bench.items(seq).await;
            let ended = row.counts.of(Outcome::Deleted);
            let mut numbers: Vec<_> = items.iter().filter_map(|item| item.outcome_seq).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<_>>());
            assert_eq!(row.counts.open() + ended, u64::try_from(ITEMS).unwrap());
            assert_eq!(row.state == DeletionState::Finished, row.counts.open() == 0);
            assert!(last <= ended && ended <= u64::try_from(numbers.len()).unwrap());
            for follower in &items[ITEMS - 50..] {
                let leader = &items[usize::try_from(follower.same_as.unwrap()).unwrap()];
                assert_eq!(leader.ending, follower.ending);
            }
            last = ended;
        }
    };
    tokio::join!(work, look);
    assert_eq!(bench.newest(0).await.counts.of(Outcome::Deleted), u64::try_from(ITEMS).unwrap());
}

pub(in crate::journal) async fn two_claimers_never_get_the_same_item(bench: &Bench) {
    bench.append((0..200).map(|n| waiting(&format!("v{n}"))).collect()).await;
    let claims = join_all((0..40).map(|_| bench.claim("DeleteVideo", 7))).await;
    let keys: Vec<_> = claims.iter().flatten().map(|item| item.key).collect();
    assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len()), (200, 200));
}

pub(in crate::journal) async fn after_close_nothing_is_written(bench: &Bench) {
    let queued = join_all((0..20).map(|_| bench.journal.append(deletion(vec![waiting("v1")]))));
    let (queued, ()) = tokio::join!(queued, bench.journal.close());
    assert!(queued.iter().all(Result::is_ok), "what was queued is finished");
    bench.journal.close().await;
    let refused = bench.journal.append(deletion(vec![waiting("v1")])).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    assert!(matches!(bench.journal.check().await, Err(Error::Unavailable(_))));
    assert!(matches!(bench.journal.open_lanes().await, Err(Error::Unavailable(_))));
}

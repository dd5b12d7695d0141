//! Promise 10 in a crowd: verbs that race with each other and with calls.
//!
//! Its own file because these tests run many tasks at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use super::gates::by;
use super::verbs::*;
use super::*;
use crate::journal::audit::Action;

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
    let (Turned::Done(row, _) | Turned::Same(row) | Turned::Wrong(row)) = turned else {
        panic!("{turned:?}")
    };
    assert!(matches!(row.state, DeletionState::Running | DeletionState::Finished), "{row:?}");
}

/// Deletions that several callers fight over at once.
const TOGETHER: usize = 25;

/// How many; 10,000 by `VODRM_RACES=10000 cargo test --lib approval_races`.
#[expect(clippy::disallowed_methods, reason = "the amount of a run is given from outside")]
fn races() -> usize {
    std::env::var("VODRM_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// A number below `n`, from a sequence that is the same in every run.
fn draw(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap() % n
}

pub(in crate::journal) async fn approval_races_have_one_winner_each(bench: &Bench) {
    const WHO: [(Verb, &str); 8] = [
        (Verb::Approve, "boss"),
        (Verb::Approve, "chief"),
        (Verb::Approve, "ops"),
        (Verb::Reject, "boss"),
        (Verb::Reject, "chief"),
        (Verb::Cancel, "ops"),
        (Verb::Start, "ops"),
        (Verb::Lapse, audit::SERVICE),
    ];
    let mut seed = 4;
    let (mut approved, mut expired) = (0, 0);
    for _ in 0..races().div_ceil(TOGETHER) {
        let mut asked = Vec::new();
        for n in 0..TOGETHER {
            // Of every fifth the time is over when they come.
            let minutes = if n % 5 == 0 { 1 } else { 60 };
            let terms = Terms { approval: Some(Duration::from_mins(minutes)), ..Terms::default() };
            let items = vec![waiting(&format!("v{n}")), waiting(&format!("w{n}"))];
            asked.push(NewDeletion { terms, ..deletion(items) });
        }
        let made = join_all(asked.iter().map(|new| bench.accept(new.clone()))).await;
        bench.clock.advance(Duration::from_mins(1));
        assert_eq!(bench.claim("DeleteVideo", 99).await, vec![], "nothing before an approval");
        let mut turns: Vec<_> = (0..TOGETHER).flat_map(|n| WHO.map(|who| (n, Some(who)))).collect();
        turns.extend((0..TOGETHER).map(|n| (n, None)));
        for at in (1..turns.len()).rev() {
            turns.swap(at, draw(&mut seed, at + 1));
        }
        let told = join_all(turns.iter().map(|(n, who)| {
            let id = &asked[*n].id;
            async move {
                match who {
                    Some((verb, who)) => (Some((*n, *verb, by(bench, id, *verb, who).await)), vec![]),
                    None => (None, bench.claim("DeleteVideo", 20).await),
                }
            }
        }))
        .await;
        let won = |n: usize, verb: Verb| {
            let is = |(turned, _): &&(Option<(usize, Verb, Turned)>, Vec<Claimed>)| matches!(turned, Some((of, what, Turned::Done(..))) if (*of, *what) == (n, verb));
            told.iter().filter(is).count()
        };
        for (n, new) in asked.iter().enumerate() {
            let row = row(bench, &new.id).await;
            let decided = [won(n, Verb::Approve), won(n, Verb::Reject)];
            // Whoever cancels may do so after an approval too.
            let winners = match (decided, row.state) {
                ([0, 0], DeletionState::Canceled) => won(n, Verb::Cancel),
                ([0, 0], DeletionState::Expired) => 1,
                ([a, r], _) => a + r,
            };
            assert_eq!((winners, won(n, Verb::Start)), (1, 0), "{row:?}");
            assert_eq!(row.review.approved.is_some(), decided[0] == 1);
            assert_eq!(row.review.rejected.is_some(), row.state == DeletionState::Rejected);
            assert_eq!(n % 5 == 0, row.state == DeletionState::Expired, "{row:?}");
            assert!(row.review.approved.as_ref().is_none_or(|decision| decision.by != "ops"));
            approved += decided[0];
            expired += usize::from(row.state == DeletionState::Expired);
        }
        // What was handed out meanwhile was approved.
        let mut open: Vec<Claimed> = told.into_iter().flat_map(|(_, claimed)| claimed).collect();
        for item in &open {
            assert!(row(bench, &item.deletion).await.review.approved.is_some());
        }
        for appended in &made {
            cancel_steps(bench, appended.seq, 9).await;
        }
        while !open.is_empty() {
            bench.end(&open, &Ending::deleted()).await;
            open = bench.claim("DeleteVideo", 99).await;
        }
        let records = bench.journal.audited(audit::AuditFilter::default(), 1_000).await.unwrap();
        for (new, appended) in asked.iter().zip(&made) {
            let row = row(bench, &new.id).await;
            assert_eq!(row.counts.open(), 0);
            let of = |action| {
                let is = |record: &&audit::Record| {
                    record.entry.action == action && record.entry.deletion.as_ref() == Some(&new.id)
                };
                records.iter().filter(is).count()
            };
            assert_eq!(of(Action::Approved), usize::from(row.review.approved.is_some()));
            assert_eq!(of(Action::Rejected), usize::from(row.review.rejected.is_some()));
            assert_eq!(of(Action::Expired), usize::from(row.state == DeletionState::Expired));
            let was_sent = bench.items(appended.seq).await.iter().any(|item| item.attempts > 0);
            assert_eq!(of(Action::Sent) > 0, was_sent);
            assert!(row.review.approved.is_some() || !was_sent, "nothing unapproved is sent");
        }
    }
    assert!(approved > 0 && expired > 0);
}

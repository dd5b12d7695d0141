//! Promise 12: a lane is shared.
//!
//! Its own file because these tests are about deletions that meet in a lane.
//! The arithmetic is `fair.rs`'s and tested there.

use std::collections::HashMap;

use super::*;

fn crowd(prefix: &str, items: usize) -> Vec<NewItem> {
    (0..items).map(|n| waiting(&format!("{prefix}{n}"))).collect()
}

async fn asked_by(bench: &Bench, caller: &str, items: Vec<NewItem>) -> DeletionSeq {
    let asked = NewDeletion { requested_by: caller.to_owned(), ..deletion(items) };
    bench.accept(asked).await.seq
}

/// How many of these are of each deletion.
fn shares(items: &[Claimed]) -> HashMap<DeletionSeq, usize> {
    let mut shares = HashMap::new();
    for item in items {
        *shares.entry(item.key.deletion).or_default() += 1;
    }
    shares
}

pub(in crate::journal) async fn a_single_item_goes_with_the_next_call(bench: &Bench) {
    let big = bench.append(crowd("v", 50_000)).await.seq;
    for _ in 0..5 {
        assert_eq!(shares(&bench.claim("DeleteVideo", 20).await), HashMap::from([(big, 20)]));
    }
    let own = bench.append(vec![waiting("x1")]).await.seq;
    let next = bench.claim("DeleteVideo", 20).await;
    assert_eq!(shares(&next), HashMap::from([(big, 19), (own, 1)]), "of the same caller");
    let other = asked_by(bench, "night-job", vec![waiting("x2")]).await;
    let next = bench.claim("DeleteVideo", 20).await;
    assert_eq!(shares(&next), HashMap::from([(big, 19), (other, 1)]), "of another caller");
    let first = asked_by(bench, "night-job", vec![waiting("x3")]).await;
    let one = bench.claim("DeleteVideo", 1).await;
    assert!(one[0].key.deletion == first || bench.claim("DeleteVideo", 1).await[0].key.deletion == first);
}

pub(in crate::journal) async fn callers_share_half_and_half(bench: &Bench) {
    let mut of_one = Vec::new();
    for n in 0..4 {
        of_one.push(asked_by(bench, "one", crowd(&format!("a{n}-"), 100)).await);
    }
    let of_two = asked_by(bench, "two", crowd("b", 300)).await;
    let mut got: HashMap<DeletionSeq, usize> = HashMap::new();
    for _ in 0..20 {
        for (seq, items) in shares(&bench.claim("DeleteVideo", 20).await) {
            *got.entry(seq).or_default() += items;
        }
    }
    assert_eq!(got.get(&of_two), Some(&200));
    assert!(of_one.iter().all(|seq| got.get(seq) == Some(&50)), "{got:?}");
    // Who has been away does not get what it did not use.
    while !shares(&bench.claim("DeleteVideo", 20).await).is_empty() {}
    let one = asked_by(bench, "one", crowd("c", 100)).await;
    for _ in 0..2 {
        bench.claim("DeleteVideo", 20).await;
    }
    let two = asked_by(bench, "two", crowd("d", 100)).await;
    for _ in 0..3 {
        assert_eq!(shares(&bench.claim("DeleteVideo", 20).await), HashMap::from([(one, 10), (two, 10)]));
    }
}

pub(in crate::journal) async fn many_small_deletions_fill_a_call(bench: &Bench) {
    for n in 0..60 {
        let caller = if n % 3 == 0 { "one" } else { "two" };
        asked_by(bench, caller, vec![waiting(&format!("v{n}"))]).await;
    }
    for left in [40, 20, 0] {
        let got = bench.claim("DeleteVideo", 20).await;
        assert_eq!((got.len(), shares(&got).len()), (20, 20));
        let waiting: u64 = bench.journal.open_lanes().await.unwrap().iter().map(|lane| lane.waiting).sum();
        assert_eq!(waiting, left);
    }
    assert_eq!(bench.journal.claim(&lane("DeleteVideo"), 20, LEASE).await, Ok(Claim::default()));
}

pub(in crate::journal) async fn what_is_not_due_yet_takes_no_turn(bench: &Bench) {
    let mut repeats = Vec::new();
    for n in 0..90 {
        let appended = bench.append(vec![sent(&format!("v{n}"))]).await;
        repeats.push(appended.claimed);
    }
    for (n, claimed) in (1..).zip(&repeats) {
        bench.again(claimed, &delete(), Duration::from_secs(n), true).await;
    }
    let big = bench.append(crowd("x", 40)).await.seq;
    assert_eq!(shares(&bench.claim("DeleteVideo", 20).await), HashMap::from([(big, 20)]));
    bench.clock.advance(Duration::from_secs(10));
    let next = bench.claim("DeleteVideo", 20).await;
    assert_eq!((next.len(), shares(&next).len()), (20, 11), "ten repeats are due");
    bench.clock.advance(Duration::from_secs(80));
    let mut got = 0;
    loop {
        let some = bench.claim("DeleteVideo", 20).await;
        if some.is_empty() {
            break;
        }
        got += some.len();
    }
    assert_eq!(got, 90);
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
}

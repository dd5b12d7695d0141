//! Promise 11: one call for one target, however many deletions ask for it.
//!
//! Its own file because these tests are about items of different deletions that
//! are the same target.

use std::collections::HashSet;

use super::*;
use crate::types::outcome::{ItemError, Reason};

async fn each(bench: &Bench, deletions: usize, item: fn() -> NewItem) -> Vec<DeletionSeq> {
    let mut seqs = Vec::new();
    for _ in 0..deletions {
        seqs.push(bench.append(vec![item()]).await.seq);
    }
    seqs
}

async fn state(bench: &Bench, seq: DeletionSeq) -> ItemState {
    bench.item(seq, 0).await.state
}

pub(in crate::journal) async fn a_hundred_deletions_of_one_id_are_one_call(bench: &Bench) {
    let seqs = each(bench, 100, || waiting("v1")).await;
    let sent = bench.claim("DeleteVideo", 20).await;
    assert_eq!(sent.len(), 1);
    // The rest may need more claims to be found, but none of them is sent.
    assert_eq!(bench.claim("DeleteVideo", 20).await, vec![]);
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    bench.clock.advance(Duration::from_secs(2));
    let before = bench.commits();
    let recorded = bench.end(&sent, &Ending::deleted()).await;
    assert_eq!(recorded.ended.len(), 100);
    assert!(bench.commits() - before <= 1, "one commit, where commits are counted");
    assert_eq!(finished(&recorded), seqs);
    let leader = &sent[0];
    let (shown, attempts) = (bench.item(leader.key.deletion, 0).await, 1);
    for seq in seqs {
        let row = bench.item(seq, 0).await;
        assert_eq!((&row.ending, row.outcome_seq), (&Some(Ending::deleted()), Some(1)));
        assert_eq!(
            (row.attempts, &row.last_call, row.finished_at),
            (attempts, &shown.last_call, Some(bench.now()))
        );
        let with = (seq != leader.key.deletion).then(|| (leader.deletion.clone(), 0));
        assert_eq!(row.coalesced_with, with);
        let receipt = bench.journal.item(row.key).await.unwrap().unwrap();
        assert_eq!(receipt.attempts.len(), 1);
    }
    let again = bench.append(vec![item("v1", Start::Sends { step: delete(), lease: LEASE })]).await;
    assert_eq!(again.claimed.len(), 1, "what has ended is asked for anew");
}

pub(in crate::journal) async fn what_is_being_sent_serves_who_comes_later(bench: &Bench) {
    let first = bench.append(vec![sent("v1")]).await;
    let direct = bench.append(vec![sent("v1"), sent("v2"), item("v1", Start::Follows { leader: 0 })]).await;
    assert_eq!(names(&direct.claimed), ["v2"]);
    let later = bench.append(vec![waiting("v1")]).await;
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    assert_eq!(state(bench, later.seq).await, ItemState::Pending);
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    let failed = Ending::not_ok(Outcome::Failed, ItemError::new(Reason::Unavailable, "gave up"));
    let recorded = bench.end(&first.claimed, &failed).await;
    assert_eq!(finished(&recorded), [first.seq, later.seq]);
    assert_eq!(
        recorded.touched.iter().map(|t| t.seq).collect::<Vec<_>>(),
        [first.seq, direct.seq, later.seq]
    );
    assert_eq!(recorded.ended, [Outcome::Failed; 4], "a follower of one that was served ends too");
    let rows = bench.items(direct.seq).await;
    assert_eq!(rows.iter().map(|row| row.outcome_seq).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    assert_eq!(rows[2].ending, Some(failed));
    assert_eq!((rows[2].same_as, rows[2].attempts), (Some(0), 1));
    assert_eq!(bench.newest(1).await.counts.of(Outcome::Failed), 2);
}

pub(in crate::journal) async fn one_between_two_tries_still_leads(bench: &Bench) {
    let first = bench.append(vec![sent("v1")]).await;
    bench.again(&first.claimed, &delete(), Duration::from_secs(9), true).await;
    let direct = bench.append(vec![sent("v1")]).await;
    assert_eq!(direct.claimed, vec![]);
    let later = bench.append(vec![waiting("v1")]).await;
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    bench.clock.advance(Duration::from_secs(9));
    let again = bench.claim("DeleteVideo", 9).await;
    assert_eq!(again.iter().map(|item| item.key.deletion).collect::<Vec<_>>(), [first.seq]);
    assert_eq!(again[0].calls, 1);
    let recorded = bench.end(&again, &Ending::absent()).await;
    assert_eq!(finished(&recorded), [first.seq, direct.seq, later.seq]);
    assert_eq!(bench.item(later.seq, 0).await.attempts, 2);
}

pub(in crate::journal) async fn one_that_is_sent_takes_along_who_waits(bench: &Bench) {
    let waits = each(bench, 3, || waiting("v1")).await;
    let direct = bench.append(vec![sent("v1")]).await;
    assert_eq!(direct.claimed.len(), 1);
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]), "those who waited are on their way with it");
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    let recorded = bench.end(&direct.claimed, &Ending::deleted()).await;
    assert_eq!(finished(&recorded), [waits, vec![direct.seq]].concat());
}

pub(in crate::journal) async fn who_waited_for_one_that_was_served_is_let_go(bench: &Bench) {
    let first = bench.append(vec![sent("v1")]).await;
    let after = Start::After { earlier: 0, step: step("DeleteStream", "") };
    let second = bench.append(vec![sent("v1"), item("v1", after)]).await;
    let recorded = bench.end(&first.claimed, &Ending::deleted()).await;
    assert_eq!(lanes(&recorded), [lane("DeleteStream")]);
    let next = bench.claim("DeleteStream", 9).await;
    assert_eq!(
        next.iter().map(|item| item.key).collect::<Vec<_>>(),
        [ItemKey { deletion: second.seq, index: 1 }]
    );
    assert_eq!(finished(&bench.end(&next, &Ending::absent()).await), [second.seq]);
}

pub(in crate::journal) async fn only_the_same_target_is_coalesced(bench: &Bench) {
    let start = || Start::Sends { step: delete(), lease: LEASE };
    let of = |target: Target| NewItem { wanted: Some(Wanted { target, label: None }), start: start() };
    let base = wanted("same-name").target;
    let targets = [
        base.clone(),
        Target { what: What::Source { force: true }, ..base.clone() },
        Target { what: What::Source { force: false }, ..base.clone() },
        Target { name: Name::parse("reference_id", "same-name").unwrap(), ..base.clone() },
        Target { account: AccountId::parse("other").unwrap(), ..base },
    ];
    let mut sent = HashSet::new();
    for target in &targets {
        let appended = bench.append(vec![of(target.clone())]).await;
        assert_eq!(appended.claimed.len(), 1, "{target:?}");
        sent.insert(appended.seq);
    }
    for target in &targets {
        assert_eq!(bench.append(vec![of(target.clone())]).await.claimed.len(), 0, "{target:?}");
    }
    // A deletion's own items are its own business.
    let twice = bench.append(vec![super::sent("own"), super::sent("own")]).await;
    assert_eq!(twice.claimed.len(), 2);
}

pub(in crate::journal) async fn an_uploads_items_are_coalesced_too(bench: &Bench) {
    let first = bench.append(vec![sent("v1")]).await;
    let upload = NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        key: None,
    };
    let Begun::Receiving(seq) = bench.journal.begin(upload).await.unwrap() else { panic!() };
    bench.journal.stage(seq, 0, vec![waiting("v1"), waiting("v2"), waiting("v3")]).await.unwrap();
    // Not yet there, so it is not taken along.
    let direct = bench.append(vec![sent("v3")]).await;
    assert_eq!(bench.end(&direct.claimed, &Ending::deleted()).await.ended.len(), 1);
    let seal = Seal::of(3, Digest([1; 32]));
    bench.journal.seal(seq, seal).await.unwrap();
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v2", "v3"]);
    assert_eq!(bench.end(&first.claimed, &Ending::deleted()).await.touched.len(), 2);
    assert_eq!(bench.item(seq, 0).await.ending, Some(Ending::deleted()));
}

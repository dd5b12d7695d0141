//! Promise 1: what is accepted is there, whole, and what is refused is not.
//!
//! Its own file because these tests end before anything is sent.

use futures_util::future::join_all;

use super::*;
use crate::types::outcome::{ItemError, Reason};
use crate::types::target::{Family, Renditions, Selector, SnapshotType, Snapshots};

fn target(account: &str, form: &str, name: &str, what: What) -> Target {
    let account = AccountId::parse(account).unwrap();
    Target { account, name: Name::parse(form, name).unwrap(), what }
}

pub(in crate::journal) async fn a_deletion_reads_back_as_it_was_accepted(bench: &Bench) {
    let selector = |text| Selector::parse(text).unwrap();
    let renditions = Renditions::Some {
        definitions: vec![selector("HD"), selector("100010")],
        job_ids: vec![selector("j-1")],
        family: Some(Family::Adaptive),
    };
    let types = vec![SnapshotType::Sprite, SnapshotType::Cover];
    let targets = [
        target("b", "id", "v1", What::Media),
        target("a", "reference_id", "my-ref", What::Source { force: true }),
        target("b", "id", "v1", What::Renditions(renditions)),
        target("b", "id", "v2", What::Renditions(Renditions::All)),
        target("b", "id", "v3", What::Snapshots(Snapshots::All)),
        target("b", "id", "v4", What::Snapshots(Snapshots::Types(types))),
        target("c", "url", "https://img.example.com/a%2Cb.png", What::Image),
        target("b", "id", "v5", What::AttachedMedia),
    ];
    let wanted = targets.map(|target| Wanted { label: Some(format!("of {}", target.name.as_str())), target });
    let items = wanted.iter().map(|w| NewItem { wanted: Some(w.clone()), start: Start::Waits(delete()) });
    let asked = NewDeletion {
        reason: Some("licence ended".to_owned()),
        if_absent: IfAbsent::Error,
        ..deletion(items.collect())
    };
    let appended = bench.accept(asked.clone()).await;
    assert!(appended.claimed.is_empty() && !appended.finished);

    let row = bench.journal.deletion(&asked.id).await.unwrap().unwrap();
    assert_eq!((row.seq, &row.id), (appended.seq, &asked.id));
    assert_eq!((row.requested_by.as_str(), row.reason.as_deref()), ("ops", Some("licence ended")));
    assert_eq!((row.if_absent, row.state), (IfAbsent::Error, DeletionState::Running));
    assert_eq!((row.created_at, row.started_at, row.finished_at), (bench.now(), None, None));
    assert_eq!(row.counts, Counts { total: 8, by_outcome: [0; 7] });
    assert_eq!(row.accounts, ["b", "a", "c"].map(|name| AccountId::parse(name).unwrap()));

    let rows = bench.items(appended.seq).await;
    assert_eq!(rows.iter().map(|row| row.wanted.clone()).collect::<Vec<_>>(), wanted.map(Some));
    for (index, row) in (0..).zip(&rows) {
        assert_eq!(row.key, ItemKey { deletion: appended.seq, index });
        assert_eq!((&row.deletion, row.if_absent), (&asked.id, IfAbsent::Error));
        assert_eq!((row.state, row.attempts, &row.last_call), (ItemState::Pending, 0, &None));
        assert_eq!((&row.ending, row.outcome_seq, row.finished_at), (&None, None, None));
        assert_eq!((&row.progress, row.same_as), (&None, None));
    }
}

pub(in crate::journal) async fn a_refused_append_leaves_nothing(bench: &Bench) {
    let first = deletion(vec![waiting("v1")]);
    bench.journal.append(first.clone()).await.unwrap();
    let twin = NewDeletion { items: vec![waiting("x1"), waiting("x2")], ..first };
    let hangs = |leader| deletion(vec![waiting("x3"), item("x3", Start::Follows { leader })]);
    let waits = deletion(vec![item("x4", Start::After { earlier: 0, step: delete() })]);
    for bad in [twin, hangs(1), hangs(7), waits] {
        let refused = bench.journal.append(bad).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert_eq!(bench.journal.deletions(DeletionFilter::default(), 10).await.unwrap().len(), 1);
    for name in ["x1", "x2", "x3", "x4"] {
        assert_eq!(bench.journal.items_of(&account(), name, None, 10).await, Ok(vec![]));
    }
    assert_eq!(bench.claim("DeleteVideo", 10).await.len(), 1);
}

pub(in crate::journal) async fn one_bad_write_does_not_spoil_the_others(bench: &Bench) {
    let twin = DeletionId::new();
    let writes = (0..60).map(|n| {
        let new = deletion(vec![waiting(&format!("v{n}"))]);
        let id = if n % 3 == 0 { twin.clone() } else { new.id.clone() };
        bench.journal.append(NewDeletion { id, ..new })
    });
    let results = join_all(writes).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 41);
    for (n, result) in results.iter().enumerate() {
        let kept = bench.journal.items_of(&account(), &format!("v{n}"), None, 10).await.unwrap();
        assert_eq!(kept.len(), usize::from(result.is_ok()), "v{n}");
    }
}

pub(in crate::journal) async fn what_starts_as_sending_is_handed_out_at_once(bench: &Bench) {
    let asked =
        deletion(vec![waiting("v0"), sent("v1"), item("v1", Start::Follows { leader: 1 }), sent("v2")]);
    let id = asked.id.clone();
    let appended = bench.accept(asked).await;
    let expected = [(1, "v1"), (3, "v2")].map(|(index, name)| Claimed {
        key: ItemKey { deletion: appended.seq, index },
        generation: 1,
        deletion: id.clone(),
        target: wanted(name).target,
        step: delete(),
        progress: None,
        calls: 0,
        tries: 0,
        accepted_at: bench.now(),
        lapsed_at: None,
        is_dead: false,
        bulk: false,
    });
    assert_eq!(appended.claimed, expected);
    assert_eq!(bench.newest(0).await.started_at, Some(bench.now()));
    let states = bench.items(appended.seq).await.iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states, [ItemState::Pending, ItemState::Sending, ItemState::Pending, ItemState::Sending]);
    assert_eq!(names(&bench.claim("DeleteVideo", 10).await), ["v0"]);
    let recorded = bench.end(&appended.claimed, &Ending::deleted()).await;
    assert_eq!((recorded.ended.len(), recorded.stale), (3, 0));
}

pub(in crate::journal) async fn what_ended_before_the_start_counts_at_once(bench: &Bench) {
    let unsupported = Ending::not_ok(Outcome::Refused, ItemError::new(Reason::Unsupported, "no such kind"));
    let ended = |ending: &Ending| Start::Ended(ending.clone());
    let part = bench.append(vec![waiting("v1"), item("v2", ended(&unsupported))]).await;
    assert!(!part.finished);
    let row = bench.newest(0).await;
    assert_eq!((row.counts.of(Outcome::Refused), row.counts.open()), (1, 1));
    assert_eq!(bench.item(part.seq, 1).await.ending, Some(unsupported.clone()));
    assert_eq!(bench.item(part.seq, 1).await.finished_at, Some(bench.now()));

    let items = vec![
        item("v1", ended(&Ending::absent())),
        item("v2", ended(&unsupported)),
        item("v2", Start::Follows { leader: 1 }),
        item("v2", Start::Follows { leader: 2 }),
    ];
    let whole = bench.append(items).await;
    assert!(whole.finished && whole.claimed.is_empty());
    let row = bench.newest(0).await;
    assert_eq!((row.state, row.finished_at), (DeletionState::Finished, Some(bench.now())));
    assert_eq!((row.started_at, row.counts.open()), (None, 0));
    let rows = bench.items(whole.seq).await;
    assert_eq!(rows.iter().map(|row| row.outcome_seq).collect::<Vec<_>>(), [1, 2, 3, 4].map(Some));
    assert_eq!(rows.iter().map(|row| row.same_as).collect::<Vec<_>>(), [None, None, Some(1), Some(1)]);
    assert!(rows[1..].iter().all(|row| row.ending.as_ref() == Some(&unsupported)));
    assert!(bench.append(vec![]).await.finished, "nothing to do is done");
}

pub(in crate::journal) async fn what_hangs_on_an_ended_item_does_not_wait_for_it(bench: &Bench) {
    let ended = Start::Ended(Ending::absent());
    bench.append(vec![item("v1", ended), item("v1", Start::After { earlier: 0, step: delete() })]).await;
    assert_eq!(bench.claim("DeleteVideo", 10).await.len(), 1);
}

pub(in crate::journal) async fn everything_is_there_after_reopening(bench: &Bench) {
    let appended = bench.append(vec![sent("v1"), waiting("v2"), waiting("v3")]).await;
    bench.end(&appended.claimed, &Ending::deleted()).await;
    let handed_out = bench.claim("DeleteVideo", 1).await;
    let before = (bench.newest(0).await, bench.items(appended.seq).await);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    let bench = Bench { store: Box::new(Gone), journal, clock: bench.clock.clone(), metrics: Metrics::new() };
    assert_eq!((bench.newest(0).await, bench.items(appended.seq).await), before);
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v3"]);
    assert_eq!(bench.end(&handed_out, &Ending::absent()).await.stale, 0, "the lease outlives its process");
    let next = bench.append(vec![waiting("v4")]).await;
    assert!(next.seq > appended.seq);
}

/// A store that is not opened any more.
struct Gone;

#[async_trait]
impl Store for Gone {
    async fn open(&self, _: Arc<dyn Clock>, _: Metrics) -> Arc<dyn Journal> {
        unreachable!("a test reopens once")
    }
}

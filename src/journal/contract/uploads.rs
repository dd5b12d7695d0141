//! Promise 8: an upload is all there at once, or not at all.
//!
//! Its own file because these tests are about what is not shown yet.

use super::*;
use crate::types::outcome::{ItemError, Reason};

async fn begin(bench: &Bench) -> (DeletionId, DeletionSeq) {
    let upload = NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: Some("licence ended".to_owned()),
        if_absent: IfAbsent::Error,
        key: None,
    };
    let Begun::Receiving(seq) = bench.journal.begin(upload.clone()).await.unwrap() else { panic!() };
    (upload.id, seq)
}

fn sealed(sealed: Sealed) -> Touched {
    match sealed {
        Sealed::Done(touched) => touched,
        Sealed::CapReached(cap) => panic!("{cap:?}"),
    }
}

async fn stage(bench: &Bench, seq: DeletionSeq, from: u32, items: Vec<NewItem>) {
    bench.journal.stage(seq, from, items).await.unwrap();
}

fn seal(total: u32) -> Seal {
    Seal::of(total, Digest([9; 32]))
}

fn of(name: &str, what: What, operation: &'static str) -> NewItem {
    let target = Target { what, ..wanted(name).target };
    let start = Start::Waits(step(operation, ""));
    NewItem { wanted: Some(Wanted { target, label: None }), start }
}

fn bad_line(line: u64) -> (NewItem, Ending) {
    let error = ItemError { line: Some(line), ..ItemError::new(Reason::Invalid, "is not JSON") };
    let ending = Ending::not_ok(Outcome::Refused, error);
    (NewItem { wanted: None, start: Start::Ended(ending.clone()) }, ending)
}

/// What anybody can see of an upload that is not there.
async fn nothing_is_shown(bench: &Bench, id: &DeletionId, seq: DeletionSeq) {
    assert_eq!(bench.journal.deletion(id).await, Ok(None));
    assert_eq!(bench.journal.deletions(DeletionFilter::default(), 9).await, Ok(vec![]));
    let of_account = DeletionFilter { account: Some(account()), ..DeletionFilter::default() };
    assert_eq!(bench.journal.deletions(of_account, 9).await, Ok(vec![]));
    assert_eq!(bench.journal.items(seq, ItemFilter::default(), 9).await, Ok(vec![]));
    assert_eq!(bench.journal.item(ItemKey { deletion: seq, index: 0 }).await, Ok(None));
    assert_eq!(bench.journal.outcomes(seq, 0, 9).await, Ok(vec![]));
    assert_eq!(bench.journal.items_of(&account(), "v1", None, 9).await, Ok(vec![]));
    assert_eq!(bench.journal.shares(seq).await, Ok(vec![]));
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    assert_eq!(bench.journal.claim(&lane("DeleteVideo"), 9, LEASE).await, Ok(Claim::default()));
    assert_eq!(bench.journal.rescue(Rescue::All, 9, LEASE).await, Ok(vec![]));
}

pub(in crate::journal) async fn an_upload_is_invisible_until_it_is_sealed(bench: &Bench) {
    let (id, seq) = begin(bench).await;
    nothing_is_shown(bench, &id, seq).await;
    stage(bench, seq, 0, vec![waiting("v1"), waiting("v2"), bad_line(3).0]).await;
    stage(bench, seq, 3, vec![waiting("v3"), of("v4", What::Media, "GetPlayInfo")]).await;
    nothing_is_shown(bench, &id, seq).await;
    bench.clock.advance(Duration::from_mins(1));
    let touched = sealed(bench.journal.seal(seq, seal(5)).await.unwrap());
    assert_eq!((touched.seq, &touched.id, touched.finished), (seq, &id, false));
    assert_eq!((touched.counts.total, touched.counts.open()), (5, 4));
    assert_eq!(touched.baseline, touched.counts, "nothing of it was tried");

    let row = bench.journal.deletion(&id).await.unwrap().unwrap();
    assert_eq!(
        (row.seq, row.state, row.bulk, row.digest),
        (seq, DeletionState::Running, true, Digest([9; 32]))
    );
    assert_eq!((row.requested_by.as_str(), row.reason.as_deref()), ("ops", Some("licence ended")));
    assert_eq!((row.if_absent, &row.accounts), (IfAbsent::Error, &vec![account()]));
    assert_eq!((row.created_at, row.started_at, row.finished_at), (bench.now(), None, None));
    assert_eq!((row.counts, row.last_outcome), (touched.counts, 1));
    let of_account = DeletionFilter { account: Some(account()), ..DeletionFilter::default() };
    assert_eq!(bench.journal.deletions(of_account, 9).await.unwrap().len(), 1);
    let open = |operation, waiting| OpenLane { lane: lane(operation), waiting, bulk: waiting };
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![open("DeleteVideo", 3), open("GetPlayInfo", 1)]));
    let claimed = bench.claim("DeleteVideo", 9).await;
    assert_eq!(names(&claimed), ["v1", "v2", "v3"]);
    assert!(claimed.iter().all(|item| item.bulk));
    let recorded = bench.again(&claimed, &delete(), Duration::ZERO, true).await;
    assert!(recorded.waiting.iter().all(|waiting| waiting.bulk));
    let claimed = [bench.claim("DeleteVideo", 9).await, bench.claim("GetPlayInfo", 9).await].concat();
    assert_eq!(finished(&bench.end(&claimed, &Ending::deleted()).await), [seq]);
    let places: Vec<_> = bench.items(seq).await.iter().map(|item| item.outcome_seq.unwrap()).collect();
    assert_eq!(places, [2, 3, 1, 4, 5]);
}

pub(in crate::journal) async fn a_discarded_upload_leaves_nothing(bench: &Bench) {
    let (id, seq) = begin(bench).await;
    stage(bench, seq, 0, vec![waiting("v1"), waiting("v2")]).await;
    bench.journal.discard(seq).await.unwrap();
    bench.journal.discard(seq).await.unwrap();
    nothing_is_shown(bench, &id, seq).await;
    assert!(matches!(bench.journal.seal(seq, seal(2)).await, Err(Error::Invalid(_))));
    assert!(matches!(bench.journal.stage(seq, 2, vec![waiting("v3")]).await, Err(Error::Invalid(_))));
    // The same item elsewhere goes its own way.
    assert_eq!(bench.append(vec![sent("v1")]).await.claimed.len(), 1);
}

pub(in crate::journal) async fn old_uploads_are_discarded_together(bench: &Bench) {
    let (_, old) = begin(bench).await;
    stage(bench, old, 0, vec![waiting("v1")]).await;
    let (kept, sealed) = begin(bench).await;
    bench.journal.seal(sealed, seal(0)).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    let (_, new) = begin(bench).await;
    assert_eq!(bench.journal.discard_unsealed(bench.now()).await, Ok(1));
    assert!(matches!(bench.journal.stage(old, 1, vec![waiting("v2")]).await, Err(Error::Invalid(_))));
    stage(bench, new, 0, vec![waiting("v3")]).await;
    bench.journal.discard(sealed).await.unwrap();
    assert!(bench.journal.deletion(&kept).await.unwrap().is_some(), "what is sealed cannot be discarded");
}

pub(in crate::journal) async fn an_upload_is_sealed_whole_or_not(bench: &Bench) {
    let (id, seq) = begin(bench).await;
    stage(bench, seq, 0, vec![waiting("v1"), waiting("v2")]).await;
    for total in [0, 1, 3] {
        assert!(matches!(bench.journal.seal(seq, seal(total)).await, Err(Error::Invalid(_))));
    }
    nothing_is_shown(bench, &id, seq).await;
    for (from, start) in [
        (0, Start::Waits(delete())),
        (3, Start::Waits(delete())),
        (2, Start::Sends { step: delete(), lease: LEASE }),
        (2, Start::Follows { leader: 0 }),
    ] {
        let refused = bench.journal.stage(seq, from, vec![waiting("v7"), item("v8", start)]).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let unread = NewItem { wanted: None, start: Start::Waits(delete()) };
    assert!(matches!(bench.journal.stage(seq, 2, vec![unread]).await, Err(Error::Invalid(_))));
    bench.journal.seal(seq, seal(2)).await.unwrap();
    assert!(matches!(bench.journal.seal(seq, seal(2)).await, Err(Error::Invalid(_))));
    assert!(matches!(bench.journal.stage(seq, 2, vec![waiting("v3")]).await, Err(Error::Invalid(_))));
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v1", "v2"]);
}

pub(in crate::journal) async fn lines_that_cannot_be_read_are_items_that_ended(bench: &Bench) {
    let (id, seq) = begin(bench).await;
    let (first, second) = (bad_line(1), bad_line(2));
    stage(bench, seq, 0, vec![first.0, second.0]).await;
    let touched = sealed(bench.journal.seal(seq, seal(2)).await.unwrap());
    assert!(touched.finished);
    let row = bench.journal.deletion(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.finished_at), (DeletionState::Finished, Some(bench.now())));
    assert_eq!((row.counts.of(Outcome::Refused), row.accounts.len()), (2, 0));
    let items = bench.journal.outcomes(seq, 0, 9).await.unwrap();
    let expected = [first.1, second.1];
    for (item, ending) in items.iter().zip(&expected) {
        assert_eq!((&item.wanted, item.ending.as_ref()), (&None, Some(ending)));
    }
    assert_eq!(items.iter().map(|item| item.outcome_seq).collect::<Vec<_>>(), [Some(1), Some(2)]);
}

pub(in crate::journal) async fn repeats_in_an_upload_are_found(bench: &Bench) {
    let (_, seq) = begin(bench).await;
    let source = || of("v1", What::Source { force: true }, "DeleteMezzanines");
    stage(bench, seq, 0, vec![waiting("v1"), waiting("v2"), waiting("v1"), source()]).await;
    // Across chunks too; what follows a follower follows its leader.
    stage(bench, seq, 4, vec![waiting("v1"), source(), of("v1", What::Image, "DeleteImage")]).await;
    bench.journal.seal(seq, seal(7)).await.unwrap();
    let same: Vec<_> = bench.items(seq).await.iter().map(|item| item.same_as).collect();
    assert_eq!(same, [None, None, Some(0), None, Some(0), Some(3), None]);
    let lanes: Vec<_> = bench.journal.open_lanes().await.unwrap();
    assert_eq!(lanes.iter().map(|lane| lane.waiting).collect::<Vec<_>>(), [2]);
    let first = bench.claim("DeleteVideo", 9).await;
    assert_eq!(first.iter().map(|item| item.key.index).collect::<Vec<_>>(), [0, 1]);
    let recorded = bench.end(&first, &Ending::deleted()).await;
    assert_eq!((recorded.ended.len(), recorded.waiting.len()), (4, 1));
    let second = bench.claim("DeleteMezzanines", 9).await;
    assert_eq!(bench.end(&second, &Ending::absent()).await.ended.len(), 2);
    let third = bench.claim("DeleteImage", 9).await;
    assert_eq!(finished(&bench.end(&third, &Ending::absent()).await), [seq]);
    assert_eq!(bench.newest(0).await.counts.of(Outcome::Deleted), 4);
}

//! What readers are told: filters, pages, histories.
//!
//! Its own file because these tests change nothing once their rows stand.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn of(account: &str, name: &str) -> NewItem {
    let target = Target { account: AccountId::parse(account).unwrap(), ..wanted(name).target };
    NewItem { wanted: Some(Wanted { target, label: None }), start: Start::Waits(delete()) }
}

async fn listed(bench: &Bench, filter: DeletionFilter, limit: usize) -> Vec<DeletionSeq> {
    let rows = bench.journal.deletions(filter, limit).await.unwrap();
    rows.iter().map(|row| row.seq).collect()
}

pub(in crate::journal) async fn deletions_are_filtered(bench: &Bench) {
    let start = bench.now();
    let of_a = bench.append(vec![of("a", "v1")]).await.seq;
    bench.clock.advance(SECOND);
    let of_both = bench.append(vec![of("b", "v1"), of("a", "v2")]).await.seq;
    bench.clock.advance(SECOND);
    let asked = deletion(vec![item("v3", Start::Ended(Ending::absent()))]);
    let done = NewDeletion { requested_by: "night-job".to_owned(), ..asked };
    let done = bench.accept(done).await.seq;

    let none = DeletionFilter::default;
    let id = |name: &str| AccountId::parse(name).unwrap();
    let account = |name: &str| Some(id(name));
    let visible = |names: &[&str]| Some(names.iter().map(|name| id(name)).collect());
    let after = |seconds| Some(start + SECOND * seconds);
    let by = |name: &str| Some(name.to_owned());
    let running = Some(DeletionState::Running);
    let finished = Some(DeletionState::Finished);
    for (filter, expected) in [
        (none(), vec![done, of_both, of_a]),
        (DeletionFilter { account: account("a"), ..none() }, vec![of_both, of_a]),
        (DeletionFilter { account: account("b"), ..none() }, vec![of_both]),
        (DeletionFilter { account: account("nobody"), ..none() }, vec![]),
        (DeletionFilter { visible: visible(&["a", "media-cn"]), ..none() }, vec![done, of_a]),
        (DeletionFilter { visible: visible(&["a", "b", "unheard-of"]), ..none() }, vec![of_both, of_a]),
        (DeletionFilter { visible: visible(&[]), ..none() }, vec![]),
        (DeletionFilter { visible: visible(&["a"]), account: account("b"), ..none() }, vec![]),
        (DeletionFilter { state: running, ..none() }, vec![of_both, of_a]),
        (DeletionFilter { state: finished, ..none() }, vec![done]),
        (DeletionFilter { state: running, account: account("b"), ..none() }, vec![of_both]),
        (DeletionFilter { state: finished, account: account("b"), ..none() }, vec![]),
        (DeletionFilter { requested_by: by("night-job"), ..none() }, vec![done]),
        (DeletionFilter { requested_by: by("ops"), ..none() }, vec![of_both, of_a]),
        (DeletionFilter { since: after(1), ..none() }, vec![done, of_both]),
        (DeletionFilter { until: after(1), ..none() }, vec![of_a]),
        (DeletionFilter { since: after(1), until: after(2), ..none() }, vec![of_both]),
        (DeletionFilter { before: Some(done), ..none() }, vec![of_both, of_a]),
        (DeletionFilter { before: Some(of_both), state: running, ..none() }, vec![of_a]),
        (DeletionFilter { before: Some(of_both), account: account("a"), ..none() }, vec![of_a]),
    ] {
        assert_eq!(listed(bench, filter.clone(), 10).await, expected, "{filter:?}");
    }
}

pub(in crate::journal) async fn deletions_are_paged_newest_first(bench: &Bench) {
    let mut expected = Vec::new();
    for n in 0..25 {
        expected.insert(0, bench.append(vec![waiting(&format!("v{n}"))]).await.seq);
    }
    let account = Some(account());
    let running = Some(DeletionState::Running);
    for filter in [
        DeletionFilter::default(),
        DeletionFilter { account, ..DeletionFilter::default() },
        DeletionFilter { state: running, ..DeletionFilter::default() },
    ] {
        let (mut seen, mut before) = (Vec::<DeletionSeq>::new(), None);
        loop {
            let page = listed(bench, DeletionFilter { before, ..filter.clone() }, 10).await;
            before = page.last().copied();
            seen.extend(&page);
            if page.len() < 10 {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
}

pub(in crate::journal) async fn items_are_filtered_and_paged(bench: &Bench) {
    let asked = (0..10).map(|n| match n % 3 {
        0 => item("v", Start::Ended(if n == 6 { Ending::deleted() } else { Ending::absent() })),
        1 => sent("v"),
        _ => waiting("v"),
    });
    let seq = bench.append(asked.collect()).await.seq;
    bench.append(vec![sent("v")]).await;
    let none = ItemFilter::default;
    for (filter, limit, expected) in [
        (none(), 4, vec![0, 1, 2, 3]),
        (ItemFilter { from: 8, ..none() }, 4, vec![8, 9]),
        (ItemFilter { state: Some(ItemState::Done), ..none() }, 9, vec![0, 3, 6, 9]),
        (ItemFilter { state: Some(ItemState::Sending), ..none() }, 9, vec![1, 4, 7]),
        (ItemFilter { state: Some(ItemState::Pending), from: 3, ..none() }, 9, vec![5, 8]),
        (ItemFilter { outcome: Some(Outcome::Absent), ..none() }, 9, vec![0, 3, 9]),
        (ItemFilter { outcome: Some(Outcome::Deleted), ..none() }, 9, vec![6]),
        (ItemFilter { outcome: Some(Outcome::Unknown), ..none() }, 9, vec![]),
    ] {
        let rows = bench.journal.items(seq, filter.clone(), limit).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.key.index).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub(in crate::journal) async fn an_assets_history_is_found_by_every_name(bench: &Bench) {
    let by_reference = Target { name: Name::parse("reference_id", "my-ref").unwrap(), ..wanted("x").target };
    let by_reference = Wanted { target: by_reference, label: None };
    let plain = bench.append(vec![waiting("other"), waiting("v1")]).await.seq;
    let start = Start::Sends { step: delete(), lease: LEASE };
    let follower = Start::Follows { leader: 0 };
    let asked = vec![
        NewItem { wanted: Some(by_reference.clone()), start },
        NewItem { wanted: Some(by_reference), start: follower },
        waiting("v1"),
    ];
    let appended = bench.append(asked).await;
    let key = |deletion, index| ItemKey { deletion, index };
    let found = |id: &'static str, before, limit| async move {
        let rows = bench.journal.items_of(&account(), id, before, limit).await.unwrap();
        rows.iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(found("my-ref", None, 9).await, [key(appended.seq, 1), key(appended.seq, 0)]);
    assert_eq!(found("v1", None, 9).await, [key(appended.seq, 2), key(plain, 1)]);

    let resolved = Progress { asset: Some(MediaId::parse("v1").unwrap()), ..Progress::default() };
    let told = |next| Change { progress: Some(resolved.clone()), ..change(&appended.claimed[0], next) };
    let next = Next::Again { step: delete(), due_at: bench.now(), counts: false };
    bench.journal.record(bench.call(AttemptClass::Answered), vec![told(next)]).await.unwrap();
    let all = [key(appended.seq, 2), key(appended.seq, 1), key(appended.seq, 0), key(plain, 1)];
    assert_eq!(found("v1", None, 9).await, all);
    assert_eq!(found("v1", None, 2).await, all[..2]);
    assert_eq!(found("v1", Some(all[1]), 2).await, all[2..]);
    assert_eq!(found("v1", Some(all[3]), 2).await, []);
    let row = bench.item(appended.seq, 0).await;
    assert_eq!(row.resolved().map(MediaId::as_str), Some("v1"));
    let elsewhere = AccountId::parse("other").unwrap();
    assert_eq!(bench.journal.items_of(&elsewhere, "v1", None, 9).await, Ok(vec![]));
}

pub(in crate::journal) async fn attempts_are_told_in_order(bench: &Bench) {
    let asked = vec![sent("v1"), sent("v2"), item("v1", Start::Follows { leader: 0 })];
    let appended = bench.append(asked).await;
    let seq = appended.seq;
    let read =
        |index| async move { bench.journal.item(ItemKey { deletion: seq, index }).await.unwrap().unwrap() };
    assert_eq!(read(0).await.attempts, vec![], "what is being sent is no attempt yet");
    let first = CallRecord {
        vendor_code: Some("Throttling.User".to_owned()),
        status: Some(503),
        ..bench.call(AttemptClass::Refused)
    };
    bench.clock.advance(SECOND);
    let second = CallRecord {
        lane: lane("GetPlayInfo"),
        phase: Phase::Resolve,
        status: None,
        request_id: None,
        duration: SECOND * 15,
        ..bench.call(AttemptClass::Ambiguous)
    };
    let third = bench.call(AttemptClass::Answered);
    let due_at = bench.now();
    let again = |items: &[Claimed]| {
        let next = Next::Again { step: delete(), due_at, counts: true };
        items.iter().map(|item| change(item, next.clone())).collect()
    };
    bench.journal.record(first.clone(), again(&appended.claimed)).await.unwrap();
    let Receipt { item: row, attempts, .. } = read(0).await;
    assert_eq!((row.state, row.attempts), (ItemState::Pending, 1));
    assert_eq!(row.last_call, Some((OperationName::known("DeleteVideo"), first.request_id.clone())));
    assert_eq!(attempts, [AttemptRow { number: 1, call: first.clone() }]);

    bench.journal.record(second.clone(), again(&bench.claim("DeleteVideo", 9).await)).await.unwrap();
    assert_eq!(read(1).await.item.last_call, Some((OperationName::known("GetPlayInfo"), None)));
    let claimed = bench.claim("DeleteVideo", 9).await;
    let changes = claimed.iter().map(|item| change(item, Next::Ended(Ending::deleted()))).collect();
    bench.journal.record(third.clone(), changes).await.unwrap();
    let all = (1..).zip([first, second, third]).map(|(number, call)| AttemptRow { number, call });
    let all = all.collect::<Vec<_>>();
    for index in [0, 1, 2] {
        let Receipt { item: row, attempts, .. } = read(index).await;
        assert_eq!((row.attempts, &attempts), (3, &all), "item {index}");
        assert_eq!(row.last_call.unwrap().0.as_str(), "DeleteVideo");
    }
}

pub(in crate::journal) async fn what_is_not_there_is_not_found(bench: &Bench) {
    assert_eq!(bench.journal.deletion(&DeletionId::new()).await, Ok(None));
    assert_eq!(bench.journal.item(ItemKey { deletion: 1, index: 0 }).await, Ok(None));
    assert_eq!(bench.journal.items(1, ItemFilter::default(), 9).await, Ok(vec![]));
    assert_eq!(bench.journal.items_of(&account(), "v1", None, 9).await, Ok(vec![]));
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    assert_eq!(bench.journal.rescue(Rescue::All, 9, LEASE).await, Ok(vec![]));
    assert_eq!(bench.journal.check().await, Ok(()));
}

pub(in crate::journal) async fn open_lanes_count_what_waits(bench: &Bench) {
    let read = Start::Waits(step("GetPlayInfo", "x"));
    let asked = vec![
        waiting("v1"),
        waiting("v2"),
        sent("v3"),
        item("v4", read),
        item("v1", Start::Follows { leader: 0 }),
        item("v1", Start::After { earlier: 0, step: delete() }),
        item("v5", Start::Ended(Ending::absent())),
    ];
    let appended = bench.append(asked).await;
    let lanes = || async { bench.journal.open_lanes().await.unwrap() };
    let open = |operation, waiting| OpenLane { lane: lane(operation), waiting, bulk: 0 };
    assert_eq!(lanes().await, [open("DeleteVideo", 2), open("GetPlayInfo", 1)]);
    // Not due yet, but it waits.
    bench.again(&appended.claimed, &delete(), SECOND * 99, true).await;
    assert_eq!(lanes().await, [open("DeleteVideo", 3), open("GetPlayInfo", 1)]);
    bench.claim("GetPlayInfo", 9).await;
    assert_eq!(lanes().await, [open("DeleteVideo", 3)]);
}

//! Promise 14, holds and stops: what a caller may in a day, and what nobody may.
//!
//! Its own file because all of it outlives deletions and a restart.

use futures_util::future::join_all;

use super::verbs::*;
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn capped(items: usize, cap: u64) -> NewDeletion {
    let items = (0..items).map(|n| waiting(&format!("v{n}"))).collect();
    NewDeletion { daily_cap: Some(cap), ..deletion(items) }
}

/// The next midnight of the bench's clock, which stands in the morning of 2026-11-05.
fn midnight() -> Timestamp {
    "2026-11-06T00:00:00Z".parse().unwrap()
}

async fn left(bench: &Bench, new: NewDeletion) -> Option<u64> {
    let told = bench.journal.append(new).await.unwrap();
    let Accepted::CapReached(cap) = told else {
        accepted(told);
        return None;
    };
    assert_eq!(cap.resets_at, midnight());
    Some(cap.left)
}

pub(in crate::journal) async fn a_days_items_are_counted_and_capped(bench: &Bench) {
    assert_eq!(left(bench, capped(6, 10)).await, None);
    let too_many = capped(5, 10);
    assert_eq!(left(bench, too_many.clone()).await, Some(4));
    assert_eq!(bench.journal.deletion(&too_many.id).await, Ok(None), "nothing is written");
    assert_eq!(bench.journal.open_lanes().await.unwrap()[0].waiting, 6);
    assert_eq!(left(bench, NewDeletion { requested_by: "cms".to_owned(), ..capped(9, 10) }).await, None);
    assert_eq!(left(bench, capped(4, 10)).await, None);
    assert_eq!(left(bench, capped(1, 10)).await, Some(0));
    assert_eq!(left(bench, capped(1, 5)).await, Some(0), "a smaller cap than what is used");
    // What has ended before the start is not sent, and not counted.
    let ended = || item("v1", Start::Ended(Ending::absent()));
    assert_eq!(left(bench, NewDeletion { items: vec![ended()], ..capped(0, 10) }).await, None);
    assert_eq!(left(bench, NewDeletion { daily_cap: None, ..capped(1, 0) }).await, None);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    let refused = journal.append(capped(2, 12)).await.unwrap();
    let told = CapReached { limit: 12, left: 1, resets_at: midnight() };
    assert_eq!(refused, Accepted::CapReached(told), "it is counted without a cap too, and kept");
    bench.clock.advance(midnight().duration_since(bench.now()).try_into().unwrap());
    assert!(matches!(journal.append(capped(10, 10)).await, Ok(Accepted::New(_))), "a new day");
    while journal.clean(bench.now() - DAYS, 9).await.unwrap() {}
    assert!(matches!(journal.append(capped(1, 10)).await, Ok(Accepted::CapReached(_))), "today is kept");
    journal.close().await;
}

pub(in crate::journal) async fn a_plan_counts_when_it_is_started(bench: &Bench) {
    let plan = Terms { plan: Some(HOUR), ..Terms::default() };
    let planned = || NewDeletion { terms: plan.clone(), ..capped(6, 1) };
    let (first, second) = (planned(), planned());
    assert_eq!(left(bench, first.clone()).await, None);
    assert_eq!(left(bench, second.clone()).await, None);
    let start = |id: &DeletionId, cap| {
        let (id, asked) = (id.clone(), Asked { daily_cap: Some(cap), ..Asked::of(Verb::Start, "deputy") });
        async move { bench.journal.turn(&id, asked).await.unwrap().unwrap() }
    };
    done(start(&first.id, 10).await);
    let told = CapReached { limit: 10, left: 4, resets_at: midnight() };
    assert_eq!(start(&second.id, 10).await, Turned::CapReached(told));
    assert_eq!(row(bench, &second.id).await.state, DeletionState::Planned);
    assert!(matches!(start(&first.id, 0).await, Turned::Same(_)), "a repeat counts nothing");
    done(start(&second.id, 12).await);
    assert_eq!(left(bench, capped(9, 9)).await, None, "who asked for the plan has used nothing");
}

pub(in crate::journal) async fn an_upload_counts_when_it_is_sealed(bench: &Bench) {
    let upload = NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        key: None,
    };
    let Begun::Receiving(seq) = bench.journal.begin(upload.clone()).await.unwrap() else { panic!() };
    let ended = item("v9", Start::Ended(Ending::absent()));
    bench.journal.stage(seq, 0, vec![waiting("v1"), waiting("v2"), waiting("v1"), ended]).await.unwrap();
    let seal = |cap| Seal { daily_cap: Some(cap), ..Seal::of(4, Digest([3; 32])) };
    let told = CapReached { limit: 2, left: 2, resets_at: midnight() };
    assert_eq!(bench.journal.seal(seq, seal(2)).await, Ok(Sealed::CapReached(told)));
    assert_eq!(bench.journal.deletion(&upload.id).await, Ok(None), "the upload is as it was");
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    assert!(matches!(bench.journal.seal(seq, seal(3)).await, Ok(Sealed::Done(_))));
    assert_eq!(left(bench, capped(1, 3)).await, Some(0));
}

pub(in crate::journal) async fn a_replay_counts_nothing(bench: &Bench) {
    let once = Once { key: "k".to_owned(), fingerprint: Digest([1; 32]), keep: HOUR };
    let new = NewDeletion { once: Some(once), ..capped(6, 10) };
    bench.accept(new.clone()).await;
    for _ in 0..3 {
        let again = NewDeletion { id: DeletionId::new(), ..new.clone() };
        assert_eq!(bench.journal.append(again).await, Ok(Accepted::Known(new.id.clone())));
    }
    assert_eq!(left(bench, capped(5, 10)).await, Some(4));
}

pub(in crate::journal) async fn fifty_at_once_never_pass_a_cap(bench: &Bench) {
    let plan = Terms { plan: Some(HOUR), ..Terms::default() };
    let plans: Vec<_> = (0..10)
        .map(|_| NewDeletion { terms: plan.clone(), requested_by: "cms".to_owned(), ..capped(3, 1) })
        .collect();
    for plan in &plans {
        bench.accept(plan.clone()).await;
    }
    let appends = join_all((0..50).map(|n| bench.journal.append(capped(1 + n % 5, 40))));
    let starts = join_all(plans.iter().map(|plan| {
        let asked = Asked { daily_cap: Some(40), ..Asked::of(Verb::Start, "ops") };
        bench.journal.turn(&plan.id, asked)
    }));
    let (appended, started) = tokio::join!(appends, starts);
    let made = appended.iter().filter(|told| matches!(told, Ok(Accepted::New(_)))).count();
    let refused = appended.iter().filter(|told| matches!(told, Ok(Accepted::CapReached(_)))).count();
    assert_eq!((made + refused, started.iter().all(Result::is_ok)), (50, true));
    let items: u64 = bench.journal.open_lanes().await.unwrap().iter().map(|lane| lane.waiting).sum();
    assert_eq!(items, 40, "to the last item: there were enough of one");
}

fn hold(bench: &Bench, account: &str, id: &str, reason: &str) -> Hold {
    Hold {
        account: AccountId::parse(account).unwrap(),
        id: HoldId::parse(id).unwrap(),
        asset: MediaId::parse("a1").ok().filter(|_| reason == "known"),
        reason: reason.to_owned(),
        held_by: "legal".to_owned(),
        held_at: Timestamp::from_millisecond(bench.now().as_millisecond()).unwrap(),
    }
}

pub(in crate::journal) async fn holds_are_kept_until_they_are_lifted(bench: &Bench) {
    let put = [
        hold(bench, "media-cn", "v1", "a lawsuit"),
        hold(bench, "media-cn", "promo-*", "known"),
        hold(bench, "media-a", "v1", "another"),
    ];
    for one in &put {
        bench.journal.hold(one.clone()).await.unwrap();
    }
    let all = [put[2].clone(), put[1].clone(), put[0].clone()];
    assert_eq!(bench.journal.holds().await.unwrap(), all, "by account and id");
    let other = Hold { held_by: "boss".to_owned(), ..hold(bench, "media-cn", "v1", "an audit") };
    bench.journal.hold(other.clone()).await.unwrap();
    assert_eq!(bench.journal.holds().await.unwrap()[2], other, "one takes the other's place");
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    assert_eq!(journal.holds().await.unwrap().len(), 3);
    assert_eq!(journal.lift(&other.account, &other.id, "boss").await, Ok(Some(other.clone())));
    assert_eq!(journal.lift(&other.account, &other.id, "boss").await, Ok(None));
    assert_eq!(journal.lift(&AccountId::parse("never").unwrap(), &other.id, "boss").await, Ok(None));
    assert_eq!(journal.holds().await.unwrap(), all[..2]);
    journal.close().await;
}

pub(in crate::journal) async fn stops_are_kept_until_they_are_lifted(bench: &Bench) {
    let at = Timestamp::from_millisecond(bench.now().as_millisecond()).unwrap();
    let stop = |account: Option<&str>, by: &str| Stop {
        account: account.map(|name| AccountId::parse(name).unwrap()),
        reason: account.map(|_| "a mistake".to_owned()),
        by: by.to_owned(),
        at,
    };
    let (all, one) = (stop(None, "ops"), stop(Some("media-cn"), "boss"));
    assert_eq!(bench.journal.stop(one.clone()).await, Ok(true));
    assert_eq!(bench.journal.stop(all.clone()).await, Ok(true));
    assert_eq!(bench.journal.stop(stop(Some("media-cn"), "other")).await, Ok(false), "it is on");
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    assert_eq!(journal.stops().await.unwrap(), [all.clone(), one.clone()], "that of all first");
    assert_eq!(journal.restart(one.account.as_ref(), "boss", Some("mended")).await, Ok(true));
    assert_eq!(journal.restart(one.account.as_ref(), "boss", None).await, Ok(false));
    assert_eq!(journal.stops().await.unwrap(), [all]);
    assert_eq!(journal.restart(None, "boss", None).await, Ok(true));
    assert_eq!(journal.stops().await.unwrap(), []);
    journal.close().await;
}

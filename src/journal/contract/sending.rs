//! Promises 2, 3, 4 and 7: handing out, fencing, and the store's clock.
//!
//! Its own file because these tests are about one item and who may send it.

use super::*;
use crate::types::deletion::{Doubt, DoubtKind, Part, PartName};

const SECOND: Duration = Duration::from_secs(1);

pub(in crate::journal) async fn an_item_is_handed_out_once(bench: &Bench) {
    let asked = deletion(vec![waiting("v1"), waiting("v2")]);
    bench.journal.append(asked.clone()).await.unwrap();
    let accepted_at = bench.now();
    bench.clock.advance(SECOND);
    let first = bench.claim("DeleteVideo", 1).await;
    assert_eq!(names(&first), ["v1"]);
    assert_eq!((&first[0].deletion, first[0].accepted_at), (&asked.id, accepted_at));
    assert_eq!((first[0].calls, first[0].tries, first[0].generation), (0, 0, 1));
    assert_eq!(first[0].step, delete());
    assert_eq!(bench.item(first[0].key.deletion, 0).await.state, ItemState::Sending);
    assert_eq!(bench.newest(0).await.started_at, Some(bench.now()));
    bench.clock.advance(SECOND);
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v2"]);
    assert_eq!(
        bench.newest(0).await.started_at,
        Some(accepted_at + SECOND),
        "it started with the first call"
    );
    assert_eq!(bench.journal.claim(&lane("DeleteVideo"), 9, LEASE).await, Ok(Claim::default()));
}

pub(in crate::journal) async fn a_claim_takes_the_group_of_the_oldest(bench: &Bench) {
    let grouped = |name, group| item(name, Start::Waits(step("DeleteVideo", group)));
    bench.append(vec![grouped("a1", "a"), grouped("b1", "b"), grouped("a2", "a"), grouped("n1", "")]).await;
    bench.clock.advance(SECOND);
    bench.append(vec![grouped("a3", "a"), grouped("b2", "b"), grouped("a4", "a")]).await;
    let claim = |max| bench.claim("DeleteVideo", max);
    assert_eq!(claim(0).await, vec![]);
    assert_eq!(names(&claim(3).await), ["a1", "a2", "a3"]);
    let of_b = claim(20).await;
    assert_eq!(names(&of_b), ["b1", "b2"]);
    assert!(of_b.iter().all(|item| item.step.group == "b"));
    // The second deletion has had fewer, so it is its turn.
    assert_eq!(names(&claim(20).await), ["a4"]);
    assert_eq!(names(&claim(20).await), ["n1"]);
}

pub(in crate::journal) async fn a_claim_stays_in_its_lane(bench: &Bench) {
    let elsewhere = Target { account: AccountId::parse("other").unwrap(), ..wanted("v2").target };
    let start = || Start::Waits(delete());
    bench
        .append(vec![
            item("v1", Start::Waits(step("GetPlayInfo", ""))),
            NewItem { wanted: Some(Wanted { target: elsewhere, label: None }), start: start() },
            item("v3", start()),
        ])
        .await;
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v3"]);
    assert_eq!(names(&bench.claim("GetPlayInfo", 9).await), ["v1"]);
    assert_eq!(bench.journal.claim(&lane("Never"), 9, LEASE).await, Ok(Claim::default()));
    let other = LaneId { account: AccountId::parse("other").unwrap(), ..lane("DeleteVideo") };
    assert_eq!(names(&bench.journal.claim(&other, 9, LEASE).await.unwrap().items), ["v2"]);
}

pub(in crate::journal) async fn nothing_is_handed_out_before_it_is_due(bench: &Bench) {
    let appended = bench.append(vec![sent("v1"), sent("v2")]).await;
    let (late, soon) = (&appended.claimed[..1], &appended.claimed[1..]);
    bench.again(late, &delete(), SECOND * 9, true).await;
    // A nanosecond more than the store can keep must not come a millisecond early.
    bench.again(soon, &delete(), SECOND * 2 + Duration::from_nanos(1), true).await;
    let due = bench.now() + SECOND * 2 + Duration::from_millis(1);
    bench.clock.advance(SECOND * 2);
    let claim = || async { bench.journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap() };
    assert_eq!(claim().await, Claim { items: vec![], next_due: Some(due) });
    bench.clock.advance(Duration::from_millis(1));
    let found = claim().await;
    assert_eq!((names(&found.items), found.next_due), (vec!["v2"], None));
    bench.clock.advance(SECOND * 9);
    assert_eq!(names(&claim().await.items), ["v1"]);
}

pub(in crate::journal) async fn a_lane_of_many_groups_is_worked_off(bench: &Bench) {
    let all =
        (0..600).map(|n| item("v", Start::Waits(step("DeleteVideo", &format!("g{}", n % 450))))).collect();
    bench.append(all).await;
    let mut left = 600;
    while left > 0 {
        let got = bench.claim("DeleteVideo", 20).await;
        assert!(!got.is_empty() && got.iter().all(|item| item.step.group == got[0].step.group));
        left -= got.len();
        bench.end(&got, &Ending::deleted()).await;
    }
    assert_eq!(bench.newest(0).await.state, DeletionState::Finished);
}

pub(in crate::journal) async fn an_old_generation_changes_nothing(bench: &Bench) {
    let seq = bench.append(vec![sent("v1"), item("v1", Start::Follows { leader: 0 })]).await.seq;
    bench.clock.advance(LEASE);
    let rescued = bench.journal.rescue(Rescue::Expired, 9, LEASE).await.unwrap();
    let old = Claimed { generation: rescued[0].generation - 1, ..rescued[0].clone() };
    let nobody = Claimed { key: ItemKey { deletion: seq, index: 9 }, ..rescued[0].clone() };
    let never = Claimed { key: ItemKey { deletion: seq + 1, index: 0 }, ..rescued[0].clone() };
    let before = (bench.newest(0).await, bench.items(seq).await);
    for late in [old, nobody, never] {
        let late = [late];
        let stale = Recorded { stale: 1, ..Recorded::default() };
        assert_eq!(bench.end(&late, &Ending::absent()).await, stale);
        assert_eq!(bench.again(&late, &delete(), SECOND, true).await, stale);
    }
    assert_eq!((bench.newest(0).await, bench.items(seq).await), before);
    let recorded = bench.end(&rescued, &Ending::inferred()).await;
    assert_eq!((recorded.stale, finished(&recorded)), (0, vec![seq]));
}

pub(in crate::journal) async fn what_is_done_never_changes(bench: &Bench) {
    let appended = bench.append(vec![sent("v1"), sent("v2")]).await;
    let first = &appended.claimed[..1];
    bench.end(first, &Ending::deleted()).await;
    let before = (bench.newest(0).await, bench.items(appended.seq).await);
    bench.clock.advance(LEASE * 2);
    assert_eq!(bench.end(first, &Ending::absent()).await.stale, 1);
    assert_eq!(bench.again(first, &delete(), SECOND, false).await.stale, 1);
    let twice = [appended.claimed[1].clone(), appended.claimed[1].clone()];
    assert_eq!((bench.newest(0).await, bench.items(appended.seq).await), before);
    let recorded = bench.end(&twice, &Ending::absent()).await;
    assert_eq!((recorded.ended, recorded.stale), (vec![Outcome::Absent], 1));
    assert_eq!(bench.journal.rescue(Rescue::All, 9, LEASE).await, Ok(vec![]));
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
}

pub(in crate::journal) async fn a_repeat_remembers_how_far_it_came(bench: &Bench) {
    let appended = bench.append(vec![sent("v1")]).await;
    let (now, kind) = (bench.now(), DoubtKind::Lost);
    let doubt = Doubt { first_sent: now, since: now, kind, asked: None };
    let source = Part { doubt: Some(doubt), ..Part::named(PartName::Source) };
    let progress = Progress::with_parts(vec![source, Part::named(PartName::Job("j1".to_owned()))]);
    let due_at = bench.now();
    let next = |step, counts| Next::Again { step, due_at, counts };
    let told = Change {
        progress: Some(progress.clone()),
        ..change(&appended.claimed[0], next(step("GetMezzanineInfo", "m"), true))
    };
    let call = bench.call(AttemptClass::Ambiguous);
    let recorded = bench.journal.record(call.clone(), vec![told]).await.unwrap();
    let waits = Waiting { lane: lane("GetMezzanineInfo"), bulk: false };
    assert_eq!(recorded, Recorded { waiting: vec![waits], ..Recorded::default() });
    let claimed = bench.claim("GetMezzanineInfo", 9).await;
    assert_eq!((claimed[0].calls, claimed[0].tries, claimed[0].generation), (1, 1, 2));
    assert_eq!(
        (&claimed[0].progress, &claimed[0].step),
        (&Some(progress.clone()), &step("GetMezzanineInfo", "m"))
    );
    // What is not told again stays.
    bench.journal.record(call.clone(), vec![change(&claimed[0], next(delete(), false))]).await.unwrap();
    let claimed = bench.claim("DeleteVideo", 9).await;
    assert_eq!((claimed[0].calls, claimed[0].tries, claimed[0].generation), (2, 1, 3));
    assert_eq!(claimed[0].progress, Some(progress.clone()));
    bench.end(&claimed, &Ending::deleted()).await;
    let row = bench.item(appended.seq, 0).await;
    assert_eq!((row.attempts, row.progress), (3, Some(progress)));
}

pub(in crate::journal) async fn expired_leases_are_taken_back(bench: &Bench) {
    let asked =
        vec![sent("v1"), item("v2", Start::Sends { step: delete(), lease: LEASE * 3 }), waiting("v3")];
    let appended = bench.append(asked).await;
    let rescue = || async { bench.journal.rescue(Rescue::Expired, 9, LEASE).await.unwrap() };
    let moment = Duration::from_millis(1);
    bench.clock.advance(LEASE.saturating_sub(moment));
    assert_eq!(rescue().await, vec![]);
    bench.clock.advance(moment);
    let rescued = rescue().await;
    let lapsed_at = Some(bench.now());
    let expected = Claimed { generation: 2, lapsed_at, ..appended.claimed[0].clone() };
    assert_eq!(rescued, [expected], "the lost call is not counted before it is recorded");
    assert_eq!(rescue().await, vec![], "it has a new lease");
    assert_eq!(bench.item(appended.seq, 0).await.state, ItemState::Sending);
    bench.again(&rescued, &delete(), SECOND, true).await;
    bench.clock.advance(LEASE * 2);
    assert_eq!(names(&rescue().await), ["v2"]);
}

pub(in crate::journal) async fn at_the_start_every_lease_is_taken_back(bench: &Bench) {
    let appended = bench.append(vec![sent("v1"), sent("v2"), sent("v3"), waiting("v4")]).await;
    bench.end(&appended.claimed[..1], &Ending::deleted()).await;
    let one = bench.journal.rescue(Rescue::All, 1, LEASE * 2).await.unwrap();
    assert_eq!(names(&one), ["v2"]);
    bench.end(&one, &Ending::deleted()).await;
    let rest = bench.journal.rescue(Rescue::All, 9, LEASE).await.unwrap();
    assert_eq!((names(&rest), rest[0].generation), (vec!["v3"], 2));
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v4"]);
}

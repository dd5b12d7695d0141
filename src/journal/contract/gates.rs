//! Promise 13: plans, approval and delays keep everything from being sent until each is passed.
//!
//! Its own file because nothing of these deletions has run. Chores before the run
//! are tested in `ahead`, races in `races`.

use DeletionState::{AwaitingApproval, Expired, Finished, Planned, Running, Scheduled};

use super::verbs::*;
use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// Terms with every gate.
pub(super) fn gated() -> Terms {
    Terms { plan: Some(HOUR), approval: Some(HOUR * 2), delay: HOUR * 3, ..Terms::default() }
}

pub(super) fn approval() -> Terms {
    Terms { approval: Some(HOUR), ..Terms::default() }
}

pub(super) fn delayed() -> Terms {
    Terms { delay: HOUR, ..Terms::default() }
}

pub(super) async fn ahead(bench: &Bench, terms: Terms, items: Vec<NewItem>) -> (DeletionId, Appended) {
    let new = NewDeletion { terms, ..deletion(items) };
    (new.id.clone(), bench.accept(new).await)
}

/// A verb of this caller.
pub(super) async fn by(bench: &Bench, id: &DeletionId, verb: Verb, by: &str) -> Turned {
    let asked = Asked { reason: Some("seen".to_owned()), ..Asked::of(verb, by) };
    bench.journal.turn(id, asked).await.unwrap().unwrap()
}

pub(super) async fn lapse(bench: &Bench, id: &DeletionId) -> Turned {
    bench.journal.turn(id, Asked::of(Verb::Lapse, audit::SERVICE)).await.unwrap().unwrap()
}

async fn nothing_is_handed_out(bench: &Bench) {
    let claim = bench.journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap();
    assert_eq!((claim.items, claim.next_due), (vec![], None));
    assert_eq!(bench.journal.rescue(Rescue::All, 9, LEASE).await, Ok(vec![]));
}

async fn nothing_is_due(bench: &Bench) {
    nothing_is_handed_out(bench).await;
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]), "what does not run fills no lane");
}

fn decision(bench: &Bench, by: &str) -> Decision {
    Decision { by: by.to_owned(), at: floor(bench.now()), reason: Some("seen".to_owned()) }
}

fn floor(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap()
}

pub(in crate::journal) async fn every_gate_is_passed_in_order_and_nothing_is_sent_before(bench: &Bench) {
    let (id, appended) = ahead(bench, gated(), vec![waiting("v1"), waiting("v2"), follows("v1", 0)]).await;
    assert_eq!((appended.claimed.len(), appended.finished), (0, false));
    let planned = row(bench, &id).await;
    assert_eq!((planned.state, planned.terms, planned.review), (Planned, gated(), Review::default()));
    assert_eq!(planned.deadline, Some(floor(bench.now()) + HOUR));
    nothing_is_due(bench).await;
    assert!(matches!(by(bench, &id, Verb::Approve, "boss").await, Turned::Wrong(_)));
    bench.clock.advance(SECOND);

    let (started, _) = done(by(bench, &id, Verb::Start, "ops").await);
    assert_eq!((started.state, started.deadline), (AwaitingApproval, Some(floor(bench.now()) + HOUR * 2)));
    assert_eq!(started.review.started, Some(decision(bench, "ops")));
    assert!(matches!(by(bench, &id, Verb::Start, "ops").await, Turned::Same(_)));
    nothing_is_due(bench).await;
    bench.clock.advance(SECOND);

    let (approved, _) = done(by(bench, &id, Verb::Approve, "boss").await);
    assert_eq!((approved.state, approved.deadline), (Scheduled, Some(floor(bench.now()) + HOUR * 3)));
    assert_eq!((approved.review.approved, approved.review.rejected), (Some(decision(bench, "boss")), None));
    assert!(matches!(by(bench, &id, Verb::Approve, "boss").await, Turned::Same(_)));
    assert!(matches!(by(bench, &id, Verb::Reject, "boss").await, Turned::Wrong(_)));
    nothing_is_due(bench).await;
    assert!(matches!(lapse(bench, &id).await, Turned::Same(_)), "its time is not over");
    bench.clock.advance(HOUR * 3);
    nothing_is_due(bench).await;

    let (released, _) = done(lapse(bench, &id).await);
    assert_eq!((released.state, released.deadline), (Running, None));
    let open = bench.journal.open_lanes().await.unwrap();
    assert_eq!(open[0].waiting, 2);
    let claimed = bench.claim("DeleteVideo", 9).await;
    assert_eq!(names(&claimed), ["v1", "v2"]);
    assert_eq!(claimed[0].accepted_at, floor(bench.now()), "it is as old as its release");
    assert_eq!(finished(&bench.end(&claimed, &Ending::deleted()).await), [appended.seq]);
    assert_eq!(row(bench, &id).await.state, Finished);
    assert!(matches!(lapse(bench, &id).await, Turned::Same(_)));
}

pub(in crate::journal) async fn an_upload_passes_the_same_gates(bench: &Bench) {
    for (terms, state) in [
        (gated(), DeletionState::Planned),
        (approval(), DeletionState::AwaitingApproval),
        (delayed(), DeletionState::Scheduled),
    ] {
        let upload = NewUpload {
            id: DeletionId::new(),
            requested_by: "ops".to_owned(),
            reason: None,
            if_absent: IfAbsent::Ok,
            key: None,
        };
        let Begun::Receiving(seq) = bench.journal.begin(upload.clone()).await.unwrap() else { panic!() };
        bench.journal.stage(seq, 0, vec![waiting("v1"), waiting("v1")]).await.unwrap();
        bench.clock.advance(SECOND);
        let seal = Seal { terms: terms.clone(), ..Seal::of(2, Digest([3; 32])) };
        let Ok(Sealed::Done(touched)) = bench.journal.seal(seq, seal).await else { panic!() };
        assert!(!touched.finished);
        let sealed = row(bench, &upload.id).await;
        let deadline = floor(bench.now()) + terms.time_in(state).unwrap();
        assert_eq!((sealed.state, sealed.deadline, sealed.terms), (state, Some(deadline), terms));
        nothing_is_due(bench).await;
        done(cancel(bench, &upload.id).await);
        cancel_steps(bench, seq, 9).await;
        assert_eq!(outcomes(bench, seq).await, [Some(Outcome::Canceled); 2]);
    }
}

pub(in crate::journal) async fn what_has_ended_at_once_waits_for_nobody(bench: &Bench) {
    let refused = || item("v1", Start::Ended(ending(Outcome::Refused)));
    let (id, appended) = ahead(bench, gated(), vec![refused(), refused()]).await;
    assert!(appended.finished);
    let now = row(bench, &id).await;
    assert_eq!((now.state, now.deadline, now.chore), (DeletionState::Finished, None, None));
    assert_eq!(bench.journal.lapsed(9).await, Ok(Lapsed { ids: vec![], next: None }));
}

pub(in crate::journal) async fn what_nobody_let_go_on_is_not_opened_again(bench: &Bench) {
    let plan = Terms { plan: Some(HOUR), ..Terms::default() };
    for terms in [gated(), approval(), plan] {
        let failed = item("v1", Start::Ended(ending(Outcome::Failed)));
        let (id, appended) = ahead(bench, terms, vec![failed]).await;
        let item = bench.item(appended.seq, 0).await;
        for next in [None, Some(1)] {
            let told = retry(bench, &id, vec![reopen(bench, &item)], next).await;
            assert!(matches!(told, Turned::Same(row) if row.state == Finished));
        }
        nothing_is_due(bench).await;
    }
}

pub(in crate::journal) async fn nothing_starts_as_sending_before_it_may(bench: &Bench) {
    for terms in [gated(), approval(), delayed()] {
        let new = NewDeletion { terms, ..deletion(vec![waiting("v1"), sent("v2")]) };
        assert!(matches!(bench.journal.append(new.clone()).await, Err(Error::Invalid(_))));
        assert_eq!(bench.journal.deletion(&new.id).await, Ok(None));
    }
}

pub(in crate::journal) async fn who_asked_does_not_approve(bench: &Bench) {
    let plan = Terms { plan: Some(HOUR), ..approval() };
    let (id, _) = ahead(bench, plan, vec![waiting("v1")]).await;
    done(by(bench, &id, Verb::Start, "deputy").await);
    for own in ["ops", "deputy"] {
        for verb in [Verb::Approve, Verb::Reject] {
            assert!(matches!(by(bench, &id, verb, own).await, Turned::Own(_)), "{own} {verb:?}");
        }
    }
    nothing_is_due(bench).await;
    let (approved, _) = done(by(bench, &id, Verb::Approve, "boss").await);
    assert_eq!(approved.state, DeletionState::Running);
    assert_eq!(bench.claim("DeleteVideo", 9).await.len(), 1);
}

pub(in crate::journal) async fn a_decision_is_about_what_was_seen(bench: &Bench) {
    let plan = Terms { plan: Some(HOUR), ..approval() };
    let (id, _) = ahead(bench, plan, vec![waiting("v1")]).await;
    let ask = |verb, by: &str, digest| {
        let asked = Asked { digest: Some(Digest([digest; 32])), ..Asked::of(verb, by) };
        let id = id.clone();
        async move { bench.journal.turn(&id, asked).await.unwrap().unwrap() }
    };
    assert!(matches!(ask(Verb::Start, "ops", 8).await, Turned::OtherDigest(_)));
    assert!(matches!(ask(Verb::Approve, "boss", 8).await, Turned::Wrong(_)), "the state is told first");
    assert_eq!(row(bench, &id).await.state, DeletionState::Planned);
    done(ask(Verb::Start, "ops", 7).await);
    assert!(matches!(ask(Verb::Start, "ops", 8).await, Turned::OtherDigest(_)), "also of a repeat");
    assert!(matches!(ask(Verb::Approve, "ops", 8).await, Turned::OtherDigest(_)));
    for verb in [Verb::Approve, Verb::Reject] {
        assert!(matches!(ask(verb, "boss", 8).await, Turned::OtherDigest(_)));
    }
    assert_eq!(row(bench, &id).await.state, DeletionState::AwaitingApproval);
    done(ask(Verb::Approve, "boss", 7).await);
}

pub(in crate::journal) async fn what_is_rejected_or_canceled_ahead_is_never_sent(bench: &Bench) {
    for (terms, verb, state) in [
        (approval(), Verb::Reject, DeletionState::Rejected),
        (approval(), Verb::Cancel, DeletionState::Canceled),
        (gated(), Verb::Cancel, DeletionState::Canceled),
        (delayed(), Verb::Cancel, DeletionState::Canceled),
    ] {
        let items = vec![waiting("v1"), follows("v1", 0), item("v3", Start::Ended(Ending::absent()))];
        let (id, appended) = ahead(bench, terms, items).await;
        let (dead, _) = done(by(bench, &id, verb, "boss").await);
        assert_eq!((dead.state, dead.deadline, dead.finished_at), (state, None, None));
        assert_eq!(dead.chore, Some(ChoreWord::Cancel));
        assert_eq!(dead.review.rejected.is_some(), verb == Verb::Reject);
        assert!(matches!(by(bench, &id, verb, "boss").await, Turned::Same(_)));
        nothing_is_handed_out(bench).await;
        bench.clock.advance(SECOND);
        let all = cancel_steps(bench, appended.seq, 1).await;
        assert_eq!((all.ended.len(), finished(&all)), (2, vec![appended.seq]));
        let last = row(bench, &id).await;
        assert_eq!((last.state, last.finished_at, last.chore), (state, Some(bench.now()), None));
        nothing_is_due(bench).await;
        for verb in [Verb::Start, Verb::Approve, Verb::Resume, Verb::Pause] {
            let asked =
                Asked { pause: (verb == Verb::Pause).then(|| why(bench)), ..Asked::of(verb, "other") };
            assert!(matches!(bench.journal.turn(&id, asked).await, Ok(Some(Turned::Wrong(_)))), "{verb:?}");
        }
        assert!(matches!(retry(bench, &id, vec![], None).await, Turned::Wrong(_)));
    }
    bench.clock.advance(DAYS);
    while bench.journal.clean(bench.now(), 50).await.unwrap() {}
    assert_eq!(bench.journal.deletions(DeletionFilter::default(), 9).await, Ok(vec![]));
}

pub(in crate::journal) async fn a_plan_and_a_request_for_approval_expire(bench: &Bench) {
    for verb in [Verb::Lapse, Verb::Start, Verb::Cancel, Verb::Approve, Verb::Reject] {
        for terms in [gated(), approval()] {
            let (id, appended) = ahead(bench, terms.clone(), vec![waiting("v1")]).await;
            bench.clock.advance(HOUR.saturating_sub(Duration::from_millis(1)));
            assert!(matches!(lapse(bench, &id).await, Turned::Same(_)));
            bench.clock.advance(Duration::from_millis(1));
            let told = by(bench, &id, verb, "boss").await;
            let expired = row(bench, &id).await;
            assert_eq!((expired.state, expired.deadline), (DeletionState::Expired, None), "{verb:?}");
            if verb == Verb::Lapse {
                assert_eq!(done(told).0.state, DeletionState::Expired);
            } else {
                assert!(matches!(told, Turned::Wrong(_)), "{verb:?}: {told:?}");
            }
            assert_eq!(expired.review, Review::default());
            assert_eq!(cancel_steps(bench, appended.seq, 9).await.ended, [Outcome::Canceled]);
            assert_eq!(row(bench, &id).await.state, DeletionState::Expired);
        }
    }
}

pub(in crate::journal) async fn a_delay_survives_a_pause_and_a_restart(bench: &Bench) {
    let (id, _) = ahead(bench, delayed(), vec![waiting("v1")]).await;
    let due = floor(bench.now()) + HOUR;
    let (paused, _) = done(pause(bench, &id).await);
    assert_eq!((paused.state, paused.deadline), (DeletionState::Paused, Some(due)));
    assert_eq!(bench.journal.lapsed(9).await, Ok(Lapsed { ids: vec![], next: None }), "an operator decides");
    assert!(matches!(retry(bench, &id, vec![], Some(3)).await, Turned::Same(_)), "nothing of it ran");
    bench.clock.advance(SECOND);
    let (resumed, _) = done(resume(bench, &id).await);
    assert_eq!((resumed.state, resumed.deadline), (DeletionState::Scheduled, Some(due)));
    done(pause(bench, &id).await);
    bench.clock.advance(HOUR);
    assert!(matches!(lapse(bench, &id).await, Turned::Same(_)));
    let (resumed, _) = done(resume(bench, &id).await);
    assert_eq!((resumed.state, resumed.deadline), (DeletionState::Running, None));
    assert_eq!(bench.claim("DeleteVideo", 9).await[0].accepted_at, floor(bench.now()));

    let (id, _) = ahead(bench, delayed(), vec![waiting("v2")]).await;
    let moved = Pause { code: PauseCode::JournalMoved, ..why(bench) };
    assert_eq!(bench.journal.pause_all(moved).await, Ok(2));
    assert_eq!(row(bench, &id).await.state, DeletionState::Paused);
    done(resume(bench, &id).await);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    assert_eq!(journal.deletion(&id).await.unwrap().unwrap().state, DeletionState::Scheduled);
    bench.clock.advance(HOUR);
    assert_eq!(journal.lapsed(9).await.unwrap().ids, [id]);
    journal.close().await;
}

pub(in crate::journal) async fn what_has_lapsed_is_told_earliest_first(bench: &Bench) {
    let mut ids = Vec::new();
    for hours in [3, 1, 2] {
        let terms = Terms { delay: HOUR * hours, ..Terms::default() };
        ids.push(ahead(bench, terms, vec![waiting("v1")]).await.0);
    }
    bench.append(vec![waiting("v2")]).await;
    let lapsed = |limit| async move { bench.journal.lapsed(limit).await.unwrap() };
    let first = floor(bench.now()) + HOUR;
    assert_eq!(lapsed(9).await, Lapsed { ids: vec![], next: Some(first) });
    bench.clock.advance(HOUR * 2);
    assert_eq!(
        lapsed(9).await,
        Lapsed { ids: vec![ids[1].clone(), ids[2].clone()], next: Some(first + HOUR * 2) }
    );
    assert_eq!(lapsed(1).await, Lapsed { ids: vec![ids[1].clone()], next: None }, "there are more");
    for id in &ids[1..] {
        assert_eq!(done(lapse(bench, id).await).0.state, DeletionState::Running);
    }
    done(cancel(bench, &ids[0]).await);
    assert_eq!(lapsed(9).await, Lapsed { ids: vec![], next: None });
}

pub(in crate::journal) async fn what_does_not_run_shares_no_call(bench: &Bench) {
    let (id, held) = ahead(bench, approval(), vec![waiting("v1")]).await;
    let other = bench.append(vec![sent("v1")]).await;
    assert_eq!(other.claimed.len(), 1, "it does not wait for one that may never go");
    bench.end(&other.claimed, &Ending::deleted()).await;
    assert_eq!(outcomes(bench, held.seq).await, [None], "nor is that taken along");
    done(by(bench, &id, Verb::Approve, "boss").await);
    assert_eq!(bench.claim("DeleteVideo", 9).await.len(), 1);
}

pub(in crate::journal) async fn deletions_ahead_are_listed_by_their_state(bench: &Bench) {
    for terms in [gated(), approval(), delayed()] {
        ahead(bench, terms, vec![waiting("v1")]).await;
    }
    for (state, found) in [(Planned, 1), (AwaitingApproval, 1), (Scheduled, 1), (Running, 0), (Expired, 0)] {
        let filter = DeletionFilter { state: Some(state), ..DeletionFilter::default() };
        let rows = bench.journal.deletions(filter, 9).await.unwrap();
        assert_eq!(rows.len(), found, "{state}");
        assert!(rows.iter().all(|row| row.state == state));
    }
}

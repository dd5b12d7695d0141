//! Promise 10: what a pause keeps from being sent, and a resume lets go on.
//!
//! Its own file because nothing of such a deletion is lost, only late.

use super::verbs::*;
use super::*;

pub(in crate::journal) async fn a_paused_deletion_hands_out_nothing(bench: &Bench) {
    let (id, appended) = begun(bench, vec![waiting("v1"), waiting("v2")]).await;
    let (paused, _) = done(pause(bench, &id).await);
    assert_eq!((paused.state, paused.pause), (DeletionState::Paused, Some(why(bench))));
    let claim = bench.journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap();
    assert_eq!((claim.items, claim.next_due), (vec![], None));
    assert_eq!(bench.journal.open_lanes().await.unwrap()[0].waiting, 2, "it still waits");
    assert!(matches!(pause(bench, &id).await, Turned::Same(_)));
    // Another deletion in the lane goes on.
    bench.append(vec![waiting("v3")]).await;
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v3"]);

    let (resumed, _) = done(resume(bench, &id).await);
    assert_eq!((resumed.state, resumed.pause), (DeletionState::Running, None));
    assert!(matches!(resume(bench, &id).await, Turned::Same(_)));
    let all = bench.claim("DeleteVideo", 9).await;
    assert_eq!(names(&all), ["v1", "v2"]);
    assert_eq!(finished(&bench.end(&all, &Ending::deleted()).await), [appended.seq]);
    assert!(matches!(pause(bench, &id).await, Turned::Wrong(_)));
    assert!(matches!(cancel(bench, &id).await, Turned::Wrong(_)));
    assert_eq!(bench.journal.turn(&DeletionId::new(), verb(Verb::Cancel)).await, Ok(None));
}

pub(in crate::journal) async fn what_was_sent_before_a_pause_is_recorded(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), sent("v2"), waiting("v3")]).await;
    done(pause(bench, &id).await);
    bench.end(&appended.claimed[..1], &Ending::deleted()).await;
    let later = bench.again(&appended.claimed[1..], &delete(), SECOND, true).await;
    assert_eq!(lanes(&later), [lane("DeleteVideo")]);
    bench.clock.advance(SECOND * 2);
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    let now = row(bench, &id).await;
    assert_eq!((now.state, now.counts.of(Outcome::Deleted)), (DeletionState::Paused, 1));
    done(resume(bench, &id).await);
    assert_eq!(bench.claim("DeleteVideo", 9).await.len(), 2);
}

pub(in crate::journal) async fn a_paused_deletion_may_finish(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1")]).await;
    done(pause(bench, &id).await);
    assert_eq!(finished(&bench.end(&appended.claimed, &Ending::deleted()).await), [appended.seq]);
    let now = row(bench, &id).await;
    assert_eq!((now.state, now.pause, now.finished_at), (DeletionState::Finished, None, Some(bench.now())));
    assert!(matches!(resume(bench, &id).await, Turned::Wrong(_)));
}

pub(in crate::journal) async fn what_is_tried_counts_from_the_last_resume(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), sent("v2"), waiting("v3")]).await;
    let first = bench.end(&appended.claimed[..1], &ending(Outcome::Failed)).await;
    assert_eq!(first.touched[0].baseline.of(Outcome::Failed), 0);
    done(pause(bench, &id).await);
    done(resume(bench, &id).await);
    let second = bench.end(&appended.claimed[1..], &ending(Outcome::Failed)).await;
    let touched = &second.touched[0];
    assert_eq!((touched.counts.of(Outcome::Failed), touched.baseline.of(Outcome::Failed)), (2, 1));
}

pub(in crate::journal) async fn all_that_runs_can_be_paused_at_once(bench: &Bench) {
    let (one, _) = begun(bench, vec![waiting("v1")]).await;
    let (two, appended) = begun(bench, vec![sent("v2"), waiting("v3")]).await;
    let (own, _) = begun(bench, vec![waiting("v4")]).await;
    done(pause(bench, &own).await);
    bench.append(vec![item("v5", Start::Ended(Ending::absent()))]).await;
    let moved = Pause { code: PauseCode::JournalMoved, by: None, ..why(bench) };
    assert_eq!(bench.journal.pause_all(moved.clone()).await, Ok(2));
    assert_eq!(bench.claim("DeleteVideo", 9).await, vec![]);
    assert_eq!(row(bench, &one).await.pause, Some(moved));
    assert_eq!(row(bench, &own).await.pause, Some(why(bench)), "an earlier pause stays as it was");
    // What is taken back waits as well.
    let taken = bench.journal.rescue(Rescue::All, 9, LEASE).await.unwrap();
    assert_eq!(names(&taken), ["v2"]);
    doubt(bench, &taken[0]).await;
    assert_eq!(bench.claim("GetVideoInfo", 9).await, vec![]);
    done(resume(bench, &two).await);
    assert_eq!(names(&bench.claim("GetVideoInfo", 9).await), ["v2"]);
    assert_eq!(names(&bench.claim("DeleteVideo", 9).await), ["v3"]);
    assert_eq!(appended.claimed.len(), 1);
}

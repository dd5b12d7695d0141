//! Uploads: invisible until they are sealed, nothing left of those that break off.

use std::time::Duration;

use vodrm::dispatch::digest::Digester;
use vodrm::dispatch::submit::SubmitError;
use vodrm::dispatch::upload::Begun;
use vodrm::journal::{DeletionFilter, ItemFilter};
use vodrm::types::clock::Clock;
use vodrm::types::deletion::{Digest, IfAbsent, Wanted};
use vodrm::types::outcome::{ItemError, Outcome, Reason};
use vodrm::types::target::{Target, What};

use crate::harness::stage::{MANY, ONE, Set, Stage};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn an_upload_is_nowhere_until_it_is_sealed_and_then_goes_out() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(2_500);
    let mut upload = stage.receiving("cms", None).await;
    let mut digest = Digester::new(IfAbsent::Ok);
    for (line, id) in (1..).zip(&ids) {
        let wanted = Stage::wanted(if line % 5 == 0 { ONE } else { MANY }, id);
        digest.add(Some(&wanted.target));
        stage.drive(upload.push(line, Ok(wanted))).await.unwrap();
    }
    stage.pass(Duration::from_secs(2)).await;
    let all = stage.drive(stage.dispatch.journal().deletions(DeletionFilter::default(), 10)).await.unwrap();
    assert!(all.is_empty() && stage.vendor(MANY).seen().is_empty() && stage.vendor(ONE).seen().is_empty());
    assert_eq!((upload.items(), upload.valid()), (2_500, 2_500));
    let accepted = stage.drive(upload.seal(None)).await.unwrap();
    let row = stage.row(&accepted.id).await;
    assert_eq!((row.counts.total, row.bulk, row.digest), (2_500, true, digest.finish()));
    assert_eq!(row.accounts.len(), 2);
    let row = stage.ended(&accepted.id, MINUTE).await;
    assert_eq!(row.counts.of(Outcome::Deleted), 2_500);
    stage.end().await;
}

#[tokio::test]
async fn lines_that_cannot_work_are_refused_items_with_their_line() {
    let stage = Stage::new(Set::default()).await;
    let mut upload = stage.receiving("cms", None).await;
    let good = Stage::wanted(MANY, "good");
    let image = Wanted { target: Target { what: What::Image, ..good.target.clone() }, label: None };
    let unread = ItemError::new(Reason::Invalid, "this is not a target");
    for (line, item) in [
        (3, Ok(good)),
        (5, Err(unread)),
        (6, Ok(image)),
        (9, Ok(Stage::wanted(MANY, "bad-id"))),
        (11, Ok(Stage::wanted("nobody", "x1"))),
    ] {
        stage.drive(upload.push(line, item)).await.unwrap();
    }
    assert_eq!((upload.items(), upload.valid()), (5, 2));
    let accepted = stage.drive(upload.seal(None)).await.unwrap();
    let row = stage.ended(&accepted.id, MINUTE).await;
    assert_eq!((row.counts.of(Outcome::Deleted), row.counts.of(Outcome::Refused)), (1, 4));
    let items =
        stage.drive(stage.dispatch.journal().items(accepted.seq, ItemFilter::default(), 10)).await.unwrap();
    let told = |n: usize| {
        let error = items[n].ending.as_ref().unwrap().error.as_ref().unwrap();
        (error.code, error.line, items[n].wanted.is_some())
    };
    assert_eq!(told(1), (Reason::Invalid, Some(5), false));
    assert_eq!(told(2), (Reason::Unsupported, Some(6), true));
    assert_eq!(told(3), (Reason::Invalid, Some(9), true));
    assert_eq!(told(4), (Reason::Invalid, Some(11), false));
    stage.end().await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_and_frees_its_key() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(3_100);
    for round in 0..2 {
        let mut upload = stage.receiving("cms", Some("key")).await;
        let busy = stage.begin("cms", Some("key")).await.unwrap();
        assert!(matches!(busy, Begun::KeyBusy), "{busy:?}");
        for (line, id) in (1..).zip(&ids) {
            stage.drive(upload.push(line, Ok(Stage::wanted(MANY, id)))).await.unwrap();
        }
        if round == 0 {
            drop(upload);
        } else {
            stage.drive(upload.discard()).await;
        }
        stage.pass(MINUTE).await;
    }
    assert!(stage.vendor(MANY).seen().is_empty(), "nothing of it was sent");
    // The key is free, so it can be done again, and then it is known.
    let mut upload = stage.receiving("cms", Some("key")).await;
    stage.drive(upload.push(1, Ok(Stage::wanted(MANY, &ids[0])))).await.unwrap();
    let fingerprint = Digest([7; 32]);
    let accepted = stage.drive(upload.seal(Some(fingerprint))).await.unwrap();
    match stage.begin("cms", Some("key")).await.unwrap() {
        Begun::Known { id, fingerprint: found } => assert_eq!((id, found), (accepted.id, fingerprint)),
        other @ (Begun::Upload(_) | Begun::KeyBusy) => panic!("{other:?}"),
    }
    assert!(
        matches!(stage.begin("other", Some("key")).await.unwrap(), Begun::Upload(_)),
        "keys of callers never meet"
    );
    stage.end().await;
}

#[tokio::test]
async fn at_the_end_of_the_service_an_upload_breaks_off() {
    let stage = Stage::new(Set::default()).await;
    let mut upload = stage.receiving("cms", None).await;
    stage.drive(upload.push(1, Ok(Stage::wanted(MANY, "one")))).await.unwrap();
    stage.stop.cancel();
    let pushed = stage.drive(upload.push(2, Ok(Stage::wanted(MANY, "two")))).await;
    assert!(matches!(pushed, Err(SubmitError::Stopping)));
    let sealed = stage.drive(upload.seal(None)).await;
    assert!(matches!(sealed, Err(SubmitError::Stopping)));
    stage.end().await;
}

#[tokio::test]
async fn a_finished_deletion_is_kept_for_its_time_and_then_goes_in_small_steps() {
    let stage = Stage::new(Set { keep: Duration::from_hours(1), ..Set::default() }).await;
    let ids = stage.ids(3_000);
    let old = stage.upload("cms", MANY, &ids).await;
    stage.ended(&old.id, MINUTE).await;
    stage.pass(Duration::from_mins(58)).await;
    assert_eq!(stage.row(&old.id).await.counts.total, 3_000);
    let ids = stage.ids(40);
    let new = stage.submit("cms", MANY, &ids).await;
    stage.pass(Duration::from_mins(4)).await;
    let gone = stage.drive(stage.dispatch.journal().deletion(&old.id)).await.unwrap();
    assert_eq!(gone, None);
    assert_eq!(stage.row(&new.id).await.counts.of(Outcome::Deleted), 40);
    stage.end().await;
}

#[tokio::test]
async fn a_forecast_is_right_within_a_fifth_once_a_job_runs_steadily() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(25_000);
    let jobs = [
        stage.upload("first", MANY, &ids[..12_000]).await,
        stage.upload("second", MANY, &ids[12_000..]).await,
    ];
    let mut told = Vec::new();
    for seconds in [2, 6, 6, 8, 8] {
        stage.pass(Duration::from_secs(seconds)).await;
        for job in &jobs {
            let row = stage.row(&job.id).await;
            let forecast = stage.drive(stage.dispatch.forecast(&row)).await.unwrap();
            let rate = forecast.items_per_second.unwrap();
            // Half of 27 calls a second of 20 items.
            assert!((216.0..324.0).contains(&rate), "{rate} items a second after {:?}", stage.clock.uptime());
            told.push((stage.clock.now(), job.id.clone(), forecast.finishes_at.unwrap()));
        }
    }
    for job in &jobs {
        let finished = stage.ended(&job.id, 2 * MINUTE).await.finished_at.unwrap();
        for (now, _, finishes_at) in told.iter().filter(|(_, id, _)| *id == job.id) {
            let (truth, guess) = (finished.duration_since(*now), finishes_at.duration_since(*now));
            let off = guess.as_secs_f64() / truth.as_secs_f64() - 1.0;
            println!("{guess:?} told, {truth:?} it took: {:.1} %", off * 100.0);
            assert!(off.abs() < 0.2, "{off}");
        }
    }
    stage.end().await;
}

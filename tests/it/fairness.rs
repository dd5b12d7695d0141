//! Who is next when a lane is full.
//!
//! A large job saturates its lane; single deletes of anybody go with the next
//! calls all the same, callers share evenly, and other accounts notice nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use vodrm::types::clock::Clock;

use crate::harness::stage::{MANY, ONE, Set, Stage};

/// Time from asking to knowing, of single deletes that come one after the other at odd moments.
async fn singles(stage: &Stage, account: &'static str, by: &'static str, count: usize) -> Vec<Duration> {
    let took: Arc<Mutex<Vec<Duration>>> = Arc::default();
    for (n, id) in (0_u64..).zip(stage.ids(count)) {
        let (dispatch, clock, took) = (stage.dispatch.clone(), Arc::clone(&stage.clock), Arc::clone(&took));
        tokio::spawn(async move {
            let asked = clock.uptime();
            let mut accepted = dispatch.submit(Stage::request(by, account, &[id])).await.unwrap();
            accepted.watch.woken().await;
            took.lock().unwrap().push(clock.uptime().saturating_sub(asked));
        });
        stage.pass(Duration::from_millis(17 + (n * 7_919) % 61)).await;
    }
    stage.pass(Duration::from_secs(1)).await;
    let took = std::mem::take(&mut *took.lock().unwrap());
    assert_eq!(took.len(), count, "every single was answered");
    took
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() * 99 / 100]
}

#[tokio::test]
async fn a_single_delete_beside_fifty_thousand_items_answers_within_two_permits_of_the_vendors_time() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(50_000);
    let job = stage.upload("batch", MANY, &ids).await;
    stage.pass(Duration::from_secs(1)).await;
    let (vendor, permit) = (Duration::from_millis(50), Duration::from_secs(1) / 27);
    for by in ["cms", "batch"] {
        let worst = p99(singles(&stage, MANY, by, 200).await);
        println!("p99 of 200 singles of {by}: {worst:?}, vendor {vendor:?}, permit {permit:?}");
        assert!(worst <= vendor + 2 * permit, "{worst:?}");
    }
    let row = stage.row(&job.id).await;
    assert!(row.counts.open() > 0, "the lane was full all the time");
    stage.end().await;
}

#[tokio::test]
async fn jobs_of_two_callers_get_equal_shares_however_many_they_are() {
    let stage = Stage::new(Set::default()).await;
    let mut jobs = Vec::new();
    for by in ["first", "first", "first", "second"] {
        let ids = stage.ids(6_000);
        jobs.push(stage.upload(by, MANY, &ids).await);
    }
    let ended = async || {
        let mut ended = Vec::new();
        for job in &jobs {
            let counts = stage.row(&job.id).await.counts;
            ended.push(counts.total - counts.open());
        }
        ended
    };
    let before = ended().await;
    stage.pass(Duration::from_secs(10)).await;
    let after = ended().await;
    let gained: Vec<u64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    let (first, second) = (gained[..3].iter().sum::<u64>(), gained[3]);
    assert!(first.abs_diff(second) * 20 <= second, "{first} and {second} in ten seconds: {gained:?}");
    assert!(gained[0].abs_diff(gained[2]) * 10 <= gained[0], "one caller's jobs share too: {gained:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_job_on_one_account_does_not_slow_another() {
    let stage = Stage::new(Set::default()).await;
    let alone = p99(singles(&stage, ONE, "cms", 100).await);
    let ids = stage.ids(20_000);
    stage.upload("batch", MANY, &ids).await;
    let beside = p99(singles(&stage, ONE, "cms", 100).await);
    assert!(beside <= alone + Duration::from_millis(2), "{beside:?} beside a job, {alone:?} alone");
    stage.end().await;
}

#[tokio::test]
async fn an_upload_does_not_fill_the_queue_of_interactive_items() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(12_000);
    stage.upload("batch", MANY, &ids).await;
    let more = stage.ids(1_000);
    stage.submit("cms", MANY, &more).await;
    let account = stage.dispatch.account(&vodrm::types::target::AccountId::parse(MANY).unwrap()).unwrap();
    let depth = account.lanes.iter().map(|lane| lane.queue_depth).max().unwrap();
    assert!((12_000..=13_000).contains(&depth), "all that waits is shown: {depth}");
    stage.end().await;
}

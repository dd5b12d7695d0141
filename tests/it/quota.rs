//! How much of the quota is used, and that never too much is.
//!
//! By the clock of the test: minutes of work at a vendor's published limit, with a
//! journal that takes its time for every commit.

use std::time::Duration;

use vodrm::dispatch::bucket::Rate;
use vodrm::types::clock::Clock;

use crate::harness::stage::{MANY, ONE, Seen, Set, Stage};

const MINUTE: Duration = Duration::from_mins(1);

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// The most calls in any second and in any calendar second, each delayed by up to 20 ms on the way.
fn most_in_a_second(seen: &[Seen]) -> (usize, usize) {
    let late =
        |n: usize| Duration::from_micros(u64::try_from(n).unwrap().wrapping_mul(2_654_435_761) % 20_000);
    let mut arrivals: Vec<Duration> = seen.iter().enumerate().map(|(n, call)| call.at + late(n)).collect();
    arrivals.sort();
    let in_window = |(n, first): (usize, &Duration)| {
        arrivals.iter().skip(n).take_while(|at| **at < *first + Duration::from_secs(1)).count()
    };
    let sliding = arrivals.iter().enumerate().map(in_window).max().unwrap_or_default();
    let calendar = arrivals.chunk_by(|a, b| a.as_secs() == b.as_secs()).map(<[Duration]>::len).max();
    (sliding, calendar.unwrap_or_default())
}

/// A minute of work at a rate; calls that left in it.
async fn a_minute(account: &'static str, qps: u32, share: f64) -> Vec<Seen> {
    let rate = Rate { qps: f64::from(qps), share };
    let qps = usize::try_from(qps).unwrap();
    let other = if account == MANY { ONE } else { MANY };
    let set = Set {
        rates: [(account, rate), (other, Rate::default())],
        journal_takes: Duration::from_millis(6),
        ..Set::default()
    };
    let stage = Stage::new(set).await;
    // More than a minute's worth.
    let items = stage.ids(qps * if account == MANY { 20 } else { 1 } * 66);
    stage.upload("cms", account, &items).await;
    stage.pass(Duration::from_secs(1)).await;
    let from = stage.clock.uptime();
    stage.pass(MINUTE).await;
    let seen = stage.vendor(account).seen();
    let used = seen.iter().filter(|call| call.at >= from).count();
    let full = rate.per_second() * 60.0;
    assert!(number(used) >= 0.98 * full, "{used} calls of {full} in a minute");
    let (sliding, calendar) = most_in_a_second(&seen);
    println!("{used} calls of {full}, at most {sliding} in any second, {calendar} in a calendar one");
    assert!(sliding <= qps && calendar <= qps, "{sliding} and {calendar} at {qps}");
    stage.end().await;
    seen
}

#[tokio::test]
async fn with_work_waiting_a_minute_of_calls_of_twenty_uses_the_rate_and_no_more() {
    let seen = a_minute(MANY, 30, 0.9).await;
    let items: usize = seen.iter().map(|call| call.ids.len()).sum();
    let mean = number(items) / number(seen.len());
    assert!(mean >= 19.9, "{mean} items a call");
}

#[tokio::test]
async fn with_the_whole_limit_as_our_share_the_rate_is_used_and_no_second_is_over() {
    a_minute(MANY, 20, 1.0).await;
}

#[tokio::test]
async fn after_a_rest_a_burst_and_the_rate_together_stay_below_the_limit() {
    let set = Set { journal_takes: Duration::from_millis(6), ..Set::default() };
    let stage = Stage::new(set).await;
    // The bucket of a hundred a second is full after a rest: ten at once, then ninety a second.
    for _ in 0..3 {
        stage.pass(Duration::from_secs(3)).await;
        let ids = stage.ids(250);
        stage.upload("cms", ONE, &ids).await;
        stage.pass(Duration::from_secs(3)).await;
    }
    let seen = stage.vendor(ONE).seen();
    assert_eq!(seen.len(), 750);
    let (sliding, calendar) = most_in_a_second(&seen);
    assert!(sliding <= 100 && calendar <= 100, "{sliding} and {calendar}");
    stage.end().await;
}

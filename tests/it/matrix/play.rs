//! Acts a row out in a world of its own and compares everything with what is written.
//!
//! Item by item through the API, the attempts in the receipt, the lane, the
//! vendor's ledger, and at the end the checker over ledger and journal. A row that
//! differs does not stop the others: all that failed are named at once.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vodrm::sandbox::{FaultRule, LedgerRow, Sandbox};

use super::row::{Alibaba, End, Lane, Row, Scene, Tencent, Vendor, Wire};
use crate::harness::relay::{Closing, Relay};
use crate::harness::{Answer, World, no_limits};

/// Worlds at once: each has two simulators and a service with threads of its own.
const AT_ONCE: usize = 12;
/// A row that takes longer than this waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(90);
/// The asset that the delete before a row's own takes, on a connection that is to be used again.
const SPARE: u32 = 40;
/// Where nothing listens: the discard port.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Plays rows side by side; fails with the name and the differences of each that failed.
pub(super) async fn all(rows: Vec<Row>) {
    assert!(!rows.is_empty(), "no row to play");
    let (places, mut playing, mut names) =
        (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new(), BTreeMap::new());
    let count = rows.len();
    for row in rows {
        let name = format!("{} {:?}: {}", row.number, row.vendor, row.name);
        let places = Arc::clone(&places);
        let playing = playing.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            tokio::time::timeout(PATIENCE, play(row))
                .await
                .unwrap_or_else(|_| vec!["it did not end".to_owned()])
        });
        names.insert(playing.id(), name);
    }
    let mut failed = Vec::new();
    while let Some(played) = playing.join_next_with_id().await {
        let (id, differences) = match played {
            Ok(played) => played,
            Err(error) => (error.id(), vec![panicked(error)]),
        };
        if !differences.is_empty() {
            failed.push(format!("{}\n    {}", names[&id], differences.join("\n    ")));
        }
    }
    failed.sort();
    assert!(failed.is_empty(), "{} of {count} rows failed:\n{}", failed.len(), failed.join("\n"));
}

fn panicked(error: tokio::task::JoinError) -> String {
    let what = error.into_panic();
    let text = what.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| what.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// What differs, in words.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq + Debug>(&mut self, what: &str, is: &T, wanted: &T) {
        if is != wanted {
            self.0.push(format!("{what}: {is:?} instead of {wanted:?}"));
        }
    }
}

async fn play(row: Row) -> Vec<String> {
    let mut relay = None;
    let mut world = World::with(|settings, sandboxes| {
        no_limits(settings, sandboxes);
        let account =
            settings.accounts.iter_mut().find(|one| one.name.as_str() == row.vendor.account()).unwrap();
        match row.wire {
            Wire::Direct => {}
            Wire::Nowhere => account.endpoint = Some(NOWHERE.parse().unwrap()),
            Wire::Reused(closing) => {
                let vendor = match row.vendor {
                    Alibaba => sandboxes.alibaba.addr(),
                    Tencent => sandboxes.tencent.addr(),
                };
                let started = relay.insert(Relay::start(vendor, closing));
                account.endpoint = Some(format!("http://{}", started.addr).parse().unwrap());
            }
        }
        row.settings.iter().for_each(|change| change(settings));
    })
    .await;
    row.vendor_state.iter().for_each(|change| change(&world));
    if let (Some(relay), Wire::Reused(closing)) = (&relay, row.wire) {
        let first = world.delete(&format!("{}/media/{}", row.vendor.account(), row.vendor.id(SPARE))).await;
        first.is_deleted();
        if closing == Closing::Idle {
            relay.closed().await;
        }
    }
    let before = sandbox(&world, row.vendor).ledger().len();
    sandbox(&world, row.vendor).set_faults(row.rules.clone()).unwrap();

    let body = json!({"account": row.vendor.account(), "targets": row.targets});
    // It may have ended before the answer is written.
    let accepted = world.send(Method::POST, "/v1/deletions", "respond-async", Some(&body)).await;
    assert!(matches!(accepted.status, 200 | 202 | 207), "{}: {}", accepted.status, accepted.body);
    let mut differences = Differences::default();
    for scene in &row.scenes {
        act(&mut world, &row, &accepted, scene, &mut differences).await;
    }
    let finished = world.finished(&accepted).await;
    world.clock.advance(row.later);

    items(&row, &finished, &mut differences);
    trail(&world, &row, &accepted, &mut differences).await;
    lane(&world, &row, &mut differences).await;
    let calls = sandbox(&world, row.vendor).ledger().split_off(before);
    ledger(&row, &calls, &mut differences);
    for (n, check) in row.then.iter().enumerate() {
        differences.compare(&format!("what stands at the end ({n})"), &check(&world), &true);
    }
    // Fails by itself, and says more than a difference could.
    world.end().await;
    differences.0
}

fn sandbox(world: &World, vendor: Vendor) -> &Sandbox {
    match vendor {
        Alibaba => world.alibaba(),
        Tencent => world.tencent(),
    }
}

async fn act(world: &mut World, row: &Row, accepted: &Answer, scene: &Scene, differences: &mut Differences) {
    match *scene {
        Scene::Received(operation, calls) => {
            let enough =
                |rows: &[LedgerRow]| rows.iter().filter(|row| row.action == operation).count() >= calls;
            sandbox(world, row.vendor).wait_until(enough).await;
        }
        Scene::Worked(deletes) => sandbox(world, row.vendor).wait_until(|rows| worked(rows) >= deletes).await,
        Scene::Waits(attempts) => {
            let waits = |item: &Value| item["state"] == "pending" && item["attempts"] == attempts;
            world.until(accepted, waits).await;
        }
        Scene::Sending => {
            let now = world.get(accepted.location()).await;
            for item in now.items() {
                differences.compare("state before the end", &item["state"], &json!("sending"));
            }
            differences.compare(
                "counts.pending before the end",
                &now.body["counts"]["pending"],
                &json!(row.targets.len()),
            );
        }
        Scene::Blocked(reason) => {
            let lane = world.lane(row.vendor.account(), row.operation).await;
            differences.compare(
                "lane meanwhile",
                &(&lane["state"], &lane["reason"]),
                &(&json!("blocked"), &json!(reason)),
            );
            // Other calls may have been under way when the gate closed: each ends by itself.
            let now = world.at_rest(accepted).await;
            differences.compare("state of the deletion meanwhile", &now.body["state"], &json!("running"));
            for item in now.items() {
                differences.compare("state meanwhile", &item["state"], &json!("pending"));
            }
            differences.compare(
                "counts.pending meanwhile",
                &now.body["counts"]["pending"],
                &json!(row.targets.len()),
            );
        }
        Scene::Passes(time) => world.clock.advance(time),
        Scene::Do(change) => change(world),
        Scene::Unblock => {
            let view = world.unblock(row.vendor.account()).await;
            differences.compare("account after the probe", &view["state"], &json!("ok"));
        }
        Scene::Kill => {
            world.crash().await;
            world.start().await;
        }
    }
}

fn end_of(row: &Row, index: usize) -> End {
    assert!(
        row.ends.len() == 1 || row.ends.len() == row.targets.len(),
        "an end for each item, or one for all"
    );
    row.ends.get(index).copied().unwrap_or(row.ends[0])
}

/// Outcome by outcome, and the counts of the deletion that come from them.
fn items(row: &Row, finished: &Answer, differences: &mut Differences) {
    let items = finished.items();
    differences.compare("number of items", &items.len(), &row.targets.len());
    let mut wanted: BTreeMap<&str, u64> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let end = end_of(row, index);
        *wanted.entry(end.outcome).or_default() += 1;
        let told = [
            &item["state"],
            &item["outcome"],
            &item["confirmation"],
            &item["error"]["code"],
            &item["error"]["vendor_code"],
        ];
        let confirmation = end.inferred.then_some("inferred");
        let wanted =
            [json!("done"), json!(end.outcome), json!(confirmation), json!(end.code), json!(end.vendor_code)];
        differences.compare(&format!("item {index}"), &told, &wanted.each_ref());
    }
    let counts = finished.body["counts"].as_object().unwrap();
    for (name, count) in counts.iter().filter(|(name, _)| *name != "total") {
        let wanted = wanted.get(name.as_str()).copied().unwrap_or(0);
        differences.compare(&format!("counts.{name}"), count, &json!(wanted));
    }
    differences.compare("counts.total", &counts["total"], &json!(row.targets.len()));
}

/// The first item's attempts, as the journal has them.
async fn trail(world: &World, row: &Row, accepted: &Answer, differences: &mut Differences) {
    let calls = world.calls_of(accepted, 0).await;
    let told = |call: &Value, name: &str| call[name].as_str().unwrap_or("?").to_owned();
    let mut trail: Vec<String> =
        calls.iter().map(|call| format!("{} {}", told(call, "purpose"), told(call, "class"))).collect();
    let item = world.get(accepted.location()).await.nth(0).clone();
    differences.compare("attempts", &item["attempts"], &json!(trail.len()));
    // A jump of the clock can strike between a claim and its call, whose lease is then too short to send
    // under. Nothing left, so it is free to be repeated (FAULTS.md, section 1).
    if row.scenes.iter().any(|scene| matches!(scene, Scene::Passes(_))) {
        trail.retain(|step| !step.ends_with(" not_sent"));
    }
    if row.trail_goes_on {
        trail.truncate(row.trail.len());
    }
    differences.compare("attempts of item 0", &trail, &row.trail.iter().map(ToString::to_string).collect());
}

async fn lane(world: &World, row: &Row, differences: &mut Differences) {
    let lane = world.lane(row.vendor.account(), row.operation).await;
    let (throttled, is_blocked, reason) = match row.lane {
        Lane::Open => (0, false, None),
        Lane::Slowed(times) => (times, false, None),
        Lane::Recovering => (1, false, None),
        Lane::Blocked(reason) => (0, true, Some(reason)),
    };
    let state = if is_blocked { "blocked" } else { "ok" };
    differences.compare("lane", &(&lane["state"], &lane["reason"]), &(&json!(state), &json!(reason)));
    differences.compare("answers that throttled", &lane["throttled_total"], &json!(throttled));
    differences.compare("items left in the lane", &lane["queue_depth"], &json!(0));
    let number = |name: &str| lane[name].as_f64().unwrap();
    let full = number("qps") * number("share");
    let part = number("rate_now") / full;
    let is_right = match row.lane {
        Lane::Open | Lane::Blocked(_) => (part - 1.0).abs() < 0.001,
        Lane::Slowed(times) => (part - 0.5_f64.powi(times)).abs() < 0.001,
        Lane::Recovering => (number("rate_now") - full * 0.5 - number("qps") * 0.05).abs() < 0.001 * full,
    };
    differences.compare(&format!("rate for {:?} ({part} of the full one)", row.lane), &is_right, &true);
}

/// What the vendor truly received and did.
fn ledger(row: &Row, calls: &[LedgerRow], differences: &mut Differences) {
    let ended_well = |index: &usize| end_of(row, *index).outcome == "deleted";
    let wanted = row.worked.unwrap_or_else(|| (0..row.targets.len()).filter(ended_well).count());
    differences.compare("deletes that worked", &worked(calls), &wanted);
    let of_operation: Vec<&LedgerRow> = calls.iter().filter(|call| call.action == row.operation).collect();
    // Nobody but the service sends again: one call for each attempt that is on record.
    let sent =
        || row.trail.iter().filter(|step| step.starts_with("delete") && **step != "delete not_sent").count();
    let wanted = row.calls.clone().unwrap_or_else(|| sent()..=sent());
    if !wanted.contains(&of_operation.len()) {
        differences.0.push(format!(
            "calls of {}: {} instead of {wanted:?}",
            row.operation,
            of_operation.len()
        ));
    }
    for pair in of_operation.windows(2) {
        let apart = pair[1].time.duration_since(pair[0].time);
        if apart < SignedDuration::try_from(row.apart).unwrap() {
            differences.0.push(format!("two calls are {apart:?} apart instead of at least {:?}", row.apart));
        }
    }
    let fired = calls.iter().filter(|call| call.fault.is_some()).count();
    if fired == 0 && !row.rules.is_empty() {
        differences.0.push("no fault met its call".to_owned());
    }
    let scripted = |rule: &&FaultRule| rule.times > 0;
    let once: u32 = row.rules.iter().filter(scripted).map(|rule| rule.times).sum();
    if fired < usize::try_from(once).unwrap() {
        differences.0.push(format!("only {fired} of {once} faults met their call"));
    }
}

fn worked(calls: &[LedgerRow]) -> usize {
    calls.iter().flat_map(|call| &call.effects).filter(|effect| effect.effective).count()
}

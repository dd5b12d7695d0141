//! Throttled answers: they cost time and never an item.
//!
//! In every spelling of both vendors the lane slows down, the try does not count
//! and the item goes through later. A quota per day is another thing: it does not
//! come back within a wait, so the item fails and says why.

use serde_json::{Value, json};
use vodrm::providers::tencent::sandbox::{ThrottleCode, seed as t};
use vodrm::sandbox::{Fault, FaultRule};

use crate::harness::{ALIBABA, TENCENT, World, copies};

fn throttle(code: &str, retry_after_ms: Option<u64>) -> Fault {
    Fault::Throttle { code: Some(code.to_owned()), retry_after_ms }
}

/// One item in each of so many accounts; each meets its fault twice. All must go through.
async fn twice_each(of: &str, operation: &str, faults: Vec<Fault>, ids: impl Fn(&World) -> Vec<String>) {
    let mut names = Vec::new();
    let count = faults.len();
    let world = World::with(|settings, _| names = copies(settings, of, count)).await;
    let ids = ids(&world);
    let rules = faults
        .iter()
        .zip(&ids)
        .map(|(fault, id)| FaultRule::once(fault.clone()).times(2).for_operation(operation).for_id(id));
    let sandbox = if of == ALIBABA { world.alibaba() } else { world.tencent() };
    sandbox.set_faults(rules.collect()).unwrap();
    let target = |(id, name): (&String, &String)| json!({"kind": "media", "account": name, "id": id});
    let targets: Vec<Value> = ids.iter().zip(&names).map(target).collect();
    let answer = world.post(&json!({"targets": targets})).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; count], "{}", answer.body);
    for (n, (name, fault)) in names.iter().zip(&faults).enumerate() {
        assert_eq!(answer.nth(n)["attempts"], 3, "{fault:?}");
        let classes: Vec<Value> =
            world.calls_of(&answer, n).await.iter().map(|call| call["class"].clone()).collect();
        assert_eq!(classes, ["refused", "refused", "answered"], "{fault:?}");
        let lane = world.lane(name, operation).await;
        assert_eq!(lane["throttled_total"], 2, "{fault:?}");
        let (now, full) = (lane["rate_now"].as_f64().unwrap(), lane["qps"].as_f64().unwrap() * 0.9);
        assert!((now - full / 4.0).abs() < 0.01, "{fault:?}: halved twice, {now} of {full}");
        assert_eq!(lane["state"], "ok");
    }
    world.end().await;
}

#[tokio::test]
async fn every_spelling_of_throttling_at_alibaba_costs_time_and_no_item() {
    let mut faults: Vec<Fault> = ["Throttling", "Throttling.User", "Throttling.Api", "Throttling.New"]
        .map(|code| throttle(code, None))
        .into();
    // Since July 2026 the header on any error means throttling.
    faults.push(throttle("Throttling.User", Some(300)));
    faults.push(throttle("ServiceUnavailable", Some(200)));
    faults.push(Fault::HttpError { status: 429, after_effect: false });
    faults.push(Fault::Error { status: Some(429), code: "Brand.New".to_owned(), message: None });
    twice_each(ALIBABA, "DeleteVideo", faults, |world| world.bulk(8)).await;
}

#[tokio::test]
async fn every_spelling_of_throttling_at_tencent_costs_time_and_no_item() {
    let faults: Vec<Fault> = [
        "RequestLimitExceeded",
        "RequestLimitExceeded.UinLimitExceeded",
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        "RequestLimitExceeded.IPLimitExceeded",
        "UnauthorizedOperation.OperationTooOften",
    ]
    .map(|code| throttle(code, None))
    .into();
    twice_each(TENCENT, "DeleteMedia", faults, |_| (0..5).map(t::video).collect()).await;
}

#[tokio::test]
async fn the_wait_that_the_vendor_names_is_kept() {
    let world = World::by_default().await;
    let id = world.bulk(1).remove(0);
    let fault = throttle("Throttling.User", Some(1_500));
    world.alibaba().set_faults(vec![FaultRule::once(fault)]).unwrap();
    world.delete(&format!("{ALIBABA}/media/{id}")).await.is_deleted();
    let calls = world.at_alibaba("DeleteVideo");
    let waited = calls[1].time.duration_since(calls[0].time);
    assert!((1_490..5_000).contains(&waited.as_millis()), "{waited:?}");
    world.end().await;
}

#[tokio::test]
async fn a_vendor_that_grants_less_than_it_publishes_fails_no_item() {
    let world = World::by_default().await;
    for sandbox in [world.alibaba(), world.tencent()] {
        let mut options = sandbox.options();
        options.qps = [("DeleteVideo".to_owned(), 6), ("DeleteMedia".to_owned(), 10)].into();
        sandbox.set_options(options);
    }
    world.switches(|switches| switches.throttle_code = ThrottleCode::RequestLimitExceeded);
    let (videos, files) = (world.bulk(300), (0..40).map(t::video));
    let videos = videos.iter().map(|id| json!({"kind": "media", "account": ALIBABA, "id": id}));
    let files = files.map(|id| json!({"kind": "media", "account": TENCENT, "id": id}));
    let targets: Vec<Value> = videos.chain(files).collect();
    let answer = world.post(&json!({"targets": targets})).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 340]);
    for (account, operation) in [(ALIBABA, "DeleteVideo"), (TENCENT, "DeleteMedia")] {
        let lane = world.lane(account, operation).await;
        assert!(lane["throttled_total"].as_u64().unwrap() > 0, "{lane}");
        assert!(lane["rate_now"].as_f64() < lane["qps"].as_f64().map(|qps| qps / 2.0), "{lane}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_fails_the_item_as_throttled() {
    let world = World::by_default().await;
    let id = world.bulk(1).remove(0);
    let faults = |code: &str| vec![FaultRule::always(throttle(code, None))];
    world.alibaba().set_faults(faults("QuotaExceeded.Delete")).unwrap();
    let answer = world.delete(&format!("{ALIBABA}/media/{id}")).await;
    answer.is(502, "failed", Some("throttled"));
    assert_eq!((&answer.body["retriable"], &answer.item()["attempts"]), (&json!(true), &json!(1)));
    assert_eq!(answer.item()["error"]["vendor_code"], "QuotaExceeded.Delete");
    world.tencent().set_faults(faults("LimitExceeded.Quota")).unwrap();
    let answer = world.delete(&format!("{TENCENT}/media/{}", t::video(1))).await;
    answer.is(502, "failed", Some("throttled"));
    world.end().await;
}

#[tokio::test]
async fn reads_are_throttled_by_themselves_and_the_delete_still_comes() {
    let world = World::by_default().await;
    let read = FaultRule::once(throttle("RequestLimitExceeded", None)).for_operation("DescribeMediaInfos");
    world.tencent().set_faults(vec![read]).unwrap();
    let path = format!("{TENCENT}/media/{}/renditions?definition=100010", t::video(2));
    world.delete(&path).await.is_deleted();
    assert_eq!(world.lane(TENCENT, "DescribeMediaInfos").await["throttled_total"], 1);
    assert_eq!(world.lane(TENCENT, "DeleteMedia").await["throttled_total"], 0);
    world.end().await;
}

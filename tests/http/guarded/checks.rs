//! A plan that tells what stands at the vendors.

use std::time::Duration;

use serde_json::{Value, json};
use vodrm::guard::policy::Policy;

use super::{Guarded, id_of};
use crate::harness::{ALI, Fault, FaultRule, TEN, ali, ten};

fn plan(targets: &Value) -> Value {
    json!({"dry_run": true, "check": true, "targets": targets})
}

fn media(account: &str, id: &str) -> Value {
    json!({"account": account, "kind": "media", "id": id})
}

fn is_checked(shown: &Value) -> bool {
    shown["plan"]["checking"] == false
}

fn stop(account: &str) -> String {
    format!("/v1/accounts/{account}/stop")
}

fn start(account: &str) -> String {
    format!("/v1/accounts/{account}/start")
}

#[tokio::test]
async fn a_checked_plan_tells_what_stands_what_does_not_and_what_cannot_be_told() {
    let guarded = Guarded::quick(Policy::default()).await;
    let targets = json!([
        media(ALI, ali::NORMAL),
        media(ALI, ali::MISSING),
        media(TEN, &ten::video(1)),
        media(TEN, ten::MISSING),
        {"account": ALI, "kind": "image", "url": ali::image_url(1)},
        {"account": TEN, "kind": "source", "id": ten::video(1), "force": true},
        media(ALI, ali::NORMAL),
        {"account": TEN, "kind": "snapshots", "id": ten::AUDIO, "all": true},
        {"account": ALI, "kind": "media", "reference_id": ali::reference(2)},
        media(TEN, ten::FORBIDDEN),
    ]);
    let planned = guarded.post("cms", &plan(&targets)).await;
    assert_eq!(planned.status, 207, "one is not supported: {planned:?}");
    let shown = planned.json();
    assert_eq!((&shown["state"], &shown["plan"]["checking"]), (&json!("planned"), &json!(false)), "{shown}");
    let found = |index: usize| &shown["items"][index]["found"];
    for index in [0, 2] {
        let found = found(index);
        assert!(found["title"].is_string() && found["status"].is_string(), "{found}");
        assert!(found["size_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{found}");
        let renditions = found["renditions"].as_array().unwrap();
        assert!(renditions.len() > 2 && renditions.iter().any(|one| one["size_bytes"].is_u64()), "{found}");
        assert!(!found.to_string().contains("://"), "what is kept has no URLs: {found}");
    }
    for index in [1, 3] {
        let item = shown["items"][index].as_object().unwrap();
        assert_eq!((&item["found"], item.get("not_found_out")), (&Value::Null, None), "{item:?}");
        assert_eq!(item["outcome"], "planned", "whether that is ok is for its delete to say");
    }
    assert!(shown["items"][4].get("found").is_none());
    assert!(shown["items"][4]["not_found_out"].as_str().unwrap().contains("no batch read"), "{shown}");
    assert_eq!((found(5), found(6)), (found(2), found(0)), "one asset, one look");
    let refused = shown["items"][7].as_object().unwrap();
    assert!(refused.get("found").is_none() && refused.get("not_found_out").is_none(), "{refused:?}");
    assert_eq!(found(8)["id"], ali::normal(2), "{}", found(8));
    assert_eq!(found(9)["status"], "Forbidden");
    assert_eq!(guarded.deletes(), 0);
    let calls = ["BatchGetMediaInfos", "GetVideoInfos", "DescribeMediaInfos"].map(|it| guarded.calls(it));
    assert_eq!((calls, guarded.house.vendors.calls()), ([1, 1, 1], 3));
}

#[tokio::test]
async fn three_hundred_mixed_targets_take_sixteen_reads() {
    let guarded = Guarded::quick(Policy::default()).await;
    let targets: Vec<Value> = (0..150_u32)
        .flat_map(|n| [media(ALI, &ali::normal(n + 1)), media(TEN, &ten::video(u64::from(n)))])
        .collect();
    let planned = guarded.post("cms", &plan(&json!(targets))).await;
    assert_eq!(planned.status, 200, "{planned:?}");
    let shown = planned.json();
    assert_eq!(shown["counts"]["planned"], 300);
    let items = shown["items"].as_array().unwrap();
    let stands = items.iter().filter(|item| item["found"].is_object()).count();
    let missing = items.iter().filter(|item| item.get("found") == Some(&Value::Null)).count();
    assert_eq!((stands, missing), (96, 204), "each vendor has 48 of them");
    // Twenty a call: 150 are eight calls at each vendor.
    assert_eq!((guarded.calls("BatchGetMediaInfos"), guarded.calls("DescribeMediaInfos")), (8, 8));
    assert_eq!(guarded.house.vendors.calls(), 16);
}

#[tokio::test]
async fn a_vendor_that_throttles_is_asked_again_and_one_that_fails_is_told_of() {
    let guarded = Guarded::quick(Policy::default()).await;
    let throttle = Fault::Throttle { code: None, retry_after_ms: None };
    let rule = FaultRule::always(throttle).for_operation("DescribeMediaInfos").times(3);
    guarded.house.tencent().set_faults(vec![rule]).unwrap();
    let gateway = Fault::HttpError { status: 502, after_effect: false };
    guarded.house.alibaba().set_faults(vec![FaultRule::always(gateway)]).unwrap();
    let targets = json!([media(TEN, &ten::video(1)), media(ALI, ali::NORMAL)]);
    let shown = guarded.post("cms", &plan(&targets)).await.json();
    assert!(shown["items"][0]["found"]["title"].is_string(), "{shown}");
    assert_eq!(guarded.calls("DescribeMediaInfos"), 4);
    assert!(shown["items"][1]["not_found_out"].is_string(), "{shown}");
    assert!(shown["items"][1].get("found").is_none());
    assert_eq!(guarded.calls("BatchGetMediaInfos"), 5, "tries are bounded");
}

#[tokio::test]
async fn an_asset_that_spoils_the_read_of_others_is_told_of_alone() {
    let guarded = Guarded::quick(Policy::default()).await;
    let ids: Vec<String> = (0..6).map(ten::video).collect();
    let code = "UnauthorizedOperation".to_owned();
    let denied = FaultRule::always(Fault::Error { status: None, code, message: None });
    guarded.house.tencent().set_faults(vec![denied.clone().for_id(&ids[3])]).unwrap();
    let targets: Vec<Value> = ids.iter().map(|id| media(TEN, id)).collect();
    let shown = guarded.post("cms", &plan(&json!(targets))).await.json();
    for (index, item) in shown["items"].as_array().unwrap().iter().enumerate() {
        if index == 3 {
            let why = item["not_found_out"].as_str().unwrap();
            assert!(why.contains("UnauthorizedOperation"), "{why}");
        } else {
            assert!(item["found"]["title"].is_string(), "{item}");
        }
    }
    guarded.house.tencent().set_faults(vec![denied]).unwrap();
    let before = guarded.house.vendors.calls();
    let targets: Vec<Value> = (0..20).map(|n| media(TEN, &ten::video(n))).collect();
    let shown = guarded.post("cms", &plan(&json!(targets))).await.json();
    let untold = shown["items"].as_array().unwrap().iter().filter(|item| item["not_found_out"].is_string());
    assert_eq!(untold.count(), 20, "{shown}");
    let calls = guarded.house.vendors.calls() - before;
    assert!(calls <= 10, "a key without the right is not asked for each: {calls}");
}

#[tokio::test]
async fn a_check_waits_behind_a_stop_switch_and_goes_on_where_it_was_after_a_restart() {
    let mut guarded = Guarded::quick(Policy::default()).await;
    guarded.call("root", "POST", &stop(ALI), None).await;
    // A page of the one vendor, then a page of the other.
    let ids = (0..200).map(|n| media(TEN, &ten::video(n)));
    let targets: Vec<Value> = ids.chain((1..=40).map(|n| media(ALI, &ali::normal(n)))).collect();
    let planned = guarded.post_async("cms", &plan(&json!(targets))).await;
    assert_eq!((planned.status, &planned.json()["plan"]["checking"]), (202, &json!(true)), "{planned:?}");
    let id = id_of(&planned);
    guarded.until(&id, "the first page", |shown| shown["items"][199].get("found").is_some()).await;
    guarded.verb("cms", &id, "start", &json!({})).await.problem(409, "wrong_state");
    guarded.house.restart().await;
    let shown = guarded.get("cms", &format!("/v1/deletions/{id}")).await.json();
    assert_eq!(shown["plan"]["checking"], true, "{}", shown["plan"]);
    assert_eq!(guarded.calls("BatchGetMediaInfos"), 0, "nothing goes to a stopped account");
    guarded.call("root", "POST", &start(ALI), None).await;
    let shown = guarded.until(&id, "the end of the look", is_checked).await;
    assert!(shown["items"].as_array().unwrap().iter().all(|item| item.get("found").is_some()), "{shown}");
    assert_eq!((guarded.calls("DescribeMediaInfos"), guarded.calls("BatchGetMediaInfos")), (10, 2));
    assert_eq!(guarded.verb("cms", &id, "start", &json!({})).await.status, 200);
    let ended = guarded.finished(&id).await;
    assert_eq!((&ended["counts"]["deleted"], &ended["counts"]["absent"]), (&json!(88), &json!(152)));
}

#[tokio::test]
async fn a_check_that_waits_is_called_off_by_a_cancel_and_by_its_expiry() {
    let policy = Policy { plan_valid_for: Duration::from_secs(2), ..Policy::default() };
    let mut guarded = Guarded::quick(policy).await;
    guarded.call("root", "POST", "/v1/stop", None).await;
    let body = plan(&json!([media(ALI, ali::NORMAL)]));
    let id = id_of(&guarded.post_async("cms", &body).await);
    assert_eq!(guarded.verb("cms", &id, "cancel", &json!({})).await.status, 200);
    assert_eq!(guarded.finished(&id).await["state"], "canceled");
    let id = id_of(&guarded.post_async("cms", &body).await);
    assert_eq!(guarded.finished(&id).await["state"], "expired");
    guarded.call("root", "POST", "/v1/start", None).await;
    // Whatever were still under way would be waited for.
    guarded.house.restart().await;
    assert_eq!(guarded.house.vendors.calls(), 0);
}

#[tokio::test]
async fn a_fault_of_the_account_is_waited_for_and_makes_nothing_of_the_items() {
    let guarded = Guarded::quick(Policy::default()).await;
    let code = "AuthFailure.SignatureFailure".to_owned();
    let rule = FaultRule::once(Fault::Error { status: None, code, message: None });
    guarded.house.tencent().set_faults(vec![rule]).unwrap();
    let planned = guarded.post_async("cms", &plan(&json!([media(TEN, &ten::video(1))]))).await;
    let id = id_of(&planned);
    let account = format!("/v1/accounts/{TEN}");
    let blocked = async { while guarded.get("cms", &account).await.json()["state"] == "ok" {} };
    crate::harness::soon("the block", blocked).await;
    let shown = guarded.get("cms", &format!("/v1/deletions/{id}")).await.json();
    assert_eq!(shown["plan"]["checking"], true, "{shown}");
    let opened = guarded.call("root", "POST", &format!("{account}/unblock"), None).await;
    assert_eq!(opened.json()["state"], "ok", "{opened:?}");
    let shown = guarded.until(&id, "the end of the look", is_checked).await;
    assert!(shown["items"][0]["found"]["title"].is_string(), "{shown}");
}

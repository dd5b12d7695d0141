//! Stop switches.

use serde_json::json;

use super::{Guarded, id_of};
use crate::harness::{ALI, TEN, ali, media_body, ten};

#[tokio::test]
async fn a_stopped_account_sends_nothing_until_it_is_started_and_a_restart_changes_nothing() {
    let mut guarded = Guarded::start().await;
    guarded.call("cms", "POST", &format!("/v1/accounts/{ALI}/stop"), None).await.problem(403, "scope");
    let why = json!({"reason": "incident 12"});
    let stopped = guarded.call("root", "POST", &format!("/v1/accounts/{ALI}/stop"), Some(&why)).await;
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("stopped")), "{stopped:?}");
    assert_eq!(stopped.json()["lanes"][0]["reason"], "stopped");
    guarded.post("cms", &media_body([ali::NORMAL])).await.problem(503, "blocked");
    let request = guarded.house.call("POST", "/v1/deletions").header("prefer", "respond-async");
    let request = request.header("authorization", &format!("Bearer {}", guarded.key("cms")));
    let waiting = request.json(&media_body([ali::NORMAL])).send().await;
    assert_eq!(waiting.status, 202, "{waiting:?}");
    guarded
        .call("cms", "GET", &format!("/v1/accounts/{ALI}/media/{}", ali::NORMAL), None)
        .await
        .problem(503, "blocked");
    let other = format!("/v1/accounts/{TEN}/media/{}", ten::AUDIO);
    assert_eq!(guarded.call("cms", "DELETE", &other, None).await.status, 200, "the other account goes on");
    guarded.house.restart().await;
    assert_eq!(guarded.get("cms", &format!("/v1/accounts/{ALI}")).await.json()["state"], "stopped");
    assert_eq!(guarded.house.alibaba().ledger().len(), 0, "not one call");
    let started = guarded.call("root", "POST", &format!("/v1/accounts/{ALI}/start"), None).await;
    assert_eq!((started.status, &started.json()["state"]), (200, &json!("ok")), "{started:?}");
    assert_eq!(guarded.finished(&id_of(&waiting)).await["counts"]["deleted"], 1);
}

#[tokio::test]
async fn one_switch_stops_all_and_is_for_who_may_touch_all() {
    let guarded = Guarded::start().await;
    guarded.call("tidy", "POST", "/v1/stop", None).await.problem(403, "scope");
    let stopped = guarded.call("root", "POST", "/v1/stop", Some(&json!({"reason": "all"}))).await;
    assert_eq!((stopped.status, &stopped.json()["stops"][0]["by"]), (200, &json!("root")), "{stopped:?}");
    for account in [ALI, TEN] {
        assert_eq!(guarded.get("cms", &format!("/v1/accounts/{account}")).await.json()["state"], "stopped");
    }
    // An account's own start does not lift the switch of all.
    let own = guarded.call("root", "POST", &format!("/v1/accounts/{ALI}/start"), None).await;
    assert_eq!(own.json()["state"], "stopped", "{own:?}");
    let lifted = guarded.call("root", "POST", "/v1/start", None).await;
    assert_eq!((lifted.status, lifted.json()["stops"].as_array().unwrap().len()), (200, 0), "{lifted:?}");
    let path = format!("/v1/accounts/{ALI}/media/{}", ali::NORMAL);
    assert_eq!(guarded.call("cms", "DELETE", &path, None).await.status, 200);
}

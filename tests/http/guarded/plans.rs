//! A dry run that becomes the deletion.

use std::time::Duration;

use serde_json::{Value, json};
use vodrm::guard::policy::Policy;

use super::{Guarded, id_of};
use crate::harness::{ALI, TEN, ali, media_body, ten};

fn plan(ids: &[&str]) -> Value {
    let mut body = media_body(ids.iter().copied());
    body["dry_run"] = json!(true);
    body
}

#[tokio::test]
async fn a_plan_tells_what_would_happen_and_sends_nothing() {
    let guarded = Guarded::start().await;
    let body = json!({"dry_run": true, "targets": [
        {"account": ALI, "kind": "media", "id": ali::NORMAL},
        {"account": TEN, "kind": "snapshots", "id": ten::AUDIO, "all": true},
        {"account": ALI, "kind": "media", "id": ali::MISSING},
    ]});
    let planned = guarded.post("cms", &body).await;
    assert_eq!(planned.status, 207, "one cannot be served: {planned:?}");
    let shown = planned.json();
    assert_eq!((&shown["state"], &shown["ok"]), (&json!("planned"), &Value::Null));
    assert_eq!((&shown["counts"]["planned"], &shown["counts"]["refused"]), (&json!(2), &json!(1)), "{shown}");
    assert_eq!((&shown["plan"]["calls"], &shown["plan"]["checking"]), (&json!(1), &json!(false)), "{shown}");
    let first = &shown["items"][0];
    assert_eq!((&first["outcome"], &first["state"]), (&json!("planned"), &json!("done")));
    assert!(first["effects"].as_array().unwrap().contains(&json!("playback")), "{first}");
    assert!(first.get("found").is_none() && first.get("ok").is_none(), "{first}");
    assert_eq!(shown["items"][1]["error"]["code"], "unsupported");
    let id = id_of(&planned);
    let planned_only = guarded.get("cms", &format!("/v1/deletions/{id}/items?outcome=planned")).await;
    assert_eq!(planned_only.json()["items"].as_array().unwrap().len(), 2);
    let pending = guarded.get("cms", &format!("/v1/deletions/{id}/items?state=pending")).await;
    assert!(pending.json()["items"].as_array().unwrap().is_empty(), "what is planned does not wait");
    assert_eq!(guarded.house.vendors.calls(), 0, "not even a read without `check`");
}

#[tokio::test]
async fn start_runs_exactly_the_plan() {
    let guarded = Guarded::start().await;
    let planned = guarded.post("cms", &plan(&[ali::NORMAL, ali::MISSING])).await;
    assert_eq!(planned.status, 200, "{planned:?}");
    let id = id_of(&planned);
    let wrong = json!({"digest": "f".repeat(64)});
    guarded.verb("cms", &id, "start", &wrong).await.problem(412, "digest_mismatch");
    let right = json!({"digest": planned.json()["digest"], "reason": "checked"});
    let started = guarded.verb("cms", &id, "start", &right).await;
    assert_eq!(started.status, 200, "{started:?}");
    assert_eq!(guarded.verb("cms", &id, "start", &right).await.status, 200, "a second time changes nothing");
    let ended = guarded.finished(&id).await;
    assert_eq!((&ended["counts"]["deleted"], &ended["counts"]["absent"]), (&json!(1), &json!(1)), "{ended}");
    assert_eq!(ended["counts"]["planned"], 0);
    assert_eq!(
        (&ended["reviews"][0]["action"], &ended["reviews"][0]["by"]),
        (&json!("started"), &json!("cms"))
    );
}

#[tokio::test]
async fn a_plan_that_is_too_old_cannot_be_started() {
    let policy = Policy { plan_valid_for: Duration::from_millis(50), ..Policy::default() };
    let guarded = Guarded::with(policy).await;
    let planned = guarded.post("cms", &plan(&[ali::NORMAL])).await;
    let id = id_of(&planned);
    let is_over = |shown: &Value| shown["state"] == "expired" && shown["finished_at"].is_string();
    guarded.until(&id, "the expiry", is_over).await;
    guarded.verb("cms", &id, "start", &json!({})).await.problem(409, "wrong_state");
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn a_plan_can_be_canceled_and_a_single_delete_can_be_one() {
    let guarded = Guarded::start().await;
    let id = id_of(&guarded.post("cms", &plan(&[ali::NORMAL])).await);
    let canceled = guarded.verb("cms", &id, "cancel", &json!({})).await;
    assert_eq!((canceled.status, &canceled.json()["state"]), (200, &json!("canceled")), "{canceled:?}");
    let path = format!("/v1/accounts/{TEN}/media/{}?dry_run=true", ten::AUDIO);
    let single = guarded.call("cms", "DELETE", &path, None).await;
    assert_eq!((single.status, &single.json()["outcome"]), (200, &json!("planned")), "{single:?}");
    let id = single.header("location").rsplit('/').next().unwrap().to_owned();
    assert_eq!(guarded.verb("cms", &id, "start", &json!({})).await.status, 200);
    assert_eq!(guarded.finished(&id).await["counts"]["deleted"], 1);
}

#[tokio::test]
async fn a_plan_of_what_others_delete_meanwhile_is_not_taken_along() {
    let guarded = Guarded::start().await;
    let planned = id_of(&guarded.post("cms", &plan(&[ali::NORMAL])).await);
    assert_eq!(guarded.post("cms", &media_body([ali::NORMAL])).await.status, 200);
    let shown = guarded.get("cms", &format!("/v1/deletions/{planned}")).await.json();
    assert_eq!((&shown["state"], &shown["counts"]["planned"]), (&json!("planned"), &json!(1)), "{shown}");
    assert_eq!(guarded.verb("cms", &planned, "start", &json!({})).await.status, 200);
    assert_eq!(guarded.finished(&planned).await["counts"]["absent"], 1);
}

#[tokio::test]
async fn who_may_delete_one_kind_starts_only_its_own_plans() {
    let guarded = Guarded::start().await;
    let of_all = id_of(&guarded.post("cms", &plan(&[ali::NORMAL])).await);
    guarded.verb("tidy", &of_all, "start", &json!({})).await.problem(403, "scope");
    let mut body = plan(&[ali::NORMAL]);
    body["targets"]
        .as_array_mut()
        .unwrap()
        .push(json!({"kind": "source", "account": ALI, "id": ali::NORMAL}));
    let own = guarded.post("tidy", &body).await;
    let shown = own.json();
    assert_eq!(shown["items"][0]["error"]["code"], "forbidden", "{shown}");
    assert_eq!(shown["items"][1]["outcome"], "planned", "{shown}");
    assert_eq!(guarded.verb("tidy", &id_of(&own), "start", &json!({})).await.status, 200);
}

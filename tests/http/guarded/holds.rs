//! What must not be deleted, whoever asks.

use serde_json::json;

use super::{Guarded, id_of};
use crate::harness::{ALI, TEN, ali, media_body, ten};

fn hold(account: &str, id: &str) -> String {
    format!("/v1/accounts/{account}/holds/{id}")
}

#[tokio::test]
async fn a_held_asset_is_refused_in_all_its_parts_and_by_its_other_name() {
    let guarded = Guarded::start().await;
    let why = json!({"reason": "court order 7"});
    let put = guarded.call("legal", "PUT", &hold(ALI, ali::REFERENCE), Some(&why)).await;
    assert_eq!(put.status, 200, "{put:?}");
    let body = put.json();
    assert_eq!((&body["held_by"], &body["reason"]), (&json!("legal"), &json!("court order 7")), "{body}");
    let asset = body["asset"].as_str().expect("the vendor told which asset it is").to_owned();
    let targets = json!({"account": ALI, "targets": [
        {"kind": "media", "reference_id": ali::REFERENCE},
        {"kind": "media", "id": asset},
        {"kind": "source", "id": asset, "force": true},
        {"kind": "renditions", "id": asset, "all": true},
        {"kind": "snapshots", "id": asset, "all": true},
    ]});
    let refused = guarded.post("cms", &targets).await;
    assert_eq!((refused.status, &refused.json()["counts"]["refused"]), (207, &json!(5)), "{refused:?}");
    let error = &refused.json()["items"][1]["error"];
    assert_eq!(error["code"], "held");
    assert!(error.get("hold").is_none(), "why it is held is not for everybody: {error}");
    let seen = guarded.get("legal", &format!("/v1/deletions/{}", id_of(&refused))).await.json();
    assert_eq!(seen["items"][1]["error"]["hold"]["reason"], "court order 7", "{seen}");
    let single = format!("/v1/accounts/{ALI}/media/{asset}");
    guarded.call("cms", "DELETE", &single, None).await.problem(423, "held");
    assert_eq!(guarded.get("cms", &single).await.json()["held"], true);
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn holds_are_put_listed_and_lifted_by_those_who_may() {
    let guarded = Guarded::start().await;
    let why = json!({"reason": "premiere"});
    guarded.call("cms", "PUT", &hold(TEN, "promo-*"), Some(&why)).await.problem(403, "scope");
    guarded.call("cms", "GET", &format!("/v1/accounts/{TEN}/holds"), None).await.problem(403, "scope");
    guarded.call("legal", "PUT", &hold(TEN, "promo-*"), Some(&json!({}))).await.problem(422, "invalid");
    guarded.call("legal", "PUT", &hold(TEN, "a%20b"), Some(&why)).await.problem(422, "invalid");
    guarded.call("legal", "PUT", &hold("nowhere", "x"), Some(&why)).await.problem(404, "not_found");
    assert_eq!(guarded.call("legal", "PUT", &hold(TEN, "promo-*"), Some(&why)).await.status, 200);
    assert_eq!(guarded.call("legal", "PUT", &hold(TEN, ten::AUDIO), Some(&why)).await.status, 200);
    let page = format!("/v1/accounts/{TEN}/holds?page_size=1");
    let first = guarded.get("legal", &page).await.json();
    let token = first["next_page_token"].as_str().unwrap();
    let second = guarded.get("legal", &format!("{page}&page_token={token}")).await.json();
    let ids = [&first["items"][0]["id"], &second["items"][0]["id"]];
    assert_eq!((ids, &second["next_page_token"]), ([&json!(ten::AUDIO), &json!("promo-*")], &json!(null)));
    let shown = guarded.get("legal", &hold(TEN, "promo-*")).await.json();
    let put = guarded.call("legal", "PUT", &hold(TEN, "promo-*"), Some(&why)).await.json();
    assert_eq!(shown["reason"], put["reason"]);
    assert_eq!(guarded.get("legal", &hold(TEN, "promo-*")).await.json(), put, "as it was answered");
    assert_eq!(guarded.call("legal", "DELETE", &hold(TEN, "promo-*"), None).await.status, 200);
    guarded.call("legal", "DELETE", &hold(TEN, "promo-*"), None).await.problem(404, "not_found");
    let path = format!("/v1/accounts/{TEN}/media/{}", ten::AUDIO);
    guarded.call("cms", "DELETE", &path, None).await.problem(423, "held");
    assert_eq!(guarded.call("legal", "DELETE", &hold(TEN, ten::AUDIO), None).await.status, 200);
    assert_eq!(guarded.call("cms", "DELETE", &path, None).await.status, 200);
}

#[tokio::test]
async fn a_hold_on_what_waits_wins() {
    let guarded = Guarded::start().await;
    // Stopped: the items wait in their queue until the hold stands.
    let switch = |on: &str| format!("/v1/accounts/{ALI}/{on}");
    assert_eq!(guarded.call("root", "POST", &switch("stop"), None).await.status, 200);
    let request = guarded.house.call("POST", "/v1/deletions").header("prefer", "respond-async");
    let request = request.header("authorization", &format!("Bearer {}", guarded.key("cms")));
    let id = id_of(&request.json(&media_body([ali::NORMAL, ali::MISSING])).send().await);
    let why = json!({"reason": "stop"});
    assert_eq!(guarded.call("legal", "PUT", &hold(ALI, "5eed*01"), Some(&why)).await.status, 200);
    assert_eq!(guarded.call("root", "POST", &switch("start"), None).await.status, 200);
    let ended = guarded.finished(&id).await;
    assert_eq!((&ended["counts"]["refused"], &ended["counts"]["absent"]), (&json!(1), &json!(1)), "{ended}");
    assert_eq!(ended["items"][0]["error"]["code"], "held");
}

#[tokio::test]
async fn holds_survive_a_restart() {
    let mut guarded = Guarded::start().await;
    let why = json!({"reason": "kept"});
    assert_eq!(guarded.call("legal", "PUT", &hold(TEN, ten::AUDIO), Some(&why)).await.status, 200);
    guarded.house.restart().await;
    let path = format!("/v1/accounts/{TEN}/media/{}", ten::AUDIO);
    guarded.call("cms", "DELETE", &path, None).await.problem(423, "held");
    assert_eq!(guarded.deletes(), 0);
}

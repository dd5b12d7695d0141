//! The life cycle as callers drive it.

use serde_json::{Value, json};

use crate::harness::{ALI, Fault, FaultRule, House, TEN, ali, beside, media, media_body, new_key, soon};

/// One try, and no waiting before a lost answer is settled.
const IMPATIENT: &str = "[retry]\nmax_attempts = 1\ncool_down = \"0s\"";

/// A vendor that is at work until the test says otherwise.
fn hang(house: &House) {
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Hang { after_effect: false })]).unwrap();
}

/// A deletion whose items wait, since the vendor grants few calls.
async fn slow(house: &House, items: usize) -> String {
    let ids: Vec<String> = (0..items).map(|n| format!("missing-{n}")).collect();
    house.submit_async(&media_body(ids.iter().map(String::as_str))).await
}

/// Two calls a second: what waits waits long enough to be looked at.
async fn slow_house() -> House {
    House::built("", |settings| {
        for limit in settings.accounts.iter_mut().flat_map(|account| &mut account.limits) {
            limit.qps = 2.0;
        }
    })
    .await
}

#[tokio::test]
async fn a_paused_deletion_sends_nothing_and_goes_on_when_it_is_resumed() {
    let house = slow_house().await;
    let id = slow(&house, 60).await;
    let paused =
        house.call("POST", &format!("/v1/deletions/{id}/pause")).json(&json!({"reason": "wrong list?"}));
    let paused = paused.send().await;
    assert_eq!(paused.status, 200, "{paused:?}");
    let body = paused.json();
    assert_eq!((&body["state"], &body["pause"]["code"]), (&json!("paused"), &json!("operator")), "{body}");
    assert_eq!(
        (&body["pause"]["reason"], &body["pause"]["by"]),
        (&json!("wrong list?"), &json!("anonymous"))
    );
    assert_eq!(body["forecast"], json!({"finishes_at": null, "items_per_second": null}));
    assert_eq!(house.verb(&id, "pause").await.status, 200, "a second time changes nothing");
    assert!(house.get("/v1/deletions?state=paused").await.json()["items"][0]["id"] == id.as_str());
    let resumed = house.verb(&id, "resume").await;
    assert_eq!((resumed.status, resumed.json()["state"].as_str()), (200, Some("running")), "{resumed:?}");
    assert!(resumed.json().get("pause").is_none());
    let ended = house.finished(&id).await;
    assert_eq!(ended["counts"]["absent"], 60);
    for verb in ["pause", "resume", "cancel"] {
        let problem = house.verb(&id, verb).await.problem(409, "wrong_state");
        assert!(problem["detail"].as_str().unwrap().contains("finished"), "{problem}");
    }
}

#[tokio::test]
async fn a_canceled_deletion_ends_what_was_not_sent() {
    let house = slow_house().await;
    hang(&house);
    let id = slow(&house, 200).await;
    house.alibaba().wait_for_calls(1).await;
    let canceled = house.verb(&id, "cancel").await;
    assert_eq!(canceled.status, 202, "a call is under way: {canceled:?}");
    assert_eq!(canceled.json()["state"], "canceled");
    assert_eq!(house.verb(&id, "cancel").await.status, 202, "a second time changes nothing");
    for verb in ["pause", "resume", "retry"] {
        house.verb(&id, verb).await.problem(409, "wrong_state");
    }
    let is_done = |shown: &Value| shown["counts"]["canceled"].as_u64() > Some(100);
    let shown = house.until(&id, "the end of what was not sent", is_done).await;
    assert_eq!((&shown["state"], &shown["finished_at"]), (&json!("canceled"), &Value::Null), "{shown}");
}

#[tokio::test]
async fn a_delete_whose_deletion_is_canceled_is_a_409() {
    let house = House::start().await;
    let throttle = Fault::Throttle { code: None, retry_after_ms: Some(60_000) };
    house.alibaba().set_faults(vec![FaultRule::always(throttle)]).unwrap();
    let request = house.client.delete(house.url(&media(ALI, ali::NORMAL))).header("prefer", "wait=60");
    let waiting = beside(async move { request.send().await.unwrap() });
    house.alibaba().wait_for_calls(1).await;
    let newest = house.get("/v1/deletions?page_size=1").await.json();
    let id = newest["items"][0]["id"].as_str().unwrap();
    assert!([200, 202].contains(&house.verb(id, "cancel").await.status));
    let answer = soon("the answer", waiting).await.unwrap();
    assert_eq!(answer.status(), 409);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["item"]["outcome"]), (&json!("canceled"), &json!("canceled")));
    let ended = house.get(&format!("/v1/deletions/{id}")).await.json();
    assert_eq!((&ended["ok"], &ended["state"]), (&json!(false), &json!("canceled")), "{ended}");
    assert!(!ended["finished_at"].is_null(), "{ended}");
    assert_eq!(house.verb(id, "cancel").await.status, 200, "every item has ended");
}

#[tokio::test]
async fn a_retry_opens_what_failed_and_keeps_what_was() {
    let house = House::with(IMPATIENT).await;
    let unlisted = Fault::Error { status: Some(400), code: "Invented.Code".into(), message: None };
    house.alibaba().set_faults(vec![FaultRule::always(unlisted)]).unwrap();
    let failed = house.submit(&media_body([ali::NORMAL])).await.json();
    assert_eq!(failed["counts"]["failed"], 1, "{failed}");
    let id = failed["id"].as_str().unwrap();
    house.alibaba().set_faults(Vec::new()).unwrap();
    let retried = house.call("POST", &format!("/v1/deletions/{id}/retry")).json(&json!({"reason": "mended"}));
    let retried = retried.send().await;
    assert_eq!(retried.status, 200, "{retried:?}");
    let ended = house.finished(id).await;
    assert_eq!((&ended["ok"], &ended["counts"]["deleted"]), (&json!(true), &json!(1)), "{ended}");
    let receipt = house.get(&format!("/v1/deletions/{id}/items/0")).await.json();
    let round = &receipt["rounds"][0];
    assert_eq!((&round["outcome"], &round["settled"]), (&json!("failed"), &json!(false)), "{receipt}");
    assert_eq!((&round["reason"], &round["by"]), (&json!("mended"), &json!("anonymous")));
    assert_eq!(round["error"]["vendor_code"], "Invented.Code");
    let calls = house.vendors.calls();
    assert_eq!(house.verb(id, "retry").await.status, 200, "nothing to open: nothing is changed");
    assert_eq!(house.vendors.calls(), calls);
}

#[tokio::test]
async fn an_unknown_item_is_settled_by_an_operator() {
    let house = House::with(IMPATIENT).await;
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Reset { after_effect: true })]).unwrap();
    let open = house.call("POST", "/v1/deletions").header("prefer", "wait=60");
    let open = open.json(&media_body([ali::NORMAL])).send().await.json();
    assert_eq!(open["counts"]["unknown"], 1, "{open}");
    let id = open["id"].as_str().unwrap();
    let path = format!("/v1/deletions/{id}/items/0/settle");
    let settle = |body: Value| house.call("POST", &path).json(&body).send();
    for bad in [
        json!({}),
        json!({"outcome": "deleted"}),
        json!({"outcome": "unknown", "reason": "x"}),
        json!({"outcome": "deleted", "reason": "x".repeat(501)}),
        json!({"outcome": "deleted", "reason": "x", "more": 1}),
    ] {
        settle(bad).await.problem(422, "invalid");
    }
    let decided = settle(json!({"outcome": "deleted", "reason": "gone in the console"})).await;
    assert_eq!((decided.status, decided.json()["outcome"].as_str()), (200, Some("deleted")), "{decided:?}");
    let again = settle(json!({"outcome": "absent", "reason": "x"})).await.problem(409, "wrong_state");
    assert!(again["detail"].as_str().unwrap().contains("deleted"), "{again}");
    let receipt = house.get(&format!("/v1/deletions/{id}/items/0")).await.json();
    assert_eq!(receipt["rounds"][0]["outcome"], "unknown", "{receipt}");
    assert_eq!(
        (&receipt["rounds"][0]["settled"], &receipt["rounds"][0]["reason"]),
        (&json!(true), &json!("gone in the console"))
    );
    let shown = house.get(&format!("/v1/deletions/{id}")).await.json();
    assert_eq!((&shown["ok"], &shown["counts"]["unknown"]), (&json!(true), &json!(0)), "{shown}");
    let nowhere = format!("/v1/deletions/{id}/items/7/settle");
    let nowhere = house.call("POST", &nowhere).json(&json!({"outcome": "absent", "reason": "x"}));
    nowhere.send().await.problem(404, "not_found");
}

#[tokio::test]
async fn the_body_of_a_verb_is_checked_and_may_be_missing() {
    let house = House::start().await;
    let deletion = house.submit(&media_body([ali::MISSING])).await.json();
    let path = format!("/v1/deletions/{}/retry", deletion["id"].as_str().unwrap());
    let post = || house.call("POST", &path);
    assert_eq!(post().send().await.status, 200);
    assert_eq!(post().json(&json!({})).send().await.status, 200);
    post().json(&json!({"digest": "x"})).send().await.problem(422, "invalid");
    post().json(&json!({"reason": "x".repeat(1_001)})).send().await.problem(422, "invalid");
    post().json_text("{").send().await.problem(400, "malformed");
    post().body("reason=x").send().await.problem(415, "unsupported_media_type");
    post()
        .json_text(format!("{{\"reason\": \"{}\"}}", "x".repeat(20_000)))
        .send()
        .await
        .problem(413, "too_large");
    house.call("POST", &format!("{path}?force=true")).send().await.problem(400, "malformed");
    house.call("POST", "/v1/deletions/del_x/retry").send().await.problem(404, "not_found");
}

#[tokio::test]
async fn who_may_not_delete_turns_nothing_and_a_foreign_deletion_is_not_there() {
    let (all, reader, other) = (new_key(), new_key(), new_key());
    let caller = |name: &str, digest: &str, account: &str, may: &str| {
        format!("[callers.{name}]\nkey_sha256 = \"{digest}\"\naccounts = [\"{account}\"]\nmay = [{may}]\n")
    };
    let mut house = House::with(
        &(caller("all", &all.1, "*", "\"read\", \"delete\"")
            + &caller("reader", &reader.1, "*", "\"read\"")
            + &caller("other", &other.1, TEN, "\"read\", \"delete\"")),
    )
    .await;
    house.as_caller(&all.0);
    let id = house.submit(&media_body([ali::MISSING])).await.json()["id"].as_str().unwrap().to_owned();
    let settle = json!({"outcome": "absent", "reason": "x"});
    for (key, status, code) in [(&reader.0, 403, "scope"), (&other.0, 404, "not_found")] {
        house.as_caller(key);
        for verb in ["pause", "resume", "cancel", "retry"] {
            house.verb(&id, verb).await.problem(status, code);
        }
        let path = format!("/v1/deletions/{id}/items/0/settle");
        house.call("POST", &path).json(&settle).send().await.problem(status, code);
    }
    house.as_caller(&other.0);
    house.get(&format!("/v1/deletions/{id}/events")).await.problem(404, "not_found");
}

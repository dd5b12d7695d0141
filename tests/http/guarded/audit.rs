//! Who did what.

use serde_json::{Value, json};

use super::{Guarded, id_of};
use crate::harness::{ALI, ali, media_body, soon};

async fn records(guarded: &Guarded, query: &str) -> Vec<Value> {
    let page = guarded.get("legal", &format!("/v1/audit?{query}")).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.json()["items"].as_array().unwrap().clone()
}

fn actions(records: &[Value]) -> Vec<&str> {
    records.iter().rev().map(|record| record["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_deletion_leaves_its_trail_and_the_receipt_names_it() {
    let guarded = Guarded::start().await;
    let mut plan = media_body([ali::NORMAL]);
    plan["dry_run"] = json!(true);
    plan["reason"] = json!("TICKET-9");
    let id = id_of(&guarded.post("cms", &plan).await);
    assert_eq!(guarded.verb("cms", &id, "start", &json!({"reason": "go"})).await.status, 200);
    guarded.finished(&id).await;
    let all = records(&guarded, &format!("deletion={id}")).await;
    assert_eq!(actions(&all), ["planned", "started", "sent", "answered"], "{all:?}");
    let planned = all.last().unwrap();
    assert_eq!((&planned["actor"], &planned["reason"]), (&json!("cms"), &json!("TICKET-9")), "{planned}");
    let answered = &all[0];
    assert_eq!((&answered["actor"], &answered["account"]), (&json!("vodrm"), &json!(ALI)), "{answered}");
    assert_eq!(answered["items"]["ranges"], "0");
    assert!(answered["vendor_request_id"].is_string(), "{answered}");
    let receipt = guarded.get("cms", &format!("/v1/deletions/{id}/items/0")).await.json();
    let named: Vec<&Value> = all.iter().rev().map(|record| &record["seq"]).collect();
    assert_eq!(receipt["audit"].as_array().unwrap().iter().collect::<Vec<_>>(), named, "{receipt}");
    // Each hash goes into the next record.
    let chain = records(&guarded, "").await;
    for pair in chain.windows(2) {
        assert_eq!(pair[0]["previous_hash"], pair[1]["hash"]);
    }
}

#[tokio::test]
async fn refused_requests_holds_and_switches_are_told_too() {
    let guarded = Guarded::start().await;
    let why = json!({"reason": "secret matter"});
    assert_eq!(
        guarded.call("legal", "PUT", &format!("/v1/accounts/{ALI}/holds/x"), Some(&why)).await.status,
        200
    );
    assert_eq!(guarded.call("root", "POST", "/v1/stop", None).await.status, 200);
    assert_eq!(guarded.call("root", "POST", "/v1/start", None).await.status, 200);
    guarded.call("cms", "POST", "/v1/stop", None).await.problem(403, "scope");
    let told = async {
        loop {
            let all = records(&guarded, "").await;
            if actions(&all).contains(&"refused") {
                return all;
            }
        }
    };
    let all = soon("the refusal", told).await;
    assert_eq!(actions(&all), ["held", "stopped", "restarted", "refused"], "{all:?}");
    assert_eq!(all[0]["actor"], "cms", "{all:?}");
    assert!(all[3]["reason"].as_str().unwrap().contains("secret matter"));
    let seen = guarded.get("cms", "/v1/audit?action=held").await.json();
    assert_eq!(seen["items"][0]["reason"], Value::Null, "why it is held is not for everybody: {seen}");
    let lines = guarded.house.call("GET", "/v1/audit").header("accept", "application/x-ndjson");
    let lines = lines.header("authorization", &format!("Bearer {}", guarded.key("legal"))).send().await;
    assert_eq!(lines.text().lines().count(), 4);
}

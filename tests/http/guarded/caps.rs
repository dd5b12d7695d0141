//! How much a caller may delete.

use serde_json::{Value, json};

use super::{Guarded, id_of};
use crate::harness::{ALI, media_body};

fn missing(items: usize) -> Value {
    let ids: Vec<String> = (0..items).map(|n| format!("missing-{n}")).collect();
    media_body(ids.iter().map(String::as_str))
}

#[tokio::test]
async fn a_deletion_above_the_cap_is_refused_as_a_whole() {
    let guarded = Guarded::start().await;
    let refused = guarded.post("capped", &missing(4)).await;
    let problem = refused.problem(403, "cap_exceeded");
    assert_eq!(problem["cap"], json!({"name": "max_items", "limit": 3, "left": 3}), "{problem}");
    let path = format!("/v1/deletions?account={ALI}");
    let upload = guarded.house.call("POST", &path).header("content-type", "text/plain");
    let upload = upload.header("authorization", &format!("Bearer {}", guarded.key("capped")));
    upload.body("m-1\nm-2\nm-3\nm-4\n").send().await.problem(403, "cap_exceeded");
    assert_eq!(guarded.house.vendors.calls(), 0);
    assert_eq!(guarded.get("cms", "/v1/deletions").await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_items_of_a_day_are_counted_over_restarts_and_plans_count_when_they_start() {
    let mut guarded = Guarded::start().await;
    assert_eq!(guarded.post("capped", &missing(3)).await.status, 200);
    let mut plan = missing(3);
    plan["dry_run"] = json!(true);
    let planned = guarded.post("capped", &plan).await;
    assert_eq!(planned.status, 200, "a plan deletes nothing: {planned:?}");
    guarded.house.restart().await;
    let refused = guarded.post("capped", &missing(3)).await;
    let problem = refused.problem(429, "daily_cap_exceeded");
    assert_eq!(problem["cap"], json!({"name": "max_items_per_day", "limit": 5, "left": 2}), "{problem}");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    guarded.verb("capped", &id_of(&planned), "start", &json!({})).await.problem(429, "daily_cap_exceeded");
    assert_eq!(guarded.post("capped", &missing(2)).await.status, 200, "what is left is left");
    assert_eq!(guarded.post("cms", &missing(3)).await.status, 200, "others have caps of their own");
}

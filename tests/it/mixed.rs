//! Deletions of many targets: over both vendors, with duplicates, in order.
//!
//! What a caller may rely on whatever the targets are: every position is
//! answered, equal targets are sent once, different targets on one asset run one
//! after another, and the status tells whether all of it is ok.

use serde_json::{Value, json};
use vodrm::providers::{alibaba::sandbox::seed as a, tencent::sandbox::seed as t};

use crate::harness::{ALIBABA, TENCENT, World};

#[tokio::test]
async fn one_deletion_spans_both_vendors_and_answers_every_position() {
    let world = World::by_default().await;
    let targets = json!([
        {"kind": "media", "id": a::normal(1)},
        {"kind": "media", "account": TENCENT, "id": t::video(1), "ref": "row-17"},
        {"kind": "media", "id": a::MISSING},
        {"kind": "media", "account": TENCENT, "id": t::MISSING},
        {"kind": "image", "id": a::IMAGE},
        {"kind": "source", "id": a::NO_TRANSCODE},
        {"kind": "snapshots", "account": TENCENT, "id": t::video(2), "all": true},
        {"kind": "media", "id": a::TRANSCODING},
    ]);
    let answer = world.post(&json!({"account": ALIBABA, "reason": "TICKET-1", "targets": targets})).await;
    assert_eq!(answer.status, 207);
    let wanted = ["deleted", "deleted", "absent", "absent", "deleted", "refused", "refused", "busy"];
    assert_eq!(answer.outcomes(), wanted);
    let counts = &answer.body["counts"];
    assert_eq!(
        ["total", "pending", "deleted", "absent", "refused", "busy"]
            .map(|name| counts[name].as_u64().unwrap()),
        [8, 0, 3, 2, 2, 1]
    );
    assert_eq!((&answer.body["ok"], &answer.body["reason"]), (&json!(false), &json!("TICKET-1")));
    assert_eq!(answer.nth(1)["ref"], "row-17");
    for (n, item) in answer.items().iter().enumerate() {
        assert_eq!(item["index"], n);
        assert_eq!(item["target"]["kind"], targets[n]["kind"]);
    }
    world.end().await;
}

#[tokio::test]
async fn equal_targets_are_sent_once_and_every_position_is_answered() {
    let world = World::by_default().await;
    let (video, file) = (a::normal(2), t::video(3));
    let jobs = [a::job(&a::normal(3), 0), a::job(&a::normal(3), 1)];
    let targets = json!([
        {"kind": "media", "id": video, "ref": "first"},
        {"kind": "media", "account": TENCENT, "id": file},
        {"kind": "media", "id": video, "ref": "second"},
        {"kind": "media", "account": TENCENT, "id": file},
        {"kind": "renditions", "id": a::normal(3), "job_ids": jobs},
        {"kind": "renditions", "id": a::normal(3), "job_ids": [jobs[1], jobs[0]]},
        {"kind": "media", "id": video},
    ]);
    let answer = world.post(&json!({"account": ALIBABA, "targets": targets})).await;
    assert_eq!((answer.status, answer.outcomes()), (200, vec!["deleted"; 7]), "{}", answer.body);
    let same: Vec<_> = answer.items().iter().map(|item| item["same_as"].as_u64()).collect();
    assert_eq!(same, [None, None, Some(0), Some(1), None, Some(4), Some(0)]);
    assert_eq!(answer.nth(2)["ref"], "second");
    let sent = world.at_alibaba("DeleteVideo");
    assert_eq!((sent.len(), &sent[0].ids), (1, &vec![video]));
    assert_eq!(world.at_tencent("DeleteMedia").len(), 1);
    assert_eq!(world.at_alibaba("DeleteStream").len(), 1);
    world.end().await;
}

#[tokio::test]
async fn different_targets_on_one_asset_run_in_the_order_given() {
    let world = World::by_default().await;
    let (video, file) = (a::normal(4), t::video(4));
    let targets = json!([
        {"kind": "snapshots", "id": video, "types": ["cover"]},
        {"kind": "renditions", "id": video, "definitions": ["HD"]},
        {"kind": "source", "id": video},
        {"kind": "media", "id": video},
        {"kind": "source", "id": video, "force": true},
        {"kind": "renditions", "account": TENCENT, "id": file, "definitions": [100_010]},
        {"kind": "source", "account": TENCENT, "id": file},
        {"kind": "media", "account": TENCENT, "id": file},
        {"kind": "renditions", "account": TENCENT, "id": file, "all": true},
    ]);
    let answer = world.post(&json!({"account": ALIBABA, "targets": targets})).await;
    let mut wanted = vec!["deleted"; 4];
    wanted.extend(["absent", "deleted", "deleted", "deleted", "absent"]);
    assert_eq!(answer.outcomes(), wanted, "{}", answer.body);
    let deletes: Vec<String> = world
        .alibaba()
        .ledger()
        .into_iter()
        .map(|row| row.action)
        .filter(|action| action.starts_with("Delete"))
        .collect();
    let order = ["DeleteImage", "DeleteStream", "DeleteMezzanines", "DeleteVideo", "DeleteMezzanines"];
    assert_eq!(deletes, order);
    world.end().await;
}

#[tokio::test]
async fn with_if_absent_error_a_missing_target_is_not_ok() {
    let world = World::by_default().await;
    let targets = json!([
        {"kind": "media", "id": a::MISSING},
        {"kind": "media", "id": a::normal(5)},
        {"kind": "media", "account": TENCENT, "id": t::MISSING},
    ]);
    let mut body = json!({"account": ALIBABA, "targets": targets, "if_absent": "error"});
    let answer = world.post(&body).await;
    assert_eq!((answer.status, answer.outcomes()), (207, vec!["absent", "deleted", "absent"]));
    assert_eq!((&answer.nth(0)["ok"], &answer.nth(0)["error"]["code"]), (&json!(false), &json!("absent")));
    body["if_absent"] = json!("ok");
    let answer = world.post(&body).await;
    assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(true)));
    world.end().await;
}

#[tokio::test]
async fn a_target_asked_for_by_two_deletions_at_once_ends_in_both() {
    let world = World::by_default().await;
    let path = format!("{ALIBABA}/media/{}", a::normal(6));
    let body = json!({"account": ALIBABA, "targets": [{"kind": "media", "id": a::normal(6)}]});
    let (one, two, three) = tokio::join!(world.delete(&path), world.delete(&path), world.post(&body));
    let told: Vec<&Value> = [one.item(), two.item(), three.nth(0)].map(|item| &item["outcome"]).to_vec();
    assert!(told.iter().all(|outcome| **outcome == "deleted" || **outcome == "absent"), "{told:?}");
    assert!(told.iter().any(|outcome| **outcome == "deleted"), "{told:?}");
    let effective = world.at_alibaba("DeleteVideo");
    assert_eq!(effective.iter().flat_map(|row| &row.effects).filter(|e| e.effective).count(), 1);
    world.end().await;
}

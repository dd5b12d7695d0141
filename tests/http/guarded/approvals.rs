//! A second person before a large delete.

use std::time::Duration;

use serde_json::json;
use vodrm::guard::policy::Policy;
use vodrm::types::target::Kind;

use super::{Guarded, id_of};
use crate::harness::{ALI, ali, media_body};

fn above(items: u64) -> Policy {
    Policy { approve_above: Some(items), ..Policy::default() }
}

#[tokio::test]
async fn a_large_deletion_waits_for_another_caller() {
    let guarded = Guarded::with(above(1)).await;
    let asked = guarded.post("cms", &media_body([ali::NORMAL, ali::MISSING])).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let (id, body) = (id_of(&asked), asked.json());
    assert_eq!((&body["state"], &body["counts"]["pending"]), (&json!("awaiting_approval"), &json!(2)));
    assert!(body["expires_at"].is_string() && body["started_at"].is_null(), "{body}");
    let digest = json!({"digest": body["digest"], "reason": "looked at it"});
    guarded.verb("cms", &id, "approve", &digest).await.problem(403, "scope");
    guarded.verb("lead", &id, "approve", &json!({})).await.problem(422, "invalid");
    let other = json!({"digest": "0".repeat(64)});
    guarded.verb("lead", &id, "approve", &other).await.problem(412, "digest_mismatch");
    assert_eq!(guarded.deletes(), 0, "nothing is sent before it is approved");
    let approved = guarded.verb("lead", &id, "approve", &digest).await;
    assert_eq!(approved.status, 200, "{approved:?}");
    assert_eq!(
        guarded.verb("lead", &id, "approve", &digest).await.status,
        200,
        "a second time changes nothing"
    );
    let ended = guarded.finished(&id).await;
    assert_eq!((&ended["counts"]["deleted"], &ended["counts"]["absent"]), (&json!(1), &json!(1)), "{ended}");
    let review = &ended["reviews"][0];
    assert_eq!((&review["action"], &review["by"]), (&json!("approved"), &json!("lead")), "{review}");
    assert_eq!(review["reason"], "looked at it");
}

#[tokio::test]
async fn nobody_approves_or_rejects_what_they_asked_for() {
    let guarded = Guarded::with(above(0)).await;
    let asked = guarded.post("second", &media_body([ali::NORMAL])).await;
    let (id, digest) = (id_of(&asked), json!({"digest": asked.json()["digest"]}));
    guarded.verb("second", &id, "approve", &digest).await.problem(403, "own_request");
    guarded.verb("second", &id, "reject", &digest).await.problem(403, "own_request");
    // Nor what they started, whoever planned it.
    let mut plan = media_body([ali::NORMAL]);
    plan["dry_run"] = json!(true);
    let planned = guarded.post("cms", &plan).await;
    let planned_id = id_of(&planned);
    let started = guarded.verb("second", &planned_id, "start", &json!({})).await;
    assert_eq!((started.status, &started.json()["state"]), (200, &json!("awaiting_approval")), "{started:?}");
    let digest = json!({"digest": started.json()["digest"]});
    guarded.verb("second", &planned_id, "approve", &digest).await.problem(403, "own_request");
    assert_eq!(guarded.deletes(), 0);
    assert_eq!(guarded.verb("lead", &planned_id, "approve", &digest).await.status, 200);
    assert_eq!(guarded.finished(&planned_id).await["counts"]["deleted"], 1);
}

#[tokio::test]
async fn a_rejected_deletion_is_never_sent() {
    let guarded = Guarded::with(above(0)).await;
    let id = id_of(&guarded.post("cms", &media_body([ali::NORMAL])).await);
    let rejected = guarded.verb("lead", &id, "reject", &json!({"reason": "wrong list"})).await;
    assert_eq!((rejected.status, &rejected.json()["state"]), (200, &json!("rejected")), "{rejected:?}");
    let body = rejected.json();
    assert_eq!((&body["counts"]["canceled"], &body["ok"]), (&json!(1), &json!(false)), "{body}");
    let digest = json!({"digest": body["digest"]});
    for verb in ["approve", "start"] {
        guarded.verb("second", &id, verb, &digest).await.problem(409, "wrong_state");
    }
    for verb in ["resume", "pause", "cancel", "retry"] {
        guarded.verb("cms", &id, verb, &json!({})).await.problem(409, "wrong_state");
    }
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn kinds_and_missing_reasons_ask_by_themselves() {
    let policy = Policy { approve_kinds: vec![Kind::Source], require_reason: true, ..Policy::default() };
    let guarded = Guarded::with(policy).await;
    let path = format!("/v1/accounts/{ALI}/media/{}/source", ali::NORMAL);
    let refused = guarded.call("cms", "DELETE", &path, None).await;
    refused.problem(422, "invalid");
    assert_eq!(refused.pointers(), ["#/reason"]);
    let asked = guarded.call("cms", "DELETE", &format!("{path}?reason=TICKET-1"), None).await;
    assert_eq!((asked.status, &asked.json()["state"]), (202, &json!("pending")), "{asked:?}");
    let media = format!("/v1/accounts/{ALI}/media/{}?reason=TICKET-1", ali::NORMAL);
    assert_eq!(guarded.call("cms", "DELETE", &media, None).await.status, 200, "media needs none");
}

#[tokio::test]
async fn a_request_for_approval_runs_out() {
    let policy = Policy { approval_valid_for: Duration::from_millis(50), ..above(0) };
    let guarded = Guarded::with(policy).await;
    let asked = guarded.post("cms", &media_body([ali::NORMAL])).await;
    let id = id_of(&asked);
    let is_over = |shown: &serde_json::Value| shown["state"] == "expired" && shown["finished_at"].is_string();
    let expired = guarded.until(&id, "the expiry", is_over).await;
    assert_eq!(expired["counts"]["canceled"], 1, "{expired}");
    let digest = json!({"digest": asked.json()["digest"]});
    guarded.verb("lead", &id, "approve", &digest).await.problem(409, "wrong_state");
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn an_upload_asks_by_the_number_of_its_lines() {
    let guarded = Guarded::with(above(2)).await;
    let path = format!("/v1/deletions?account={ALI}");
    let upload = |ids: &str| {
        let request = guarded.house.call("POST", &path).header("content-type", "text/plain");
        request.header("authorization", &format!("Bearer {}", guarded.key("cms"))).body(ids.to_owned())
    };
    let three = upload("missing-1\nmissing-2\nmissing-3\n").send().await;
    assert_eq!((three.status, &three.json()["state"]), (202, &json!("awaiting_approval")), "{three:?}");
    let two = upload("missing-1\nmissing-2\n").send().await;
    assert_ne!(two.json()["state"], "awaiting_approval");
    let digest = json!({"digest": three.json()["digest"]});
    assert_eq!(guarded.verb("lead", &id_of(&three), "approve", &digest).await.status, 200);
    assert_eq!(guarded.finished(&id_of(&three)).await["counts"]["absent"], 3);
}

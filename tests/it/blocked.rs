//! Faults of an account: items wait behind a closed gate and none is burnt.
//!
//! A key that no longer works, a service that is not activated, a suspended
//! account: whoever waits is told at once, whoever does not is accepted, and all
//! go on when the account works again. What may mean one asset or the whole
//! account closes one lane, and only after three different assets in a row.

use std::time::Duration;

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::seed as t;
use vodrm::sandbox::{Fault, FaultRule};

use crate::harness::{ALIBABA, TENCENT, World, copies, no_limits, of_ids};

fn error(code: &str) -> Fault {
    Fault::Error { status: None, code: code.to_owned(), message: None }
}

/// Makes the vendors refuse the key that the service signs with, or accept it again.
fn accept_key(world: &World, accepted: bool) {
    let secret = |right: &str| if accepted { right.to_owned() } else { "rotated".to_owned() };
    world.quirks(|quirks| quirks.access_key_secret = secret(a::ACCESS_KEY_SECRET));
    world.switches(|switches| {
        let key = switches.keys.get_mut(t::SECRET_ID).unwrap();
        key.secret_key = secret(t::SECRET_KEY);
    });
}

#[tokio::test]
async fn a_secret_rotated_under_a_running_job_fails_no_item() {
    let world = World::by_default().await;
    let videos = world.bulk(400);
    let files: Vec<String> = (0..48).map(t::video).collect();
    let of_videos = world.post_async(&of_ids(ALIBABA, "media", &videos)).await;
    let of_files = world.post_async(&of_ids(TENCENT, "media", &files)).await;
    world.alibaba().wait_for_calls(3).await;
    world.tencent().wait_for_calls(3).await;
    accept_key(&world, false);
    for (account, accepted, id) in
        [(ALIBABA, &of_videos, a::normal(1)), (TENCENT, &of_files, a::MISSING.to_owned())]
    {
        // Whoever waited is told; nothing more is sent.
        let told = world.get(&format!("{}?wait=60s", accepted.location())).await;
        assert_eq!(told.body["state"], "running", "{account}");
        let warning = told.body["warnings"][0].as_str().unwrap().to_owned();
        assert!(warning.contains("bad_credentials"), "{warning}");
        let view = world.account(account).await;
        assert_eq!((&view["state"], &view["reason"]), (&json!("blocked"), &json!("bad_credentials")));
        // Waiting is refused, and nothing of it is accepted; asking for later is accepted.
        let refused = world.delete(&format!("{account}/media/{id}")).await;
        assert_eq!((refused.status, &refused.body["code"]), (503, &json!("blocked")), "{}", refused.body);
        assert!(refused.headers.contains_key("retry-after") && refused.headers.get("location").is_none());
        let later = world.delete_async(&format!("{account}/media/{id}")).await;
        assert_eq!(later.status, 202, "{}", later.body);
        // The key is still wrong: the probe does not go through.
        assert_eq!(world.unblock(account).await["state"], "blocked");
        accept_key(&world, true);
        assert_eq!(world.unblock(account).await["state"], "ok");
        let finished = world.finished(accepted).await;
        let counts = &finished.body["counts"];
        assert_eq!(counts["deleted"], counts["total"], "{counts}");
        world.finished(&later).await;
        accept_key(&world, false);
    }
    world.end().await;
}

#[tokio::test]
async fn every_fault_of_an_account_is_named_and_burns_no_item() {
    let at_alibaba = [
        ("InvalidAccessKeyId.NotFound", "bad_credentials"),
        ("InvalidAccessKeyId.Inactive", "bad_credentials"),
        ("SignatureDoesNotMatch", "bad_credentials"),
        ("IncompleteSignature", "bad_credentials"),
        ("Forbidden.AccessKeyDisabled", "bad_credentials"),
        ("InvalidSecurityToken.Expired", "expired_credentials"),
        ("OperationDenied", "not_activated"),
        ("OperationDenied.Suspended", "suspended"),
    ];
    let at_tencent = [
        ("AuthFailure.SecretIdNotFound", "bad_credentials"),
        ("AuthFailure.SignatureFailure", "bad_credentials"),
        ("AuthFailure.TokenFailure", "expired_credentials"),
        ("AuthFailure.New", "bad_credentials"),
        ("FailedOperation.InvalidVodUser", "not_activated"),
        ("FailedOperation.UserStatusInavlid", "suspended"),
        ("InvalidParameterValue.SubAppId", "wrong_sub_application"),
        ("UnauthorizedOperation.SubAppId", "wrong_sub_application"),
    ];
    let mut names = Vec::new();
    let world = World::with(|settings, sandboxes| {
        names = [copies(settings, ALIBABA, 8), copies(settings, TENCENT, 8)].concat();
        no_limits(settings, sandboxes);
    })
    .await;
    let ids: Vec<String> = world.bulk(8).into_iter().chain((0..8).map(t::video)).collect();
    let codes: Vec<_> = at_alibaba.into_iter().chain(at_tencent).collect();
    let rule = |(id, (code, _)): (&String, &(&str, &str))| FaultRule::once(error(code)).for_id(id);
    world.alibaba().set_faults(ids.iter().zip(&codes).take(8).map(rule).collect()).unwrap();
    world.tencent().set_faults(ids.iter().zip(&codes).skip(8).map(rule).collect()).unwrap();
    for ((name, id), (code, reason)) in names.iter().zip(&ids).zip(&codes) {
        let answer = world.delete(&format!("{name}/media/{id}")).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("pending")), "{code}");
        let view = world.account(name).await;
        assert_eq!((&view["state"], &view["reason"]), (&json!("blocked"), &json!(reason)), "{code}");
        assert_eq!(world.unblock(name).await["state"], "ok", "{code}");
        let finished = world.finished(&answer).await;
        assert_eq!(finished.outcomes(), ["deleted"], "{code}: {}", finished.body);
        assert_eq!(finished.nth(0)["attempts"], 2, "{code}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_blocked_account_is_probed_once_a_minute_and_opens_by_itself() {
    let world = World::by_default().await;
    accept_key(&world, false);
    let accepted = world.delete(&format!("{ALIBABA}/media/{}", a::normal(1))).await;
    assert_eq!(accepted.status, 202);
    accept_key(&world, true);
    let before = world.at_alibaba("GetVideoInfos").len();
    world.clock.advance(Duration::from_secs(61));
    world
        .alibaba()
        .wait_until(|rows| rows.iter().filter(|row| row.action == "GetVideoInfos").count() > before)
        .await;
    let finished = world.finished(&accepted).await;
    assert_eq!(finished.outcomes(), ["deleted"]);
    assert_eq!(world.at_alibaba("DeleteVideo").len(), 2, "one refused, one done: items are no probes");
    world.end().await;
}

#[tokio::test]
async fn a_blocked_account_holds_up_no_other() {
    let mut names = Vec::new();
    let world = World::with(|settings, _| names = copies(settings, ALIBABA, 1)).await;
    let ids = world.bulk(2);
    let rule = FaultRule::once(error("OperationDenied.Suspended")).for_id(&ids[0]);
    world.alibaba().set_faults(vec![rule]).unwrap();
    let held = world.delete(&format!("{ALIBABA}/media/{}", ids[0])).await;
    assert_eq!(held.status, 202);
    world.delete(&format!("{}/media/{}", names[0], ids[1])).await.is_deleted();
    world.delete(&format!("{TENCENT}/media/{}", t::video(1))).await.is_deleted();
    let both = json!({"targets": [
        {"kind": "media", "account": TENCENT, "id": t::video(2)},
        {"kind": "media", "account": ALIBABA, "id": ids[1]},
    ]});
    let refused = world.post(&both).await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("blocked")));
    assert_eq!(world.at_tencent("DeleteMedia").len(), 1, "nothing of it was accepted");
    world.end().await;
}

/// Deletes one after the other; the outcomes.
async fn in_a_row(world: &World, account: &str, ids: &[String]) -> Vec<Value> {
    let mut told = Vec::new();
    for id in ids {
        told.push(world.delete(&format!("{account}/media/{id}")).await.item()["outcome"].clone());
    }
    told
}

#[tokio::test]
async fn three_different_items_forbidden_in_a_row_block_their_lane_and_no_other() {
    for (account, operation, code) in [
        (ALIBABA, "DeleteVideo", "Forbidden.RAM"),
        (ALIBABA, "DeleteVideo", "NoPermission"),
        (TENCENT, "DeleteMedia", "UnauthorizedOperation"),
    ] {
        let world = World::quick().await;
        let alibaba = account == ALIBABA;
        let sandbox = if alibaba { world.alibaba() } else { world.tencent() };
        let rules = |times| vec![FaultRule::once(error(code)).for_operation(operation).times(times)];
        let ids: Vec<String> = if alibaba { world.bulk(8) } else { (0..8).map(t::video).collect() };
        sandbox.set_faults(rules(4)).unwrap();
        // The same asset again is one asset; a success in between is a proof that the account works.
        let same = [ids[0].clone(), ids[0].clone(), ids[0].clone(), ids[1].clone()];
        assert_eq!(in_a_row(&world, account, &same).await, ["refused"; 4], "{code}");
        assert_eq!(in_a_row(&world, account, &ids[2..3]).await, ["deleted"], "{code}");
        sandbox.set_faults(rules(2)).unwrap();
        assert_eq!(in_a_row(&world, account, &ids[3..6]).await, ["refused", "refused", "deleted"], "{code}");
        assert_eq!(world.account(account).await["state"], "ok", "{code}");

        sandbox.set_faults(rules(3)).unwrap();
        let three = [ids[0].clone(), ids[1].clone(), ids[3].clone()];
        assert_eq!(in_a_row(&world, account, &three).await, ["refused"; 3], "{code}");
        let lane = world.lane(account, operation).await;
        assert_eq!((&lane["state"], &lane["reason"]), (&json!("blocked"), &json!("forbidden")), "{code}");
        let refused = world.delete(&format!("{account}/media/{}", ids[6])).await;
        assert_eq!(refused.status, 503, "{}", refused.body);
        if alibaba {
            // The account's other lanes work and are waited for as ever.
            world.delete(&format!("{account}/media/{}/source", ids[6])).await.is_deleted();
            let body = of_ids(account, "source", &[ids[7].as_str()]);
            assert_eq!(world.post(&body).await.outcomes(), ["deleted"]);
        }
        assert_eq!(world.unblock(account).await["state"], "ok", "{code}");
        world.delete(&format!("{account}/media/{}", ids[6])).await.is_deleted();
        world.end().await;
    }
}

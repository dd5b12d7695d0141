//! Keys and clocks: what a vendor wants to see before it looks at a delete.
//!
//! Temporary keys, the older signature, a key that is changed for another in its
//! file, a clock that is far off. The simulators verify every signature by their
//! own reading of the pages, so a deleted item proves that all of it was right.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::{WrongSubAppId, seed as t};
use vodrm::settings::{CredentialSettings, Settings};
use vodrm::types::secret::Credentials;

use crate::harness::{ALIBABA, TENCENT, World};

fn key(id: &str, secret: &str, token: Option<&str>) -> CredentialSettings {
    CredentialSettings::Fixed(Credentials {
        id: id.to_owned(),
        secret: secret.into(),
        token: token.map(Into::into),
    })
}

fn give(settings: &mut Settings, account: &str, credentials: &CredentialSettings) {
    let account = settings.accounts.iter_mut().find(|one| one.name.as_str() == account).unwrap();
    account.credentials = credentials.clone();
}

fn sign(settings: &mut Settings, signature: &str) {
    let account = settings.accounts.iter_mut().find(|one| one.name.as_str() == ALIBABA).unwrap();
    account.signature = Some(signature.to_owned());
}

/// One delete at each vendor, with a read before Tencent's.
async fn deletes_at_both(world: &World, n: u32) {
    world.delete(&format!("{ALIBABA}/media/{}", a::normal(n))).await.is_deleted();
    world
        .delete(&format!("{ALIBABA}/media/{}/renditions?definition=HD", a::normal(n + 1)))
        .await
        .is_deleted();
    world.delete(&format!("{TENCENT}/media/{}/source", t::video(n.into()))).await.is_deleted();
}

#[tokio::test]
async fn temporary_keys_delete_at_both_vendors_and_with_both_signatures() {
    for signature in ["v3", "v1"] {
        let world = World::with(|settings, _| {
            sign(settings, signature);
            give(settings, ALIBABA, &key(a::STS_KEY_ID, a::STS_SECRET, Some(a::STS_TOKEN)));
            let triple = key(t::TEMPORARY_SECRET_ID, t::TEMPORARY_SECRET_KEY, Some(t::TEMPORARY_TOKEN));
            give(settings, TENCENT, &triple);
        })
        .await;
        deletes_at_both(&world, 1).await;
        let calls = world.alibaba().ledger();
        assert!(calls.iter().all(|call| call.account.as_deref() == Some(a::STS_KEY_ID)));
        world.end().await;
    }
}

#[tokio::test]
async fn the_older_signature_deletes_every_kind() {
    let world = World::with(|settings, _| sign(settings, "v1")).await;
    deletes_at_both(&world, 1).await;
    for path in [
        format!("media/{}/source?force=true", a::normal(5)),
        format!("media/{}/snapshots?type=cover&type=sprite", a::normal(6)),
        format!("images/{}", a::IMAGE),
        format!("attached-media/{}", a::ATTACHED),
    ] {
        world.delete(&format!("{ALIBABA}/{path}")).await.is_deleted();
    }
    let url = json!({"kind": "image", "url": a::COMMA_IMAGE_URL.replace(',', "%2C")});
    let answer = world.post(&json!({"account": ALIBABA, "targets": [url]})).await;
    assert_eq!(answer.outcomes(), ["deleted"], "{}", answer.body);
    assert!(world.alibaba().ledger().iter().all(|call| call.scheme == "rpc-v1-hmac-sha1"));
    world.end().await;
}

#[tokio::test]
async fn a_vendor_that_checks_every_signed_header_is_satisfied() {
    let world = World::by_default().await;
    world.quirks(|quirks| quirks.strict_signed_headers = true);
    deletes_at_both(&world, 1).await;
    assert!(world.alibaba().ledger().iter().all(|call| call.scheme == "acs3-hmac-sha256"));
    world.end().await;
}

#[tokio::test]
async fn an_expired_token_blocks_the_account_and_burns_no_item() {
    let world = World::with(|settings, _| {
        let alibaba = key(a::EXPIRED_STS_KEY_ID, a::EXPIRED_STS_SECRET, Some(a::EXPIRED_STS_TOKEN));
        give(settings, ALIBABA, &alibaba);
        give(settings, TENCENT, &key(t::EXPIRED_SECRET_ID, t::EXPIRED_SECRET_KEY, Some(t::EXPIRED_TOKEN)));
    })
    .await;
    for path in [format!("{ALIBABA}/media/{}", a::NORMAL), format!("{TENCENT}/media/{}", t::video(1))] {
        let answer = world.delete(&path).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("pending")), "{}", answer.body);
        let account = path.split('/').next().unwrap();
        assert_eq!(world.account(account).await["reason"], "expired_credentials");
    }
    world.end().await;
}

fn write_key(path: &Path, id: &str, secret: &str) {
    std::fs::write(path, format!("id = {id:?}\nsecret = {secret:?}\n")).unwrap();
}

#[tokio::test]
async fn a_key_that_changed_in_its_file_is_picked_up_without_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let (at_alibaba, at_tencent) = (folder.path().join("alibaba.toml"), folder.path().join("tencent.toml"));
    write_key(&at_alibaba, a::ACCESS_KEY_ID, a::ACCESS_KEY_SECRET);
    write_key(&at_tencent, t::SECRET_ID, t::SECRET_KEY);
    let world = World::with(|settings, _| {
        give(settings, ALIBABA, &CredentialSettings::File(at_alibaba.clone()));
        give(settings, TENCENT, &CredentialSettings::File(at_tencent.clone()));
    })
    .await;
    deletes_at_both(&world, 1).await;
    world.quirks(|quirks| quirks.access_key_secret = "rotated-1".to_owned());
    world.switches(|switches| {
        switches.keys.get_mut(t::SECRET_ID).unwrap().secret_key = "rotated-2".to_owned();
    });
    write_key(&at_alibaba, a::ACCESS_KEY_ID, "rotated-1");
    write_key(&at_tencent, t::SECRET_ID, "rotated-2");
    for path in [format!("{ALIBABA}/media/{}", a::normal(9)), format!("{TENCENT}/media/{}", t::video(9))] {
        let answer = world.delete(&path).await;
        answer.is_deleted();
        assert_eq!(answer.item()["attempts"], 2, "signed again at once: {}", answer.body);
        let account = path.split('/').next().unwrap();
        assert_eq!(world.account(account).await["state"], "ok");
    }
    // Without a refusal the file is looked at again after ten seconds.
    world.quirks(|quirks| quirks.access_key_secret = "rotated-3".to_owned());
    write_key(&at_alibaba, a::ACCESS_KEY_ID, "rotated-3");
    world.clock.advance(Duration::from_secs(11));
    let answer = world.delete(&format!("{ALIBABA}/media/{}", a::normal(10))).await;
    assert_eq!(answer.item()["attempts"], 1, "{}", answer.body);
    world.end().await;
}

#[tokio::test]
async fn a_clock_that_is_twenty_minutes_off_costs_one_refused_call() {
    for minutes in [20, -20] {
        let world = World::by_default().await;
        for sandbox in [world.alibaba(), world.tencent()] {
            let mut options = sandbox.options();
            options.clock_offset_ms = minutes * 60_000;
            sandbox.set_options(options);
        }
        for (path, attempts) in [
            (format!("{ALIBABA}/media/{}", a::normal(1)), 2),
            (format!("{ALIBABA}/media/{}", a::normal(2)), 1),
            (format!("{TENCENT}/media/{}", t::video(1)), 2),
            (format!("{TENCENT}/media/{}", t::video(2)), 1),
        ] {
            let answer = world.delete(&path).await;
            answer.is_deleted();
            assert_eq!(answer.item()["attempts"], attempts, "{minutes} min: {}", answer.body);
            let account = path.split('/').next().unwrap();
            assert_eq!(world.account(account).await["state"], "ok");
        }
        world.end().await;
    }
}

#[tokio::test]
async fn a_sub_application_is_named_in_every_call_and_a_wrong_one_blocks_the_account() {
    let world = World::with(|settings, _| {
        let account = settings.accounts.iter_mut().find(|one| one.name.as_str() == TENCENT).unwrap();
        account.sub_app_id = Some(t::SUB_APP_OTHER);
    })
    .await;
    world.switches(|switches| switches.sub_app_id_mandatory = true);
    world.delete(&format!("{TENCENT}/media/{}", t::video(1))).await.is(200, "absent", None);
    world.delete(&format!("{TENCENT}/media/{}/source", t::IN_OTHER_APP)).await.is_deleted();
    world.delete(&format!("{TENCENT}/media/{}", t::IN_OTHER_APP)).await.is_deleted();
    world.end().await;

    let world = World::with(|settings, _| {
        let account = settings.accounts.iter_mut().find(|one| one.name.as_str() == TENCENT).unwrap();
        account.sub_app_id = Some(42);
    })
    .await;
    world.switches(|switches| switches.wrong_sub_app_id = WrongSubAppId::SubAppId);
    let answer = world.delete(&format!("{TENCENT}/media/{}", t::video(1))).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(world.account(TENCENT).await["reason"], "wrong_sub_application");
    world.end().await;
}

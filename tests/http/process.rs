//! The real binary: its commands, its end, its death, its journal.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::process::{Process, run, vodrm};
use crate::harness::{Vendors, ali, beside, client, media_target, soon};

type Environment = BTreeMap<&'static str, String>;

fn nothing() -> Environment {
    Environment::new()
}

/// Settings by variable, for a service that ends quickly.
fn quick() -> Environment {
    let quick = [("VODRM__SERVER__LISTEN", "127.0.0.1:0"), ("VODRM__SERVER__DRAIN_DELAY", "100ms")];
    quick.map(|(name, value)| (name, value.to_owned())).into()
}

/// A file with an account that reaches a simulator of this process.
fn config(directory: &std::path::Path, vendors: &Vendors) -> String {
    let path = directory.join("vodrm.toml");
    let toml = format!(
        "[accounts.media]\nprovider = \"alibaba\"\nendpoint = \"{}\"\n\
         credentials = {{ env = {{ id = \"KEY_ID\", secret = \"KEY_SECRET\" }} }}\nlimits.DeleteVideo.qps = 50\n\
         [retry]\ncool_down = \"10ms\"\n",
        vendors.both.alibaba.base_url()
    );
    std::fs::write(&path, toml).unwrap();
    path.display().to_string()
}

fn with_key(mut environment: Environment) -> Environment {
    environment.insert("KEY_ID", ali::ACCESS_KEY_ID.to_owned());
    environment.insert("KEY_SECRET", ali::ACCESS_KEY_SECRET.to_owned());
    environment
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn submit(process: &Process, account: &str, ids: impl Iterator<Item = String>) -> String {
    let targets: Vec<Value> = ids.map(|id| media_target(&id)).collect();
    let url = format!("http://{}/v1/deletions", process.address());
    let request = client().post(url).header("prefer", "respond-async");
    let answer = request.json(&json!({"account": account, "targets": targets})).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[tokio::test]
async fn sigterm_under_load_ends_in_order_and_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let process = vodrm(directory.path(), &["serve", "--sandbox"], &quick());
    for n in 0..5 {
        let ids = (0..200).map(|i| format!("missing-{n}-{i}"));
        submit(&process, "sandbox-alibaba", ids).await;
    }
    let waiting =
        client().delete(format!("http://{}/v1/accounts/sandbox-tencent/media/1?reason=x", process.address()));
    let waiting = beside(waiting.send());
    process.signal("-TERM");
    process.hear("the first step", |said| said.contains("no longer ready").then_some(()));
    let (status, said) = blocking(move || process.exit(Duration::from_secs(25))).await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("every call is recorded"), "{said}");
    // It was answered, or never taken.
    if let Ok(answer) = soon("an answer", waiting).await.unwrap() {
        assert!([200, 202, 503].contains(&answer.status().as_u16()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut environment = quick();
    environment.insert("VODRM__SERVER__DRAIN_DELAY", "20s".to_owned());
    let process = vodrm(directory.path(), &["serve", "--sandbox"], &environment);
    process.address();
    process.signal("-INT");
    process.hear("the first step", |said| said.contains("no longer ready").then_some(()));
    process.signal("-TERM");
    let (status, said) = blocking(move || process.exit(Duration::from_secs(10))).await;
    assert_eq!(status.code(), Some(0), "{said}");
}

#[tokio::test]
async fn what_was_accepted_survives_a_kill_and_is_finished() {
    let (directory, vendors) = (tempfile::tempdir().unwrap(), Vendors::start());
    let ids = || (1..=48).map(ali::normal).chain((1..=150).map(|n| format!("missing-{n}")));
    let file = config(directory.path(), &vendors);
    let (args, environment) = (["serve", "--config", file.as_str()], with_key(quick()));
    let process = vodrm(directory.path(), &args, &environment);
    let id = submit(&process, "media", ids()).await;
    vendors.both.alibaba.wait_for_calls(2).await;
    process.signal("-KILL");
    let (status, _) = blocking(move || process.exit(Duration::from_secs(5))).await;
    assert_eq!(status.code(), None, "it was killed");
    let process = vodrm(directory.path(), &args, &environment);
    let address = process.address();
    let ended = async {
        loop {
            let url = format!("http://{address}/v1/deletions/{id}?wait=20s");
            let shown: Value = client().get(url).send().await.unwrap().json().await.unwrap();
            if shown["state"] == "finished" {
                return shown;
            }
        }
    };
    let shown = soon("the end of the deletion", ended).await;
    let count = |outcome: &str| shown["counts"][outcome].as_u64().unwrap();
    assert_eq!(
        (count("deleted") + count("absent"), count("unknown"), count("failed")),
        (198, 0, 0),
        "{}",
        shown["counts"]
    );
    assert!((1..=48).all(|n| !vendors.both.alibaba_vod.has_video(&ali::normal(n))));
    let effects: usize =
        vendors.both.alibaba.ledger().iter().flat_map(|row| &row.effects).filter(|e| e.effective).count();
    assert_eq!(effects, 48, "each went once");
}

#[tokio::test]
async fn two_processes_do_not_share_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    let first = vodrm(directory.path(), &["serve", "--sandbox"], &quick());
    first.address();
    let path = directory.path().to_owned();
    let (code, said) = blocking(move || run(&path, &["serve", "--sandbox"], &quick())).await;
    assert_eq!(code, 1, "{said}");
    let line = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(line.contains("data/vodrm.db") && line.contains("store.url"), "{line}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value, wanted) in [
        (
            "VODRM__STORE__URL",
            "postgres://user:canary-pw@host/db",
            "error: store.url: postgres:// is not served yet",
        ),
        ("VODRM__STORE__URL", "sqlite://:memory:", "error: store.url: must be a file"),
        ("VODRM__SERVER__LISTENN", "x", "error: server.listenn"),
        ("VODRM__SERVER__LISTEN", "0.0.0.0:0", "error: server.listen: must be a loopback address"),
        ("VODRM__SERVER__LISTEN", "[::]:0", "error: server.listen: must be a loopback address"),
        ("VODRM__LOG__LEVEL", "loud", "error: log.level"),
        ("VODRM__RETENTION__FINISHED", "5m", "error: retention.finished"),
        ("VODRM__ACCOUNTS__A__PROVIDER", "amazon", "error: accounts.a.provider"),
        ("VODRM__CALLERS__A__MAY", "admin", "error: callers.a."),
    ] {
        for command in ["serve", "check"] {
            let (code, said) = run(directory.path(), &[command], &[(name, value.to_owned())].into());
            assert_eq!(code, 1, "{command} with {name}={value}: {said}");
            assert!(said.contains(wanted), "{wanted} is not in {said}");
            assert!(!said.contains("canary-pw"), "{said}");
        }
    }
    let (code, said) = run(directory.path(), &["serve", "--listen", "0.0.0.0:0", "--sandbox"], &nothing());
    assert!(code == 1 && said.contains("server.listen"), "{said}");
    let (code, said) = run(directory.path(), &["serve", "--config", "none.toml"], &nothing());
    assert!(code == 1 && said.contains("none.toml"), "{said}");
    assert!(!directory.path().join("data").exists(), "nothing was made");
}

#[tokio::test]
async fn a_sandbox_is_refused_beside_other_accounts_and_a_port_in_use_is_named() {
    let (directory, vendors) = (tempfile::tempdir().unwrap(), Vendors::start());
    let file = config(directory.path(), &vendors);
    let path = directory.path().to_owned();
    let listen = vendors.both.alibaba.addr().to_string();
    blocking(move || {
        let (code, said) = run(&path, &["serve", "--sandbox", "--config", &file], &with_key(quick()));
        assert!(code == 1 && said.contains("error: accounts.media: --sandbox is refused"), "{said}");
        let (code, said) = run(&path, &["serve", "--sandbox", "--listen", &listen], &nothing());
        assert!(code == 1 && said.contains("error: server.listen: cannot listen on"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn commands_end_with_the_code_that_they_promise() {
    let (directory, vendors) = (tempfile::tempdir().unwrap(), Vendors::start());
    let file = config(directory.path(), &vendors);
    let process = vodrm(directory.path(), &["serve", "--sandbox"], &quick());
    let url = format!("http://{}", process.address());
    let path = directory.path().to_owned();
    blocking(move || {
        let code = |args: &[&str], environment: &Environment| run(&path, args, environment);
        let (checked, said) = code(&["check", "--config", &file], &with_key(nothing()));
        assert!(checked == 0 && said.contains("account media"), "{said}");
        let (checked, said) = code(&["check", "--config", &file], &nothing());
        assert!(checked == 1 && said.contains("accounts.media.credentials"), "{said}");
        let (made, said) = code(&["key", "new", "cms"], &nothing());
        assert!(made == 0 && said.starts_with("vodrm_") && said.contains("[callers.cms]"), "{said}");
        assert_eq!(code(&["key", "new", "a b"], &nothing()).0, 2);
        assert_eq!(code(&["openapi"], &nothing()), (0, vodrm::api::docs::OPENAPI_YAML.to_owned()));
        assert_eq!(code(&["health", "--url", &url], &nothing()).0, 0);
        let (health, said) = code(&["health", "--url", "http://127.0.0.1:1"], &nothing());
        assert!(health == 1 && said.contains("error: "), "{said}");
        assert_eq!(code(&["--version"], &nothing()).0, 0);
        assert_eq!(code(&["delete-everything"], &nothing()).0, 2);
        assert_eq!(code(&[], &nothing()).0, 2);
    })
    .await;
    process.signal("-TERM");
    assert_eq!(blocking(move || process.exit(Duration::from_secs(25))).await.0.code(), Some(0));
}

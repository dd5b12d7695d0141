//! Secrets come out nowhere: not in answers, logs, metrics or the journal.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use crate::harness::process::vodrm;
use crate::harness::{Fault, FaultRule, Vendors, ali, client, media_target, new_key, ten};

/// What must not be seen, also in the forms in which it could slip out.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    let percent =
        percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let reversed: String = secret.chars().rev().collect();
    [secret.to_owned(), encode(secret.as_bytes()), percent, hex::encode(secret), reversed]
        .map(String::into_bytes)
        .into()
}

fn holds(text: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| text.windows(form.len()).any(|window| window == form))
}

#[tokio::test]
async fn no_secret_is_seen_anywhere() {
    let (directory, vendors) = (tempfile::tempdir().unwrap(), Vendors::start());
    let (key, digest) = new_key();
    let (wrong_key, _) = new_key();
    let toml = format!(
        "[log]\nlevel = \"trace\"\nformat = \"json\"\n[server]\nlisten = \"127.0.0.1:0\"\ndrain_delay = \"0s\"\n\
         [retry]\nmax_attempts = 1\ncool_down = \"0s\"\n\
         [accounts.good]\nprovider = \"alibaba\"\nendpoint = \"{ali}\"\n\
         credentials = {{ env = {{ id = \"STS_ID\", secret = \"STS_SECRET\", token = \"STS_TOKEN\" }} }}\n\
         [accounts.old]\nprovider = \"alibaba\"\nendpoint = \"{ali}\"\nsignature = \"v1\"\n\
         credentials = {{ env = {{ id = \"ID\", secret = \"SECRET\" }} }}\n\
         [accounts.bad]\nprovider = \"alibaba\"\nendpoint = \"{ali}\"\n\
         credentials = {{ env = {{ id = \"ID\", secret = \"WRONG\" }} }}\n\
         [accounts.ten]\nprovider = \"tencent\"\nendpoint = \"{ten}\"\n\
         credentials = {{ file = \"tencent.toml\" }}\n\
         [accounts.stranger]\nprovider = \"tencent\"\nendpoint = \"{ten}\"\n\
         credentials = {{ env = {{ id = \"STRANGE\", secret = \"WRONG\", token = \"STRANGE_TOKEN\" }} }}\n\
         [callers.cms]\nkey_sha256 = \"{digest}\"\naccounts = [\"*\"]\nmay = [\"read\", \"delete\"]\n",
        ali = vendors.both.alibaba.base_url(),
        ten = vendors.both.tencent.base_url(),
    );
    std::fs::write(directory.path().join("vodrm.toml"), toml).unwrap();
    let file = format!("id = \"{}\"\nsecret = \"{}\"\n", ten::SECRET_ID, ten::SECRET_KEY);
    std::fs::write(directory.path().join("tencent.toml"), file).unwrap();
    let environment: BTreeMap<&str, String> = [
        ("STS_ID", ali::STS_KEY_ID),
        ("STS_SECRET", ali::STS_SECRET),
        ("STS_TOKEN", ali::STS_TOKEN),
        ("ID", ali::ACCESS_KEY_ID),
        ("SECRET", ali::ACCESS_KEY_SECRET),
        ("WRONG", "canary-wrong-secret-17"),
        ("STRANGE", "AKIDcanaryStranger0017"),
        ("STRANGE_TOKEN", "canary-strange-token-17"),
        ("UNRELATED", "canary-unrelated-variable"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    let process = vodrm(directory.path(), &["serve", "--config", "vodrm.toml"], &environment);
    let base = format!("http://{}", process.address());
    let client = client();
    let mut seen = Vec::new();
    let mut ask = async |method: &str, path: &str, key: &str, body: Option<Value>| {
        let request = client.request(method.parse().unwrap(), format!("{base}{path}")).bearer_auth(key);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        seen.extend(format!("{:?}", answer.headers()).into_bytes());
        let status = answer.status().as_u16();
        seen.extend(answer.bytes().await.unwrap());
        status
    };
    for account in ["good", "old", "bad", "ten", "stranger"] {
        let id = if account == "ten" || account == "stranger" { ten::video(1) } else { ali::normal(1) };
        ask("GET", &format!("/v1/accounts/{account}/media/{id}"), &key, None).await;
        ask("DELETE", &format!("/v1/accounts/{account}/media/{id}"), &key, None).await;
        ask("POST", &format!("/v1/accounts/{account}/unblock"), &key, None).await;
    }
    for fault in [
        Fault::Html { after_effect: false },
        Fault::Garbage { after_effect: true },
        Fault::Reset { after_effect: true },
        Fault::HttpError { status: 503, after_effect: false },
        Fault::Error { status: Some(400), code: "Invented.Code".into(), message: None },
    ] {
        for sandbox in [&vendors.both.alibaba, &vendors.both.tencent] {
            sandbox.set_faults(vec![FaultRule { times: 2, ..FaultRule::always(fault.clone()) }]).unwrap();
        }
        let targets =
            json!([media_target(&ali::normal(2)), {"kind": "media", "account": "ten", "id": ten::video(2)}]);
        let body = json!({"account": "good", "targets": targets});
        ask("POST", "/v1/deletions", &key, Some(body)).await;
    }
    assert_eq!(ask("GET", "/v1/accounts", &wrong_key, None).await, 401);
    assert_eq!(ask("GET", "/v1/accounts", ali::ACCESS_KEY_SECRET, None).await, 401);
    assert_eq!(ask("POST", "/v1/deletions", &key, Some(json!({"account": "nobody"}))).await, 422);
    for path in ["/v1/deletions", "/v1/accounts", "/metrics", "/openapi.yaml", "/readyz", "/docs/", "/none"] {
        ask("GET", path, &key, None).await;
    }
    process.signal("-TERM");
    let (status, said) =
        tokio::task::spawn_blocking(move || process.exit(Duration::from_secs(25))).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(said.contains(r#""level":"TRACE""#), "everything is said, so that this means something");
    let mut journal = Vec::new();
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        journal.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(journal.len() > 10_000 && seen.len() > 10_000);
    for (name, secret) in [
        ("the caller's key", key.as_str()),
        ("a wrong key", &wrong_key),
        ("the key's digest", &digest),
        ("a secret", ali::ACCESS_KEY_SECRET),
        ("a temporary secret", ali::STS_SECRET),
        ("a token", ali::STS_TOKEN),
        ("a secret of a file", ten::SECRET_KEY),
        ("a key id", ali::ACCESS_KEY_ID),
        ("a key id of a file", ten::SECRET_ID),
        ("a temporary key id", ali::STS_KEY_ID),
        ("a wrong secret", "canary-wrong-secret-17"),
        ("a strange key id", "AKIDcanaryStranger0017"),
        ("a strange token", "canary-strange-token-17"),
        ("a variable that is not ours", "canary-unrelated-variable"),
    ] {
        assert!(!holds(&seen, secret), "{name} is in an answer");
        assert!(!holds(&journal, secret), "{name} is in the journal");
        let line = said.lines().find(|line| holds(line.as_bytes(), secret));
        assert!(line.is_none(), "{name} is in the log: {line:?}");
    }
}

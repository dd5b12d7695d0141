//! The running service, at trace level, along every path that goes wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use super::echo::Echo;
use super::issuer::{ISSUER, Signer};
use super::report;
use super::search::{Place, Secret, leaks};
use crate::harness::process::{Process, run, vodrm};
use crate::harness::raw::Raw;
use crate::harness::{Fault, FaultRule, Vendors, ali, client, media_target, new_key, ten};

const WRONG_SECRET: &str = "canary-wrong/secret+17";
const STRANGE_ID: &str = "AKIDcanaryStranger0017";
const STRANGE_TOKEN: &str = "canary-strange/token+17==";
const UNRELATED: &str = "canary-unrelated-variable-17";
const PROXY_PASSWORD: &str = "canary-proxy-password-17";
const CLAIM: &str = "canary-claim-17@example.com";

/// What the environment holds besides settings.
fn environment() -> BTreeMap<&'static str, String> {
    [
        ("STS_ID", ali::STS_KEY_ID),
        ("STS_SECRET", ali::STS_SECRET),
        ("STS_TOKEN", ali::STS_TOKEN),
        ("ID", ali::ACCESS_KEY_ID),
        ("SECRET", ali::ACCESS_KEY_SECRET),
        ("WRONG", WRONG_SECRET),
        ("STRANGE", STRANGE_ID),
        ("STRANGE_TOKEN", STRANGE_TOKEN),
        ("UNRELATED", UNRELATED),
        ("DATABASE_URL", "postgres://vodrm:canary-database-password-17@db/vodrm"),
        // A proxy that somebody set for other programs is not used; its password is in every request to it.
        ("HTTPS_PROXY", "http://proxy:canary-proxy-password-17@127.0.0.1:9"),
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "full"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn settings(vendors: &Vendors, echo: &Echo, digest: &str) -> String {
    let mut toml = format!(
        "[log]\nlevel = \"trace\"\nformat = \"json\"\n[server]\nlisten = \"127.0.0.1:0\"\ndrain_delay = \"0s\"\n\
         header_timeout = \"500ms\"\nbody_timeout = \"300ms\"\n\
         [retry]\nmax_attempts = 1\ncool_down = \"0s\"\n\
         [issuers.corp]\nissuer = \"{ISSUER}\"\naudience = \"vodrm\"\njwks = \"jwks.json\"\nalgorithms = [\"ES256\"]\n\
         [callers.cms]\nkey_sha256 = \"{digest}\"\nissuer = \"corp\"\naccounts = [\"*\"]\nmay = [\"read\", \"delete\"]\n\
         [callers.reader]\nissuer = \"corp\"\naccounts = [\"good\"]\nmay = [\"read\"]\n"
    );
    let (ali, ten) = (vendors.both.alibaba.base_url(), vendors.both.tencent.base_url());
    let echo = format!("http://{}", echo.addr);
    let sts = "env = { id = \"STS_ID\", secret = \"STS_SECRET\", token = \"STS_TOKEN\" }";
    let plain = "env = { id = \"ID\", secret = \"SECRET\" }";
    let strange = "env = { id = \"STRANGE\", secret = \"WRONG\", token = \"STRANGE_TOKEN\" }";
    for (name, provider, endpoint, more, credentials) in [
        ("good", "alibaba", &ali, "", sts),
        ("old", "alibaba", &ali, "signature = \"v1\"\n", plain),
        ("bad", "alibaba", &ali, "", "env = { id = \"ID\", secret = \"WRONG\" }"),
        ("ten", "tencent", &ten, "", "file = \"tencent.toml\""),
        ("stranger", "tencent", &ten, "", strange),
        ("echo-v3", "alibaba", &echo, "", sts),
        ("echo-v1", "alibaba", &echo, "signature = \"v1\"\n", plain),
        ("echo-ten", "tencent", &echo, "", "file = \"tencent.toml\""),
        ("gone", "alibaba", &"http://127.0.0.1:1".to_owned(), "", plain),
        ("tls", "tencent", &"https://127.0.0.1:1".to_owned(), "", strange),
    ] {
        let section = format!(
            "[accounts.{name}]\nprovider = \"{provider}\"\nendpoint = \"{endpoint}\"\n{more}credentials = {{ {credentials} }}\n"
        );
        toml.push_str(&section);
    }
    toml
}

/// Whoever asks, and everything that came back.
struct Asker {
    base: String,
    client: reqwest::Client,
    seen: Vec<u8>,
}

impl Asker {
    async fn ask(&mut self, method: &str, path: &str, authorization: &str, body: Option<Value>) -> u16 {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        // What is not settled by then is settled without anybody waiting.
        let request = request.header("authorization", authorization).header("prefer", "wait=1");
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        self.seen.extend(format!("{:?}", answer.headers()).into_bytes());
        let status = answer.status().as_u16();
        self.seen.extend(answer.bytes().await.unwrap());
        status
    }
}

/// Everything that a vendor can do wrong, and an error that tells all.
fn vendor_faults() -> Vec<Fault> {
    let told = format!(
        "Specified signature is not matched. AccessKeyId={} Signature=canary-told-signature+17= Secret={}",
        ali::ACCESS_KEY_ID,
        ali::ACCESS_KEY_SECRET
    );
    let error =
        |code: &str| Fault::Error { status: Some(400), code: code.into(), message: Some(told.clone()) };
    vec![
        Fault::Html { after_effect: false },
        Fault::Garbage { after_effect: true },
        Fault::Reset { after_effect: true },
        Fault::Empty { after_effect: false },
        Fault::Cut { at_byte: 10, after_effect: true },
        Fault::Huge { bytes: 2_000_000, after_effect: false },
        Fault::Redirect { location: "http://127.0.0.1:1/".into(), after_effect: false },
        Fault::HttpError { status: 500, after_effect: false },
        Fault::HttpError { status: 503, after_effect: true },
        Fault::WrongContentType {},
        Fault::Throttle { code: None, retry_after_ms: Some(1) },
        Fault::Says { status: 500, body: told.clone(), after_effect: false },
        Fault::Says {
            status: 200,
            body: json!({"Message": told, "Code": "X"}).to_string(),
            after_effect: true,
        },
        Fault::ErrorAfter { status: Some(500), code: "InternalError".into(), message: Some(told.clone()) },
        error("Invented.Code"),
        error("InternalError"),
        error("InvalidParameter"),
        error("SignatureDoesNotMatch"),
        error("AuthFailure.SignatureFailure"),
        error("InvalidAccessKeyId.NotFound"),
        error("Forbidden.RAM"),
        error("UnauthorizedOperation"),
    ]
}

/// Requests that no client would make, with a key in them.
async fn tricks(addr: std::net::SocketAddr, key: &str, seen: &mut Vec<u8>) {
    for request in [
        format!(
            "GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nauthorization: Bearer {key}\r\n\r\n"
        ),
        format!("GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n\r\n"),
        format!("GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nbad header\r\n\r\n"),
        format!("GET /v1/accounts HTTP/1.1\r\nauthorization: Bearer {key}\r\n\r\n"),
        format!(
            "GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nx: {}\r\n\r\n",
            "x".repeat(64_000)
        ),
        format!(
            "POST /v1/deletions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
        ),
        format!("GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}"),
    ] {
        let mut raw = Raw::open(addr).await;
        raw.send(request).await;
        seen.extend(raw.closed().await);
    }
}

/// Every file below a folder.
fn files(folder: &Path, name: &str) -> Vec<Place> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| Place::new(format!("{name} {}", path.display()), std::fs::read(&path).unwrap()))
        .collect()
}

async fn ended(process: Process) -> String {
    process.signal("-TERM");
    let (status, said) =
        tokio::task::spawn_blocking(move || process.exit(Duration::from_secs(25))).await.unwrap();
    assert_eq!(status.code(), Some(0));
    said
}

#[tokio::test]
async fn no_secret_is_seen_anywhere() {
    let (directory, vendors, echo) = (tempfile::tempdir().unwrap(), Vendors::start(), Echo::start().await);
    let folder = directory.path();
    let ((key, digest), (wrong_key, _)) = (new_key(), new_key());
    let (signer, stranger) = (Signer::new("one"), Signer::new("two"));
    std::fs::write(folder.join("vodrm.toml"), settings(&vendors, &echo, &digest)).unwrap();
    let file = format!("id = \"{}\"\nsecret = \"{}\"\n", ten::SECRET_ID, ten::SECRET_KEY);
    std::fs::write(folder.join("tencent.toml"), file).unwrap();
    std::fs::write(folder.join("jwks.json"), signer.jwks().to_string()).unwrap();
    let environment = environment();
    let process = vodrm(folder, &["serve", "--config", "vodrm.toml"], &environment);
    let addr = process.address();
    let mut asker = Asker { base: format!("http://{addr}"), client: client(), seen: Vec::new() };
    let bearer = format!("Bearer {key}");

    // Every account, good or not, by each way to the vendor.
    let accounts = ["good", "old", "bad", "ten", "stranger", "echo-v3", "echo-v1", "echo-ten", "gone", "tls"];
    for account in accounts {
        let id =
            if account.contains("ten") || account == "stranger" { ten::video(1) } else { ali::normal(1) };
        let path = format!("/v1/accounts/{account}/media/{id}");
        asker.ask("GET", &path, &bearer, None).await;
        asker.ask("DELETE", &path, &bearer, None).await;
        asker.ask("DELETE", &format!("{path}/source?force=true"), &bearer, None).await;
        asker.ask("POST", &format!("/v1/accounts/{account}/unblock"), &bearer, None).await;
        asker.ask("GET", &format!("/v1/accounts/{account}"), &bearer, None).await;
    }
    for fault in vendor_faults() {
        for sandbox in [&vendors.both.alibaba, &vendors.both.tencent] {
            sandbox.set_faults(vec![FaultRule { times: 2, ..FaultRule::always(fault.clone()) }]).unwrap();
        }
        let targets =
            json!([media_target(&ali::normal(2)), {"kind": "media", "account": "ten", "id": ten::video(2)}]);
        let body = json!({"account": "good", "targets": targets});
        asker.ask("POST", "/v1/deletions", &bearer, Some(body)).await;
        for account in ["good", "ten"] {
            asker.ask("POST", &format!("/v1/accounts/{account}/unblock"), &bearer, None).await;
        }
    }
    asker.ask("GET", "/v1/deletions?page_size=1000", &bearer, None).await;
    asker.ask("GET", "/v1/items?account=good&id=x", &bearer, None).await;
    asker.ask("GET", "/v1/audit", &bearer, None).await;

    // Tokens: good, for another, expired, of a stranger, changed, without a signature.
    let good = signer.token("cms", 600, CLAIM);
    assert_eq!(asker.ask("GET", "/v1/accounts", &format!("Bearer {good}"), None).await, 200, "it is good");
    let (head, signature) = good.rsplit_once('.').unwrap();
    let unsigned = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let reader = signer.token("reader", 600, CLAIM);
    let tokens = [
        signer.token("cms", -600, CLAIM),
        stranger.token("cms", 600, CLAIM),
        signer.token("nobody", 600, CLAIM),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        format!("{unsigned}.{}.", head.split_once('.').unwrap().1),
    ];
    for token in &tokens {
        assert_eq!(asker.ask("GET", "/v1/accounts", &format!("Bearer {token}"), None).await, 401);
    }
    let denied = format!("/v1/accounts/good/media/{}", ali::normal(3));
    assert_eq!(asker.ask("DELETE", &denied, &format!("Bearer {reader}"), None).await, 403);

    // Keys: wrong, in other schemes, in other places.
    assert_eq!(asker.ask("GET", "/v1/accounts", &format!("Bearer {wrong_key}"), None).await, 401);
    for authorization in [
        format!("Bearer {}", ali::ACCESS_KEY_SECRET),
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("cms:{wrong_key}"))),
        format!("bearer{wrong_key}"),
    ] {
        assert!([401, 429].contains(&asker.ask("GET", "/v1/accounts", &authorization, None).await));
    }
    assert_eq!(asker.ask("GET", &format!("/v1/accounts?access_token={key}"), &bearer, None).await, 400);
    assert_eq!(asker.ask("POST", "/v1/deletions", &bearer, Some(json!({"account": "nobody"}))).await, 422);
    for path in ["/v1/accounts", "/metrics", "/openapi.yaml", "/readyz", "/docs/", "/none"] {
        asker.ask("GET", path, &bearer, None).await;
    }
    let mut seen = std::mem::take(&mut asker.seen);
    tricks(addr, &key, &mut seen).await;

    // The key file breaks while it is in use.
    std::fs::write(folder.join("tencent.toml"), format!("id = x\nsecret = {}\n", ten::SECRET_KEY)).unwrap();
    let broken = Fault::Error { status: None, code: "AuthFailure.SecretIdNotFound".into(), message: None };
    vendors.both.tencent.set_faults(vec![FaultRule::always(broken)]).unwrap();
    asker.ask("DELETE", &format!("/v1/accounts/ten/media/{}", ten::video(5)), &bearer, None).await;
    seen.extend(std::mem::take(&mut asker.seen));

    // The log of changes lies beside the journal while it runs.
    let mut places = files(&folder.join("data"), "the running journal");
    assert!(places.iter().any(|place| place.name.ends_with("-wal")), "{:?}", places.len());
    let at = folder.to_owned();
    let outputs = {
        let environment = environment.clone();
        tokio::task::spawn_blocking(move || {
            [
                ["backup", "--to", "copy.db", "--config", "vodrm.toml"].as_slice(),
                &["fsck", "copy.db"],
                &["audit", "verify", "copy.db"],
                &["fsck", "vodrm.toml"],
                &["check", "--config", "vodrm.toml"],
            ]
            .map(|args| Place::new(args.join(" "), run(&at, args, &environment).1))
        })
    };
    places.extend(outputs.await.unwrap());
    let said = ended(process).await;
    assert!(said.contains(r#""level":"TRACE""#), "everything is said, so that this means something");
    assert!(said.contains("hyper") && said.contains("rustls"), "by everybody");
    places.extend(files(&folder.join("data"), "the journal"));
    places.push(Place::new("the copy", std::fs::read(folder.join("copy.db")).unwrap()));
    places.push(Place::new("an answer", seen));
    places.push(Place::new("the log", said));
    let bytes: usize = places.iter().map(|place| place.text.len()).sum();

    let signatures = echo.signatures();
    assert!(signatures.len() >= 3, "each scheme was seen: {}", signatures.len());
    let mut secrets: Vec<Secret> = [
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
        ("a wrong secret", WRONG_SECRET),
        ("a strange key id", STRANGE_ID),
        ("a strange token", STRANGE_TOKEN),
        ("a variable that is not ours", UNRELATED),
        ("a database's password", "canary-database-password-17"),
        ("a proxy's password", PROXY_PASSWORD),
        ("a claim", CLAIM),
        ("a signature that a vendor told", "canary-told-signature+17="),
    ]
    .map(|(name, secret)| Secret::new(name, secret))
    .into();
    for token in tokens.iter().chain([&good, &reader]) {
        let parts = token.split('.').skip(1).filter(|part| part.len() > 8);
        secrets.extend(parts.map(|part| Secret::new("a part of a token", part)));
    }
    secrets.extend(signatures.iter().map(|signature| Secret::new("a signature", signature)));
    let found = leaks(&secrets, &places);
    assert!(found.is_empty(), "{found:#?}");
    let forms: usize = secrets.iter().map(Secret::forms).sum();
    report(
        "service",
        json!({"secrets": secrets.len(), "signatures": signatures.len(), "forms": forms, "places": places.len(),
            "bytes": bytes, "searches": forms * places.len(), "leaks": found.len()}),
    );
}

//! Issuers that come, rotate and go, over real sockets and a clock that is moved by hand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::guard::jwt::testing::{Signer, key_set};
use crate::guard::jwt::{Issuer, Proven, Refused};
use crate::types::clock::ManualClock;

const NOW: i64 = 1_800_000_000;

/// What an issuer answers, and how often it was asked.
#[derive(Debug, Clone)]
struct Idp {
    answer: Arc<Mutex<(StatusCode, Vec<u8>)>>,
    asked: Arc<AtomicUsize>,
    addr: SocketAddr,
}

impl Idp {
    async fn start(body: Vec<u8>) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let answer = Arc::new(Mutex::new((StatusCode::OK, body)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let route = get(move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            let (status, body) = told.lock().unwrap().clone();
            (status, [("location", "/elsewhere")], body)
        });
        // Who follows the redirect is counted twice.
        let count = Arc::clone(&asked);
        let elsewhere = get(move || async move { count.fetch_add(1, Ordering::SeqCst).to_string() });
        let app = Router::new().route("/jwks", route).route("/elsewhere", elsewhere);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
        Self { answer, asked, addr }
    }

    fn says(&self, status: u16, body: Vec<u8>) {
        *self.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), body);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn place(&self) -> KeysAt {
        KeysAt::Url(Url::parse(&format!("http://{}/jwks", self.addr)).unwrap())
    }
}

struct House {
    issuers: Issuers,
    clock: Arc<ManualClock>,
    stop: CancellationToken,
}

impl House {
    async fn start(keys: KeysAt) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let clock = ManualClock::at(Timestamp::from_second(NOW).unwrap());
        let issuer = Issuer {
            name: "corp".into(),
            issuer: "https://id.example.com".into(),
            audience: "vodrm".into(),
            algorithms: vec![Algorithm::ES256],
            caller_claim: "sub".into(),
        };
        let stop = CancellationToken::new();
        let settings = [IssuerSettings { issuer, keys }];
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let issuers = start(&settings, &time, &TaskTracker::new(), &stop).await.unwrap();
        Self { issuers, clock, stop }
    }

    async fn check(&self, token: &str) -> Result<Proven, Refused> {
        self.issuers.check(token).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Good for a week, so that only keys age here.
fn token(signer: &Signer) -> String {
    let exp = NOW + 7 * 24 * 3600;
    signer.sign(&json!({"iss": "https://id.example.com", "aud": "vodrm", "sub": "cms", "exp": exp}))
}

/// Whether a check says that it is this caller.
fn is_good(checked: &Result<Proven, Refused>) -> bool {
    let wanted = Proven { issuer: "corp".into(), caller: "cms".into() };
    checked.as_ref().is_ok_and(|proven| *proven == wanted)
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_not_more_often() {
    let [old, new, never] = ["old", "new", "never"].map(|id| Signer::new(id, Algorithm::ES256));
    let idp = Idp::start(key_set([&old])).await;
    let house = House::start(idp.place()).await;
    assert!(is_good(&house.check(&token(&old)).await));
    assert_eq!(idp.asked(), 1);
    idp.says(200, key_set([&old, &new]));
    // Many at once, one look.
    let (new, old) = (token(&new), token(&old));
    let many = futures_util::future::join_all((0..20).map(|_| house.check(&new))).await;
    assert!(many.iter().all(is_good), "{many:?}");
    assert_eq!(idp.asked(), 2);
    // Who names keys that are not there makes nobody fetch.
    let never = token(&never);
    for _ in 0..10 {
        assert_eq!(house.check(&never).await, Err(Refused::NotValid));
    }
    assert_eq!(idp.asked(), 2);
    house.clock.advance(LOOK_AGAIN);
    assert_eq!(house.check(&never).await, Err(Refused::NotValid));
    assert_eq!(idp.asked(), 3);
    assert!(is_good(&house.check(&old).await));
}

#[tokio::test]
async fn a_withdrawn_key_is_gone_after_the_next_look() {
    let [old, new] = ["old", "new"].map(|id| Signer::new(id, Algorithm::ES256));
    let idp = Idp::start(key_set([&old])).await;
    let house = House::start(idp.place()).await;
    assert!(is_good(&house.check(&token(&old)).await));
    idp.says(200, key_set([&new]));
    house.clock.advance(REFRESH);
    // The loop looks by itself; what it has found shows in what the old key is worth.
    while is_good(&house.check(&token(&old)).await) {
        tokio::task::yield_now().await;
    }
    assert!(is_good(&house.check(&token(&new)).await));
}

#[tokio::test]
async fn an_issuer_that_is_down_is_believed_for_a_day() {
    let signer = Signer::new("k", Algorithm::ES256);
    let idp = Idp::start(key_set([&signer])).await;
    let house = House::start(idp.place()).await;
    for broken in [
        (500, b"{}".to_vec()),
        (302, key_set([&signer])),
        (200, b"<html>".to_vec()),
        (200, vec![b' '; MAX_BYTES + 1]),
        (200, b"{\"keys\": []}".to_vec()),
    ] {
        let before = idp.asked();
        idp.says(broken.0, broken.1);
        house.clock.advance(LOOK_AGAIN);
        let unknown = Signer::new("other", Algorithm::ES256);
        assert_eq!(house.check(&token(&unknown)).await, Err(Refused::NotValid));
        assert_eq!(idp.asked(), before + 1);
        assert!(is_good(&house.check(&token(&signer)).await), "the old key is kept");
    }
    house.clock.advance(KEEP);
    assert_eq!(house.check(&token(&signer)).await, Err(Refused::Unchecked));
    idp.says(200, key_set([&signer]));
    house.clock.advance(LOOK_AGAIN);
    assert!(is_good(&house.check(&token(&signer)).await), "and it comes back by itself");
}

#[tokio::test]
async fn without_its_keys_a_start_goes_on() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/jwks", listener.local_addr().unwrap());
    drop(listener);
    let house = House::start(KeysAt::Url(Url::parse(&nobody).unwrap())).await;
    let signer = Signer::new("k", Algorithm::ES256);
    assert_eq!(house.check(&token(&signer)).await, Err(Refused::Unchecked));
    // Another issuer's token, and one that is far too long, cost nothing.
    let foreign = signer.sign(&json!({"iss": "https://other.example.com", "aud": "vodrm", "sub": "cms"}));
    assert_eq!(house.check(&foreign).await, Err(Refused::NotValid));
    let long = signer.sign(&json!({"iss": "https://id.example.com", "pad": "x".repeat(8 * 1024)}));
    assert_eq!(house.check(&long).await, Err(Refused::NotValid));
}

#[tokio::test]
async fn a_file_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    let [old, new] = ["old", "new"].map(|id| Signer::new(id, Algorithm::ES256));
    std::fs::write(&path, key_set([&old])).unwrap();
    let house = House::start(KeysAt::File(path.clone())).await;
    assert!(is_good(&house.check(&token(&old)).await));
    std::fs::write(&path, key_set([&new])).unwrap();
    house.clock.advance(RECHECK);
    while is_good(&house.check(&token(&old)).await) {
        tokio::task::yield_now().await;
    }
    assert!(is_good(&house.check(&token(&new)).await));
    std::fs::remove_file(&path).unwrap();
    house.clock.advance(LOOK_AGAIN);
    assert_eq!(house.check(&token(&old)).await, Err(Refused::NotValid));
    assert!(is_good(&house.check(&token(&new)).await));
}

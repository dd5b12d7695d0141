//! A service with both simulated vendors, and verbs to call it.
//!
//! Its own folder so that tests name only what they are about. Nothing here
//! sleeps: what takes time is waited for where it shows.

/// Answers against the contract.
pub(crate) mod contract;

/// Tokens.
pub(crate) mod idp;

/// The real binary.
pub(crate) mod process;

/// HTTP by hand.
pub(crate) mod raw;

/// Server-Sent Events.
pub(crate) mod sse;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vodrm::api;
use vodrm::app::sandboxes::Sandboxes;
use vodrm::app::service::Service;
use vodrm::app::shutdown::Shutdown;
use vodrm::guard::bad_keys::BadKeys;
use vodrm::guard::caller::{Callers, NewKey};
use vodrm::guard::jwt::Issuers;
use vodrm::sandbox::{Options, Sandbox};
use vodrm::settings::{Settings, Sources};
use vodrm::types::clock::SystemClock;

pub(crate) use vodrm::app::sandboxes::{ALIBABA_ACCOUNT as ALI, TENCENT_ACCOUNT as TEN};
pub(crate) use vodrm::providers::alibaba::sandbox::seed as ali;
pub(crate) use vodrm::providers::tencent::sandbox::seed as ten;
pub(crate) use vodrm::sandbox::{Fault, FaultRule};

/// Longest that anything in a test may take: only a bug takes longer.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(20);

/// Waits for something that must happen, or names what did not.
pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(TOO_LONG, wanted).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A client as callers have.
pub(crate) fn client() -> reqwest::Client {
    // Whoever installed one before in this process installed the same.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(70))
        .build()
        .unwrap()
}

/// Both simulators, as fast as they can be.
pub(crate) struct Vendors {
    pub(crate) both: Sandboxes,
    stop: CancellationToken,
}

impl Vendors {
    pub(crate) fn start() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let stop = CancellationToken::new();
        let both = Sandboxes::start(any, any, &SystemClock::start(), &TaskTracker::new(), &stop).unwrap();
        for sandbox in [&both.alibaba, &both.tencent] {
            sandbox.set_options(Options { enforce_qps: false, ..Options::default() });
        }
        Self { both, stop }
    }

    /// Every call to either vendor so far.
    pub(crate) fn calls(&self) -> u64 {
        self.both.alibaba.calls() + self.both.tencent.calls()
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A key and its digest.
pub(crate) fn new_key() -> (String, String) {
    let made = NewKey::generate().unwrap();
    (made.key.expose().to_owned(), made.digest.to_string())
}

/// The settings that a text gives.
pub(crate) fn settings(directory: &TempDir, toml: &str) -> Settings {
    let file = directory.path().join("test.toml");
    std::fs::write(&file, toml).unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        environment: std::collections::BTreeMap::new(),
        file: Some(file),
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
    };
    let mut settings = Settings::load(&sources).unwrap();
    settings.store.path = directory.path().join("vodrm.db");
    settings
}

/// A service at work.
pub(crate) struct House {
    pub(crate) addr: SocketAddr,
    pub(crate) vendors: Vendors,
    pub(crate) shutdown: Shutdown,
    pub(crate) directory: TempDir,
    pub(crate) client: reqwest::Client,
    key: Option<String>,
    settings: Settings,
    service: Option<Service>,
}

impl House {
    /// With both sandbox accounts, no callers, and nothing else but the built-in values.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// The same with some settings of its own.
    pub(crate) async fn with(toml: &str) -> Self {
        Self::built(toml, |_| {}).await
    }

    /// The same with settings changed after they were read, accounts among them.
    pub(crate) async fn built(toml: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let client = client();
        let directory = tempfile::tempdir().unwrap();
        let vendors = Vendors::start();
        let mut settings = settings(&directory, toml);
        settings.accounts = vendors.both.accounts().unwrap();
        for limit in settings.accounts.iter_mut().flat_map(|account| &mut account.limits) {
            limit.qps = 2_000.0;
        }
        change(&mut settings);
        let shutdown = Shutdown::new();
        let service = Service::start(&settings, SystemClock::start(), &shutdown).await.unwrap();
        let addr = service.addr;
        Self { addr, vendors, shutdown, directory, client, key: None, settings, service: Some(service) }
    }

    /// Stops in order and starts again on the same journal.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.shutdown = Shutdown::new();
        let service = Service::start(&self.settings, SystemClock::start(), &self.shutdown).await.unwrap();
        self.addr = service.addr;
        self.service = Some(service);
    }

    /// Calls with this key from now on.
    pub(crate) fn as_caller(&mut self, key: &str) {
        self.key = Some(key.to_owned());
    }

    /// Calls without a key from now on.
    pub(crate) fn as_nobody(&mut self) {
        self.key = None;
    }

    pub(crate) fn alibaba(&self) -> &Sandbox {
        &self.vendors.both.alibaba
    }

    pub(crate) fn tencent(&self) -> &Sandbox {
        &self.vendors.both.tencent
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.directory.path().join("vodrm.db")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// A request to be made.
    pub(crate) fn call(&self, method: &str, path: &str) -> Request {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method.clone(), self.url(path));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        Request { method, path: path.to_owned(), inner: request }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path).send().await
    }

    /// Deletes an asset of the simulated Alibaba.
    pub(crate) async fn delete_media(&self, id: &str) -> Answer {
        self.delete(&media(ALI, id)).await
    }

    /// `POST /v1/deletions`.
    pub(crate) async fn submit(&self, body: &Value) -> Answer {
        self.call("POST", "/v1/deletions").json(body).send().await
    }

    /// A deletion that nobody waits for, by name.
    pub(crate) async fn submit_async(&self, body: &Value) -> String {
        let answer =
            self.call("POST", "/v1/deletions").header("prefer", "respond-async").json(body).send().await;
        assert!([200, 202, 207].contains(&answer.status), "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a list of plain ids of the simulated Alibaba.
    pub(crate) fn upload_text(&self, query: &str, body: impl Into<reqwest::Body>) -> Request {
        let request = self.call("POST", &format!("/v1/deletions?account={ALI}{query}"));
        request.header("content-type", "text/plain").body(body)
    }

    /// Uploads a target a line.
    pub(crate) fn upload_ndjson(&self, query: &str, body: impl Into<reqwest::Body>) -> Request {
        let request = self.call("POST", &format!("/v1/deletions{query}"));
        request.header("content-type", "application/x-ndjson").body(body)
    }

    /// Calls a verb of a deletion.
    pub(crate) async fn verb(&self, id: &str, verb: &str) -> Answer {
        self.call("POST", &format!("/v1/deletions/{id}/{verb}")).send().await
    }

    /// Reads a deletion until this holds of it.
    pub(crate) async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/deletions/{id}");
        let shown = async {
            loop {
                let deletion = self.get(&path).await.json();
                if holds(&deletion) {
                    return deletion;
                }
            }
        };
        soon(what, shown).await
    }

    /// The deletion, once it has ended.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        let ended = async {
            loop {
                let deletion = self.get(&format!("/v1/deletions/{id}?wait=20s")).await.json();
                if deletion["state"] == "finished" {
                    return deletion;
                }
            }
        };
        soon(&format!("the end of {id}"), ended).await
    }

    /// The routes without a connection around them, for who looks at bodies as they are made.
    pub(crate) fn router(&self) -> axum::Router {
        let service = self.service.as_ref().unwrap();
        let longest = Duration::from_mins(1);
        api::router(api::Parts {
            dispatch: service.dispatch.clone(),
            callers: Arc::new(Callers::open()),
            issuers: Issuers::new([], SystemClock::start()),
            bad_keys: Mutex::new(BadKeys::new(10)),
            metrics: service.metrics.clone(),
            clock: SystemClock::start(),
            body_limits: api::body::BodyLimits {
                room: api::body::room(4_096),
                max_json_bytes: 4_096,
                silence: longest,
                deadline: longest,
            },
            upload_limits: api::intake::UploadLimits {
                max_items: 1,
                max_bytes: 4_096,
                max_line_bytes: 4_096,
                places: Arc::new(Semaphore::new(1)),
            },
            key_rules: api::idempotency::KeyRules { keep: longest, required: false },
            seats: api::seats::Seats::new(256, 256),
            max_requests_in_flight: 1,
            public_docs: true,
            draining: CancellationToken::new(),
        })
        .unwrap()
    }

    /// Stops in order and waits for the end.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.asked.cancel();
        self.shutdown.closing.cancel();
        if let Some(service) = self.service.take() {
            soon("the end of the service", service.ended(&self.shutdown)).await;
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.at_once.cancel();
    }
}

/// The path of an asset.
pub(crate) fn media(account: &str, id: &str) -> String {
    format!("/v1/accounts/{account}/media/{id}")
}

/// A target of kind `media` in the simulated Alibaba.
pub(crate) fn media_target(id: &str) -> Value {
    json!({"kind": "media", "id": id})
}

/// A deletion of these Alibaba assets.
pub(crate) fn media_body<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    json!({"account": ALI, "targets": ids.into_iter().map(media_target).collect::<Vec<_>>()})
}

/// Something that goes on beside the test.
pub(crate) fn beside<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    TaskTracker::new().spawn(work)
}

/// A body without a declared length.
pub(crate) fn chunked(bytes: impl Into<bytes::Bytes>) -> reqwest::Body {
    let frame = hyper::body::Frame::data(bytes.into());
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(frame)]);
    reqwest::Body::wrap(http_body_util::StreamBody::new(stream))
}

/// A body in these pieces, each a chunk of its own.
pub(crate) fn pieces(pieces: Vec<Vec<u8>>) -> reqwest::Body {
    let frames =
        pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(hyper::body::Frame::data(piece.into())));
    let stream =
        futures_util::stream::iter(frames.collect::<Vec<Result<hyper::body::Frame<bytes::Bytes>, _>>>());
    reqwest::Body::wrap(http_body_util::StreamBody::new(stream))
}

/// A list of ids, one a line.
pub(crate) fn lines<S: AsRef<str>>(ids: impl IntoIterator<Item = S>) -> String {
    ids.into_iter().fold(String::new(), |list, id| list + id.as_ref() + "\n")
}

/// A request that knows what it is, so that its answer can be held against the contract.
pub(crate) struct Request {
    method: Method,
    path: String,
    inner: reqwest::RequestBuilder,
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.inner = self.inner.header(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.inner = self.inner.json(body);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.inner = self.inner.body(body);
        self
    }

    /// JSON as text, right or wrong.
    pub(crate) fn json_text(self, body: impl Into<reqwest::Body>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    pub(crate) async fn send(self) -> Answer {
        let response =
            self.inner.send().await.unwrap_or_else(|e| panic!("{} {}: {e:?}", self.method, self.path));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let answer = Answer { status, headers, body };
        contract::check(&self.method, &self.path, &answer);
        answer
    }
}

/// What came back.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// A problem with this status and code, in full.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["type"], format!("urn:vodrm:problem:{code}"));
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{body}");
        body
    }

    /// The pointers of a problem.
    pub(crate) fn pointers(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

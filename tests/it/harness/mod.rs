//! The world a test lives in: both vendors, a service, a journal, a client.
//!
//! The service runs in a runtime of its own, so that a crash is what it is for a
//! process: every task stops where it stands and nobody records anything. All
//! waiting is for events. `World::end` stops the service in order and lets the
//! checker compare what the vendors did with what the journal tells.

pub(crate) mod checker;

pub(crate) mod clock;

pub(crate) mod relay;

pub(crate) mod stage;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vodrm::app::sandboxes::Sandboxes;
use vodrm::app::service::Service;
use vodrm::app::shutdown::Shutdown;
use vodrm::providers::alibaba::sandbox::{Quirks, seed};
use vodrm::providers::tencent::sandbox::Options as Switches;
use vodrm::sandbox::{Fault, FaultRule, LedgerRow, Sandbox};
use vodrm::settings::{AccountSettings, Settings, Sources};
use vodrm::types::clock::Clock;
use vodrm::types::target::AccountId;

use clock::TestClock;

/// The accounts that every world has.
pub(crate) const ALIBABA: &str = "sandbox-alibaba";
pub(crate) const TENCENT: &str = "sandbox-tencent";

/// A call of a quick world never waits for a permit.
const NO_LIMIT_QPS: f64 = 10_000.0;

/// Everything one test needs.
pub(crate) struct World {
    pub(crate) sandboxes: Sandboxes,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) settings: Settings,
    running: Option<Running>,
    client: reqwest::Client,
    sandbox_tasks: TaskTracker,
    sandbox_stop: CancellationToken,
    /// Removed with the world.
    _folder: TempDir,
}

struct Running {
    runtime: Runtime,
    service: Service,
    shutdown: Shutdown,
}

impl Drop for World {
    /// A test that fails leaves the service running; its runtime may not be waited for here.
    fn drop(&mut self) {
        if let Some(Running { runtime, .. }) = self.running.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl World {
    /// A world with the settings that users get, and both vendors' published limits.
    pub(crate) async fn by_default() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A world without limits, in which a lost answer is asked after at once.
    pub(crate) async fn quick() -> Self {
        Self::with(no_limits).await
    }

    /// A world with changed settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings, &Sandboxes)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::start();
        let (sandbox_tasks, sandbox_stop) = (TaskTracker::new(), CancellationToken::new());
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let sandboxes = Sandboxes::start(any, any, &shared, &sandbox_tasks, &sandbox_stop).unwrap();
        let sources = Sources {
            directory: folder.path().to_owned(),
            environment: [].into(),
            file: None,
            listen: Some(any),
        };
        let mut settings = Settings::load(&sources).unwrap();
        settings.store.path = folder.path().join("journal.db");
        settings.accounts = sandboxes.accounts().unwrap();
        settings.retry.cool_down = Duration::from_millis(50);
        change(&mut settings, &sandboxes);
        // A deletion must not be sent twice by the test's own client.
        let client = reqwest::Client::builder().retry(reqwest::retry::never()).no_proxy().build().unwrap();
        let mut world = Self {
            sandboxes,
            clock,
            settings,
            running: None,
            client,
            sandbox_tasks,
            sandbox_stop,
            _folder: folder,
        };
        world.start().await;
        world
    }

    /// Starts the service on the journal that is there.
    pub(crate) async fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("service")
            .enable_all()
            .build()
            .unwrap();
        let (settings, shutdown) = (self.settings.clone(), Shutdown::new());
        let (clock, ends): (Arc<dyn Clock>, _) = (Arc::clone(&self.clock) as _, shutdown.clone());
        let started = runtime.spawn(async move { Service::start(&settings, clock, &ends).await });
        let service = started.await.unwrap().unwrap();
        self.running = Some(Running { runtime, service, shutdown });
    }

    /// Ends the service in order, as SIGTERM does.
    pub(crate) async fn stop(&mut self) {
        let Running { runtime, service, shutdown } = self.running.take().expect("it runs");
        shutdown.asked.cancel();
        shutdown.closing.cancel();
        runtime.spawn(async move { service.ended(&shutdown).await }).await.unwrap();
        drop_apart(runtime).await;
    }

    /// Stops in order and starts again.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// The process dies: every task stops where it stands, nothing more is recorded.
    pub(crate) async fn crash(&mut self) {
        let Running { runtime, service, .. } = self.running.take().expect("it runs");
        drop_apart((runtime, service)).await;
    }

    /// Stops everything and checks that the vendors did what the journal tells, and nothing else.
    pub(crate) async fn end(mut self) {
        if self.running.is_some() {
            self.stop().await;
        }
        checker::check(&self).await;
        self.sandbox_stop.cancel();
        self.sandbox_tasks.close();
        self.sandbox_tasks.wait().await;
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.settings.store.path.clone()
    }

    // HTTP.

    fn url(&self, path: &str) -> String {
        let running = self.running.as_ref().expect("it runs");
        format!("http://{}{path}", running.service.addr)
    }

    /// One request; the preference is the test's own.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        prefer: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.client.request(method, self.url(path)).header("prefer", prefer);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
        Answer { status, headers, body }
    }

    /// A single-target DELETE below the accounts, such as `a/media/1`; waits for its end.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, &format!("/v1/accounts/{path}"), "wait=60", None).await
    }

    /// The same, not waited for.
    pub(crate) async fn delete_async(&self, path: &str) -> Answer {
        self.send(Method::DELETE, &format!("/v1/accounts/{path}"), "respond-async", None).await
    }

    /// A deletion; waits for its end.
    pub(crate) async fn post(&self, body: &Value) -> Answer {
        self.send(Method::POST, "/v1/deletions", "wait=60", Some(body)).await
    }

    /// The same, not waited for.
    pub(crate) async fn post_async(&self, body: &Value) -> Answer {
        let answer = self.send(Method::POST, "/v1/deletions", "respond-async", Some(body)).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer
    }

    /// Targets of one kind, by id.
    pub(crate) async fn post_ids<S: AsRef<str>>(&self, account: &str, kind: &str, ids: &[S]) -> Answer {
        self.post(&of_ids(account, kind, ids)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "wait=60", None).await
    }

    /// The deletion that an answer is about, once it has ended.
    pub(crate) async fn finished(&self, accepted: &Answer) -> Answer {
        let answer = self.get(&format!("{}?wait=60s", accepted.location())).await;
        assert_eq!(answer.body["state"], "finished", "{}", answer.body);
        answer
    }

    /// The first item of a deletion, as soon as it is so. No wake tells of a step on an item's way: this asks
    /// again and again, and each look is a request.
    pub(crate) async fn until(&self, accepted: &Answer, is_so: impl Fn(&Value) -> bool) -> Value {
        let look = async || self.get(accepted.location()).await.nth(0).clone();
        let mut item = look().await;
        while !is_so(&item) {
            item = look().await;
        }
        item
    }

    /// A deletion as soon as none of its items is being sent.
    pub(crate) async fn at_rest(&self, accepted: &Answer) -> Answer {
        let look = async || self.get(accepted.location()).await;
        let mut now = look().await;
        while now.items().iter().any(|item| item["state"] == "sending") {
            now = look().await;
        }
        now
    }

    /// The attempts of an item: the receipt's calls.
    pub(crate) async fn calls_of(&self, of: &Answer, index: usize) -> Vec<Value> {
        let receipt = self.get(&format!("{}/items/{index}", of.location())).await;
        receipt.body["calls"].as_array().unwrap_or_else(|| panic!("{}", receipt.body)).clone()
    }

    /// An account as operators see it.
    pub(crate) async fn account(&self, name: &str) -> Value {
        self.get(&format!("/v1/accounts/{name}")).await.body
    }

    /// A lane as operators see it.
    pub(crate) async fn lane(&self, account: &str, operation: &str) -> Value {
        let account = self.account(account).await;
        let lanes = account["lanes"].as_array().unwrap();
        lanes.iter().find(|lane| lane["operation"] == operation).cloned().unwrap()
    }

    pub(crate) async fn unblock(&self, account: &str) -> Value {
        self.send(Method::POST, &format!("/v1/accounts/{account}/unblock"), "wait=1", None).await.body
    }

    // Vendors.

    pub(crate) fn alibaba(&self) -> &Sandbox {
        &self.sandboxes.alibaba
    }

    pub(crate) fn tencent(&self) -> &Sandbox {
        &self.sandboxes.tencent
    }

    /// Small videos in Alibaba's library, made for this test: their ids.
    pub(crate) fn bulk(&self, count: u32) -> Vec<String> {
        let ids: Vec<String> = (0..count).map(seed::bulk).collect();
        self.sandboxes.alibaba_vod.add_videos(ids.clone());
        ids
    }

    /// Changes what Alibaba's pages leave open.
    pub(crate) fn quirks(&self, change: impl FnOnce(&mut Quirks)) {
        let mut quirks = (*self.sandboxes.alibaba_vod.quirks()).clone();
        change(&mut quirks);
        self.sandboxes.alibaba_vod.set_quirks(quirks);
    }

    /// Changes what Tencent's pages leave open.
    pub(crate) fn switches(&self, change: impl FnOnce(&mut Switches)) {
        let mut switches = self.sandboxes.tencent_vod.switches();
        change(&mut switches);
        self.sandboxes.tencent_vod.set_switches(switches);
    }

    /// Calls of one operation that Alibaba received.
    pub(crate) fn at_alibaba(&self, operation: &str) -> Vec<LedgerRow> {
        calls(self.alibaba(), operation)
    }

    /// Calls of one operation that Tencent received.
    pub(crate) fn at_tencent(&self, operation: &str) -> Vec<LedgerRow> {
        calls(self.tencent(), operation)
    }
}

impl Answer {
    /// The item of a single-target DELETE, whatever the status.
    pub(crate) fn item(&self) -> &Value {
        if self.body["item"].is_object() { &self.body["item"] } else { &self.body }
    }

    /// An item of a deletion.
    pub(crate) fn nth(&self, index: usize) -> &Value {
        &self.body["items"][index]
    }

    pub(crate) fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no items in {}", self.body))
    }

    /// The outcomes of a deletion's items, in order.
    pub(crate) fn outcomes(&self) -> Vec<&str> {
        self.items().iter().map(|item| item["outcome"].as_str().unwrap_or("open")).collect()
    }

    pub(crate) fn location(&self) -> &str {
        match self.headers.get("location") {
            Some(location) => location.to_str().unwrap(),
            None => panic!("{} without a location: {}", self.status, self.body),
        }
    }

    /// Status, outcome and the error's code, which is most of what a caller acts on.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, outcome: &str, code: Option<&str>) -> &Self {
        let item = self.item();
        let told = (self.status, item["outcome"].as_str(), item["error"]["code"].as_str());
        assert_eq!(told, (status, Some(outcome), code), "{}", self.body);
        self
    }

    /// Deleted, with the vendor's own word for it.
    #[track_caller]
    pub(crate) fn is_deleted(&self) -> &Self {
        self.is(200, "deleted", None);
        assert!(self.item()["confirmation"].is_null(), "{}", self.body);
        self
    }
}

/// Waits for tasks and threads to be gone, off the test's own thread.
async fn drop_apart<T: Send + 'static>(what: T) {
    tokio::task::spawn_blocking(move || drop(what)).await.unwrap();
}

/// Calls of one operation that a vendor received.
pub(crate) fn calls(sandbox: &Sandbox, operation: &str) -> Vec<LedgerRow> {
    sandbox.ledger().into_iter().filter(|row| row.action == operation).collect()
}

/// The body of a deletion of ids of one kind.
pub(crate) fn of_ids<S: AsRef<str>>(account: &str, kind: &str, ids: &[S]) -> Value {
    let target = |id: &S| json!({"kind": kind, "id": id.as_ref()});
    json!({"account": account, "targets": ids.iter().map(target).collect::<Vec<_>>()})
}

/// A fault of one operation, once.
pub(crate) fn once(operation: &str, fault: Fault) -> Vec<FaultRule> {
    vec![FaultRule::once(fault).for_operation(operation)]
}

/// No vendor limits, and buckets that never wait.
pub(crate) fn no_limits(settings: &mut Settings, sandboxes: &Sandboxes) {
    for sandbox in [&sandboxes.alibaba, &sandboxes.tencent] {
        let mut options = sandbox.options();
        options.enforce_qps = false;
        sandbox.set_options(options);
    }
    for limit in settings.accounts.iter_mut().flat_map(|account| &mut account.limits) {
        limit.qps = NO_LIMIT_QPS;
    }
}

/// The account once more under other names, so that no two of them share a lane, a bucket or a call.
pub(crate) fn copies(settings: &mut Settings, of: &str, count: usize) -> Vec<String> {
    let first = settings.accounts.iter().find(|account| account.name.as_str() == of).unwrap().clone();
    let names: Vec<String> = (0..count).map(|n| format!("{of}-{n}")).collect();
    settings.accounts.extend(names.iter().map(|name| {
        let mut copy: AccountSettings = first.clone();
        copy.name = AccountId::parse(name).unwrap();
        copy.quota_group = Some(name.clone());
        copy
    }));
    names
}

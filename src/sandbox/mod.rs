//! Kit for the vendors' simulators: a real HTTP/1 server on a port of its own, a ledger of
//! what truly happened, scripted faults, rate windows and nonce memory.
//!
//! A vendor implements `Vendor` in its own folder, from the vendor's pages, and is served by
//! `Sandbox::start`. The kit reads the request, asks `Vendor::peek` what it is about, picks a
//! fault, calls `Vendor::answer` when the call may take effect, and writes **exactly one**
//! ledger row per received call itself: a vendor only says in its `Answer` what it did.
//!
//! The kit knows no vendor and nothing of the rest of vodrm. It never starts tasks on its own:
//! it is given a tracker and a stop token; and it never asks the system for the time.

mod control;

mod fault;

mod ledger;

mod memory;

mod options;

mod payload;

mod script;

mod server;

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, atomic::AtomicU64},
};

use bytes::Bytes;
use serde::Serialize;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    fault::{Envelope, Fault, VendorFault},
    ledger::{Effect, LedgerRow, MAX_ROWS},
    memory::{Nonces, Windows},
    options::{Count, Options, overlay},
    script::FaultRule,
};
use self::{ledger::Ledger, script::Faults};

/// Where a simulator takes the time from; `clock_offset_ms` is added to it.
pub type Now = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// One request exactly as received.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: http::Method,
    /// Path and query, raw: nothing is decoded.
    pub target: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// The raw path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The raw query without its question mark; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What the vendor answers. The kit adds `Date` (from the simulator's clock) and `Content-Length`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        }
    }

    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json;charset=utf-8", body.to_string())
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What a request is about, read before any check, so that faults can match it and a row can be
/// written for a call that never reaches the vendor. Best effort: a garbled request has blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peek {
    pub operation: String,
    /// Every id the call carries, whatever kind of id it is.
    pub ids: Vec<String>,
    pub nonce: Option<String>,
    /// The access key id that the call claims.
    pub key_id: Option<String>,
    /// The signature scheme that the call uses, in the vendor's spelling.
    pub scheme: String,
}

/// What a vendor did with a call. The kit turns it into one ledger row.
#[derive(Debug, Clone)]
pub struct Answer {
    pub reply: Reply,
    /// `ok`, `partial`, or the vendor's error code.
    pub verdict: String,
    /// What each thing asked for came to; empty for reads and refusals.
    pub effects: Vec<Effect>,
}

/// What a vendor simulator does with a call.
pub trait Vendor: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// What the request is about, before any check.
    fn peek(&self, request: &Received) -> Peek;

    /// Verify, limit, execute.
    fn answer(&self, request: &Received, desk: &Desk<'_>) -> Answer;

    /// A scripted refusal in the vendor's own envelope, without any effect.
    fn refuse(&self, fault: &VendorFault, request: &Received) -> Reply;

    /// What is left in the library, for `GET /_sandbox/assets`.
    fn assets(&self) -> serde_json::Value;

    /// The library back to its seed. Options stay.
    fn reset(&self);

    /// The vendor's own switches, for `GET /_sandbox/options` (under `vendor`).
    fn options(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    /// Changes the switches named in `patch`; see [`overlay`]. The error is for the caller.
    fn set_options(&self, patch: &serde_json::Value) -> Result<(), String> {
        match patch.as_object() {
            Some(object) if object.is_empty() => Ok(()),
            _ => Err(format!("{} has no options of its own", self.name())),
        }
    }
}

/// What a vendor needs for one call beside the request.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The simulator's clock at the moment of the call, offset included.
    pub now: jiff::Timestamp,
    pub options: &'a Options,
    pub windows: &'a Windows,
    pub nonces: &'a Nonces,
    /// Which connection brought the call, counted from 1.
    pub connection: u64,
}

impl Desk<'_> {
    /// Whether benchmarks asked for minimal work: no limits, no nonces, no signatures.
    #[must_use]
    pub fn fast(&self) -> bool {
        self.options.fast
    }

    /// Counts the call against `published` calls per second, or against the override in
    /// `options.qps`. False means throttled; throttled calls do not count.
    #[must_use]
    pub fn admit(&self, account: &str, operation: &str, published: u32) -> bool {
        if self.options.fast || !self.options.enforce_qps {
            return true;
        }
        let limit = self.options.qps.get(operation).copied().unwrap_or(published);
        self.windows.admit(account, operation, limit, self.options.count, self.now)
    }

    /// Remembers a nonce for `keep_s` seconds; false when it was seen within that time.
    #[must_use]
    pub fn first_use(&self, nonce: &str, keep_s: i64) -> bool {
        self.options.fast || self.nonces.first_use(nonce, keep_s, self.now)
    }
}

/// Everything one simulator shares between its connections and its handle.
struct Inner {
    vendor: Arc<dyn Vendor>,
    clock: Now,
    options: RwLock<Arc<Options>>,
    ledger: Ledger,
    faults: Faults,
    windows: Windows,
    nonces: Nonces,
    connections: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Inner {
    fn options(&self) -> Arc<Options> {
        let guard: RwLockReadGuard<'_, _> = self.options.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&guard)
    }

    fn set_options(&self, options: Options) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    fn now(&self, options: &Options) -> jiff::Timestamp {
        let now = (self.clock)();
        // An offset past the ends of the calendar leaves the clock as it is.
        now.checked_add(jiff::SignedDuration::from_millis(options.clock_offset_ms)).unwrap_or(now)
    }

    fn reset(&self) {
        self.vendor.reset();
        self.faults.replace(Vec::new());
        self.windows.clear();
        self.nonces.clear();
        self.ledger.clear();
    }
}

/// A running simulator. Dropping the handle does not stop it; its stop token does.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
    addr: SocketAddr,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("vendor", &self.inner.vendor.name())
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

/// The switches of the kit and of the vendor, as the control endpoint shows them.
#[derive(Debug, Serialize)]
struct AllOptions<'a> {
    #[serde(flatten)]
    kit: &'a Options,
    vendor: serde_json::Value,
}

impl Sandbox {
    /// Binds `listen` (port 0 picks one) and serves `vendor` until `stop`. Needs a tokio runtime.
    pub fn start(
        vendor: Arc<dyn Vendor>,
        listen: SocketAddr,
        now: Now,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let addr = listener.local_addr()?;
        let inner = Arc::new(Inner {
            vendor,
            clock: now,
            options: RwLock::new(Arc::new(Options::default())),
            ledger: Ledger::default(),
            faults: Faults::default(),
            windows: Windows::default(),
            nonces: Nonces::default(),
            connections: AtomicU64::new(0),
            tasks: tasks.clone(),
            stop,
        });
        tasks.spawn(server::accept(listener, Arc::clone(&inner)));
        Ok(Self { inner, addr })
    }

    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    #[must_use]
    pub fn vendor(&self) -> &Arc<dyn Vendor> {
        &self.inner.vendor
    }

    /// All rows since the start or the last reset, oldest first.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerRow> {
        self.inner.ledger.rows(0)
    }

    /// How many calls were received since the start or the last reset, dropped rows included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner.ledger.total()
    }

    /// Replaces the fault script. The error names the rule that cannot work.
    pub fn set_faults(&self, rules: Vec<FaultRule>) -> Result<(), String> {
        script::check(&rules)?;
        self.inner.faults.replace(rules);
        Ok(())
    }

    /// The rules as they were set, used up or not.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultRule> {
        self.inner.faults.rules()
    }

    #[must_use]
    pub fn options(&self) -> Options {
        (*self.inner.options()).clone()
    }

    pub fn set_options(&self, options: Options) {
        self.inner.set_options(options);
    }

    /// Changes the vendor's own switches; names that are not given stay as they are.
    pub fn set_vendor_options(&self, patch: &serde_json::Value) -> Result<(), String> {
        self.inner.vendor.set_options(patch)
    }

    /// Library, ledger, faults, nonces and windows back to the start. Options stay.
    pub fn reset(&self) {
        self.inner.reset();
    }

    /// Returns as soon as `count` calls were received since the start or the last reset.
    pub async fn wait_for_calls(&self, count: u64) {
        self.inner.ledger.wait_for(count).await;
    }

    /// Returns as soon as `enough` says so; asked again after every change of the ledger.
    pub async fn wait_until(&self, enough: impl FnMut(&[LedgerRow]) -> bool) {
        self.inner.ledger.wait_until(enough).await;
    }
}

//! The keys of issuers: fetched, read again, kept while an issuer is down.
//!
//! One loop an issuer. It fetches at the start, every `REFRESH` and when a token
//! names a key that is not known yet, so that a rotation needs no restart. What is
//! wrong with a token is decided in `guard/jwt.rs`; here is only where its keys come
//! from, since `guard` does no I/O.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use reqwest::Url;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guard::jwt::{Algorithm, Issuers, KeySet, KeySource};
use crate::settings::{IssuerSettings, KeysAt};
use crate::types::clock::Clock;

/// How often keys are fetched from a URL.
pub const REFRESH: Duration = Duration::from_mins(10);
/// How often a file is looked at, like a file of credentials.
pub const RECHECK: Duration = Duration::from_secs(10);
/// Unknown keys make nobody fetch more often than this: whoever sends one costs the issuer nothing.
pub const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long keys are used after they were last seen. Longer than an outage, and an issuer
/// that has withdrawn a key is rarely out of reach for as long.
pub const KEEP: Duration = Duration::from_hours(24);
/// Time for one look, connecting included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest key set; real ones have 2 to 20 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Makes the sources of all issuers, looks once, and goes on looking until `stop`.
pub async fn start(
    issuers: &[IssuerSettings],
    clock: &Arc<dyn Clock>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Issuers> {
    let mut known: Vec<(_, Arc<dyn KeySource>)> = Vec::new();
    let mut sources = Vec::new();
    for one in issuers {
        let source = Arc::new(Source::new(one, Arc::clone(clock))?);
        known.push((one.issuer.clone(), Arc::clone(&source) as Arc<dyn KeySource>));
        sources.push(source);
    }
    // An issuer that is down does not stop the start: callers with keys need none.
    futures_util::future::join_all(sources.iter().map(|source| source.look())).await;
    for source in sources {
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = source.go_on() => {}
                () = stop.cancelled() => {}
            }
        });
    }
    Ok(Issuers::new(known, Arc::clone(clock)))
}

/// The keys of one issuer, and where they come from.
#[derive(Debug)]
struct Source {
    name: String,
    place: KeysAt,
    algorithms: Vec<Algorithm>,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    /// Somebody wants a look now.
    wanted: Notify,
    /// The number of the last wish that was fulfilled.
    fulfilled: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Option<Arc<KeySet>>,
    /// When they were seen last, by uptime.
    seen: Duration,
    /// When the last look began, whatever came of it.
    looked: Duration,
    /// When an unknown key last made us look.
    asked: Option<Duration>,
    /// How often that was so.
    wishes: u64,
    /// The last look failed, and that was said.
    is_failing: bool,
}

/// What to do about an unknown key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Look now.
    Look,
    /// Somebody looks already: wait for that.
    Join,
    /// It was looked a moment ago.
    Leave,
}

impl Held {
    fn again(&self, fulfilled: u64, now: Duration) -> Again {
        if self.wishes > fulfilled {
            Again::Join
        } else if self.asked.is_some_and(|asked| now < asked + LOOK_AGAIN) {
            Again::Leave
        } else {
            Again::Look
        }
    }

    fn usable(&self, now: Duration) -> Option<Arc<KeySet>> {
        self.keys.clone().filter(|_| now < self.seen + KEEP)
    }
}

#[async_trait]
impl KeySource for Source {
    fn keys(&self) -> Option<Arc<KeySet>> {
        self.held().usable(self.clock.uptime())
    }

    async fn look_again(&self) {
        let mut fulfilled = self.fulfilled.subscribe();
        let wish = {
            let mut held = self.held();
            let now = self.clock.uptime();
            match held.again(*fulfilled.borrow(), now) {
                Again::Leave => return,
                Again::Join => {}
                Again::Look => {
                    held.asked = Some(now);
                    held.wishes += 1;
                    self.wanted.notify_one();
                }
            }
            held.wishes
        };
        // Twice a look's time: one that began before may be under way, and ours comes after it.
        drop(tokio::time::timeout(TIMEOUT * 2, fulfilled.wait_for(|done| *done >= wish)).await);
    }
}

impl Source {
    fn new(settings: &IssuerSettings, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let is_https = matches!(&settings.keys, KeysAt::Url(url) if url.scheme() == "https");
        let client = reqwest::Client::builder()
            .user_agent(concat!("vodrm/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(is_https)
            .referer(false)
            .no_proxy()
            .http1_only()
            // Looks are minutes apart: a kept connection would be stale.
            .pool_max_idle_per_host(0)
            .build()
            .with_context(|| {
                format!("issuers.{}.jwks: the HTTP client does not start", settings.issuer.name)
            })?;
        Ok(Self {
            name: settings.issuer.name.clone(),
            place: settings.keys.clone(),
            algorithms: settings.issuer.algorithms.clone(),
            client,
            clock,
            held: Mutex::default(),
            wanted: Notify::new(),
            fulfilled: watch::Sender::new(0),
        })
    }

    /// Never held across an await.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn go_on(&self) {
        let interval = match &self.place {
            KeysAt::Url(_) => REFRESH,
            KeysAt::File(_) => RECHECK,
        };
        loop {
            let due = self.held().looked + interval;
            tokio::select! {
                () = self.wanted.notified() => {}
                () = self.clock.sleep_until(due) => {}
            }
            self.look().await;
        }
    }

    /// Reads the keys once, and keeps those that were held if that fails.
    async fn look(&self) {
        let wish = {
            let mut held = self.held();
            held.looked = self.clock.uptime();
            held.wishes
        };
        let read = match tokio::time::timeout(TIMEOUT, self.read()).await {
            Ok(read) => read.and_then(|json| Ok(KeySet::parse(&json, &self.algorithms)?)),
            Err(_) => Err(anyhow::anyhow!("no answer within {} s", TIMEOUT.as_secs())),
        };
        let now = self.clock.uptime();
        let mut held = self.held();
        let has_failed = read.is_err();
        match read {
            Ok(keys) => {
                if held.is_failing {
                    tracing::info!(issuer = self.name, "the issuer's keys can be read again");
                }
                (held.keys, held.seen) = (Some(Arc::new(keys)), now);
            }
            // Said once: an issuer that is down for hours is one event.
            Err(error) if !held.is_failing => {
                let kept = held.usable(now).is_some();
                tracing::warn!(
                    issuer = self.name,
                    error = format!("{error:#}"),
                    kept,
                    "the issuer's keys cannot be read"
                );
            }
            Err(_) => {}
        }
        held.is_failing = has_failed;
        drop(held);
        self.fulfilled.send_replace(wish);
    }

    async fn read(&self) -> anyhow::Result<Vec<u8>> {
        match &self.place {
            KeysAt::Url(url) => self.fetch(url.clone()).await,
            KeysAt::File(path) => read_file(path).await,
        }
    }

    async fn fetch(&self, url: Url) -> anyhow::Result<Vec<u8>> {
        let sent = self.client.get(url).header("accept", "application/jwk-set+json, application/json").send();
        let mut answer = sent.await.map_err(reqwest::Error::without_url)?;
        if answer.status() != reqwest::StatusCode::OK {
            bail!("the answer is {}", answer.status().as_u16());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > MAX_BYTES {
                bail!("the answer is larger than {MAX_BYTES} bytes");
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

async fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = tokio::fs::File::open(path).await.with_context(|| path.display().to_string())?;
    let mut body = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut body).await.with_context(|| path.display().to_string())?;
    if body.len() > MAX_BYTES {
        bail!("{} is larger than {MAX_BYTES} bytes", path.display());
    }
    Ok(body)
}

#[cfg(test)]
mod tests;

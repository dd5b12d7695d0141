//! The token-bucket middleware: a tower layer around a vendor's client.
//!
//! `Quota`'s `poll_ready` *is* the wait for a permit. A lane waits until its
//! service is ready and only then fills the batch, so deletes that arrive during
//! the wait travel together in one call, and the signature, made inside the
//! call, is fresh. A service that is dropped while ready gives its permit back.
//! Permits come from a trait, so that a bucket that replicas share can stand
//! where `LocalPermits` stands.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use tower::{Layer, Service};

use super::bucket::{Bucket, Rate};
use super::window::Window;
use crate::providers::{Call, CallReport, Provider};
use crate::types::clock::Clock;

/// How long a permit may be kept before the call goes out: a commit on a healthy disk
/// takes a few milliseconds.
const PERMIT_KEEPS: Duration = Duration::from_millis(250);

/// How a bucket stands, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketView {
    /// What it may grant in full.
    pub full: Rate,
    /// Calls a second that it grants now.
    pub rate_now: f64,
    /// Tokens that are there now.
    pub tokens: f64,
    /// Answers that throttled, since the start.
    pub throttled_total: u64,
}

/// Where permits come from.
#[async_trait]
pub trait Permits: fmt::Debug + Send + Sync {
    /// Waits for a permit, first come, first served; returns when it was granted.
    async fn acquire(&self) -> Duration;
    /// A permit if one is free and nobody waits for it.
    fn try_acquire(&self) -> Option<Duration>;
    /// Takes back a permit that was not used.
    fn give_back(&self);
    /// Waits until a call with a permit may leave: permits that were used late must not leave together.
    async fn depart(&self);
    /// The vendor throttled a call that was granted at `granted_at`.
    fn throttled(&self, granted_at: Duration, wait: Option<Duration>);
    /// How it stands.
    fn view(&self) -> BucketView;
}

/// A bucket in this process.
#[derive(Debug)]
pub struct LocalPermits {
    state: Mutex<(Bucket, u64)>,
    departures: Mutex<Window>,
    clock: Arc<dyn Clock>,
    /// Held by the one that is next; tokio's mutex queues the others in order.
    turn: tokio::sync::Mutex<()>,
}

impl LocalPermits {
    /// An empty bucket.
    #[must_use]
    pub fn new(rate: Rate, clock: Arc<dyn Clock>) -> Self {
        let bucket = Bucket::new(rate, clock.uptime());
        let departures = Mutex::new(Window::new(rate.qps));
        Self { state: Mutex::new((bucket, 0)), departures, clock, turn: tokio::sync::Mutex::new(()) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bucket, &mut u64, Duration) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (bucket, throttled) = &mut *state;
        act(bucket, throttled, self.clock.uptime())
    }
}

#[async_trait]
impl Permits for LocalPermits {
    async fn acquire(&self) -> Duration {
        let _turn = self.turn.lock().await;
        loop {
            match self.with(|bucket, _, now| bucket.take(now).map(|()| now)) {
                Ok(granted_at) => return granted_at,
                Err(at) => self.clock.sleep_until(at).await,
            }
        }
    }

    fn try_acquire(&self) -> Option<Duration> {
        let _turn = self.turn.try_lock().ok()?;
        self.with(|bucket, _, now| bucket.take(now).ok().map(|()| now))
    }

    fn give_back(&self) {
        self.with(|bucket, _, now| bucket.give_back(now));
    }

    async fn depart(&self) {
        loop {
            let left = {
                let mut departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
                departures.leave(self.clock.uptime())
            };
            match left {
                Ok(()) => return,
                Err(at) => self.clock.sleep_until(at).await,
            }
        }
    }

    fn throttled(&self, granted_at: Duration, wait: Option<Duration>) {
        self.with(|bucket, throttled, now| {
            *throttled += 1;
            bucket.throttle(now, granted_at, wait);
        });
    }

    fn view(&self) -> BucketView {
        self.with(|bucket, throttled, now| BucketView {
            full: bucket.full(),
            rate_now: bucket.rate_now(now),
            tokens: bucket.tokens(now),
            throttled_total: *throttled,
        })
    }
}

/// A permit in hand; given back if it is dropped unused.
#[derive(Debug)]
struct Permit {
    from: Arc<dyn Permits>,
    granted_at: Duration,
    /// The vendor's second has room for it.
    departs: bool,
    used: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.used {
            self.from.give_back();
        }
    }
}

/// Puts a bucket around a client.
#[derive(Debug, Clone)]
pub struct QuotaLayer(pub Arc<dyn Permits>);

impl<S> Layer<S> for QuotaLayer {
    type Service = Quota<S>;

    fn layer(&self, inner: S) -> Quota<S> {
        Quota { inner, permits: Arc::clone(&self.0), waiting: None, permit: None }
    }
}

type Waiting = Pin<Box<dyn Future<Output = Duration> + Send>>;

/// A client that is ready once it holds a permit.
pub struct Quota<S> {
    inner: S,
    permits: Arc<dyn Permits>,
    waiting: Option<Waiting>,
    permit: Option<Permit>,
}

impl<S> Quota<S> {
    /// Becomes ready without waiting, if a permit is free and nobody waits for it.
    pub fn try_ready(&mut self) -> bool {
        if self.permit.is_none()
            && let Some(granted_at) = self.permits.try_acquire()
        {
            self.permit =
                Some(Permit { from: Arc::clone(&self.permits), granted_at, departs: false, used: false });
        }
        self.permit.is_some()
    }

    /// Waits until the vendor's second has room for the call that comes next. What is decided after
    /// it is decided right before the request; a call that was not made ready so waits by itself.
    pub async fn depart(&mut self) {
        if let Some(permit) = self.permit.as_mut().filter(|permit| !permit.departs) {
            permit.from.depart().await;
            permit.departs = true;
        }
    }

    /// Lets go of a permit that was granted too long ago, without giving it back:
    /// permits that pile up behind a slow disk must not leave all at once.
    pub fn forget_old_permit(&mut self, uptime: Duration) {
        let is_old = |permit: &Permit| uptime.saturating_sub(permit.granted_at) > PERMIT_KEEPS;
        if let Some(mut old) = self.permit.take_if(|permit| is_old(permit)) {
            old.used = true;
        }
    }
}

impl<S: Clone> Clone for Quota<S> {
    /// A clone holds no permit and waits for none.
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), permits: Arc::clone(&self.permits), waiting: None, permit: None }
    }
}

impl<S: fmt::Debug> fmt::Debug for Quota<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota")
            .field("inner", &self.inner)
            .field("ready", &self.permit.is_some())
            .finish_non_exhaustive()
    }
}

impl<S> Service<Call> for Quota<S>
where
    S: Service<Call, Response = CallReport, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = CallReport;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<CallReport, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.permit.is_none() {
            let waiting = self.waiting.get_or_insert_with(|| {
                let permits = Arc::clone(&self.permits);
                Box::pin(async move { permits.acquire().await })
            });
            let granted_at = ready!(waiting.as_mut().poll(context));
            self.waiting = None;
            self.permit =
                Some(Permit { from: Arc::clone(&self.permits), granted_at, departs: false, used: false });
        }
        self.inner.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut permit = self.permit.take();
        debug_assert!(permit.is_some(), "tower: call only after poll_ready");
        // Used from here on, also if the caller does not wait for the answer.
        if let Some(permit) = &mut permit {
            permit.used = true;
        }
        // The one that was made ready makes the call; a clone of it stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            if let Some(permit) = permit.as_ref().filter(|permit| !permit.departs) {
                permit.from.depart().await;
            }
            let report = inner.call(call).await?;
            if let (Some(permit), Some(wait)) = (permit, report.throttled) {
                permit.from.throttled(permit.granted_at, wait);
            }
            Ok(report)
        })
    }
}

/// The vendor's client as a tower service. Always ready: waiting is the quota's business.
#[derive(Debug, Clone)]
pub struct VendorClient(pub Arc<dyn Provider>);

impl Service<Call> for VendorClient {
    type Response = CallReport;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<CallReport, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let provider = Arc::clone(&self.0);
        Box::pin(async move { Ok(provider.call(&call).await) })
    }
}

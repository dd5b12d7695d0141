//! A lane: ready (a permit) → claim → call → record.
//!
//! One loop per (account, operation); deletes go out nowhere else. It waits for
//! work and for a permit, in that order, and only then lets the journal hand out
//! items: what arrived during the wait travels together. Each call runs as a
//! task of its own, so a slow vendor does not hold up the permits. An item that
//! meets a free permit skips the claim (`submit.rs`) and joins at `deliver`.
//! Decisions are elsewhere: `batch`, `retry`; this file only acts.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tower::{Service, ServiceBuilder, ServiceExt};

use super::batch::{self, Load};
use super::gate::{Blocked, Gate};
use super::quota::{BucketView, Permits, Quota, QuotaLayer, VendorClient};
use super::retry::{self, Circumstances};
use super::{Account, Shared};
use crate::journal::{self, CallRecord, Change, Claimed, Next, Recorded};
use crate::providers::transport::CALL_TIMEOUT;
use crate::providers::{Again, Call, CallReport, Effect, Operation, Verdict};
use crate::types::deletion::{LaneId, Phase};
use crate::types::metrics::{CallLabels, LaneLabels, OutcomeLabels};
use crate::types::outcome::{AttemptClass, Ending, ItemError, Outcome, Reason};

/// How long an item may be `sending`: one call (15 s at most) and its record,
/// with room for a slow disk. FAULTS.md, 17.
pub const LEASE: Duration = Duration::from_secs(30);
/// Calls of one lane under way at once. At 100 calls a second this lets a vendor
/// take more than a second to answer before permits are left unused.
const MAX_CALLS: usize = 128;
/// First wait after the journal failed, and the most that it grows to.
const JOURNAL_PAUSE: Duration = Duration::from_millis(100);
const JOURNAL_PAUSE_MOST: Duration = Duration::from_secs(5);

/// The queue of one account and operation.
#[derive(Debug)]
pub struct Lane {
    /// Its name.
    pub id: LaneId,
    pub(super) account: Arc<Account>,
    pub(super) operation: &'static Operation,
    pub(super) gate: Gate,
    permits: Arc<dyn Permits>,
    depth: AtomicI64,
    work: Notify,
    calls: Arc<Semaphore>,
}

impl Lane {
    pub(super) fn new(
        id: LaneId,
        account: Arc<Account>,
        operation: &'static Operation,
        permits: Arc<dyn Permits>,
    ) -> Self {
        Self {
            id,
            account,
            operation,
            gate: Gate::default(),
            permits,
            depth: AtomicI64::new(0),
            work: Notify::new(),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
        }
    }

    /// The vendor's client behind the bucket.
    pub(super) fn client(&self) -> Quota<VendorClient> {
        ServiceBuilder::new()
            .layer(QuotaLayer(Arc::clone(&self.permits)))
            .service(VendorClient(Arc::clone(&self.account.provider)))
    }

    /// Why nothing is sent, if so: the account's reason before the lane's own.
    pub fn blocked(&self) -> Option<Blocked> {
        self.account.gate.blocked().or_else(|| self.gate.blocked())
    }

    /// Items that wait, due or not.
    pub fn depth(&self) -> u64 {
        u64::try_from(self.depth.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// How the bucket stands.
    pub fn bucket(&self) -> BucketView {
        self.permits.view()
    }

    /// Makes room for more waiting items, or tells how many wait already.
    pub(super) fn reserve(&self, items: u64, limit: u64) -> Result<(), u64> {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        let before = self.depth.fetch_add(items, Ordering::Relaxed);
        let waiting = u64::try_from(before).unwrap_or(0);
        if waiting.saturating_add_signed(items) <= limit {
            return Ok(());
        }
        self.depth.fetch_sub(items, Ordering::Relaxed);
        Err(waiting)
    }

    /// Fewer items wait. May run ahead of `arrive` for the same item, so the count
    /// can be below zero for a moment and must not stop there.
    pub(super) fn leave(&self, items: u64) {
        self.depth.fetch_sub(i64::try_from(items).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// More items wait; the loop may have to look again.
    pub(super) fn arrive(&self, items: u64) {
        self.depth.fetch_add(i64::try_from(items).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.wake();
    }

    /// The journal's own count, at the start.
    pub(super) fn recount(&self, waiting: u64) {
        self.depth.store(i64::try_from(waiting).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.wake();
    }

    /// The loop should look at the journal.
    pub(super) fn wake(&self) {
        self.work.notify_one();
    }

    /// A client with a permit and a place to call from, if nobody waits for either.
    pub(super) fn try_client(&self) -> Option<(Quota<VendorClient>, OwnedSemaphorePermit)> {
        if self.depth() > 0 || self.blocked().is_some() {
            return None;
        }
        let place = Arc::clone(&self.calls).try_acquire_owned().ok()?;
        let mut client = self.client();
        client.try_ready().then_some((client, place))
    }

    fn labels(&self) -> LaneLabels {
        LaneLabels { account: self.id.account.to_string(), operation: self.id.operation.to_string() }
    }
}

/// The lane's loop. Ends when the service stops.
pub(super) async fn run(shared: Arc<Shared>, lane: Arc<Lane>) {
    let stop = shared.stop.clone();
    // Work may have been left by the process before this one.
    let mut due = Some(shared.clock.now());
    loop {
        let work = async {
            match due {
                Some(at) => {
                    let wait = Duration::try_from(at - shared.clock.now()).unwrap_or_default();
                    tokio::select! { () = shared.clock.sleep(wait) => {}, () = lane.work.notified() => {} }
                }
                None => lane.work.notified().await,
            }
        };
        tokio::select! { biased; () = stop.cancelled() => return, () = work => {} }
        // Until nothing is due any more, one permit after the other.
        due = loop {
            let (client, place) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                ready = ready(&shared, &lane) => ready,
            };
            // Not part of the select: items that were handed out must also be sent.
            let leased_at = shared.clock.uptime();
            match turn(&shared, &lane, Outlet { client, place, leased_at }).await {
                Turn::Sent => {}
                Turn::Idle(due) => break due,
                Turn::NoJournal => shared.clock.sleep(JOURNAL_PAUSE_MOST).await,
            }
        };
    }
}

/// What one turn of the loop came to.
enum Turn {
    /// Items went out; more may be due.
    Sent,
    /// Nothing is due before this time.
    Idle(Option<Timestamp>),
    /// The journal could not be asked.
    NoJournal,
}

/// Waits until the lane is open and a place and a permit are there.
async fn ready(shared: &Shared, lane: &Lane) -> (Quota<VendorClient>, Option<OwnedSemaphorePermit>) {
    loop {
        lane.account.gate.opened().await;
        lane.gate.opened().await;
        // The semaphore is never closed, so there is always a place in the end.
        let place = Arc::clone(&lane.calls).acquire_owned().await.ok();
        let mut client = lane.client();
        let asked = shared.clock.uptime();
        let Ok(_) = client.ready().await;
        let waited = shared.clock.uptime().saturating_sub(asked);
        shared.metrics.permit_wait_seconds.get_or_create(&lane.labels()).observe(waited.as_secs_f64());
        // It may have been blocked in the meantime; the permit is given back.
        if lane.blocked().is_none() {
            return (client, place);
        }
    }
}

/// Lets the journal hand out what is due and sends it off.
async fn turn(shared: &Arc<Shared>, lane: &Arc<Lane>, outlet: Outlet) -> Turn {
    match shared.journal.claim(&lane.id, lane.operation.items_per_call, LEASE).await {
        Err(error) => {
            shared.journal_failed(&error);
            Turn::NoJournal
        }
        Ok(claim) if claim.items.is_empty() => {
            shared.journal_works();
            Turn::Idle(claim.next_due)
        }
        Ok(claim) => {
            shared.journal_works();
            lane.leave(claim.items.len() as u64);
            shared.tasks.spawn(deliver(Arc::clone(shared), Arc::clone(lane), outlet, claim.items));
            Turn::Sent
        }
    }
}

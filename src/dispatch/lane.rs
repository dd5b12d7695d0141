//! A lane: ready (a permit) → claim, and on to the call.
//!
//! One loop per (account, operation). It waits for work and for a permit, in that
//! order, and only then lets the journal hand out items: what arrived during the
//! wait travels together. A claim and its call run as a task of their own, so
//! neither a slow disk nor a slow vendor holds up the permits. An item that meets
//! a free permit skips the claim (`submit.rs`) and joins at `call::deliver`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tower::{ServiceBuilder, ServiceExt};

use super::Shared;
use super::accounts::Account;
use super::call::{self, Outlet};
use super::gate::{Blocked, Gate};
use super::quota::{BucketView, Permits, Quota, QuotaLayer, VendorClient};
use super::record::JOURNAL_PAUSE_MOST;
use crate::journal::{OpenLane, Waiting};
use crate::providers::Operation;
use crate::types::crash;
use crate::types::deletion::LaneId;
use crate::types::metrics::LaneLabels;

/// How long an item may be `sending`: one call (15 s at most) and its record,
/// with room for a slow disk. FAULTS.md, 17.
pub const LEASE: Duration = Duration::from_secs(30);
/// Calls of one lane under way at once. At 100 calls a second this lets a vendor
/// take more than a second to answer before permits are left unused.
const MAX_CALLS: usize = 128;
/// Claims of one lane under way at once: they share a commit, so that a commit that
/// takes longer than a permit leaves none unused.
const MAX_CLAIMS: usize = 8;

/// The queue of one account and operation.
#[derive(Debug)]
pub struct Lane {
    /// Its name.
    pub id: LaneId,
    pub(super) account: Arc<Account>,
    pub(super) operation: &'static Operation,
    pub(super) gate: Gate,
    permits: Arc<dyn Permits>,
    depth: Depth,
    work: Notify,
    calls: Arc<Semaphore>,
}

/// How many items wait, as far as this process has heard; the journal has the truth,
/// and now and then its count is taken over.
#[derive(Debug, Default)]
struct Depth {
    /// All, due or not. May be below zero for a moment, when who takes items out was
    /// faster than who tells that they came.
    waiting: AtomicI64,
    /// Those of them that did not come with an upload.
    interactive: AtomicI64,
    /// Places for interactive items that are being journaled.
    reserved: AtomicI64,
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn clamped(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
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
            depth: Depth::default(),
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

    /// Why nothing is sent, if so: a stop switch before the account's reason, and that before the lane's own.
    pub fn blocked(&self) -> Option<Blocked> {
        self.account.stop.blocked().or_else(|| self.account.gate.blocked()).or_else(|| self.gate.blocked())
    }

    /// Waits until each gate before it was seen open.
    pub(super) async fn opened(&self) {
        self.account.stop.opened().await;
        self.account.gate.opened().await;
        self.gate.opened().await;
    }

    /// Items that wait, due or not.
    pub fn depth(&self) -> u64 {
        clamped(self.depth.waiting.load(Ordering::Relaxed)).saturating_add(self.reserved())
    }

    /// Those of them that did not come with an upload; only they are limited.
    pub fn interactive(&self) -> u64 {
        clamped(self.depth.interactive.load(Ordering::Relaxed)).saturating_add(self.reserved())
    }

    fn reserved(&self) -> u64 {
        clamped(self.depth.reserved.load(Ordering::Relaxed))
    }

    /// How the bucket stands.
    pub fn bucket(&self) -> BucketView {
        self.permits.view()
    }

    /// Items that end or move on in a second if every call is full.
    pub(super) fn items_per_second(&self) -> f64 {
        let most = f64::from(u32::try_from(self.operation.items_per_call).unwrap_or(u32::MAX));
        self.bucket().rate_now * most
    }

    /// Makes room for more interactive items, or tells how many wait already.
    pub(super) fn reserve(&self, items: usize, limit: u64) -> Result<(), u64> {
        let items = number(items);
        let reserved = self.depth.reserved.fetch_add(items, Ordering::Relaxed);
        let before = self.depth.interactive.load(Ordering::Relaxed).max(0).saturating_add(reserved.max(0));
        if clamped(before.saturating_add(items)) <= limit {
            return Ok(());
        }
        self.depth.reserved.fetch_sub(items, Ordering::Relaxed);
        Err(clamped(before))
    }

    /// Reserved places are given back.
    pub(super) fn give_back(&self, items: usize) {
        self.depth.reserved.fetch_sub(number(items), Ordering::Relaxed);
    }

    /// What places were reserved for is journaled: the loop may come for it.
    pub(super) fn fill(&self, items: usize) {
        self.depth.waiting.fetch_add(number(items), Ordering::Relaxed);
        self.depth.interactive.fetch_add(number(items), Ordering::Relaxed);
        self.give_back(items);
        self.wake();
    }

    /// Fewer items wait.
    fn leave(&self, items: usize, interactive: usize) {
        self.depth.waiting.fetch_sub(number(items), Ordering::Relaxed);
        self.depth.interactive.fetch_sub(number(interactive), Ordering::Relaxed);
    }

    /// One more item waits; the loop may have to look again.
    pub(super) fn arrive(&self, item: &Waiting) {
        self.depth.waiting.fetch_add(1, Ordering::Relaxed);
        self.depth.interactive.fetch_add(i64::from(!item.bulk), Ordering::Relaxed);
        self.wake();
    }

    /// The journal's own count. What is being journaled meanwhile is counted by the next one.
    pub(super) fn recount(&self, open: Option<&OpenLane>) {
        let (waiting, bulk) = open.map_or((0, 0), |open| (open.waiting, open.bulk));
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.depth.waiting.store(number(waiting), Ordering::Relaxed);
        self.depth.interactive.store(number(waiting.saturating_sub(bulk)), Ordering::Relaxed);
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

    pub(super) fn labels(&self) -> LaneLabels {
        LaneLabels { account: self.id.account.to_string(), operation: self.id.operation.to_string() }
    }

    /// Whether one more claim should find something beside those that are under way.
    fn has_more_than(&self, claims: usize) -> bool {
        let taken = claims.saturating_mul(self.operation.items_per_call);
        claims == 0 || self.depth() > u64::try_from(taken).unwrap_or(u64::MAX)
    }
}

/// The lane's loop. Ends when the service stops; claims under way go on to their record.
pub(super) async fn run(shared: Arc<Shared>, lane: Arc<Lane>) {
    // Work may have been left by the process before this one.
    let mut due = Some(shared.clock.now());
    loop {
        let work = async {
            match due {
                Some(at) => {
                    let wait = Duration::try_from(at - shared.clock.now()).unwrap_or_default();
                    tokio::select! { biased; () = shared.clock.sleep(wait) => {}, () = lane.work.notified() => {} }
                }
                None => lane.work.notified().await,
            }
        };
        tokio::select! { biased; () = shared.stop.cancelled() => return, () = work => {} }
        match drain(&shared, &lane).await {
            Some(next) => due = next,
            None => return,
        }
    }
}

/// Sends until nothing is due any more, one permit after the other; when something
/// is due again, or `None` if the service stops.
async fn drain(shared: &Arc<Shared>, lane: &Arc<Lane>) -> Option<Option<Timestamp>> {
    let mut under_way: VecDeque<JoinHandle<Turn>> = VecDeque::with_capacity(MAX_CLAIMS);
    // Kept over the turns of the loop: who waits for a permit must not lose its place.
    let mut ready_next = Box::pin(ready(shared, lane));
    let mut asks = false;
    loop {
        // Who has asked for a permit goes on asking, or nobody behind it in the bucket's queue would get one.
        asks |= under_way.len() < MAX_CLAIMS && lane.has_more_than(under_way.len());
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return None,
            done = first(&mut under_way) => match done {
                Turn::Idle(due) if under_way.is_empty() => return Some(due),
                // Those begun later may have found what came meanwhile.
                Turn::Sent | Turn::Idle(_) => {}
                Turn::NoJournal => tokio::select! {
                    () = shared.stop.cancelled() => return None,
                    () = shared.clock.sleep(JOURNAL_PAUSE_MOST) => {}
                },
            },
            outlet = &mut ready_next, if asks => {
                let claim = turn(Arc::clone(shared), Arc::clone(lane), outlet);
                under_way.push_back(shared.tasks.spawn(claim));
                ready_next.set(ready(shared, lane));
                asks = false;
            }
        }
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

/// The claim that was begun first, once it is done.
async fn first(under_way: &mut VecDeque<JoinHandle<Turn>>) -> Turn {
    let Some(claim) = under_way.front_mut() else { return std::future::pending().await };
    // A claim that panicked is as good as a journal that could not be asked.
    let done = claim.await.unwrap_or(Turn::NoJournal);
    under_way.pop_front();
    done
}

/// Waits until the lane is open and a place and a permit are there.
async fn ready(shared: &Shared, lane: &Lane) -> Outlet {
    loop {
        lane.opened().await;
        // The semaphore is never closed, so there is always a place in the end.
        let place = Arc::clone(&lane.calls).acquire_owned().await.ok();
        let mut client = lane.client();
        let asked = shared.clock.uptime();
        let Ok(_) = client.ready().await;
        let leased_at = shared.clock.uptime();
        let waited = leased_at.saturating_sub(asked);
        shared.metrics.permit_wait_seconds.get_or_create(&lane.labels()).observe(waited.as_secs_f64());
        // It may have been blocked in the meantime; the permit is given back.
        if lane.blocked().is_none() {
            return Outlet { client, place, leased_at };
        }
    }
}

/// Lets the journal hand out what is due and sends it off.
async fn turn(shared: Arc<Shared>, lane: Arc<Lane>, outlet: Outlet) -> Turn {
    // No lease begins before the journal is asked.
    let outlet = Outlet { leased_at: shared.clock.uptime(), ..outlet };
    let _moves = shared.moves();
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
            crash::point("after-claim");
            let interactive = claim.items.iter().filter(|item| !item.bulk).count();
            lane.leave(claim.items.len(), interactive);
            let deliver = call::deliver(Arc::clone(&shared), lane, outlet, claim.items);
            shared.tasks.spawn(deliver);
            Turn::Sent
        }
    }
}

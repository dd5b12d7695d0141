//! A lane: ready (a permit) → claim → call → record.
//!
//! One loop per (account, operation), the only one that sends. It waits for work
//! and for a permit, in that order, and only then lets the journal hand out
//! items: what arrived during the wait travels together. Each call runs as a
//! task of its own, so a slow vendor does not hold up the permits. An item that
//! meets a free permit skips the claim (`mod.rs`) and joins at `deliver`.
//! Decisions are elsewhere: `batch`, `retry`; this file only acts.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tower::{Service, ServiceBuilder, ServiceExt};

use super::batch::{self, Load};
use super::gate::{Blocked, Gate};
use super::quota::{BucketView, Permits, Quota, QuotaLayer, VendorClient};
use super::retry::{self, Circumstances};
use super::{Account, Shared};
use crate::journal::{CallRecord, Change, Claimed, Next, Recorded};
use crate::providers::{Again, CallReport, Effect, Operation, Verdict};
use crate::types::deletion::LaneId;
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
    depth: AtomicU64,
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
            depth: AtomicU64::new(0),
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
        self.depth.load(Ordering::Relaxed)
    }

    /// How the bucket stands.
    pub fn bucket(&self) -> BucketView {
        self.permits.view()
    }

    /// Makes room for more waiting items, or tells how many wait already.
    pub(super) fn reserve(&self, items: u64, limit: u64) -> Result<(), u64> {
        let fits = |depth: u64| (depth + items <= limit).then_some(depth + items);
        self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(|_| ())
    }

    /// Fewer items wait.
    pub(super) fn leave(&self, items: u64) {
        let less = |depth: u64| Some(depth.saturating_sub(items));
        let updated = self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        debug_assert!(updated.is_ok(), "the closure always answers");
    }

    /// More items wait; the loop may have to look again.
    pub(super) fn arrive(&self, items: u64) {
        self.depth.fetch_add(items, Ordering::Relaxed);
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
            // Never cut off: what the journal hands out must be sent, or a stop in order would leave in doubt
            // what no call was made for.
            match hand_out(&shared, &lane, client, place).await {
                Ok(None) => {}
                Ok(Some(due)) => break due,
                Err(pause) => {
                    tokio::select! { () = stop.cancelled() => return, () = shared.clock.sleep(pause) => {} }
                }
            }
        };
    }
}

/// Waits for an open gate, a place to call from and a permit.
async fn ready(shared: &Shared, lane: &Lane) -> (Quota<VendorClient>, OwnedSemaphorePermit) {
    loop {
        lane.account.gate.opened().await;
        lane.gate.opened().await;
        let Ok(place) = Arc::clone(&lane.calls).acquire_owned().await else {
            // Nobody closes the semaphore, which lives in the lane.
            return std::future::pending().await;
        };
        let mut client = lane.client();
        let asked = shared.clock.uptime();
        let Ok(_) = client.ready().await;
        let waited = shared.clock.uptime().saturating_sub(asked);
        shared.metrics.permit_wait_seconds.get_or_create(&lane.labels()).observe(waited.as_secs_f64());
        if lane.blocked().is_none() {
            return (client, place);
        }
    }
}

/// Sends what is due: `None` if something was sent, else when the lane must be
/// looked at again at the latest.
async fn hand_out(
    shared: &Arc<Shared>,
    lane: &Arc<Lane>,
    client: Quota<VendorClient>,
    place: OwnedSemaphorePermit,
) -> Result<Option<Option<jiff::Timestamp>>, Duration> {
    let claim =
        shared.journal.claim(&lane.id, lane.operation.items_per_call, LEASE).await.map_err(|error| {
            shared.journal_failed(&error);
            JOURNAL_PAUSE_MOST
        })?;
    shared.journal_works();
    if claim.items.is_empty() {
        return Ok(Some(claim.next_due));
    }
    lane.leave(claim.items.len() as u64);
    shared.tasks.spawn(deliver(Arc::clone(shared), Arc::clone(lane), client, place, claim.items));
    Ok(None)
}

/// Makes one call for handed-out items and records what comes of it.
pub(super) async fn deliver(
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    mut client: Quota<VendorClient>,
    place: OwnedSemaphorePermit,
    items: Vec<Claimed>,
) {
    let (loads, mut changes) = prepare(&lane, items.clone(), Some(shared.clock.now()));
    let (started_at, started) = (shared.clock.now(), shared.clock.uptime());
    let report = if loads.is_empty() {
        nothing_sent()
    } else {
        let sent: Result<CallReport, Infallible> = client.call(batch::call(lane.operation, &loads)).await;
        let Ok(report) = sent;
        report
    };
    let duration = shared.clock.uptime().saturating_sub(started);
    drop(place);
    tell(&shared, &lane, &loads, &report, duration);
    let call = CallRecord {
        lane: lane.id.clone(),
        phase: items.first().map_or(crate::types::deletion::Phase::Delete, |item| item.step.phase),
        started_at,
        duration,
        class: report.class,
        status: report.status,
        vendor_code: report.code.clone(),
        request_id: report.request_id.clone(),
    };
    let (judged, blocked) = judge(&shared, &lane, loads, report);
    changes.extend(judged);
    finish(&shared, &items, call, changes).await;
    if blocked {
        shared.wakes.wake_all();
    }
}

/// Items whose sender died: a delete may have gone out, a read does not matter.
pub(super) async fn take_back(shared: &Arc<Shared>, lane: &Arc<Lane>, items: Vec<Claimed>) {
    let (loads, mut changes) = prepare(lane, items.clone(), None);
    let (class, verdict) = match lane.operation.effect {
        Effect::Delete => (AttemptClass::Ambiguous, Verdict::Doubtful { unanswered: true }),
        Effect::Read => (AttemptClass::NotSent, Verdict::Again(Again::Resign)),
    };
    let verdicts = loads.iter().map(|_| verdict.clone()).collect();
    let report = CallReport { class, verdicts, ..nothing_sent() };
    let Some(first) = items.first() else { return };
    let call = CallRecord {
        lane: lane.id.clone(),
        phase: first.step.phase,
        started_at: shared.clock.now(),
        duration: Duration::ZERO,
        class,
        status: None,
        vendor_code: None,
        request_id: None,
    };
    tracing::warn!(lane = %lane.id, items = items.len(), class = class.as_str(), "items of a dead sender were taken back");
    changes.extend(judge(shared, lane, loads, report).0);
    finish(shared, &items, call, changes).await;
}

fn nothing_sent() -> CallReport {
    CallReport {
        class: AttemptClass::NotSent,
        status: None,
        code: None,
        request_id: None,
        unlisted: false,
        throttled: None,
        verdicts: Vec::new(),
    }
}

/// Loads for the call; items that cannot be sent (at `now`, if they are to be) end here and reach no vendor.
fn prepare(lane: &Lane, items: Vec<Claimed>, now: Option<jiff::Timestamp>) -> (Vec<Load>, Vec<Change>) {
    let (mut loads, refused) = batch::load(lane.account.provider.as_ref(), lane.operation, items);
    let ended = |claimed: &Claimed, ending| Change {
        key: claimed.key,
        generation: claimed.generation,
        progress: None,
        next: Next::Ended(ending),
    };
    let mut changes: Vec<Change> = refused
        .iter()
        .map(|(claimed, refusal)| ended(claimed, super::refused(lane.account.provider.as_ref(), refusal)))
        .collect();
    loads.retain_mut(|load| {
        let too_late = now.and_then(|now| retry::end_overdue(load, now));
        changes.extend(too_late.clone());
        too_late.is_none()
    });
    // A delete or settling read about no part at all would mean something else to the vendor.
    let (empty, loads): (Vec<Load>, Vec<Load>) = loads.into_iter().partition(|load| {
        load.carried.is_empty() && load.claimed.step.phase != crate::types::deletion::Phase::Resolve
    });
    for load in empty {
        tracing::error!(lane = %lane.id, deletion.id = %load.claimed.deletion, item = load.claimed.key.index,
            "an item came to its call without anything open; it was not sent");
        let nothing = ItemError::new(Reason::VendorError, "nothing was left to send for this item");
        let ending = load.progress.ending().unwrap_or_else(|| Ending::not_ok(Outcome::Failed, nothing));
        changes.push(ended(&load.claimed, ending));
    }
    (loads, changes)
}

/// Says in the log and the metrics what a call did.
fn tell(shared: &Shared, lane: &Lane, loads: &[Load], report: &CallReport, duration: Duration) {
    let attempt = loads.iter().map(|load| load.claimed.calls + 1).max().unwrap_or_default();
    let request_id = report.request_id.as_deref().unwrap_or_default();
    let code = report.code.as_deref().unwrap_or_default();
    tracing::info!(
        operation = lane.operation.name,
        account = %lane.id.account,
        items = loads.len(),
        attempt,
        class = report.class.as_str(),
        vendor.status = report.status,
        vendor.code = code,
        vendor.request_id = request_id,
        duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        "vendor call"
    );
    let labels = CallLabels {
        account: lane.id.account.to_string(),
        operation: lane.id.operation.to_string(),
        result: report.class.as_str(),
    };
    shared.metrics.calls.get_or_create(&labels).inc();
    shared.metrics.call_seconds.get_or_create(&lane.labels()).observe(duration.as_secs_f64());
    if report.throttled.is_some() {
        shared.metrics.throttled.get_or_create(&lane.labels()).inc();
        let rate_now = lane.bucket().rate_now;
        tracing::warn!(lane = %lane.id, vendor.code = code, rate_now, "the vendor throttled; the lane slows down");
    }
    if report.unlisted {
        shared.metrics.count_unlisted(lane.account.provider.name(), code);
        tracing::warn!(lane = %lane.id, vendor.code = code, vendor.request_id = request_id,
            "the vendor answered with a code that is in no table");
    }
}

/// The changes of a call's items, and whether it met a gate that is closed now.
fn judge(shared: &Shared, lane: &Lane, loads: Vec<Load>, report: CallReport) -> (Vec<Change>, bool) {
    let entries = loads.len();
    let mut verdicts = report.verdicts;
    if verdicts.len() != entries {
        // A provider must answer for every item; one that does not has told us nothing.
        tracing::error!(lane = %lane.id, entries, verdicts = verdicts.len(), "a call did not answer for all its items");
        let unknown = match lane.operation.effect {
            Effect::Delete => Verdict::Doubtful { unanswered: false },
            Effect::Read => Verdict::Again(Again::Unavailable),
        };
        verdicts = vec![unknown; entries];
    }
    let blocked = weigh(shared, lane, &loads, &verdicts);
    let call = rand::rng().random::<u32>();
    let overdrawn = lane.account.is_overdrawn();
    let now = shared.clock.now();
    let changes: Vec<Change> = loads
        .into_iter()
        .zip(verdicts)
        .enumerate()
        .map(|(n, (load, verdict))| {
            let around = Circumstances {
                provider: lane.account.provider.as_ref(),
                operation: lane.operation,
                entries,
                vendor_code: report.code.as_deref(),
                now,
                policy: shared.policy,
                overdrawn,
                split: (call, if n < entries.div_ceil(2) { 'a' } else { 'b' }),
            };
            // The same chance for all of a call: what failed together is tried again together, or an
            // outage would turn each call of twenty into twenty.
            let mut chance = StdRng::seed_from_u64(call.into());
            retry::judge(load, verdict, &around, &mut chance)
        })
        .collect();
    lane.account.settle_budget(&changes);
    (changes, blocked)
}

/// Closes a gate if the verdicts say that the account, not an item, is at fault; whether they say so.
fn weigh(shared: &Shared, lane: &Lane, loads: &[Load], verdicts: &[Verdict]) -> bool {
    let mut blocked = false;
    for (load, verdict) in loads.iter().zip(verdicts) {
        match verdict {
            Verdict::Fault(reason) => {
                shared.block(&lane.account.gate, &lane.id, *reason);
                blocked = true;
            }
            Verdict::NotOk { maybe_account: true, .. } if loads.len() == 1 => {
                if lane.gate.strike(load.claimed.target.name.as_str()) {
                    shared.block(&lane.gate, &lane.id, crate::providers::LaneReason::Forbidden);
                    blocked = true;
                }
            }
            Verdict::Deleted | Verdict::Absent | Verdict::Facts(_) => lane.gate.succeeded(),
            Verdict::NotOk { .. } | Verdict::Unclear | Verdict::Doubtful { .. } | Verdict::Again(_) => {}
        }
    }
    blocked
}

/// Records, for as long as it takes: what a call did must not be forgotten.
async fn finish(shared: &Arc<Shared>, items: &[Claimed], call: CallRecord, changes: Vec<Change>) {
    let mut pause = JOURNAL_PAUSE;
    let recorded = loop {
        match shared.journal.record(call.clone(), changes.clone()).await {
            Ok(recorded) => break recorded,
            Err(error) => {
                shared.journal_failed(&error);
                shared.clock.sleep(pause).await;
                pause = (pause * 2).min(JOURNAL_PAUSE_MOST);
            }
        }
    };
    shared.journal_works();
    announce(shared, items, &recorded);
}

fn announce(shared: &Shared, items: &[Claimed], recorded: &Recorded) {
    for outcome in &recorded.ended {
        shared.metrics.outcomes.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc();
    }
    for lane in recorded.waiting.iter().filter_map(|id| shared.lanes.get(id)) {
        lane.arrive(1);
    }
    if recorded.stale > 0 {
        tracing::warn!(stale = recorded.stale, "a record came after its lease; another sender had the items");
    }
    let mut woken = None;
    for item in items.iter().filter(|item| recorded.finished.contains(&item.key.deletion)) {
        if woken != Some(&item.deletion) {
            shared.wakes.wake(&item.deletion);
            woken = Some(&item.deletion);
        }
    }
}

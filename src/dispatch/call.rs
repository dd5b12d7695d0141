//! One call: what goes in it, how it is made, what comes of it.
//!
//! The only place that sends deletes. Handed-out items become a call, the call is
//! made under its lease and its permit, and each item gets its change for the
//! journal. Decisions are elsewhere (`batch`, `retry`); when there is a permit is
//! `lane.rs`, how it is written down `record.rs`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::OwnedSemaphorePermit;
use tower::{Service, ServiceExt};

use super::Shared;
use super::batch::{self, Load};
use super::lane::{LEASE, Lane};
use super::quota::{Quota, VendorClient};
use super::record;
use super::retry::{self, Circumstances};
use super::window;
use crate::guard::holds as guard;
use crate::journal::audit::{self, Action, Entry, Span};
use crate::journal::{CallRecord, Change, Claimed, Next};
use crate::providers::transport::CALL_TIMEOUT;
use crate::providers::{Again, Call, CallReport, Effect, Verdict};
use crate::types::crash;
use crate::types::deletion::{LaneId, Phase, Progress};
use crate::types::hold::Hold;
use crate::types::metrics::CallLabels;
use crate::types::outcome::{AttemptClass, Ending, ItemError, LaneReason, Outcome, Reason};

/// How long an item waits while it is not known what must not be sent.
const UNSURE_PAUSE: Duration = Duration::from_secs(1);

/// What a call goes out by.
#[derive(Debug)]
pub(super) struct Outlet {
    /// The client, with a permit in hand.
    pub(super) client: Quota<VendorClient>,
    /// One of the places that bound the calls under way.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// When the items' lease began, at the latest.
    pub(super) leased_at: Duration,
}

/// Makes one call for handed-out items and records what comes of it.
pub(super) async fn deliver(shared: Arc<Shared>, lane: Arc<Lane>, outlet: Outlet, items: Vec<Claimed>) {
    let Outlet { mut client, place, leased_at } = outlet;
    let (loads, mut changes) = prepare(&lane, items.clone());
    client.forget_old_permit(shared.clock.uptime());
    if !loads.is_empty() {
        let Ok(_) = client.ready().await;
        client.depart().await;
    }
    // After the last wait: what is decided here is what goes out.
    let HeldBack { loads, changes: held_back, refused } = hold_back(&shared, &lane, loads);
    let phase = items.first().map_or(Phase::Delete, |item| item.step.phase);
    if !held_back.is_empty() || !changes.is_empty() {
        // By themselves: the call that follows does not carry them.
        changes.extend(held_back);
        let none = no_answer(&lane, phase, AttemptClass::NotSent, shared.clock.now(), Duration::ZERO);
        record::finish(&shared, none, std::mem::take(&mut changes)).await;
        if !refused.is_empty()
            && let Err(error) = shared.journal.audit(refused).await
        {
            shared.journal_failed(&error);
        }
        if loads.is_empty() {
            return;
        }
    }
    let started_at = shared.clock.now();
    // It may still have to wait until the vendor's second has room.
    let is_late = shared.clock.uptime() + window::SPAN + CALL_TIMEOUT > leased_at + LEASE;
    let (report, duration) = if loads.is_empty() {
        (nothing_sent(0), Duration::ZERO)
    } else if is_late {
        // The call could outlive its lease and another sender have the items by then.
        tracing::warn!(lane = %lane.id, items = loads.len(), "items waited too long to be sent under their lease");
        (nothing_sent(loads.len()), Duration::ZERO)
    } else {
        let attempt = loads.iter().map(|load| load.claimed.calls + 1).max().unwrap_or_default();
        exchange(&shared, &lane, &mut client, batch::call(lane.operation, &loads), attempt).await
    };
    drop(place);
    let call = CallRecord {
        status: report.status,
        vendor_code: report.code.clone(),
        request_id: report.request_id.clone(),
        ..no_answer(&lane, phase, report.class, started_at, duration)
    };
    let was_open = lane.blocked().is_none();
    record::finish(&shared, call, judge(&shared, &lane, loads, report, started_at)).await;
    if was_open && lane.blocked().is_some() {
        shared.wakes.wake_all();
    }
}

/// Makes one call through a client that holds a permit, and says what it did.
pub(super) async fn exchange(
    shared: &Shared,
    lane: &Lane,
    client: &mut Quota<VendorClient>,
    call: Call,
    attempt: u32,
) -> (CallReport, Duration) {
    let (items, started) = (call.entries.len(), shared.clock.uptime());
    let sent: Result<CallReport, Infallible> = client.call(call).await;
    let Ok(report) = sent;
    crash::point("after-answer");
    let duration = shared.clock.uptime().saturating_sub(started);
    tell(shared, lane, items, attempt, &report, duration);
    (report, duration)
}

/// The record of a call of which nothing came back.
fn no_answer(
    lane: &Lane,
    phase: Phase,
    class: AttemptClass,
    started_at: Timestamp,
    duration: Duration,
) -> CallRecord {
    CallRecord {
        lane: lane.id.clone(),
        phase,
        started_at,
        duration,
        class,
        status: None,
        vendor_code: None,
        request_id: None,
    }
}

/// Handed-out items by the lane that their step goes through.
pub(super) fn by_lane(items: Vec<Claimed>) -> BTreeMap<LaneId, Vec<Claimed>> {
    let mut by_lane: BTreeMap<LaneId, Vec<Claimed>> = BTreeMap::new();
    for item in items {
        let id = LaneId { account: item.target.account.clone(), operation: item.step.operation.clone() };
        by_lane.entry(id).or_default().push(item);
    }
    by_lane
}

/// Items whose sender died: a delete may have gone out, a read does not matter.
pub(super) async fn take_back(shared: &Arc<Shared>, lane: &Arc<Lane>, items: Vec<Claimed>) {
    let (loads, mut changes) = prepare(lane, items.clone());
    let (class, verdict) = match lane.operation.effect {
        Effect::Delete | Effect::Block | Effect::Lift => {
            (AttemptClass::Ambiguous, Verdict::Doubtful { unanswered: true })
        }
        Effect::Read => (AttemptClass::NotSent, Verdict::Again(Again::NotSent)),
    };
    let verdicts = loads.iter().map(|_| verdict.clone()).collect();
    let report = CallReport { class, verdicts, ..nothing_sent(0) };
    let Some(first) = items.first() else { return };
    let call = no_answer(lane, first.step.phase, class, shared.clock.now(), Duration::ZERO);
    tracing::warn!(lane = %lane.id, items = items.len(), class = class.as_str(), "items of a dead sender were taken back");
    // It went out when its lease began, if it did.
    let lapsed_at = items.iter().filter_map(|item| item.lapsed_at).min();
    let sent_at = lapsed_at.map_or_else(
        || shared.clock.now(),
        |at| at.checked_sub(SignedDuration::try_from(LEASE).unwrap_or_default()).unwrap_or(at),
    );
    changes.extend(judge(shared, lane, loads, report, sent_at));
    record::finish(shared, call, changes).await;
}

/// The report of a call that was not made.
fn nothing_sent(entries: usize) -> CallReport {
    CallReport {
        class: AttemptClass::NotSent,
        status: None,
        code: None,
        request_id: None,
        unlisted: false,
        throttled: None,
        verdicts: vec![Verdict::Again(Again::NotSent); entries],
    }
}

/// Loads for the call; items that cannot be sent end here and reach no vendor.
fn prepare(lane: &Lane, items: Vec<Claimed>) -> (Vec<Load>, Vec<Change>) {
    let (loads, refused) = batch::load(lane.account.provider.as_ref(), lane.operation, items);
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
    // A delete or settling read about no part at all would mean something else to the vendor.
    let (empty, loads): (Vec<Load>, Vec<Load>) = loads
        .into_iter()
        .partition(|load| load.carried.is_empty() && load.claimed.step.phase != Phase::Resolve);
    for load in empty {
        tracing::error!(lane = %lane.id, deletion.id = %load.claimed.deletion, item = load.claimed.key.index,
            "an item came to its call without anything open; it was not sent");
        let nothing = ItemError::new(Reason::VendorError, "nothing was left to send for this item");
        let ending = load.progress.ending().unwrap_or_else(|| Ending::not_ok(Outcome::Failed, nothing));
        changes.push(ended(&load.claimed, ending));
    }
    (loads, changes)
}

/// Of the loads those that may still go out. The others have waited too long and take another
/// way, are under a hold, or wait until a stop switch is lifted.
fn hold_back(shared: &Shared, lane: &Lane, loads: Vec<Load>) -> HeldBack {
    let (now, provider, holds) = (shared.clock.now(), lane.account.provider.as_ref(), shared.holds());
    let (is_stopped, is_unsure) = (lane.account.stop.blocked().is_some(), !shared.knows_guards());
    let (mut fresh, mut held_back, mut refused) = (Vec::with_capacity(loads.len()), Vec::new(), Vec::new());
    for mut load in loads {
        // A read that settles what was sent before does no harm.
        let settles = load.claimed.step.phase == Phase::Settle;
        let hold = if settles { None } else { holds.on(&load.claimed.target, load.progress.asset.as_ref()) };
        let (progress, next) = if load.claimed.is_dead && !settles {
            let (progress, next) = end_open(&load, &Ending::canceled(), shared.policy.cool_down);
            (Some(progress), next)
        } else if let Some(hold) = hold {
            tracing::warn!(lane = %lane.id, deletion.id = %load.claimed.deletion, item = load.claimed.key.index,
                hold = %hold.id, "an item is under a hold; it is not sent");
            refused.push(refused_by(hold, &load.claimed));
            let (progress, next) = end_open(&load, &guard::refused(hold), shared.policy.cool_down);
            (Some(progress), next)
        } else if is_stopped || is_unsure {
            let due_at = if is_unsure { retry::later(now, UNSURE_PAUSE) } else { now };
            (None, Next::Again { step: load.claimed.step.clone(), due_at, counts: false })
        } else if let Some(next) = retry::overdue(&mut load, provider, now) {
            (Some(load.progress), next)
        } else {
            fresh.push(load);
            continue;
        };
        let Claimed { key, generation, .. } = load.claimed;
        held_back.push(Change { key, generation, progress, next });
    }
    HeldBack { loads: fresh, changes: held_back, refused }
}

/// What is not sent after all, and what the audit is told of it.
struct HeldBack {
    loads: Vec<Load>,
    changes: Vec<Change>,
    refused: Vec<Entry>,
}

/// The record of an item that a hold kept from being sent.
fn refused_by(hold: &Hold, claimed: &Claimed) -> Entry {
    Entry {
        actor: audit::SERVICE.to_owned(),
        action: Action::Refused,
        account: Some(claimed.target.account.clone()),
        deletion: Some(claimed.deletion.clone()),
        items: Some(Span::one(claimed.key.index, Outcome::Refused)),
        reason: Some(format!("held: {}", hold.id)),
        vendor_request_id: None,
    }
}

/// Ends what is open of an item that must not be sent, or not again. What is known to be gone stays
/// so, and where an earlier delete may have worked nobody claims that it did not.
fn end_open(load: &Load, unsent: &Ending, cool_down: Duration) -> (Progress, Next) {
    let mut progress = load.progress.clone();
    for part in progress.parts.iter_mut().filter(|part| part.is_open()) {
        // `canceled` and `held` say that nothing was sent.
        part.ending = Some(match &part.doubt {
            None => unsent.clone(),
            Some(_) if retry::shown_standing(part, cool_down) => sent_in_vain(),
            Some(_) => in_doubt_for_good(),
        });
    }
    let ending = progress.ending().unwrap_or_else(|| unsent.clone());
    (progress, Next::Ended(ending))
}

fn sent_in_vain() -> Ending {
    let message = "a delete was sent and did nothing; it must not be repeated";
    Ending::not_ok(Outcome::Failed, ItemError::new(Reason::Unavailable, message))
}

fn in_doubt_for_good() -> Ending {
    let message =
        "a delete was sent and its answer was lost; it must not be repeated, so what it did is not known";
    Ending::not_ok(Outcome::Unknown, ItemError::new(Reason::Unsettled, message))
}

/// Says in the log and the metrics what a call did.
fn tell(shared: &Shared, lane: &Lane, items: usize, attempt: u32, report: &CallReport, duration: Duration) {
    let request_id = report.request_id.as_deref().unwrap_or_default();
    let code = report.code.as_deref().unwrap_or_default();
    tracing::info!(
        operation = lane.operation.name,
        account = %lane.id.account,
        items,
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

/// The changes of a call's items, and what it says of the account.
fn judge(
    shared: &Shared,
    lane: &Lane,
    loads: Vec<Load>,
    report: CallReport,
    started_at: Timestamp,
) -> Vec<Change> {
    let entries = loads.len();
    let mut verdicts = report.verdicts;
    if verdicts.len() != entries {
        // A provider must answer for every item; one that does not has told us nothing.
        tracing::error!(lane = %lane.id, entries, verdicts = verdicts.len(), "a call did not answer for all its items");
        let unknown = match lane.operation.effect {
            Effect::Delete | Effect::Block | Effect::Lift => Verdict::Doubtful { unanswered: false },
            Effect::Read => Verdict::Again(Again::Unavailable),
        };
        verdicts = vec![unknown; entries];
    }
    weigh(shared, lane, &loads, &verdicts);
    let call = shared.chance.draw();
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
                started_at,
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
    changes
}

/// Closes a gate if the verdicts say that the account, not an item, is at fault.
fn weigh(shared: &Shared, lane: &Lane, loads: &[Load], verdicts: &[Verdict]) {
    for (load, verdict) in loads.iter().zip(verdicts) {
        match verdict {
            Verdict::Fault(reason) => shared.block(&lane.account.gate, &lane.id, *reason),
            Verdict::NotOk { maybe_account: true, .. } if loads.len() == 1 => {
                if lane.gate.strike(load.claimed.target.name.as_str()) {
                    shared.block(&lane.gate, &lane.id, LaneReason::Forbidden);
                }
            }
            Verdict::Deleted | Verdict::Done | Verdict::Absent | Verdict::Facts(_) => lane.gate.succeeded(),
            Verdict::NotOk { .. } | Verdict::Unclear | Verdict::Doubtful { .. } | Verdict::Again(_) => {}
        }
    }
}

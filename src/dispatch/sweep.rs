//! The one timer loop: lost leases, blocked lanes, a journal that failed, what is kept too long.
//!
//! Looks every few seconds and acts only where something is overdue. Its own
//! file so that no other loop has to wake up by the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Shared, call, chores, lane};
use crate::journal::audit::AuditFilter;
use crate::journal::{self, OpenLane, Rescue};
use crate::types::deletion::LaneId;

/// How often it looks. FAULTS.md, 14: lost leases are found within 15 s.
const PERIOD: Duration = Duration::from_secs(5);
/// How often the end of the audit chain is told.
const TELL_HEAD_EVERY: Duration = Duration::from_hours(1);
/// How often a blocked account is probed (API.md, Lane or item).
const PROBE_EVERY: Duration = Duration::from_mins(1);
/// Items taken back in one step.
const RESCUE_STEP: usize = 1_000;
/// Rows that one step of cleaning removes: a few milliseconds of the writer.
const CLEAN_STEP: usize = 500;
/// Steps of cleaning at one look: at most 2,400,000 rows an hour, and never a stall.
const CLEAN_STEPS: usize = 7;
/// Looks at the journal's counts in one sweep, until one fits.
const RECOUNTS: usize = 5;
/// An upload that was not sealed by then broke off without a word (FAULTS.md, 11).
const UNSEALED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The loop. Ends when the service stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut probed = shared.clock.uptime();
    let mut told = probed;
    loop {
        // First of all: a gauge that is not there yet is no zero to who watches it.
        for (id, lane) in &shared.lanes {
            shared.show_depth(id, lane);
        }
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            () = shared.clock.sleep(PERIOD) => {}
        }
        if !shared.is_healthy() && shared.journal.check().await.is_ok() {
            shared.journal_works();
        }
        if let Err(error) = look(&shared).await {
            shared.journal_failed(&error);
        }
        if shared.clock.uptime().saturating_sub(told) >= TELL_HEAD_EVERY {
            told = shared.clock.uptime();
            tell_audit_head(&shared).await;
        }
        if shared.clock.uptime().saturating_sub(probed) >= PROBE_EVERY {
            probed = shared.clock.uptime();
            probe(&shared);
            let begun_before = shared.clock.now().saturating_sub(UNSEALED_FOR);
            if let Ok(begun_before) = begun_before
                && let Err(error) = shared.journal.discard_unsealed(begun_before).await
            {
                shared.journal_failed(&error);
            }
            if let Ok(bytes) = shared.journal.size().await {
                shared.metrics.journal_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            // Whatever wake-up was lost, nothing waits longer than this.
            shared.lanes.values().for_each(|lane| lane.wake());
        }
    }
}

/// Where the audit chain ends, for `vodrm audit verify --head`.
pub(super) async fn tell_audit_head(shared: &Shared) {
    match shared.journal.audited(AuditFilter::default(), 1).await {
        Ok(records) => {
            if let Some(head) = records.first() {
                tracing::info!(head = format!("{}:{}", head.seq, head.hash), "the audit chain ends here");
            }
        }
        Err(error) => shared.journal_failed(&error),
    }
}

/// What may be overdue in the journal.
async fn look(shared: &Arc<Shared>) -> Result<(), journal::Error> {
    if !shared.knows_guards() {
        shared.read_guards().await?;
    }
    if shared.may_rescue() {
        take_back(shared, Rescue::Expired).await?;
    }
    recount_at_rest(shared).await?;
    chores::begin_all(shared).await?;
    clean(shared).await
}

/// Takes over the journal's count of what waits, if nothing moves while it is asked:
/// what it counts then is what the lanes should have counted. On a busy service that
/// may take a few looks.
async fn recount_at_rest(shared: &Shared) -> Result<(), journal::Error> {
    for _ in 0..RECOUNTS {
        let before = shared.moves_at_rest();
        let open = shared.journal.open_lanes().await?;
        if before.is_some() && before == shared.moves_at_rest() {
            take_over(shared, &open);
            break;
        }
    }
    Ok(())
}

/// Takes over the journal's count of what waits, whatever moves meanwhile.
pub(super) async fn recount(shared: &Shared) -> Result<Vec<OpenLane>, journal::Error> {
    let open = shared.journal.open_lanes().await?;
    take_over(shared, &open);
    Ok(open)
}

fn take_over(shared: &Shared, open: &[OpenLane]) {
    let by_lane: BTreeMap<&LaneId, &OpenLane> = open.iter().map(|open| (&open.lane, open)).collect();
    for (id, lane) in &shared.lanes {
        lane.recount(by_lane.get(id).copied());
    }
}

/// Removes what is no longer kept, a little at a time.
async fn clean(shared: &Shared) -> Result<(), journal::Error> {
    let keep = SignedDuration::try_from(shared.keep).unwrap_or(SignedDuration::MAX);
    let Ok(finished_before) = shared.clock.now().saturating_sub(keep) else { return Ok(()) };
    for _ in 0..CLEAN_STEPS {
        if shared.stop.is_cancelled() || !shared.journal.clean(finished_before, CLEAN_STEP).await? {
            break;
        }
    }
    Ok(())
}

/// Probes what is blocked.
fn probe(shared: &Arc<Shared>) {
    for account in shared.accounts.values().filter(|account| shared.blocked(account).is_some()) {
        let (shared, account) = (Arc::clone(shared), Arc::clone(account));
        shared.tasks.clone().spawn(async move {
            tokio::select! {
                biased;
                () = shared.probe(&account) => {}
                () = shared.stop.cancelled() => {}
            }
        });
    }
}

/// Takes back items whose sender is gone and lets them go on.
pub(super) async fn take_back(shared: &Arc<Shared>, which: Rescue) -> Result<usize, journal::Error> {
    let mut all = 0;
    loop {
        let items = shared.journal.rescue(which, RESCUE_STEP, lane::LEASE).await?;
        let taken = items.len();
        let mut recorded = 0;
        for (id, items) in call::by_lane(items) {
            let Some(lane) = shared.lanes.get(&id) else {
                super::tell_unserved(&id, items.len() as u64);
                continue;
            };
            recorded += items.len();
            call::take_back(shared, lane, items).await;
        }
        all += recorded;
        // Items of lanes that are gone stay as they are and come up again: a round of nothing else is the last.
        if taken < RESCUE_STEP || recorded == 0 {
            return Ok(all);
        }
    }
}

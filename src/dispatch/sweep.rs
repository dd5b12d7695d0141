//! The one timer loop: lost leases, blocked lanes, a journal that failed.
//!
//! Looks every few seconds and acts only where something is overdue. Its own
//! file so that no other loop has to wake up by the clock.

use std::sync::Arc;
use std::time::Duration;

use super::{Shared, lane};
use crate::journal::Rescue;

/// How often it looks. FAULTS.md, 14: lost leases are found within 15 s.
const PERIOD: Duration = Duration::from_secs(5);
/// How often a blocked account is probed (API.md, Lane or item).
const PROBE_EVERY: Duration = Duration::from_mins(1);
/// Items taken back in one step.
const RESCUE_STEP: usize = 1_000;

/// The loop. Ends when the service stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut probed = shared.clock.uptime();
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
        if shared.may_rescue()
            && let Err(error) = take_back(&shared, Rescue::Expired).await
        {
            shared.journal_failed(&error);
        }
        if shared.clock.uptime().saturating_sub(probed) >= PROBE_EVERY {
            probed = shared.clock.uptime();
            for account in shared.accounts.values().filter(|account| shared.blocked(account).is_some()) {
                let (shared, account) = (Arc::clone(&shared), Arc::clone(account));
                shared.tasks.clone().spawn(async move {
                    tokio::select! {
                        biased;
                        () = shared.probe(&account) => {}
                        () = shared.stop.cancelled() => {}
                    }
                });
            }
            // Whatever wake-up was lost, nothing waits longer than this.
            shared.lanes.values().for_each(|lane| lane.wake());
        }
    }
}

/// Takes back items whose sender is gone and lets them go on.
pub(super) async fn take_back(shared: &Arc<Shared>, which: Rescue) -> Result<usize, crate::journal::Error> {
    let mut all = 0;
    loop {
        let items = shared.journal.rescue(which, RESCUE_STEP, lane::LEASE).await?;
        let taken = items.len();
        let mut recorded = 0;
        for (id, items) in lane::by_lane(items) {
            let Some(lane) = shared.lanes.get(&id) else {
                super::tell_unserved(&id, items.len() as u64);
                continue;
            };
            recorded += items.len();
            lane::take_back(shared, lane, items).await;
        }
        all += recorded;
        // Items of lanes that are gone stay as they are and come up again: a round of nothing else is the last.
        if taken < RESCUE_STEP || recorded == 0 {
            return Ok(all);
        }
    }
}

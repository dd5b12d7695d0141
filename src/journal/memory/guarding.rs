//! What must not be: more than a caller's items of a day, deletes under a hold or a stop.
//!
//! Its own file because none of it belongs to one deletion. Whether a target is
//! under a hold is not decided here, and nothing here looks at items.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::floor;
use super::state::State;
use crate::journal::CapReached;
use crate::journal::audit::Action;
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::target::AccountId;

const DAY: i64 = 86_400;

/// Caps, holds and stops.
#[derive(Debug, Clone, Default)]
pub(super) struct Guards {
    /// Items that a caller made real, by caller and day since 1970 (UTC).
    usage: BTreeMap<(String, i64), u64>,
    holds: BTreeMap<(AccountId, HoldId), Hold>,
    /// By account; the one of no account stops all.
    stops: BTreeMap<Option<AccountId>, Stop>,
}

fn day(time: Timestamp) -> i64 {
    time.as_second().div_euclid(DAY)
}

impl Guards {
    /// Counts items that become real, unless that would be too many: then what is left.
    pub(super) fn count(
        &mut self,
        caller: &str,
        items: u64,
        limit: Option<u64>,
        now: Timestamp,
    ) -> Option<CapReached> {
        let today = day(now);
        let used = self.usage.entry((caller.to_owned(), today)).or_default();
        if let Some(limit) = limit {
            let left = limit.saturating_sub(*used);
            if left < items {
                let resets_at = Timestamp::from_second((today + 1) * DAY).unwrap_or(Timestamp::MAX);
                return Some(CapReached { limit, left, resets_at });
            }
        }
        *used += items;
        None
    }

    pub(super) fn forget_days_before(&mut self, now: Timestamp) {
        self.usage.retain(|(_, of), _| *of >= day(now));
    }

    pub(super) fn holds(&self) -> Vec<Hold> {
        self.holds.values().cloned().collect()
    }

    pub(super) fn stops(&self) -> Vec<Stop> {
        self.stops.values().cloned().collect()
    }
}

impl State {
    pub(super) fn hold(&mut self, hold: Hold, now: Timestamp) {
        let reason = Some(format!("{}: {}", hold.id, hold.reason));
        self.tell_guard(Action::Held, &hold.held_by, Some(&hold.account), reason, now);
        let hold = Hold { held_at: floor(hold.held_at), ..hold };
        self.guards.holds.insert((hold.account.clone(), hold.id.clone()), hold);
    }

    pub(super) fn lift(
        &mut self,
        account: &AccountId,
        id: &HoldId,
        by: &str,
        now: Timestamp,
    ) -> Option<Hold> {
        let lifted = self.guards.holds.remove(&(account.clone(), id.clone()))?;
        self.tell_guard(Action::Lifted, by, Some(account), Some(id.to_string()), now);
        Some(lifted)
    }

    /// Whether it was off. The first to stop it is remembered.
    pub(super) fn stop(&mut self, stop: Stop, now: Timestamp) -> bool {
        if self.guards.stops.contains_key(&stop.account) {
            return false;
        }
        self.tell_guard(Action::Stopped, &stop.by, stop.account.as_ref(), stop.reason.clone(), now);
        let stop = Stop { at: floor(stop.at), ..stop };
        self.guards.stops.insert(stop.account.clone(), stop);
        true
    }

    /// Whether it was on.
    pub(super) fn restart(
        &mut self,
        account: Option<&AccountId>,
        by: &str,
        reason: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let was_on = self.guards.stops.remove(&account.cloned()).is_some();
        if was_on {
            self.tell_guard(Action::Restarted, by, account, reason.map(str::to_owned), now);
        }
        was_on
    }
}

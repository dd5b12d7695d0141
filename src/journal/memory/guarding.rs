//! What must not be: more than a caller's items of a day, deletes under a hold or a stop.
//!
//! Its own file because none of it belongs to one deletion. Whether a target is
//! under a hold is not decided here, and nothing here looks at items.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::floor;
use crate::journal::CapReached;
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

    pub(super) fn hold(&mut self, hold: Hold) {
        let hold = Hold { held_at: floor(hold.held_at), ..hold };
        self.holds.insert((hold.account.clone(), hold.id.clone()), hold);
    }

    pub(super) fn lift(&mut self, account: &AccountId, id: &HoldId) -> Option<Hold> {
        self.holds.remove(&(account.clone(), id.clone()))
    }

    pub(super) fn holds(&self) -> Vec<Hold> {
        self.holds.values().cloned().collect()
    }

    /// Whether it was off. The first to stop it is remembered.
    pub(super) fn stop(&mut self, stop: Stop) -> bool {
        let was_off = !self.stops.contains_key(&stop.account);
        let stop = Stop { at: floor(stop.at), ..stop };
        self.stops.entry(stop.account.clone()).or_insert(stop);
        was_off
    }

    /// Whether it was on.
    pub(super) fn restart(&mut self, account: Option<&AccountId>) -> bool {
        self.stops.remove(&account.cloned()).is_some()
    }

    pub(super) fn stops(&self) -> Vec<Stop> {
        self.stops.values().cloned().collect()
    }
}

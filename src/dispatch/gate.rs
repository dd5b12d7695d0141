//! Whether a lane may send: open, or blocked with a reason.
//!
//! Faults of an account (its key, its standing with the vendor) close the gate
//! of all its lanes; too many forbidden items in a row close one lane's. Items
//! wait behind a closed gate and none is burnt. Who opens it again is the probe
//! in `sweep.rs`. Its own file because lanes, the probe and the views share it.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::types::outcome::LaneReason;

/// Different items that must be forbidden in a row, with no success between
/// them, before the lane is taken to be forbidden as a whole (API.md, Lane or item).
pub const STRIKES: usize = 3;

/// Why a gate is closed, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// Why.
    pub reason: LaneReason,
    /// Since when.
    pub since: Timestamp,
}

/// A gate.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<Option<Blocked>>,
    /// Wakes in the order of arrival.
    changed: Notify,
    strikes: Mutex<Vec<String>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), strikes: Mutex::default() }
    }
}

impl Gate {
    /// Why it is closed, if it is.
    pub fn blocked(&self) -> Option<Blocked> {
        *self.state()
    }

    /// Closes it; whether it was open.
    pub fn close(&self, reason: LaneReason, since: Timestamp) -> bool {
        let mut state = self.state();
        let was_open = state.is_none();
        state.get_or_insert(Blocked { reason, since });
        was_open
    }

    /// Opens it; whether it was closed. After too many forbidden items it is on
    /// trial: a read that went through does not prove the right to delete, so the
    /// next forbidden item closes it again.
    pub fn open(&self) -> bool {
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        strikes.truncate(STRIKES - 1);
        let was_closed = self.state().take().is_some();
        self.changed.notify_waiters();
        was_closed
    }

    /// Waits until it is open.
    pub async fn opened(&self) {
        loop {
            // In line before it looks, so that an opening in between is not missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.blocked().is_none() {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<Blocked>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An item was forbidden; whether it is one too many in a row.
    pub fn strike(&self, item: &str) -> bool {
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        if strikes.iter().all(|known| known != item) {
            strikes.push(item.to_owned());
        }
        strikes.len() >= STRIKES
    }

    /// The vendor did something for the account: it is not forbidden as a whole.
    pub fn succeeded(&self) {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_different_items_in_a_row_are_one_too_many() {
        let gate = Gate::default();
        assert!(!gate.strike("a") && !gate.strike("a") && !gate.strike("b"));
        gate.succeeded();
        assert!(!gate.strike("c") && !gate.strike("d") && gate.strike("e"));
        gate.open();
        assert!(gate.strike("f"), "on trial: one more closes it again");
        gate.open();
        gate.succeeded();
        assert!(!gate.strike("g"), "a success ends the trial");
    }

    #[test]
    fn a_gate_closes_once_and_keeps_its_first_reason() {
        let gate = Gate::default();
        let at = Timestamp::UNIX_EPOCH;
        assert!(gate.close(LaneReason::Suspended, at));
        assert!(!gate.close(LaneReason::BadCredentials, at));
        assert_eq!(gate.blocked(), Some(Blocked { reason: LaneReason::Suspended, since: at }));
        assert!(gate.open() && !gate.open());
    }
}

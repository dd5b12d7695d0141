//! When a deletion ends.
//!
//! From the rate that was measured once a job runs steadily, and before that from
//! the lanes' rates, what waits, and with how many others each lane is shared.
//! Pure but for the reads; its own file because it only tells and never decides.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Dispatch;
use crate::journal::{self, DeletionRow};
use crate::providers::Effect;
use crate::types::lifecycle::DeletionState;

/// Items that share a call, at most, at any vendor: where the delete's own number is not known yet.
const MOST_SHARED: u64 = 20;

/// When a deletion should end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Forecast {
    /// When its last item should end; `None` if it cannot be told.
    pub finishes_at: Option<Timestamp>,
    /// Items that end in a second now.
    pub items_per_second: Option<f64>,
}

/// A lane in which some of a deletion's items wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// How many.
    pub waiting: u64,
    /// Items of the deletion that leave it in a second: measured, or its share of the lane's rate.
    pub per_second: f64,
    /// Nothing leaves it now.
    pub blocked: bool,
}

impl Dispatch {
    /// When this deletion should end, as far as can be told.
    pub async fn forecast(&self, deletion: &DeletionRow) -> Result<Forecast, journal::Error> {
        if deletion.state != DeletionState::Running || deletion.counts.open() == 0 {
            return Ok(Forecast::default());
        }
        let shares = self.shared.journal.shares(deletion.seq).await?;
        let uptime = self.shared.clock.uptime();
        let paces = self.shared.paces();
        let lanes: Vec<Ahead> = shares
            .iter()
            .map(|share| match self.shared.lanes.get(&share.lane) {
                // It is not configured any more.
                None => Ahead { waiting: share.waiting, per_second: 0.0, blocked: true },
                Some(lane) => {
                    let others = f64::from(share.callers.max(1)) * f64::from(share.siblings.max(1));
                    let by_share = || lane.items_per_second() / others;
                    let measured = paces.from_lane(deletion.seq, &share.lane, uptime);
                    Ahead {
                        waiting: share.waiting,
                        per_second: measured.unwrap_or_else(by_share),
                        blocked: lane.blocked().is_some(),
                    }
                }
            })
            .collect();
        let measured = paces.items_per_second(deletion.seq, uptime);
        drop(paces);
        let Some((left, per_second)) = predict(deletion.counts.open(), &lanes, measured) else {
            return Ok(Forecast::default());
        };
        let finishes_at = SignedDuration::try_from(left)
            .ok()
            .and_then(|left| self.shared.clock.now().checked_add(left).ok());
        Ok(Forecast { finishes_at, items_per_second: Some(per_second) })
    }
}

/// What a plan would take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlay {
    /// Vendor calls, at least.
    pub calls: u64,
    /// How long they take at the present rates with nobody else at work.
    pub time: Option<Duration>,
}

impl Dispatch {
    /// What a plan would take if it were started; `None` if it is no plan.
    pub async fn outlay(&self, deletion: &DeletionRow) -> Result<Option<Outlay>, journal::Error> {
        if deletion.state != DeletionState::Planned {
            return Ok(None);
        }
        let shares = self.shared.journal.shares(deletion.seq).await?;
        let (mut calls, mut lanes) = (0_u64, Vec::with_capacity(shares.len()));
        for share in &shares {
            let Some(lane) = self.shared.lanes.get(&share.lane) else { continue };
            let most = u64::try_from(lane.operation.items_per_call).unwrap_or(1).max(1);
            // What must be read first is sent after that.
            let again = if lane.operation.effect == Effect::Read { share.waiting } else { 0 };
            calls = calls
                .saturating_add(share.waiting.div_ceil(most))
                .saturating_add(again.div_ceil(MOST_SHARED));
            lanes.push(Ahead {
                waiting: share.waiting,
                per_second: lane.items_per_second(),
                blocked: lane.blocked().is_some(),
            });
        }
        let time = predict(deletion.counts.open(), &lanes, None).map(|(time, _)| time);
        Ok(Some(Outlay { calls, time }))
    }
}

/// How long it takes until nothing is open, and items a second now. The slowest lane
/// decides; what was measured of the whole counts too, since items may have lanes
/// before them in which they do not wait yet.
#[must_use]
pub fn predict(open: u64, lanes: &[Ahead], measured: Option<f64>) -> Option<(Duration, f64)> {
    if lanes.iter().any(|lane| lane.blocked) {
        return None;
    }
    let seconds = |items: u64, per_second: f64| {
        // Past 2^32 items nobody asks for the second.
        f64::from(u32::try_from(items).unwrap_or(u32::MAX)) / per_second
    };
    let of_lanes = lanes.iter().map(|lane| seconds(lane.waiting, lane.per_second));
    let longest = of_lanes.chain(measured.map(|rate| seconds(open, rate))).reduce(f64::max)?;
    let per_second = measured.unwrap_or_else(|| lanes.iter().map(|lane| lane.per_second).sum());
    Some((Duration::try_from_secs_f64(longest).ok()?, per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(waiting: u64, per_second: f64) -> Ahead {
        Ahead { waiting, per_second, blocked: false }
    }

    #[test]
    fn the_slowest_lane_decides() {
        let two = [ahead(1_000, 100.0), ahead(1_000, 10.0)];
        assert_eq!(predict(2_000, &two, None), Some((Duration::from_secs(100), 110.0)));
        // Measured as a whole the fast lane hides the slow one.
        assert_eq!(predict(2_000, &two, Some(110.0)), Some((Duration::from_secs(100), 110.0)));
    }

    #[test]
    fn items_that_have_a_slower_lane_before_them_are_seen_by_what_was_measured() {
        let read = [ahead(900, 300.0), ahead(10, 30.0)];
        assert_eq!(predict(1_000, &read, Some(10.0)), Some((Duration::from_secs(100), 10.0)));
    }

    #[test]
    fn nothing_is_told_of_a_blocked_lane_or_of_one_that_stands_still() {
        let blocked = Ahead { blocked: true, ..ahead(5, 10.0) };
        assert_eq!(predict(10, &[ahead(5, 10.0), blocked], Some(3.0)), None);
        assert_eq!(predict(5, &[ahead(5, 0.0)], None), None);
        assert_eq!(predict(5, &[], None), None);
    }
}

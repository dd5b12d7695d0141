//! How fast deletions go, measured. Pure.
//!
//! A mean over about the last 20 seconds, of the items that ended and of those
//! that left each lane, for the deletions that moved last. Its own file because
//! it is fed by records and read by forecasts. What follows is `forecast.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::types::deletion::{DeletionSeq, LaneId};

/// What lies further back than this counts for less than 40 %.
const MEMORY: Duration = Duration::from_secs(20);
/// A mean over less than this says little.
const STEADY: Duration = Duration::from_secs(10);
/// After so long a silence (a pause, a blocked lane) measuring begins anew.
const GAP: Duration = Duration::from_mins(1);
/// Most deletions that are measured; the one that moved longest ago is given up first.
const MOST_MEASURED: usize = 1_024;

/// A mean of events a second, in which older ones count for less.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    since: Duration,
    at: Duration,
    sum: f64,
}

impl Mean {
    /// Begins now. What happens now is the beginning and not counted.
    #[must_use]
    pub fn begin(now: Duration) -> Self {
        Self { since: now, at: now, sum: 0.0 }
    }

    /// So much happened.
    pub fn note(&mut self, count: u64, now: Duration) {
        if now.saturating_sub(self.at) > GAP {
            *self = Self::begin(now);
            return;
        }
        // Counts of one call: far below 2^32.
        let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        self.sum = self.faded(now) + count / MEMORY.as_secs_f64();
        self.at = self.at.max(now);
    }

    /// Events a second; `None` until there is enough to tell.
    #[must_use]
    pub fn per_second(&self, now: Duration) -> Option<f64> {
        let age = now.saturating_sub(self.since);
        if age < STEADY || now.saturating_sub(self.at) > GAP {
            return None;
        }
        // What was before the beginning is missing in the sum, not zero.
        Some(self.faded(now) / (1.0 - fade(age)))
    }

    fn faded(&self, now: Duration) -> f64 {
        self.sum * fade(now.saturating_sub(self.at))
    }
}

fn fade(passed: Duration) -> f64 {
    (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

#[derive(Debug)]
struct Pace {
    moved: Duration,
    ended: Option<(u64, Mean)>,
    left: Vec<(LaneId, Mean)>,
}

/// The pace of every deletion that moves.
#[derive(Debug, Default)]
pub struct Paces {
    of: BTreeMap<DeletionSeq, Pace>,
}

impl Paces {
    /// So many items of a deletion have ended by now, in all.
    pub fn ended(&mut self, deletion: DeletionSeq, in_all: u64, now: Duration) {
        match &mut self.pace(deletion, now).ended {
            Some((before, mean)) => {
                mean.note(in_all.saturating_sub(*before), now);
                *before = in_all;
            }
            none => *none = Some((in_all, Mean::begin(now))),
        }
    }

    /// So many items of a deletion have left a lane.
    pub fn left(&mut self, deletion: DeletionSeq, lane: &LaneId, items: u64, now: Duration) {
        let pace = self.pace(deletion, now);
        match pace.left.iter_mut().find(|(id, _)| id == lane) {
            Some((_, mean)) => mean.note(items, now),
            None => pace.left.push((lane.clone(), Mean::begin(now))),
        }
    }

    /// Items of a deletion that end in a second.
    #[must_use]
    pub fn items_per_second(&self, deletion: DeletionSeq, now: Duration) -> Option<f64> {
        self.of.get(&deletion)?.ended.as_ref()?.1.per_second(now)
    }

    /// Items of a deletion that leave a lane in a second.
    #[must_use]
    pub fn from_lane(&self, deletion: DeletionSeq, lane: &LaneId, now: Duration) -> Option<f64> {
        let of_lane = self.of.get(&deletion)?.left.iter().find(|(id, _)| id == lane);
        of_lane.and_then(|(_, mean)| mean.per_second(now))
    }

    /// A deletion has ended.
    pub fn forget(&mut self, deletion: DeletionSeq) {
        self.of.remove(&deletion);
    }

    fn pace(&mut self, deletion: DeletionSeq, now: Duration) -> &mut Pace {
        if self.of.len() >= MOST_MEASURED && !self.of.contains_key(&deletion) {
            let oldest = self.of.iter().min_by_key(|(_, pace)| pace.moved).map(|(seq, _)| *seq);
            oldest.map(|seq| self.of.remove(&seq));
        }
        let new = || Pace { moved: now, ended: None, left: Vec::new() };
        let pace = self.of.entry(deletion).or_insert_with(new);
        pace.moved = now;
        pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_steady_flow_is_measured_within_a_few_percent_soon_and_late() {
        for (per_call, gap) in [(20, 0.037), (1, 0.011), (20, 1.0)] {
            let mut mean = Mean::begin(Duration::ZERO);
            let mut at = 0.0;
            while at < 300.0 {
                at += gap;
                mean.note(per_call, s(at));
                let truth = f64::from(u32::try_from(per_call).unwrap()) / gap;
                if let Some(told) = mean.per_second(s(at)) {
                    assert!((told / truth - 1.0).abs() < 0.06, "{told} of {truth} at {at}");
                } else {
                    assert!(at < 10.01);
                }
            }
        }
    }

    #[test]
    fn a_flow_that_halves_is_told_within_a_minute_and_one_that_stops_fades() {
        let mut mean = Mean::begin(Duration::ZERO);
        for n in 1..=6_000_u32 {
            mean.note(1, s(f64::from(n) / 100.0));
        }
        for n in 1..=3_000_u32 {
            mean.note(1, s(60.0 + f64::from(n) / 50.0));
        }
        let told = mean.per_second(s(120.0)).unwrap();
        assert!((50.0..55.0).contains(&told), "{told}");
        assert!(mean.per_second(s(150.0)).unwrap() < 15.0);
        assert_eq!(mean.per_second(s(200.0)), None);
        mean.note(1, s(4_000.0));
        assert_eq!(mean.per_second(s(4_001.0)), None, "after a pause it begins anew");
    }

    #[test]
    fn what_moved_longest_ago_is_given_up_first() {
        let mut paces = Paces::default();
        for seq in 0..=i64::try_from(MOST_MEASURED).unwrap() {
            paces.ended(seq, 1, Duration::from_millis(u64::try_from(seq).unwrap()));
        }
        assert!(paces.of.len() == MOST_MEASURED && !paces.of.contains_key(&0));
    }
}

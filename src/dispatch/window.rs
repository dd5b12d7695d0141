//! How many calls may leave in any second. Pure.
//!
//! The bucket grants permits so that no second holds more than the limit, but a
//! permit is used a moment later: after a commit, which takes now one millisecond
//! and now fifty. What counts is when calls arrive at the vendor. So departures are
//! counted too, with room for a network that delays one more than the next.

use std::collections::VecDeque;
use std::time::Duration;

/// The span that holds no more departures than the limit: a second, and what the
/// network may delay one call more than another.
pub const SPAN: Duration = Duration::from_millis(1_025);

/// The last departures.
#[derive(Debug, Clone)]
pub struct Window {
    most: usize,
    left: VecDeque<Duration>,
}

impl Window {
    /// A window for a limit in calls a second.
    #[must_use]
    pub fn new(qps: f64) -> Self {
        // Whole calls; at least one, or none could ever go. Past 2^32 nothing is limited.
        let whole = Duration::try_from_secs_f64(qps).map_or(u64::MAX, |whole| whole.as_secs());
        Self { most: usize::try_from(whole).unwrap_or(usize::MAX).max(1), left: VecDeque::new() }
    }

    /// A call leaves now, or may do so at the time that is told.
    pub fn leave(&mut self, now: Duration) -> Result<(), Duration> {
        while self.left.front().is_some_and(|first| *first + SPAN <= now) {
            self.left.pop_front();
        }
        match self.left.front() {
            Some(first) if self.left.len() >= self.most => Err(*first + SPAN),
            _ => {
                self.left.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However late permits are used: with up to 20 ms on the way no second sees more than the limit.
        #[test]
        fn no_second_sees_more_arrivals_than_the_limit(
            qps in 1_u32..120,
            steps in proptest::collection::vec((0_u64..40, 0_u64..20), 1..500),
        ) {
            let mut window = Window::new(f64::from(qps));
            let (mut now, mut arrivals) = (Duration::ZERO, Vec::new());
            for (wait, on_the_way) in steps {
                now += Duration::from_millis(wait);
                if let Err(at) = window.leave(now) {
                    prop_assert!(at > now);
                    now = at;
                    prop_assert_eq!(window.leave(now), Ok(()));
                }
                arrivals.push(now + Duration::from_millis(on_the_way));
            }
            arrivals.sort();
            for (n, first) in arrivals.iter().enumerate() {
                let seen = arrivals.iter().skip(n).take_while(|at| **at < *first + Duration::from_secs(1)).count();
                prop_assert!(seen <= qps as usize, "{seen} in a second at {qps}");
            }
        }
    }

    #[test]
    fn a_steady_rate_below_the_limit_never_waits() {
        // The whole limit of 30 as our share is 29 a second.
        let mut window = Window::new(30.0);
        for n in 0..300 {
            assert_eq!(window.leave(Duration::from_secs_f64(f64::from(n) / 29.0)), Ok(()), "call {n}");
        }
    }
}

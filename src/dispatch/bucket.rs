//! The token bucket of one quota group and operation, as arithmetic over a clock.
//!
//! `rate = qps × share`, `burst = qps − rate`, so that no window of one second
//! can hold more than `qps` calls (API.md, Quotas). It starts empty, closes for
//! the vendor's wait when the vendor throttles, halves its rate and grows back
//! slowly. Pure: the time comes in, a refusal tells when to come back. Who waits
//! and in what order is `quota.rs`.

use std::time::Duration;

/// The rate never falls below this many calls a second (or below its own full rate).
const FLOOR_PER_S: f64 = 1.0;
/// How long it must be quiet before the rate grows by one step.
const GROWTH_PERIOD: Duration = Duration::from_secs(10);
/// One step of growth, as a part of the limit.
const GROWTH_STEP: f64 = 0.05;
/// How long the bucket closes when the vendor names no wait.
pub const DEFAULT_CLOSE: Duration = Duration::from_secs(1);

/// What one bucket may grant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The vendor's limit, in calls a second.
    pub qps: f64,
    /// Our part of it.
    pub share: f64,
}

/// Calls a second where the vendor publishes no number (API.md, Quotas).
pub const DEFAULT_QPS: f64 = 10.0;
/// Our part of a limit, since other programs use the account too.
pub const DEFAULT_SHARE: f64 = 0.9;

impl Default for Rate {
    fn default() -> Self {
        Self { qps: DEFAULT_QPS, share: DEFAULT_SHARE }
    }
}

impl Rate {
    /// Calls a second in the long run. With the whole limit as our share one call
    /// a second is kept back as burst; a limit of one call a second leaves too
    /// little for that, so a tenth is kept back instead.
    #[must_use]
    pub fn per_second(self) -> f64 {
        if self.share < 1.0 {
            self.qps * self.share
        } else if self.qps >= 2.0 {
            self.qps - 1.0
        } else {
            self.qps * 0.9
        }
    }

    /// Calls that may go at once after a pause. At least one, or none could ever go:
    /// a window of one second then holds at most `1 + rate`, rounded down, which is
    /// still no more than `qps` calls.
    #[must_use]
    pub fn burst(self) -> f64 {
        (self.qps - self.per_second()).max(1.0)
    }
}

/// The bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    full: Rate,
    tokens: f64,
    filled_at: Duration,
    /// Nothing is granted before this time.
    closed_until: Duration,
    /// The rate after the last halving, and when it was halved.
    reduced: Option<(f64, Duration)>,
}

impl Bucket {
    /// An empty bucket.
    #[must_use]
    pub fn new(full: Rate, now: Duration) -> Self {
        Self { full, tokens: 0.0, filled_at: now, closed_until: Duration::ZERO, reduced: None }
    }

    /// Takes one token, or tells when one will be there if nothing else happens.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        if now < self.closed_until {
            return Err(self.closed_until);
        }
        // A grain below one is rounding, not a missing token.
        if self.tokens >= 1.0 - 1e-9 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - self.tokens) / self.rate_now(now);
        // A nanosecond more than needed, so that the next look does not come just too early.
        Err(now + Duration::from_secs_f64(missing) + Duration::from_nanos(1))
    }

    /// Puts back a token that was not used.
    pub fn give_back(&mut self, now: Duration) {
        self.fill(now);
        self.tokens = (self.tokens + 1.0).min(self.full.burst());
    }

    /// The vendor throttled a call that was granted at `granted_at`.
    pub fn throttle(&mut self, now: Duration, granted_at: Duration, wait: Option<Duration>) {
        self.fill(now);
        self.tokens = 0.0;
        self.closed_until = self.closed_until.max(now + wait.unwrap_or(DEFAULT_CLOSE));
        // Calls that were already under way when the rate was halved say nothing about the halved rate.
        if self.reduced.is_some_and(|(_, at)| granted_at < at) {
            return;
        }
        let floor = FLOOR_PER_S.min(self.full.per_second());
        self.reduced = Some(((self.rate_now(now) / 2.0).max(floor), now));
    }

    /// Calls a second that are granted now.
    #[must_use]
    pub fn rate_now(&self, now: Duration) -> f64 {
        let full = self.full.per_second();
        let Some((reduced, since)) = self.reduced else { return full };
        let quiet = now.saturating_sub(since.max(self.closed_until));
        let steps = quiet.as_secs() / GROWTH_PERIOD.as_secs();
        // At most a handful of steps lead back to the full rate; past 2^32 the cast does not matter.
        let steps = f64::from(u32::try_from(steps).unwrap_or(u32::MAX));
        (reduced + steps * GROWTH_STEP * self.full.qps).min(full)
    }

    /// Tokens that are there now.
    #[must_use]
    pub fn tokens(&self, now: Duration) -> f64 {
        let mut copy = self.clone();
        copy.fill(now);
        if now < copy.closed_until { 0.0 } else { copy.tokens }
    }

    /// What it may grant in full.
    #[must_use]
    pub fn full(&self) -> Rate {
        self.full
    }

    fn fill(&mut self, now: Duration) {
        let from = self.filled_at.max(self.closed_until.min(now));
        let passed = now.saturating_sub(from).as_secs_f64();
        // The rate at the start of the span: it only grows, so this is never too much.
        self.tokens = (self.tokens + passed * self.rate_now(from)).min(self.full.burst());
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_contracts_numbers() {
        let rate = Rate { qps: 30.0, share: 0.9 };
        assert!((rate.per_second() - 27.0).abs() < 1e-9 && (rate.burst() - 3.0).abs() < 1e-9);
        let whole = Rate { qps: 30.0, share: 1.0 };
        assert!((whole.per_second() - 29.0).abs() < 1e-9 && (whole.burst() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn it_starts_empty_and_says_when_to_come_back() {
        let mut bucket = Bucket::new(Rate { qps: 10.0, share: 0.9 }, ms(0));
        let at = bucket.take(ms(0)).unwrap_err();
        assert!(at > ms(111) && at < ms(112), "{at:?}");
        assert_eq!(bucket.take(at), Ok(()));
    }

    #[test]
    fn a_throttled_bucket_closes_halves_and_grows_back() {
        let mut bucket = Bucket::new(Rate { qps: 100.0, share: 0.9 }, ms(0));
        bucket.throttle(ms(1_000), ms(900), Some(ms(2_500)));
        assert_eq!(bucket.take(ms(3_000)), Err(ms(3_500)));
        assert!((bucket.rate_now(ms(3_500)) - 45.0).abs() < 1e-9);
        // Another call of the same burst: closed a little longer, not halved again.
        bucket.throttle(ms(1_100), ms(950), None);
        assert!((bucket.rate_now(ms(3_500)) - 45.0).abs() < 1e-9);
        assert!((bucket.rate_now(ms(13_500)) - 50.0).abs() < 1e-9);
        assert!((bucket.rate_now(ms(1_000_000)) - 90.0).abs() < 1e-9);
        for n in 0..20 {
            bucket.throttle(ms(2_000_000 + n), ms(2_000_000 + n), None);
        }
        assert!((bucket.rate_now(ms(2_000_100)) - 1.0).abs() < 1e-9, "never below one a second");
    }

    proptest! {
        /// I5: however takers come, no window of one second holds more than the limit.
        #[test]
        fn no_second_holds_more_than_the_limit(
            qps in 1_u32..200,
            share in prop_oneof![Just(1.0), 0.05_f64..1.0],
            waits in proptest::collection::vec(0_u64..300, 1..400),
            returned in proptest::collection::vec(any::<bool>(), 400),
        ) {
            let mut bucket = Bucket::new(Rate { qps: f64::from(qps), share }, ms(0));
            let (mut now, mut granted) = (Duration::ZERO, Vec::new());
            for (wait, give_back) in waits.iter().zip(returned) {
                now += ms(*wait);
                match bucket.take(now) {
                    Ok(()) if give_back => bucket.give_back(now),
                    Ok(()) => granted.push(now),
                    Err(at) => {
                        prop_assert!(at > now);
                        now = at;
                        prop_assert_eq!(bucket.take(now), Ok(()), "the promised time was too early");
                        granted.push(now);
                    }
                }
            }
            for (first, at) in granted.iter().enumerate() {
                let in_window = granted.iter().skip(first).take_while(|t| **t < *at + ms(1_000)).count();
                prop_assert!(in_window <= qps as usize, "{in_window} calls in a second at a limit of {qps}");
            }
        }
    }
}

//! How far a vendor's clock is from ours.
//!
//! Vendors refuse a signature whose time is too far from theirs. The offset is
//! learned from the `Date` header of their answers: at once when a call was
//! refused for its time, otherwise only when it is large and was seen twice in a
//! row, since one late answer proves nothing. Pure but for the two cells it keeps.

use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// Smaller differences are left alone: `Date` has whole seconds and answers take time.
const WORTH_CORRECTING_S: i64 = 30;

/// The learned offset of one account's vendor.
#[derive(Debug, Default)]
pub struct Skew {
    offset_s: AtomicI64,
    candidate_s: AtomicI64,
}

impl Skew {
    /// The vendor's time, as far as we know, at our `now`.
    #[must_use]
    pub fn correct(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_secs(self.offset_s.load(Ordering::Relaxed))).unwrap_or(now)
    }

    /// Seconds that are added to our time.
    #[must_use]
    pub fn offset_s(&self) -> i64 {
        self.offset_s.load(Ordering::Relaxed)
    }

    /// Whether the offset has changed since a call was signed with `offset_s`: another
    /// call may have learned it meanwhile, and signing again should do.
    #[must_use]
    pub fn moved_since(&self, offset_s: i64) -> bool {
        (self.offset_s() - offset_s).abs() > WORTH_CORRECTING_S
    }

    /// Looks at an ordinary answer that came at our `now`.
    pub fn observe(&self, headers: &HeaderMap, now: Timestamp) {
        let Some(seen) = difference_s(headers, now) else {
            return;
        };
        let held = self.offset_s.load(Ordering::Relaxed);
        if (seen - held).abs() <= WORTH_CORRECTING_S {
            self.candidate_s.store(held, Ordering::Relaxed);
            return;
        }
        let before = self.candidate_s.swap(seen, Ordering::Relaxed);
        if (seen - before).abs() <= WORTH_CORRECTING_S && before != held {
            self.offset_s.store(seen, Ordering::Relaxed);
        }
    }

    /// Looks at an answer that refused a call for its time: whether signing again
    /// can help, that is, whether the offset changed.
    pub fn learn(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        let Some(seen) = difference_s(headers, now) else {
            return false;
        };
        let before = self.offset_s.swap(seen, Ordering::Relaxed);
        (seen - before).abs() > WORTH_CORRECTING_S
    }
}

fn difference_s(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(theirs.as_second() - now.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(at: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::DATE, at.parse().unwrap());
        headers
    }

    #[test]
    fn a_large_difference_counts_only_when_it_is_seen_twice() {
        let (skew, now) = (Skew::default(), "2026-01-01T00:00:00Z".parse().unwrap());
        skew.observe(&dated("Thu, 01 Jan 2026 00:00:20 GMT"), now);
        assert_eq!(skew.offset_s(), 0);
        skew.observe(&dated("Thu, 01 Jan 2026 01:00:00 GMT"), now);
        assert_eq!(skew.offset_s(), 0, "once proves nothing");
        skew.observe(&dated("Thu, 01 Jan 2026 01:00:01 GMT"), now);
        assert_eq!(skew.offset_s(), 3601);
    }

    #[test]
    fn a_refusal_for_its_time_is_learned_at_once_and_only_once() {
        let (skew, now) = (Skew::default(), "2026-01-01T00:00:00Z".parse().unwrap());
        let headers = dated("Wed, 31 Dec 2025 23:00:00 GMT");
        assert!(skew.learn(&headers, now));
        assert_eq!(skew.correct(now).to_string(), "2025-12-31T23:00:00Z");
        assert!(!skew.learn(&headers, now), "the same offset again cannot help");
        assert!(!skew.learn(&HeaderMap::new(), now), "no Date, nothing learned");
    }
}

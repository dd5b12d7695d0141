//! What a vendor's gateway remembers between calls: how many came in a second, and which
//! nonces were used.
//!
//! Its own file because both vendors need the same two memories and neither needs the other's
//! library. Both are bounded. The time is always passed in; nothing here knows an operation.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::Count;

/// Nonces remembered at most: a million calls in half an hour is ten times what both vendors'
/// published limits let through. Past it the oldest are forgotten.
const MAX_NONCES: usize = 1_000_000;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct Window {
    /// The calendar second that `admitted` belongs to.
    second: i64,
    admitted: u32,
    /// Calls let through in the last second, oldest first. Never longer than the limit.
    recent: VecDeque<Timestamp>,
}

/// Calls per second, by account and operation.
#[derive(Debug, Default)]
pub struct Windows(Mutex<HashMap<String, Window>>);

impl Windows {
    /// Whether one more call fits; only calls that fit are counted.
    pub fn admit(&self, account: &str, operation: &str, limit: u32, count: Count, now: Timestamp) -> bool {
        let mut windows = locked(&self.0);
        let window = windows.entry(format!("{account}/{operation}")).or_default();
        match count {
            Count::Calendar => {
                let second = now.as_second();
                if window.second != second {
                    window.second = second;
                    window.admitted = 0;
                }
                if window.admitted >= limit {
                    return false;
                }
                window.admitted += 1;
                true
            }
            Count::Sliding => {
                while window
                    .recent
                    .front()
                    .is_some_and(|past| now.duration_since(*past) >= SignedDuration::from_secs(1))
                {
                    window.recent.pop_front();
                }
                if window.recent.len() >= limit as usize {
                    return false;
                }
                window.recent.push_back(now);
                true
            }
        }
    }

    pub(super) fn clear(&self) {
        locked(&self.0).clear();
    }
}

#[derive(Debug, Default)]
struct Seen {
    order: VecDeque<(Timestamp, String)>,
    known: HashSet<String>,
}

/// Which nonces were used.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<Seen>);

impl Nonces {
    /// Remembers `nonce` for `keep_s` seconds; false when it is remembered already.
    pub fn first_use(&self, nonce: &str, keep_s: i64, now: Timestamp) -> bool {
        let mut seen = locked(&self.0);
        let keep = SignedDuration::from_secs(keep_s);
        while seen.order.front().is_some_and(|(at, _)| now.duration_since(*at) > keep)
            || seen.order.len() >= MAX_NONCES
        {
            if let Some((_, old)) = seen.order.pop_front() {
                seen.known.remove(&old);
            }
        }
        if !seen.known.insert(nonce.to_owned()) {
            return false;
        }
        seen.order.push_back((now, nonce.to_owned()));
        true
    }

    pub(super) fn clear(&self) {
        let mut seen = locked(&self.0);
        seen.order.clear();
        seen.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn calendar_windows_start_anew_on_the_tick() {
        let windows = Windows::default();
        let admit = |ms| windows.admit("a", "Op", 2, Count::Calendar, at(ms));
        assert!(admit(1_900) && admit(1_950));
        assert!(!admit(1_999));
        assert!(admit(2_000), "the next second is a new window");
    }

    #[test]
    fn sliding_windows_look_back_a_whole_second() {
        let windows = Windows::default();
        let admit = |ms| windows.admit("a", "Op", 2, Count::Sliding, at(ms));
        assert!(admit(1_900) && admit(1_950));
        assert!(!admit(2_000) && !admit(2_899));
        assert!(admit(2_900));
        assert!(!admit(2_949));
    }

    #[test]
    fn accounts_and_operations_do_not_share_windows() {
        let windows = Windows::default();
        for (account, operation) in [("a", "Op"), ("b", "Op"), ("a", "Other")] {
            assert!(windows.admit(account, operation, 1, Count::Calendar, at(0)));
        }
    }

    #[test]
    fn a_nonce_is_refused_until_it_is_forgotten() {
        let nonces = Nonces::default();
        assert!(nonces.first_use("n", 60, at(0)));
        assert!(!nonces.first_use("n", 60, at(60_000)));
        assert!(nonces.first_use("n", 60, at(60_001)));
    }
}

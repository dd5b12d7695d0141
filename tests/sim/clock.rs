//! A clock that jumps from one sleeper to the next.
//!
//! Sleepers wake in the order of their times and, of equal times, in the order in
//! which they fell asleep, so that a run is the same every time. Time moves only
//! when the driver moves it, and then never past the next sleeper.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vodrm::types::clock::Clock;

#[derive(Debug)]
pub(crate) struct SimClock {
    start: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    last: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

/// Takes a sleeper that is gone off the list.
struct Bed<'a>(&'a SimClock, (Duration, u64));

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        self.0.lock().sleepers.remove(&self.1);
    }
}

impl SimClock {
    pub(crate) fn start() -> Arc<Self> {
        let start = "2026-11-05T10:00:00Z".parse().expect("it is a time");
        Arc::new(Self { start, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under the lock")
    }

    /// When the next sleeper wakes.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.lock().sleepers.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn advance_to(&self, at: Duration) {
        let mut state = self.lock();
        state.now = state.now.max(at);
        let now = state.now;
        let later = state.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }
}

#[async_trait::async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.uptime()).expect("a run is short")
    }

    fn uptime(&self) -> Duration {
        self.lock().now
    }

    async fn sleep_until(&self, uptime: Duration) {
        let key = {
            let mut state = self.lock();
            state.last += 1;
            (uptime, state.last)
        };
        let _bed = Bed(self, key);
        poll_fn(|context| {
            let mut state = self.lock();
            if state.now >= uptime {
                return Poll::Ready(());
            }
            state.sleepers.insert(key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

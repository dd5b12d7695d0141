//! The machine's clock, whose wall time a test can move.
//!
//! Only wall time moves: waits stay as they are, so a test can let a process be
//! down for ten minutes without spending them. The vendors' simulators go by the
//! same clock, so signatures stay valid.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vodrm::types::clock::{Clock, SystemClock};

#[derive(Debug)]
pub(crate) struct TestClock {
    system: Arc<dyn Clock>,
    moved_ms: AtomicI64,
}

impl TestClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { system: SystemClock::start(), moved_ms: AtomicI64::new(0) })
    }

    /// Moves wall time on.
    pub(crate) fn advance(&self, by: Duration) {
        self.moved_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.system.now() + SignedDuration::from_millis(self.moved_ms.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        self.system.uptime()
    }

    async fn sleep_until(&self, uptime: Duration) {
        self.system.sleep_until(uptime).await;
    }
}

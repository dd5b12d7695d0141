//! The machine's clock, which a test can move on.
//!
//! Both readings move together and whoever waited for the time is woken, so a
//! test can let a minute pass, or a process be down for ten, without spending
//! them. The vendors' simulators go by the same clock, so signatures stay valid.
//! What waits for a socket is not concerned: HTTP keeps the machine's own time.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use vodrm::types::clock::{Clock, SystemClock};

#[derive(Debug)]
pub(crate) struct TestClock {
    system: Arc<dyn Clock>,
    moved: watch::Sender<Duration>,
}

impl TestClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { system: SystemClock::start(), moved: watch::Sender::new(Duration::ZERO) })
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        self.moved.send_modify(|moved| *moved += by);
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.system.now() + SignedDuration::try_from(*self.moved.borrow()).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.system.uptime() + *self.moved.borrow()
    }

    async fn sleep_until(&self, uptime: Duration) {
        let mut moved = self.moved.subscribe();
        loop {
            let at = uptime.saturating_sub(*moved.borrow_and_update());
            tokio::select! {
                () = self.system.sleep_until(at) => return,
                // The sender lives in self, so the channel cannot close while we wait.
                _ = moved.changed() => {}
            }
        }
    }
}

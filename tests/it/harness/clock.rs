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
    /// The moment at which time stands still, if it does.
    stopped: watch::Sender<Option<Duration>>,
}

impl TestClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self {
            system: SystemClock::start(),
            moved: watch::Sender::new(Duration::ZERO),
            stopped: watch::Sender::new(None),
        })
    }

    /// Uptime stands still: no permit comes and no wait ends until it goes on.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(Some(self.uptime()));
    }

    /// Uptime goes on; what passed meanwhile has passed.
    pub(crate) fn go_on(&self) {
        self.stopped.send_replace(None);
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
        let stopped = *self.stopped.borrow();
        stopped.unwrap_or_else(|| self.system.uptime() + *self.moved.borrow())
    }

    async fn sleep_until(&self, uptime: Duration) {
        let (mut moved, mut stopped) = (self.moved.subscribe(), self.stopped.subscribe());
        // The senders live in self, so no channel can close while we wait.
        while self.uptime() < uptime {
            let at = uptime.saturating_sub(*moved.borrow_and_update());
            let is_stopped = stopped.borrow_and_update().is_some();
            tokio::select! {
                () = self.system.sleep_until(at), if !is_stopped => {}
                _ = moved.changed() => {}
                _ = stopped.changed() => {}
            }
        }
    }
}

//! Time, passed in.
//!
//! Everything that asks for the time or waits for it does so through a
//! `Clock`, so that tests set it and no decision reads the machine by itself.
//! Two readings: wall time for what is stored and signed, and time since the
//! start, which never jumps, for buckets and waits.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// A source of time.
#[async_trait::async_trait]
pub trait Clock: Debug + Send + Sync {
    /// Wall time.
    fn now(&self) -> Timestamp;
    /// Time since some start; never goes back.
    fn uptime(&self) -> Duration;
    /// Waits until [`Clock::uptime`] has reached this.
    async fn sleep_until(&self, uptime: Duration);
    /// Waits this long.
    async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.uptime() + duration).await;
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Arc<dyn Clock> {
        Arc::new(Self { start: tokio::time::Instant::now() })
    }
}

#[async_trait::async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's time is read")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep_until(&self, uptime: Duration) {
        tokio::time::sleep_until(self.start + uptime).await;
    }
}

/// Wall time that never jumps: the time at its start and what has passed since.
///
/// For what is stored and compared: leases, due times and ages must not move when
/// somebody sets the machine's clock. What is signed needs the true time instead.
#[derive(Debug)]
pub struct SteadyClock {
    clock: Arc<dyn Clock>,
    origin: Timestamp,
    from: Duration,
}

impl SteadyClock {
    /// A steady clock over another, which tells the time once.
    #[must_use]
    pub fn over(clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let (origin, from) = (clock.now(), clock.uptime());
        Arc::new(Self { clock, origin, from })
    }
}

#[async_trait::async_trait]
impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.origin + self.clock.uptime().saturating_sub(self.from)
    }

    fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    async fn sleep_until(&self, uptime: Duration) {
        self.clock.sleep_until(uptime).await;
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    uptime: tokio::sync::watch::Sender<Duration>,
}

impl ManualClock {
    /// A clock that stands at this time.
    #[must_use]
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { start, uptime: tokio::sync::watch::Sender::new(Duration::ZERO) })
    }

    /// Moves time on and wakes who waited for it.
    pub fn advance(&self, by: Duration) {
        self.uptime.send_modify(|uptime| *uptime += by);
    }
}

#[async_trait::async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.start + self.uptime()
    }

    fn uptime(&self) -> Duration {
        *self.uptime.borrow()
    }

    async fn sleep_until(&self, uptime: Duration) {
        let mut seen = self.uptime.subscribe();
        // The sender lives in self, so the channel cannot close while we wait.
        while seen.wait_for(|now| *now >= uptime).await.is_err() {}
    }
}

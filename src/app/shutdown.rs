//! The order in which the process ends.
//!
//! First signal: not ready, but still taking requests for the drain delay, so
//! that balancers notice before connections are refused. Then no more are taken
//! and what is under way may finish. When the time is up, or at a second signal,
//! everything stops where it is; the journal was written to survive just that.
//! Only says when; who listens, the accept loop or the lanes, does the stopping.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::types::clock::Clock;

/// The three steps; each token stays cancelled once it is.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// The end was asked for: `/readyz` says no; requests are still taken.
    pub asked: CancellationToken,
    /// No connection is taken any more, open ones finish their request; lanes claim nothing new.
    pub closing: CancellationToken,
    /// Stop where you are.
    pub at_once: CancellationToken,
}

impl Shutdown {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Walks the steps as signals come, and returns once the last is taken. Meant
    /// to run beside the server and to be dropped when that has ended.
    ///
    /// `next_signal` is called for the first and the second signal.
    pub async fn conduct<S, F>(
        &self,
        mut next_signal: S,
        drain_delay: Duration,
        shutdown_timeout: Duration,
        clock: &dyn Clock,
    ) where
        S: FnMut() -> F,
        F: Future<Output = ()>,
    {
        next_signal().await;
        let asked_at = clock.uptime();
        tracing::info!("stopping: no longer ready");
        self.asked.cancel();
        let in_order = async {
            if !drain_delay.is_zero() {
                clock.sleep_until(asked_at + drain_delay).await;
            }
            tracing::info!("stopping: no more connections are taken, open requests finish");
            self.closing.cancel();
            clock.sleep_until(asked_at + shutdown_timeout).await;
            tracing::warn!("stopping: the time is up, what is open is cut");
        };
        tokio::select! {
            () = in_order => {}
            () = next_signal() => tracing::warn!("stopping at once: second signal"),
        }
        self.closing.cancel();
        self.at_once.cancel();
    }
}

/// The signals that ask the process to end: SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on; until then a signal ends the process as usual.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::Poll;

    use jiff::Timestamp;
    use tokio::sync::Notify;

    use super::*;
    use crate::types::clock::ManualClock;

    const DRAIN: Duration = Duration::from_secs(3);
    const WHOLE: Duration = Duration::from_secs(25);

    /// One look at a future: whether it is done.
    async fn look(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
    }

    fn steps(shutdown: &Shutdown) -> [bool; 3] {
        [&shutdown.asked, &shutdown.closing, &shutdown.at_once].map(CancellationToken::is_cancelled)
    }

    #[tokio::test]
    async fn one_signal_ends_in_order_within_the_time() {
        let (clock, shutdown, signal) =
            (ManualClock::at(Timestamp::UNIX_EPOCH), Shutdown::new(), Notify::new());
        let mut walk = pin!(shutdown.conduct(|| signal.notified(), DRAIN, WHOLE, clock.as_ref()));
        assert!(!look(walk.as_mut()).await);
        assert_eq!(steps(&shutdown), [false, false, false]);
        signal.notify_one();
        assert!(!look(walk.as_mut()).await);
        assert_eq!(steps(&shutdown), [true, false, false]);
        clock.advance(DRAIN);
        assert!(!look(walk.as_mut()).await);
        assert_eq!(steps(&shutdown), [true, true, false]);
        clock.advance(WHOLE.saturating_sub(DRAIN));
        assert!(look(walk.as_mut()).await);
        assert_eq!(steps(&shutdown), [true, true, true]);
    }

    #[tokio::test]
    async fn a_second_signal_ends_at_once() {
        let (clock, shutdown, signal) =
            (ManualClock::at(Timestamp::UNIX_EPOCH), Shutdown::new(), Notify::new());
        let mut walk = pin!(shutdown.conduct(|| signal.notified(), DRAIN, WHOLE, clock.as_ref()));
        signal.notify_one();
        assert!(!look(walk.as_mut()).await);
        signal.notify_one();
        assert!(look(walk.as_mut()).await);
        assert_eq!(steps(&shutdown), [true, true, true]);
    }

    #[tokio::test]
    async fn without_a_drain_delay_closing_comes_with_the_signal() {
        let (clock, shutdown, signal) =
            (ManualClock::at(Timestamp::UNIX_EPOCH), Shutdown::new(), Notify::new());
        let mut walk = pin!(shutdown.conduct(|| signal.notified(), Duration::ZERO, WHOLE, clock.as_ref()));
        signal.notify_one();
        assert!(!look(walk.as_mut()).await);
        assert_eq!(steps(&shutdown), [true, true, false]);
    }
}

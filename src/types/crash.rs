//! Named points at which a test lets the process die.
//!
//! Built only with the feature `crash-points`; without it every function here is
//! empty and the environment is not looked at. With it, `VODRM_CRASH_POINT=name:3`
//! ends the process when it passes that point for the third time, as abruptly as
//! SIGKILL would: nothing is unwound, flushed or closed. Its own file so that
//! what is for tests alone stands apart from what is served; it knows nothing of
//! what happens around a point.

/// Every point there is. Which of them the code passes is held to this by `tests/crash`.
pub const POINTS: [&str; 8] = [
    // The deletion is on disk, nobody has been told.
    "after-accept",
    // Items are `sending` on disk, nothing has left.
    "after-claim",
    // The request has left, no answer has come.
    "request-out",
    // The answer was read and nothing was made of it.
    "after-answer",
    // What it means is known here alone.
    "before-record",
    // It is on disk, nobody has been told.
    "after-record",
    // An upload is on disk as a whole, and not accepted.
    "upload-before-seal",
    // It is accepted, nobody has been told.
    "upload-after-seal",
];

#[cfg(not(feature = "crash-points"))]
mod unarmed {
    /// Does nothing.
    #[inline]
    pub fn point(_: &'static str) {}

    /// The future and nothing else.
    #[inline]
    pub async fn while_waiting<T>(_: &'static str, answer: impl Future<Output = T>) -> T {
        answer.await
    }
}

#[cfg(not(feature = "crash-points"))]
pub use unarmed::{point, while_waiting};

#[cfg(feature = "crash-points")]
mod armed {
    use std::pin::pin;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    const VARIABLE: &str = "VODRM_CRASH_POINT";
    /// A request to this machine has left after this time, if its answer has not come.
    const SURELY_OUT: Duration = Duration::from_millis(100);

    /// The point that was asked for, and how often it is still passed.
    struct Armed {
        name: &'static str,
        left: AtomicU32,
    }

    #[expect(clippy::disallowed_methods, reason = "no setting of the service: test builds alone know it")]
    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let wanted = std::env::var(VARIABLE).ok()?;
        Some(parse(&wanted).unwrap_or_else(|| {
            tracing::error!(wanted, "{VARIABLE} must be a point's name, a colon and a number from 1");
            std::process::abort()
        }))
    });

    fn parse(wanted: &str) -> Option<Armed> {
        let (name, nth) = wanted.split_once(':')?;
        let name = super::POINTS.into_iter().find(|point| *point == name)?;
        let left = nth.parse().ok().filter(|nth| *nth > 0)?;
        Some(Armed { name, left: AtomicU32::new(left) })
    }

    /// Ends the process here if this is where it was told to end.
    pub fn point(name: &'static str) {
        let armed = ARMED.as_ref().filter(|armed| armed.name == name);
        if armed.is_some_and(|armed| armed.left.fetch_sub(1, Ordering::Relaxed) == 1) {
            tracing::error!(point = name, "crash point reached");
            std::process::abort();
        }
    }

    /// Passes the point while the answer to a request is waited for.
    pub async fn while_waiting<T>(name: &'static str, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = tokio::time::sleep(SURELY_OUT) => {}
        }
        point(name);
        answer.await
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_point_is_named_with_its_pass() {
            let read = |text| parse(text).map(|armed| (armed.name, armed.left.into_inner()));
            assert_eq!(read("after-claim:3"), Some(("after-claim", 3)));
            for bad in ["after-claim", "after-claim:0", "after-claim:x", "nowhere:1", ""] {
                assert_eq!(read(bad), None, "{bad:?}");
            }
        }
    }
}

#[cfg(feature = "crash-points")]
pub use armed::{point, while_waiting};

//! What somebody sends, holds or asks who means no good, against the real binary.
//!
//! The service runs as a process of its own with simulated vendors, so that its
//! memory is its own and its death would be seen. Requests are written by hand:
//! no client would send most of them. Every answer is held against the contract,
//! as in `tests/http`, whose harness it shares. `tests/hostile/run` runs it at full
//! length; the figures go to `target/reports/hostile.json`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::print_stdout, reason = "the figures of a run are said")]

#[path = "../http/harness/contract.rs"]
#[expect(dead_code, reason = "shared; this crate asks less of it")]
mod contract;

#[path = "../http/harness/process.rs"]
#[expect(dead_code, reason = "shared; this crate asks less of it")]
mod process;

#[path = "../http/harness/raw.rs"]
#[expect(dead_code, reason = "shared; this crate asks less of it")]
mod raw;

mod report;
mod service;

mod bodies;
mod heads;
mod load;
mod slow;

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

/// Longest that anything in a test may take: only a bug takes longer.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(40);

/// Waits for something that must happen, or names what did not.
pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(TOO_LONG, wanted).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// What came back.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(2_000).collect();
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The code of a problem; nothing for what is none.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

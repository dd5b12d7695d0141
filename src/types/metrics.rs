//! What is counted, and under which names.
//!
//! One registry per process (or per test), handed to whoever counts. Labels are
//! closed sets, or vendor codes that are capped, so that no caller can grow the
//! number of series. Its own file so that all names stand in one place; how they
//! are served is `api/health.rs`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Most different vendor codes that get a series of their own; the rest is `other`.
pub const MAX_VENDOR_CODES: usize = 100;

/// Labels of a vendor call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// Account.
    pub account: String,
    /// Vendor action.
    pub operation: String,
    /// The attempt's class.
    pub result: &'static str,
}

/// Labels of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LaneLabels {
    /// Account.
    pub account: String,
    /// Vendor action.
    pub operation: String,
}

/// Labels of an item's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// The outcome.
    pub outcome: &'static str,
}

/// Labels of a vendor code that is in no table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabels {
    /// Provider.
    pub provider: String,
    /// The code as sent, or `other` past the cap.
    pub code: String,
}

/// Labels of an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HttpLabels {
    /// Method.
    pub method: &'static str,
    /// The route's pattern, not the path.
    pub route: String,
    /// Status.
    pub status: u16,
}

/// Labels of a request that was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusedLabels {
    /// Why, of a closed list.
    pub why: &'static str,
}

/// Everything that is counted.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    codes: Arc<Mutex<HashSet<String>>>,
    /// Vendor calls by account, operation and class.
    pub calls: Family<CallLabels, Counter>,
    /// Seconds that vendor calls took.
    pub call_seconds: Family<LaneLabels, Histogram>,
    /// Items by outcome.
    pub outcomes: Family<OutcomeLabels, Counter>,
    /// Seconds that lanes waited for a permit.
    pub permit_wait_seconds: Family<LaneLabels, Histogram>,
    /// Items waiting in a lane.
    pub queue_depth: Family<LaneLabels, Gauge>,
    /// Answers that throttled.
    pub throttled: Family<LaneLabels, Counter>,
    /// 1 while a lane is blocked.
    pub blocked: Family<LaneLabels, Gauge>,
    /// Vendor codes that are in no table.
    pub unlisted: Family<CodeLabels, Counter>,
    /// Items whose playback we have blocked and could not open again.
    pub not_lifted: Counter,
    /// Seconds that commits of the journal took.
    pub commit_seconds: Histogram,
    /// Writes that shared a commit.
    pub commit_writes: Histogram,
    /// HTTP requests.
    pub http_requests: Family<HttpLabels, Counter>,
    /// Seconds that HTTP requests took.
    pub http_seconds: Histogram,
    /// HTTP requests that were turned away for who sent them.
    pub refused: Family<RefusedLabels, Counter>,
    /// Open HTTP connections.
    pub connections: Gauge,
    /// Bytes that the journal takes on disk.
    pub journal_bytes: Gauge,
}

fn seconds() -> Histogram {
    // 0.1 ms to 105 s in steps of two and a bit.
    Histogram::new(exponential_buckets(0.0001, 4.0, 11))
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own, all zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            codes: Arc::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(seconds),
            outcomes: Family::default(),
            permit_wait_seconds: Family::new_with_constructor(seconds),
            queue_depth: Family::default(),
            throttled: Family::default(),
            blocked: Family::default(),
            unlisted: Family::default(),
            not_lifted: Counter::default(),
            commit_seconds: seconds(),
            commit_writes: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            http_requests: Family::default(),
            http_seconds: seconds(),
            refused: Family::default(),
            connections: Gauge::default(),
            journal_bytes: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("vodrm");
        let r = &mut registry;
        r.register("vendor_calls", "Vendor calls by operation and class", metrics.calls.clone());
        r.register("vendor_call_seconds", "Time of vendor calls", metrics.call_seconds.clone());
        r.register("items_ended", "Items by outcome", metrics.outcomes.clone());
        r.register("permit_wait_seconds", "Time waited for a permit", metrics.permit_wait_seconds.clone());
        r.register("queue_depth", "Items waiting in a lane", metrics.queue_depth.clone());
        r.register("throttled", "Answers that throttled", metrics.throttled.clone());
        r.register("lane_blocked", "1 while a lane is blocked", metrics.blocked.clone());
        r.register("unlisted_vendor_codes", "Vendor codes in no table", metrics.unlisted.clone());
        r.register("quarantine_not_lifted", "Blocked items not opened again", metrics.not_lifted.clone());
        r.register("journal_commit_seconds", "Time of journal commits", metrics.commit_seconds.clone());
        r.register("journal_commit_writes", "Writes in one journal commit", metrics.commit_writes.clone());
        r.register("http_requests", "HTTP requests", metrics.http_requests.clone());
        r.register("http_request_seconds", "Time of HTTP requests", metrics.http_seconds.clone());
        r.register("refused", "Requests turned away for who sent them", metrics.refused.clone());
        r.register("http_connections", "Open HTTP connections", metrics.connections.clone());
        r.register("journal_bytes", "Bytes that the journal takes on disk", metrics.journal_bytes.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Counts a vendor code that is in no table.
    pub fn count_unlisted(&self, provider: &str, code: &str) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = codes.contains(code);
        if !known && codes.len() < MAX_VENDOR_CODES {
            codes.insert(code.to_owned());
        }
        let code = if known || codes.contains(code) { code } else { "other" };
        let labels = CodeLabels { provider: provider.to_owned(), code: code.to_owned() };
        self.unlisted.get_or_create(&labels).inc();
    }

    /// The `OpenMetrics` text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendor_codes_are_capped() {
        let metrics = Metrics::new();
        for n in 0..MAX_VENDOR_CODES + 50 {
            metrics.count_unlisted("alibaba", &format!("Code{n}"));
        }
        let series =
            metrics.text().lines().filter(|l| l.starts_with("vodrm_unlisted_vendor_codes_total")).count();
        assert_eq!(series, MAX_VENDOR_CODES + 1);
        assert!(metrics.text().contains(r#"code="other"} 50"#));
    }
}

//! The ground truth: one row per call a simulator received, and what the call truly did.
//!
//! Append-only and bounded. A checker compares it with vodrm's journal, so a row says what
//! happened in the library, not what the client was told; `delivered` says whether the answer
//! was handed to the connection whole. Knows no vendor and no fault beyond its name.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::watch;

/// Rows kept, about 100 MB at worst; past it the oldest go and are counted.
pub const MAX_ROWS: usize = 200_000;

/// What one thing asked for came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub id: String,
    /// The part of `id` that was meant, when it was not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// True only when this very call did it: removed the thing, or of an action that removes
    /// nothing, changed its state (`part` then says to what).
    pub effective: bool,
}

impl Effect {
    #[must_use]
    pub fn whole(id: impl Into<String>, effective: bool) -> Self {
        Self { id: id.into(), part: None, effective }
    }

    #[must_use]
    pub fn part(id: impl Into<String>, part: impl Into<String>, effective: bool) -> Self {
        Self { id: id.into(), part: Some(part.into()), effective }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// From 1; starts again after a reset.
    pub seq: u64,
    /// When the call was received, by the simulator's clock.
    #[serde(serialize_with = "to_milliseconds")]
    pub time: Timestamp,
    pub connection: u64,
    /// The access key id that the call claimed.
    pub account: Option<String>,
    pub action: String,
    pub ids: Vec<String>,
    pub effects: Vec<Effect>,
    /// `ok`, `partial`, the vendor's error code, or the kind of the fault that came instead.
    pub verdict: String,
    pub nonce: Option<String>,
    /// The HTTP status sent; none when the connection was dropped or hung instead.
    pub status: Option<u16>,
    pub fault: Option<String>,
    pub delivered: bool,
    pub scheme: String,
}

/// RFC 3339 with three digits: rows line up and sort as text.
fn to_milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

#[derive(Debug, Default)]
struct Rows {
    kept: VecDeque<LedgerRow>,
    /// Rows ever appended since the last clear; the seq of the newest.
    total: u64,
    dropped: u64,
    /// Counts clears, so that a late `delivered` cannot mark a row of the next run.
    run: u64,
}

/// Which row a call got.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    seq: u64,
    run: u64,
}

#[derive(Debug)]
pub(super) struct Ledger {
    rows: Mutex<Rows>,
    /// Bumped on every change; waiters look at the rows again.
    changed: watch::Sender<u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { rows: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Ledger {
    fn locked(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Gives the row its number and keeps it.
    pub(super) fn append(&self, mut row: LedgerRow) -> Ticket {
        let ticket = {
            let mut rows = self.locked();
            rows.total += 1;
            row.seq = rows.total;
            let ticket = Ticket { seq: rows.total, run: rows.run };
            rows.kept.push_back(row);
            if rows.kept.len() > MAX_ROWS {
                rows.kept.pop_front();
                rows.dropped += 1;
            }
            ticket
        };
        self.notify();
        ticket
    }

    /// The answer for this row was handed to the connection whole.
    pub(super) fn delivered(&self, ticket: Ticket) {
        {
            let mut rows = self.locked();
            if rows.run != ticket.run {
                return;
            }
            let index = ticket.seq.checked_sub(rows.dropped + 1);
            if let Some(row) =
                index.and_then(|index| usize::try_from(index).ok()).and_then(|index| rows.kept.get_mut(index))
            {
                row.delivered = true;
            }
        }
        self.notify();
    }

    /// Rows with a number above `after`, oldest first.
    pub(super) fn rows(&self, after: u64) -> Vec<LedgerRow> {
        let rows = self.locked();
        let skip = usize::try_from(after.saturating_sub(rows.dropped)).unwrap_or(usize::MAX);
        rows.kept.iter().skip(skip).cloned().collect()
    }

    pub(super) fn total(&self) -> u64 {
        self.locked().total
    }

    pub(super) fn dropped(&self) -> u64 {
        self.locked().dropped
    }

    pub(super) fn clear(&self) {
        {
            let mut rows = self.locked();
            *rows = Rows { run: rows.run + 1, ..Rows::default() };
        }
        self.notify();
    }

    pub(super) async fn wait_for(&self, count: u64) {
        // Subscribe before looking: a row that comes in between wakes us.
        let mut changed = self.changed.subscribe();
        while self.total() < count {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    pub(super) async fn wait_until(&self, mut enough: impl FnMut(&[LedgerRow]) -> bool) {
        let mut changed = self.changed.subscribe();
        while !enough(self.locked().kept.make_contiguous()) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> LedgerRow {
        LedgerRow {
            seq: 0,
            time: Timestamp::from_millisecond(1_500).unwrap(),
            connection: 1,
            account: None,
            action: "Op".into(),
            ids: Vec::new(),
            effects: vec![Effect::whole("a", true)],
            verdict: "ok".into(),
            nonce: None,
            status: Some(200),
            fault: None,
            delivered: false,
            scheme: String::new(),
        }
    }

    #[test]
    fn rows_are_numbered_and_marked_when_delivered() {
        let ledger = Ledger::default();
        let first = ledger.append(row());
        ledger.append(row());
        ledger.delivered(first);
        let rows = ledger.rows(0);
        assert_eq!(
            rows.iter().map(|row| (row.seq, row.delivered)).collect::<Vec<_>>(),
            [(1, true), (2, false)]
        );
        assert_eq!(ledger.rows(1).len(), 1);
    }

    #[test]
    fn a_late_delivery_does_not_mark_a_row_of_the_next_run() {
        let ledger = Ledger::default();
        let old = ledger.append(row());
        ledger.clear();
        ledger.append(row());
        ledger.delivered(old);
        assert!(!ledger.rows(0)[0].delivered);
    }

    #[test]
    fn the_oldest_rows_go_and_are_counted() {
        let ledger = Ledger::default();
        for _ in 0..MAX_ROWS {
            ledger.append(row());
        }
        let last = ledger.append(row());
        ledger.delivered(last);
        assert_eq!((ledger.dropped(), ledger.total()), (1, MAX_ROWS as u64 + 1));
        let rows = ledger.rows(MAX_ROWS as u64);
        assert_eq!(rows.len(), 1);
        assert!(rows[0].delivered);
    }

    #[test]
    fn times_are_written_with_milliseconds() {
        let text = serde_json::to_string(&row()).unwrap();
        assert!(text.contains(r#""time":"1970-01-01T00:00:01.500Z""#), "{text}");
        assert_eq!(serde_json::from_str::<LedgerRow>(&text).unwrap(), row());
    }
}

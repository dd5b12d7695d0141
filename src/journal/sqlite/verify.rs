//! `verify`: whether the audit chain is whole.
//!
//! Reads every record once, in order, on a connection that cannot write, and holds
//! it against the hash that it carries and the one before it. Its own file because
//! it believes nothing that the chain says of itself. Whoever rewrites all records
//! up to the end is found by a head that was written down elsewhere only.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::chain;
use super::fsck::{FINDINGS_PER_RULE, Finding};
use super::open::{self, OpenError};
use crate::journal::Error;
use crate::journal::audit::{self, NOTHING, Record};
use crate::types::deletion::Digest;

const GIVEN: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'";

/// What was looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditReport {
    /// Records in the chain.
    pub records: u64,
    /// The last one: its place and its hash. To be written down elsewhere.
    pub head: Option<(i64, Digest)>,
    /// What is changed, missing or moved, at most [`FINDINGS_PER_RULE`] of it.
    pub findings: Vec<String>,
}

/// Checks the chain of the journal in this file; with `head`, also that it still holds what was
/// its end once. Blocks; reads all of it.
pub fn verify(path: &Path, head: Option<(i64, Digest)>) -> Result<AuditReport, OpenError> {
    let connection = open::for_looking(path)?;
    let found = open::version(&connection).map_err(|error| open::refused(path, error))?;
    let known = open::known_version();
    if found < known {
        return Err(OpenError::Older { path: path.to_owned(), found, known });
    }
    let look = || walk(&*connection.unchecked_transaction()?, head);
    look().map_err(|error| open::refused(path, error))
}

/// The same for `fsck`, within its transaction.
pub(super) fn findings(connection: &Connection) -> rusqlite::Result<Vec<Finding>> {
    let told = |detail| Finding { rule: "audit", deletion: None, item: None, detail };
    Ok(walk(connection, None)?.findings.into_iter().map(told).collect())
}

/// What is known of the chain up to a record.
struct Walk {
    report: AuditReport,
    /// The place that the next record must have.
    next: i64,
    /// The hash of the record before it.
    last: Digest,
    wanted: Option<(i64, Digest)>,
}

fn walk(connection: &Connection, wanted: Option<(i64, Digest)>) -> rusqlite::Result<AuditReport> {
    let given: Option<i64> = connection.query_row(GIVEN, [], |row| row.get(0)).optional()?;
    let mut walk = Walk { report: AuditReport::default(), next: 1, last: NOTHING, wanted };
    let mut statement = connection.prepare(chain::CHAIN)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let seq: i64 = row.get("seq")?;
        walk.place(seq);
        walk.report.records = walk.report.records.saturating_add(1);
        match chain::read(row) {
            Ok((record, true)) => walk.record(&record),
            Ok((record, false)) => {
                walk.tell(format!("record {seq} is changed: what it is found by is not what it says"));
                walk.record(&record);
            }
            Err(error) => walk.unread(seq, row, &error),
        }
    }
    walk.end(given.unwrap_or_default());
    Ok(walk.report)
}

impl Walk {
    fn tell(&mut self, what: String) {
        if self.report.findings.len() < FINDINGS_PER_RULE {
            self.report.findings.push(what);
        }
    }

    /// A record stands at this place.
    fn place(&mut self, seq: i64) {
        if seq > self.next {
            self.missing(self.next, seq - 1);
        } else if seq < self.next {
            self.tell(format!("record {seq} is at a place that no record has"));
        }
        self.next = seq.saturating_add(1);
    }

    fn missing(&mut self, from: i64, to: i64) {
        self.tell(if from == to {
            format!("record {from} is missing")
        } else {
            format!("records {from} to {to} are missing")
        });
    }

    fn record(&mut self, record: &Record) {
        let Record { seq, at, entry, hash, .. } = record;
        if audit::hash(&self.last, *seq, *at, entry) != *hash {
            self.tell(format!("record {seq} is changed, or does not follow on the one before it"));
        }
        self.passed(*seq, *hash);
    }

    /// It cannot be read: only its hash goes on, if it has one.
    fn unread(&mut self, seq: i64, row: &rusqlite::Row<'_>, error: &Error) {
        self.tell(format!("record {seq} is changed: {error}"));
        self.passed(seq, row.get("hash").map_or(NOTHING, Digest));
    }

    fn passed(&mut self, seq: i64, hash: Digest) {
        self.last = hash;
        self.report.head = Some((seq, hash));
        if let Some((at, wanted)) = self.wanted
            && at == seq
        {
            self.wanted = None;
            if wanted != hash {
                self.tell(format!("record {seq} has the hash {hash}, not {wanted}"));
            }
        }
    }

    fn end(&mut self, given: i64) {
        if given >= self.next {
            self.missing(self.next, given);
        } else if given.saturating_add(1) < self.next {
            self.tell(format!(
                "the journal has given {given} places, and the last record has {}",
                self.next - 1
            ));
        }
        if let Some((seq, _)) = self.wanted {
            self.tell(format!("record {seq} was the last one once, and is missing"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let mut walk = Walk { report: AuditReport::default(), next: 1, last: NOTHING, wanted: None };
        walk.place(1);
        walk.place(3);
        walk.place(7);
        walk.end(9);
        assert_eq!(
            walk.report.findings,
            ["record 2 is missing", "records 4 to 6 are missing", "records 8 to 9 are missing"]
        );
    }
}

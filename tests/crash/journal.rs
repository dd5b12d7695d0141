//! The journal's file, read with statements of our own.
//!
//! Written from `src/journal/sqlite/schema.sql` and from nothing else, and all in
//! this file, so that a new column is a change here alone. The file is opened
//! read-only, beside the service or after its end. What the rows must say is not
//! known here.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

const DELETIONS: &str = "SELECT seq, id, reason, created_at, finished_at IS NOT NULL, total, ended, \
    deleted, absent, refused, busy, failed, unknown, canceled FROM deletions ORDER BY seq";
const ITEMS: &str = "SELECT i.deletion, i.idx, w.text, i.kind, i.name, i.outcome, i.inferred, i.same_as, \
    i.lease_until IS NOT NULL FROM items i JOIN words w ON w.id = i.account ORDER BY i.deletion, i.idx";
/// Items of which a call is on record that may have had an effect without a word.
const DOUBTFUL: &str = "SELECT c.deletion, c.idx FROM \
    (SELECT deletion, idx, call FROM attempts UNION ALL SELECT deletion, idx, call FROM items) c \
    JOIN calls ON calls.id = c.call WHERE calls.class = 2";
/// Items that ended without an answer or without success, with all that is known of them, for people.
const UNSETTLED: &str = "SELECT i.kind, i.outcome, i.deletion || '.' || i.idx || ' ' || i.name || \
    ' error ' || coalesce(i.error, '') || ' tries ' || i.tries || \
    ' progress ' || coalesce(i.progress, '') || ' calls ' || (SELECT group_concat( \
    w.text || ' phase ' || c.phase || ' at ' || c.started_at || ' class ' || c.class || ' ' || \
    coalesce(c.vendor_code, ''), '; ') FROM (SELECT call FROM attempts a \
    WHERE a.deletion = i.deletion AND a.idx = i.idx UNION ALL SELECT i.call) a \
    JOIN calls c ON c.id = a.call JOIN words w ON w.id = c.operation) \
    FROM items i WHERE i.outcome IN (3, 4, 5)";
const LEFT_SENDING: &str = "SELECT count(*) FROM items WHERE lease_until IS NOT NULL";
const AMBIGUOUS_CALLS: &str = "SELECT count(*) FROM calls WHERE class = 2";

/// What the numbers in `items.outcome` mean.
pub(crate) const OUTCOMES: [&str; 7] =
    ["deleted", "absent", "refused", "busy", "failed", "unknown", "canceled"];
/// What the numbers in `items.kind` mean.
const KINDS: [&str; 6] = ["media", "source", "renditions", "snapshots", "image", "attached_media"];

#[derive(Debug, Clone)]
pub(crate) struct Deletion {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) created_at_ms: i64,
    pub(crate) finished: bool,
    pub(crate) total: u64,
    pub(crate) ended: u64,
    /// By outcome, in the order of [`OUTCOMES`].
    pub(crate) counts: [u64; 7],
}

#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) deletion: i64,
    pub(crate) index: u32,
    pub(crate) account: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) outcome: Option<&'static str>,
    pub(crate) inferred: bool,
    pub(crate) same_as: Option<u32>,
    pub(crate) sending: bool,
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    pub(crate) deletions: Vec<Deletion>,
    pub(crate) items: Vec<Item>,
    /// Deletion and index of items with an unanswered call.
    pub(crate) doubtful: BTreeSet<(i64, u32)>,
    /// Items that are busy, failed or unknown.
    pub(crate) unsettled: Vec<Unsettled>,
}

/// An item that is busy, failed or unknown.
#[derive(Debug, Clone)]
pub(crate) struct Unsettled {
    pub(crate) kind: &'static str,
    pub(crate) outcome: &'static str,
    /// Its calls and all else, for people.
    #[expect(dead_code, reason = "it is printed with the whole")]
    pub(crate) told: String,
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

fn rows<T>(connection: &Connection, sql: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    let found = statement.query_map([], read).unwrap();
    found.collect::<rusqlite::Result<Vec<T>>>().unwrap()
}

fn number(connection: &Connection, sql: &str) -> u64 {
    connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap().into()
}

pub(crate) fn read(path: &Path) -> Journal {
    let mut connection = open(path);
    // One state for all questions, should somebody write.
    let connection = connection.transaction().unwrap();
    Journal {
        deletions: rows(&connection, DELETIONS, deletion),
        items: rows(&connection, ITEMS, item),
        doubtful: rows(&connection, DOUBTFUL, |row| Ok((row.get(0)?, row.get(1)?))).into_iter().collect(),
        unsettled: rows(&connection, UNSETTLED, |row| {
            Ok(Unsettled { kind: kind(row.get(0)?), outcome: outcome(row.get(1)?), told: row.get(2)? })
        }),
    }
}

fn deletion(row: &Row<'_>) -> rusqlite::Result<Deletion> {
    let mut counts = [0; OUTCOMES.len()];
    for (n, count) in counts.iter_mut().enumerate() {
        *count = row.get::<_, u32>(7 + n)?.into();
    }
    Ok(Deletion {
        seq: row.get(0)?,
        id: row.get(1)?,
        label: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        created_at_ms: row.get(3)?,
        finished: row.get(4)?,
        total: row.get::<_, u32>(5)?.into(),
        ended: row.get::<_, u32>(6)?.into(),
        counts,
    })
}

fn kind(number: u8) -> &'static str {
    KINDS[usize::from(number)]
}

fn outcome(number: u8) -> &'static str {
    OUTCOMES[usize::from(number)]
}

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        deletion: row.get(0)?,
        index: row.get(1)?,
        account: row.get(2)?,
        kind: kind(row.get(3)?).to_owned(),
        name: row.get(4)?,
        outcome: row.get::<_, Option<u8>>(5)?.map(outcome),
        inferred: row.get::<_, Option<bool>>(6)?.unwrap_or(false),
        same_as: row.get(7)?,
        sending: row.get(8)?,
    })
}

/// What an end in good order must not leave: items `sending`, calls without an answer.
pub(crate) fn loose_ends(path: &Path) -> (u64, u64) {
    let connection = open(path);
    (number(&connection, LEFT_SENDING), number(&connection, AMBIGUOUS_CALLS))
}

//! `clean`: what is no longer kept goes, in small steps.
//!
//! A deletion that is to go is marked first, which hides it from every reader;
//! then its rows go a few at a time, by index, so that no step holds up the other
//! writes. Calls carry items of several deletions: they go when everything that is
//! kept is younger. Its own file because nothing else removes rows for good. How
//! long things are kept is not known here.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::words::Words;
use super::{caps, folded, reads, rows, settle};
use crate::journal::Error;
use crate::types::deletion::DeletionSeq;

/// Items removed by one round of statements.
const CHUNK: i64 = 100;
/// Calls are kept so much longer than the oldest deletion says, should a clock have been turned.
const LEEWAY_MS: i64 = 24 * 60 * 60 * 1_000;

const OLD_KEYS: &str = "DELETE FROM keys WHERE (caller, key) IN \
    (SELECT caller, key FROM keys INDEXED BY keys_old WHERE keep_until <= ?1 ORDER BY keep_until LIMIT ?2)";
const REMOVED: &str =
    "SELECT seq FROM deletions INDEXED BY deletions_removed WHERE state = 5 ORDER BY seq LIMIT 1";
const MARK: &str = "UPDATE deletions SET state = 5, finished_at = NULL, chore = NULL WHERE seq = \
    (SELECT seq FROM deletions INDEXED BY deletions_finished WHERE finished_at < ?1 \
    ORDER BY finished_at LIMIT 1) RETURNING seq";
const KEYS: &str = "DELETE FROM keys WHERE (caller, key) IN \
    (SELECT caller, key FROM keys INDEXED BY keys_deletion WHERE deletion = ?1)";
const LAST_OF_CHUNK: &str =
    "SELECT max(idx) FROM (SELECT idx FROM items WHERE deletion = ?1 ORDER BY idx LIMIT ?2)";
const SERVED: &str = "SELECT deletion, idx FROM coalesced INDEXED BY coalesced_with \
    WHERE with_deletion = ?1 AND with_idx <= ?2";
const ATTEMPTS: &str = "DELETE FROM attempts WHERE deletion = ?1 AND idx <= ?2";
const ROUNDS: &str = "DELETE FROM rounds WHERE deletion = ?1 AND idx <= ?2";
const COALESCED: &str = "DELETE FROM coalesced WHERE deletion = ?1 AND idx <= ?2";
const RESOLVED: &str = "DELETE FROM resolved WHERE (account, asset, deletion, idx) IN \
    (SELECT account, asset, deletion, idx FROM resolved INDEXED BY resolved_deletion \
    WHERE deletion = ?1 AND idx <= ?2)";
const NOTES: &str = "DELETE FROM notes WHERE deletion = ?1 AND idx <= ?2";
const ITEMS: &str = "DELETE FROM items WHERE deletion = ?1 AND idx <= ?2";
const ACCOUNTS: &str = "DELETE FROM deletion_accounts WHERE deletion = ?1 AND account IN \
    (SELECT a.value FROM deletions d, json_each(d.accounts) a WHERE d.seq = ?1)";
const DELETION: &str = "DELETE FROM deletions WHERE seq = ?1";
const OLDEST: &str = "SELECT created_at FROM deletions WHERE seq = (SELECT min(seq) FROM deletions)";
const OLD_CALLS: &str = "DELETE FROM calls WHERE id < (SELECT min(id) FROM calls) + ?2 AND started_at < ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 16] = [
    OLD_KEYS,
    REMOVED,
    MARK,
    KEYS,
    LAST_OF_CHUNK,
    SERVED,
    ATTEMPTS,
    ROUNDS,
    COALESCED,
    RESOLVED,
    NOTES,
    ITEMS,
    ACCOUNTS,
    DELETION,
    OLDEST,
    OLD_CALLS,
];

/// What one step may still do, in rows.
struct Budget(i64);

impl Budget {
    fn spend(&mut self, rows: usize) {
        self.0 = self.0.saturating_sub(i64::try_from(rows).unwrap_or(i64::MAX));
    }
}

/// One step of about so many rows; whether it stopped before everything was done.
pub(super) fn clean(
    connection: &Connection,
    now: Timestamp,
    finished_before: Timestamp,
    max: usize,
) -> Result<bool, Error> {
    let mut left = Budget(i64::try_from(max).unwrap_or(i64::MAX).max(1));
    left.spend(connection.prepare_cached(OLD_KEYS)?.execute([rows::millis(now), left.0])?);
    left.spend(folded::flush_old(connection, &mut Words::new(connection), rows::millis(now), left.0)?);
    left.spend(caps::forget(connection, rows::millis(now))?);
    let before = rows::millis_up(finished_before);
    while left.0 > 0 {
        let Some(seq) = next(connection, before, &mut left)? else { break };
        remove_some(connection, seq, &mut left)?;
    }
    if left.0 > 0 {
        let oldest: Option<i64> =
            connection.prepare_cached(OLDEST)?.query_row([], |row| row.get(0)).optional()?;
        let until = oldest.map_or(before, |oldest| oldest.min(before)).saturating_sub(LEEWAY_MS);
        left.spend(connection.prepare_cached(OLD_CALLS)?.execute([until, left.0])?);
    }
    Ok(left.0 <= 0)
}

/// A deletion that is being removed, or the next one to be.
fn next(connection: &Connection, before: i64, left: &mut Budget) -> Result<Option<DeletionSeq>, Error> {
    let seq = |row: &rusqlite::Row<'_>| Ok(row.get("seq")?);
    if let Some(found) = reads::all(connection, REMOVED, [], seq)?.pop() {
        return Ok(Some(found));
    }
    let Some(marked) = reads::all(connection, MARK, [before], seq)?.pop() else { return Ok(None) };
    // A call that was recorded after its end.
    folded::flush(connection, &mut Words::new(connection), marked)?;
    left.spend(1 + connection.prepare_cached(KEYS)?.execute([marked])?);
    Ok(Some(marked))
}

fn remove_some(connection: &Connection, seq: DeletionSeq, left: &mut Budget) -> Result<(), Error> {
    let last: Option<u32> = connection
        .prepare_cached(LAST_OF_CHUNK)?
        .query_row(params![seq, left.0.clamp(1, CHUNK)], |row| row.get(0))?;
    let Some(last) = last else {
        for statement in [KEYS, ACCOUNTS, DELETION] {
            left.spend(connection.prepare_cached(statement)?.execute([seq])?);
        }
        return Ok(());
    };
    // Whoever was served by a call of these keeps it as its own.
    for served in reads::all(connection, SERVED, params![seq, last], rows::key)? {
        settle::inherit(connection, served)?;
        left.spend(1);
    }
    for statement in [ATTEMPTS, ROUNDS, COALESCED, RESOLVED, NOTES, ITEMS] {
        left.spend(connection.prepare_cached(statement)?.execute(params![seq, last])?);
    }
    Ok(())
}

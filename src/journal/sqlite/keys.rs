//! Callers' keys: a request with one is done at most once while it is kept.
//!
//! Its own file because a deletion that comes whole and an upload ask the same,
//! each in the transaction that makes its deletion. What a fingerprint is made of
//! is not known here.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{rows, words};
use crate::journal::{Accepted, Error, Once};
use crate::types::deletion::{DeletionId, DeletionSeq, Digest};

const FIND: &str = "SELECT k.fingerprint, d.id FROM keys k CROSS JOIN deletions d ON d.seq = k.deletion \
    WHERE k.caller = ?1 AND k.key = ?2 AND k.keep_until > ?3";
// What stands under the key may be too old to count and not yet removed.
const ADD: &str = "INSERT OR REPLACE INTO keys (caller, key, fingerprint, deletion, keep_until) \
    VALUES (?1, ?2, ?3, ?4, ?5)";
const SEAL: &str = "UPDATE keys INDEXED BY keys_deletion SET fingerprint = ?2 WHERE deletion = ?1";
const FREE: &str = "DELETE FROM keys INDEXED BY keys_deletion WHERE deletion = ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 4] = [FIND, ADD, SEAL, FREE];

/// What stands under a key.
#[derive(Debug)]
pub(super) enum Held {
    /// Nothing.
    Free,
    /// A deletion.
    By {
        /// Its public name.
        id: DeletionId,
        /// What its request was.
        fingerprint: Digest,
    },
    /// A request that is still being received.
    Busy,
}

impl Held {
    /// What a request with the key is answered, unless it is the first.
    pub(super) fn answer(self, once: &Once) -> Option<Accepted> {
        match self {
            Held::Free => None,
            Held::By { id, fingerprint } if fingerprint == once.fingerprint => Some(Accepted::Known(id)),
            Held::By { .. } => Some(Accepted::KeyReused),
            Held::Busy => Some(Accepted::KeyBusy),
        }
    }
}

/// What a caller's key would give now.
pub(super) fn known(
    connection: &Connection,
    now: Timestamp,
    requested_by: &str,
    once: &Once,
) -> Result<Option<Accepted>, Error> {
    let Some(caller) = words::find(connection, requested_by)? else { return Ok(None) };
    Ok(find(connection, caller, &once.key, rows::millis(now))?.answer(once))
}

/// Looks under a key.
pub(super) fn find(connection: &Connection, caller: i64, key: &str, now: i64) -> Result<Held, Error> {
    let mut statement = connection.prepare_cached(FIND)?;
    let mut found = statement.query(params![caller, key, now])?;
    let Some(row) = found.next()? else { return Ok(Held::Free) };
    let Some(fingerprint) = row.get::<_, Option<[u8; 32]>>("fingerprint")? else { return Ok(Held::Busy) };
    let id: String = row.get("id")?;
    Ok(Held::By { id: rows::deletion_id(&id)?, fingerprint: Digest(fingerprint) })
}

/// Puts a deletion under a key.
pub(super) fn add(
    connection: &Connection,
    caller: i64,
    key: &str,
    fingerprint: Option<Digest>,
    deletion: DeletionSeq,
    until: (i64, Duration),
) -> Result<(), Error> {
    let (now, keep) = until;
    connection.prepare_cached(ADD)?.execute(params![
        caller,
        key,
        fingerprint.map(|digest| digest.0),
        deletion,
        now.saturating_add(rows::length(keep)),
    ])?;
    Ok(())
}

/// Tells what the request was, now that it has been received.
pub(super) fn seal(connection: &Connection, deletion: DeletionSeq, fingerprint: Digest) -> Result<(), Error> {
    connection.prepare_cached(SEAL)?.execute(params![deletion, fingerprint.0])?;
    Ok(())
}

/// Frees the key of a deletion that will not be.
pub(super) fn free(connection: &Connection, deletion: DeletionSeq) -> Result<(), Error> {
    connection.prepare_cached(FREE)?.execute([deletion])?;
    Ok(())
}

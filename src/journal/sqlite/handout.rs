//! `claim` and `rescue`: items handed out for one call.
//!
//! Both choose items and then do the same: a lease and a higher generation for
//! each, so that whoever held it before can record nothing. Its own file because
//! this is the only way from `pending` to `sending` after the start. Whether a
//! call may go out now (permits, blocked lanes) is not known here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{rows, words};
use crate::journal::{Claim, Claimed, Error, Rescue};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};

/// Due items looked at for one claim. Past these a lane of many groups gets a
/// smaller batch rather than a slower claim.
pub(super) const CANDIDATES: usize = 400;

const DUE: &str = "SELECT deletion, idx, grp FROM items INDEXED BY items_due \
    WHERE account = ?1 AND operation = ?2 AND due_at <= ?3 ORDER BY due_at, deletion, idx LIMIT ?4";
const NEXT_DUE: &str = "SELECT min(due_at) FROM items INDEXED BY items_due \
    WHERE account = ?1 AND operation = ?2 AND due_at IS NOT NULL";
const LEASED: &str = "SELECT deletion, idx, lease_until FROM items INDEXED BY items_leased \
    WHERE lease_until <= ?1 ORDER BY lease_until, deletion, idx LIMIT ?2";
const HAND_OUT: &str = "UPDATE items SET due_at = NULL, lease_until = ?3, generation = generation + 1 \
    WHERE deletion = ?1 AND idx = ?2 \
    RETURNING deletion, idx, generation, form, name, kind, what, phase, grp, progress, calls, tries, \
    (SELECT text FROM words WHERE id = account) AS account, \
    (SELECT text FROM words WHERE id = operation) AS operation";
const PARENT: &str = "SELECT id, created_at, started_at IS NULL AS new FROM deletions WHERE seq = ?1";
const STARTED: &str = "UPDATE deletions SET started_at = ?2 WHERE seq = ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 6] = [DUE, NEXT_DUE, LEASED, HAND_OUT, PARENT, STARTED];

/// Hands out due items of the group of the oldest.
pub(super) fn claim(
    connection: &Connection,
    now: Timestamp,
    lane: &LaneId,
    max: usize,
    lease: Duration,
) -> Result<Claim, Error> {
    let account = words::find(connection, lane.account.as_str())?;
    let operation = words::find(connection, lane.operation.as_str())?;
    let (Some(account), Some(operation), 1..) = (account, operation, max) else {
        return Ok(Claim::default());
    };
    let keys = due(connection, account, operation, rows::millis(now), max)?;
    if keys.is_empty() {
        let next: Option<i64> =
            connection.prepare_cached(NEXT_DUE)?.query_row([account, operation], |row| row.get(0))?;
        return Ok(Claim { items: Vec::new(), next_due: next.map(rows::time).transpose()? });
    }
    let items = hand_out(connection, now, lease, keys.into_iter().map(|key| (key, None)))?;
    Ok(Claim { items, next_due: None })
}

fn due(
    connection: &Connection,
    account: i64,
    operation: i64,
    now: i64,
    max: usize,
) -> Result<Vec<ItemKey>, Error> {
    let mut statement = connection.prepare_cached(DUE)?;
    let limit = i64::try_from(CANDIDATES).unwrap_or(i64::MAX);
    let mut found = statement.query([account, operation, now, limit])?;
    let mut keys = Vec::new();
    let mut of_head: Option<Option<String>> = None;
    while let Some(row) = found.next()? {
        let group: Option<String> = row.get("grp")?;
        if *of_head.get_or_insert_with(|| group.clone()) != group {
            continue;
        }
        keys.push(rows::key(row)?);
        if keys.len() == max {
            break;
        }
    }
    Ok(keys)
}

/// Hands out items whose sender is gone, oldest lease first.
pub(super) fn rescue(
    connection: &Connection,
    now: Timestamp,
    which: Rescue,
    max: usize,
    lease: Duration,
) -> Result<Vec<Claimed>, Error> {
    let until = match which {
        Rescue::All => i64::MAX,
        Rescue::Expired => rows::millis(now),
    };
    let keys = {
        let mut statement = connection.prepare_cached(LEASED)?;
        let mut found = statement.query([until, i64::try_from(max).unwrap_or(i64::MAX)])?;
        let mut keys = Vec::new();
        while let Some(row) = found.next()? {
            keys.push((rows::key(row)?, Some(rows::time(row.get("lease_until")?)?)));
        }
        keys
    };
    hand_out(connection, now, lease, keys)
}

struct Parent {
    id: DeletionId,
    accepted_at: Timestamp,
}

fn hand_out(
    connection: &Connection,
    now: Timestamp,
    lease: Duration,
    keys: impl IntoIterator<Item = (ItemKey, Option<Timestamp>)>,
) -> Result<Vec<Claimed>, Error> {
    let until = rows::millis(now).saturating_add(rows::length(lease));
    let mut update = connection.prepare_cached(HAND_OUT)?;
    let mut parents: HashMap<DeletionSeq, Parent> = HashMap::new();
    let mut claimed = Vec::new();
    for (key, lapsed_at) in keys {
        let parent = match parents.entry(key.deletion) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(parent(connection, now, key.deletion)?),
        };
        let mut found = update.query(params![key.deletion, key.index, until])?;
        let Some(row) = found.next()? else {
            return Err(Error::Unreadable(format!("item {key:?} is in an index only")));
        };
        claimed.push(Claimed {
            key,
            generation: row.get("generation")?,
            deletion: parent.id.clone(),
            target: rows::target(row)?,
            step: rows::step(row)?,
            progress: rows::progress(row)?,
            calls: row.get("calls")?,
            tries: row.get("tries")?,
            accepted_at: parent.accepted_at,
            lapsed_at,
            bulk: false,
        });
        // To its end, which is where the change is made sure.
        while found.next()?.is_some() {}
    }
    Ok(claimed)
}

/// The deletion of an item that is handed out, marked as started.
fn parent(connection: &Connection, now: Timestamp, seq: DeletionSeq) -> Result<Parent, Error> {
    let (id, created_at, is_new): (String, i64, bool) = connection
        .prepare_cached(PARENT)?
        .query_row([seq], |row| Ok((row.get("id")?, row.get("created_at")?, row.get("new")?)))?;
    if is_new {
        connection.prepare_cached(STARTED)?.execute([seq, rows::millis(now)])?;
    }
    Ok(Parent { id: rows::deletion_id(&id)?, accepted_at: rows::time(created_at)? })
}

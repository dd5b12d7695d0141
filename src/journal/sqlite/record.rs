//! `record`: one call and what became of its items.
//!
//! Each change is fenced by its generation; what ends takes its duplicates with
//! it and lets go who waited for it, and the deletions' counts move in the same
//! transaction. Its own file because this is where outcomes are given. Which
//! outcome an answer deserves is not known here.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::queues::LaneNo;
use super::words::Words;
use super::writing::Writing;
use super::{folded, rows};
use crate::journal::{CallRecord, Change, Error, Next, Recorded};
use crate::types::deletion::{ItemKey, Progress, Step};
use crate::types::outcome::Ending;

const ADD_CALL: &str = "INSERT INTO calls (account, operation, phase, started_at, duration_ms, class, \
    status, vendor_code, request_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
// The fence of both: still sending, and under this generation.
const END: &str = "UPDATE items SET outcome = ?4, inferred = ?5, error = ?6, finished_at = ?7, \
    outcome_seq = ?8, call = ?9, calls = calls + 1, progress = coalesce(?10, progress), \
    lease_until = NULL, operation = NULL, phase = NULL, grp = NULL \
    WHERE deletion = ?1 AND idx = ?2 AND generation = ?3 AND lease_until IS NOT NULL";
const AGAIN: &str = "UPDATE items SET operation = ?4, phase = ?5, grp = ?6, due_at = ?7, \
    tries = tries + ?8, call = ?9, calls = calls + 1, progress = coalesce(?10, progress), \
    lease_until = NULL \
    WHERE deletion = ?1 AND idx = ?2 AND generation = ?3 AND lease_until IS NOT NULL \
    RETURNING calls, account";
const PROGRESS: &str = "SELECT progress FROM items WHERE deletion = ?1 AND idx = ?2";
const ADD_ATTEMPT: &str = "INSERT INTO attempts (deletion, idx, number, call) VALUES (?1, ?2, ?3, ?4)";
const ADD_RESOLVED: &str = "INSERT OR IGNORE INTO resolved (account, asset, deletion, idx) \
    SELECT account, ?3, deletion, idx FROM items WHERE deletion = ?1 AND idx = ?2 AND name <> ?3 \
    UNION ALL SELECT account, ?3, deletion, idx FROM items INDEXED BY items_behind \
    WHERE deletion = ?1 AND behind = ?2 AND same_as = ?2 \
    UNION ALL SELECT i.account, ?3, i.deletion, i.idx FROM coalesced c INDEXED BY coalesced_with \
    CROSS JOIN items i ON i.deletion = c.deletion AND i.idx = c.idx \
    WHERE c.with_deletion = ?1 AND c.with_idx = ?2 AND i.name <> ?3";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 6] = [ADD_CALL, END, AGAIN, PROGRESS, ADD_ATTEMPT, ADD_RESOLVED];

/// Records a call and its changes.
pub(super) fn record(
    connection: &Connection,
    now: Timestamp,
    call: &CallRecord,
    changes: &[Change],
) -> Result<Recorded, Error> {
    let mut writing = Writing::new(connection, rows::millis(now));
    // Also if every change turns out to be stale: a call was made.
    let number = add_call(connection, call, &mut writing.words)?;
    for change in changes {
        if !apply(&mut writing, number, change)? {
            writing.recorded.stale += 1;
        }
    }
    folded::note(&mut writing, call, changes)?;
    writing.finish()
}

fn add_call(connection: &Connection, call: &CallRecord, words: &mut Words<'_>) -> Result<i64, Error> {
    let id = connection.prepare_cached(ADD_CALL)?.insert(params![
        words.number(call.lane.account.as_str())?,
        words.number(call.lane.operation.as_str())?,
        rows::phase_code(call.phase),
        rows::millis(call.started_at),
        rows::length(call.duration),
        rows::class_code(call.class),
        call.status,
        call.vendor_code,
        call.request_id,
    ])?;
    Ok(id)
}

/// Whether the change was in time.
fn apply(writing: &mut Writing<'_>, call: i64, change: &Change) -> Result<bool, Error> {
    let Some(parent) = writing.parent(change.key.deletion)? else { return Ok(false) };
    let is_dead = parent.is_dead();
    match &change.next {
        Next::Ended(ending) => end(writing, call, change, ending, false),
        Next::Again { .. } if is_dead && !was_sent(writing.connection, change)? => {
            end(writing, call, change, &Ending::canceled(), true)
        }
        Next::Again { step, due_at, counts } => again(writing, call, change, step, *due_at, *counts),
    }
}

/// Whether the vendor may have done something for it, after this change.
fn was_sent(connection: &Connection, change: &Change) -> Result<bool, Error> {
    if let Some(progress) = &change.progress {
        return Ok(progress.was_sent());
    }
    let mut statement = connection.prepare_cached(PROGRESS)?;
    let mut found = statement.query(params![change.key.deletion, change.key.index])?;
    let Some(row) = found.next()? else { return Ok(false) };
    Ok(rows::progress::<Progress>(row)?.is_some_and(|progress| progress.was_sent()))
}

fn end(
    writing: &mut Writing<'_>,
    call: i64,
    change: &Change,
    ending: &Ending,
    is_dropped: bool,
) -> Result<bool, Error> {
    let key = change.key;
    let place = writing.place(key)?;
    let error = ending.error.as_ref().map(rows::json).transpose()?;
    let progress = change.progress.as_ref().map(rows::json).transpose()?;
    let changed = writing.connection.prepare_cached(END)?.execute(params![
        key.deletion,
        key.index,
        change.generation,
        rows::outcome_code(ending.outcome),
        ending.inferred,
        error,
        writing.now,
        place,
        call,
        progress,
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    resolve(writing.connection, key, change.progress.as_ref())?;
    if is_dropped {
        writing.dropped(key)?;
    } else {
        writing.ended(key, ending)?;
    }
    Ok(true)
}

fn again(
    writing: &mut Writing<'_>,
    call: i64,
    change: &Change,
    step: &Step,
    due_at: Timestamp,
    counts: bool,
) -> Result<bool, Error> {
    let key = change.key;
    let operation = writing.words.number(step.operation.as_str())?;
    let progress = change.progress.as_ref().map(rows::json).transpose()?;
    let due_at = rows::millis_up(due_at);
    let changed: Option<(u32, i64)> = writing
        .connection
        .prepare_cached(AGAIN)?
        .query_row(
            params![
                key.deletion,
                key.index,
                change.generation,
                operation,
                rows::phase_code(step.phase),
                rows::group_column(step),
                due_at,
                counts,
                call,
                progress,
            ],
            |row| Ok((row.get("calls")?, row.get("account")?)),
        )
        .optional()?;
    let Some((number, account)) = changed else { return Ok(false) };
    let attempt = params![key.deletion, key.index, number, call];
    writing.connection.prepare_cached(ADD_ATTEMPT)?.execute(attempt)?;
    resolve(writing.connection, key, change.progress.as_ref())?;
    writing.waits(key, LaneNo { account, operation }, due_at)?;
    // Paused meanwhile: who waits for a call of it need not wait for the operator.
    if writing.parent_of(key)?.is_paused() && !was_sent(writing.connection, change)? {
        writing.release(key)?;
    }
    Ok(true)
}

/// Makes the item, and those it carries along, findable by the id that it was resolved to.
fn resolve(connection: &Connection, key: ItemKey, progress: Option<&Progress>) -> Result<(), Error> {
    if let Some(asset) = progress.and_then(|progress| progress.asset.as_ref()) {
        let found = params![key.deletion, key.index, asset.as_str()];
        connection.prepare_cached(ADD_RESOLVED)?.execute(found)?;
    }
    Ok(())
}

//! How many items a caller has made real today.
//!
//! Counted in the transaction that makes them real, so that requests which race
//! cannot pass a cap together. Its own file because `append`, `seal` and `start`
//! count alike. What a caller may is not known here: the cap comes with the request.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use crate::journal::{CapReached, Error};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

const USED: &str = "SELECT items FROM usage WHERE day = ?1 AND caller = ?2";
const USE: &str = "INSERT INTO usage (day, caller, items) VALUES (?1, ?2, ?3) \
    ON CONFLICT (day, caller) DO UPDATE SET items = items + excluded.items";
const FORGET: &str = "DELETE FROM usage WHERE day < ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 3] = [USED, USE, FORGET];

/// The day (UTC) of a time, counted from 1970.
fn day(now: i64) -> i64 {
    now.div_euclid(DAY_MS)
}

fn next_day(now: i64) -> Result<Timestamp, Error> {
    rows::time(day(now).saturating_add(1).saturating_mul(DAY_MS))
}

/// Counts items of a caller, unless they would be more than the cap allows.
pub(super) fn take(
    connection: &Connection,
    now: i64,
    caller: i64,
    items: u64,
    cap: Option<u64>,
) -> Result<Option<CapReached>, Error> {
    if items == 0 {
        return Ok(None);
    }
    if let Some(limit) = cap {
        let used: Option<i64> =
            connection.prepare_cached(USED)?.query_row([day(now), caller], |row| row.get(0)).optional()?;
        let left = limit.saturating_sub(used.unwrap_or_default().unsigned_abs());
        if left < items {
            return Ok(Some(CapReached { limit, left, resets_at: next_day(now)? }));
        }
    }
    let items = i64::try_from(items).unwrap_or(i64::MAX);
    connection.prepare_cached(USE)?.execute(params![day(now), caller, items])?;
    Ok(None)
}

/// Forgets what was counted on earlier days; how many rows that were.
pub(super) fn forget(connection: &Connection, now: i64) -> Result<usize, Error> {
    Ok(connection.prepare_cached(FORGET)?.execute([day(now)])?)
}

//! `claim` and `rescue`: items handed out for one call.
//!
//! Both choose items and then do the same: a lease and a higher generation for
//! each, so that whoever held it before can record nothing. Its own file because
//! this is the only way from `pending` to `sending` after the start. Whether a
//! call may go out now (permits, blocked lanes) is not known here.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::coalesce::{self, Twins};
use super::queues::{self, LaneNo};
use super::turns::{self, Found};
use super::writing::Writing;
use super::{rows, words};
use crate::journal::{Claim, Claimed, Error, Rescue};
use crate::types::deletion::{ItemKey, LaneId};

/// How often a claim looks for more after some of what it chose turned out to be
/// on the way already.
const ROUNDS: usize = 8;

const LEASED: &str = "SELECT deletion, idx, lease_until FROM items INDEXED BY items_leased \
    WHERE lease_until <= ?1 ORDER BY lease_until, deletion, idx LIMIT ?2";
// What was chosen may have been taken along by another of the same claim.
const HAND_OUT: &str = "UPDATE items SET due_at = NULL, lease_until = ?3, generation = generation + 1 \
    WHERE deletion = ?1 AND idx = ?2 AND (due_at IS NOT NULL OR lease_until IS NOT NULL) \
    RETURNING generation, form, name, kind, what, phase, grp, progress, calls, tries, since, \
    account AS account_no, (SELECT text FROM words WHERE id = account) AS account, \
    (SELECT text FROM words WHERE id = operation) AS operation";
const STARTED: &str = "UPDATE deletions SET started_at = ?2 WHERE seq = ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 3] = [LEASED, HAND_OUT, STARTED];

/// Hands out due items of one group, in fair order.
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
    let lane = LaneNo { account, operation };
    let now = rows::millis(now);
    queues::wake_due(connection, lane, now)?;
    let mut writing = Writing::new(connection, now);
    let (mut items, mut group, mut is_over) = (Vec::new(), None::<String>, false);
    for _ in 0..ROUNDS {
        let places = max.saturating_sub(items.len());
        let found = turns::choose(connection, &mut writing.queues, lane, now, places, group.as_deref())?;
        is_over = matches!(found, Found::Nothing);
        let Found::Items(chosen) = found else { break };
        hand_out(
            &mut writing,
            lease,
            chosen.keys.into_iter().map(|key| (key, None)),
            Some(lane),
            &mut items,
        )?;
        // As they stand now, for the next round.
        std::mem::take(&mut writing.queues).write(connection, now)?;
        group = Some(chosen.group);
        if items.len() >= max || !writing.has_coalesced {
            break;
        }
        writing.has_coalesced = false;
    }
    writing.finish()?;
    let next_due = match (items.is_empty(), is_over) {
        (false, _) => None,
        (true, true) => turns::next_due(connection, lane)?,
        // There is more to look at.
        (true, false) => Some(now),
    };
    Ok(Claim { items, next_due: next_due.map(rows::time).transpose()? })
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
    let mut writing = Writing::new(connection, rows::millis(now));
    let mut items = Vec::with_capacity(keys.len());
    hand_out(&mut writing, lease, keys, None, &mut items)?;
    writing.finish()?;
    Ok(items)
}

/// Hands out items: of a lane, or such as were handed out before.
fn hand_out(
    writing: &mut Writing<'_>,
    lease: Duration,
    keys: impl IntoIterator<Item = (ItemKey, Option<Timestamp>)>,
    lane: Option<LaneNo>,
    claimed: &mut Vec<Claimed>,
) -> Result<(), Error> {
    let until = writing.now.saturating_add(rows::length(lease));
    let mut update = writing.connection.prepare_cached(HAND_OUT)?;
    for (key, lapsed_at) in keys {
        let mut found = update.query(params![key.deletion, key.index, until])?;
        let Some(row) = found.next()? else {
            if lane.is_some() {
                continue;
            }
            return Err(Error::Unreadable(format!("item {key:?} is in an index only")));
        };
        let item = Claimed {
            key,
            generation: row.get("generation")?,
            deletion: writing.parent_of(key)?.id.clone(),
            target: rows::target(row)?,
            step: rows::step(row)?,
            progress: rows::progress(row)?,
            calls: row.get("calls")?,
            tries: row.get("tries")?,
            accepted_at: rows::time(
                row.get::<_, Option<i64>>("since")?.unwrap_or(writing.parent_of(key)?.created_at),
            )?,
            lapsed_at,
            is_dead: writing.parent_of(key)?.is_dead(),
            bulk: writing.parent_of(key)?.bulk,
        };
        let account: i64 = row.get("account_no")?;
        // To its end, which is where the change is made sure.
        while found.next()?.is_some() {}
        if let Some(lane) = lane {
            writing.queues.left(lane, key.deletion);
            if is_led(writing, account, &item)? {
                continue;
            }
        }
        start(writing, key)?;
        claimed.push(item);
    }
    Ok(())
}

/// Whether another call serves the item, which then waits for that; else it takes along its twins.
fn is_led(writing: &mut Writing<'_>, account: i64, item: &Claimed) -> Result<bool, Error> {
    match coalesce::twins(writing, account, &item.target, Some(item.key.deletion))? {
        // What was sent before has its own story to end.
        Twins::Led(leader) if item.calls == 0 => {
            writing.has_coalesced = true;
            coalesce::take_back(writing, item.key, leader)?;
            Ok(true)
        }
        Twins::Led(_) => Ok(false),
        Twins::Idle(idle) => {
            writing.has_coalesced |= !idle.is_empty();
            coalesce::take_along(writing, item.key, &idle)?;
            Ok(false)
        }
    }
}

/// Marks the deletion of an item that is handed out as started.
fn start(writing: &mut Writing<'_>, key: ItemKey) -> Result<(), Error> {
    let now = writing.now;
    let parent = writing.parent_of(key)?;
    if std::mem::take(&mut parent.is_new) {
        writing.connection.prepare_cached(STARTED)?.execute([key.deletion, now])?;
    }
    Ok(())
}

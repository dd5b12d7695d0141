//! How many items of each deletion wait in each lane, and since when whose turn it is.
//!
//! A write notes what came and what left; at its end each queue is read and
//! written once, however many items moved. Its own file because every write that
//! makes an item due, hands it out or ends it while it is due must say so here.
//! Which of the queues is served is decided in `turns`.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::NOT_RUNNING;
use crate::journal::{Error, fair};
use crate::types::deletion::DeletionSeq;

/// Queues woken by one claim; the others by the next.
const WOKEN: i64 = 256;

const FIND: &str = "SELECT caller, tag, waiting, asleep FROM queues \
    WHERE account = ?1 AND operation = ?2 AND deletion = ?3";
// Once a dead deletion has lost what was not sent, the rest of it goes on.
const OWNER: &str = "SELECT requested_by, state = 1 OR (state IN (4, 8, 9) AND coalesce(chore, 0) <> 1) AS goes_on \
    FROM deletions WHERE seq = ?1";
const ADD: &str = "INSERT INTO queues (account, operation, deletion, caller, tag, waiting, asleep) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const CHANGE: &str = "UPDATE queues SET tag = ?4, waiting = ?5, asleep = ?6 \
    WHERE account = ?1 AND operation = ?2 AND deletion = ?3";
const REMOVE: &str = "DELETE FROM queues WHERE account = ?1 AND operation = ?2 AND deletion = ?3";
const LANE: &str = "SELECT served FROM lanes WHERE account = ?1 AND operation = ?2";
const ADD_LANE: &str = "INSERT INTO lanes (account, operation, served) VALUES (?1, ?2, 0)";
const REMOVE_LANE: &str = "DELETE FROM lanes WHERE account = ?1 AND operation = ?2 AND NOT EXISTS \
    (SELECT 1 FROM turns WHERE account = ?1 AND operation = ?2)";
const TURN: &str = "SELECT tag, served FROM turns WHERE account = ?1 AND operation = ?2 AND caller = ?3";
const ADD_TURN: &str =
    "INSERT INTO turns (account, operation, caller, tag, served) VALUES (?1, ?2, ?3, ?4, 0)";
const MOVE_TURN: &str = "UPDATE turns SET tag = ?4 WHERE account = ?1 AND operation = ?2 AND caller = ?3";
const REMOVE_TURN: &str = "DELETE FROM turns WHERE account = ?1 AND operation = ?2 AND caller = ?3 \
    AND NOT EXISTS (SELECT 1 FROM queues INDEXED BY queues_turn \
    WHERE account = ?1 AND operation = ?2 AND caller = ?3)";
const IS_READY: &str = "SELECT 1 FROM queues INDEXED BY queues_turn \
    WHERE account = ?1 AND operation = ?2 AND caller = ?3 AND asleep IS NULL LIMIT 1";
const AWAKE_BY: &str = "SELECT deletion FROM queues INDEXED BY queues_asleep \
    WHERE account = ?1 AND operation = ?2 AND asleep <= ?3 ORDER BY asleep LIMIT ?4";
const OF_DELETION: &str =
    "SELECT account, operation FROM queues INDEXED BY queues_deletion WHERE deletion = ?1";
const STOP: &str = "UPDATE queues SET asleep = 9223372036854775807 WHERE deletion = ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 16] = [
    FIND,
    OWNER,
    ADD,
    CHANGE,
    REMOVE,
    LANE,
    ADD_LANE,
    REMOVE_LANE,
    TURN,
    ADD_TURN,
    MOVE_TURN,
    REMOVE_TURN,
    IS_READY,
    AWAKE_BY,
    OF_DELETION,
    STOP,
];

/// A lane by the numbers of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneNo {
    pub(super) account: i64,
    pub(super) operation: i64,
}

/// What one write changes in one queue.
#[derive(Debug, Default)]
struct Change {
    waiting: i64,
    /// The earliest due time of what came.
    due_at: Option<i64>,
    /// Its tag after it was served.
    tag: Option<i64>,
}

/// What one write changes in all queues.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// In order, so that two writes of the same work are the same.
    changes: BTreeMap<(LaneNo, DeletionSeq), Change>,
}

/// A queue as stored.
struct Queue {
    caller: i64,
    tag: i64,
    waiting: i64,
    asleep: Option<i64>,
}

impl Queues {
    fn change(&mut self, lane: LaneNo, deletion: DeletionSeq) -> &mut Change {
        self.changes.entry((lane, deletion)).or_default()
    }

    /// An item waits now, with this due time.
    pub(super) fn came(&mut self, lane: LaneNo, deletion: DeletionSeq, due_at: i64) {
        self.came_many(lane, deletion, due_at, 1);
    }

    /// So many items wait now, the first of them with this due time.
    pub(super) fn came_many(&mut self, lane: LaneNo, deletion: DeletionSeq, due_at: i64, items: i64) {
        let change = self.change(lane, deletion);
        change.waiting += items;
        change.due_at = Some(change.due_at.map_or(due_at, |earlier| earlier.min(due_at)));
    }

    /// An item that had a due time waits no longer.
    pub(super) fn left(&mut self, lane: LaneNo, deletion: DeletionSeq) {
        self.change(lane, deletion).waiting -= 1;
    }

    /// The queue had its turn.
    pub(super) fn served(&mut self, lane: LaneNo, deletion: DeletionSeq, tag: i64) {
        self.change(lane, deletion).tag = Some(tag);
    }

    /// Writes it all.
    pub(super) fn write(self, connection: &Connection, now: i64) -> Result<(), Error> {
        for ((lane, deletion), change) in self.changes {
            match find(connection, lane, deletion)? {
                Some(queue) => alter(connection, now, lane, deletion, &queue, &change)?,
                None if change.waiting > 0 => add(connection, now, lane, deletion, &change)?,
                None => {}
            }
        }
        Ok(())
    }
}

fn find(connection: &Connection, lane: LaneNo, deletion: DeletionSeq) -> Result<Option<Queue>, Error> {
    let mut statement = connection.prepare_cached(FIND)?;
    let found = statement.query_row([lane.account, lane.operation, deletion], |row| {
        Ok(Queue { caller: row.get(0)?, tag: row.get(1)?, waiting: row.get(2)?, asleep: row.get(3)? })
    });
    Ok(found.optional()?)
}

fn add(
    connection: &Connection,
    now: i64,
    lane: LaneNo,
    deletion: DeletionSeq,
    change: &Change,
) -> Result<(), Error> {
    let (caller, goes_on): (i64, bool) =
        connection.prepare_cached(OWNER)?.query_row([deletion], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let asleep = if goes_on { change.due_at.filter(|due| *due > now) } else { Some(NOT_RUNNING) };
    let tag = enter(connection, lane, caller, None, asleep.is_none())?;
    connection.prepare_cached(ADD)?.execute(params![
        lane.account,
        lane.operation,
        deletion,
        caller,
        tag,
        change.waiting,
        asleep
    ])?;
    Ok(())
}

fn alter(
    connection: &Connection,
    now: i64,
    lane: LaneNo,
    deletion: DeletionSeq,
    queue: &Queue,
    change: &Change,
) -> Result<(), Error> {
    let waiting = queue.waiting.saturating_add(change.waiting);
    if waiting <= 0 {
        return remove(connection, lane, deletion, queue.caller);
    }
    let asleep = match (queue.asleep, change.due_at) {
        (Some(NOT_RUNNING), _) => Some(NOT_RUNNING),
        (Some(_), Some(due)) if due <= now => None,
        (Some(asleep), Some(due)) => Some(asleep.min(due)),
        (asleep, None) => asleep,
        (None, Some(_)) => None,
    };
    let mut tag = change.tag.unwrap_or(queue.tag);
    if queue.asleep.is_some() && asleep.is_none() {
        tag = enter(connection, lane, queue.caller, Some(tag), true)?;
    }
    set(connection, lane, deletion, tag, waiting, asleep)
}

fn set(
    connection: &Connection,
    lane: LaneNo,
    deletion: DeletionSeq,
    tag: i64,
    waiting: i64,
    asleep: Option<i64>,
) -> Result<(), Error> {
    connection.prepare_cached(CHANGE)?.execute(params![
        lane.account,
        lane.operation,
        deletion,
        tag,
        waiting,
        asleep
    ])?;
    Ok(())
}

fn remove(connection: &Connection, lane: LaneNo, deletion: DeletionSeq, caller: i64) -> Result<(), Error> {
    connection.prepare_cached(REMOVE)?.execute([lane.account, lane.operation, deletion])?;
    let gone = connection.prepare_cached(REMOVE_TURN)?.execute([lane.account, lane.operation, caller])?;
    if gone > 0 {
        connection.prepare_cached(REMOVE_LANE)?.execute([lane.account, lane.operation])?;
    }
    Ok(())
}

/// The tag of a queue that comes new or wakes, its caller's turn brought up to date.
fn enter(
    connection: &Connection,
    lane: LaneNo,
    caller: i64,
    own: Option<i64>,
    ready: bool,
) -> Result<i64, Error> {
    let place = [lane.account, lane.operation];
    let of_caller = [lane.account, lane.operation, caller];
    let served: Option<i64> =
        connection.prepare_cached(LANE)?.query_row(place, |row| row.get(0)).optional()?;
    if served.is_none() {
        connection.prepare_cached(ADD_LANE)?.execute(place)?;
    }
    let served = served.unwrap_or_default();
    let turn: Option<(i64, i64)> = connection
        .prepare_cached(TURN)?
        .query_row(of_caller, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((tag, last)) = turn else {
        connection.prepare_cached(ADD_TURN)?.execute([
            lane.account,
            lane.operation,
            caller,
            fair::enter(None, served),
        ])?;
        return Ok(fair::enter(own, 0));
    };
    let had = || connection.prepare_cached(IS_READY)?.exists(of_caller);
    let up = fair::enter(Some(tag), served);
    if ready && up != tag && !had()? {
        connection.prepare_cached(MOVE_TURN)?.execute([lane.account, lane.operation, caller, up])?;
    }
    Ok(fair::enter(own, last))
}

/// Lets a queue in which something may be due take part again.
fn wake(connection: &Connection, lane: LaneNo, deletion: DeletionSeq) -> Result<(), Error> {
    let Some(queue) = find(connection, lane, deletion)? else { return Ok(()) };
    let tag = enter(connection, lane, queue.caller, Some(queue.tag), true)?;
    set(connection, lane, deletion, tag, queue.waiting, None)
}

/// Wakes the queues of a lane in which something is due by now.
pub(super) fn wake_due(connection: &Connection, lane: LaneNo, now: i64) -> Result<(), Error> {
    let deletions: Vec<DeletionSeq> = connection
        .prepare_cached(AWAKE_BY)?
        .query_map([lane.account, lane.operation, now, WOKEN], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    deletions.into_iter().try_for_each(|deletion| wake(connection, lane, deletion))
}

/// Puts a queue to sleep in which nothing is due before this time; without a time it goes.
pub(super) fn sleep(
    connection: &Connection,
    lane: LaneNo,
    deletion: DeletionSeq,
    until: Option<i64>,
) -> Result<(), Error> {
    let Some(queue) = find(connection, lane, deletion)? else { return Ok(()) };
    match until {
        Some(_) => set(connection, lane, deletion, queue.tag, queue.waiting, until),
        None => remove(connection, lane, deletion, queue.caller),
    }
}

/// Takes a deletion's queues out of every lane's turns: it is not running any more.
pub(super) fn stop(connection: &Connection, deletion: DeletionSeq) -> Result<(), Error> {
    connection.prepare_cached(STOP)?.execute([deletion])?;
    Ok(())
}

/// Lets a deletion's queues take part again. What is due in them is found out by the next claims.
pub(super) fn resume(connection: &Connection, deletion: DeletionSeq) -> Result<(), Error> {
    let lanes: Vec<LaneNo> = connection
        .prepare_cached(OF_DELETION)?
        .query_map([deletion], |row| Ok(LaneNo { account: row.get(0)?, operation: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    lanes.into_iter().try_for_each(|lane| wake(connection, lane, deletion))
}

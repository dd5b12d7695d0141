//! Pause, resume, cancel.
//!
//! Each is one small write, however large the deletion: its state, and its queues
//! taken out of the lanes' turns or put back. Its own file because here the verbs'
//! table (`types/lifecycle.rs`) meets the store. What a cancel does to the items
//! follows in steps (`chores`).

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::chores::{self, Data};
use super::writing::Writing;
use super::{queues, reads, rows};
use crate::journal::{Asked, DeletionRow, Error, Turned};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, Progress};
use crate::types::lifecycle::{Pause, Turn, Verb, turn};

const PAUSE: &str = "UPDATE deletions SET state = 2, pause = ?2 WHERE seq = ?1";
const RESUME: &str = "UPDATE deletions SET state = 1, pause = NULL, baseline = ?2 WHERE seq = ?1";
const CANCEL: &str =
    "UPDATE deletions SET state = 4, pause = NULL, chore = ?2, chore_data = ?3 WHERE seq = ?1";
const RUNNING: &str = "SELECT seq FROM deletions INDEXED BY deletions_open \
    WHERE finished_at IS NULL AND state = 1 ORDER BY seq";
// Items that wait for a call of this deletion (or of any). From the side of those
// that wait now: there are few, while a large deletion may have served many.
const LEADERS: &str = "SELECT DISTINCT c.with_deletion AS deletion, c.with_idx AS idx FROM \
    (SELECT seq FROM deletions INDEXED BY deletions_open WHERE finished_at IS NULL) d \
    CROSS JOIN items i INDEXED BY items_behind ON i.deletion = d.seq AND i.behind = -1 \
    CROSS JOIN coalesced c ON c.deletion = i.deletion AND c.idx = i.idx \
    WHERE ?1 IS NULL OR c.with_deletion = ?1";
const WAITS: &str = "SELECT i.progress FROM items i JOIN deletions d ON d.seq = i.deletion AND d.state = 2 \
    WHERE i.deletion = ?1 AND i.idx = ?2 AND i.outcome IS NULL AND i.lease_until IS NULL";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 6] = [PAUSE, RESUME, CANCEL, RUNNING, LEADERS, WAITS];

/// Does what was asked, if the state allows it.
pub(super) fn turn_to(
    connection: &Connection,
    now: Timestamp,
    id: &DeletionId,
    asked: &Asked,
) -> Result<Option<Turned>, Error> {
    let Some(row) = reads::deletion(connection, id)? else { return Ok(None) };
    match turn(&row.standing(now), asked.verb) {
        Turn::Nothing => return Ok(Some(Turned::Same(row))),
        Turn::Wrong => return Ok(Some(Turned::Wrong(row))),
        Turn::To(_) => {}
    }
    let mut writing = Writing::new(connection, rows::millis(now));
    match (asked.verb, &asked.pause) {
        (Verb::Pause, Some(why)) => {
            pause(connection, row.seq, why)?;
            hand_on(&mut writing, Some(row.seq))?;
        }
        (Verb::Resume, None) => resume(connection, &row)?,
        (Verb::Cancel, None) => cancel(connection, row.seq)?,
        (verb, _) => return Err(Error::Invalid(format!("{} does not go so", verb.as_str()))),
    }
    let recorded = writing.finish()?;
    Ok(reads::deletion(connection, id)?.map(|row| Turned::Done(row, recorded)))
}

fn pause(connection: &Connection, seq: DeletionSeq, why: &Pause) -> Result<(), Error> {
    connection.prepare_cached(PAUSE)?.execute(params![seq, rows::json(why)?])?;
    queues::stop(connection, seq)
}

fn resume(connection: &Connection, row: &DeletionRow) -> Result<(), Error> {
    let baseline = rows::baseline_column(&row.counts.by_outcome)?;
    connection.prepare_cached(RESUME)?.execute(params![row.seq, baseline])?;
    queues::resume(connection, row.seq)
}

fn cancel(connection: &Connection, seq: DeletionSeq) -> Result<(), Error> {
    let data = rows::json(&Data::default())?;
    connection.prepare_cached(CANCEL)?.execute(params![seq, chores::CANCEL, data])?;
    queues::stop(connection, seq)
}

/// Pauses everything that runs; how many deletions that were.
pub(super) fn pause_all(connection: &Connection, now: Timestamp, why: &Pause) -> Result<usize, Error> {
    let mut running = connection.prepare_cached(RUNNING)?;
    let running = running.query_map([], |row| row.get(0))?.collect::<Result<Vec<DeletionSeq>, _>>()?;
    for seq in &running {
        pause(connection, *seq, why)?;
    }
    let mut writing = Writing::new(connection, rows::millis(now));
    hand_on(&mut writing, None)?;
    writing.finish()?;
    Ok(running.len())
}

/// Who waits for a call that a paused deletion will not make goes on by itself. If
/// the vendor may have done something already, they wait for what that was.
fn hand_on(writing: &mut Writing<'_>, of: Option<DeletionSeq>) -> Result<(), Error> {
    let mut leaders = reads::all(writing.connection, LEADERS, [of], rows::key)?;
    leaders.sort_unstable();
    for leader in leaders {
        if waits_unsent(writing.connection, leader)? {
            writing.release(leader)?;
        }
    }
    Ok(())
}

fn waits_unsent(connection: &Connection, key: ItemKey) -> Result<bool, Error> {
    let found = reads::all(connection, WAITS, params![key.deletion, key.index], rows::progress::<Progress>)?;
    Ok(found.first().is_some_and(|progress| !progress.as_ref().is_some_and(Progress::was_sent)))
}

//! Work on a deletion that goes in steps: which there is, and the steps of a cancel.
//!
//! A step is one write of bounded size, and what is left to do stands in the
//! deletion's row, so that a restart goes on where it was. Its own file because
//! the end of such work is where a deletion may finish without a call. The steps
//! of a retry are in `settle`.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::words::Words;
use super::writing::Writing;
use super::{folded, lifecycle, notes, queues, reads, rows};
use crate::journal::{Chore, ChoreKind, ChoreWord, Error, Recorded};
use crate::types::deletion::{DeletionSeq, ItemKey, Progress};

/// Items looked at for each that a step may end: a step through a deletion that is
/// nearly done is as short as one through a new one.
const LOOKED_AT: u32 = 8;

const CHORES: &str = "SELECT seq, id, chore, chore_data FROM deletions INDEXED BY deletions_chores \
    WHERE chore IS NOT NULL AND state <> 5 ORDER BY seq";
const CHORE: &str = "SELECT chore_data, total FROM deletions WHERE seq = ?1 AND chore = ?2";
const OPEN: &str = "SELECT deletion, idx, same_as IS NOT NULL AND behind >= 0 AS follows, \
    due_at IS NOT NULL AS due, progress FROM items WHERE deletion = ?1 AND idx >= ?2 AND idx < ?3 \
    AND state = 0 ORDER BY idx LIMIT ?4";
const GO_ON: &str = "UPDATE deletions SET chore_data = ?2 WHERE seq = ?1";
const END: &str = "UPDATE deletions SET chore = NULL, chore_data = NULL, \
    finished_at = CASE WHEN ended = total THEN ?2 END, \
    state = CASE WHEN ended = total AND state NOT IN (4, 8, 9) THEN 3 ELSE state END, \
    pause = CASE WHEN ended < total THEN pause END \
    WHERE seq = ?1 RETURNING id, finished_at IS NOT NULL AS finished, total, baseline, \
    deleted, absent, refused, busy, failed, unknown, canceled";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 5] = [CHORES, CHORE, OPEN, GO_ON, END];

/// `deletions.chore_data`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Data {
    /// The index to look at next.
    pub(super) from: u32,
    /// Who asked for a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// Work that is under way.
pub(super) fn chores(connection: &Connection) -> Result<Vec<Chore>, Error> {
    reads::all(connection, CHORES, [], |row| {
        let data: Data = rows::json_column(row, "chore_data")?.unwrap_or_default();
        let word = rows::chore(row)?.ok_or_else(|| Error::Unreadable("no chore".to_owned()))?;
        let from = data.from;
        let kind = match word {
            ChoreWord::Cancel => ChoreKind::Cancel,
            ChoreWord::Retry => {
                ChoreKind::Retry { from, by: data.by.unwrap_or_default(), reason: data.reason }
            }
            ChoreWord::Check => ChoreKind::Check { from },
            ChoreWord::Quarantine => ChoreKind::Quarantine { from },
            ChoreWord::Lift => ChoreKind::Lift { from },
        };
        let id: String = row.get("id")?;
        Ok(Chore { seq: row.get("seq")?, id: rows::deletion_id(&id)?, kind })
    })
}

/// What is left of work of this kind on a deletion, and how many items it has.
pub(super) fn under_way(
    connection: &Connection,
    seq: DeletionSeq,
    kind: ChoreWord,
) -> Result<Option<(Data, u32)>, Error> {
    let found = reads::all(connection, CHORE, [seq, rows::chore_code(kind)], |row| {
        Ok((rows::json_column(row, "chore_data")?.unwrap_or_default(), row.get("total")?))
    })?;
    Ok(found.into_iter().next())
}

struct Open {
    key: ItemKey,
    follows: bool,
    due: bool,
    progress: Option<Progress>,
}

fn open(row: &Row<'_>) -> Result<Open, Error> {
    Ok(Open {
        key: rows::key(row)?,
        follows: row.get("follows")?,
        due: row.get("due")?,
        progress: rows::progress(row)?,
    })
}

impl Open {
    /// Whether it was never sent and nothing is sent for it. A duplicate goes with its leader.
    fn can_be_dropped(&self) -> bool {
        let was_sent = self.progress.as_ref().is_some_and(Progress::was_sent);
        !(self.follows || self.due && was_sent)
    }
}

/// A step of a cancel; whether there are more.
pub(super) fn cancel_step(
    connection: &Connection,
    now: Timestamp,
    seq: DeletionSeq,
    max: usize,
) -> Result<(Recorded, bool), Error> {
    let Some((data, total)) = under_way(connection, seq, ChoreWord::Cancel)? else {
        return Ok((Recorded::default(), false));
    };
    let max = u32::try_from(max).unwrap_or(u32::MAX).max(1);
    let until = data.from.saturating_add(max.saturating_mul(LOOKED_AT));
    let items = reads::all(connection, OPEN, params![seq, data.from, until, max], open)?;
    let mut writing = Writing::new(connection, rows::millis(now));
    for item in items.iter().filter(|item| item.can_be_dropped()) {
        // One may have ended with another of this step.
        writing.cancel(item.key)?;
    }
    let last = items.last().filter(|_| u32::try_from(items.len()).is_ok_and(|found| found == max));
    let from = last.map_or(until, |item| item.key.index.saturating_add(1));
    let mut recorded = writing.finish()?;
    if from < total {
        go_on(connection, seq, &Data { from, ..data })?;
        return Ok((recorded, true));
    }
    let lifts = notes::has_blocked(connection, seq)?;
    if lifts {
        lifecycle::set_chore(connection, seq, Some(ChoreWord::Lift))?;
    } else {
        end(connection, now, seq, &mut recorded)?;
    }
    // What was sent goes on to its outcome.
    queues::resume(connection, seq)?;
    Ok((recorded, lifts))
}

/// Keeps where work in steps goes on.
pub(super) fn go_on(connection: &Connection, seq: DeletionSeq, data: &Data) -> Result<(), Error> {
    connection.prepare_cached(GO_ON)?.execute(params![seq, rows::json(data)?])?;
    Ok(())
}

/// Ends the work on a deletion, which may finish it.
pub(super) fn end(
    connection: &Connection,
    now: Timestamp,
    seq: DeletionSeq,
    recorded: &mut Recorded,
) -> Result<(), Error> {
    let found = reads::all(connection, END, params![seq, rows::millis(now)], |row| rows::touched(row, seq))?;
    for touched in found.into_iter().filter(|touched| touched.finished) {
        folded::flush(connection, &mut Words::new(connection), seq)?;
        recorded.touched.retain(|other| other.seq != seq);
        recorded.touched.push(touched);
    }
    Ok(())
}

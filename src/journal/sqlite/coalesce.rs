//! One call for one target, however many deletions ask for it.
//!
//! An item that is about to be handed out looks at the open items of its target
//! in other deletions: it waits for the one that is being sent, or takes along
//! those that were never sent. Its own file because accepting and handing out ask
//! the same. How those attached end is in `writing`.

use rusqlite::{OptionalExtension, Row, params};

use super::queues::LaneNo;
use super::rows;
use super::writing::{ELSEWHERE, Writing};
use crate::journal::Error;
use crate::types::deletion::{DeletionSeq, ItemKey};
use crate::types::target::Target;

/// Items of one name looked at, newest first. Those past it take their own turn
/// and find the one that is sent then.
const NEWEST: i64 = 256;

const NAMED: &str = "SELECT deletion, idx, form, kind, what, outcome IS NULL AS open, \
    lease_until IS NOT NULL AS sending, due_at IS NOT NULL AS due, calls, behind, operation \
    FROM items INDEXED BY items_named WHERE account = ?1 AND name = ?2 \
    ORDER BY deletion DESC, idx DESC LIMIT ?3";
const WITH: &str = "SELECT i.deletion, i.idx, i.lease_until IS NOT NULL AS sending, \
    i.due_at IS NOT NULL AS due, i.calls FROM coalesced c \
    CROSS JOIN items i ON i.deletion = c.with_deletion AND i.idx = c.with_idx \
    WHERE c.deletion = ?1 AND c.idx = ?2";
const WAIT: &str = "UPDATE items SET behind = -1, due_at = NULL \
    WHERE deletion = ?1 AND idx = ?2 AND due_at IS NOT NULL";
// It was handed out in this write, and to nobody.
const TAKE_BACK: &str = "UPDATE items SET behind = -1, lease_until = NULL, generation = generation - 1 \
    WHERE deletion = ?1 AND idx = ?2";
const ADD: &str = "INSERT OR REPLACE INTO coalesced (deletion, idx, with_deletion, with_idx) \
    VALUES (?1, ?2, ?3, ?4)";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 5] = [NAMED, WITH, WAIT, TAKE_BACK, ADD];

/// What is open of a target in other deletions that run.
#[derive(Debug)]
pub(super) enum Twins {
    /// A call for it is under way, or one was made and another follows: for this item.
    Led(ItemKey),
    /// Nobody sends it; these wait for their turn, each in its queue's lane.
    Idle(Vec<(ItemKey, LaneNo)>),
}

/// Whether an item leads: it is being sent, or between two tries.
fn leads(row: &Row<'_>) -> Result<bool, Error> {
    Ok(row.get::<_, bool>("sending")? || (row.get::<_, bool>("due")? && row.get::<_, i64>("calls")? > 0))
}

/// Looks for twins outside of the deletion `own`.
pub(super) fn twins(
    writing: &mut Writing<'_>,
    account: i64,
    target: &Target,
    own: Option<DeletionSeq>,
) -> Result<Twins, Error> {
    let mut statement = writing.connection.prepare_cached(NAMED)?;
    let mut found = statement.query(params![account, target.name.as_str(), NEWEST])?;
    let mut idle = Vec::new();
    while let Some(row) = found.next()? {
        let key = ItemKey { deletion: row.get("deletion")?, index: row.get("idx")? };
        if Some(key.deletion) == own || !row.get::<_, bool>("open")? || !rows::is_same(row, target)? {
            continue;
        }
        // What is under way is under way, whatever became of its deletion since.
        if !row.get::<_, bool>("sending")? && !writing.parent_of(key)?.runs() {
            continue;
        }
        if leads(row)? {
            return Ok(Twins::Led(key));
        }
        if row.get::<_, Option<i64>>("behind")? == Some(ELSEWHERE) {
            if let Some(leader) = leader(writing, key)?.filter(|leader| Some(leader.deletion) != own) {
                return Ok(Twins::Led(leader));
            }
        } else if row.get("due")? {
            idle.push((key, LaneNo { account, operation: row.get("operation")? }));
        }
    }
    Ok(Twins::Idle(idle))
}

/// The item that an attached one waits for, if that is of a deletion that runs.
fn leader(writing: &mut Writing<'_>, key: ItemKey) -> Result<Option<ItemKey>, Error> {
    let found: Option<(ItemKey, bool)> = writing
        .connection
        .prepare_cached(WITH)?
        .query_row(params![key.deletion, key.index], |row| {
            let leads = row.get::<_, bool>("sending")? || row.get("due")?;
            Ok((ItemKey { deletion: row.get("deletion")?, index: row.get("idx")? }, leads))
        })
        .optional()?;
    match found {
        Some((leader, true)) if writing.parent_of(leader)?.runs() => Ok(Some(leader)),
        Some(_) | None => Ok(None),
    }
}

/// Those that wait for their turn wait for this item's call instead.
pub(super) fn take_along(
    writing: &mut Writing<'_>,
    leader: ItemKey,
    idle: &[(ItemKey, LaneNo)],
) -> Result<(), Error> {
    for (key, lane) in idle {
        let waits = writing.connection.prepare_cached(WAIT)?.execute(params![key.deletion, key.index])?;
        if waits > 0 {
            writing.queues.left(*lane, key.deletion);
            note(writing, *key, leader)?;
        }
    }
    Ok(())
}

/// An item that was just taken from its queue waits for this one's call instead.
pub(super) fn take_back(writing: &Writing<'_>, key: ItemKey, leader: ItemKey) -> Result<(), Error> {
    writing.connection.prepare_cached(TAKE_BACK)?.execute(params![key.deletion, key.index])?;
    note(writing, key, leader)
}

/// Keeps which item ends with which.
pub(super) fn note(writing: &Writing<'_>, key: ItemKey, leader: ItemKey) -> Result<(), Error> {
    writing.connection.prepare_cached(ADD)?.execute(params![
        key.deletion,
        key.index,
        leader.deletion,
        leader.index
    ])?;
    Ok(())
}

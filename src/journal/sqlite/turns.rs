//! Which due items of a lane are next.
//!
//! Reads who waits in the lane and in which order (`queues`, `turns`), what of it
//! is due, and lets `fair.rs` share the places of one call. Its own file because
//! it chooses only: that the items are handed out is written in `handout`.

use rusqlite::{Connection, params};

use super::queues::{self, LaneNo, Queues};
use super::rows::NOT_RUNNING;
use crate::journal::Error;
use crate::journal::fair::{self, Flow, Turn};
use crate::types::deletion::{DeletionSeq, ItemKey};

/// Due items looked at for one claim, about. Past these a lane of many groups
/// gets a smaller batch rather than a slower claim.
pub(super) const CANDIDATES: usize = 400;
/// Callers whose deletions are looked at for one claim.
const CALLERS: usize = 64;
/// How often a claim looks again after it found only queues in which nothing was due.
const ROUNDS: usize = 64;

// Callers are few: each has a key.
const TURNS: &str = "SELECT caller, tag, served FROM turns t WHERE account = ?1 AND operation = ?2 \
    AND EXISTS (SELECT 1 FROM queues q INDEXED BY queues_turn WHERE q.account = ?1 AND q.operation = ?2 \
    AND q.caller = t.caller AND q.asleep IS NULL)";
const READY: &str = "SELECT deletion, tag FROM queues INDEXED BY queues_turn \
    WHERE account = ?1 AND operation = ?2 AND caller = ?3 AND asleep IS NULL ORDER BY tag, deletion LIMIT ?4";
// What came later than its deletion is a repeat, a next step, or was let go: it goes
// first, since behind a long deletion a repeat would come after its time.
const DUE_AGAIN: &str = "SELECT due_at, idx, grp FROM items INDEXED BY items_due \
    WHERE deletion = ?1 AND account = ?2 AND operation = ?3 \
    AND due_at > (SELECT created_at FROM deletions WHERE seq = ?1) AND due_at <= ?4 \
    ORDER BY due_at, idx LIMIT ?5";
const DUE_FIRST: &str = "SELECT due_at, idx, grp FROM items INDEXED BY items_due \
    WHERE deletion = ?1 AND account = ?2 AND operation = ?3 \
    AND due_at <= (SELECT min(created_at, ?4) FROM deletions WHERE seq = ?1) \
    ORDER BY due_at, idx LIMIT ?5";
const NEXT_DUE: &str = "SELECT min(due_at) FROM items INDEXED BY items_due \
    WHERE deletion = ?1 AND account = ?2 AND operation = ?3 AND due_at IS NOT NULL";
const NEXT_AWAKE: &str = "SELECT min(asleep) FROM queues INDEXED BY queues_asleep \
    WHERE account = ?1 AND operation = ?2 AND asleep IS NOT NULL";
const SERVED_TURN: &str =
    "UPDATE turns SET tag = ?4, served = ?5 WHERE account = ?1 AND operation = ?2 AND caller = ?3";
const SERVED_LANE: &str = "UPDATE lanes SET served = ?3 WHERE account = ?1 AND operation = ?2";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 8] =
    [TURNS, READY, DUE_AGAIN, DUE_FIRST, NEXT_DUE, NEXT_AWAKE, SERVED_TURN, SERVED_LANE];

/// Items that go with one call.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Oldest first.
    pub(super) keys: Vec<ItemKey>,
    /// The group that they share; the empty one stands for none.
    pub(super) group: String,
}

/// What was found in a lane.
#[derive(Debug)]
pub(super) enum Found {
    /// These.
    Items(Chosen),
    /// Nothing of the group that was asked for, or nothing yet of what was looked at.
    Passed,
    /// Nothing is due.
    Nothing,
}

/// A deletion with what is due of it: due time and key.
struct Ready {
    flow: Flow,
    due: Vec<(i64, ItemKey)>,
}

/// Chooses up to `max` items, of this group if it is fixed already, and moves on the turns of those whose they are.
pub(super) fn choose(
    connection: &Connection,
    queues: &mut Queues,
    lane: LaneNo,
    now: i64,
    max: usize,
    group: Option<&str>,
) -> Result<Found, Error> {
    for _ in 0..ROUNDS {
        let mut turns = turns(connection, lane)?;
        let flows = flows(connection, lane, &turns, max)?;
        if flows.is_empty() {
            return Ok(Found::Nothing);
        }
        let Some((group, mut ready)) = look(connection, lane, now, max, &flows, group)? else { continue };
        let mut flows: Vec<Flow> = ready.iter().map(|one| one.flow).collect();
        let before = turns.clone();
        let shared = fair::share(&mut turns, &mut flows, max);
        let mut chosen = Vec::with_capacity(max);
        for (deletion, items) in &shared.taken {
            for one in ready.iter_mut().filter(|one| one.flow.deletion == *deletion) {
                chosen.extend(one.due.drain(..*items));
            }
        }
        for flow in flows.iter().filter(|flow| shared.taken.iter().any(|(taken, _)| *taken == flow.deletion))
        {
            queues.served(lane, flow.deletion, flow.tag);
        }
        for (turn, before) in turns.iter().zip(&before).filter(|(turn, before)| turn != before) {
            let moved = [lane.account, lane.operation, before.caller, turn.tag, turn.served];
            connection.prepare_cached(SERVED_TURN)?.execute(moved)?;
        }
        let Some(served) = shared.served else { return Ok(Found::Passed) };
        connection.prepare_cached(SERVED_LANE)?.execute([lane.account, lane.operation, served])?;
        chosen.sort_unstable();
        let keys = chosen.into_iter().map(|(_, key)| key).collect();
        return Ok(Found::Items(Chosen { keys, group }));
    }
    Ok(Found::Passed)
}

/// When the next item of a lane is due in which nothing is now.
pub(super) fn next_due(connection: &Connection, lane: LaneNo) -> Result<Option<i64>, Error> {
    let next: Option<i64> =
        connection.prepare_cached(NEXT_AWAKE)?.query_row([lane.account, lane.operation], |row| row.get(0))?;
    Ok(next.filter(|next| *next != NOT_RUNNING))
}

/// Callers who have something ready, in order of their turns.
fn turns(connection: &Connection, lane: LaneNo) -> Result<Vec<Turn>, Error> {
    let mut statement = connection.prepare_cached(TURNS)?;
    let found = statement.query_map([lane.account, lane.operation], |row| {
        Ok(Turn { caller: row.get(0)?, tag: row.get(1)?, served: row.get(2)? })
    })?;
    let mut turns = found.collect::<Result<Vec<_>, _>>()?;
    turns.sort_unstable_by_key(|turn| (turn.tag, turn.caller));
    turns.truncate(CALLERS);
    Ok(turns)
}

/// The first `max` deletions to come to their turn if each had one item: with
/// an item of each a call is full.
fn flows(connection: &Connection, lane: LaneNo, turns: &[Turn], max: usize) -> Result<Vec<Flow>, Error> {
    let mut statement = connection.prepare_cached(READY)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut ordered = Vec::new();
    for turn in turns {
        let of = params![lane.account, lane.operation, turn.caller, limit];
        let found = statement.query_map(of, |row| {
            Ok(Flow { caller: turn.caller, deletion: row.get(0)?, tag: row.get(1)?, ready: 0 })
        })?;
        for (place, flow) in (0_i64..).zip(found) {
            ordered.push((turn.tag.saturating_add(place), flow?));
        }
    }
    ordered.sort_by_key(|(at, flow)| (*at, flow.caller));
    ordered.truncate(max);
    Ok(ordered.into_iter().map(|(_, flow)| flow).collect())
}

/// What is due of these, of the group of the first; `None` if nothing is due of the first.
fn look(
    connection: &Connection,
    lane: LaneNo,
    now: i64,
    max: usize,
    flows: &[Flow],
    group: Option<&str>,
) -> Result<Option<(String, Vec<Ready>)>, Error> {
    let limit = max.max(CANDIDATES / flows.len().max(1));
    let mut group = group.map(str::to_owned);
    let mut ready = Vec::with_capacity(flows.len());
    for (place, flow) in flows.iter().enumerate() {
        let (any, due) = due(connection, lane, flow.deletion, now, max, limit, &mut group)?;
        if !any {
            let until: Option<i64> = connection
                .prepare_cached(NEXT_DUE)?
                .query_row([flow.deletion, lane.account, lane.operation], |row| row.get(0))?;
            queues::sleep(connection, lane, flow.deletion, until)?;
            if place == 0 {
                return Ok(None);
            }
            continue;
        }
        ready.push(Ready { flow: Flow { ready: due.len(), ..*flow }, due });
    }
    Ok(Some((group.unwrap_or_default(), ready)))
}

/// Whether anything is due of a deletion, and up to `max` items of it that are of the group.
fn due(
    connection: &Connection,
    lane: LaneNo,
    deletion: DeletionSeq,
    now: i64,
    max: usize,
    limit: usize,
    group: &mut Option<String>,
) -> Result<(bool, Vec<(i64, ItemKey)>), Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (mut any, mut keys) = (false, Vec::new());
    for statement in [DUE_AGAIN, DUE_FIRST] {
        let mut statement = connection.prepare_cached(statement)?;
        let mut found = statement.query([deletion, lane.account, lane.operation, now, limit])?;
        while let Some(row) = found.next()? {
            any = true;
            let of = row.get_ref(2)?.as_str_or_null().map_err(|e| Error::Unreadable(e.to_string()))?;
            let of = of.unwrap_or_default();
            if *group.get_or_insert_with(|| of.to_owned()) != of {
                continue;
            }
            keys.push((row.get(0)?, ItemKey { deletion, index: row.get(1)? }));
            if keys.len() == max {
                return Ok((any, keys));
            }
        }
    }
    Ok((any, keys))
}

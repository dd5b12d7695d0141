//! The two ways out of an outcome: `retry` and `settle`.
//!
//! Both keep what was before in `rounds`, give up the item's place in the sequence
//! of outcomes, and move the deletion's counts in the same commit. Its own file
//! because nothing else may change an item that is done. What the next call of an
//! item should be is not known here.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::chores::{self, Data};
use super::queues::LaneNo;
use super::writing::Writing;
use super::{chain, reads, rows};
use crate::journal::audit::{self, Action, Ranges, Span};
use crate::journal::{
    ChoreWord, DeletionRow, Error, ItemRow, Recorded, Reopen, Retry, Settled, Settlement, Turned,
};
use crate::types::deletion::{DeletionId, ItemKey};
use crate::types::lifecycle::{DeletionState, Turn, Verb, turn};
use crate::types::outcome::Outcome;

// Only what may be opened again: busy, failed, unknown.
const ADD_ROUND: &str = "INSERT INTO rounds (deletion, idx, number, outcome, inferred, error, \
    finished_at, reopened_at, by, reason, settled) SELECT deletion, idx, \
    1 + (SELECT coalesce(max(number), 0) FROM rounds r WHERE r.deletion = ?1 AND r.idx = ?2), \
    outcome, inferred, error, finished_at, ?3, ?4, ?5, ?6 FROM items \
    WHERE deletion = ?1 AND idx = ?2 AND outcome IN (3, 4, 5) RETURNING outcome";
const IS_OPENABLE: &str = "SELECT 1 FROM items WHERE deletion = ?1 AND idx = ?2 \
    AND outcome IN (3, 4, 5) AND same_as IS NULL";
const REOPEN: &str = "UPDATE items SET outcome = NULL, inferred = NULL, error = NULL, finished_at = NULL, \
    outcome_seq = NULL, since = ?3, tries = 0, due_at = ?4, operation = ?5, phase = ?6, grp = ?7, \
    progress = ?8 WHERE deletion = ?1 AND idx = ?2 RETURNING account";
const FOLLOWERS: &str = "SELECT deletion, idx FROM items INDEXED BY items_same \
    WHERE deletion = ?1 AND same_as = ?2 AND outcome IN (3, 4, 5) ORDER BY idx";
const REOPEN_FOLLOWER: &str = "UPDATE items SET outcome = NULL, inferred = NULL, error = NULL, \
    finished_at = NULL, outcome_seq = NULL, since = ?3, behind = same_as WHERE deletion = ?1 AND idx = ?2";
// The last call of an item that is done stands in its row alone.
const KEEP_CALL: &str = "INSERT OR IGNORE INTO attempts (deletion, idx, number, call) \
    SELECT deletion, idx, calls, call FROM items WHERE deletion = ?1 AND idx = ?2 AND call IS NOT NULL";
const SERVED: &str = "SELECT deletion, idx FROM coalesced INDEXED BY coalesced_with \
    WHERE with_deletion = ?1 AND with_idx = ?2 ORDER BY deletion, idx";
// Calls from before its own deletion did not serve it.
const SERVED_BY: &str = "SELECT with_deletion AS deletion, with_idx AS idx FROM coalesced \
    WHERE deletion = ?1 AND idx = ?2";
const INHERIT_CALLS: &str = "INSERT INTO attempts (deletion, idx, number, call) SELECT ?1, ?2, \
    (SELECT calls FROM items WHERE deletion = ?1 AND idx = ?2) + row_number() OVER (ORDER BY a.number), \
    a.call FROM (SELECT number, call FROM attempts WHERE deletion = ?3 AND idx = ?4 UNION \
    SELECT calls, call FROM items WHERE deletion = ?3 AND idx = ?4 AND call IS NOT NULL) a \
    CROSS JOIN calls c ON c.id = a.call \
    WHERE c.started_at >= (SELECT created_at FROM deletions WHERE seq = ?1)";
const INHERIT: &str = "UPDATE items SET \
    calls = (SELECT count(*) FROM attempts a WHERE a.deletion = ?1 AND a.idx = ?2), \
    call = (SELECT a.call FROM attempts a WHERE a.deletion = ?1 AND a.idx = ?2 ORDER BY a.number DESC LIMIT 1), \
    progress = coalesce(progress, (SELECT l.progress FROM items l WHERE l.deletion = ?3 AND l.idx = ?4)) \
    WHERE deletion = ?1 AND idx = ?2";
const PART: &str = "DELETE FROM coalesced WHERE deletion = ?1 AND idx = ?2";
const TURN_BACK: &str = "UPDATE deletions SET state = ?2, finished_at = NULL, round = round + ?3, \
    chore = ?4, chore_data = ?5, baseline = ?6, ended = ended - ?7 - ?8 - ?9, \
    busy = busy - ?7, failed = failed - ?8, unknown = unknown - ?9 WHERE seq = ?1";
const SETTLE: &str = "UPDATE items SET outcome = ?3, inferred = ?4, error = ?5, finished_at = ?6, \
    outcome_seq = ?7 WHERE deletion = ?1 AND idx = ?2";
const COUNT: &str = "UPDATE deletions SET sequence = sequence + ?2, unknown = unknown - ?2, \
    deleted = deleted + ?3, absent = absent + ?4, refused = refused + ?5, busy = busy + ?6, \
    failed = failed + ?7, canceled = canceled + ?8 \
    WHERE seq = ?1 RETURNING id, 0 AS finished, total, baseline, \
    deleted, absent, refused, busy, failed, unknown, canceled";
const SEQUENCE: &str = "SELECT sequence FROM deletions WHERE seq = ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 15] = [
    ADD_ROUND,
    IS_OPENABLE,
    REOPEN,
    FOLLOWERS,
    REOPEN_FOLLOWER,
    KEEP_CALL,
    SERVED,
    SERVED_BY,
    INHERIT_CALLS,
    INHERIT,
    PART,
    TURN_BACK,
    SETTLE,
    COUNT,
    SEQUENCE,
];

/// Who gave up an outcome, when, and why.
struct GivenUp<'a> {
    at: i64,
    by: i64,
    reason: Option<&'a str>,
    settled: bool,
}

impl GivenUp<'_> {
    /// Keeps the item's outcome as a round, if it is one that may be given up.
    fn keep(&self, connection: &Connection, key: ItemKey) -> Result<Option<i64>, Error> {
        let round = params![key.deletion, key.index, self.at, self.by, self.reason, self.settled];
        Ok(reads::all(connection, ADD_ROUND, round, |row| Ok(row.get("outcome")?))?.pop())
    }
}

/// What a step of a retry did to the counts: busy, failed, unknown.
#[derive(Default)]
struct Back([u32; 3]);

impl Back {
    fn note(&mut self, outcome: i64) {
        let of = [Outcome::Busy, Outcome::Failed, Outcome::Unknown].map(rows::outcome_code);
        for (count, _) in self.0.iter_mut().zip(of).filter(|(_, one)| *one == outcome) {
            *count += 1;
        }
    }
}

/// Opens items again.
pub(super) fn retry(
    connection: &Connection,
    now: Timestamp,
    id: &DeletionId,
    retry: &Retry,
) -> Result<Option<Turned>, Error> {
    let Some(row) = reads::deletion(connection, id)? else { return Ok(None) };
    let state = match turn(&row.standing(now), Verb::Retry) {
        Turn::To(state) => state,
        Turn::Nothing => return Ok(Some(Turned::Same(row))),
        Turn::Wrong => return Ok(Some(Turned::Wrong(row))),
    };
    if row.deadline.is_some() || !row.terms.are_met(&row.review) {
        // Paused before anything of it ran, or all of it ended before anybody was asked.
        return Ok(Some(Turned::Same(row)));
    }
    let goes_on = chores::under_way(connection, row.seq, ChoreWord::Retry)?.is_some();
    let mut writing = Writing::new(connection, rows::millis(now));
    let given_up = GivenUp {
        at: writing.now,
        by: writing.words.number(&retry.by)?,
        reason: retry.reason.as_deref(),
        settled: false,
    };
    let mut back = Back::default();
    for item in retry.items.iter().filter(|item| item.key.deletion == row.seq) {
        reopen(&mut writing, &given_up, item, &mut back)?;
    }
    let opened = back.0.iter().any(|count| *count > 0);
    if !opened && !goes_on && retry.next.is_none() {
        return Ok(Some(Turned::Same(row)));
    }
    if !goes_on {
        let entry = chain::about(&row, Action::Retried, &retry.by, retry.reason.as_deref());
        chain::add(connection, &mut writing.words, writing.now, entry)?;
    }
    turn_back(connection, &row, state, retry, &back, !goes_on)?;
    let mut recorded = writing.finish()?;
    if retry.next.is_none() {
        chores::end(connection, now, row.seq, &mut recorded)?;
    }
    Ok(reads::deletion(connection, id)?.map(|row| Turned::Done(row, recorded)))
}

/// The deletion's row. It is left as under way even after the last step, which ends that by itself.
fn turn_back(
    connection: &Connection,
    row: &DeletionRow,
    state: DeletionState,
    retry: &Retry,
    back: &Back,
    is_first: bool,
) -> Result<(), Error> {
    let from = retry.next.unwrap_or(u32::MAX);
    let data = Data { from, by: Some(retry.by.clone()), reason: retry.reason.clone() };
    let [busy, failed, unknown] = back.0;
    let mut stand = row.counts.by_outcome;
    for (outcome, count) in [Outcome::Busy, Outcome::Failed, Outcome::Unknown].into_iter().zip(back.0) {
        let stands = &mut stand[outcome.place()];
        *stands = stands.saturating_sub(count.into());
    }
    connection.prepare_cached(TURN_BACK)?.execute(params![
        row.seq,
        rows::deletion_state_code(state),
        is_first,
        rows::chore_code(ChoreWord::Retry),
        rows::json(&data)?,
        rows::baseline_column(&stand)?,
        busy,
        failed,
        unknown,
    ])?;
    Ok(())
}

fn reopen(
    writing: &mut Writing<'_>,
    given_up: &GivenUp<'_>,
    item: &Reopen,
    back: &mut Back,
) -> Result<(), Error> {
    let (connection, key) = (writing.connection, item.key);
    let place = params![key.deletion, key.index];
    if !connection.prepare_cached(IS_OPENABLE)?.exists(place)? {
        return Ok(());
    }
    // Calls that are made now are its own: who was served by those before keeps these.
    for served in reads::all(connection, SERVED, place, rows::key)? {
        inherit(connection, served)?;
    }
    inherit(connection, key)?;
    connection.prepare_cached(KEEP_CALL)?.execute(place)?;
    if let Some(outcome) = given_up.keep(connection, key)? {
        back.note(outcome);
    }
    let operation = writing.words.number(item.step.operation.as_str())?;
    let due_at = rows::millis_up(item.due_at);
    let account = connection.prepare_cached(REOPEN)?.query_row(
        params![
            key.deletion,
            key.index,
            given_up.at,
            due_at,
            operation,
            rows::phase_code(item.step.phase),
            rows::group_column(&item.step),
            item.progress.as_ref().map(rows::json).transpose()?,
        ],
        |row| row.get(0),
    )?;
    for follower in reads::all(connection, FOLLOWERS, place, rows::key)? {
        if let Some(outcome) = given_up.keep(connection, follower)? {
            back.note(outcome);
        }
        let mut reopen = connection.prepare_cached(REOPEN_FOLLOWER)?;
        reopen.execute(params![follower.deletion, follower.index, given_up.at])?;
    }
    writing.waits(key, LaneNo { account, operation }, due_at)
}

/// Makes the calls of another deletion's item, which served this one too, part of
/// its own history, and parts the two. Nothing is done with an item that shared none.
pub(super) fn inherit(connection: &Connection, key: ItemKey) -> Result<(), Error> {
    let place = params![key.deletion, key.index];
    let Some(with) = reads::all(connection, SERVED_BY, place, rows::key)?.pop() else { return Ok(()) };
    connection.prepare_cached(KEEP_CALL)?.execute(place)?;
    let both = params![key.deletion, key.index, with.deletion, with.index];
    if connection.prepare_cached(INHERIT_CALLS)?.execute(both)? > 0 {
        connection.prepare_cached(INHERIT)?.execute(both)?;
    }
    connection.prepare_cached(PART)?.execute(place)?;
    Ok(())
}

/// What is recorded of a decision about items.
fn decided(row: &ItemRow, settlement: &Settlement, all: &[ItemKey]) -> audit::Entry {
    let mut ranges = Ranges::default();
    for key in all {
        ranges.add(key.index);
    }
    let outcome = settlement.ending.outcome;
    let told: Vec<_> = all.iter().map(|key| (key.index, outcome)).collect();
    let because = settlement.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    audit::Entry {
        actor: settlement.by.clone(),
        action: Action::Settled,
        account: row.wanted.as_ref().map(|wanted| wanted.target.account.clone()),
        deletion: Some(row.deletion.clone()),
        items: Some(Span {
            ranges: ranges.to_string(),
            count: ranges.count(),
            digest: audit::settled_digest(&told),
        }),
        reason: Some(format!("{}{because}", outcome.as_str())),
        vendor_request_id: None,
    }
}

/// Decides an `unknown` item, and with it the duplicates that ended with it.
pub(super) fn settle(
    connection: &Connection,
    now: Timestamp,
    key: ItemKey,
    settlement: &Settlement,
) -> Result<Settled, Error> {
    let Some(row) = reads::item_row(connection, key)? else { return Ok(Settled::NoItem) };
    let is_unknown = |row: &crate::journal::ItemRow| {
        row.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Unknown)
    };
    if !is_unknown(&row) {
        return Ok(Settled::Wrong(row));
    }
    let ending = &settlement.ending;
    if ending.outcome == Outcome::Unknown {
        return Err(Error::Invalid("an unknown item cannot be settled as unknown".to_owned()));
    }
    let mut words = super::words::Words::new(connection);
    let given_up = GivenUp {
        at: rows::millis(now),
        by: words.number(&settlement.by)?,
        reason: settlement.reason.as_deref(),
        settled: true,
    };
    let mut all = vec![key];
    for follower in reads::all(connection, FOLLOWERS, params![key.deletion, key.index], rows::key)? {
        if reads::item_row(connection, follower)?.is_some_and(|row| is_unknown(&row)) {
            all.push(follower);
        }
    }
    let sequence: u32 = connection.prepare_cached(SEQUENCE)?.query_row([key.deletion], |row| row.get(0))?;
    let error = ending.error.as_ref().map(rows::json).transpose()?;
    for (place, key) in (sequence.saturating_add(1)..).zip(&all) {
        given_up.keep(connection, *key)?;
        connection.prepare_cached(SETTLE)?.execute(params![
            key.deletion,
            key.index,
            rows::outcome_code(ending.outcome),
            ending.inferred,
            error,
            given_up.at,
            place,
        ])?;
    }
    let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let mut gained = [0; Outcome::ALL.len()];
    gained[ending.outcome.place()] = number;
    let [deleted, absent, refused, busy, failed, _, canceled] = gained;
    let count = params![key.deletion, number, deleted, absent, refused, busy, failed, canceled];
    let touched = reads::all(connection, COUNT, count, |row| rows::touched(row, key.deletion))?;
    let ended = vec![ending.outcome; all.len()];
    let recorded = Recorded { touched, ended, ..Recorded::default() };
    let entry = decided(&row, settlement, &all);
    chain::add(connection, &mut words, given_up.at, entry)?;
    Ok(reads::item_row(connection, key)?.map_or(Settled::NoItem, |row| Settled::Done(row, recorded)))
}

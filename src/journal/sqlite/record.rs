//! `record`: one call and what became of its items.
//!
//! Each change is fenced by its generation; what ends takes its duplicates with
//! it and lets go who waited for it, and the deletions' counts move in the same
//! transaction. Its own file because this is where outcomes are given. Which
//! outcome an answer deserves is not known here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use super::words::Words;
use crate::journal::{CallRecord, Change, Error, Next, Recorded, Waiting};
use crate::types::deletion::{DeletionSeq, ItemKey, LaneId, Progress, Step};
use crate::types::outcome::{Ending, Outcome};
use crate::types::target::{AccountId, OperationName};

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
    RETURNING calls, (SELECT text FROM words WHERE id = account) AS account";
const ADD_ATTEMPT: &str = "INSERT INTO attempts (deletion, idx, number, call) VALUES (?1, ?2, ?3, ?4)";
const HANGING: &str = "SELECT idx, same_as IS NOT NULL AS follows FROM items INDEXED BY items_behind \
    WHERE deletion = ?1 AND behind = ?2 ORDER BY idx";
const END_FOLLOWER: &str = "UPDATE items SET outcome = ?3, inferred = ?4, error = ?5, finished_at = ?6, \
    outcome_seq = ?7, behind = NULL WHERE deletion = ?1 AND idx = ?2";
const LET_GO: &str = "UPDATE items SET behind = NULL, due_at = ?3 WHERE deletion = ?1 AND idx = ?2 \
    RETURNING (SELECT text FROM words WHERE id = account) AS account, \
    (SELECT text FROM words WHERE id = operation) AS operation";
const ADD_RESOLVED: &str = "INSERT OR IGNORE INTO resolved (account, asset, deletion, idx) \
    SELECT account, ?3, deletion, idx FROM items WHERE deletion = ?1 AND idx = ?2 AND name <> ?3 \
    UNION ALL SELECT account, ?3, deletion, idx FROM items INDEXED BY items_behind \
    WHERE deletion = ?1 AND behind = ?2 AND same_as = ?2";
const ENDED: &str = "SELECT ended FROM deletions WHERE seq = ?1";
const COUNT: &str = "UPDATE deletions SET ended = ended + ?2, \
    finished_at = CASE WHEN ended + ?2 = total THEN ?3 END, \
    deleted = deleted + ?4, absent = absent + ?5, refused = refused + ?6, busy = busy + ?7, \
    failed = failed + ?8, unknown = unknown + ?9, canceled = canceled + ?10 \
    WHERE seq = ?1 RETURNING finished_at IS NOT NULL";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 10] =
    [ADD_CALL, END, AGAIN, ADD_ATTEMPT, HANGING, END_FOLLOWER, LET_GO, ADD_RESOLVED, ENDED, COUNT];

/// What one deletion gains in this write.
struct Tally {
    before: u32,
    gained: [u32; Outcome::ALL.len()],
}

impl Tally {
    fn all(&self) -> u32 {
        self.gained.iter().sum()
    }
}

/// Records a call and its changes.
pub(super) fn record(
    connection: &Connection,
    now: Timestamp,
    call: &CallRecord,
    changes: &[Change],
) -> Result<Recorded, Error> {
    let mut words = Words::new(connection);
    // Also if every change turns out to be stale: a call was made.
    let call = add_call(connection, call, &mut words)?;
    let now = rows::millis(now);
    let mut writing =
        Writing { connection, now, call, words, tallies: BTreeMap::new(), recorded: Recorded::default() };
    for change in changes {
        let applied = match &change.next {
            Next::Ended(ending) => writing.end(change, ending)?,
            Next::Again { step, due_at, counts } => writing.again(change, step, *due_at, *counts)?,
        };
        if !applied {
            writing.recorded.stale += 1;
        }
    }
    writing.count()
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

struct Writing<'a> {
    connection: &'a Connection,
    now: i64,
    call: i64,
    words: Words<'a>,
    /// In order of the deletions, so that two writes of the same work are the same.
    tallies: BTreeMap<DeletionSeq, Tally>,
    recorded: Recorded,
}

impl Writing<'_> {
    fn end(&mut self, change: &Change, ending: &Ending) -> Result<bool, Error> {
        let key = change.key;
        let place = self.next_place(key.deletion)?;
        let error = ending.error.as_ref().map(rows::json).transpose()?;
        let progress = change.progress.as_ref().map(rows::json).transpose()?;
        let changed = self.connection.prepare_cached(END)?.execute(params![
            key.deletion,
            key.index,
            change.generation,
            rows::outcome_code(ending.outcome),
            ending.inferred,
            error,
            self.now,
            place,
            self.call,
            progress,
        ])?;
        if changed == 0 {
            return Ok(false);
        }
        self.note(key.deletion, ending.outcome);
        self.resolve(key, change.progress.as_ref())?;
        for (index, follows) in self.hanging(key)? {
            let hanging = ItemKey { index, ..key };
            if follows {
                self.end_follower(hanging, ending, error.as_deref())?;
            } else {
                self.let_go(hanging)?;
            }
        }
        Ok(true)
    }

    fn again(
        &mut self,
        change: &Change,
        step: &Step,
        due_at: Timestamp,
        counts: bool,
    ) -> Result<bool, Error> {
        let key = change.key;
        let operation = self.words.number(step.operation.as_str())?;
        let progress = change.progress.as_ref().map(rows::json).transpose()?;
        let changed: Option<(u32, String)> = self
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
                    rows::millis_up(due_at),
                    counts,
                    self.call,
                    progress,
                ],
                |row| Ok((row.get("calls")?, row.get("account")?)),
            )
            .optional()?;
        let Some((number, account)) = changed else { return Ok(false) };
        let attempt = params![key.deletion, key.index, number, self.call];
        self.connection.prepare_cached(ADD_ATTEMPT)?.execute(attempt)?;
        self.resolve(key, change.progress.as_ref())?;
        let account = rows::account(&account)?;
        self.wait(account, step.operation.clone());
        Ok(true)
    }

    /// The next place in the deletion's sequence of outcomes.
    fn next_place(&mut self, deletion: DeletionSeq) -> Result<u32, Error> {
        let tally = match self.tallies.entry(deletion) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let mut ended = self.connection.prepare_cached(ENDED)?;
                let before = ended.query_row([deletion], |row| row.get(0)).optional()?;
                // An unknown deletion has no items, so the change will be left out.
                let gained = [0; Outcome::ALL.len()];
                new.insert(Tally { before: before.unwrap_or_default(), gained })
            }
        };
        Ok(tally.before.saturating_add(tally.all()).saturating_add(1))
    }

    fn note(&mut self, deletion: DeletionSeq, outcome: Outcome) {
        self.recorded.ended.push(outcome);
        let gained = self.tallies.get_mut(&deletion).map(|tally| &mut tally.gained);
        for (count, one) in gained.into_iter().flatten().zip(Outcome::ALL) {
            *count += u32::from(one == outcome);
        }
    }

    fn wait(&mut self, account: AccountId, operation: OperationName) {
        let lane = LaneId { account, operation };
        self.recorded.waiting.push(Waiting { lane, bulk: false });
    }

    fn hanging(&self, key: ItemKey) -> Result<Vec<(u32, bool)>, Error> {
        let mut statement = self.connection.prepare_cached(HANGING)?;
        let found =
            statement.query_map(params![key.deletion, key.index], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?)
    }

    fn end_follower(&mut self, key: ItemKey, ending: &Ending, error: Option<&str>) -> Result<(), Error> {
        let place = self.next_place(key.deletion)?;
        self.connection.prepare_cached(END_FOLLOWER)?.execute(params![
            key.deletion,
            key.index,
            rows::outcome_code(ending.outcome),
            ending.inferred,
            error,
            self.now,
            place,
        ])?;
        self.note(key.deletion, ending.outcome);
        Ok(())
    }

    fn let_go(&mut self, key: ItemKey) -> Result<(), Error> {
        let (account, operation): (String, String) = self
            .connection
            .prepare_cached(LET_GO)?
            .query_row(params![key.deletion, key.index, self.now], |row| {
                Ok((row.get("account")?, row.get("operation")?))
            })?;
        self.wait(rows::account(&account)?, rows::operation(&operation)?);
        Ok(())
    }

    /// Makes the item findable by the id that it was resolved to.
    fn resolve(&self, key: ItemKey, progress: Option<&Progress>) -> Result<(), Error> {
        if let Some(asset) = progress.and_then(|progress| progress.asset.as_ref()) {
            let found = params![key.deletion, key.index, asset.as_str()];
            self.connection.prepare_cached(ADD_RESOLVED)?.execute(found)?;
        }
        Ok(())
    }

    fn count(self) -> Result<Recorded, Error> {
        for (seq, tally) in self.tallies {
            if tally.all() == 0 {
                continue;
            }
            let [deleted, absent, refused, busy, failed, unknown, canceled] = tally.gained;
            let all = tally.all();
            let finished: bool = self.connection.prepare_cached(COUNT)?.query_row(
                params![seq, all, self.now, deleted, absent, refused, busy, failed, unknown, canceled],
                |row| row.get(0),
            )?;
            let _ = finished;
        }
        Ok(self.recorded)
    }
}

//! What one write does to items, and what follows from it.
//!
//! An item that ends takes along its duplicates and what waits for its call in
//! other deletions, and lets go who waited for it; the deletions' counts and the
//! queues move in the same transaction, each written once at the end. Its own
//! file because calls, verbs and hand-outs share these rules. Why an item ends is
//! not known here.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use rusqlite::{Connection, OptionalExtension, params};

use super::queues::{LaneNo, Queues};
use super::words::Words;
use super::{folded, reads, rows};
use crate::journal::{Error, Recorded, Waiting};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::{Ending, Outcome};

/// `items.behind` of one that waits for an item of another deletion.
pub(super) const ELSEWHERE: i64 = -1;

const PARENT: &str = "SELECT id, state, bulk, coalesce(released_at, created_at) AS created_at, started_at IS NULL AS new, sequence \
    FROM deletions WHERE seq = ?1";
const LANE_NAMES: &str = "SELECT a.text, o.text FROM words a, words o WHERE a.id = ?1 AND o.id = ?2";
const HANGING: &str = "SELECT idx, same_as IS NOT NULL FROM items INDEXED BY items_behind \
    WHERE deletion = ?1 AND behind = ?2 ORDER BY idx";
const ATTACHED: &str = "SELECT c.deletion, c.idx FROM coalesced c INDEXED BY coalesced_with \
    CROSS JOIN items i ON i.deletion = c.deletion AND i.idx = c.idx \
    WHERE c.with_deletion = ?1 AND c.with_idx = ?2 AND i.behind = -1";
const END: &str = "UPDATE items SET outcome = ?3, inferred = ?4, error = ?5, finished_at = ?6, \
    outcome_seq = ?7, behind = NULL, due_at = NULL, operation = NULL, phase = NULL, grp = NULL \
    WHERE deletion = ?1 AND idx = ?2 AND outcome IS NULL AND lease_until IS NULL";
const LET_GO: &str = "UPDATE items SET behind = NULL, due_at = ?3 \
    WHERE deletion = ?1 AND idx = ?2 RETURNING account, operation";
const DETACH: &str = "DELETE FROM coalesced WHERE deletion = ?1 AND idx = ?2";
const DUE_IN: &str = "SELECT account, operation FROM items \
    WHERE deletion = ?1 AND idx = ?2 AND due_at IS NOT NULL";
const COUNT: &str = "UPDATE deletions SET ended = ended + ?2, sequence = sequence + ?2, \
    finished_at = CASE WHEN ended + ?2 = total AND chore IS NULL THEN ?3 END, \
    state = CASE WHEN ended + ?2 = total AND chore IS NULL AND state NOT IN (4, 8, 9) THEN 3 ELSE state END, \
    pause = CASE WHEN ended + ?2 = total AND chore IS NULL THEN NULL ELSE pause END, \
    deleted = deleted + ?4, absent = absent + ?5, refused = refused + ?6, busy = busy + ?7, \
    failed = failed + ?8, unknown = unknown + ?9, canceled = canceled + ?10 \
    WHERE seq = ?1 RETURNING id, finished_at IS NOT NULL AS finished, total, baseline, \
    deleted, absent, refused, busy, failed, unknown, canceled";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 9] =
    [PARENT, LANE_NAMES, HANGING, ATTACHED, END, LET_GO, DETACH, DUE_IN, COUNT];

/// The deletion of an item, with what it gains in this write.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) id: DeletionId,
    pub(super) state: i64,
    pub(super) bulk: bool,
    /// Or since when it runs, if that came later.
    pub(super) created_at: i64,
    /// No call for it was journaled yet.
    pub(super) is_new: bool,
    sequence: u32,
    gained: [u32; Outcome::ALL.len()],
}

impl Parent {
    /// Whether its items may be sent.
    pub(super) fn runs(&self) -> bool {
        self.state == rows::deletion_state_code(DeletionState::Running)
    }

    /// Whether what was not sent of it is never sent.
    pub(super) fn is_dead(&self) -> bool {
        let dead = [DeletionState::Canceled, DeletionState::Rejected, DeletionState::Expired];
        dead.map(rows::deletion_state_code).contains(&self.state)
    }

    /// Whether it is being removed.
    pub(super) fn is_going(&self) -> bool {
        self.state == rows::GOING
    }

    /// Whether it waits for an operator.
    pub(super) fn is_paused(&self) -> bool {
        self.state == rows::deletion_state_code(DeletionState::Paused)
    }

    /// The next place in its sequence of outcomes.
    fn place(&self) -> u32 {
        self.sequence.saturating_add(self.gained.iter().sum()).saturating_add(1)
    }
}

/// One write under way.
pub(super) struct Writing<'a> {
    pub(super) connection: &'a Connection,
    pub(super) now: i64,
    pub(super) words: Words<'a>,
    pub(super) queues: Queues,
    pub(super) recorded: Recorded,
    /// Whether an item was found to be served by another's call.
    pub(super) has_coalesced: bool,
    /// In order of the deletions, so that two writes of the same work are the same.
    parents: BTreeMap<DeletionSeq, Parent>,
    lanes: HashMap<LaneNo, LaneId>,
}

impl<'a> Writing<'a> {
    /// Nothing done yet.
    pub(super) fn new(connection: &'a Connection, now: i64) -> Self {
        Self {
            connection,
            now,
            words: Words::new(connection),
            queues: Queues::default(),
            recorded: Recorded::default(),
            has_coalesced: false,
            parents: BTreeMap::new(),
            lanes: HashMap::new(),
        }
    }

    /// The deletion with this number, if there is one.
    pub(super) fn parent(&mut self, seq: DeletionSeq) -> Result<Option<&mut Parent>, Error> {
        match self.parents.entry(seq) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(new) => Ok(read_parent(self.connection, seq)?.map(|parent| new.insert(parent))),
        }
    }

    /// The deletion of an item that is there.
    pub(super) fn parent_of(&mut self, key: ItemKey) -> Result<&mut Parent, Error> {
        let missing = || Error::Unreadable(format!("item {key:?} has no deletion"));
        self.parent(key.deletion)?.ok_or_else(missing)
    }

    /// The next place in the sequence of outcomes of this item's deletion.
    pub(super) fn place(&mut self, key: ItemKey) -> Result<u32, Error> {
        Ok(self.parent_of(key)?.place())
    }

    /// The item, whose row says so already, has ended with a call: so have those
    /// who hung on it.
    pub(super) fn ended(&mut self, key: ItemKey, ending: &Ending) -> Result<(), Error> {
        self.note(key, ending.outcome)?;
        self.cascade(key, Some(ending))
    }

    /// The item, whose row says so already, has ended as `canceled`.
    pub(super) fn dropped(&mut self, key: ItemKey) -> Result<(), Error> {
        self.note(key, Outcome::Canceled)?;
        self.cascade(key, None)
    }

    /// Ends an item that is not being sent as `canceled`. Whether it was open.
    pub(super) fn cancel(&mut self, key: ItemKey) -> Result<bool, Error> {
        let lane: Option<LaneNo> = self
            .connection
            .prepare_cached(DUE_IN)?
            .query_row(params![key.deletion, key.index], |row| {
                Ok(LaneNo { account: row.get(0)?, operation: row.get(1)? })
            })
            .optional()?;
        if !self.finish_row(key, &Ending::canceled(), None)? {
            return Ok(false);
        }
        if let Some(lane) = lane {
            self.queues.left(lane, key.deletion);
        }
        self.connection.prepare_cached(DETACH)?.execute(params![key.deletion, key.index])?;
        self.cascade(key, None)?;
        Ok(true)
    }

    /// Those of other deletions that waited for this item's call go on by themselves.
    pub(super) fn release(&mut self, key: ItemKey) -> Result<(), Error> {
        self.release_into(key)?.into_iter().try_for_each(|key| self.cascade(key, None))
    }

    /// An item waits in a lane now; with a due time.
    pub(super) fn waits(&mut self, key: ItemKey, lane: LaneNo, due_at: i64) -> Result<(), Error> {
        self.queues.came(lane, key.deletion, due_at);
        let bulk = self.parent_of(key)?.bulk;
        let lane = self.lane(lane)?;
        self.recorded.waiting.push(Waiting { lane, bulk });
        Ok(())
    }

    fn lane(&mut self, number: LaneNo) -> Result<LaneId, Error> {
        if let Some(lane) = self.lanes.get(&number) {
            return Ok(lane.clone());
        }
        let (account, operation): (String, String) = self
            .connection
            .prepare_cached(LANE_NAMES)?
            .query_row([number.account, number.operation], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let lane = LaneId { account: rows::account(&account)?, operation: rows::operation(&operation)? };
        self.lanes.insert(number, lane.clone());
        Ok(lane)
    }

    fn note(&mut self, key: ItemKey, outcome: Outcome) -> Result<(), Error> {
        self.parent_of(key)?.gained[outcome.place()] += 1;
        self.recorded.ended.push(outcome);
        Ok(())
    }

    /// Whether the item was open and not being sent.
    fn finish_row(&mut self, key: ItemKey, ending: &Ending, error: Option<&str>) -> Result<bool, Error> {
        let place = self.place(key)?;
        let changed = self.connection.prepare_cached(END)?.execute(params![
            key.deletion,
            key.index,
            rows::outcome_code(ending.outcome),
            ending.inferred,
            error,
            self.now,
            place,
        ])?;
        if changed > 0 {
            self.note(key, ending.outcome)?;
        }
        Ok(changed > 0)
    }

    /// Sees to those who hung on an item that has ended: with a call, whose ending
    /// is theirs too, or without (`None`), as `canceled`. Step by step, not by
    /// recursion: a chain may be as long as its deletion.
    fn cascade(&mut self, key: ItemKey, served: Option<&Ending>) -> Result<(), Error> {
        let error = served.and_then(|ending| ending.error.as_ref()).map(rows::json).transpose()?;
        let dropped = Ending::canceled();
        let mut open = VecDeque::from([(key, served)]);
        while let Some((key, served)) = open.pop_front() {
            let ending = served.unwrap_or(&dropped);
            let error = served.and(error.as_deref());
            for (index, follows) in self.hanging(key)? {
                let hanging = ItemKey { index, ..key };
                if follows {
                    self.finish_row(hanging, ending, error)?;
                } else if self.parent_of(key)?.is_dead() {
                    self.finish_row(hanging, &dropped, None)?;
                    open.push_back((hanging, None));
                } else {
                    self.let_go(hanging)?;
                }
            }
            if served.is_none() {
                open.extend(self.release_into(key)?.into_iter().map(|key| (key, None)));
                continue;
            }
            for attached in self.attached(key)? {
                self.finish_row(attached, ending, error)?;
                open.push_back((attached, served));
            }
        }
        Ok(())
    }

    /// Those that were in a canceled deletion have ended, and are returned for the
    /// caller to see to who hung on them.
    fn release_into(&mut self, key: ItemKey) -> Result<Vec<ItemKey>, Error> {
        let mut ended = Vec::new();
        for attached in self.attached(key)? {
            self.connection.prepare_cached(DETACH)?.execute(params![attached.deletion, attached.index])?;
            if self.parent_of(attached)?.is_dead() {
                self.finish_row(attached, &Ending::canceled(), None)?;
                ended.push(attached);
            } else {
                self.let_go(attached)?;
            }
        }
        Ok(ended)
    }

    fn hanging(&self, key: ItemKey) -> Result<Vec<(u32, bool)>, Error> {
        let mut statement = self.connection.prepare_cached(HANGING)?;
        let found =
            statement.query_map(params![key.deletion, key.index], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?)
    }

    fn attached(&self, key: ItemKey) -> Result<Vec<ItemKey>, Error> {
        let mut statement = self.connection.prepare_cached(ATTACHED)?;
        let found = statement.query_map(params![key.deletion, key.index], |row| {
            Ok(ItemKey { deletion: row.get(0)?, index: row.get(1)? })
        })?;
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable();
        Ok(found)
    }

    fn let_go(&mut self, key: ItemKey) -> Result<(), Error> {
        let lane = self
            .connection
            .prepare_cached(LET_GO)?
            .query_row(params![key.deletion, key.index, self.now], |row| {
                Ok(LaneNo { account: row.get(0)?, operation: row.get(1)? })
            })?;
        self.waits(key, lane, self.now)
    }

    /// Writes the queues and the counts, and tells what was done.
    pub(super) fn finish(mut self) -> Result<Recorded, Error> {
        self.queues.write(self.connection, self.now)?;
        for (seq, parent) in self.parents {
            let all: u32 = parent.gained.iter().sum();
            if all == 0 {
                continue;
            }
            let [deleted, absent, refused, busy, failed, unknown, canceled] = parent.gained;
            let count =
                params![seq, all, self.now, deleted, absent, refused, busy, failed, unknown, canceled];
            let touched = reads::all(self.connection, COUNT, count, |row| rows::touched(row, seq))?;
            // Nothing more of it is gathered.
            if touched.iter().any(|touched| touched.finished) {
                folded::flush(self.connection, &mut self.words, seq)?;
            }
            self.recorded.touched.extend(touched);
        }
        Ok(self.recorded)
    }
}

fn read_parent(connection: &Connection, seq: DeletionSeq) -> Result<Option<Parent>, Error> {
    let mut statement = connection.prepare_cached(PARENT)?;
    let mut found = statement.query([seq])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let id: String = row.get("id")?;
    Ok(Some(Parent {
        id: rows::deletion_id(&id)?,
        state: row.get("state")?,
        bulk: row.get("bulk")?,
        created_at: row.get("created_at")?,
        is_new: row.get("new")?,
        sequence: row.get("sequence")?,
        gained: [0; Outcome::ALL.len()],
    }))
}

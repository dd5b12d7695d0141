//! Deletions and items as they stand, and what follows when one ends.
//!
//! Its own file because every write goes by these few rules: an ending takes the
//! next place in its deletion's sequence, takes along what hangs on the item, and
//! lets go what waited for it. Counts are never kept: they are counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Keys;
use super::guarding::Guards;
use super::later;
use super::queues::Queues;
use super::trail::Trail;
use crate::journal::{CallRecord, ChoreKind, ChoreWord, Note, Quarantine, Recorded, Round, Touched, Waiting};
use crate::types::deletion::{
    Counts, DeletionId, DeletionSeq, Digest, IfAbsent, ItemKey, LaneId, Progress, Step, Wanted,
};
use crate::types::lifecycle::{DeletionState, Pause, Review, Standing, Terms};
use crate::types::outcome::{Ending, Outcome};
use crate::types::target::{AccountId, MediaId};

/// Everything that is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) closed: bool,
    pub(super) last_seq: DeletionSeq,
    /// Every caller, in order of first appearance.
    pub(super) callers: Vec<String>,
    pub(super) deletions: BTreeMap<DeletionSeq, Deletion>,
    pub(super) keys: Keys,
    pub(super) queues: Queues,
    pub(super) guards: Guards,
    pub(super) trail: Trail,
}

/// One deletion.
#[derive(Debug, Clone)]
pub(super) struct Deletion {
    pub(super) id: DeletionId,
    pub(super) requested_by: String,
    pub(super) reason: Option<String>,
    pub(super) if_absent: IfAbsent,
    pub(super) state: DeletionState,
    /// An upload that broke off: nobody sees it, and `clean` takes it away.
    pub(super) discarded: bool,
    pub(super) pause: Option<Pause>,
    pub(super) terms: Terms,
    pub(super) review: Review,
    /// When it lapses by itself.
    pub(super) deadline: Option<Timestamp>,
    /// Since when it runs, if not since it was made.
    pub(super) released_at: Option<Timestamp>,
    pub(super) chore: Option<Work>,
    pub(super) bulk: bool,
    pub(super) round: u32,
    pub(super) digest: Digest,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    /// The last place given in the sequence of outcomes.
    pub(super) sequence: u32,
    pub(super) baseline: Counts,
    pub(super) items: Vec<Item>,
}

/// Work in steps.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) kind: ChoreKind,
    /// The next index to look at. That of the kind is not kept.
    pub(super) from: u32,
}

/// One item.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) wanted: Option<Wanted>,
    pub(super) stand: Stand,
    pub(super) step: Option<Step>,
    /// The earlier item of its deletion that it is a duplicate of.
    pub(super) same_as: Option<u32>,
    /// The item of another deletion whose call serves, or served, this one too.
    pub(super) served_by: Option<ItemKey>,
    pub(super) progress: Option<Progress>,
    /// Every id that it was ever resolved to.
    pub(super) resolved: Vec<MediaId>,
    pub(super) generation: i64,
    pub(super) tries: u32,
    /// When its present round began, if it was opened again.
    pub(super) since: Option<Timestamp>,
    pub(super) attempts: Vec<CallRecord>,
    pub(super) rounds: Vec<Round>,
    pub(super) note: Option<Note>,
}

/// Where an item stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stand {
    /// It waits for a call, not before this time.
    Due(Timestamp),
    /// It waits for an earlier item of its deletion.
    Behind(u32),
    /// It waits for the item that serves it.
    Attached,
    /// It was handed out, until this time.
    Sending(Timestamp),
    /// It has its outcome, its place in the sequence, and when it got them.
    Done(Ending, u32, Timestamp),
}

/// A caller's key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// `None` while its request is being received.
    pub(super) fingerprint: Option<Digest>,
    pub(super) deletion: DeletionSeq,
    pub(super) keep_until: Timestamp,
}

/// One write under way.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) now: Timestamp,
    pub(super) recorded: Recorded,
    /// Deletions to tell of.
    pub(super) touched: BTreeSet<DeletionSeq>,
}

impl Written {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, recorded: Recorded::default(), touched: BTreeSet::new() }
    }
}

impl Deletion {
    /// How it stands, for the table of verbs.
    pub(super) fn standing(&self, now: Timestamp) -> Standing<'_> {
        Standing {
            state: self.state,
            terms: &self.terms,
            review: &self.review,
            is_early: self.deadline.is_some_and(|at| at > now),
            is_checking: self.does(ChoreWord::Check),
        }
    }

    /// Whether this is being done to it.
    pub(super) fn does(&self, word: ChoreWord) -> bool {
        self.chore.as_ref().is_some_and(|work| work.kind.word() == word)
    }

    /// Items that are not done.
    pub(super) fn open(&self) -> u64 {
        self.counts().open()
    }

    /// It stands there from now on. When it waits, it does so no longer than its terms say.
    pub(super) fn enter(&mut self, state: DeletionState, now: Timestamp) {
        if state.sends() && (self.state.is_ahead() || self.deadline.is_some()) {
            self.released_at = Some(now);
        }
        self.state = state;
        self.deadline = self.terms.time_in(state).map(|time| later(now, time));
        if state.is_dead() {
            self.pause = None;
            self.chore = Some(Work::new(ChoreKind::Cancel));
        } else if state.sends() && self.does(ChoreWord::Quarantine) {
            // What is deleted now need not be blocked.
            self.chore = None;
        }
    }

    /// It is new, or was let go on: what it waits for is made use of.
    pub(super) fn begin_work(&mut self) {
        let work = match self.state {
            DeletionState::Planned => self.terms.check.then_some(ChoreKind::Check { from: 0 }),
            DeletionState::Scheduled => self.terms.quarantine.then_some(ChoreKind::Quarantine { from: 0 }),
            DeletionState::AwaitingApproval
            | DeletionState::Receiving
            | DeletionState::Running
            | DeletionState::Paused
            | DeletionState::Finished
            | DeletionState::Canceled
            | DeletionState::Rejected
            | DeletionState::Expired => None,
        };
        self.chore = work.map(Work::new);
    }

    /// How many of its items stand where.
    pub(super) fn counts(&self) -> Counts {
        let of = |outcome: Outcome| {
            self.items.iter().filter(|item| item.ending().is_some_and(|e| e.outcome == outcome)).count()
                as u64
        };
        Counts { total: self.items.len() as u64, by_outcome: Outcome::ALL.map(of) }
    }

    /// Every account that its items name, in order of first appearance.
    pub(super) fn accounts(&self) -> Vec<AccountId> {
        let mut accounts: Vec<AccountId> = Vec::new();
        for wanted in self.items.iter().filter_map(|item| item.wanted.as_ref()) {
            if !accounts.contains(&wanted.target.account) {
                accounts.push(wanted.target.account.clone());
            }
        }
        accounts
    }

    /// Whether readers may see it.
    pub(super) fn is_shown(&self) -> bool {
        !self.discarded && self.state != DeletionState::Receiving
    }

    /// Whether its items may be handed out. Of a canceled one only what was sent
    /// before is left once the work of canceling is done.
    pub(super) fn hands_out(&self) -> bool {
        self.state.sends() || (self.state.is_dead() && !self.does(ChoreWord::Cancel))
    }
}

impl Work {
    pub(super) fn new(kind: ChoreKind) -> Self {
        Self { kind, from: 0 }
    }
}

impl Item {
    pub(super) fn new(wanted: Option<Wanted>, stand: Stand, step: Option<Step>) -> Self {
        Self {
            wanted,
            stand,
            step,
            same_as: None,
            served_by: None,
            progress: None,
            resolved: Vec::new(),
            generation: 0,
            tries: 0,
            since: None,
            attempts: Vec::new(),
            rounds: Vec::new(),
            note: None,
        }
    }

    pub(super) fn quarantine(&self) -> Option<Quarantine> {
        self.note.as_ref().and_then(|note| note.quarantine)
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        match &self.stand {
            Stand::Done(ending, ..) => Some(ending),
            Stand::Due(_) | Stand::Behind(_) | Stand::Attached | Stand::Sending(_) => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.ending().is_none()
    }

    pub(super) fn is_sending(&self) -> bool {
        matches!(self.stand, Stand::Sending(_))
    }

    /// When it is due, if it waits for a call.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.stand {
            Stand::Due(at) => Some(at),
            Stand::Behind(_) | Stand::Attached | Stand::Sending(_) | Stand::Done(..) => None,
        }
    }

    /// Whether a delete of it went out and did something, or may have.
    pub(super) fn was_sent(&self) -> bool {
        self.progress.as_ref().is_some_and(Progress::was_sent)
    }

    /// The lane that its next call goes through.
    pub(super) fn lane(&self) -> Option<LaneId> {
        let (wanted, step) = (self.wanted.as_ref()?, self.step.as_ref()?);
        Some(LaneId { account: wanted.target.account.clone(), operation: step.operation.clone() })
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl State {
    pub(super) fn item(&self, key: ItemKey) -> Option<&Item> {
        self.deletions.get(&key.deletion)?.items.get(usize::try_from(key.index).ok()?)
    }

    pub(super) fn item_mut(&mut self, key: ItemKey) -> Option<&mut Item> {
        self.deletions.get_mut(&key.deletion)?.items.get_mut(usize::try_from(key.index).ok()?)
    }

    /// Every item, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = (ItemKey, &Deletion, &Item)> {
        self.deletions.iter().flat_map(|(seq, deletion)| {
            let key = move |index| ItemKey { deletion: *seq, index: place(index) };
            deletion.items.iter().enumerate().map(move |(index, item)| (key(index), deletion, item))
        })
    }

    /// The items of one deletion, by index.
    pub(super) fn items_in(&self, seq: DeletionSeq) -> impl Iterator<Item = (ItemKey, &Item)> {
        let items = self.deletions.get(&seq).map(|deletion| &deletion.items);
        let key = move |index| ItemKey { deletion: seq, index: place(index) };
        items.into_iter().flatten().enumerate().map(move |(index, item)| (key(index), item))
    }

    fn keys_where(&self, is_it: impl Fn(ItemKey, &Item) -> bool) -> Vec<ItemKey> {
        self.all().filter(|(key, _, item)| is_it(*key, item)).map(|(key, ..)| key).collect()
    }

    /// Gives an item its outcome, and what hangs on it what follows from that.
    pub(super) fn end(&mut self, key: ItemKey, ending: &Ending, written: &mut Written) {
        let Some(deletion) = self.deletions.get_mut(&key.deletion) else { return };
        deletion.sequence += 1;
        let stand = Stand::Done(ending.clone(), deletion.sequence, written.now);
        let Some(item) = self.item_mut(key) else { return };
        item.stand = stand;
        written.recorded.ended.push(ending.outcome);
        written.touched.insert(key.deletion);
        let behind =
            |(other, item): (ItemKey, &Item)| (item.stand == Stand::Behind(key.index)).then_some(other);
        let all_behind: Vec<ItemKey> = self.items_in(key.deletion).filter_map(behind).collect();
        for hanging in all_behind {
            if self.item(hanging).is_some_and(|item| item.same_as.is_some()) {
                self.end(hanging, ending, written);
            } else {
                self.let_go(hanging, written);
            }
        }
        for attached in self.attached_to(key) {
            // "Canceled" is said of one deletion; the others still want it.
            if ending.outcome == Outcome::Canceled {
                self.let_go(attached, written);
            } else {
                self.end(attached, ending, written);
            }
        }
    }

    pub(super) fn attached_to(&self, key: ItemKey) -> Vec<ItemKey> {
        self.keys_where(|_, item| item.stand == Stand::Attached && item.served_by == Some(key))
    }

    /// An item that waited for another waits for a call of its own now.
    pub(super) fn let_go(&mut self, key: ItemKey, written: &mut Written) {
        let canceled = self.deletions.get(&key.deletion).is_some_and(|d| d.state.is_dead());
        if let Some(item) = self.item_mut(key)
            && item.stand == Stand::Attached
        {
            item.served_by = None;
        }
        if canceled {
            self.end(key, &Ending::canceled(), written);
        } else {
            self.wait(key, written.now, written);
        }
    }

    /// An item waits in the lane of its step from now on.
    pub(super) fn wait(&mut self, key: ItemKey, due_at: Timestamp, written: &mut Written) {
        let Some(item) = self.item_mut(key) else { return };
        item.stand = Stand::Due(due_at);
        let Some(lane) = item.lane() else { return };
        let bulk = self.deletions.get(&key.deletion).is_some_and(|deletion| deletion.bulk);
        self.enqueue(&lane, key.deletion, due_at, written.now);
        written.recorded.waiting.push(Waiting { lane, bulk });
    }

    /// Those served by an item that is held back, and was never sent, go on by themselves.
    pub(super) fn hand_on(&mut self, written: &mut Written) {
        let is_held_back = |state: &Self, leader: ItemKey| {
            let paused =
                state.deletions.get(&leader.deletion).map(|d| d.state) == Some(DeletionState::Paused);
            paused && state.item(leader).is_some_and(|item| !item.is_sending() && !item.was_sent())
        };
        let attached = self.keys_where(|_, item| {
            item.stand == Stand::Attached && item.served_by.is_some_and(|leader| is_held_back(self, leader))
        });
        for key in attached {
            self.let_go(key, written);
        }
    }

    /// What is true at the end of every write: queues without items are gone, a
    /// deletion whose items have all ended is finished.
    pub(super) fn close_up(&mut self, written: Written) -> Recorded {
        self.drop_empty_queues();
        let mut finished = BTreeSet::new();
        for (seq, deletion) in &mut self.deletions {
            let all_ended = deletion.items.iter().all(|item| !item.is_open());
            if !deletion.is_shown()
                || !all_ended
                || deletion.chore.is_some()
                || deletion.finished_at.is_some()
            {
                continue;
            }
            deletion.finished_at = Some(written.now);
            deletion.pause = None;
            if !deletion.state.is_dead() {
                deletion.state = DeletionState::Finished;
            }
            finished.insert(*seq);
        }
        let touched = written.touched.union(&finished).filter_map(|seq| {
            let deletion = self.deletions.get(seq)?;
            let (id, counts) = (deletion.id.clone(), deletion.counts());
            let finished = finished.contains(seq);
            Some(Touched { seq: *seq, id, counts, baseline: deletion.baseline, finished })
        });
        Recorded { touched: touched.collect(), ..written.recorded }
    }
}

//! Whether the promises held: model journal against ledger against what callers were told.
//!
//! `look` is called again and again during a run (counts, outcomes that never
//! change), `end` once everything has come to rest. The promises are numbered as
//! in FAULTS.md. Nothing here knows how dispatch works.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use vodrm::journal::memory::MemoryJournal;
use vodrm::journal::{AttemptRow, DeletionFilter, DeletionRow, ItemFilter, ItemRow, Journal};
use vodrm::types::deletion::{DeletionId, ItemKey, ItemState};
use vodrm::types::hold::{Hold, Stop};
use vodrm::types::lifecycle::DeletionState;
use vodrm::types::outcome::{AttemptClass, Ending, Outcome};
use vodrm::types::target::Target;

use crate::plan::Plan;
use crate::vendor::{Inside, LedgerRow};

/// What a caller was told of its request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// Nobody was there.
    Nothing,
    /// It never got an answer, or one that leaves it open.
    Unsure,
    /// Nothing was accepted.
    Refused,
    /// It was accepted as this; whether by an earlier request with the key.
    Accepted(DeletionId, bool),
}

#[derive(Debug)]
pub(crate) struct Checker {
    pub(crate) model: Arc<MemoryJournal>,
    done: BTreeMap<ItemKey, (Ending, Option<u32>)>,
}

/// The tag by which a request is found in the journal.
pub(crate) fn reason_of(request: usize) -> String {
    format!("request {request}")
}

fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("the model never waits")
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

impl Checker {
    pub(crate) fn new(model: Arc<MemoryJournal>) -> Self {
        Self { model, done: BTreeMap::new() }
    }

    pub(crate) fn deletions(&self) -> Vec<DeletionRow> {
        now(self.model.deletions(DeletionFilter::default(), usize::MAX)).expect("the model is open")
    }

    pub(crate) fn items(&self, row: &DeletionRow) -> Vec<ItemRow> {
        now(self.model.items(row.seq, ItemFilter::default(), usize::MAX)).expect("the model is open")
    }

    pub(crate) fn holds(&self) -> Vec<Hold> {
        now(self.model.holds()).expect("the model is open")
    }

    pub(crate) fn stops(&self) -> Vec<Stop> {
        now(self.model.stops()).expect("the model is open")
    }

    fn rounds(&self, key: ItemKey) -> Vec<vodrm::journal::Round> {
        let receipt = now(self.model.item(key)).expect("the model is open");
        receipt.map(|receipt| receipt.rounds).unwrap_or_default()
    }

    /// Nothing is open, and nothing is left to be done.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.deletions().iter().all(|row| row.counts.open() == 0)
            && now(self.model.chores()).expect("the model is open").is_empty()
    }

    /// What must hold at any moment: I3, I7.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let chores = now(self.model.chores()).expect("the model is open");
        for row in self.deletions() {
            let items = self.items(&row);
            ensure(row.counts.total == items.len() as u64, || format!("I7: items of {} are lost", row.seq))?;
            let ended: u64 = row.counts.by_outcome.iter().sum();
            for outcome in Outcome::ALL {
                let with = |item: &&ItemRow| item.ending.as_ref().is_some_and(|e| e.outcome == outcome);
                let counted = items.iter().filter(with).count() as u64;
                ensure(row.counts.of(outcome) == counted, || format!("I7: {outcome:?} of {}", row.seq))?;
            }
            let busy = chores.iter().any(|chore| chore.seq == row.seq);
            let is_over = ended == row.counts.total && !busy;
            ensure(row.finished_at.is_some() == is_over, || {
                format!("I7: {} ends wrongly: {row:?}", row.seq)
            })?;
            ensure((row.state == DeletionState::Finished) <= is_over, || format!("I7: {row:?}"))?;
            let mut places: Vec<u32> = items.iter().filter_map(|item| item.outcome_seq).collect();
            places.sort_unstable();
            let distinct = places.windows(2).all(|pair| pair[0] < pair[1]);
            let highest = places.last().copied().unwrap_or_default();
            ensure(distinct && highest <= row.last_outcome, || format!("I7: places of {}", row.seq))?;
            for item in items {
                self.look_at(&item)?;
            }
        }
        Ok(())
    }

    /// I3: an outcome stays, or its history tells of it.
    fn look_at(&mut self, item: &ItemRow) -> Result<(), String> {
        let is_done = item.state == ItemState::Done;
        ensure(is_done == item.ending.is_some(), || format!("I3: {item:?}"))?;
        let is = item.ending.clone().map(|ending| (ending, item.outcome_seq));
        let was = self.done.get(&item.key).cloned();
        if was.is_some() && was != is {
            let ending = was.map(|(ending, _)| ending);
            let kept = self.rounds(item.key).iter().any(|round| Some(&round.ending) == ending.as_ref());
            ensure(kept, || format!("I3: {:?} was {ending:?} and is {is:?}", item.key))?;
        }
        match is {
            Some(is) => self.done.insert(item.key, is),
            None => self.done.remove(&item.key),
        };
        Ok(())
    }

    /// What must hold in the end: I1 to I4.
    pub(crate) fn end(&self, plan: &Plan, vendor: &Inside, told: &[Told]) -> Result<(), String> {
        let deletions = self.deletions();
        for (request, told) in told.iter().enumerate() {
            let of_it = |row: &&DeletionRow| row.reason == Some(reason_of(request));
            let made: Vec<&DeletionRow> = deletions.iter().filter(of_it).collect();
            match told {
                Told::Nothing | Told::Refused => {
                    ensure(made.is_empty(), || format!("I2: request {request} was refused and is there"))?;
                }
                Told::Accepted(id, true) => {
                    ensure(deletions.iter().any(|row| row.id == *id), || format!("I2: {id} is lost"))?;
                    ensure(made.is_empty(), || format!("I2: request {request} was made twice"))?;
                }
                Told::Accepted(id, false) => {
                    let row = made.iter().find(|row| row.id == *id);
                    let row = row.ok_or_else(|| format!("I2: request {request} was accepted and is lost"))?;
                    let items = self.items(row);
                    let asked = &plan.requests[request].wanted;
                    let same = items.iter().filter_map(|item| item.wanted.as_ref()).eq(asked);
                    ensure(same, || format!("I2: request {request} is not what was asked"))?;
                }
                Told::Unsure => {}
            }
            ensure(made.len() <= 1, || format!("I2: request {request} was made twice"))?;
        }
        self.end_of_gates(plan, &deletions)?;
        let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
        for row in &deletions {
            for item in self.items(row) {
                let Some(wanted) = item.wanted.clone() else { continue };
                let entry = asked.entry(format!("{:?}", wanted.target));
                let of_target = entry.or_insert_with(|| Asked {
                    target: wanted.target,
                    in_doubt: false,
                    items: Vec::new(),
                });
                let receipt = now(self.model.item(item.key)).expect("the model is open");
                let receipt = receipt.ok_or_else(|| format!("I2: {:?} has no receipt", item.key))?;
                let ambiguous = |attempt: &AttemptRow| attempt.call.class == AttemptClass::Ambiguous;
                // A sender that died before it sent is not told apart from one that died after.
                of_target.in_doubt |= receipt.attempts.iter().any(ambiguous);
                of_target.items.push((!receipt.rounds.is_empty(), item));
            }
        }
        for row in vendor.ledger.iter().filter(|row| row.effective) {
            let key = format!("{:?}", row.target);
            ensure(asked.contains_key(&key), || format!("I1: nobody asked for {row:?}"))?;
        }
        asked.values().try_for_each(|asked| asked.check(vendor))
    }
}

impl Checker {
    /// I1: of what nobody let on nothing was sent, and nobody had more than a day's items.
    fn end_of_gates(&self, plan: &Plan, deletions: &[DeletionRow]) -> Result<(), String> {
        let mut used: BTreeMap<String, u64> = BTreeMap::new();
        for row in deletions {
            let items = self.items(row);
            // Whoever was served by another's call has its calls, and none of its own.
            let own = |item: &&ItemRow| {
                item.attempts > 0 && item.coalesced_with.is_none() && item.same_as.is_none()
            };
            let sent = items.iter().filter(own).count() as u64;
            let is_over = matches!(row.state, DeletionState::Rejected | DeletionState::Expired);
            ensure(!is_over || sent == 0, || format!("I1: {} is {} and was sent", row.seq, row.state))?;
            ensure(!row.state.is_ahead(), || format!("I1: {} still waits: {}", row.seq, row.state))?;
            let payer = row.review.started.as_ref().map_or(&row.requested_by, |started| &started.by);
            *used.entry(payer.clone()).or_default() += sent;
        }
        for (caller, cap) in &plan.caps {
            // A run is within one day.
            let used = used.get(caller).copied().unwrap_or_default();
            ensure(used <= *cap, || format!("I1: {caller} had {used} items of {cap}"))?;
        }
        Ok(())
    }
}

/// Everything that was asked of one target.
struct Asked {
    target: Target,
    /// The journal tells of a call of which nobody knows what it did.
    in_doubt: bool,
    /// Whether it has earlier rounds, and the item.
    items: Vec<(bool, ItemRow)>,
}

impl Asked {
    fn check(&self, vendor: &Inside) -> Result<(), String> {
        let rows: Vec<&LedgerRow> = vendor.ledger.iter().filter(|row| row.target == self.target).collect();
        let effective: Vec<&&LedgerRow> = rows.iter().filter(|row| row.effective).collect();
        let lost = rows.iter().any(|row| row.lost);
        let told = rows.iter().any(|row| row.effective && row.told_deleted);
        let name = self.target.name.as_str();
        let fail = |what: &str| format!("{what}: {name}: items {:?}; ledger {rows:?}", self.short());
        let settled_by_hand = self.items.iter().any(|(rounds, _)| *rounds);
        let outcome = |item: &ItemRow| item.ending.as_ref().map(|ending| ending.outcome);
        let all = |wanted: Outcome| self.items.iter().all(|(_, item)| outcome(item) == Some(wanted));
        // What was opened again or decided by an operator may have been otherwise before.
        if !settled_by_hand {
            if all(Outcome::Canceled) {
                ensure(effective.is_empty() && !lost, || fail("I1: canceled, and sent"))?;
            }
            if all(Outcome::Absent) {
                ensure(effective.is_empty(), || fail("I4: absent, and we deleted it"))?;
            }
            if all(Outcome::Failed) || all(Outcome::Refused) || all(Outcome::Busy) {
                ensure(effective.is_empty(), || fail("I4: not ok, and we deleted it"))?;
            }
            if self.items.len() == 1 {
                // It may have been made again under its name; that one was not asked for.
                ensure(effective.len() <= 1, || fail("I1: deleted once more than asked"))?;
            }
        }
        for (rounds, item) in self.items.iter().filter(|(rounds, _)| !rounds) {
            let Some(ending) = &item.ending else { return Err(fail("I3: open in the end")) };
            debug_assert!(!rounds);
            match ending {
                Ending { outcome: Outcome::Deleted, inferred: false, .. } => {
                    ensure(told, || fail("I4: deleted, and the vendor never said so"))?;
                }
                Ending { outcome: Outcome::Deleted, inferred: true, .. } => {
                    ensure(lost || self.in_doubt, || fail("I4: inferred, and no answer was lost"))?;
                }
                Ending { outcome: Outcome::Unknown, .. } => {
                    ensure(lost || self.in_doubt, || fail("I4: unknown, and no answer was lost"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn short(&self) -> Vec<String> {
        let one = |(_, item): &(bool, ItemRow)| {
            format!("{}.{} {:?} {:?}", item.key.deletion, item.key.index, item.ending, item.progress)
        };
        self.items.iter().map(one).collect()
    }
}

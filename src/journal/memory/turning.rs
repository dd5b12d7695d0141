//! Verbs, and the work that they leave to be done in steps.
//!
//! Its own file because only these writes change the state of a deletion, or take
//! an outcome back. Which verb leads where is `types/lifecycle.rs`.

use jiff::Timestamp;

use super::state::{ChoreKept, Deletion, Item, Stand, State, Written, canceled_ending};
use super::{Verdict, ceiling, invalid};
use crate::journal::{Asked, Chore, ChoreKind, Error, ItemRow, Retry, Round, Settlement};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey};
use crate::types::lifecycle::{self, DeletionState, Pause, Turn, Verb};
use crate::types::outcome::Outcome;

/// Whether an outcome may be given up for another try.
fn may_retry(item: &Item) -> bool {
    let outcome = item.ending().map(|ending| ending.outcome);
    matches!(outcome, Some(Outcome::Busy | Outcome::Failed | Outcome::Unknown))
}

impl State {
    pub(super) fn turn(
        &mut self,
        id: &DeletionId,
        asked: Asked,
        written: &mut Written,
    ) -> Result<Verdict, Error> {
        let seq = match self.asked_of(id) {
            Ok(seq) => seq,
            Err(nobody) => return Ok(nobody),
        };
        let Some(deletion) = self.deletions.get_mut(&seq) else { return Ok(Verdict::Nobody) };
        let to = match lifecycle::turn(&deletion.standing(), asked.verb) {
            Turn::Nothing => return Ok(Verdict::Same(seq)),
            Turn::Wrong => return Ok(Verdict::Wrong(seq)),
            Turn::To(state) => state,
        };
        match asked.verb {
            Verb::Pause => {
                let Some(pause) = asked.pause else { return invalid("a pause needs its reason") };
                deletion.pause = Some(pause);
            }
            Verb::Resume => {
                deletion.pause = None;
                deletion.baseline = deletion.counts();
            }
            Verb::Cancel => {
                deletion.pause = None;
                deletion.chore = Some(ChoreKept::Cancel(0));
            }
            Verb::Retry => return invalid("to retry needs the items' next calls"),
            Verb::Start | Verb::Approve | Verb::Reject | Verb::Lapse => return invalid("not built yet"),
        }
        deletion.state = to;
        self.hold_or_wake(seq);
        self.hand_on(written);
        Ok(Verdict::Done(seq))
    }

    pub(super) fn pause_all(&mut self, pause: &Pause, written: &mut Written) -> usize {
        let is_open = |d: &Deletion| d.is_shown() && d.state == DeletionState::Running;
        let open: Vec<_> = self.deletions.iter().filter(|(_, d)| is_open(d)).map(|(seq, _)| *seq).collect();
        for seq in &open {
            if let Some(deletion) = self.deletions.get_mut(seq) {
                deletion.state = DeletionState::Paused;
                deletion.pause = Some(pause.clone());
            }
            self.hold_or_wake(*seq);
        }
        self.hand_on(written);
        open.len()
    }

    /// Ends items that were not sent; whether there are more to look at.
    pub(super) fn cancel_step(&mut self, seq: DeletionSeq, max: usize, written: &mut Written) -> bool {
        let Some(Deletion { chore: Some(ChoreKept::Cancel(from)), items, .. }) = self.deletions.get(&seq)
        else {
            return false;
        };
        let (from, all) = (*from, u32::try_from(items.len()).unwrap_or(u32::MAX));
        let (mut looked_at, mut next) = (0, from);
        while next < all && looked_at < max {
            let key = ItemKey { deletion: seq, index: next };
            next += 1;
            // Who follows an item of the same deletion ends with it.
            let waits = |item: &&Item| item.is_open() && !item.is_sending() && item.same_as.is_none();
            let Some(item) = self.item(key).filter(waits) else { continue };
            looked_at += 1;
            if item.was_sent() {
                continue;
            }
            if let Some(item) = self.item_mut(key)
                && item.stand == Stand::Attached
            {
                item.served_by = None;
            }
            self.end(key, &canceled_ending(), written);
        }
        if let Some(deletion) = self.deletions.get_mut(&seq) {
            deletion.chore = (next < all).then_some(ChoreKept::Cancel(next));
        }
        if next >= all {
            self.hold_or_wake(seq);
        }
        next < all
    }

    pub(super) fn retriable(&self, seq: DeletionSeq, from: u32, limit: usize) -> Vec<ItemRow> {
        self.all()
            .filter(|(key, deletion, item)| {
                let leads = item.same_as.is_none();
                key.deletion == seq && key.index >= from && deletion.is_shown() && leads && may_retry(item)
            })
            .filter_map(|(key, ..)| self.row(key))
            .take(limit)
            .collect()
    }

    pub(super) fn retry(&mut self, id: &DeletionId, retry: Retry, written: &mut Written) -> Verdict {
        let seq = match self.asked_of(id) {
            Ok(seq) => seq,
            Err(nobody) => return nobody,
        };
        let Some(deletion) = self.deletions.get_mut(&seq) else { return Verdict::Nobody };
        let Turn::To(state) = lifecycle::turn(&deletion.standing(), Verb::Retry) else {
            return Verdict::Wrong(seq);
        };
        let goes_on = matches!(deletion.chore, Some(ChoreKept::Retry(..)));
        let opens: Vec<_> = retry
            .items
            .into_iter()
            .filter(|reopen| reopen.key.deletion == seq)
            .filter(|reopen| self.item(reopen.key).is_some_and(|i| i.same_as.is_none() && may_retry(i)))
            .collect();
        if opens.is_empty() && retry.next.is_none() && !goes_on {
            return Verdict::Same(seq);
        }
        if let Some(deletion) = self.deletions.get_mut(&seq) {
            deletion.state = state;
            deletion.finished_at = None;
            deletion.round += u32::from(!goes_on);
            deletion.chore =
                retry.next.map(|next| ChoreKept::Retry(next, retry.by.clone(), retry.reason.clone()));
        }
        for reopen in opens {
            let reopened = |item: &mut Item| {
                item.give_up(&retry.by, retry.reason.as_deref(), false, written.now);
                item.tries = 0;
                item.since = Some(written.now);
            };
            let is_follower = |(key, _, item): (ItemKey, _, &Item)| {
                let follows = key.deletion == seq && item.same_as == Some(reopen.key.index);
                (follows && !item.is_open()).then_some(key)
            };
            let followers: Vec<ItemKey> = self.all().filter_map(is_follower).collect();
            for key in followers {
                if let Some(item) = self.item_mut(key) {
                    reopened(item);
                    item.stand = Stand::Behind(reopen.key.index);
                }
            }
            // The calls that it shared are part of its history.
            let calls = self.source(reopen.key).map(|source| source.attempts.clone());
            if let Some(item) = self.item_mut(reopen.key) {
                reopened(item);
                item.attempts = calls.unwrap_or_default();
                item.served_by = None;
                item.step = Some(reopen.step);
                item.progress = reopen.progress.or(item.progress.take());
            }
            self.wait(reopen.key, ceiling(reopen.due_at), written);
        }
        Verdict::Done(seq)
    }

    /// Decides an unknown item; whether it was one.
    pub(super) fn settle(&mut self, key: ItemKey, settlement: &Settlement, written: &mut Written) -> bool {
        let is_unknown = |item: &Item| item.ending().is_some_and(|e| e.outcome == Outcome::Unknown);
        if !self.row(key).is_some_and(|_| self.item(key).is_some_and(is_unknown)) {
            return false;
        }
        let follows = |(other, item): (ItemKey, &Item)| (item.same_as == Some(key.index)).then_some(other);
        let mut all: Vec<ItemKey> = self.items_in(key.deletion).filter_map(follows).collect();
        all.insert(0, key);
        for key in all {
            let Some(deletion) = self.deletions.get_mut(&key.deletion) else { return false };
            deletion.sequence += 1;
            let place = deletion.sequence;
            if let Some(item) = self.item_mut(key) {
                item.give_up(&settlement.by, settlement.reason.as_deref(), true, written.now);
                item.stand = Stand::Done(settlement.ending.clone(), place, written.now);
            }
            written.recorded.ended.push(settlement.ending.outcome);
        }
        written.touched.insert(key.deletion);
        true
    }

    pub(super) fn chores(&self) -> Vec<Chore> {
        let of = |(seq, deletion): (&DeletionSeq, &Deletion)| {
            let kind = match deletion.chore.clone()? {
                ChoreKept::Cancel(_) => ChoreKind::Cancel,
                ChoreKept::Retry(from, by, reason) => ChoreKind::Retry { from, by, reason },
            };
            Some(Chore { seq: *seq, id: deletion.id.clone(), kind })
        };
        self.deletions.iter().filter_map(of).collect()
    }

    pub(super) fn clean(&mut self, finished_before: Timestamp, max: usize, written: &Written) -> bool {
        let is_old = |d: &Deletion| d.discarded || d.finished_at.is_some_and(|at| at < finished_before);
        let old: Vec<_> = self.deletions.iter().filter(|(_, d)| is_old(d)).map(|(seq, _)| *seq).collect();
        let mut room = max;
        for seq in old {
            let Some(deletion) = self.deletions.get_mut(&seq) else { continue };
            // Half of it is never shown.
            deletion.discarded = true;
            self.leave_calls(seq);
            let Some(deletion) = self.deletions.get_mut(&seq) else { continue };
            let left = deletion.items.len().saturating_sub(room);
            room = room.saturating_sub(deletion.items.len() + 1);
            deletion.items.truncate(left);
            if left > 0 || room == 0 {
                return true;
            }
            self.deletions.remove(&seq);
            self.keys.retain(|_, key| key.deletion != seq);
        }
        self.keys.retain(|_, key| key.keep_until > written.now);
        false
    }
}

impl State {
    /// What a deletion's calls did for items of others stays with those.
    fn leave_calls(&mut self, seq: DeletionSeq) {
        let served = |(key, _, item): (ItemKey, _, &Item)| {
            let leader = item.served_by.filter(|leader| leader.deletion == seq)?;
            Some((key, self.item(leader)?.clone()))
        };
        let served: Vec<(ItemKey, Item)> = self.all().filter_map(served).collect();
        for (key, leader) in served {
            if let Some(item) = self.item_mut(key) {
                item.served_by = None;
                item.attempts = leader.attempts;
                item.progress = leader.progress;
            }
        }
    }
}

impl Item {
    /// Its outcome goes to its history.
    fn give_up(&mut self, by: &str, reason: Option<&str>, settled: bool, now: Timestamp) {
        if let Stand::Done(ending, _, finished_at) = &self.stand {
            self.rounds.push(Round {
                number: u32::try_from(self.rounds.len()).unwrap_or(u32::MAX).saturating_add(1),
                ending: ending.clone(),
                finished_at: *finished_at,
                reopened_at: now,
                by: by.to_owned(),
                reason: reason.map(str::to_owned),
                settled,
            });
        }
    }
}

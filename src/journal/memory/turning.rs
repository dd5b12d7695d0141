//! Verbs, and the work that they leave to be done in steps.
//!
//! Its own file because only these writes change the state of a deletion, or take
//! an outcome back. Which verb leads where is `types/lifecycle.rs`.

use jiff::Timestamp;

use super::state::{Deletion, Item, Stand, State, Work, Written};
use super::{Verdict, ceiling, invalid};
use crate::journal::audit::{Action, SERVICE};
use crate::journal::{
    Asked, Chore, ChoreKind, ChoreWord, Error, ItemRow, Lapsed, Noted, Quarantine, Retry, Round, Settlement,
};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey};
use crate::types::lifecycle::{self, Decision, DeletionState, Pause, Turn, Verb};
use crate::types::outcome::{Ending, Outcome};

/// Whether an outcome may be given up for another try.
fn may_retry(item: &Item) -> bool {
    let outcome = item.ending().map(|ending| ending.outcome);
    matches!(outcome, Some(Outcome::Busy | Outcome::Failed | Outcome::Unknown))
}

/// What is recorded of a verb that leads there.
fn action(verb: Verb, to: DeletionState) -> Action {
    match verb {
        Verb::Pause => Action::Paused,
        Verb::Resume => Action::Resumed,
        Verb::Cancel => Action::Canceled,
        Verb::Retry => Action::Retried,
        Verb::Start => Action::Started,
        Verb::Approve => Action::Approved,
        Verb::Reject => Action::Rejected,
        Verb::Lapse if to.sends() => Action::Released,
        Verb::Lapse => Action::Expired,
    }
}

impl State {
    pub(super) fn turn(
        &mut self,
        id: &DeletionId,
        asked: &Asked,
        written: &mut Written,
    ) -> Result<Verdict, Error> {
        let seq = match self.asked_of(id) {
            Ok(seq) => seq,
            Err(nobody) => return Ok(nobody),
        };
        let now = written.now;
        if self.expires(seq, now) {
            // Whatever is asked, it comes too late.
            let by_time = asked.verb == Verb::Lapse;
            let (by, why) = if by_time { (&*asked.by, asked.reason.as_deref()) } else { (SERVICE, None) };
            if let Some(deletion) = self.deletions.get_mut(&seq) {
                deletion.enter(DeletionState::Expired, now);
            }
            self.tell(seq, Action::Expired, by, why, now);
            if by_time {
                return Ok(Verdict::Done(seq));
            }
        }
        let Some(deletion) = self.deletions.get_mut(&seq) else { return Ok(Verdict::Nobody) };
        let is_over = deletion.deadline.is_some_and(|at| at <= now);
        if asked.verb == Verb::Lapse && !(is_over && deletion.state == DeletionState::Scheduled) {
            return Ok(Verdict::Same(seq));
        }
        let turn = lifecycle::turn(&deletion.standing(now), asked.verb);
        if turn == Turn::Wrong {
            return Ok(Verdict::Wrong(seq));
        }
        if asked.digest.is_some_and(|seen| seen != deletion.digest) {
            return Ok(Verdict::OtherDigest(seq));
        }
        if matches!(asked.verb, Verb::Approve | Verb::Reject) && deletion.is_own(&asked.by) {
            return Ok(Verdict::Own(seq));
        }
        let Turn::To(to) = turn else { return Ok(Verdict::Same(seq)) };
        let decision = || Some(Decision { by: asked.by.clone(), at: now, reason: asked.reason.clone() });
        match asked.verb {
            Verb::Pause => {
                let Some(pause) = &asked.pause else { return invalid("a pause needs its reason") };
                // Its delay, if it has one, goes on.
                deletion.pause = Some(pause.clone());
                deletion.state = to;
            }
            Verb::Resume => {
                deletion.pause = None;
                deletion.baseline = deletion.counts();
                if to == DeletionState::Scheduled {
                    deletion.state = to;
                } else {
                    deletion.enter(to, now);
                }
            }
            Verb::Cancel | Verb::Lapse => deletion.enter(to, now),
            Verb::Start => {
                let open = deletion.open();
                if let Some(reached) = self.guards.count(&asked.by, open, asked.daily_cap, now) {
                    return Ok(Verdict::CapReached(reached));
                }
                deletion.review.started = decision();
                deletion.enter(to, now);
                deletion.begin_work();
            }
            Verb::Approve => {
                deletion.review.approved = decision();
                deletion.enter(to, now);
                deletion.begin_work();
            }
            Verb::Reject => {
                deletion.review.rejected = decision();
                deletion.enter(to, now);
            }
            Verb::Retry => return invalid("to retry needs the items' next calls"),
        }
        let of_pause = || asked.pause.as_ref().and_then(|pause| pause.reason.as_deref());
        let why = asked.reason.as_deref().or_else(of_pause);
        self.tell(seq, action(asked.verb, to), &asked.by, why, now);
        self.hold_or_wake(seq);
        self.hand_on(written);
        Ok(Verdict::Done(seq))
    }

    /// Deletions whose deadline is over, and when the next one's is.
    pub(super) fn lapsed(&self, limit: usize, now: Timestamp) -> Lapsed {
        let mut waiting: Vec<(Timestamp, DeletionSeq, &Deletion)> = self
            .deletions
            .iter()
            .filter(|(_, deletion)| deletion.state.is_ahead())
            .filter_map(|(seq, deletion)| Some((deletion.deadline?, *seq, deletion)))
            .collect();
        waiting.sort_by_key(|(at, seq, _)| (*at, *seq));
        let over = waiting.iter().filter(|(at, ..)| *at <= now).count();
        let ids = waiting.iter().take(over.min(limit)).map(|(.., deletion)| deletion.id.clone()).collect();
        // While some are left, nobody need wait.
        let next = waiting.get(over).filter(|_| over <= limit).map(|(at, ..)| *at);
        Lapsed { ids, next }
    }

    /// Writes down a step of a look, a block or its lifting; whether that was still to be done.
    pub(super) fn note(&mut self, seq: DeletionSeq, noted: Noted) -> Result<bool, Error> {
        if matches!(noted.chore, ChoreWord::Cancel | ChoreWord::Retry) {
            return invalid("a cancel or a retry leaves no notes");
        }
        let Some(deletion) = self.deletions.get_mut(&seq).filter(|d| d.does(noted.chore)) else {
            return Ok(false);
        };
        for (index, note) in noted.notes {
            let item = usize::try_from(index).ok().and_then(|index| deletion.items.get_mut(index));
            let Some(item) = item else {
                return invalid(format!("a note on item {index}, which is not there"));
            };
            let kept = item.note.get_or_insert_default();
            kept.found = note.found.or(kept.found.take());
            kept.quarantine = note.quarantine.or(kept.quarantine);
        }
        match (noted.next, &mut deletion.chore) {
            (Some(next), Some(work)) => work.from = next,
            (_, chore) => *chore = None,
        }
        Ok(true)
    }

    /// Whether it waited for a person, and nobody came in time.
    fn expires(&self, seq: DeletionSeq, now: Timestamp) -> bool {
        self.deletions.get(&seq).is_some_and(|deletion| {
            let waits = matches!(deletion.state, DeletionState::Planned | DeletionState::AwaitingApproval);
            waits && deletion.deadline.is_some_and(|at| at <= now)
        })
    }

    pub(super) fn pause_all(&mut self, pause: &Pause, written: &mut Written) -> usize {
        // What waits for its time must not run by a clock that jumped.
        let is_open = |d: &Deletion| matches!(d.state, DeletionState::Running | DeletionState::Scheduled);
        let open: Vec<_> = self.deletions.iter().filter(|(_, d)| is_open(d)).map(|(seq, _)| *seq).collect();
        for seq in &open {
            if let Some(deletion) = self.deletions.get_mut(seq) {
                deletion.state = DeletionState::Paused;
                deletion.pause = Some(pause.clone());
            }
            let by = pause.by.as_deref().unwrap_or(SERVICE);
            self.tell(*seq, Action::Paused, by, pause.reason.as_deref(), written.now);
            self.hold_or_wake(*seq);
        }
        self.hand_on(written);
        open.len()
    }

    /// Ends items that were not sent; whether there are more to look at.
    pub(super) fn cancel_step(&mut self, seq: DeletionSeq, max: usize, written: &mut Written) -> bool {
        let Some(deletion) = self.deletions.get(&seq).filter(|d| d.does(ChoreWord::Cancel)) else {
            return false;
        };
        let from = deletion.chore.as_ref().map_or(0, |work| work.from);
        let all = u32::try_from(deletion.items.len()).unwrap_or(u32::MAX);
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
            self.end(key, &Ending::canceled(), written);
        }
        let Some(deletion) = self.deletions.get_mut(&seq) else { return false };
        if next < all {
            deletion.chore = Some(Work { kind: ChoreKind::Cancel, from: next });
            return true;
        }
        let blocked = deletion.items.iter().any(|item| item.quarantine() == Some(Quarantine::Blocked));
        deletion.chore = blocked.then(|| Work::new(ChoreKind::Lift { from: 0 }));
        self.hold_or_wake(seq);
        blocked
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
        let Turn::To(state) = lifecycle::turn(&deletion.standing(written.now), Verb::Retry) else {
            return Verdict::Wrong(seq);
        };
        if deletion.deadline.is_some() || !deletion.terms.are_met(&deletion.review) {
            // Paused before anything of it ran, or all of it ended before anybody was asked.
            return Verdict::Same(seq);
        }
        let goes_on = deletion.does(ChoreWord::Retry);
        let opens: Vec<_> = retry
            .items
            .into_iter()
            .filter(|reopen| reopen.key.deletion == seq)
            .filter(|reopen| self.item(reopen.key).is_some_and(|i| i.same_as.is_none() && may_retry(i)))
            .collect();
        if opens.is_empty() && retry.next.is_none() && !goes_on {
            return Verdict::Same(seq);
        }
        if !goes_on {
            self.tell(seq, Action::Retried, &retry.by, retry.reason.as_deref(), written.now);
        }
        if let Some(deletion) = self.deletions.get_mut(&seq) {
            deletion.state = state;
            deletion.finished_at = None;
            deletion.round += u32::from(!goes_on);
            deletion.chore = retry.next.map(|from| {
                let (by, reason) = (retry.by.clone(), retry.reason.clone());
                Work { kind: ChoreKind::Retry { from, by, reason }, from }
            });
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
        self.tell_settled(&all, settlement, written.now);
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
            let Work { kind, from } = deletion.chore.clone()?;
            let kind = match kind {
                ChoreKind::Cancel => ChoreKind::Cancel,
                ChoreKind::Retry { by, reason, .. } => ChoreKind::Retry { from, by, reason },
                ChoreKind::Check { .. } => ChoreKind::Check { from },
                ChoreKind::Quarantine { .. } => ChoreKind::Quarantine { from },
                ChoreKind::Lift { .. } => ChoreKind::Lift { from },
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
        self.guards.forget_days_before(written.now);
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

impl Deletion {
    /// Whether this caller asked for it, or started it.
    fn is_own(&self, caller: &str) -> bool {
        self.requested_by == caller || self.review.started.as_ref().is_some_and(|s| s.by == caller)
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

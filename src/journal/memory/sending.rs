//! Handing out and recording: an item's way to a call and back.
//!
//! Its own file because here it is decided that one call serves all who want the
//! same. Which items are next is `queues`.

use std::time::Duration;

use jiff::Timestamp;

use super::state::{Item, Stand, State, Written};
use super::{ceiling, floor, later};
use crate::journal::{CallRecord, Change, Claim, Claimed, Next, Rescue};
use crate::types::deletion::{ItemKey, LaneId};
use crate::types::outcome::Ending;

/// Rows of the same name that are looked at for a call to share, newest first.
const NAMESAKES: usize = 256;
/// How often a claim looks for more after some of what it chose was on its way already.
const ROUNDS: usize = 8;

impl State {
    pub(super) fn claim(
        &mut self,
        lane: &LaneId,
        max: usize,
        lease: Duration,
        written: &mut Written,
    ) -> Claim {
        if max == 0 {
            return Claim::default();
        }
        self.wake_due(lane, written.now);
        let (mut items, mut group) = (Vec::new(), None);
        for _ in 0..ROUNDS {
            let Some(batch) = self.next_batch(lane, max - items.len(), written.now, &mut group) else {
                let next_due = if items.is_empty() { self.next_due(lane) } else { None };
                return Claim { items, next_due };
            };
            let attached =
                |state: &Self| state.all().filter(|(.., item)| item.stand == Stand::Attached).count();
            let before = attached(self);
            if batch.is_empty() {
                break;
            }
            for key in batch {
                items.extend(self.hand_out(key, lease, None, written));
            }
            self.drop_empty_queues();
            // Some may have found a call of others to wait for, so that there is room for more.
            if items.len() >= max || attached(self) == before {
                break;
            }
        }
        // There is more to look at.
        let next_due = items.is_empty().then_some(written.now);
        Claim { items, next_due }
    }

    pub(super) fn rescue(
        &mut self,
        which: Rescue,
        max: usize,
        lease: Duration,
        written: &mut Written,
    ) -> Vec<Claimed> {
        let mut lapsed: Vec<(Timestamp, ItemKey)> = self
            .all()
            .filter_map(|(key, _, item)| match item.stand {
                Stand::Sending(until) if which == Rescue::All || until <= written.now => Some((until, key)),
                Stand::Sending(_) | Stand::Due(_) | Stand::Behind(_) | Stand::Attached | Stand::Done(..) => {
                    None
                }
            })
            .collect();
        lapsed.sort();
        lapsed.truncate(max);
        let taken = lapsed.into_iter();
        taken.filter_map(|(until, key)| self.lease(key, lease, Some(until), written)).collect()
    }

    /// Hands a due item out, unless a call of others will serve it.
    pub(super) fn hand_out(
        &mut self,
        key: ItemKey,
        lease: Duration,
        lapsed_at: Option<Timestamp>,
        written: &mut Written,
    ) -> Option<Claimed> {
        // It may have been taken along a moment ago.
        self.item(key)?.due()?;
        // What was sent before has its own story to end.
        let is_new = self.item(key)?.attempts.is_empty();
        match self.served_by(key) {
            Some(leader) if is_new => {
                self.attach(key, leader);
                return None;
            }
            Some(_) => return self.lease(key, lease, lapsed_at, written),
            None => {}
        }
        for other in self.namesakes(key) {
            let fits = |item: &Item| item.due().is_some() && item.attempts.is_empty();
            if self.item(other).is_some_and(fits) {
                self.attach(other, key);
            }
        }
        self.lease(key, lease, lapsed_at, written)
    }

    /// Open items of the same target in other running deletions, newest first.
    fn namesakes(&self, key: ItemKey) -> Vec<ItemKey> {
        let Some(wanted) = self.item(key).and_then(|item| item.wanted.as_ref()) else { return Vec::new() };
        let named = |item: &Item| {
            item.wanted.as_ref().is_some_and(|w| {
                w.target.account == wanted.target.account
                    && w.target.name.as_str() == wanted.target.name.as_str()
            })
        };
        let same = |item: &Item| {
            item.wanted.as_ref().is_some_and(|w| w.target.identity() == wanted.target.identity())
        };
        self.all()
            .rev()
            .filter(|(_, _, item)| named(item))
            .take(NAMESAKES)
            .filter(|(other, deletion, item)| {
                let runs = deletion.state.sends() || item.is_sending();
                other.deletion != key.deletion && runs && item.is_open() && same(item)
            })
            .map(|(other, ..)| other)
            .collect()
    }

    /// The item whose call will serve this one: it is under way, or between two tries.
    fn served_by(&self, key: ItemKey) -> Option<ItemKey> {
        self.namesakes(key).into_iter().find_map(|other| {
            let item = self.item(other)?;
            let between = item.due().is_some() && !item.attempts.is_empty();
            match item.stand {
                // Who waits for one that is held back shows nobody else the way there.
                Stand::Attached => item.served_by.filter(|leader| {
                    let runs = self.deletions.get(&leader.deletion).is_some_and(|d| d.state.sends());
                    leader.deletion != key.deletion && runs
                }),
                Stand::Sending(_) => Some(other),
                Stand::Due(_) if between => Some(other),
                Stand::Due(_) | Stand::Behind(_) | Stand::Done(..) => None,
            }
        })
    }

    fn attach(&mut self, key: ItemKey, leader: ItemKey) {
        if let Some(item) = self.item_mut(key) {
            item.stand = Stand::Attached;
            item.served_by = Some(leader);
        }
    }

    fn lease(
        &mut self,
        key: ItemKey,
        lease: Duration,
        lapsed_at: Option<Timestamp>,
        written: &Written,
    ) -> Option<Claimed> {
        let deletion = self.deletions.get_mut(&key.deletion)?;
        deletion.started_at.get_or_insert(written.now);
        let (id, bulk, is_dead) = (deletion.id.clone(), deletion.bulk, deletion.state.is_dead());
        let begun_at = deletion.released_at.unwrap_or(deletion.created_at);
        let item = self.item_mut(key)?;
        item.stand = Stand::Sending(later(written.now, lease));
        item.generation += 1;
        Some(Claimed {
            key,
            generation: item.generation,
            deletion: id,
            target: item.wanted.as_ref()?.target.clone(),
            step: item.step.clone()?,
            progress: item.progress.clone(),
            calls: u32::try_from(item.attempts.len()).unwrap_or(u32::MAX),
            tries: item.tries,
            accepted_at: item.since.unwrap_or(begun_at),
            lapsed_at,
            is_dead,
            bulk,
        })
    }

    pub(super) fn record(&mut self, call: &CallRecord, changes: Vec<Change>, written: &mut Written) {
        let millis = u64::try_from(call.duration.as_millis()).unwrap_or(u64::MAX);
        let call = CallRecord {
            started_at: floor(call.started_at),
            duration: Duration::from_millis(millis),
            ..call.clone()
        };
        self.tell_call(&call, &changes);
        for change in changes {
            let holds = |item: &&mut Item| item.is_sending() && item.generation == change.generation;
            let Some(item) = self.item_mut(change.key).filter(holds) else {
                written.recorded.stale += 1;
                continue;
            };
            item.attempts.push(call.clone());
            if let Some(progress) = change.progress {
                item.resolved.extend(progress.asset.clone());
                item.progress = Some(progress);
            }
            match change.next {
                Next::Ended(ending) => self.end(change.key, &ending, written),
                Next::Again { step, due_at, counts } => {
                    item.tries += u32::from(counts);
                    item.step = Some(step);
                    let never_sent = !item.was_sent();
                    let is_dead = self.deletions.get(&change.key.deletion).is_some_and(|d| d.state.is_dead());
                    if is_dead && never_sent {
                        self.end(change.key, &Ending::canceled(), written);
                    } else {
                        self.wait(change.key, ceiling(due_at), written);
                    }
                }
            }
        }
        self.hand_on(written);
    }
}

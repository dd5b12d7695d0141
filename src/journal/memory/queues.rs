//! Whose turn it is in a lane: tags, and what a claim looks at.
//!
//! The arithmetic is `fair.rs`; this file keeps its tags. A queue is the items of
//! one deletion that wait in one lane. It is ready, or asleep until a time, or,
//! while its deletion is not running, for good. Which items are in it is looked
//! up; only tags and sleep are kept, because they are what earlier claims left.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::state::{Item, State};
use crate::journal::fair::{self, Flow, Turn};
use crate::types::deletion::{DeletionSeq, ItemKey, LaneId};

/// Callers looked at in one claim.
const CALLERS: usize = 64;
/// Due items looked at in one claim.
const CANDIDATES: usize = 400;

pub(super) type Queues = BTreeMap<LaneId, LaneTags>;

/// What is kept of a lane.
#[derive(Debug, Clone, Default)]
pub(super) struct LaneTags {
    /// The callers' tag that was served last.
    served: i64,
    turns: BTreeMap<String, TurnTags>,
    queues: BTreeMap<DeletionSeq, Queue>,
}

#[derive(Debug, Clone, Copy)]
struct TurnTags {
    tag: i64,
    /// The tag of its deletions that was served last.
    served: i64,
}

#[derive(Debug, Clone)]
struct Queue {
    caller: String,
    tag: i64,
    sleep: Sleep,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sleep {
    /// Something may be due.
    No,
    /// Nothing is before this time.
    Until(Timestamp),
    /// Its deletion is not running.
    Held,
}

impl LaneTags {
    fn has_ready(&self, caller: &str) -> bool {
        self.queues.values().any(|queue| queue.caller == caller && queue.sleep == Sleep::No)
    }

    /// A queue is ready from now on; it starts at what was served last.
    fn wake(&mut self, seq: DeletionSeq) {
        let Some(queue) = self.queues.get(&seq) else { return };
        if queue.sleep == Sleep::No {
            return;
        }
        let caller = queue.caller.clone();
        self.come(&caller, true);
        let served = self.turns.get(&caller).map_or(0, |turn| turn.served);
        if let Some(queue) = self.queues.get_mut(&seq) {
            queue.tag = fair::enter(Some(queue.tag), served);
            queue.sleep = Sleep::No;
        }
    }

    /// A caller comes to the lane, or comes back to it with something ready.
    fn come(&mut self, caller: &str, ready: bool) {
        let own = self.turns.get(caller).copied();
        if own.is_some() && (!ready || self.has_ready(caller)) {
            return;
        }
        let tag = fair::enter(own.map(|turn| turn.tag), self.served);
        let served = own.map_or(0, |turn| turn.served);
        self.turns.insert(caller.to_owned(), TurnTags { tag, served });
    }
}

impl State {
    /// An item of this deletion waits in this lane from now on.
    pub(super) fn enqueue(&mut self, lane: &LaneId, seq: DeletionSeq, due_at: Timestamp, now: Timestamp) {
        let Some(deletion) = self.deletions.get(&seq) else { return };
        let (caller, hands_out) = (deletion.requested_by.clone(), deletion.hands_out());
        let tags = self.queues.entry(lane.clone()).or_default();
        let sleep = if !hands_out {
            Sleep::Held
        } else if due_at > now {
            Sleep::Until(due_at)
        } else {
            Sleep::No
        };
        let Some(queue) = tags.queues.get_mut(&seq) else {
            tags.come(&caller, sleep == Sleep::No);
            let served = tags.turns.get(&caller).map_or(0, |turn| turn.served);
            tags.queues.insert(seq, Queue { caller, tag: fair::enter(None, served), sleep });
            return;
        };
        match (queue.sleep, sleep) {
            (Sleep::Until(_) | Sleep::Held, Sleep::No) => tags.wake(seq),
            (Sleep::Until(known), Sleep::Until(at)) => queue.sleep = Sleep::Until(known.min(at)),
            (Sleep::Held, Sleep::Until(_)) | (_, Sleep::Held) => queue.sleep = sleep,
            (Sleep::No, Sleep::No | Sleep::Until(_)) => {}
        }
    }

    /// The queues of a deletion follow its state.
    pub(super) fn hold_or_wake(&mut self, seq: DeletionSeq) {
        let hands_out = self.deletions.get(&seq).is_some_and(super::state::Deletion::hands_out);
        for tags in self.queues.values_mut() {
            if hands_out {
                tags.wake(seq);
            } else if let Some(queue) = tags.queues.get_mut(&seq) {
                queue.sleep = Sleep::Held;
            }
        }
    }

    /// Items of a deletion that wait in a lane, by when they are due.
    fn waiting(&self, lane: &LaneId, seq: DeletionSeq) -> Vec<(Timestamp, ItemKey, &Item)> {
        let of = |(key, item): (ItemKey, _)| {
            let item: &Item = item;
            let due = item.due()?;
            (item.lane().as_ref() == Some(lane)).then_some((due, key, item))
        };
        let mut waiting: Vec<_> = self.items_in(seq).filter_map(of).collect();
        waiting.sort_by_key(|(due, key, _)| (*due, *key));
        waiting
    }

    /// Queues without items go, callers without queues, lanes without callers.
    pub(super) fn drop_empty_queues(&mut self) {
        let mut queues = std::mem::take(&mut self.queues);
        for (lane, tags) in &mut queues {
            tags.queues.retain(|seq, _| !self.waiting(lane, *seq).is_empty());
            let callers: Vec<String> = tags.queues.values().map(|queue| queue.caller.clone()).collect();
            tags.turns.retain(|caller, _| callers.contains(caller));
        }
        queues.retain(|_, tags| !tags.turns.is_empty());
        self.queues = queues;
    }

    /// When the next item of a lane is due, if nothing is now.
    pub(super) fn next_due(&self, lane: &LaneId) -> Option<Timestamp> {
        let until = |queue: &Queue| match queue.sleep {
            Sleep::Until(at) => Some(at),
            Sleep::No | Sleep::Held => None,
        };
        self.queues.get(lane)?.queues.values().filter_map(until).min()
    }

    /// Queues that have slept long enough take part again.
    pub(super) fn wake_due(&mut self, lane: &LaneId, now: Timestamp) {
        let Some(tags) = self.queues.get_mut(lane) else { return };
        let slept_out = |queue: &Queue| matches!(queue.sleep, Sleep::Until(at) if at <= now);
        let awake: Vec<_> =
            tags.queues.iter().filter(|(_, queue)| slept_out(queue)).map(|(seq, _)| *seq).collect();
        for seq in awake {
            tags.wake(seq);
        }
    }

    /// Up to `max` due items for the next call, of this group if it is fixed
    /// already; `None` if nothing is due in the lane.
    pub(super) fn next_batch(
        &mut self,
        lane: &LaneId,
        max: usize,
        now: Timestamp,
        group: &mut Option<String>,
    ) -> Option<Vec<ItemKey>> {
        'again: loop {
            let ready = self.ready_in_order(lane, max);
            if ready.is_empty() {
                return None;
            }
            let candidates = max.max(CANDIDATES / ready.len());
            let (mut flows, mut due) = (Vec::new(), BTreeMap::new());
            for (place, (caller, seq, tag)) in ready.into_iter().enumerate() {
                let waiting = self.waiting(lane, seq);
                if waiting.first().is_none_or(|(at, ..)| *at > now) {
                    // Nothing of it is due: it sleeps until something is.
                    let until = waiting.first().map(|(at, ..)| *at);
                    let queue = self.queues.get_mut(lane).and_then(|tags| tags.queues.get_mut(&seq));
                    if let (Some(queue), Some(until)) = (queue, until) {
                        queue.sleep = Sleep::Until(until);
                    }
                    if place == 0 {
                        continue 'again;
                    }
                    continue;
                }
                // What came later than its deletion goes first: a repeat, a next step, or one let go.
                let born = self.born(seq);
                let later = waiting.iter().filter(|(at, ..)| *at <= now && *at > born).take(candidates);
                let first = waiting.iter().filter(|(at, ..)| *at <= now && *at <= born).take(candidates);
                let of_group: Vec<(Timestamp, ItemKey)> = later
                    .chain(first)
                    .filter_map(|(at, key, item)| Some((*at, *key, &item.step.as_ref()?.group)))
                    .filter(|(_, _, of)| group.get_or_insert_with(|| (*of).clone()) == *of)
                    .map(|(at, key, _)| (at, key))
                    .take(max)
                    .collect();
                flows.push((caller, Flow { caller: 0, deletion: seq, tag, ready: of_group.len() }));
                due.insert(seq, of_group);
            }
            return Some(self.share(lane, max, flows, &due));
        }
    }

    /// When a deletion was accepted, in whole milliseconds as due times are.
    fn born(&self, seq: DeletionSeq) -> Timestamp {
        self.deletions.get(&seq).map_or(Timestamp::MIN, |deletion| deletion.created_at)
    }

    /// The first `max` deletions to come to their turn if each had one item, with their tags.
    fn ready_in_order(&self, lane: &LaneId, max: usize) -> Vec<(String, DeletionSeq, i64)> {
        let Some(tags) = self.queues.get(lane) else { return Vec::new() };
        let mut callers: Vec<(&String, i64)> = tags
            .turns
            .iter()
            .filter(|(caller, _)| tags.has_ready(caller))
            .map(|(caller, turn)| (caller, turn.tag))
            .collect();
        callers.sort_by_key(|(caller, tag)| (*tag, self.first_met(caller)));
        let mut ready = Vec::new();
        for (caller, turn) in callers.into_iter().take(CALLERS) {
            let is_ready = |queue: &Queue| queue.caller == *caller && queue.sleep == Sleep::No;
            let mut own: Vec<_> = tags.queues.iter().filter(|(_, queue)| is_ready(queue)).collect();
            own.sort_by_key(|(seq, queue)| (queue.tag, **seq));
            let places = (turn..).zip(own);
            ready.extend(places.map(|(place, (seq, queue))| (place, caller.clone(), *seq, queue.tag)));
        }
        ready.sort_by_key(|(place, caller, ..)| (*place, self.first_met(caller)));
        ready.into_iter().take(max).map(|(_, caller, seq, tag)| (caller, seq, tag)).collect()
    }

    /// A caller's number: of equal tags, who was met first goes first.
    fn first_met(&self, caller: &str) -> i64 {
        let place = self.callers.iter().position(|known| known == caller);
        place.and_then(|place| i64::try_from(place).ok()).unwrap_or(i64::MAX)
    }

    fn share(
        &mut self,
        lane: &LaneId,
        max: usize,
        flows: Vec<(String, Flow)>,
        due: &BTreeMap<DeletionSeq, Vec<(Timestamp, ItemKey)>>,
    ) -> Vec<ItemKey> {
        let numbers: BTreeMap<String, i64> =
            flows.iter().map(|(caller, _)| (caller.clone(), self.first_met(caller))).collect();
        let Some(tags) = self.queues.get_mut(lane) else { return Vec::new() };
        let number = |caller: &String| numbers.get(caller).copied().unwrap_or_default();
        let mut turns: Vec<Turn> = tags
            .turns
            .iter()
            .filter(|(caller, _)| numbers.contains_key(*caller))
            .map(|(caller, turn)| Turn { caller: number(caller), tag: turn.tag, served: turn.served })
            .collect();
        let mut flows: Vec<Flow> =
            flows.into_iter().map(|(caller, flow)| Flow { caller: number(&caller), ..flow }).collect();
        let shared = fair::share(&mut turns, &mut flows, max);
        tags.served = shared.served.unwrap_or(tags.served);
        for (caller, turn) in &mut tags.turns {
            if let Some(moved) = turns.iter().find(|one| numbers.get(caller) == Some(&one.caller)) {
                *turn = TurnTags { tag: moved.tag, served: moved.served };
            }
        }
        for flow in flows {
            if let Some(queue) = tags.queues.get_mut(&flow.deletion) {
                queue.tag = flow.tag;
            }
        }
        let items =
            |(seq, many): (DeletionSeq, usize)| due.get(&seq).into_iter().flatten().take(many).copied();
        let mut chosen: Vec<(Timestamp, ItemKey)> = shared.taken.into_iter().flat_map(items).collect();
        chosen.sort();
        chosen.into_iter().map(|(_, key)| key).collect()
    }
}

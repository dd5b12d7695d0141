//! Ways in: a deletion at once, or an upload in pieces.
//!
//! Its own file because these are the only writes that make items. A request is
//! checked as a whole before anything of it is kept.

use jiff::Timestamp;

use super::state::{Deletion, Item, Key, Stand, State, Written};
use super::{Verdict, invalid, later};
use crate::journal::{
    Accepted, Appended, Begun, CapReached, Claimed, Error, NewDeletion, NewItem, NewUpload, Once, Seal, Start,
};
use crate::types::deletion::{Counts, DeletionId, DeletionSeq, Digest, IfAbsent, ItemKey, Step, Wanted};
use crate::types::lifecycle::{DeletionState, Passed, Review, Terms};
use crate::types::target::Target;

/// Where an item hangs when it is written.
struct Hook {
    root: u32,
    stand: Stand,
}

impl State {
    /// A number for a new deletion, if its name is new too.
    fn add_deletion(&mut self, deletion: Deletion) -> Result<DeletionSeq, Error> {
        if self.deletions.values().any(|known| known.id == deletion.id) {
            return invalid("there is a deletion of this name already");
        }
        if !self.callers.contains(&deletion.requested_by) {
            self.callers.push(deletion.requested_by.clone());
        }
        self.last_seq += 1;
        self.deletions.insert(self.last_seq, deletion);
        Ok(self.last_seq)
    }

    /// What a caller's key would give now.
    pub(super) fn known(&mut self, requested_by: &str, once: &Once, now: Timestamp) -> Option<Accepted> {
        let known = self.key_of(requested_by, &once.key, now)?;
        Some(match (known.fingerprint, self.name_of(known.deletion)) {
            (None, _) | (_, None) => Accepted::KeyBusy,
            (Some(print), Some(id)) if print == once.fingerprint => Accepted::Known(id),
            (Some(_), Some(_)) => Accepted::KeyReused,
        })
    }

    fn key_of(&mut self, caller: &str, key: &str, now: Timestamp) -> Option<Key> {
        let name = (caller.to_owned(), key.to_owned());
        if self.keys.get(&name).is_some_and(|known| known.keep_until <= now) {
            self.keys.remove(&name);
        }
        self.keys.get(&name).cloned()
    }

    fn name_of(&self, seq: DeletionSeq) -> Option<DeletionId> {
        self.deletions.get(&seq).map(|deletion| deletion.id.clone())
    }

    pub(super) fn append(
        &mut self,
        new: NewDeletion,
        written: &mut Written,
    ) -> Result<Result<Accepted, CapReached>, Error> {
        if let Some(once) = &new.once
            && let Some(known) = self.known(&new.requested_by, once, written.now)
        {
            return Ok(Ok(known));
        }
        let fresh = fresh(new.id, new.requested_by.clone(), new.reason, new.if_absent, written.now);
        // Where its terms hold it back, that is known before the first item comes to wait.
        let state = new.terms.state(Passed::Nothing);
        let made = Deletion { state, digest: new.digest, terms: new.terms, ..fresh };
        let seq = self.add_deletion(made)?;
        if let Some(once) = new.once {
            let keep_until = later(written.now, once.keep);
            let kept = Key { fingerprint: Some(once.fingerprint), deletion: seq, keep_until };
            self.keys.insert((new.requested_by.clone(), once.key), kept);
        }
        let mut sent = Vec::new();
        for (index, item) in (0..).zip(new.items) {
            let key = ItemKey { deletion: seq, index };
            if !state.sends() && matches!(item.start, Start::Sends { .. }) {
                return invalid("nothing is sent of a deletion that does not run yet");
            }
            let lease = self.add_item(key, item, written)?;
            sent.extend(lease.map(|lease| (key, lease)));
        }
        if let Some(reached) = self.made(seq, &new.requested_by, new.daily_cap, written.now) {
            return Ok(Err(reached));
        }
        let mut claimed: Vec<Claimed> = Vec::new();
        for (key, lease) in sent {
            claimed.extend(self.hand_out(key, lease, None, written));
        }
        let finished = self.deletions.get(&seq).is_some_and(|d| d.items.iter().all(|item| !item.is_open()));
        // What is counted from here on: what ended before the start was never tried.
        if let Some(deletion) = self.deletions.get_mut(&seq) {
            deletion.baseline = deletion.counts();
        }
        self.tell_request(seq, written.now);
        Ok(Ok(Accepted::New(Appended { seq, claimed, finished })))
    }

    /// Adds an item; how long its sender may take, if it starts as handed out.
    fn add_item(
        &mut self,
        key: ItemKey,
        new: NewItem,
        written: &mut Written,
    ) -> Result<Option<std::time::Duration>, Error> {
        if new.wanted.is_none() && !matches!(new.start, Start::Ended(_)) {
            return invalid("an item that names nothing can only have ended");
        }
        let due = Stand::Due(written.now);
        let mut lease = None;
        let (item, ending) = match new.start {
            Start::Ended(ending) => (Item::new(new.wanted, due, None), Some(ending)),
            Start::Waits(step) => (Item::new(new.wanted, due, Some(step)), None),
            Start::Sends { step, lease: length } => {
                lease = Some(length);
                (Item::new(new.wanted, due, Some(step)), None)
            }
            Start::Follows { leader } => {
                let hook = self.hook(key, leader)?;
                let ending = match &hook.stand {
                    Stand::Done(ending, ..) => Some(ending.clone()),
                    Stand::Due(_) | Stand::Behind(_) | Stand::Attached | Stand::Sending(_) => None,
                };
                let item = Item::new(new.wanted, Stand::Behind(hook.root), None);
                (Item { same_as: Some(hook.root), ..item }, ending)
            }
            Start::After { earlier, step } => {
                let hook = self.hook(key, earlier)?;
                let stand =
                    if matches!(hook.stand, Stand::Done(..)) { due } else { Stand::Behind(hook.root) };
                (Item::new(new.wanted, stand, Some(step)), None)
            }
        };
        let (due_at, lane) = (item.due(), item.lane());
        let Some(deletion) = self.deletions.get_mut(&key.deletion) else { return invalid("no deletion") };
        let is_received = deletion.state == DeletionState::Receiving;
        deletion.items.push(item);
        if let Some(ending) = ending {
            self.end(key, &ending, written);
        } else if let (Some(due_at), Some(lane), false) = (due_at, lane, is_received) {
            self.enqueue(&lane, key.deletion, due_at, written.now);
        }
        Ok(lease)
    }

    /// What an item hangs on: the item that a follower follows stands for it.
    fn hook(&self, key: ItemKey, on: u32) -> Result<Hook, Error> {
        let earlier = self.item(ItemKey { index: on, ..key }).filter(|_| on < key.index);
        let Some(earlier) = earlier else {
            return invalid(format!("item {} hangs on {on}, which is not before it", key.index));
        };
        let root = earlier.same_as.unwrap_or(on);
        let stand = self.item(ItemKey { index: root, ..key }).map(|item| item.stand.clone());
        stand.map_or_else(|| invalid("a follower of nothing"), |stand| Ok(Hook { root, stand }))
    }

    pub(super) fn begin(&mut self, new: NewUpload, written: &mut Written) -> Result<Begun, Error> {
        if let Some((key, _)) = &new.key
            && let Some(known) = self.key_of(&new.requested_by, key, written.now)
        {
            return Ok(match (known.fingerprint, self.name_of(known.deletion)) {
                (Some(fingerprint), Some(id)) => Begun::Known { id, fingerprint },
                (None, _) | (_, None) => Begun::KeyBusy,
            });
        }
        let fresh = fresh(new.id, new.requested_by.clone(), new.reason, new.if_absent, written.now);
        let seq = self.add_deletion(Deletion { bulk: true, ..fresh })?;
        if let Some((key, keep)) = new.key {
            let kept = Key { fingerprint: None, deletion: seq, keep_until: later(written.now, keep) };
            self.keys.insert((new.requested_by, key), kept);
        }
        Ok(Begun::Receiving(seq))
    }

    fn receiving(&self, upload: DeletionSeq) -> Result<&Deletion, Error> {
        let found =
            self.deletions.get(&upload).filter(|d| !d.discarded && d.state == DeletionState::Receiving);
        found.map_or_else(|| invalid("no such upload is under way"), Ok)
    }

    pub(super) fn stage(
        &mut self,
        upload: DeletionSeq,
        from: u32,
        items: Vec<NewItem>,
        written: &mut Written,
    ) -> Result<(), Error> {
        let staged = self.receiving(upload)?.items.len();
        if usize::try_from(from) != Ok(staged) {
            return invalid(format!("{staged} items are staged, not {from}"));
        }
        for (index, new) in (from..).zip(items) {
            let key = ItemKey { deletion: upload, index };
            let start = match new.start {
                Start::Waits(step) => self.staged_start(key, new.wanted.as_ref(), step),
                ended @ Start::Ended(_) => ended,
                Start::Sends { .. } | Start::Follows { .. } | Start::After { .. } => {
                    return invalid("an upload's items wait or have ended");
                }
            };
            self.add_item(key, NewItem { wanted: new.wanted, start }, written)?;
        }
        Ok(())
    }

    /// A line that repeats an earlier target follows it; another target on the
    /// same asset waits for the last of them.
    fn staged_start(&self, key: ItemKey, wanted: Option<&Wanted>, step: Step) -> Start {
        let Some(wanted) = wanted else { return Start::Waits(step) };
        let of_asset: Vec<(u32, &Target)> = self
            .items_in(key.deletion)
            .filter_map(|(other, item)| Some((other.index, &item.wanted.as_ref()?.target)))
            .filter(|(_, target)| {
                target.account == wanted.target.account && target.name == wanted.target.name
            })
            .collect();
        let same = of_asset.iter().find(|(_, target)| target.identity() == wanted.target.identity());
        match (same, of_asset.last()) {
            (Some((leader, _)), _) => Start::Follows { leader: *leader },
            (None, Some((earlier, _))) => Start::After { earlier: *earlier, step },
            (None, None) => Start::Waits(step),
        }
    }

    pub(super) fn seal(
        &mut self,
        upload: DeletionSeq,
        seal: &Seal,
        written: &mut Written,
    ) -> Result<Result<DeletionSeq, CapReached>, Error> {
        let staged = self.receiving(upload)?.items.len();
        if usize::try_from(seal.total) != Ok(staged) {
            return invalid(format!("{staged} items are staged, not {}", seal.total));
        }
        for key in self.keys.values_mut().filter(|key| key.deletion == upload) {
            let Some(fingerprint) = seal.fingerprint else { return invalid("a key needs a fingerprint") };
            key.fingerprint = Some(fingerprint);
        }
        if let Some(deletion) = self.deletions.get_mut(&upload) {
            deletion.state = seal.terms.state(Passed::Nothing);
            deletion.terms = seal.terms.clone();
            deletion.created_at = written.now;
            deletion.digest = seal.digest;
            deletion.baseline = deletion.counts();
        }
        let caller = self.deletions.get(&upload).map(|deletion| deletion.requested_by.clone());
        if let Some(reached) = self.made(upload, &caller.unwrap_or_default(), seal.daily_cap, written.now) {
            return Ok(Err(reached));
        }
        let of_upload = |(key, _, item): (ItemKey, _, &Item)| {
            (key.deletion == upload).then(|| Some((item.lane()?, item.due()?)))?
        };
        let waiting: Vec<_> = self.all().filter_map(of_upload).collect();
        for (lane, due_at) in waiting {
            self.enqueue(&lane, upload, due_at, written.now);
        }
        self.tell_request(upload, written.now);
        written.touched.insert(upload);
        Ok(Ok(upload))
    }

    /// All items of a deletion are there: it begins to wait, if it must, and counts, if it is no
    /// plan. What its caller would need, if that is too much.
    fn made(
        &mut self,
        seq: DeletionSeq,
        caller: &str,
        daily_cap: Option<u64>,
        now: Timestamp,
    ) -> Option<CapReached> {
        let deletion = self.deletions.get_mut(&seq)?;
        let open = deletion.open();
        if open == 0 {
            // There is nothing to start, to approve or to wait for.
            deletion.state = DeletionState::Running;
            return None;
        }
        deletion.deadline = deletion.terms.time_in(deletion.state).map(|time| later(now, time));
        deletion.begin_work();
        if deletion.state == DeletionState::Planned {
            return None;
        }
        self.guards.count(caller, open, daily_cap, now)
    }

    /// Does nothing to what is sealed or discarded already.
    pub(super) fn discard(&mut self, upload: DeletionSeq) {
        if self.receiving(upload).is_err() {
            return;
        }
        self.keys.retain(|_, key| key.deletion != upload);
        if let Some(deletion) = self.deletions.get_mut(&upload) {
            deletion.discarded = true;
        }
    }

    pub(super) fn discard_unsealed(&mut self, begun_before: Timestamp) -> usize {
        let is_old =
            |d: &Deletion| !d.discarded && d.state == DeletionState::Receiving && d.created_at < begun_before;
        let old: Vec<_> = self.deletions.iter().filter(|(_, d)| is_old(d)).map(|(seq, _)| *seq).collect();
        for seq in &old {
            self.discard(*seq);
        }
        old.len()
    }

    /// The number behind a public name, if readers may see it.
    pub(super) fn by_id(&self, id: &DeletionId) -> Option<DeletionSeq> {
        self.deletions.iter().find(|(_, d)| d.is_shown() && d.id == *id).map(|(seq, _)| *seq)
    }

    /// The deletion that a verb is about.
    pub(super) fn asked_of(&self, id: &DeletionId) -> Result<DeletionSeq, Verdict> {
        self.by_id(id).ok_or(Verdict::Nobody)
    }
}

fn fresh(
    id: DeletionId,
    requested_by: String,
    reason: Option<String>,
    if_absent: IfAbsent,
    now: Timestamp,
) -> Deletion {
    Deletion {
        id,
        requested_by,
        reason,
        if_absent,
        state: DeletionState::Receiving,
        discarded: false,
        pause: None,
        terms: Terms::default(),
        review: Review::default(),
        deadline: None,
        released_at: None,
        chore: None,
        bulk: false,
        round: 0,
        digest: Digest([0; 32]),
        created_at: now,
        started_at: None,
        finished_at: None,
        sequence: 0,
        baseline: Counts::default(),
        items: Vec::new(),
    }
}

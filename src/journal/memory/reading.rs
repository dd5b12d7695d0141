//! What readers are told.
//!
//! Its own file because nothing here changes anything. Every read looks at
//! everything; that is the point.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Deletion, Item, Stand, State};
use crate::journal::{
    AttemptRow, DeletionFilter, DeletionRow, ItemFilter, ItemRow, LaneShare, OpenLane, Receipt,
};
use crate::types::deletion::{DeletionSeq, ItemKey, ItemState, LaneId};
use crate::types::lifecycle::DeletionState;
use crate::types::target::{AccountId, MediaId};

impl State {
    pub(super) fn deletion_row(&self, seq: DeletionSeq) -> Option<DeletionRow> {
        let deletion = self.deletions.get(&seq).filter(|deletion| deletion.is_shown())?;
        Some(DeletionRow {
            seq,
            id: deletion.id.clone(),
            requested_by: deletion.requested_by.clone(),
            reason: deletion.reason.clone(),
            if_absent: deletion.if_absent,
            state: deletion.state,
            pause: deletion.pause.clone(),
            terms: deletion.terms.clone(),
            review: deletion.review.clone(),
            deadline: deletion.deadline,
            chore: deletion.chore.as_ref().map(|work| work.kind.word()),
            digest: deletion.digest,
            bulk: deletion.bulk,
            round: deletion.round,
            last_outcome: deletion.sequence,
            created_at: deletion.created_at,
            started_at: deletion.started_at,
            finished_at: deletion.finished_at,
            counts: deletion.counts(),
            accounts: deletion.accounts(),
        })
    }

    pub(super) fn deletions(&self, filter: &DeletionFilter, limit: usize) -> Vec<DeletionRow> {
        let fits = |row: &DeletionRow| {
            let sees = |seen: &Vec<AccountId>| row.accounts.iter().all(|account| seen.contains(account));
            filter.visible.as_ref().is_none_or(sees)
                && filter.account.as_ref().is_none_or(|account| row.accounts.contains(account))
                && filter.state.is_none_or(|state| row.state == state)
                && filter.requested_by.as_ref().is_none_or(|by| row.requested_by == *by)
                && filter.since.is_none_or(|since| row.created_at >= since)
                && filter.until.is_none_or(|until| row.created_at < until)
                && filter.before.is_none_or(|before| row.seq < before)
        };
        let newest_first = self.deletions.keys().rev();
        newest_first.filter_map(|seq| self.deletion_row(*seq)).filter(fits).take(limit).collect()
    }

    /// The item whose calls are shown for this one.
    pub(super) fn source(&self, key: ItemKey) -> Option<&Item> {
        let item = self.item(key)?;
        let root = match item.same_as {
            Some(leader) => self.item(ItemKey { index: leader, ..key })?,
            None => item,
        };
        root.served_by.map_or(Some(root), |leader| self.item(leader))
    }

    pub(super) fn row(&self, key: ItemKey) -> Option<ItemRow> {
        let deletion = self.deletions.get(&key.deletion).filter(|deletion| deletion.is_shown())?;
        let item = self.item(key)?;
        let attempts = self.source(key).map_or(&[][..], |source| &source.attempts);
        let (state, done) = match &item.stand {
            Stand::Due(_) | Stand::Behind(_) | Stand::Attached => (ItemState::Pending, None),
            Stand::Sending(_) => (ItemState::Sending, None),
            Stand::Done(ending, place, at) => (ItemState::Done, Some((ending.clone(), *place, *at))),
        };
        let served_by = item.served_by.and_then(|leader| {
            self.deletions.get(&leader.deletion).map(|deletion| (deletion.id.clone(), leader.index))
        });
        Some(ItemRow {
            key,
            deletion: deletion.id.clone(),
            deletion_state: deletion.state,
            wanted: item.wanted.clone(),
            state,
            ending: done.as_ref().map(|(ending, ..)| ending.clone()),
            outcome_seq: done.as_ref().map(|(_, place, _)| *place),
            progress: self.source(key).and_then(|source| source.progress.clone()),
            attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
            last_call: attempts.last().map(|call| (call.lane.operation.clone(), call.request_id.clone())),
            finished_at: done.map(|(.., at)| at),
            same_as: item.same_as,
            coalesced_with: served_by,
            if_absent: deletion.if_absent,
            // A duplicate is looked at, and blocked, with its leader.
            note: self.item(ItemKey { index: item.same_as.unwrap_or(key.index), ..key })?.note.clone(),
        })
    }

    fn rows_of(&self, seq: DeletionSeq) -> impl Iterator<Item = ItemRow> {
        let of_this = self.all().filter(move |(key, ..)| key.deletion == seq);
        of_this.filter_map(|(key, ..)| self.row(key))
    }

    pub(super) fn items(&self, seq: DeletionSeq, filter: &ItemFilter, limit: usize) -> Vec<ItemRow> {
        let fits = |row: &ItemRow| {
            row.key.index >= filter.from
                && filter.state.is_none_or(|state| row.state == state)
                && filter.outcome.is_none_or(|one| row.ending.as_ref().is_some_and(|e| e.outcome == one))
        };
        self.rows_of(seq).filter(fits).take(limit).collect()
    }

    pub(super) fn outcomes(&self, seq: DeletionSeq, after: u32, limit: usize) -> Vec<ItemRow> {
        let mut ended: Vec<_> =
            self.rows_of(seq).filter(|row| row.outcome_seq.is_some_and(|place| place > after)).collect();
        ended.sort_by_key(|row| row.outcome_seq);
        ended.truncate(limit);
        ended
    }

    pub(super) fn receipt(&self, key: ItemKey) -> Option<Receipt> {
        let item = self.row(key)?;
        let calls = self.source(key).map(|source| source.attempts.clone()).unwrap_or_default();
        let attempts = (1..).zip(calls).map(|(number, call)| AttemptRow { number, call }).collect();
        let rounds = self.item(key).map(|item| item.rounds.clone()).unwrap_or_default();
        Some(Receipt { item, attempts, rounds, audit: self.told_of(key) })
    }

    pub(super) fn items_of(
        &self,
        account: &AccountId,
        id: &str,
        before: Option<ItemKey>,
        limit: usize,
    ) -> Vec<ItemRow> {
        let is_it = |key: ItemKey, item: &Item| {
            let root = item.same_as.and_then(|leader| self.item(ItemKey { index: leader, ..key }));
            let resolved = root.map_or(&item.resolved, |root| &root.resolved);
            item.wanted.as_ref().is_some_and(|wanted| {
                wanted.target.account == *account
                    && (wanted.target.name.as_str() == id
                        || resolved.iter().map(MediaId::as_str).any(|r| r == id))
            })
        };
        self.all()
            .rev()
            .filter(|(key, _, item)| before.is_none_or(|before| *key < before) && is_it(*key, item))
            .filter_map(|(key, ..)| self.row(key))
            .take(limit)
            .collect()
    }

    pub(super) fn open_lanes(&self) -> Vec<OpenLane> {
        let mut lanes: BTreeMap<LaneId, OpenLane> = BTreeMap::new();
        // What never ran, or not yet, is in nobody's way.
        let counts = |deletion: &Deletion| {
            matches!(deletion.state, DeletionState::Running | DeletionState::Paused | DeletionState::Canceled)
        };
        for (_, deletion, item) in self.all().filter(|(_, deletion, _)| counts(deletion)) {
            if let (Some(lane), Some(_)) = (item.lane(), item.due()) {
                let open = lanes.entry(lane.clone()).or_insert(OpenLane { lane, waiting: 0, bulk: 0 });
                open.waiting += 1;
                open.bulk += u64::from(deletion.bulk);
            }
        }
        lanes.into_values().collect()
    }

    pub(super) fn shares(&self, seq: DeletionSeq) -> Vec<LaneShare> {
        let Some(own) = self.deletions.get(&seq).filter(|deletion| deletion.is_shown()) else {
            return Vec::new();
        };
        let waits_in = |deletion: &Deletion, lane: &LaneId| {
            let in_lane = |item: &&Item| item.due().is_some() && item.lane().as_ref() == Some(lane);
            deletion.items.iter().filter(in_lane).count() as u64
        };
        let lanes: BTreeSet<LaneId> =
            own.items.iter().filter(|item| item.due().is_some()).filter_map(Item::lane).collect();
        let share = |lane: LaneId| {
            let running = || self.deletions.values().filter(|d| d.hands_out() && waits_in(d, &lane) > 0);
            let callers: BTreeSet<&String> = running().map(|deletion| &deletion.requested_by).collect();
            let siblings = running().filter(|deletion| deletion.requested_by == own.requested_by).count();
            LaneShare {
                waiting: waits_in(own, &lane),
                callers: u32::try_from(callers.len()).unwrap_or(u32::MAX),
                siblings: u32::try_from(siblings).unwrap_or(u32::MAX),
                lane,
            }
        };
        lanes.into_iter().map(share).collect()
    }
}

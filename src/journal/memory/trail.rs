//! What was decided, sent and answered, as a chain of records.
//!
//! Its own file because nearly every write tells of itself here. What is hashed is
//! `journal/audit.rs`. Each call has its own records: whether some share one is a
//! matter of space, and there is no want of it here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::state::State;
use super::{invalid, later};
use crate::journal::audit::{self, Action, AuditFilter, Entry, NOTHING, Ranges, Record, SERVICE, Span};
use crate::journal::{CallRecord, Change, DeletionRow, Error, Next, Settlement};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey};
use crate::types::outcome::{AttemptClass, Outcome};
use crate::types::target::AccountId;

/// Every record, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail(Vec<Record>);

impl Trail {
    pub(super) fn add(&mut self, at: Timestamp, entry: Entry) {
        let (previous, last) = self.0.last().map_or((NOTHING, 0), |record| (record.hash, record.seq));
        self.0.push(Record::after(previous, last + 1, at, entry));
    }

    /// What no other write tells of.
    pub(super) fn add_all(&mut self, at: Timestamp, entries: Vec<Entry>) -> Result<(), Error> {
        for entry in entries {
            if entry.items.as_ref().is_some_and(|span| Ranges::parse(&span.ranges).is_none()) {
                return invalid("a record about items that are no ranges");
            }
            self.add(at, entry);
        }
        Ok(())
    }

    pub(super) fn read(&self, filter: &AuditFilter, limit: usize) -> Vec<Record> {
        let fits = |record: &&Record| {
            let entry = &record.entry;
            let sees = |seen: &Vec<AccountId>| entry.account.as_ref().is_some_and(|one| seen.contains(one));
            filter.visible.as_ref().is_none_or(sees)
                && filter.actor.as_ref().is_none_or(|actor| entry.actor == *actor)
                && filter.action.is_none_or(|action| entry.action == action)
                && filter.account.as_ref().is_none_or(|account| entry.account.as_ref() == Some(account))
                && filter.deletion.as_ref().is_none_or(|id| entry.deletion.as_ref() == Some(id))
                && filter.since.is_none_or(|since| record.at >= since)
                && filter.until.is_none_or(|until| record.at < until)
                && filter.before.is_none_or(|before| record.seq < before)
        };
        self.0.iter().rev().filter(fits).take(limit).cloned().collect()
    }

    /// The places of records that cover an item; of others than its own only those of calls.
    fn covering(&self, deletion: &DeletionId, index: u32, is_own: bool) -> Vec<i64> {
        let covers = |record: &&Record| {
            let entry = &record.entry;
            let is_call = matches!(entry.action, Action::Sent | Action::Answered);
            let has_it = match &entry.items {
                None => is_own,
                Some(span) => Ranges::parse(&span.ranges).is_some_and(|ranges| ranges.contains(index)),
            };
            entry.deletion.as_ref() == Some(deletion) && has_it && (is_own || is_call)
        };
        self.0.iter().filter(covers).map(|record| record.seq).collect()
    }
}

impl State {
    /// Records a decision about a deletion.
    pub(super) fn tell(
        &mut self,
        seq: DeletionSeq,
        action: Action,
        actor: &str,
        reason: Option<&str>,
        now: Timestamp,
    ) {
        let Some(row) = self.deletion_row(seq) else { return };
        // Only what was seen together with its digest is bound to it.
        let binds = matches!(
            action,
            Action::Requested | Action::Planned | Action::Started | Action::Approved | Action::Rejected
        );
        let total = u32::try_from(row.counts.total).unwrap_or(u32::MAX);
        let entry = Entry {
            actor: actor.to_owned(),
            action,
            account: only(&row),
            deletion: Some(row.id),
            items: if binds { Span::all(total, row.digest) } else { None },
            reason: reason.map(str::to_owned),
            vendor_request_id: None,
        };
        self.trail.add(now, entry);
    }

    /// Records that a deletion was asked for.
    pub(super) fn tell_request(&mut self, seq: DeletionSeq, now: Timestamp) {
        let Some(row) = self.deletion_row(seq) else { return };
        let action = if row.terms.plan.is_some() { Action::Planned } else { Action::Requested };
        self.tell(seq, action, &row.requested_by, row.reason.as_deref(), now);
    }

    /// Records a call: what was sent, and what the vendor said, for each deletion that it served.
    pub(super) fn tell_call(&mut self, call: &CallRecord, changes: &[Change]) {
        if call.class == AttemptClass::NotSent {
            return;
        }
        let mut carried: BTreeMap<DeletionSeq, Vec<(u32, Option<Outcome>)>> = BTreeMap::new();
        for change in changes {
            let outcome = match &change.next {
                Next::Ended(ending) => Some(ending.outcome),
                Next::Again { .. } => None,
            };
            carried.entry(change.key.deletion).or_default().push((change.key.index, outcome));
        }
        for (seq, items) in carried {
            let Some(id) = self.deletions.get(&seq).map(|deletion| deletion.id.clone()) else { continue };
            let mut ranges = Ranges::default();
            for (index, _) in &items {
                ranges.add(*index);
            }
            let operation = &call.lane.operation;
            let sent = Entry {
                actor: SERVICE.to_owned(),
                action: Action::Sent,
                account: Some(call.lane.account.clone()),
                deletion: Some(id),
                items: Some(Span {
                    ranges: ranges.to_string(),
                    count: ranges.count(),
                    digest: audit::call_digest(&NOTHING, call, &items),
                }),
                reason: Some(operation.to_string()),
                vendor_request_id: None,
            };
            let said = audit::said(call);
            let told = if said.is_empty() { operation.to_string() } else { format!("{operation}: {said}") };
            let answered = Entry {
                action: Action::Answered,
                reason: Some(told),
                vendor_request_id: call.request_id.clone(),
                ..sent.clone()
            };
            self.trail.add(call.started_at, sent);
            if call.class != AttemptClass::Ambiguous {
                self.trail.add(later(call.started_at, call.duration), answered);
            }
        }
    }

    /// Records how an operator decided items.
    pub(super) fn tell_settled(&mut self, all: &[ItemKey], settlement: &Settlement, now: Timestamp) {
        let Some(row) = all.first().and_then(|key| self.row(*key)) else { return };
        let (mut ranges, outcome) = (Ranges::default(), settlement.ending.outcome);
        for key in all {
            ranges.add(key.index);
        }
        let told: Vec<_> = all.iter().map(|key| (key.index, outcome)).collect();
        let reason = settlement.reason.as_ref();
        let entry = Entry {
            actor: settlement.by.clone(),
            action: Action::Settled,
            account: row.wanted.map(|wanted| wanted.target.account),
            deletion: Some(row.deletion),
            items: Some(Span {
                ranges: ranges.to_string(),
                count: ranges.count(),
                digest: audit::settled_digest(&told),
            }),
            reason: Some(
                reason.map_or(outcome.as_str().to_owned(), |why| format!("{}: {why}", outcome.as_str())),
            ),
            vendor_request_id: None,
        };
        self.trail.add(now, entry);
    }

    /// Records what somebody did about an account, or about all.
    pub(super) fn tell_guard(
        &mut self,
        action: Action,
        actor: &str,
        account: Option<&AccountId>,
        reason: Option<String>,
        now: Timestamp,
    ) {
        let (actor, account) = (actor.to_owned(), account.cloned());
        let (deletion, items, vendor_request_id) = (None, None, None);
        self.trail.add(now, Entry { actor, action, account, deletion, items, reason, vendor_request_id });
    }

    /// The records that are about an item, those of the calls of whoever led it too.
    pub(super) fn told_of(&self, key: ItemKey) -> Vec<i64> {
        let Some(row) = self.row(key) else { return Vec::new() };
        let mut found = self.trail.covering(&row.deletion, key.index, true);
        let mut leaders = vec![row.coalesced_with.clone()];
        if let Some(index) = row.same_as {
            leaders.push(Some((row.deletion, index)));
            // Whom another's call served, served those who follow it.
            leaders.push(self.row(ItemKey { index, ..key }).and_then(|leader| leader.coalesced_with));
        }
        for (deletion, index) in leaders.into_iter().flatten() {
            found.extend(self.trail.covering(&deletion, index, false));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Its account, if it is about one.
fn only(row: &DeletionRow) -> Option<AccountId> {
    row.accounts.first().filter(|_| row.accounts.len() == 1).cloned()
}

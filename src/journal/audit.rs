//! Who asked, who allowed, what was refused, what was sent and what came back.
//!
//! Records are only ever added, each with a hash over itself and the one before
//! it, so that a record that was changed, removed or moved shows. They are written
//! in the transaction of what they tell. Its own file because the hash must be the
//! same on every store. Which rows a store needs for it is its own business.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::CallRecord;
use crate::types::deletion::{DeletionId, Digest};
use crate::types::outcome::Outcome;
use crate::types::target::AccountId;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A deletion was accepted.
    Requested,
    /// A plan was made.
    Planned,
    /// A plan was made real.
    Started,
    /// An approver let a deletion go on.
    Approved,
    /// An approver did not.
    Rejected,
    /// A plan or a request for approval ran out.
    Expired,
    /// A delay was over.
    Released,
    /// A request was refused: no or bad credentials, a missing right, a cap.
    Refused,
    /// A vendor call went out.
    Sent,
    /// The vendor answered it.
    Answered,
    /// A deletion was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// It was canceled.
    Canceled,
    /// Items were opened again.
    Retried,
    /// An operator decided an unknown item.
    Settled,
    /// A hold was put.
    Held,
    /// A hold was lifted.
    Lifted,
    /// A stop switch was set.
    Stopped,
    /// A stop switch was lifted.
    Restarted,
}

impl Action {
    /// All actions. A place in this list is never given a second meaning.
    pub const ALL: [Self; 19] = [
        Self::Requested,
        Self::Planned,
        Self::Started,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Released,
        Self::Refused,
        Self::Sent,
        Self::Answered,
        Self::Paused,
        Self::Resumed,
        Self::Canceled,
        Self::Retried,
        Self::Settled,
        Self::Held,
        Self::Lifted,
        Self::Stopped,
        Self::Restarted,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Requested => "requested",
            Action::Planned => "planned",
            Action::Started => "started",
            Action::Approved => "approved",
            Action::Rejected => "rejected",
            Action::Expired => "expired",
            Action::Released => "released",
            Action::Refused => "refused",
            Action::Sent => "sent",
            Action::Answered => "answered",
            Action::Paused => "paused",
            Action::Resumed => "resumed",
            Action::Canceled => "canceled",
            Action::Retried => "retried",
            Action::Settled => "settled",
            Action::Held => "held",
            Action::Lifted => "lifted",
            Action::Stopped => "stopped",
            Action::Restarted => "restarted",
        }
    }

    /// The action that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// Who acts where no caller does.
pub const SERVICE: &str = "vodrm";

/// What is to be recorded; its place and its hash the store gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The caller, or [`SERVICE`].
    pub actor: String,
    /// What happened.
    pub action: Action,
    /// Where, if it is about one account.
    pub account: Option<AccountId>,
    /// The deletion that it is about.
    pub deletion: Option<DeletionId>,
    /// The items that it is about, if not all.
    pub items: Option<Span>,
    /// Why; with [`Action::Answered`] what the vendor said.
    pub reason: Option<String>,
    /// The vendor's request id.
    pub vendor_request_id: Option<String>,
}

/// Items of one deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Their indexes: `0-19,25`.
    pub ranges: String,
    /// How many.
    pub count: u32,
    /// SHA-256 over what is said of each of them.
    pub digest: Digest,
}

/// One record, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
    /// The hash of the record before it; all zero before the first.
    pub previous: Digest,
    /// The hash over this record and `previous`.
    pub hash: Digest,
}

/// Which records to list. Newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuditFilter {
    /// Only records all of whose accounts are among these (what the reader may see), and none
    /// about no account; `None` sees all.
    pub visible: Option<Vec<AccountId>>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only those about this account.
    pub account: Option<AccountId>,
    /// Only those about this deletion.
    pub deletion: Option<DeletionId>,
    /// Only those at or after.
    pub since: Option<Timestamp>,
    /// Only those before.
    pub until: Option<Timestamp>,
    /// Only those with a lower place (the page token).
    pub before: Option<i64>,
}

impl Span {
    /// All items of a deletion, whose own digest says what they are; `None` if it has none.
    #[must_use]
    pub fn all(total: u32, digest: Digest) -> Option<Self> {
        let last = total.checked_sub(1)?;
        Some(Self { ranges: Ranges::of(0, last).to_string(), count: total, digest })
    }

    /// One item, of which this was decided.
    #[must_use]
    pub fn one(index: u32, outcome: Outcome) -> Self {
        let digest = settled_digest(&[(index, outcome)]);
        Self { ranges: Ranges::of(index, index).to_string(), count: 1, digest }
    }
}

/// Indexes of items, as few ranges as they make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// All from one index to another.
    #[must_use]
    pub fn of(first: u32, last: u32) -> Self {
        Self(vec![(first, last)])
    }

    /// Reads what [`Ranges`] shows of itself; `None` if that is not in order.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut ranges = Vec::<(u32, u32)>::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range: (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            let after = ranges.last().is_none_or(|before| before.1.saturating_add(1) < range.0);
            if range.0 > range.1 || !after {
                return None;
            }
            ranges.push(range);
        }
        let ranges = Self(ranges);
        // One way to write it: no signs, no zeros in front, no range of one.
        (ranges.to_string() == text).then_some(ranges)
    }

    /// Adds one.
    pub fn add(&mut self, index: u32) {
        let at = self.0.partition_point(|(_, last)| last.saturating_add(1) < index);
        match self.0.get_mut(at) {
            Some(range) if range.0.saturating_sub(1) <= index => {
                range.0 = range.0.min(index);
                range.1 = range.1.max(index);
                let last = range.1;
                if let Some(next) = self.0.get(at + 1).copied()
                    && last.saturating_add(1) >= next.0
                {
                    self.0.remove(at + 1);
                    if let Some(range) = self.0.get_mut(at) {
                        range.1 = next.1;
                    }
                }
            }
            Some(_) | None => self.0.insert(at, (index, index)),
        }
    }

    /// Whether this index is among them.
    #[must_use]
    pub fn contains(&self, index: u32) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&index))
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u32 {
        let of = |(first, last): &(u32, u32)| last.saturating_sub(*first).saturating_add(1);
        self.0.iter().map(of).fold(0, u32::saturating_add)
    }

    /// The first and the last.
    #[must_use]
    pub fn bounds(&self) -> Option<(u32, u32)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// Says what is hashed, so that no other hash of ours can be taken for one of these.
const MARK: &[u8] = b"vodrm audit 1";

/// The bytes that stand for a record: every field behind its length, what is missing told from
/// what is empty, so that two that differ are never written alike.
fn encode(seq: i64, at: Timestamp, entry: &Entry) -> Vec<u8> {
    let Entry { actor, action, account, deletion, items, reason, vendor_request_id } = entry;
    let mut bytes = Vec::with_capacity(256);
    let mut add = |field: Option<&[u8]>| match field {
        None => bytes.push(0),
        Some(field) => {
            bytes.push(1);
            bytes.extend_from_slice(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(field);
        }
    };
    add(Some(MARK));
    add(Some(&seq.to_be_bytes()));
    // As it is kept: whole milliseconds.
    add(Some(&at.as_millisecond().to_be_bytes()));
    add(Some(actor.as_bytes()));
    add(Some(action.as_str().as_bytes()));
    add(account.as_ref().map(|account| account.as_str().as_bytes()));
    add(deletion.as_ref().map(|deletion| deletion.as_str().as_bytes()));
    add(items.as_ref().map(|items| items.ranges.as_bytes()));
    add(items.as_ref().map(|items| items.count.to_be_bytes()).as_ref().map(<[u8; 4]>::as_slice));
    add(items.as_ref().map(|items| items.digest.0.as_slice()));
    add(reason.as_ref().map(String::as_bytes));
    add(vendor_request_id.as_ref().map(String::as_bytes));
    bytes
}

/// The hash over a record and the one before it.
#[must_use]
pub fn hash(previous: &Digest, seq: i64, at: Timestamp, entry: &Entry) -> Digest {
    let mut hash = Sha256::new();
    hash.update(previous.0);
    hash.update(encode(seq, at, entry));
    Digest(hash.finalize().into())
}

/// A digest that grows with each call: over the calls before it, the call, and what became of
/// each item, so that what the items' own rows say can be held against it.
#[must_use]
pub fn call_digest(before: &Digest, call: &CallRecord, items: &[(u32, Option<Outcome>)]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(before.0);
    let mut add = |field: &[u8]| {
        hash.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(field);
    };
    add(call.lane.account.as_str().as_bytes());
    add(call.lane.operation.as_str().as_bytes());
    add(call.phase.as_str().as_bytes());
    add(&call.started_at.as_millisecond().to_be_bytes());
    add(&call.duration.as_millis().to_be_bytes());
    add(call.class.as_str().as_bytes());
    add(&call.status.unwrap_or_default().to_be_bytes());
    add(call.vendor_code.as_deref().unwrap_or_default().as_bytes());
    add(call.request_id.as_deref().unwrap_or_default().as_bytes());
    for (index, outcome) in items {
        add(&index.to_be_bytes());
        add(outcome.map_or("open", Outcome::as_str).as_bytes());
    }
    Digest(hash.finalize().into())
}

/// A digest over items and how an operator decided them.
#[must_use]
pub fn settled_digest(items: &[(u32, Outcome)]) -> Digest {
    let mut hash = Sha256::new();
    for (index, outcome) in items {
        hash.update(index.to_be_bytes());
        // No word is the beginning of another.
        hash.update(outcome.as_str().as_bytes());
    }
    Digest(hash.finalize().into())
}

/// What the vendor said to a call.
#[must_use]
pub fn said(call: &CallRecord) -> String {
    let status = call.status.map(|status| status.to_string());
    let both = [status, call.vendor_code.clone()];
    both.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What `previous` is of the first record.
pub const NOTHING: Digest = Digest([0; 32]);

impl Record {
    /// The record that follows on `previous`, which has the place before `seq`.
    #[must_use]
    pub fn after(previous: Digest, seq: i64, at: Timestamp, entry: Entry) -> Self {
        let hash = hash(&previous, seq, at, &entry);
        Self { seq, at, entry, previous, hash }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let text = || "[a-c0]{0,2}";
        let span = (text(), 0..3_u32, 0..2_u8);
        (
            text(),
            0..Action::ALL.len(),
            option::of("[ab]{1,2}"),
            option::of(0..2_u8),
            option::of(span),
            option::of(text()),
            option::of(text()),
        )
            .prop_map(|(actor, action, account, deletion, items, reason, vendor_request_id)| Entry {
                actor,
                action: Action::ALL[action],
                account: account.map(|name| AccountId::parse(&name).unwrap()),
                deletion: deletion
                    .map(|n| DeletionId::parse(&format!("del_0000000000000000000000000{n}")).unwrap()),
                items: items.map(|(ranges, count, n)| Span { ranges, count, digest: Digest([n; 32]) }),
                reason,
                vendor_request_id,
            })
    }

    fn whole() -> impl Strategy<Value = (u8, i64, i64, Entry)> {
        (0..2_u8, 1..4_i64, 0..3_i64, entries())
    }

    fn hashed((previous, seq, at, entry): &(u8, i64, i64, Entry)) -> Digest {
        hash(&Digest([*previous; 32]), *seq, Timestamp::from_millisecond(*at).unwrap(), entry)
    }

    /// The same record with one field changed, once for each field.
    fn changes(entry: &Entry) -> Vec<Entry> {
        let other = |text: &Option<String>| match text {
            None => Some(String::new()),
            Some(text) => Some(format!("{text}x")),
        };
        let without = |text: &Option<String>| text.as_ref().map_or(Some("x".to_owned()), |_| None);
        let span = Span { ranges: "7".to_owned(), count: 1, digest: Digest([9; 32]) };
        let items = entry.items.clone().unwrap_or(span.clone());
        let spans = [
            Some(Span { ranges: format!("{}1", items.ranges), ..items.clone() }),
            Some(Span { count: items.count + 1, ..items.clone() }),
            Some(Span { digest: Digest([8; 32]), ..items.clone() }),
            entry.items.as_ref().map_or(Some(span), |_| None),
        ];
        let next = Action::ALL.into_iter().find(|action| *action != entry.action).unwrap();
        let account = entry.account.as_ref().map_or(AccountId::parse("z").ok(), |_| None);
        let deletion = entry.deletion.as_ref().map_or(Some(DeletionId::new()), |_| None);
        let mut all = vec![
            Entry { actor: format!("{}x", entry.actor), ..entry.clone() },
            Entry { action: next, ..entry.clone() },
            Entry { account, ..entry.clone() },
            Entry { account: AccountId::parse("y").ok(), ..entry.clone() },
            Entry { deletion, ..entry.clone() },
            Entry { deletion: Some(DeletionId::new()), ..entry.clone() },
            Entry { reason: other(&entry.reason), ..entry.clone() },
            Entry { reason: without(&entry.reason), ..entry.clone() },
            Entry { vendor_request_id: other(&entry.vendor_request_id), ..entry.clone() },
            Entry { vendor_request_id: without(&entry.vendor_request_id), ..entry.clone() },
        ];
        all.extend(spans.into_iter().map(|items| Entry { items, ..entry.clone() }));
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_change_of_any_field_changes_the_hash((previous, seq, at, entry) in whole()) {
            let is = hashed(&(previous, seq, at, entry.clone()));
            prop_assert_ne!(is, hashed(&(previous + 1, seq, at, entry.clone())));
            prop_assert_ne!(is, hashed(&(previous, seq + 1, at, entry.clone())));
            prop_assert_ne!(is, hashed(&(previous, seq, at + 1, entry.clone())));
            for changed in changes(&entry) {
                prop_assert_ne!(is, hashed(&(previous, seq, at, changed)));
            }
        }

        #[test]
        fn no_two_that_differ_are_written_alike(one in whole(), other in whole()) {
            let bytes = |of: &(u8, i64, i64, Entry)| encode(of.1, Timestamp::from_millisecond(of.2).unwrap(), &of.3);
            let same = (one.1, one.2, &one.3) == (other.1, other.2, &other.3);
            prop_assert_eq!(bytes(&one) == bytes(&other), same);
        }

        #[test]
        fn ranges_are_the_indexes_that_were_added(indexes in proptest::collection::vec(0..40_u32, 1..40)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for index in indexes {
                ranges.add(index);
                set.insert(index);
                prop_assert!((0..42).all(|n| ranges.contains(n) == set.contains(&n)));
                prop_assert_eq!(ranges.count() as usize, set.len());
                prop_assert_eq!(ranges.bounds(), Some((*set.first().unwrap(), *set.last().unwrap())));
                prop_assert_eq!(Ranges::parse(&ranges.to_string()), Some(ranges.clone()));
            }
        }
    }

    #[test]
    fn ranges_are_written_in_one_way() {
        for text in ["0", "0-19,25", "3-4,6"] {
            assert_eq!(Ranges::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "1-1", "2-1", "1,2", "5,3", "1-4,4", "+1", "01", "1-", "x", "1,", "4294967296"] {
            assert_eq!(Ranges::parse(text), None, "{text}");
        }
        let mut whole = Ranges::of(0, u32::MAX - 1);
        whole.add(u32::MAX);
        assert_eq!(whole.to_string(), "0-4294967295");
    }

    #[test]
    fn an_action_reads_back() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
    }
}

//! Deletions, items, and how far an item has come.
//!
//! A deletion is one accepted request; an item is one target in it. `Progress`
//! is what an item carries from call to call: the asset it was resolved to and
//! its parts, each with what is known of it. It is journaled before a call that
//! depends on it, so that a crash forgets nothing. How these are stored is the
//! journal's business; what happens next is decided in `dispatch`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::{Ending, Outcome};
use super::target::{AccountId, Family, MediaId, OperationName, SnapshotType, Target};

/// A deletion's public name: `del_` and 26 characters that sort by time of birth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeletionId(String);

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl DeletionId {
    /// A new name. Version 7 UUIDs carry their birth in their first 48 bits.
    #[must_use]
    pub fn new() -> Self {
        let bits = uuid::Uuid::now_v7().as_u128();
        let digit = |shift: u32| {
            let five = usize::try_from((bits >> shift) & 31).unwrap_or_default();
            char::from(ALPHABET.get(five).copied().unwrap_or(b'0'))
        };
        let text = (0..26).rev().map(|place| digit(place * 5)).collect::<String>();
        Self(format!("del_{text}"))
    }

    /// Reads a name; anything else cannot name a deletion.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("del_")?;
        (digits.len() == 26 && digits.bytes().all(|b| ALPHABET.contains(&b))).then(|| Self(text.to_owned()))
    }

    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DeletionId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for DeletionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The journal's own number of a deletion; rises with time.
pub type DeletionSeq = i64;

/// One item, as the journal knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The deletion.
    pub deletion: DeletionSeq,
    /// The item's position in it, from 0.
    pub index: u32,
}

/// Whether "not found" is ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfAbsent {
    /// Absent is ok: what was asked for is so.
    #[default]
    Ok,
    /// Absent is an error.
    Error,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// It waits for a call.
    Pending,
    /// A call that carries it may be under way.
    Sending,
    /// It has its outcome.
    Done,
}

impl ItemState {
    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ItemState::Pending => "pending",
            ItemState::Sending => "sending",
            ItemState::Done => "done",
        }
    }

    /// The state that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Sending, Self::Done].into_iter().find(|state| state.as_str() == text)
    }
}

/// What the next call for an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A read that must come before the delete.
    Resolve,
    /// The delete.
    Delete,
    /// A read that settles what an earlier delete did.
    Settle,
}

impl Phase {
    /// The word in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Resolve => "resolve",
            Phase::Delete => "delete",
            Phase::Settle => "settle",
        }
    }

    /// The phase that a word in the journal names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Resolve, Self::Delete, Self::Settle].into_iter().find(|phase| phase.as_str() == text)
    }
}

/// The next call for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The vendor action; with the account it names the lane.
    pub operation: OperationName,
    /// What the call is for.
    pub phase: Phase,
    /// Items travel together only if their groups are equal.
    pub group: String,
}

/// One thing that the vendor deletes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartName {
    /// The asset itself: a video with all that was made from it, an image, an auxiliary asset.
    Asset,
    /// The uploaded source.
    Source,
    /// The rendition that this vendor job made.
    Job(String),
    /// A definition that no job has; it ends `absent` without a call.
    Definition(String),
    /// A rendition by template number, or without one all of the family.
    Rendition {
        /// The family.
        family: Family,
        /// The template number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
    },
    /// Snapshots of one type.
    Snapshots(SnapshotType),
    /// Snapshots of every type.
    AllSnapshots,
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartName::Asset => f.write_str("asset"),
            PartName::Source => f.write_str("source"),
            PartName::Job(id) => write!(f, "job:{id}"),
            PartName::Definition(name) => write!(f, "definition:{name}"),
            PartName::Rendition { family, definition: Some(number) } => {
                write!(f, "{}:{number}", family.as_str())
            }
            PartName::Rendition { family, definition: None } => f.write_str(family.as_str()),
            PartName::Snapshots(kind) => write!(f, "snapshots:{}", kind.as_str()),
            PartName::AllSnapshots => f.write_str("snapshots"),
        }
    }
}

/// A part and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part.
    pub name: PartName,
    /// How it ended; `None` while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// A read has shown it standing before the first delete went out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
    /// An open question about an earlier delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// An open question about a delete that went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// When the first delete went out whose effect is not known.
    pub first_sent: Timestamp,
    /// When the latest of them ended without telling.
    pub since: Timestamp,
    /// What is open.
    pub kind: DoubtKind,
    /// The last read that looked for the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// A read that looked for a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// Whether it showed the part standing; if not, it could not tell.
    pub stands: bool,
}

/// What is open about a delete that went out, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// The vendor said "not found" of several at once, not of which.
    Unclear,
    /// The vendor refused with a code that is in no table: probably nothing was done.
    Odd,
    /// The vendor answered, but not what it did; it is no longer at work.
    Answered,
    /// No answer came; the vendor may still be at work on it.
    Lost,
}

impl Part {
    /// A part of which nothing is known yet.
    #[must_use]
    pub fn named(name: PartName) -> Self {
        Self { name, ending: None, seen: false, doubt: None }
    }

    /// Whether an earlier delete of it may have worked without our knowing. A part
    /// that was seen standing and of which "not found" was then said is gone by our hand.
    #[must_use]
    pub fn may_be_gone(&self) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| doubt.kind > DoubtKind::Unclear || self.seen)
    }

    /// Whether no read has looked for it since its doubt arose.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let is_new = |doubt: &Doubt| doubt.asked.is_none_or(|asked| asked.at < doubt.since);
        self.is_open() && self.doubt.as_ref().is_some_and(is_new)
    }

    /// Whether it still needs a call.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ending.is_none()
    }
}

/// How far an item has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The vendor's id that a reference id was resolved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<MediaId>,
    /// The parts, in order; empty until they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// When the read that must come before the delete was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// At most so many parts in one call, once a larger crowd was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<u32>,
}

impl Progress {
    /// Progress with these parts, nothing known of them.
    #[must_use]
    pub fn with_parts(parts: Vec<Part>) -> Self {
        Self { parts, ..Self::default() }
    }

    /// Whether a delete of it went out and did something, or may have: then it
    /// cannot be canceled, since "never sent" would not be true.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.parts.iter().any(|part| part.ending.is_some() || part.doubt.is_some())
    }

    /// What the whole item ends with once every part has ended: `deleted` if at
    /// least one part was and the rest were absent, else the worst part's ending.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        let mut worst: Option<&Ending> = None;
        for part in &self.parts {
            let ending = part.ending.as_ref()?;
            let rank = |e: &Ending| (e.outcome.severity(), u8::from(e.inferred));
            if worst.is_none_or(|w| rank(ending) > rank(w)) {
                worst = Some(ending);
            }
        }
        worst.cloned()
    }
}

/// How many items of a deletion stand where. They always add up to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All items.
    pub total: u64,
    /// Those with each outcome, in the order of [`Outcome::ALL`].
    pub by_outcome: [u64; Outcome::ALL.len()],
}

impl Counts {
    /// How many items ended so.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome.place()]
    }

    /// Items without an outcome yet.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.total.saturating_sub(self.by_outcome.iter().sum())
    }

    /// Whether every item is ok.
    #[must_use]
    pub fn all_ok(&self, if_absent: IfAbsent) -> bool {
        let absent = match if_absent {
            IfAbsent::Ok => self.of(Outcome::Absent),
            IfAbsent::Error => 0,
        };
        self.of(Outcome::Deleted) + absent == self.total
    }
}

/// A lane: the queue of one account and operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    /// The account.
    pub account: AccountId,
    /// The vendor action.
    pub operation: OperationName,
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.operation)
    }
}

/// A target with the caller's label on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What is to go.
    pub target: Target,
    /// The caller's own label, echoed back.
    pub label: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{ItemError, Reason};
    use super::*;

    #[test]
    fn a_deletions_name_sorts_by_birth_and_reads_back() {
        let (first, second) = (DeletionId::new(), DeletionId::new());
        assert!(first <= second);
        assert_eq!(DeletionId::parse(first.as_str()), Some(first));
        assert_eq!(DeletionId::parse("del_short"), None);
        assert_eq!(DeletionId::parse("del_01JD0000000000000000000O00"), None);
    }

    #[test]
    fn parts_make_deleted_only_with_nothing_worse_than_absent() {
        let part = |ending| Part { ending: Some(ending), ..Part::named(PartName::Asset) };
        let failed = || Ending::not_ok(Outcome::Failed, ItemError::new(Reason::Unavailable, "x"));
        let whole = |endings: Vec<Ending>| {
            Progress::with_parts(endings.into_iter().map(part).collect()).ending().unwrap().outcome
        };
        assert_eq!(whole(vec![Ending::absent(), Ending::absent()]), Outcome::Absent);
        assert_eq!(whole(vec![Ending::absent(), Ending::deleted()]), Outcome::Deleted);
        assert_eq!(whole(vec![Ending::deleted(), failed()]), Outcome::Failed);
        assert_eq!(Progress::with_parts(vec![Part::named(PartName::Asset)]).ending(), None);
    }

    #[test]
    fn counts_add_up() {
        let counts = Counts { total: 5, by_outcome: [2, 1, 0, 0, 0, 0, 0] };
        assert_eq!(counts.open(), 2);
        assert!(!counts.all_ok(IfAbsent::Ok));
        let done = Counts { total: 3, ..counts };
        assert!(done.all_ok(IfAbsent::Ok) && !done.all_ok(IfAbsent::Error));
    }
}

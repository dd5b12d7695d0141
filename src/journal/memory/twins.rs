//! The model and SQLite, side by side.
//!
//! Random runs of journal writes are played on both; every answer and, at the end,
//! every row must be the same. Its own file because it tests neither alone: where
//! they differ, one of them, or the contract, is wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::MemoryJournal;
use crate::journal::audit::{self, Action, AuditFilter, Entry, NOTHING, Ranges, Record};
use crate::journal::contract::{LEASE, account, delete, deletion, item, lane, step};
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{
    Accepted, Asked, Begun, CallRecord, Change, ChoreKind, ChoreWord, Claimed, DeletionFilter, DeletionRow,
    Error, Found, ItemFilter, ItemRow, Journal, NewDeletion, NewItem, NewUpload, Next, Note, Noted, Once,
    Quarantine, Receipt, Recorded, Reopen, Rescue, Retry, Seal, Sealed, Settled, Settlement, Start, Turned,
};
use crate::types::clock::{Clock, ManualClock};
use crate::types::deletion::{
    DeletionId, DeletionSeq, Digest, Doubt, DoubtKind, IfAbsent, Part, PartName, Phase, Progress,
};
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::lifecycle::{DeletionState, Passed, Pause, PauseCode, Terms, Verb};
use crate::types::metrics::Metrics;
use crate::types::outcome::{AttemptClass, Ending, ItemError, Outcome, Reason};

/// Of each of the two tests.
const CASES: u32 = 100;
const OPERATIONS: [&str; 2] = ["DeleteVideo", "GetPlayInfo"];
const CALLERS: [&str; 3] = ["ops", "night-job", "web"];
/// Callers, and one who never asks for a deletion.
const DECIDERS: [&str; 4] = ["ops", "night-job", "web", "boss"];
const HELD: [&str; 3] = ["v1", "v2", "v*"];

/// Kind of start, name, operation, group, what it hangs on.
type Item = (u8, u8, usize, bool, usize);

/// What a deletion waits for, and its caller's cap.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn apart")]
#[derive(Debug, Clone)]
struct Gates {
    plan: bool,
    approval: bool,
    delay: bool,
    check: bool,
    quarantine: bool,
    cap: Option<u64>,
}

impl Gates {
    fn terms(&self) -> Terms {
        let seconds = Duration::from_secs;
        Terms {
            plan: self.plan.then(|| seconds(25)),
            approval: self.approval.then(|| seconds(20)),
            delay: if self.delay { seconds(10) } else { Duration::ZERO },
            check: self.check,
            quarantine: self.quarantine,
        }
    }
}

/// A verb, with who asks and what they have seen.
#[derive(Debug, Clone)]
struct Wish {
    /// `None` is what leads on from where the deletion stands.
    verb: Option<Verb>,
    by: usize,
    /// Nothing, the digest, or another.
    seen: u8,
    cap: Option<u64>,
    /// Whether what a cancel leaves to do is done at once.
    steps: bool,
}

#[derive(Debug, Clone)]
enum Op {
    Append(usize, Vec<Item>, Option<u8>, Gates),
    /// And whether it is sealed.
    Upload(usize, Vec<Item>, bool, Gates),
    Claim(usize, usize),
    /// Of what was handed out from here on so many: how it goes on.
    Record(usize, usize, u8),
    Rescue(bool, usize),
    Turn(usize, Wish),
    Settle(usize),
    /// A step of one of the chores, and how.
    Step(usize, u8),
    /// Time does what it does to those whose deadline is over.
    Lapse(usize),
    Hold(usize, usize),
    Lift(usize),
    /// Of the account or of all, by whom.
    Stop(bool, usize),
    Restart(bool),
    PauseAll,
    Advance(u64),
}

fn gates() -> impl Strategy<Value = Gates> {
    let some = proptest::bool::weighted;
    let cap = proptest::option::weighted(0.2, 0..14_u64);
    (some(0.25), some(0.35), some(0.35), some(0.3), some(0.6), cap).prop_map(
        |(plan, approval, delay, check, quarantine, cap)| Gates {
            plan,
            approval,
            delay,
            check,
            quarantine,
            cap,
        },
    )
}

fn wish() -> impl Strategy<Value = Wish> {
    let verb = prop_oneof![2 => proptest::sample::select(Verb::ALL.to_vec()).prop_map(Some), 3 => Just(None)];
    let by = prop_oneof![2 => Just(DECIDERS.len() - 1), 1 => 0..DECIDERS.len()];
    let seen = prop_oneof![4 => Just(0_u8), 4 => Just(1), 1 => Just(2)];
    let cap = proptest::option::weighted(0.3, 0..6_u64);
    (verb, by, seen, cap, any::<bool>()).prop_map(|(verb, by, seen, cap, steps)| Wish {
        verb,
        by,
        seen,
        cap,
        steps,
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let items =
        || proptest::collection::vec((0_u8..8, 0_u8..6, 0..2_usize, any::<bool>(), any::<usize>()), 1..7);
    let key = || proptest::option::weighted(0.2, 0_u8..2);
    let op = prop_oneof![
        4 => (0..3_usize, items(), key(), gates()).prop_map(|(a, b, c, d)| Op::Append(a, b, c, d)),
        1 => (0..3_usize, items(), any::<bool>(), gates()).prop_map(|(a, b, c, d)| Op::Upload(a, b, c, d)),
        7 => (0..2_usize, 1..6_usize).prop_map(|(a, b)| Op::Claim(a, b)),
        7 => (any::<usize>(), 1..5_usize, 0_u8..10).prop_map(|(a, b, c)| Op::Record(a, b, c)),
        1 => (any::<bool>(), 1..4_usize).prop_map(|(a, b)| Op::Rescue(a, b)),
        7 => (any::<usize>(), wish()).prop_map(|(a, b)| Op::Turn(a, b)),
        1 => any::<usize>().prop_map(Op::Settle),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(a, b)| Op::Step(a, b)),
        2 => (1..4_usize).prop_map(Op::Lapse),
        1 => (0..HELD.len(), 0..DECIDERS.len()).prop_map(|(a, b)| Op::Hold(a, b)),
        1 => (0..HELD.len()).prop_map(Op::Lift),
        1 => (any::<bool>(), 0..DECIDERS.len()).prop_map(|(a, b)| Op::Stop(a, b)),
        1 => any::<bool>().prop_map(Op::Restart),
        1 => Just(Op::PauseAll),
        3 => (1..20_u64).prop_map(Op::Advance),
    ];
    proptest::collection::vec(op, 10..70)
}

/// What the runs came to: those in which nothing happens prove nothing.
type Seen = RefCell<BTreeMap<String, usize>>;

struct Pair<'a> {
    seen: &'a Seen,
    model: MemoryJournal,
    sqlite: SqliteJournal,
    clock: Arc<ManualClock>,
    /// Whether names are shared between deletions.
    shared: bool,
    made: Vec<(DeletionId, DeletionSeq)>,
    handed_out: Vec<Claimed>,
}

/// Asks both and holds their answers against each other.
macro_rules! both {
    ($pair:expr, $method:ident ( $($argument:expr),* ), $order:expr) => {{
        let of_model = $pair.model.$method($($argument),*).await;
        let of_sqlite = $pair.sqlite.$method($($argument),*).await;
        let (of_model, of_sqlite) = (same_words(of_model).map($order), same_words(of_sqlite).map($order));
        prop_assert_eq!(&of_model, &of_sqlite, "{}: the model first, SQLite second", stringify!($method));
        of_model
    }};
}

/// Errors are equal if they are of one kind.
fn same_words<T>(result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| match error {
        Error::Invalid(_) => Error::Invalid(String::new()),
        other @ (Error::DiskFull
        | Error::Unavailable(_)
        | Error::Uncertain(_)
        | Error::Unreadable(_)
        | Error::Overloaded) => other,
    })
}

/// In which order one commit ends its items is not promised.
fn in_order(mut recorded: Recorded) -> Recorded {
    recorded.ended.sort_unstable();
    recorded.waiting.sort_by_key(|waiting| waiting.lane.clone());
    recorded
}

/// Nor which of them gets which place in the sequence: the places are compared apart.
fn row(row: ItemRow) -> ItemRow {
    ItemRow { outcome_seq: None, ..row }
}

fn rows(rows: Vec<ItemRow>) -> Vec<ItemRow> {
    rows.into_iter().map(row).collect()
}

fn places(found: Vec<ItemRow>) -> (Vec<Option<u32>>, Vec<ItemRow>) {
    let places = found.iter().map(|item| item.outcome_seq).collect();
    let mut found = rows(found);
    found.sort_by_key(|item| item.key);
    (places, found)
}

fn settled(settled: Settled) -> Settled {
    match settled {
        Settled::Done(item, recorded) => Settled::Done(row(item), in_order(recorded)),
        Settled::Wrong(item) => Settled::Wrong(row(item)),
        Settled::NoItem => Settled::NoItem,
    }
}

fn turned(turned: Option<Turned>) -> Option<Turned> {
    turned.map(|turned| match turned {
        Turned::Done(row, recorded) => Turned::Done(row, in_order(recorded)),
        other @ (Turned::Same(_)
        | Turned::Wrong(_)
        | Turned::OtherDigest(_)
        | Turned::Own(_)
        | Turned::CapReached(_)) => other,
    })
}

impl Pair<'_> {
    fn saw(&self, what: impl Into<String>) {
        *self.seen.borrow_mut().entry(what.into()).or_default() += 1;
    }

    fn name(&self, name: u8) -> String {
        if self.shared { format!("v{name}") } else { format!("d{}-v{name}", self.made.len()) }
    }

    fn items(&self, starts: &[Item], staged: bool, runs: bool) -> Vec<NewItem> {
        let of = |(index, (kind, name, operation, grouped, hook)): (usize, &Item)| {
            let step = step(OPERATIONS[*operation], if *grouped { "g" } else { "" });
            let hook = u32::try_from(hook % index.max(1)).unwrap();
            let start = match kind {
                0 => Start::Ended(Ending::absent()),
                // What is sent too early must be refused; but not always, or little would be made.
                1 | 2 if !staged && (runs || hook == 3) => Start::Sends { step, lease: LEASE },
                3 if !staged && index > 0 => Start::Follows { leader: hook },
                4 if !staged && index > 0 => Start::After { earlier: hook, step },
                _ => Start::Waits(step),
            };
            // Only an upload finds its own repeats.
            let name = if staged { self.name(*name) } else { format!("{}-{index}", self.name(*name)) };
            item(&name, start)
        };
        starts.iter().enumerate().map(of).collect()
    }

    async fn play(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Append(caller, starts, key, gates) => {
                let terms = gates.terms();
                let items = self.items(starts, false, terms.state(Passed::Nothing).sends());
                let once = key.map(|key| Once {
                    key: key.to_string(),
                    fingerprint: Digest([u8::try_from(starts.len()).unwrap(); 32]),
                    keep: Duration::from_secs(30),
                });
                let new = NewDeletion {
                    requested_by: CALLERS[*caller].to_owned(),
                    once,
                    terms,
                    daily_cap: gates.cap,
                    ..deletion(items)
                };
                let accepted = both!(self, append(new.clone()), |accepted| accepted);
                match accepted {
                    Ok(Accepted::New(appended)) => {
                        self.made.push((new.id, appended.seq));
                        self.handed_out.extend(appended.claimed);
                    }
                    Ok(Accepted::CapReached(_)) => self.saw("append over a cap"),
                    Ok(Accepted::Known(_) | Accepted::KeyReused | Accepted::KeyBusy) => {}
                    Err(_) => self.saw("sent too early"),
                }
            }
            Op::Upload(caller, starts, whole, gates) => {
                let new = NewUpload {
                    id: DeletionId::new(),
                    requested_by: CALLERS[*caller].to_owned(),
                    reason: None,
                    if_absent: IfAbsent::Ok,
                    key: None,
                };
                let begun = both!(self, begin(new.clone()), |begun| begun);
                let Ok(Begun::Receiving(seq)) = begun else { return Ok(()) };
                let items = self.items(starts, true, false);
                both!(self, stage(seq, 0, items.clone()), |done| done).unwrap();
                let total = u32::try_from(items.len()).unwrap();
                let (terms, daily_cap) = (gates.terms(), gates.cap);
                let seal = Seal { total, digest: Digest([3; 32]), fingerprint: None, terms, daily_cap };
                let is_sealed = *whole && {
                    let sealed = both!(self, seal(seq, seal.clone()), |sealed| sealed).unwrap();
                    matches!(sealed, Sealed::Done(_))
                };
                if is_sealed {
                    self.made.push((new.id, seq));
                } else {
                    both!(self, discard(seq), |done| done).unwrap();
                }
            }
            Op::Claim(operation, max) => {
                let lane = lane(OPERATIONS[*operation]);
                let claim = both!(self, claim(&lane, *max, LEASE), |claim| claim).unwrap();
                self.handed_out.extend(claim.items);
            }
            Op::Record(from, many, how) => self.record(*from, *many, *how).await?,
            Op::Rescue(all, max) => {
                let which = if *all { Rescue::All } else { Rescue::Expired };
                let items = both!(self, rescue(which, *max, LEASE), |items| items).unwrap();
                self.handed_out.extend(items);
            }
            Op::Turn(n, wish) => self.turn(*n, wish).await?,
            Op::Settle(n) => {
                let Some((_, seq)) = self.made.get(n % self.made.len().max(1)).cloned() else {
                    return Ok(());
                };
                let filter = ItemFilter { outcome: Some(Outcome::Unknown), ..ItemFilter::default() };
                let items = both!(self, items(seq, filter.clone(), 100), rows).unwrap();
                for item in items {
                    let (by, reason) = ("ops".to_owned(), None);
                    let settlement = Settlement { ending: Ending::absent(), by, reason };
                    both!(self, settle(item.key, settlement.clone()), settled).unwrap();
                }
            }
            Op::Step(n, how) => self.step(*n, *how).await?,
            Op::Lapse(limit) => {
                let lapsed = both!(self, lapsed(*limit), |lapsed| lapsed).unwrap();
                for id in lapsed.ids {
                    let asked = Asked { reason: None, ..self.asked(Verb::Lapse, audit::SERVICE) };
                    let done = both!(self, turn(&id, asked.clone()), turned).unwrap();
                    if let Some(Turned::Done(row, _)) = done {
                        self.saw(format!("lapse to {}", row.state));
                    }
                }
            }
            Op::Hold(id, by) => {
                let hold = Hold {
                    account: account(),
                    id: HoldId::parse(HELD[*id]).unwrap(),
                    asset: None,
                    reason: "evidence".to_owned(),
                    held_by: DECIDERS[*by].to_owned(),
                    held_at: self.clock.now(),
                };
                both!(self, hold(hold.clone()), |done| done).unwrap();
            }
            Op::Lift(id) => {
                let id = HoldId::parse(HELD[*id]).unwrap();
                both!(self, lift(&account(), &id, "boss"), |hold| hold).unwrap();
            }
            Op::Stop(all, by) => {
                let (reason, by) = (Some("wait".to_owned()), DECIDERS[*by].to_owned());
                let stop = Stop { account: (!all).then(account), reason, by, at: self.clock.now() };
                both!(self, stop(stop.clone()), |was_off| was_off).unwrap();
            }
            Op::Restart(all) => {
                let one = (!all).then(account);
                both!(self, restart(one.as_ref(), "boss", None), |was_on| was_on).unwrap();
            }
            Op::PauseAll => {
                let pause = Pause { code: PauseCode::JournalMoved, ..self.pause() };
                both!(self, pause_all(pause.clone()), |paused| paused).unwrap();
            }
            Op::Advance(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
        }
        Ok(())
    }

    async fn record(&mut self, from: usize, many: usize, how: u8) -> Result<(), TestCaseError> {
        let count = self.handed_out.len();
        let from = from % count.max(1);
        let now = self.clock.now();
        let doubt = Doubt { first_sent: now, since: now, kind: DoubtKind::Lost, asked: None };
        let sent = Progress::with_parts(vec![Part { doubt: Some(doubt), ..Part::named(PartName::Asset) }]);
        let busy = Ending::not_ok(Outcome::Busy, ItemError::new(Reason::Busy, "later"));
        let unknown = Ending::not_ok(Outcome::Unknown, ItemError::new(Reason::Unsettled, "who knows"));
        let change = |item: &Claimed| {
            let again = |operation, wait| Next::Again {
                step: step(operation, ""),
                due_at: now + Duration::from_secs(wait),
                counts: true,
            };
            let next = match how {
                0..3 => Next::Ended(Ending::deleted()),
                3 => Next::Ended(busy.clone()),
                4 => Next::Ended(unknown.clone()),
                5 => again(OPERATIONS[0], 0),
                6 => again(OPERATIONS[1], 3),
                _ => again(OPERATIONS[0], 5),
            };
            let progress = (how == 6).then(|| sent.clone());
            Change { key: item.key, generation: item.generation, progress, next }
        };
        let changes: Vec<Change> = self.handed_out[from..count.min(from + many)].iter().map(change).collect();
        let call = CallRecord {
            lane: lane(OPERATIONS[0]),
            phase: Phase::Delete,
            started_at: now,
            duration: Duration::from_micros(1_700),
            class: AttemptClass::Answered,
            status: Some(200),
            vendor_code: None,
            request_id: None,
        };
        both!(self, record(call.clone(), changes.clone()), in_order).unwrap();
        Ok(())
    }

    fn pause(&self) -> Pause {
        Pause { code: PauseCode::Operator, reason: None, by: None, at: self.clock.now() }
    }

    fn asked(&self, verb: Verb, by: &str) -> Asked {
        Asked {
            verb,
            by: by.to_owned(),
            reason: Some("so be it".to_owned()),
            pause: (verb == Verb::Pause).then(|| self.pause()),
            digest: None,
            daily_cap: None,
        }
    }

    /// One step of what is to be done in steps.
    async fn step(&mut self, n: usize, how: u8) -> Result<(), TestCaseError> {
        let chores = both!(self, chores(), |chores| chores).unwrap();
        let Some(chore) = chores.get(n % chores.len().max(1)) else { return Ok(()) };
        let (from, found, marks) = match &chore.kind {
            ChoreKind::Cancel | ChoreKind::Retry { .. } => {
                both!(self, cancel_step(chore.seq, 1_000), |(done, more)| (in_order(done), more)).unwrap();
                return Ok(());
            }
            ChoreKind::Check { from } => (*from, [Found::Missing, Found::Untold("busy".to_owned())], None),
            ChoreKind::Quarantine { from } => {
                let marks = [Quarantine::Blocked, Quarantine::BlockedBefore, Quarantine::NotBlocked];
                (*from, [Found::Missing, Found::Missing], Some(marks[usize::from(how) % marks.len()]))
            }
            ChoreKind::Lift { from } => {
                let marks = [Quarantine::Lifted, Quarantine::NotLifted];
                (*from, [Found::Missing, Found::Missing], Some(marks[usize::from(how) % marks.len()]))
            }
        };
        let row = both!(self, deletion(&chore.id), |row| row).unwrap().unwrap();
        let total = u32::try_from(row.counts.total).unwrap();
        let until = total.min(from + 1 + u32::from(how % 3));
        let note = |index: u32| {
            let found = marks.is_none().then(|| found[usize::from(how / 3 % 2)].clone());
            (index, Note { found, quarantine: marks })
        };
        let word = if how.is_multiple_of(16) { ChoreWord::Lift } else { chore.kind.word() };
        let noted = Noted {
            chore: word,
            notes: (from..until).map(note).collect(),
            next: (until < total).then_some(until),
        };
        let done = both!(self, note(chore.seq, noted.clone()), |done| done).unwrap();
        self.saw(format!("note of {word:?}: {done}"));
        Ok(())
    }

    async fn turn(&mut self, n: usize, wish: &Wish) -> Result<(), TestCaseError> {
        let Some((id, seq)) = self.made.get(n % self.made.len().max(1)).cloned() else { return Ok(()) };
        let Some(row) = both!(self, deletion(&id), |row| row).unwrap() else { return Ok(()) };
        let verb = wish.verb.unwrap_or(match row.state {
            DeletionState::Planned => Verb::Start,
            DeletionState::AwaitingApproval => Verb::Approve,
            DeletionState::Paused => Verb::Resume,
            DeletionState::Running | DeletionState::Scheduled => Verb::Pause,
            DeletionState::Receiving
            | DeletionState::Finished
            | DeletionState::Canceled
            | DeletionState::Rejected
            | DeletionState::Expired => Verb::Retry,
        });
        if verb == Verb::Retry {
            let items = both!(self, retriable(seq, 0, 100), rows).unwrap();
            let due_at = self.clock.now();
            let open = |row: &crate::journal::ItemRow| Reopen {
                key: row.key,
                step: delete(),
                progress: None,
                due_at,
            };
            let (by, reason) = ("ops".to_owned(), Some("again".to_owned()));
            let retry = Retry { items: items.iter().map(open).collect(), next: None, by, reason };
            both!(self, retry(&id, retry.clone()), turned).unwrap();
            return Ok(());
        }
        let digest = match wish.seen {
            0 => None,
            1 => Some(row.digest),
            _ => Some(Digest([1; 32])),
        };
        let asked = Asked { digest, daily_cap: wish.cap, ..self.asked(verb, DECIDERS[wish.by]) };
        match both!(self, turn(&id, asked.clone()), turned).unwrap() {
            Some(Turned::Done(row, _)) => self.saw(format!("{} to {}", verb.as_str(), row.state)),
            Some(Turned::Same(_)) => self.saw("same"),
            Some(Turned::Wrong(row)) => self.saw(format!("wrong in {}", row.state)),
            Some(Turned::OtherDigest(_)) => self.saw("other digest"),
            Some(Turned::Own(_)) => self.saw("own"),
            Some(Turned::CapReached(_)) => self.saw("start over a cap"),
            None => {}
        }
        if wish.steps {
            while both!(self, cancel_step(seq, 1_000), |(done, more)| (in_order(done), more)).unwrap().1 {}
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let deletions = both!(self, deletions(DeletionFilter::default(), 1_000), |found| found).unwrap();
        both!(self, open_lanes(), |lanes| lanes).unwrap();
        both!(self, chores(), |chores| chores).unwrap();
        both!(self, lapsed(1_000), |lapsed| lapsed).unwrap();
        both!(self, holds(), |holds| holds).unwrap();
        both!(self, stops(), |stops| stops).unwrap();
        // What was gathered goes into the chain; nothing is so old that it is removed.
        self.clock.advance(Duration::from_mins(1));
        let long_ago = self.clock.now() - jiff::SignedDuration::from_hours(999);
        while self.model.clean(long_ago, 1_000).await.unwrap() {}
        while self.sqlite.clean(long_ago, 1_000).await.unwrap() {}
        let of_model = Told::of(self.model.audited(AuditFilter::default(), 10_000).await.unwrap())?;
        let of_sqlite = Told::of(self.sqlite.audited(AuditFilter::default(), 10_000).await.unwrap())?;
        prop_assert_eq!(of_model.decisions(), of_sqlite.decisions(), "decisions: the model first");
        prop_assert_eq!(of_model.calls(), of_sqlite.calls(), "calls: the model first");
        for filter in filters(&deletions) {
            let of_model = Told::of_some(self.model.audited(filter.clone(), 10_000).await.unwrap());
            let of_sqlite = Told::of_some(self.sqlite.audited(filter.clone(), 10_000).await.unwrap());
            prop_assert_eq!(of_model.decisions(), of_sqlite.decisions(), "{:?}", filter);
            // A record that several calls share is as old as the first of them.
            if filter.since.is_none() && filter.until.is_none() {
                prop_assert_eq!(of_model.calls(), of_sqlite.calls(), "{:?}", filter);
            }
        }
        for deletion in deletions {
            both!(self, shares(deletion.seq), |shares| shares).unwrap();
            both!(self, outcomes(deletion.seq, 0, 1_000), places).unwrap();
            let items = both!(self, items(deletion.seq, ItemFilter::default(), 1_000), rows).unwrap();
            for item in items {
                both!(self, item(item.key), |receipt| receipt.map(|receipt| Receipt {
                    item: row(receipt.item),
                    audit: Vec::new(),
                    ..receipt
                }))
                .unwrap();
                let told = |receipt: Option<Receipt>, of: &Told| of.named(&receipt.unwrap().audit);
                let of_model = told(self.model.item(item.key).await.unwrap(), &of_model);
                let of_sqlite = told(self.sqlite.item(item.key).await.unwrap(), &of_sqlite);
                prop_assert_eq!(of_model, of_sqlite, "the records of {:?}", item.key);
                let name = item
                    .wanted
                    .as_ref()
                    .map(|wanted| wanted.target.name.as_str().to_owned())
                    .unwrap_or_default();
                both!(self, items_of(&account(), &name, None, 100), rows).unwrap();
            }
        }
        Ok(())
    }
}

/// What the audit tells.
struct Told(BTreeMap<i64, Record>);

/// Items that records of calls cover, by deletion and action.
type Covered = BTreeMap<(Option<DeletionId>, Action), BTreeSet<u32>>;

impl Told {
    /// All records, newest first: a chain.
    fn of(records: Vec<Record>) -> Result<Self, TestCaseError> {
        let told = Self::of_some(records);
        let (mut previous, mut last) = (NOTHING, 0);
        for (seq, record) in &told.0 {
            prop_assert_eq!((*seq, record.previous), (last + 1, previous));
            prop_assert_eq!(record.hash, audit::hash(&previous, *seq, record.at, &record.entry));
            (previous, last) = (record.hash, *seq);
        }
        Ok(told)
    }

    fn of_some(records: Vec<Record>) -> Self {
        Self(records.into_iter().map(|record| (record.seq, record)).collect())
    }

    /// How many calls share a record is the store's business.
    fn is_call(record: &Record) -> bool {
        matches!(record.entry.action, Action::Sent | Action::Answered)
    }

    fn decisions(&self) -> Vec<(Timestamp, &Entry)> {
        let decisions = self.0.values().filter(|record| !Self::is_call(record));
        decisions.map(|record| (record.at, &record.entry)).collect()
    }

    fn calls(&self) -> Covered {
        let mut covered = Covered::new();
        for record in self.0.values().filter(|record| Self::is_call(record)) {
            let entry = &record.entry;
            let ranges = entry.items.as_ref().and_then(|span| Ranges::parse(&span.ranges)).unwrap();
            let (first, last) = ranges.bounds().unwrap();
            let items = (first..=last).filter(|index| ranges.contains(*index));
            covered.entry((entry.deletion.clone(), entry.action)).or_default().extend(items);
        }
        covered
    }

    /// Of these places: the decisions, and which kinds of records of calls there are.
    fn named(&self, seqs: &[i64]) -> (Vec<Entry>, BTreeSet<(Option<DeletionId>, Action)>) {
        let (calls, decisions): (Vec<&Record>, Vec<&Record>) =
            seqs.iter().map(|seq| &self.0[seq]).partition(|record| Self::is_call(record));
        let of_call = |record: &Record| (record.entry.deletion.clone(), record.entry.action);
        (
            decisions.into_iter().map(|record| record.entry.clone()).collect(),
            calls.into_iter().map(of_call).collect(),
        )
    }
}

/// Some of every kind.
fn filters(deletions: &[DeletionRow]) -> Vec<AuditFilter> {
    let any = AuditFilter::default;
    let middle = deletions.get(deletions.len() / 2);
    let at = middle.map(|row| row.created_at);
    vec![
        AuditFilter { actor: Some("boss".to_owned()), ..any() },
        AuditFilter { actor: Some(audit::SERVICE.to_owned()), ..any() },
        AuditFilter { action: Some(Action::Started), ..any() },
        AuditFilter { account: Some(account()), actor: Some("ops".to_owned()), ..any() },
        AuditFilter { deletion: middle.map(|row| row.id.clone()), ..any() },
        AuditFilter { since: at, ..any() },
        AuditFilter { until: at, visible: Some(vec![account()]), ..any() },
        AuditFilter { visible: Some(Vec::new()), ..any() },
    ]
}

async fn play(seen: &Seen, shared: bool, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2026-11-05T10:00:00.250Z".parse().unwrap());
    let of_both = || Arc::clone(&clock) as Arc<dyn Clock>;
    let sqlite = SqliteJournal::open(&folder.path().join("journal.db"), of_both(), Metrics::new()).unwrap();
    let model = MemoryJournal::new(of_both());
    let (made, handed_out) = (Vec::new(), Vec::new());
    let mut pair = Pair { seen, model, sqlite, clock, shared, made, handed_out };
    for (place, caller) in CALLERS.into_iter().enumerate() {
        // Whom the two have met, and in which order, is no question of what they refused.
        let new = NewDeletion {
            requested_by: caller.to_owned(),
            ..deletion(vec![item(&format!("first-{place}"), Start::Ended(Ending::absent()))])
        };
        both!(pair, append(new.clone()), |accepted| accepted).unwrap();
    }
    for op in &ops {
        pair.play(op).await?;
    }
    pair.compare().await?;
    pair.sqlite.close().await;
    Ok(())
}

fn compare_runs(shared: bool) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    // The same runs every time.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = Seen::default();
    let one = |ops| runtime.block_on(play(&seen, shared, ops));
    if let Err(difference) = runner.run(&ops(), one) {
        panic!("{difference}");
    }
    let seen = seen.into_inner();
    for what in [
        "start to awaiting_approval",
        "start to scheduled",
        "start to running",
        "approve to scheduled",
        "approve to running",
        "reject to rejected",
        "cancel to canceled",
        "pause to paused",
        "resume to scheduled",
        "lapse to expired",
        "lapse to running",
        "wrong in expired",
        "other digest",
        "own",
        "append over a cap",
        "start over a cap",
        "sent too early",
        "note of Check: true",
        "note of Quarantine: true",
        "note of Lift: false",
    ] {
        assert!(seen.contains_key(what), "never {what}: {seen:#?}");
    }
}

#[test]
fn sqlite_and_the_model_agree_where_deletions_share_targets() {
    compare_runs(true);
}

#[test]
fn sqlite_and_the_model_agree_where_nothing_is_shared() {
    compare_runs(false);
}

//! The model and SQLite, side by side.
//!
//! Random runs of journal writes are played on both; every answer and, at the end,
//! every row must be the same. Its own file because it tests neither alone: where
//! they differ, one of them, or the contract, is wrong.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::MemoryJournal;
use crate::journal::contract::{LEASE, account, delete, deletion, item, lane, step};
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{
    Asked, CallRecord, Change, Claimed, DeletionFilter, Error, ItemFilter, ItemRow, Journal, NewDeletion,
    NewItem, NewUpload, Next, Once, Receipt, Recorded, Reopen, Rescue, Retry, Seal, Settled, Settlement,
    Start, Turned,
};
use crate::types::clock::{Clock, ManualClock};
use crate::types::deletion::{
    DeletionId, DeletionSeq, Digest, Doubt, DoubtKind, IfAbsent, Part, PartName, Phase, Progress,
};
use crate::types::lifecycle::{Pause, PauseCode, Verb};
use crate::types::metrics::Metrics;
use crate::types::outcome::{AttemptClass, Ending, ItemError, Outcome, Reason};

/// Of each of the two tests.
const CASES: u32 = 100;
const OPERATIONS: [&str; 2] = ["DeleteVideo", "GetPlayInfo"];
const CALLERS: [&str; 3] = ["ops", "night-job", "web"];

/// Kind of start, name, operation, group, what it hangs on.
type Item = (u8, u8, usize, bool, usize);

#[derive(Debug, Clone)]
enum Op {
    Append(usize, Vec<Item>, Option<u8>),
    /// And whether it is sealed.
    Upload(usize, Vec<Item>, bool),
    Claim(usize, usize),
    /// Of what was handed out from here on so many: how it goes on.
    Record(usize, usize, u8),
    Rescue(bool, usize),
    Turn(usize, Verb),
    Settle(usize),
    Advance(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let items =
        || proptest::collection::vec((0_u8..8, 0_u8..6, 0..2_usize, any::<bool>(), any::<usize>()), 1..7);
    let verb = prop_oneof![Just(Verb::Pause), Just(Verb::Resume), Just(Verb::Cancel), Just(Verb::Retry)];
    let op = prop_oneof![
        4 => (0..3_usize, items(), proptest::option::weighted(0.2, 0_u8..2)).prop_map(|(a, b, c)| Op::Append(a, b, c)),
        1 => (0..3_usize, items(), any::<bool>()).prop_map(|(a, b, c)| Op::Upload(a, b, c)),
        7 => (0..2_usize, 1..6_usize).prop_map(|(a, b)| Op::Claim(a, b)),
        7 => (any::<usize>(), 1..5_usize, 0_u8..10).prop_map(|(a, b, c)| Op::Record(a, b, c)),
        1 => (any::<bool>(), 1..4_usize).prop_map(|(a, b)| Op::Rescue(a, b)),
        4 => (any::<usize>(), verb).prop_map(|(a, b)| Op::Turn(a, b)),
        1 => any::<usize>().prop_map(Op::Settle),
        3 => (1..20_u64).prop_map(Op::Advance),
    ];
    proptest::collection::vec(op, 5..40)
}

struct Pair {
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
        other => other,
    })
}

impl Pair {
    fn name(&self, name: u8) -> String {
        if self.shared { format!("v{name}") } else { format!("d{}-v{name}", self.made.len()) }
    }

    fn items(&self, starts: &[Item], staged: bool) -> Vec<NewItem> {
        let of = |(index, (kind, name, operation, grouped, hook)): (usize, &Item)| {
            let step = step(OPERATIONS[*operation], if *grouped { "g" } else { "" });
            let hook = u32::try_from(hook % index.max(1)).unwrap();
            let start = match kind {
                0 => Start::Ended(Ending::absent()),
                1 | 2 if !staged => Start::Sends { step, lease: LEASE },
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
            Op::Append(caller, starts, key) => {
                let once = key.map(|key| Once {
                    key: key.to_string(),
                    fingerprint: Digest([u8::try_from(starts.len()).unwrap(); 32]),
                    keep: Duration::from_secs(30),
                });
                let new = NewDeletion {
                    requested_by: CALLERS[*caller].to_owned(),
                    once,
                    ..deletion(self.items(starts, false))
                };
                let accepted = both!(self, append(new.clone()), |accepted| accepted);
                if let Ok(crate::journal::Accepted::New(appended)) = accepted {
                    self.made.push((new.id, appended.seq));
                    self.handed_out.extend(appended.claimed);
                }
            }
            Op::Upload(caller, starts, whole) => {
                let new = NewUpload {
                    id: DeletionId::new(),
                    requested_by: CALLERS[*caller].to_owned(),
                    reason: None,
                    if_absent: IfAbsent::Ok,
                    key: None,
                };
                let begun = both!(self, begin(new.clone()), |begun| begun);
                let Ok(crate::journal::Begun::Receiving(seq)) = begun else { return Ok(()) };
                let items = self.items(starts, true);
                both!(self, stage(seq, 0, items.clone()), |done| done).unwrap();
                let total = u32::try_from(items.len()).unwrap();
                let seal = Seal::of(total, Digest([3; 32]));
                if *whole {
                    both!(self, seal(seq, seal.clone()), |touched| touched).unwrap();
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
            Op::Turn(n, verb) => self.turn(*n, *verb).await?,
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

    async fn turn(&mut self, n: usize, verb: Verb) -> Result<(), TestCaseError> {
        let Some((id, seq)) = self.made.get(n % self.made.len().max(1)).cloned() else { return Ok(()) };
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
        let at = self.clock.now();
        let pause = Pause { code: PauseCode::Operator, reason: None, by: None, at };
        let asked = Asked { pause: (verb == Verb::Pause).then_some(pause), ..Asked::of(verb, "ops") };
        let done = both!(self, turn(&id, asked.clone()), turned);
        if verb == Verb::Cancel && matches!(done, Ok(Some(Turned::Done(..)))) {
            while both!(self, cancel_step(seq, 1_000), |(done, more)| (in_order(done), more)).unwrap().1 {}
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let deletions = both!(self, deletions(DeletionFilter::default(), 1_000), |found| found).unwrap();
        both!(self, open_lanes(), |lanes| lanes).unwrap();
        both!(self, chores(), |chores| chores).unwrap();
        for deletion in deletions {
            both!(self, shares(deletion.seq), |shares| shares).unwrap();
            both!(self, outcomes(deletion.seq, 0, 1_000), places).unwrap();
            let items = both!(self, items(deletion.seq, ItemFilter::default(), 1_000), rows).unwrap();
            for item in items {
                both!(self, item(item.key), |receipt| receipt
                    .map(|receipt| Receipt { item: row(receipt.item), ..receipt }))
                .unwrap();
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

async fn play(shared: bool, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2026-11-05T10:00:00.250Z".parse().unwrap());
    let of_both = || Arc::clone(&clock) as Arc<dyn Clock>;
    let sqlite = SqliteJournal::open(&folder.path().join("journal.db"), of_both(), Metrics::new()).unwrap();
    let model = MemoryJournal::new(of_both());
    let (made, handed_out) = (Vec::new(), Vec::new());
    let mut pair = Pair { model, sqlite, clock, shared, made, handed_out };
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
    let one = |ops| runtime.block_on(play(shared, ops));
    if let Err(difference) = runner.run(&ops(), one) {
        panic!("{difference}");
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

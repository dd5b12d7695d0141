//! The journal against a model of twenty lines per rule.
//!
//! A random run of appends, claims, records and rescues is played on both; every
//! answer and, at the end, every row must be the same. Its own file because the
//! model is a second reading of the contract: it shares no code with a store.

use proptest::prelude::*;

use super::*;

const OPERATIONS: [&str; 2] = ["DeleteVideo", "GetPlayInfo"];

#[derive(Debug, Clone)]
pub(in crate::journal) enum Op {
    /// Kind of start, operation, group, and what it may hang on, per item.
    Append(Vec<(u8, usize, bool, usize)>),
    Claim {
        operation: usize,
        max: usize,
    },
    /// Ends or repeats what was handed out, from this one on, at most so many.
    Record {
        from: usize,
        many: usize,
        ends: bool,
        operation: usize,
        wait_s: u8,
        counts: bool,
        stale: bool,
    },
    Rescue {
        all: bool,
        max: usize,
    },
    Advance(u8),
}

pub(in crate::journal) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let start = (0_u8..6, 0..2_usize, any::<bool>(), any::<usize>());
    let op = prop_oneof![
        2 => proptest::collection::vec(start, 1..7).prop_map(Op::Append),
        3 => (0..2_usize, 1..5_usize).prop_map(|(operation, max)| Op::Claim { operation, max }),
        4 => (any::<usize>(), 1..5_usize, any::<bool>(), 0..2_usize, 0..5_u8, any::<bool>(), 0..5_u8).prop_map(
            |(from, many, ends, operation, wait_s, counts, stale)| {
                Op::Record { from, many, ends, operation, wait_s, counts, stale: stale == 0 }
            }
        ),
        1 => (any::<bool>(), 1..4_usize).prop_map(|(all, max)| Op::Rescue { all, max }),
        2 => (1..20_u8).prop_map(Op::Advance),
    ];
    proptest::collection::vec(op, 1..40)
}

#[derive(Debug, Clone, PartialEq)]
enum Stand {
    Due(Timestamp),
    Behind(u32),
    Sending(Timestamp),
    Done(Ending, u32),
}

#[derive(Debug, Clone)]
struct Entry {
    key: ItemKey,
    accepted_at: Timestamp,
    stand: Stand,
    step: Option<Step>,
    same_as: Option<u32>,
    generation: i64,
    calls: u32,
    tries: u32,
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    /// The latest sign of life of each item that was ever handed out.
    handed_out: Vec<Claimed>,
}

impl Model {
    fn entry(&mut self, key: ItemKey) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.key == key).unwrap()
    }

    fn ended(&self, deletion: DeletionSeq) -> u32 {
        let done = |entry: &&Entry| entry.key.deletion == deletion && matches!(entry.stand, Stand::Done(..));
        u32::try_from(self.entries.iter().filter(done).count()).unwrap()
    }

    /// Deletions without an open item, in order.
    fn finished(&self) -> Vec<DeletionSeq> {
        let done = |entry: &Entry| matches!(entry.stand, Stand::Done(..));
        let mut all: Vec<_> = self.entries.iter().map(|entry| entry.key.deletion).collect();
        all.dedup();
        all.retain(|seq| self.entries.iter().filter(|entry| entry.key.deletion == *seq).all(done));
        all
    }

    fn finish(&mut self, key: ItemKey, ending: &Ending) {
        let place = self.ended(key.deletion) + 1;
        self.entry(key).stand = Stand::Done(ending.clone(), place);
    }

    fn hand_out(&mut self, keys: &[ItemKey], until: Timestamp, got: &[Claimed]) {
        assert_eq!(got.iter().map(|item| item.key).collect::<Vec<_>>(), keys);
        for item in got {
            let entry = self.entry(item.key);
            entry.generation += 1;
            entry.stand = Stand::Sending(until);
            assert_eq!(
                (item.generation, item.calls, item.tries),
                (entry.generation, entry.calls, entry.tries)
            );
            assert_eq!(Some(&item.step), entry.step.as_ref());
            self.handed_out.push(item.clone());
        }
    }

    /// Due items of a lane with their groups: those that came later than their
    /// deletion before first tries, and of each kind the oldest first.
    fn due(&self, operation: &str, now: Timestamp) -> Vec<(bool, Timestamp, ItemKey, String)> {
        let lane = |entry: &&Entry| entry.step.as_ref().is_some_and(|s| s.operation.as_str() == operation);
        let mut due: Vec<_> = self
            .entries
            .iter()
            .filter(lane)
            .filter_map(|entry| match entry.stand {
                Stand::Due(at) if at <= now => {
                    Some((at <= entry.accepted_at, at, entry.key, entry.step.as_ref()?.group.clone()))
                }
                Stand::Due(_) | Stand::Behind(_) | Stand::Sending(_) | Stand::Done(..) => None,
            })
            .collect();
        due.sort();
        due
    }

    /// What a claim returned: who is next is `fair.rs`'s business, but each deletion
    /// sends the first of one group, and something if anything is due. What goes with
    /// one call is told oldest first.
    fn claimed(&mut self, operation: &str, now: Timestamp, max: usize, got: &[Claimed]) {
        let due = self.due(operation, now);
        assert_eq!(got.is_empty(), due.is_empty());
        let Some(first) = got.first() else { return };
        assert!(got.len() <= max);
        let mut expected = Vec::new();
        for (_, at, key, group) in due {
            let of_same = |item: &&Claimed| item.key.deletion == key.deletion;
            let taken =
                expected.iter().filter(|(_, one): &&(_, ItemKey)| one.deletion == key.deletion).count();
            if group == first.step.group && taken < got.iter().filter(of_same).count() {
                expected.push((at, key));
            }
        }
        expected.sort();
        let keys: Vec<_> = expected.into_iter().map(|(_, key)| key).collect();
        self.hand_out(&keys, now + LEASE, got);
    }

    fn counts(&self, deletion: DeletionSeq) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.iter().filter(|entry| entry.key.deletion == deletion) {
            counts.total += 1;
            if let Stand::Done(ending, _) = &entry.stand {
                let one = Outcome::ALL.iter().position(|one| *one == ending.outcome).unwrap();
                counts.by_outcome[one] += 1;
            }
        }
        counts
    }
}

async fn append(bench: &Bench, model: &mut Model, starts: &[(u8, usize, bool, usize)]) {
    let (mut items, mut named) = (Vec::<NewItem>::new(), Vec::<String>::new());
    for (index, (kind, operation, grouped, hook)) in starts.iter().enumerate() {
        let step = step(OPERATIONS[*operation], if *grouped { "g" } else { "" });
        let hook = u32::try_from(hook % index.max(1)).unwrap();
        let start = match kind {
            0 => Start::Ended(Ending::absent()),
            1 => Start::Sends { step, lease: LEASE },
            2 if index > 0 => Start::Follows { leader: hook },
            3 if index > 0 => Start::After { earlier: hook, step },
            _ => Start::Waits(step),
        };
        // Names of its own: what deletions do to each other is tested elsewhere.
        let name = if let Start::Follows { leader } = start {
            named[usize::try_from(leader).unwrap()].clone()
        } else {
            format!("v{}-{index}", model.entries.len())
        };
        items.push(item(&name, start));
        named.push(name);
    }
    let now = bench.now();
    let appended = bench.append(items.clone()).await;
    let base = model.entries.len();
    let mut claimed = appended.claimed.iter();
    for (index, new) in (0..).zip(&items) {
        let key = ItemKey { deletion: appended.seq, index };
        let earlier = |n: u32| {
            let entry = &model.entries[base + usize::try_from(n).unwrap()];
            let root = entry.same_as.unwrap_or(n);
            let stand = model.entries[base + usize::try_from(root).unwrap()].stand.clone();
            (root, stand)
        };
        let mut entry = Entry {
            key,
            accepted_at: now,
            stand: Stand::Due(now),
            step: None,
            same_as: None,
            generation: 0,
            calls: 0,
            tries: 0,
        };
        let place = model.ended(appended.seq) + 1;
        match &new.start {
            Start::Ended(ending) => entry.stand = Stand::Done(ending.clone(), place),
            Start::Waits(step) => entry.step = Some(step.clone()),
            Start::Sends { step, lease } => {
                entry.step = Some(step.clone());
                entry.stand = Stand::Sending(now + *lease);
                entry.generation = 1;
                let item = claimed.next().unwrap();
                assert_eq!((item.key, item.generation), (key, 1));
                model.handed_out.push(item.clone());
            }
            Start::Follows { leader } => {
                let (root, stand) = earlier(*leader);
                entry.same_as = Some(root);
                entry.stand = match stand {
                    Stand::Done(ending, _) => Stand::Done(ending, place),
                    Stand::Due(_) | Stand::Behind(_) | Stand::Sending(_) => Stand::Behind(root),
                };
            }
            Start::After { earlier: on, step } => {
                entry.step = Some(step.clone());
                let (root, stand) = earlier(*on);
                if !matches!(stand, Stand::Done(..)) {
                    entry.stand = Stand::Behind(root);
                }
            }
        }
        model.entries.push(entry);
    }
    assert!(claimed.next().is_none());
}

async fn record(bench: &Bench, model: &mut Model, items: &[Claimed], next: &Next) {
    let changes = items.iter().map(|item| change(item, next.clone())).collect();
    let got = bench.journal.record(bench.call(AttemptClass::Refused), changes).await.unwrap();
    let before = model.finished();
    let mut touched = std::collections::BTreeSet::new();
    let mut expected = Recorded::default();
    for item in items {
        let entry = model.entry(item.key);
        if entry.generation != item.generation || !matches!(entry.stand, Stand::Sending(_)) {
            expected.stale += 1;
            continue;
        }
        entry.calls += 1;
        let ending = match next {
            Next::Again { step, due_at, counts } => {
                entry.tries += u32::from(*counts);
                entry.step = Some(step.clone());
                entry.stand = Stand::Due(*due_at);
                let lane = LaneId { account: account(), operation: step.operation.clone() };
                expected.waiting.push(Waiting { lane, bulk: false });
                continue;
            }
            Next::Ended(ending) => ending,
        };
        model.finish(item.key, ending);
        touched.insert(item.key.deletion);
        expected.ended.push(ending.outcome);
        let behind = |entry: &&Entry| {
            entry.key.deletion == item.key.deletion && entry.stand == Stand::Behind(item.key.index)
        };
        let hanging: Vec<_> = model.entries.iter().filter(behind).cloned().collect();
        for entry in hanging {
            if entry.same_as.is_some() {
                model.finish(entry.key, ending);
                expected.ended.push(ending.outcome);
            } else {
                model.entry(entry.key).stand = Stand::Due(bench.now());
                let operation = entry.step.unwrap().operation;
                let lane = LaneId { account: account(), operation };
                expected.waiting.push(Waiting { lane, bulk: false });
            }
        }
    }
    let finished = model.finished();
    for (is, seq) in got.touched.iter().zip(&touched) {
        assert_eq!((is.seq, is.counts), (*seq, model.counts(*seq)));
        assert_eq!(is.finished, finished.contains(seq) && !before.contains(seq));
    }
    assert_eq!(got.touched.len(), touched.len());
    expected.touched.clone_from(&got.touched);
    assert_eq!(got, expected);
}

async fn compare(bench: &Bench, model: &Model) {
    for row in bench.journal.deletions(DeletionFilter::default(), 1_000).await.unwrap() {
        let entries: Vec<_> = model.entries.iter().filter(|entry| entry.key.deletion == row.seq).collect();
        let items = bench.items(row.seq).await;
        assert_eq!(items.len(), entries.len());
        assert_eq!(row.counts.total - row.counts.open(), u64::from(model.ended(row.seq)));
        assert_eq!(row.state == DeletionState::Finished, row.counts.open() == 0);
        for (item, entry) in items.iter().zip(entries) {
            let (state, ended) = match &entry.stand {
                Stand::Due(_) | Stand::Behind(_) => (ItemState::Pending, None),
                Stand::Sending(_) => (ItemState::Sending, None),
                Stand::Done(ending, place) => (ItemState::Done, Some((ending.clone(), *place))),
            };
            assert_eq!((item.state, item.same_as), (state, entry.same_as));
            assert_eq!(item.ending.clone().zip(item.outcome_seq), ended);
            let attempts = bench.journal.item(item.key).await.unwrap().unwrap().attempts;
            assert_eq!(u32::try_from(attempts.len()).unwrap(), item.attempts);
            if entry.same_as.is_none() {
                assert_eq!(item.attempts, entry.calls);
            }
        }
    }
    let waiting: u64 = bench.journal.open_lanes().await.unwrap().iter().map(|lane| lane.waiting).sum();
    let due = model.entries.iter().filter(|entry| matches!(entry.stand, Stand::Due(_))).count();
    assert_eq!(waiting, u64::try_from(due).unwrap());
}

/// Plays a run on a fresh journal and on the model.
pub(in crate::journal) async fn play(bench: &Bench, ops: Vec<Op>) {
    let mut model = Model::default();
    for op in ops {
        match op {
            Op::Append(starts) => append(bench, &mut model, &starts).await,
            Op::Claim { operation, max } => {
                let got = bench.claim(OPERATIONS[operation], max).await;
                model.claimed(OPERATIONS[operation], bench.now(), max, &got);
            }
            Op::Record { from, many, ends, operation, wait_s, counts, stale } => {
                let count = model.handed_out.len();
                let from = from % count.max(1);
                let mut items: Vec<_> = model.handed_out[from..count.min(from + many)].to_vec();
                if stale {
                    for item in &mut items {
                        item.generation -= 1;
                    }
                }
                let due_at = bench.now() + Duration::from_secs(wait_s.into());
                let again = Next::Again { step: step(OPERATIONS[operation], ""), due_at, counts };
                let next = if ends { Next::Ended(Ending::deleted()) } else { again };
                record(bench, &mut model, &items, &next).await;
            }
            Op::Rescue { all, max } => {
                let which = if all { Rescue::All } else { Rescue::Expired };
                let mut leased: Vec<_> = model
                    .entries
                    .iter()
                    .filter_map(|entry| match entry.stand {
                        Stand::Sending(until) if all || until <= bench.now() => Some((until, entry.key)),
                        Stand::Due(_) | Stand::Behind(_) | Stand::Sending(_) | Stand::Done(..) => None,
                    })
                    .collect();
                leased.sort();
                let keys: Vec<_> = leased.into_iter().map(|(_, key)| key).take(max).collect();
                let got = bench.journal.rescue(which, max, LEASE).await.unwrap();
                model.hand_out(&keys, bench.now() + LEASE, &got);
            }
            Op::Advance(seconds) => bench.clock.advance(Duration::from_secs(seconds.into())),
        }
    }
    compare(bench, &model).await;
}

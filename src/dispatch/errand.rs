//! Calls that a chore makes and no item asked for: looks for a plan, blocks, lifts.
//!
//! They take ordinary permits of their lanes, so that deletes and errands take turns, and
//! wait behind the same gates and stop switches: a stop delays them and fails nothing. What
//! did not work is repeated a few times. Its own file because checks and quarantine go to
//! the vendor in the same way; what an answer means for an item is theirs to say.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::accounts::Account;
use super::gate::STRIKES;
use super::lane::Lane;
use super::quota::{Quota, VendorClient};
use super::{Shared, call};
use crate::journal::{CallRecord, ItemRow};
use crate::providers::survey::{Survey, surveys};
use crate::providers::{Again, Call, CallReport, Effect, Verdict};
use crate::types::deletion::Phase;
use crate::types::outcome::AttemptClass;
use crate::types::target::{AccountId, Target};

/// Items of one step: ten full reads of either vendor, and a write of a few hundred kilobytes.
pub(super) const PAGE: usize = 200;
/// Checks of plans at work at once: each holds a page of items while it waits for its vendor.
pub(super) const MOST_CHECKS: usize = 16;
/// Calls of one step under way at once. Deletes of the same account wait behind so many at most.
const AT_ONCE: usize = 4;
/// Calls that count, for one group of entries.
const TRIES: u32 = 5;
/// Calls that do not count (throttled, signed again), for one group of entries.
const FREE_TRIES: u32 = 20;
/// First pause before a repeat, and the most that it grows to.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MOST: Duration = Duration::from_secs(5);

/// What came of one entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// The last that was said of it.
    pub(super) verdict: Verdict,
    /// Some call that carried it may have been obeyed without a word.
    pub(super) in_doubt: bool,
}

/// What came of a call and its repeats.
#[derive(Debug)]
pub(super) struct Asked {
    /// One for each entry, in order.
    pub(super) told: Vec<Told>,
    /// The requests that may have left, and which entries each carried.
    pub(super) calls: Vec<(CallRecord, Vec<usize>)>,
    /// It was called off before each entry had its answer.
    pub(super) is_off: bool,
}

/// What is known of one target.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Look {
    /// The vendor's word, or none after all tries.
    Told(Told),
    /// No batch read takes such a name.
    NoRead,
    /// Its account is not configured any more.
    NoAccount,
}

/// Where the next step looks for more: behind a full page.
pub(super) fn next_page(rows: &[ItemRow]) -> Option<u32> {
    behind(rows.last().map(|row| row.key.index), rows.len())
}

fn behind(last: Option<u32>, rows: usize) -> Option<u32> {
    last.filter(|_| rows >= PAGE).and_then(|last| last.checked_add(1))
}

/// Looks at all targets, each asset once; `None` if it was called off.
pub(super) async fn look(
    shared: &Shared,
    targets: &[&Target],
    over: &CancellationToken,
) -> Option<Vec<Look>> {
    let mut looks = vec![Look::NoAccount; targets.len()];
    let mut calls = Vec::new();
    for (id, positions) in by_account(targets) {
        let Some(account) = shared.accounts.get(id) else { continue };
        let of_account: Vec<Target> =
            positions.iter().filter_map(|at| targets.get(*at)).map(|target| Target::clone(target)).collect();
        for position in &positions {
            put(&mut looks, *position, Look::NoRead);
        }
        for Survey { call, targets } in surveys(account.provider.as_ref(), &of_account) {
            let whom = targets.into_iter().map(|sharers| {
                sharers.into_iter().filter_map(|at| positions.get(at).copied()).collect::<Vec<usize>>()
            });
            calls.push((account.as_ref(), call, whom.collect::<Vec<_>>()));
        }
    }
    for some in calls.chunks(AT_ONCE) {
        let asked = join_all(some.iter().map(|(account, call, _)| ask(shared, account, call, over))).await;
        for ((_, _, whom), asked) in some.iter().zip(asked) {
            if asked.is_off {
                return None;
            }
            for (sharers, told) in whom.iter().zip(asked.told) {
                for at in sharers {
                    put(&mut looks, *at, Look::Told(told.clone()));
                }
            }
        }
    }
    Some(looks)
}

fn put(looks: &mut [Look], at: usize, look: Look) {
    if let Some(place) = looks.get_mut(at) {
        *place = look;
    }
}

fn by_account<'a>(targets: &[&'a Target]) -> BTreeMap<&'a AccountId, Vec<usize>> {
    let mut by_account: BTreeMap<&AccountId, Vec<usize>> = BTreeMap::new();
    for (position, target) in targets.iter().enumerate() {
        by_account.entry(&target.account).or_default().push(position);
    }
    by_account
}

/// Makes a call, in parts and again where that can help, until each entry has its answer. A call
/// that has begun is always waited for.
pub(super) async fn ask(shared: &Shared, account: &Account, call: &Call, over: &CancellationToken) -> Asked {
    let nothing = Told { verdict: Verdict::Again(Again::NotSent), in_doubt: false };
    let told = vec![nothing; call.entries.len()];
    let mut asked = Asked { told, calls: Vec::new(), is_off: false };
    if let Some(lane) = shared.lane(&account.id, call.operation.name) {
        asked.is_off = go(shared, lane, call, over, &mut asked).await.is_none();
    }
    asked
}

/// `None` if it was called off.
async fn go(
    shared: &Shared,
    lane: &Lane,
    call: &Call,
    over: &CancellationToken,
    asked: &mut Asked,
) -> Option<()> {
    let account = &lane.account;
    let mut groups = VecDeque::from([Group::of((0..call.entries.len()).collect())]);
    let mut denied = 0;
    while let Some(group) = groups.pop_front() {
        tokio::select! {
            () = shared.clock.sleep(group.pause) => {}
            () = over.cancelled() => return None,
        }
        let mut client = tokio::select! {
            biased;
            () = over.cancelled() => return None,
            client = outlet(shared, lane) => client,
        };
        let entries = group.entries.iter().filter_map(|at| call.entries.get(*at).cloned()).collect();
        let part = Call { operation: call.operation, entries };
        let started_at = shared.clock.now();
        let (report, duration) = call::exchange(shared, lane, &mut client, part, group.calls() + 1).await;
        if report.class != AttemptClass::NotSent {
            asked.calls.push((record(lane, started_at, duration, &report), group.entries.clone()));
        }
        let verdicts = complete(report.verdicts, group.entries.len(), call.operation.effect);
        for verdict in &verdicts {
            if let Verdict::Fault(reason) = verdict {
                shared.block(&account.gate, &lane.id, *reason);
                shared.wakes.wake_all();
            }
        }
        if verdicts.contains(&Verdict::Doubtful { unanswered: true }) {
            // What the vendor may still do must not come after what is asked of it next, be that a
            // repeat or its undoing. Only the end of the service cuts this short.
            tokio::select! {
                () = shared.clock.sleep(shared.policy.cool_down) => {}
                () = shared.stop.cancelled() => return None,
            }
        }
        let alone = group.entries.len() == 1;
        let Sorted { answered, again } = sort(&group, verdicts, &mut asked.told);
        for told in answered.into_iter().filter_map(|at| asked.told.get(at)) {
            let is_denied = alone && matches!(told.verdict, Verdict::NotOk { maybe_account: true, .. });
            denied = if is_denied { denied + 1 } else { 0 };
        }
        for group in again.into_iter().rev() {
            groups.push_front(group);
        }
        if denied >= STRIKES {
            // The key has no right to this at all: each of the others would be told the same.
            break;
        }
    }
    Some(())
}

fn record(lane: &Lane, started_at: Timestamp, duration: Duration, report: &CallReport) -> CallRecord {
    CallRecord {
        lane: lane.id.clone(),
        // Like a read it comes before the delete, and deletes nothing.
        phase: Phase::Resolve,
        started_at,
        duration,
        class: report.class,
        status: report.status,
        vendor_code: report.code.clone(),
        request_id: report.request_id.clone(),
    }
}

/// Waits until the lane is open and has a permit.
async fn outlet(shared: &Shared, lane: &Lane) -> Quota<VendorClient> {
    loop {
        lane.opened().await;
        let mut client = lane.client();
        let Ok(_) = client.ready().await;
        client.depart().await;
        // It may have been closed in the meantime; the permit is given back.
        if lane.blocked().is_some() {
            continue;
        }
        if shared.knows_guards() {
            return client;
        }
        shared.clock.sleep(PAUSE_MOST).await;
    }
}

/// A provider must answer for every entry; one that does not has told us nothing.
fn complete(verdicts: Vec<Verdict>, entries: usize, effect: Effect) -> Vec<Verdict> {
    if verdicts.len() == entries {
        return verdicts;
    }
    tracing::error!(entries, verdicts = verdicts.len(), "a call did not answer for all its entries");
    let unknown = match effect {
        Effect::Read => Verdict::Again(Again::Unavailable),
        Effect::Delete | Effect::Block | Effect::Lift => Verdict::Doubtful { unanswered: false },
    };
    vec![unknown; entries]
}

/// Entries that travel together, by position, and how often they did.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    entries: Vec<usize>,
    tries: u32,
    free: u32,
    pause: Duration,
}

impl Group {
    fn of(entries: Vec<usize>) -> Self {
        Self { entries, tries: 0, free: 0, pause: Duration::ZERO }
    }

    fn calls(&self) -> u32 {
        self.tries + self.free
    }
}

/// What follows for a group after an answer.
#[derive(Debug, PartialEq, Eq)]
struct Sorted {
    /// Entries of which nothing more is asked.
    answered: Vec<usize>,
    /// Those that go again, in this order.
    again: Vec<Group>,
}

/// What becomes of one entry.
enum Follows {
    Nothing,
    /// The same again; whether that counts.
    Repeat {
        counts: bool,
    },
    /// In a smaller call: another entry may be the cause.
    Apart,
}

fn follows(verdict: &Verdict, group: &Group) -> Follows {
    let several = group.entries.len() > 1;
    match verdict {
        Verdict::NotOk { of_whole_call: true, .. } | Verdict::Unclear if several => Follows::Apart,
        // The gate is closed now, and until it opens nothing goes out.
        Verdict::Fault(_) => Follows::Repeat { counts: false },
        Verdict::Again(Again::Throttled | Again::Resign) if group.free + 1 < FREE_TRIES => {
            Follows::Repeat { counts: false }
        }
        Verdict::Again(Again::NotSent | Again::Unavailable | Again::Unlisted) | Verdict::Doubtful { .. }
            if group.tries + 1 < TRIES =>
        {
            Follows::Repeat { counts: true }
        }
        Verdict::Deleted
        | Verdict::Done
        | Verdict::Absent
        | Verdict::NotOk { .. }
        | Verdict::Unclear
        | Verdict::Doubtful { .. }
        | Verdict::Again(_)
        | Verdict::Facts(_) => Follows::Nothing,
    }
}

/// Writes down what was said of each entry, and tells who goes again. Pure.
fn sort(group: &Group, verdicts: Vec<Verdict>, told: &mut [Told]) -> Sorted {
    let mut sorted = Sorted { answered: Vec::new(), again: Vec::new() };
    let (mut repeats, mut apart) = (Vec::new(), Vec::new());
    let (mut counted, mut free) = (false, false);
    for (at, verdict) in group.entries.iter().copied().zip(verdicts) {
        match follows(&verdict, group) {
            Follows::Nothing => sorted.answered.push(at),
            Follows::Repeat { counts } => {
                // A fault of the account is waited for behind its gate, however long it takes.
                let is_fault = matches!(verdict, Verdict::Fault(_));
                (counted, free) = (counted || counts, free || !(counts || is_fault));
                repeats.push(at);
            }
            Follows::Apart => apart.push(at),
        }
        if let Some(place) = told.get_mut(at) {
            let in_doubt = place.in_doubt || matches!(verdict, Verdict::Doubtful { .. });
            *place = Told { verdict, in_doubt };
        }
    }
    let second = apart.split_off(apart.len().div_ceil(2));
    sorted.again.extend([apart, second].into_iter().filter(|half| !half.is_empty()).map(Group::of));
    if !repeats.is_empty() {
        let (tries, free) = (group.tries + u32::from(counted), group.free + u32::from(free));
        let step = PAUSE.saturating_mul(1 << (tries + free).clamp(1, 16).saturating_sub(1));
        sorted.again.push(Group { entries: repeats, tries, free, pause: step.min(PAUSE_MOST) });
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::asset::{Facts, Standing};
    use crate::types::outcome::{ItemError, LaneReason, Outcome, Reason};

    fn refused(of_whole_call: bool) -> Verdict {
        let error = ItemError::new(Reason::Forbidden, "no");
        Verdict::NotOk { outcome: Outcome::Refused, error, of_whole_call, maybe_account: true }
    }

    fn facts() -> Verdict {
        Verdict::Facts(Box::new(Facts::only(Standing::Stands)))
    }

    fn sorted(group: &Group, verdicts: Vec<Verdict>) -> (Sorted, Vec<Told>) {
        let nothing = Told { verdict: Verdict::Again(Again::NotSent), in_doubt: false };
        let mut told = vec![nothing; 8];
        let sorted = sort(group, verdicts, &mut told);
        (sorted, told)
    }

    fn entries(groups: &[Group]) -> Vec<Vec<usize>> {
        groups.iter().map(|group| group.entries.clone()).collect()
    }

    #[test]
    fn only_a_full_page_has_one_behind_it() {
        assert_eq!(behind(None, 0), None);
        assert_eq!(behind(Some(700), PAGE - 1), None);
        assert_eq!(behind(Some(700), PAGE), Some(701), "by index, not by number: some may be left out");
        assert_eq!(behind(Some(u32::MAX), PAGE), None);
    }

    #[test]
    fn what_was_said_of_the_whole_call_is_asked_in_halves() {
        let (sorted, _) = sorted(&Group::of(vec![0, 1, 2]), vec![refused(true); 3]);
        assert_eq!((entries(&sorted.again), sorted.answered), (vec![vec![0, 1], vec![2]], vec![]));
        let (sorted, _) = self::sorted(&Group::of(vec![5]), vec![refused(true)]);
        assert_eq!((sorted.again, sorted.answered), (vec![], vec![5]), "it was said of this one");
        let (sorted, _) = self::sorted(&Group::of(vec![4, 5]), vec![Verdict::Unclear; 2]);
        assert_eq!(entries(&sorted.again), [[4], [5]]);
    }

    #[test]
    fn only_those_without_an_answer_go_again() {
        let verdicts = vec![facts(), Verdict::Again(Again::Unavailable), Verdict::Absent, refused(false)];
        let (sorted, told) = sorted(&Group::of(vec![0, 1, 2, 3]), verdicts);
        assert_eq!(sorted.answered, [0, 2, 3]);
        let [again] = sorted.again.as_slice() else { panic!("{:?}", sorted.again) };
        assert_eq!((&again.entries, again.tries, again.free), (&vec![1], 1, 0));
        assert_eq!(told[0].verdict, facts());
    }

    #[test]
    fn tries_are_bounded_and_pauses_grow() {
        for (verdict, most) in [
            (Verdict::Again(Again::Unavailable), TRIES),
            (Verdict::Again(Again::Throttled), FREE_TRIES),
            (Verdict::Doubtful { unanswered: false }, TRIES),
            (Verdict::Again(Again::QuotaUsedUp), 1),
        ] {
            let (mut group, mut calls, mut last) = (Group::of(vec![0]), 0, Duration::ZERO);
            loop {
                calls += 1;
                let (sorted, _) = sorted(&group, vec![verdict.clone()]);
                let Some(next) = sorted.again.into_iter().next() else { break };
                assert!(next.pause >= last && next.pause <= PAUSE_MOST);
                (last, group) = (next.pause, next);
            }
            assert_eq!(calls, most, "{verdict:?}");
        }
    }

    #[test]
    fn a_fault_of_the_account_uses_up_no_try() {
        let (sorted, _) = sorted(&Group::of(vec![0]), vec![Verdict::Fault(LaneReason::BadCredentials)]);
        let [again] = sorted.again.as_slice() else { panic!("{:?}", sorted.again) };
        assert_eq!(again.calls(), 0);
    }

    #[test]
    fn a_doubt_is_remembered_whatever_is_said_later() {
        let mut told = vec![Told { verdict: Verdict::Done, in_doubt: false }];
        let lost = vec![Verdict::Doubtful { unanswered: true }];
        let again = sort(&Group::of(vec![0]), lost, &mut told).again;
        sort(&again[0], vec![refused(false)], &mut told);
        assert_eq!(told, [Told { verdict: refused(false), in_doubt: true }]);
    }
}

//! The decisions against a model vendor whose truth is known.
//!
//! A property test plays whole lives of one item: the vendor does or does not do
//! what it is told, and loses, garbles or refuses its answers as the seed says.
//! What the item ends with must never claim more than what happened. The tables
//! below it pin single rules.

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;
use crate::journal::Claimed;
use crate::providers::{Call, CallReport, Effect, ReadFirst, Refusal, Route};
use crate::types::deletion::{DeletionId, PartName};
use crate::types::effects::GoesWith;
use crate::types::outcome::LaneReason;
use crate::types::target::{AccountId, Kind, MediaId, Name, OperationName, Target, What};

static DELETE: Operation = Operation {
    name: "Delete",
    effect: Effect::Delete,
    published_qps: None,
    items_per_call: 20,
    parts_per_call: 20,
};
static READ: Operation = Operation {
    name: "Read",
    effect: Effect::Read,
    published_qps: None,
    items_per_call: 20,
    parts_per_call: 20,
};

/// A provider that is never called: only its routes are asked for.
#[derive(Debug)]
pub(super) struct Paper {
    pub(super) first: Option<ReadFirst>,
    pub(super) settle: bool,
    pub(super) repeat: Repeat,
    pub(super) parts: Vec<PartName>,
}

#[async_trait]
impl Provider for Paper {
    fn name(&self) -> &'static str {
        "paper"
    }
    fn kinds(&self) -> &'static [Kind] {
        &Kind::ALL
    }
    fn operations(&self) -> &'static [Operation] {
        &[]
    }
    fn route(&self, _: &Target) -> Result<Route, Refusal> {
        Ok(Route {
            resolve: self.first.map(|need| (&READ, need)),
            delete: &DELETE,
            settle: self.settle.then_some(&READ),
            repeat: self.repeat,
            parts: self.parts.clone(),
        })
    }
    fn group(&self, operation: &Operation, _: &Entry) -> String {
        operation.name.to_lowercase()
    }
    async fn call(&self, _: &Call) -> CallReport {
        unreachable!("decisions make no call")
    }
    fn probe(&self) -> Call {
        unreachable!("decisions make no call")
    }
    fn portrait(&self, _: &MediaId) -> Vec<Call> {
        Vec::new()
    }
    fn survey(&self, _: &Target) -> Option<(&'static Operation, Entry)> {
        None
    }
    fn effects(&self, _: &Target) -> Vec<GoesWith> {
        Vec::new()
    }
}

const POLICY: Policy =
    Policy { max_attempts: 8, max_age: Duration::from_hours(24), cool_down: Duration::from_secs(30) };

fn claimed(group: &str) -> Claimed {
    let target = Target {
        account: AccountId::parse("a").unwrap(),
        name: Name::parse("id", "v1").unwrap(),
        what: What::Media,
    };
    Claimed {
        key: ItemKey { deletion: 1, index: 0 },
        generation: 1,
        deletion: DeletionId::new(),
        target,
        step: Step { operation: OperationName::known("Delete"), phase: Phase::Delete, group: group.into() },
        progress: None,
        calls: 0,
        tries: 0,
        accepted_at: Timestamp::UNIX_EPOCH,
        lapsed_at: None,
        is_dead: false,
        bulk: false,
    }
}

/// One turn: load, judge, and what the journal would hold afterwards.
fn turn(
    provider: &Paper,
    item: &mut Claimed,
    verdict: Verdict,
    entries: usize,
    now: Timestamp,
) -> Result<Timestamp, Ending> {
    let operation = if item.step.operation.as_str() == "Read" { &READ } else { &DELETE };
    let (mut loads, refused) = super::super::batch::load(provider, operation, vec![item.clone()]);
    assert!(refused.is_empty());
    let mut load = loads.remove(0);
    if let Some(next) = overdue(&mut load, provider, now) {
        item.progress = Some(load.progress);
        return follow(item, next);
    }
    let around = Circumstances {
        provider,
        operation,
        entries,
        vendor_code: Some("Code"),
        started_at: now,
        now,
        policy: POLICY,
        overdrawn: false,
        split: (7, 'a'),
    };
    let change = judge(load, verdict, &around, &mut rand::rng());
    if change.progress.is_some() {
        item.progress = change.progress;
    }
    follow(item, change.next)
}

fn follow(item: &mut Claimed, next: Next) -> Result<Timestamp, Ending> {
    item.calls += 1;
    match next {
        Next::Ended(ending) => Err(ending),
        Next::Again { step, due_at, counts } => {
            item.step = step;
            item.tries += u32::from(counts);
            Ok(due_at)
        }
    }
}

/// The way around a delete that has waited too long: no call is made.
fn sidestep(provider: &Paper, item: &mut Claimed, now: Timestamp) -> Option<Result<Timestamp, Ending>> {
    let (mut loads, _) = super::super::batch::load(provider, &DELETE, vec![item.clone()]);
    let mut load = loads.remove(0);
    let next = overdue(&mut load, provider, now)?;
    item.progress = Some(load.progress);
    Some(follow(item, next))
}

/// What the model vendor does with a call.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Works,
    /// Does it, and the answer is lost.
    LosesAnswer,
    /// Does not do it, and the answer is lost.
    LosesRequest,
    /// Does it (or not), and answers with an internal error.
    Stumbles(bool),
    NotSent,
    Throttles,
    Unlisted,
    Resigns,
    Faults,
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        3 => Just(Mood::Works),
        2 => Just(Mood::LosesAnswer),
        2 => Just(Mood::LosesRequest),
        2 => any::<bool>().prop_map(Mood::Stumbles),
        1 => Just(Mood::NotSent),
        1 => Just(Mood::Throttles),
        1 => Just(Mood::Unlisted),
        1 => Just(Mood::Resigns),
        1 => Just(Mood::Faults),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// I3 and I4: every life ends, and its outcome claims no more than what happened.
    #[test]
    fn an_outcome_claims_no_more_than_what_happened(
        moods in proptest::collection::vec(mood(), 1..60),
        stood in any::<bool>(),
        settle in any::<bool>(),
        briefly in any::<bool>(),
    ) {
        let repeat = if briefly { Repeat::Briefly } else { Repeat::Always };
        let provider = Paper { first: None, settle, repeat, parts: vec![PartName::Asset] };
        let mut item = claimed("delete");
        let (mut stands, mut we_deleted, mut answered_ok) = (stood, false, false);
        let mut now = Timestamp::UNIX_EPOCH;
        // After the scripted moods the vendor works, so every life must end soon after.
        let script = moods.iter().copied().chain(std::iter::repeat_n(Mood::Works, 40));
        let mut end = None;
        for mood in script {
            if let Some(end_or_due) = sidestep(&provider, &mut item, now) {
                match end_or_due {
                    Ok(due) => { now = now.max(due); continue; }
                    Err(ending) => { end = Some(ending); break; }
                }
            }
            let deleting = item.step.phase == Phase::Delete;
            let mut work = |does: bool| {
                let found = stands;
                if deleting && does && stands {
                    stands = false;
                    we_deleted = true;
                }
                found
            };
            let verdict = match mood {
                Mood::Works if deleting => {
                    let found = work(true);
                    answered_ok |= found;
                    if found { Verdict::Deleted } else { Verdict::Absent }
                }
                Mood::Works => {
                    let standing = if stands { Standing::Stands } else { Standing::Missing };
                    Verdict::Facts(Box::new(Facts::only(standing)))
                }
                Mood::LosesAnswer if deleting => { work(true); Verdict::Doubtful { unanswered: true } }
                Mood::LosesRequest if deleting => Verdict::Doubtful { unanswered: true },
                Mood::Stumbles(does) if deleting => { work(does); Verdict::Doubtful { unanswered: false } }
                Mood::LosesAnswer | Mood::LosesRequest | Mood::Stumbles(_) => Verdict::Again(Again::Unavailable),
                Mood::NotSent => Verdict::Again(Again::NotSent),
                Mood::Throttles => Verdict::Again(Again::Throttled),
                Mood::Unlisted => Verdict::Again(Again::Unlisted),
                Mood::Resigns => Verdict::Again(Again::Resign),
                Mood::Faults => Verdict::Fault(LaneReason::BadCredentials),
            };
            match turn(&provider, &mut item, verdict, 1, now) {
                Ok(due) => now = now.max(due),
                Err(ending) => { end = Some(ending); break; }
            }
        }
        let Some(end) = end else {
            return Err(TestCaseError::fail(format!("no end after {} calls: {item:?}", item.calls)));
        };
        match end.outcome {
            Outcome::Deleted if !end.inferred => prop_assert!(answered_ok, "deleted without the vendor's word"),
            Outcome::Deleted => prop_assert!(!stands, "inferred, but it stands"),
            Outcome::Absent => prop_assert!(!we_deleted && !stood, "absent, but it stood"),
            Outcome::Failed => prop_assert!(!we_deleted, "failed, but we deleted it"),
            Outcome::Unknown => prop_assert!(item.calls > 1 || !settle, "unknown without asking"),
            Outcome::Refused | Outcome::Busy | Outcome::Canceled => prop_assert!(false, "nobody said so: {end:?}"),
        }
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_lost_answer_is_asked_about_before_anything_is_repeated() {
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![PartName::Asset] };
    let mut item = claimed("delete");
    let due = turn(&provider, &mut item, Verdict::Doubtful { unanswered: true }, 1, at(100)).unwrap();
    assert_eq!(item.step.phase, Phase::Settle);
    assert!(due <= at(101), "asking does not wait for the cool-down");
    let stands = || Verdict::Facts(Box::new(Facts::only(Standing::Stands)));
    let due = turn(&provider, &mut item, stands(), 1, at(101)).unwrap();
    assert_eq!((item.step.phase, due), (Phase::Delete, at(130)), "the vendor may still be at work");
    let end = turn(&provider, &mut item, Verdict::Absent, 1, at(130)).unwrap_err();
    assert_eq!(end, Ending::inferred());
}

#[test]
fn what_is_not_safe_to_repeat_is_not_repeated_late() {
    let provider =
        Paper { first: None, settle: true, repeat: Repeat::Briefly, parts: vec![PartName::Source] };
    let mut item = claimed("delete");
    turn(&provider, &mut item, Verdict::Doubtful { unanswered: true }, 1, at(100)).unwrap();
    // The read came only after a minute: the same selector could mean a new object by now.
    let stands = || Verdict::Facts(Box::new(Facts::only(Standing::Stands)));
    let end = turn(&provider, &mut item, stands(), 1, at(161)).unwrap_err();
    assert_eq!(end.outcome, Outcome::Unknown);

    // The read came in time, but the lane let the repeat wait: it is asked again instead of sent.
    let mut item = claimed("delete");
    turn(&provider, &mut item, Verdict::Doubtful { unanswered: true }, 1, at(100)).unwrap();
    turn(&provider, &mut item, stands(), 1, at(101)).unwrap();
    assert_eq!(item.step.phase, Phase::Delete);
    sidestep(&provider, &mut item, at(161)).expect("too late to be sent").unwrap();
    assert_eq!(item.step.phase, Phase::Settle);
    let gone = Verdict::Facts(Box::new(Facts::only(Standing::Missing)));
    assert_eq!(turn(&provider, &mut item, gone, 1, at(162)).unwrap_err(), Ending::inferred());
}

#[test]
fn a_refusal_after_a_lost_answer_is_not_taken_at_its_word() {
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![PartName::Asset] };
    let forbidden = || Verdict::NotOk {
        outcome: Outcome::Refused,
        error: ItemError::new(Reason::Forbidden, "no"),
        of_whole_call: true,
        maybe_account: true,
    };
    let facts = |standing| Verdict::Facts(Box::new(Facts::only(standing)));
    let mut item = claimed("delete");
    turn(&provider, &mut item, Verdict::Doubtful { unanswered: true }, 1, at(100)).unwrap();
    turn(&provider, &mut item, facts(Standing::Untold), 1, at(101)).unwrap();
    turn(&provider, &mut item, forbidden(), 1, at(131)).unwrap();
    assert_eq!(item.step.phase, Phase::Settle, "forbidden now does not mean that it still stands");
    assert_eq!(
        turn(&provider, &mut item, facts(Standing::Missing), 1, at(132)).unwrap_err(),
        Ending::inferred()
    );
}

#[test]
fn a_doubtful_item_without_tries_left_is_looked_for_once_more() {
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![PartName::Asset] };
    let facts = |standing| Verdict::Facts(Box::new(Facts::only(standing)));
    let mut item = claimed("delete");
    item.tries = 7;
    turn(&provider, &mut item, Verdict::Doubtful { unanswered: true }, 1, at(100)).unwrap();
    let due = turn(&provider, &mut item, facts(Standing::Stands), 1, at(101)).unwrap();
    assert_eq!((item.step.phase, due), (Phase::Settle, at(130)), "the vendor was still at work");
    let mut other = item.clone();
    assert_eq!(
        turn(&provider, &mut item, facts(Standing::Missing), 1, at(130)).unwrap_err(),
        Ending::inferred()
    );
    let end = turn(&provider, &mut other, facts(Standing::Stands), 1, at(130)).unwrap_err();
    assert_eq!(end.outcome, Outcome::Failed, "it came to rest and it stands");
}

#[test]
fn throttling_and_lane_faults_burn_no_try() {
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![PartName::Asset] };
    let mut item = claimed("delete");
    for _ in 0..50 {
        turn(&provider, &mut item, Verdict::Again(Again::Throttled), 1, at(1)).unwrap();
        turn(&provider, &mut item, Verdict::Fault(LaneReason::Suspended), 1, at(1)).unwrap();
    }
    assert_eq!(item.tries, 0);
    let late = at(25 * 3_600);
    let end = turn(&provider, &mut item, Verdict::Again(Again::Throttled), 1, late).unwrap_err();
    assert_eq!(end.error.unwrap().code, Reason::Throttled, "but a day is enough");
}

#[test]
fn an_unlisted_code_gets_few_tries_and_then_says_so() {
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![PartName::Asset] };
    let mut item = claimed("delete");
    turn(&provider, &mut item, Verdict::Again(Again::Unlisted), 1, at(1)).unwrap();
    turn(&provider, &mut item, Verdict::Again(Again::Unlisted), 1, at(2)).unwrap();
    let end = turn(&provider, &mut item, Verdict::Again(Again::Unlisted), 1, at(3)).unwrap_err();
    let error = end.error.unwrap();
    assert_eq!((error.code, error.vendor_code.as_deref()), (Reason::VendorError, Some("Code")));
}

#[test]
fn a_refused_crowd_goes_apart_and_keeps_apart() {
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![PartName::Asset] };
    let refused = |of_whole_call| Verdict::NotOk {
        outcome: Outcome::Refused,
        error: ItemError::new(Reason::Invalid, "no"),
        of_whole_call,
        maybe_account: false,
    };
    let mut item = claimed("delete");
    turn(&provider, &mut item, refused(true), 20, at(1)).unwrap();
    assert_eq!(item.step.group, "delete\u{1f}00000007a");
    turn(&provider, &mut item, Verdict::Again(Again::NotSent), 10, at(1)).unwrap();
    assert_eq!(item.step.group, "delete\u{1f}00000007a", "a retry does not bring the crowd together again");
    assert_eq!(item.tries, 1, "going apart was no try");
    let end = turn(&provider, &mut item, refused(true), 1, at(1)).unwrap_err();
    assert_eq!(end.error.unwrap().code, Reason::Invalid);
}

#[test]
fn parts_end_one_by_one() {
    let job = |n: u8| PartName::Job(format!("j{n}"));
    let provider = Paper { first: None, settle: true, repeat: Repeat::Always, parts: vec![job(1), job(2)] };
    let mut item = claimed("delete");
    turn(&provider, &mut item, Verdict::Unclear, 1, at(1)).unwrap();
    assert_eq!(item.step.phase, Phase::Settle, "not found, but which?");
    let facts = Facts {
        renditions: Some(vec![crate::types::asset::Rendition {
            job_id: Some("j2".into()),
            ..Default::default()
        }]),
        ..Facts::only(Standing::Stands)
    };
    turn(&provider, &mut item, Verdict::Facts(Box::new(facts)), 1, at(2)).unwrap();
    let endings: Vec<_> = item.progress.as_ref().unwrap().parts.iter().map(|p| p.ending.clone()).collect();
    assert_eq!(
        endings,
        [Some(Ending::absent()), None],
        "the vendor's own word was not found: nothing was lost"
    );
    let end = turn(&provider, &mut item, Verdict::Deleted, 1, at(3)).unwrap_err();
    assert_eq!(end, Ending::deleted());
}

/// The source may go while a rendition plays, which is read again before a repeat.
#[test]
fn a_read_before_a_repeat_forgets_no_lost_answer() {
    use crate::types::asset::{Rendition, Source};
    use crate::types::target::Family;
    let provider = Paper {
        first: Some(ReadFirst::PlayableRendition),
        settle: true,
        repeat: Repeat::Briefly,
        parts: vec![PartName::Source],
    };
    let facts = |source| {
        let plays = Rendition { family: Some(Family::Transcode), ..Rendition::default() };
        let facts = Facts { source, renditions: Some(vec![plays]), ..Facts::only(Standing::Stands) };
        Verdict::Facts(Box::new(facts))
    };
    let lost = || {
        let mut item = claimed("read");
        item.step =
            Step { operation: OperationName::known("Read"), phase: Phase::Resolve, group: "read".into() };
        turn(&provider, &mut item, facts(None), 1, at(100)).unwrap();
        turn(&provider, &mut item, Verdict::Doubtful { unanswered: true }, 1, at(101)).unwrap();
        assert_eq!(item.step.phase, Phase::Settle);
        turn(&provider, &mut item, facts(None), 1, at(102)).unwrap();
        // The vendor has come to rest, and the read before the first delete is too old for a second.
        sidestep(&provider, &mut item, at(132)).expect("the read is old").unwrap();
        assert_eq!(item.step.phase, Phase::Resolve);
        item
    };
    let gone = facts(Some(Source::Gone));
    assert_eq!(turn(&provider, &mut lost(), gone, 1, at(133)).unwrap_err(), Ending::inferred());
    assert_eq!(turn(&provider, &mut lost(), Verdict::Absent, 1, at(133)).unwrap_err(), Ending::inferred());
    // It may still stand: the repeat goes out, and "not found" then is our doing.
    let mut item = lost();
    turn(&provider, &mut item, facts(None), 1, at(133)).unwrap();
    assert_eq!(item.step.phase, Phase::Delete);
    assert_eq!(turn(&provider, &mut item, Verdict::Absent, 1, at(134)).unwrap_err(), Ending::inferred());
    // The vendor will not tell: nobody knows.
    let forbidden = Verdict::NotOk {
        outcome: Outcome::Refused,
        error: ItemError::new(Reason::Forbidden, "no"),
        of_whole_call: false,
        maybe_account: false,
    };
    assert_eq!(turn(&provider, &mut lost(), forbidden, 1, at(133)).unwrap_err().outcome, Outcome::Unknown);
}

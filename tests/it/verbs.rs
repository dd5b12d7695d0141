//! Pause, resume, cancel, retry and settle while calls are under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vodrm::journal::{Asked, ItemFilter, ItemRow, Settled, Settlement, Turned};
use vodrm::providers::Verdict;
use vodrm::types::asset::{Facts, Standing};
use vodrm::types::clock::Clock;
use vodrm::types::deletion::{DeletionId, DeletionSeq, ItemState};
use vodrm::types::lifecycle::{DeletionState, PauseCode, Verb};
use vodrm::types::outcome::{Ending, Outcome};

use crate::harness::stage::{MANY, ONE, Set, Stage, busy, refused};

const MINUTE: Duration = Duration::from_mins(1);

async fn turn(stage: &Stage, id: &DeletionId, verb: Verb) -> Turned {
    stage.drive(stage.dispatch.turn(id, Asked::of(verb, "operator"))).await.unwrap().unwrap()
}

fn done(turned: Turned) -> vodrm::journal::DeletionRow {
    match turned {
        Turned::Done(row, _) => row,
        other @ (Turned::Same(_)
        | Turned::Wrong(_)
        | Turned::OtherDigest(_)
        | Turned::Own(_)
        | Turned::CapReached(_)) => panic!("{other:?}"),
    }
}

async fn items(stage: &Stage, seq: DeletionSeq) -> Vec<ItemRow> {
    let all = ItemFilter::default();
    stage.drive(stage.dispatch.journal().items(seq, all, 100_000)).await.unwrap()
}

fn outcome(item: &ItemRow) -> Option<Outcome> {
    item.ending.as_ref().map(|ending| ending.outcome)
}

#[tokio::test]
async fn after_five_hundred_cancels_at_any_moment_nothing_new_starts_and_the_counts_add_up() {
    let stage = Stage::new(Set::default()).await;
    let mut canceled: Vec<(Duration, BTreeSet<String>, DeletionId, DeletionSeq)> = Vec::new();
    let mut moment = 7_u64;
    for _ in 0..50 {
        let mut open = Vec::new();
        for n in 0..10 {
            let ids = stage.ids(1 + (n * 5) % 37);
            let account = if n % 3 == 0 { ONE } else { MANY };
            let accepted = stage.submit("cms", account, &ids).await;
            open.push((ids, accepted));
        }
        for (ids, accepted) in open {
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            stage.pass(Duration::from_millis((moment >> 33) % 40)).await;
            let turned = turn(&stage, &accepted.id, Verb::Cancel).await;
            let at = stage.clock.uptime();
            if let Turned::Done(row, _) = turned {
                let add_up = row.counts.by_outcome.iter().sum::<u64>() + row.counts.open();
                assert_eq!((row.state, add_up), (DeletionState::Canceled, row.counts.total));
                canceled.push((at, ids.into_iter().collect(), accepted.id, accepted.seq));
            }
        }
    }
    stage.pass(Duration::from_secs(2)).await;
    let mut sent: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for call in [MANY, ONE].iter().flat_map(|account| stage.vendor(account).seen()) {
        for id in call.ids {
            sent.entry(id).or_default().push(call.at);
        }
    }
    let (mut deleted, mut spared) = (0, 0);
    for (at, ids, id, seq) in &canceled {
        let row = stage.row(id).await;
        assert_eq!((row.counts.open(), row.finished_at.is_some()), (0, true), "{row:?}");
        for call in ids.iter().filter_map(|id| sent.get(id)) {
            assert!(call.len() == 1 && call[0] <= *at, "canceled at {at:?}, sent at {call:?}");
        }
        for item in items(&stage, *seq).await {
            let id = item.wanted.as_ref().unwrap().target.name.as_str();
            match outcome(&item).unwrap() {
                Outcome::Deleted => deleted += u32::from(sent.contains_key(id)),
                Outcome::Canceled => {
                    assert!(!sent.contains_key(id), "called canceled, and it was sent");
                    spared += 1;
                }
                other @ (Outcome::Absent
                | Outcome::Refused
                | Outcome::Busy
                | Outcome::Failed
                | Outcome::Unknown) => panic!("{other:?}"),
            }
        }
        let again = turn(&stage, id, Verb::Cancel).await;
        assert!(matches!(again, Turned::Same(_)), "a second cancel changes nothing");
    }
    println!("{} canceled: {deleted} items were sent before, {spared} never", canceled.len());
    assert!(canceled.len() > 300 && deleted > 300 && spared > 300, "{} {deleted} {spared}", canceled.len());
    stage.end().await;
}

#[tokio::test]
async fn a_large_deletion_is_canceled_in_steps_and_ends() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(5_000);
    let job = stage.upload("cms", MANY, &ids).await;
    stage.pass(Duration::from_secs(1)).await;
    let row = done(turn(&stage, &job.id, Verb::Cancel).await);
    assert!(row.counts.of(Outcome::Canceled) >= 900, "the first step is made at once: {row:?}");
    let calls = stage.vendor(MANY).seen().len();
    let row = stage.ended(&job.id, MINUTE).await;
    assert_eq!(row.counts.of(Outcome::Deleted) + row.counts.of(Outcome::Canceled), 5_000);
    assert_eq!(stage.vendor(MANY).seen().len(), calls, "nothing started after it");
    stage.end().await;
}

#[tokio::test]
async fn a_paused_deletion_sends_nothing_until_it_is_resumed() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(400);
    let job = stage.submit("cms", MANY, &ids).await;
    stage.pass(Duration::from_millis(200)).await;
    let row = done(turn(&stage, &job.id, Verb::Pause).await);
    assert_eq!(
        row.pause.as_ref().map(|why| (why.code, why.by.as_deref())),
        Some((PauseCode::Operator, Some("operator")))
    );
    let calls = stage.vendor(MANY).seen().len();
    stage.pass(MINUTE).await;
    assert_eq!(stage.vendor(MANY).seen().len(), calls);
    assert!(matches!(turn(&stage, &job.id, Verb::Pause).await, Turned::Same(_)));
    done(turn(&stage, &job.id, Verb::Resume).await);
    let row = stage.ended(&job.id, Duration::from_secs(5)).await;
    assert_eq!((row.state, row.counts.of(Outcome::Deleted)), (DeletionState::Finished, 400));
    assert!(matches!(turn(&stage, &job.id, Verb::Resume).await, Turned::Wrong(_)));
    stage.end().await;
}

#[tokio::test]
async fn a_retry_opens_what_was_busy_and_leaves_the_rest() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(1_300);
    stage.vendor(MANY).says(|_, id| match id.as_bytes().last() {
        Some(b'0' | b'2' | b'4' | b'6') => busy(),
        Some(b'5') => refused("Never"),
        _ => Verdict::Deleted,
    });
    let job = stage.submit("cms", MANY, &ids).await;
    let row = stage.ended(&job.id, MINUTE).await;
    assert_eq!((row.counts.of(Outcome::Busy), row.counts.of(Outcome::Refused)), (520, 130));
    stage.vendor(MANY).says(|_, _| Verdict::Deleted);
    let row = done(turn(&stage, &job.id, Verb::Retry).await);
    assert_eq!((row.state, row.round), (DeletionState::Running, 1));
    let row = stage.ended(&job.id, MINUTE).await;
    stage.pass(Duration::from_secs(1)).await;
    let row = stage.row(&row.id).await;
    assert_eq!(
        (row.state, row.counts.of(Outcome::Deleted), row.counts.of(Outcome::Refused)),
        (DeletionState::Finished, 1_170, 130)
    );
    let key = items(&stage, job.seq).await.iter().find(|item| item.attempts == 2).unwrap().key;
    let receipt = stage.drive(stage.dispatch.journal().item(key)).await.unwrap().unwrap();
    assert_eq!(receipt.rounds.len(), 1);
    assert_eq!(
        (receipt.rounds[0].ending.outcome, receipt.rounds[0].by.as_str()),
        (Outcome::Busy, "operator")
    );
    assert!(matches!(turn(&stage, &job.id, Verb::Retry).await, Turned::Same(_)), "nothing is left to retry");
    stage.end().await;
}

/// A deletion of one item that ends unknown: its answers are lost and no read can tell.
async fn unknown(stage: &Stage) -> (String, vodrm::dispatch::submit::Accepted) {
    stage.vendor(MANY).says(|operation, _| match operation.name {
        "DeleteMany" => Verdict::Doubtful { unanswered: true },
        _ => Verdict::Facts(Box::new(Facts::only(Standing::Untold))),
    });
    let ids = stage.ids(1);
    let job = stage.submit("cms", MANY, &ids).await;
    let row = stage.ended(&job.id, 10 * MINUTE).await;
    assert_eq!(row.counts.of(Outcome::Unknown), 1, "{row:?}");
    (ids[0].clone(), job)
}

#[tokio::test]
async fn a_retry_of_an_unknown_item_reads_first_and_what_is_gone_is_inferred() {
    let stage = Stage::new(Set { max_attempts: 2, ..Set::default() }).await;
    let (_, job) = unknown(&stage).await;
    let before = stage.vendor(MANY).seen().len();
    stage.vendor(MANY).says(|operation, _| match operation.name {
        "ReadMany" => Verdict::Absent,
        _ => Verdict::Deleted,
    });
    done(turn(&stage, &job.id, Verb::Retry).await);
    stage.ended(&job.id, MINUTE).await;
    let calls = stage.vendor(MANY).seen().split_off(before);
    assert_eq!(calls.iter().map(|call| call.operation).collect::<Vec<_>>(), ["ReadMany"]);
    assert_eq!(items(&stage, job.seq).await[0].ending, Some(Ending::inferred()));
    stage.end().await;
}

#[tokio::test]
async fn an_operator_settles_what_nobody_knows_once() {
    let stage = Stage::new(Set { max_attempts: 2, ..Set::default() }).await;
    let (_, job) = unknown(&stage).await;
    let key = items(&stage, job.seq).await[0].key;
    let settlement =
        Settlement { ending: Ending::absent(), by: "operator".to_owned(), reason: Some("looked".to_owned()) };
    let settled = stage.drive(stage.dispatch.settle(key, settlement.clone())).await.unwrap();
    assert!(
        matches!(&settled, Settled::Done(item, _) if outcome(item) == Some(Outcome::Absent)),
        "{settled:?}"
    );
    let again = stage.drive(stage.dispatch.settle(key, settlement)).await.unwrap();
    assert!(matches!(again, Settled::Wrong(_)));
    let receipt = stage.drive(stage.dispatch.journal().item(key)).await.unwrap().unwrap();
    assert!(receipt.rounds[0].settled && receipt.rounds[0].ending.outcome == Outcome::Unknown);
    stage.end().await;
}

#[tokio::test]
async fn a_hundred_deletions_of_one_id_make_one_call_and_all_get_its_outcome() {
    let stage = Stage::new(Set::default()).await;
    // A permit is there, so the first goes out at once.
    stage.pass(Duration::from_secs(1)).await;
    let id = stage.ids(1);
    let mut jobs = Vec::new();
    for n in 0..100 {
        jobs.push(
            stage.dispatch.submit(Stage::request(&format!("caller-{}", n % 7), MANY, &id)).await.unwrap(),
        );
    }
    for job in &jobs {
        let row = stage.ended(&job.id, Duration::from_secs(5)).await;
        assert_eq!(row.counts.of(Outcome::Deleted), 1);
        let item = &items(&stage, job.seq).await[0];
        assert_eq!((item.state, item.attempts), (ItemState::Done, 1), "{item:?}");
    }
    assert_eq!(stage.vendor(MANY).seen().len(), 1);
    let with = items(&stage, jobs[50].seq).await[0].coalesced_with.clone();
    assert_eq!(with, Some((jobs[0].id.clone(), 0)));
    stage.end().await;
}

#[tokio::test]
async fn a_deletion_that_mostly_fails_is_paused_after_a_thousand_and_not_before() {
    let stage = Stage::new(Set::default()).await;
    let ids = stage.ids(4_000);
    stage.vendor(MANY).says(|_, id| match id.as_bytes().last() {
        Some(b'0'..=b'5') => busy(),
        _ => Verdict::Deleted,
    });
    let job = stage.upload("cms", MANY, &ids).await;
    stage.pass(Duration::from_secs(10)).await;
    let row = stage.row(&job.id).await;
    let why = row.pause.as_ref().unwrap();
    let tried = row.counts.total - row.counts.open();
    assert_eq!((row.state, why.code, &why.by), (DeletionState::Paused, PauseCode::MostlyFailed, &None));
    // What was under way when the thousandth ended still ends.
    assert!((1_000..1_200).contains(&tried), "{tried}");
    assert!(why.reason.as_ref().unwrap().contains("of 1000 items"), "{why:?}");
    // From a resume on it is counted anew.
    stage.vendor(MANY).says(|_, _| Verdict::Deleted);
    done(turn(&stage, &job.id, Verb::Resume).await);
    let row = stage.ended(&job.id, MINUTE).await;
    assert_eq!(row.state, DeletionState::Finished);
    stage.end().await;
}

#[tokio::test]
async fn twenty_in_a_row_with_one_code_pause_a_deletion_and_a_small_one_is_left_alone() {
    let stage = Stage::new(Set::default()).await;
    stage.vendor(ONE).says(|_, _| refused("Locked"));
    let ids = stage.ids(200);
    let job = stage.submit("cms", ONE, &ids).await;
    stage.pass(Duration::from_secs(5)).await;
    let row = stage.row(&job.id).await;
    let why = row.pause.as_ref().unwrap();
    assert_eq!((why.code, row.counts.open() > 100), (PauseCode::SameFailure, true), "{row:?}");
    assert!(why.reason.as_ref().unwrap().contains("Locked"), "{why:?}");
    let ids = stage.ids(20);
    let small = stage.submit("cms", ONE, &ids).await;
    let row = stage.ended(&small.id, MINUTE).await;
    assert_eq!((row.state, row.counts.of(Outcome::Refused)), (DeletionState::Finished, 20));
    stage.end().await;
}

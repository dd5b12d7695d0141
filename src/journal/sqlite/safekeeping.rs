//! Tests of what keeps a journal safe: `fsck`, `backup`, and what a copy does.
//!
//! Each rule of `fsck` is broken on purpose, with plain SQL behind the journal's
//! back, and must then be the one that is told. Its own file because these tests
//! look at files beside or instead of the journal that works.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fsck::RULES;
use super::tests::OneFile;
use super::*;
use crate::journal::contract::{self, Bench, account, deletion, item, sent, waiting};
use crate::journal::{ChoreWord, Found, Note, Once, Reopen, Start};
use crate::types::clock::SystemClock;
use crate::types::deletion::{Digest, IfAbsent};
use crate::types::lifecycle::{DeletionState, PauseCode, Terms, Verb};
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};

/// How to break each rule.
const PLANTS: [(&str, &str); 52] = [
    ("counts", "UPDATE deletions SET deleted = deleted - 1, absent = absent + 1 WHERE seq = 1"),
    ("counts", "DELETE FROM items WHERE deletion = 1 AND idx = 3"),
    ("sum", "UPDATE deletions SET ended = ended + 1 WHERE seq = 1"),
    ("indexes", "UPDATE items SET idx = 99 WHERE deletion = 1 AND idx = 6"),
    ("orphan items", "UPDATE items SET deletion = 77 WHERE deletion = 3"),
    ("one place", "UPDATE items SET lease_until = 5 WHERE deletion = 1 AND idx = 2"),
    ("done", "UPDATE items SET finished_at = 5 WHERE deletion = 1 AND idx = 2"),
    ("next call", "UPDATE items SET phase = NULL WHERE deletion = 1 AND idx = 2"),
    ("leases", "UPDATE items SET generation = 0 WHERE lease_until IS NOT NULL"),
    ("leases", "UPDATE deletions SET state = 5 WHERE seq = 1"),
    ("places are unique", "UPDATE items SET outcome_seq = 1 WHERE deletion = 1 AND outcome IS NOT NULL"),
    ("places have no gap", "UPDATE deletions SET sequence = sequence + 1 WHERE seq = 1"),
    ("places have no gap", "DELETE FROM rounds"),
    ("finished", "UPDATE deletions SET finished_at = 5 WHERE seq = 1"),
    ("finished", "UPDATE deletions SET state = 1 WHERE seq = 3"),
    ("pause", "UPDATE deletions SET pause = NULL WHERE state = 2"),
    ("chores", "UPDATE deletions SET chore = 1 WHERE seq = 1"),
    ("chores", "UPDATE deletions SET chore = 4 WHERE seq = 1"),
    ("not sent", "UPDATE items SET generation = 1 WHERE deletion = 5"),
    ("not sent", "UPDATE deletions SET started_at = 5 WHERE seq = 5"),
    ("deadline", "UPDATE deletions SET deadline = NULL WHERE seq = 5"),
    ("deadline", "UPDATE deletions SET deadline = 5 WHERE seq = 1"),
    ("gates", "UPDATE deletions SET state = 1, deadline = NULL WHERE seq = 5"),
    ("gates", "UPDATE deletions SET state = 10 WHERE seq = 6"),
    ("notes", "INSERT INTO notes VALUES (1, 500, NULL, 0)"),
    ("gathered calls", "UPDATE audit_open SET deletion = 999"),
    ("audit", "UPDATE audit SET reason = 'forged' WHERE seq = 1"),
    ("usage", "UPDATE usage SET items = -1"),
    ("usage", "UPDATE usage SET caller = 999"),
    ("holds", "UPDATE holds SET held_by = 999"),
    ("holds", "UPDATE stops SET by = 999"),
    ("waiting", "UPDATE queues SET waiting = waiting + 1 WHERE deletion = 1"),
    ("queued", "DELETE FROM queues WHERE deletion = 1"),
    ("unsealed", "UPDATE deletions SET state = 0 WHERE seq = 1"),
    ("unsealed", "UPDATE queues SET caller = caller + 1"),
    ("asleep", "UPDATE queues SET asleep = NULL WHERE deletion = 4"),
    ("asleep", "UPDATE queues SET asleep = NULL WHERE deletion = 5"),
    ("asleep", "UPDATE queues SET asleep = 9223372036854775807 WHERE deletion = 1"),
    ("turns", "DELETE FROM turns"),
    ("turns", "INSERT INTO turns SELECT account, operation, 999, 0, 0 FROM lanes"),
    ("turns", "INSERT INTO lanes VALUES (999, 999, 0)"),
    ("behind", "UPDATE items SET behind = 6 WHERE deletion = 1 AND idx = 4"),
    ("followers", "UPDATE items SET same_as = 2, behind = 2 WHERE deletion = 1 AND idx = 1"),
    ("shared calls", "UPDATE coalesced SET with_idx = 99"),
    ("attached", "DELETE FROM coalesced"),
    ("attempts", "UPDATE items SET calls = calls + 1 WHERE deletion = 1 AND idx = 5"),
    ("calls", "DELETE FROM calls"),
    ("rounds", "UPDATE rounds SET number = 2"),
    ("left over", "INSERT INTO attempts VALUES (1, 500, 1, 1)"),
    ("left over", "INSERT INTO resolved VALUES (1, 'gone', 1, 500)"),
    ("keys", "UPDATE keys SET deletion = 99"),
    ("sqlite", "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'items_same'"),
];

fn failed() -> Ending {
    Ending::not_ok(Outcome::Failed, ItemError::new(Reason::Unavailable, "gave up"))
}

/// A journal in which something of everything is.
async fn furnished(bench: &Bench) {
    let follows = |name, leader| item(name, Start::Follows { leader });
    let after =
        |name, earlier| item(name, Start::After { earlier, step: contract::step("DeleteStream", "") });
    let ended = || item("v6", Start::Ended(Ending::absent()));
    let asked =
        vec![sent("v1"), follows("v1", 0), waiting("w2"), waiting("w3"), after("v1", 0), sent("v5"), ended()];
    let once = Once { key: "k".to_owned(), fingerprint: Digest([1; 32]), keep: Duration::from_hours(24) };
    let new = NewDeletion { once: Some(once), ..deletion(asked) };
    let id = new.id.clone();
    let appended = bench.accept(new).await;
    assert_eq!(bench.append(vec![sent("v1")]).await.claimed, vec![]);
    bench.append(vec![ended()]).await;
    let paused = deletion(vec![waiting("w4")]);
    bench.accept(paused.clone()).await;
    let why = Pause { code: PauseCode::Operator, reason: None, by: None, at: bench.now() };
    bench
        .journal
        .turn(&paused.id, Asked { pause: Some(why), ..Asked::of(Verb::Pause, "ops") })
        .await
        .unwrap();
    let hour = Duration::from_hours(1);
    let approval = Terms { approval: Some(hour), ..Terms::default() };
    bench.accept(NewDeletion { terms: approval, ..deletion(vec![waiting("w5")]) }).await;
    let plan = Terms { plan: Some(hour), check: true, ..Terms::default() };
    let planned = bench.accept(NewDeletion { terms: plan, ..deletion(vec![waiting("w6")]) }).await;
    let missing = Note { found: Some(Found::Missing), quarantine: None };
    let looked_up = Noted { chore: ChoreWord::Check, notes: vec![(0, missing)], next: None };
    assert_eq!(bench.journal.note(planned.seq, looked_up).await, Ok(true));
    let hold = Hold {
        account: account(),
        id: HoldId::parse("promo-*").unwrap(),
        asset: None,
        reason: "a lawsuit".to_owned(),
        held_by: "legal".to_owned(),
        held_at: bench.now(),
    };
    bench.journal.hold(hold).await.unwrap();
    let stop = Stop { account: None, reason: None, by: "ops".to_owned(), at: bench.now() };
    assert_eq!(bench.journal.stop(stop).await, Ok(true));
    // One item with two rounds of calls.
    let late = contract::step("GetVideoInfo", "");
    for end in [failed(), Ending::deleted()] {
        let open = match bench.claim("GetVideoInfo", 9).await {
            none if none.is_empty() => appended.claimed[1..].to_vec(),
            some => some,
        };
        bench.again(&open, &late, Duration::ZERO, true).await;
        let open = bench.claim("GetVideoInfo", 9).await;
        bench.end(&open, &end).await;
        if end.outcome == Outcome::Failed {
            let key = ItemKey { deletion: appended.seq, index: 5 };
            let reopen = Reopen { key, step: late.clone(), progress: None, due_at: bench.now() };
            let retry = Retry { items: vec![reopen], next: None, by: "ops".to_owned(), reason: None };
            bench.journal.retry(&id, retry).await.unwrap();
        }
    }
}

fn told(path: &Path) -> BTreeSet<&'static str> {
    fsck(path).unwrap().findings.iter().map(|finding| finding.rule).collect()
}

/// The furnished journal, closed: one whole file.
async fn closed() -> (PathBuf, tempfile::TempDir) {
    let file = OneFile::new();
    let path = file.path();
    let bench = Bench::on(Box::new(file)).await;
    furnished(&bench).await;
    bench.journal.close().await;
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.db");
    std::fs::copy(path, &kept).unwrap();
    (kept, folder)
}

#[tokio::test]
async fn every_rule_that_is_broken_is_told() {
    let (kept, folder) = closed().await;
    let sound = fsck(&kept).unwrap();
    assert_eq!((sound.findings, sound.deletions, sound.items), (vec![], 6, 12));
    let broken = folder.path().join("broken.db");
    for (rule, plant) in PLANTS {
        std::fs::copy(&kept, &broken).unwrap();
        let connection = Connection::open(&broken).unwrap();
        let unguarded = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; ";
        connection.execute_batch(&format!("{unguarded}{plant}")).unwrap();
        connection.close().unwrap();
        assert!(told(&broken).contains(rule), "{plant}: {:?}", fsck(&broken).unwrap().findings);
        for end in ["-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{end}", broken.display())));
        }
    }
    let planted: BTreeSet<_> =
        PLANTS.iter().map(|(rule, _)| *rule).filter(|rule| !["sqlite", "audit"].contains(rule)).collect();
    assert_eq!(planted, RULES.iter().map(|(rule, _)| *rule).collect(), "each rule is seen to be told");
}

#[tokio::test]
async fn a_finding_names_deletion_and_item() {
    let (kept, _folder) = closed().await;
    let connection = Connection::open(&kept).unwrap();
    let id: String =
        connection.query_row("SELECT id FROM deletions WHERE seq = 1", [], |row| row.get(0)).unwrap();
    connection.execute_batch("UPDATE items SET calls = 9 WHERE deletion = 1 AND idx = 5").unwrap();
    connection.close().unwrap();
    let findings = fsck(&kept).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].deletion.as_ref(), findings[0].item), (Some(&id), Some(5)));
}

#[tokio::test]
async fn what_is_being_removed_has_no_rules_of_its_own() {
    let file = OneFile::new();
    let path = file.path();
    let bench = Bench::on(Box::new(file)).await;
    let upload = crate::journal::NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        key: None,
    };
    let Begun::Receiving(seq) = bench.journal.begin(upload).await.unwrap() else { panic!() };
    bench.journal.stage(seq, 0, vec![waiting("v1"), waiting("w2"), waiting("v1")]).await.unwrap();
    bench.journal.discard(seq).await.unwrap();
    // The duplicate outlives what it waits for.
    assert_eq!(bench.journal.clean(bench.now(), 1).await, Ok(true));
    let report = fsck(&path).unwrap();
    assert_eq!((report.findings, report.items), (vec![], 2));
}

#[tokio::test]
async fn a_journal_is_checked_and_copied_while_it_works() {
    let file = OneFile::new();
    let path = file.path();
    let bench = Bench::on(Box::new(file)).await;
    furnished(&bench).await;
    assert_eq!(fsck(&path).unwrap().findings, vec![]);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let bytes = backup(&path, &copy).unwrap();
    // What comes later is not in it.
    bench.append(vec![waiting("late")]).await;
    assert_eq!(std::fs::metadata(&copy).unwrap().len(), bytes);
    assert_eq!((fsck(&copy).unwrap().deletions, fsck(&path).unwrap().deletions), (6, 7));
    assert_eq!(fsck(&copy).unwrap().findings, vec![]);
    let again = backup(&path, &copy).unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again}");
    assert!(again.to_string().contains("copy.db"), "{again}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    let nowhere = backup(&path, &folder.path().join("no/folder/copy.db")).unwrap_err();
    assert!(matches!(nowhere, BackupError::Io { .. }), "{nowhere}");
}

#[tokio::test]
async fn what_is_no_journal_is_neither_checked_nor_copied() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to.db");
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for path in [folder.path().join("none.db"), empty, foreign] {
        assert!(fsck(&path).is_err(), "{}", path.display());
        assert!(matches!(backup(&path, &to), Err(BackupError::Journal(_))), "{}", path.display());
    }
    let (kept, _folder) = closed().await;
    let version = |n: i64| {
        Connection::open(&kept).unwrap().pragma_update(None, "user_version", n).unwrap();
        fsck(&kept).unwrap_err()
    };
    assert!(matches!(version(1), OpenError::Older { found: 1, .. }));
    assert!(matches!(version(99), OpenError::Newer { found: 99, .. }));
    assert!(!to.exists());
}

/// What the open deletions' states are after a start.
async fn states(path: &Path, moved: Moved) -> Vec<DeletionState> {
    let journal = SqliteJournal::open_moved(path, SystemClock::start(), Metrics::new(), moved).unwrap();
    let rows = journal.deletions(DeletionFilter::default(), 9).await.unwrap();
    let codes = rows.iter().filter_map(|row| row.pause.as_ref()).map(|pause| pause.code).collect::<Vec<_>>();
    let claim = journal.claim(&contract::lane("DeleteVideo"), 9, contract::LEASE).await.unwrap();
    let runs = rows.iter().any(|row| row.state == DeletionState::Running);
    assert_eq!(claim.items.is_empty(), !runs);
    // They wait again, so that every start finds the same.
    for item in claim.items {
        let next =
            crate::journal::Next::Again { step: item.step.clone(), due_at: item.accepted_at, counts: false };
        let call = CallRecord {
            lane: LaneId { account: account(), operation: item.step.operation.clone() },
            phase: item.step.phase,
            started_at: item.accepted_at,
            duration: Duration::ZERO,
            class: crate::types::outcome::AttemptClass::NotSent,
            status: None,
            vendor_code: None,
            request_id: None,
        };
        journal.record(call, vec![contract::change(&item, next)]).await.unwrap();
    }
    assert!(codes.iter().all(|code| *code == PauseCode::JournalMoved));
    journal.close().await;
    rows.into_iter().map(|row| row.state).collect()
}

#[tokio::test]
async fn a_journal_that_was_copied_or_restored_starts_paused() {
    use DeletionState::{Finished, Paused, Running};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let here = at("here.db");
    let journal = SqliteJournal::open(&here, SystemClock::start(), Metrics::new()).unwrap();
    journal.append(deletion(vec![waiting("v1"), waiting("v2")])).await.unwrap();
    journal.append(deletion(vec![item("v3", Start::Ended(Ending::absent()))])).await.unwrap();
    journal.close().await;
    // Newest first. An ordinary start, and another.
    for _ in 0..2 {
        assert_eq!(states(&here, Moved::Pause).await, [Finished, Running]);
    }
    let whole = |from: &str, to: &str| {
        for end in ["", ".epoch"] {
            std::fs::copy(at(&format!("{from}{end}")), at(&format!("{to}{end}"))).unwrap();
        }
    };
    // A copy of the file, of the file with its companion, and a backup.
    std::fs::copy(&here, at("alone.db")).unwrap();
    assert_eq!(states(&at("alone.db"), Moved::Pause).await, [Finished, Paused]);
    whole("here.db", "both.db");
    assert_eq!(states(&at("both.db"), Moved::Pause).await, [Finished, Paused]);
    whole("here.db", "accepted.db");
    assert_eq!(states(&at("accepted.db"), Moved::Accept).await, [Finished, Running]);
    assert_eq!(states(&at("accepted.db"), Moved::Pause).await, [Finished, Running], "once is enough");
    backup(&here, &at("backup.db")).unwrap();
    std::fs::copy(at("here.db.epoch"), at("backup.db.epoch")).unwrap();
    assert_eq!(states(&at("backup.db"), Moved::Pause).await, [Finished, Paused]);
    // An older state, put back into the very same file.
    let old = std::fs::read(&here).unwrap();
    assert_eq!(states(&here, Moved::Pause).await, [Finished, Running]);
    std::fs::write(&here, old).unwrap();
    assert_eq!(states(&here, Moved::Pause).await, [Finished, Paused]);
    // It stays so until somebody looks.
    assert_eq!(states(&here, Moved::Pause).await, [Finished, Paused]);
    // Only its companion is gone.
    std::fs::remove_file(at("accepted.db.epoch")).unwrap();
    assert_eq!(states(&at("accepted.db"), Moved::Pause).await, [Finished, Paused]);
}

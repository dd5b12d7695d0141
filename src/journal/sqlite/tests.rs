//! What only this store can show: its file, its lock, its disk.
//!
//! The contract itself is in `journal/contract`; it is run here. Its own file
//! because these tests look behind the [`Journal`] trait.

use std::path::PathBuf;

use proptest::prelude::*;

use super::writer::QUEUE;
use super::*;
use crate::journal::Appended;
use crate::journal::contract::{self, Bench, LEASE, Store, deletion, sent, waiting};
use crate::types::clock::SystemClock;
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::{AttemptClass, Ending, Outcome};

contract::contract_tests!(bench);

/// A file in a folder that goes with it.
pub(super) struct OneFile(tempfile::TempDir);

impl OneFile {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("new/folder/journal.db")
    }

    fn open(&self) -> Result<SqliteJournal, OpenError> {
        SqliteJournal::open(&self.path(), SystemClock::start(), Metrics::new())
    }
}

#[async_trait]
impl Store for OneFile {
    async fn open(&self, clock: Arc<dyn Clock>, metrics: Metrics) -> Arc<dyn Journal> {
        Arc::new(SqliteJournal::open(&self.path(), clock, metrics).unwrap())
    }

    fn examine(&self) {
        assert_eq!(fsck(&self.path()).unwrap().findings, vec![]);
    }
}

async fn bench() -> Bench {
    Bench::on(Box::new(OneFile::new())).await
}

fn raw(file: &OneFile) -> Connection {
    Connection::open(file.path()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_run_of_writes_agrees_with_the_model(ops in contract::model::ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = bench().await;
            contract::model::play(&bench, ops).await;
            bench.store.examine();
        });
    }
}

#[tokio::test]
async fn a_second_open_is_refused_and_says_which_file() {
    let file = OneFile::new();
    let first = file.open().unwrap();
    let refused = file.open().unwrap_err();
    assert!(matches!(refused, OpenError::Locked(_)));
    assert!(refused.to_string().contains("journal.db.lock"), "{refused}");
    first.close().await;
    let second = file.open().unwrap();
    // Without close: the file is free as soon as the journal is gone.
    drop(second);
    file.open().unwrap();
}

#[tokio::test]
async fn a_killed_process_leaves_everything_that_was_answered() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    let mut ids = Vec::new();
    for n in 0..20 {
        let new = deletion(vec![waiting(&format!("v{n}")), sent(&format!("x{n}"))]);
        ids.push(new.id.clone());
        journal.append(new).await.unwrap();
    }
    // What a kill leaves: the files as they are now, no checkpoint, no close.
    let copy = OneFile::new();
    std::fs::create_dir_all(copy.path().parent().unwrap()).unwrap();
    for end in ["", "-wal"] {
        let name = |file: &OneFile| format!("{}{end}", file.path().display());
        std::fs::copy(name(&file), name(&copy)).unwrap();
    }
    // It is not where it was, which is not what this is about.
    let (clock, metrics) = (SystemClock::start(), Metrics::new());
    let reopened = SqliteJournal::open_moved(&copy.path(), clock, metrics, Moved::Accept).unwrap();
    for id in &ids {
        let row = reopened.deletion(id).await.unwrap().unwrap();
        assert_eq!((row.counts.total, row.state), (2, DeletionState::Running));
    }
    assert_eq!(reopened.rescue(Rescue::All, 99, LEASE).await.unwrap().len(), 20);
    assert_eq!(reopened.open_lanes().await.unwrap()[0].waiting, 20);
}

#[tokio::test]
async fn a_torn_log_opens_at_its_last_whole_commit() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    let (kept, torn) = (deletion(vec![waiting("v1")]), deletion(vec![waiting("v2")]));
    journal.append(kept.clone()).await.unwrap();
    journal.append(torn.clone()).await.unwrap();
    let copy = OneFile::new();
    std::fs::create_dir_all(copy.path().parent().unwrap()).unwrap();
    std::fs::copy(file.path(), copy.path()).unwrap();
    let log = std::fs::read(format!("{}-wal", file.path().display())).unwrap();
    std::fs::write(format!("{}-wal", copy.path().display()), &log[..log.len() - 100]).unwrap();
    let reopened = copy.open().unwrap();
    assert!(reopened.deletion(&kept.id).await.unwrap().is_some());
    assert!(reopened.deletion(&torn.id).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_not_our_journal_is_refused_by_name() {
    let file = OneFile::new();
    file.open().unwrap();
    raw(&file).pragma_update(None, "user_version", 99).unwrap();
    let newer = file.open().unwrap_err();
    assert!(matches!(newer, OpenError::Newer { found: 99, known: 3, .. }), "{newer}");

    raw(&file).pragma_update(None, "user_version", 3).unwrap();
    raw(&file).execute_batch("DROP TABLE attempts").unwrap();
    let lacking = file.open().unwrap_err();
    assert!(matches!(lacking, OpenError::Damaged { .. }), "{lacking}");

    let foreign = OneFile::new();
    std::fs::create_dir_all(foreign.path().parent().unwrap()).unwrap();
    raw(&foreign).execute_batch("CREATE TABLE theirs (x)").unwrap();
    let refused = foreign.open().unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");

    let garbage = OneFile::new();
    std::fs::create_dir_all(garbage.path().parent().unwrap()).unwrap();
    std::fs::write(garbage.path(), "this is not a database. ".repeat(500)).unwrap();
    let damaged = garbage.open().unwrap_err();
    assert!(matches!(damaged, OpenError::Damaged { .. }), "{damaged}");
    for (file, refused) in [(&file, newer), (&file, lacking), (&foreign, refused), (&garbage, damaged)] {
        assert!(refused.to_string().contains(&file.path().display().to_string()), "{refused}");
    }
}

#[tokio::test]
async fn a_damaged_page_is_noticed_at_the_start() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    journal.append(deletion((0..500).map(|n| waiting(&format!("v{n}"))).collect())).await.unwrap();
    journal.close().await;
    let mut bytes = std::fs::read(file.path()).unwrap();
    let last = bytes.len() - 4_096;
    bytes[last..last + 64].fill(0xA5);
    std::fs::write(file.path(), bytes).unwrap();
    assert!(matches!(file.open(), Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    let limit = |pages: i64| {
        journal.writer.write(1, move |c| {
            let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            Ok(c.pragma_update_and_check(None, "max_page_count", pages, set)?)
        })
    };
    let many = |n: usize| deletion((0..1_000).map(|m| waiting(&format!("v{n}-{m}"))).collect());
    let first = many(0);
    journal.append(first.clone()).await.unwrap();
    limit(1).await.unwrap();
    let (big, small) = (many(1), deletion(vec![sent("small")]));
    assert_eq!(journal.append(big.clone()).await, Err(Error::DiskFull));
    assert_eq!(journal.deletion(&big.id).await, Ok(None));
    assert_eq!(journal.items_of(&contract::account(), "v1-0", None, 9).await, Ok(vec![]));
    assert_eq!(journal.deletion(&first.id).await.unwrap().unwrap().counts.total, 1_000);
    limit(1_000_000).await.unwrap();
    journal.append(big).await.unwrap();
    let Accepted::New(Appended { claimed, .. }) = journal.append(small).await.unwrap() else { panic!() };
    let change = contract::change(&claimed[0], crate::journal::Next::Ended(Ending::deleted()));
    let call = CallRecord {
        lane: contract::lane("DeleteVideo"),
        phase: crate::types::deletion::Phase::Delete,
        started_at: "2026-11-05T10:00:00Z".parse().unwrap(),
        duration: Duration::ZERO,
        class: AttemptClass::Answered,
        status: None,
        vendor_code: None,
        request_id: None,
    };
    assert_eq!(journal.record(call, vec![change]).await.unwrap().touched.len(), 1);
}

#[tokio::test]
async fn a_write_that_panics_takes_nothing_with_it() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    let before = deletion(vec![waiting("v1")]);
    let panics = journal.writer.write(1, |c| -> Result<(), Error> {
        c.execute_batch("DELETE FROM items").unwrap();
        panic!("on purpose, in a test");
    });
    let (before_it, panicked) = tokio::join!(journal.append(before.clone()), panics);
    before_it.unwrap();
    assert_eq!(panicked, Err(Error::Unavailable("a write panicked".to_owned())));
    assert_eq!(journal.check().await, Ok(()));
    let row = journal.deletion(&before.id).await.unwrap().unwrap();
    assert_eq!(journal.items(row.seq, ItemFilter::default(), 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_read_that_panics_takes_no_connection_for_good() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    for _ in 0..9 {
        let read = journal.readers.read(|_| -> Result<(), Error> { panic!("on purpose, in a test") });
        assert!(matches!(read.await, Err(Error::Unavailable(_))));
    }
    assert_eq!(journal.open_lanes().await, Ok(vec![]));
}

#[tokio::test]
async fn reads_that_wait_are_done_before_a_close_and_refused_after_it() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    // More than there are readers, so that some wait for a thread that has another's read.
    let reads = futures_util::future::join_all((0..50).map(|_| journal.open_lanes()));
    let (found, ()) = tokio::join!(reads, journal.close());
    assert!(found.iter().all(|read| *read == Ok(vec![])), "{found:?}");
    assert!(matches!(journal.open_lanes().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_lost_transaction_is_told_to_all_who_shared_it() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    // SQLite does this by itself after some failures.
    let gone = || {
        journal.writer.write(1, |c| -> Result<(), Error> {
            c.execute_batch("ROLLBACK")?;
            Err(Error::DiskFull)
        })
    };
    assert_eq!(gone().await, Err(Error::DiskFull));
    assert_eq!(journal.check().await, Ok(()));
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let file = OneFile::new();
    let journal = file.open().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, started) = tokio::sync::oneshot::channel();
    let first = journal.writer.write(1, move |_| {
        begun.send(()).ok();
        held.recv().map_err(|e| Error::Unavailable(e.to_string()))
    });
    let crowd = async {
        started.await.unwrap();
        let waiting = futures_util::future::join_all((0..QUEUE + 5).map(|_| journal.check()));
        let free = async { release.send(()).unwrap() };
        tokio::join!(waiting, free).0
    };
    let (first, crowd) = tokio::join!(first, crowd);
    first.unwrap();
    assert_eq!(crowd.iter().filter(|result| **result == Err(Error::Overloaded)).count(), 5);
    assert_eq!(crowd.iter().filter(|result| result.is_ok()).count(), QUEUE);
}

/// Scans that are meant: along the key, newest first; of what is open only; of tables of a few rows; of a list
/// that came as a parameter; of what another line of the plan has found.
fn is_meant(line: &str) -> bool {
    let along =
        ["SCAN d", "SCAN n", "SCAN a", "SCAN h", "SCAN s", "SCAN sqlite_sequence", "SCAN CONSTANT ROW"];
    let few = ["items_due", "deletions_open", "deletions_chores", "deletions_removed", "queues_turn"];
    along.contains(&line) || few.iter().chain(&["VIRTUAL TABLE", "(subquery"]).any(|part| line.contains(part))
}

#[test]
fn every_statement_fits_the_tables_and_none_searches_all_rows() {
    let file = OneFile::new();
    drop(file.open().unwrap());
    let connection = raw(&file);
    let mut odd = Vec::new();
    for statement in statements() {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let line: String = row.get("detail").unwrap();
            // Lanes are few, and so are an item's attempts.
            let small = statement.contains("GROUP BY") || statement.contains("UNION ALL");
            let sorts = line.contains("B-TREE FOR ORDER BY") && !small;
            if sorts || (line.starts_with("SCAN") && !is_meant(&line)) {
                odd.push(format!("{statement}: {line}"));
            }
        }
    }
    assert_eq!(odd, Vec::<String>::new());
}

/// A large upload, worked off in calls of so many items; bytes of all, and of the audit, per item.
async fn worked_off(items: u32, in_a_call: usize) -> (u64, f64) {
    let file = OneFile::new();
    let path = file.path();
    let bench = Bench::on(Box::new(file)).await;
    let upload = NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: crate::types::deletion::IfAbsent::Ok,
        key: None,
    };
    let Begun::Receiving(seq) = bench.journal.begin(upload).await.unwrap() else { panic!() };
    for from in (0..items).step_by(1_000) {
        // Ids as the vendors make them: 32 random hexadecimal digits.
        let id = || uuid::Uuid::new_v4().simple().to_string();
        bench.journal.stage(seq, from, (0..1_000).map(|_| waiting(&id())).collect()).await.unwrap();
    }
    bench.journal.seal(seq, Seal::of(items, crate::types::deletion::Digest([1; 32]))).await.unwrap();
    loop {
        let some = bench.claim("DeleteVideo", 20).await;
        if some.is_empty() {
            break;
        }
        let deleted = Ending::deleted();
        let calls = some.chunks(in_a_call).map(|items| bench.end(items, &deleted));
        futures_util::future::join_all(calls).await;
    }
    bench.journal.close().await;
    let connection = Connection::open(&path).unwrap();
    let of_audit = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'audit%'";
    let audit: u32 = connection.query_row(of_audit, [], |row| row.get(0)).unwrap();
    let report = verify(&path, None).unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    (std::fs::metadata(path).unwrap().len() / u64::from(items), f64::from(audit) / f64::from(items))
}

#[tokio::test]
async fn a_finished_item_of_a_large_deletion_costs_little() {
    for (items, in_a_call, most) in [(20_000, 20, 200), (8_000, 1, 300)] {
        let (bytes, audit) = worked_off(items, in_a_call).await;
        println!("{in_a_call} in a call: {bytes} bytes per finished item, {audit:.1} of them for the audit");
        assert!(bytes <= most, "{bytes} bytes per item");
        let rest = f64::from(u32::try_from(bytes).unwrap()) - audit;
        assert!(audit <= rest / 10.0, "{audit} bytes for the audit beside {rest}");
    }
}

/// A file as version 1 wrote it: one deletion with an item done, one due, one that
/// waits for another, one being sent; and one that has finished.
fn of_version_1(file: &OneFile) {
    std::fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    let connection = raw(file);
    connection.execute_batch(include_str!("schema.sql")).unwrap();
    connection
        .execute_batch(
            "INSERT INTO words VALUES (1, 'ops'), (2, 'media-cn'), (3, 'DeleteVideo'), (4, 'GetPlayInfo');
            INSERT INTO deletions VALUES (1, 'del_01JD0000000000000000000001', 1, '[2]', 'why', 0,
                1000, 2000, NULL, 4, 1, 1, 0, 0, 0, 0, 0, 0);
            INSERT INTO deletions VALUES (2, 'del_01JD0000000000000000000002', 1, '[2]', NULL, 1,
                1000, 2000, 3000, 1, 1, 0, 1, 0, 0, 0, 0, 0);
            INSERT INTO deletion_accounts VALUES (2, 1), (2, 2);
            INSERT INTO calls VALUES (1, 2, 3, 1, 1500, 20, 1, 200, NULL, 'r-1');
            INSERT INTO items (deletion, idx, account, form, name, kind, behind, operation, phase, due_at,
                generation, lease_until, calls, tries, call, outcome, inferred, finished_at, outcome_seq) VALUES
                (1, 0, 2, 0, 'v0', 0, NULL, NULL, NULL, NULL, 1, NULL, 1, 0, 1, 0, 0, 2000, 1),
                (1, 1, 2, 0, 'v1', 0, NULL, 3, 1, 1000, 0, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL),
                (1, 2, 2, 0, 'v1', 5, 1, 4, 1, NULL, 0, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL),
                (1, 3, 2, 0, 'v3', 0, NULL, 3, 1, NULL, 2, 9000, 0, 0, NULL, NULL, NULL, NULL, NULL),
                (2, 0, 2, 0, 'v9', 0, NULL, NULL, NULL, NULL, 1, NULL, 1, 0, 1, 1, 0, 3000, 1);
            PRAGMA user_version = 1; PRAGMA application_id = 1448035410;",
        )
        .unwrap();
}

#[tokio::test]
async fn a_journal_of_version_1_goes_on() {
    let file = OneFile::new();
    of_version_1(&file);
    let bench = Bench::on(Box::new(file)).await;
    let (done, open) = (bench.newest(0).await, bench.newest(1).await);
    assert_eq!(
        (done.state, done.counts.of(Outcome::Absent), done.last_outcome),
        (DeletionState::Finished, 1, 1)
    );
    assert_eq!((open.state, open.counts.open(), open.last_outcome), (DeletionState::Running, 3, 1));
    assert_eq!((open.requested_by.as_str(), open.reason.as_deref()), ("ops", Some("why")));
    assert!(!open.bulk && open.pause.is_none() && open.round == 0);
    let waiting = OpenLane { lane: contract::lane("DeleteVideo"), waiting: 1, bulk: 0 };
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![waiting]));
    let rescued = bench.journal.rescue(Rescue::All, 9, LEASE).await.unwrap();
    let due = bench.claim("DeleteVideo", 9).await;
    assert_eq!((contract::names(&rescued), contract::names(&due)), (vec!["v3"], vec!["v1"]));
    bench.end(&[rescued, due].concat(), &Ending::deleted()).await;
    let last = bench.claim("GetPlayInfo", 9).await;
    let recorded = bench.end(&last, &Ending::deleted()).await;
    assert_eq!((recorded.touched.len(), recorded.touched[0].finished), (1, true));
    let places: Vec<_> = bench.items(open.seq).await.iter().map(|item| item.outcome_seq).collect();
    assert_eq!(places, [1, 3, 4, 2].map(Some));
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
}

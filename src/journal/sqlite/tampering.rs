//! Tests of the audit chain in its file: whatever is done to a record shows.
//!
//! Its own file because these tests write where the journal never does, behind its back.

use std::path::{Path, PathBuf};

use super::tests::OneFile;
use super::verify::verify;
use super::*;
use crate::journal::audit::{Action, AuditFilter, Entry, Record, Span};
use crate::journal::contract::{Bench, account, deletion, sent, waiting};
use crate::types::deletion::Digest;
use crate::types::lifecycle::Verb;
use crate::types::outcome::Ending;

/// A chain in which every column has something somewhere, closed: one whole file.
async fn closed() -> (PathBuf, tempfile::TempDir, Vec<Record>) {
    let file = OneFile::new();
    let path = file.path();
    let bench = Bench::on(Box::new(file)).await;
    let asked = NewDeletion {
        reason: Some("why".to_owned()),
        ..deletion(vec![sent("v1"), sent("v2"), waiting("v3")])
    };
    let appended = bench.accept(asked.clone()).await;
    bench.end(&appended.claimed, &Ending::deleted()).await;
    bench.journal.turn(&asked.id, Asked::of(Verb::Cancel, "boss")).await.unwrap();
    let whole = Entry {
        actor: "cms".to_owned(),
        action: Action::Refused,
        account: Some(account()),
        deletion: Some(asked.id),
        items: Some(Span { ranges: "3-5,9".to_owned(), count: 4, digest: Digest([3; 32]) }),
        reason: Some("cap".to_owned()),
        vendor_request_id: Some("r-1".to_owned()),
    };
    let bare = Entry {
        account: None,
        deletion: None,
        items: None,
        reason: None,
        vendor_request_id: None,
        ..whole.clone()
    };
    bench.journal.audit(vec![bare, whole.clone(), whole]).await.unwrap();
    let mut records = bench.journal.audited(AuditFilter::default(), 99).await.unwrap();
    records.reverse();
    bench.journal.close().await;
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.db");
    std::fs::copy(path, &kept).unwrap();
    (kept, folder, records)
}

/// What is found in a copy after this was done to it.
fn after(kept: &Path, harm: &str, head: Option<(i64, Digest)>) -> Vec<String> {
    let broken = kept.with_file_name("broken.db");
    std::fs::copy(kept, &broken).unwrap();
    let connection = Connection::open(&broken).unwrap();
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {harm}")).unwrap();
    connection.close().unwrap();
    let found = verify(&broken, head).unwrap().findings;
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{end}", broken.display())));
    }
    found
}

#[tokio::test]
async fn every_change_of_every_column_of_every_record_shows() {
    let (kept, _folder, records) = closed().await;
    let sound = verify(&kept, None).unwrap();
    let last = records.last().unwrap();
    assert_eq!((sound.findings, sound.records), (vec![], 7));
    assert_eq!(sound.head, Some((last.seq, last.hash)));
    let columns: Vec<String> = {
        let connection = Connection::open(&kept).unwrap();
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info('audit')").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(columns.len(), 14, "a new column needs a line below");
    let is_there = |column: &str, record: &Record| match column {
        "account" => record.entry.account.is_some(),
        "deletion" => record.entry.deletion.is_some(),
        "first" | "last" | "ranges" | "items" | "digest" => record.entry.items.is_some(),
        "reason" => record.entry.reason.is_some(),
        "request_id" => record.entry.vendor_request_id.is_some(),
        _ => true,
    };
    for record in &records {
        for column in &columns {
            let blob = ["hash", "digest"].contains(&column.as_str());
            let text = ["ranges", "reason", "request_id"].contains(&column.as_str());
            let (is, mut others) = (is_there(column, record), Vec::new());
            if blob {
                others.push("x'00'".to_owned());
                others.push(format!("x'{}'", "3b".repeat(32)));
            } else if text {
                others.extend(["'x'", "''", "'0-77'"].map(str::to_owned));
            } else if column == "seq" {
                others.push("seq + 100".to_owned());
            } else {
                others.push(if is { format!("{column} + 1") } else { "1".to_owned() });
                others.push("999".to_owned());
            }
            if is && !["seq", "at", "actor", "action", "hash"].contains(&column.as_str()) {
                others.push("NULL".to_owned());
            }
            for other in others {
                let harm = format!("UPDATE audit SET {column} = {other} WHERE seq = {}", record.seq);
                assert_ne!(after(&kept, &harm, None), Vec::<String>::new(), "{harm}");
            }
        }
    }
    // Names that records share stand elsewhere.
    for word in ["boss", "media-cn", "cms", "vodrm"] {
        let harm = format!("UPDATE words SET text = 'other' WHERE text = '{word}'");
        assert_ne!(after(&kept, &harm, None), Vec::<String>::new(), "{harm}");
        let harm = format!("PRAGMA foreign_keys = OFF; DELETE FROM words WHERE text = '{word}'");
        assert_ne!(after(&kept, &harm, None), Vec::<String>::new(), "{harm}");
    }
}

#[tokio::test]
async fn what_is_removed_moved_or_put_in_shows() {
    let (kept, _folder, records) = closed().await;
    let missing = |seq: i64| {
        let found = after(&kept, &format!("DELETE FROM audit WHERE seq = {seq}"), None);
        assert_eq!(found[0], format!("record {seq} is missing"), "{found:?}");
    };
    (1..=7).for_each(missing);
    let ends = after(&kept, "DELETE FROM audit WHERE seq > 4", None);
    assert_eq!(ends, ["records 5 to 7 are missing"]);
    assert_eq!(after(&kept, "DELETE FROM audit", None), ["records 1 to 7 are missing"]);
    // What follows moved up, so that there is no gap.
    let closed_up = "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3";
    assert_ne!(after(&kept, closed_up, None), Vec::<String>::new());
    for (one, other) in [(1, 2), (2, 3), (6, 7), (1, 7)] {
        let swap = format!(
            "UPDATE audit SET seq = -1 WHERE seq = {one}; UPDATE audit SET seq = {one} WHERE seq = {other}; \
             UPDATE audit SET seq = {other} WHERE seq = -1"
        );
        assert_ne!(after(&kept, &swap, None), Vec::<String>::new(), "{swap}");
    }
    let twice =
        "INSERT INTO audit (at, actor, action, hash) SELECT at, actor, action, hash FROM audit WHERE seq = 5";
    assert_ne!(after(&kept, twice, None), Vec::<String>::new());
    let before = "INSERT INTO audit (seq, at, actor, action, hash) SELECT 0, at, actor, action, hash FROM audit WHERE seq = 5";
    assert_ne!(after(&kept, before, None), Vec::<String>::new());
    let last = records.last().unwrap();
    assert_eq!(after(&kept, "", Some((last.seq, last.hash))), Vec::<String>::new());
}

/// Makes the hashes right again, from a record on, as somebody could who knows how.
fn rehashed(records: &[Record], from: usize) -> String {
    let mut previous = records[from].previous;
    let of = |record: &Record| {
        previous = audit::hash(&previous, record.seq, record.at, &record.entry);
        format!("UPDATE audit SET hash = x'{previous}' WHERE seq = {}; ", record.seq)
    };
    records[from..].iter().map(of).collect()
}

#[tokio::test]
async fn a_forger_must_rewrite_all_and_is_found_by_a_head_kept_elsewhere() {
    let (kept, _folder, mut records) = closed().await;
    let head = records.last().map(|last| (last.seq, last.hash));
    records[3].entry.reason = Some("forged".to_owned());
    let forged = "UPDATE audit SET reason = 'forged' WHERE seq = 4; ";
    // Of the changed record alone: the next does not follow on it.
    let alone = format!("{forged}{}", rehashed(&records[..4], 3));
    let found = after(&kept, &alone, None);
    assert_eq!(found, ["record 5 is changed, or does not follow on the one before it"]);
    let all = format!("{forged}{}", rehashed(&records, 3));
    assert_eq!(after(&kept, &all, None), Vec::<String>::new(), "this is what the head is for");
    let told = after(&kept, &all, head);
    assert!(told.len() == 1 && told[0].starts_with("record 7 has the hash "), "{told:?}");
    // The end cut off, with the number that was given last.
    let cut = "DELETE FROM audit WHERE seq > 5; UPDATE sqlite_sequence SET seq = 5 WHERE name = 'audit'";
    assert_eq!(after(&kept, cut, None), Vec::<String>::new());
    assert_eq!(after(&kept, cut, head), ["record 7 was the last one once, and is missing"]);
}

#[tokio::test]
async fn a_chain_that_lost_its_end_goes_on_and_shows_it() {
    let (kept, _folder, _) = closed().await;
    let connection = Connection::open(&kept).unwrap();
    connection.execute_batch("DELETE FROM audit WHERE seq = 7").unwrap();
    connection.close().unwrap();
    let clock = crate::types::clock::SystemClock::start();
    let journal = SqliteJournal::open_moved(&kept, clock, Metrics::new(), Moved::Accept).unwrap();
    journal.append(deletion(vec![waiting("v1")])).await.unwrap();
    journal.close().await;
    let report = verify(&kept, None).unwrap();
    assert_eq!((report.findings, report.records), (vec!["record 7 is missing".to_owned()], 7));
    assert!(fsck(&kept).unwrap().findings.iter().any(|finding| finding.rule == "audit"));
}

#[tokio::test]
async fn calls_are_gathered_and_none_is_forgotten() {
    let file = OneFile::new();
    let path = file.path();
    let bench = Bench::on(Box::new(file)).await;
    let id = {
        let asked = deletion((0..200).map(|n| waiting(&format!("v{n}"))).collect());
        bench.accept(asked.clone()).await;
        asked.id
    };
    let sent = || async {
        let filter =
            AuditFilter { action: Some(Action::Sent), deletion: Some(id.clone()), ..AuditFilter::default() };
        let records = bench.journal.audited(filter, 99).await.unwrap();
        records.into_iter().rev().map(|record| record.entry.items.unwrap().ranges).collect::<Vec<_>>()
    };
    let call = |items| {
        let bench = &bench;
        async move {
            for item in bench.claim("DeleteVideo", items).await {
                bench.end(&[item], &Ending::deleted()).await;
            }
        }
    };
    call(63).await;
    assert_eq!(sent().await, Vec::<String>::new());
    call(2).await;
    assert_eq!(sent().await, ["0-63"], "when they are enough");
    // When they are old: with the next call, whosever it is.
    bench.clock.advance(Duration::from_secs(10));
    let other = bench.append(vec![crate::journal::contract::sent("w1")]).await;
    bench.end(&other.claimed, &Ending::deleted()).await;
    assert_eq!(sent().await, ["0-63", "64"]);
    call(1).await;
    bench.clock.advance(Duration::from_secs(10));
    bench.journal.clean(bench.now(), 99).await.unwrap();
    assert_eq!(sent().await, ["0-63", "64", "65"], "without another call");
    // When nothing more is sent for now.
    call(1).await;
    let why =
        Pause { code: crate::types::lifecycle::PauseCode::Operator, reason: None, by: None, at: bench.now() };
    let asked = Asked { pause: Some(why), ..Asked::of(Verb::Pause, "ops") };
    bench.journal.turn(&id, asked).await.unwrap();
    assert_eq!(sent().await.last().unwrap(), "66");
    bench.journal.turn(&id, Asked::of(Verb::Resume, "ops")).await.unwrap();
    loop {
        let some = bench.claim("DeleteVideo", 20).await;
        if some.is_empty() {
            break;
        }
        bench.end(&some, &Ending::deleted()).await;
    }
    assert_eq!(sent().await[4..], ["67-146", "147-199"], "and at the end");
    // Some are not in the chain yet when the process dies: the next goes on with them.
    let open: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM audit_open", [], |row| row.get(0))
        .unwrap();
    assert_eq!((open, verify(&path, None).unwrap().findings), (0, vec![]));
}

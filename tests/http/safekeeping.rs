//! The real binary's `fsck` and `backup`, and a journal that was put back.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::process::{Process, run, vodrm};
use crate::harness::{client, media_target};

fn quick() -> BTreeMap<&'static str, String> {
    let quick = [("VODRM__SERVER__LISTEN", "127.0.0.1:0"), ("VODRM__SERVER__DRAIN_DELAY", "100ms")];
    quick.map(|(name, value)| (name, value.to_owned())).into()
}

async fn stopped(process: Process) -> String {
    process.signal("-TERM");
    let ended = tokio::task::spawn_blocking(move || process.exit(Duration::from_secs(25)));
    ended.await.unwrap().1
}

async fn submit(process: &Process, items: usize) {
    let targets: Vec<Value> = (0..items).map(|n| media_target(&format!("missing-{n}"))).collect();
    let url = format!("http://{}/v1/deletions", process.address());
    let request = client().post(url).header("prefer", "respond-async");
    let answer =
        request.json(&json!({"account": "sandbox-alibaba", "targets": targets})).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

async fn commands(directory: &Path, lines: &[&'static str]) -> Vec<(i32, String)> {
    let (directory, lines) = (directory.to_owned(), lines.to_vec());
    let all = move || {
        let nothing = BTreeMap::new();
        lines.iter().map(|line| run(&directory, &line.split(' ').collect::<Vec<_>>(), &nothing)).collect()
    };
    tokio::task::spawn_blocking(all).await.unwrap()
}

#[tokio::test]
async fn a_running_journal_is_checked_and_copied_and_a_copy_put_back_is_paused() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("data/vodrm.db");
    let serve = |more: &[&str]| vodrm(directory.path(), &[&["serve", "--sandbox"], more].concat(), &quick());
    let process = serve(&[]);
    submit(&process, 900).await;
    let said = commands(
        directory.path(),
        &["fsck", "backup --to copy.db", "backup --to copy.db", "fsck copy.db", "fsck none.db"],
    );
    let said = said.await;
    assert_eq!(said.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [0, 0, 1, 0, 2], "{said:#?}");
    assert!(said[0].1.contains("1 deletions, 900 items: sound"), "{said:#?}");
    assert!(said[2].1.contains("error: copy.db is there already"), "{said:#?}");
    let said = stopped(process).await;
    assert!(!said.contains("restored or copied"), "{said}");

    std::fs::copy(directory.path().join("copy.db"), &journal).unwrap();
    let process = serve(&[]);
    process.address();
    let said = stopped(process).await;
    assert!(said.contains("the journal was restored or copied: its open deletions are paused"), "{said}");
    assert!(said.contains(r#""paused":1"#), "{said}");
    let process = serve(&[]);
    process.address();
    assert!(!stopped(process).await.contains("restored or copied"), "it is said once");

    std::fs::copy(directory.path().join("copy.db"), &journal).unwrap();
    let process = serve(&["--accept-moved-journal"]);
    process.address();
    let said = stopped(process).await;
    assert!(said.contains("which is accepted") && !said.contains("are paused"), "{said}");

    let plant = "UPDATE deletions SET sequence = sequence + 1";
    rusqlite::Connection::open(&journal).unwrap().execute_batch(plant).unwrap();
    let said = commands(directory.path(), &["fsck"]).await;
    assert_eq!(said[0].0, 1, "{said:#?}");
    assert!(said[0].1.contains("places have no gap: del_"), "{said:#?}");
}

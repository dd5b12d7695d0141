//! The figures of a run, printed and kept in `target/reports/crash.json`.
//!
//! Tests run in processes of their own, so each puts its part into the one file
//! under a lock. What the figures mean is said where they are made.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::checker::Findings;
use super::client::Fate;
use super::evidence::Evidence;

/// What a run came to, as JSON.
pub(crate) fn figures(evidence: &Evidence, found: &Findings, seed: u64, took: Duration) -> Value {
    let lanes = |map: &std::collections::BTreeMap<(&'static str, String), u64>| -> Value {
        map.iter()
            .map(|((account, action), n)| (format!("{account}/{action}"), json!(n)))
            .collect::<Map<_, _>>()
            .into()
    };
    let with = |wanted: fn(&Fate) -> bool| evidence.asked.iter().filter(|asked| wanted(&asked.fate)).count();
    json!({
        "seed": seed,
        "deaths": evidence.deaths,
        "requests": {
            "accepted": with(|fate| matches!(fate, Fate::Accepted(_))),
            "refused": with(|fate| matches!(fate, Fate::Refused(_))),
            "gone": with(|fate| matches!(fate, Fate::Unknown)),
            "unanswered": evidence.asked.iter().filter(|asked| asked.looked_up).count(),
        },
        "items": found.items,
        "outcomes": found.outcomes,
        "inferred": found.inferred,
        "looks": evidence.sights.len(),
        "calls": lanes(&found.calls),
        "repeats": lanes(&found.repeats),
        "most_calls_in_a_second": lanes(&found.most_in_a_second),
        "violations": found.violations.len(),
        "seconds": took.as_secs_f64(),
    })
}

/// What was tested, if this is a checkout.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = git.output().ok().filter(|output| output.status.success())?.stdout;
    Some(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Prints a part of the report and puts it into the file.
pub(crate) fn write(part: &str, figures: &Value) {
    println!("{part}: {figures:#}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    let lock: File =
        OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("crash.lock")).unwrap();
    lock.lock().unwrap();
    let path = folder.join("crash.json");
    let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut report: Map<String, Value> = known.unwrap_or_default();
    report.insert("commit".to_owned(), commit().into());
    report.insert(part.to_owned(), figures.clone());
    // Whole or not at all: a reader finds no half.
    let fresh = folder.join("crash.json.new");
    std::fs::write(&fresh, format!("{:#}\n", Value::from(report))).unwrap();
    std::fs::rename(&fresh, &path).unwrap();
}

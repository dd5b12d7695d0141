//! The figures of a run, printed and kept in `target/reports/hostile.json`.
//!
//! Tests run in processes of their own, so each puts its part into the one file
//! under a lock. What the figures mean is said where they are made.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Whether this is the full run, and not the short one of every day.
pub(crate) fn is_full() -> bool {
    std::env::var_os("VODRM_HOSTILE_FULL").is_some()
}

/// What was tested, if this is a checkout.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = git.output().ok().filter(|output| output.status.success())?.stdout;
    Some(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Prints a part of the report and puts it into the file.
pub(crate) fn write(part: &str, mut figures: Value) {
    figures["full"] = json!(is_full());
    figures["optimized"] = json!(!cfg!(debug_assertions));
    println!("{part}: {figures:#}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("hostile.lock"))
        .unwrap();
    lock.lock().unwrap();
    let path = folder.join("hostile.json");
    let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut report: Map<String, Value> = known.unwrap_or_default();
    report.insert("commit".to_owned(), commit().into());
    report.insert(part.to_owned(), figures);
    // Whole or not at all: a reader finds no half.
    let fresh = folder.join("hostile.json.new");
    std::fs::write(&fresh, format!("{:#}\n", Value::from(report))).unwrap();
    std::fs::rename(&fresh, &path).unwrap();
}

/// Times that something took.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of them stays within; nothing took nothing.
    pub(crate) fn within(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 of them")]
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within its length")]
        let place = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(crate) fn figures(&self) -> Value {
        let ms = |share| self.within(share).as_secs_f64() * 1e3;
        json!({"count": self.len(), "p50_ms": ms(0.5), "p99_ms": ms(0.99), "most_ms": ms(1.0)})
    }
}

#[test]
fn a_share_of_times_is_counted_from_the_shortest() {
    let mut times = Times::default();
    (1..=200).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
    assert_eq!(times.within(0.99), Duration::from_millis(198));
    assert_eq!(times.within(1.0), Duration::from_millis(200));
    assert_eq!(Times::default().within(0.99), Duration::ZERO);
}

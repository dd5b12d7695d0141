//! Secrets come out nowhere: not in answers, logs, metrics, commands or the journal.
//!
//! Every secret is a canary of its own, searched for in every form in which it could
//! slip out. One file drives the running service along every path that goes wrong,
//! one the commands and configurations that cannot work; that the search finds
//! what it is for is shown on planted leaks.

/// Commands, and configurations that cannot work.
mod commands;

/// A vendor that tells all it was told.
mod echo;

/// Tokens of an issuer.
mod issuer;

/// Every form in which a secret could slip out.
mod search;

/// The running service.
mod service;

use std::fs::OpenOptions;
use std::path::Path;

use serde_json::{Value, json};

/// Puts a part of the figures into `target/reports/secrets.json`.
fn report(part: &str, figures: Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("secrets.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let path = folder.join("secrets.json");
    let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut all: Value = known.unwrap_or_else(|| json!({}));
    all[part] = figures;
    let fresh = folder.join("secrets.json.new");
    std::fs::write(&fresh, format!("{all:#}\n")).unwrap();
    std::fs::rename(&fresh, &path).unwrap();
}

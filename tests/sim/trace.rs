//! What happened, as one number; as lines when one run is looked at.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Trace {
    kept: Mutex<Kept>,
    in_full: bool,
}

#[derive(Debug)]
struct Kept {
    // Its keys are fixed: the same lines give the same number in every process.
    hasher: DefaultHasher,
    lines: Vec<String>,
}

/// Lines that are kept for the report of a run that failed.
const LAST_LINES: usize = 40;

impl Trace {
    pub(crate) fn new(in_full: bool) -> Self {
        Self { kept: Mutex::new(Kept { hasher: DefaultHasher::new(), lines: Vec::new() }), in_full }
    }

    pub(crate) fn add(&self, at: Duration, line: &str) {
        let mut kept = self.kept.lock().expect("nothing panics under the lock");
        (at, line).hash(&mut kept.hasher);
        if self.in_full {
            kept.lines.push(format!("{:>10.3} {line}", at.as_secs_f64()));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.kept.lock().expect("nothing panics under the lock").hasher.finish()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.kept.lock().expect("nothing panics under the lock").lines.clone()
    }

    pub(crate) fn last_lines(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

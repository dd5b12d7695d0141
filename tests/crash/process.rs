//! The real binary as a child, and what it says.
//!
//! A thread reads what it writes, so that it never waits for a full pipe, and
//! keeps the end of it for whoever must explain a failure. Children are ended by
//! their own number only.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A start takes well under a second; a machine that is busy may need longer.
pub(crate) const TOO_LONG: Duration = Duration::from_mins(1);
/// Lines kept of what a child says.
const LINES: usize = 200;

#[derive(Debug, Default)]
struct Heard {
    lines: VecDeque<String>,
    open: usize,
}

type Ear = Arc<(Mutex<Heard>, Condvar)>;

fn listen(ear: &Ear, from: impl Read + Send + 'static) {
    ear.0.lock().unwrap().open += 1;
    let ear = Arc::clone(ear);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let mut heard = ear.0.lock().unwrap();
            heard.lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
            if heard.lines.len() > LINES {
                heard.lines.pop_front();
            }
            ear.1.notify_all();
            line.clear();
        }
        ear.0.lock().unwrap().open -= 1;
        ear.1.notify_all();
    });
}

/// A child. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    ear: Ear,
}

impl Process {
    /// Starts a command that sees nothing of this process's environment.
    pub(crate) fn start(command: &mut Command) -> Self {
        // A shell in between needs it; nothing else of ours is handed on.
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let ear = Ear::default();
        listen(&ear, child.stdout.take().unwrap());
        listen(&ear, child.stderr.take().unwrap());
        Self { child, ear }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a line tells, once it comes; nothing if the child ends before.
    pub(crate) fn hear<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + TOO_LONG;
        let mut heard = self.ear.0.lock().unwrap();
        loop {
            if let Some(found) = heard.lines.iter().find_map(|line| find(line)) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not heard in:\n{}", told(&heard));
            if heard.open == 0 {
                return None;
            }
            heard = self.ear.1.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Whether it ends by itself within this time.
    pub(crate) fn ends(&self, within: Duration) -> bool {
        let from = Instant::now();
        let mut heard = self.ear.0.lock().unwrap();
        while heard.open > 0 {
            let left = within.saturating_sub(from.elapsed());
            if left.is_zero() {
                return false;
            }
            heard = self.ear.1.wait_timeout(heard, left).unwrap().0;
        }
        true
    }

    /// The end of what it said.
    pub(crate) fn said(&self) -> String {
        told(&self.ear.0.lock().unwrap())
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "{name} was not sent");
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its end, which must come by itself within this time, and how long that took.
    pub(crate) fn end(mut self, within: Duration) -> (ExitStatus, String, Duration) {
        let from = Instant::now();
        let mut heard = self.ear.0.lock().unwrap();
        // Both outputs end with the process.
        while heard.open > 0 {
            let left = within.saturating_sub(from.elapsed());
            assert!(!left.is_zero(), "it still runs after {within:?}:\n{}", told(&heard));
            heard = self.ear.1.wait_timeout(heard, left).unwrap().0;
        }
        let said = told(&heard);
        drop(heard);
        (self.child.wait().unwrap(), said, from.elapsed())
    }
}

fn told(heard: &Heard) -> String {
    heard.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

//! The real binary as a child, and what it says.
//!
//! Threads read what it writes, so that it never waits for a full pipe; every
//! wait below is for a line or for the end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::TOO_LONG;

#[derive(Debug, Default)]
struct Heard {
    text: Mutex<(String, u32)>,
    more: Condvar,
}

impl Heard {
    fn listen(self: &Arc<Self>, from: impl Read + Send + 'static) {
        let heard = Arc::clone(self);
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                heard.text.lock().unwrap().0.push_str(&String::from_utf8_lossy(&line));
                heard.more.notify_all();
                line.clear();
            }
            heard.text.lock().unwrap().1 += 1;
            heard.more.notify_all();
        });
    }
}

/// A child. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    heard: Arc<Heard>,
}

/// A command that sees nothing of this process's environment.
pub(crate) fn vodrm(directory: &Path, args: &[&str], environment: &BTreeMap<&str, String>) -> Process {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vodrm"))
        .args(args)
        .env_clear()
        .envs(environment)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let heard = Arc::new(Heard::default());
    heard.listen(child.stdout.take().unwrap());
    heard.listen(child.stderr.take().unwrap());
    Process { child, heard }
}

impl Process {
    /// Waits until `find` finds something in what it says.
    pub(crate) fn hear<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + TOO_LONG;
        let mut text = self.heard.text.lock().unwrap();
        loop {
            if let Some(found) = find(&text.0) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(text.1 < 2 && !left.is_zero(), "{what} was not heard in:\n{}", text.0);
            text = self.heard.more.wait_timeout(text, left).unwrap().0;
        }
    }

    /// Where it serves, once it does.
    pub(crate) fn address(&self) -> SocketAddr {
        self.hear("where it serves", |said| {
            let line = said.lines().find(|line| line.contains(r#""message":"serving""#))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["addr"].as_str()?.parse().ok()
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Its end, which must come by itself within this time.
    pub(crate) fn exit(mut self, within: Duration) -> (ExitStatus, String) {
        let deadline = Instant::now() + within;
        let mut text = self.heard.text.lock().unwrap();
        // Both outputs end with the process.
        while text.1 < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it still runs:\n{}", text.0);
            text = self.heard.more.wait_timeout(text, left).unwrap().0;
        }
        let said = text.0.clone();
        drop(text);
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a command to its end: its exit code and what it said.
pub(crate) fn run(directory: &Path, args: &[&str], environment: &BTreeMap<&str, String>) -> (i32, String) {
    let (status, said) = vodrm(directory, args, environment).exit(TOO_LONG);
    (status.code().unwrap(), said)
}

//! `vodrm serve --sandbox` as a child: where it and its vendors answer, what it
//! has accepted, what the vendors have seen, how much memory it took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, vodrm};
use crate::raw::Raw;
use crate::{Answer, contract, soon};

/// Memory that the process may take whatever comes, in kB (issue: 256 MB).
pub(crate) const MOST_KB: u64 = 256_000;
/// Memory that one request may take (FAULTS.md, 21), in kB.
pub(crate) const MOST_OF_ONE_KB: u64 = 64 * 1024;

/// The accounts of the sandbox.
pub(crate) const ALI: &str = "sandbox-alibaba";
pub(crate) const TEN: &str = "sandbox-tencent";

/// The service at work.
pub(crate) struct Service {
    pub(crate) addr: SocketAddr,
    vendors: [SocketAddr; 2],
    pid: u32,
    process: Process,
    _directory: TempDir,
}

impl Service {
    /// With these settings and else the built-in ones.
    pub(crate) fn with(toml: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("vodrm.toml"), toml).unwrap();
        let environment = [
            ("VODRM__SERVER__LISTEN", "127.0.0.1:0"),
            ("VODRM__SERVER__DRAIN_DELAY", "0s"),
            ("VODRM__LOG__LEVEL", "info"),
        ];
        let environment: BTreeMap<&str, String> =
            environment.map(|(name, value)| (name, value.to_owned())).into();
        let process =
            vodrm(directory.path(), &["serve", "--sandbox", "--config", "vodrm.toml"], &environment);
        let addr = process.address();
        let vendors = ["Alibaba Cloud VOD at http://", "Tencent Cloud VOD at http://"].map(|head| {
            process.hear(head, |said| {
                let (_, rest) = said.split_once(head)?;
                rest.split_once('\n')?.0.parse().ok()
            })
        });
        Self { addr, vendors, pid: process.pid(), process, _directory: directory }
    }

    /// One request without a body, held against the contract.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, &[], b"").await
    }

    /// One request, held against the contract.
    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = exchange(self.addr, method, path, headers, body).await;
        contract::check(&method.parse().unwrap(), path, &answer);
        answer
    }

    /// Every row of both vendors' ledgers.
    pub(crate) async fn ledger(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for vendor in self.vendors {
            let answer = exchange(vendor, "GET", "/_sandbox/ledger", &[], b"").await;
            let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            rows.extend(lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()));
        }
        rows
    }

    /// What both vendors do from now on.
    pub(crate) async fn set_vendors(&self, path: &str, to: &Value) {
        for vendor in self.vendors {
            let set = exchange(vendor, "PUT", path, &[], to.to_string().as_bytes()).await;
            assert_eq!(set.status, 200, "{set:?}");
        }
    }

    /// Nothing was accepted and nothing sent.
    pub(crate) async fn has_done_nothing(&self) {
        let list = self.ask("GET", "/v1/deletions").await.json();
        assert_eq!(list["items"], serde_json::json!([]), "something was accepted");
        assert_eq!(self.ledger().await, Vec::<Value>::new(), "something was sent");
    }

    /// A line of what the system knows about the process, in kB.
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Memory that it holds, in kB.
    pub(crate) fn resident_kb(&self) -> u64 {
        self.memory("VmRSS")
    }

    /// Most memory that it held since the start, or since [`forget_peak`](Self::forget_peak), in kB.
    pub(crate) fn peak_kb(&self) -> u64 {
        self.memory("VmHWM")
    }

    /// Lets the peak begin anew.
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").unwrap();
    }

    /// A value of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = exchange(self.addr, "GET", "/metrics", &[], b"").await.body;
        let text = String::from_utf8(text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().parse().unwrap_or_else(|_| panic!("{name} is not in {text}"))
    }

    /// Ends in order and has panicked nowhere.
    pub(crate) async fn end(self) {
        self.process.signal("-TERM");
        let process = self.process;
        let ended = tokio::task::spawn_blocking(move || process.exit(Duration::from_secs(30)));
        let (status, said) = ended.await.unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// One exchange on a connection of its own.
pub(crate) async fn exchange(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut raw = Raw::open(addr).await;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    raw.send(head + "\r\n").await;
    raw.send(body).await;
    soon(&format!("an answer to {method} {path}"), raw.answer()).await.expect("it was cut")
}

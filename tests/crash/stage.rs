//! The processes of a run: both vendors in one, the service in another.
//!
//! The vendors live as long as the stage, so that their ledgers and assets survive
//! whatever happens to the service. Ports are learned from what the processes say;
//! keys too, since the simulators print theirs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{self, Pace};
use super::http::{self, Answer};
use super::process::Process;

/// A row of a vendor's ledger: one call as it came in, and what it truly did.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LedgerRow {
    pub(crate) seq: u64,
    pub(crate) time: jiff::Timestamp,
    pub(crate) action: String,
    pub(crate) ids: Vec<String>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) nonce: Option<String>,
}

/// What a call did to one thing.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Effect {
    pub(crate) id: String,
    pub(crate) part: Option<String>,
    /// This very call removed it.
    pub(crate) effective: bool,
}

/// One vendor's simulator.
#[derive(Debug, Clone)]
pub(crate) struct Vendor {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    key: (String, String),
    /// Assets that were there before ours were added.
    seeded: BTreeSet<String>,
}

impl Vendor {
    fn control(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = http::exchange(self.address, method, path, &[], &body).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        answer
    }

    pub(crate) fn set_options(&self, options: &Value) {
        self.control("PUT", "/_sandbox/options", options);
    }

    pub(crate) fn set_faults(&self, rules: &Value) {
        self.control("PUT", "/_sandbox/faults", rules);
    }

    /// Every row since the start.
    pub(crate) fn ledger(&self) -> Vec<LedgerRow> {
        let answer = self.control("GET", "/_sandbox/ledger", &Value::Null);
        let rows: Vec<LedgerRow> =
            answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(row).collect();
        // The ledger is bounded; one that has lost rows proves nothing.
        assert!(rows.iter().zip(1..).all(|(row, seq)| row.seq == seq), "the ledger has gaps");
        rows
    }

    /// The ids of the assets that stand.
    pub(crate) fn standing(&self) -> BTreeSet<String> {
        let assets = self.control("GET", "/_sandbox/assets", &Value::Null).json();
        let (list, id) = match assets.get("videos") {
            Some(videos) => (videos, "VideoId"),
            None => (&assets["media"], "FileId"),
        };
        let ids: BTreeSet<String> =
            list.as_array().unwrap().iter().map(|one| one[id].as_str().unwrap().to_owned()).collect();
        let told = assets["stored"].as_u64().map_or(ids.len(), |stored| stored.try_into().unwrap());
        assert_eq!(ids.len(), told, "not every asset is listed");
        ids
    }

    /// The ids that were added for a run and stand.
    pub(crate) fn bulk(&self) -> Vec<String> {
        self.standing().difference(&self.seeded).cloned().collect()
    }
}

fn row(line: &[u8]) -> LedgerRow {
    serde_json::from_slice(line).unwrap()
}

/// Both vendors.
pub(crate) struct Vendors {
    pub(crate) alibaba: Vendor,
    pub(crate) tencent: Vendor,
    _process: Process,
}

impl Vendors {
    fn start(assets: Assets) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vodrm"));
        command.env_clear().args(["sandbox", "--alibaba", "127.0.0.1:0", "--tencent", "127.0.0.1:0"]);
        let process = Process::start(&mut command);
        // The last line it says, so the others are there.
        let said = process.hear(|line| line.contains("/_sandbox/").then_some(()));
        let said = said.map(|()| process.said()).expect("the vendors do not start");
        let vendor = |head: &str| {
            let mut lines = said.lines().skip_while(|line| !line.starts_with(head));
            let url = lines.next().unwrap().rsplit(' ').next().unwrap().to_owned();
            let key = lines.next().unwrap().trim().strip_prefix("key").unwrap();
            let (id, secret) = key.split_once('/').unwrap();
            let address = url.strip_prefix("http://").unwrap().parse().unwrap();
            let key = (id.trim().to_owned(), secret.trim().to_owned());
            let mut vendor = Vendor { url, address, key, seeded: BTreeSet::new() };
            vendor.seeded = vendor.standing();
            vendor
        };
        let vendors = Self { alibaba: vendor("Alibaba"), tencent: vendor("Tencent"), _process: process };
        // Whether the service keeps to its limits is read from the ledgers, so nothing throttles.
        let options = |name: &str, count: u32| json!({"enforce_qps": false, "vendor": {name: count}});
        vendors.alibaba.set_options(&options("bulk_videos", assets.alibaba));
        vendors.tencent.set_options(&options("bulk_media", assets.tencent));
        vendors
    }
}

/// Assets that are added for a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assets {
    pub(crate) alibaba: u32,
    /// Up to 9,900: a vendor lists 10,000.
    pub(crate) tencent: u32,
}

/// Everything but the service.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub(crate) vendors: Vendors,
    pub(crate) pace: Pace,
}

impl Stage {
    pub(crate) fn new(assets: Assets, pace: Pace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendors = Vendors::start(assets);
        let stage = Self { folder, vendors, pace };
        stage.configure(&stage.journal_path());
        stage
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.folder.path().join("vodrm.db")
    }

    /// Writes the file that the service reads, with the journal at another place if need be.
    pub(crate) fn configure(&self, journal: &Path) {
        std::fs::write(self.config(), config::text(&self.vendors, journal, self.pace)).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("vodrm.toml")
    }

    /// The command that serves, behind others if need be, and where it dies if it should.
    pub(crate) fn serve_by(&self, before: &[&str], crash: Option<&str>) -> Service {
        let mut words: Vec<&str> = before.to_vec();
        words.push(env!("CARGO_BIN_EXE_vodrm"));
        let mut command = Command::new(words[0]);
        command.env_clear().args(&words[1..]).arg("serve").arg("--config").arg(self.config());
        command.current_dir(self.folder());
        for (name, vendor) in [("ALIBABA", &self.vendors.alibaba), ("TENCENT", &self.vendors.tencent)] {
            command.env(format!("{name}_ID"), &vendor.key.0).env(format!("{name}_SECRET"), &vendor.key.1);
        }
        if let Some(crash) = crash {
            command.env("VODRM_CRASH_POINT", crash);
        }
        Service { process: Process::start(&mut command) }
    }

    /// The service as it is.
    pub(crate) fn serve(&self) -> Service {
        self.serve_by(&[], None)
    }
}

/// The service.
pub(crate) struct Service {
    pub(crate) process: Process,
}

impl Service {
    /// Where it serves, once it does; nothing if it ends before.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.process.hear(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "serving").then(|| line["addr"].as_str().unwrap().parse().unwrap())
        })
    }
}

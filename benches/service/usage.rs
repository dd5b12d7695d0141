//! What the machine says of a process: its time, its memory, what it wrote.
//!
//! Read from `/proc`, so that nothing runs beside what is measured.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use anyhow::Context as _;

use super::load::Counters;

/// The kernel counts CPU time in hundredths of a second (`USER_HZ`, fixed on Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    pub(crate) fn all(self) -> f64 {
        self.user + self.system
    }
}

/// Bytes of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

/// Everything at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    pub(crate) service: Cpu,
    pub(crate) sandbox: Cpu,
    pub(crate) client: Cpu,
    /// The service's threads by name.
    pub(crate) threads: BTreeMap<String, Cpu>,
    /// Seconds that all cores together were busy.
    pub(crate) machine: f64,
    /// Bytes that the service sent to the disk.
    pub(crate) written: f64,
    pub(crate) counters: Counters,
}

impl Reading {
    pub(crate) fn take(service: u32, sandbox: u32, counters: Counters) -> anyhow::Result<Self> {
        let mut threads: BTreeMap<String, Cpu> = BTreeMap::new();
        for thread in std::fs::read_dir(format!("/proc/{service}/task"))? {
            // A thread may end between the listing and the look.
            let Ok(stat) = read_to_string(thread?.path().join("stat")) else { continue };
            let (name, cpu) = parse_stat(&stat)?;
            let all = threads.entry(name).or_default();
            all.user += cpu.user;
            all.system += cpu.system;
        }
        Ok(Self {
            at: Instant::now(),
            service: of_process(&service.to_string())?,
            sandbox: of_process(&sandbox.to_string())?,
            client: of_process("self")?,
            threads,
            machine: machine_busy()?,
            written: field(&read_to_string(format!("/proc/{service}/io"))?, "write_bytes:")?,
            counters,
        })
    }
}

fn of_process(pid: &str) -> anyhow::Result<Cpu> {
    Ok(parse_stat(&read_to_string(format!("/proc/{pid}/stat"))?)?.1)
}

/// The name and the time from a `stat`; the name may hold anything but ends at the last bracket.
fn parse_stat(stat: &str) -> anyhow::Result<(String, Cpu)> {
    let (head, tail) = stat.rsplit_once(") ").context("no name in stat")?;
    let name = head.split_once(" (").map_or("", |(_, name)| name);
    let mut times = tail.split(' ').skip(11).map(str::parse::<f64>);
    let mut next = || anyhow::Ok(times.next().context("no time in stat")?? / TICKS_PER_SECOND);
    Ok((name.to_owned(), Cpu { user: next()?, system: next()? }))
}

/// What all cores did beside idling and waiting for the disk.
fn machine_busy() -> anyhow::Result<f64> {
    let stat = read_to_string("/proc/stat")?;
    let ticks: Vec<f64> =
        stat.lines().next().unwrap_or_default().split(' ').filter_map(|text| text.parse().ok()).collect();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    // Guests are counted in user time already.
    Ok((ticks.iter().take(8).sum::<f64>() - idle) / TICKS_PER_SECOND)
}

pub(crate) fn memory(pid: u32) -> anyhow::Result<Resident> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |name| anyhow::Ok(field::<u64>(&status, name)? * 1024);
    Ok(Resident { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

fn field<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    text: &str,
    name: &str,
) -> anyhow::Result<T> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

/// The journal's files.
pub(crate) fn journal_bytes(folder: &Path) -> u64 {
    let size = |name: &str| folder.join(name).metadata().map_or(0, |file| file.len());
    size("vodrm.db") + size("vodrm.db-wal")
}

/// What there is to run on, and what runs on it already.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let about = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    format!("{cores} cores, {}; load before {}", model.trim_start_matches(['\t', ':', ' ']), load.trim())
}

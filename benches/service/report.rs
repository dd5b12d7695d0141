//! What is printed: a table for people, and one line for machines.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::Latencies;
use super::roles::Vendor;
use super::usage::Reading;

/// One run's findings.
#[derive(Debug)]
pub(crate) struct Run {
    name: String,
    seconds: f64,
    deletes: f64,
    /// Seconds of CPU a second: 1 is one core.
    service: f64,
    system: f64,
    sandbox: f64,
    client: f64,
    others: f64,
    threads: Vec<(String, f64)>,
    calls: f64,
    commits: f64,
    writes: f64,
    commit_seconds: f64,
    written: f64,
    latency: [u32; 4],
    late: [u32; 4],
}

impl Run {
    pub(crate) fn new(
        name: String,
        length: Duration,
        latencies: Latencies,
        before: &Reading,
        after: &Reading,
    ) -> Self {
        let took = after.at.duration_since(before.at).as_secs_f64();
        let share = |after: f64, before: f64| (after - before) / took;
        let all = |reading: &Reading| reading.service.all() + reading.sandbox.all() + reading.client.all();
        let threads = after.threads.iter().map(|(name, cpu)| {
            let earlier = before.threads.get(name).map_or(0.0, |cpu| cpu.all());
            (name.clone(), share(cpu.all(), earlier))
        });
        let (new, old) = (&after.counters, &before.counters);
        Self {
            name,
            seconds: length.as_secs_f64(),
            deletes: latencies.micros.len() as f64,
            service: share(after.service.all(), before.service.all()),
            system: share(after.service.system, before.service.system),
            sandbox: share(after.sandbox.all(), before.sandbox.all()),
            client: share(after.client.all(), before.client.all()),
            others: share(after.machine, before.machine) - share(all(after), all(before)),
            threads: threads.collect(),
            calls: new.calls - old.calls,
            commits: new.commits - old.commits,
            writes: new.writes - old.writes,
            commit_seconds: new.commit_seconds - old.commit_seconds,
            written: after.written - before.written,
            latency: quantiles(latencies.micros),
            late: quantiles(latencies.late),
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.deletes / self.seconds
    }

    /// Deletes for each second of the service's own CPU.
    fn per_core(&self) -> f64 {
        self.per_second() / self.service
    }

    fn per_delete(&self, what: f64) -> f64 {
        what / self.deletes
    }

    fn json(&self) -> Value {
        let [p50, p90, p99, max] = self.latency;
        let threads: serde_json::Map<String, Value> =
            self.threads.iter().map(|(name, cpu)| (name.clone(), rounded(*cpu))).collect();
        json!({
            "run": self.name,
            "deletes_per_s": rounded(self.per_second()),
            "deletes_per_core_s": rounded(self.per_core()),
            "cores": {
                "service": rounded(self.service), "service_system": rounded(self.system),
                "sandbox": rounded(self.sandbox), "client": rounded(self.client), "others": rounded(self.others),
            },
            "service_threads": threads,
            "calls_per_delete": rounded(self.per_delete(self.calls)),
            "commits_per_delete": rounded(self.per_delete(self.commits)),
            "writes_per_commit": rounded(self.writes / self.commits),
            "commit_ms": rounded(self.commit_seconds / self.commits * 1e3),
            "commits_busy": rounded(self.commit_seconds / self.seconds),
            "disk_bytes_per_delete": rounded(self.per_delete(self.written)),
            "latency_us": {"p50": p50, "p90": p90, "p99": p99, "max": max},
            "sent_late_us_p99": self.late[2],
        })
    }
}

/// p50, p90, p99 and the largest.
fn quantiles(mut micros: Vec<u32>) -> [u32; 4] {
    micros.sort_unstable();
    // The smallest value that so many of a thousand do not exceed.
    [500, 900, 990, 1_000].map(|per_mille: usize| {
        let rank = (micros.len() * per_mille).div_ceil(1_000);
        micros.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    })
}

fn rounded(value: f64) -> Value {
    json!((value * 1e3).round() / 1e3)
}

/// The service's memory, in bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) idle: u64,
    /// The peak until the end of the closed loops.
    pub(crate) saturated: u64,
    pub(crate) after: u64,
}

/// All runs against one vendor.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) vendor: Vendor,
    pub(crate) runs: Vec<Run>,
    pub(crate) memory: Memory,
    pub(crate) journal_bytes_per_delete: f64,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.vendor.name())?;
        writeln!(
            f,
            "{:<24} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "run",
            "deletes/s",
            "per core",
            "service",
            "sandbox",
            "client",
            "others",
            "calls/d",
            "commit/d",
            "wr/commit",
            "ms/com.",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "max ms"
        )?;
        for run in &self.runs {
            let [p50, p90, p99, max] = run.latency.map(|micros| f64::from(micros) / 1e3);
            writeln!(
                f,
                "{:<24} {:>9.0} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.3} {:>8.3} {:>9.1} {:>8.2} \
                 {p50:>8.2} {p90:>8.2} {p99:>8.2} {max:>8.1}",
                run.name,
                run.per_second(),
                run.per_core(),
                run.service,
                run.sandbox,
                run.client,
                run.others,
                run.per_delete(run.calls),
                run.per_delete(run.commits),
                run.writes / run.commits,
                run.commit_seconds / run.commits * 1e3,
            )?;
        }
        for run in &self.runs {
            let threads: Vec<String> =
                run.threads.iter().map(|(name, cpu)| format!("{name} {cpu:.2}")).collect();
            writeln!(
                f,
                "{:<24} service: {} (of it in the kernel {:.2}); to disk {:.1} KiB a delete; sent late p99 {:.2} ms",
                run.name,
                threads.join(", "),
                run.system,
                run.per_delete(run.written) / 1024.0,
                f64::from(run.late[2]) / 1e3,
            )?;
        }
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "resident MiB: idle {:.1}, saturated {:.1}, after {:.1}; journal {:.0} bytes a delete",
            mib(self.memory.idle),
            mib(self.memory.saturated),
            mib(self.memory.after),
            self.journal_bytes_per_delete
        )
    }
}

/// One line.
pub(crate) fn json(scenarios: &[Scenario]) -> Value {
    let all = scenarios.iter().map(|scenario| {
        let memory = &scenario.memory;
        json!({
            "vendor": scenario.vendor.name(),
            "runs": scenario.runs.iter().map(Run::json).collect::<Vec<_>>(),
            "resident_bytes": {"idle": memory.idle, "saturated": memory.saturated, "after": memory.after},
            "journal_bytes_per_delete": rounded(scenario.journal_bytes_per_delete),
        })
    });
    json!({"bench": "service", "scenarios": all.collect::<Vec<_>>()})
}

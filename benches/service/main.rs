//! The whole service under load: deletes a second, what they cost, how long they take.
//!
//! Three processes, so that each one's CPU is known by itself: this one sends the
//! load, one serves (the real listener, lanes, signatures and journal, on a real
//! disk), one plays a vendor that answers at once and without limits. First
//! closed loops, in which every connection waits for its answer before it asks
//! again, to find saturation; then an open loop at half of that, in which
//! requests come when they come and their latency counts from that moment.
//!
//! `cargo bench --bench service`, or with options after `--`:
//! `--vendor alibaba|tencent`, `--connections 1,64,256`, `--seconds 10`,
//! `--rate 1000` (of the open loop), `--log info`.

#![expect(clippy::print_stdout, reason = "a bench prints what it found")]
#![expect(clippy::cast_precision_loss, reason = "counts and sizes here are far below 2^52")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

/// What requests are sent, and when.
mod load;

/// The other two processes.
mod roles;

/// What the machine says of a process.
mod usage;

/// What is printed.
mod report;

use load::{Ids, Latencies};
use report::{Memory, Run, Scenario};
use roles::{Child, Vendor};
use usage::Reading;

/// Load before the first run, to fill caches and pools.
const WARM_UP: Duration = Duration::from_secs(2);
/// Quiet before memory is read again.
const REST: Duration = Duration::from_secs(5);
/// Connections of the open loop: more than are ever busy at half load.
const OPEN_CONNECTIONS: usize = 256;

/// The command line.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Only this vendor
    #[arg(long)]
    vendor: Option<Vendor>,
    /// Connections of each closed loop
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    connections: Vec<usize>,
    /// Length of each run
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Requests a second of the open loop, instead of half of saturation; 0 leaves it out
    #[arg(long)]
    rate: Option<f64>,
    /// The service's log level; the log goes to a file
    #[arg(long, default_value = "info")]
    log: String,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
    /// Which of the three processes this is
    #[command(subcommand)]
    role: Option<roles::Role>,
}

fn main() -> anyhow::Result<()> {
    let options = <Options as clap::Parser>::parse();
    if let Some(role) = options.role {
        return role.play();
    }
    if !options.bench {
        println!("this takes a minute: cargo bench --bench service");
        return Ok(());
    }
    let folder = scratch()?;
    let vendors = options.vendor.map_or_else(|| vec![Vendor::Alibaba, Vendor::Tencent], |one| vec![one]);
    // One thread: the less of the machine the client takes, the more is left to measure.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", usage::machine());
    let mut scenarios = Vec::new();
    for vendor in vendors {
        let scenario = runtime.block_on(measure(&options, vendor, &folder))?;
        println!("{scenario}");
        scenarios.push(scenario);
    }
    println!("{}", report::json(&scenarios));
    Ok(())
}

/// A folder on the disk that the build is on; `/tmp` may be memory.
fn scratch() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-service");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

async fn measure(options: &Options, vendor: Vendor, folder: &Path) -> anyhow::Result<Scenario> {
    let length = Duration::from_secs(options.seconds);
    let sandbox = Child::sandbox(vendor)?;
    let service = Child::service(vendor, sandbox.says(), folder, &options.log)?;
    let watched = Watched { service: &service, sandbox: &sandbox };
    let ids = Ids::new(vendor, service.says());
    let idle = usage::memory(service.pid())?;

    load::closed(&ids, 16, WARM_UP).await?;
    let mut runs = Vec::new();
    for &connections in &options.connections {
        let name = format!("closed, {connections} connections");
        runs.push(watched.during(name, length, load::closed(&ids, connections, length)).await?);
    }
    let saturated = usage::memory(service.pid())?;
    let best = runs.iter().map(Run::per_second).fold(0.0, f64::max);
    let rate = options.rate.unwrap_or(best / 2.0);
    if rate > 0.0 {
        let name = format!("open, {rate:.0} a second");
        let open = load::open(&ids, OPEN_CONNECTIONS, rate, length);
        runs.push(watched.during(name, length, open).await?);
    }
    tokio::time::sleep(REST).await;
    let after = usage::memory(service.pid())?;
    let memory = Memory { idle: idle.now, saturated: saturated.peak, after: after.now };
    let journal = usage::journal_bytes(&folder.join(vendor.name()));
    let deleted = ids.used();
    service.end()?;
    sandbox.end()?;
    Ok(Scenario { vendor, runs, memory, journal_bytes_per_delete: journal as f64 / f64::from(deleted) })
}

/// The processes beside this one.
struct Watched<'a> {
    service: &'a Child,
    sandbox: &'a Child,
}

impl Watched<'_> {
    /// Reads everything before and after a run.
    async fn during(
        &self,
        name: String,
        length: Duration,
        run: impl Future<Output = anyhow::Result<Latencies>>,
    ) -> anyhow::Result<Run> {
        let before = self.read().await?;
        let latencies = run.await?;
        let after = self.read().await?;
        Ok(Run::new(name, length, latencies, &before, &after))
    }

    async fn read(&self) -> anyhow::Result<Reading> {
        Reading::take(self.service.pid(), self.sandbox.pid(), load::counters(self.service.says()).await?)
    }
}

//! The other two processes: the service, and the vendor that it calls.
//!
//! Both are this same program, started again with a role. A child says where it
//! listens in its first line and ends when its standard input does, so that none
//! is left behind when this process dies.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vodrm::app::sandboxes::Sandboxes;
use vodrm::app::service::Service;
use vodrm::app::shutdown::Shutdown;
use vodrm::providers::alibaba::sandbox::seed as of_alibaba;
use vodrm::providers::registry::listed;
use vodrm::providers::tencent::sandbox::seed as of_tencent;
use vodrm::sandbox;
use vodrm::settings::{AccountSettings, CredentialSettings, Settings, Sources};
use vodrm::telemetry;
use vodrm::types::clock::SystemClock;
use vodrm::types::secret::Credentials;
use vodrm::types::target::AccountId;

/// Videos that the vendor holds: more than a few runs delete.
pub(crate) const VIDEOS: u32 = 400_000;
/// Calls a second that the account may make: none is ever held back.
const QPS: f64 = 1e9;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Vendor {
    /// Up to 20 ids a call.
    Alibaba,
    /// One id a call.
    Tencent,
}

impl Vendor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alibaba => "alibaba",
            Self::Tencent => "tencent",
        }
    }

    /// The id of one of the [`VIDEOS`].
    pub(crate) fn video(self, n: u32) -> String {
        match self {
            Self::Alibaba => of_alibaba::bulk(n),
            // Past the seeded ones.
            Self::Tencent => of_tencent::video(of_tencent::VIDEOS + u64::from(n)),
        }
    }

    fn key(self) -> Credentials {
        let (id, secret) = match self {
            Self::Alibaba => (of_alibaba::ACCESS_KEY_ID, of_alibaba::ACCESS_KEY_SECRET),
            Self::Tencent => (of_tencent::SECRET_ID, of_tencent::SECRET_KEY),
        };
        Credentials { id: id.to_owned(), secret: secret.into(), token: None }
    }
}

/// A process beside this one.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Role {
    /// The vendor.
    Sandbox {
        /// Which.
        vendor: Vendor,
    },
    /// The service.
    Service {
        /// The vendor that it calls.
        vendor: Vendor,
        /// Where that vendor is.
        endpoint: reqwest::Url,
        /// Where the journal goes.
        folder: PathBuf,
        /// What is logged.
        log: String,
    },
}

impl Role {
    /// Plays it until standard input ends.
    pub(crate) fn play(self) -> anyhow::Result<()> {
        let started = AtomicUsize::new(0);
        let workers = std::thread::available_parallelism()?.get();
        // As `main` has it. The runtime starts its workers first: that tells them from the
        // threads that block, whose CPU is that of the journal's reads, as long as no
        // blocking work comes before both have begun.
        let name = move || {
            let nth = started.fetch_add(1, Ordering::Relaxed);
            if nth < workers { "worker".to_owned() } else { "blocking".to_owned() }
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name_fn(name).build()?;
        std::thread::sleep(Duration::from_millis(100));
        runtime.block_on(async {
            match self {
                Self::Sandbox { vendor } => play_sandbox(vendor).await,
                Self::Service { vendor, endpoint, folder, log } => {
                    play_service(vendor, endpoint, &folder, &log).await
                }
            }
        })
    }
}

async fn play_sandbox(vendor: Vendor) -> anyhow::Result<()> {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let both = Sandboxes::start(any_port(), any_port(), &SystemClock::start(), &tasks, &stop)?;
    let ids = (0..VIDEOS).map(|n| vendor.video(n));
    let (kit, added) = match vendor {
        Vendor::Alibaba => (&both.alibaba, both.alibaba_vod.add_videos(ids)),
        Vendor::Tencent => (&both.tencent, both.tencent_vod.add_media(ids)),
    };
    anyhow::ensure!(added == VIDEOS as usize, "the library took only {added} videos");
    kit.set_options(sandbox::Options { enforce_qps: false, fast: true, ..sandbox::Options::default() });
    say(&kit.base_url())?;
    end_of_input().await;
    stop.cancel();
    Ok(())
}

async fn play_service(
    vendor: Vendor,
    endpoint: reqwest::Url,
    folder: &Path,
    log: &str,
) -> anyhow::Result<()> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // It fails only if one is installed already.
    drop(provider.install_default());
    let sources = Sources {
        directory: folder.to_owned(),
        environment: std::collections::BTreeMap::default(),
        file: None,
        listen: Some(any_port()),
    };
    let mut settings = Settings::load(&sources)?;
    settings.store.path = folder.join("vodrm.db");
    log.clone_into(&mut settings.log.level);
    let listed = listed(vendor.name()).context("both vendors are listed")?;
    let mut account =
        AccountSettings::new(AccountId::parse("bench")?, listed, CredentialSettings::Fixed(vendor.key()));
    account.endpoint = Some(endpoint);
    for limit in &mut account.limits {
        (limit.qps, limit.share) = (QPS, 1.0);
    }
    settings.accounts = vec![account];
    telemetry::init(&settings.log)?;
    let shutdown = Shutdown::new();
    let service = Service::start(&settings, SystemClock::start(), &shutdown).await?;
    say(&service.addr.to_string())?;
    end_of_input().await;
    shutdown.asked.cancel();
    shutdown.closing.cancel();
    service.ended(&shutdown).await;
    Ok(())
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().lock().read_to_end(&mut Vec::new()));
    // However it ends, there is nobody left to serve.
    drop(read.await);
}

/// A process that was started.
pub(crate) struct Child {
    process: std::process::Child,
    says: String,
    input: Option<ChildStdin>,
}

impl Child {
    pub(crate) fn sandbox(vendor: Vendor) -> anyhow::Result<Self> {
        Self::start(&["sandbox", vendor.name()], Stdio::inherit())
    }

    pub(crate) fn service(vendor: Vendor, endpoint: &str, folder: &Path, log: &str) -> anyhow::Result<Self> {
        let folder = folder.join(vendor.name());
        std::fs::create_dir_all(&folder)?;
        // A file, as where a log is collected from a file or a pipe: each line costs its write.
        let lines = File::create(folder.join("log"))?;
        let path = folder.to_str().context("the folder's name is no text")?;
        Self::start(&["service", vendor.name(), endpoint, path, log], lines.into())
    }

    fn start(role: &[&str], stderr: Stdio) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process =
            command.args(role).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn()?;
        let input = process.stdin.take();
        let mut says = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut says)?;
        }
        anyhow::ensure!(!says.is_empty(), "{role:?} did not start");
        Ok(Self { process, says: says.trim().to_owned(), input })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub(crate) fn says(&self) -> &str {
        &self.says
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "process {} ended with {status}", self.process.id());
        Ok(())
    }
}

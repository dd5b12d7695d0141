//! `vodrm sandbox`: the vendors' simulators by themselves.
//!
//! For whoever develops a client of the vendors, or runs the service as a second
//! process against them. Knows nothing of the API.

use std::io::Write as _;
use std::net::SocketAddr;

use clap::Args;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::sandboxes::Sandboxes;
use crate::app::shutdown::Signals;
use crate::types::clock::SystemClock;

/// What `sandbox` takes.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where the simulated Alibaba Cloud VOD listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9101")]
    pub alibaba: SocketAddr,
    /// Where the simulated Tencent Cloud VOD listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9102")]
    pub tencent: SocketAddr,
}

/// Runs both until the process is asked to end.
pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    for addr in [args.alibaba, args.tencent] {
        anyhow::ensure!(
            addr.ip().is_loopback(),
            "{addr}: the simulators hold published keys; give a loopback address"
        );
    }
    let mut signals = Signals::listen()?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let sandboxes = Sandboxes::start(args.alibaba, args.tencent, &SystemClock::start(), &tasks, &stop)?;
    std::io::stdout().lock().write_all(sandboxes.to_try().as_bytes())?;
    signals.next().await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

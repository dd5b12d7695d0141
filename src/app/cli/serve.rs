//! `vodrm serve`: the service itself.
//!
//! Its own file because here every layer meets once: journal, providers, lanes,
//! routes and the accept loop are made, run, and ended in order. Decides nothing
//! about deletions.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ConfigArg;
use crate::app::sandboxes::Sandboxes;
use crate::app::service::Service;
use crate::app::shutdown::{Shutdown, Signals};
use crate::settings::Settings;
use crate::telemetry;
use crate::types::clock::{Clock, SystemClock};

/// What `serve` takes.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where the settings are.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Also run simulators of both vendors, as the accounts `sandbox-alibaba` and
    /// `sandbox-tencent`; refused beside other accounts
    #[arg(long)]
    pub sandbox: bool,
    /// Where to listen, instead of the configured address
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Go on with a journal that was restored or copied, once, instead of pausing
    /// its open deletions
    #[arg(long)]
    pub accept_moved_journal: bool,
}

/// Serves until the process is asked to end.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let mut settings = args.config.load(args.listen)?;
    telemetry::init(&settings.log)?;
    let clock = SystemClock::start();
    let mut signals = Signals::listen()?;
    let shutdown = Shutdown::new();
    let (sandbox_tasks, sandbox_stop) = (TaskTracker::new(), CancellationToken::new());
    let sandboxes = if args.sandbox {
        Some(with_sandboxes(&mut settings, &clock, &sandbox_tasks, &sandbox_stop)?)
    } else {
        None
    };
    settings.store.accept_moved = args.accept_moved_journal;
    let service = Service::start(&settings, Arc::clone(&clock), &shutdown).await?;
    if let Some(sandboxes) = &sandboxes {
        let text = format!("The service at http://{}\n{}", service.addr, sandboxes.to_try());
        std::io::stdout().lock().write_all(text.as_bytes())?;
    }
    let signals = tokio::sync::Mutex::new(&mut signals);
    let conductor = shutdown.conduct(
        || async { signals.lock().await.next().await },
        settings.server.drain_delay,
        settings.server.shutdown_timeout,
        clock.as_ref(),
    );
    tokio::pin!(conductor);
    let ended = service.ended(&shutdown);
    tokio::pin!(ended);
    tokio::select! {
        () = &mut ended => {}
        () = conductor => ended.await,
    }
    sandbox_stop.cancel();
    Ok(())
}

/// Starts the simulators and makes them the only accounts.
fn with_sandboxes(
    settings: &mut Settings,
    clock: &Arc<dyn Clock>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Sandboxes> {
    if let Some(account) = settings.accounts.first() {
        anyhow::bail!("accounts.{}: --sandbox is refused beside other accounts", account.name);
    }
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sandboxes = Sandboxes::start(any, any, clock, tasks, stop)?;
    settings.accounts = sandboxes.accounts()?;
    Ok(sandboxes)
}

//! `vodrm serve`: the service itself.
//!
//! Its own file because here every layer meets once: journal, providers, lanes,
//! routes and the accept loop are made, run, and ended in order. Decides nothing
//! about deletions.

use std::net::SocketAddr;

use clap::Args;

use super::ConfigArg;

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
}

/// Serves until the process is asked to end.
#[expect(clippy::unused_async, reason = "being built")]
pub async fn run(_args: ServeArgs) -> anyhow::Result<()> {
    anyhow::bail!("`vodrm serve` is being built")
}

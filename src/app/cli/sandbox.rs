//! `vodrm sandbox`: the vendors' simulators by themselves.
//!
//! For whoever develops a client of the vendors, or runs the service as a second
//! process against them. Knows nothing of the API.

use std::net::SocketAddr;

use clap::Args;

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
#[expect(clippy::unused_async, reason = "being built")]
pub async fn run(_args: SandboxArgs) -> anyhow::Result<()> {
    anyhow::bail!("`vodrm sandbox` is being built")
}

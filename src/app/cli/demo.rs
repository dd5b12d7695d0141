//! `vodrm demo`: a guided tour that needs no account, no file and no free port.
//!
//! Starts the service with its simulators, deletes a few things through the API
//! as a caller would, and shows each request and answer. Uses the public API only.

use clap::Args;

/// What `demo` takes.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep everything running afterwards, to try more by hand
    #[arg(long)]
    pub keep: bool,
}

/// Shows what there is to see.
#[expect(clippy::unused_async, reason = "being built")]
pub async fn run(_args: DemoArgs) -> anyhow::Result<()> {
    anyhow::bail!("`vodrm demo` is being built")
}

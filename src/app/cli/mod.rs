//! Commands: what can be typed, and what each does.
//!
//! One file per command with its arguments and its `run`. A command prints what
//! it is for to stdout; everything else, the log and errors, goes to stderr, so
//! that output can be piped. Errors come back to `main` as values.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Faults, Settings, Sources};

/// Serve the API.
pub mod serve;

/// The vendors' simulators.
pub mod sandbox;

/// A guided tour.
pub mod demo;

/// Try a configuration.
pub mod check;

/// Print the contract.
pub mod openapi;

/// Ask a running service whether it is ready.
pub mod health;

/// Make keys.
pub mod key;

/// Check a journal.
pub mod fsck;

/// Check the audit chain.
pub mod audit;

/// Copy a journal.
pub mod backup;

const EXAMPLES: &str = "\
Examples:
  vodrm demo                            see it delete, without any account or file
  vodrm serve --sandbox                 serve the API against simulated vendors
  vodrm key new cms                     make a caller's key
  vodrm check --config vodrm.toml       find every fault of a configuration
  vodrm serve --config vodrm.toml       serve the API
  vodrm backup --to backups/monday.db   copy the journal while the service runs
  vodrm fsck backups/monday.db          check a journal
  vodrm audit verify                    check who did what: nothing changed, nothing missing

Settings come from config/default.toml, config/{VODRM_ENV}.toml, the file after
--config and variables such as VODRM__SERVER__LISTEN=0.0.0.0:8080, where later ones win.

Exit codes:
  0  done
  1  it did not work; the reason is on stderr, in lines that begin with `error: `
  2  the command line is wrong; with fsck and audit also: the journal cannot be read";

/// One delete API over video clouds: Alibaba Cloud VOD and Tencent Cloud VOD
#[derive(Debug, Parser)]
#[command(name = "vodrm", version, after_help = EXAMPLES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API until SIGTERM or SIGINT
    Serve(serve::ServeArgs),
    /// Run simulators of both vendors, to develop and test against
    Sandbox(sandbox::SandboxArgs),
    /// Start everything on free ports, delete a few things, and show how
    Demo(demo::DemoArgs),
    /// Read and check a configuration and show what it would serve
    Check(check::CheckArgs),
    /// Print the API's contract (OpenAPI, YAML)
    Openapi,
    /// Ask a running service whether it is ready
    Health(health::HealthArgs),
    /// Make keys for callers
    Key(key::KeyArgs),
    /// Check a journal against its own rules, beside a service that runs
    Fsck(fsck::FsckArgs),
    /// Check that no audit record was changed, removed or moved, beside a service that runs
    Audit(audit::AuditArgs),
    /// Copy a journal to a new file, beside a service that runs
    Backup(backup::BackupArgs),
}

/// The file that commands with settings take.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArg {
    /// A TOML file that wins over those in the folder `config`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArg {
    /// The settings of this process.
    pub fn load(&self, listen: Option<SocketAddr>) -> Result<Settings, Faults> {
        Settings::load(&Sources::of_process(self.config.clone(), listen))
    }
}

/// An error with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub struct ExitWith {
    /// The code.
    pub code: u8,
    /// The error.
    pub error: anyhow::Error,
}

/// The journal that a command looks at: named itself, or by the configuration.
fn journal_path(named: Option<PathBuf>, config: &ConfigArg) -> anyhow::Result<PathBuf> {
    named.map_or_else(|| Ok(config.load(None)?.store.path), Ok)
}

/// Runs a command to its end.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(args) => serve::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Openapi => openapi::run(),
        Command::Health(args) => health::run(args).await,
        Command::Key(args) => key::run(args),
        Command::Fsck(args) => fsck::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Backup(args) => backup::run(args).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        for line in [
            "vodrm serve --config a.toml --listen 127.0.0.1:0",
            "vodrm serve --sandbox",
            "vodrm sandbox --alibaba 127.0.0.1:9101 --tencent 127.0.0.1:9102",
            "vodrm demo --keep",
            "vodrm check",
            "vodrm openapi",
            "vodrm health --url http://127.0.0.1:8080",
            "vodrm key new cms",
            "vodrm fsck",
            "vodrm fsck data/vodrm.db",
            "vodrm audit verify",
            "vodrm audit verify data/vodrm.db --head 3:0000000000000000000000000000000000000000000000000000000000000000",
            "vodrm backup --to b.db --config a.toml",
            "vodrm backup --to b.db data/vodrm.db",
            "vodrm serve --accept-moved-journal",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "vodrm",
            "vodrm key",
            "vodrm serve --listen nowhere",
            "vodrm key new a/b",
            "vodrm nope",
            "vodrm audit",
            "vodrm audit verify --head 3",
            "vodrm audit verify --head 3:00",
            "vodrm backup",
        ] {
            assert_eq!(Cli::try_parse_from(line.split(' ')).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}

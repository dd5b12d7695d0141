//! `vodrm backup`: a copy of the journal, made while the service runs.
//!
//! The copy is complete, checked and on disk when this ends well; wherever it is
//! put later, it starts with its open deletions paused. Keeps no schedule and
//! removes no older copy.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::ConfigArg;
use crate::journal::sqlite::backup;

/// What `backup` takes.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The journal's file, instead of the configured one
    #[arg(value_name = "JOURNAL", conflicts_with = "config")]
    pub journal: Option<PathBuf>,
    /// The new file; it must not be there yet
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Where the settings are.
    #[command(flatten)]
    pub config: ConfigArg,
}

/// Makes the copy and says how large it is.
pub async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let journal = super::journal_path(args.journal, &args.config)?;
    let to = args.to.clone();
    let bytes = tokio::task::spawn_blocking(move || backup(&journal, &to)).await??;
    writeln!(std::io::stdout().lock(), "{}: {bytes} bytes", args.to.display())?;
    Ok(())
}

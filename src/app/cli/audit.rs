//! `vodrm audit verify`: whether the audit chain is whole.
//!
//! Reads every record, changes nothing, and may run beside the service. Prints one
//! line a finding, and the head: written down elsewhere and given with `--head`, it
//! shows also whoever rewrote everything up to the end.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{ConfigArg, ExitWith};
use crate::journal::sqlite::{AuditReport, verify};
use crate::types::deletion::Digest;

/// What can be done with the chain.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be done with the chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Find any changed, missing or moved record
    Verify(VerifyArgs),
}

/// What `audit verify` takes.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The journal's file, instead of the configured one
    #[arg(value_name = "JOURNAL", conflicts_with = "config")]
    pub journal: Option<PathBuf>,
    /// A head that was written down: the chain must still hold it
    #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
    pub head: Option<(i64, Digest)>,
    /// Where the settings are.
    #[command(flatten)]
    pub config: ConfigArg,
}

/// Reads a head as it is printed.
fn head(text: &str) -> Result<(i64, Digest), String> {
    let bad = || "must be a number, a colon, and 64 hexadecimal digits".to_owned();
    let (seq, hash) = text.split_once(':').ok_or_else(bad)?;
    let mut digest = [0; 32];
    hex::decode_to_slice(hash, &mut digest).map_err(|_| bad())?;
    let seq: i64 = seq.parse().map_err(|_| bad())?;
    if seq < 1 { Err(bad()) } else { Ok((seq, Digest(digest))) }
}

/// Checks, and prints what was found.
pub async fn run(args: AuditArgs) -> anyhow::Result<()> {
    let AuditCommand::Verify(VerifyArgs { journal, head, config }) = args.command;
    let unread = |error: anyhow::Error| ExitWith { code: 2, error };
    let path = super::journal_path(journal, &config).map_err(unread)?;
    let looked_at = path.clone();
    let found = tokio::task::spawn_blocking(move || verify(&looked_at, head)).await?;
    let report = found.map_err(|error| unread(error.into()))?;
    write(&mut io::stdout().lock(), &path, &report)?;
    if report.findings.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{}: the audit chain is not whole", path.display());
}

fn write(out: &mut impl Write, path: &Path, report: &AuditReport) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    let end = if report.findings.is_empty() { "whole" } else { "not whole" };
    writeln!(out, "{}: {} audit records: {end}", path.display(), report.records)?;
    if let Some((seq, hash)) = report.head {
        writeln!(out, "head {seq}:{hash}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(report: &AuditReport) -> String {
        let mut out = Vec::new();
        write(&mut out, Path::new("j.db"), report).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_reads_back_as_it_is_printed() {
        let report = AuditReport { records: 7, head: Some((7, Digest([0xAB; 32]))), findings: Vec::new() };
        let text = printed(&report);
        assert!(text.starts_with("j.db: 7 audit records: whole\n"), "{text}");
        let line = text.lines().last().unwrap().strip_prefix("head ").unwrap();
        assert_eq!(head(line), Ok((7, Digest([0xAB; 32]))));
        for bad in ["7", "7:", "7:ab", "0:", &line.replace('7', "0"), &line.replace("ab", "xy")] {
            assert!(head(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_finding_is_a_line() {
        let findings = vec!["record 3 is missing".to_owned()];
        let text = printed(&AuditReport { records: 2, head: None, findings });
        assert_eq!(text, "record 3 is missing\nj.db: 2 audit records: not whole\n");
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_read_is_not_called_whole() {
        let journal = Some(PathBuf::from("no/such/file.db"));
        let verify = VerifyArgs { journal, head: None, config: ConfigArg::default() };
        let refused = run(AuditArgs { command: AuditCommand::Verify(verify) }).await.unwrap_err();
        assert_eq!(refused.downcast_ref::<ExitWith>().unwrap().code, 2);
        assert!(refused.to_string().contains("no/such/file.db"), "{refused}");
    }
}

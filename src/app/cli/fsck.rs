//! `vodrm fsck`: whether a journal keeps its own rules.
//!
//! Reads the whole journal, changes nothing, and may run beside the service.
//! Prints one line a violation. Repairs nothing: what was promised is not for a
//! tool to guess.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{ConfigArg, ExitWith};
use crate::journal::sqlite::{FINDINGS_PER_RULE, Report, fsck};

/// What `fsck` takes.
#[derive(Debug, Args)]
pub struct FsckArgs {
    /// The journal's file, instead of the configured one
    #[arg(value_name = "JOURNAL", conflicts_with = "config")]
    pub journal: Option<PathBuf>,
    /// Where the settings are.
    #[command(flatten)]
    pub config: ConfigArg,
}

/// Checks, and prints what was found.
pub async fn run(args: FsckArgs) -> anyhow::Result<()> {
    let unread = |error: anyhow::Error| ExitWith { code: 2, error };
    let path = super::journal_path(args.journal, &args.config).map_err(unread)?;
    let looked_at = path.clone();
    let found = tokio::task::spawn_blocking(move || fsck(&looked_at)).await?;
    let report = found.map_err(|error| unread(error.into()))?;
    write(&mut io::stdout().lock(), &path, &report)?;
    if report.findings.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{}: {} violations", path.display(), report.findings.len());
}

fn write(out: &mut impl Write, path: &Path, report: &Report) -> io::Result<()> {
    for finding in &report.findings {
        let deletion = finding.deletion.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
        let item = finding.item.map(|index| format!(" item {index}")).unwrap_or_default();
        writeln!(out, "{}:{deletion}{item}: {}", finding.rule, finding.detail)?;
    }
    let Report { deletions, items, findings } = report;
    let end = if findings.is_empty() { "sound" } else { "not sound" };
    writeln!(out, "{}: {deletions} deletions, {items} items: {end}", path.display())?;
    if !findings.is_empty() {
        writeln!(out, "(of each rule at most {FINDINGS_PER_RULE} violations are listed)")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::Finding;

    #[test]
    fn a_violation_names_its_deletion_and_item() {
        let finding = Finding {
            rule: "one place",
            deletion: Some("del_1".to_owned()),
            item: Some(7),
            detail: "it is in 2 places at once".to_owned(),
        };
        let mut out = Vec::new();
        let report = Report { deletions: 1, items: 9, findings: vec![finding] };
        write(&mut out, Path::new("j.db"), &report).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("one place: del_1 item 7: it is in 2 places at once\n"), "{text}");
        assert!(text.contains("j.db: 1 deletions, 9 items: not sound"), "{text}");
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_read_is_not_called_sound() {
        let journal = Some(PathBuf::from("no/such/file.db"));
        let refused = run(FsckArgs { journal, config: ConfigArg::default() }).await.unwrap_err();
        assert_eq!(refused.downcast_ref::<ExitWith>().unwrap().code, 2);
        assert!(refused.to_string().contains("no/such/file.db"), "{refused}");
    }
}

//! What stands at the vendors, for a plan that is to tell.
//!
//! One step looks at a page of a plan's items by batch reads (`errand.rs`) and notes what it
//! found, so that a restart goes on where it was. Nothing is decided by it: a delete goes by
//! its own reads. What could not be told is noted as such, and why.

use tokio_util::sync::CancellationToken;

use super::Shared;
use super::errand::{self, Look, Told};
use crate::journal::{self, Chore, ChoreWord, Found, ItemFilter, Note, Noted};
use crate::providers::{Again, Verdict};
use crate::types::asset::{Facts, Rendition, Source, SourceFile, Standing};
use crate::types::deletion::ItemState;
use crate::types::target::Target;

/// One step, from an index on. When it is called off nothing is noted.
pub(super) async fn step(
    shared: &Shared,
    chore: &Chore,
    from: u32,
    over: &CancellationToken,
) -> Result<(), journal::Error> {
    let waiting = ItemFilter { state: Some(ItemState::Pending), from, ..ItemFilter::default() };
    let rows = shared.journal.items(chore.seq, waiting, errand::PAGE).await?;
    let (indexes, targets): (Vec<u32>, Vec<&Target>) =
        rows.iter().filter_map(|row| Some((row.key.index, &row.wanted.as_ref()?.target))).unzip();
    let Some(looks) = errand::look(shared, &targets, over).await else { return Ok(()) };
    let note = |(index, look)| (index, Note { found: Some(found(look)), quarantine: None });
    let notes = indexes.into_iter().zip(looks).map(note).collect();
    let next = errand::next_page(&rows);
    shared.journal.note(chore.seq, Noted { chore: ChoreWord::Check, notes, next }).await?;
    shared.journal_works();
    if next.is_none() {
        // The plan is made.
        shared.wakes.wake(&chore.id);
    }
    Ok(())
}

/// What a look comes to. Pure.
fn found(look: Look) -> Found {
    let Told { verdict, .. } = match look {
        Look::Told(told) => told,
        Look::NoRead => return untold("the vendor has no batch read for targets of this form"),
        Look::NoAccount => return untold("the account is not configured any more"),
    };
    match verdict {
        Verdict::Absent => Found::Missing,
        Verdict::Facts(facts) => match facts.standing {
            Standing::Missing => Found::Missing,
            Standing::Stands => Found::Stands(Box::new(lasting(*facts))),
            Standing::Untold => untold("the vendor's answer does not tell whether it is there"),
        },
        Verdict::NotOk { error, .. } => match error.vendor_code {
            Some(code) => untold(&format!("the read was refused: {} ({code})", error.message)),
            None => untold(&format!("the read was refused: {}", error.message)),
        },
        Verdict::Again(Again::Throttled) => untold("the vendor throttled every read"),
        Verdict::Again(Again::QuotaUsedUp) => untold("the vendor's quota of reads is used up"),
        Verdict::Again(
            Again::NotSent | Again::Unavailable | Again::Unlisted | Again::Resign,
        )
        | Verdict::Unclear
        | Verdict::Fault(_)
        // What is said of deletes and blocks is no answer to a read.
        | Verdict::Doubtful { .. }
        | Verdict::Deleted
        | Verdict::Done => untold("the vendor could not be asked, or did not tell"),
    }
}

fn untold(why: &str) -> Found {
    Found::Untold(why.to_owned())
}

/// What is kept of it: no URLs, which are signed and short-lived, nor the snapshots, which are
/// nothing but URLs.
fn lasting(facts: Facts) -> Facts {
    let source = facts.source.map(|source| match source {
        Source::Stands(file) => Source::Stands(SourceFile { url: None, ..file }),
        Source::Gone => Source::Gone,
    });
    let renditions = facts
        .renditions
        .map(|renditions| renditions.into_iter().map(|one| Rendition { url: None, ..one }).collect());
    Facts { source, renditions, snapshots: None, ..facts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::asset::Snapshot;
    use crate::types::outcome::{ItemError, Outcome, Reason};

    fn told(verdict: Verdict) -> Look {
        Look::Told(Told { verdict, in_doubt: false })
    }

    #[test]
    fn what_is_not_there_and_what_was_not_told_are_kept_apart() {
        let facts = |standing| told(Verdict::Facts(Box::new(Facts::only(standing))));
        assert_eq!(found(facts(Standing::Missing)), Found::Missing);
        assert_eq!(found(told(Verdict::Absent)), Found::Missing);
        assert!(matches!(found(facts(Standing::Stands)), Found::Stands(_)));
        let unclear = [
            facts(Standing::Untold),
            told(Verdict::Unclear),
            told(Verdict::Again(Again::Throttled)),
            told(Verdict::Again(Again::Unavailable)),
            Look::NoRead,
            Look::NoAccount,
        ];
        for look in unclear {
            assert!(matches!(found(look.clone()), Found::Untold(_)), "{look:?}");
        }
    }

    #[test]
    fn a_refused_read_tells_with_which_code() {
        let error = ItemError {
            vendor_code: Some("Forbidden.RAM".to_owned()),
            ..ItemError::new(Reason::Forbidden, "the key has no right")
        };
        let outcome = Outcome::Refused;
        let refused = Verdict::NotOk { outcome, error, of_whole_call: true, maybe_account: true };
        let why = "the read was refused: the key has no right (Forbidden.RAM)";
        assert_eq!(found(told(refused)), Found::Untold(why.to_owned()));
    }

    #[test]
    fn no_url_is_kept() {
        let url = Some("https://h/a.mp4?auth_key=1".to_owned());
        let facts = Facts {
            title: Some("t".to_owned()),
            source: Some(Source::Stands(SourceFile { size_bytes: Some(5), url: url.clone(), format: None })),
            renditions: Some(vec![Rendition { size_bytes: Some(7), url, ..Rendition::default() }]),
            snapshots: Some(vec![Snapshot { kind: None, url: "https://h/1.jpg?auth_key=1".to_owned() }]),
            ..Facts::only(Standing::Stands)
        };
        let Found::Stands(kept) = found(told(Verdict::Facts(Box::new(facts)))) else { panic!("it stands") };
        let text = serde_json::to_string(&kept).unwrap();
        assert!(!text.contains("auth_key"), "{text}");
        assert!(text.contains('5') && text.contains('7') && text.contains(r#""t""#), "{text}");
    }
}

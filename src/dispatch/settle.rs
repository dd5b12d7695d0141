//! What a read proves about one part. Pure.
//!
//! Used before a delete (which renditions stand?) and after one whose answer was
//! lost (is it gone?). Three answers, and only `Missing` proves that something
//! is gone: a list that a read does not give says nothing; one that it gives, and
//! in which the part does not stand, proves it gone.

use crate::types::asset::{Facts, Source, Standing};
use crate::types::deletion::PartName;
use crate::types::target::Family;

/// Whether the part stands, by this read.
#[must_use]
pub fn standing(part: &PartName, facts: &Facts) -> Standing {
    if facts.standing == Standing::Missing {
        return Standing::Missing;
    }
    match part {
        PartName::Asset => facts.standing,
        PartName::Source => match facts.source {
            Some(Source::Stands(_)) => Standing::Stands,
            Some(Source::Gone) => Standing::Missing,
            None => Standing::Untold,
        },
        PartName::Job(id) => {
            among(facts.renditions.as_deref(), |rendition| rendition.job_id.as_deref() == Some(id.as_str()))
        }
        PartName::Definition(name) => {
            among(facts.renditions.as_deref(), |r| r.definition.as_deref() == Some(name.as_str()))
        }
        // No vendor lists these.
        PartName::Rendition { family: Family::WechatPublish | Family::WechatMiniProgramPublish, .. } => {
            Standing::Untold
        }
        PartName::Rendition { family, definition } => among(facts.renditions.as_deref(), |rendition| {
            rendition.family == Some(*family)
                && (definition.is_none() || rendition.definition.as_deref() == definition.as_deref())
        }),
        PartName::Snapshots(kind) => {
            among(facts.snapshots.as_deref(), |snapshot| snapshot.kind == Some(*kind))
        }
        PartName::AllSnapshots => among(facts.snapshots.as_deref(), |_| true),
    }
}

fn among<T>(listed: Option<&[T]>, is_it: impl Fn(&T) -> bool) -> Standing {
    match listed {
        None => Standing::Untold,
        Some(list) if list.iter().any(is_it) => Standing::Stands,
        Some(_) => Standing::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::asset::{Rendition, Snapshot};
    use crate::types::target::SnapshotType;

    #[test]
    fn a_list_that_was_not_told_proves_nothing() {
        let facts = Facts::only(Standing::Stands);
        for part in [PartName::Source, PartName::Job("j".into()), PartName::AllSnapshots] {
            assert_eq!(standing(&part, &facts), Standing::Untold, "{part}");
        }
    }

    #[test]
    fn a_missing_asset_has_no_parts() {
        let facts = Facts::only(Standing::Missing);
        let wechat = PartName::Rendition { family: Family::WechatPublish, definition: None };
        for part in [PartName::Asset, PartName::Source, PartName::Job("j".into()), wechat] {
            assert_eq!(standing(&part, &facts), Standing::Missing, "{part}");
        }
    }

    #[test]
    fn lists_tell_what_stands_and_what_does_not() {
        let facts = Facts {
            renditions: Some(vec![Rendition {
                definition: Some("100".into()),
                family: Some(Family::Transcode),
                job_id: Some("j1".into()),
                ..Rendition::default()
            }]),
            snapshots: Some(vec![Snapshot { kind: Some(SnapshotType::Cover), url: "u".into() }]),
            ..Facts::only(Standing::Stands)
        };
        let of = |family, definition: Option<&str>| PartName::Rendition {
            family,
            definition: definition.map(str::to_owned),
        };
        for (part, want) in [
            (PartName::Job("j1".into()), Standing::Stands),
            (PartName::Job("j2".into()), Standing::Missing),
            (of(Family::Transcode, Some("100")), Standing::Stands),
            (of(Family::Transcode, None), Standing::Stands),
            (of(Family::Transcode, Some("200")), Standing::Missing),
            (of(Family::Adaptive, None), Standing::Missing),
            (of(Family::WechatPublish, Some("100")), Standing::Untold),
            (PartName::Snapshots(SnapshotType::Cover), Standing::Stands),
            (PartName::Snapshots(SnapshotType::Normal), Standing::Missing),
        ] {
            assert_eq!(standing(&part, &facts), want, "{part}");
        }
    }
}

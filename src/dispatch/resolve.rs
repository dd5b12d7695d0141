//! What a read that must come before a delete proves. Pure.
//!
//! The answer is either the parts to delete, which are journaled before the
//! delete goes out, or the item's ending without any delete. Nothing is ever
//! widened: a selector that finds nothing is `absent`, and a check that the read
//! does not answer refuses the delete. Knows no vendor: it reads `Facts`.

use crate::providers::ReadFirst;
use crate::types::asset::{Category, Facts, Rendition, Source, Standing};
use crate::types::deletion::{Part, PartName, Progress};
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};
use crate::types::target::{Family, Name, Renditions, Target, What};

/// What follows from the read: parts, of which some may have ended already, or the end.
pub fn resolve(
    need: ReadFirst,
    target: &Target,
    known: &[PartName],
    facts: &Facts,
) -> Result<Progress, Ending> {
    if facts.standing == Standing::Missing {
        return Err(Ending::absent());
    }
    let asset = match target.name {
        Name::Id(_) | Name::Url(_) => None,
        // Without the vendor's id a delete by reference id could hit another object later.
        Name::Reference(_) => match &facts.id {
            Some(id) => Some(id.clone()),
            None => {
                return Err(refused(
                    Reason::Invalid,
                    "the vendor did not tell which asset this reference names",
                ));
            }
        },
    };
    let parts = match need {
        ReadFirst::Reference => known.iter().cloned().map(Part::named).collect(),
        ReadFirst::Jobs => jobs(target, facts)?,
        ReadFirst::PlayableRendition => playable(known, facts)?,
        ReadFirst::IsImage => still_image(known, facts)?,
        ReadFirst::Standing => standing(known, facts)?,
    };
    Ok(Progress { asset, ..Progress::with_parts(parts) })
}

fn refused(reason: Reason, message: &str) -> Ending {
    Ending::not_ok(Outcome::Refused, ItemError::new(reason, message))
}

fn untold(what: &str) -> Ending {
    let message = format!("the vendor's answer did not tell {what}, so nothing was deleted");
    Ending::not_ok(Outcome::Failed, ItemError::new(Reason::VendorError, message))
}

fn seen(name: PartName) -> Part {
    Part { seen: true, ..Part::named(name) }
}

fn gone(name: PartName) -> Part {
    Part { ending: Some(Ending::absent()), ..Part::named(name) }
}

/// The job ids behind definitions (all duplicates), and the job ids that were named.
fn jobs(target: &Target, facts: &Facts) -> Result<Vec<Part>, Ending> {
    let listed = facts.renditions.as_ref().ok_or_else(|| untold("the renditions"))?;
    let ids = |wanted: &dyn Fn(&Rendition) -> bool| -> Vec<String> {
        listed.iter().filter(|r| wanted(r)).filter_map(|r| r.job_id.clone()).collect()
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut add = |part: Part| {
        if parts.iter().all(|known| known.name != part.name) {
            parts.push(part);
        }
    };
    match &target.what {
        What::Renditions(Renditions::All) => {
            for id in ids(&|_| true) {
                add(seen(PartName::Job(id)));
            }
        }
        What::Renditions(Renditions::Some { definitions, job_ids, .. }) => {
            for definition in definitions {
                let found = ids(&|r| r.definition.as_deref() == Some(definition.as_str()));
                if found.is_empty() {
                    add(gone(PartName::Definition(definition.to_string())));
                }
                for id in found {
                    add(seen(PartName::Job(id)));
                }
            }
            for job in job_ids {
                let name = PartName::Job(job.to_string());
                let stands = listed.iter().any(|r| r.job_id.as_deref() == Some(job.as_str()));
                add(if stands { seen(name) } else { gone(name) });
            }
        }
        What::Media | What::Source { .. } | What::Snapshots(_) | What::Image | What::AttachedMedia => {
            return Err(untold("which renditions were meant"));
        }
    }
    if parts.is_empty() { Err(Ending::absent()) } else { Ok(parts) }
}

/// The source may go if something else can still be played.
fn playable(known: &[PartName], facts: &Facts) -> Result<Vec<Part>, Ending> {
    match &facts.source {
        Some(Source::Gone) => return Err(Ending::absent()),
        Some(Source::Stands(_)) | None => {}
    }
    // A read that does not list them shows none: the source stays, which is the safe side.
    let listed = facts.renditions.as_deref().unwrap_or_default();
    let plays =
        |r: &Rendition| !r.is_playlist && matches!(r.family, Some(Family::Transcode | Family::Adaptive));
    if listed.iter().any(plays) {
        Ok(known.iter().cloned().map(seen).collect())
    } else {
        let message = "no other playable rendition was found: without its source nothing would be left to play; \
                       set force to delete it all the same";
        Err(refused(Reason::Protected, message))
    }
}

/// An image may go by id only if it is one: the same call deletes a whole video.
fn still_image(known: &[PartName], facts: &Facts) -> Result<Vec<Part>, Ending> {
    match facts.category {
        Some(Category::Image) => Ok(known.iter().cloned().map(seen).collect()),
        Some(Category::Video | Category::Audio | Category::Other) => {
            Err(refused(Reason::Invalid, "this id is not an image; use kind media to delete a whole asset"))
        }
        None => Err(untold("whether this id is an image")),
    }
}

/// Of the parts those that stand; of families that no read lists, all that were asked for.
fn standing(known: &[PartName], facts: &Facts) -> Result<Vec<Part>, Ending> {
    known
        .iter()
        .map(|name| match super::settle::standing(name, facts) {
            Standing::Stands => Ok(seen(name.clone())),
            Standing::Missing => Ok(gone(name.clone())),
            Standing::Untold if is_listed(name) => Err(untold("the renditions")),
            Standing::Untold => Ok(Part::named(name.clone())),
        })
        .collect()
}

fn is_listed(name: &PartName) -> bool {
    matches!(name, PartName::Rendition { family: Family::Transcode | Family::Adaptive, .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::asset::SourceFile;
    use crate::types::target::{AccountId, Selector};

    fn target(what: What) -> Target {
        Target { account: AccountId::parse("a").unwrap(), name: Name::parse("id", "v").unwrap(), what }
    }

    fn rendition(definition: &str, job: &str, family: Option<Family>) -> Rendition {
        Rendition {
            definition: Some(definition.into()),
            job_id: (!job.is_empty()).then(|| job.into()),
            family,
            ..Rendition::default()
        }
    }

    fn with_renditions(renditions: Vec<Rendition>) -> Facts {
        Facts { renditions: Some(renditions), ..Facts::only(Standing::Stands) }
    }

    fn select(definitions: &[&str], job_ids: &[&str]) -> Target {
        let parse = |list: &[&str]| list.iter().map(|t| Selector::parse(t).unwrap()).collect();
        target(What::Renditions(Renditions::Some {
            definitions: parse(definitions),
            job_ids: parse(job_ids),
            family: None,
        }))
    }

    #[test]
    fn a_definition_means_every_job_that_has_it() {
        let facts = with_renditions(vec![
            rendition("HD", "j1", None),
            rendition("HD", "j2", None),
            rendition("SD", "j3", None),
            rendition("OD", "", None),
        ]);
        let progress = resolve(ReadFirst::Jobs, &select(&["HD", "LD"], &["j9", "j1"]), &[], &facts).unwrap();
        let told: Vec<_> = progress.parts.iter().map(|p| (p.name.to_string(), p.is_open())).collect();
        let want = [("job:j1", true), ("job:j2", true), ("definition:LD", false), ("job:j9", false)];
        assert_eq!(told, want.map(|(n, o)| (n.to_owned(), o)));
    }

    #[test]
    fn all_renditions_never_touches_an_entry_without_a_job() {
        let facts = with_renditions(vec![rendition("OD", "", None)]);
        let all = target(What::Renditions(Renditions::All));
        assert_eq!(resolve(ReadFirst::Jobs, &all, &[], &facts), Err(Ending::absent()));
    }

    #[test]
    fn a_source_goes_only_while_something_else_plays() {
        let known = [PartName::Source];
        let source = target(What::Source { force: false });
        let stands = |renditions| Facts {
            source: Some(Source::Stands(SourceFile::default())),
            ..with_renditions(renditions)
        };
        let none = resolve(ReadFirst::PlayableRendition, &source, &known, &stands(vec![])).unwrap_err();
        assert_eq!(none.error.unwrap().code, Reason::Protected);
        let one = stands(vec![rendition("100", "", Some(Family::Adaptive))]);
        assert!(resolve(ReadFirst::PlayableRendition, &source, &known, &one).is_ok());
        let mut list = rendition("10000", "", Some(Family::Transcode));
        list.is_playlist = true;
        let only_a_list = resolve(ReadFirst::PlayableRendition, &source, &known, &stands(vec![list]));
        assert_eq!(
            only_a_list.unwrap_err().error.unwrap().code,
            Reason::Protected,
            "a list of nothing plays nothing"
        );
        let untold = Facts::only(Standing::Stands);
        let failed = resolve(ReadFirst::PlayableRendition, &source, &known, &untold).unwrap_err();
        assert_eq!(failed.error.unwrap().code, Reason::Protected, "what was not told is not assumed");
    }

    #[test]
    fn a_video_is_not_deleted_as_an_image() {
        let facts = |category| Facts { category, ..Facts::only(Standing::Stands) };
        let image = target(What::Image);
        let known = [PartName::Asset];
        let video = resolve(ReadFirst::IsImage, &image, &known, &facts(Some(Category::Video))).unwrap_err();
        assert_eq!(video.error.unwrap().code, Reason::Invalid);
        assert!(resolve(ReadFirst::IsImage, &image, &known, &facts(None)).is_err());
        assert!(resolve(ReadFirst::IsImage, &image, &known, &facts(Some(Category::Image))).is_ok());
    }

    #[test]
    fn a_template_that_is_not_there_is_absent_and_not_sent() {
        let known = [
            PartName::Rendition { family: Family::Transcode, definition: Some("100".into()) },
            PartName::Rendition { family: Family::Transcode, definition: Some("200".into()) },
            PartName::Rendition { family: Family::WechatPublish, definition: None },
        ];
        let facts = with_renditions(vec![rendition("100", "", Some(Family::Transcode))]);
        let all = target(What::Renditions(Renditions::All));
        let progress = resolve(ReadFirst::Standing, &all, &known, &facts).unwrap();
        let open: Vec<_> = progress.parts.iter().map(Part::is_open).collect();
        assert_eq!(open, [true, false, true]);
    }

    #[test]
    fn a_reference_is_resolved_or_nothing_is_sent() {
        let by_reference =
            Target { name: Name::parse("reference_id", "my-video-1").unwrap(), ..target(What::Media) };
        let known = [PartName::Asset];
        let nameless = Facts::only(Standing::Stands);
        assert!(resolve(ReadFirst::Reference, &by_reference, &known, &nameless).is_err());
        let id = crate::types::target::MediaId::parse("v77").unwrap();
        let named = Facts { id: Some(id.clone()), ..nameless };
        assert_eq!(resolve(ReadFirst::Reference, &by_reference, &known, &named).unwrap().asset, Some(id));
    }
}

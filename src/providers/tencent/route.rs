//! Which of the vendor's calls serves a target, and the body that deletes it.
//!
//! Pure. One place says what a target's parts are (`route`), and the body of a
//! delete is made only of parts that the target asked for (`delete_body`): the
//! last gate before a delete leaves, against a bug anywhere above. An entry that
//! does not pass is refused and never widened, because the vendor reads an empty
//! list as "everything". Knows neither keys nor answers.

use bytes::Bytes;

use super::wire::{self, DeletePart, SomeParts, Template};
use super::{DELETE_MEDIA, DESCRIBE_MEDIA_INFOS};
use crate::providers::{Entry, ReadFirst, Refusal, Repeat, Route};
use crate::types::deletion::PartName;
use crate::types::effects::GoesWith;
use crate::types::target::{Family, MediaId, Name, Renditions, Selector, Target, What};

/// How a target is served.
pub(super) fn route(target: &Target) -> Result<Route, Refusal> {
    if !matches!(target.name, Name::Id(_)) {
        return unsupported("this provider knows assets by their own `id` only");
    }
    let (first, repeat, parts) = match &target.what {
        What::Media => (None, Repeat::Always, vec![PartName::Asset]),
        // The id alone does not tell an image from a video, and the delete would take either.
        What::Image => (Some(ReadFirst::IsImage), Repeat::Always, vec![PartName::Asset]),
        What::Source { force } => {
            let first = (!force).then_some(ReadFirst::PlayableRendition);
            (first, Repeat::Briefly, vec![PartName::Source])
        }
        // A new transcode would bear the same template number (FAULTS.md, row 2).
        What::Renditions(which) => (Some(ReadFirst::Standing), Repeat::Briefly, rendition_parts(which)?),
        What::Snapshots(_) => {
            return unsupported("this provider deletes snapshots only together with their media");
        }
        What::AttachedMedia => return unsupported("this provider has no auxiliary assets"),
    };
    Ok(Route {
        resolve: first.map(|what| (&DESCRIBE_MEDIA_INFOS, what)),
        delete: &DELETE_MEDIA,
        settle: Some(&DESCRIBE_MEDIA_INFOS),
        repeat,
        parts,
    })
}

fn unsupported<T>(message: &str) -> Result<T, Refusal> {
    Err(Refusal::Unsupported(message.to_owned()))
}

fn rendition_parts(which: &Renditions) -> Result<Vec<PartName>, Refusal> {
    let whole = |family| PartName::Rendition { family, definition: None };
    match which {
        Renditions::All => Ok(Family::ALL.map(whole).to_vec()),
        Renditions::Some { job_ids, .. } if !job_ids.is_empty() => {
            unsupported("this provider knows renditions by `family` and template number, not by `job_ids`")
        }
        Renditions::Some { definitions, family: Some(family), .. } if definitions.is_empty() => {
            Ok(vec![whole(*family)])
        }
        // Never built, and never to be read as "everything".
        Renditions::Some { definitions, .. } if definitions.is_empty() => {
            invalid("/definitions".into(), "must not be empty; name template numbers, a `family`, or `all`")
        }
        Renditions::Some { definitions, family, .. } => {
            named_parts(family.unwrap_or(Family::Transcode), definitions)
        }
    }
}

fn named_parts(family: Family, definitions: &[Selector]) -> Result<Vec<PartName>, Refusal> {
    let mut parts = Vec::new();
    for (index, definition) in definitions.iter().enumerate() {
        let number = definition.as_str();
        if Template::parse(number).is_none() {
            return invalid(format!("/definitions/{index}"), why_no_template(number));
        }
        let part = PartName::Rendition { family, definition: Some(number.to_owned()) };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    Ok(parts)
}

fn why_no_template(text: &str) -> &'static str {
    if text.bytes().all(|b| b == b'0') {
        "0 means every template to the vendor; leave `definitions` out and name the `family` to ask for that"
    } else {
        "must be a template number in decimal without sign or leading zero, such as 100010"
    }
}

fn invalid<T>(field: String, message: &str) -> Result<T, Refusal> {
    Err(Refusal::Invalid { field, message: message.to_owned() })
}

/// What goes with a target (vendor page 3.1, the table of types and the traps below it).
pub(super) fn effects(target: &Target) -> Vec<GoesWith> {
    use GoesWith::{
        AnimatedImages, Covers, Derived, KeyFrameMarks, Playback, Processing, RenditionPlayback, Renditions,
        Snapshots, Source, Subtitles, UntranscodedPlayback,
    };
    let Ok(Route { parts, .. }) = route(target) else { return Vec::new() };
    match &target.what {
        // "deletes the media and everything derived from it"; "snapshots, sampled snapshots, image
        // sprites, animated images, subtitles, key-frame marks ... go only with the full delete".
        What::Media => vec![
            Source,
            Renditions,
            Covers,
            Snapshots,
            AnimatedImages,
            Subtitles,
            KeyFrameMarks,
            Derived,
            Playback,
        ],
        // The same call; which of those things an image has, no page says.
        What::Image => vec![Derived],
        // "no transcoding, WeChat publishing or other processing afterwards; the cover uploaded with the
        // file goes too". Unless forced, a read makes sure first that something else plays.
        What::Source { force: false } => vec![Covers, Processing],
        What::Source { force: true } => vec![Covers, UntranscodedPlayback, Processing],
        // Of `TranscodeFiles` alone: "covers made by processing go too".
        What::Renditions(_) => {
            let transcode = |part: &PartName| {
                matches!(part, PartName::Rendition { family: Family::Transcode, definition: _ })
            };
            let covers = parts.iter().any(transcode).then_some(Covers);
            covers.into_iter().chain([RenditionPlayback]).collect()
        }
        What::Snapshots(_) | What::AttachedMedia => Vec::new(),
    }
}

/// The body of the delete, or which rule of ours the entry breaks.
pub(super) fn delete_body(entry: &Entry, sub_app_id: Option<u64>) -> Result<Bytes, &'static str> {
    let Name::Id(id) = &entry.target.name else {
        return Err("the asset is not named by the vendor's id");
    };
    if entry.asset.as_ref().is_some_and(|asset| asset != id) {
        return Err("the entry means another asset than its target");
    }
    let asked = route(&entry.target).map_err(|_| "the target cannot be served")?.parts;
    if !entry.parts.iter().all(|part| asked.iter().any(|whole| covers(whole, part))) {
        return Err("the entry has a part that its target did not ask for");
    }
    match &entry.target.what {
        What::Media | What::Image => whole_body(id, sub_app_id, &entry.parts),
        What::Source { .. } | What::Renditions(_) => parts_body(id, sub_app_id, &entry.parts),
        What::Snapshots(_) | What::AttachedMedia => Err("the target cannot be served"),
    }
}

/// Whether what was asked for includes this part.
fn covers(asked: &PartName, part: &PartName) -> bool {
    match (asked, part) {
        (
            PartName::Rendition { family: whole, definition: None },
            PartName::Rendition { family, definition: _ },
        ) => whole == family,
        _ => asked == part,
    }
}

fn whole_body(id: &MediaId, sub_app_id: Option<u64>, parts: &[PartName]) -> Result<Bytes, &'static str> {
    match parts {
        [PartName::Asset] => Ok(wire::delete_whole(id, sub_app_id)),
        _ => Err("a whole delete is of the asset and nothing else"),
    }
}

fn parts_body(id: &MediaId, sub_app_id: Option<u64>, parts: &[PartName]) -> Result<Bytes, &'static str> {
    let mut parts = parts.iter().map(delete_part).collect::<Result<Vec<_>, _>>()?.into_iter();
    let Some(first) = parts.next() else {
        return Err("a delete of parts has no part; the vendor would delete everything");
    };
    Ok(wire::delete_parts(id, sub_app_id, &SomeParts { first, rest: parts.collect() }))
}

fn delete_part(part: &PartName) -> Result<DeletePart, &'static str> {
    match part {
        PartName::Source => Ok(DeletePart::source()),
        PartName::Rendition { family, definition: None } => Ok(DeletePart::whole_family(*family)),
        PartName::Rendition { family, definition: Some(number) } => Template::parse(number)
            .map(|template| DeletePart::rendition(*family, template))
            .ok_or("a rendition's definition is no template number"),
        PartName::Asset
        | PartName::Job(_)
        | PartName::Definition(_)
        | PartName::Snapshots(_)
        | PartName::AllSnapshots => Err("the vendor has no such part"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::types::target::{AccountId, ImageUrl, ReferenceId, SnapshotType, Snapshots};

    fn target(what: What) -> Target {
        Target {
            account: AccountId::parse("media").unwrap(),
            name: Name::Id(MediaId::parse("74").unwrap()),
            what,
        }
    }

    fn some(definitions: &[&str], job_ids: &[&str], family: Option<Family>) -> What {
        let list = |texts: &[&str]| texts.iter().map(|text| Selector::parse(text).unwrap()).collect();
        What::Renditions(Renditions::Some { definitions: list(definitions), job_ids: list(job_ids), family })
    }

    fn rendition(family: Family, definition: Option<&str>) -> PartName {
        PartName::Rendition { family, definition: definition.map(str::to_owned) }
    }

    fn first(what: What) -> Option<ReadFirst> {
        route(&target(what)).unwrap().resolve.map(|(operation, first)| {
            assert_eq!(operation.name, "DescribeMediaInfos");
            first
        })
    }

    #[test]
    fn covers_go_with_the_original_and_with_transcodes_and_with_no_other_part() {
        use GoesWith::{Covers, Derived, Playback, Processing, RenditionPlayback, UntranscodedPlayback};
        let of = |what| effects(&target(what));
        let whole = of(What::Media);
        assert!(whole.contains(&Covers) && whole.contains(&Playback) && !whole.contains(&Processing));
        assert_eq!(whole.len(), 9);
        assert_eq!(of(What::Image), [Derived]);
        assert_eq!(of(What::Source { force: false }), [Covers, Processing]);
        assert_eq!(of(What::Source { force: true }), [Covers, UntranscodedPlayback, Processing]);
        for (what, covers) in [
            (What::Renditions(Renditions::All), true),
            (some(&["100010"], &[], None), true),
            (some(&[], &[], Some(Family::Transcode)), true),
            (some(&["10"], &[], Some(Family::Adaptive)), false),
            (some(&[], &[], Some(Family::WechatPublish)), false),
        ] {
            let effects = of(what);
            assert_eq!((effects.contains(&Covers), effects.last()), (covers, Some(&RenditionPlayback)));
        }
        for refused in [some(&["0"], &[], None), What::Snapshots(Snapshots::All), What::AttachedMedia] {
            assert_eq!(of(refused), []);
        }
    }

    #[test]
    fn every_kind_is_served_as_the_contract_says() {
        assert_eq!(first(What::Media), None);
        assert_eq!(first(What::Image), Some(ReadFirst::IsImage));
        assert_eq!(first(What::Source { force: false }), Some(ReadFirst::PlayableRendition));
        assert_eq!(first(What::Source { force: true }), None);
        assert_eq!(first(What::Renditions(Renditions::All)), Some(ReadFirst::Standing));
        for (what, repeat, parts) in [
            (What::Media, Repeat::Always, vec![PartName::Asset]),
            (What::Image, Repeat::Always, vec![PartName::Asset]),
            (What::Source { force: true }, Repeat::Briefly, vec![PartName::Source]),
            (
                some(&["230", "10000", "230"], &[], None),
                Repeat::Briefly,
                vec![rendition(Family::Transcode, Some("230")), rendition(Family::Transcode, Some("10000"))],
            ),
            (
                some(&["1"], &[], Some(Family::WechatPublish)),
                Repeat::Briefly,
                vec![rendition(Family::WechatPublish, Some("1"))],
            ),
            (
                some(&[], &[], Some(Family::Adaptive)),
                Repeat::Briefly,
                vec![rendition(Family::Adaptive, None)],
            ),
            (What::Renditions(Renditions::All), Repeat::Briefly, {
                Family::ALL.map(|family| rendition(family, None)).to_vec()
            }),
        ] {
            let route = route(&target(what)).unwrap();
            assert_eq!((route.repeat, route.parts), (repeat, parts));
            assert_eq!(route.delete.name, "DeleteMedia");
            assert_eq!(route.settle.map(|operation| operation.name), Some("DescribeMediaInfos"));
        }
    }

    #[test]
    fn what_the_vendor_lacks_is_unsupported() {
        let named = |name, what| Target { name, ..target(what) };
        let reference = || Name::Reference(ReferenceId::parse("my-own-id").unwrap());
        let url = || Name::Url(ImageUrl::parse("https://h/x.png").unwrap());
        for target in [
            named(reference(), What::Media),
            named(reference(), What::Source { force: true }),
            named(reference(), What::Renditions(Renditions::All)),
            named(url(), What::Image),
            target(What::Snapshots(Snapshots::All)),
            target(What::Snapshots(Snapshots::Types(vec![SnapshotType::Cover]))),
            target(What::AttachedMedia),
            target(some(&[], &["job-1"], None)),
            target(some(&["230"], &["job-1"], Some(Family::Transcode))),
        ] {
            assert!(matches!(route(&target), Err(Refusal::Unsupported(_))), "{target:?}");
        }
    }

    #[test]
    fn a_definition_that_is_no_template_number_is_refused_at_its_place() {
        for bad in ["0", "00", "01", "+1", "-1", "HD", "1.5", "9223372036854775808"] {
            let Err(Refusal::Invalid { field, message }) = route(&target(some(&["230", bad], &[], None)))
            else {
                panic!("{bad:?} was taken");
            };
            assert_eq!(field, "/definitions/1");
            assert_eq!(
                message.contains("every template"),
                bad.bytes().all(|b| b == b'0'),
                "{bad}: {message}"
            );
        }
        let empty = route(&target(some(&[], &[], None)));
        assert!(matches!(empty, Err(Refusal::Invalid { field, .. }) if field == "/definitions"));
    }

    fn entry(what: What, parts: Vec<PartName>) -> Entry {
        Entry { target: target(what), asset: None, parts }
    }

    #[test]
    fn a_delete_of_parts_without_parts_is_no_delete() {
        for what in [What::Source { force: true }, What::Renditions(Renditions::All), some(&["1"], &[], None)]
        {
            assert!(delete_body(&entry(what.clone(), vec![]), None).is_err());
            assert!(delete_body(&entry(what, vec![PartName::Asset]), None).is_err());
        }
        assert!(delete_body(&entry(What::Media, vec![]), None).is_err());
        assert!(delete_body(&entry(What::Media, vec![PartName::Source]), None).is_err());
    }

    #[test]
    fn only_what_was_asked_for_is_deleted() {
        let adaptive = some(&[], &[], Some(Family::Adaptive));
        let narrower = entry(adaptive.clone(), vec![rendition(Family::Adaptive, Some("10"))]);
        assert!(delete_body(&narrower, None).is_ok(), "one of the family that was asked for");
        let wider = entry(some(&["10"], &[], None), vec![rendition(Family::Transcode, None)]);
        assert!(delete_body(&wider, None).is_err());
        let other = entry(adaptive, vec![rendition(Family::Transcode, Some("10"))]);
        assert!(delete_body(&other, None).is_err());
        let asset = MediaId::parse("75").ok();
        assert!(delete_body(&Entry { asset, ..entry(What::Media, vec![PartName::Asset]) }, None).is_err());
    }

    fn any_number() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("0".to_owned()),
            Just("00".to_owned()),
            Just("010".to_owned()),
            Just("HD".to_owned()),
            (-3_i64..30).prop_map(|number| number.to_string()),
            Just("10000".to_owned()),
            "[0-9]{1,22}",
        ]
    }

    fn any_family() -> impl Strategy<Value = Family> {
        proptest::sample::select(Family::ALL.to_vec())
    }

    fn any_part() -> impl Strategy<Value = PartName> {
        prop_oneof![
            Just(PartName::Asset),
            Just(PartName::Source),
            Just(PartName::AllSnapshots),
            any_number().prop_map(PartName::Job),
            any_number().prop_map(PartName::Definition),
            any_family().prop_map(|family| PartName::Rendition { family, definition: None }),
            (any_family(), proptest::option::of(any_number()))
                .prop_map(|(family, definition)| PartName::Rendition { family, definition }),
        ]
    }

    fn any_what() -> impl Strategy<Value = What> {
        let selector = any_number().prop_map(|text| Selector::parse(&text).unwrap());
        let selectors = proptest::collection::vec(selector, 0..4);
        prop_oneof![
            Just(What::Media),
            Just(What::Image),
            any::<bool>().prop_map(|force| What::Source { force }),
            Just(What::Renditions(Renditions::All)),
            (selectors, proptest::option::of(any_family())).prop_map(|(definitions, family)| {
                What::Renditions(Renditions::Some { definitions, job_ids: vec![], family })
            }),
            Just(What::Snapshots(Snapshots::All)),
            Just(What::AttachedMedia),
        ]
    }

    /// Either parts at random, or those of the route, some of them left out.
    fn any_entry() -> impl Strategy<Value = Entry> {
        (any_what(), proptest::collection::vec(any_part(), 0..5), any::<bool>(), 0_usize..3).prop_map(
            |(what, random, own, drop)| {
                let parts = match route(&target(what.clone())) {
                    Ok(route) if own => route.parts.into_iter().skip(drop).collect(),
                    _ => random,
                };
                entry(what, parts)
            },
        )
    }

    /// What the vendor would read in the body, told apart without `wire.rs`.
    fn check_body(entry: &Entry, body: &Value) -> Result<(), TestCaseError> {
        prop_assert_eq!(&body["FileId"], &json!("74"));
        let Some(parts) = body.get("DeleteParts") else {
            prop_assert!(matches!(entry.target.what, What::Media | What::Image));
            prop_assert_eq!(&entry.parts, &[PartName::Asset]);
            return Ok(());
        };
        let parts = parts.as_array().unwrap();
        prop_assert!(!parts.is_empty());
        prop_assert_eq!(parts.len(), entry.parts.len());
        for (sent, asked) in parts.iter().zip(&entry.parts) {
            prop_assert!(sent["Type"].as_str().is_some_and(|text| text.ends_with("Files")));
            let whole = matches!(asked, PartName::Source | PartName::Rendition { definition: None, .. });
            match sent.get("Definition") {
                None => prop_assert!(whole),
                Some(number) => {
                    prop_assert!(!whole && number.as_i64().is_some_and(|number| number > 0));
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn no_body_means_more_than_was_asked(entry in any_entry(), app in proptest::option::of(1_u64..9)) {
            if let Ok(body) = delete_body(&entry, app) {
                let body = serde_json::from_slice::<Value>(&body).unwrap();
                check_body(&entry, &body)?;
                prop_assert_eq!(body.get("SubAppId").and_then(Value::as_u64), app);
            }
        }

        #[test]
        fn whatever_is_routed_can_be_deleted(what in any_what()) {
            if let Ok(route) = route(&target(what.clone())) {
                prop_assert!(!route.parts.is_empty());
                prop_assert!(delete_body(&entry(what, route.parts), None).is_ok());
            }
        }
    }
}

//! Which operation serves which target, what may share a call, and which host serves an account.

use super::*;
use crate::providers::survey::{Survey, surveys};
use crate::types::clock::SystemClock;

fn routed(what: What, form: &str, name: &str) -> Route {
    route(&target(what, form, name)).unwrap()
}

fn setup(region: Option<&str>, endpoint: Option<&str>) -> AccountSetup {
    let clock = SystemClock::start();
    let key = Credentials { id: "id".into(), secret: "secret".into(), token: None };
    AccountSetup {
        region: region.map(str::to_owned),
        endpoint: endpoint.map(|url| url.parse().unwrap()),
        sub_app_id: None,
        signature: None,
        credentials: CredentialSource::fixed(key, Arc::clone(&clock)),
        transport: Transport::new().unwrap(),
        clock,
    }
}

#[test]
fn every_kind_has_its_delete_its_read_and_its_caution() {
    let jobs = |parts: &[PartName]| parts.to_vec();
    let route = routed(What::Media, "id", "v1");
    assert_eq!(
        (route.delete, route.settle, route.repeat),
        (&DELETE_VIDEO, Some(&GET_VIDEO_INFOS), Repeat::Always)
    );
    assert_eq!((route.resolve, route.parts), (None, vec![PartName::Asset]));

    let by_reference = Some((&GET_VIDEO_INFOS, ReadFirst::Reference));
    assert_eq!(routed(What::Media, "reference_id", "ref-01").resolve, by_reference);

    let route = routed(What::Source { force: true }, "reference_id", "ref-01");
    assert_eq!((route.delete, route.settle), (&DELETE_MEZZANINES, Some(&GET_MEZZANINE_INFO)));
    assert_eq!((route.resolve, route.repeat), (by_reference, Repeat::Briefly));
    assert_eq!(route.parts, vec![PartName::Source]);

    let route = routed(some(&[], &["j1", "j1"], None), "id", "v1");
    assert_eq!((route.delete, route.settle, route.resolve), (&DELETE_STREAM, Some(&GET_PLAY_INFO), None));
    let route = routed(some(&[], &["j1", "j2", "j1"], None), "id", "v1");
    assert_eq!(route.parts, jobs(&[PartName::Job("j1".into()), PartName::Job("j2".into())]));
    assert_eq!(route.repeat, Repeat::Always);
    for (what, form, name) in [
        (some(&["HD"], &[], None), "id", "v1"),
        (some(&["HD"], &["j1"], None), "id", "v1"),
        (some(&[], &["j1", "j2"], None), "id", "v1"),
        (some(&[], &["j1"], None), "reference_id", "ref-01"),
        (What::Renditions(Renditions::All), "id", "v1"),
    ] {
        assert_eq!(routed(what, form, name).resolve, Some((&GET_PLAY_INFO, ReadFirst::Jobs)));
    }

    let typed = Snapshots::Types(vec![SnapshotType::Cover, SnapshotType::Cover, SnapshotType::Sprite]);
    let route = routed(What::Snapshots(typed), "id", "v1");
    assert_eq!(
        (route.delete, route.settle, route.repeat),
        (&DELETE_IMAGE, Some(&LIST_SNAPSHOTS), Repeat::Briefly)
    );
    let [cover, _, sprite, _] = SnapshotType::ALL.map(PartName::Snapshots);
    assert_eq!(route.parts, vec![cover, sprite]);
    let route = routed(What::Snapshots(Snapshots::All), "id", "v1");
    assert_eq!((route.settle, route.parts), (None, vec![PartName::AllSnapshots]));

    let route = routed(What::Image, "id", "i1");
    assert_eq!(route.resolve, Some((&GET_IMAGE_INFOS, ReadFirst::Standing)));
    assert_eq!(route.settle, Some(&GET_IMAGE_INFOS));
    let route = routed(What::Image, "url", "https://h/a");
    assert_eq!((route.delete, route.settle, route.repeat), (&DELETE_IMAGE, None, Repeat::Always));
    let route = routed(What::AttachedMedia, "id", "a1");
    assert_eq!((route.delete, route.settle), (&DELETE_ATTACHED_MEDIA, Some(&GET_ATTACHED_MEDIA_INFO)));
}

#[test]
fn what_the_vendor_has_not_is_refused() {
    let refusal = |what, form, name| route(&target(what, form, name)).unwrap_err();
    let family = some(&["HD"], &[], Some(Family::Transcode));
    assert!(matches!(refusal(family, "id", "v1"), Refusal::Unsupported(_)));
    for (what, form, name) in [
        (some(&[], &[], None), "id", "v1"),
        (What::Media, "url", "https://h/a"),
        (What::Source { force: false }, "url", "https://h/a"),
        (What::Renditions(Renditions::All), "url", "https://h/a"),
        (What::Snapshots(Snapshots::All), "reference_id", "ref-01"),
        (What::Image, "reference_id", "ref-01"),
        (What::AttachedMedia, "reference_id", "ref-01"),
    ] {
        assert!(matches!(refusal(what.clone(), form, name), Refusal::Invalid { .. }), "{what:?} {form}");
    }
}

#[test]
fn only_what_differs_in_nothing_but_the_id_shares_a_call() {
    let reference = entry(What::Media, "reference_id", "ref-01", &[]);
    let long = format!("https://h/{}", "a".repeat(SHORT_URL));
    for (operation, entry, expected) in [
        (&DELETE_VIDEO, media("v1"), "id"),
        (&DELETE_MEZZANINES, source("v1", true), "force"),
        (&DELETE_MEZZANINES, source("v1", false), "keep"),
        (&DELETE_STREAM, streams("v1", &["j1"]), "video:v1"),
        (&DELETE_IMAGE, image("id", "i1"), "id"),
        (&DELETE_IMAGE, image("url", "https://h/a"), "url"),
        (&DELETE_IMAGE, image("url", &long), &format!("url:{long}")),
        (&DELETE_IMAGE, stills("v1", &[PartName::AllSnapshots]), "video:v1"),
        (&DELETE_ATTACHED_MEDIA, attached("a1"), "id"),
        (&GET_VIDEO_INFOS, media("v1"), "id"),
        (&GET_VIDEO_INFOS, reference.clone(), "reference"),
        (&GET_PLAY_INFO, media("v1"), "id:v1"),
        (&GET_PLAY_INFO, reference, "reference:ref-01"),
        (&LIST_SNAPSHOTS, stills("v1", &[]), "video:v1"),
        (&GET_IMAGE_INFOS, image("id", "i1"), "id"),
        (&GET_ATTACHED_MEDIA_INFO, attached("a1"), "id"),
    ] {
        assert_eq!(group(operation, &entry), expected, "{}", operation.name);
    }
}

#[test]
fn the_region_names_the_host_and_an_endpoint_wins() {
    let host = |region| endpoint(&setup(Some(region), None)).unwrap().to_string();
    assert_eq!(host("cn-beijing"), "https://vod.cn-beijing.aliyuncs.com/");
    assert_eq!(host("cn-hangzhou"), "https://vod.cn-shanghai.aliyuncs.com/");
    for (region, _) in HOSTS {
        assert!(host(region).starts_with("https://vod."), "{region}");
    }
    let own = endpoint(&setup(Some("mars"), Some("http://127.0.0.1:9101"))).unwrap();
    assert_eq!(authority(&own).unwrap(), "127.0.0.1:9101");
    assert_eq!(authority(&"https://vod.example.com:443/".parse().unwrap()).unwrap(), "vod.example.com");
    assert_eq!(authority(&"https://[::1]:8443/".parse().unwrap()).unwrap(), "[::1]:8443");

    let unknown = endpoint(&setup(Some("mars"), None)).unwrap_err();
    assert!(unknown.field == "region" && unknown.why.contains("cn-shanghai"), "{unknown}");
    assert_eq!(endpoint(&setup(None, None)).unwrap_err().field, "region");
    assert_eq!(endpoint(&setup(None, Some("https://h/path"))).unwrap_err().field, "endpoint");
    let sub = AccountSetup { sub_app_id: Some(1), ..setup(Some("cn-shanghai"), None) };
    assert_eq!(build(sub).unwrap_err().field, "sub_app_id");
    let signature = AccountSetup { signature: Some("v4".into()), ..setup(Some("cn-shanghai"), None) };
    assert_eq!(build(signature).unwrap_err().field, "signature");
    assert!(build(setup(Some("cn-shanghai"), None)).is_ok());
}

#[test]
fn the_table_of_operations_is_that_of_the_page() {
    for (operation, qps, items) in [
        ("DeleteVideo", Some(30), 20),
        ("DeleteStream", Some(50), 1),
        ("DeleteMezzanines", Some(50), 20),
        ("DeleteImage", Some(50), 20),
        ("DeleteAttachedMedia", Some(50), 20),
        ("GetVideoInfos", Some(100), 20),
        ("BatchGetMediaInfos", None, 20),
        ("GetPlayInfo", Some(360), 1),
        ("GetMezzanineInfo", Some(100), 1),
        ("GetImageInfos", None, 20),
        ("GetAttachedMediaInfo", Some(100), 20),
        ("ListSnapshots", Some(30), 1),
    ] {
        let known = OPERATIONS.iter().find(|known| known.name == operation).unwrap();
        assert_eq!((known.published_qps, known.items_per_call), (qps, items), "{operation}");
        assert_eq!(known.effect == Effect::Delete, operation.starts_with("Delete"), "{operation}");
    }
    assert_eq!(OPERATIONS.len(), Action::ALL.len());
}

#[test]
fn a_probe_and_a_portrait_only_read() {
    let provider = build(setup(Some("cn-shanghai"), None)).unwrap();
    let portrait = provider.portrait(&MediaId::parse("v1").unwrap());
    let names: Vec<_> = portrait.iter().map(|call| call.operation.name).collect();
    let stills = "ListSnapshots";
    let reads = ["GetVideoInfos", "GetPlayInfo", "GetMezzanineInfo", "BatchGetMediaInfos"];
    assert_eq!(names, [reads, [stills; 4]].concat());
    for call in portrait.iter().chain([&provider.probe()]) {
        assert_eq!(call.operation.effect, Effect::Read);
        assert!(super::super::wire::ask(call).is_ok(), "{call:?}");
    }
}

/// The operations and lists of the reads that look at these.
fn looks(targets: &[Target]) -> Vec<(&'static str, String, Vec<Vec<usize>>)> {
    let provider = build(setup(Some("cn-shanghai"), None)).unwrap();
    let told = |survey: Survey| {
        assert_eq!(survey.call.operation.effect, Effect::Read);
        assert_eq!(survey.call.entries.len(), survey.targets.len());
        let ask = super::super::wire::ask(&survey.call).unwrap();
        let [(name, value)] = ask.parameters.as_slice() else { panic!("{ask:?}") };
        (survey.call.operation.name, format!("{name}={value}"), survey.targets)
    };
    surveys(provider.as_ref(), targets).into_iter().map(told).collect()
}

#[test]
fn many_are_looked_at_by_few_reads_and_each_asset_once() {
    let mut targets = vec![
        target(What::Media, "id", "v1"),
        target(What::Image, "id", "i1"),
        target(What::Media, "reference_id", "my-ref-1"),
        target(What::Source { force: true }, "id", "v1"),
        target(What::Image, "url", "https://h/1.jpg"),
        target(What::Snapshots(Snapshots::All), "id", "v2"),
        target(What::AttachedMedia, "id", "a1"),
        target(some(&["HD"], &[], None), "reference_id", "my-ref-1"),
        target(What::Snapshots(Snapshots::All), "reference_id", "my-ref-2"),
        target(What::Image, "id", "v1"),
    ];
    let list = |text: &str| text.to_owned();
    let few = [
        ("BatchGetMediaInfos", list("MediaIds=v1,v2"), vec![vec![0, 3], vec![5]]),
        ("GetImageInfos", list("ImageIds=i1,v1"), vec![vec![1], vec![9]]),
        ("GetVideoInfos", list("ReferenceIds=my-ref-1"), vec![vec![2, 7]]),
        ("GetAttachedMediaInfo", list("MediaIds=a1"), vec![vec![6]]),
    ];
    assert_eq!(looks(&targets), few, "neither a URL nor what would be refused is read");
    targets.extend((3..44).map(|n| target(What::Media, "id", &format!("v{n}"))));
    let sizes: Vec<_> = looks(&targets).iter().map(|(name, _, of)| (*name, of.len())).collect();
    let videos = [("BatchGetMediaInfos", 20); 2];
    let rest = [("GetImageInfos", 2), ("GetVideoInfos", 1), ("GetAttachedMediaInfo", 1)];
    assert_eq!(sizes, [&videos[..1], &rest, &videos[..1], &[("BatchGetMediaInfos", 3)]].concat());
    assert_eq!(looks(&[]), []);
}

#[test]
fn no_block_is_promised() {
    let provider = build(setup(Some("cn-shanghai"), None)).unwrap();
    assert!(!provider.can_block(&target(What::Media, "id", "v1")));
    assert_eq!(provider.block(&[MediaId::parse("v1").unwrap()], false), None);
}

#[test]
fn what_goes_with_a_target_is_what_the_page_says() {
    use GoesWith::{
        Covers, Playback, Processing, RenditionPlayback, Renditions as AllRenditions, Snapshots as Stills,
        Source, UntranscodedPlayback, UploadParts,
    };
    let effects = |what: What| super::super::routes::effects(&target(what, "id", "v1"));
    assert_eq!(effects(What::Media), [Source, AllRenditions, Covers, Stills, UploadParts, Playback]);
    assert_eq!(effects(What::Source { force: false }), [Processing]);
    assert_eq!(effects(What::Source { force: true }), [UntranscodedPlayback, Processing]);
    assert_eq!(effects(some(&["HD"], &[], None)), [RenditionPlayback]);
    for alone in [What::Image, What::AttachedMedia, What::Snapshots(Snapshots::All)] {
        assert_eq!(effects(alone), []);
    }
    assert_eq!(effects(some(&["HD"], &[], Some(Family::Adaptive))), [], "it would be refused");
}

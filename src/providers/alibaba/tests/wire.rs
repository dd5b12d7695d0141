//! Every operation's parameters, and the calls that must not be sent.

use super::super::wire::{Unfit, ask};
use super::*;

fn parameters(action: Action, entries: Vec<Entry>) -> Vec<(&'static str, String)> {
    let mut parameters = ask(&call(action, entries)).unwrap().parameters;
    parameters.sort();
    parameters
}

fn text<'a>(parameters: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    parameters.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

macro_rules! says {
    ($action:ident, [$($entry:expr),*], $expected:expr) => {
        assert_eq!(text(&parameters(Action::$action, vec![$($entry),*])), $expected)
    };
}

fn resolved(mut entry: Entry, id: &str) -> Entry {
    entry.asset = Some(MediaId::parse(id).unwrap());
    entry
}

#[test]
fn deletes_say_what_was_asked_and_nothing_more() {
    says!(DeleteVideo, [media("v1"), media("v2"), media("v1")], [("VideoIds", "v1,v2")]);
    says!(DeleteMezzanines, [source("v1", true)], [("Force", "true"), ("VideoIds", "v1")]);
    says!(DeleteMezzanines, [source("v1", false)], [("Force", "false"), ("VideoIds", "v1")]);
    says!(
        DeleteStream,
        [streams("v1", &["j1", "j2"]), streams("v1", &["j2", "j3"])],
        [("JobIds", "j1,j2,j3"), ("VideoId", "v1")]
    );
    says!(
        DeleteImage,
        [image("id", "i1"), image("id", "i2")],
        [("DeleteImageType", "ImageId"), ("ImageIds", "i1,i2")]
    );
    says!(
        DeleteImage,
        [image("url", "https://h/a%2Cb"), image("url", "https://h/c")],
        [("DeleteImageType", "ImageURL"), ("ImageURLs", "https://h/a%2Cb,https://h/c")]
    );
    let [cover, normal, sprite, origin] = SnapshotType::ALL.map(PartName::Snapshots);
    says!(
        DeleteImage,
        [stills("v1", &[cover.clone(), normal, sprite, origin])],
        [
            ("DeleteImageType", "VideoId"),
            ("ImageType", "CoverSnapshot,NormalSnapshot,SpriteSnapshot,SpriteOriginSnapshot"),
            ("VideoId", "v1")
        ]
    );
    says!(
        DeleteImage,
        [stills("v1", &[PartName::AllSnapshots]), stills("v1", &[cover])],
        [("DeleteImageType", "VideoId"), ("ImageType", "All"), ("VideoId", "v1")]
    );
    says!(DeleteAttachedMedia, [attached("a1"), attached("a2")], [("MediaIds", "a1,a2")]);
}

#[test]
fn reads_take_ids_or_references_but_not_both() {
    let reference = || entry(What::Media, "reference_id", "ref-01", &[PartName::Asset]);
    says!(GetVideoInfos, [media("v1"), resolved(reference(), "v2")], [("VideoIds", "v1,v2")]);
    says!(GetVideoInfos, [reference()], [("ReferenceIds", "ref-01")]);
    says!(BatchGetMediaInfos, [media("v1")], [("MediaIds", "v1")]);
    says!(GetPlayInfo, [media("v1")], [("ResultType", "Multiple"), ("VideoId", "v1")]);
    says!(GetPlayInfo, [reference()], [("ReferenceId", "ref-01"), ("ResultType", "Multiple")]);
    says!(GetMezzanineInfo, [media("v1")], [("VideoId", "v1")]);
    says!(GetImageInfos, [image("id", "i1")], [("ImageIds", "i1")]);
    says!(GetAttachedMediaInfo, [attached("a1")], [("MediaIds", "a1")]);
    says!(
        ListSnapshots,
        [stills("v1", &[PartName::Snapshots(SnapshotType::Sprite)])],
        [("PageSize", "100"), ("SnapshotType", "SpriteSnapshot"), ("VideoId", "v1")]
    );
    let mixed = call(Action::GetVideoInfos, vec![media("v1"), reference()]);
    assert_eq!(ask(&mixed), Err(Unfit::Mixed));
}

#[test]
fn a_reference_never_stands_in_a_delete() {
    let reference = entry(What::Media, "reference_id", "ref-01", &[PartName::Asset]);
    assert_eq!(ask(&call(Action::DeleteVideo, vec![reference.clone()])), Err(Unfit::NoName));
    says!(DeleteVideo, [resolved(reference, "v1")], [("VideoIds", "v1")]);
}

#[test]
fn a_call_that_would_delete_something_else_is_not_sent() {
    let sprite = PartName::Snapshots(SnapshotType::Sprite);
    for (action, entries, why) in [
        (Action::DeleteVideo, vec![], Unfit::Empty),
        (Action::DeleteVideo, vec![media("v1"), source("v1", false)], Unfit::Mixed),
        (Action::DeleteVideo, vec![streams("v1", &["j1"])], Unfit::Mixed),
        (Action::DeleteMezzanines, vec![source("v1", true), source("v2", false)], Unfit::Mixed),
        (Action::DeleteStream, vec![streams("v1", &["j1"]), streams("v2", &["j2"])], Unfit::Mixed),
        (Action::DeleteStream, vec![streams("v1", &[])], Unfit::NoPart),
        (Action::DeleteStream, vec![streams("v1", &["j1"]), streams("v1", &[])], Unfit::NoPart),
        (Action::DeleteImage, vec![image("id", "i1"), image("url", "https://h/c")], Unfit::Mixed),
        (
            Action::DeleteImage,
            vec![image("id", "v1"), stills("v1", std::slice::from_ref(&sprite))],
            Unfit::Mixed,
        ),
        (Action::DeleteImage, vec![stills("v1", &[])], Unfit::NoPart),
        (Action::DeleteImage, vec![stills("v1", &[PartName::Asset])], Unfit::NoPart),
        (
            Action::DeleteImage,
            vec![stills("v1", std::slice::from_ref(&sprite)), stills("v2", &[sprite])],
            Unfit::Mixed,
        ),
        (Action::DeleteAttachedMedia, vec![image("url", "https://h/c")], Unfit::Mixed),
        (Action::GetPlayInfo, vec![media("v1"), media("v2")], Unfit::Mixed),
        (Action::ListSnapshots, vec![stills("v1", &[PartName::AllSnapshots])], Unfit::NoPart),
    ] {
        assert_eq!(ask(&call(action, entries.clone())), Err(why), "{action:?} {entries:?}");
    }
}

#[test]
fn every_operation_has_its_name() {
    for action in Action::ALL {
        assert_eq!(Action::named(action.name()), Some(action));
    }
    assert_eq!(Action::named("DeleteCategory"), None);
}

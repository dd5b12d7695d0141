//! Alibaba's reads, as `Facts`.
//!
//! One function per read takes from a success what it tells of one asset. What
//! is absent or unreadable stays `None`: the decisions that are made from it
//! must not take "not told" for "not there". Its own file because these shapes
//! have nothing in common with the deletes'. Which entries the vendor lists as
//! missing is judged in `outcome.rs`, before this.

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Object, field, scalar};
use super::wire::{Action, Ask};
use crate::types::asset::{Category, Facts, Rendition, Snapshot, Source, SourceFile, Standing};
use crate::types::target::{MediaId, SnapshotType};

/// What a success tells of the asset with this key, asked for with `ask`. With
/// `ListSnapshots`, `kind` is the type that was asked for.
pub(super) fn told(ask: &Ask, key: &str, kind: Option<SnapshotType>, body: &Object) -> Facts {
    let facts = match ask.action {
        Action::GetVideoInfos => video(ask, key, body),
        Action::BatchGetMediaInfos => media(ask, key, body),
        Action::GetPlayInfo => play(ask, key, body),
        Action::GetMezzanineInfo => mezzanine(ask, key, body),
        Action::GetImageInfos => image(key, body),
        Action::GetAttachedMediaInfo => attached(key, body),
        Action::ListSnapshots => snapshots(kind, body),
        Action::DeleteVideo
        | Action::DeleteStream
        | Action::DeleteMezzanines
        | Action::DeleteImage
        | Action::DeleteAttachedMedia => None,
    };
    facts.unwrap_or_else(|| Facts::only(Standing::Untold))
}

fn video(ask: &Ask, key: &str, body: &Object) -> Option<Facts> {
    let videos = list(field(body, "VideoList")?, "Video")?;
    let own = one_of(ask, key, &videos, "VideoId")?;
    Some(Facts { status: text(own, "Status"), ..basics(own, "VideoId") })
}

fn media(ask: &Ask, key: &str, body: &Object) -> Option<Facts> {
    let medias = list(field(body, "MediaInfos")?, "MediaInfo")?;
    let own = if ask.by_reference {
        // Here the reference id stands one level deeper than the media's own id.
        let referred =
            |media: &&&Object| object(media, "MediaInfo").is_some_and(|info| has(info, "ReferenceId", key));
        medias.iter().find(referred).copied().or_else(|| one_of(ask, key, &medias, "MediaId"))?
    } else {
        one_of(ask, key, &medias, "MediaId")?
    };
    let info = object(own, "MediaInfo").unwrap_or(own);
    let facts = Facts {
        id: text(own, "MediaId").and_then(|id| MediaId::parse(&id).ok()),
        status: text(info, "Status"),
        source: object(own, "MezzanineInfo").and_then(source),
        renditions: field(own, "PlayInfoList").and_then(renditions),
        ..basics(info, "MediaId")
    };
    Some(facts)
}

fn play(ask: &Ask, key: &str, body: &Object) -> Option<Facts> {
    let base = object(body, "VideoBase");
    let basics = base.map_or_else(|| Facts::only(Standing::Stands), |base| basics(base, "VideoId"));
    if !ask.by_reference && basics.id.as_ref().is_some_and(|id| id.as_str() != key) {
        return None; // Streams of another video must never be taken for this one's.
    }
    Some(Facts {
        status: base.and_then(|base| text(base, "Status")),
        renditions: field(body, "PlayInfoList").and_then(renditions),
        ..basics
    })
}

fn mezzanine(ask: &Ask, key: &str, body: &Object) -> Option<Facts> {
    let own = object(body, "Mezzanine")?;
    let id = text(own, "VideoId").and_then(|id| MediaId::parse(&id).ok());
    if !ask.by_reference && id.as_ref().is_some_and(|id| id.as_str() != key) {
        return None;
    }
    let created_at = time(own);
    let duration_s = decimal(own, "Duration");
    Some(Facts { id, source: source(own), created_at, duration_s, ..Facts::only(Standing::Stands) })
}

fn image(key: &str, body: &Object) -> Option<Facts> {
    let images = list(field(body, "ImageInfo")?, "ImageInfo")?;
    let own = images.iter().copied().find(|image| has(image, "ImageId", key))?;
    let size_bytes = object(own, "Mezzanine").and_then(|file| whole(file, "FileSize"));
    let category = Some(Category::Image);
    Some(Facts { status: text(own, "Status"), category, size_bytes, ..basics(own, "ImageId") })
}

fn attached(key: &str, body: &Object) -> Option<Facts> {
    let medias = list(field(body, "AttachedMediaList")?, "AttachedMedia")?;
    let own = medias.iter().copied().find(|media| has(media, "MediaId", key))?;
    Some(Facts { status: text(own, "Status"), ..basics(own, "MediaId") })
}

/// A listing does not prove that the video stands, only what it lists.
fn snapshots(kind: Option<SnapshotType>, body: &Object) -> Option<Facts> {
    let media = object(body, "MediaSnapshot")?;
    let listed = match field(media, "Snapshots") {
        Some(snapshots) => list(snapshots, "Snapshot")?,
        None if whole(media, "Total") == Some(0) => vec![],
        None => return None,
    };
    let urls = listed.into_iter().filter_map(|one| text(one, "Url"));
    let snapshots = Some(urls.map(|url| Snapshot { kind, url }).collect());
    Some(Facts { snapshots, ..Facts::only(Standing::Untold) })
}

/// The fields that most reads share. What was answered for stands.
fn basics(own: &Object, id: &str) -> Facts {
    Facts {
        id: text(own, id).and_then(|id| MediaId::parse(&id).ok()),
        title: text(own, "Title"),
        category: text(own, "MediaType").map(|word| category(&word)),
        created_at: time(own),
        size_bytes: whole(own, "Size"),
        duration_s: decimal(own, "Duration"),
        ..Facts::only(Standing::Stands)
    }
}

fn category(word: &str) -> Category {
    match word.to_ascii_lowercase().as_str() {
        "video" => Category::Video,
        "audio" => Category::Audio,
        "image" => Category::Image,
        _ => Category::Other,
    }
}

/// Alibaba: `Mezzanine.Status` is `Uploading`, `Normal`, `UploadFail` or `Deleted`; section 4.
/// Only the last proves that the file is gone.
fn source(file: &Object) -> Option<Source> {
    match text(file, "Status") {
        Some(status) if status.eq_ignore_ascii_case("Deleted") => Some(Source::Gone),
        None if text(file, "FileURL").is_none() => None,
        _ => {
            let url = text(file, "FileURL");
            let name = text(file, "FileName").or_else(|| url.clone());
            let format = name.as_deref().and_then(extension);
            Some(Source::Stands(SourceFile { size_bytes: whole(file, "Size"), format, url }))
        }
    }
}

fn extension(name: &str) -> Option<String> {
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let (_, extension) = path.rsplit('/').next().unwrap_or_default().rsplit_once('.')?;
    (!extension.is_empty() && extension.len() <= 8).then(|| extension.to_ascii_lowercase())
}

/// `None` unless every entry is readable: a list with holes would pass for the whole.
fn renditions(value: &Value) -> Option<Vec<Rendition>> {
    let rendition = |play: &Object| Rendition {
        definition: text(play, "Definition"),
        family: None,
        job_id: text(play, "JobId"),
        format: text(play, "Format"),
        size_bytes: whole(play, "Size"),
        url: text(play, "PlayURL"),
        is_playlist: false,
    };
    Some(list(value, "PlayInfo")?.into_iter().map(rendition).collect())
}

/// The asset that was asked for, among those in a list.
fn one_of<'a>(ask: &Ask, key: &str, assets: &[&'a Object], id: &str) -> Option<&'a Object> {
    if !ask.by_reference {
        return assets.iter().copied().find(|asset| has(asset, id, key));
    }
    let referred = assets.iter().copied().find(|asset| has(asset, "ReferenceId", key));
    // One reference asked, one asset answered, and it does not name its reference.
    let only = || match assets {
        [asset] if ask.things == 1 && field(asset, "ReferenceId").is_none() => Some(*asset),
        _ => None,
    };
    referred.or_else(only)
}

/// A list of objects: bare, wrapped in an object (`PlayInfoList.PlayInfo`), or one
/// object for a list of one. `None` if something else is in it.
fn list<'a>(value: &'a Value, inner: &str) -> Option<Vec<&'a Object>> {
    match value {
        Value::Array(values) => values.iter().map(Value::as_object).collect(),
        Value::Object(wrapped) => match field(wrapped, inner) {
            Some(Value::Array(values)) => values.iter().map(Value::as_object).collect(),
            Some(Value::Object(one)) => Some(vec![one]),
            Some(Value::Null) => Some(vec![]),
            None if wrapped.is_empty() => Some(vec![]),
            // Something is listed that we cannot read: that is not an empty list.
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => None,
            None => Some(vec![wrapped]),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn object<'a>(object: &'a Object, name: &str) -> Option<&'a Object> {
    field(object, name)?.as_object()
}

fn has(object: &Object, name: &str, wanted: &str) -> bool {
    text(object, name).is_some_and(|text| text == wanted)
}

/// Text that is there: an empty string is the vendor's "none" (the `JobId` of an original).
fn text(object: &Object, name: &str) -> Option<String> {
    field(object, name).and_then(scalar).filter(|text| !text.is_empty())
}

/// Alibaba prints numbers as strings in some samples; section 4.
fn decimal(object: &Object, name: &str) -> Option<f64> {
    text(object, name)?.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn whole(object: &Object, name: &str) -> Option<u64> {
    let text = text(object, name)?;
    // A size such as "1024.0" loses its fraction.
    text.trim().split('.').next()?.parse().ok()
}

fn time(object: &Object) -> Option<Timestamp> {
    text(object, "CreationTime")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(action: Action, key: &str, by_reference: bool, body: &Value) -> Facts {
        let keys = vec![key.to_owned()];
        let ask = Ask { action, parameters: vec![], keys, things: 1, force: false, by_reference };
        told(&ask, key, Some(SnapshotType::Cover), body.as_object().unwrap())
    }

    #[test]
    fn a_video_is_found_by_id_and_by_reference() {
        let body = json!({"RequestId": "r", "VideoList": [
            {"VideoId": "other", "Title": "no"},
            {"VideoId": "v1", "ReferenceId": "ref-01", "Title": "t", "Status": "Normal", "Size": "1024",
             "Duration": "3.5", "CreationTime": "2026-01-15T08:30:00Z", "Snapshots": ["u"]}]});
        for (key, by_reference) in [("v1", false), ("ref-01", true)] {
            let facts = facts(Action::GetVideoInfos, key, by_reference, &body);
            assert_eq!(facts.standing, Standing::Stands);
            assert_eq!(facts.id.unwrap().as_str(), "v1");
            assert_eq!((facts.size_bytes, facts.duration_s), (Some(1024), Some(3.5)));
            assert_eq!(facts.created_at.unwrap().to_string(), "2026-01-15T08:30:00Z");
            assert_eq!((facts.title.as_deref(), facts.status.as_deref()), (Some("t"), Some("Normal")));
            assert_eq!((facts.source, facts.renditions, facts.snapshots), (None, None, None));
        }
        assert_eq!(facts(Action::GetVideoInfos, "v9", false, &body).standing, Standing::Untold);
        assert_eq!(facts(Action::GetVideoInfos, "ref-99", true, &body).standing, Standing::Untold);
    }

    #[test]
    fn an_unnamed_reference_is_believed_only_where_it_can_be_no_other() {
        let one = json!({"VideoList": [{"VideoId": "v1"}]});
        assert_eq!(facts(Action::GetVideoInfos, "ref-01", true, &one).id.unwrap().as_str(), "v1");
        let another = json!({"VideoList": [{"VideoId": "v1", "ReferenceId": "ref-02"}]});
        let two = json!({"VideoList": [{"VideoId": "v1"}, {"VideoId": "v2"}]});
        for body in [another, two] {
            assert_eq!(facts(Action::GetVideoInfos, "ref-01", true, &body), Facts::only(Standing::Untold));
        }
    }

    #[test]
    fn play_info_lists_renditions_and_skips_no_original() {
        let body = json!({"VideoBase": {"VideoId": "v1", "Title": "t", "MediaType": "video", "Status": "Normal"},
            "PlayInfoList": {"PlayInfo": [
                {"JobId": "j1", "Definition": "HD", "Format": "mp4", "Size": 7, "PlayURL": "https://x/1", "New": {}},
                {"JobId": "", "Definition": "OD", "Format": "mp4", "Size": "9"}]}});
        let told = facts(Action::GetPlayInfo, "v1", false, &body);
        assert_eq!((told.standing, told.category), (Standing::Stands, Some(Category::Video)));
        let renditions = told.renditions.unwrap();
        assert_eq!(renditions[0].job_id.as_deref(), Some("j1"));
        assert_eq!(renditions[0].definition.as_deref(), Some("HD"));
        assert_eq!(renditions[0].url.as_deref(), Some("https://x/1"));
        assert_eq!((renditions[1].job_id.as_deref(), renditions[1].size_bytes), (None, Some(9)));
        assert_eq!(facts(Action::GetPlayInfo, "v2", false, &body), Facts::only(Standing::Untold));
        assert_eq!(facts(Action::GetPlayInfo, "ref-01", true, &body).id.unwrap().as_str(), "v1");
    }

    #[test]
    fn no_list_is_not_an_empty_list() {
        let renditions = |list: Value| facts(Action::GetPlayInfo, "v1", false, &list).renditions;
        assert_eq!(renditions(json!({"VideoBase": {"VideoId": "v1"}})), None);
        assert_eq!(renditions(json!({"PlayInfoList": null})), None);
        assert_eq!(renditions(json!({"PlayInfoList": {"PlayInfo": ["odd"]}})), None);
        assert_eq!(renditions(json!({"PlayInfoList": {"PlayInfo": []}})), Some(vec![]));
        assert_eq!(renditions(json!({"PlayInfoList": []})), Some(vec![]));
        assert_eq!(renditions(json!({"PlayInfoList": {}})), Some(vec![]));
    }

    #[test]
    fn the_source_is_gone_only_where_the_vendor_says_so() {
        let source =
            |file: Value| facts(Action::GetMezzanineInfo, "v1", false, &json!({"Mezzanine": file})).source;
        assert_eq!(source(json!({"VideoId": "v1", "Status": "Deleted"})), Some(Source::Gone));
        let file =
            json!({"VideoId": "v1", "Status": "Normal", "Size": 5, "FileURL": "https://x/a/b.MP4?k=1"});
        let stands = SourceFile {
            size_bytes: Some(5),
            format: Some("mp4".into()),
            url: Some("https://x/a/b.MP4?k=1".into()),
        };
        assert_eq!(source(file), Some(Source::Stands(stands)));
        assert!(matches!(source(json!({"Status": "UploadFail"})), Some(Source::Stands(_))));
        assert_eq!(source(json!({"VideoId": "v1"})), None);
        assert_eq!(source(json!({"VideoId": "v2", "Status": "Deleted"})), None);
    }

    #[test]
    fn one_batch_read_tells_of_media_source_and_streams() {
        let body = json!({"MediaInfos": [{"MediaId": "m1",
            "MediaInfo": {"Title": "t", "Status": "Transcoding", "MediaType": "audio", "ReferenceId": "ref-01"},
            "MezzanineInfo": {"Status": "Deleted"},
            "PlayInfoList": [{"JobId": "j1", "Definition": "SQ"}]}]});
        for (key, by_reference) in [("m1", false), ("ref-01", true)] {
            let facts = facts(Action::BatchGetMediaInfos, key, by_reference, &body);
            assert_eq!(facts.id.unwrap().as_str(), "m1");
            assert_eq!(facts.status.as_deref(), Some("Transcoding"));
            assert_eq!((facts.category, facts.source), (Some(Category::Audio), Some(Source::Gone)));
            assert_eq!(facts.renditions.unwrap().len(), 1);
        }
    }

    #[test]
    fn images_attached_media_and_snapshots_are_read() {
        let body = json!({"ImageInfo": [{"ImageId": "i1", "Title": "t", "Mezzanine": {"FileSize": "12"}}]});
        let image = facts(Action::GetImageInfos, "i1", false, &body);
        assert_eq!((image.category, image.size_bytes), (Some(Category::Image), Some(12)));
        assert_eq!(facts(Action::GetImageInfos, "i2", false, &body).standing, Standing::Untold);
        let body = json!({"AttachedMediaList": [{"MediaId": "a1", "Type": "watermark"}]});
        assert_eq!(facts(Action::GetAttachedMediaInfo, "a1", false, &body).standing, Standing::Stands);
        let url = "https://x/1.jpg";
        let body =
            json!({"MediaSnapshot": {"Total": 1, "Snapshots": {"Snapshot": [{"Index": 1, "Url": url}]}}});
        let snapshots = facts(Action::ListSnapshots, "v1", false, &body);
        assert_eq!(snapshots.standing, Standing::Untold);
        let expected = Snapshot { kind: Some(SnapshotType::Cover), url: url.into() };
        assert_eq!(snapshots.snapshots, Some(vec![expected]));
        assert_eq!(facts(Action::ListSnapshots, "v1", false, &json!({})).snapshots, None);
    }
}

//! The reads of videos and their parts: infos, streams, source file, snapshots.
//!
//! Its own file because a delete service resolves and settles with these, and their differences
//! are traps: what is wrapped here is plain there, and `GetPlayInfo` hides older duplicates and
//! encrypted streams unless asked for all. Section 4 of the contract page is the reference.

use serde_json::{Map, Value, json};

use super::{
    assets::{self, SnapshotKind, Stream, Video},
    envelope::{Refusal, put_ids},
    operations::{Call, Done, illegal_status, video_not_found},
    quirks::DeletedSource,
    shapes,
};

pub(super) fn get_video_info(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let video = call.one_shown_video()?;
    let mut shape = shapes::video(video);
    // Wrapped here, plain in GetVideoInfos.
    shape.insert("Snapshots".to_owned(), json!({"Snapshot": shapes::snapshot_urls(video)}));
    Ok(Done::read(one("Video", shape.into())))
}

pub(super) fn get_video_infos(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let asked = call.asked_videos("VideoIds", "VideoIdsExceededMax", true)?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for item in asked.items {
        let video = item.video.and_then(|id| call.library.shown_video(&id, call.now));
        // The answer has no list for ids without rights: they are not seen at all.
        match video.filter(|video| video.permitted) {
            Some(video) => {
                let mut shape = shapes::video(video);
                shape.insert("Snapshots".to_owned(), shapes::snapshot_urls(video));
                found.push(Value::from(shape));
            }
            None => missing.push(item.id),
        }
    }
    if found.is_empty() {
        return Err(video_not_found(call.quirks.all_missing_status));
    }
    let mut fields = one("VideoList", found.into());
    put_missing(&mut fields, "NonExistVideoIds", asked.by_reference, missing, call);
    Ok(Done::read(fields))
}

pub(super) fn batch_get_media_infos(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let asked = call.asked_videos("MediaIds", "MediaIdsExceededMax", true)?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let mut forbidden = Vec::new();
    for item in asked.items {
        let video = item.video.and_then(|id| call.library.shown_video(&id, call.now));
        match video {
            None => missing.push(item.id),
            Some(video) if !video.permitted => forbidden.push(video.id.clone()),
            Some(video) => found.push(json!({
                "MediaId": video.id,
                "MediaInfo": shapes::video(video),
                "MezzanineInfo": shapes::mezzanine(video),
                // Plain here, wrapped in GetPlayInfo.
                "PlayInfoList": video
                    .streams
                    .iter()
                    .map(|stream| shapes::play_info(video, stream))
                    .collect::<Vec<_>>(),
            })),
        }
    }
    let mut fields = one("MediaInfos", found.into());
    put_missing(&mut fields, "NonExistMediaIds", asked.by_reference, missing, call);
    put_ids(&mut fields, "ForbiddenMediaIds", &forbidden, call.quirks);
    Ok(Done::read(fields))
}

pub(super) fn get_play_info(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let all = match call.request.text("ResultType") {
        None | Some("Single") => false,
        Some("Multiple") => true,
        Some(_) => return Err(Refusal::invalid_parameter("ResultType is not valid.")),
    };
    let video = call.one_shown_video()?;
    if video.status != "Normal" {
        return Err(call.illegal_status(video));
    }
    let mut streams: Vec<&Stream> = video
        .streams
        .iter()
        .filter(|stream| {
            wanted(call, "Definition", &stream.definition)
                && wanted(call, "Formats", &stream.format)
                && wanted(call, "StreamType", shapes::stream_type(stream))
        })
        .collect();
    if streams.is_empty() {
        return Err(Refusal::new(
            404,
            "InvalidVideo.NoneStream",
            "There is no playable stream in the video according to your filter condition.",
        ));
    }
    if !all {
        streams = newest(&streams);
        if streams.is_empty() {
            return Err(Refusal::new(
                403,
                "Forbidden.AliyunVoDEncryption",
                "There is only AliyunVoDEncryption stream in the video, you must set the ResultType to Multiple.",
            ));
        }
    }
    let list: Vec<Value> = streams.into_iter().map(|stream| shapes::play_info(video, stream)).collect();
    let mut fields = one("VideoBase", shapes::video_base(video));
    fields.insert("PlayInfoList".to_owned(), json!({"PlayInfo": list}));
    Ok(Done::read(fields))
}

/// Whether a comma list of the call lets `value` through; absent lets all through.
fn wanted(call: &Call<'_>, name: &str, value: &str) -> bool {
    call.request.text(name).is_none_or(|list| list.split(',').any(|it| it == value))
}

/// ResultType=Single: the newest stream of each definition and format, none encrypted.
fn newest<'a>(streams: &[&'a Stream]) -> Vec<&'a Stream> {
    let plain = || streams.iter().copied().filter(|stream| !stream.encrypted);
    plain()
        .filter(|stream| {
            !plain().any(|other| {
                other.made > stream.made
                    && other.definition == stream.definition
                    && other.format == stream.format
            })
        })
        .collect()
}

pub(super) fn get_mezzanine_info(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let video = call.one_shown_video()?;
    if !video.source_kept && call.quirks.deleted_source == DeletedSource::NotFound {
        return Err(Refusal::new(404, "InvalidFile.NotFound", "The file does not exist."));
    }
    Ok(Done::read(one("Mezzanine", shapes::mezzanine(video))))
}

pub(super) fn list_snapshots(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let kind = match call.request.text("SnapshotType") {
        None => SnapshotKind::Cover,
        Some(name) => SnapshotKind::named(name)
            .ok_or_else(|| Refusal::invalid_parameter("SnapshotType is not valid."))?,
    };
    let number = |name: &str, default: usize, max: usize| match call.request.text(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(|| Refusal::invalid_parameter(&format!("{name} is not valid."))),
    };
    let page = number("PageNo", 1, usize::MAX)?;
    let size = number("PageSize", 20, 100)?;
    if call.request.text("VideoId").is_none() {
        return Err(Refusal::missing("VideoId"));
    }
    let video = call.one_shown_video()?;
    if video.status != "Normal" {
        // This page prints 400 where the playback pages print 403.
        return Err(illegal_status(400, video));
    }
    Ok(Done::read(snapshots(video, kind, page, size)))
}

fn snapshots(video: &Video, kind: SnapshotKind, page: usize, size: usize) -> Map<String, Value> {
    let all = shapes::snapshots(video, kind);
    let total = all.len();
    let skip = (page - 1).saturating_mul(size);
    let shown: Vec<Value> = all.into_iter().skip(skip).take(size).collect();
    one(
        "MediaSnapshot",
        json!({
            "CreationTime": assets::time(0),
            "Total": total,
            "Snapshots": {"Snapshot": shown},
        }),
    )
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

/// Missing ids go to the list of the kind they were sent as.
fn put_missing(
    fields: &mut Map<String, Value>,
    own: &str,
    by_reference: bool,
    missing: Vec<String>,
    call: &Call<'_>,
) {
    let (own_ids, references) = if by_reference { (Vec::new(), missing) } else { (missing, Vec::new()) };
    put_ids(fields, own, &own_ids, call.quirks);
    put_ids(fields, "NonExistReferenceIds", &references, call.quirks);
}

//! How assets look in answers: field names, wrappers and number types as section 4 of the
//! contract page prints them, quirks included.
//!
//! Pure and apart from the reads, so that a shape can be laid beside its page. Sizes and lengths
//! are made up from the id's place in the library and never change.

use serde_json::{Map, Value, json};

use super::{
    assets::{self, Attached, Image, SnapshotKind, Stream, Video},
    seed,
};

const SOURCE_BYTES: u64 = 104_857_600;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// The fields that all video infos share; `Snapshots` differs and is left out.
pub(super) fn video(video: &Video) -> Map<String, Value> {
    let mut fields = object(json!({
        "VideoId": video.id,
        "Title": format!("Sandbox video {}", video.id),
        "Status": video.status,
        "AuditStatus": "Init",
        "Size": SOURCE_BYTES,
        "Duration": 120.5,
        "CreationTime": assets::time(0),
        "ModificationTime": assets::time(0),
        "CoverURL": seed::snapshot_url(&video.id, SnapshotKind::Cover.name(), 1),
        "AppId": if video.permitted { "app-1000000" } else { "app-1000001" },
        "RegionId": "cn-shanghai",
        "StorageLocation": "outin-sandbox.oss-cn-shanghai.aliyuncs.com",
        "StorageClass": "Standard",
        "TemplateGroupId": "5eedffff000000000000000000000001",
    }));
    if let Some(reference) = &video.reference {
        fields.insert("ReferenceId".to_owned(), reference.as_str().into());
    }
    fields
}

pub(super) fn snapshot_urls(video: &Video) -> Value {
    video
        .snapshots
        .iter()
        .filter(|(kind, _)| *kind == SnapshotKind::Cover)
        .map(|(kind, number)| seed::snapshot_url(&video.id, kind.name(), *number))
        .collect()
}

pub(super) fn snapshots(video: &Video, kind: SnapshotKind) -> Vec<Value> {
    video
        .snapshots
        .iter()
        .filter(|(own, _)| *own == kind)
        .map(|(_, number)| {
            json!({
                "Index": number,
                "Url": seed::snapshot_url(&video.id, kind.name(), *number),
            })
        })
        .collect()
}

pub(super) fn video_base(video: &Video) -> Value {
    json!({
        "VideoId": video.id,
        "Title": format!("Sandbox video {}", video.id),
        "Status": video.status,
        "MediaType": "video",
        // A string on this page, a number in GetVideoInfo.
        "Duration": "120.5",
        "CoverURL": seed::snapshot_url(&video.id, SnapshotKind::Cover.name(), 1),
        "CreationTime": assets::time(0),
        "StorageClass": "Standard",
    })
}

pub(super) fn stream_type(stream: &Stream) -> &'static str {
    match stream.definition.as_str() {
        "SQ" | "HQ" => "audio",
        _ => "video",
    }
}

pub(super) fn play_info(video: &Video, stream: &Stream) -> Value {
    let size = SOURCE_BYTES / 8 * (stream.made as u64 % 5 + 1);
    let file = if stream.job_id.is_empty() { "source" } else { &stream.job_id };
    let mut fields = json!({
        "JobId": stream.job_id,
        "Definition": stream.definition,
        "Format": stream.format,
        "StreamType": stream_type(stream),
        "Size": size,
        "Status": "Normal",
        "PlayURL": format!(
            "https://media.sandbox.example/{}/{file}-{}.{}",
            video.id,
            stream.definition.to_lowercase(),
            stream.format
        ),
        "Width": 1280,
        "Height": 720,
        "Bitrate": "1200.5",
        "Duration": "120.5",
        "Encrypt": i32::from(stream.encrypted),
        "NarrowBandType": "0",
        "CreationTime": assets::time(stream.made),
        "ModificationTime": assets::time(stream.made),
    });
    if stream.encrypted {
        fields["EncryptType"] = "AliyunVoDEncryption".into();
    }
    fields
}

pub(super) fn mezzanine(video: &Video) -> Value {
    let status = match (video.source_kept, video.status) {
        (false, _) => "Deleted",
        (true, "Uploading") => "Uploading",
        (true, "UploadFail") => "UploadFail",
        (true, _) => "Normal",
    };
    json!({
        "VideoId": video.id,
        "FileName": format!("{}.mp4", video.id),
        "FileURL": format!("https://media.sandbox.example/{}/source.mp4", video.id),
        "Size": SOURCE_BYTES,
        "Status": status,
        "OutputType": "oss",
        "StorageClass": "Standard",
        "CreationTime": assets::time(0),
        "Duration": "120.5",
        "Bitrate": "7000.1",
        "Fps": "25.0",
        "Width": 1920,
        "Height": 1080,
        "PreprocessStatus": "UnPreprocess",
        "VideoStreamList": [],
        "AudioStreamList": [],
    })
}

pub(super) fn image(image: &Image) -> Value {
    json!({
        "ImageId": image.id,
        "ImageType": image.kind,
        "Status": "Normal",
        "URL": image.url,
        "Title": format!("Sandbox image {}", image.id),
        "AppId": "app-1000000",
        "StorageLocation": "outin-sandbox.oss-cn-shanghai.aliyuncs.com",
        "CreationTime": "2026-01-01T00:00:00Z",
        "Mezzanine": {
            "FileURL": image.url,
            "FileSize": "20480",
            "OriginalFileName": format!("{}.jpg", image.id),
            "Width": 640,
            "Height": 360,
        },
    })
}

pub(super) fn attached(attached: &Attached) -> Value {
    json!({
        "MediaId": attached.id,
        "Type": attached.kind,
        "Status": "Normal",
        "URL": format!("https://media.sandbox.example/attached/{}", attached.id),
        "Title": format!("Sandbox attached medium {}", attached.id),
        "StorageLocation": "outin-sandbox.oss-cn-shanghai.aliyuncs.com",
        "CreationTime": "2026-01-01T00:00:00Z",
        "Categories": [],
    })
}

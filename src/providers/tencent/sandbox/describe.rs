//! What `DescribeMediaInfos` says about one media.
//!
//! Its own file because the answer has its own traps, taken from section 4.1 of the page: sections that were
//! not asked for are `null`, `TranscodeSet` lists the original as Definition 0, and `WeChat` copies are listed
//! nowhere.
//!
//! Does not know applications, ids that are missing, or deletes.

use serde_json::{Value, json};

use super::media::{Category, Media, Part, PartKind};
use super::seed;

/// `Filters` values and the fields that they open, in the order of the page.
const SECTIONS: [(&str, &str); 14] = [
    ("basicInfo", "BasicInfo"),
    ("metaData", "MetaData"),
    ("transcodeInfo", "TranscodeInfo"),
    ("animatedGraphicsInfo", "AnimatedGraphicsInfo"),
    ("imageSpriteInfo", "ImageSpriteInfo"),
    ("snapshotByTimeOffsetInfo", "SnapshotByTimeOffsetInfo"),
    ("sampleSnapshotInfo", "SampleSnapshotInfo"),
    ("keyFrameDescInfo", "KeyFrameDescInfo"),
    ("adaptiveDynamicStreamingInfo", "AdaptiveDynamicStreamingInfo"),
    ("miniProgramReviewInfo", "MiniProgramReviewInfo"),
    ("subtitleInfo", "SubtitleInfo"),
    ("reviewInfo", "ReviewInfo"),
    ("mpsAiMediaInfo", "MPSAiMediaInfo"),
    ("knowledgeBasesInfo", "KnowledgeBasesInfo"),
];

/// Which sections were asked for, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sections(u16);

impl Sections {
    /// Reads `Filters`; none means all. Nothing if a value is unknown.
    pub(super) fn named(filters: &[&str]) -> Option<Self> {
        if filters.is_empty() {
            return Some(Self(u16::MAX));
        }
        let place = |wanted: &str| SECTIONS.iter().position(|(filter, _)| *filter == wanted);
        let add = |bits: u16, filter: &&str| Some(bits | (1 << place(filter)?));
        filters.iter().try_fold(0, add).map(Self)
    }

    fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

/// One element of `MediaInfoSet`.
pub(super) fn media_info(file_id: &str, media: &Media, sections: Sections, now_ms: i64) -> Value {
    let shown: Vec<&Part> = media.shown_parts(now_ms).collect();
    let page = Page { file_id, media, shown };
    let mut info = serde_json::Map::new();
    info.insert("FileId".to_owned(), json!(file_id));
    for (place, (filter, field)) in SECTIONS.iter().enumerate() {
        let value = if sections.has(place) { page.section(filter) } else { Value::Null };
        info.insert((*field).to_owned(), value);
    }
    Value::Object(info)
}

struct Page<'a> {
    file_id: &'a str,
    media: &'a Media,
    shown: Vec<&'a Part>,
}

impl Page<'_> {
    fn section(&self, filter: &str) -> Value {
        match filter {
            "basicInfo" => self.basic(),
            "metaData" => json!({
                "Size": 10_485_760, "Container": self.container(), "Duration": 60.0, "Bitrate": 1_398_101,
            }),
            "transcodeInfo" => self.transcodes(),
            "adaptiveDynamicStreamingInfo" => self.adaptives(),
            "snapshotByTimeOffsetInfo" if self.media.has_snapshots() => json!({
                "SnapshotByTimeOffsetSet": [{
                    "Definition": 10,
                    "PicInfoSet": [{ "TimeOffset": 0, "Url": self.url("shots/10_0.jpg") }],
                }],
            }),
            "sampleSnapshotInfo" if self.media.has_snapshots() => json!({
                "SampleSnapshotSet": [{ "Definition": 10, "ImageUrlSet": [self.url("samples/10_0.jpg")] }],
            }),
            "imageSpriteInfo" if self.media.has_snapshots() => json!({
                "ImageSpriteSet": [{
                    "Definition": 10,
                    "ImageUrlSet": [self.url("sprites/10_0.jpg")],
                    "WebVttUrl": self.url("sprites/10.vtt"),
                }],
            }),
            "mpsAiMediaInfo" => self.mps(),
            // "documented object fields may be null": sections without content are.
            _ => Value::Null,
        }
    }

    fn basic(&self) -> Value {
        let original = self.of(PartKind::OriginalFiles).next().is_some();
        let media_url = if original { self.original_url() } else { String::new() };
        let cover_url = if self.media.has_cover() { self.url("cover.jpg") } else { String::new() };
        json!({
            "Name": format!("sandbox {}", self.file_id),
            "Description": "",
            "Category": self.media.category.name(),
            "Type": self.container(),
            "ClassId": 0,
            "ClassName": "",
            "ClassPath": "",
            "TagSet": [],
            // This read knows two states; only searches tell a platform's ban apart.
            "Status": if self.media.distribution.is_open() { "Normal" } else { "Forbidden" },
            "StorageClass": if self.media.archived { "ARCHIVE" } else { "STANDARD" },
            "StorageRegion": "ap-guangzhou",
            "StoragePath": "",
            "CreateTime": "2024-01-01T00:00:00Z",
            "UpdateTime": "2024-01-02T00:00:00Z",
            "ExpireTime": "9999-12-31T23:59:59Z",
            "MediaUrl": media_url,
            "CoverUrl": cover_url,
            "SourceInfo": { "SourceType": "Upload", "SourceContext": "" },
            "Vid": "",
        })
    }

    /// "lists the original as Definition 0", and the HLS master playlist as 10000.
    fn transcodes(&self) -> Value {
        let original = self.of(PartKind::OriginalFiles).map(|_| {
            json!({
                "Definition": 0, "Url": self.original_url(), "Size": 10_485_760,
                "Container": self.container(), "Bitrate": 1_398_101, "Width": 1920, "Height": 1080,
            })
        });
        let outputs = self.of(PartKind::TranscodeFiles).map(|part| {
            let hls = part.definition == seed::MASTER_PLAYLIST;
            let name =
                if hls { "master_playlist.m3u8".to_owned() } else { format!("v.f{}.mp4", part.definition) };
            json!({
                "Definition": part.definition, "Url": self.url(&name),
                "Size": if hls { 512 } else { 3_145_728 },
                "Container": if hls { "hls" } else { "mp4" },
                "Bitrate": 512_000, "Width": 1280, "Height": 720,
            })
        });
        json!({ "TranscodeSet": original.chain(outputs).collect::<Vec<Value>>() })
    }

    fn adaptives(&self) -> Value {
        let outputs: Vec<Value> = self
            .of(PartKind::AdaptiveDynamicStreamingFiles)
            .map(|part| {
                let definition = part.definition;
                json!({
                    "Definition": definition, "Package": "HLS", "DrmType": "",
                    "Url": self.url(&format!("adp.{definition}.m3u8")),
                    // Outputs made before 2022-01-10T16:00Z have size 0; one of the two is that old.
                    "Size": if definition == 10 { 0 } else { 9_437_184 },
                    "SubStreamSet": [
                        { "Type": "video", "Width": 640, "Height": 360, "Size": 3_145_728 },
                    ],
                    "SubtitleSet": [],
                })
            })
            .collect();
        if outputs.is_empty() {
            return Value::Null;
        }
        json!({ "AdaptiveDynamicStreamingSet": outputs })
    }

    fn mps(&self) -> Value {
        let list: Vec<Value> = self
            .shown
            .iter()
            .filter(|part| part.kind.is_mps())
            .map(|part| {
                let task = part.kind.name().trim_start_matches("MpsAiMedia").trim_end_matches("Files");
                json!({ "TaskType": task, "AiMediaTasks": [{ "Definition": part.definition }] })
            })
            .collect();
        if list.is_empty() { Value::Null } else { json!({ "AiMediaList": list }) }
    }

    fn of(&self, kind: PartKind) -> impl Iterator<Item = &Part> {
        self.shown.iter().copied().filter(move |part| part.kind == kind)
    }

    fn container(&self) -> &'static str {
        match self.media.category {
            Category::Video => "mp4",
            Category::Audio => "mp3",
            Category::Image => "jpg",
        }
    }

    fn original_url(&self) -> String {
        self.url(&format!("f0.{}", self.container()))
    }

    fn url(&self, name: &str) -> String {
        let app = self.media.sub_app_id;
        format!("https://{app}.vod2.example.test/{app}/{}/{name}", self.file_id)
    }
}

//! What an answer of `DescribeMediaInfos` says of each file.
//!
//! The vendor's names for what stands, turned into `Facts`. The care is in what
//! an answer does *not* say: a section that was not told stays `None`, because a
//! missing rendition in a told list proves that it is gone. Its own file beside
//! `wire.rs` because reading an asset is a subject of its own; which of the files
//! were asked for, and what follows, is decided in `outcome.rs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::wire::word;
use crate::types::asset::{Category, Facts, Rendition, Snapshot, Source, SourceFile, Standing};
use crate::types::target::{Family, MediaId, SnapshotType};

/// The pseudo template under which the list of transcodes shows the original (vendor page 3.1, trap 2).
const ORIGINAL: &str = "0";

/// The pseudo template of the HLS master playlist: it names the streams and holds none (vendor page 3.1).
const MASTER_PLAYLIST: &str = "10000";

/// The status of a file that plays. Others are `Forbidden`, and `SystemForbidden`, of which only
/// searches are documented to tell (vendor page 4.1); a word to come is no promise of playback.
const PLAYABLE: &str = "Normal";

/// What an answer tells, by the id as the vendor spells it.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The files that stand.
    pub(super) standing: BTreeMap<String, Facts>,
    /// The files that do not exist.
    pub(super) missing: BTreeSet<String>,
}

/// Reads an answer. What cannot be read is not told.
pub(super) fn read(response: &Value) -> Told {
    let mut told = Told::default();
    for media in list(response.get("MediaInfoSet")) {
        if let Some(id) = word(media.get("FileId")) {
            let facts = read_media(&id, media);
            told.standing.entry(id).or_insert(facts);
        }
    }
    told.missing = list(response.get("NotExistFileIdSet")).iter().filter_map(|id| word(Some(id))).collect();
    told
}

/// The files that a call which reads nothing calls missing. `None` if that list cannot be read.
pub(super) fn missing(response: &Value) -> Option<BTreeSet<String>> {
    match response.get("NotExistFileIdSet") {
        // Documented fields may be null (vendor page 1.5).
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(Value::Array(ids)) => ids.iter().map(|id| word(Some(id))).collect(),
        Some(_) => None,
    }
}

fn read_media(id: &str, media: &Value) -> Facts {
    let (basic, meta) = (section(media, "BasicInfo"), section(media, "MetaData"));
    let outputs = Outputs::read(media, basic.is_some());
    Facts {
        id: MediaId::parse(id).ok(),
        title: text(basic, "Name"),
        status: text(basic, "Status"),
        is_blocked: text(basic, "Status").map(|status| status != PLAYABLE),
        category: text(basic, "Category").map(|name| category(&name)),
        created_at: text(basic, "CreateTime").and_then(|time| time.parse::<Timestamp>().ok()),
        size_bytes: size(meta, "Size"),
        duration_s: number(meta, "Duration"),
        source: source(basic, meta, outputs.as_ref()),
        snapshots: snapshots(media),
        renditions: outputs.map(|outputs| outputs.renditions),
        ..Facts::only(Standing::Stands)
    }
}

fn category(name: &str) -> Category {
    match name {
        "Video" => Category::Video,
        "Audio" => Category::Audio,
        "Image" => Category::Image,
        _ => Category::Other,
    }
}

/// The playable files of both listed families.
struct Outputs {
    /// The row of the original, if it is listed.
    original: Option<Rendition>,
    renditions: Vec<Rendition>,
}

impl Outputs {
    /// The reads ask for every section, and an asked-for section with nothing in
    /// it is `null` (vendor page 1.5). So any told section, `BasicInfo` above all,
    /// vouches for the `null` of the others; with everything `null`, or with a row
    /// that cannot be read, nothing is claimed.
    fn read(media: &Value, basic_is_told: bool) -> Option<Self> {
        let transcodes = Rows::read(media, "TranscodeInfo", "TranscodeSet", Family::Transcode);
        let adaptive = Rows::read(
            media,
            "AdaptiveDynamicStreamingInfo",
            "AdaptiveDynamicStreamingSet",
            Family::Adaptive,
        );
        let (transcodes, adaptive) = match (transcodes, adaptive) {
            (Rows::Null, Rows::Null) if basic_is_told => (Vec::new(), Vec::new()),
            (Rows::Unreadable, _)
            | (_, Rows::Unreadable)
            | (Rows::Untold | Rows::Null, Rows::Untold | Rows::Null) => return None,
            (Rows::Told(rows), Rows::Untold | Rows::Null) => (rows, Vec::new()),
            (Rows::Untold | Rows::Null, Rows::Told(rows)) => (Vec::new(), rows),
            (Rows::Told(transcodes), Rows::Told(adaptive)) => (transcodes, adaptive),
        };
        let (originals, mut renditions): (Vec<_>, Vec<_>) =
            transcodes.into_iter().partition(|row| row.definition.as_deref() == Some(ORIGINAL));
        renditions.extend(adaptive);
        Some(Self { original: originals.into_iter().next(), renditions })
    }
}

/// What one section says of its family.
enum Rows {
    /// The answer does not have the section at all.
    Untold,
    /// The section stands there as `null`.
    Null,
    /// Something stands there that we do not understand.
    Unreadable,
    Told(Vec<Rendition>),
}

impl Rows {
    fn read(media: &Value, name: &str, set: &str, family: Family) -> Self {
        let info = match media.get(name) {
            None => return Rows::Untold,
            Some(Value::Null) => return Rows::Null,
            Some(info) => info,
        };
        match info.get(set) {
            Some(Value::Null) => Rows::Told(Vec::new()),
            Some(Value::Array(rows)) => {
                let rows = rows.iter().map(|row| rendition(row, family)).collect::<Option<Vec<_>>>();
                rows.map_or(Rows::Unreadable, Rows::Told)
            }
            _ => Rows::Unreadable,
        }
    }
}

/// A row without a template number might be the original, so it cannot be read.
fn rendition(row: &Value, family: Family) -> Option<Rendition> {
    let definition = whole_number(row.get("Definition"))?;
    Some(Rendition {
        is_playlist: family == Family::Transcode && definition == MASTER_PLAYLIST,
        definition: Some(definition),
        family: Some(family),
        job_id: None,
        format: text(Some(row), "Container").or_else(|| text(Some(row), "Package")),
        // Adaptive outputs made before 2022-01-10 have size 0 (vendor page 4.1).
        size_bytes: size(Some(row), "Size").filter(|size| *size > 0),
        url: text(Some(row), "Url"),
    })
}

/// Gone is claimed only where the basics and the outputs were told.
fn source(basic: Option<&Value>, meta: Option<&Value>, outputs: Option<&Outputs>) -> Option<Source> {
    let url = text(basic, "MediaUrl");
    let row = outputs.and_then(|outputs| outputs.original.clone());
    if url.is_none() && row.is_none() {
        return (basic.is_some() && outputs.is_some()).then_some(Source::Gone);
    }
    let row = row.unwrap_or_default();
    Some(Source::Stands(SourceFile {
        size_bytes: row.size_bytes.or_else(|| size(meta, "Size")),
        format: text(basic, "Type").or(row.format),
        url: url.or(row.url),
    }))
}

/// The cover and all other pictures of which a section tells.
fn snapshots(media: &Value) -> Option<Vec<Snapshot>> {
    let basic = section(media, "BasicInfo");
    let by_time = section(media, "SnapshotByTimeOffsetInfo");
    let sampled = section(media, "SampleSnapshotInfo");
    let sprites = section(media, "ImageSpriteInfo");
    if [basic, by_time, sampled, sprites].iter().all(Option::is_none) {
        return None;
    }
    let of = |kind: Option<SnapshotType>| move |url: String| Snapshot { kind, url };
    let cover = text(basic, "CoverUrl").map(of(Some(SnapshotType::Cover)));
    let by_time = members(by_time, "SnapshotByTimeOffsetSet", "PicInfoSet")
        .filter_map(|picture| text(Some(picture), "Url"))
        .map(of(Some(SnapshotType::Normal)));
    // The contract has no word for pictures sampled at an interval.
    let sampled =
        members(sampled, "SampleSnapshotSet", "ImageUrlSet").filter_map(|url| word(Some(url))).map(of(None));
    let sprites = members(sprites, "ImageSpriteSet", "ImageUrlSet")
        .filter_map(|url| word(Some(url)))
        .map(of(Some(SnapshotType::Sprite)));
    Some(cover.into_iter().chain(by_time).chain(sampled).chain(sprites).collect())
}

/// The members of the inner lists of an outer list.
fn members<'a>(info: Option<&'a Value>, outer: &str, inner: &'a str) -> impl Iterator<Item = &'a Value> {
    list(info.and_then(|info| info.get(outer))).iter().flat_map(move |row| list(row.get(inner)))
}

/// A section that was told; `null` and whatever is no object was not.
fn section<'a>(media: &'a Value, name: &str) -> Option<&'a Value> {
    media.get(name).filter(|section| section.is_object())
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(section: Option<&Value>, name: &str) -> Option<String> {
    word(section?.get(name))
}

/// A number, also where it came as text.
fn number(section: Option<&Value>, name: &str) -> Option<f64> {
    let value = section?.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
}

/// Bytes, also where they came as text.
fn size(section: Option<&Value>, name: &str) -> Option<u64> {
    let value = section?.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The decimal text of a whole number, also where it came as text.
fn whole_number(value: Option<&Value>) -> Option<String> {
    let value = value?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(media: &Value) -> Facts {
        let mut told = read(&json!({"MediaInfoSet": [media], "NotExistFileIdSet": []}));
        told.standing.remove("74").unwrap()
    }

    fn definitions(facts: &Facts) -> Option<Vec<(&str, Family)>> {
        let renditions = facts.renditions.as_ref()?;
        Some(renditions.iter().map(|r| (r.definition.as_deref().unwrap(), r.family.unwrap())).collect())
    }

    fn full() -> Value {
        json!({
            "FileId": "74",
            "BasicInfo": {
                "Name": "Title", "Status": "Normal", "Category": "Video", "Type": "mp4",
                "CreateTime": "2026-01-02T03:04:05Z", "MediaUrl": "https://m/f0.mp4",
                "CoverUrl": "https://m/cover.jpg", "SomethingNew": {"a": [1]},
            },
            "MetaData": {"Size": 1000, "Duration": 12.5},
            "TranscodeInfo": {"TranscodeSet": [
                {"Definition": 0, "Url": "https://m/f0.mp4", "Size": 1000, "Container": "mov"},
                {"Definition": 100_010, "Url": "https://m/v.f100010.mp4", "Size": 10, "Container": "mp4"},
                {"Definition": "10000", "Url": "https://m/master.m3u8", "Size": "7"},
            ]},
            "AdaptiveDynamicStreamingInfo": {"AdaptiveDynamicStreamingSet": [
                {"Definition": 10, "Package": "HLS", "Url": "https://m/adp.10.m3u8", "Size": 0},
            ]},
            "SnapshotByTimeOffsetInfo": {"SnapshotByTimeOffsetSet": [
                {"Definition": 10, "PicInfoSet": [{"TimeOffset": 1, "Url": "https://m/1.jpg"}]},
            ]},
            "SampleSnapshotInfo": {"SampleSnapshotSet": [{"ImageUrlSet": ["https://m/s1.jpg", "https://m/s2.jpg"]}]},
            "ImageSpriteInfo": {"ImageSpriteSet": [{"ImageUrlSet": ["https://m/sprite.jpg"], "WebVttUrl": "x"}]},
            "SubtitleInfo": null,
        })
    }

    #[test]
    fn a_full_answer_is_read_section_by_section() {
        let facts = facts(&full());
        assert_eq!(facts.standing, Standing::Stands);
        assert_eq!(facts.id, Some(MediaId::parse("74").unwrap()));
        assert_eq!(facts.title.as_deref(), Some("Title"));
        assert_eq!((facts.status.as_deref(), facts.is_blocked), (Some("Normal"), Some(false)));
        assert_eq!(facts.category, Some(Category::Video));
        assert_eq!(facts.created_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!((facts.size_bytes, facts.duration_s), (Some(1000), Some(12.5)));
        let source = SourceFile {
            size_bytes: Some(1000),
            format: Some("mp4".into()),
            url: Some("https://m/f0.mp4".into()),
        };
        assert_eq!(facts.source, Some(Source::Stands(source)));
        let expected =
            vec![("100010", Family::Transcode), ("10000", Family::Transcode), ("10", Family::Adaptive)];
        assert_eq!(definitions(&facts), Some(expected));
        let renditions = facts.renditions.unwrap();
        assert_eq!(renditions[1].size_bytes, Some(7));
        assert_eq!((renditions[2].size_bytes, renditions[2].format.as_deref()), (None, Some("HLS")));
        let kinds = facts.snapshots.unwrap().into_iter().map(|s| (s.kind, s.url)).collect::<Vec<_>>();
        let expected = [
            (Some(SnapshotType::Cover), "https://m/cover.jpg"),
            (Some(SnapshotType::Normal), "https://m/1.jpg"),
            (None, "https://m/s1.jpg"),
            (None, "https://m/s2.jpg"),
            (Some(SnapshotType::Sprite), "https://m/sprite.jpg"),
        ];
        assert_eq!(kinds, expected.map(|(kind, url)| (kind, url.to_owned())));
    }

    #[test]
    fn the_original_is_a_source_and_never_a_rendition() {
        let mut media = full();
        media["BasicInfo"]["MediaUrl"] = json!("");
        let with_row = facts(&media);
        assert!(matches!(with_row.source, Some(Source::Stands(_))));
        media["TranscodeInfo"]["TranscodeSet"] = json!([{"Definition": 230}]);
        let without = facts(&media);
        assert_eq!(without.source, Some(Source::Gone));
        assert_eq!(definitions(&without).unwrap()[0], ("230", Family::Transcode));
        for zero in [json!(0), json!("0"), json!("00")] {
            media["TranscodeInfo"]["TranscodeSet"] = json!([{"Definition": zero}]);
            assert_eq!(definitions(&facts(&media)).unwrap().len(), 1, "only the adaptive one");
        }
    }

    #[test]
    fn what_was_not_told_is_not_claimed_to_be_gone() {
        let bare = facts(&json!({"FileId": "74"}));
        assert_eq!(bare, Facts { id: MediaId::parse("74").ok(), ..Facts::only(Standing::Stands) });
        let nulls = json!({
            "FileId": "74", "BasicInfo": null, "MetaData": null, "TranscodeInfo": null,
            "AdaptiveDynamicStreamingInfo": null, "SnapshotByTimeOffsetInfo": null,
        });
        assert_eq!(facts(&nulls), bare);
        let no_outputs = facts(&json!({"FileId": "74", "BasicInfo": {"MediaUrl": ""}}));
        assert_eq!((no_outputs.source, no_outputs.renditions), (None, None));
        let no_basics = facts(&json!({"FileId": "74", "TranscodeInfo": {"TranscodeSet": []}}));
        assert_eq!((no_basics.source, no_basics.renditions), (None, Some(vec![])));
    }

    #[test]
    fn one_told_list_of_outputs_vouches_for_the_other() {
        let mut media = full();
        media["AdaptiveDynamicStreamingInfo"] = Value::Null;
        assert_eq!(definitions(&facts(&media)).unwrap().len(), 2);
        media["TranscodeInfo"] = Value::Null;
        assert_eq!(facts(&media).renditions, Some(vec![]), "asked for, and nothing is there");
        media["BasicInfo"] = Value::Null;
        assert_eq!(facts(&media).renditions, None, "nothing was told at all");
    }

    #[test]
    fn a_row_that_cannot_be_read_spoils_the_list_and_nothing_else() {
        for rows in [json!([{"Url": "u"}]), json!([{"Definition": null}]), json!([7]), json!("x"), json!({})]
        {
            let mut media = full();
            media["TranscodeInfo"]["TranscodeSet"] = rows.clone();
            media["BasicInfo"]["MediaUrl"] = json!("");
            let facts = facts(&media);
            assert_eq!((facts.renditions, facts.source), (None, None), "{rows}");
            assert_eq!(facts.title.as_deref(), Some("Title"));
        }
        for section in [json!("x"), json!([]), json!({})] {
            let mut media = full();
            media["AdaptiveDynamicStreamingInfo"] = section;
            assert_eq!(facts(&media).renditions, None);
        }
    }

    #[test]
    fn odd_values_are_read_or_left_out() {
        let facts = facts(&json!({
            "FileId": 74, "BasicInfo": {"Name": "", "Category": "Hologram", "CreateTime": "yesterday", "CoverUrl": 1},
            "MetaData": {"Size": "12", "Duration": "1.5"},
        }));
        assert_eq!((facts.size_bytes, facts.duration_s), (Some(12), Some(1.5)));
        assert_eq!(facts.category, Some(Category::Other));
        assert_eq!((facts.title, facts.created_at), (None, None));
        assert_eq!((facts.status, facts.is_blocked), (None, None));
    }

    #[test]
    fn whatever_is_not_normal_is_blocked() {
        for status in ["Forbidden", "SystemForbidden", "New"] {
            let facts = facts(&json!({"FileId": "74", "BasicInfo": {"Status": status}}));
            assert_eq!((facts.status.as_deref(), facts.is_blocked), (Some(status), Some(true)));
        }
    }

    #[test]
    fn the_list_of_missing_files_is_read_whatever_else_is_null() {
        let told = read(&json!({"MediaInfoSet": null, "NotExistFileIdSet": ["1", 2, null, {}]}));
        assert_eq!(told.missing.into_iter().collect::<Vec<_>>(), ["1", "2"]);
        let none = read(&json!({"MediaInfoSet": {}, "NotExistFileIdSet": null}));
        assert!(none.standing.is_empty() && none.missing.is_empty());
    }
}

//! What an asset is to the vendor: videos with their streams and snapshots, images, attached media.
//!
//! Its own file so that the library only keeps and removes, and the seed only fills. The words
//! are the vendor's ("Basic data types"). Nothing here knows a request, a key or another asset.

use jiff::Timestamp;

use super::seed;

/// 2026-01-01T00:00:00Z: when the whole library was uploaded.
const UPLOADED_S: i64 = 1_767_225_600;

/// Statuses of a video as "Basic data types" lists them.
pub(super) const STATUSES: [&str; 9] = [
    "Uploading",
    "UploadFail",
    "UploadSucc",
    "Transcoding",
    "TranscodeFail",
    "Checking",
    "Blocked",
    "Normal",
    "ProduceFail",
];

/// How an upload was transcoded (`TranscodeMode` of the search pages).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Fast,
    None,
    Async,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SnapshotKind {
    Cover,
    Normal,
    Sprite,
    SpriteOrigin,
    WebVtt,
}

impl SnapshotKind {
    const ALL: [Self; 5] = [Self::Cover, Self::Normal, Self::Sprite, Self::SpriteOrigin, Self::WebVtt];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cover => "CoverSnapshot",
            Self::Normal => "NormalSnapshot",
            Self::Sprite => "SpriteSnapshot",
            Self::SpriteOrigin => "SpriteOriginSnapshot",
            Self::WebVtt => "WebVttSnapshot",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A stream that can be played.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// Empty for the untranscoded source, which no job made.
    pub(super) job_id: String,
    pub(super) definition: String,
    pub(super) format: String,
    /// Grows with every stream of the video: newer means higher.
    pub(super) made: usize,
    /// Encrypted by the vendor (`AliyunVoDEncryption`).
    pub(super) encrypted: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Video {
    pub(super) id: String,
    pub(super) status: &'static str,
    /// False when the video belongs to an application that the key has no right on.
    pub(super) permitted: bool,
    pub(super) mode: Mode,
    pub(super) source_kept: bool,
    pub(super) streams: Vec<Stream>,
    pub(super) snapshots: Vec<(SnapshotKind, u16)>,
    pub(super) reference: Option<String>,
    made: usize,
}

impl Video {
    /// A normal video with its source file and nothing else.
    pub(super) fn bare(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            status: "Normal",
            permitted: true,
            mode: Mode::Fast,
            source_kept: true,
            streams: Vec::new(),
            snapshots: Vec::new(),
            reference: None,
            made: 0,
        }
    }

    /// A normal video with one rendition: a hundred thousand of them must be cheap.
    pub(super) fn small(id: &str) -> Self {
        let mut video = Self::bare(id);
        video.render("SD", "mp4", false);
        video
    }

    pub(super) fn render(&mut self, definition: &str, format: &str, encrypted: bool) -> String {
        let job_id = seed::job(&self.id, self.made);
        self.streams.push(Stream {
            job_id: job_id.clone(),
            definition: definition.to_owned(),
            format: format.to_owned(),
            made: self.made,
            encrypted,
        });
        self.made += 1;
        job_id
    }

    /// The source file itself is played, as definition OD without a job.
    pub(super) fn play_source(&mut self) {
        self.streams.push(Stream {
            job_id: String::new(),
            definition: "OD".to_owned(),
            format: "mp4".to_owned(),
            made: self.made,
            encrypted: false,
        });
        self.made += 1;
    }

    /// "No transcoding" and "asynchronous transcoding" play the source file (`DeleteMezzanines`).
    pub(super) fn plays_source(&self) -> bool {
        self.mode != Mode::Fast
    }

    /// Statuses that refuse a delete are printed nowhere as a table; transcoding is the cause
    /// that the "Delete media files" guide names.
    pub(super) fn busy(&self) -> bool {
        self.status == "Transcoding"
    }
}

#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) id: String,
    /// `default` or `cover`.
    pub(super) kind: &'static str,
    pub(super) url: String,
}

#[derive(Debug, Clone)]
pub(super) struct Attached {
    pub(super) id: String,
    /// `watermark`, `subtitle` or `material`.
    pub(super) kind: &'static str,
}

/// When something of a video was made: a minute apart, so that "newest" is plain.
pub(super) fn time(made: usize) -> String {
    let offset = i64::try_from(made).unwrap_or_default() * 60;
    Timestamp::from_second(UPLOADED_S + offset).map(|time| time.to_string()).unwrap_or_default()
}

//! One media of the simulated application: its parts, and what a delete takes from it.
//!
//! Its own file because the rules of "which parts does this selection mean" are the heart of the vendor's
//! `DeleteMedia` page and deserve to be read alone. Deleted parts keep a mark until reads stop showing them,
//! since the vendor may remove files after it has answered.
//!
//! Does not know requests, applications, error codes or the ledger's form.

use std::sync::Arc;

/// The part types of `DeleteParts[].Type`, with the vendor's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// The uploaded original.
    OriginalFiles,
    /// Transcoded outputs; 10000 is the HLS master playlist.
    TranscodeFiles,
    /// Adaptive bitrate outputs.
    AdaptiveDynamicStreamingFiles,
    /// `WeChat` publish copies, which no read lists.
    WechatPublishFiles,
    /// `WeChat` mini-program copies, which no read lists.
    WechatMiniProgramPublishFiles,
    /// AI analysis products of `ProcessMediaByMPS`.
    MpsAiMediaAiAnalysisFiles,
    /// Smart-erase products of `ProcessMediaByMPS`.
    MpsAiMediaSmartEraseFiles,
    /// Smart-subtitle products of `ProcessMediaByMPS`.
    MpsAiMediaSmartSubtitleFiles,
}

impl PartKind {
    /// Every type of the page, in its order. The last three are only in SDKs of 2026.
    pub const ALL: [Self; 8] = [
        Self::OriginalFiles,
        Self::TranscodeFiles,
        Self::AdaptiveDynamicStreamingFiles,
        Self::WechatPublishFiles,
        Self::WechatMiniProgramPublishFiles,
        Self::MpsAiMediaAiAnalysisFiles,
        Self::MpsAiMediaSmartEraseFiles,
        Self::MpsAiMediaSmartSubtitleFiles,
    ];

    /// The vendor's spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OriginalFiles => "OriginalFiles",
            Self::TranscodeFiles => "TranscodeFiles",
            Self::AdaptiveDynamicStreamingFiles => "AdaptiveDynamicStreamingFiles",
            Self::WechatPublishFiles => "WechatPublishFiles",
            Self::WechatMiniProgramPublishFiles => "WechatMiniProgramPublishFiles",
            Self::MpsAiMediaAiAnalysisFiles => "MpsAiMediaAiAnalysisFiles",
            Self::MpsAiMediaSmartEraseFiles => "MpsAiMediaSmartEraseFiles",
            Self::MpsAiMediaSmartSubtitleFiles => "MpsAiMediaSmartSubtitleFiles",
        }
    }

    /// Whether only SDKs of 2026 have it.
    #[must_use]
    pub fn is_mps(self) -> bool {
        self.name().starts_with("MpsAi")
    }

    /// Reads the vendor's spelling; case matters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One stored output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its type.
    pub(super) kind: PartKind,
    /// The template that made it; 0 for the original and for `WeChat` copies.
    pub(super) definition: i64,
    /// Counts up when the same definition is made again, so that the ledger tells the two apart.
    pub(super) generation: u32,
    /// Set by a delete: reads show the part until this time.
    shown_until_ms: Option<i64>,
}

impl Part {
    /// A part as the first processing made it.
    #[must_use]
    pub(super) fn new(kind: PartKind, definition: i64) -> Self {
        Self { kind, definition, generation: 1, shown_until_ms: None }
    }

    fn is_stored(&self) -> bool {
        self.shown_until_ms.is_none()
    }

    fn is_shown(&self, now_ms: i64) -> bool {
        self.shown_until_ms.is_none_or(|until| now_ms < until)
    }
}

/// One element of `DeleteParts`, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// Which type.
    pub(super) kind: PartKind,
    /// Which template; `None` means all of that type. The page: "absent or 0 = all of that type".
    pub(super) definition: Option<i64>,
}

impl Choice {
    pub(super) fn takes(self, part: &Part) -> bool {
        part.kind == self.kind && self.definition.is_none_or(|wanted| wanted == part.definition)
    }
}

/// `BasicInfo.Category`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// A video.
    Video,
    /// Sound only.
    Audio,
    /// A picture.
    Image,
}

impl Category {
    /// The vendor's spelling.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Video => "Video",
            Self::Audio => "Audio",
            Self::Image => "Image",
        }
    }
}

/// Whether the URLs of a media work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distribution {
    /// They do.
    Open,
    /// Taken off the air by `ForbidMediaDistribution`.
    Forbidden,
    /// Taken off the air by the platform: the caller can neither do nor undo it.
    Banned,
}

impl Distribution {
    /// Whether it is on the air.
    #[must_use]
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }
}

/// Pictures that belong to a media and are no parts of it.
#[derive(Debug, Clone, Copy)]
struct Pictures {
    /// The cover that came with the upload; goes with the original.
    uploaded_cover: bool,
    /// The cover that processing made; goes with the transcodes.
    processed_cover: bool,
    /// Snapshots, sprites and the like: not selectable, they go only with the whole media.
    snapshots: bool,
}

/// A media and everything that was derived from it.
#[derive(Debug, Clone)]
pub(super) struct Media {
    /// The application that holds it.
    pub(super) sub_app_id: u64,
    /// What it is.
    pub(super) category: Category,
    /// Whether it is on the air.
    pub(super) distribution: Distribution,
    /// It is in archive storage.
    pub(super) archived: bool,
    /// A processing task runs on it.
    pub(super) busy: bool,
    /// CAM refuses to let the caller delete it.
    pub(super) locked: bool,
    /// Shared between media that were added together, until one of them is changed.
    parts: Arc<[Part]>,
    pictures: Pictures,
    /// Set by a full delete: reads show the media until this time.
    shown_until_ms: Option<i64>,
}

impl Media {
    /// A media with these parts. Sharing `parts` between many media keeps a large library small.
    #[must_use]
    pub(super) fn new(sub_app_id: u64, category: Category, parts: Arc<[Part]>) -> Self {
        let has = |kind| parts.iter().any(|part: &Part| part.kind == kind);
        let video = category == Category::Video;
        Self {
            sub_app_id,
            category,
            distribution: Distribution::Open,
            archived: false,
            busy: false,
            locked: false,
            pictures: Pictures {
                uploaded_cover: video && has(PartKind::OriginalFiles),
                processed_cover: video && has(PartKind::TranscodeFiles),
                snapshots: video && has(PartKind::TranscodeFiles),
            },
            shown_until_ms: None,
            parts,
        }
    }

    /// Whether the media is there to be deleted.
    #[must_use]
    pub(super) fn is_stored(&self) -> bool {
        self.shown_until_ms.is_none()
    }

    /// Whether a read at this time still shows it.
    #[must_use]
    pub(super) fn is_shown(&self, now_ms: i64) -> bool {
        self.shown_until_ms.is_none_or(|until| now_ms < until)
    }

    /// The parts that are really there.
    pub(super) fn stored_parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.is_stored())
    }

    /// The parts that a read at this time shows.
    pub(super) fn shown_parts(&self, now_ms: i64) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.is_shown(now_ms))
    }

    /// Whether a cover is left.
    #[must_use]
    pub(super) fn has_cover(&self) -> bool {
        self.pictures.uploaded_cover || self.pictures.processed_cover
    }

    /// Whether there are snapshots, sprites and the like.
    #[must_use]
    pub(super) fn has_snapshots(&self) -> bool {
        self.pictures.snapshots
    }

    /// Whether this choice names something that is there.
    #[must_use]
    pub(super) fn holds(&self, choice: Choice) -> bool {
        self.stored_parts().any(|part| choice.takes(part))
    }

    /// Takes the media and all its parts away; answers what was taken.
    pub(super) fn take_all(&mut self, shown_until_ms: i64) -> Vec<Part> {
        let taken = self.stored_parts().cloned().collect();
        self.shown_until_ms = Some(shown_until_ms);
        taken
    }

    /// Takes the chosen parts away; answers what was taken. The media itself stays, even with nothing left
    /// (the page does not say otherwise).
    pub(super) fn take(&mut self, choices: &[Choice], shown_until_ms: i64) -> Vec<Part> {
        let mut parts = self.parts.to_vec();
        let mut taken = Vec::new();
        for part in parts.iter_mut().filter(|part| part.is_stored()) {
            if choices.iter().any(|choice| choice.takes(part)) {
                taken.push(part.clone());
                part.shown_until_ms = Some(shown_until_ms);
            }
        }
        self.parts = parts.into();
        // "the cover uploaded with the file goes too" and "covers made by processing go too": read literally,
        // so that naming one template already takes the processed cover.
        let took = |kind| taken.iter().any(|part: &Part| part.kind == kind);
        self.pictures.uploaded_cover &= !took(PartKind::OriginalFiles);
        self.pictures.processed_cover &= !took(PartKind::TranscodeFiles);
        taken
    }

    /// Makes a part again, as a new processing task would; answers its generation.
    pub(super) fn make(&mut self, kind: PartKind, definition: i64) -> u32 {
        let mut parts = self.parts.to_vec();
        let same = |part: &Part| part.kind == kind && part.definition == definition;
        let last = parts.iter().filter(|part| same(part)).map(|part| part.generation).max();
        let generation = last.unwrap_or(0) + 1;
        parts.retain(|part| !same(part));
        let made = Part { generation, ..Part::new(kind, definition) };
        parts.push(made);
        self.parts = parts.into();
        generation
    }
}

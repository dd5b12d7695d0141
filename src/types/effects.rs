//! What goes with a target when it is deleted, or stops working.
//!
//! A closed list of words that a plan shows beside each item. Which of them a delete has is said by
//! each provider from its vendor's pages (`Provider::effects`); a word stands for what a page states,
//! never for what one could suspect. Its own file because callers read these words and no decision
//! is made from them. Whether the asset has such a thing at all is not known here.

use serde::{Deserialize, Serialize};

/// One thing that goes with a target, if it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoesWith {
    /// The uploaded source.
    Source,
    /// Every rendition, of all families.
    Renditions,
    /// Cover pictures: all with the whole asset, otherwise those that came with what goes.
    Covers,
    /// Snapshots, sprites and thumbnails.
    Snapshots,
    /// Animated images.
    AnimatedImages,
    /// Subtitles.
    Subtitles,
    /// Marks of key frames.
    KeyFrameMarks,
    /// Parts of an upload that was not completed.
    UploadParts,
    /// Whatever else the vendor derived from it.
    Derived,
    /// Playback of the asset.
    Playback,
    /// Playback of the renditions that go; others may still play.
    RenditionPlayback,
    /// Playback of an asset that was never transcoded: its source is what plays.
    UntranscodedPlayback,
    /// Transcoding and other processing of the asset from then on.
    Processing,
}

impl GoesWith {
    /// All words.
    pub const ALL: [GoesWith; 13] = [
        GoesWith::Source,
        GoesWith::Renditions,
        GoesWith::Covers,
        GoesWith::Snapshots,
        GoesWith::AnimatedImages,
        GoesWith::Subtitles,
        GoesWith::KeyFrameMarks,
        GoesWith::UploadParts,
        GoesWith::Derived,
        GoesWith::Playback,
        GoesWith::RenditionPlayback,
        GoesWith::UntranscodedPlayback,
        GoesWith::Processing,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            GoesWith::Source => "source",
            GoesWith::Renditions => "renditions",
            GoesWith::Covers => "covers",
            GoesWith::Snapshots => "snapshots",
            GoesWith::AnimatedImages => "animated_images",
            GoesWith::Subtitles => "subtitles",
            GoesWith::KeyFrameMarks => "key_frame_marks",
            GoesWith::UploadParts => "upload_parts",
            GoesWith::Derived => "derived",
            GoesWith::Playback => "playback",
            GoesWith::RenditionPlayback => "rendition_playback",
            GoesWith::UntranscodedPlayback => "untranscoded_playback",
            GoesWith::Processing => "processing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_text_and_in_json_and_none_is_left_out() {
        for (n, word) in GoesWith::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
            assert_eq!(word as usize, n, "{word:?}");
        }
        assert_eq!(GoesWith::ALL.last(), GoesWith::ALL.iter().max());
        // The last variant: one more would not be in the list.
        assert_eq!(GoesWith::Processing as usize + 1, GoesWith::ALL.len());
    }
}

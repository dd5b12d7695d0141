//! The schema of what callers send, for `openapi.yaml`.
//!
//! These types are never filled: `request.rs` walks the JSON itself, so that it
//! can tell all faults at once with their pointers. A test holds the two against
//! each other. Its own file because a schema says less than the parser checks.

use serde::Deserialize;
use utoipa::ToSchema;

use super::words::{FamilyWord, SnapshotWord};

/// A request to delete many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDeletion, example = json!({
    "account": "sandbox-alibaba",
    "reason": "TICKET-1234 rights expired",
    "targets": [
        {"kind": "media", "id": "8bc8e94fe4e55abde857188bc8e94fe4"},
        {"kind": "source", "id": "93ab850b4f6f44eab54b6e93ab850b4f", "ref": "row-17"}
    ]
}))]
pub struct NewDeletionBody {
    /// The account of targets that name none.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// Why; kept with the deletion.
    #[schema(max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    #[schema(nullable = false)]
    pub if_absent: Option<IfAbsentWord>,
    /// Only a plan: every check is made, nothing is sent; `start` makes it real.
    #[schema(nullable = false)]
    pub dry_run: Option<bool>,
    /// With `dry_run`: look up at the vendor what stands there.
    #[schema(nullable = false)]
    pub check: Option<bool>,
    /// Nothing is sent before so long is over: at most 30d.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$", nullable = false, example = "24h")]
    pub delay: Option<String>,
    /// Block playback while it waits (Tencent); a cancel lifts the block.
    #[schema(nullable = false)]
    pub quarantine: Option<bool>,
    /// Not served yet: only `false`.
    #[schema(nullable = false)]
    pub purge_cdn: Option<bool>,
    /// What is to go, in the order of the answer.
    #[schema(min_items = 1, max_items = 1000)]
    pub targets: Vec<NewTarget>,
}

/// What a verb may come with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Verb)]
pub struct VerbBody {
    /// Why; kept with what is done.
    #[schema(max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub reason: Option<String>,
}

/// What lets a deletion go on, or does not.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GoAhead)]
pub struct GoAheadBody {
    /// The deletion's digest, as the caller has seen it; another one is 412.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9A-Fa-f]{64}$", nullable = false)]
    pub digest: Option<String>,
    /// Why; kept with what is done.
    #[schema(max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub reason: Option<String>,
}

/// The same where what was seen must be told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Approval)]
pub struct ApprovalBody {
    /// The deletion's digest, as the approver has seen it; another one is 412.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9A-Fa-f]{64}$")]
    pub digest: String,
    /// Why; kept with what is done.
    #[schema(max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub reason: Option<String>,
}

/// Why a hold is put.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHold)]
pub struct NewHoldBody {
    /// Why; shown to callers who may read holds.
    #[schema(min_length = 1, max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: String,
}

/// What an operator decides about an `unknown` item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Decision)]
pub struct DecisionBody {
    /// What came of it.
    pub outcome: DecisionWord,
    /// How the operator knows; kept with the item.
    #[schema(min_length = 1, max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: String,
}

/// What an operator can decide.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DecidedOutcome)]
pub enum DecisionWord {
    /// It is gone, and this deletion did it.
    Deleted,
    /// It was not there.
    Absent,
    /// It still stands, or cannot be deleted.
    Failed,
}

/// Whether "not found" is ok.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IfAbsent)]
pub enum IfAbsentWord {
    /// Absent is ok: what was asked for is so.
    Ok,
    /// Absent is an error.
    Error,
}

/// One thing to delete. `account` may stand on the deletion instead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(discriminator(property_name = "kind", mapping(
    ("media" = "#/components/schemas/MediaTarget"),
    ("source" = "#/components/schemas/SourceTarget"),
    ("renditions" = "#/components/schemas/RenditionsTarget"),
    ("snapshots" = "#/components/schemas/SnapshotsTarget"),
    ("image" = "#/components/schemas/ImageTarget"),
    ("attached_media" = "#/components/schemas/AttachedMediaTarget"),
)))]
pub enum NewTarget {
    /// An asset and everything made from it.
    Media(NewMedia),
    /// Only the uploaded source.
    Source(NewSource),
    /// Only renditions.
    Renditions(NewRenditions),
    /// Only snapshots.
    Snapshots(NewSnapshots),
    /// An uploaded image.
    Image(NewImage),
    /// An auxiliary asset.
    AttachedMedia(NewAttachedMedia),
}

macro_rules! word {
    ($name:ident, $variant:ident) => {
        /// The kind.
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            /// The one value.
            $variant,
        }
    };
}

word!(MediaWord, Media);
word!(SourceWord, Source);
word!(RenditionsWord, Renditions);
word!(SnapshotsWord, Snapshots);
word!(ImageWord, Image);
word!(AttachedMediaWord, AttachedMedia);

/// An asset and everything made from it; exactly one of `id` and `reference_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MediaTarget)]
pub struct NewMedia {
    #[schema(inline)]
    pub kind: MediaWord,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// The vendor's id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub id: Option<String>,
    /// The caller's own id (Alibaba).
    #[schema(min_length = 6, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub reference_id: Option<String>,
    /// A label, echoed back.
    #[serde(rename = "ref")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub label: Option<String>,
}

/// Only the uploaded source; exactly one of `id` and `reference_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceTarget)]
pub struct NewSource {
    #[schema(inline)]
    pub kind: SourceWord,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// The vendor's id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub id: Option<String>,
    /// The caller's own id (Alibaba).
    #[schema(min_length = 6, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub reference_id: Option<String>,
    /// Also where playback needs it.
    #[schema(nullable = false)]
    pub force: Option<bool>,
    /// A label, echoed back.
    #[serde(rename = "ref")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub label: Option<String>,
}

/// Only renditions; exactly one of `id` and `reference_id`, and a selector or `all: true`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RenditionsTarget)]
pub struct NewRenditions {
    #[schema(inline)]
    pub kind: RenditionsWord,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// The vendor's id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub id: Option<String>,
    /// The caller's own id (Alibaba).
    #[schema(min_length = 6, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub reference_id: Option<String>,
    /// Names such as `HD` (Alibaba) or template numbers (Tencent); a number is taken as its text.
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    pub definitions: Option<Vec<SelectorWord>>,
    /// The vendor's job ids (Alibaba).
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    pub job_ids: Option<Vec<SelectorWord>>,
    /// The family (Tencent); without definitions all of it.
    #[schema(nullable = false)]
    pub family: Option<FamilyWord>,
    /// Every rendition; not beside a selector.
    #[schema(nullable = false)]
    pub all: Option<bool>,
    /// A label, echoed back.
    #[serde(rename = "ref")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub label: Option<String>,
}

/// A definition, template number or job id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Selector)]
pub enum SelectorWord {
    /// Text.
    Text(SelectorText),
    /// A number, taken as its decimal text.
    Number(i64),
}

/// 1 to 64 visible characters without a comma.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 64, pattern = "^[!-+\\--~]+$")]
pub struct SelectorText(pub String);

/// Only snapshots; `types` or `all: true`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SnapshotsTarget)]
pub struct NewSnapshots {
    #[schema(inline)]
    pub kind: SnapshotsWord,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// The vendor's id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub id: String,
    /// The types.
    #[schema(min_items = 1, nullable = false)]
    pub types: Option<Vec<SnapshotWord>>,
    /// Every type; not beside `types`.
    #[schema(nullable = false)]
    pub all: Option<bool>,
    /// A label, echoed back.
    #[serde(rename = "ref")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub label: Option<String>,
}

/// An uploaded image; exactly one of `id` and `url`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageTarget)]
pub struct NewImage {
    #[schema(inline)]
    pub kind: ImageWord,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// The vendor's id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub id: Option<String>,
    /// The image's URL (Alibaba): http or https, commas percent-encoded.
    #[schema(max_length = 2048, pattern = "^https?://[!\"$-+\\-.0->@-~][!-+\\--~]*$", nullable = false)]
    pub url: Option<String>,
    /// A label, echoed back.
    #[serde(rename = "ref")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub label: Option<String>,
}

/// An auxiliary asset (Alibaba).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AttachedMediaTarget)]
pub struct NewAttachedMedia {
    #[schema(inline)]
    pub kind: AttachedMediaWord,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// The vendor's id.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub id: String,
    /// A label, echoed back.
    #[serde(rename = "ref")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub label: Option<String>,
}

//! The closed lists of words in the contract, each with its schema.
//!
//! The words themselves come from `types`; these say to `openapi.yaml` that there
//! are no others. Its own file because a list of words reads on its own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::types::deletion::ItemState;
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::{LaneReason, Outcome};

/// A kind of target.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Kind)]
pub enum KindWord {
    /// An asset and everything made from it.
    Media,
    /// Only the uploaded source.
    Source,
    /// Only renditions.
    Renditions,
    /// Only snapshots.
    Snapshots,
    /// An uploaded image.
    Image,
    /// An auxiliary asset.
    AttachedMedia,
}

/// A family of renditions.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Family)]
pub enum FamilyWord {
    /// Transcoded outputs.
    Transcode,
    /// Adaptive bitrate outputs.
    Adaptive,
    /// `WeChat` publish copies.
    WechatPublish,
    /// `WeChat` mini-program copies.
    WechatMiniProgramPublish,
}

/// A type of snapshot.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SnapshotType)]
pub enum SnapshotWord {
    /// The cover.
    Cover,
    /// Ordinary snapshots.
    Normal,
    /// Sprite sheets.
    Sprite,
    /// The frames that sprite sheets are made of.
    SpriteOrigin,
}

/// What came of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Outcome)]
pub enum OutcomeWord {
    /// The vendor accepted the delete.
    Deleted,
    /// Not found in this account.
    Absent,
    /// Will not work as asked.
    Refused,
    /// The vendor's status forbids it now; try again later.
    Busy,
    /// The vendor failed after all tries, or answered with an unlisted code.
    Failed,
    /// Sent, answer lost, and neither a repeat nor a read could settle it.
    Unknown,
    /// Never sent.
    Canceled,
    /// Of a plan: it would be sent.
    Planned,
}

impl OutcomeWord {
    /// The outcome of a plan's items, which no item in the journal has.
    pub const PLANNED: &'static str = "planned";

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => Outcome::Deleted.as_str(),
            Self::Absent => Outcome::Absent.as_str(),
            Self::Refused => Outcome::Refused.as_str(),
            Self::Busy => Outcome::Busy.as_str(),
            Self::Failed => Outcome::Failed.as_str(),
            Self::Unknown => Outcome::Unknown.as_str(),
            Self::Canceled => Outcome::Canceled.as_str(),
            Self::Planned => Self::PLANNED,
        }
    }
}

impl From<Outcome> for OutcomeWord {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Deleted => Self::Deleted,
            Outcome::Absent => Self::Absent,
            Outcome::Refused => Self::Refused,
            Outcome::Busy => Self::Busy,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
            Outcome::Canceled => Self::Canceled,
        }
    }
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ItemState)]
pub enum ItemStateWord {
    /// It waits for a call.
    Pending,
    /// A call that carries it may be under way.
    Sending,
    /// It has its outcome.
    Done,
}

impl From<ItemState> for ItemStateWord {
    fn from(state: ItemState) -> Self {
        match state {
            ItemState::Pending => Self::Pending,
            ItemState::Sending => Self::Sending,
            ItemState::Done => Self::Done,
        }
    }
}

/// Where a deletion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeletionState)]
pub enum DeletionStateWord {
    /// Some item is open.
    Running,
    /// Nothing more of it is sent until it is resumed.
    Paused,
    /// Every item has its outcome.
    Finished,
    /// Nothing more of it is sent; what was sent ends by itself.
    Canceled,
    /// A dry run: nothing of it is sent unless it is started.
    Planned,
    /// Nothing of it is sent until another caller approves.
    AwaitingApproval,
    /// An approver said no.
    Rejected,
    /// Nobody started or approved it in time.
    Expired,
    /// Nothing of it is sent until its delay is over.
    Scheduled,
}

impl From<DeletionState> for DeletionStateWord {
    fn from(state: DeletionState) -> Self {
        match state {
            // One that is being received is shown to nobody.
            DeletionState::Receiving | DeletionState::Running => Self::Running,
            DeletionState::Paused => Self::Paused,
            DeletionState::Finished => Self::Finished,
            DeletionState::Canceled => Self::Canceled,
            DeletionState::Planned => Self::Planned,
            DeletionState::AwaitingApproval => Self::AwaitingApproval,
            DeletionState::Rejected => Self::Rejected,
            DeletionState::Expired => Self::Expired,
            DeletionState::Scheduled => Self::Scheduled,
        }
    }
}

/// Who or what paused a deletion.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PauseCode)]
pub enum PauseCodeWord {
    /// A caller.
    Operator,
    /// More than half of what was tried failed.
    MostlyFailed,
    /// Many items in a row failed with one code that a repeat cannot cure.
    SameFailure,
    /// The journal was restored or copied: what it says may be old.
    JournalMoved,
}

/// The reasons.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Reason)]
pub enum ReasonWord {
    /// A hold protects the asset.
    Held,
    /// The source is still needed for playback; `force` deletes it all the same.
    Protected,
    /// No right to delete it.
    Forbidden,
    /// The account's provider cannot do this.
    Unsupported,
    /// The vendor, or a check, calls the target malformed.
    Invalid,
    /// The vendor's status forbids it now.
    Busy,
    /// Throttled until the tries or the time ran out.
    Throttled,
    /// The vendor did not work until the tries or the time ran out.
    Unavailable,
    /// The vendor answered with a code that is not known here.
    VendorError,
    /// Nothing could settle what became of it.
    Unsettled,
    /// Not found, with `if_absent: error`.
    Absent,
}

/// How sure `deleted` is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Confirmation)]
pub enum ConfirmationWord {
    /// An earlier attempt's answer was lost, and the vendor now says that it is gone.
    Inferred,
}

/// What a call was for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Purpose)]
pub enum PurposeWord {
    /// A read that had to come before the delete.
    Resolve,
    /// The delete.
    Delete,
    /// A read that settles what an earlier delete did.
    Settle,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AttemptClass)]
pub enum ClassWord {
    /// No byte left.
    NotSent,
    /// The vendor's answer tells what happened.
    Answered,
    /// A byte may have left and nothing tells what happened.
    Ambiguous,
    /// The vendor says that it did nothing.
    Refused,
}

/// Whether something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LaneState)]
pub enum LaneStateWord {
    /// Open.
    Ok,
    /// Blocked, with a reason; items wait.
    Blocked,
    /// A stop switch is on; items wait.
    Stopped,
}

impl From<Option<LaneReason>> for LaneStateWord {
    fn from(blocked: Option<LaneReason>) -> Self {
        match blocked {
            None => Self::Ok,
            Some(LaneReason::Stopped) => Self::Stopped,
            Some(_) => Self::Blocked,
        }
    }
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LaneReason)]
pub enum LaneReasonWord {
    /// The vendor does not accept the key or its signature.
    BadCredentials,
    /// The temporary credentials have expired and no newer ones are at hand.
    ExpiredCredentials,
    /// The service is not activated for the account.
    NotActivated,
    /// The account is overdue or suspended.
    Suspended,
    /// The sub-application is wrong.
    WrongSubApplication,
    /// The clocks are too far apart and correcting ours did not help.
    ClockSkew,
    /// Several different items in a row were forbidden.
    Forbidden,
    /// An operator has set a stop switch.
    Stopped,
}

/// What goes with a target when it is deleted, or stops working.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GoesWith)]
pub enum GoesWithWord {
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

/// What became of the playback of an item that waits.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Quarantine)]
pub enum QuarantineWord {
    /// We have blocked it, or were about to: it is lifted when the deletion is called off. Of items that are
    /// not deleted in the end although the deletion ran, the block stays.
    Blocked,
    /// It was blocked before, perhaps for another deletion: that is not lifted.
    BlockedBefore,
    /// We have lifted our block.
    Lifted,
    /// It could not be blocked, is not there, or is under a hold.
    NotBlocked,
    /// Our block could not be lifted: open it at the vendor's.
    NotLifted,
}

/// What an audit record tells.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditAction)]
pub enum ActionWord {
    /// A deletion was accepted.
    Requested,
    /// A plan was made.
    Planned,
    /// A plan was made real.
    Started,
    /// An approver let a deletion go on.
    Approved,
    /// An approver did not.
    Rejected,
    /// A plan or a request for approval ran out.
    Expired,
    /// A delay was over.
    Released,
    /// A request was refused: no or bad credentials, a missing right, a cap.
    Refused,
    /// A vendor call went out.
    Sent,
    /// The vendor answered it.
    Answered,
    /// A deletion was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// It was canceled.
    Canceled,
    /// Items were opened again.
    Retried,
    /// An operator decided an unknown item.
    Settled,
    /// A hold was put.
    Held,
    /// A hold was lifted.
    Lifted,
    /// A stop switch was set.
    Stopped,
    /// A stop switch was lifted.
    Restarted,
}

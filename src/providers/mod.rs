//! How one call to one vendor is made. The only folder that knows vendors.
//!
//! A `Provider` says, without I/O, which vendor action serves a target and
//! what must be read first (`Provider::route`), and makes one signed request
//! for the items of a `Call` (`Provider::call`). The answer comes back as a
//! `CallReport`: one `Verdict` for each entry, in the order given, never an
//! error. When to call, whether to repeat and what it means for an item is
//! decided in `dispatch`, which knows no vendor by name.
//!
//! A new provider is one folder with `mod.rs`, `sign.rs`, `wire.rs`,
//! `outcome.rs` and `sandbox` (and further files where a subject has grown), and
//! one line in `registry.rs`.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::types::asset::Facts;
use crate::types::deletion::PartName;
use crate::types::effects::GoesWith;
use crate::types::outcome::{AttemptClass, ItemError, LaneReason, Outcome, Reason};
use crate::types::target::{Kind, MediaId, Name, Target};

/// The one list of providers.
pub mod registry;

/// What a provider is made of.
pub mod setup;

/// Where a call's key comes from, and when it is read again.
pub mod credentials;

/// The outbound HTTP client and what its failures prove.
pub mod transport;

/// How far a vendor's clock is from ours.
pub mod skew;

/// Many targets looked at by few reads.
pub mod survey;

/// Alibaba Cloud `ApsaraVideo` VOD.
pub mod alibaba;

/// Tencent Cloud VOD.
pub mod tencent;

/// What a vendor action does to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Read,
    /// It deletes.
    Delete,
    /// It stops playback. Nothing is lost, and a `Lift` undoes it; repeating either is safe.
    Block,
    /// It undoes a `Block`.
    Lift,
}

/// One vendor action, as the vendor's pages publish it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The vendor's name for it.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
    /// Published calls per second, where a number is published.
    pub published_qps: Option<u32>,
    /// Most entries (items) in one call.
    pub items_per_call: usize,
    /// Most parts in one call, over all its entries.
    pub parts_per_call: usize,
}

/// What the read before a delete must find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFirst {
    /// The vendor's id behind a reference id.
    Reference,
    /// The job ids that the selected renditions have.
    Jobs,
    /// Whether a playable rendition stands, so that the source may go.
    PlayableRendition,
    /// Whether the asset is a still image.
    IsImage,
    /// Which of the parts stand. Also where a delete's "not found" would not tell of which it was said.
    Standing,
}

/// Whether a delete whose effect is not known may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// At any time: the name can never come to mean another object.
    Always,
    /// For a short time only: the same selector could soon mean a new object.
    Briefly,
}

/// How a target is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The read that must come first, and what it must find out.
    pub resolve: Option<(&'static Operation, ReadFirst)>,
    /// The delete.
    pub delete: &'static Operation,
    /// The read that can settle a delete of unknown effect.
    pub settle: Option<&'static Operation>,
    /// Whether the delete may be repeated.
    pub repeat: Repeat,
    /// The parts as far as they are known without a read.
    pub parts: Vec<PartName>,
}

/// Why a target cannot be served, before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The provider has no such delete.
    Unsupported(String),
    /// A field has a value that the provider would read as something else.
    Invalid {
        /// The field as a JSON Pointer below the target, such as `/definitions/0`.
        field: String,
        /// What is wrong with it, and the fix.
        message: String,
    },
}

/// One item's share in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was asked.
    pub target: Target,
    /// The vendor's id that a reference id was resolved to.
    pub asset: Option<MediaId>,
    /// The parts that this call is about.
    pub parts: Vec<PartName>,
}

impl Entry {
    /// The vendor's id of the asset, if it is known.
    #[must_use]
    pub fn media_id(&self) -> Option<&MediaId> {
        self.asset.as_ref().or(match &self.target.name {
            Name::Id(id) => Some(id),
            Name::Reference(_) | Name::Url(_) => None,
        })
    }
}

/// One signed request to come. All entries are of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The vendor action.
    pub operation: &'static Operation,
    /// The items, at least one.
    pub entries: Vec<Entry>,
}

/// Why nothing was done and the same may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No byte left: no connection.
    NotSent,
    /// Throttled. Does not count as a try.
    Throttled,
    /// A daily or total quota is used up; not before it resets.
    QuotaUsedUp,
    /// The vendor could not read just now. Reads only: a delete that ends so is doubtful.
    Unavailable,
    /// The vendor refused with a code that is in no table: few tries.
    Unlisted,
    /// The key was refreshed or the clock corrected; signing again should do. Does not count as a try.
    Resign,
}

/// What one call says of one entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The vendor accepted the delete.
    Deleted,
    /// The vendor blocked the asset, or lifted the block, whichever the call was for. Also said of
    /// an asset that was in that state before.
    Done,
    /// The vendor says it is not there, of this entry.
    Absent,
    /// The vendor will not do it.
    NotOk {
        /// `refused` or `busy`.
        outcome: Outcome,
        /// The reason, with the vendor's code.
        error: ItemError,
        /// It was said of the whole call, so another entry may be the cause.
        of_whole_call: bool,
        /// It may mean the whole account rather than this asset.
        maybe_account: bool,
    },
    /// "Not found" was said of a call with several entries or parts, and not of which.
    Unclear,
    /// A delete, block or lift went out and its effect is not known.
    Doubtful {
        /// The vendor may still be at work on it (no answer of its own came).
        unanswered: bool,
    },
    /// Nothing was done; the same may be tried again.
    Again(Again),
    /// Nothing was done, and nothing will be until the account is mended.
    Fault(LaneReason),
    /// What a read told.
    Facts(Box<Facts>),
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallReport {
    /// How the attempt ended.
    pub class: AttemptClass,
    /// HTTP status, where an answer came.
    pub status: Option<u16>,
    /// The vendor's error code, as sent.
    pub code: Option<String>,
    /// The vendor's request id.
    pub request_id: Option<String>,
    /// The code is in no table of ours.
    pub unlisted: bool,
    /// The vendor throttled, with the wait it asked for if it named one.
    pub throttled: Option<Option<Duration>>,
    /// One verdict per entry, in order.
    pub verdicts: Vec<Verdict>,
}

/// A vendor, for one account.
#[async_trait]
pub trait Provider: Debug + Send + Sync {
    /// The contract's name: `alibaba` or `tencent`.
    fn name(&self) -> &'static str;

    /// The kinds that it can serve at all.
    fn kinds(&self) -> &'static [Kind];

    /// Every vendor action that it may call.
    fn operations(&self) -> &'static [Operation];

    /// How a target is served. Pure.
    fn route(&self, target: &Target) -> Result<Route, Refusal>;

    /// What entries must share to travel in one call of this operation. Pure.
    fn group(&self, operation: &Operation, entry: &Entry) -> String;

    /// Makes one request: new nonce, new time, new signature.
    async fn call(&self, call: &Call) -> CallReport;

    /// A harmless read that tells whether the account works.
    fn probe(&self) -> Call;

    /// The reads that together show what stands there under this id, in order.
    /// If the first says that the asset is missing, the others need not be made.
    fn portrait(&self, id: &MediaId) -> Vec<Call>;

    /// The batch read that looks at a target without touching it, and the target's entry in it.
    /// `None` if no batch read takes its name (an image's URL) or the provider would refuse it. Pure.
    ///
    /// Entries of one `group` share a call, up to `items_per_call` (`survey::surveys` packs them). The
    /// verdict of each is `Facts`, with `Standing::Missing` where nothing stands, or `NotOk`, `Unclear`,
    /// `Again` or `Fault` as of any read. It tells title, status, size, duration, time of birth, source
    /// and renditions, but for:
    ///
    /// * Alibaba, videos: no snapshots, which need a read per asset and type (`portrait`). By
    ///   reference id neither source nor renditions. Whether its streams include older
    ///   duplicates is not documented, so deletes never go by this list.
    /// * Alibaba, images and attached media: what they have of title, status, size and time of birth.
    /// * Tencent: nothing is missing; it is the read of `portrait`.
    fn survey(&self, target: &Target) -> Option<(&'static Operation, Entry)>;

    /// What goes with the target or stops working, if it is there, as the vendor's pages say. Empty
    /// for a target that the provider would refuse. Pure.
    fn effects(&self, target: &Target) -> Vec<GoesWith>;

    /// Whether playback of the target's asset can be blocked while its delete waits. Pure.
    fn can_block(&self, _target: &Target) -> bool {
        false
    }

    /// One request that blocks playback of these assets, or with `lift` opens it again, of at most
    /// `items_per_call` of its operation. `None` if the vendor has no such thing, or there is no id.
    ///
    /// Of each id it answers with `Done`, `Absent`, `NotOk`, `Unclear`, `Again`, `Fault` or `Doubtful`.
    /// An asset is in one of two states whoever asked for it, so a lift also undoes the block of
    /// another: `Facts::is_blocked` tells, before, whether there was one.
    fn block(&self, _ids: &[MediaId], _lift: bool) -> Option<Call> {
        None
    }

    /// The vendor action of this name.
    fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations().iter().find(|operation| operation.name == name)
    }
}

/// The refusal that names what a provider can serve instead.
#[must_use]
pub fn unsupported(provider: &dyn Provider, message: String) -> ItemError {
    ItemError { supported: provider.kinds().to_vec(), ..ItemError::new(Reason::Unsupported, message) }
}

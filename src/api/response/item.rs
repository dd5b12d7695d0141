//! A target, what came of it, and every call that carried it.
//!
//! Its own file because an item is shown in five places (a page, a stream, an
//! event, a receipt, a problem) and must look the same in all.

use serde::Serialize;
use utoipa::ToSchema;

use super::{MediaBody, View};
use crate::api::words::{
    ClassWord, ConfirmationWord, FamilyWord, GoesWithWord, ItemStateWord, KindWord, OutcomeWord, PurposeWord,
    QuarantineWord, ReasonWord, SnapshotWord,
};
use crate::journal::{AttemptRow, Found, ItemRow, Quarantine, Receipt, Round};
use crate::types::asset::Facts;
use crate::types::deletion::{IfAbsent, ItemState, Part};
use crate::types::effects::GoesWith;
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::{AttemptClass, Ending, ItemError, Outcome, Reason};
use crate::types::target::{Family, Kind, Name, Renditions, SnapshotType, Snapshots, Target, What};

/// A target, as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = Target)]
pub struct TargetBody {
    /// What kind of thing.
    #[schema(value_type = KindWord)]
    pub kind: &'static str,
    /// The account.
    pub account: String,
    /// The vendor's id of the asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<String>,
    /// The caller's own id of the asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference_id: Option<String>,
    /// The image's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// Source: delete it even where playback needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub force: Option<bool>,
    /// Renditions: definitions or template numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<String>,
    /// Renditions: the vendor's job ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub job_ids: Vec<String>,
    /// Renditions: the family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FamilyWord, nullable = false)]
    pub family: Option<&'static str>,
    /// Snapshots: the types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<SnapshotWord>)]
    pub types: Vec<&'static str>,
    /// Renditions or snapshots: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub all: Option<bool>,
}

impl From<&Target> for TargetBody {
    fn from(target: &Target) -> Self {
        let mut body =
            Self { kind: target.kind().as_str(), account: target.account.to_string(), ..Self::default() };
        match &target.name {
            Name::Id(id) => body.id = Some(id.to_string()),
            Name::Reference(id) => body.reference_id = Some(id.to_string()),
            Name::Url(url) => body.url = Some(url.to_string()),
        }
        match &target.what {
            What::Media | What::Image | What::AttachedMedia => {}
            What::Source { force } => body.force = Some(*force),
            What::Renditions(Renditions::All) | What::Snapshots(Snapshots::All) => body.all = Some(true),
            What::Renditions(Renditions::Some { definitions, job_ids, family }) => {
                body.definitions = definitions.iter().map(ToString::to_string).collect();
                body.job_ids = job_ids.iter().map(ToString::to_string).collect();
                body.family = family.map(Family::as_str);
            }
            What::Snapshots(Snapshots::Types(types)) => {
                body.types = types.iter().map(|kind| SnapshotType::as_str(*kind)).collect();
            }
        }
        body
    }
}

/// Why an item is not ok.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ItemError)]
pub struct ItemErrorBody {
    /// The stable word for programs.
    #[schema(value_type = ReasonWord)]
    pub code: Reason,
    /// A sentence for people.
    pub message: String,
    /// The vendor's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub vendor_code: Option<String>,
    /// With `invalid`: the line of the upload, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<u64>,
    /// With `unsupported`: the kinds that the account's provider can serve.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<KindWord>)]
    pub supported: Vec<Kind>,
    /// With `held`: the hold, for callers who may read holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hold: Option<HeldByBody>,
}

/// The hold for which an item was refused, as it stood then.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = HeldBy)]
pub struct HeldByBody {
    /// The id or pattern of the hold.
    pub id: String,
    /// Who put it.
    pub held_by: String,
    /// Why.
    pub reason: String,
}

impl ItemErrorBody {
    fn new(error: &ItemError, sees_holds: bool) -> Self {
        let hold = error.hold.as_ref().filter(|_| sees_holds);
        Self {
            hold: hold.map(|hold| HeldByBody {
                id: hold.id.clone(),
                held_by: hold.by.clone(),
                reason: hold.reason.clone(),
            }),
            code: error.code,
            message: error.message.clone(),
            vendor_code: error.vendor_code.clone(),
            line: error.line,
            supported: error.supported.clone(),
        }
    }
}

/// One part of a target that needs several.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Part)]
pub struct PartBody {
    /// Which part, such as `job:…`, `transcode:100010` or `snapshots:cover`.
    pub part: String,
    /// What came of it; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<OutcomeWord>,
    /// `inferred` where an earlier answer was lost and it is gone now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ConfirmationWord, nullable = false)]
    pub confirmation: Option<&'static str>,
    /// Why it is not ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<ItemErrorBody>,
}

fn confirmation(ending: &Ending) -> Option<&'static str> {
    ending.inferred.then_some("inferred")
}

impl PartBody {
    fn new(part: &Part, sees_holds: bool) -> Self {
        let ending = part.ending.as_ref();
        Self {
            part: part.name.to_string(),
            outcome: ending.map(|ending| ending.outcome.into()),
            confirmation: ending.and_then(confirmation),
            error: ending
                .and_then(|ending| ending.error.as_ref())
                .map(|error| ItemErrorBody::new(error, sees_holds)),
        }
    }
}

/// The vendor's side of an item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = VendorCall)]
pub struct VendorBody {
    /// The vendor action of the last call.
    pub operation: String,
    /// The vendor's request id, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_id: Option<String>,
}

/// An item of another deletion.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ItemName)]
pub struct CoalescedBody {
    /// The deletion.
    pub deletion: String,
    /// The item's position in it, from 0.
    pub index: u32,
}

/// One target of a deletion, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemBody {
    /// The deletion that it belongs to.
    pub deletion: String,
    /// Its position in it, from 0.
    pub index: u32,
    /// What was asked for; null for a line of an upload that could not be read.
    #[schema(required = true)]
    pub target: Option<TargetBody>,
    /// The caller's own label.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// Where it stands.
    pub state: ItemStateWord,
    /// What came of it, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<OutcomeWord>,
    /// Whether that is ok, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ok: Option<bool>,
    /// If it is not ok: whether asking again later may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retriable: Option<bool>,
    /// `inferred` where an earlier answer was lost and the vendor now says that it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ConfirmationWord, nullable = false)]
    pub confirmation: Option<&'static str>,
    /// Why it is not ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<ItemErrorBody>,
    /// Its parts, where it has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartBody>,
    /// The vendor's id that a reference id was resolved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resolved_id: Option<String>,
    /// The earlier position with the same target; it was sent once for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub same_as: Option<u32>,
    /// The item of another deletion with the same target; it was sent once for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub coalesced_with: Option<CoalescedBody>,
    /// Vendor calls that carried it.
    pub attempts: u32,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub vendor: Option<VendorBody>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    pub finished_at: Option<String>,
    /// Of a plan: what goes with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<GoesWithWord>)]
    pub effects: Vec<GoesWith>,
    /// Of a plan with `check`: what stands at the vendor, without URLs and snapshots, or null if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Option<MediaBody>>,
    /// Of a plan with `check`: why that could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub not_found_out: Option<String>,
    /// With `quarantine`: whether its playback is blocked. When the deletion is canceled or rejected, or its
    /// approval expires, our block is lifted. When it runs nothing is lifted: of an item that ends refused,
    /// busy, failed or unknown the block stays. Where two deletions block one asset, the second finds it
    /// blocked before, and the end of the first opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = QuarantineWord, nullable = false)]
    pub quarantine: Option<Quarantine>,
}

impl ItemBody {
    /// An item, as this caller sees it.
    #[must_use]
    pub fn new(row: &ItemRow, view: View<'_>) -> Self {
        let target = row.wanted.as_ref().map(|wanted| &wanted.target);
        let sees_holds = target.is_some_and(|target| view.sees_holds(&target.account));
        let is_planned = row.deletion_state == DeletionState::Planned && row.state == ItemState::Pending;
        let ending = row.ending.as_ref();
        let ok = ending.map(|ending| is_ok(ending.outcome, row.if_absent));
        let error = ending.and_then(|ending| ending.error.as_ref());
        let error = error.map(|error| ItemErrorBody::new(error, sees_holds));
        let missed = ending.is_some_and(|ending| ending.outcome == Outcome::Absent) && ok == Some(false);
        let absent =
            || ItemErrorBody::new(&ItemError::new(Reason::Absent, "not found in this account"), false);
        let (found, not_found_out) = found(row);
        let parts = row.progress.as_ref().map(|progress| progress.parts.as_slice()).unwrap_or_default();
        Self {
            deletion: row.deletion.to_string(),
            index: row.key.index,
            target: row.wanted.as_ref().map(|wanted| (&wanted.target).into()),
            label: row.wanted.as_ref().and_then(|wanted| wanted.label.clone()),
            state: if is_planned { ItemStateWord::Done } else { row.state.into() },
            outcome: if is_planned {
                Some(OutcomeWord::Planned)
            } else {
                ending.map(|ending| ending.outcome.into())
            },
            ok,
            retriable: ending.filter(|_| ok == Some(false)).map(|ending| is_retriable(ending.outcome)),
            confirmation: ending.and_then(confirmation),
            error: if missed { Some(absent()) } else { error },
            parts: if parts.len() > 1 {
                parts.iter().map(|part| PartBody::new(part, sees_holds)).collect()
            } else {
                Vec::new()
            },
            resolved_id: row.resolved().map(ToString::to_string),
            same_as: row.same_as,
            coalesced_with: row
                .coalesced_with
                .as_ref()
                .map(|(deletion, index)| CoalescedBody { deletion: deletion.to_string(), index: *index }),
            attempts: row.attempts,
            vendor: row.last_call.as_ref().map(|(operation, request_id)| VendorBody {
                operation: operation.to_string(),
                request_id: request_id.clone(),
            }),
            finished_at: row.finished_at.map(|at| at.to_string()),
            effects: target
                .filter(|_| is_planned)
                .map(|target| view.dispatch.effects(target))
                .unwrap_or_default(),
            found,
            not_found_out,
            quarantine: row.note.as_ref().and_then(|note| note.quarantine),
        }
    }
}

/// What a look at the vendor told: something, nothing (null), or why not.
#[expect(clippy::option_option, reason = "left out, null and a value are three answers")]
fn found(row: &ItemRow) -> (Option<Option<MediaBody>>, Option<String>) {
    let told = row.note.as_ref().and_then(|note| note.found.as_ref()).zip(row.wanted.as_ref());
    match told {
        None => (None, None),
        Some((Found::Untold(why), _)) => (None, Some(why.clone())),
        Some((Found::Missing, _)) => (Some(None), None),
        Some((Found::Stands(facts), wanted)) => {
            let id = facts.id.as_ref().map_or(wanted.target.name.as_str(), |id| id.as_str());
            // What is held is refused and no part of a plan.
            let media = MediaBody::new(&wanted.target.account, id, Facts::clone(facts), false);
            (Some(Some(media)), None)
        }
    }
}

/// Whether an outcome is what the caller wanted.
#[must_use]
pub fn is_ok(outcome: Outcome, if_absent: IfAbsent) -> bool {
    match outcome {
        Outcome::Deleted => true,
        Outcome::Absent => if_absent == IfAbsent::Ok,
        Outcome::Refused | Outcome::Busy | Outcome::Failed | Outcome::Unknown | Outcome::Canceled => false,
    }
}

fn is_retriable(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Busy | Outcome::Failed | Outcome::Unknown => true,
        Outcome::Deleted | Outcome::Absent | Outcome::Refused | Outcome::Canceled => false,
    }
}

/// One vendor call that carried an item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptBody {
    /// From 1, in order.
    pub number: u32,
    /// The vendor action.
    pub operation: String,
    /// What it was for.
    #[schema(value_type = PurposeWord)]
    pub purpose: &'static str,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    #[schema(value_type = ClassWord)]
    pub class: AttemptClass,
    /// The HTTP status of the vendor's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<u16>,
    /// The vendor's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub vendor_code: Option<String>,
    /// The vendor's request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_id: Option<String>,
}

/// An outcome that was given up for another.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Round)]
pub struct RoundBody {
    /// From 1, in order.
    pub number: u32,
    /// How it had ended.
    pub outcome: OutcomeWord,
    /// Why that was not ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<ItemErrorBody>,
    /// When it had ended.
    #[schema(format = DateTime)]
    pub finished_at: String,
    /// When that was given up.
    #[schema(format = DateTime)]
    pub reopened_at: String,
    /// Who gave it up.
    pub by: String,
    /// Why.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// Whether a caller decided what took its place; else it was tried again.
    pub settled: bool,
}

impl RoundBody {
    fn new(round: &Round, sees_holds: bool) -> Self {
        Self {
            number: round.number,
            outcome: round.ending.outcome.into(),
            error: round.ending.error.as_ref().map(|error| ItemErrorBody::new(error, sees_holds)),
            finished_at: round.finished_at.to_string(),
            reopened_at: round.reopened_at.to_string(),
            by: round.by.clone(),
            reason: round.reason.clone(),
            settled: round.settled,
        }
    }
}

/// An item with every call that carried it: the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptBody {
    /// The item.
    #[serde(flatten)]
    pub item: ItemBody,
    /// Every vendor call that carried it, oldest first.
    pub calls: Vec<AttemptBody>,
    /// Its earlier outcomes, oldest first.
    pub rounds: Vec<RoundBody>,
    /// The audit records that are about it, by their `seq`, oldest first.
    pub audit: Vec<i64>,
}

impl ReceiptBody {
    /// A receipt, as this caller sees it.
    #[must_use]
    pub fn new(receipt: &Receipt, view: View<'_>) -> Self {
        let wanted = receipt.item.wanted.as_ref();
        let sees_holds = wanted.is_some_and(|wanted| view.sees_holds(&wanted.target.account));
        Self {
            item: ItemBody::new(&receipt.item, view),
            calls: receipt.attempts.iter().map(AttemptBody::from).collect(),
            rounds: receipt.rounds.iter().map(|round| RoundBody::new(round, sees_holds)).collect(),
            audit: receipt.audit.clone(),
        }
    }
}

impl From<&AttemptRow> for AttemptBody {
    fn from(row: &AttemptRow) -> Self {
        let call = &row.call;
        Self {
            number: row.number,
            operation: call.lane.operation.to_string(),
            purpose: call.phase.as_str(),
            started_at: call.started_at.to_string(),
            duration_ms: u64::try_from(call.duration.as_millis()).unwrap_or(u64::MAX),
            class: call.class,
            http_status: call.status,
            vendor_code: call.vendor_code.clone(),
            request_id: call.request_id.clone(),
        }
    }
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<ItemBody>,
    /// Give it as `page_token` for the next page; null on the last.
    #[schema(required = true)]
    pub next_page_token: Option<String>,
}

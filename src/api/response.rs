//! What callers see of deletions, items, assets and accounts.
//!
//! Types become bodies here, in the words of the contract, each with its schema
//! for `openapi.yaml`. Nothing is decided: whether an item is ok or may be tried
//! again follows from its outcome alone.

use serde::Serialize;
use utoipa::ToSchema;

use super::words::{
    ClassWord, ConfirmationWord, DeletionStateWord, FamilyWord, ItemStateWord, KindWord, LaneReasonWord,
    LaneStateWord, OutcomeWord, PurposeWord, ReasonWord, SnapshotWord,
};
use crate::dispatch::{AccountView, LaneView};
use crate::journal::{AttemptRow, DeletionRow, ItemRow};
use crate::types::asset::{Facts, Source};
use crate::types::deletion::{IfAbsent, Part};
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::{AttemptClass, Ending, ItemError, Outcome, Reason};
use crate::types::target::{
    AccountId, Family, Kind, Name, Renditions, SnapshotType, Snapshots, Target, What,
};
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
    /// With `unsupported`: the kinds that the account's provider can serve.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<KindWord>)]
    pub supported: Vec<Kind>,
}

impl From<&ItemError> for ItemErrorBody {
    fn from(error: &ItemError) -> Self {
        Self {
            code: error.code,
            message: error.message.clone(),
            vendor_code: error.vendor_code.clone(),
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

impl From<&Part> for PartBody {
    fn from(part: &Part) -> Self {
        let ending = part.ending.as_ref();
        Self {
            part: part.name.to_string(),
            outcome: ending.map(|ending| ending.outcome.into()),
            confirmation: ending.and_then(confirmation),
            error: ending.and_then(|ending| ending.error.as_ref()).map(ItemErrorBody::from),
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

/// One target of a deletion, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemBody {
    /// The deletion that it belongs to.
    pub deletion: String,
    /// Its position in it, from 0.
    pub index: u32,
    /// What was asked for.
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
}

impl From<&ItemRow> for ItemBody {
    fn from(row: &ItemRow) -> Self {
        let ending = row.ending.as_ref();
        let ok = ending.map(|ending| is_ok(ending.outcome, row.if_absent));
        let error = ending.and_then(|ending| ending.error.as_ref()).map(ItemErrorBody::from);
        let missed = ending.is_some_and(|ending| ending.outcome == Outcome::Absent) && ok == Some(false);
        let absent = || ItemErrorBody::from(&ItemError::new(Reason::Absent, "not found in this account"));
        let parts = row.progress.as_ref().map(|progress| progress.parts.as_slice()).unwrap_or_default();
        Self {
            deletion: row.deletion.to_string(),
            index: row.key.index,
            target: row.wanted.as_ref().map(|wanted| (&wanted.target).into()),
            label: row.wanted.as_ref().and_then(|wanted| wanted.label.clone()),
            state: row.state.into(),
            outcome: ending.map(|ending| ending.outcome.into()),
            ok,
            retriable: ending.filter(|_| ok == Some(false)).map(|ending| is_retriable(ending.outcome)),
            confirmation: ending.and_then(confirmation),
            error: if missed { Some(absent()) } else { error },
            parts: if parts.len() > 1 { parts.iter().map(PartBody::from).collect() } else { Vec::new() },
            resolved_id: row.resolved().map(ToString::to_string),
            same_as: row.same_as,
            attempts: row.attempts,
            vendor: row.last_call.as_ref().map(|(operation, request_id)| VendorBody {
                operation: operation.to_string(),
                request_id: request_id.clone(),
            }),
            finished_at: row.finished_at.map(|at| at.to_string()),
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

/// An item with every call that carried it: the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptBody {
    /// The item.
    #[serde(flatten)]
    pub item: ItemBody,
    /// Every vendor call that carried it, oldest first.
    pub calls: Vec<AttemptBody>,
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

/// How many items stand where; they add up to the total.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Counts)]
pub struct CountsBody {
    /// All items.
    pub total: u64,
    /// Items without an outcome yet.
    pub pending: u64,
    /// Items with each outcome.
    pub deleted: u64,
    /// Not found.
    pub absent: u64,
    /// Refused.
    pub refused: u64,
    /// Busy.
    pub busy: u64,
    /// Failed.
    pub failed: u64,
    /// Unknown.
    pub unknown: u64,
    /// Never sent.
    pub canceled: u64,
}

/// One accepted request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Deletion)]
pub struct DeletionBody {
    /// Its name.
    #[schema(example = "del_01JD0000000000000000000000")]
    pub id: String,
    /// Where it stands.
    pub state: DeletionStateWord,
    /// Whether every item is ok, once it is finished.
    #[schema(required = true)]
    pub ok: Option<bool>,
    /// The caller's name.
    pub requested_by: String,
    /// The caller's reason.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its first vendor call was about to be made.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub started_at: Option<String>,
    /// When its last item ended.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub finished_at: Option<String>,
    /// How many items stand where.
    pub counts: CountsBody,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The items in input order, if there are at most 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub items: Option<Vec<ItemBody>>,
}

/// Absent items above which, in per cent, something is probably wrong …
const SUSPICIOUS_ABSENT_PERCENT: u64 = 90;
/// … in a deletion of at least this many items (API.md, States and outcomes).
const SUSPICIOUS_FROM: u64 = 1_000;

impl DeletionBody {
    /// A deletion with its items, if they were read, and the accounts of it that are blocked.
    #[must_use]
    pub fn new(row: &DeletionRow, items: Option<&[ItemRow]>, blocked: &[(AccountId, &'static str)]) -> Self {
        let counts = &row.counts;
        let mut warnings: Vec<String> = blocked
            .iter()
            .map(|(account, reason)| format!("account {account} is blocked ({reason}); its items wait"))
            .collect();
        let absent = counts.of(Outcome::Absent);
        if counts.total >= SUSPICIOUS_FROM && absent * 100 > counts.total * SUSPICIOUS_ABSENT_PERCENT {
            warnings.push("over 90 % are absent: wrong account, region or sub-application?".to_owned());
        }
        Self {
            id: row.id.to_string(),
            state: match row.state {
                DeletionState::Receiving | DeletionState::Running => DeletionStateWord::Running,
                DeletionState::Paused => DeletionStateWord::Paused,
                DeletionState::Canceled => DeletionStateWord::Canceled,
                DeletionState::Finished => DeletionStateWord::Finished,
            },
            ok: (row.state == DeletionState::Finished).then(|| counts.all_ok(row.if_absent)),
            requested_by: row.requested_by.clone(),
            reason: row.reason.clone(),
            created_at: row.created_at.to_string(),
            started_at: row.started_at.map(|at| at.to_string()),
            finished_at: row.finished_at.map(|at| at.to_string()),
            counts: CountsBody {
                total: counts.total,
                pending: counts.open(),
                deleted: counts.of(Outcome::Deleted),
                absent,
                refused: counts.of(Outcome::Refused),
                busy: counts.of(Outcome::Busy),
                failed: counts.of(Outcome::Failed),
                unknown: counts.of(Outcome::Unknown),
                canceled: counts.of(Outcome::Canceled),
            },
            warnings,
            items: items.map(|items| items.iter().map(ItemBody::from).collect()),
        }
    }
}

/// A page of deletions.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeletionPage {
    /// The deletions, newest first, without items.
    pub items: Vec<DeletionBody>,
    /// Give it as `page_token` for the next page; null on the last.
    #[schema(required = true)]
    pub next_page_token: Option<String>,
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

/// The uploaded source of an asset.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SourceFile)]
pub struct SourceBody {
    /// Bytes.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// Container format.
    #[schema(required = true)]
    pub format: Option<String>,
    /// Where it plays.
    #[schema(required = true)]
    pub url: Option<String>,
}

/// One playable output.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Rendition)]
pub struct RenditionBody {
    /// Name or template number.
    #[schema(required = true)]
    pub definition: Option<String>,
    /// The family, where the vendor has families.
    #[schema(value_type = Option<FamilyWord>, required = true)]
    pub family: Option<&'static str>,
    /// The vendor's job id, where it has one.
    #[schema(required = true)]
    pub job_id: Option<String>,
    /// Container format.
    #[schema(required = true)]
    pub format: Option<String>,
    /// Bytes.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// Where it plays.
    #[schema(required = true)]
    pub url: Option<String>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub struct SnapshotBody {
    /// Its type, where it is one that can be selected.
    #[serde(rename = "type")]
    #[schema(value_type = Option<SnapshotWord>, required = true)]
    pub kind: Option<&'static str>,
    /// Where it is.
    pub url: String,
}

/// What stands at the vendor.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediaBody {
    /// The vendor's id.
    pub id: String,
    /// The account.
    pub account: String,
    /// Title.
    #[schema(required = true)]
    pub title: Option<String>,
    /// The vendor's word for its state.
    #[schema(required = true)]
    pub status: Option<String>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub created_at: Option<String>,
    /// Bytes.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// Seconds.
    #[schema(required = true)]
    pub duration_s: Option<f64>,
    /// The uploaded source; null if it is gone or the vendor did not tell.
    #[schema(required = true)]
    pub source: Option<SourceBody>,
    /// Its playable outputs; null if the vendor did not tell.
    #[schema(required = true)]
    pub renditions: Option<Vec<RenditionBody>>,
    /// Its snapshots; null if the vendor did not tell.
    #[schema(required = true)]
    pub snapshots: Option<Vec<SnapshotBody>>,
}

impl MediaBody {
    /// What a vendor told of an asset.
    #[must_use]
    pub fn new(account: &AccountId, id: &str, facts: Facts) -> Self {
        Self {
            id: id.to_owned(),
            account: account.to_string(),
            title: facts.title,
            status: facts.status,
            created_at: facts.created_at.map(|at| at.to_string()),
            size_bytes: facts.size_bytes,
            duration_s: facts.duration_s,
            source: match facts.source {
                Some(Source::Stands(file)) => {
                    Some(SourceBody { size_bytes: file.size_bytes, format: file.format, url: file.url })
                }
                Some(Source::Gone) | None => None,
            },
            renditions: facts.renditions.map(|list| {
                list.into_iter()
                    .map(|rendition| RenditionBody {
                        definition: rendition.definition,
                        family: rendition.family.map(Family::as_str),
                        job_id: rendition.job_id,
                        format: rendition.format,
                        size_bytes: rendition.size_bytes,
                        url: rendition.url,
                    })
                    .collect()
            }),
            snapshots: facts.snapshots.map(|list| {
                list.into_iter()
                    .map(|snapshot| SnapshotBody {
                        kind: snapshot.kind.map(SnapshotType::as_str),
                        url: snapshot.url,
                    })
                    .collect()
            }),
        }
    }
}

/// The queue of one account and operation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Lane)]
pub struct LaneBody {
    /// The vendor action.
    pub operation: &'static str,
    /// Whether it sends.
    pub state: LaneStateWord,
    /// Why not.
    #[schema(value_type = Option<LaneReasonWord>, required = true)]
    pub reason: Option<&'static str>,
    /// The vendor's limit, in calls a second.
    pub qps: f64,
    /// Our part of it.
    pub share: f64,
    /// Calls a second that are granted now.
    pub rate_now: f64,
    /// Calls that could go at once.
    pub tokens: f64,
    /// Items that wait.
    pub queue_depth: u64,
    /// Answers that throttled, since the start; accounts of one quota group share it.
    pub throttled_total: u64,
}

impl From<&LaneView> for LaneBody {
    fn from(lane: &LaneView) -> Self {
        Self {
            operation: lane.operation,
            state: if lane.blocked.is_some() { LaneStateWord::Blocked } else { LaneStateWord::Ok },
            reason: lane.blocked.map(crate::types::outcome::LaneReason::as_str),
            qps: lane.bucket.full.qps,
            share: lane.bucket.full.share,
            rate_now: lane.bucket.rate_now,
            tokens: lane.bucket.tokens,
            queue_depth: lane.queue_depth,
            throttled_total: lane.bucket.throttled_total,
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountBody {
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: &'static str,
    /// Its region, where one is configured.
    #[schema(required = true)]
    pub region: Option<String>,
    /// The kinds that its provider can serve.
    #[schema(value_type = Vec<KindWord>)]
    pub kinds: &'static [Kind],
    /// `blocked` if any of its lanes is.
    pub state: LaneStateWord,
    /// Why.
    #[schema(value_type = Option<LaneReasonWord>, required = true)]
    pub reason: Option<&'static str>,
    /// Its lanes.
    pub lanes: Vec<LaneBody>,
}

impl From<&AccountView> for AccountBody {
    fn from(account: &AccountView) -> Self {
        Self {
            name: account.id.to_string(),
            provider: account.provider,
            region: account.region.clone(),
            kinds: account.kinds,
            state: if account.blocked.is_some() { LaneStateWord::Blocked } else { LaneStateWord::Ok },
            reason: account.blocked.map(crate::types::outcome::LaneReason::as_str),
            lanes: account.lanes.iter().map(LaneBody::from).collect(),
        }
    }
}

/// The accounts that the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountPage {
    /// The accounts, by name.
    pub items: Vec<AccountBody>,
    /// Always null: they fit on one page.
    #[schema(required = true)]
    pub next_page_token: Option<String>,
}

/// A page of a list: one more row than asked for tells that there is another page.
#[must_use]
pub fn page<T>(mut rows: Vec<T>, size: usize, token: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    if rows.len() <= size {
        return (rows, None);
    }
    rows.truncate(size);
    let next = rows.last().map(token);
    (rows, next)
}

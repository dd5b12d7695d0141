//! A deletion: where it stands, what it counts, when it should end.

use serde::Serialize;
use utoipa::ToSchema;

use super::View;
use super::item::ItemBody;
use crate::api::words::{ActionWord, DeletionStateWord, PauseCodeWord};
use crate::dispatch::forecast::Forecast;
use crate::journal::audit::Action;
use crate::journal::{DeletionRow, ItemRow};
use crate::types::deletion::Counts;
use crate::types::lifecycle::{Decision, DeletionState, Pause, PauseCode, Review};
use crate::types::outcome::Outcome;
use crate::types::target::AccountId;

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
    /// Items of a plan that would be sent.
    pub planned: u64,
}

impl CountsBody {
    /// The counts of a deletion in this state: what is open in a plan is planned.
    #[must_use]
    pub fn new(counts: &Counts, state: DeletionState) -> Self {
        let is_plan = state == DeletionState::Planned;
        Self {
            total: counts.total,
            pending: if is_plan { 0 } else { counts.open() },
            planned: if is_plan { counts.open() } else { 0 },
            deleted: counts.of(Outcome::Deleted),
            absent: counts.of(Outcome::Absent),
            refused: counts.of(Outcome::Refused),
            busy: counts.of(Outcome::Busy),
            failed: counts.of(Outcome::Failed),
            unknown: counts.of(Outcome::Unknown),
            canceled: counts.of(Outcome::Canceled),
        }
    }
}

/// When a deletion should end.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Forecast)]
pub struct ForecastBody {
    /// When its last item should end; null if it cannot be told or nothing is sent.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub finishes_at: Option<String>,
    /// Items that end in a second now.
    #[schema(required = true)]
    pub items_per_second: Option<f64>,
}

impl From<&Forecast> for ForecastBody {
    fn from(forecast: &Forecast) -> Self {
        Self {
            finishes_at: forecast.finishes_at.map(|at| at.to_string()),
            items_per_second: forecast.items_per_second,
        }
    }
}

/// Why a deletion is paused.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Pause)]
pub struct PauseBody {
    /// The stable word for programs.
    #[schema(value_type = PauseCodeWord)]
    pub code: PauseCode,
    /// A sentence for people, or the caller's own reason.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// The caller who paused it, if it was one.
    #[schema(required = true)]
    pub by: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<&Pause> for PauseBody {
    fn from(pause: &Pause) -> Self {
        Self {
            code: pause.code,
            reason: pause.reason.clone(),
            by: pause.by.clone(),
            at: pause.at.to_string(),
        }
    }
}

/// What a plan would take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanBody {
    /// Vendor calls, at least: each item is read first where it must be, and sent once.
    pub calls: u64,
    /// Seconds at the present rates, with nobody else at work.
    #[schema(required = true)]
    pub seconds: Option<f64>,
    /// Whether what stands at the vendor is still being looked up.
    pub checking: bool,
}

/// What somebody decided about a deletion.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Review)]
pub struct ReviewBody {
    /// `started`, `approved` or `rejected`.
    #[schema(value_type = ActionWord)]
    pub action: &'static str,
    /// The caller.
    pub by: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Why.
    #[schema(required = true)]
    pub reason: Option<String>,
}

fn reviews(review: &Review) -> Vec<ReviewBody> {
    let all = [
        (Action::Started, &review.started),
        (Action::Approved, &review.approved),
        (Action::Rejected, &review.rejected),
    ];
    let shown = |(action, decision): (Action, &Option<Decision>)| {
        decision.as_ref().map(|decision| ReviewBody {
            action: action.as_str(),
            by: decision.by.clone(),
            at: decision.at.to_string(),
            reason: decision.reason.clone(),
        })
    };
    all.into_iter().filter_map(shown).collect()
}

/// What is told beside a deletion's own row.
#[derive(Debug)]
pub struct Around<'a> {
    /// The accounts of it that are blocked.
    pub blocked: &'a [(AccountId, &'static str)],
    /// When it should end.
    pub forecast: Forecast,
    /// What it would take, if it is a plan.
    pub plan: Option<PlanBody>,
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
    /// Whether every item is ok, once all have ended.
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
    /// While it is paused: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pause: Option<PauseBody>,
    /// While it is planned or awaits approval: until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    pub expires_at: Option<String>,
    /// While it is scheduled: when it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    pub runs_at: Option<String>,
    /// Of a plan: what it would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub plan: Option<PlanBody>,
    /// Who started, approved or rejected it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<ReviewBody>,
    /// SHA-256 over the accounts, kinds, ids, selectors and options of its items, in order.
    #[schema(min_length = 64, max_length = 64)]
    pub digest: String,
    /// How many items stand where.
    pub counts: CountsBody,
    /// When it should end.
    pub forecast: ForecastBody,
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
    /// A deletion with its items, if they were read, as this caller sees it.
    #[must_use]
    pub fn new(row: &DeletionRow, items: Option<&[ItemRow]>, around: &Around<'_>, view: View<'_>) -> Self {
        let counts = &row.counts;
        let deadline = |fits: bool| row.deadline.filter(|_| fits).map(|at| at.to_string());
        let mut warnings: Vec<String> = around
            .blocked
            .iter()
            .map(|(account, reason)| format!("account {account} is blocked ({reason}); its items wait"))
            .collect();
        warnings.extend(
            is_suspicious(counts)
                .then(|| "over 90 % are absent: wrong account, region or sub-application?".to_owned()),
        );
        Self {
            id: row.id.to_string(),
            state: row.state.into(),
            ok: row.finished_at.map(|_| counts.all_ok(row.if_absent)),
            requested_by: row.requested_by.clone(),
            reason: row.reason.clone(),
            created_at: row.created_at.to_string(),
            started_at: row.started_at.map(|at| at.to_string()),
            finished_at: row.finished_at.map(|at| at.to_string()),
            pause: row.pause.as_ref().map(PauseBody::from),
            digest: row.digest.to_string(),
            expires_at: deadline(matches!(
                row.state,
                DeletionState::Planned | DeletionState::AwaitingApproval
            )),
            runs_at: deadline(row.state == DeletionState::Scheduled),
            plan: around.plan,
            reviews: reviews(&row.review),
            counts: CountsBody::new(counts, row.state),
            forecast: (&around.forecast).into(),
            warnings,
            items: items.map(|items| items.iter().map(|item| ItemBody::new(item, view)).collect()),
        }
    }
}

/// Whether so much is absent that something is probably wrong with the list or the account.
fn is_suspicious(counts: &Counts) -> bool {
    counts.total >= SUSPICIOUS_FROM
        && counts.of(Outcome::Absent) * 100 > counts.total * SUSPICIOUS_ABSENT_PERCENT
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

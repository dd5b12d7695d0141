//! The life cycle over HTTP: start, approve, reject, pause, resume, cancel, retry, settle.
//!
//! A verb is asked for, the journal decides by compare-and-set, and the answer is
//! the deletion as it stands then. Which verb fits which state is one table in
//! `types/lifecycle.rs`.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::{Beside, answer, describe, read, view, visible};
use super::auth::Who;
use super::body::{self, BodyLimits, Form};
use super::docs::{GoAheadProblems, VerbProblems};
use super::problem::Problem;
use super::request::{Query, verb};
use super::request_schema::{ApprovalBody, DecisionBody, GoAheadBody, VerbBody};
use super::response::{DeletionBody, ItemBody};
use crate::dispatch::submit::SubmitError;
use crate::guard::caller::Scope;
use crate::journal::{Asked, DeletionRow, Settled, Settlement, Turned};
use crate::types::deletion::ItemKey;
use crate::types::lifecycle::Verb;
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};
use crate::types::target::Kind;

/// Largest body of a verb: a reason of 1,000 characters, each written as an escape.
const MAX_VERB_BYTES: usize = 16 * 1024;

/// Everything that a verb comes with.
#[derive(Debug)]
pub struct Call {
    pub(super) who: Who,
    /// What the path names: a deletion, or an account.
    pub(super) id: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl FromRequest<Api> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let who = Who::from_request_parts(&mut parts, api).await.map_err(IntoResponse::into_response)?;
        let path = Path::from_request_parts(&mut parts, api).await;
        let Path(id) = path.map_err(IntoResponse::into_response)?;
        let query = parts.uri.query().map(str::to_owned);
        Ok(Self { who, id, query, headers: parts.headers, body })
    }
}

async fn turn(api: Api, call: Call, verb: Verb) -> Result<Response, Problem> {
    Query::parse(call.query.as_deref())?.end()?;
    let scope = if matches!(verb, Verb::Approve | Verb::Reject) { Scope::Approve } else { Scope::Delete };
    let deletion = visible(&api, &call.who, &call.id, scope).await?;
    may_let_go_on(&call.who, &deletion, verb)?;
    let body = read_body(&api, &call.headers, call.body).await?;
    let (digest, reason) = match verb {
        Verb::Start | Verb::Reject => verb::go_ahead(&body)?,
        Verb::Approve => verb::approval(&body)?,
        Verb::Pause | Verb::Resume | Verb::Cancel | Verb::Retry | Verb::Lapse => (None, verb::reason(&body)?),
    };
    let (by, daily_cap) = (call.who.0.name.clone(), call.who.0.caps.max_items_per_day);
    let turned =
        api.dispatch.turn(&deletion.id, Asked { reason, digest, daily_cap, ..Asked::of(verb, &by) }).await?;
    match turned {
        None => return Err(Problem::not_found("there is no such deletion")),
        Some(Turned::Wrong(row)) => {
            let (verb, state) = (verb.as_str(), row.state);
            return Err(Problem::new("wrong_state", format!("{verb} does not fit: the deletion is {state}")));
        }
        Some(Turned::OtherDigest(row)) => {
            let detail = format!("the deletion's digest is {}: look at its items again", row.digest);
            return Err(Problem::new("digest_mismatch", detail));
        }
        Some(Turned::Own(row)) => {
            let account = row.accounts.first().filter(|_| row.accounts.len() == 1).cloned();
            let told = format!("own_request: {} of {} by who asked for it", verb.as_str(), row.id);
            api.dispatch.refused(Some(&call.who.0.name), account, told);
            let detail =
                "who asked for a deletion, or started it, cannot approve or reject it; cancel it instead";
            return Err(Problem::new("own_request", detail));
        }
        Some(Turned::CapReached(cap)) => {
            let told = format!("daily_cap_exceeded: start of {}", deletion.id);
            api.dispatch.refused(Some(&call.who.0.name), None, told);
            return Err(Problem::of_day(&cap, api.clock.now()));
        }
        Some(Turned::Done(..) | Turned::Same(_)) => {}
    }
    let row = read(&api, &deletion.id).await?;
    let is_open = row.state.is_dead() && row.counts.open() > 0;
    let status = if is_open { StatusCode::ACCEPTED } else { StatusCode::OK };
    let beside = Beside { id: &row.id, patience: None, replayed: false };
    Ok(answer(status, &beside, Json(describe(&api, &call.who, &row).await?)))
}

/// What one caller asked for, a caller who may delete only some kinds cannot let go on.
fn may_let_go_on(who: &Who, deletion: &DeletionRow, verb: Verb) -> Result<(), Problem> {
    if let Some(limit) = who.0.caps.max_items.filter(|limit| *limit < deletion.counts.total)
        && verb == Verb::Start
    {
        return Err(SubmitError::TooManyItems { limit }.into());
    }
    let lets_go_on = matches!(verb, Verb::Start | Verb::Resume | Verb::Retry);
    let may_all = Kind::ALL.into_iter().all(|kind| who.0.may_delete(kind));
    if !lets_go_on || may_all || deletion.requested_by == who.0.name {
        return Ok(());
    }
    let detail = format!("this key may delete some kinds only: it can {} its own deletions", verb.as_str());
    Err(Problem::new("scope", detail))
}

/// A body that may be missing, but is JSON if it is there.
pub(super) async fn read_body(api: &Api, headers: &HeaderMap, body: Body) -> Result<body::Whole, Problem> {
    let limits = BodyLimits { max_json_bytes: MAX_VERB_BYTES, ..api.body_limits.clone() };
    let text = body::read_whole(headers, body, &limits).await?;
    if text.is_empty() || Form::of(headers)? == Form::Json {
        return Ok(text);
    }
    Err(Problem::new("unsupported_media_type", "send Content-Type: application/json"))
}

/// Make a plan real: exactly its items, with the policies that held when it was made.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/start",
    tag = "life cycle",
    operation_id = "startDeletion",
    extensions(("x-scope" = json!("delete"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = Option<GoAheadBody>, content_type = "application/json"),
    responses(
        (status = 200, description = "It runs, is scheduled, or awaits approval", body = DeletionBody),
        GoAheadProblems
    )
)]
pub async fn start(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Start).await
}

/// Let a deletion go on that awaits approval. The approver is another caller than the one who asked
/// for it, and tells by the digest what was looked at.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/approve",
    tag = "life cycle",
    operation_id = "approveDeletion",
    extensions(("x-scope" = json!("approve"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = ApprovalBody, content_type = "application/json"),
    responses((status = 200, description = "It runs or is scheduled", body = DeletionBody), GoAheadProblems)
)]
pub async fn approve(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Approve).await
}

/// Do not let it go on: nothing of it is ever sent.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/reject",
    tag = "life cycle",
    operation_id = "rejectDeletion",
    extensions(("x-scope" = json!("approve"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = Option<GoAheadBody>, content_type = "application/json"),
    responses(
        (status = 200, description = "It is rejected", body = DeletionBody),
        (status = 202, description = "It is rejected; some items have not ended yet", body = DeletionBody,
            headers(("Location" = String, description = "The deletion"), ("Retry-After" = i32, description = "Seconds"))),
        GoAheadProblems
    )
)]
pub async fn reject(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Reject).await
}

/// Send nothing more of it until it is resumed; what was sent ends by itself.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/pause",
    tag = "life cycle",
    operation_id = "pauseDeletion",
    extensions(("x-scope" = json!("delete"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "It is paused", body = DeletionBody), VerbProblems)
)]
pub async fn pause(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Pause).await
}

/// Go on with a paused one.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/resume",
    tag = "life cycle",
    operation_id = "resumeDeletion",
    extensions(("x-scope" = json!("delete"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "It goes on", body = DeletionBody), VerbProblems)
)]
pub async fn resume(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Resume).await
}

/// Send nothing more of it, for good. Items that were not sent become `canceled`; what was sent
/// ends by itself.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/cancel",
    tag = "life cycle",
    operation_id = "cancelDeletion",
    extensions(("x-scope" = json!("delete"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses(
        (status = 200, description = "It is canceled and every item has ended", body = DeletionBody),
        (status = 202, description = "It is canceled; some items have not ended yet", body = DeletionBody,
            headers(("Location" = String, description = "The deletion"), ("Retry-After" = i32, description = "Seconds"))),
        VerbProblems
    )
)]
pub async fn cancel(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Cancel).await
}

/// Open items that are `busy`, `failed` or `unknown` again: a new round in the same deletion.
///
/// Their earlier outcomes stay in their receipts. An `unknown` item that is not safe to repeat is
/// read first.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/retry",
    tag = "life cycle",
    operation_id = "retryDeletion",
    extensions(("x-scope" = json!("delete"))),
    params(("deletion" = String, Path, description = "The deletion's name")),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "What could be opened again is", body = DeletionBody), VerbProblems)
)]
pub async fn retry(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    turn(api, call, Verb::Retry).await
}

/// Decide an item that is `unknown`, by what an operator has found out. Nothing is sent.
#[utoipa::path(
    post,
    path = "/v1/deletions/{deletion}/items/{index}/settle",
    tag = "life cycle",
    operation_id = "settleItem",
    extensions(("x-scope" = json!("delete"))),
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("index" = u32, Path, description = "The item's position, from 0")
    ),
    request_body(content = DecisionBody, content_type = "application/json"),
    responses((status = 200, description = "The item, decided", body = ItemBody), VerbProblems)
)]
pub async fn settle(
    State(api): State<Api>,
    who: Who,
    Path((id, index)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ItemBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let missing = || Problem::not_found("there is no such item");
    let deletion = visible(&api, &who, &id, Scope::Delete).await?;
    // To decide an item is as much as to have it tried again.
    may_let_go_on(&who, &deletion, Verb::Retry)?;
    let index = index.parse::<u32>().map_err(|_| missing())?;
    let (outcome, reason) = verb::decision(&read_body(&api, &headers, body).await?)?;
    let key = ItemKey { deletion: deletion.seq, index };
    let settlement = Settlement { ending: decided(outcome), by: who.0.name.clone(), reason: Some(reason) };
    match api.dispatch.settle(key, settlement).await? {
        Settled::Done(row, _) => Ok(Json(ItemBody::new(&row, view(&api, &who)))),
        Settled::Wrong(row) => {
            let stands = row.ending.map_or(row.state.as_str(), |ending| ending.outcome.as_str());
            let detail = format!("the item is {stands}: only one that is unknown can be settled");
            Err(Problem::new("wrong_state", detail))
        }
        Settled::NoItem => Err(missing()),
    }
}

/// What an operator's word comes to.
fn decided(outcome: Outcome) -> Ending {
    match outcome {
        Outcome::Deleted => Ending::deleted(),
        Outcome::Absent => Ending::absent(),
        Outcome::Refused | Outcome::Busy | Outcome::Failed | Outcome::Unknown | Outcome::Canceled => {
            let error = ItemError::new(Reason::VendorError, "settled by an operator as failed");
            Ending::not_ok(Outcome::Failed, error)
        }
    }
}

//! Holds over HTTP: put, look, lift.
//!
//! A held asset is refused, whoever asks. Whether a target is under a hold is
//! decided in `guard`, when it is asked in `dispatch`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use jiff::Timestamp;

use super::actions::read_body;
use super::auth::Who;
use super::docs::{GuardProblems, ReadProblems};
use super::problem::{FieldError, Problem};
use super::request::{Query, verb};
use super::request_schema::NewHoldBody;
use super::response::{HoldBody, HoldPage, page};
use super::{Api, paging};
use crate::dispatch::holds::HoldError;
use crate::guard::caller::Scope;
use crate::types::hold::{Hold, HoldId};
use crate::types::target::AccountId;

/// Put a hold on an asset, or on all whose names fit a pattern (`promo-*`); a hold that is there is replaced.
///
/// It covers an asset by every name that is known of it and in all its parts. When this answers, no
/// call that begins carries it: what waits in a queue is refused, what was sent before ends by itself.
/// An id of the caller's own (`reference_id`) is looked up at the vendor, so that the asset is covered
/// by the vendor's id too.
#[utoipa::path(
    put,
    path = "/v1/accounts/{account}/holds/{id}",
    tag = "holds",
    operation_id = "putHold",
    extensions(("x-scope" = json!("hold"))),
    params(super::docs::HoldPath),
    request_body(content = NewHoldBody, content_type = "application/json"),
    responses((status = 200, description = "The hold", body = HoldBody), GuardProblems)
)]
pub async fn put(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<HoldBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Hold)?;
    let reason = verb::needed_reason(&read_body(&api, &headers, body).await?)?;
    let now = api.clock.now();
    let hold = Hold {
        account,
        id: hold_id(&id)?,
        asset: None,
        reason,
        held_by: who.0.name.clone(),
        // As it is kept: whole milliseconds.
        held_at: Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now),
    };
    match api.dispatch.hold(hold).await {
        Ok(hold) => Ok(Json(HoldBody::from(&hold))),
        Err(HoldError::TooMany) => {
            Err(Problem::new("too_many_holds", "there are too many holds: lift some, or use a pattern"))
        }
        Err(HoldError::Journal(error)) => Err(error.into()),
    }
}

/// One hold, by exactly its id or pattern.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/holds/{id}",
    tag = "holds",
    operation_id = "getHold",
    extensions(("x-scope" = json!("hold"))),
    params(super::docs::HoldPath),
    responses((status = 200, description = "The hold", body = HoldBody), ReadProblems)
)]
pub async fn show(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<HoldBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Hold)?;
    let id = HoldId::parse(&id).map_err(|_| missing())?;
    let holds = of_account(&api, &account).await?;
    holds.iter().find(|hold| hold.id == id).map(|hold| Json(HoldBody::from(hold))).ok_or_else(missing)
}

/// The holds of an account, by id.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/holds",
    tag = "holds",
    operation_id = "listHolds",
    extensions(("x-scope" = json!("hold"))),
    params(("account" = String, Path, description = "The account's name"), super::docs::PageParams),
    responses((status = 200, description = "A page of holds", body = HoldPage), ReadProblems)
)]
pub async fn list(
    State(api): State<Api>,
    who: Who,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<HoldPage>, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let size = paging::size(&mut query)?;
    let after: u32 = paging::token(&mut query)?.unwrap_or_default();
    query.end()?;
    let account = who.on(&api, &account, Scope::Hold)?;
    let first = usize::try_from(after).unwrap_or(usize::MAX);
    // A hold that is lifted between two pages moves the others up: the token counts, since ids may be lifted.
    let rows: Vec<(u32, Hold)> =
        (after..).zip(of_account(&api, &account).await?.into_iter().skip(first).take(size + 1)).collect();
    let (rows, next_page_token) = page(rows, size, |(n, _)| paging::write(n + 1));
    Ok(Json(HoldPage { items: rows.iter().map(|(_, hold)| HoldBody::from(hold)).collect(), next_page_token }))
}

/// Lift a hold. What was refused because of it stays refused: ask again.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/holds/{id}",
    tag = "holds",
    operation_id = "liftHold",
    extensions(("x-scope" = json!("hold"))),
    params(super::docs::HoldPath),
    responses((status = 200, description = "The hold that it was", body = HoldBody), GuardProblems)
)]
pub async fn lift(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<HoldBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    super::request::refuse_body(&headers)?;
    let account = who.on(&api, &account, Scope::Hold)?;
    let id = HoldId::parse(&id).map_err(|_| missing())?;
    let lifted = api.dispatch.lift(&account, &id, &who.0.name).await?;
    lifted.map(|hold| Json(HoldBody::from(&hold))).ok_or_else(missing)
}

async fn of_account(api: &Api, account: &AccountId) -> Result<Vec<Hold>, Problem> {
    let holds = api.dispatch.journal().holds().await?;
    Ok(holds.into_iter().filter(|hold| hold.account == *account).collect())
}

fn missing() -> Problem {
    Problem::not_found("there is no such hold")
}

fn hold_id(text: &str) -> Result<HoldId, Problem> {
    HoldId::parse(text).map_err(|bad| {
        Problem::invalid(vec![FieldError { pointer: "#/id".to_owned(), detail: bad.to_string() }])
    })
}

//! Stop switches over HTTP: of one account, and of all.
//!
//! Nothing more is sent from the next call on, reads included, until the switch is
//! lifted; a restart does not lift it. What waits goes on waiting and burns no try.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;

use super::Api;
use super::actions::read_body;
use super::auth::Who;
use super::docs::GuardProblems;
use super::problem::Problem;
use super::request::{Query, verb};
use super::request_schema::VerbBody;
use super::response::{AccountBody, StopBody, StopsBody};
use crate::guard::caller::Scope;
use crate::types::hold::Stop;
use crate::types::target::AccountId;

/// Stop an account: nothing more is sent for it until the switch is lifted.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/stop",
    tag = "stop switches",
    operation_id = "stopAccount",
    extensions(("x-scope" = json!("admin"))),
    params(("account" = String, Path, description = "The account's name")),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "The account, stopped", body = AccountBody), GuardProblems)
)]
pub async fn stop_account(
    State(api): State<Api>,
    who: Who,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AccountBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Admin)?;
    let reason = verb::reason(&read_body(&api, &headers, body).await?)?;
    api.dispatch.stop(new(&api, &who, Some(account.clone()), reason)).await?;
    shown(&api, &account)
}

/// Lift an account's stop switch. While all is stopped it stays stopped.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/start",
    tag = "stop switches",
    operation_id = "startAccount",
    extensions(("x-scope" = json!("admin"))),
    params(("account" = String, Path, description = "The account's name")),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "The account", body = AccountBody), GuardProblems)
)]
pub async fn start_account(
    State(api): State<Api>,
    who: Who,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AccountBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Admin)?;
    let reason = verb::reason(&read_body(&api, &headers, body).await?)?;
    api.dispatch.restart(Some(account.clone()), &who.0.name, reason).await?;
    shown(&api, &account)
}

/// Stop everything: nothing more is sent for any account until the switch is lifted.
#[utoipa::path(
    post,
    path = "/v1/stop",
    tag = "stop switches",
    operation_id = "stopAll",
    extensions(("x-scope" = json!("admin")), ("x-accounts" = json!("all"))),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "The switches that are on", body = StopsBody), GuardProblems)
)]
pub async fn stop_all(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<StopsBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    of_all(&who)?;
    let reason = verb::reason(&read_body(&api, &headers, body).await?)?;
    api.dispatch.stop(new(&api, &who, None, reason)).await?;
    Ok(Json(switches(&api)))
}

/// Lift the stop switch of all. Accounts that have one of their own stay stopped.
#[utoipa::path(
    post,
    path = "/v1/start",
    tag = "stop switches",
    operation_id = "startAll",
    extensions(("x-scope" = json!("admin")), ("x-accounts" = json!("all"))),
    request_body(content = Option<VerbBody>, content_type = "application/json"),
    responses((status = 200, description = "The switches that are still on", body = StopsBody), GuardProblems)
)]
pub async fn start_all(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<StopsBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    of_all(&who)?;
    let reason = verb::reason(&read_body(&api, &headers, body).await?)?;
    api.dispatch.restart(None, &who.0.name, reason).await?;
    Ok(Json(switches(&api)))
}

/// A switch of all is for who may touch all.
fn of_all(who: &Who) -> Result<(), Problem> {
    who.has(Scope::Admin)?;
    let detail = "this key does not see every account: it can stop and start accounts one by one";
    if who.0.sees_all() { Ok(()) } else { Err(Problem::new("scope", detail)) }
}

fn new(api: &Api, who: &Who, account: Option<AccountId>, reason: Option<String>) -> Stop {
    Stop { account, reason, by: who.0.name.clone(), at: api.clock.now() }
}

fn shown(api: &Api, account: &AccountId) -> Result<Json<AccountBody>, Problem> {
    let view = api.dispatch.account(account).ok_or_else(|| Problem::not_found("there is no such account"))?;
    Ok(Json(AccountBody::from(&view)))
}

fn switches(api: &Api) -> StopsBody {
    StopsBody { stops: api.dispatch.stops().iter().map(StopBody::from).collect() }
}

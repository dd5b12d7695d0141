//! Stop switches over HTTP: of one account, and of all.
//!
//! Nothing more is sent from the next call on, reads included, until the switch is
//! lifted; a restart does not lift it. What waits goes on waiting and burns no try.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;

use super::Api;
use super::actions::{Call, read_body};
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
pub async fn stop_account(State(api): State<Api>, call: Call) -> Result<Json<AccountBody>, Problem> {
    switch_account(&api, call, true).await
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
pub async fn start_account(State(api): State<Api>, call: Call) -> Result<Json<AccountBody>, Problem> {
    switch_account(&api, call, false).await
}

async fn switch_account(api: &Api, call: Call, stops: bool) -> Result<Json<AccountBody>, Problem> {
    Query::parse(call.query.as_deref())?.end()?;
    let account = call.who.on(api, &call.id, Scope::Admin)?;
    let reason = verb::reason(&read_body(api, &call.headers, call.body).await?)?;
    switch(api, &call.who, Some(account.clone()), reason, stops).await?;
    let view =
        api.dispatch.account(&account).ok_or_else(|| Problem::not_found("there is no such account"))?;
    Ok(Json(AccountBody::from(&view)))
}

/// Sets a switch, or lifts it.
async fn switch(
    api: &Api,
    who: &Who,
    account: Option<AccountId>,
    reason: Option<String>,
    stops: bool,
) -> Result<(), Problem> {
    let by = who.0.name.clone();
    if stops {
        api.dispatch.stop(Stop { account, reason, by, at: api.clock.now() }).await?;
    } else {
        api.dispatch.restart(account, &by, reason).await?;
    }
    Ok(())
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
    switch_all(&api, &who, query.as_deref(), &headers, body, true).await
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
    switch_all(&api, &who, query.as_deref(), &headers, body, false).await
}

async fn switch_all(
    api: &Api,
    who: &Who,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
    stops: bool,
) -> Result<Json<StopsBody>, Problem> {
    Query::parse(query)?.end()?;
    who.has(Scope::Admin)?;
    if !who.0.sees_all() {
        let detail = "this key does not see every account: it can stop and start accounts one by one";
        return Err(Problem::new("scope", detail));
    }
    let reason = verb::reason(&read_body(api, headers, body).await?)?;
    switch(api, who, None, reason, stops).await?;
    Ok(Json(StopsBody { stops: api.dispatch.stops().iter().map(StopBody::from).collect() }))
}

//! Accounts and their lanes, for operators.
//!
//! What is configured, what waits, what is blocked and why; and the one thing an
//! operator can do about it here: probe now instead of in a minute.

use axum::Json;
use axum::extract::{Path, RawQuery, State};

use super::Api;
use super::auth::Who;
use super::docs::ReadProblems;
use super::problem::Problem;
use super::request::Query;
use super::response::{AccountBody, AccountPage};
use crate::guard::caller::Scope;

/// The accounts that the caller may see, with their lanes.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    tag = "accounts",
    operation_id = "listAccounts",
    extensions(("x-scope" = json!("read"))),
    responses((status = 200, description = "The accounts", body = AccountPage), ReadProblems)
)]
pub async fn list(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
) -> Result<Json<AccountPage>, Problem> {
    who.has(Scope::Read)?;
    Query::parse(query.as_deref())?.end()?;
    let seen = api.dispatch.account_ids().into_iter().filter(|account| who.0.sees(account));
    let items =
        seen.filter_map(|id| api.dispatch.account(&id)).map(|view| AccountBody::from(&view)).collect();
    Ok(Json(AccountPage { items, next_page_token: None }))
}

/// One account with its lanes: quota, queue, and why it is blocked if it is.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}",
    tag = "accounts",
    operation_id = "getAccount",
    extensions(("x-scope" = json!("read"))),
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, description = "The account", body = AccountBody), ReadProblems)
)]
pub async fn show(
    State(api): State<Api>,
    who: Who,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AccountBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Read)?;
    let view =
        api.dispatch.account(&account).ok_or_else(|| Problem::not_found("there is no such account"))?;
    Ok(Json(AccountBody::from(&view)))
}

/// Probe a blocked account now with a harmless read; it opens if the read goes through.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/unblock",
    tag = "accounts",
    operation_id = "unblockAccount",
    extensions(("x-scope" = json!("delete"))),
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, description = "The account after the probe", body = AccountBody), ReadProblems)
)]
pub async fn unblock(
    State(api): State<Api>,
    who: Who,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AccountBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Delete)?;
    let view = api.dispatch.unblock(&account).await;
    let view = view.ok_or_else(|| Problem::not_found("there is no such account"))?;
    Ok(Json(AccountBody::from(&view)))
}

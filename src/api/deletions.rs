//! Deletions over HTTP: accept many, look at one, list, the receipt of an item.
//!
//! Handlers parse, submit or read, and answer. They learn outcomes from the
//! journal, woken by `dispatch`, so that it does not matter who did the work.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

use super::auth::Who;
use super::docs::{ReadProblems, SubmitProblems};
use super::problem::Problem;
use super::request::{self, Patience, Query};
use super::request_schema::NewDeletionBody;
use super::response::{DeletionBody, DeletionPage, ItemBody, ItemPage, ReceiptBody, page};
use super::{Api, body, paging};
use crate::dispatch::submit::{Accepted, Request};
use crate::dispatch::wake::Watch;
use crate::guard::caller::Scope;
use crate::journal::{DeletionFilter, DeletionRow, ItemFilter, ItemRow, Receipt};
use crate::types::deletion::{DeletionId, ItemKey, ItemState};
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::Outcome;
use crate::types::target::{AccountId, Target};

/// Most items that stand inside a deletion.
pub const MAX_INLINE_ITEMS: u64 = 1_000;
/// When to look again at work that goes on.
pub const LOOK_AGAIN_S: u64 = 2;

/// Delete many: accepted as a whole or not at all.
///
/// Accounts and vendors may be mixed. Equal targets are sent once and every position is
/// answered; different targets on one asset run one after another, in order. The answer waits up
/// to 10 s for the outcome, or as `Prefer` says; the work goes on whether or not anybody waits.
#[utoipa::path(
    post,
    path = "/v1/deletions",
    tag = "deletions",
    operation_id = "createDeletion",
    params(super::docs::PreferHeader),
    request_body(content = NewDeletionBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Finished; every item is ok", body = DeletionBody,
            headers(("Location" = String, description = "The deletion"))),
        (status = 207, description = "Finished; some item is not ok", body = DeletionBody,
            headers(("Location" = String, description = "The deletion"))),
        (status = 202, description = "Accepted and still going", body = DeletionBody,
            headers(("Location" = String, description = "The deletion"), ("Retry-After" = i32, description = "Seconds"))),
        SubmitProblems
    )
)]
pub async fn create(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    who.has(Scope::Delete)?;
    Query::parse(query.as_deref())?.end()?;
    request::refuse_unserved_headers(&headers)?;
    let patience = request::prefer(&headers);
    let text = body::read_json(&headers, body, api.body_limits).await?;
    let sees = |account: &AccountId| who.0.sees(account) && api.dispatch.has_account(account);
    let asked = request::deletion(&text, &sees)?;
    let accepted = api
        .dispatch
        .submit(Request {
            requested_by: who.0.name.clone(),
            reason: asked.reason,
            if_absent: asked.if_absent,
            wanted: asked.wanted,
            waits: !patience.is_async,
            once: None,
        })
        .await?;
    let Accepted { id, mut watch, finished, .. } = accepted;
    // Behind a blocked lane the answer comes at once, with a warning that says so.
    let time = if finished { Duration::ZERO } else { patience.wait };
    let row = wait(&api, &id, &mut watch, time, true).await?;
    let body = describe(&api, &row).await?;
    let status = match (row.state, body.ok) {
        (DeletionState::Finished, Some(true)) => StatusCode::OK,
        (DeletionState::Finished, _) => StatusCode::MULTI_STATUS,
        (_, _) => StatusCode::ACCEPTED,
    };
    Ok(answer(status, &id, &patience, Json(body)))
}

/// Waits until a deletion has ended, the time is up, or waiting longer is pointless.
///
/// `until_blocked`: it is pointless once a lane that holds up an item is blocked.
async fn wait(
    api: &Api,
    id: &DeletionId,
    watch: &mut Watch,
    time: Duration,
    until_blocked: bool,
) -> Result<DeletionRow, Problem> {
    let time_is_up = tokio::time::sleep(time);
    tokio::pin!(time_is_up);
    loop {
        // Subscribed before looking: an end between the two wakes us.
        let row = read(api, id).await?;
        let is_over = row.state == DeletionState::Finished || time.is_zero();
        if is_over || (until_blocked && !blocked(api, &row).await?.is_empty()) {
            return Ok(row);
        }
        tokio::select! {
            () = watch.woken() => {}
            () = &mut time_is_up => return read(api, id).await,
            // The work goes on after the next start; the caller should not wait for that.
            () = api.dispatch.stopping() => return read(api, id).await,
        }
    }
}

async fn read(api: &Api, id: &DeletionId) -> Result<DeletionRow, Problem> {
    let row = api.dispatch.journal().deletion(id).await?;
    row.ok_or_else(|| Problem::not_found("there is no such deletion"))
}

/// Waiting items that are looked at to tell what holds a deletion up.
const WAITING_SAMPLE: usize = 100;

/// The accounts whose blocked lanes hold up items of this deletion, as far as its first waiting items tell.
async fn blocked(api: &Api, row: &DeletionRow) -> Result<Vec<(AccountId, &'static str)>, Problem> {
    let may_hold = |account: &AccountId| api.dispatch.blocked(account).is_some();
    if row.state == DeletionState::Finished || !row.accounts.iter().any(may_hold) {
        return Ok(Vec::new());
    }
    let waiting = ItemFilter { state: Some(ItemState::Pending), ..ItemFilter::default() };
    let waiting = api.dispatch.journal().items(row.seq, waiting, WAITING_SAMPLE).await?;
    let mut accounts: Vec<(AccountId, &'static str)> = Vec::new();
    for target in waiting.iter().filter_map(|item| Some(&item.wanted.as_ref()?.target)) {
        if let Some(reason) = api.dispatch.holds_up(target)
            && accounts.iter().all(|(known, _)| *known != target.account)
        {
            accounts.push((target.account.clone(), reason.as_str()));
        }
    }
    Ok(accounts)
}

async fn describe(api: &Api, row: &DeletionRow) -> Result<DeletionBody, Problem> {
    let items = if row.counts.total <= MAX_INLINE_ITEMS {
        let most = usize::try_from(MAX_INLINE_ITEMS).unwrap_or(usize::MAX);
        Some(api.dispatch.journal().items(row.seq, ItemFilter::default(), most).await?)
    } else {
        None
    };
    Ok(DeletionBody::new(row, items.as_deref(), &blocked(api, row).await?))
}

/// An answer about an accepted deletion, with the headers that tell where and how it goes on.
pub(super) fn answer(
    status: StatusCode,
    id: &DeletionId,
    patience: &Patience,
    body: impl IntoResponse,
) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    put(LOCATION, format!("/v1/deletions/{id}"));
    if status == StatusCode::ACCEPTED {
        put(RETRY_AFTER, LOOK_AGAIN_S.to_string());
    }
    if let Some(applied) = patience.applied() {
        put(HeaderName::from_static("preference-applied"), applied);
    }
    response
}

/// Waits for the one item of a single-target DELETE.
pub(super) async fn wait_for_item(
    api: &Api,
    accepted: &mut Accepted,
    target: &Target,
    time: Duration,
) -> Result<ItemRow, Problem> {
    let time_is_up = tokio::time::sleep(time);
    tokio::pin!(time_is_up);
    let mut is_over = accepted.finished || time.is_zero();
    let mut look_now = is_over || api.dispatch.holds_up(target).is_some();
    loop {
        if !look_now {
            tokio::select! {
                () = accepted.watch.woken() => {}
                () = &mut time_is_up => is_over = true,
                () = api.dispatch.stopping() => is_over = true,
            }
        }
        look_now = false;
        let rows = api.dispatch.journal().items(accepted.seq, ItemFilter::default(), 1).await?;
        let Some(row) = rows.into_iter().next() else {
            return Err(Problem::new("internal", "the journal lost sight of an item it had accepted"));
        };
        let is_decided = match row.state {
            ItemState::Done => true,
            // Its call is under way and its outcome may still come, whatever closed the gate meanwhile.
            ItemState::Sending => false,
            ItemState::Pending => api.dispatch.holds_up(target).is_some(),
        };
        if is_over || is_decided {
            return Ok(row);
        }
    }
}

/// The deletion that a path names, if the caller may see it.
async fn visible(api: &Api, who: &Who, id: &str) -> Result<DeletionRow, Problem> {
    who.has(Scope::Read)?;
    let missing = || Problem::not_found("there is no such deletion");
    let id = DeletionId::parse(id).ok_or_else(missing)?;
    let row = read(api, &id).await?;
    // One that touches an account the caller may not see looks like one that is not there.
    if row.accounts.iter().all(|account| who.0.sees(account)) { Ok(row) } else { Err(missing()) }
}

/// One deletion: state, counts and, up to 1,000, its items. 200 whatever the outcome.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}",
    tag = "deletions",
    operation_id = "getDeletion",
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("wait" = Option<String>, Query, nullable = false, pattern = "^[0-9]+(ms|s|m|h|d)$", description = "Wait up to this long (at most 60s) for the end", example = "30s")
    ),
    responses((status = 200, description = "The deletion", body = DeletionBody), ReadProblems)
)]
pub async fn show(
    State(api): State<Api>,
    who: Who,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeletionBody>, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let time = query.read("wait", "a duration of at most 60s, such as 30s", |text| {
        crate::types::duration::parse(text).ok().filter(|time| *time <= request::MAX_WAIT)
    })?;
    query.end()?;
    let mut row = visible(&api, &who, &id).await?;
    if let Some(time) = time {
        let mut watch = api.dispatch.subscribe(&row.id);
        // A block does not end it: whoever polls would only come back at once.
        row = wait(&api, &row.id, &mut watch, time, false).await?;
    }
    Ok(Json(describe(&api, &row).await?))
}

/// Deletions, newest first, without their items.
#[utoipa::path(
    get,
    path = "/v1/deletions",
    tag = "deletions",
    operation_id = "listDeletions",
    params(
        ("account" = Option<String>, Query, nullable = false, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", description = "Only those that touch this account"),
        ("state" = Option<super::words::DeletionStateWord>, Query, description = "Only those in this state"),
        ("requested_by" = Option<String>, Query, description = "Only those of this caller"),
        ("since" = Option<String>, Query, nullable = false, format = DateTime, description = "Only those accepted at or after this time", example = "2026-11-20T00:00:00Z"),
        ("until" = Option<String>, Query, nullable = false, format = DateTime, description = "Only those accepted before this time"),
        super::docs::PageParams
    ),
    responses((status = 200, description = "A page of deletions", body = DeletionPage), ReadProblems)
)]
pub async fn list(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
) -> Result<Json<DeletionPage>, Problem> {
    who.has(Scope::Read)?;
    let mut query = Query::parse(query.as_deref())?;
    let size = paging::size(&mut query)?;
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let filter = DeletionFilter {
        // Who sees everything also sees what names accounts that are not configured any more.
        visible: (!who.0.sees_all())
            .then(|| api.dispatch.account_ids().into_iter().filter(|account| who.0.sees(account)).collect()),
        account: query.read("account", "an account's name", |text| AccountId::parse(text).ok())?,
        state: query.read("state", "running or finished", DeletionState::parse)?,
        requested_by: query.one("requested_by")?,
        since: query.read("since", "a time such as 2026-11-20T00:00:00Z", time)?,
        until: query.read("until", "a time such as 2026-11-20T00:00:00Z", time)?,
        before: paging::token(&mut query)?,
    };
    query.end()?;
    let rows = api.dispatch.journal().deletions(filter, size + 1).await?;
    let (rows, next_page_token) = page(rows, size, |row| paging::write(row.seq));
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(DeletionBody::new(row, None, &blocked(&api, row).await?));
    }
    Ok(Json(DeletionPage { items, next_page_token }))
}

/// Items of one deletion, by position.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}/items",
    tag = "deletions",
    operation_id = "listItems",
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("outcome" = Option<super::words::OutcomeWord>, Query, description = "Only those with this outcome"),
        ("state" = Option<super::words::ItemStateWord>, Query, description = "Only those in this state"),
        super::docs::PageParams
    ),
    responses(
        (status = 200, description = "A page of items", body = ItemPage),
        (status = 406, description = "Only JSON is served", body = super::problem::ProblemBody,
            content_type = "application/problem+json"),
        ReadProblems
    )
)]
pub async fn items(
    State(api): State<Api>,
    who: Who,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<ItemPage>, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let size = paging::size(&mut query)?;
    let filter = ItemFilter {
        outcome: query.read("outcome", "an outcome", Outcome::parse)?,
        state: query.read("state", "pending, sending or done", ItemState::parse)?,
        from: paging::token::<u32>(&mut query)?.unwrap_or_default(),
    };
    query.end()?;
    paging::accepts_json(&headers)?;
    let deletion = visible(&api, &who, &id).await?;
    let rows = api.dispatch.journal().items(deletion.seq, filter, size + 1).await?;
    let (rows, next_page_token) = page(rows, size, |row| paging::write(row.key.index + 1));
    Ok(Json(ItemPage { items: rows.iter().map(ItemBody::from).collect(), next_page_token }))
}

/// One item with every vendor call that carried it: the receipt.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}/items/{index}",
    tag = "deletions",
    operation_id = "getItem",
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("index" = u32, Path, description = "The item's position, from 0")
    ),
    responses((status = 200, description = "The item and its calls", body = ReceiptBody), ReadProblems)
)]
pub async fn item(
    State(api): State<Api>,
    who: Who,
    Path((id, index)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<ReceiptBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let missing = || Problem::not_found("there is no such item");
    let index = index.parse::<u32>().map_err(|_| missing())?;
    let deletion = visible(&api, &who, &id).await?;
    let key = ItemKey { deletion: deletion.seq, index };
    let Receipt { item: row, attempts, .. } = api.dispatch.journal().item(key).await?.ok_or_else(missing)?;
    Ok(Json(ReceiptBody { item: ItemBody::from(&row), calls: attempts.iter().map(Into::into).collect() }))
}

/// What ever happened to this asset, newest first.
#[utoipa::path(
    get,
    path = "/v1/items",
    tag = "deletions",
    operation_id = "findItems",
    params(
        ("account" = String, Query, description = "The account"),
        ("id" = String, Query, min_length = 1, max_length = 2048, description = "The asset's id, reference id or URL, as it was asked for"),
        super::docs::PageParams
    ),
    responses((status = 200, description = "A page of items", body = ItemPage), ReadProblems)
)]
pub async fn find(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
) -> Result<Json<ItemPage>, Problem> {
    who.has(Scope::Read)?;
    let mut query = Query::parse(query.as_deref())?;
    let size = paging::size(&mut query)?;
    let needed = |name: &str| Problem::malformed(format!("the query parameter `{name}` is missing"));
    let account = query.one("account")?.ok_or_else(|| needed("account"))?;
    let id = query.one("id")?.ok_or_else(|| needed("id"))?;
    let before = paging::item_token(&mut query)?;
    query.end()?;
    let account = who.on(&api, &account, Scope::Read)?;
    let rows = api.dispatch.journal().items_of(&account, &id, before, size + 1).await?;
    let (rows, next_page_token) = page(rows, size, |row| paging::write_item(row.key));
    Ok(Json(ItemPage { items: rows.iter().map(ItemBody::from).collect(), next_page_token }))
}

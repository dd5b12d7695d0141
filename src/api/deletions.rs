//! Deletions over HTTP: accept many, look at one, list.
//!
//! Handlers parse, submit or read, and answer. They learn outcomes from the
//! journal, woken by `dispatch`, so that it does not matter who did the work.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::answer::{Beside, answer, describe, summary, visible, wait};
use super::auth::Who;
use super::body::{self, Form};
use super::docs::{ReadProblems, SubmitProblems};
use super::idempotency::Fingerprint;
use super::intake::{self, Incoming, Received};
use super::problem::Problem;
use super::request::{self, Query};
use super::request_schema::NewDeletionBody;
use super::response::{DeletionBody, DeletionPage, page};
use super::{Api, paging};
use crate::dispatch::submit::{Accepted, Request};
use crate::guard::caller::Scope;
use crate::journal::DeletionFilter;
use crate::types::lifecycle::DeletionState;
use crate::types::target::AccountId;

/// Delete many: accepted as a whole or not at all.
///
/// Accounts and vendors may be mixed. Equal targets are sent once and every position is
/// answered; different targets on one asset run one after another, in order. The answer waits up
/// to 10 s for the outcome, or as `Prefer` says; the work goes on whether or not anybody waits.
///
/// Longer lists are uploaded as `application/x-ndjson` (a target a line) or `text/plain` (an id a
/// line; blank lines and lines that begin with `#` are skipped), up to 1,000,000 items and 512 MiB.
/// A line that cannot be read is one refused item with its line number, and the rest goes on; an
/// upload that breaks off leaves nothing behind. Uploads do not wait for the outcome unless
/// `Prefer: wait=N` asks for it. The query parameters are for uploads only.
#[utoipa::path(
    post,
    path = "/v1/deletions",
    tag = "deletions",
    operation_id = "createDeletion",
    extensions(("x-scope" = json!("delete"))),
    params(super::docs::UploadParams, super::docs::PreferHeader, super::docs::KeyHeader),
    request_body(content(
        (NewDeletionBody = "application/json"),
        (String = "application/x-ndjson"),
        (String = "text/plain")
    )),
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
    let form = Form::of(&headers)?;
    let mut patience = request::prefer(&headers);
    let sum = Fingerprint::of(&["POST /v1/deletions", form.as_str(), query.as_deref().unwrap_or_default()]);
    let key = api.key_rules.key(&headers)?.map(|key| (key, sum));
    let received = match form {
        Form::Json => {
            Query::parse(query.as_deref())?.end()?;
            let text = body::read_json(&headers, body, &api.body_limits).await?;
            Received::New(submit(&api, &who, &text, key, patience.is_async).await?)
        }
        Form::Ndjson | Form::Text => {
            patience = patience.of_upload();
            let incoming = Incoming { who: &who, form, query: query.as_deref(), headers: &headers, key };
            intake::receive(&api, incoming, body).await?
        }
    };
    let (id, mut watch, finished, replayed) = match received {
        Received::New(Accepted { id, watch, finished, replayed, .. }) => (id, watch, finished, replayed),
        Received::Known(id) => (id.clone(), api.dispatch.subscribe(&id), false, true),
    };
    // Behind a blocked lane the answer comes at once, with a warning that says so.
    let time = if finished { Duration::ZERO } else { patience.wait };
    let row = wait(&api, &id, &mut watch, time, true).await?;
    let body = describe(&api, &who, &row).await?;
    let status = match (body.ok, row.state) {
        (Some(true), _) => StatusCode::OK,
        (Some(false), _) => StatusCode::MULTI_STATUS,
        // A plan that is made is an answer: what is not planned in it is not ok.
        (None, DeletionState::Planned) if row.chore.is_none() => {
            let all_planned = row.counts.open() == row.counts.total;
            if all_planned { StatusCode::OK } else { StatusCode::MULTI_STATUS }
        }
        (None, _) => StatusCode::ACCEPTED,
    };
    Ok(answer(status, &Beside { id: &id, patience: Some(&patience), replayed }, Json(body)))
}

/// A JSON body becomes a deletion.
async fn submit(
    api: &Api,
    who: &Who,
    text: &[u8],
    key: Option<(String, Fingerprint)>,
    is_async: bool,
) -> Result<Accepted, Problem> {
    let sees = |account: &AccountId| who.0.sees(account) && api.dispatch.has_account(account);
    let asked = request::deletion(text, &sees)?;
    let request = Request {
        caller: Arc::clone(&who.0),
        reason: asked.reason,
        if_absent: asked.if_absent,
        wish: asked.wish,
        wanted: asked.wanted,
        waits: !is_async,
        once: key.map(|(key, sum)| api.key_rules.once(key, sum, text)),
    };
    Ok(api.dispatch.submit(request).await?)
}

/// One deletion: state, counts and, up to 1,000, its items. 200 whatever the outcome.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}",
    tag = "deletions",
    operation_id = "getDeletion",
    extensions(("x-scope" = json!("read"))),
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("wait" = Option<String>, Query, nullable = false, pattern = "^0*(([0-9]|[1-5][0-9]|60)s|([0-9]{1,4}|[1-5][0-9]{4}|60000)ms|[01]m|0[hd])$", description = "Wait up to this long (at most 60s) for the end", example = "30s")
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
    let mut row = visible(&api, &who, &id, Scope::Read).await?;
    if let Some(time) = time {
        let mut watch = api.dispatch.subscribe(&row.id);
        // A block does not end it: whoever polls would only come back at once.
        row = wait(&api, &row.id, &mut watch, time, false).await?;
    }
    Ok(Json(describe(&api, &who, &row).await?))
}

/// Deletions, newest first, without their items.
#[utoipa::path(
    get,
    path = "/v1/deletions",
    tag = "deletions",
    operation_id = "listDeletions",
    extensions(("x-scope" = json!("read"))),
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
        state: query.read("state", "running, paused, finished or canceled", DeletionState::parse)?,
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
        items.push(summary(&api, &who, row).await?);
    }
    Ok(Json(DeletionPage { items, next_page_token }))
}

//! `GET /v1/audit`: who asked, approved, was refused, and what was sent and answered.
//!
//! Pages as JSON, or records as NDJSON from a place on. A caller reads records of
//! the accounts that it sees, and those about no account if it sees all.

use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;

use super::auth::Who;
use super::docs::StreamProblems;
use super::problem::Problem;
use super::request::Query;
use super::response::{AuditPage, AuditRecordBody, page};
use super::seats::Seat;
use super::stream::failed;
use super::{Api, accept, paging};
use crate::guard::caller::Scope;
use crate::journal::audit::{Action, AuditFilter, Record};
use crate::types::deletion::DeletionId;
use crate::types::target::AccountId;

/// Records of one chunk of a stream.
const CHUNK: usize = 100;
const NDJSON: &str = "application/x-ndjson";

/// Audit records, newest first: a page of them as JSON, or all of them as NDJSON.
///
/// Each has the hash of the one before it; `vodrm audit verify` finds any that was changed, removed or
/// moved. Vendor calls are told by ranges of items, not item by item: the item's receipt has the rest.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "operations",
    operation_id = "listAudit",
    extensions(("x-scope" = json!("read"))),
    params(super::docs::AuditParams, super::docs::PageParams),
    responses(
        (status = 200, description = "A page of records, or all of them", content(
            (AuditPage = "application/json"),
            (String = "application/x-ndjson")
        )),
        StreamProblems
    )
)]
pub async fn list(
    State(api): State<Api>,
    who: Who,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    who.has(Scope::Read)?;
    let mut query = Query::parse(query.as_deref())?;
    let given_size = paging::given_size(&mut query)?;
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let filter = AuditFilter {
        visible: if who.0.sees_all() { None } else { Some(seen(&api, &who)) },
        actor: query.one("actor")?,
        action: query.read("action", "an audit action", Action::parse)?,
        account: query.read("account", "an account's name", |text| AccountId::parse(text).ok())?,
        deletion: query.read("deletion", "a deletion's name", DeletionId::parse)?,
        since: query.read("since", "a time such as 2026-11-20T10:00:00Z", time)?,
        until: query.read("until", "a time such as 2026-11-20T10:00:00Z", time)?,
        before: paging::token::<i64>(&mut query)?,
    };
    query.end()?;
    let form = accept::choose(&headers, &["application/json", NDJSON])?;
    if form == NDJSON {
        if given_size.is_some() {
            return Err(Problem::malformed("a stream has no pages: leave page_size out"));
        }
        let seat = api.seats.take(&who.0.name)?;
        return Ok(stream(api, who, filter, seat));
    }
    let size = given_size.unwrap_or(paging::DEFAULT_SIZE);
    let rows = api.dispatch.journal().audited(filter, size + 1).await?;
    let (rows, next_page_token) = page(rows, size, |record| paging::write(record.seq));
    let items = rows.iter().map(|record| shown(&who, record)).collect();
    Ok(Json(AuditPage { items, next_page_token }).into_response())
}

fn seen(api: &Api, who: &Who) -> Vec<AccountId> {
    api.dispatch.account_ids().into_iter().filter(|account| who.0.sees(account)).collect()
}

fn shown(who: &Who, record: &Record) -> AuditRecordBody {
    let account = record.entry.account.as_ref();
    let sees_holds = account.map_or(who.0.has(Scope::Hold), |account| who.0.may(Scope::Hold, account));
    AuditRecordBody::new(record, sees_holds)
}

/// Chunk by chunk, each read when the connection asks for it.
fn stream(api: Api, who: Who, filter: AuditFilter, seat: Seat) -> Response {
    let start = Some((api, who, filter, seat));
    let chunks = futures_util::stream::unfold(start, |state| async move {
        let (api, who, mut filter, seat) = state?;
        if api.dispatch.is_stopping() {
            return Some((Err(io::Error::other("the service is stopping")), None));
        }
        let records = match api.dispatch.journal().audited(filter.clone(), CHUNK).await {
            Ok(records) => records,
            Err(error) => return Some((Err(failed(&error)), None)),
        };
        filter.before = Some(records.last()?.seq);
        let mut chunk = Vec::new();
        for record in &records {
            // Bodies are made of strings and numbers and a vector takes all: this cannot fail.
            if serde_json::to_writer(&mut chunk, &shown(&who, record)).is_ok() {
                chunk.push(b'\n');
            }
        }
        Some((Ok::<_, io::Error>(Bytes::from(chunk)), Some((api, who, filter, seat))))
    });
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(chunks)).into_response()
}

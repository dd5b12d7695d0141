//! Items over HTTP: pages of them, all of them as a stream, the receipt of one.
//!
//! Its own file for the forms that a list of items comes in; how a stream is fed
//! is `stream.rs`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::answer::{view, visible};
use super::auth::Who;
use super::docs::{ReadProblems, StreamProblems};
use super::problem::Problem;
use super::request::Query;
use super::response::{ItemBody, ItemPage, ReceiptBody, page};
use super::stream::{self, Shape};
use super::words::OutcomeWord;
use super::{Api, accept, paging};
use crate::guard::caller::Scope;
use crate::journal::{ItemFilter, ItemRow};
use crate::types::deletion::{ItemKey, ItemState};
use crate::types::lifecycle::DeletionState;
use crate::types::outcome::Outcome;

/// Items of one deletion, by position: a page of them as JSON, or all of them as NDJSON or CSV.
///
/// NDJSON and CSV are streams, each row as it stands when it is read; they begin at `page_token`
/// if one is given and end with the last item. One that is cut off (a reader that takes nothing
/// for 30 s, a stop of the service) does not end in order, so that nobody takes it for the whole.
/// In CSV, text that callers or vendors wrote and that begins with `=`, `+`, `-` or `@` has a `\'`
/// before it, so that no spreadsheet runs it as a formula; ids and accounts stand as they are, since
/// programs join by them and no formula can be written in their alphabet.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}/items",
    tag = "deletions",
    operation_id = "listItems",
    extensions(("x-scope" = json!("read"))),
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("outcome" = Option<super::words::OutcomeWord>, Query, description = "Only those with this outcome"),
        ("state" = Option<super::words::ItemStateWord>, Query, description = "Only those in this state"),
        super::docs::PageParams
    ),
    responses(
        (status = 200, description = "A page of items, or all of them", content(
            (ItemPage = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv")
        )),
        StreamProblems
    )
)]
pub async fn list(
    State(api): State<Api>,
    who: Who,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let given_size = paging::given_size(&mut query)?;
    let outcome = query.read("outcome", "an outcome", Wanted::parse)?;
    let state = query.read("state", "pending, sending or done", ItemState::parse)?;
    let from = paging::token::<u32>(&mut query)?.unwrap_or_default();
    query.end()?;
    let form = accept::choose(&headers, &["application/json", Shape::Ndjson.kind(), Shape::Csv.kind()])?;
    let deletion = visible(&api, &who, &id, Scope::Read).await?;
    let filter = filter(deletion.state, outcome, state, from);
    if let Some(shape) = Shape::of(form) {
        if given_size.is_some() {
            return Err(Problem::malformed("a stream has no pages: leave page_size out"));
        }
        let seat = api.seats.take(&who.0.name)?;
        return Ok(stream::items(&api, who, &deletion, filter, shape, seat));
    }
    let size = given_size.unwrap_or(paging::DEFAULT_SIZE);
    let rows = api.dispatch.journal().items(deletion.seq, filter, size + 1).await?;
    let (rows, next_page_token) = page(rows, size, |row| paging::write(row.key.index + 1));
    Ok(Json(ItemPage { items: shown(&api, &who, &rows), next_page_token }).into_response())
}

/// The outcome that items are asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// One that items have in the journal.
    Given(Outcome),
    /// What the open items of a plan are shown as.
    Planned,
}

impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        let planned = (text == OutcomeWord::PLANNED).then_some(Self::Planned);
        Outcome::parse(text).map(Self::Given).or(planned)
    }
}

/// What is asked for, in the journal's words: the open items of a plan are shown as done and planned.
fn filter(
    deletion: DeletionState,
    outcome: Option<Wanted>,
    state: Option<ItemState>,
    from: u32,
) -> ItemFilter {
    // No item is open and has an outcome.
    let nothing = ItemFilter { outcome: Some(Outcome::Canceled), state: Some(ItemState::Pending), from };
    let is_plan = deletion == DeletionState::Planned;
    let pending = ItemFilter { outcome: None, state: Some(ItemState::Pending), from };
    match (outcome, state) {
        (Some(Wanted::Planned), Some(ItemState::Done) | None) if is_plan => pending,
        (Some(Wanted::Planned), _) => nothing,
        (None, Some(ItemState::Pending)) if is_plan => nothing,
        // Both what has ended and what is planned: all of it.
        (None, Some(ItemState::Done)) if is_plan => ItemFilter { outcome: None, state: None, from },
        (Some(Wanted::Given(outcome)), state) => ItemFilter { outcome: Some(outcome), state, from },
        (None, state) => ItemFilter { outcome: None, state, from },
    }
}

fn shown(api: &Api, who: &Who, rows: &[ItemRow]) -> Vec<ItemBody> {
    rows.iter().map(|row| ItemBody::new(row, view(api, who))).collect()
}

/// One item with every vendor call that carried it and its earlier outcomes: the receipt.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}/items/{index}",
    tag = "deletions",
    operation_id = "getItem",
    extensions(("x-scope" = json!("read"))),
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("index" = u32, Path, description = "The item's position, from 0")
    ),
    responses((status = 200, description = "The item and its calls", body = ReceiptBody), ReadProblems)
)]
pub async fn show(
    State(api): State<Api>,
    who: Who,
    Path((id, index)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<ReceiptBody>, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let missing = || Problem::not_found("there is no such item");
    let index = index.parse::<u32>().map_err(|_| missing())?;
    let deletion = visible(&api, &who, &id, Scope::Read).await?;
    let key = ItemKey { deletion: deletion.seq, index };
    let receipt = api.dispatch.journal().item(key).await?.ok_or_else(missing)?;
    Ok(Json(ReceiptBody::new(&receipt, view(&api, &who))))
}

/// What ever happened to this asset, newest first.
#[utoipa::path(
    get,
    path = "/v1/items",
    tag = "deletions",
    operation_id = "findItems",
    extensions(("x-scope" = json!("read"))),
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
    Ok(Json(ItemPage { items: shown(&api, &who, &rows), next_page_token }))
}

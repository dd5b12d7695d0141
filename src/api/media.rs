//! One target at a time: the single-target DELETEs, and what stands there.
//!
//! A single-target DELETE is a deletion with one item, so it is journaled, sent
//! and retried like any other; only the answer is the item itself, with a status
//! of its own. The five handlers differ in what they name and nothing else.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::{Beside, answer, view, wait_for_item};
use super::auth::Who;
use super::docs::{DeleteProblems, LookProblems};
use super::idempotency::Fingerprint;
use super::problem::{FieldError, Problem};
use super::request::{self, Query, query};
use super::response::{ItemBody, MediaBody};
use super::words::OutcomeWord;
use crate::dispatch::submit::{InvalidField, Request, SubmitError};
use crate::guard::caller::Scope;
use crate::guard::policy::Wish;
use crate::types::deletion::Wanted;
use crate::types::target::{MediaId, Name, Target, What};

type Reading<T> = fn(&mut Query) -> Result<T, Problem>;

/// Everything that a single-target DELETE comes with.
struct Single {
    who: Who,
    account: String,
    id: String,
    query: Option<String>,
    headers: HeaderMap,
}

async fn delete(api: Api, single: Single, what: Reading<What>) -> Result<Response, Problem> {
    let account = single.who.on(&api, &single.account, Scope::Delete)?;
    request::refuse_body(&single.headers)?;
    let key = api.key_rules.key(&single.headers)?;
    let patience = request::prefer(&single.headers);
    let raw = single.query.as_deref().unwrap_or_default();
    let mut given = Query::parse(Some(raw))?;
    let what = what(&mut given)?;
    let (if_absent, reason, dry_run) = query::delete_query(&mut given)?;
    given.end()?;
    let id = media_id(&single.id)?;
    let target = Target { account, name: Name::Id(id), what };
    let once = key.map(|key| {
        let parts = ["DELETE", target.kind().as_str(), target.account.as_str(), target.name.as_str(), raw];
        api.key_rules.once(key, Fingerprint::of(&parts), &[])
    });
    let request = Request {
        caller: Arc::clone(&single.who.0),
        reason,
        if_absent,
        wish: Wish { dry_run, ..Wish::default() },
        wanted: vec![Wanted { target: target.clone(), label: None }],
        waits: !patience.is_async,
        once,
    };
    let mut accepted = api.dispatch.submit(request).await.map_err(of_one_target)?;
    let row = wait_for_item(&api, &mut accepted, &target, patience.wait).await?;
    let item = ItemBody::new(&row, view(&api, &single.who));
    let beside = Beside { id: &accepted.id, patience: Some(&patience), replayed: accepted.replayed };
    Ok(match item.ok {
        None if item.outcome == Some(OutcomeWord::Planned) => answer(StatusCode::OK, &beside, Json(item)),
        None => answer(StatusCode::ACCEPTED, &beside, Json(item)),
        Some(true) => answer(StatusCode::OK, &beside, Json(item)),
        Some(false) => {
            let problem = Problem::of_item(item);
            let status = problem.status();
            answer(status, &beside, problem)
        }
    })
}

/// A path has no `targets`: pointers lead to the query's fields instead.
fn of_one_target(error: SubmitError) -> Problem {
    let SubmitError::Invalid(fields) = error else { return error.into() };
    let fault =
        |field: InvalidField| FieldError { pointer: format!("#{}", field.field), detail: field.message };
    Problem::invalid(fields.into_iter().map(fault).collect())
}

fn media_id(text: &str) -> Result<MediaId, Problem> {
    MediaId::parse(text)
        .map_err(|bad| Problem::invalid(vec![FieldError { pointer: "#/id".to_owned(), detail: bad.0 }]))
}

/// Delete one asset and everything made from it.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/media/{id}",
    tag = "delete one",
    operation_id = "deleteMedia",
    extensions(("x-scope" = json!("delete"))),
    params(super::docs::AssetPath, super::docs::DeleteParams, super::docs::PreferHeader, super::docs::KeyHeader),
    responses(
        (status = 200, description = "`deleted`, or `absent` where that is ok", body = ItemBody),
        (status = 202, description = "Accepted and still going", body = ItemBody),
        DeleteProblems
    )
)]
pub async fn delete_media(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    delete(api, Single { who, account, id, query, headers }, |_| Ok(What::Media)).await
}

/// Delete only the uploaded source of an asset.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/media/{id}/source",
    tag = "delete one",
    operation_id = "deleteSource",
    extensions(("x-scope" = json!("delete"))),
    params(
        super::docs::AssetPath,
        ("force" = Option<bool>, Query, description = "Also where playback needs it"),
        super::docs::DeleteParams,
        super::docs::PreferHeader,
        super::docs::KeyHeader
    ),
    responses(
        (status = 200, description = "`deleted`, or `absent` where that is ok", body = ItemBody),
        (status = 202, description = "Accepted and still going", body = ItemBody),
        DeleteProblems
    )
)]
pub async fn delete_source(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    delete(api, Single { who, account, id, query, headers }, |query| {
        Ok(What::Source { force: query.flag("force")? })
    })
    .await
}

/// Delete only renditions of an asset: some by selector, or all.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/media/{id}/renditions",
    tag = "delete one",
    operation_id = "deleteRenditions",
    extensions(("x-scope" = json!("delete"))),
    params(
        super::docs::AssetPath,
        ("definition" = Option<Vec<String>>, Query, description = "Names such as HD, or template numbers; may repeat"),
        ("job_id" = Option<Vec<String>>, Query, description = "The vendor's job ids; may repeat"),
        ("family" = Option<super::words::FamilyWord>, Query, description = "The family; without definitions all of it"),
        ("all" = Option<bool>, Query, description = "Every rendition; not beside a selector"),
        super::docs::DeleteParams,
        super::docs::PreferHeader,
        super::docs::KeyHeader
    ),
    responses(
        (status = 200, description = "`deleted`, or `absent` where that is ok", body = ItemBody),
        (status = 202, description = "Accepted and still going", body = ItemBody),
        DeleteProblems
    )
)]
pub async fn delete_renditions(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    delete(api, Single { who, account, id, query, headers }, |given| {
        query::renditions_query(given).map(What::Renditions)
    })
    .await
}

/// Delete only snapshots of an asset: some types, or all.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/media/{id}/snapshots",
    tag = "delete one",
    operation_id = "deleteSnapshots",
    extensions(("x-scope" = json!("delete"))),
    params(
        super::docs::AssetPath,
        ("type" = Option<Vec<super::words::SnapshotWord>>, Query, description = "The types; may repeat"),
        ("all" = Option<bool>, Query, description = "Every type; not beside a type"),
        super::docs::DeleteParams,
        super::docs::PreferHeader,
        super::docs::KeyHeader
    ),
    responses(
        (status = 200, description = "`deleted`, or `absent` where that is ok", body = ItemBody),
        (status = 202, description = "Accepted and still going", body = ItemBody),
        DeleteProblems
    )
)]
pub async fn delete_snapshots(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    delete(api, Single { who, account, id, query, headers }, |given| {
        query::snapshots_query(given).map(What::Snapshots)
    })
    .await
}

/// Delete one uploaded image.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/images/{id}",
    tag = "delete one",
    operation_id = "deleteImage",
    extensions(("x-scope" = json!("delete"))),
    params(super::docs::AssetPath, super::docs::DeleteParams, super::docs::PreferHeader, super::docs::KeyHeader),
    responses(
        (status = 200, description = "`deleted`, or `absent` where that is ok", body = ItemBody),
        (status = 202, description = "Accepted and still going", body = ItemBody),
        DeleteProblems
    )
)]
pub async fn delete_image(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    delete(api, Single { who, account, id, query, headers }, |_| Ok(What::Image)).await
}

/// Delete one auxiliary asset.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/attached-media/{id}",
    tag = "delete one",
    operation_id = "deleteAttachedMedia",
    extensions(("x-scope" = json!("delete"))),
    params(super::docs::AssetPath, super::docs::DeleteParams, super::docs::PreferHeader, super::docs::KeyHeader),
    responses(
        (status = 200, description = "`deleted`, or `absent` where that is ok", body = ItemBody),
        (status = 202, description = "Accepted and still going", body = ItemBody),
        DeleteProblems
    )
)]
pub async fn delete_attached_media(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    delete(api, Single { who, account, id, query, headers }, |_| Ok(What::AttachedMedia)).await
}

/// What stands at the vendor under this id. Asks the vendor; deletes nothing.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/media/{id}",
    tag = "accounts",
    operation_id = "getMedia",
    extensions(("x-scope" = json!("read"))),
    params(super::docs::AssetPath),
    responses((status = 200, description = "What stands there", body = MediaBody), LookProblems)
)]
pub async fn show(
    State(api): State<Api>,
    who: Who,
    Path((account, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref())?.end()?;
    let account = who.on(&api, &account, Scope::Read)?;
    let id = media_id(&id)?;
    match api.dispatch.look(&account, &id).await? {
        Some(facts) => {
            let held = api.dispatch.held(&account, &id);
            Ok(Json(MediaBody::new(&account, id.as_str(), facts, held)).into_response())
        }
        None => Err(Problem::not_found("nothing stands under this id in this account")),
    }
}

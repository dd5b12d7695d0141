//! HTTP in. The only folder that knows axum and status codes.
//!
//! A request passes, outermost first: its id and span → counted → problems rendered →
//! a panic caught → refused if it is ambiguous → the caller, held against what the route
//! declares → (except health) shed if too many are at work → the route. Handlers parse,
//! submit or read, and answer; what may be deleted and when it goes out is decided below.
//! Health and metrics stay outside the shedding, so that they answer when it matters.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The id of a request.
pub mod request_id;

/// Every failure becomes problem+json.
pub mod problem;

/// Requests that mean one thing.
mod plain;

/// What every route needs.
pub mod scopes;

/// Who calls.
pub mod auth;

/// Bodies within bounds.
pub mod body;

/// Which form of an answer the caller likes.
pub mod accept;

/// One request, one deletion.
pub mod idempotency;

/// JSON without duplicate keys.
pub mod json;

/// The only parsers of client input.
pub mod request;

/// Lists of targets, read as streams.
pub mod intake;

/// The schema of what callers send.
pub mod request_schema;

/// Single-target deletes, and what stands there.
pub mod media;

/// Deletions.
pub mod deletions;

/// Items.
pub mod items;

/// The life cycle: pause, resume, cancel, retry, settle.
pub mod actions;

/// Holds.
pub mod holds;

/// Stop switches.
pub mod stops;

/// Who did what.
pub mod audit;

/// A deletion as it happens.
pub mod events;

/// Waiting for a deletion, and describing it.
mod answer;

/// Items as a stream.
mod stream;

/// Seats for answers that are streamed.
pub mod seats;

/// Accounts and lanes.
pub mod accounts;

/// Pages and their tokens.
pub mod paging;

/// The closed lists of words.
pub mod words;

/// What callers see.
pub mod response;

/// Health and metrics.
pub mod health;

/// The contract and its rendered page.
pub mod docs;

use crate::dispatch::Dispatch;
use crate::guard::bad_keys::BadKeys;
use crate::guard::caller::Callers;
use crate::guard::jwt::Issuers;
use crate::types::clock::Clock;
use crate::types::metrics::{HttpLabels, Metrics};
use scopes::{Needs, Undeclared};

/// What handlers work with. Layers, routes and extractors each hold one, so a
/// clone for each of them and each request must cost next to nothing.
#[derive(Debug, Clone)]
pub struct Api(Arc<Parts>);

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What an [`Api`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Work out.
    pub dispatch: Dispatch,
    /// Who may call.
    pub callers: Arc<Callers>,
    /// Whose tokens are taken.
    pub issuers: Issuers,
    /// Bad credentials by address.
    pub bad_keys: Mutex<BadKeys>,
    /// What is counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bounds of bodies.
    pub body_limits: body::BodyLimits,
    /// Bounds of uploads.
    pub upload_limits: intake::UploadLimits,
    /// What is asked of callers' keys.
    pub key_rules: idempotency::KeyRules,
    /// How many answers are streamed.
    pub seats: Arc<seats::Seats>,
    /// Requests at work at once, health aside.
    pub max_requests_in_flight: usize,
    /// Operators' pages need no key.
    pub public_docs: bool,
    /// The service is about to stop: not ready any more.
    pub draining: CancellationToken,
}

/// Every documented route.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(docs::base()).merge(work()).merge(reserved())
}

/// Routes that are shed under load.
fn work() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(media::delete_media, media::show))
        .routes(routes!(media::delete_source))
        .routes(routes!(media::delete_renditions))
        .routes(routes!(media::delete_snapshots))
        .routes(routes!(media::delete_image))
        .routes(routes!(media::delete_attached_media))
        .routes(routes!(deletions::create, deletions::list))
        .routes(routes!(deletions::show))
        .routes(routes!(events::watch))
        .routes(routes!(items::list))
        .routes(routes!(items::show))
        .routes(routes!(items::find))
        .routes(routes!(actions::start))
        .routes(routes!(actions::approve))
        .routes(routes!(actions::reject))
        .routes(routes!(actions::resume))
        .routes(routes!(actions::retry))
        .routes(routes!(actions::settle))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::show))
        .routes(routes!(accounts::unblock))
        .routes(routes!(holds::list))
        .routes(routes!(audit::list))
}

/// Routes that answer even while everything else is shed.
fn reserved() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        // What an operator needs most when everything else is too much.
        .routes(routes!(actions::pause))
        .routes(routes!(actions::cancel))
        .routes(routes!(stops::stop_account))
        .routes(routes!(stops::start_account))
        .routes(routes!(stops::stop_all))
        .routes(routes!(stops::start_all))
        .routes(routes!(holds::put, holds::show, holds::lift))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(docs::openapi))
}

/// The whole service. Fails if a route does not say who may enter it.
pub fn router(parts: Parts) -> Result<Router, Undeclared> {
    let api = Api(Arc::new(parts));
    let needs = Arc::new(Needs::of(&docs::document())?.with_pages(&docs::PAGES));
    let shed = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: tower::BoxError| async { StatusCode::SERVICE_UNAVAILABLE }))
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(api.max_requests_in_flight));
    let around_all = ServiceBuilder::new()
        .layer(from_fn(request_id::assign))
        .layer(from_fn_with_state(api.clone(), count))
        .layer(from_fn(problem::render))
        .layer(CatchPanicLayer::custom(caught))
        .layer(from_fn(plain::only_plain))
        .layer(from_fn_with_state((api.clone(), needs), auth::require));
    let (work, _) = work().split_for_parts();
    let (reserved, _) = reserved().split_for_parts();
    let routes = Router::new()
        .merge(work.merge(docs::page()).layer(shed))
        .merge(reserved)
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(around_all);
    Ok(routes.with_state(api))
}

/// Counts a request and says how it ended.
async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = api.clock.uptime();
    let method = method_word(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let took = api.clock.uptime().saturating_sub(started);
    let status = response.status().as_u16();
    api.metrics.http_seconds.observe(took.as_secs_f64());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(method, route, status, duration_ms, "request");
    api.metrics.http_requests.get_or_create(&HttpLabels { method, route, status }).inc();
    response
}

/// Methods as a closed set: a caller may send any word.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn caught(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(panic = text, "a handler panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn boom() -> StatusCode {
        panic!("canary: what a panic says is for the log")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let around_all = ServiceBuilder::new()
            .layer(from_fn(request_id::assign))
            .layer(from_fn(problem::render))
            .layer(CatchPanicLayer::custom(caught));
        let app: Router = Router::new().route("/", get(boom)).layer(around_all);
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(r#""code":"internal""#) && !text.contains("canary"), "{text}");
    }
}

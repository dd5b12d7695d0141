//! Health and metrics. These answer even while everything else is shed.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::problem::{Problem, ProblemBody};

/// Alive or ready.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthBody {
    /// `ok`.
    pub status: &'static str,
}

/// Whether the process runs.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    operation_id = "live",
    extensions(("x-scope" = json!("none"))),
    security(()),
    responses((status = 200, description = "It runs", body = HealthBody))
)]
pub async fn live() -> Json<HealthBody> {
    Json(HealthBody { status: "ok" })
}

/// Whether it takes work: the journal can be written and the process is not stopping.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    operation_id = "ready",
    extensions(("x-scope" = json!("none"))),
    security(()),
    responses(
        (status = 200, description = "It takes work", body = HealthBody),
        (status = 503, description = "It does not: `not_ready`", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = i32, description = "Seconds")))
    )
)]
pub async fn ready(State(api): State<Api>) -> Result<Json<HealthBody>, Problem> {
    if api.draining.is_cancelled() || api.dispatch.is_stopping() {
        return Err(Problem::new("not_ready", "the service is stopping").retry_after(5));
    }
    if !api.dispatch.is_healthy() {
        return Err(Problem::new("not_ready", "the journal cannot be written").retry_after(5));
    }
    Ok(Json(HealthBody { status: "ok" }))
}

/// Prometheus metrics, as `OpenMetrics` text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "metrics",
    extensions(("x-scope" = json!("read-unless-public"))),
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "application/openmetrics-text"),
        super::docs::KeyProblems
    )
)]
pub async fn metrics(State(api): State<Api>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], api.metrics.text()).into_response()
}

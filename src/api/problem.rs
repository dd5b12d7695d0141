//! Every failure becomes RFC 9457 problem+json here, and nowhere else.
//!
//! A `Problem` is what a handler returns; `render`, the layer around all
//! routes, writes its body with the request's id and path, and turns bare errors
//! of the frame (no such route, wrong method, a panic, shed load) into problems
//! too. `detail` is for the caller and never holds a vendor's text or a secret.

use std::time::Duration;

use axum::extract::{OriginalUri, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::request_id::RequestId;
use super::response::ItemBody;
use super::words::OutcomeWord;
use crate::dispatch::ReadError;
use crate::dispatch::submit::SubmitError;
use crate::journal::{self, CapReached};
use crate::types::outcome::Reason;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The closed list of problem types: code, status, title, and whether the same request may work later.
pub const CODES: &[(&str, u16, &str, bool)] = &[
    ("malformed", 400, "The request is malformed", false),
    ("idempotency_key_required", 400, "A delete needs an Idempotency-Key here", false),
    ("unauthenticated", 401, "No valid credentials", false),
    ("scope", 403, "The key does not allow this", false),
    ("cap_exceeded", 403, "More items than this caller may have in one deletion", false),
    ("own_request", 403, "Who asked for it cannot approve or reject it", false),
    ("forbidden", 403, "The vendor does not allow this account to delete it", false),
    ("not_found", 404, "There is no such thing", false),
    ("absent", 404, "The asset was not found in this account", false),
    ("method_not_allowed", 405, "The method does not fit the path", false),
    ("not_acceptable", 406, "The answer cannot be given in an accepted form", false),
    ("body_too_slow", 408, "The body came too slowly", true),
    ("busy", 409, "The vendor's status forbids it now", true),
    ("too_many_holds", 409, "There are too many holds", false),
    ("wrong_state", 409, "The state does not allow this", false),
    ("canceled", 409, "It was canceled before it was sent", false),
    ("idempotency_key_busy", 409, "A request with this key is still being received", true),
    ("digest_mismatch", 412, "The digest is not the deletion's", false),
    ("too_large", 413, "The request is too large", false),
    ("unsupported_media_type", 415, "The body's type is not supported", false),
    ("invalid", 422, "Some fields are invalid", false),
    ("unsupported", 422, "The account's provider cannot do this", false),
    ("idempotency_key_reused", 422, "The key was used for another request", false),
    ("not_served", 422, "This part of the contract is not served yet", false),
    ("held", 423, "The asset is under a hold", false),
    ("protected", 423, "The asset is protected", false),
    ("daily_cap_exceeded", 429, "This caller's items of the day are used up", true),
    ("queue_full", 429, "Too many items wait for this account", true),
    ("too_many_streams", 429, "This caller has too many streams open", true),
    ("too_many_bad_keys", 429, "Too many bad keys came from this address", true),
    ("internal", 500, "Something went wrong here", true),
    ("vendor_failed", 502, "The vendor failed", true),
    ("blocked", 503, "The account is blocked", true),
    ("overloaded", 503, "Too many requests at once", true),
    ("not_ready", 503, "The service is not ready", true),
    ("journal_unavailable", 503, "The journal cannot be written", true),
    ("unknown", 504, "What became of the delete is not known", true),
    ("vendor_timeout", 504, "The vendor could not be asked in time", true),
    ("disk_full", 507, "The journal's disk is full", true),
];

/// Most fields that one answer names: one for every target of the largest JSON body. More would only
/// make a hostile body cost more on its way back.
pub const MAX_ERRORS: usize = 1_000;

/// When to repeat a request whose twin is still being received.
const KEY_BUSY_S: u64 = 2;

/// A failure on its way to the caller.
#[derive(Debug, Clone)]
pub struct Problem {
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
    cap: Option<CapBody>,
    item: Option<Box<ItemBody>>,
}

/// One field that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field as a JSON Pointer in a URI fragment (RFC 6901), such as `#/targets/3/id`.
    pub pointer: String,
    /// What is wrong with it, and the fix.
    pub detail: String,
}

/// A caller's cap that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Cap)]
pub struct CapBody {
    /// The setting: `max_items` (in one deletion) or `max_items_per_day` (UTC).
    pub name: &'static str,
    /// Its value.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
}

/// An error, as RFC 9457 problem details.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:vodrm:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:vodrm:problem:invalid")]
    pub kind: String,
    /// The problem's name; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// The request's path.
    pub instance: String,
    /// The stable word for programs.
    pub code: String,
    /// Whether the same request may work later.
    pub retriable: bool,
    /// The request's id, as in `X-Request-Id` and the log.
    pub request_id: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The caller's cap, where one is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cap: Option<CapBody>,
    /// The item, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub item: Option<ItemBody>,
}

impl Problem {
    /// A problem of the list. `code` must stand in [`CODES`].
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(CODES.iter().any(|(known, ..)| *known == code), "{code} is not a problem of ours");
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_s: None, cap: None, item: None }
    }

    /// 400.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new("malformed", detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new("not_found", detail)
    }

    /// 422 with the fields at fault, of which the first [`MAX_ERRORS`] are told.
    #[must_use]
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            more if more.len() > MAX_ERRORS => {
                format!(
                    "{} fields are invalid, the first {MAX_ERRORS} are told; nothing was accepted",
                    more.len()
                )
            }
            more => format!("{} fields are invalid; nothing was accepted", more.len()),
        };
        errors.truncate(MAX_ERRORS);
        Self { errors, ..Self::new("invalid", detail) }
    }

    /// 422 for fields that the contract has and this version does not.
    #[must_use]
    pub fn not_served(names: &[&str]) -> Self {
        let detail = format!("not served yet: {}; nothing was accepted", names.join(", "));
        let error =
            |name: &&str| FieldError { pointer: format!("#/{name}"), detail: "is not served yet".to_owned() };
        Self { errors: names.iter().map(error).collect(), ..Self::new("not_served", detail) }
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// An item that is not ok, as the answer to a single-target DELETE.
    #[must_use]
    pub fn of_item(item: ItemBody) -> Self {
        let reason = item.error.as_ref().map(|error| error.code);
        let code = match reason {
            None if item.outcome == Some(OutcomeWord::Canceled) => "canceled",
            Some(Reason::Held) => "held",
            Some(Reason::Protected) => "protected",
            Some(Reason::Forbidden) => "forbidden",
            Some(Reason::Unsupported) => "unsupported",
            Some(Reason::Invalid) => "invalid",
            Some(Reason::Busy) => "busy",
            Some(Reason::Unsettled) => "unknown",
            Some(Reason::Absent) => "absent",
            Some(Reason::Throttled | Reason::Unavailable | Reason::VendorError) | None => "vendor_failed",
        };
        let told = item.error.as_ref().map(|error| error.message.clone());
        let detail = told.unwrap_or_else(|| "its deletion was canceled; nothing was sent".to_owned());
        Self { item: Some(Box::new(item)), ..Self::new(code, detail) }
    }

    /// A caller's items of the day are used up.
    #[must_use]
    pub fn of_day(cap: &CapReached, now: Timestamp) -> Self {
        let CapReached { limit, left, resets_at } = *cap;
        let detail = format!(
            "{left} of {limit} items are left for this caller until {resets_at}; nothing was accepted"
        );
        let wait = Duration::try_from(resets_at - now).unwrap_or_default();
        let told = Self::new("daily_cap_exceeded", detail).retry_after(wait.as_secs().saturating_add(1));
        Self { cap: Some(CapBody { name: "max_items_per_day", limit, left }), ..told }
    }

    fn listed(&self) -> (u16, &'static str, bool) {
        CODES
            .iter()
            .find(|(code, ..)| *code == self.code)
            .map_or((500, "Something went wrong here", true), |(_, status, title, retriable)| {
                (*status, title, *retriable)
            })
    }

    /// Its stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Its HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.listed().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::UnknownAccount { index } => Problem::invalid(vec![FieldError {
                pointer: format!("#/targets/{index}/account"),
                detail: "there is no such account".to_owned(),
            }]),
            SubmitError::Invalid(fields) => Problem::invalid(
                fields
                    .into_iter()
                    .map(|field| FieldError {
                        pointer: format!("#/targets/{}{}", field.index, field.field),
                        detail: field.message,
                    })
                    .collect(),
            ),
            // A blocked account is probed once a minute.
            SubmitError::Blocked { .. } => Problem::new(
                "blocked",
                format!("{detail}; nothing was accepted. With Prefer: respond-async it would wait instead"),
            )
            .retry_after(60),
            SubmitError::QueueFull { retry_after_s, .. } => {
                Problem::new("queue_full", format!("{detail}; nothing was accepted"))
                    .retry_after(retry_after_s)
            }
            SubmitError::TooManyItems { limit } => {
                let cap = CapBody { name: "max_items", limit, left: limit };
                let told = Problem::new("cap_exceeded", format!("{detail}; nothing was accepted"));
                Self { cap: Some(cap), ..told }
            }
            SubmitError::DailyCap { cap, now } => Problem::of_day(&cap, now),
            SubmitError::ReasonMissing(account) => Problem::invalid(vec![FieldError {
                pointer: "#/reason".to_owned(),
                detail: format!("is missing: account {account} asks for one"),
            }]),
            SubmitError::NoQuarantine(why) => Problem::invalid(vec![FieldError {
                pointer: "#/quarantine".to_owned(),
                detail: why.to_owned(),
            }]),
            SubmitError::KeyReused => Problem::new("idempotency_key_reused", detail),
            SubmitError::KeyBusy => Problem::new("idempotency_key_busy", detail).retry_after(KEY_BUSY_S),
            SubmitError::Stopping => Problem::new("not_ready", detail).retry_after(5),
            SubmitError::Journal(error) => error.into(),
        }
    }
}

impl From<journal::Error> for Problem {
    fn from(error: journal::Error) -> Self {
        tracing::error!(%error, "a request failed at the journal");
        match error {
            journal::Error::DiskFull => {
                Problem::new("disk_full", "the journal's disk is full; nothing was accepted").retry_after(60)
            }
            journal::Error::Unavailable(_) => {
                Problem::new("journal_unavailable", "the journal is not usable; nothing was accepted")
                    .retry_after(5)
            }
            journal::Error::Uncertain(_) => Problem::new(
                "journal_unavailable",
                "whether the request was journaled is not known; look for it before you send it again",
            )
            .retry_after(5),
            journal::Error::Invalid(_) => {
                Problem::new("internal", "the journal refused the request as contradictory")
            }
            journal::Error::Unreadable(_) => {
                Problem::new("internal", "the journal holds a row that this version cannot read")
            }
            journal::Error::Overloaded => {
                Problem::new("overloaded", "too many writes wait for the journal; nothing was accepted")
                    .retry_after(1)
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::UnknownAccount => Problem::not_found(detail),
            ReadError::Blocked(_) => Problem::new("blocked", detail).retry_after(60),
            ReadError::TooLate => Problem::new("vendor_timeout", detail).retry_after(1),
            ReadError::Refused(error) => match error.code {
                Reason::Forbidden => Problem::new("forbidden", error.message),
                Reason::Busy => Problem::new("busy", error.message),
                Reason::Unsupported => Problem::new("unsupported", error.message),
                Reason::Held
                | Reason::Protected
                | Reason::Invalid
                | Reason::Throttled
                | Reason::Unavailable
                | Reason::VendorError
                | Reason::Unsettled
                | Reason::Absent => Problem::new("vendor_failed", error.message),
            },
            ReadError::Failed(_) => Problem::new("vendor_failed", detail),
        }
    }
}

/// The layer that writes problem bodies.
pub async fn render(uri: OriginalUri, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let mut response = next.run(request).await;
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match bare(response.status()) {
            Some(problem) => problem,
            None => return response,
        },
    };
    let (status, title, listed_retriable) = problem.listed();
    let body = ProblemBody {
        kind: format!("urn:vodrm:problem:{}", problem.code),
        title: title.to_owned(),
        status,
        detail: problem.detail,
        instance: uri.path().to_owned(),
        code: problem.code.to_owned(),
        retriable: problem.item.as_ref().and_then(|item| item.retriable).unwrap_or(listed_retriable),
        request_id: id,
        errors: problem.errors,
        cap: problem.cap,
        item: problem.item.map(|item| *item),
    };
    let mut rendered = (
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        // A problem body is made of strings and numbers: it always serializes.
        serde_json::to_vec(&body).unwrap_or_default(),
    )
        .into_response();
    rendered.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(seconds) = problem.retry_after_s {
        rendered.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == 401 {
        rendered.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // What is said beside the body stays: Allow, Location, Preference-Applied.
    for (name, value) in response.headers() {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}

/// Errors that the frame made, which has no words of ours.
fn bare(status: StatusCode) -> Option<Problem> {
    Some(match status {
        StatusCode::NOT_FOUND => Problem::not_found("there is no such path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new("method_not_allowed", "this path does not take this method; see the Allow header")
        }
        StatusCode::BAD_REQUEST => Problem::malformed("the request could not be read"),
        StatusCode::SERVICE_UNAVAILABLE => {
            Problem::new("overloaded", "too many requests are under way").retry_after(1)
        }
        StatusCode::INTERNAL_SERVER_ERROR => {
            Problem::new("internal", "something went wrong here; the log has more under this request id")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_listed_once_and_their_statuses_exist() {
        for (n, (code, status, ..)) in CODES.iter().enumerate() {
            assert!(CODES.iter().skip(n + 1).all(|(other, ..)| other != code), "{code} is listed twice");
            assert!(StatusCode::from_u16(*status).is_ok_and(|s| s.is_client_error() || s.is_server_error()));
        }
    }

    #[test]
    fn one_fault_is_told_in_the_detail_and_many_in_the_list() {
        let fault = |n: u8| FieldError { pointer: format!("#/targets/{n}/id"), detail: "is missing".into() };
        assert_eq!(Problem::invalid(vec![fault(0)]).detail, "#/targets/0/id: is missing");
        assert_eq!(Problem::invalid(vec![fault(0), fault(1)]).errors.len(), 2);
    }
}

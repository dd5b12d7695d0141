//! The id of a request: the caller's, if it is sane, else a new one.
//!
//! It stands in the answer's `X-Request-Id`, in problems and in the log, so that
//! a caller's line and ours can be laid side by side.

use std::fmt;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

const HEADER: &str = "x-request-id";
/// Longest id that is taken from a caller.
const MAX_LEN: usize = 128;

/// The id of the request at hand.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

fn is_sane(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=MAX_LEN).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

fn fresh() -> HeaderValue {
    // Hex digits and dashes are always a valid header value.
    HeaderValue::from_str(&uuid::Uuid::now_v7().to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("none"))
}

/// The layer that gives every request its id, and a span with it.
pub async fn assign(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).filter(|value| is_sane(value)).cloned();
    let id = RequestId(given.unwrap_or_else(fresh));
    let span = tracing::info_span!("request", request_id = %id);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(HEADER, id.0);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_id_is_not_repeated() {
        assert!(is_sane(&HeaderValue::from_static("run-2026.11_20:7")));
        for odd in ["", "a b", "<script>", &"x".repeat(129)] {
            assert!(!is_sane(&HeaderValue::from_str(odd).unwrap()), "{odd:?}");
        }
    }
}

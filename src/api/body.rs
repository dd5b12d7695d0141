//! Reads a JSON body: bounded in bytes, in silence and in time.
//!
//! A body that is too large is refused by its declared length where it has one,
//! and while it is read where it has not, so that nothing large is ever held.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use bytes::BytesMut;
use http_body_util::BodyExt;

use super::problem::Problem;

/// Bounds of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Largest JSON body.
    pub max_json_bytes: usize,
    /// Longest silence.
    pub silence: Duration,
    /// Longest time for the whole body.
    pub deadline: Duration,
}

/// Reads a JSON body to its end.
pub async fn read_json(headers: &HeaderMap, body: Body, limits: BodyLimits) -> Result<BytesMut, Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::new("unsupported_media_type", "send the body without a Content-Encoding"));
    }
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        return Err(Problem::new("unsupported_media_type", "send Content-Type: application/json"));
    }
    let too_large =
        || Problem::new("too_large", format!("the body is larger than {} bytes", limits.max_json_bytes));
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limits.max_json_bytes) {
        return Err(too_large());
    }
    let reading = async {
        let mut body = body;
        let mut read = BytesMut::with_capacity(declared.unwrap_or_default());
        loop {
            let frame = tokio::time::timeout(limits.silence, body.frame()).await.map_err(|_| too_slow())?;
            match frame {
                None => return Ok(read),
                Some(Err(_)) => return Err(Problem::malformed("the body broke off")),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if read.len() + data.len() > limits.max_json_bytes {
                        return Err(too_large());
                    }
                    read.extend_from_slice(&data);
                }
            }
        }
    };
    tokio::time::timeout(limits.deadline, reading).await.unwrap_or_else(|_| Err(too_slow()))
}

fn too_slow() -> Problem {
    Problem::new("body_too_slow", "the body did not come in time; nothing was accepted")
}

fn is_json(value: &HeaderValue) -> bool {
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

//! The vendor's answers as text: success, error, and the legacy error.
//!
//! Its own file because the envelope has rules of its own ("Responses" page): API errors travel inside HTTP
//! 200, only `Response.Error` marks a failure, and `RequestId` is in both kinds.
//!
//! Does not know what was asked or why it was refused.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use crate::sandbox::Reply;

/// A refusal: a code of the vendor's list and a sentence nobody should parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::new("MissingParameter", format!("The request is missing a required parameter `{name}`."))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameter", message)
    }
}

/// Numbers answers, so that every answer has a request id of its own without asking for randomness.
#[derive(Debug, Default)]
pub(super) struct RequestIds(AtomicU64);

impl RequestIds {
    /// The next id, in the form of a UUID.
    pub(super) fn next(&self) -> String {
        let n = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        uuid::Uuid::from_u64_pair(0x7e2c_e271_0000_4000, 0x8000_0000_0000_0000 | n).to_string()
    }
}

/// `{"Response": {…, "RequestId": "…"}}`.
pub(super) fn success(fields: Map<String, Value>, request_id: String) -> Reply {
    let mut response = fields;
    response.insert("RequestId".to_owned(), Value::String(request_id));
    json_reply(200, &json!({ "Response": response }))
}

/// `{"Response": {"Error": {"Code": "…", "Message": "…"}, "RequestId": "…"}}`, with HTTP 200 unless a script
/// wants another status (the page: do not look for 404 or 429, they carry no API meaning).
pub(super) fn error(status: u16, refusal: &Refusal, request_id: &str) -> Reply {
    let error = json!({ "Code": refusal.code, "Message": refusal.message });
    json_reply(status, &json!({ "Response": { "Error": error, "RequestId": request_id } }))
}

/// `{"code": …, "message": "…", "codeDesc": "…"}`: what an older front can send, also with HTTP 200.
pub(super) fn legacy(status: u16, refusal: &Refusal) -> Reply {
    let body = json!({ "code": 4000, "message": refusal.message, "codeDesc": refusal.code });
    json_reply(status, &body)
}

/// Without a charset: the vendor's Python SDK looks for an error only in `application/json` and `text/plain`,
/// spelled exactly so, and takes any other answer for a success (tencentcloud-sdk-python-common 3.1.195).
fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, "application/json", body.to_string())
}

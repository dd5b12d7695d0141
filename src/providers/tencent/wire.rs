//! Tencent's spelling of a request, and the envelope around every answer.
//!
//! Bodies are built once and the same bytes are hashed and sent. They are built
//! through types that cannot say what the vendor would read as "everything" by
//! accident: a list of parts is never empty (`SomeParts`) and a template number
//! is never 0 (`Template`). Answers are read by content, not by header. Its own
//! file because the vendor's names stand here and in `facts.rs` alone; what an
//! error code means is `outcome.rs`' business.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::sign;
use crate::types::secret::Credentials;
use crate::types::target::{Family, MediaId};

/// The API's version; the Professional edition's 2024-07-18 has no media delete (vendor page 1.2).
const VERSION: &str = "2018-07-17";
/// The client's name: letters, digits and `-_,;.` (vendor page 1.3).
const CLIENT: &str = concat!("vodrm-", env!("CARGO_PKG_VERSION"));
/// The parts of an answer that a delete's verdict and a preview need, and no more (vendor page 4.1).
const SECTIONS: [&str; 7] = [
    "basicInfo",
    "metaData",
    "transcodeInfo",
    "adaptiveDynamicStreamingInfo",
    "snapshotByTimeOffsetInfo",
    "sampleSnapshotInfo",
    "imageSpriteInfo",
];

/// A template number: a positive one. 0 would mean every template (vendor page 3.1, trap 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Template(i64);

impl Template {
    /// Reads decimal text without sign or leading zero, so that one number has one spelling.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        text.parse::<i64>().ok().filter(|number| plain && *number > 0).map(Self)
    }
}

/// One part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeletePart {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<Template>,
}

impl DeletePart {
    /// The uploaded original.
    pub(super) fn source() -> Self {
        Self { r#type: "OriginalFiles", definition: None }
    }

    /// What this template made.
    pub(super) fn rendition(family: Family, template: Template) -> Self {
        Self { r#type: family_type(family), definition: Some(template) }
    }

    /// All of a family: an absent number means every template.
    pub(super) fn whole_family(family: Family) -> Self {
        Self { r#type: family_type(family), definition: None }
    }
}

fn family_type(family: Family) -> &'static str {
    match family {
        Family::Transcode => "TranscodeFiles",
        Family::Adaptive => "AdaptiveDynamicStreamingFiles",
        Family::WechatPublish => "WechatPublishFiles",
        Family::WechatMiniProgramPublish => "WechatMiniProgramPublishFiles",
    }
}

/// At least one part. An empty list would delete the file and all made from it (vendor page 3.1, trap 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SomeParts {
    /// There is always a first.
    pub(super) first: DeletePart,
    /// The others.
    pub(super) rest: Vec<DeletePart>,
}

impl Serialize for SomeParts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(std::iter::once(&self.first).chain(&self.rest))
    }
}

/// The body that deletes a file and everything made from it.
pub(super) fn delete_whole(id: &MediaId, sub_app_id: Option<u64>) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        file_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub_app_id: Option<u64>,
    }
    to_bytes(&Body { file_id: id.as_str(), sub_app_id })
}

/// The body that deletes parts of a file.
pub(super) fn delete_parts(id: &MediaId, sub_app_id: Option<u64>, parts: &SomeParts) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        file_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub_app_id: Option<u64>,
        delete_parts: &'a SomeParts,
    }
    to_bytes(&Body { file_id: id.as_str(), sub_app_id, delete_parts: parts })
}

/// The body that asks what stands.
pub(super) fn describe(ids: &[&MediaId], sub_app_id: Option<u64>) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        file_ids: Vec<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub_app_id: Option<u64>,
        filters: [&'static str; 7],
    }
    to_bytes(&Body { file_ids: ids.iter().map(|id| id.as_str()).collect(), sub_app_id, filters: SECTIONS })
}

/// What is to become of a file's playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Distribution {
    /// Its URLs are closed.
    Forbid,
    /// They are opened again.
    Recover,
}

/// The body that closes or opens the URLs of files (vendor page 3.3).
pub(super) fn distribute(ids: &[&MediaId], operation: Distribution, sub_app_id: Option<u64>) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        file_ids: Vec<&'a str>,
        operation: Distribution,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub_app_id: Option<u64>,
    }
    to_bytes(&Body { file_ids: ids.iter().map(|id| id.as_str()).collect(), operation, sub_app_id })
}

fn to_bytes(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("text, numbers and lists of them always serialise").into()
}

/// Where and as whom a request goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading<'a> {
    /// The vendor action.
    pub(super) action: &'static str,
    /// The host that is signed, with its port if that is not the scheme's own.
    pub(super) host: &'a str,
    /// The region, if one is configured; it has no effect on this API (vendor page 1.2).
    pub(super) region: Option<&'a str>,
    /// The key.
    pub(super) key: &'a Credentials,
    /// The time that is signed.
    pub(super) time: Timestamp,
    /// A new one for each attempt.
    pub(super) trace: Uuid,
}

/// All headers of a request with this body. Fails if the key has characters that no header can hold.
pub(super) fn headers(heading: &Heading<'_>, body: &[u8]) -> Result<HeaderMap, InvalidHeaderValue> {
    let Heading { action, host, region, key, time, trace } = *heading;
    let mut headers = HeaderMap::new();
    // Set by hand, so that what is sent is what is signed.
    headers.insert(HOST, HeaderValue::from_str(host)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sign::CONTENT_TYPE));
    headers.insert(AUTHORIZATION, secret_value(&sign::authorize(key, time, host, body))?);
    headers.insert("x-tc-action", HeaderValue::from_static(action));
    headers.insert("x-tc-version", HeaderValue::from_static(VERSION));
    headers.insert("x-tc-timestamp", HeaderValue::from(time.as_second()));
    // The messages end in logs; without this they come in Chinese from the mainland's hosts.
    headers.insert("x-tc-language", HeaderValue::from_static("en-US"));
    headers.insert("x-tc-requestclient", HeaderValue::from_static(CLIENT));
    headers.insert("x-tc-traceid", HeaderValue::from_str(&trace.to_string())?);
    if let Some(region) = region {
        headers.insert("x-tc-region", HeaderValue::from_str(region)?);
    }
    if let Some(token) = &key.token {
        headers.insert("x-tc-token", secret_value(token.expose())?);
    }
    Ok(headers)
}

fn secret_value(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What came back, as far as the envelope tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// The vendor accepted the request.
    Success {
        /// The content of the envelope.
        response: Value,
        /// The vendor's request id.
        request_id: String,
    },
    /// The vendor answered with an error.
    Error {
        /// Its code.
        code: String,
        /// The vendor's request id.
        request_id: Option<String>,
    },
    /// Nothing that the vendor's API could have said.
    Unusable,
}

/// Reads an answer by its content: the vendor also labels JSON as plain text
/// (vendor page 1.5). A success comes with status 200 only. An error does so too by
/// that page, but its code decides and not the status (FAULTS.md, 3), so one with a
/// 4xx is read; what a gateway says with a 5xx may stand before a call that runs.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Answer {
    let is_ok = status == StatusCode::OK;
    if !is_ok && !status.is_client_error() {
        return Answer::Unusable;
    }
    match read_envelope(body) {
        Answer::Success { .. } if !is_ok => Answer::Unusable,
        answer @ (Answer::Success { .. } | Answer::Error { .. } | Answer::Unusable) => answer,
    }
}

fn read_envelope(body: &[u8]) -> Answer {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut envelope)) => match envelope.remove("Response") {
            Some(response @ Value::Object(_)) => read_response(response),
            _ => read_legacy(&envelope),
        },
        _ => Answer::Unusable,
    }
}

/// Success is claimed only with a request id, which every answer of the API's front has (vendor page 1.5).
fn read_response(response: Value) -> Answer {
    let request_id = word(response.get("RequestId"));
    match response.get("Error") {
        None | Some(Value::Null) => match request_id {
            Some(request_id) => Answer::Success { response, request_id },
            None => Answer::Unusable,
        },
        Some(error) => match word(error.get("Code")) {
            Some(code) => Answer::Error { code, request_id },
            None => Answer::Unusable,
        },
    }
}

/// `{"code": 4000, "message": "…", "codeDesc": "InvalidParameter"}`, which Tencent's Go SDK knows (vendor page 1.5).
fn read_legacy(envelope: &serde_json::Map<String, Value>) -> Answer {
    let failed = word(envelope.get("code")).is_some_and(|code| code != "0");
    match word(envelope.get("codeDesc")) {
        Some(code) if failed => Answer::Error { code, request_id: None },
        _ => Answer::Unusable,
    }
}

/// The request id that a gateway puts beside an unusable body, for support cases.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-tc-requestid")?.to_str().ok().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// Text that is not empty, also where a number was sent instead.
pub(super) fn word(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(text: &str) -> MediaId {
        MediaId::parse(text).unwrap()
    }

    fn text(body: &Bytes) -> &str {
        std::str::from_utf8(body).unwrap()
    }

    #[test]
    fn a_whole_delete_names_the_file_and_nothing_else() {
        assert_eq!(
            text(&delete_whole(&id("7447398156998994860"), None)),
            r#"{"FileId":"7447398156998994860"}"#
        );
        assert_eq!(text(&delete_whole(&id("74"), Some(1500))), r#"{"FileId":"74","SubAppId":1500}"#);
    }

    #[test]
    fn parts_carry_a_number_only_where_one_was_named() {
        let parts = SomeParts {
            first: DeletePart::rendition(Family::Transcode, Template::parse("10000").unwrap()),
            rest: vec![DeletePart::whole_family(Family::Adaptive), DeletePart::source()],
        };
        let expected = concat!(
            r#"{"FileId":"74","DeleteParts":[{"Type":"TranscodeFiles","Definition":10000},"#,
            r#"{"Type":"AdaptiveDynamicStreamingFiles"},{"Type":"OriginalFiles"}]}"#,
        );
        assert_eq!(text(&delete_parts(&id("74"), None, &parts)), expected);
    }

    #[test]
    fn every_family_has_its_type() {
        let types = Family::ALL.map(|family| DeletePart::whole_family(family).r#type);
        let expected = [
            "TranscodeFiles",
            "AdaptiveDynamicStreamingFiles",
            "WechatPublishFiles",
            "WechatMiniProgramPublishFiles",
        ];
        assert_eq!(types, expected);
    }

    #[test]
    fn a_template_is_a_positive_number_in_one_spelling() {
        for good in ["1", "230", "10000", "9223372036854775807"] {
            assert!(Template::parse(good).is_some(), "{good:?} was refused");
        }
        for bad in ["", "0", "00", "01", "+1", "-1", "HD", "1.0", "1e3", " 1", "٣", "9223372036854775808"] {
            assert_eq!(Template::parse(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn a_read_asks_for_the_sections_it_uses() {
        let body = describe(&[&id("1"), &id("2")], Some(9));
        let body = serde_json::from_slice::<Value>(&body).unwrap();
        assert_eq!(body, json!({"FileIds": ["1", "2"], "SubAppId": 9, "Filters": SECTIONS}));
    }

    #[test]
    fn playback_is_closed_and_opened_by_one_word() {
        let body = distribute(&[&id("1"), &id("2")], Distribution::Forbid, Some(9));
        assert_eq!(text(&body), r#"{"FileIds":["1","2"],"Operation":"forbid","SubAppId":9}"#);
        let body = distribute(&[&id("1")], Distribution::Recover, None);
        assert_eq!(text(&body), r#"{"FileIds":["1"],"Operation":"recover"}"#);
    }

    #[test]
    fn headers_carry_what_the_vendor_asks_for_and_hide_what_is_secret() {
        let key = Credentials { id: "AKIDx".into(), secret: "k".into(), token: Some("session-token".into()) };
        let heading = Heading {
            action: "DeleteMedia",
            host: "127.0.0.1:18080",
            region: Some("ap-singapore"),
            key: &key,
            time: Timestamp::from_second(1_700_000_000).unwrap(),
            trace: Uuid::nil(),
        };
        let headers = headers(&heading, b"{}").unwrap();
        let plain = [
            ("host", "127.0.0.1:18080"),
            ("content-type", "application/json"),
            ("x-tc-action", "DeleteMedia"),
            ("x-tc-version", "2018-07-17"),
            ("x-tc-timestamp", "1700000000"),
            ("x-tc-language", "en-US"),
            ("x-tc-region", "ap-singapore"),
            ("x-tc-token", "session-token"),
            ("x-tc-traceid", "00000000-0000-0000-0000-000000000000"),
        ];
        for (name, value) in plain {
            assert_eq!(headers[name], value, "{name}");
        }
        assert!(CLIENT.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_,;.".contains(&b)));
        let signed = headers["authorization"].to_str().unwrap();
        assert!(signed.contains("SignedHeaders=content-type;host,"), "{signed}");
        let printed = format!("{headers:?}");
        assert!(!printed.contains("session-token") && !printed.contains("Signature="), "{printed}");

        let plain = Credentials { id: "AKIDx".into(), secret: "k".into(), token: None };
        let bare = super::headers(&Heading { region: None, key: &plain, ..heading }, b"{}").unwrap();
        assert!(!bare.contains_key("x-tc-token") && !bare.contains_key("x-tc-region"));
        let broken = Credentials { id: "AKID\nx".into(), secret: "k".into(), token: None };
        assert!(super::headers(&Heading { key: &broken, ..heading }, b"{}").is_err());
    }

    fn read_ok(body: &str) -> Answer {
        read(StatusCode::OK, body.as_bytes())
    }

    #[test]
    fn success_is_a_response_without_an_error() {
        for body in [
            r#"{"Response":{"RequestId":"r1"}}"#,
            r#"{"Response":{"RequestId":"r1","Error":null,"DeprecatedWarning":"soon","New":{}},"More":1}"#,
        ] {
            let Answer::Success { request_id, .. } = read_ok(body) else { panic!("{body}") };
            assert_eq!(request_id, "r1");
        }
    }

    #[test]
    fn an_error_is_told_by_its_code() {
        let error = |code: &str, request_id: Option<&str>| Answer::Error {
            code: code.into(),
            request_id: request_id.map(str::to_owned),
        };
        let body = r#"{"Response":{"Error":{"Code":"InternalError","Message":"m"},"RequestId":"r1"}}"#;
        assert_eq!(read_ok(body), error("InternalError", Some("r1")));
        assert_eq!(read_ok(r#"{"Response":{"Error":{"Code":"X"}}}"#), error("X", None));
        assert_eq!(
            read_ok(r#"{"code":4100,"message":"m","codeDesc":"AuthFailure"}"#),
            error("AuthFailure", None)
        );
        assert_eq!(read_ok(r#"{"code":"4100","codeDesc":"AuthFailure"}"#), error("AuthFailure", None));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for body in [
            "",
            "<html>502</html>",
            "null",
            "[]",
            "{}",
            "\"Response\"",
            r#"{"Response":null}"#,
            r#"{"Response":"ok"}"#,
            r#"{"Response":{}}"#,
            r#"{"Response":{"RequestId":""}}"#,
            r#"{"Response":{"Error":{},"RequestId":"r1"}}"#,
            r#"{"Response":{"Error":"down","RequestId":"r1"}}"#,
            r#"{"Response":{"Error":{"Code":""},"RequestId":"r1"}}"#,
            r#"{"Response":{"RequestId":"r1"}"#,
            r#"{"code":0,"codeDesc":"Success"}"#,
            r#"{"code":4100,"message":"m"}"#,
            r#"{"codeDesc":"AuthFailure"}"#,
        ] {
            assert_eq!(read_ok(body), Answer::Unusable, "{body}");
        }
        for status in [301, 400, 403, 404, 429, 500, 502, 503, 504, 201, 204] {
            let body = br#"{"Response":{"RequestId":"r1"}}"#;
            assert_eq!(read(StatusCode::from_u16(status).unwrap(), body), Answer::Unusable, "{status}");
        }
        let missing = br#"{"Response":{"Error":{"Code":"ResourceNotFound"},"RequestId":"r1"}}"#;
        for (status, is_read) in
            [(200, true), (400, true), (404, true), (302, false), (500, false), (503, false)]
        {
            let answer = read(StatusCode::from_u16(status).unwrap(), missing);
            assert_eq!(matches!(answer, Answer::Error { .. }), is_read, "{status}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read_ok(&deep), Answer::Unusable);
    }
}

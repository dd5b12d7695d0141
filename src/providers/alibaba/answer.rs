//! Alibaba's answers, read tolerantly: the envelope and the lists of ids in it.
//!
//! The vendor prints one thing in several shapes (page section 9, rows 1 and 6),
//! and a proxy may answer in its place. So `read` asks first whether this is
//! the vendor's envelope at all; whatever is not is `Said::Nothing`, and never
//! taken for a success. Its own file because requests and answers change for
//! different reasons. What a code or a list means is `outcome.rs`' business.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::providers::transport::Incoming;

/// Longest code or request id that is kept; real ones have at most 40 characters.
const MAX_WORD: usize = 100;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// An answer, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    /// The wait that the vendor asked for.
    pub(super) retry_after: Option<Duration>,
    pub(super) said: Said,
}

/// What the body says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Status 200 and the envelope of a success.
    Done(Object),
    /// An error with the vendor's code, whatever the status.
    Code(String),
    /// Nothing usable: not the vendor's envelope.
    Nothing,
}

/// Reads an answer.
pub(super) fn read(incoming: &Incoming) -> Reply {
    let body = incoming.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&incoming.body);
    let in_header = incoming.headers.get("x-acs-request-id").and_then(|value| word(value.to_str().ok()?));
    // A redirect is never the vendor's: it has one host per region and one path.
    let envelope = if incoming.status.is_redirection() { None } else { json(body).or_else(|| xml(body)) };
    let (said, in_body) = match envelope {
        Some(mut envelope) => {
            let in_body = envelope.request_id.take();
            (envelope.said(incoming.status, in_body.is_some(), in_header.is_some()), in_body)
        }
        None => (Said::Nothing, None),
    };
    Reply {
        status: incoming.status.as_u16(),
        request_id: in_body.or(in_header),
        retry_after: retry_after(&incoming.headers),
        said,
    }
}

/// A field, by its name in any case: gateways print `code`, `requestId`, `requestid`.
pub(super) fn field<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// What it means to stand in one of the lists of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// `NonExist…Ids`.
    Missing,
    /// `Forbidden…Ids`.
    Forbidden,
    /// `UnRemoveable…Ids`, as the vendor spells it.
    Unremovable,
}

/// A list's content cannot be told, so nothing can be said of who is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// All lists of ids in a success. Matched by how their names begin, so that a list
/// that a later version adds cannot be overlooked.
pub(super) fn lists(body: &Object) -> Result<Vec<(Fate, Vec<String>)>, Unreadable> {
    let mut found = Vec::new();
    for (name, value) in body {
        let Some(fate) = fate(name) else { continue };
        let mut ids = Vec::new();
        flatten(value, &mut ids)?;
        found.push((fate, ids));
    }
    Ok(found)
}

fn fate(name: &str) -> Option<Fate> {
    let name = name.to_ascii_lowercase();
    if !name.ends_with("ids") {
        return None;
    }
    [("nonexist", Fate::Missing), ("forbidden", Fate::Forbidden), ("unremov", Fate::Unremovable)]
        .into_iter()
        .find(|(start, _)| name.starts_with(start))
        .map(|(_, fate)| fate)
}

/// Alibaba prints an id list as an array, a bare string, a comma separated string, a
/// JSON array inside a string, and an array of such strings; page section 3.
fn flatten(value: &Value, ids: &mut Vec<String>) -> Result<(), Unreadable> {
    match value {
        Value::Null => Ok(()),
        Value::Number(number) => {
            ids.push(number.to_string());
            Ok(())
        }
        Value::Array(values) => values.iter().try_for_each(|value| flatten(value, ids)),
        // Older APIs wrap a list in an object of one field.
        Value::Object(wrapped) => wrapped.values().try_for_each(|value| flatten(value, ids)),
        Value::String(text) => flatten_text(text, ids),
        Value::Bool(_) => Err(Unreadable),
    }
}

fn flatten_text(text: &str, ids: &mut Vec<String>) -> Result<(), Unreadable> {
    let text = text.trim();
    if text.starts_with(['[', '"'])
        && let Ok(inner) = serde_json::from_str::<Value>(text)
    {
        return flatten(&inner, ids);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let pieces =
        bare.split(',').map(|piece| piece.trim().trim_matches('"')).filter(|piece| !piece.is_empty());
    ids.extend(pieces.map(str::to_owned));
    Ok(())
}

/// Positive milliseconds; anything else is ignored, as the vendor's SDKs do (page section 6).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("x-acs-retry-after")?.to_str().ok()?;
    text.trim().parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// The envelope's own fields, from JSON or XML.
struct Envelope {
    code: Option<Value>,
    request_id: Option<String>,
    /// `Message` or `HostId` stands beside the code.
    more: bool,
    body: Option<Object>,
}

impl Envelope {
    fn said(self, status: StatusCode, named: bool, named_by_header: bool) -> Said {
        let known = named || named_by_header || self.more;
        match (self.code, self.body) {
            (Some(code), _) => match scalar(&code).and_then(|code| word(&code)) {
                Some(code) if known => Said::Code(code),
                Some(_) | None => Said::Nothing,
            },
            // Alibaba: a success is 200 and always has a RequestId; section 1.
            (None, Some(body)) if status == StatusCode::OK && named => Said::Done(body),
            (None, _) => Said::Nothing,
        }
    }
}

fn json(body: &[u8]) -> Option<Envelope> {
    let object: Object = serde_json::from_slice(body).ok()?;
    Some(Envelope {
        code: field(&object, "Code").filter(|code| !code.is_null()).cloned(),
        request_id: field(&object, "RequestId").and_then(scalar).and_then(|id| word(&id)),
        more: field(&object, "Message").or_else(|| field(&object, "HostId")).is_some(),
        body: Some(object),
    })
}

/// Alibaba: a gateway error may be `<Error><Code>…` before `Format` is understood; section 1.
fn xml(body: &[u8]) -> Option<Envelope> {
    let text = std::str::from_utf8(body).ok()?.trim_start();
    if !text.starts_with('<') {
        return None;
    }
    let document = roxmltree::Document::parse(text).ok()?;
    let get = |name: &str| {
        let named = |node: &roxmltree::Node<'_, '_>| node.tag_name().name().eq_ignore_ascii_case(name);
        document.root_element().children().find(named).and_then(|node| node.text()).map(str::to_owned)
    };
    Some(Envelope {
        code: get("Code").map(Value::String),
        request_id: get("RequestId").and_then(|id| word(&id)),
        more: get("Message").or_else(|| get("HostId")).is_some(),
        // Successes are asked for, and come, as JSON.
        body: None,
    })
}

/// A string, or a number as its text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Visible characters only and not too many, since this is stored and shown.
fn word(text: &str) -> Option<String> {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(MAX_WORD).collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn incoming(status: u16, body: &str) -> Incoming {
        Incoming {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    fn said(status: u16, body: &str) -> Said {
        read(&incoming(status, body)).said
    }

    #[test]
    fn an_error_is_read_in_every_spelling_of_its_envelope() {
        for body in [
            r#"{"Code":"Throttling.User","Message":"m","RequestId":"r-1","HostId":"h","Recommend":"u"}"#,
            r#"{"code":"Throttling.User","message":"m","requestId":"r-1","AccessDeniedDetail":{"a":1}}"#,
            r#"{"code":" Throttling.User\n","requestid":"r-1"}"#,
            "\u{feff}{\"Code\":\"Throttling.User\",\"RequestId\":\"r-1\"}",
            "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>r-1</RequestId><Code>Throttling.User</Code></Error>",
            "\n<error><code>Throttling.User</code><requestid>r-1</requestid></error>",
        ] {
            for status in [200, 400, 403, 404, 503] {
                let reply = read(&incoming(status, body));
                assert_eq!(reply.said, Said::Code("Throttling.User".into()), "{status} {body}");
                assert_eq!(reply.request_id.as_deref(), Some("r-1"), "{body}");
            }
        }
    }

    #[test]
    fn what_is_not_the_vendors_envelope_says_nothing() {
        for body in [
            "",
            " ",
            "null",
            "[]",
            "{}",
            "OK",
            "\"x\"",
            "{\"RequestId\":",
            "{\"Deleted\":true}",
            "{\"RequestId\":\"\"}",
            "{\"RequestId\":null}",
            "<html><body>Bad gateway</body></html>",
            "<html><Code>x",
            "{\"Code\":\"Forbidden\"}",
            "{\"Code\":\"\",\"RequestId\":\"r\"}",
            "{\"Code\":{},\"RequestId\":\"r\"}",
            "{\"Code\":true,\"RequestId\":\"r\"}",
            "<Done><RequestId>r</RequestId></Done>",
        ] {
            for status in [200, 400, 404, 500, 502] {
                assert_eq!(said(status, body), Said::Nothing, "{status} {body}");
            }
        }
        let success = r#"{"RequestId":"r-1"}"#;
        assert!(matches!(said(200, success), Said::Done(_)));
        for status in [201, 202, 204, 206, 301, 302, 400, 404, 500] {
            assert_eq!(said(status, success), Said::Nothing, "{status}");
        }
        assert_eq!(said(302, r#"{"Code":"Forbidden","RequestId":"r"}"#), Said::Nothing);
        assert_eq!(said(200, &"[".repeat(100_000)), Said::Nothing);
        assert_eq!(said(200, &"<a>".repeat(100_000)), Said::Nothing);
        let mut binary = incoming(200, "");
        binary.body = vec![0xff, 0xfe, 0x00].into();
        assert_eq!(read(&binary).said, Said::Nothing);
    }

    #[test]
    fn headers_name_the_request_and_the_wait() {
        let mut odd = incoming(503, r#"{"Code":"DeleteVideoFailed"}"#);
        odd.headers.insert("x-acs-request-id", HeaderValue::from_static("r-2"));
        assert_eq!(read(&odd).said, Said::Code("DeleteVideoFailed".into()));
        assert_eq!(read(&odd).request_id.as_deref(), Some("r-2"));
        for (text, wait) in [
            ("250", Some(250)),
            (" 1 ", Some(1)),
            ("0", None),
            ("-5", None),
            ("soon", None),
            ("", None),
            ("1.5", None),
        ] {
            odd.headers.insert("x-acs-retry-after", HeaderValue::from_static(text));
            assert_eq!(read(&odd).retry_after, wait.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn words_are_short_and_visible() {
        let long = format!(r#"{{"Code":"{}ü\u0007","Message":""}}"#, "x".repeat(300));
        assert_eq!(said(400, &long), Said::Code("x".repeat(MAX_WORD)));
        assert_eq!(said(400, r#"{"code":500,"message":"m"}"#), Said::Code("500".into()));
    }

    #[test]
    fn an_id_list_is_read_in_every_printed_shape() {
        for (shape, ids) in [
            ("null", vec![]),
            ("[]", vec![]),
            (r#""""#, vec![]),
            (r#"["a","b"]"#, vec!["a", "b"]),
            (r#""a""#, vec!["a"]),
            (r#""a, b,,c ""#, vec!["a", "b", "c"]),
            (r#""[\"a\",\"b\"]""#, vec!["a", "b"]),
            (r#"["[\"a\"]","b,c"]"#, vec!["a", "b", "c"]),
            (r#""[a, b]""#, vec!["a", "b"]),
            (r#""\"[\\\"a\\\"]\"""#, vec!["a"]),
            (r#"{"VideoId":["a","b"]}"#, vec!["a", "b"]),
            ("[12]", vec!["12"]),
        ] {
            let body: Object = serde_json::from_str(&format!(r#"{{"nonexistvideoids":{shape}}}"#)).unwrap();
            let ids: Vec<_> = ids.into_iter().map(str::to_owned).collect();
            assert_eq!(lists(&body), Ok(vec![(Fate::Missing, ids)]), "{shape}");
        }
        let body: Object = serde_json::from_str(r#"{"NonExistVideoIds":true}"#).unwrap();
        assert_eq!(lists(&body), Err(Unreadable));
    }

    #[test]
    fn lists_are_known_by_name() {
        for (name, known) in [
            ("NonExistVideoIds", Some(Fate::Missing)),
            ("NonExistReferenceIds", Some(Fate::Missing)),
            ("NonExistMediaIds", Some(Fate::Missing)),
            ("NonExistImageIds", Some(Fate::Missing)),
            ("ForbiddenVideoIds", Some(Fate::Forbidden)),
            ("ForbiddenMediaIds", Some(Fate::Forbidden)),
            ("UnRemoveableVideoIds", Some(Fate::Unremovable)),
            ("RequestId", None),
            ("VideoList", None),
        ] {
            assert_eq!(fate(name), known, "{name}");
        }
    }
}

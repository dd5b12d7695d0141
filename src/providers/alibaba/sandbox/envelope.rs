//! How answers and errors are written: JSON or XML, with the fields the "Responses" page prints.
//!
//! Its own file because every refusal and every operation ends here. A `Refusal` is the
//! vendor's error as a value: code, status and message as printed. The id-list encodings of the
//! pages are applied here too, so that operations only deal with lists.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{
    quirks::{EmptyLists, IdLists, Quirks},
    request::{Format, Request},
};
use crate::sandbox::{Effect, Received, Reply, VendorFault};

/// An error of the vendor, ready to be written.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) retry_after_ms: Option<u64>,
    /// What was done (or not) before the refusal; for the ledger alone.
    pub(super) effects: Vec<Effect>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after_ms: None,
            effects: Vec::new(),
        }
    }

    pub(super) fn with_effects(mut self, effects: Vec<Effect>) -> Self {
        self.effects = effects;
        self
    }

    /// The gateway's pattern for absent parameters: `Missing{ParameterName}`, 400.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(400, &format!("Missing{name}"), &format!("{name} is mandatory for this action."))
    }

    /// The gateway's pattern for values it cannot take: `Invalid{Name}`, 400.
    pub(super) fn invalid(name: &str) -> Self {
        Self::new(400, &format!("Invalid{name}"), &format!("The specified parameter {name} is not valid."))
    }

    pub(super) fn invalid_parameter(why: &str) -> Self {
        Self::new(400, "InvalidParameter", why)
    }

    pub(super) fn incomplete_signature() -> Self {
        Self::new(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    }

    pub(super) fn signature_mismatch(server_text: &str) -> Self {
        Self::new(
            400,
            "SignatureDoesNotMatch",
            &format!(
                "Specified signature is not matched with our calculation. server string to sign is:{server_text}"
            ),
        )
    }

    pub(super) fn nonce_used() -> Self {
        Self::new(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
    }

    /// Limits page: 400 Throttling.User with this text.
    pub(super) fn throttled() -> Self {
        Self::new(400, "Throttling.User", "Request was denied due to user flow throttling.")
    }

    pub(super) fn no_such_api() -> Self {
        Self::new(404, "InvalidApi.NotFound", "Specified api is not found, please check your url and method.")
    }

    pub(super) fn scripted(fault: &VendorFault) -> Self {
        let mut refusal = match &fault.code {
            None => Self::throttled(),
            Some(code) => Self::new(printed_status(code), code, "Scripted by the sandbox."),
        };
        if let Some(status) = fault.status {
            refusal.status = status;
        }
        if let Some(message) = &fault.message {
            refusal.message.clone_from(message);
        }
        refusal.retry_after_ms = fault.retry_after_ms;
        refusal
    }
}

/// The status that section 7 of the contract page prints for a code.
fn printed_status(code: &str) -> u16 {
    match code {
        "InvalidStorage.NotFound" | "InvalidMultipartUpload.NotFound" | "AccessDenied" => 400,
        "NoSuchResource"
        | "InvalidVideo.NoneStream"
        | "InvalidDomain.Offline"
        | "InvalidProtocol.NeedSsl" => 404,
        "NoPermission" | "IllegalOperation" | "ServiceBusy" | "PreloadQueueFull" | "InvalidAction" => 403,
        "InternalError" | "UnknownError" | "InvalidDomain.Configure_failed" => 500,
        _ if code.eq_ignore_ascii_case("ServiceUnavailable") => 503,
        _ if code.starts_with("Delete") && code.ends_with("Failed") => 503,
        _ if code.starts_with("Forbidden") || code.starts_with("OperationDenied") => 403,
        _ if code.ends_with(".NotFound") => 404,
        _ => 400,
    }
}

pub(super) fn error(refusal: &Refusal, format: Format, request_id: &str, received: &Received) -> Reply {
    let body = json!({
        "RequestId": request_id,
        "HostId": received.header("host").unwrap_or("vod.cn-shanghai.aliyuncs.com"),
        "Code": refusal.code,
        "Message": refusal.message,
        "Recommend": format!(
            "https://api.aliyun.com/troubleshoot?q={}&product=vod&requestId={request_id}",
            refusal.code
        ),
    });
    let mut reply = match format {
        Format::Json => Reply::json(refusal.status, &body),
        Format::Xml => xml(refusal.status, "Error", &body),
    };
    if let Some(wait) = refusal.retry_after_ms {
        reply = reply.with_header("x-acs-retry-after", wait.to_string());
    }
    reply.with_header("x-acs-request-id", request_id)
}

pub(super) fn success(
    request: &Request,
    request_id: &str,
    mut fields: Map<String, Value>,
    quirks: &Quirks,
) -> Reply {
    if quirks.numbers_as_strings {
        fields.values_mut().for_each(numbers_to_strings);
    }
    fields.insert("RequestId".to_owned(), request_id.into());
    let body = Value::Object(fields);
    let reply = match request.format {
        Format::Json => Reply::json(200, &body),
        Format::Xml => {
            let action = request.action.as_deref().unwrap_or("Unknown");
            xml(200, &format!("{action}Response"), &body)
        }
    };
    reply.with_header("x-acs-request-id", request_id)
}

fn numbers_to_strings(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(numbers_to_strings),
        Value::Object(fields) => fields.values_mut().for_each(numbers_to_strings),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Writes a list of ids under `name`, in the encoding that is switched on.
pub(super) fn put_ids(fields: &mut Map<String, Value>, name: &str, ids: &[String], quirks: &Quirks) {
    let as_json = || Value::from(ids).to_string();
    let value = match (ids, quirks.empty_lists) {
        ([], EmptyLists::Omit) => return,
        ([], EmptyLists::Null) => Value::Null,
        _ => match (quirks.id_lists, ids) {
            (IdLists::BareString, [only]) => only.as_str().into(),
            (IdLists::CommaString, _) => ids.join(",").into(),
            (IdLists::JsonInArray, [_, ..]) => json!([as_json()]),
            (IdLists::JsonString, _) => as_json().into(),
            (IdLists::Array | IdLists::BareString | IdLists::JsonInArray, _) => ids.into(),
        },
    };
    fields.insert(name.to_owned(), value);
}

fn xml(status: u16, root: &str, body: &Value) -> Reply {
    let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>");
    element(&mut text, root, body);
    Reply::new(status, "text/xml;charset=utf-8", text)
}

/// A field as an element; the items of a list repeat the element, as the XML samples do.
fn element(text: &mut String, name: &str, value: &Value) {
    let inner = match value {
        Value::Array(items) => {
            for item in items {
                element(text, name, item);
            }
            return;
        }
        Value::Null => return,
        Value::Object(fields) => {
            let mut inner = String::new();
            for (name, value) in fields {
                element(&mut inner, name, value);
            }
            inner
        }
        Value::String(plain) => plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    write!(text, "<{name}>{inner}</{name}>").expect("cannot fail because a String takes any text");
}

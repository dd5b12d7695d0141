//! What a received request says, before anything is believed.
//!
//! Its own file because both the ledger (through `peek`) and the checks need the same reading.
//! Parameters come from the query and, with POST, from a form or JSON body, where the body wins
//! (contract page, section 2a step 1). Nothing is verified here and nothing is refused but what
//! cannot be a call at all; `verify` does the rest.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::envelope::Refusal;
use crate::sandbox::{Peek, Received};

pub(super) const ACS3: &str = "ACS3-HMAC-SHA256";

/// Parameters that carry ids of any kind, single or as comma lists.
const ID_PARAMETERS: [&str; 10] = [
    "VideoIds",
    "VideoId",
    "ReferenceIds",
    "ReferenceId",
    "MediaIds",
    "MediaId",
    "ImageIds",
    "ImageId",
    "ImageURLs",
    "JobIds",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Everything in parameters, HMAC-SHA1.
    RpcV1,
    /// Headers and `Authorization`, HMAC-SHA256.
    Acs3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) scheme: Scheme,
    pub(super) format: Format,
    /// The query's pairs, decoded, in the order received: V3 signs them apart from the body.
    pub(super) query: Vec<(String, String)>,
    /// Query and body merged, decoded. With v1 the common parameters are among them.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) action: Option<String>,
    pub(super) version: Option<String>,
    pub(super) timestamp: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) key_id: Option<String>,
    pub(super) token: Option<String>,
    /// V3: the signed header names as listed. V1 signs no headers.
    pub(super) signed_headers: Option<String>,
    pub(super) signature: Option<String>,
}

impl Request {
    pub(super) fn read(received: &Received) -> Self {
        let query = pairs(received.query());
        let mut parameters: BTreeMap<String, String> = query.iter().cloned().collect();
        if received.method == http::Method::POST {
            parameters.extend(body_pairs(received));
        }
        match received.header("authorization").and_then(|it| it.strip_prefix(ACS3)) {
            Some(credential) => Self::acs3(received, query, parameters, credential),
            None => Self::rpc_v1(query, parameters),
        }
    }

    fn rpc_v1(query: Vec<(String, String)>, parameters: BTreeMap<String, String>) -> Self {
        let get = |name: &str| parameters.get(name).filter(|it| !it.is_empty()).cloned();
        Self {
            scheme: Scheme::RpcV1,
            // Common parameters page: absent means XML.
            format: match parameters.get("Format") {
                Some(format) if format.eq_ignore_ascii_case("json") => Format::Json,
                _ => Format::Xml,
            },
            action: get("Action"),
            version: get("Version"),
            timestamp: get("Timestamp"),
            nonce: get("SignatureNonce"),
            key_id: get("AccessKeyId"),
            token: get("SecurityToken"),
            signed_headers: None,
            signature: get("Signature"),
            query,
            parameters,
        }
    }

    fn acs3(
        received: &Received,
        query: Vec<(String, String)>,
        parameters: BTreeMap<String, String>,
        credential: &str,
    ) -> Self {
        let header =
            |name: &str| received.header(name).map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned);
        // V3 page: no spaces after the commas, so a part with one is not recognised.
        let part = |name: &str| {
            credential
                .strip_prefix(' ')
                .unwrap_or_default()
                .split(',')
                .find_map(|part| part.strip_prefix(name))
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
        };
        let wants_json =
            received.header("accept").is_some_and(|it| it.to_ascii_lowercase().contains("application/json"))
                || parameters.get("Format").is_some_and(|it| it.eq_ignore_ascii_case("json"));
        Self {
            scheme: Scheme::Acs3,
            format: if wants_json { Format::Json } else { Format::Xml },
            action: header("x-acs-action"),
            version: header("x-acs-version"),
            timestamp: header("x-acs-date"),
            nonce: header("x-acs-signature-nonce"),
            key_id: part("Credential="),
            token: header("x-acs-security-token"),
            signed_headers: part("SignedHeaders="),
            signature: part("Signature="),
            query,
            parameters,
        }
    }

    pub(super) fn peek(&self) -> Peek {
        Peek {
            operation: self.action.clone().unwrap_or_default(),
            ids: ID_PARAMETERS
                .iter()
                .filter_map(|name| self.parameters.get(*name))
                .flat_map(|list| list.split(','))
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
                .collect(),
            nonce: self.nonce.clone(),
            key_id: self.key_id.clone(),
            scheme: match self.scheme {
                Scheme::RpcV1 => "rpc-v1-hmac-sha1".to_owned(),
                Scheme::Acs3 => "acs3-hmac-sha256".to_owned(),
            },
        }
    }

    /// A business parameter that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }
}

/// Refuses what is no RPC-style call: another method, or a path (the path is always `/`).
pub(super) fn check_shape(received: &Received) -> Result<(), Refusal> {
    if received.method != http::Method::GET && received.method != http::Method::POST {
        return Err(Refusal::new(400, "UnsupportedHTTPMethod", "This http method is not supported."));
    }
    if received.path() != "/" {
        return Err(Refusal::no_such_api());
    }
    Ok(())
}

/// Decoded pairs of a query or form, in order. A `+` is a space, as every form decoder has it:
/// a client that leaves a plus sign unencoded signs something else than it sends.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn body_pairs(received: &Received) -> Vec<(String, String)> {
    let kind = received.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return pairs(&String::from_utf8_lossy(&received.body));
    }
    if kind.starts_with("application/json")
        && let Ok(Value::Object(fields)) = serde_json::from_slice(&received.body)
    {
        return fields
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    (name, value.to_string())
                }
            })
            .collect();
    }
    Vec::new()
}

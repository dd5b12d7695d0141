//! The two signatures of the vendor's pages, rebuilt from what was received.
//!
//! Pure: parts in, every intermediate text out, so that each stage can be compared with the
//! published vectors and a refusal can show the server's own string to sign. Written from the
//! "Signature method" (v1) and "V3 request structure and signature" pages, and deliberately not
//! shared with the client's signing code: the page is read twice.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::request::ACS3;

/// Everything but `A-Z a-z 0-9 - _ . ~` is encoded (v1 page, step 3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn joined<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let parts: Vec<String> =
        pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    parts.join("&")
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[derive(Debug)]
pub(super) struct RpcV1 {
    #[cfg_attr(not(test), expect(dead_code, reason = "vectors compare every stage"))]
    pub(super) canonical_query: String,
    pub(super) string_to_sign: String,
    pub(super) signature: String,
}

/// RPC v1.0, HMAC-SHA1. `parameters` may hold `Signature`, the one that is never signed. The map
/// is ordered by raw name and code point, which is the order the page asks for.
pub(super) fn rpc_v1(method: &str, parameters: &BTreeMap<String, String>, secret: &str) -> RpcV1 {
    let canonical_query = joined(
        parameters
            .iter()
            .filter(|(name, _)| *name != "Signature")
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let string_to_sign = format!("{method}&%2F&{}", encode(&canonical_query));
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes())
        .expect("cannot fail because HMAC takes keys of any length");
    mac.update(string_to_sign.as_bytes());
    RpcV1 { signature: BASE64_STANDARD.encode(mac.finalize().into_bytes()), canonical_query, string_to_sign }
}

#[derive(Debug)]
pub(super) struct Acs3 {
    #[cfg_attr(not(test), expect(dead_code, reason = "vectors compare every stage"))]
    pub(super) canonical_query: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "vectors compare every stage"))]
    pub(super) canonical_headers: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "vectors compare every stage"))]
    pub(super) signed_headers: String,
    pub(super) canonical_request: String,
    pub(super) string_to_sign: String,
    pub(super) signature: String,
}

/// V3, ACS3-HMAC-SHA256. `headers` are the signed ones alone: lower-case names, trimmed values.
pub(super) fn acs3(
    method: &str,
    query: &[(String, String)],
    headers: &BTreeMap<String, String>,
    payload_hash: &str,
    secret: &str,
) -> Acs3 {
    let mut sorted: Vec<&(String, String)> = query.iter().collect();
    sorted.sort();
    let canonical_query = joined(sorted.into_iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut canonical_headers = String::new();
    for (name, value) in headers {
        canonical_headers.extend([name.as_str(), ":", value.as_str(), "\n"]);
    }
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    let signed_headers = names.join(";");
    // The path of an RPC-style product is always "/".
    let canonical_request =
        [method, "/", &canonical_query, &canonical_headers, &signed_headers, payload_hash].join("\n");
    let string_to_sign = format!("{ACS3}\n{}", sha256_hex(canonical_request.as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .expect("cannot fail because HMAC takes keys of any length");
    mac.update(string_to_sign.as_bytes());
    Acs3 {
        signature: hex::encode(mac.finalize().into_bytes()),
        canonical_query,
        canonical_headers,
        signed_headers,
        canonical_request,
        string_to_sign,
    }
}

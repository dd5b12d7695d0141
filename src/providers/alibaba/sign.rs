//! Alibaba's two signatures: ACS3-HMAC-SHA256 ("V3") and RPC v1 HMAC-SHA1.
//!
//! A function per stage, so that each can be held against the vendor's printed
//! intermediate values, and two entry points (`acs3`, `rpc_v1`) that a call
//! and the benches use. Pure: time and nonce come in as values, and the query
//! that was signed goes out byte by byte as it was signed. Does not know which
//! parameters an operation has, nor how a request is sent. The string to sign
//! is never logged: it holds ids and, with v1, the session token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::types::secret::Credentials;

/// The API version that every request names.
pub const API_VERSION: &str = "2017-03-21";
/// Every request is a POST with its parameters in the query and no body, as the vendor's own SDK sends it.
pub const METHOD: &str = "POST";
/// SHA-256 of nothing, since no request has a body.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const ACS3: &str = "ACS3-HMAC-SHA256";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Alibaba: unreserved characters stay, everything else is `%XX`; page section 2a, step 3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Alibaba's times have whole seconds and end in Z.
static WHOLE_SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));

/// What is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// The value of the `host` header, with the port where it is not the scheme's own.
    pub host: &'a str,
    /// The operation.
    pub action: &'a str,
    /// The operation's parameters, not encoded.
    pub parameters: &'a [(&'static str, String)],
    /// The time, as the vendor's clock has it.
    pub time: Timestamp,
    /// Never used before.
    pub nonce: &'a str,
}

/// What to send. Does not print its query, which with v1 holds the session token.
#[derive(Clone)]
pub struct Signed {
    /// The query, encoded. It must be sent as it stands: with v1 it is what was signed.
    pub query: String,
    /// All headers but those that the HTTP client adds by itself.
    pub headers: HeaderMap,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// The key, its token or the nonce holds a character that no header can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key holds a character that a header cannot carry")]
pub struct Unsignable;

/// Signs with ACS3-HMAC-SHA256.
///
/// Signed are `host` and every `x-acs-*` header; `accept` and `user-agent` are
/// not, since a proxy may rewrite them (page section 2b).
pub fn acs3(request: &Unsigned<'_>, key: &Credentials) -> Result<Signed, Unsignable> {
    let time = time_text(request.time);
    let mut signed = vec![
        ("host", request.host),
        ("x-acs-action", request.action),
        ("x-acs-content-sha256", EMPTY_SHA256),
        ("x-acs-date", time.as_str()),
        ("x-acs-signature-nonce", request.nonce),
        ("x-acs-version", API_VERSION),
    ];
    if let Some(token) = &key.token {
        // Alibaba: whether the token alone suffices is not documented; the SDK sends both.
        signed.push(("x-acs-accesskey-id", &key.id));
        signed.push(("x-acs-security-token", token.expose()));
    }
    sort_headers(&mut signed);
    let query = canonical_query(&mut borrowed(request.parameters));
    let names = signed_headers(&signed);
    let canonical = canonical_request(METHOD, &query, &signed, &names, EMPTY_SHA256);
    let signature = acs3_signature(key.secret.expose(), &acs3_string_to_sign(&canonical));

    let mut headers = HeaderMap::with_capacity(signed.len() + 2);
    for (name, value) in signed {
        let mut value = HeaderValue::from_str(value).map_err(|_| Unsignable)?;
        value.set_sensitive(name == "x-acs-security-token");
        headers.insert(HeaderName::from_static(name), value);
    }
    let mut authorization =
        HeaderValue::try_from(acs3_authorization(&key.id, &names, &signature)).map_err(|_| Unsignable)?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(ACCEPT, JSON);
    Ok(Signed { query, headers })
}

/// Signs with RPC v1 HMAC-SHA1: everything, the token included, is in the query.
pub fn rpc_v1(request: &Unsigned<'_>, key: &Credentials) -> Result<Signed, Unsignable> {
    let time = time_text(request.time);
    let mut parameters = borrowed(request.parameters);
    parameters.extend([
        ("AccessKeyId", key.id.as_str()),
        ("Action", request.action),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", request.nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", time.as_str()),
        ("Version", API_VERSION),
    ]);
    if let Some(token) = &key.token {
        parameters.push(("SecurityToken", token.expose()));
    }
    let mut query = canonical_query(&mut parameters);
    let signature = rpc_signature(key.secret.expose(), &rpc_string_to_sign(METHOD, &query));
    query.push_str("&Signature=");
    encode(&signature, &mut query);

    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(HOST, HeaderValue::from_str(request.host).map_err(|_| Unsignable)?);
    headers.insert(ACCEPT, JSON);
    Ok(Signed { query, headers })
}

/// The time as the vendor reads it: `2026-01-15T08:30:00Z`.
#[must_use]
pub fn time_text(time: Timestamp) -> String {
    WHOLE_SECONDS.timestamp_to_string(&time)
}

/// Parameters by raw name, names and values encoded, empty values with their `=`.
#[must_use]
pub fn canonical_query<N: AsRef<str>, V: AsRef<str>>(parameters: &mut [(N, V)]) -> String {
    parameters.sort_unstable_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
    let raw: usize = parameters.iter().map(|(n, v)| n.as_ref().len() + v.as_ref().len() + 2).sum();
    // Room for the usual case: a comma or colon here and there, three bytes each.
    let mut query = String::with_capacity(raw + raw / 4);
    for (name, value) in parameters {
        if !query.is_empty() {
            query.push('&');
        }
        encode(name.as_ref(), &mut query);
        query.push('=');
        encode(value.as_ref(), &mut query);
    }
    query
}

/// Puts headers in the order in which they are signed: by lower-case name.
pub fn sort_headers<N: AsRef<str>, V>(headers: &mut [(N, V)]) {
    headers.sort_unstable_by(|(a, _), (b, _)| lower(a.as_ref()).cmp(lower(b.as_ref())));
}

/// The names of sorted headers, joined.
#[must_use]
pub fn signed_headers<N: AsRef<str>, V>(headers: &[(N, V)]) -> String {
    let mut names = String::with_capacity(headers.len() * 24);
    for (name, _) in headers {
        if !names.is_empty() {
            names.push(';');
        }
        names.extend(lower(name.as_ref()).map(char::from));
    }
    names
}

/// V3: method, path, query, one line per header, an empty line, their names, the body's hash.
#[must_use]
pub fn canonical_request<N: AsRef<str>, V: AsRef<str>>(
    method: &str,
    query: &str,
    headers: &[(N, V)],
    names: &str,
    body_sha256: &str,
) -> String {
    let lines: usize = headers.iter().map(|(n, v)| n.as_ref().len() + v.as_ref().len() + 2).sum();
    let mut text = String::with_capacity(method.len() + query.len() + lines + names.len() + 80);
    text.push_str(method);
    text.push_str("\n/\n");
    text.push_str(query);
    text.push('\n');
    for (name, value) in headers {
        text.extend(lower(name.as_ref()).map(char::from));
        text.push(':');
        text.push_str(value.as_ref().trim());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(names);
    text.push('\n');
    text.push_str(body_sha256);
    text
}

/// V3: the algorithm and the hash of the canonical request.
#[must_use]
pub fn acs3_string_to_sign(canonical_request: &str) -> String {
    let mut text = String::with_capacity(ACS3.len() + 65);
    text.push_str(ACS3);
    text.push('\n');
    push_hex(&Sha256::digest(canonical_request), &mut text);
    text
}

/// V3: the secret is the key as it is, no day or region is mixed in.
#[must_use]
pub fn acs3_signature(secret: &str, string_to_sign: &str) -> String {
    let mut text = String::with_capacity(64);
    push_hex(&hmac_sha256(secret.as_bytes(), string_to_sign), &mut text);
    text
}

/// V3: the header. No space follows the commas.
#[must_use]
pub fn acs3_authorization(key_id: &str, names: &str, signature: &str) -> String {
    let mut text = String::with_capacity(key_id.len() + names.len() + signature.len() + 64);
    for piece in [ACS3, " Credential=", key_id, ",SignedHeaders=", names, ",Signature=", signature] {
        text.push_str(piece);
    }
    text
}

/// V1: the method, the encoded path `/`, the query encoded once more.
#[must_use]
pub fn rpc_string_to_sign(method: &str, query: &str) -> String {
    let mut text = String::with_capacity(method.len() + query.len() + query.len() / 2 + 8);
    text.push_str(method);
    text.push_str("&%2F&");
    encode(query, &mut text);
    text
}

/// V1: the key is the secret and one `&`, also with a session token.
#[must_use]
pub fn rpc_signature(secret: &str, string_to_sign: &str) -> String {
    let mut key = zeroize::Zeroizing::new(Vec::with_capacity(secret.len() + 1));
    key.extend_from_slice(secret.as_bytes());
    key.push(b'&');
    BASE64.encode(hmac_sha1(&key, string_to_sign))
}

fn borrowed<'a>(parameters: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    // v1 adds nine of its own.
    let mut pairs = Vec::with_capacity(parameters.len() + 9);
    pairs.extend(parameters.iter().map(|(name, value)| (*name, value.as_str())));
    pairs
}

fn encode(text: &str, out: &mut String) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

fn lower(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn hmac_sha256(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hmac_sha1(key: &[u8], text: &str) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

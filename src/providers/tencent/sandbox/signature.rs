//! The two signature schemes of Tencent Cloud API 3.0 as plain text and arithmetic.
//!
//! Written from the vendor's "Signature v3" and "Signature" (v1) pages and proved by the vectors in
//! `testdata/tencent.json`. Each stage is its own function, so that a vector can be compared stage by stage
//! and a mismatch says where it began.
//!
//! Does not know requests, keys that exist, clocks or error codes: that is `verify`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The scheme's name, first word of the `Authorization` header and first line of the string to sign.
pub(super) const TC3: &str = "TC3-HMAC-SHA256";

/// The value of `X-TC-Content-SHA256` that leaves the body out of the signature.
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How a v1 request says it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum V1Method {
    /// The default: `SignatureMethod` absent, or anything but `HmacSHA256`.
    HmacSha1,
    /// `SignatureMethod=HmacSHA256`.
    HmacSha256,
}

impl V1Method {
    /// Reads the `SignatureMethod` parameter. An unknown word means SHA-1 at this vendor, not an error.
    #[must_use]
    pub(super) fn named(value: Option<&str>) -> Self {
        match value {
            Some("HmacSHA256") => Self::HmacSha256,
            _ => Self::HmacSha1,
        }
    }
}

/// The three derived keys of TC3, kept apart because the vectors give each.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tc3Keys {
    /// `HMAC("TC3" + secret, date)`.
    pub(super) date: [u8; 32],
    /// `HMAC(date key, service)`.
    pub(super) service: [u8; 32],
    /// `HMAC(service key, "tc3_request")`.
    pub(super) signing: [u8; 32],
}

impl std::fmt::Debug for Tc3Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Derived keys sign as well as the secret does for a day, so they are not printed.
        f.write_str("Tc3Keys(..)")
    }
}

/// Lower-case hex of SHA-256.
#[must_use]
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The payload line of the canonical request: of the exact body bytes, or of the literal word
/// `UNSIGNED-PAYLOAD` (the word is hashed here, unlike at AWS).
#[must_use]
pub(super) fn hashed_payload(body: &[u8], unsigned: bool) -> String {
    if unsigned { sha256_hex(UNSIGNED_PAYLOAD.as_bytes()) } else { sha256_hex(body) }
}

/// The canonical request. `query` is the raw query string, never re-sorted; `headers` are in the order of
/// `SignedHeaders`, with values already in the form that is signed. The path is always `/`.
#[must_use]
pub(super) fn canonical_request(
    method: &str,
    query: &str,
    headers: &[(&str, String)],
    hashed_payload: &str,
) -> String {
    let mut text = format!("{method}\n/\n{query}\n");
    for (name, value) in headers {
        text.push_str(name);
        text.push(':');
        text.push_str(value);
        text.push('\n');
    }
    // The header block ends with its own newline and one more: an empty line stands before the names.
    text.push('\n');
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    text.push_str(&names.join(";"));
    text.push('\n');
    text.push_str(hashed_payload);
    text
}

/// The scope: the UTC date of the timestamp, the product, and a fixed word.
#[must_use]
pub(super) fn scope(date: &str, service: &str) -> String {
    format!("{date}/{service}/tc3_request")
}

/// The string to sign of TC3. The timestamp enters the signature here, not through a header.
#[must_use]
pub(super) fn string_to_sign(timestamp: i64, scope: &str, canonical_request: &str) -> String {
    let digest = sha256_hex(canonical_request.as_bytes());
    format!("{TC3}\n{timestamp}\n{scope}\n{digest}")
}

/// Derives the signing key for one secret, UTC date and product.
#[must_use]
pub(super) fn tc3_keys(secret_key: &str, date: &str, service: &str) -> Tc3Keys {
    let first = hmac_sha256(format!("TC3{secret_key}").as_bytes(), date.as_bytes());
    let second = hmac_sha256(&first, service.as_bytes());
    let third = hmac_sha256(&second, b"tc3_request");
    Tc3Keys { date: first, service: second, signing: third }
}

/// The TC3 signature: lower-case hex.
#[must_use]
pub(super) fn tc3_signature(keys: &Tc3Keys, string_to_sign: &str) -> String {
    hex::encode(hmac_sha256(&keys.signing, string_to_sign.as_bytes()))
}

/// The v1 string to sign. Keys in byte order (`Urls.10` before `Urls.2`), values raw, not URL-encoded;
/// the `Signature` parameter itself must not be among the pairs. (The Python SDK signs `_` in keys as `.`; no VOD
/// parameter has one, so keys are signed as received.)
#[must_use]
pub(super) fn v1_string_to_sign(method: &str, host: &str, pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let joined: Vec<String> = sorted.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{method}{host}/?{}", joined.join("&"))
}

/// The v1 signature: base64 with padding.
#[must_use]
pub(super) fn v1_signature(method: V1Method, secret_key: &str, string_to_sign: &str) -> String {
    match method {
        V1Method::HmacSha1 => STANDARD.encode(hmac_sha1(secret_key.as_bytes(), string_to_sign.as_bytes())),
        V1Method::HmacSha256 => {
            STANDARD.encode(hmac_sha256(secret_key.as_bytes(), string_to_sign.as_bytes()))
        }
    }
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

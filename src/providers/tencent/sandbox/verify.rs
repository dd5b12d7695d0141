//! Who signed a call, rebuilt from what was received.
//!
//! Its own file because it is where the vendor's pages decide whether a client's signature works: the exact
//! query string and body bytes, the signed headers as listed, the UTC date of the timestamp, five minutes of
//! clock difference, and the codes of section 2.2.
//!
//! Does not know actions or limits; the text rules of the schemes are in `signature`.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use super::envelope::Refusal;
use super::options::Key;
use super::request::{Call, value_of};
use super::signature::{self, V1Method};
use crate::sandbox::Received;

/// "within 5 minutes of server time", either way.
const MAX_SKEW_SECONDS: u64 = 300;

/// The product of this host. The region in a host name changes nothing about it.
const SERVICE: &str = "vod";

/// The parts of a TC3 `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) secret_id: &'a str,
    pub(super) date: &'a str,
    pub(super) service: &'a str,
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `TC3-HMAC-SHA256 Credential=<id>/<date>/<service>/tc3_request, SignedHeaders=…, Signature=<hex>`,
    /// separated by a comma and one space.
    pub(super) fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix(signature::TC3)?.strip_prefix(' ')?;
        let mut fields = rest.split(", ");
        let credential = fields.next()?.strip_prefix("Credential=")?;
        let signed = fields.next()?.strip_prefix("SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix("Signature=")?;
        if fields.next().is_some() {
            return None;
        }
        let mut scope = credential.rsplitn(4, '/');
        let (word, service, date) = (scope.next()?, scope.next()?, scope.next()?);
        let secret_id = scope.next()?;
        let signed_headers: Vec<&str> = signed.split(';').collect();
        // "content-type and host are the required minimum", and names are lower-case.
        let minimum = ["content-type", "host"].iter().all(|name| signed_headers.contains(name));
        let lower = !signed.bytes().any(|byte| byte.is_ascii_uppercase());
        let hex =
            signature.len() == 64 && signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (word == "tc3_request" && minimum && lower && hex).then_some(Self {
            secret_id,
            date,
            service,
            signed_headers,
            signature,
        })
    }
}

/// The `SecretId` that a call claims, before any check.
pub(super) fn claimed<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    match &call.v1 {
        Some(pairs) => value_of(pairs, "SecretId"),
        None => Authorization::parse(call.received.header("authorization")?).map(|a| a.secret_id),
    }
}

/// Finds out who signed, or refuses with the code of section 2.2.
pub(super) fn verify<'k>(
    call: &Call<'_>,
    keys: &'k BTreeMap<String, Key>,
    now: Timestamp,
) -> Result<&'k Key, Refusal> {
    let key = match &call.v1 {
        None => verify_tc3(call, keys, now)?,
        Some(pairs) => verify_v1(call, pairs, keys, now)?,
    };
    check_token(call.token(), key, now)?;
    Ok(key)
}

fn verify_tc3<'k>(
    call: &Call<'_>,
    keys: &'k BTreeMap<String, Key>,
    now: Timestamp,
) -> Result<&'k Key, Refusal> {
    let header = call.received.header("authorization").unwrap_or_default();
    let authorization = Authorization::parse(header).ok_or_else(|| {
        let message = "The Authorization header is malformed.";
        Refusal::new("AuthFailure.InvalidAuthorization", message)
    })?;
    let timestamp = call.timestamp()?;
    check_time(timestamp, now)?;
    let key = find(keys, authorization.secret_id)?;
    // The scope is rebuilt, not believed: a date in local time or the scope of another product gives another
    // signature. The header's own words must agree, or the message would not say what is wrong.
    let date = utc_date(timestamp)?;
    if authorization.date != date || authorization.service != SERVICE {
        return Err(mismatch("The scope is not this day's scope of this product."));
    }
    let unsigned = call.received.header("x-tc-content-sha256") == Some(signature::UNSIGNED_PAYLOAD);
    let derived = signature::tc3_keys(&key.secret_key, &date, SERVICE);
    let scope = signature::scope(&date, SERVICE);
    let good = [Values::AsSent, Values::LowerCase].into_iter().any(|values| {
        let Some(headers) = signed_headers(call.received, &authorization.signed_headers, values) else {
            return false;
        };
        let canonical = canonical(call.received, &headers, unsigned);
        let text = signature::string_to_sign(timestamp, &scope, &canonical);
        same(&signature::tc3_signature(&derived, &text), authorization.signature)
    });
    if good { Ok(key) } else { Err(mismatch("The signature does not match.")) }
}

/// The two readings of header values, both accepted: the SDKs insert content type and host unchanged, the
/// documentation lower-cases and trims every value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    AsSent,
    LowerCase,
}

/// The signed headers in the order listed, or nothing if one of them is not there. Headers beyond the two of
/// the SDKs (`x-tc-action`) are only known from the documentation, so they are lower-cased in both readings.
pub(super) fn signed_headers<'n>(
    received: &Received,
    names: &[&'n str],
    values: Values,
) -> Option<Vec<(&'n str, String)>> {
    let one = |name: &&'n str| {
        let sent = received.header(name)?;
        let as_sent = values == Values::AsSent && matches!(*name, "content-type" | "host");
        let value = if as_sent { sent.to_owned() } else { sent.trim().to_lowercase() };
        Some((*name, value))
    };
    names.iter().map(one).collect()
}

/// The canonical request of what was received: POST has an empty query line, GET an empty payload.
pub(super) fn canonical(received: &Received, headers: &[(&str, String)], unsigned: bool) -> String {
    let get = received.method == Method::GET;
    let (query, body): (&str, &[u8]) = if get { (received.query(), b"") } else { ("", &received.body) };
    let payload = signature::hashed_payload(body, unsigned);
    signature::canonical_request(received.method.as_str(), query, headers, &payload)
}

fn verify_v1<'k>(
    call: &Call<'_>,
    pairs: &[(String, String)],
    keys: &'k BTreeMap<String, Key>,
    now: Timestamp,
) -> Result<&'k Key, Refusal> {
    check_time(call.timestamp()?, now)?;
    let nonce = value_of(pairs, "Nonce").ok_or_else(|| Refusal::missing("Nonce"))?;
    // "random positive integer"; no rule says that it must not come twice.
    if !nonce.parse::<u64>().is_ok_and(|nonce| nonce > 0) {
        return Err(Refusal::invalid("The nonce must be a positive integer."));
    }
    let secret_id = value_of(pairs, "SecretId").ok_or_else(|| Refusal::missing("SecretId"))?;
    let key = find(keys, secret_id)?;
    let text = v1_text(call.received, pairs);
    let method = V1Method::named(value_of(pairs, "SignatureMethod"));
    let expected = signature::v1_signature(method, &key.secret_key, &text);
    let given = value_of(pairs, "Signature").unwrap_or_default();
    if same(&expected, given) { Ok(key) } else { Err(mismatch("The signature does not match.")) }
}

/// The v1 string to sign of what was received: every parameter but the signature, values raw.
pub(super) fn v1_text(received: &Received, pairs: &[(String, String)]) -> String {
    let signed: Vec<(String, String)> =
        pairs.iter().filter(|(name, _)| name != "Signature").cloned().collect();
    let host = received.header("host").unwrap_or_default();
    signature::v1_string_to_sign(received.method.as_str(), host, &signed)
}

/// The UTC date of a timestamp, `YYYY-MM-DD`.
pub(super) fn utc_date(timestamp: i64) -> Result<String, Refusal> {
    let at = Timestamp::from_second(timestamp);
    let at = at.map_err(|_| Refusal::invalid("The timestamp is no time."))?;
    Ok(at.strftime("%Y-%m-%d").to_string())
}

fn check_time(timestamp: i64, now: Timestamp) -> Result<(), Refusal> {
    if now.as_second().abs_diff(timestamp) <= MAX_SKEW_SECONDS {
        return Ok(());
    }
    let message = "The timestamp is more than 5 minutes off.";
    Err(Refusal::new("AuthFailure.SignatureExpire", message))
}

fn find<'k>(keys: &'k BTreeMap<String, Key>, secret_id: &str) -> Result<&'k Key, Refusal> {
    if let Some(key) = keys.get(secret_id) {
        return Ok(key);
    }
    // "unknown, deleted or disabled key; also stray white space" against "not a cloud API key": told apart
    // by the prefix that the page gives for key ids.
    if secret_id.trim().starts_with("AKID") {
        return Err(Refusal::new("AuthFailure.SecretIdNotFound", "The SecretId is not found."));
    }
    Err(Refusal::new("AuthFailure.InvalidSecretId", "The SecretId is not a cloud API key."))
}

fn check_token(token: Option<&str>, key: &Key, now: Timestamp) -> Result<(), Refusal> {
    let good = match (&key.token, token) {
        (None, None) => true,
        (Some(expected), Some(given)) => same(expected, given) && key.expires_at.is_none_or(|end| now < end),
        // A temporary key without its token, or a token beside a permanent key.
        (Some(_), None) | (None, Some(_)) => false,
    };
    let message = "The session token is bad or has expired.";
    if good { Ok(()) } else { Err(Refusal::new("AuthFailure.TokenFailure", message)) }
}

fn mismatch(message: &str) -> Refusal {
    Refusal::new("AuthFailure.SignatureFailure", message)
}

fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

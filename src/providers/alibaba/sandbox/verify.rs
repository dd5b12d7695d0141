//! Whether a call comes from a known key, now, and unchanged.
//!
//! Its own file because it is the gateway in front of every operation: section 2c of the contract
//! page is this file's table. Everything is rebuilt from what was received and compared in
//! constant time. Nonces are checked by the caller afterwards, so that a forged call cannot use
//! one up. Knows no operation and no library.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::{
    envelope::Refusal,
    quirks::Quirks,
    request::{Request, Scheme},
    seed, signature,
};
use crate::sandbox::Received;

/// The most that request time and server time may differ (public gateway error table).
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
    /// The STS token that must come with the key.
    pub(super) token: Option<String>,
    pub(super) disabled: bool,
    pub(super) token_expired: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// The seeded keys, as the switches leave them.
    pub(super) fn of(quirks: &Quirks) -> Self {
        let key = |id: &str, secret: &str, token: Option<&str>| Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
            disabled: id == seed::DISABLED_KEY_ID
                || quirks.disabled_keys.iter().any(|disabled| disabled == id),
            token_expired: id == seed::EXPIRED_STS_KEY_ID,
        };
        let mut keys = vec![
            key(seed::ACCESS_KEY_ID, &quirks.access_key_secret, None),
            key(seed::STS_KEY_ID, seed::STS_SECRET, Some(seed::STS_TOKEN)),
            key(seed::EXPIRED_STS_KEY_ID, seed::EXPIRED_STS_SECRET, Some(seed::EXPIRED_STS_TOKEN)),
            key(seed::DISABLED_KEY_ID, seed::DISABLED_SECRET, None),
        ];
        keys.retain(|key| !quirks.revoked_keys.contains(&key.id));
        Self(keys)
    }

    #[cfg(test)]
    pub(super) fn only(key: Key) -> Self {
        Self(vec![key])
    }
}

pub(super) fn authenticate(
    received: &Received,
    request: &Request,
    keys: &Keys,
    now: Timestamp,
    quirks: &Quirks,
) -> Result<(), Refusal> {
    check_parts(request)?;
    let missing = |name: &str| Refusal::missing(name);
    let timestamp = request.timestamp.as_deref().ok_or_else(|| missing("Timestamp"))?;
    check_time(timestamp, now)?;
    if request.nonce.is_none() {
        return Err(missing("SignatureNonce"));
    }
    let key_id = request.key_id.as_deref().ok_or_else(|| missing("AccessKeyId"))?;
    let key = find_key(key_id, request.token.as_deref(), keys, quirks)?;
    match request.scheme {
        Scheme::RpcV1 => check_rpc_v1(received, request, key),
        Scheme::Acs3 => check_acs3(received, request, key, quirks),
    }
}

/// The parts that only one of the schemes has.
fn check_parts(request: &Request) -> Result<(), Refusal> {
    match request.scheme {
        Scheme::RpcV1 => {
            let method =
                request.text("SignatureMethod").ok_or_else(|| Refusal::missing("SignatureMethod"))?;
            if method != "HMAC-SHA1" {
                return Err(Refusal::new(
                    400,
                    "InvalidSignatureMethod",
                    "The specified signature method is not supported.",
                ));
            }
            let version =
                request.text("SignatureVersion").ok_or_else(|| Refusal::missing("SignatureVersion"))?;
            if version != "1.0" {
                return Err(Refusal::invalid("SignatureVersion"));
            }
            // Sent empty by one official SDK, which is the same as not sent.
            if request.text("SignatureType").is_some() {
                return Err(Refusal::invalid("SignatureType"));
            }
            if let Some(format) = request.text("Format")
                && !format.eq_ignore_ascii_case("json")
                && !format.eq_ignore_ascii_case("xml")
            {
                return Err(Refusal::invalid("Format"));
            }
            if request.signature.is_none() {
                return Err(Refusal::missing("Signature"));
            }
            Ok(())
        }
        Scheme::Acs3 => {
            if request.key_id.is_none() || request.signature.is_none() || request.signed_headers.is_none() {
                return Err(Refusal::incomplete_signature());
            }
            Ok(())
        }
    }
}

fn check_time(text: &str, now: Timestamp) -> Result<(), Refusal> {
    // UTC as YYYY-MM-DDThh:mm:ssZ and nothing else: no fraction, no offset.
    let shaped = text.len() == 20
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            19 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let time = text.parse::<Timestamp>().ok().filter(|_| shaped);
    let Some(time) = time else {
        return Err(Refusal::new(
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        ));
    };
    if now.duration_since(time).abs() > CLOCK_TOLERANCE {
        return Err(Refusal::new(
            400,
            "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired.",
        ));
    }
    Ok(())
}

fn find_key<'a>(id: &str, token: Option<&str>, keys: &'a Keys, quirks: &Quirks) -> Result<&'a Key, Refusal> {
    let key = keys.0.iter().find(|key| key.id == id).ok_or_else(|| {
        Refusal::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    })?;
    if key.disabled {
        return Err(Refusal::new(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."));
    }
    let refused = |code: &str, message: &str| Refusal::new(quirks.sts_error_status, code, message);
    match (token, key.token.as_deref()) {
        (None, None) => Ok(key),
        (None, Some(_)) => {
            Err(refused("MissingSecurityToken", "SecurityToken is mandatory for this action."))
        }
        (Some(sent), Some(own)) if sent == own => {
            if key.token_expired {
                return Err(refused("InvalidSecurityToken.Expired", "Specified SecurityToken is expired."));
            }
            Ok(key)
        }
        (Some(sent), _) => {
            let elsewhere = keys.0.iter().any(|key| key.token.as_deref() == Some(sent));
            Err(if elsewhere {
                refused(
                    "InvalidSecurityToken.MismatchWithAccessKey",
                    "Specified SecurityToken mismatch with the AccessKey.",
                )
            } else {
                refused("InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")
            })
        }
    }
}

fn check_rpc_v1(received: &Received, request: &Request, key: &Key) -> Result<(), Refusal> {
    let own = signature::rpc_v1(received.method.as_str(), &request.parameters, &key.secret);
    if same(request.signature.as_deref(), &own.signature) {
        return Ok(());
    }
    Err(Refusal::signature_mismatch(&own.string_to_sign))
}

fn check_acs3(received: &Received, request: &Request, key: &Key, quirks: &Quirks) -> Result<(), Refusal> {
    let listed: Vec<&str> = request.signed_headers.as_deref().unwrap_or_default().split(';').collect();
    let headers = signed_headers(received, &listed)?;
    check_listed(received, &headers, quirks)?;
    if let Some(id) = received.header("x-acs-accesskey-id")
        && id.trim() != key.id
    {
        return Err(Refusal::new(
            quirks.sts_error_status,
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        ));
    }
    let Some(claimed) = received.header("x-acs-content-sha256") else {
        return Err(Refusal::incomplete_signature());
    };
    // The hash of what arrived, not the one that was claimed, goes into the signature.
    let hash = signature::sha256_hex(&received.body);
    let own = signature::acs3(received.method.as_str(), &request.query, &headers, &hash, &key.secret);
    if same(request.signature.as_deref(), &own.signature) && same(Some(claimed.trim()), &hash) {
        return Ok(());
    }
    Err(Refusal::signature_mismatch(&format!(
        "{}, server canonical request is:{}",
        own.string_to_sign, own.canonical_request
    )))
}

/// The signed headers as the page wants them: lower-case names, trimmed values, repeated ones
/// sorted and joined by commas. A listed header that did not arrive makes the signature malformed.
fn signed_headers(received: &Received, listed: &[&str]) -> Result<BTreeMap<String, String>, Refusal> {
    let mut headers = BTreeMap::new();
    for name in listed {
        let mut values: Vec<&str> = received
            .headers
            .get_all(*name)
            .iter()
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
            .map(str::trim)
            .collect();
        if values.is_empty() {
            return Err(Refusal::incomplete_signature());
        }
        values.sort_unstable();
        headers.insert(name.to_ascii_lowercase(), values.join(","));
    }
    Ok(headers)
}

/// Which headers must be among the signed ones. Host always; the token and the key id because
/// their rows on the page say "signed"; the rest is found on no page and therefore a switch.
fn check_listed(
    received: &Received,
    signed: &BTreeMap<String, String>,
    quirks: &Quirks,
) -> Result<(), Refusal> {
    let always = ["x-acs-security-token", "x-acs-accesskey-id"];
    let unsigned = received.headers.keys().any(|name| {
        let name = name.as_str();
        let wanted = always.contains(&name)
            || (quirks.strict_signed_headers && (name == "content-type" || name.starts_with("x-acs-")));
        wanted && !signed.contains_key(name)
    });
    if unsigned || !signed.contains_key("host") {
        return Err(Refusal::incomplete_signature());
    }
    Ok(())
}

fn same(sent: Option<&str>, own: &str) -> bool {
    sent.is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(own.as_bytes())))
}

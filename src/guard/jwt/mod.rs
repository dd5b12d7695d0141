//! Tokens of configured issuers: is this one good, and whom does it name?
//!
//! The signature is checked by `jsonwebtoken`, with the one algorithm that the
//! configuration, the header and the key agree on; the claims are checked here,
//! because the time is passed in and because a token must have more than that crate
//! asks for. Where keys come from is behind `KeySource`; this file fetches nothing.
//! What is wrong with a token is told to nobody, except that it has expired.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::types::clock::Clock;

pub use jsonwebtoken::Algorithm;

/// Longest token. Real ones have 1 to 2 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far the issuer's clock may be from ours, in seconds.
pub const LEEWAY_S: i64 = 60;
/// Most keys of one issuer. Real ones have two to ten.
pub const MAX_KEYS: usize = 100;
/// The claim that names the caller, unless another is configured.
pub const DEFAULT_CALLER_CLAIM: &str = "sub";
/// The algorithms that can be configured. All have a public key: with a shared one
/// whoever can check a token could make one.
pub const ALGORITHMS: [(&str, Algorithm); 7] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// An issuer, and what its tokens must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The configured name.
    pub name: String,
    /// What stands in `iss`.
    pub issuer: String,
    /// What stands in `aud`, or is one of it.
    pub audience: String,
    /// What tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the caller.
    pub caller_claim: String,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was good once.
    Expired,
    /// Everything else that is wrong with it.
    NotValid,
    /// Its issuer's keys are not known now: it may be good.
    Unchecked,
}

/// Whether a bearer's credential has the form of a token. A key has no dots.
#[must_use]
pub fn is_token(bearer: &str) -> bool {
    bearer.bytes().filter(|b| *b == b'.').count() == 2
}

/// One public key, and what it may be used for.
struct Key {
    id: String,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

/// The keys of one issuer.
pub struct KeySet(Vec<Key>);

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// A key set that is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKeySet {
    /// Not the JSON of a key set.
    #[error("is no JSON Web Key Set")]
    Form,
    /// More than [`MAX_KEYS`].
    #[error("holds more than {MAX_KEYS} keys")]
    TooMany,
    /// Nothing that could check a token.
    #[error("holds no key with a kid that fits the configured algorithms")]
    NoUse,
}

impl KeySet {
    /// Reads a key set and keeps what can check one of these algorithms. Keys of other
    /// kinds are skipped, since issuers publish them beside those for signatures.
    pub fn parse(json: &[u8], algorithms: &[Algorithm]) -> Result<Self, BadKeySet> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let Set { keys } = serde_json::from_slice(json).map_err(|_| BadKeySet::Form)?;
        if keys.len() > MAX_KEYS {
            return Err(BadKeySet::TooMany);
        }
        let usable: Vec<Key> = keys.into_iter().filter_map(|key| usable(key, algorithms)).collect();
        if usable.is_empty() { Err(BadKeySet::NoUse) } else { Ok(Self(usable)) }
    }

    fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

fn usable(key: Value, algorithms: &[Algorithm]) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let common = &jwk.common;
    let id = common.key_id.clone().filter(|id| !id.is_empty())?;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|one| *one == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let fits = |algorithm: &Algorithm| {
        has_the_shape(&jwk.algorithm, *algorithm)
            && common.key_algorithm.is_none_or(|declared| declared == KeyAlgorithm::from(*algorithm))
    };
    let algorithms: Vec<Algorithm> = algorithms.iter().copied().filter(fits).collect();
    if algorithms.is_empty() || !for_signatures {
        return None;
    }
    Some(Key { id, algorithms, public: DecodingKey::from_jwk(&jwk).ok()? })
}

/// Whether a key is of the kind that an algorithm works with. A shared secret never is.
fn has_the_shape(key: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    match (key, algorithm) {
        (
            AlgorithmParameters::RSA(_),
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256,
        ) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

/// What came of looking at a token.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// It is good and names this caller.
    Names(String),
    /// It names a key that is not in the set: the issuer may have a new one.
    UnknownKey,
    /// It is not taken.
    Refused(Refused),
}

impl From<Refused> for Judged {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Judges a token by the keys at hand.
fn judge(issuer: &Issuer, keys: &KeySet, token: &str, now: Timestamp) -> Judged {
    let Ok(header) = decode_header(token) else { return Refused::NotValid.into() };
    // What a token marks as critical must be understood (RFC 7515, 4.1.11), and nothing is here.
    let is_plain = header.crit.is_none() && header.typ.as_deref().is_none_or(is_access_token);
    if !is_plain || !issuer.algorithms.contains(&header.alg) {
        return Refused::NotValid.into();
    }
    let Some(id) = header.kid.as_deref() else { return Refused::NotValid.into() };
    let Some(key) = keys.find(id) else { return Judged::UnknownKey };
    if !key.algorithms.contains(&header.alg) {
        return Refused::NotValid.into();
    }
    match decode::<Map<String, Value>>(token, &key.public, &signature_only(header.alg)) {
        Ok(good) => judge_claims(issuer, &good.claims, now),
        Err(_) => Refused::NotValid.into(),
    }
}

/// The types of tokens that stand for a caller; `logout+jwt` and the like do not.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn judge_claims(issuer: &Issuer, claims: &Map<String, Value>, now: Timestamp) -> Judged {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => *one == issuer.audience,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&issuer.audience)),
        _ => false,
    };
    let time = |name: &str| claims.get(name).map(|value| whole_seconds(value).ok_or(Refused::NotValid));
    let (Some(Ok(expires)), Ok(begins)) = (time("exp"), time("nbf").transpose()) else {
        return Refused::NotValid.into();
    };
    let now = now.as_second();
    let has_begun = begins.is_none_or(|begins| begins.saturating_sub(LEEWAY_S) <= now);
    let Some(caller) = text(&issuer.caller_claim) else { return Refused::NotValid.into() };
    if text("iss") != Some(&issuer.issuer) || !is_for_us || !has_begun {
        return Refused::NotValid.into();
    }
    if expires.saturating_add(LEEWAY_S) <= now {
        return Refused::Expired.into();
    }
    Judged::Names(caller.to_owned())
}

/// A time of a token; issuers may write fractions (RFC 7519, 2).
fn whole_seconds(value: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i64 becomes its end, which is as far away"
    )]
    let rounded = |seconds: f64| seconds.floor() as i64;
    value.as_i64().or_else(|| value.as_f64().filter(|seconds| seconds.is_finite()).map(rounded))
}

/// Where the keys of one issuer are.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The keys as they were read last; `None` if there are none that may still be used.
    fn keys(&self) -> Option<Arc<KeySet>>;
    /// Looks for newer keys, unless that was done a moment ago. Within bounded time.
    async fn look_again(&self);
}

/// All issuers whose tokens are taken.
#[derive(Debug, Clone)]
pub struct Issuers {
    known: Arc<[(Issuer, Arc<dyn KeySource>)]>,
    /// The true time: tokens are dated by others.
    clock: Arc<dyn Clock>,
}

/// A good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The configured name of its issuer.
    pub issuer: String,
    /// Whom it names.
    pub caller: String,
}

impl Issuers {
    /// These issuers with their keys.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = (Issuer, Arc<dyn KeySource>)>, clock: Arc<dyn Clock>) -> Self {
        Self { known: known.into_iter().collect(), clock }
    }

    /// Checks a token. Waits only where it names a key that may have come just now.
    pub async fn check(&self, token: &str) -> Result<Proven, Refused> {
        #[derive(Deserialize)]
        struct Origin {
            iss: String,
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refused::NotValid);
        }
        // Believed only as far as to choose the keys; it is compared once more after the signature.
        let origin = dangerous::insecure_decode_claims::<Origin>(token).map_err(|_| Refused::NotValid)?;
        let (issuer, source) =
            self.known.iter().find(|(issuer, _)| issuer.issuer == origin.iss).ok_or(Refused::NotValid)?;
        let judge_now = || source.keys().map(|keys| judge(issuer, &keys, token, self.clock.now()));
        let judged = match judge_now() {
            None | Some(Judged::UnknownKey) => {
                source.look_again().await;
                judge_now()
            }
            known => known,
        };
        match judged {
            Some(Judged::Names(caller)) => Ok(Proven { issuer: issuer.name.clone(), caller }),
            Some(Judged::Refused(refused)) => Err(refused),
            Some(Judged::UnknownKey) => Err(Refused::NotValid),
            None => Err(Refused::Unchecked),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;

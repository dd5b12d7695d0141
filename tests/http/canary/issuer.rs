//! An issuer of tokens: its keys in a file, and tokens that are good or not.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use vodrm::types::clock::SystemClock;

/// What its tokens say of themselves.
pub(super) const ISSUER: &str = "https://id.canary.example";

/// A private key with its name.
pub(super) struct Signer {
    key: EncodingKey,
    id: &'static str,
}

impl Signer {
    pub(super) fn new(id: &'static str) -> Self {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { key: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()), id }
    }

    /// Its public half, as an issuer publishes it.
    pub(super) fn jwks(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        json!({"keys": [jwk]})
    }

    /// A token for a caller that lasts so long from now, with a secret in its claims.
    pub(super) fn token(&self, caller: &str, lasts_s: i64, canary: &str) -> String {
        let now = SystemClock::start().now().as_second();
        let claims = json!({"iss": ISSUER, "aud": "vodrm", "sub": caller, "iat": now - 600, "nbf": now - 600,
            "exp": now + lasts_s, "email": canary});
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &self.key).unwrap()
    }
}

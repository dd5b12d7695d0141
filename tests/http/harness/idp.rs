//! An issuer of tokens: a key made on the spot and its key set as a file.

use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use vodrm::types::clock::SystemClock;

/// Its name in tokens.
const ISSUER: &str = "https://id.example.com";

pub(crate) struct Idp {
    key: EncodingKey,
}

impl Idp {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { key: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()) }
    }

    /// Writes the key set and gives the settings that believe it; callers say `issuer = "corp"`.
    pub(crate) fn settings(&self, folder: &Path) -> String {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k".to_owned());
        let file = folder.join("jwks.json");
        std::fs::write(&file, json!({ "keys": [jwk] }).to_string()).unwrap();
        format!(
            "[issuers.corp]\nissuer = \"{ISSUER}\"\naudience = \"vodrm\"\njwks = \"{}\"\nalgorithms = [\"ES256\"]\n",
            file.display()
        )
    }

    /// A token for this caller that is good for so many seconds, under this key's name.
    pub(crate) fn token(&self, caller: &str, seconds: i64, kid: &str) -> String {
        let exp = SystemClock::start().now().as_second() + seconds;
        self.sign(&json!({"iss": ISSUER, "aud": "vodrm", "sub": caller, "exp": exp}), kid)
    }

    fn sign(&self, claims: &Value, kid: &str) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }
}

//! An issuer for tests: keys made on the spot, their key set, and tokens.
//!
//! Its own file because the tests of the fetching side need the same.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::Algorithm;

/// A private key with its name.
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Self {
        use aws_lc_rs::encoding::AsDer as _;
        use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
        let ec = |kind| EcdsaKeyPair::generate(kind).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_der(&ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
            Algorithm::ES384 => EncodingKey::from_ec_der(&ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().unwrap();
                assert_eq!(pair.public_key().as_ref().len(), 32);
                EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref())
            }
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256 => {
                let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
                // PKCS #1 stands in PKCS #8 behind a head that is the same for every key of this size.
                EncodingKey::from_rsa_der(&der.as_ref()[26..])
            }
            // What must never be taken: a secret that the issuer and we would share.
            Algorithm::HS256
            | Algorithm::HS384
            | Algorithm::HS512
            | Algorithm::PS384
            | Algorithm::PS512
            | _ => EncodingKey::from_secret(b"canary"),
        };
        Self { id: id.to_owned(), algorithm, key }
    }

    /// The public half, as an issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    pub(crate) fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_under(&self.header(), claims)
    }

    pub(crate) fn sign_under(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.key).unwrap()
    }
}

/// A key set of these.
pub(crate) fn key_set<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> Vec<u8> {
    let keys = signers.into_iter().map(Signer::public).collect::<Vec<_>>();
    serde_json::to_vec(&json!({ "keys": keys })).unwrap()
}

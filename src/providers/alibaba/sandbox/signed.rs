//! Signs requests for the tests, straight from the vendor's pages.
//!
//! Its own file so that every test sends what a real client would. It shares the stage functions
//! of `signature` with the verifier; that those are right is proven by the published vectors in
//! `vectors`, not here.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use super::{seed, signature};
use crate::sandbox::Received;

/// What a test wants to send.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) action: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
    pub(super) at: Timestamp,
    pub(super) nonce: String,
}

impl Draft {
    pub(super) fn new(action: &str, parameters: &[(&str, &str)], at: Timestamp) -> Self {
        Self {
            action: action.to_owned(),
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            key_id: seed::ACCESS_KEY_ID.to_owned(),
            secret: seed::ACCESS_KEY_SECRET.to_owned(),
            token: None,
            at,
            nonce: uuid::Uuid::new_v4().to_string(),
        }
    }

    fn time(&self) -> String {
        self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// V3 with everything in the query and no body, as the newer SDK sends it.
    pub(super) fn acs3(&self) -> Received {
        let mut headers = BTreeMap::from([
            ("host", "vod.cn-shanghai.aliyuncs.com".to_owned()),
            ("x-acs-action", self.action.clone()),
            ("x-acs-version", "2017-03-21".to_owned()),
            ("x-acs-date", self.time()),
            ("x-acs-signature-nonce", self.nonce.clone()),
            ("x-acs-content-sha256", signature::sha256_hex(b"")),
        ]);
        if let Some(token) = &self.token {
            headers.insert("x-acs-security-token", token.clone());
            headers.insert("x-acs-accesskey-id", self.key_id.clone());
        }
        let signed: BTreeMap<String, String> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let hash = signature::sha256_hex(b"");
        let own = signature::acs3("POST", &self.parameters, &signed, &hash, &self.secret);
        headers.insert(
            "authorization",
            format!(
                "ACS3-HMAC-SHA256 Credential={},SignedHeaders={},Signature={}",
                self.key_id, own.signed_headers, own.signature
            ),
        );
        headers.insert("accept", "application/json".to_owned());
        received(Method::POST, format!("/?{}", own.canonical_query), headers.into_iter(), Vec::new())
    }

    /// V1 with everything in the query, `Format=JSON`.
    pub(super) fn rpc_v1(&self, method: Method) -> Received {
        let query = self.rpc_v1_pairs(&method, &[("Format", "JSON")]);
        received(
            method,
            format!("/?{query}"),
            [("host", "vod.cn-shanghai.aliyuncs.com".to_owned())].into_iter(),
            Vec::new(),
        )
    }

    /// The signed pairs of a v1 request as a query or a form.
    pub(super) fn rpc_v1_pairs(&self, method: &Method, more: &[(&str, &str)]) -> String {
        let mut parameters: BTreeMap<String, String> = self.parameters.iter().cloned().collect();
        let time = self.time();
        let common = [
            ("Action", self.action.as_str()),
            ("Version", "2017-03-21"),
            ("AccessKeyId", &self.key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("Timestamp", &time),
            ("SignatureNonce", &self.nonce),
        ];
        for (name, value) in common.iter().chain(more) {
            parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        if let Some(token) = &self.token {
            parameters.insert("SecurityToken".to_owned(), token.clone());
        }
        let own = signature::rpc_v1(method.as_str(), &parameters, &self.secret);
        format!("{}&Signature={}", own.canonical_query, signature::encode(&own.signature))
    }
}

pub(super) fn received<'a>(
    method: Method,
    target: String,
    pairs: impl Iterator<Item = (&'a str, String)>,
    body: Vec<u8>,
) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    Received { method, target, headers, body: Bytes::from(body) }
}

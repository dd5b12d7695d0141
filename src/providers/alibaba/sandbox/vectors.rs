//! The published signature vectors against the verifier: every stage, and full round trips.
//!
//! Its own file because it is the proof that the simulator reads the signature pages right, by
//! vectors that the vendor's own SDKs made. Reads `alibaba.json` from `VODRM_TEST_VECTORS` when
//! that is set, else from the test data beside the client.

use std::{collections::BTreeMap, path::PathBuf};

use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    quirks::Quirks,
    request::Request,
    signature::{Acs3, RpcV1, acs3, encode, rpc_v1, sha256_hex},
    signed::received,
    verify::{Key, Keys, authenticate},
};
use crate::sandbox::Received;

fn document() -> Value {
    #[expect(clippy::disallowed_methods, reason = "a test may be pointed at other vectors")]
    let folder = std::env::var("VODRM_TEST_VECTORS").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/providers/alibaba/testdata"),
        PathBuf::from,
    );
    let path = folder.join("alibaba.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is not text in {value}"))
}

fn map(value: &Value) -> BTreeMap<String, String> {
    value.as_object().map_or_else(BTreeMap::new, |fields| {
        fields.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    })
}

/// The parts of a vector's input as the verifier has them after reading a request.
fn v1_of(input: &Value) -> RpcV1 {
    let mut parameters = map(&input["query_params"]);
    parameters.extend(map(&input["body_params"]));
    rpc_v1(text(input, "method"), &parameters, text(input, "access_key_secret"))
}

fn v3_of(input: &Value) -> Acs3 {
    let query: Vec<(String, String)> = map(&input["query_params"]).into_iter().collect();
    let headers = map(&input["headers"])
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    acs3(
        text(input, "method"),
        &query,
        &headers,
        &sha256_hex(text(input, "body").as_bytes()),
        text(input, "access_key_secret"),
    )
}

#[test]
fn every_stage_of_every_vector_is_as_published() {
    let document = document();
    let mut checked: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in document["vectors"].as_array().unwrap() {
        let (name, input, expected) = (text(vector, "name"), &vector["input"], &vector["expected"]);
        let scheme = text(vector, "scheme");
        match scheme {
            "rpc-v1-hmac-sha1" => {
                let own = v1_of(input);
                assert_eq!(own.canonical_query, text(expected, "canonical_query"), "{name}");
                assert_eq!(own.string_to_sign, text(expected, "string_to_sign"), "{name}");
                assert_eq!(own.signature, text(expected, "signature"), "{name}");
                if let Some(encoded) = expected["signature_percent_encoded"].as_str() {
                    assert_eq!(encode(&own.signature), encoded, "{name}");
                }
            }
            "acs3-hmac-sha256" => {
                let own = v3_of(input);
                assert_eq!(own.canonical_query, text(expected, "canonical_query"), "{name}");
                assert_eq!(own.canonical_headers, text(expected, "canonical_headers"), "{name}");
                assert_eq!(own.signed_headers, text(expected, "signed_headers"), "{name}");
                assert_eq!(own.canonical_request, text(expected, "canonical_request"), "{name}");
                assert_eq!(own.string_to_sign, text(expected, "string_to_sign"), "{name}");
                assert_eq!(own.signature, text(expected, "signature"), "{name}");
            }
            other => panic!("{name}: unknown scheme {other}"),
        }
        *checked.entry(scheme).or_default() += 1;
    }
    for example in document["documented_examples"].as_array().unwrap() {
        let name = text(example, "name");
        let scheme = text(example, "scheme");
        let own = match scheme {
            "rpc-v1-hmac-sha1" => v1_of(&example["input"]).signature,
            "acs3-hmac-sha256" => v3_of(&example["input"]).signature,
            other => panic!("{name}: unknown scheme {other}"),
        };
        assert_eq!(own, text(example, "documented_signature"), "{name}");
        *checked.entry(scheme).or_default() += 1;
    }
    println!("checked {checked:?}");
    for scheme in ["rpc-v1-hmac-sha1", "acs3-hmac-sha256"] {
        assert!(checked.get(scheme).is_some_and(|count| *count > 0), "no {scheme}");
    }
}

/// The request that a client which signs right sends for a vector.
fn request_of(vector: &Value) -> Received {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let method: Method = text(input, "method").parse().unwrap();
    let mut body = input["body"].as_str().unwrap_or_default().to_owned();
    let mut headers = map(&input["headers"]);
    let mut query: Vec<String> = map(&input["query_params"])
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    if text(vector, "scheme") == "rpc-v1-hmac-sha1" {
        let signature = format!("Signature={}", encode(text(expected, "signature")));
        if map(&input["body_params"]).is_empty() {
            query.push(signature);
        } else {
            body = format!("{body}&{signature}");
            headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        }
        // Not every v1 vector names its host: nothing of it is signed.
        headers.insert("host".to_owned(), "vod.cn-shanghai.aliyuncs.com".to_owned());
    } else {
        headers.insert("authorization".to_owned(), text(expected, "authorization").to_owned());
    }
    received(
        method,
        format!("/?{}", query.join("&")),
        headers.iter().map(|(name, value)| (name.as_str(), value.clone())),
        body.into_bytes(),
    )
}

fn verdict(received: &Received, vector: &Value) -> Result<(), String> {
    let input = &vector["input"];
    let keys = Keys::only(Key {
        id: text(input, "access_key_id").to_owned(),
        secret: text(input, "access_key_secret").to_owned(),
        // One vector names its token only in the header.
        token: input["security_token"]
            .as_str()
            .or(input["headers"]["x-acs-security-token"].as_str())
            .map(str::to_owned),
        disabled: false,
        token_expired: false,
    });
    let now: Timestamp = text(input, "date").parse().unwrap();
    let request = Request::read(received);
    authenticate(received, &request, &keys, now, &Quirks::default())
        .map_err(|refusal| format!("{} {}", refusal.code, refusal.message))
}

#[test]
fn every_vector_is_accepted_as_a_request_and_refused_with_one_byte_changed() {
    let document = document();
    let mut accepted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused = 0;
    for vector in document["vectors"].as_array().unwrap() {
        let name = text(vector, "name");
        let right = request_of(vector);
        verdict(&right, vector).unwrap_or_else(|why| panic!("{name}: {why}"));
        *accepted.entry(text(vector, "scheme")).or_default() += 1;
        for (what, wrong) in changed(&right) {
            let told = verdict(&wrong, vector);
            assert!(told.is_err(), "{name}: accepted with another {what}");
            refused += 1;
        }
    }
    println!("accepted {accepted:?}, refused {refused} changed requests");
    for scheme in ["rpc-v1-hmac-sha1", "acs3-hmac-sha256"] {
        assert!(accepted.get(scheme).is_some_and(|count| *count > 0), "no {scheme}");
    }
}

/// The same request with one byte of the query, of the body, or of a signed header changed, and
/// with the other method.
fn changed(right: &Received) -> Vec<(&'static str, Received)> {
    let mut all = Vec::new();
    // The last letter or digit before the signature is part of some value.
    let flip = |text: &str| {
        let end = text.find("&Signature=").unwrap_or(text.len());
        let place =
            text.bytes().take(end).rposition(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())?;
        let mut bytes = text.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
        String::from_utf8(bytes).ok()
    };
    if let Some(target) = flip(&right.target) {
        all.push(("query", Received { target, ..right.clone() }));
    }
    let form = String::from_utf8_lossy(&right.body).into_owned();
    if let Some(body) = flip(&form) {
        let body = body.into_bytes().into();
        all.push(("body", Received { body, ..right.clone() }));
    }
    if right.headers.contains_key("x-acs-signature-nonce") {
        let mut other = right.clone();
        other.headers.insert("x-acs-signature-nonce", "another".parse().unwrap());
        all.push(("nonce", other));
    }
    let method = if right.method == Method::GET { Method::POST } else { Method::GET };
    // A form is only read with POST, so there the pairs are lost as well.
    all.push(("method", Received { method, ..right.clone() }));
    all
}

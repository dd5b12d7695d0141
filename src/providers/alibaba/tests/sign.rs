//! The signer against the vendor's vectors, stage by stage.
//!
//! Its own file because it is longer than what it tests would bear. The vectors
//! were made with the vendor's own SDKs; another folder of them can be named
//! with `VODRM_TEST_VECTORS`.

use http::header::{ACCEPT, AUTHORIZATION};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::super::sign::*;
use crate::types::secret::{Credentials, Secret};

#[expect(clippy::disallowed_methods, reason = "another set of vectors can be named from outside")]
fn vectors() -> (Value, bool) {
    let (text, foreign) = match std::env::var("VODRM_TEST_VECTORS") {
        Ok(folder) => {
            (std::fs::read_to_string(std::path::Path::new(&folder).join("alibaba.json")).unwrap(), true)
        }
        Err(_) => (include_str!("../testdata/alibaba.json").to_owned(), false),
    };
    (serde_json::from_str(&text).unwrap(), foreign)
}

fn pairs(object: &Value) -> Vec<(String, String)> {
    let object = object.as_object().cloned().unwrap_or_else(Map::new);
    object.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_default()
}

fn key(input: &Value) -> Credentials {
    Credentials {
        id: text(input, "access_key_id").into(),
        secret: text(input, "access_key_secret").into(),
        token: input["security_token"].as_str().map(Secret::from),
    }
}

/// Checks a stage against the vector's value for it, if it has one.
fn same(name: &str, expected: &Value, stage: &str, ours: &str) {
    if let Some(theirs) = expected[stage].as_str() {
        assert_eq!(ours, theirs, "{name}: {stage}");
    }
}

/// Every stage of V3. Works for any method, headers and body.
fn check_acs3(name: &str, input: &Value, expected: &Value) {
    let body_sha256 = hex::encode(Sha256::digest(text(input, "body")));
    let mut headers = pairs(&input["headers"]);
    sort_headers(&mut headers);
    let query = canonical_query(&mut pairs(&input["query_params"]));
    let names = signed_headers(&headers);
    let canonical = canonical_request(text(input, "method"), &query, &headers, &names, &body_sha256);
    let to_sign = acs3_string_to_sign(&canonical);
    let signature = acs3_signature(text(input, "access_key_secret"), &to_sign);
    same(name, expected, "hashed_payload", &body_sha256);
    same(name, expected, "canonical_query", &query);
    same(name, expected, "signed_headers", &names);
    same(name, expected, "canonical_request", &canonical);
    same(name, expected, "string_to_sign", &to_sign);
    assert_eq!(signature, text(expected, "signature"), "{name}: signature");
    let authorization = acs3_authorization(text(input, "access_key_id"), &names, &signature);
    same(name, expected, "authorization", &authorization);
}

/// Every stage of v1. A form's parameters are signed with the query's.
fn check_rpc(name: &str, input: &Value, expected: &Value) {
    let mut parameters = pairs(&input["query_params"]);
    parameters.extend(pairs(&input["body_params"]));
    let query = canonical_query(&mut parameters);
    let to_sign = rpc_string_to_sign(text(input, "method"), &query);
    let signature = rpc_signature(text(input, "access_key_secret"), &to_sign);
    same(name, expected, "canonical_query", &query);
    same(name, expected, "string_to_sign", &to_sign);
    assert_eq!(signature, text(expected, "signature"), "{name}: signature");
}

/// The common parts of a vector that the entry points make by themselves: they
/// are taken out, and what the entry point returns must have them back.
fn whole(input: &Value, own: &[&str]) -> Option<(Vec<(&'static str, String)>, Timestamp)> {
    let ours = text(input, "method") == METHOD && text(input, "body").is_empty();
    let business =
        pairs(&input["query_params"]).into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let leak = |name: String| -> &'static str { Box::leak(name.into_boxed_str()) };
    let time = text(input, "date").parse().ok()?;
    ours.then(|| (business.map(|(name, value)| (leak(name), value)).collect(), time))
}

/// The whole of [`acs3`], where the vector signs the headers that we sign.
fn check_whole_acs3(name: &str, input: &Value, expected: &Value) -> bool {
    let Some((parameters, time)) = whole(input, &[]) else { return false };
    let headers = &input["headers"];
    let request = Unsigned {
        host: text(headers, "host"),
        action: text(headers, "x-acs-action"),
        parameters: &parameters,
        time,
        nonce: text(input, "nonce"),
    };
    let signed = acs3(&request, &key(input)).unwrap();
    let ours = signed.headers.keys().filter(|name| **name != ACCEPT && **name != AUTHORIZATION);
    let mut ours: Vec<_> = ours.map(|name| name.as_str().to_owned()).collect();
    ours.sort();
    if ours.join(";") != text(expected, "signed_headers") {
        return false;
    }
    assert_eq!(signed.query, text(expected, "canonical_query"), "{name}");
    assert_eq!(signed.headers[AUTHORIZATION], text(expected, "authorization"), "{name}");
    for (header, value) in pairs(headers) {
        assert_eq!(signed.headers[&header], value.trim(), "{name}: {header}");
    }
    true
}

/// The whole of [`rpc_v1`], where the vector has the common parameters that we send.
fn check_whole_rpc(name: &str, input: &Value, expected: &Value) -> bool {
    let own = [
        "AccessKeyId",
        "Action",
        "Format",
        "SecurityToken",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureVersion",
        "Timestamp",
        "Version",
    ];
    let Some((parameters, time)) = whole(input, &own) else { return false };
    let query = &input["query_params"];
    if text(query, "Format") != "JSON" || text(query, "Version") != API_VERSION {
        return false;
    }
    let request = Unsigned {
        host: text(input, "host"),
        action: text(query, "Action"),
        parameters: &parameters,
        time,
        nonce: text(query, "SignatureNonce"),
    };
    let signed = rpc_v1(&request, &key(input)).unwrap();
    let theirs = format!(
        "{}&Signature={}",
        text(expected, "canonical_query"),
        text(expected, "signature_percent_encoded")
    );
    assert_eq!(signed.query, theirs, "{name}");
    true
}

#[test]
fn every_vector_is_signed_as_the_vendors_sdks_sign_it() {
    let (file, foreign) = vectors();
    let (mut v3, mut v1, mut whole_v3, mut whole_v1) = (0, 0, 0, 0);
    for vector in file["vectors"].as_array().unwrap() {
        let (name, input, expected) = (text(vector, "name"), &vector["input"], &vector["expected"]);
        match text(vector, "scheme") {
            "acs3-hmac-sha256" => {
                check_acs3(name, input, expected);
                v3 += 1;
                whole_v3 += usize::from(check_whole_acs3(name, input, expected));
            }
            "rpc-v1-hmac-sha1" => {
                check_rpc(name, input, expected);
                v1 += 1;
                whole_v1 += usize::from(check_whole_rpc(name, input, expected));
            }
            other => panic!("{name}: unknown scheme {other:?}"),
        }
    }
    let mut printed = 0;
    for example in file["documented_examples"].as_array().into_iter().flatten() {
        let (name, input) = (text(example, "name"), &example["input"]);
        let expected = serde_json::json!({ "signature": text(example, "documented_signature") });
        match text(example, "scheme") {
            "acs3-hmac-sha256" => check_acs3(name, input, &expected),
            "rpc-v1-hmac-sha1" => check_rpc(name, input, &expected),
            other => panic!("{name}: unknown scheme {other:?}"),
        }
        printed += 1;
    }
    println!(
        "alibaba vectors checked: acs3-hmac-sha256 {v3} ({whole_v3} as a whole request), \
         rpc-v1-hmac-sha1 {v1} ({whole_v1} as a whole request), documented examples {printed}"
    );
    assert!(v3 > 0 && v1 > 0, "a scheme has no vector");
    // Another set may hold forms that are never sent; ours must hold the one that is.
    assert!(foreign || (whole_v3 > 0 && whole_v1 > 0), "no vector has the form that is sent");
}

#[test]
fn the_empty_bodys_hash_is_the_hash_of_nothing() {
    assert_eq!(EMPTY_SHA256, hex::encode(Sha256::digest("")));
}

#[test]
fn times_have_whole_seconds() {
    assert_eq!(time_text("2026-01-15T08:30:00.999Z".parse().unwrap()), "2026-01-15T08:30:00Z");
}

#[test]
fn a_token_that_no_header_can_carry_is_refused_and_none_is_printed() {
    let time = "2026-01-15T08:30:00Z".parse().unwrap();
    let request = Unsigned { host: "h", action: "DeleteVideo", parameters: &[], time, nonce: "n" };
    let with = |token: &str| Credentials { id: "id".into(), secret: "s".into(), token: Some(token.into()) };
    assert_eq!(acs3(&request, &with("a\nb")).unwrap_err(), Unsignable);
    for sign in [acs3, rpc_v1] {
        let printed = format!("{:?}", sign(&request, &with("tok-1")).unwrap());
        assert!(!printed.contains("tok-1") && !printed.contains("Credential="), "{printed}");
    }
}

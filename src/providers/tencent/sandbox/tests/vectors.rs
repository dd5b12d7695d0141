//! Every signature vector, through the pure functions and through verification.
//!
//! The file comes from the vendor's own SDKs and pages. All vectors are compared stage by stage; those of the
//! VOD product are also sent, at their own time, and must be taken as they are and refused with a byte changed.
//! `VODRM_TEST_VECTORS` names another folder to read them from.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use http::{HeaderValue, Method};
use jiff::Timestamp;
use serde_json::Value;

use super::super::options::Key;
use super::super::request::Call;
use super::super::signature::{self, V1Method};
use super::super::verify::{self, Values, canonical, signed_headers, utc_date, v1_text, verify};
use super::received;
use crate::sandbox::Received;

#[expect(clippy::disallowed_methods, reason = "which vectors to test with is the runner's choice")]
fn vectors() -> Vec<Value> {
    let folder = std::env::var("VODRM_TEST_VECTORS").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/providers/tencent/testdata"),
        PathBuf::from,
    );
    let path = folder.join("tencent.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'v>(vector: &'v Value, name: &str) -> &'v str {
    vector[name].as_str().unwrap_or_else(|| panic!("{}: no text {name}", vector["id"]))
}

/// The vector as the server would receive it.
fn sent(vector: &Value) -> Received {
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for (name, value) in vector["headers"].as_object().unwrap() {
        headers.push((name, value.as_str().unwrap()));
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        headers.push(("Host", text(vector, "host")));
    }
    if let Some(authorization) = vector["expected"]["authorization"].as_str() {
        headers.push(("Authorization", authorization));
    }
    let method: Method = text(vector, "method").parse().unwrap();
    received(&method, text(vector, "query"), &headers, text(vector, "body"))
}

/// The keys of a world in which only the vector's key exists.
fn keys(vector: &Value) -> BTreeMap<String, Key> {
    let key = Key {
        secret_key: text(vector, "secret_key").to_owned(),
        token: vector["token"].as_str().map(str::to_owned),
        expires_at: None,
        account: "vector".to_owned(),
    };
    BTreeMap::from([(text(vector, "secret_id").to_owned(), key)])
}

fn judged(vector: &Value, request: &Received) -> Result<String, String> {
    let keys = keys(vector);
    let now = Timestamp::from_second(vector["timestamp"].as_i64().unwrap()).unwrap();
    let call = Call::open(request).map_err(|refusal| refusal.code)?;
    let key = verify(&call, &keys, now).map_err(|refusal| refusal.code)?;
    Ok(key.account.clone())
}

fn check_tc3(vector: &Value) {
    let (id, expected) = (text(vector, "id"), &vector["expected"]);
    let request = sent(vector);
    let unsigned = request.header("x-tc-content-sha256") == Some("UNSIGNED-PAYLOAD");
    assert_eq!(signature::hashed_payload(&request.body, unsigned), expected["hashed_payload"], "{id}");

    let names: Vec<&str> =
        vector["signed_headers"].as_str().unwrap_or("content-type;host").split(';').collect();
    // As sent, or lower-cased: one of the two readings is the vector's.
    let canonical = [Values::AsSent, Values::LowerCase]
        .map(|values| canonical(&request, &signed_headers(&request, &names, values).unwrap(), unsigned))
        .into_iter()
        .find(|text| *text == expected["canonical_request"])
        .unwrap_or_else(|| panic!("{id}: no reading gives the canonical request"));
    let digest = signature::sha256_hex(canonical.as_bytes());
    assert_eq!(digest, expected["hashed_canonical_request"], "{id}");

    let timestamp = vector["timestamp"].as_i64().unwrap();
    let date = utc_date(timestamp).unwrap();
    let service = text(vector, "service");
    let scope = signature::scope(&date, service);
    let to_sign = signature::string_to_sign(timestamp, &scope, &canonical);
    assert_eq!(to_sign, expected["string_to_sign"], "{id}");

    let derived = signature::tc3_keys(text(vector, "secret_key"), &date, service);
    assert_eq!(hex::encode(derived.date), expected["k_date_hex"], "{id}");
    assert_eq!(hex::encode(derived.service), expected["k_service_hex"], "{id}");
    assert_eq!(hex::encode(derived.signing), expected["k_signing_hex"], "{id}");
    let signature = signature::tc3_signature(&derived, &to_sign);
    assert_eq!(signature, expected["signature"], "{id}");

    let header = text(expected, "authorization");
    let read = verify::Authorization::parse(header).unwrap();
    assert_eq!(read.secret_id, text(vector, "secret_id"), "{id}");
    assert_eq!((read.date, read.service), (date.as_str(), service), "{id}");
    assert_eq!((read.signed_headers, read.signature), (names, signature.as_str()), "{id}");
}

fn check_v1(vector: &Value) {
    let (id, expected) = (text(vector, "id"), &vector["expected"]);
    let request = sent(vector);
    let call = Call::open(&request).unwrap();
    let pairs = call.v1.as_deref().unwrap_or_else(|| panic!("{id}: not seen as v1"));
    let to_sign = v1_text(&request, pairs);
    assert_eq!(to_sign, expected["string_to_sign"], "{id}");
    let method = V1Method::named(vector["sign_method"].as_str());
    let signature = signature::v1_signature(method, text(vector, "secret_key"), &to_sign);
    assert_eq!(signature, expected["signature"], "{id}");
}

#[test]
fn all_vectors_are_reproduced_stage_by_stage() {
    let mut checked: HashMap<String, usize> = HashMap::new();
    for vector in vectors() {
        let scheme = text(&vector, "scheme").to_owned();
        match scheme.as_str() {
            "tc3" => check_tc3(&vector),
            "v1" => check_v1(&vector),
            other => panic!("{}: unknown scheme {other}", vector["id"]),
        }
        *checked.entry(scheme).or_default() += 1;
    }
    let count = |scheme: &str| checked.get(scheme).copied().unwrap_or(0);
    println!("tencent sandbox: {} tc3 and {} v1 vectors checked", count("tc3"), count("v1"));
    assert!(count("tc3") > 0 && count("v1") > 0, "a scheme has no vector: {checked:?}");
}

#[test]
fn vod_vectors_are_accepted_as_sent_and_refused_with_a_byte_changed() {
    let mut checked = 0;
    for vector in vectors().iter().filter(|vector| vector["service"] == "vod") {
        let id = text(vector, "id");
        let request = sent(vector);
        assert_eq!(judged(vector, &request), Ok("vector".to_owned()), "{id}");
        for (what, changed) in changes(&request) {
            let answer = judged(vector, &changed);
            let unsigned = request.headers.contains_key("x-tc-content-sha256");
            if what == "body" && unsigned {
                assert!(answer.is_ok(), "{id}: the body is not signed");
            } else {
                assert!(answer.is_err(), "{id}: accepted with another {what}");
            }
        }
        checked += 1;
    }
    println!("tencent sandbox: {checked} vod vectors sent and received");
    assert!(checked > 0);
}

/// The request with one byte changed, for every byte of every place that is signed (or checked: the token).
fn changes(request: &Received) -> Vec<(&'static str, Received)> {
    let mut all = Vec::new();
    if request.method == Method::GET {
        for query in flipped(request.query().as_bytes()) {
            let query = String::from_utf8(query).unwrap();
            all.push(("query", Received { target: format!("/?{query}"), ..request.clone() }));
        }
    } else {
        for body in flipped(&request.body) {
            all.push(("body", Received { body: body.into(), ..request.clone() }));
        }
    }
    let tc3 = request.headers.contains_key("authorization");
    let mut headers = vec!["host", "x-tc-token"];
    if tc3 {
        headers.extend(["authorization", "x-tc-timestamp", "content-type"]);
    }
    for name in headers {
        let Some(value) = request.header(name) else {
            continue;
        };
        for value in flipped(value.as_bytes()) {
            let mut changed = request.clone();
            changed.headers.insert(name, HeaderValue::from_bytes(&value).unwrap());
            all.push((name, changed));
        }
    }
    all
}

/// Every text that differs in the lowest bit of one byte.
fn flipped(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).map(|at| {
        let mut changed = text.to_vec();
        changed[at] ^= 1;
        changed
    })
}

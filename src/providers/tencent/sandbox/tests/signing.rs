//! What the simulator takes for a signature, and with which code it refuses: section 2 of the page.

use http::Method;
use serde_json::json;

use super::{NOW, Signer, Trial, hmac, received, seed, with_header};
use crate::sandbox::{Received, Vendor as _};

const BODY: &str = r#"{"FileIds":["5285890784100000001"]}"#;
const READ: &str = "DescribeMediaInfos";

fn post(signer: &Signer) -> Received {
    signer.post(READ, BODY)
}

fn judged(signer: &Signer) -> String {
    Trial::new().send(&post(signer)).code
}

fn changed(change: impl FnOnce(&mut Signer)) -> String {
    let mut signer = Signer::new(NOW);
    change(&mut signer);
    judged(&signer)
}

#[test]
fn a_signed_post_and_a_signed_get_are_accepted() {
    let trial = Trial::new();
    let signer = Signer::new(NOW);
    assert_eq!(trial.send(&post(&signer)).code, "ok");
    // Not sorted: the query counts exactly as sent.
    let query = format!("FileIds.0={}&Filters.0=basicInfo&FileIds.1={}", seed::IMAGE, seed::AUDIO);
    let heard = trial.send(&signer.get(READ, &query));
    assert_eq!(heard.code, "ok");
    assert_eq!(heard.response["MediaInfoSet"].as_array().unwrap().len(), 2);
}

#[test]
fn a_third_signed_header_is_signed_in_lower_case() {
    let three = vec!["content-type", "host", "x-tc-action"];
    assert_eq!(changed(|signer| signer.signed = three), "ok");
}

#[test]
fn header_values_may_be_signed_lower_cased() {
    let answer = changed(|signer| {
        signer.content_type = Some("application/json; charset=UTF-8".to_owned());
        signer.host = "VOD.tencentcloudapi.com".to_owned();
    });
    assert_eq!(answer, "ok");
}

#[test]
fn the_two_headers_of_the_sdks_may_be_signed_as_sent_and_no_other() {
    let charset = |signer: &mut Signer| {
        signer.as_sent = true;
        signer.content_type = Some("application/json; charset=UTF-8".to_owned());
    };
    assert_eq!(changed(charset), "ok");
    let action = |signer: &mut Signer| {
        signer.as_sent = true;
        signer.signed.push("x-tc-action");
    };
    assert_eq!(changed(action), "AuthFailure.SignatureFailure");
}

#[test]
fn content_type_and_host_must_be_signed() {
    for signed in [vec!["host"], vec!["content-type"], vec!["host", "x-tc-action"]] {
        let answer = changed(|signer| signer.signed = signed);
        assert_eq!(answer, "AuthFailure.InvalidAuthorization");
    }
}

#[test]
fn the_clock_may_be_five_minutes_off_and_no_more() {
    for (skew, expected) in [
        (300, "ok"),
        (-300, "ok"),
        (301, "AuthFailure.SignatureExpire"),
        (-301, "AuthFailure.SignatureExpire"),
        (3600, "AuthFailure.SignatureExpire"),
    ] {
        assert_eq!(judged(&Signer::new(NOW + skew)), expected, "{skew}");
    }
}

#[test]
fn the_scope_is_the_utc_date_and_this_product() {
    let wrong = "AuthFailure.SignatureFailure";
    assert_eq!(changed(|signer| signer.date = Some("2023-11-15".to_owned())), wrong);
    assert_eq!(changed(|signer| signer.service = "cdn".to_owned()), wrong);
}

#[test]
fn keys_are_told_apart_by_their_codes() {
    let id = |id: &str| changed(|signer| signer.id = id.to_owned());
    assert_eq!(id("AKIDnobody"), "AuthFailure.SecretIdNotFound");
    assert_eq!(id(&format!("{} ", seed::SECRET_ID)), "AuthFailure.SecretIdNotFound");
    assert_eq!(id("LTAInotofthiscloud"), "AuthFailure.InvalidSecretId");
    let key = changed(|signer| signer.key = "another".to_owned());
    assert_eq!(key, "AuthFailure.SignatureFailure");
}

#[test]
fn a_temporary_key_needs_its_token_while_it_lasts() {
    let with = |id: &str, key: &str, token: Option<&str>| {
        changed(|signer| {
            signer.id = id.to_owned();
            signer.key = key.to_owned();
            signer.token = token.map(str::to_owned);
        })
    };
    let (id, key) = (seed::TEMPORARY_SECRET_ID, seed::TEMPORARY_SECRET_KEY);
    let bad = "AuthFailure.TokenFailure";
    assert_eq!(with(id, key, Some(seed::TEMPORARY_TOKEN)), "ok");
    assert_eq!(with(id, key, Some("another")), bad);
    assert_eq!(with(id, key, None), bad);
    let (id, key) = (seed::EXPIRED_SECRET_ID, seed::EXPIRED_SECRET_KEY);
    assert_eq!(with(id, key, Some(seed::EXPIRED_TOKEN)), bad);
    assert_eq!(with(seed::SECRET_ID, seed::SECRET_KEY, Some("t")), bad);
}

#[test]
fn a_secret_can_be_rotated_at_run_time() {
    let trial = Trial::new();
    let mut switches = trial.vendor.switches();
    switches.keys.get_mut(seed::SECRET_ID).unwrap().secret_key = "new".to_owned();
    trial.vendor.set_switches(switches.clone());
    let old = Signer::new(NOW);
    assert_eq!(trial.send(&post(&old)).code, "AuthFailure.SignatureFailure");
    let new = Signer { key: "new".to_owned(), ..old.clone() };
    assert_eq!(trial.send(&post(&new)).code, "ok");
    switches.keys.remove(seed::SECRET_ID);
    trial.vendor.set_switches(switches);
    assert_eq!(trial.send(&post(&new)).code, "AuthFailure.SecretIdNotFound");
}

#[test]
fn a_malformed_authorization_is_its_own_code() {
    let trial = Trial::new();
    let good = post(&Signer::new(NOW));
    let header = good.header("authorization").unwrap().to_owned();
    for bad in [
        "",
        "Bearer x",
        &header.replace(", SignedHeaders", ",SignedHeaders"),
        &header.replace("TC3-HMAC-SHA256 ", "TC3-HMAC-SHA256  "),
        &header.replace("/tc3_request", ""),
        &header.replace("/tc3_request", "/aws4_request"),
        &header.replace("content-type;host", "Content-Type;Host"),
        &header.to_uppercase(),
        &format!("{header}, More=1"),
    ] {
        let code = trial.send(&with_header(good.clone(), "authorization", bad)).code;
        assert_eq!(code, "AuthFailure.InvalidAuthorization", "{bad}");
    }
    let mut none = good;
    none.headers.remove("authorization");
    assert_eq!(trial.send(&none).code, "AuthFailure.InvalidAuthorization");
}

#[test]
fn a_header_that_is_not_signed_may_change_on_the_way() {
    let trial = Trial::new();
    let request = with_header(post(&Signer::new(NOW)), "x-tc-language", "zh-CN");
    assert_eq!(trial.send(&request).code, "ok");
}

#[test]
fn the_timestamp_must_be_there_and_decimal() {
    let trial = Trial::new();
    let mut request = post(&Signer::new(NOW));
    for bad in ["", "now", "-1", "1700000000.5", "99999999999999999999"] {
        let request = with_header(request.clone(), "x-tc-timestamp", bad);
        assert_eq!(trial.send(&request).code, "InvalidParameter", "{bad}");
    }
    request.headers.remove("x-tc-timestamp");
    assert_eq!(trial.send(&request).code, "MissingParameter");
}

#[test]
fn fast_takes_any_signature() {
    let mut trial = Trial::new();
    trial.kit.fast = true;
    let wrong = Signer { key: "wrong".to_owned(), ..Signer::new(NOW - 86_400) };
    assert_eq!(trial.send(&post(&wrong)).code, "ok");
}

/// A v1 call: SHA-256, pairs already in byte order, nothing that needs escaping but the signature.
fn v1(method: &Method, pairs: &str) -> Received {
    let host = "127.0.0.1:9102";
    let mac = hmac(seed::SECRET_KEY.as_bytes(), &format!("{method}{host}/?{pairs}"));
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac);
    let escaped = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let form = format!("{pairs}&Signature={escaped}");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let (query, body) = if method == Method::GET { (form.as_str(), "") } else { ("", form.as_str()) };
    received(method, query, &[("host", host), kind], body)
}

fn v1_pairs(changed: &[(&str, &str)]) -> String {
    let mut pairs = std::collections::BTreeMap::from([
        ("Action", READ),
        ("FileIds.0", seed::AUDIO),
        ("Nonce", "11886"),
        ("SecretId", seed::SECRET_ID),
        ("SignatureMethod", "HmacSHA256"),
        ("Timestamp", "1700000000"),
        ("Version", "2018-07-17"),
    ]);
    pairs.extend(changed.iter().copied());
    pairs.retain(|_, value| !value.is_empty());
    let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

#[test]
fn v1_is_taken_by_get_and_by_form() {
    let trial = Trial::new();
    for method in [Method::GET, Method::POST] {
        let heard = trial.send(&v1(&method, &v1_pairs(&[])));
        assert_eq!(heard.code, "ok", "{method}");
        assert_eq!(heard.response["MediaInfoSet"][0]["FileId"], seed::AUDIO);
    }
}

#[test]
fn v1_needs_a_positive_nonce_and_a_fresh_time() {
    let trial = Trial::new();
    let code = |changed: &[(&str, &str)]| trial.send(&v1(&Method::GET, &v1_pairs(changed))).code;
    assert_eq!(code(&[("Nonce", "")]), "MissingParameter");
    assert_eq!(code(&[("Nonce", "0")]), "InvalidParameter");
    assert_eq!(code(&[("Nonce", "x")]), "InvalidParameter");
    assert_eq!(code(&[("SecretId", "")]), "MissingParameter");
    assert_eq!(code(&[("Timestamp", "1699999699")]), "AuthFailure.SignatureExpire");
    // No page states a replay rule: the same nonce again is taken.
    assert_eq!(code(&[]), "ok");
    assert_eq!(code(&[]), "ok");
    // A method nobody knows means SHA-1, so this SHA-256 signature is wrong.
    assert_eq!(code(&[("SignatureMethod", "HmacSHA512")]), "AuthFailure.SignatureFailure");
}

#[test]
fn the_ledger_is_told_scheme_key_and_nonce() {
    let trial = Trial::new();
    let peek = trial.vendor.peek(&v1(&Method::POST, &v1_pairs(&[])));
    assert_eq!((peek.scheme.as_str(), peek.nonce.as_deref()), ("HmacSHA256", Some("11886")));
    assert_eq!(peek.ids, [seed::AUDIO]);

    let mut signer = Signer::new(NOW);
    let plain = post(&signer);
    let peek = trial.vendor.peek(&plain);
    assert_eq!(peek.operation, READ);
    assert_eq!(peek.scheme, "TC3-HMAC-SHA256");
    assert_eq!(peek.key_id.as_deref(), Some(seed::SECRET_ID));
    let signature = peek.nonce.unwrap();
    assert!(plain.header("authorization").unwrap().ends_with(&signature));
    signer.extra.push(("x-tc-traceid", "a-trace".to_owned()));
    assert_eq!(trial.vendor.peek(&post(&signer)).nonce.as_deref(), Some("a-trace"));
}

#[test]
fn an_unsigned_payload_leaves_the_body_open() {
    // The word itself is hashed in place of the body, so a call signed over the word as its body is one whose
    // body can be replaced.
    let trial = Trial::new();
    let mut signer = Signer::new(NOW);
    signer.extra.push(("x-tc-content-sha256", "UNSIGNED-PAYLOAD".to_owned()));
    let mut request = signer.post(READ, "UNSIGNED-PAYLOAD");
    request.body = json!({ "FileIds": [seed::AUDIO] }).to_string().into();
    assert_eq!(trial.send(&request).code, "ok");
    request.headers.remove("x-tc-content-sha256");
    assert_eq!(trial.send(&request).code, "AuthFailure.SignatureFailure");
}

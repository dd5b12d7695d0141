//! The gateway in front of the operations: section 2 of the contract page as claims.

use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use super::super::{
    seed,
    signed::{Draft, received},
};
use super::Bench;
use crate::sandbox::{Count, Envelope, Vendor, VendorFault};

const READ: (&str, [(&str, &str); 1]) = ("GetVideoInfo", [("VideoId", seed::NORMAL)]);

fn read(bench: &Bench) -> Draft {
    bench.draft(READ.0, &READ.1)
}

#[test]
fn both_schemes_and_both_methods_are_accepted() {
    let bench = Bench::new();
    for request in [read(&bench).acs3(), read(&bench).rpc_v1(Method::GET), read(&bench).rpc_v1(Method::POST)]
    {
        let heard = bench.hear(&request);
        assert_eq!((heard.status, &*heard.verdict), (200, "ok"));
        assert_eq!(heard.body["Video"]["VideoId"], seed::NORMAL);
        assert!(heard.body["RequestId"].is_string());
    }
}

#[test]
fn a_v1_form_is_merged_with_the_query_and_wins() {
    let bench = Bench::new();
    let form = read(&bench).rpc_v1_pairs(&Method::POST, &[("Format", "json")]);
    let request = received(
        Method::POST,
        format!("/?VideoId={}", seed::MISSING),
        [
            ("host", "localhost".to_owned()),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
        ]
        .into_iter(),
        form.into_bytes(),
    );
    assert_eq!(bench.hear(&request).body["Video"]["VideoId"], seed::NORMAL);
}

#[test]
fn v1_answers_xml_unless_json_is_asked_for() {
    let bench = Bench::new();
    let pairs = read(&bench).rpc_v1_pairs(&Method::GET, &[]);
    let none = std::iter::empty();
    let answer = bench.answer(&received(Method::GET, format!("/?{pairs}"), none, vec![]));
    let text = String::from_utf8(answer.reply.body).unwrap();
    assert!(
        text.contains("<GetVideoInfoResponse><RequestId>") || text.contains("<GetVideoInfoResponse>"),
        "{text}"
    );
    let document = roxmltree::Document::parse(&text).unwrap();
    assert!(document.descendants().any(|it| it.has_tag_name("VideoId")));

    let none = std::iter::empty();
    let answer = bench.answer(&received(
        Method::GET,
        "/?Action=GetVideoInfo&Version=2017-03-21".to_owned(),
        none,
        vec![],
    ));
    assert_eq!(answer.reply.headers[0].1, "text/xml;charset=utf-8");
    let text = String::from_utf8(answer.reply.body).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    assert!(document.root_element().has_tag_name("Error"));
    assert!(text.contains("<Code>MissingSignatureMethod</Code>"), "{text}");
}

#[test]
fn a_wrong_v1_signature_is_told_the_servers_string_to_sign() {
    let bench = Bench::new();
    let mut draft = read(&bench);
    draft.secret = "another".to_owned();
    let heard = bench.hear(&draft.rpc_v1(Method::GET));
    assert_eq!(heard.code(), (400, "SignatureDoesNotMatch"));
    let message = heard.body["Message"].as_str().unwrap();
    assert!(message.contains("server string to sign is:GET&%2F&AccessKeyId%3D"), "{message}");
    assert_eq!(bench.hear(&draft.acs3()).code().1, "SignatureDoesNotMatch");
}

#[test]
fn an_error_has_the_printed_fields() {
    let heard = Bench::new().call("GetVideoInfo", &[("VideoId", seed::MISSING)]);
    for field in ["Code", "Message", "RequestId", "HostId", "Recommend"] {
        assert!(heard.body[field].is_string(), "{field}");
    }
}

#[test]
fn the_clock_may_be_fifteen_minutes_off() {
    let bench = Bench::new();
    for (minutes, status) in [(15, 200), (-15, 200), (16, 400), (-16, 400)] {
        let mut draft = read(&bench);
        draft.at += SignedDuration::from_mins(minutes);
        for request in [draft.clone().acs3(), {
            draft.nonce.push('x');
            draft.rpc_v1(Method::GET)
        }] {
            let heard = bench.hear(&request);
            assert_eq!(heard.status, status, "{minutes}");
            if status == 400 {
                assert_eq!(heard.code().1, "InvalidTimeStamp.Expired");
            }
        }
    }
}

#[test]
fn a_time_with_a_fraction_is_not_well_formatted() {
    let bench = Bench::new();
    let mut request = read(&bench).acs3();
    for bad in ["2026-01-15T08:30:00.000Z", "2026-01-15T08:30:00+00:00", "1768465800"] {
        request.headers.insert("x-acs-date", bad.parse().unwrap());
        assert_eq!(bench.hear(&request).code(), (400, "InvalidTimeStamp.Format"));
    }
}

#[test]
fn a_nonce_works_once_and_only_valid_calls_use_it_up() {
    let mut bench = Bench::new();
    let mut draft = read(&bench);
    let right = draft.acs3();
    draft.secret = "another".to_owned();
    assert_eq!(bench.hear(&draft.acs3()).code().1, "SignatureDoesNotMatch");
    assert_eq!(bench.hear(&right).status, 200);
    bench.pass(14 * 60 * 1000);
    assert_eq!(bench.hear(&right).code(), (400, "SignatureNonceUsed"));
}

#[test]
fn keys_and_tokens_fail_with_their_own_codes() {
    let bench = Bench::new();
    let with = |key: &str, secret: &str, token: Option<&str>| {
        let mut draft = read(&bench);
        draft.key_id = key.to_owned();
        draft.secret = secret.to_owned();
        draft.token = token.map(str::to_owned);
        let v3 = bench.hear(&draft.acs3());
        draft.nonce.push('x');
        let v1 = bench.hear(&draft.rpc_v1(Method::POST));
        assert_eq!(v1.code(), v3.code());
        (v3.status, v3.body["Code"].as_str().unwrap_or("ok").to_owned())
    };
    let sts = Some(seed::STS_TOKEN);
    for (key, secret, token, status, code) in [
        (seed::STS_KEY_ID, seed::STS_SECRET, sts, 200, "ok"),
        ("NOSUCHKEY", "x", None, 404, "InvalidAccessKeyId.NotFound"),
        (seed::DISABLED_KEY_ID, seed::DISABLED_SECRET, None, 400, "InvalidAccessKeyId.Inactive"),
        (seed::STS_KEY_ID, seed::STS_SECRET, None, 400, "MissingSecurityToken"),
        (
            seed::EXPIRED_STS_KEY_ID,
            seed::EXPIRED_STS_SECRET,
            Some(seed::EXPIRED_STS_TOKEN),
            400,
            "InvalidSecurityToken.Expired",
        ),
        (
            seed::ACCESS_KEY_ID,
            seed::ACCESS_KEY_SECRET,
            sts,
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
        ),
        (seed::STS_KEY_ID, seed::STS_SECRET, Some("garbled"), 400, "InvalidSecurityToken.Malformed"),
    ] {
        assert_eq!(with(key, secret, token), (status, code.to_owned()));
    }
}

#[test]
fn a_key_can_be_rotated_and_revoked_at_run_time() {
    let bench = Bench::with(&json!({"access_key_secret": "rotated"}));
    assert_eq!(bench.hear(&read(&bench).acs3()).code().1, "SignatureDoesNotMatch");
    let mut draft = read(&bench);
    draft.secret = "rotated".to_owned();
    assert_eq!(bench.hear(&draft.acs3()).status, 200);
    let revoked = json!({"revoked_keys": [seed::ACCESS_KEY_ID]});
    bench.vendor.set_options(&revoked).unwrap();
    draft.nonce.push('x');
    assert_eq!(bench.hear(&draft.acs3()).code(), (404, "InvalidAccessKeyId.NotFound"));
}

#[test]
fn an_absent_header_or_a_hash_of_another_body_is_refused() {
    let bench = Bench::new();
    for (header, code) in [
        ("x-acs-action", "MissingAction"),
        ("x-acs-version", "MissingVersion"),
        ("x-acs-date", "MissingTimestamp"),
        ("x-acs-signature-nonce", "MissingSignatureNonce"),
        ("x-acs-content-sha256", "IncompleteSignature"),
        ("host", "IncompleteSignature"),
    ] {
        let mut request = read(&bench).acs3();
        request.headers.remove(header);
        assert_eq!(bench.hear(&request).code(), (400, code));
    }
    let mut request = read(&bench).acs3();
    request.body = "x=1".into();
    assert_eq!(bench.hear(&request).code(), (400, "SignatureDoesNotMatch"));
    let mut request = read(&bench).acs3();
    let spaced = request.header("authorization").unwrap().replace(',', ", ");
    request.headers.insert("authorization", spaced.parse().unwrap());
    assert_eq!(bench.hear(&request).code(), (400, "IncompleteSignature"));
}

#[test]
fn a_list_without_host_is_incomplete_and_unsigned_x_acs_headers_are_a_switch() {
    let bench = Bench::new();
    let mut request = read(&bench).acs3();
    let without = request.header("authorization").unwrap().replace("host;", "");
    request.headers.insert("authorization", without.parse().unwrap());
    assert_eq!(bench.hear(&request).code(), (400, "IncompleteSignature"));

    let mut request = read(&bench).acs3();
    request.headers.insert("x-acs-extra", "1".parse().unwrap());
    assert_eq!(bench.hear(&request).status, 200);
    let bench = Bench::with(&json!({"strict_signed_headers": true}));
    assert_eq!(bench.hear(&request).code(), (400, "IncompleteSignature"));
}

#[test]
fn unknown_operations_versions_methods_and_paths_are_told_apart() {
    let bench = Bench::new();
    assert_eq!(bench.call("DeleteVideos", &[]).code(), (404, "InvalidApi.NotFound"));
    let mut request = read(&bench).acs3();
    request.headers.insert("x-acs-version", "2017-03-22".parse().unwrap());
    assert_eq!(bench.hear(&request).code(), (400, "NoSuchVersion"));
    let mut request = read(&bench).acs3();
    request.method = Method::PUT;
    assert_eq!(bench.hear(&request).code(), (400, "UnsupportedHTTPMethod"));
    let mut request = read(&bench).acs3();
    request.target = request.target.replace("/?", "/api?");
    assert_eq!(bench.hear(&request).status, 404);
}

#[test]
fn calls_above_the_published_rate_are_throttled_for_all_keys_together() {
    let mut bench = Bench::new();
    bench.options.enforce_qps = true;
    let delete = |bench: &Bench| {
        let id = [("VideoIds", seed::MISSING)];
        bench.call("DeleteVideo", &id).code().1.to_owned()
    };
    for _ in 0..30 {
        assert_eq!(delete(&bench), "InvalidVideo.NotFound");
    }
    assert_eq!(delete(&bench), "Throttling.User");
    let mut draft = bench.draft("DeleteVideo", &[("VideoIds", seed::MISSING)]);
    draft.key_id = seed::STS_KEY_ID.to_owned();
    draft.secret = seed::STS_SECRET.to_owned();
    draft.token = Some(seed::STS_TOKEN.to_owned());
    assert_eq!(bench.hear(&draft.acs3()).code(), (400, "Throttling.User"));
    assert_eq!(bench.call("GetVideoInfo", &[("VideoId", seed::NORMAL)]).status, 200);
    bench.pass(1_000);
    assert_eq!(delete(&bench), "InvalidVideo.NotFound");
    bench.options.count = Count::Sliding;
    bench.options.qps.insert("DeleteVideo".to_owned(), 1);
    assert_eq!(delete(&bench), "InvalidVideo.NotFound");
    bench.pass(999);
    assert_eq!(delete(&bench), "Throttling.User");
}

#[test]
fn fast_mode_checks_no_signature() {
    let mut bench = Bench::new();
    let mut draft = read(&bench);
    draft.secret = "another".to_owned();
    bench.options.fast = true;
    for _ in 0..200 {
        assert_eq!(bench.hear(&draft.acs3()).status, 200);
    }
}

#[test]
fn scripted_refusals_wear_the_vendors_envelope() {
    let bench = Bench::new();
    let mut fault = VendorFault {
        status: None,
        code: None,
        message: None,
        retry_after_ms: Some(250),
        envelope: Envelope::Native,
    };
    let request = read(&bench).acs3();
    let reply = bench.vendor.refuse(&fault, &request);
    assert_eq!(reply.status, 400);
    assert!(String::from_utf8_lossy(&reply.body).contains("\"Throttling.User\""));
    assert!(reply.headers.contains(&("x-acs-retry-after".to_owned(), "250".to_owned())));
    for (code, status) in [
        ("DeleteVideoFailed", 503),
        ("InternalError", 500),
        ("ServiceUnAvailable", 503),
        ("Forbidden.RAM", 403),
        ("InvalidVideo.NotFound", 404),
        ("Throttling.Api", 400),
    ] {
        fault.code = Some(code.to_owned());
        fault.envelope = Envelope::Xml;
        let reply = bench.vendor.refuse(&fault, &request);
        assert_eq!(reply.status, status, "{code}");
        let text = String::from_utf8(reply.body).unwrap();
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
    }
}

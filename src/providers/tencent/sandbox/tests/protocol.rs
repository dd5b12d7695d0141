//! Forms, types, limits and envelopes: sections 1, 6 and 7 of the page.

use http::Method;
use serde_json::{Value, json};

use super::{NOW, Signer, Trial, received, seed};
use crate::sandbox::{Count, Envelope, Vendor as _, VendorFault};

#[test]
fn version_and_action_are_checked() {
    let trial = Trial::new();
    let old = Signer { version: "2024-07-18".to_owned(), ..Signer::new(NOW) };
    assert_eq!(trial.send(&old.post("DeleteMedia", "{}")).code, "NoSuchVersion");
    assert_eq!(trial.code("deletemedia", &json!({})), "InvalidAction");
    assert_eq!(trial.code("RestoreEverything", &json!({})), "InvalidAction");
    for header in ["x-tc-action", "x-tc-version"] {
        let mut request = Signer::new(NOW).post("DeleteMedia", "{}");
        request.headers.remove(header);
        assert_eq!(trial.send(&request).code, "MissingParameter", "{header}");
    }
}

#[test]
fn names_and_types_of_parameters_are_checked() {
    let trial = Trial::new();
    let id = seed::video(0);
    for (body, code) in [
        (json!({}), "MissingParameter"),
        (json!({ "SubAppId": 1 }), "MissingParameter"),
        (json!({ "FileId": id, "Force": true }), "UnknownParameter"),
        (json!({ "FileId": id, "fileId": id }), "UnknownParameter"),
        (json!({ "FileId": 5_285_890_784_000_000_000_u64 }), "InvalidParameter"),
        (json!({ "FileId": [id] }), "InvalidParameter"),
        (json!({ "FileId": id, "SubAppId": "1500000001" }), "InvalidParameter"),
        (json!({ "FileId": id, "SubAppId": -1 }), "InvalidParameter"),
        (json!({ "FileId": id, "SubAppId": 1.5 }), "InvalidParameter"),
        (json!({ "FileId": id, "DeleteParts": {} }), "InvalidParameter"),
        (json!({ "FileId": id, "DeleteParts": ["OriginalFiles"] }), "InvalidParameter"),
        (json!({ "FileId": id, "DeleteParts": null }), "InvalidParameter"),
        (json!({ "FileId": "" }), "InvalidParameterValue.FileId"),
        (json!({ "FileId": "1".repeat(41) }), "InvalidParameterValue.FileId"),
        (json!([]), "InvalidParameter"),
    ] {
        assert_eq!(trial.code("DeleteMedia", &body), code, "{body}");
    }
    assert_eq!(trial.send(&Signer::new(NOW).post("DeleteMedia", "")).code, "InvalidParameter");
    assert!(trial.vendor.stored() > 40, "nothing was deleted");
}

#[test]
fn null_can_stand_for_absent() {
    let trial = Trial::with(&json!({ "nulls": "absent" }));
    let body = json!({ "FileId": seed::video(0), "SubAppId": null, "DeleteParts": null });
    assert_eq!(trial.call("DeleteMedia", &body).removed(), ["everything"]);
}

#[test]
fn a_flattened_query_means_the_same_as_json() {
    let trial = Trial::new();
    let signer = Signer::new(NOW);
    let query = format!(
        "DeleteParts.1.Type=WechatPublishFiles&FileId={}&SubAppId={}&DeleteParts.0.Type=TranscodeFiles\
         &DeleteParts.0.Definition=100010",
        seed::video(0),
        seed::SUB_APP_MAIN,
    );
    let heard = trial.send(&signer.get("DeleteMedia", &query));
    assert_eq!(heard.removed(), ["TranscodeFiles:100010", "WechatPublishFiles:0"]);
    // No list in this form is an empty list: everything goes.
    let heard = trial.send(&signer.get("DeleteMedia", &format!("FileId={}", seed::video(1))));
    assert_eq!(heard.removed(), ["everything"]);

    for (query, code) in [
        ("FileId=1&FileId=2", "InvalidParameter"),
        ("FileId=1&DeleteParts.1.Type=OriginalFiles", "InvalidParameter"),
        ("FileId=1&DeleteParts=x", "InvalidParameter"),
        ("FileId=1&DeleteParts.0.Definition=ten", "InvalidParameter"),
        ("FileId.0=1", "InvalidParameter"),
        ("FileId=%FF", "InvalidParameter"),
        ("FileId=1&Other.0=2", "UnknownParameter"),
        ("SubAppId=1", "MissingParameter"),
    ] {
        assert_eq!(trial.send(&signer.get("DeleteMedia", query)).code, code, "{query}");
    }
    let heard = trial.send(&signer.get("DescribeMediaInfos", "Filters.0=basicInfo"));
    assert_eq!(heard.code, "InvalidParameterValue.FileIdsEmpty");
}

#[test]
fn content_types_methods_and_sizes_are_checked() {
    let trial = Trial::new();
    let signer = Signer::new(NOW);
    let body = json!({ "FileId": seed::MISSING }).to_string();
    let typed = |kind: &str| Signer { content_type: Some(kind.to_owned()), ..Signer::new(NOW) };
    let charset = typed("application/json; charset=utf-8").post("DeleteMedia", &body);
    assert_eq!(trial.send(&charset).code, "ResourceNotFound");
    let plain = typed("text/plain").post("DeleteMedia", &body);
    assert_eq!(trial.send(&plain).code, "InvalidRequest");
    let get = typed("application/json").get("DeleteMedia", "FileId=1");
    assert_eq!(trial.send(&get).code, "InvalidRequest");

    let put = received(&Method::PUT, "", &[("host", "h")], "");
    assert_eq!(trial.send(&put).code, "UnsupportedProtocol");
    let mut elsewhere = signer.post("DeleteMedia", &body);
    elsewhere.target = "/v2/index.php".to_owned();
    assert_eq!(trial.send(&elsewhere).code, "InvalidRequest");
    let mut query = signer.post("DeleteMedia", &body);
    query.target = "/?FileId=1".to_owned();
    assert_eq!(trial.send(&query).code, "InvalidRequest");

    let long = format!("FileId={}", "1".repeat(33 << 10));
    assert_eq!(trial.send(&signer.get("DeleteMedia", &long)).code, "RequestSizeLimitExceeded");
    let huge = " ".repeat((10 << 20) + 1);
    assert_eq!(trial.send(&signer.post("DeleteMedia", &huge)).code, "RequestSizeLimitExceeded");
}

/// How many of `count` calls in the same millisecond are taken.
fn taken(trial: &Trial, signer: &Signer, action: &str, body: &Value, count: u32) -> (u32, String) {
    let mut taken = 0;
    let mut last = String::new();
    for _ in 0..count {
        last = trial.send(&signer.post(action, &body.to_string())).code;
        taken += u32::from(!last.starts_with("RequestLimitExceeded"));
    }
    (taken, last)
}

#[test]
fn published_limits_hold_by_action_host_and_account() {
    let mut trial = Trial::new();
    trial.kit.count = Count::Sliding;
    let signer = Signer::new(NOW);
    let delete = json!({ "FileId": seed::MISSING });
    let throttled = "RequestLimitExceeded".to_owned();
    assert_eq!(taken(&trial, &signer, "DeleteMedia", &delete, 101), (100, throttled.clone()));
    let read = json!({ "FileIds": [seed::MISSING] });
    assert_eq!(taken(&trial, &signer, "DescribeMediaInfos", &read, 101), (100, throttled.clone()));
    let forbid = json!({ "FileIds": [seed::MISSING], "Operation": "forbid" });
    let action = "ForbidMediaDistribution";
    assert_eq!(taken(&trial, &signer, action, &forbid, 21), (20, throttled));

    let elsewhere = Signer { host: "vod.ap-guangzhou.tencentcloudapi.com".to_owned(), ..signer.clone() };
    assert_eq!(taken(&trial, &elsewhere, "DeleteMedia", &delete, 1).0, 1);
    let sub_account = Signer {
        id: seed::TEMPORARY_SECRET_ID.to_owned(),
        key: seed::TEMPORARY_SECRET_KEY.to_owned(),
        token: Some(seed::TEMPORARY_TOKEN.to_owned()),
        ..signer.clone()
    };
    assert_eq!(taken(&trial, &sub_account, "DeleteMedia", &delete, 1).0, 1);
    trial.now_ms += 1000;
    assert_eq!(taken(&trial, &signer, "DeleteMedia", &delete, 1).0, 1);
}

#[test]
fn limits_can_be_overridden_switched_off_and_named() {
    let mut trial = Trial::with(&json!({ "throttle_code": "RequestLimitExceeded.IPLimitExceeded" }));
    trial.kit.qps.insert("DeleteMedia".to_owned(), 2);
    let signer = Signer::new(NOW);
    let delete = json!({ "FileId": seed::MISSING });
    let code = "RequestLimitExceeded.IPLimitExceeded".to_owned();
    assert_eq!(taken(&trial, &signer, "DeleteMedia", &delete, 3), (2, code));
    trial.kit.enforce_qps = false;
    assert_eq!(taken(&trial, &signer, "DeleteMedia", &delete, 3).0, 3);
}

fn refused(code: Option<&str>, status: Option<u16>, envelope: Envelope) -> (u16, Value) {
    let trial = Trial::new();
    let fault = VendorFault {
        status,
        code: code.map(str::to_owned),
        message: None,
        retry_after_ms: Some(50),
        envelope,
    };
    let reply = trial.vendor.refuse(&fault, &Signer::new(NOW).post("DeleteMedia", "{}"));
    assert!(reply.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("retry-after")));
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[test]
fn scripted_refusals_wear_the_vendors_envelopes() {
    let code = |body: &Value| body["Response"]["Error"]["Code"].as_str().unwrap().to_owned();
    let (status, body) = refused(None, None, Envelope::Native);
    assert_eq!((status, code(&body).as_str()), (200, "RequestLimitExceeded"));
    let (status, body) = refused(Some("InternalError.DBError"), Some(500), Envelope::Native);
    assert_eq!((status, code(&body).as_str()), (500, "InternalError.DBError"));
    let (status, body) = refused(Some("InternalError"), None, Envelope::Legacy);
    assert_eq!((status, body["codeDesc"].as_str()), (200, Some("InternalError")));
    assert!(body["code"].as_i64().unwrap() != 0 && body["message"].is_string());
}

#[test]
fn request_ids_differ() {
    let trial = Trial::new();
    let id = || trial.call("DescribeSubAppIds", &json!({})).response["RequestId"].clone();
    assert_ne!(id(), id());
}

#[test]
fn assets_options_and_reset_speak_of_what_is_there() {
    let trial = Trial::new();
    let before = trial.vendor.assets();
    trial.delete(&seed::video(0), &json!([]));
    trial.delete(&seed::video(1), &json!([{ "Type": "TranscodeFiles" }]));
    let assets = trial.vendor.assets();
    let media = assets["media"].as_array().unwrap();
    assert!(media.iter().all(|one| one["FileId"] != seed::video(0)));
    let second = media.iter().find(|one| one["FileId"] == seed::video(1)).unwrap();
    assert!(!second["Parts"].to_string().contains("TranscodeFiles"));
    trial.vendor.reset();
    assert_eq!(trial.vendor.assets(), before);

    assert_eq!(trial.vendor.options()["not_found_code"], "ResourceNotFound");
    let error = trial.vendor.set_options(&json!({ "busy": "sometimes" })).unwrap_err();
    assert!(error.contains("busy"), "{error}");
    assert!(trial.vendor.set_options(&json!({ "bussy": "none" })).is_err());
}

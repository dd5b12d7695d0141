//! What `DeleteMedia` takes away, and what it answers: section 3 of the page.

use serde_json::{Value, json};

use super::super::PartKind;
use super::{Heard, Trial, seed};
use crate::sandbox::Vendor as _;

/// The definitions that `TranscodeSet` lists, 0 being the original.
fn listed(trial: &Trial, file_id: &str) -> Vec<i64> {
    let heard = trial.call("DescribeMediaInfos", &json!({ "FileIds": [file_id] }));
    let set = &heard.response["MediaInfoSet"][0]["TranscodeInfo"]["TranscodeSet"];
    set.as_array().unwrap().iter().map(|one| one["Definition"].as_i64().unwrap()).collect()
}

fn is_missing(trial: &Trial, file_id: &str) -> bool {
    let heard = trial.call("DescribeMediaInfos", &json!({ "FileIds": [file_id] }));
    heard.response["NotExistFileIdSet"] == json!([file_id])
}

fn none_removed(heard: &Heard) -> bool {
    heard.removed().is_empty()
}

#[test]
fn without_parts_or_with_an_empty_list_everything_goes() {
    for (n, body) in [
        (0, json!({ "FileId": seed::video(0) })),
        (1, json!({ "FileId": seed::video(1), "DeleteParts": [] })),
    ] {
        let trial = Trial::new();
        let stored = trial.vendor.stored();
        let heard = trial.call("DeleteMedia", &body);
        assert_eq!((heard.code.as_str(), heard.removed()), ("ok", vec!["everything"]));
        assert!(heard.response.as_object().unwrap().keys().eq(["RequestId"]));
        assert!(is_missing(&trial, &seed::video(n)));
        assert_eq!(trial.vendor.stored(), stored - 1);
    }
}

#[test]
fn a_definition_takes_one_transcode_and_none_or_zero_takes_all() {
    let all =
        ["TranscodeFiles:100010", "TranscodeFiles:100020", "TranscodeFiles:100030", "TranscodeFiles:10000"];
    for (part, removed, left) in [
        (
            json!({ "Type": "TranscodeFiles", "Definition": 100_020 }),
            &all[1..2],
            vec![0, 100_010, 100_030, 10_000],
        ),
        (
            json!({ "Type": "TranscodeFiles", "Definition": 10_000 }),
            &all[3..],
            vec![0, 100_010, 100_020, 100_030],
        ),
        (json!({ "Type": "TranscodeFiles", "Definition": 0 }), &all[..], vec![0]),
        (json!({ "Type": "TranscodeFiles" }), &all[..], vec![0]),
    ] {
        let trial = Trial::new();
        let heard = trial.delete(&seed::video(3), &json!([part]));
        assert_eq!((heard.code.as_str(), heard.removed()), ("ok", removed.to_vec()));
        assert_eq!(listed(&trial, &seed::video(3)), left);
    }
}

#[test]
fn every_type_takes_its_own_parts_only() {
    for (kind, removed) in [
        ("OriginalFiles", vec!["OriginalFiles:0"]),
        (
            "AdaptiveDynamicStreamingFiles",
            vec!["AdaptiveDynamicStreamingFiles:10", "AdaptiveDynamicStreamingFiles:12"],
        ),
        ("WechatPublishFiles", vec!["WechatPublishFiles:0"]),
        ("WechatMiniProgramPublishFiles", vec!["WechatMiniProgramPublishFiles:0"]),
        ("MpsAiMediaAiAnalysisFiles", vec!["MpsAiMediaAiAnalysisFiles:30"]),
        ("MpsAiMediaSmartEraseFiles", vec!["MpsAiMediaSmartEraseFiles:30"]),
        ("MpsAiMediaSmartSubtitleFiles", vec!["MpsAiMediaSmartSubtitleFiles:30"]),
    ] {
        let trial = Trial::new();
        let heard = trial.delete(seed::WITH_MPS, &json!([{ "Type": kind }]));
        assert_eq!((heard.code.as_str(), heard.removed()), ("ok", removed));
        assert!(!is_missing(&trial, seed::WITH_MPS), "the media stays");
    }
}

#[test]
fn covers_go_with_what_made_them() {
    let trial = Trial::new();
    let cover = || {
        let ask = json!({ "FileIds": [seed::video(0)], "Filters": ["basicInfo"] });
        let heard = trial.call("DescribeMediaInfos", &ask);
        heard.response["MediaInfoSet"][0]["BasicInfo"]["CoverUrl"] != ""
    };
    trial.delete(&seed::video(0), &json!([{ "Type": "OriginalFiles" }]));
    assert!(cover(), "the cover that processing made is left");
    trial.delete(&seed::video(0), &json!([{ "Type": "TranscodeFiles" }]));
    assert!(!cover());
}

#[test]
fn a_bad_part_is_refused_before_anything_is_deleted() {
    let good = json!({ "Type": "OriginalFiles" });
    for (bad, code) in [
        (json!({ "Definition": 1 }), "InvalidParameterValue.Type"),
        (json!({ "Type": "" }), "InvalidParameterValue.Type"),
        (json!({ "Type": "transcodefiles" }), "InvalidParameterValue.Type"),
        (json!({ "Type": "SnapshotFiles" }), "InvalidParameterValue.Type"),
        (json!({ "Type": "TranscodeFiles", "Definition": -1 }), "InvalidParameterValue.Definition"),
        (json!({ "Type": "TranscodeFiles", "Definition": "1" }), "InvalidParameter"),
        (json!({ "Type": "TranscodeFiles", "Id": 1 }), "UnknownParameter"),
    ] {
        let trial = Trial::new();
        let heard = trial.delete(&seed::video(0), &json!([good, bad]));
        assert_eq!(heard.code, code, "{bad}");
        assert!(none_removed(&heard));
        assert_eq!(listed(&trial, &seed::video(0)).len(), 5);
    }
}

#[test]
fn an_older_account_does_not_know_the_newest_types() {
    let trial = Trial::with(&json!({ "mps_parts": false }));
    let heard = trial.delete(seed::WITH_MPS, &json!([{ "Type": "MpsAiMediaSmartEraseFiles" }]));
    assert_eq!(heard.code, "InvalidParameterValue.Type");
}

#[test]
fn the_code_for_a_missing_file_can_be_switched() {
    for code in ["ResourceNotFound", "ResourceNotFound.FileNotExist", "InvalidParameterValue.FileId"] {
        let trial = Trial::with(&json!({ "not_found_code": code }));
        let heard = trial.delete(seed::MISSING, &json!([]));
        assert_eq!(heard.code, code);
        assert!(none_removed(&heard) && heard.effects.len() == 1);
    }
}

#[test]
fn a_second_delete_is_an_error_unless_switched() {
    let trial = Trial::new();
    let id = seed::video(2);
    assert_eq!(trial.delete(&id, &json!([])).removed(), ["everything"]);
    assert_eq!(trial.delete(&id, &json!([])).code, "ResourceNotFound");
    trial.switch(&json!({ "second_delete": "ok" }));
    let heard = trial.delete(&id, &json!([]));
    assert!(heard.code == "ok" && none_removed(&heard));
    // An id that never was stays an error.
    assert_eq!(trial.delete(seed::MISSING, &json!([])).code, "ResourceNotFound");
}

#[test]
fn bulk_media_follow_the_seeded_ones_and_stay_deleted() {
    let trial = Trial::with(&json!({ "bulk_media": 2 }));
    let (first, past) = (seed::video(seed::VIDEOS), seed::video(seed::VIDEOS + 2));
    assert_eq!(trial.delete(&past, &json!([])).code, "ResourceNotFound");
    assert_eq!(trial.delete(&first, &json!([])).removed(), ["everything"]);
    trial.switch(&json!({ "bulk_media": 3 }));
    assert_eq!(trial.delete(&first, &json!([])).code, "ResourceNotFound");
    assert_eq!(trial.delete(&past, &json!([])).removed(), ["everything"]);
    trial.vendor.reset();
    assert_eq!(trial.delete(&first, &json!([])).removed(), ["everything"]);
    let most = json!({ "bulk_media": seed::MAX_BULK + 1 });
    assert!(trial.vendor.set_options(&most).is_err_and(|why| why.contains("bulk_media")));
}

#[test]
fn an_absent_part_is_fine_unless_switched() {
    let parts = json!([{ "Type": "OriginalFiles" }, { "Type": "TranscodeFiles", "Definition": 77 }]);
    let trial = Trial::new();
    let heard = trial.delete(&seed::video(0), &parts);
    assert_eq!((heard.code.as_str(), heard.removed()), ("ok", vec!["OriginalFiles:0"]));
    assert_eq!(heard.effects[1].part.as_deref(), Some("TranscodeFiles:77"));
    trial.switch(&json!({ "absent_part": "ResourceNotFound" }));
    let heard = trial.delete(&seed::video(1), &parts);
    assert!(heard.code == "ResourceNotFound" && none_removed(&heard));
    assert!(listed(&trial, &seed::video(1)).contains(&0));
}

#[test]
fn reads_may_lag_behind_a_delete() {
    let mut trial = Trial::with(&json!({ "read_delay_ms": 500 }));
    let (whole, part) = (seed::video(0), seed::video(1));
    trial.delete(&whole, &json!([]));
    trial.delete(&part, &json!([{ "Type": "OriginalFiles" }]));
    assert!(!is_missing(&trial, &whole));
    assert!(listed(&trial, &part).contains(&0));
    assert_eq!(trial.delete(&whole, &json!([])).code, "ResourceNotFound", "the delete is done");
    trial.now_ms += 500;
    assert!(is_missing(&trial, &whole));
    assert!(!listed(&trial, &part).contains(&0));
}

#[test]
fn a_busy_file_is_deleted_unless_switched() {
    for (busy, code) in [
        ("ResourceInUse", "ResourceInUse"),
        ("ResourceUnavailable", "ResourceUnavailable"),
        ("FailedOperation.TaskDuplicate", "FailedOperation.TaskDuplicate"),
        ("none", "ok"),
    ] {
        let trial = Trial::with(&json!({ "busy": busy }));
        assert_eq!(trial.delete(seed::BUSY, &json!([])).code, code);
        assert_eq!(trial.delete(&seed::video(0), &json!([])).code, "ok");
    }
    let trial = Trial::with(&json!({ "busy": "ResourceInUse" }));
    assert!(trial.vendor.set_busy(seed::BUSY, false));
    assert_eq!(trial.delete(seed::BUSY, &json!([])).code, "ok");
}

#[test]
fn the_special_media_behave_as_described() {
    let trial = Trial::new();
    let locked = trial.delete(seed::LOCKED, &json!([]));
    assert!(locked.code == "UnauthorizedOperation" && locked.effects.is_empty());
    assert_eq!(listed(&trial, seed::ORIGINAL_ONLY), [0]);
    assert!(!listed(&trial, seed::WITHOUT_ORIGINAL).contains(&0));
    for id in [seed::FORBIDDEN, seed::AUDIO, seed::IMAGE, seed::IMAGE_2, seed::WITHOUT_ORIGINAL] {
        assert_eq!(trial.delete(id, &json!([])).code, "ok", "{id}");
    }
}

fn in_application(trial: &Trial, file_id: &str, application: &Value) -> String {
    trial.code("DeleteMedia", &json!({ "FileId": file_id, "SubAppId": application }))
}

#[test]
fn a_file_is_found_in_its_own_application_only() {
    let trial = Trial::new();
    let other = json!(seed::SUB_APP_OTHER);
    assert_eq!(in_application(&trial, seed::IN_OTHER_APP, &json!(0)), "ResourceNotFound");
    assert_eq!(in_application(&trial, &seed::video(0), &other), "ResourceNotFound");
    assert_eq!(in_application(&trial, seed::IN_OTHER_APP, &other), "ok");
    assert_eq!(in_application(&trial, &seed::video(0), &json!(seed::SUB_APP_MAIN)), "ok");
    assert_eq!(in_application(&trial, &seed::video(1), &json!(0)), "ok");
}

#[test]
fn a_newer_account_needs_its_sub_app_id() {
    let trial = Trial::with(&json!({ "sub_app_id_mandatory": true }));
    let code = "InvalidParameterValue.SubAppId";
    assert_eq!(trial.delete(&seed::video(0), &json!([])).code, code);
    assert_eq!(trial.code("DescribeMediaInfos", &json!({ "FileIds": [seed::video(0)] })), code);
    assert_eq!(in_application(&trial, &seed::video(0), &json!(seed::SUB_APP_MAIN)), "ok");
}

#[test]
fn an_application_of_somebody_else_can_be_refused_in_three_ways() {
    for (switch, code) in [
        ("not_found", "ResourceNotFound"),
        ("InvalidParameterValue.SubAppId", "InvalidParameterValue.SubAppId"),
        ("UnauthorizedOperation", "UnauthorizedOperation"),
    ] {
        let trial = Trial::with(&json!({ "wrong_sub_app_id": switch }));
        assert_eq!(in_application(&trial, &seed::video(0), &json!(42)), code);
    }
}

#[test]
fn what_is_made_again_is_another_thing_in_the_ledger() {
    let trial = Trial::new();
    let id = seed::video(0);
    let part = json!([{ "Type": "TranscodeFiles", "Definition": 100_010 }]);
    assert_eq!(trial.delete(&id, &part).removed(), ["TranscodeFiles:100010"]);
    assert_eq!(trial.vendor.make_part(&id, PartKind::TranscodeFiles, 100_010), Some(2));
    assert_eq!(trial.delete(&id, &part).removed(), ["TranscodeFiles:100010#2"]);
    assert_eq!(trial.vendor.make_part(seed::MISSING, PartKind::OriginalFiles, 0), None);
}

#[test]
fn a_hundred_thousand_media_are_added_at_once() {
    let trial = Trial::new();
    let before = trial.vendor.stored();
    let ids = (0..100_000).map(|n| format!("53858907840{n:08}"));
    assert_eq!(trial.vendor.add_media(ids), 100_000);
    assert_eq!(trial.vendor.stored(), before + 100_000);
    assert_eq!(trial.delete("5385890784000099999", &json!([])).removed(), ["everything"]);
}

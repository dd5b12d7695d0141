//! What the reads and the other actions answer: sections 3.2, 3.3, 4.1 and 5.2 of the page.

use serde_json::{Value, json};

use super::{Trial, seed};

fn info(trial: &Trial, file_id: &str, filters: &Value) -> Value {
    let ask = json!({ "FileIds": [file_id], "Filters": filters });
    let mut heard = trial.call("DescribeMediaInfos", &ask);
    assert_eq!(heard.code, "ok");
    heard.response["MediaInfoSet"][0].take()
}

#[test]
fn missing_files_are_a_list_and_not_an_error() {
    let trial = Trial::new();
    let ids = json!([seed::video(0), seed::MISSING, seed::IN_OTHER_APP, seed::video(1)]);
    let heard = trial.call("DescribeMediaInfos", &json!({ "FileIds": ids }));
    assert_eq!(heard.response["NotExistFileIdSet"], json!([seed::MISSING, seed::IN_OTHER_APP]));
    let set = heard.response["MediaInfoSet"].as_array().unwrap();
    let found: Vec<&str> = set.iter().map(|one| one["FileId"].as_str().unwrap()).collect();
    assert_eq!(found, [seed::video(1), seed::video(0)], "order is not promised");
    assert!(heard.effects.is_empty());
}

#[test]
fn the_original_is_definition_0_and_wechat_copies_are_listed_nowhere() {
    let trial = Trial::new();
    let info = info(&trial, &seed::video(0), &json!([]));
    let set = info["TranscodeInfo"]["TranscodeSet"].as_array().unwrap();
    let definitions: Vec<i64> = set.iter().map(|one| one["Definition"].as_i64().unwrap()).collect();
    assert_eq!(definitions, [0, 100_010, 100_020, 100_030, 10_000]);
    let adaptive = &info["AdaptiveDynamicStreamingInfo"]["AdaptiveDynamicStreamingSet"];
    assert_eq!((&adaptive[0]["Definition"], &adaptive[1]["Definition"]), (&json!(10), &json!(12)));
    assert!(!info.to_string().to_lowercase().contains("wechat"));
}

#[test]
fn sections_that_were_not_asked_for_are_null() {
    let trial = Trial::new();
    let info = info(&trial, &seed::video(0), &json!(["basicInfo"]));
    assert_eq!(info["BasicInfo"]["Category"], "Video");
    for (name, value) in info.as_object().unwrap() {
        assert_eq!(value.is_null(), !matches!(name.as_str(), "FileId" | "BasicInfo"), "{name}");
    }
    let bad = json!({ "FileIds": [seed::video(0)], "Filters": ["basic"] });
    assert_eq!(trial.code("DescribeMediaInfos", &bad), "InvalidParameter");
}

#[test]
fn categories_and_states_are_told() {
    let trial = Trial::new();
    let basic = |id: &str| info(&trial, id, &json!(["basicInfo"]))["BasicInfo"].take();
    assert_eq!(basic(seed::AUDIO)["Category"], "Audio");
    assert_eq!(basic(seed::IMAGE)["Category"], "Image");
    assert_eq!(basic(seed::FORBIDDEN)["Status"], "Forbidden");
    assert_eq!(basic(seed::WITHOUT_ORIGINAL)["MediaUrl"], "");
    let mps = info(&trial, seed::WITH_MPS, &json!(["mpsAiMediaInfo"]));
    assert_eq!(mps["MPSAiMediaInfo"]["AiMediaList"].as_array().unwrap().len(), 3);
}

#[test]
fn a_list_has_one_to_twenty_ids() {
    let trial = Trial::new();
    let ids = |count: u64| (0..count).map(seed::video).collect::<Vec<String>>();
    let code = |ids: &Value| trial.code("DescribeMediaInfos", &json!({ "FileIds": ids }));
    assert_eq!(code(&json!(ids(20))), "ok");
    assert_eq!(code(&json!(ids(21))), "InvalidParameterValue.FileIdsOverLimit");
    assert_eq!(code(&json!([])), "InvalidParameterValue.FileIdsEmpty");
    assert_eq!(code(&json!([""])), "InvalidParameterValue.FileIds");
}

#[test]
fn applications_are_listed() {
    let trial = Trial::new();
    let heard = trial.call("DescribeSubAppIds", &json!({}));
    assert_eq!(heard.response["TotalCount"], 2);
    assert_eq!(heard.response["SubAppIdInfoSet"][1]["SubAppId"], seed::SUB_APP_OTHER);
    let heard = trial.call("DescribeSubAppIds", &json!({ "Offset": 1, "Limit": 1 }));
    assert_eq!(heard.response["SubAppIdInfoSet"].as_array().unwrap().len(), 1);
    let code = trial.code("DescribeSubAppIds", &json!({ "Limit": 201 }));
    assert_eq!(code, "InvalidParameterValue.Limit");
}

#[test]
fn a_purge_takes_full_urls_and_answers_nothing() {
    let trial = Trial::new();
    let code = |urls: &[&str]| trial.code("RefreshUrlCache", &json!({ "Urls": urls }));
    assert_eq!(code(&["https://1500000001.vod2.example.test/f0.mp4"]), "ok");
    assert_eq!(code(&["1500000001.vod2.example.test/f0.mp4"]), "InvalidParameter");
    assert_eq!(code(&[]), "InvalidParameter");
    assert_eq!(code(&["https://v.example.test/"; 21]), "InvalidParameter");
}

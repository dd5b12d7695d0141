//! What `ForbidMediaDistribution` changes and answers: section 3.3 of the page.

use serde_json::{Value, json};

use super::{Heard, Signer, Trial, seed};
use crate::sandbox::Effect;

fn distribute(trial: &Trial, operation: &str, ids: &[&str]) -> Heard {
    trial.call("ForbidMediaDistribution", &json!({ "FileIds": ids, "Operation": operation }))
}

fn status(trial: &Trial, file_id: &str) -> Value {
    let ask = json!({ "FileIds": [file_id], "Filters": ["basicInfo"] });
    let mut heard = trial.call("DescribeMediaInfos", &ask);
    heard.response["MediaInfoSet"][0]["BasicInfo"]["Status"].take()
}

#[test]
fn media_go_off_the_air_and_come_back_and_the_ledger_tells_what_changed() {
    let trial = Trial::new();
    let video = seed::video(0);
    let ids = [video.as_str(), seed::MISSING, seed::FORBIDDEN, seed::IN_OTHER_APP];
    for (operation, word, changed) in [
        ("forbid", "Forbidden", [true, false, false, false]),
        ("forbid", "Forbidden", [false; 4]),
        ("recover", "Normal", [true, false, true, false]),
        ("recover", "Normal", [false; 4]),
    ] {
        let heard = distribute(&trial, operation, &ids);
        assert_eq!(heard.code, "ok");
        assert_eq!(heard.response["NotExistFileIdSet"], json!([seed::MISSING, seed::IN_OTHER_APP]));
        let part = format!("Status:{word}");
        let told: Vec<Effect> =
            ids.iter().zip(changed).map(|(id, changed)| Effect::part(*id, part.clone(), changed)).collect();
        assert_eq!(heard.effects, told);
        for id in [ids[0], ids[2]] {
            assert_eq!(status(&trial, id), word);
        }
    }
    let other =
        json!({ "FileIds": [seed::IN_OTHER_APP], "Operation": "forbid", "SubAppId": seed::SUB_APP_OTHER });
    assert_eq!(trial.call("ForbidMediaDistribution", &other).response["NotExistFileIdSet"], json!([]));
}

#[test]
fn what_is_off_the_air_can_be_deleted_and_what_is_deleted_is_missing() {
    let trial = Trial::new();
    let video = seed::video(1);
    distribute(&trial, "forbid", &[&video]);
    assert_eq!(trial.delete(&video, &json!([])).removed(), ["everything"]);
    let heard = distribute(&trial, "recover", &[&video]);
    assert_eq!(heard.response["NotExistFileIdSet"], json!([video]));
}

#[test]
fn what_the_platform_banned_or_is_archived_stays_and_so_does_the_rest_of_its_call() {
    for (id, code, shown) in [
        (seed::BANNED, "FailedOperation.MediaForbidedBySystem", "Forbidden"),
        (seed::ARCHIVED, "InvalidParameterValue.StorageClass", "Normal"),
    ] {
        let trial = Trial::new();
        let video = seed::video(0);
        for operation in ["forbid", "recover"] {
            let heard = distribute(&trial, operation, &[&video, id]);
            assert_eq!((heard.code.as_str(), heard.effects.len()), (code, 0));
            assert_eq!(status(&trial, &video), "Normal");
            assert_eq!(status(&trial, id), shown);
        }
        assert_eq!(trial.delete(id, &json!([])).removed(), ["everything"]);
    }
}

#[test]
fn a_call_is_checked_before_it_does_anything() {
    let trial = Trial::new();
    let ids: Vec<String> = (0..21).map(seed::video).collect();
    let code = |body: &Value| trial.code("ForbidMediaDistribution", body);
    let with = |ids: &[String], operation: &str| json!({ "FileIds": ids, "Operation": operation });
    for bad in ["ban", "", "Forbid", "RECOVER"] {
        assert_eq!(code(&with(&ids[..1], bad)), "InvalidParameterValue.Operation", "{bad}");
    }
    assert_eq!(code(&with(&ids, "forbid")), "InvalidParameterValue.FileIdsOverLimit");
    assert_eq!(code(&with(&[], "forbid")), "InvalidParameterValue.FileIdsEmpty");
    assert_eq!(code(&json!({ "FileIds": ids[..1] })), "MissingParameter");
    let unknown = json!({ "FileIds": ids[..1], "Operation": "forbid", "Reason": "x" });
    assert_eq!(code(&unknown), "UnknownParameter");
    let body = with(&ids[..1], "forbid").to_string();
    let mut signer = Signer::new(trial.now_ms / 1000);
    signer.key.push('x');
    let heard = trial.send(&signer.post("ForbidMediaDistribution", &body));
    assert_eq!((heard.code.as_str(), heard.effects.len()), ("AuthFailure.SignatureFailure", 0));
    assert_eq!(status(&trial, &ids[0]), "Normal");
    assert_eq!(
        distribute(&trial, "forbid", &ids[..20].iter().map(String::as_str).collect::<Vec<_>>()).code,
        "ok"
    );
}

//! What an outcome is as a status: one target by DELETE, many by POST.

use serde_json::json;

use crate::harness::{ALI, Answer, Fault, FaultRule, House, TEN, ali, media, media_body, ten};

/// One try, and no waiting before a lost answer is settled.
const IMPATIENT: &str = "[retry]\nmax_attempts = 1\ncool_down = \"0s\"";

/// A problem about an item of a deletion that can be read under its Location.
async fn refused(house: &House, answer: &Answer, status: u16, code: &str, outcome: &str) {
    let problem = answer.problem(status, code);
    assert_eq!(problem["item"]["outcome"], outcome, "{problem}");
    assert_eq!(problem["item"]["ok"], false);
    assert_eq!(problem["item"]["error"]["message"], problem["detail"]);
    located(house, answer, problem["item"]["deletion"].as_str().unwrap()).await;
}

async fn located(house: &House, answer: &Answer, id: &str) {
    assert_eq!(answer.header("location"), format!("/v1/deletions/{id}"), "{answer:?}");
    assert_eq!(house.get(answer.header("location")).await.json()["counts"]["total"], 1);
}

#[tokio::test]
async fn deleted_and_absent_are_200_with_the_item() {
    let house = House::start().await;
    for (path, outcome) in [
        (media(ALI, ali::NORMAL), "deleted"),
        (media(ALI, ali::NORMAL), "absent"),
        (media(TEN, &ten::video(1)), "deleted"),
        (media(TEN, ten::MISSING), "absent"),
        (format!("/v1/accounts/{ALI}/images/{}", ali::IMAGE), "deleted"),
        (format!("/v1/accounts/{TEN}/images/{}", ten::IMAGE), "deleted"),
        (format!("/v1/accounts/{ALI}/attached-media/{}", ali::ATTACHED), "deleted"),
        (format!("{}/source", media(ALI, &ali::normal(2))), "deleted"),
        (format!("{}/source", media(TEN, &ten::video(2))), "deleted"),
        (format!("{}/renditions?definition=HD", media(ALI, &ali::normal(3))), "deleted"),
        (format!("{}/renditions?family=adaptive", media(TEN, &ten::video(3))), "deleted"),
        (format!("{}/snapshots?all=true", media(ALI, &ali::normal(4))), "deleted"),
    ] {
        let answer = house.delete(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let item = answer.json();
        assert_eq!(
            (item["outcome"].as_str(), item["ok"].as_bool()),
            (Some(outcome), Some(true)),
            "{path}: {item}"
        );
        located(&house, &answer, item["deletion"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn absent_is_404_where_the_caller_calls_it_an_error() {
    let house = House::start().await;
    let answer = house.delete(&format!("{}?if_absent=error", media(ALI, ali::MISSING))).await;
    refused(&house, &answer, 404, "absent", "absent").await;
    let answer = house.delete(&format!("{}?if_absent=error&reason=gone", media(ALI, ali::NORMAL))).await;
    assert_eq!(answer.json()["outcome"], "deleted");
    let deletion = house.get(answer.header("location")).await.json();
    assert_eq!(deletion["reason"], "gone");
}

#[tokio::test]
async fn a_refusal_has_the_status_of_its_reason() {
    let house = House::with(IMPATIENT).await;
    for (path, status, code, outcome) in [
        (media(ALI, ali::OTHER_APPLICATION), 403, "forbidden", "refused"),
        (media(TEN, ten::LOCKED), 403, "forbidden", "refused"),
        (media(ALI, ali::TRANSCODING), 409, "busy", "busy"),
        (format!("/v1/accounts/{TEN}/attached-media/1"), 422, "unsupported", "refused"),
        (format!("{}/snapshots?all=true", media(TEN, &ten::video(1))), 422, "unsupported", "refused"),
        (format!("/v1/accounts/{TEN}/images/{}", ten::video(1)), 422, "invalid", "refused"),
        (format!("{}/source", media(TEN, ten::ORIGINAL_ONLY)), 423, "protected", "refused"),
    ] {
        let answer = house.delete(&path).await;
        refused(&house, &answer, status, code, outcome).await;
    }
    let unsupported = house.delete(&format!("/v1/accounts/{TEN}/attached-media/1")).await.json();
    assert_eq!(
        unsupported["item"]["error"]["supported"],
        json!(["media", "source", "renditions", "image"]),
        "it says what can be done instead"
    );
}

#[tokio::test]
async fn a_vendor_that_fails_is_502_and_a_lost_answer_504() {
    let house = House::with(IMPATIENT).await;
    let unlisted = Fault::Error { status: Some(400), code: "Invented.Code".into(), message: None };
    house.alibaba().set_faults(vec![FaultRule::always(unlisted)]).unwrap();
    let answer = house.delete_media(ali::NORMAL).await;
    refused(&house, &answer, 502, "vendor_failed", "failed").await;
    assert_eq!(answer.json()["item"]["error"]["vendor_code"], "Invented.Code");
    // The delete's answer is lost, and so is every read that could settle it.
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Reset { after_effect: true })]).unwrap();
    let answer = house.call("DELETE", &media(ALI, ali::NORMAL)).header("prefer", "wait=60").send().await;
    refused(&house, &answer, 504, "unknown", "unknown").await;
    assert_eq!(answer.header("preference-applied"), "wait=60", "said on problems too");
}

#[tokio::test]
async fn what_still_goes_on_after_the_wait_is_202_with_the_item() {
    let house = House::start().await;
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Hang { after_effect: false })]).unwrap();
    let path = media(ALI, ali::NORMAL);
    let answer = house.call("DELETE", &path).header("prefer", "respond-async").send().await;
    assert_eq!((answer.status, answer.header("retry-after")), (202, "2"));
    let item = answer.json();
    assert!(item["outcome"].is_null() && item["ok"].is_null() && item["state"] != "done", "{item}");
    located(&house, &answer, item["deletion"].as_str().unwrap()).await;
}

#[tokio::test]
async fn many_are_200_if_all_is_ok_207_if_not_and_202_while_they_go_on() {
    let house = House::with(IMPATIENT).await;
    let fine = house.submit(&media_body([ali::NORMAL, ali::MISSING])).await;
    assert_eq!((fine.status, fine.json()["ok"].as_bool()), (200, Some(true)), "{fine:?}");
    assert_eq!(fine.header("location"), format!("/v1/deletions/{}", fine.json()["id"].as_str().unwrap()));
    let mixed = json!({"account": ALI, "if_absent": "error", "targets": [
        {"kind": "media", "id": ali::normal(2), "ref": "row-1"},
        {"kind": "media", "id": ali::MISSING},
        {"kind": "media", "id": ali::TRANSCODING},
        {"kind": "media", "account": TEN, "id": ten::LOCKED},
        {"kind": "attached_media", "account": TEN, "id": "x"},
        {"kind": "media", "id": ali::normal(2)},
    ]});
    let answer = house.submit(&mixed).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    let body = answer.json();
    let outcomes: Vec<&str> =
        body["items"].as_array().unwrap().iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["deleted", "absent", "busy", "refused", "refused", "deleted"]);
    assert_eq!((&body["items"][0]["ref"], &body["items"][5]["same_as"]), (&json!("row-1"), &json!(0)));
    assert_eq!(body["counts"]["total"], 6);
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Hang { after_effect: false })]).unwrap();
    let open = house.call("POST", "/v1/deletions").header("prefer", "wait=0");
    let open = open.json(&media_body([ali::normal(4).as_str()])).send().await;
    assert_eq!((open.status, open.json()["state"].as_str()), (202, Some("running")), "{open:?}");
    assert!(open.json()["finished_at"].is_null() && open.json()["ok"].is_null());
}

#[tokio::test]
async fn a_media_is_shown_as_the_vendor_knows_it() {
    let house = House::start().await;
    for (account, id) in [(ALI, ali::NORMAL.to_owned()), (TEN, ten::video(1))] {
        let answer = house.get(&media(account, &id)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!((body["id"].as_str(), body["account"].as_str()), (Some(id.as_str()), Some(account)));
        assert!(body["renditions"].as_array().is_some_and(|list| !list.is_empty()), "{body}");
    }
    house.get(&media(ALI, ali::MISSING)).await.problem(404, "not_found");
    house.get(&media(ALI, "no,id")).await.problem(422, "invalid");
    house
        .alibaba()
        .set_faults(vec![FaultRule::always(Fault::HttpError { status: 500, after_effect: false })])
        .unwrap();
    assert!([502, 504].contains(&house.get(&media(ALI, ali::NORMAL)).await.status));
}

#[tokio::test]
async fn a_blocked_account_is_503_for_who_waits_and_accepted_for_who_does_not() {
    let house = House::built("", |settings| {
        let wrong = vodrm::types::secret::Credentials {
            id: ali::ACCESS_KEY_ID.to_owned(),
            secret: "wrong".into(),
            token: None,
        };
        settings.accounts[0].credentials = vodrm::settings::CredentialSettings::Fixed(wrong);
    })
    .await;
    // The first one meets the block during its wait: accepted, and it goes on.
    let first = house.submit(&media_body([ali::NORMAL])).await;
    assert_eq!(first.status, 202, "{first:?}");
    let warning = first.json()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains(ALI) && warning.contains("bad_credentials"), "{warning}");
    house.delete_media(ali::NORMAL).await.problem(503, "blocked");
    house.submit(&media_body([ali::NORMAL])).await.problem(503, "blocked");
    house.get(&media(ALI, ali::NORMAL)).await.problem(503, "blocked");
    let waits = house.call("DELETE", &media(ALI, ali::NORMAL)).header("prefer", "respond-async").send().await;
    assert_eq!(waits.status, 202);
    let account = house.get(&format!("/v1/accounts/{ALI}")).await.json();
    assert_eq!((&account["state"], &account["reason"]), (&json!("blocked"), &json!("bad_credentials")));
    let probed = house.call("POST", &format!("/v1/accounts/{ALI}/unblock")).send().await;
    assert_eq!((probed.status, &probed.json()["state"]), (200, &json!("blocked")), "the key is still wrong");
    let other = house.delete(&media(TEN, &ten::video(1))).await;
    assert_eq!(other.status, 200, "another account goes on");
    assert_eq!(house.get("/v1/deletions").await.json()["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_blocked_lane_ends_the_wait_of_its_own_targets_only() {
    let house = House::start().await;
    let forbidden = Fault::Error { status: Some(403), code: "Forbidden.RAM".into(), message: None };
    let rule = FaultRule::always(forbidden).for_operation("DeleteMezzanines");
    house.alibaba().set_faults(vec![rule]).unwrap();
    for n in 1..=3 {
        house.delete(&format!("{}/source?force=true", media(ALI, &ali::normal(n)))).await;
    }
    house.delete(&format!("{}/source?force=true", media(ALI, &ali::normal(4)))).await.problem(503, "blocked");
    let answer = house.delete_media(ali::NORMAL).await;
    assert_eq!(answer.status, 200, "DeleteVideo is open: {answer:?}");
    assert_eq!(house.submit(&media_body([ali::normal(5).as_str()])).await.status, 200);
}

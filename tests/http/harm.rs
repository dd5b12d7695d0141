//! The order of harm: nothing that a vendor could read as "everything" leaves the house.

use serde_json::{Value, json};

use crate::harness::{ALI, House, TEN, ali, media, ten};

#[tokio::test]
async fn what_a_vendor_would_widen_is_refused_before_anything_is_sent() {
    let house = House::start().await;
    let (video, other) = (ali::NORMAL, ten::video(1));
    let cases: Vec<(Value, &str)> = vec![
        (json!({"kind": "renditions", "id": video}), "/definitions"),
        (json!({"kind": "renditions", "id": video, "definitions": []}), "/definitions"),
        (json!({"kind": "renditions", "id": video, "job_ids": []}), "/job_ids"),
        (json!({"kind": "renditions", "id": video, "definitions": ["HD"], "job_ids": []}), "/job_ids"),
        (json!({"kind": "renditions", "id": video, "definitions": null}), "/definitions"),
        (json!({"kind": "renditions", "id": video, "definitions": "HD"}), "/definitions"),
        (json!({"kind": "renditions", "id": video, "definitions": [""]}), "/definitions/0"),
        (json!({"kind": "renditions", "id": video, "definitions": ["HD,SD"]}), "/definitions/0"),
        (json!({"kind": "renditions", "id": video, "all": false}), "/definitions"),
        (json!({"kind": "renditions", "id": video, "all": true, "definitions": ["HD"]}), "/all"),
        (json!({"kind": "renditions", "id": video, "all": true, "job_ids": ["x"]}), "/all"),
        (json!({"kind": "renditions", "id": video, "all": "true"}), "/all"),
        (
            json!({"kind": "renditions", "account": TEN, "id": other, "all": true, "family": "adaptive"}),
            "/all",
        ),
        (json!({"kind": "renditions", "account": TEN, "id": other, "definitions": [0]}), "/definitions/0"),
        (json!({"kind": "renditions", "account": TEN, "id": other, "definitions": ["0"]}), "/definitions/0"),
        (json!({"kind": "renditions", "account": TEN, "id": other, "definitions": ["00"]}), "/definitions/0"),
        (
            json!({"kind": "renditions", "account": TEN, "id": other, "definitions": [100_010, -1]}),
            "/definitions/1",
        ),
        (json!({"kind": "renditions", "account": TEN, "id": other, "definitions": ["HD"]}), "/definitions/0"),
        (json!({"kind": "renditions", "account": TEN, "id": other, "family": ""}), "/family"),
        (json!({"kind": "snapshots", "id": video}), "/types"),
        (json!({"kind": "snapshots", "id": video, "types": []}), "/types"),
        (json!({"kind": "snapshots", "id": video, "types": null}), "/types"),
        (json!({"kind": "snapshots", "id": video, "types": ["all"]}), "/types/0"),
        (json!({"kind": "snapshots", "id": video, "types": ["cover"], "all": true}), "/all"),
        (json!({"kind": "media", "id": ""}), "/id"),
        (json!({"kind": "media", "id": "a,b"}), "/id"),
        (json!({"kind": "media", "id": "*"}), "/id"),
        (json!({"kind": "media", "id": [video]}), "/id"),
        (json!({"kind": "media", "id": 7}), "/id"),
        (json!({"kind": "image", "url": "https://h/a,https://h/b"}), "/url"),
    ];
    for (target, pointer) in cases {
        let answer = house.submit(&json!({"account": ALI, "targets": [target.clone()]})).await;
        answer.problem(422, "invalid");
        assert_eq!(answer.pointers(), [format!("#/targets/0{pointer}")], "{target}");
        // One bad target takes the good ones with it.
        let good = json!({"kind": "media", "id": ali::normal(9)});
        house.submit(&json!({"account": ALI, "targets": [good, target]})).await.problem(422, "invalid");
    }
    for targets in [json!([]), json!(null), json!({}), json!("all"), json!([[]]), json!([null])] {
        house.submit(&json!({"account": ALI, "targets": targets})).await.problem(422, "invalid");
    }
    assert_eq!(house.vendors.calls(), 0, "nothing was sent");
    assert_eq!(house.get("/v1/deletions").await.json()["items"], json!([]), "and nothing is journaled");
}

#[tokio::test]
async fn the_same_holds_for_queries() {
    let house = House::start().await;
    let (video, other) = (media(ALI, ali::NORMAL), media(TEN, &ten::video(1)));
    for path in [
        format!("{video}/renditions"),
        format!("{video}/renditions?all=false"),
        format!("{video}/renditions?definition="),
        format!("{video}/renditions?definition=HD,SD"),
        format!("{video}/renditions?definition=HD&all=true"),
        format!("{video}/renditions?job_id="),
        format!("{video}/renditions?family=all"),
        format!("{other}/renditions?definition=0"),
        format!("{other}/renditions?definition=100010&definition=0"),
        format!("{other}/renditions?family=adaptive&all=true"),
        format!("{video}/snapshots"),
        format!("{video}/snapshots?type="),
        format!("{video}/snapshots?type=all"),
        format!("{video}/snapshots?type=cover&all=true"),
    ] {
        let answer = house.delete(&path).await;
        answer.problem(422, "invalid");
        assert_eq!(answer.pointers().len(), 1, "{path}");
    }
    for path in [format!("/v1/accounts/{ALI}/media/"), format!("/v1/accounts/{ALI}/media")] {
        house.delete(&path).await.problem(404, "not_found");
    }
    assert_eq!(house.vendors.calls(), 0);
}

//! The contract says what is so, and no more than is so.

use serde_json::{Value, json};

use crate::harness::contract::{document, faults, routes};
use crate::harness::{ALI, House, TEN, ali, ten};

/// Every method of HTTP that a router knows.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];

#[tokio::test]
async fn routes_and_document_are_the_same() {
    let house = House::start().await;
    let fill = |path: &str| {
        path.replace("{account}", ALI)
            .replace("{id}", "x")
            .replace("{deletion}", "del_x")
            .replace("{index}", "0")
    };
    for (path, documented) in routes() {
        for method in METHODS {
            // The harness fails an undocumented answer; here is the other direction.
            let answer = house.call(method, &fill(&path)).send().await;
            assert_eq!(
                answer.status == 405,
                !documented.iter().any(|m| m == method),
                "{method} {path}: {answer:?}"
            );
            let title = if answer.status == 404 { answer.json()["detail"].clone() } else { json!("") };
            assert_ne!(title, "there is no such path", "{method} {path} is documented");
        }
        let allow = house.call("PATCH", &fill(&path)).send().await;
        let mut allowed: Vec<&str> =
            allow.header("allow").split(',').map(str::trim).filter(|m| *m != "HEAD").collect();
        let mut wanted: Vec<&str> = documented.iter().map(String::as_str).collect();
        allowed.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(allowed, wanted, "{path}");
    }
}

#[tokio::test]
async fn targets_that_fit_the_schema_are_accepted_and_others_are_not() {
    let house = House::start().await;
    let video = ali::NORMAL;
    let candidates = vec![
        json!({"kind": "media", "id": video}),
        json!({"kind": "media", "reference_id": ali::REFERENCE, "ref": "row"}),
        json!({"kind": "media", "id": video, "reference_id": ali::REFERENCE}),
        json!({"kind": "media"}),
        json!({"kind": "media", "id": null}),
        json!({"kind": "media", "id": video, "account": null}),
        json!({"kind": "media", "id": video, "ref": null}),
        json!({"kind": "media", "id": video, "url": "https://h/x"}),
        json!({"kind": "media", "id": video, "ref": "a\nb"}),
        json!({"kind": "media", "id": video, "ref": "é".repeat(128)}),
        json!({"kind": "media", "id": video, "ref": "é".repeat(129)}),
        json!({"kind": "media", "reference_id": "short"}),
        json!({"kind": "video", "id": video}),
        json!({"id": video}),
        json!({"kind": "source", "id": video, "force": true}),
        json!({"kind": "source", "id": video, "force": "true"}),
        json!({"kind": "source", "id": video, "force": null}),
        json!({"kind": "source"}),
        json!({"kind": "renditions", "id": video}),
        json!({"kind": "renditions", "id": video, "all": true}),
        json!({"kind": "renditions", "id": video, "all": false}),
        json!({"kind": "renditions", "id": video, "all": false, "definitions": ["HD"]}),
        json!({"kind": "renditions", "id": video, "all": true, "definitions": ["HD"]}),
        json!({"kind": "renditions", "id": video, "definitions": ["HD", "SD"], "job_ids": ["x"]}),
        json!({"kind": "renditions", "id": video, "definitions": []}),
        json!({"kind": "renditions", "id": video, "definitions": ["HD,SD"]}),
        json!({"kind": "renditions", "id": video, "definitions": vec!["HD"; 101]}),
        json!({"kind": "renditions", "reference_id": ali::REFERENCE, "job_ids": ["x"]}),
        json!({"kind": "renditions", "account": TEN, "id": ten::video(1), "definitions": [100_010]}),
        json!({"kind": "renditions", "account": TEN, "id": ten::video(1), "definitions": [1.5]}),
        json!({"kind": "renditions", "account": TEN, "id": ten::video(1), "family": "adaptive"}),
        json!({"kind": "renditions", "account": TEN, "id": ten::video(1), "family": null}),
        json!({"kind": "snapshots", "id": video}),
        json!({"kind": "snapshots", "id": video, "types": ["cover", "sprite_origin"]}),
        json!({"kind": "snapshots", "id": video, "types": []}),
        json!({"kind": "snapshots", "id": video, "types": ["cover"], "all": true}),
        json!({"kind": "snapshots", "id": video, "all": true}),
        json!({"kind": "image", "id": ali::IMAGE}),
        json!({"kind": "image", "url": ali::image_url(3)}),
        json!({"kind": "image", "url": "https://h/a,b"}),
        json!({"kind": "image", "url": "https:///x"}),
        json!({"kind": "image", "url": "ftp://h/x"}),
        json!({"kind": "image", "id": ali::IMAGE, "url": ali::image_url(3)}),
        json!({"kind": "attached_media", "id": ali::ATTACHED}),
        json!({"kind": "attached_media", "reference_id": "abcdef"}),
    ];
    let schema = json!({"$ref": "#/components/schemas/NewDeletion"});
    let mut accepted = 0;
    for target in candidates {
        let body = json!({"account": ALI, "targets": [target]});
        let faults = faults(&schema, &body);
        let answer =
            house.call("POST", "/v1/deletions").header("prefer", "respond-async").json(&body).send().await;
        assert_eq!(faults.is_empty(), answer.status < 300, "{body}: {faults:?} {answer:?}");
        accepted += u32::from(faults.is_empty());
    }
    assert_eq!(accepted, 15);
}

#[test]
fn every_example_fits_its_schema() {
    let mut found = 0;
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        if let Some(example) = schema.get("example") {
            found += 1;
            let faults = faults(&json!({"$ref": format!("#/components/schemas/{name}")}), example);
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
    }
    assert!(found > 0);
}

#[test]
fn the_document_is_closed_and_says_each_thing_once() {
    fn walk(at: &str, value: &Value, look: &mut impl FnMut(&str, &Value)) {
        look(at, value);
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, one)| walk(&format!("{at}/{name}"), one, look));
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(n, one)| walk(&format!("{at}/{n}"), one, look));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk("", document(), &mut |at, value| {
        let free = value["type"] == "object" && !value["properties"].is_object();
        assert!(!free, "{at} is a free-form object");
        assert!(value["responses"].get("default").is_none(), "{at} has a default answer");
        if let Some(name) = value["$ref"].as_str() {
            assert!(document().pointer(name.trim_start_matches('#')).is_some(), "{at}: {name} is nowhere");
        }
        if let Some(list) = value["parameters"].as_array() {
            let mut names: Vec<String> =
                list.iter().map(|one| format!("{} in {}", one["name"], one["in"])).collect();
            names.sort();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{at}: {names:?}");
            assert!(
                list.iter().all(|one| !one["schema"].to_string().contains("null")),
                "{at}: no query says null"
            );
        }
    });
    let mut operations: Vec<&Value> = Vec::new();
    walk("", document(), &mut |_, value| {
        if value["operationId"].is_string() {
            assert!(value["summary"].is_string(), "{value}");
        }
    });
    for item in document()["paths"].as_object().unwrap().values() {
        operations.extend(item.as_object().unwrap().values().map(|operation| &operation["operationId"]));
    }
    let all = operations.len();
    operations.sort_by_key(ToString::to_string);
    operations.dedup();
    assert_eq!(operations.len(), all);
}

#[test]
fn closed_lists_are_those_of_the_code() {
    let schemas = &document()["components"]["schemas"];
    let words = |schema: &Value| -> Vec<String> {
        schema["enum"].as_array().unwrap().iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let codes: Vec<&str> = vodrm::api::problem::CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(words(&schemas["Problem"]["properties"]["code"]), codes);
    let reasons = vodrm::types::outcome::Reason::ALL.map(vodrm::types::outcome::Reason::as_str);
    assert_eq!(words(&schemas["Reason"]), reasons);
    let outcomes = vodrm::types::outcome::Outcome::ALL.map(vodrm::types::outcome::Outcome::as_str);
    // Beside those that items end with, what a plan's items are shown as.
    let shown: Vec<&str> = outcomes.into_iter().chain(["planned"]).collect();
    assert_eq!(words(&schemas["Outcome"]), shown);
    let actions = vodrm::journal::audit::Action::ALL.map(vodrm::journal::audit::Action::as_str);
    assert_eq!(words(&schemas["AuditAction"]), actions);
    let effects = vodrm::types::effects::GoesWith::ALL.map(vodrm::types::effects::GoesWith::as_str);
    assert_eq!(words(&schemas["GoesWith"]), effects);
    let blocks = vodrm::journal::Quarantine::ALL.map(vodrm::journal::Quarantine::as_str);
    assert_eq!(words(&schemas["Quarantine"]), blocks);
    let kinds = vodrm::types::target::Kind::ALL.map(vodrm::types::target::Kind::as_str);
    assert_eq!(words(&schemas["Kind"]), kinds);
    let blocks = vodrm::types::outcome::LaneReason::ALL.map(vodrm::types::outcome::LaneReason::as_str);
    assert_eq!(words(&schemas["LaneReason"]), blocks);
    assert_eq!(words(&schemas["Account"]["properties"]["provider"]), ["alibaba", "tencent"]);
    // Every code is the answer of some route; 404, 405 and their like belong to all.
    let text = document()["paths"].to_string();
    for code in codes.iter().filter(|code| **code != "method_not_allowed") {
        assert!(
            text.contains(&format!("`{code}`")) || *code == "not_acceptable",
            "{code} is answered by no route"
        );
    }
}

//! Holds every answer against the contract.
//!
//! An answer whose route is in the document must have a documented status, code,
//! type and body, and every documented header; one whose route is not must be a plain
//! 404 or 405. Schemas are made stricter first: a field that they do not know is
//! a fault, since the document would then be behind the handlers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, OnceLock};

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

/// The document as JSON.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(vodrm::api::docs::document()).unwrap())
}

/// Every documented path with its methods, in capitals.
pub(crate) fn routes() -> BTreeMap<String, Vec<String>> {
    let paths = document()["paths"].as_object().unwrap();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
    paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

/// Whether a value fits a schema of the document, such as `#/components/schemas/Item`.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut known = validators().lock().unwrap();
    let validator = known.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = strict_components();
        whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
    });
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn validators() -> &'static Mutex<HashMap<String, Validator>> {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, Validator>>> = OnceLock::new();
    VALIDATORS.get_or_init(Mutex::default)
}

/// The components, with objects closed. One that others extend by `allOf` is closed in those.
fn strict_components() -> Value {
    let mut components = document()["components"].clone();
    let schemas = components["schemas"].as_object_mut().unwrap();
    let extended: Vec<String> = schemas
        .values()
        .filter_map(|schema| schema["allOf"].as_array())
        .flatten()
        .filter_map(|part| part["$ref"].as_str()?.rsplit('/').next().map(str::to_owned))
        .collect();
    for (name, schema) in schemas {
        if !extended.contains(name) && (schema["type"] == "object" || schema["allOf"].is_array()) {
            schema["unevaluatedProperties"] = json!(false);
        }
    }
    components
}

/// The documented path that a path is one of.
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(want), Some(have)) if want == have || (want.starts_with('{') && !have.is_empty()) => {}
                _ => return false,
            }
        }
    };
    document()["paths"].as_object().unwrap().keys().map(String::as_str).find(|template| fits(template))
}

/// What the document has for a status. A range has what its description names, such as 408 and 413 in
/// "408: `body_too_slow`; 413: `too_large`", and nothing else.
fn listed(responses: &Value, status: u16) -> Option<&Value> {
    let range = &responses[format!("{}XX", status / 100)];
    let named = || range["description"].as_str().is_some_and(|said| part(said, status).is_some());
    responses.get(status.to_string()).or_else(|| named().then_some(range))
}

/// The part of a range's description that is about a status.
fn part(description: &str, status: u16) -> Option<&str> {
    description.split("; ").find_map(|part| part.strip_prefix(&format!("{status}: ")))
}

/// The codes that a problem with this status may have.
fn codes(response: &Value, status: u16) -> Vec<String> {
    let description = response["description"].as_str().unwrap_or_default();
    // Every second piece stands between backticks.
    let words = part(description, status).unwrap_or(description).split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

#[test]
fn a_range_excuses_only_what_it_names() {
    let range = json!({"description": "408: `body_too_slow`; 413: `too_large`, `cap`"});
    let responses = json!({"400": {"description": "`malformed`"}, "4XX": range});
    assert_eq!(listed(&responses, 413), Some(&range));
    assert_eq!(codes(&range, 413), ["too_large", "cap"]);
    assert_eq!(codes(&responses["400"], 400), ["malformed"]);
    for status in [40, 404, 411, 415, 500] {
        assert_eq!(listed(&responses, status), None, "{status}");
    }
}

/// Fails the test if an answer is not what the document promises.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let said = format!("{method} {path}: {answer:?}");
    assert!(!answer.header("x-request-id").is_empty(), "no X-Request-Id: {said}");
    if matches!(answer.status, 202 | 429 | 503 | 507) {
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "no Retry-After: {said}");
    }
    let Some(template) = template(path) else {
        let is_page = path.starts_with("/docs");
        assert!(is_page || answer.status == 404, "a route that is not documented: {said}");
        return;
    };
    let asked = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let operation = &document()["paths"][template][&asked];
    if operation.is_null() {
        assert_eq!(answer.status, 405, "a method that is not documented: {said}");
        return;
    }
    let response = listed(&operation["responses"], answer.status);
    let response = response.unwrap_or_else(|| panic!("a status that is not documented: {said}"));
    for name in response["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
        assert!(answer.headers.contains_key(name.as_str()), "no {name}: {said}");
    }
    if method == Method::HEAD {
        return;
    }
    let kind = answer.header("content-type").split(';').next().unwrap_or_default();
    if kind == "application/problem+json" {
        let body = answer.json();
        let code = body["code"].as_str().unwrap_or_default();
        let codes = codes(response, answer.status);
        assert!(codes.iter().any(|known| known == code), "{code} is not among {codes:?}: {said}");
    }
    let content = &response["content"][kind];
    assert!(content.is_object(), "a type that is not documented: {said}");
    if kind == "application/json" || kind.ends_with("+json") {
        let faults = faults(&content["schema"], &answer.json());
        assert!(faults.is_empty(), "{faults:#?}: {said}");
    }
}

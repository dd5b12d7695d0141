//! The contract in machine-readable form, and its rendered page.
//!
//! `openapi.yaml` is made from the handlers' own annotations (`document`) and a
//! test holds the file at the project's root against it; what is served is that
//! file. The statuses of a route come from the closed list of problems.

use std::collections::BTreeMap;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Object, OpenApi as Document, PathItem, Ref, RefOr, ResponseBuilder, Schema, Type,
    extensions::Extensions, path::Operation,
};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use serde_json::{Value, json};

use super::Api;
use super::problem::{CODES, PROBLEM_JSON, ProblemBody};
use crate::dispatch;

/// The file at the project's root.
pub const OPENAPI_YAML: &str = include_str!("../../openapi.yaml");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "vodrm",
        description = "One normalized delete API over video clouds: Alibaba Cloud VOD and Tencent Cloud VOD.\n\nA delete is physical and final. Every request is on disk before anything is sent to a vendor; every item gets one honest outcome. Errors are RFC 9457 problem+json with a stable `code`.\n\nBeside what each route lists: a path that is not there is a 404 `not_found`, a method that it does not take a 405 `method_not_allowed`, a request that could be read in two ways (two hosts, two lengths of a body) a 400 `malformed`. What is no HTTP/1.1 request gets a bare 400, a head of more than 32 KiB or 100 lines a bare 431, and the connection is closed.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/")),
    components(schemas(ProblemBody, super::events::ProgressBody)),
    security((), ("key" = [])),
    modifiers(&Key),
    tags(
        (name = "delete one", description = "One target at a time; the answer is the item"),
        (name = "deletions", description = "Many targets at once; every accepted request is a deletion"),
        (name = "life cycle", description = "Pause, resume, cancel, retry; and what an operator decides"),
        (name = "holds", description = "What must not be deleted, whoever asks"),
        (name = "stop switches", description = "Nothing more is sent until they are lifted"),
        (name = "accounts", description = "What is configured, what waits, what stands at the vendor"),
        (name = "operations", description = "Health and metrics")
    )
)]
struct Base;

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key of a configured caller, or a token of a configured issuer that names one; a 401 where it is missing. What a route needs is its `x-scope`: one scope, a list of which one is enough, `none`, or `read-unless-public` (a switch opens it); with `x-accounts: all` the caller must see every account. Not needed where no caller is configured, which goes on loopback only.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The document without its paths; the router adds those.
#[must_use]
pub fn base() -> Document {
    Base::openapi()
}

/// The whole document, from the handlers.
#[must_use]
pub fn document() -> Document {
    let mut document = super::routes().into_openapi();
    tighten(&mut document);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        fold(&mut operation.responses.responses);
    }
    document
}

/// What a path serves.
fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, options, head, trace, .. } = path;
    [get, put, post, delete, patch, options, head, trace].into_iter().flatten()
}

/// Says what annotations cannot: rules between fields, and lists that stand elsewhere in the code.
fn tighten(document: &mut Document) {
    let one_name = |other: &str| json!({"oneOf": [{"required": ["id"]}, {"required": [other]}]});
    let everything = json!({"required": ["all"], "properties": {"all": {"const": true}}});
    let selector = json!({"anyOf": [
        {"required": ["definitions"]}, {"required": ["job_ids"]}, {"required": ["family"]},
    ]});
    let operations = document.paths.paths.values_mut().flat_map(operations);
    for operation in operations {
        // A YAML document and a stream of events are neither text nor an object to who reads them: they
        // have no schema here.
        for response in operation.responses.responses.values_mut() {
            let RefOr::T(response) = response else { continue };
            for kind in ["application/yaml", "text/event-stream"] {
                if let Some(RefOr::T(content)) = response.content.get_mut(kind) {
                    content.schema = None;
                }
            }
        }
        // A body that may be missing is not one that may be `null`.
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(RefOr::T(Schema::OneOf(either))) = &mut content.schema
            {
                either.items.retain(|item| matches!(item, RefOr::Ref(_)));
                content.schema = either.items.pop();
            }
        }
    }
    let objects = document.components.iter_mut().flat_map(|components| &mut components.schemas);
    for (name, schema) in objects {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        match name.as_str() {
            "MediaTarget" | "SourceTarget" => add(object, vec![one_name("reference_id")]),
            // Both a selector and `all: true` fit two branches, neither fits none.
            "RenditionsTarget" => {
                add(object, vec![one_name("reference_id"), json!({"oneOf": [selector, everything]})]);
            }
            "SnapshotsTarget" => add(object, vec![json!({"oneOf": [{"required": ["types"]}, everything]})]),
            "ImageTarget" => add(object, vec![one_name("url")]),
            "Problem" => list(object, "code", CODES.iter().map(|(code, ..)| json!(code)).collect()),
            "Account" => {
                list(object, "provider", dispatch::provider_names().map(Value::from).collect());
            }
            _ => {}
        }
    }
}

/// Adds rules beside an object's properties. `utoipa` has no field for them there, but writes
/// what it knows as extensions in the same place, under whatever name.
fn add(object: &mut Object, rules: Vec<Value>) {
    object.extensions = Some(Extensions::from_iter([("allOf", Value::Array(rules))]));
}

/// Makes a property one of a closed list.
fn list(object: &mut Object, property: &str, values: Vec<Value>) {
    if let Some(RefOr::T(Schema::Object(property))) = object.properties.get_mut(property) {
        property.enum_values = Some(values);
    }
}

/// What stands at the head of the file.
const HEAD: &str = "# Made from the handlers by `vodrm openapi`; a test compares it. Do not edit by hand.\n";

/// The whole document as the file's text.
pub fn yaml() -> Result<String, String> {
    let text = document().to_yaml().map_err(|error| error.to_string())?;
    // `utoipa` keeps extensions in a hash map: those that stand together are written in any order.
    let mut lines: Vec<&str> = text.lines().collect();
    for together in lines.chunk_by_mut(|a, b| is_extension(a) && is_extension(b)) {
        together.sort_unstable();
    }
    Ok(format!("{HEAD}{}\n", lines.join("\n")))
}

fn is_extension(line: &str) -> bool {
    line.trim_start().starts_with("x-")
}

/// `GET /openapi.yaml`.
#[utoipa::path(
    get,
    path = "/openapi.yaml",
    tag = "operations",
    operation_id = "openapi",
    extensions(("x-scope" = json!("read-unless-public"))),
    responses((status = 200, description = "This document", body = String, content_type = "application/yaml"), KeyProblems)
)]
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/yaml")], OPENAPI_YAML).into_response()
}

/// The routes of the rendered page, which are not in the document.
pub const PAGES: [&str; 3] = ["/docs", "/docs/", "/docs/{*rest}"];

/// The rendered page; its files are compiled in.
pub fn page() -> axum::Router<Api> {
    let config = utoipa_swagger_ui::Config::new(["/openapi.yaml"]).validator_url("none");
    utoipa_swagger_ui::SwaggerUi::new("/docs").config(config).into()
}

/// Most statuses that a route lists; what is more stands in ranges.
pub const MOST_STATUSES: usize = 12;

/// What stands in a range where a route has more, and in this order as far as need be. Callers do
/// the same about all of a range: mend the request, or give up for now.
const RARE: [(&str, &[u16]); 2] = [("4XX", &[406, 408, 411, 412, 413, 415]), ("5XX", &[500, 502, 504, 507])];

/// Puts rare statuses of a route that has too many into ranges, which name each with its codes.
fn fold(responses: &mut BTreeMap<String, RefOr<utoipa::openapi::Response>>) {
    for (range, rare) in RARE {
        if responses.len() <= MOST_STATUSES {
            return;
        }
        let mut named = Vec::new();
        for status in rare {
            if let Some(RefOr::T(response)) = responses.remove(&status.to_string()) {
                named.push(format!("{status}: {}", response.description));
            }
        }
        if !named.is_empty() {
            responses.insert(range.to_owned(), RefOr::T(problem(named.join("; ")).build()));
        }
    }
}

/// An answer that is a problem.
fn problem(description: String) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content)
}

fn problems(codes: &[&str]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    // Where credentials are asked for, too many bad ones are slowed down.
    let is_listed = |code: &str| {
        codes.contains(&code) || (code == "too_many_bad_keys" && codes.contains(&"unauthenticated"))
    };
    for (code, status, ..) in CODES.iter().filter(|(code, ..)| is_listed(code)) {
        by_status.entry(*status).or_default().push(code);
    }
    let describe = |(status, codes): (u16, Vec<&str>)| {
        let words: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        let mut response = problem(words.join(", "));
        if matches!(status, 429 | 503 | 507) {
            let seconds = Object::builder().schema_type(Type::Integer).build();
            let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds")).build();
            response = response.header("Retry-After", header);
        }
        (status.to_string(), RefOr::T(response.build()))
    };
    by_status.into_iter().map(describe).collect()
}

macro_rules! problem_sets {
    ($($(#[$doc:meta])* $name:ident = $codes:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
                    problems($codes)
                }
            }
        )*
    };
}

problem_sets! {
    /// Operators' pages.
    KeyProblems = &["unauthenticated", "scope"];
    /// Reads of the journal.
    ReadProblems = &[
        "malformed", "unauthenticated", "scope", "not_found", "internal", "overloaded", "journal_unavailable",
    ];
    /// Reads at the vendor.
    LookProblems = &[
        "malformed", "unauthenticated", "scope", "forbidden", "not_found", "busy", "invalid", "unsupported",
        "internal", "vendor_failed", "blocked", "overloaded", "vendor_timeout",
    ];
    /// Reads that go on.
    StreamProblems = &[
        "malformed", "unauthenticated", "scope", "not_found", "not_acceptable", "too_many_streams", "internal",
        "overloaded", "journal_unavailable",
    ];
    /// Verbs.
    VerbProblems = &[
        "malformed", "unauthenticated", "scope", "not_found", "body_too_slow", "wrong_state", "too_large",
        "unsupported_media_type", "invalid", "internal", "overloaded", "not_ready", "journal_unavailable", "disk_full",
    ];
    /// Verbs that let a deletion go on, or do not.
    GoAheadProblems = &[
        "malformed", "unauthenticated", "scope", "cap_exceeded", "own_request", "not_found", "body_too_slow", "wrong_state",
        "digest_mismatch", "too_large", "unsupported_media_type", "invalid", "daily_cap_exceeded", "internal",
        "overloaded", "not_ready", "journal_unavailable", "disk_full",
    ];
    /// Holds and stop switches.
    GuardProblems = &[
        "malformed", "unauthenticated", "scope", "not_found", "body_too_slow", "too_large", "unsupported_media_type",
        "invalid", "too_many_holds", "internal", "overloaded", "not_ready", "journal_unavailable", "disk_full",
    ];
    /// `POST /v1/deletions`.
    SubmitProblems = &[
        "malformed", "idempotency_key_required", "unauthenticated", "scope", "cap_exceeded", "body_too_slow",
        "idempotency_key_busy", "too_large", "unsupported_media_type", "invalid", "not_served", "idempotency_key_reused",
        "daily_cap_exceeded", "queue_full",
        "internal", "blocked", "overloaded", "not_ready", "journal_unavailable", "disk_full",
    ];
    /// Single-target DELETEs.
    DeleteProblems = &[
        "malformed", "idempotency_key_required", "unauthenticated", "scope", "forbidden", "not_found", "absent", "busy",
        "canceled", "idempotency_key_busy", "invalid", "unsupported", "idempotency_key_reused", "cap_exceeded", "held",
        "protected", "daily_cap_exceeded", "queue_full", "internal", "vendor_failed", "blocked", "overloaded", "not_ready",
        "journal_unavailable", "unknown", "disk_full",
    ];
}

/// The path of an asset.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AssetPath {
    /// The account's name.
    #[param(min_length = 1, max_length = 64)]
    pub account: String,
    /// The vendor's id of the asset.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub id: String,
}

/// The path of a hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct HoldPath {
    /// The account's name.
    #[param(min_length = 1, max_length = 64)]
    pub account: String,
    /// An id of an asset, or a pattern: `*` is any run of characters, `?` (as `%3F`) one.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_*?-]+$", example = "promo-*")]
    pub id: String,
}

/// Which audit records.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Only those of this caller, or of `vodrm`.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<super::words::ActionWord>,
    /// Only those about this account.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// Only those about this deletion.
    #[param(pattern = "^del_[0-9A-HJKMNP-TV-Z]{26}$", nullable = false)]
    pub deletion: Option<String>,
    /// Only those at or after.
    #[param(format = DateTime, nullable = false)]
    pub since: Option<String>,
    /// Only those before.
    #[param(format = DateTime, nullable = false)]
    pub until: Option<String>,
}

/// What every single-target DELETE takes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteParams {
    /// Whether "not found" is ok (the default) or an error.
    pub if_absent: Option<super::request_schema::IfAbsentWord>,
    /// Why; kept with the deletion.
    #[param(max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: Option<String>,
    /// Only a plan: every check is made, nothing is sent.
    pub dry_run: Option<bool>,
}

/// Pages.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000)]
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub page_token: Option<String>,
}

/// How long to wait for the outcome.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct PreferHeader {
    /// `wait=N` waits up to N seconds (at most 60; 10 if absent); `respond-async` does not wait (RFC 7240).
    #[param(rename = "Prefer", example = "wait=30", nullable = false)]
    pub prefer: Option<String>,
}

/// Makes a request at most once.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct KeyHeader {
    /// The same key and the same request give the same deletion back, with `Idempotency-Replayed: true`; kept 24 h by default.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        nullable = false
    )]
    pub idempotency_key: Option<String>,
}

/// What stands around the lines of an upload; a JSON body has these inside.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UploadParams {
    /// Uploads: the account of lines that name none. Plain ids need it.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    pub account: Option<String>,
    /// Plain ids: what of each is to go (`media` if absent). `renditions` and `snapshots` need more than an id.
    pub kind: Option<super::words::KindWord>,
    /// Uploads: whether "not found" is ok (the default) or an error.
    pub if_absent: Option<super::request_schema::IfAbsentWord>,
    /// Uploads: why; kept with the deletion.
    #[param(max_length = 1000, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub reason: Option<String>,
    /// Uploads: only a plan.
    pub dry_run: Option<bool>,
    /// Uploads, with `dry_run`: look up at the vendor what stands there.
    pub check: Option<bool>,
    /// Uploads: nothing is sent before so long is over (at most 30d).
    #[param(pattern = "^[0-9]+(ms|s|m|h|d)$", nullable = false, example = "24h")]
    pub delay: Option<String>,
    /// Uploads: block playback while it waits (Tencent).
    pub quarantine: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_the_handlers_say() {
        let made = yaml().unwrap();
        assert!(
            made == OPENAPI_YAML,
            "openapi.yaml is behind the handlers: run `cargo run -- openapi > openapi.yaml`"
        );
    }

    #[test]
    fn no_response_is_called_default_and_no_object_is_free() {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() > 10, "only {} paths", paths.len());
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                assert!(!responses.contains_key("default"), "{method} {path}");
                assert!(responses.len() >= 2 || path.ends_with("livez"), "{method} {path}: {responses:?}");
                assert!(responses.len() <= MOST_STATUSES, "{method} {path}: {:?}", responses.keys());
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let is_object = schema["type"] == "object";
            assert!(!is_object || schema["properties"].is_object(), "{name} is a free-form object");
        }
    }

    #[test]
    fn only_rare_statuses_go_into_ranges_and_only_where_they_must() {
        let folded = |extra: &[u16]| {
            let statuses = [200, 202, 400, 401, 403, 404, 409, 422, 503, 507].iter().chain(extra);
            let described =
                |status: &u16| (status.to_string(), RefOr::T(problem(format!("`of_{status}`")).build()));
            let mut responses = statuses.map(described).collect();
            fold(&mut responses);
            let range = |name: &str| match responses.get(name) {
                Some(RefOr::T(range)) => range.description.clone(),
                _ => String::new(),
            };
            (responses.len(), range("4XX"), range("5XX"))
        };
        let of = |count: usize, fours: &str, fives: &str| (count, fours.to_owned(), fives.to_owned());
        assert_eq!(folded(&[413, 415]), of(12, "", ""));
        assert_eq!(folded(&[413, 415, 500]), of(12, "413: `of_413`; 415: `of_415`", ""));
        assert_eq!(folded(&[423, 429, 500]), of(12, "", "500: `of_500`; 507: `of_507`"));
        assert_eq!(
            folded(&[207, 412, 413, 429, 500]),
            of(13, "412: `of_412`; 413: `of_413`", "500: `of_500`; 507: `of_507`"),
            "the important ones stay, and the test above says no"
        );
    }
}

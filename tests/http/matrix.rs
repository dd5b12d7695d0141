//! Who may enter what: every documented route with every kind of credentials.
//!
//! Routes and what they need come from the document alone, so that a route that is
//! added later is covered by itself. Every cell is asked for over a real connection,
//! with ids that exist nowhere; what is counted is kept in `target/reports`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::contract::document;
use crate::harness::idp::Idp;
use crate::harness::{ALI, Answer, House, TEN, media_body, new_key, ten};

const SCOPES: [&str; 5] = ["read", "delete", "approve", "hold", "admin"];

/// An operation of the document.
struct Route {
    method: String,
    template: String,
    path: String,
    /// The scopes of which one is enough; `None` if nobody is asked who they are.
    needs: Option<Vec<String>>,
    /// Only for who sees every account.
    for_all: bool,
}

/// What a cell must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Unauthenticated,
    Scope,
    /// The account or the deletion does not exist for this caller.
    Missing,
    /// Whatever the route says to those whom it lets in.
    Entered,
    /// Let in, or told that the right does not reach far enough; never "who are you?".
    Known,
}

fn needs(operation: &Value) -> Option<Vec<String>> {
    let declared = &operation["x-scope"];
    if let Some(words) = declared.as_array() {
        return Some(words.iter().map(|word| word.as_str().unwrap().to_owned()).collect());
    }
    match declared.as_str().unwrap_or_else(|| panic!("x-scope is {declared}")) {
        "none" => None,
        // The switch is off here.
        "read-unless-public" => Some(vec!["read".to_owned()]),
        word => Some(vec![word.to_owned()]),
    }
}

/// Every operation, HEAD beside every GET, with something in place of its parameters.
fn routes(deletion: &str) -> Vec<Route> {
    let fill = |template: &str| {
        let parts = template.split('/').map(|part| match part {
            "{account}" => ALI,
            "{deletion}" => deletion,
            "{index}" => "0",
            other if other.starts_with('{') => "not-there-at-all",
            fixed => fixed,
        });
        parts.collect::<Vec<_>>().join("/")
    };
    let mut routes = Vec::new();
    for (template, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let methods = if method == "get" { vec!["GET", "HEAD"] } else { vec![method.as_str()] };
            routes.extend(methods.into_iter().map(|method| Route {
                method: method.to_uppercase(),
                template: template.clone(),
                path: fill(template),
                needs: needs(operation),
                for_all: operation["x-accounts"] == "all",
            }));
        }
    }
    routes
}

fn holds(expected: Expected, answer: &Answer, is_head: bool) -> bool {
    let is_problem = |status: u16, code: &str| {
        answer.status == status && (is_head || answer.json()["code"].as_str() == Some(code))
    };
    match expected {
        Expected::Unauthenticated => {
            is_problem(401, "unauthenticated") && answer.header("www-authenticate") == "Bearer"
        }
        Expected::Scope => is_problem(403, "scope"),
        Expected::Missing => is_problem(404, "not_found"),
        Expected::Entered => answer.status != 401 && answer.status != 403,
        Expected::Known => answer.status != 401,
    }
}

/// The credentials of every column, and whether they hold a scope; `None` if they are no good.
struct Column {
    name: String,
    authorization: Option<String>,
    scopes: Option<Vec<&'static str>>,
    sees_the_account: bool,
}

fn columns(idp: &Idp, keys: &BTreeMap<String, String>) -> Vec<Column> {
    let bearer = |credential: &str| Some(format!("Bearer {credential}"));
    let strange = Idp::new();
    let bad = [
        ("no key", None),
        ("other scheme", Some("Basic eDp5".to_owned())),
        ("empty", Some("Bearer ".to_owned())),
        ("bad key", bearer(&keys["read"].replace("vodrm_", "vodrm_x"))),
        ("expired token", bearer(&idp.token("token", -3_600, "k"))),
        ("unknown kid", bearer(&idp.token("token", 600, "other"))),
        ("forged token", bearer(&strange.token("token", 600, "k"))),
        // This caller has a key and did not say that an issuer may name it.
        ("token of a key's caller", bearer(&idp.token("all", 600, "k"))),
    ];
    let bad = bad.map(|(name, authorization)| Column {
        name: name.to_owned(),
        authorization,
        scopes: None,
        sees_the_account: false,
    });
    let single = SCOPES.map(|scope| Column {
        name: format!("only {scope}"),
        authorization: bearer(&keys[scope]),
        scopes: Some(vec![scope]),
        sees_the_account: true,
    });
    let token = Column {
        name: "token, only read".to_owned(),
        authorization: bearer(&idp.token("token", 600, "k")),
        scopes: Some(vec!["read"]),
        sees_the_account: true,
    };
    let other = Column {
        name: "other account".to_owned(),
        authorization: bearer(&keys["other"]),
        scopes: Some(SCOPES.to_vec()),
        sees_the_account: false,
    };
    bad.into_iter().chain(single).chain([token, other]).collect()
}

fn expected(route: &Route, column: &Column) -> Expected {
    let Some(needs) = &route.needs else { return Expected::Entered };
    let Some(scopes) = &column.scopes else { return Expected::Unauthenticated };
    let names_one = route.template.contains("{account}") || route.template.contains("{deletion}");
    match needs.iter().any(|need| scopes.contains(&need.as_str())) {
        false => Expected::Scope,
        true if route.for_all => Expected::Scope,
        true if column.sees_the_account => Expected::Entered,
        true if names_one => Expected::Missing,
        true => Expected::Known,
    }
}

/// The house, the callers' keys, and the folder of the issuer's keys.
async fn house(idp: &Idp) -> (House, BTreeMap<String, String>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut toml = format!(
        "[server]\npublic_docs = false\nmax_bad_keys = 1_000_000\n{}\
         [callers.token]\nissuer = \"corp\"\naccounts = [\"{ALI}\"]\nmay = [\"read\"]\n",
        idp.settings(folder.path())
    );
    let mut keys = BTreeMap::new();
    let every = SCOPES.join("\", \"");
    let single = SCOPES.map(|scope| (scope, ALI, scope));
    for (name, account, may) in
        single.into_iter().chain([("other", TEN, every.as_str()), ("all", "*", &every)])
    {
        let (key, digest) = new_key();
        let caller = format!(
            "[callers.{name}]\nkey_sha256 = \"{digest}\"\naccounts = [\"{account}\"]\nmay = [\"{may}\"]\n"
        );
        toml.push_str(&caller);
        keys.insert(name.to_owned(), key);
    }
    let house = House::with(&toml).await;
    (house, keys, folder)
}

#[tokio::test]
async fn every_route_answers_every_credential_as_it_declares() {
    let idp = Idp::new();
    let (mut house, keys, _folder) = house(&idp).await;
    house.as_caller(&keys["all"]);
    // One that touches an account which nobody but "all" sees whole: it must look missing to "other".
    let mixed = json!({"account": ALI, "targets": [
        {"kind": "media", "id": "not-there-at-all"},
        {"kind": "media", "account": TEN, "id": ten::MISSING},
    ]});
    let mixed = house.submit(&mixed).await.json()["id"].as_str().unwrap().to_owned();
    let own = house.submit(&media_body(["not-there-at-all"])).await.json()["id"].as_str().unwrap().to_owned();
    house.as_nobody();
    let columns = columns(&idp, &keys);
    let (mut cells, mut refused, mut by_expected) = (0_u32, 0_u32, BTreeMap::<String, u32>::new());
    let routes = routes(&own);
    for route in &routes {
        for column in &columns {
            let mut request = house.call(&route.method, &route.path);
            if let Some(authorization) = &column.authorization {
                request = request.header("authorization", authorization);
            }
            let (answer, wanted) = (request.send().await, expected(route, column));
            let is_head = route.method == "HEAD";
            assert!(
                holds(wanted, &answer, is_head),
                "{} {} with {}: {wanted:?} expected, {answer:?}",
                route.method,
                route.template,
                column.name
            );
            cells += 1;
            refused += u32::from(matches!(answer.status, 401 | 403));
            *by_expected.entry(format!("{wanted:?}").to_lowercase()).or_default() += 1;
        }
    }
    // Half of a deletion that cannot be seen is as good as none of it.
    house.as_caller(&keys["read"]);
    house.get(&format!("/v1/deletions/{mixed}")).await.problem(404, "not_found");
    assert_eq!(house.get(&format!("/v1/deletions/{own}")).await.status, 200);
    let counted: u32 = house
        .get("/metrics")
        .await
        .text()
        .lines()
        .filter(|line| line.starts_with("vodrm_refused_total"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
        .sum();
    assert_eq!(counted, refused, "every refusal is counted once");
    assert!(routes.len() > 30 && columns.len() == 15, "{} routes, {} columns", routes.len(), columns.len());
    write(
        &json!({"routes": routes.len(), "columns": columns.len(), "cells": cells, "by_expected": by_expected}),
    );
}

/// Keeps the figures where reports are.
fn write(figures: &Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("authz.json"), format!("{figures:#}\n")).unwrap();
}

#[tokio::test]
async fn a_token_acts_as_the_caller_it_names() {
    let idp = Idp::new();
    let folder = tempfile::tempdir().unwrap();
    let toml = format!(
        "{}[callers.cms]\nissuer = \"corp\"\naccounts = [\"*\"]\nmay = [\"read\", \"delete\"]\n",
        idp.settings(folder.path())
    );
    let mut house = House::with(&toml).await;
    house.as_caller(&idp.token("cms", 600, "k"));
    assert_eq!(house.submit(&media_body(["not-there-at-all"])).await.json()["requested_by"], "cms");
    house.as_caller(&idp.token("cms", -3_600, "k"));
    let expired = house.get("/v1/deletions").await.problem(401, "unauthenticated");
    assert_eq!(expired["detail"], "the token has expired");
    for (caller, kid) in [("cms", "other"), ("nobody", "k"), ("anonymous", "k"), ("", "k")] {
        house.as_caller(&idp.token(caller, 600, kid));
        let refused = house.get("/v1/deletions").await.problem(401, "unauthenticated");
        assert_eq!(refused["detail"], "the token is not valid", "{caller} {kid}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_good_keys_are_not() {
    let (key, digest) = new_key();
    let caller = format!("[callers.a]\nkey_sha256 = \"{digest}\"\naccounts = [\"*\"]\nmay = [\"read\"]\n");
    let mut house = House::with(&caller).await;
    // Who sends nothing guesses nothing.
    for _ in 0..20 {
        house.get("/v1/accounts").await.problem(401, "unauthenticated");
    }
    house.as_caller("vodrm_wrong");
    for _ in 0..10 {
        house.get("/v1/accounts").await.problem(401, "unauthenticated");
    }
    for _ in 0..3 {
        let slowed = house.get("/v1/accounts").await;
        slowed.problem(429, "too_many_bad_keys");
        assert!((1..=60).contains(&slowed.header("retry-after").parse::<u64>().unwrap()), "{slowed:?}");
    }
    house.as_caller(&key);
    assert_eq!(house.get("/v1/accounts").await.status, 200);
    let metrics = house.get("/metrics").await.text();
    for line in [
        "vodrm_refused_total{why=\"no_credentials\"} 20",
        "vodrm_refused_total{why=\"unknown_key\"} 10",
        "vodrm_refused_total{why=\"too_many_bad_keys\"} 3",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in {metrics}");
    }
}

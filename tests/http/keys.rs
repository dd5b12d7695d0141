//! Keys: who may do what, and what a caller does not see.

use serde_json::json;

use crate::harness::{ALI, House, TEN, ali, media, media_body, media_target, new_key, ten};

struct Keys {
    all: String,
    ali: String,
    reader: String,
    deleter: String,
}

/// A house with four callers: everything, one account, reading only, deleting only.
async fn house() -> (House, Keys) {
    let made: Vec<(String, String)> = (0..4).map(|_| new_key()).collect();
    let toml = format!(
        "[server]\npublic_docs = false\nmax_bad_keys = 1_000_000\n\
         [callers.all]\nkey_sha256 = \"{}\"\naccounts = [\"*\"]\nmay = [\"read\", \"delete\"]\n\
         [callers.ali]\nkey_sha256 = \"{}\"\naccounts = [\"sandbox-ali*\"]\nmay = [\"read\", \"delete\"]\n\
         [callers.reader]\nkey_sha256 = \"{}\"\naccounts = [\"*\"]\nmay = [\"read\"]\n\
         [callers.deleter]\nkey_sha256 = \"{}\"\naccounts = [\"*\"]\nmay = [\"delete\"]\n",
        made[0].1, made[1].1, made[2].1, made[3].1
    );
    let mut keys = made.into_iter().map(|(key, _)| key);
    let mut next = || keys.next().unwrap();
    let keys = Keys { all: next(), ali: next(), reader: next(), deleter: next() };
    (House::with(&toml).await, keys)
}

/// Every documented route, with something in place of its parameters.
fn every_route() -> Vec<(String, String)> {
    let fill = |path: &str| {
        path.replace("{account}", ALI)
            .replace("{id}", "x")
            .replace("{deletion}", "del_x")
            .replace("{index}", "0")
    };
    let routes = crate::harness::contract::routes();
    routes.iter().flat_map(|(path, methods)| methods.iter().map(move |m| (m.clone(), fill(path)))).collect()
}

#[tokio::test]
async fn without_a_good_key_nothing_answers_but_health() {
    let (house, keys) = house().await;
    for (method, path) in every_route() {
        if path == "/livez" || path == "/readyz" {
            assert_eq!(house.call(&method, &path).send().await.status, 200, "{path}");
            continue;
        }
        let cut: String = keys.all.chars().skip(1).collect();
        for credentials in ["", "Bearer", "Bearer wrong", "Basic eDp5", &keys.all, &format!("Bearer {cut}")] {
            let request = house.call(&method, &path);
            let request =
                if credentials.is_empty() { request } else { request.header("authorization", credentials) };
            let answer = request.send().await;
            answer.problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{method} {path} {credentials:?}");
        }
    }
    let bearer = format!("Bearer {}", keys.all);
    let twice =
        house.call("GET", "/v1/accounts").header("authorization", &bearer).header("authorization", &bearer);
    twice.send().await.problem(401, "unauthenticated");
    let lower = house.call("GET", "/v1/accounts").header("authorization", &format!("bearer {}", keys.all));
    assert_eq!(lower.send().await.status, 200);
    for page in ["/docs", "/docs/"] {
        house.get(page).await.problem(401, "unauthenticated");
    }
}

// Which route needs which scope is asked of every route in matrix.rs.
#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let (mut house, keys) = house().await;
    house.as_caller(&keys.reader);
    house.delete(&media(ALI, ali::NORMAL)).await.problem(403, "scope");
    house.submit(&json!({})).await.problem(403, "scope");
    assert_eq!(house.get(&media(ALI, ali::NORMAL)).await.status, 200, "it may");
    house.as_caller(&keys.deleter);
    house.get(&media(ALI, ali::NORMAL)).await.problem(403, "scope");
    assert!(!house.alibaba().ledger().iter().any(|row| row.action.starts_with("Delete")));
    assert_eq!(house.delete(&media(ALI, ali::NORMAL)).await.status, 200, "it may");
}

#[tokio::test]
async fn a_foreign_account_looks_like_one_that_is_not_there() {
    let (mut house, keys) = house().await;
    house.as_caller(&keys.all);
    let foreign =
        house.submit(&json!({"account": TEN, "targets": [media_target(&ten::video(1))]})).await.json();
    let mixed = json!({"account": ALI, "targets": [
        media_target(ali::MISSING), {"kind": "media", "account": TEN, "id": ten::MISSING},
    ]});
    let mixed = house.submit(&mixed).await.json();
    let own = house.submit(&media_body([ali::MISSING])).await.json();
    let calls = house.vendors.calls();
    house.as_caller(&keys.ali);
    let missing = |path: &str| path.replace(TEN, "nobody-at-all");
    for (method, path) in [
        ("DELETE", media(TEN, &ten::video(2))),
        ("DELETE", format!("{}/source", media(TEN, &ten::video(2)))),
        ("GET", media(TEN, &ten::video(2))),
        ("GET", format!("/v1/accounts/{TEN}")),
        ("POST", format!("/v1/accounts/{TEN}/unblock")),
        ("GET", format!("/v1/items?account={TEN}&id={}", ten::video(1))),
    ] {
        let mut seen = house.call(method, &path).send().await.problem(404, "not_found");
        let mut unseen = house.call(method, &missing(&path)).send().await.problem(404, "not_found");
        for answer in [&mut seen, &mut unseen] {
            answer["request_id"].take();
            answer["instance"].take();
        }
        assert_eq!(seen, unseen, "{method} {path} tells nothing");
    }
    for account in [TEN, "nobody-at-all"] {
        let answer = house.submit(&json!({"account": account, "targets": [media_target("x")]})).await;
        answer.problem(422, "invalid");
        assert!(answer.text().contains("there is no such account"), "{answer:?}");
    }
    for id in [&foreign["id"], &mixed["id"]] {
        let id = id.as_str().unwrap();
        for path in ["", "/items", "/items/0", "?wait=10s"] {
            house.get(&format!("/v1/deletions/{id}{path}")).await.problem(404, "not_found");
        }
    }
    let listed = house.get("/v1/deletions").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], own["id"]);
    assert_eq!(house.get(&format!("/v1/deletions?account={TEN}")).await.json()["items"], json!([]));
    let accounts = house.get("/v1/accounts").await.json();
    assert_eq!(
        (accounts["items"].as_array().unwrap().len(), &accounts["items"][0]["name"]),
        (1, &json!(ALI))
    );
    assert_eq!(house.vendors.calls(), calls, "nothing was asked of a vendor");
}

#[tokio::test]
async fn a_deletion_says_who_asked() {
    let (mut house, keys) = house().await;
    house.as_caller(&keys.all);
    house.submit(&media_body([ali::MISSING])).await;
    house.as_caller(&keys.ali);
    assert_eq!(house.submit(&media_body([ali::MISSING])).await.json()["requested_by"], "ali");
    let own = house.get("/v1/deletions?requested_by=ali").await.json();
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn deletions_of_accounts_that_are_gone_are_seen_by_who_sees_everything() {
    let (key, digest) = new_key();
    let toml = format!(
        "[callers.all]\nkey_sha256 = \"{digest}\"\naccounts = [\"*\"]\nmay = [\"read\", \"delete\"]\n"
    );
    let mut first = House::with(&toml).await;
    first.as_caller(&key);
    let id = first.submit_async(&media_body([ali::MISSING])).await;
    first.finished(&id).await;
    first.stop().await;
    let journal = first.journal_path();
    let mut later = House::built(&toml, |settings| {
        settings.store.path = journal;
        settings.accounts.retain(|account| account.name.as_str() == TEN);
    })
    .await;
    later.as_caller(&key);
    assert_eq!(later.get(&format!("/v1/deletions/{id}")).await.status, 200);
    assert_eq!(later.get("/v1/deletions").await.json()["items"][0]["id"], json!(id));
}

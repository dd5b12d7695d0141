//! Everything that goes wrong is problem+json with a documented status.

use serde_json::{Value, json};

use crate::harness::raw::{Raw, ask};
use crate::harness::{ALI, House, TEN, ali, chunked, media, media_body, media_target, ten};

const DELETIONS: &str = "/v1/deletions";

async fn post(house: &House, text: impl Into<Vec<u8>>) -> crate::harness::Answer {
    house.call("POST", DELETIONS).json_text(text.into()).send().await
}

#[tokio::test]
async fn a_path_that_is_not_there_is_a_problem() {
    let house = House::start().await;
    for path in ["/", "/v1", "/v2/deletions", "/v1/deletions/", "/v1/deletions/x/y", "/docs/none.js"] {
        let problem = house.get(path).await.problem(404, "not_found");
        assert_eq!(problem["instance"], path);
    }
    for path in ["/v1/deletions/none", "/v1/deletions/none/items", "/v1/deletions/none/items/0"] {
        house.get(path).await.problem(404, "not_found");
    }
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    house.get(&format!("{DELETIONS}/{}", id.to_lowercase())).await.problem(404, "not_found");
    for index in ["1", "-1", "x", "4294967296", "00000000000000000000000001"] {
        house.get(&format!("{DELETIONS}/{id}/items/{index}")).await.problem(404, "not_found");
    }
    house.get(&media("nobody", "x")).await.problem(404, "not_found");
    house.delete(&media("nobody", "x")).await.problem(404, "not_found");
    house.get("/v1/accounts/nobody").await.problem(404, "not_found");
    house.call("POST", "/v1/accounts/nobody/unblock").send().await.problem(404, "not_found");
    assert_eq!(house.vendors.calls(), 1);
}

#[tokio::test]
async fn a_method_that_does_not_fit_is_told_which_do() {
    let house = House::start().await;
    for (method, path, allow) in [
        ("PUT", DELETIONS, ["GET", "HEAD", "POST"].as_slice()),
        ("DELETE", "/v1/deletions/x", &["GET", "HEAD"]),
        ("POST", "/v1/accounts/x/media/y", &["DELETE", "GET", "HEAD"]),
        ("HEAD", "/v1/accounts/x/media/y/source", &["DELETE"]),
        ("OPTIONS", "/livez", &["GET", "HEAD"]),
        ("BREW", "/readyz", &["GET", "HEAD"]),
    ] {
        let answer = house.call(method, path).send().await;
        assert_eq!(answer.status, 405, "{method} {path}");
        let mut allowed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, allow, "{method} {path}");
        if method != "HEAD" {
            answer.problem(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let house = House::start().await;
    for path in ["/livez", "/readyz", DELETIONS, "/v1/accounts", "/openapi.yaml", "/metrics"] {
        let head = house.call("HEAD", path).send().await;
        let get = house.get(path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    let missing = house.call("HEAD", "/v1/deletions/none").send().await;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
}

#[tokio::test]
async fn a_body_that_is_not_plain_json_is_400() {
    let house = House::start().await;
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let target = r#"{"account": "sandbox-alibaba", "targets": [{"kind": "media", "id": "x"}]}"#;
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\"x\"".to_vec(),
        b"NaN".to_vec(),
        b"{'targets': []}".to_vec(),
        format!("{target} {target}").into_bytes(),
        format!("{target},").into_bytes(),
        format!("\u{feff}{target}").into_bytes(),
        br#"{"account": "sandbox-alibaba", "targets": [{"kind": "media", "id": "x", "id": "y"}]}"#.to_vec(),
        br#"{"targets": [], "targets": [{"kind": "media", "id": "x"}]}"#.to_vec(),
        format!(r#"{{"targets": {deep}}}"#).into_bytes(),
        "[".repeat(100_000).into_bytes(),
        b"{\"account\": \"\xff\"}".to_vec(),
        br#"{"reason": "\ud800"}"#.to_vec(),
        br#"{"x": 1e999}"#.to_vec(),
        b"{\"a\":\0}".to_vec(),
    ];
    for body in bodies {
        let said = String::from_utf8_lossy(&body).chars().take(80).collect::<String>();
        let answer = post(&house, body).await;
        assert_eq!(answer.status, 400, "{said}: {answer:?}");
        answer.problem(400, "malformed");
    }
    assert_eq!(house.vendors.calls(), 0);
}

#[tokio::test]
async fn every_fault_of_a_body_is_told_with_its_pointer() {
    let house = House::start().await;
    let answer = house
        .submit(&json!({
            "account": ALI, "dry_runn": true, "if_absent": "no", "reason": "x".repeat(1_001), "a~b/c d": 1,
            "targets": [
                {"kind": "media", "id": null},
                {"kind": "media", "id": "x", "reference_id": "abcdef"},
                {"kind": "media"},
                {"kind": "video", "id": "x"},
                {"id": "x"},
                {"kind": "media", "id": "x".repeat(65)},
                {"kind": "media", "reference_id": "short"},
                {"kind": "media", "id": "x", "ref": "y".repeat(129)},
                {"kind": "image", "url": "ftp://h/x"},
                {"kind": "image", "url": "https://h/a,b"},
                {"kind": "media", "account": "nobody", "id": "x"},
                {"kind": "media", "id": "x", "force": true},
                {"kind": "renditions", "id": "x", "definitions": [1.5]},
                {"kind": "renditions", "id": "x", "definitions": vec!["HD"; 101]},
                {"kind": "snapshots", "id": "x", "types": []},
                "x",
            ],
        }))
        .await;
    answer.problem(422, "invalid");
    let mut pointers = answer.pointers();
    pointers.sort();
    let mut wanted = [
        "#/dry_runn",
        "#/if_absent",
        "#/reason",
        "#/a%7E0b%7E1c%20d",
        "#/targets/0/id",
        "#/targets/1/reference_id",
        "#/targets/2/id",
        "#/targets/3/kind",
        "#/targets/4/kind",
        "#/targets/5/id",
        "#/targets/6/reference_id",
        "#/targets/7/ref",
        "#/targets/8/url",
        "#/targets/9/url",
        "#/targets/10/account",
        "#/targets/11/force",
        "#/targets/12/definitions/0",
        "#/targets/13/definitions",
        "#/targets/14/types",
        "#/targets/15",
    ];
    wanted.sort_unstable();
    assert_eq!(pointers, wanted);
    let nothing = house.submit(&json!({"targets": [media_target("x")]})).await;
    assert_eq!(nothing.pointers(), ["#/targets/0/account"]);
    assert_eq!(house.submit(&json!({})).await.pointers(), ["#/targets"]);
    assert_eq!(house.vendors.calls(), 0);
    assert_eq!(house.get(DELETIONS).await.json()["items"], json!([]), "nothing was accepted");
}

#[tokio::test]
async fn a_thousand_faults_are_told_and_no_more() {
    let house = House::start().await;
    let fields: serde_json::Map<String, Value> =
        (0..5_000).map(|n| (format!("unknown-{n}"), json!(1))).collect();
    let answer = house.submit(&Value::Object(fields)).await;
    let problem = answer.problem(422, "invalid");
    assert_eq!(answer.pointers().len(), 1_000);
    assert!(problem["detail"].as_str().unwrap().starts_with("5001 fields"), "{}", problem["detail"]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_declared_or_not() {
    let house = House::with("[server]\nmax_json_bytes = 65536").await;
    let large = format!("{{\"reason\": \"{}\"}}", "x".repeat(65_536));
    post(&house, large.clone()).await.problem(413, "too_large");
    house
        .call("POST", DELETIONS)
        .json_text(chunked(large.into_bytes()))
        .send()
        .await
        .problem(413, "too_large");
    // A client that sends everything before it reads gets its answer too.
    let mut raw = Raw::open(house.addr).await;
    raw.send("POST /v1/deletions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 8000000\r\n\r\n").await;
    raw.talk(&vec![b'x'; 8_000_000]).await.expect("an answer before the cut").problem(413, "too_large");
    let house = House::start().await;
    let ids: Vec<String> = (0..1_001).map(|n| format!("id-{n}")).collect();
    house.submit(&media_body(ids.iter().map(String::as_str))).await.problem(413, "too_large");
    assert_eq!(house.vendors.calls(), 0);
}

#[tokio::test]
async fn a_body_of_another_kind_is_415() {
    let house = House::start().await;
    let body = media_body([ali::NORMAL]).to_string();
    for kind in
        ["text/csv", "application/ndjson", "application/json-seq", "application/x-www-form-urlencoded", ""]
    {
        let answer =
            house.call("POST", DELETIONS).header("content-type", kind).body(body.clone()).send().await;
        answer.problem(415, "unsupported_media_type");
    }
    house.call("POST", DELETIONS).body(body.clone()).send().await.problem(415, "unsupported_media_type");
    for encoding in ["gzip", "br", "identity"] {
        let request = house.call("POST", DELETIONS).header("content-encoding", encoding);
        request.json_text(body.clone()).send().await.problem(415, "unsupported_media_type");
    }
    let fine = house.call("POST", DELETIONS).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(fine.body(body).send().await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_by_silence_and_in_all() {
    let head = "POST /v1/deletions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let silent = House::with("[server]\nbody_timeout = \"50ms\"").await;
    let mut raw = Raw::open(silent.addr).await;
    raw.send(head).await;
    raw.answer().await.unwrap().problem(408, "body_too_slow");
    raw.closed().await;
    let steady = House::with("[server]\nbody_timeout = \"300ms\"\nrequest_body_deadline = \"300ms\"").await;
    let mut raw = Raw::open(steady.addr).await;
    raw.send(head).await;
    raw.answer().await.unwrap().problem(408, "body_too_slow");
    // One that breaks off leaves nothing behind.
    let mut raw = Raw::open(steady.addr).await;
    raw.send(head).await;
    drop(raw);
    assert_eq!(steady.get(DELETIONS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_query_is_understood_or_refused() {
    let house = House::start().await;
    let item = media(ALI, ali::NORMAL);
    for path in [
        format!("{item}?dry_runn=true"),
        format!("{item}?if_absent=maybe"),
        format!("{item}?if_absent=ok&if_absent=ok"),
        format!("{item}?reason=%FF"),
        format!("{item}?reason=%zz"),
        format!("{item}?reason=a%00b"),
        format!("{item}?reason={}", "x".repeat(1_001)),
        format!("{item}?force=true"),
        format!("{item}/source?force=yes"),
        format!("{item}/source?force=true&force=true"),
        format!("{item}/renditions?all=true&definitions=HD"),
        format!("{item}/snapshots?all=1"),
    ] {
        house.delete(&path).await.problem(400, "malformed");
    }
    for path in [
        "/v1/deletions?state=done",
        "/v1/deletions?since=yesterday",
        "/v1/deletions?page_size=0",
        "/v1/deletions?page_size=1001",
        "/v1/deletions?page_token=mine",
        "/v1/deletions?x",
        "/v1/items",
        "/v1/items?account=sandbox-alibaba",
        "/v1/items?account=sandbox-alibaba&id=x&page_token=MQ",
        "/v1/accounts?x=1",
    ] {
        house.get(path).await.problem(400, "malformed");
    }
    house
        .call("POST", "/v1/deletions?dry_run=true")
        .json(&media_body(["x"]))
        .send()
        .await
        .problem(400, "malformed");
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    house.finished(&id).await;
    for query in ["wait=30", "wait=61s", "wait=-1s", "wait=1s&wait=1s"] {
        house.get(&format!("{DELETIONS}/{id}?{query}")).await.problem(400, "malformed");
    }
    for query in ["outcome=gone", "state=open", "page_token=x", "outcome=deleted&outcome=absent"] {
        house.get(&format!("{DELETIONS}/{id}/items?{query}")).await.problem(400, "malformed");
    }
    let page =
        house.call("GET", &format!("{DELETIONS}/{id}/items")).header("accept", "text/html").send().await;
    page.problem(406, "not_acceptable");
    assert_eq!(house.vendors.calls(), 1);
}

#[tokio::test]
async fn what_is_not_served_is_refused_unless_at_its_default() {
    let house = House::start().await;
    let with = |field: &str, value: Value| {
        let mut body = media_body([ali::NORMAL]);
        body[field] = value;
        body
    };
    for (field, value) in [("purge_cdn", json!(true)), ("purge_cdn", json!("false"))] {
        let answer = house.submit(&with(field, value)).await;
        answer.problem(422, "not_served");
        assert_eq!(answer.pointers(), [format!("#/{field}")]);
    }
    let path = media(ALI, ali::NORMAL);
    house.delete(&format!("{path}?dry_run=maybe")).await.problem(400, "malformed");
    assert_eq!(house.vendors.calls(), 0);
    let mut defaults = media_body([ali::NORMAL]);
    for (field, value) in [("dry_run", json!(false)), ("delay", json!("0s")), ("purge_cdn", json!(false))] {
        defaults[field] = value;
    }
    assert_eq!(house.submit(&defaults).await.status, 200);
    assert_eq!(house.delete(&format!("{path}?dry_run=false")).await.status, 200);
}

#[tokio::test]
async fn a_delete_with_a_body_is_refused_since_the_body_would_be_overlooked() {
    let house = House::start().await;
    let path = media(ALI, ali::NORMAL);
    house.call("DELETE", &path).json(&json!({"dry_run": true})).send().await.problem(400, "malformed");
    house.call("DELETE", &path).body(chunked("x")).send().await.problem(400, "malformed");
    assert_eq!(house.vendors.calls(), 0);
    assert_eq!(house.call("DELETE", &path).header("content-length", "0").send().await.status, 200);
}

#[tokio::test]
async fn paths_full_of_tricks_get_documented_answers_and_delete_nothing() {
    let house = House::start().await;
    for id in [
        "%2e%2e",
        "..",
        ".",
        "%00",
        "a%00b",
        "%FF",
        "%C0%AF",
        "%c0%ae%c0%ae",
        "%zz",
        "%",
        "%2F",
        "a%2Fb",
        "%252e",
        "a;b",
        "a,b",
        "*",
        "%0d%0aX:y",
        "%F0%9F%98%80",
        &"x".repeat(65),
        &"x".repeat(20_000),
    ] {
        for method in ["GET", "DELETE"] {
            let answer = ask(house.addr, method, &media(ALI, id)).await;
            assert!([400, 404, 422].contains(&answer.status), "{method} {id}: {answer:?}");
        }
        for path in [
            media(id, "x"),
            format!("{}/source", media(ALI, id)),
            format!("/v1/accounts/{id}"),
            format!("/v1/deletions/{id}"),
            format!("/v1/deletions/{id}/items"),
            format!("/v1/deletions/{id}/items/{id}"),
        ] {
            let method = if path.ends_with("source") { "DELETE" } else { "GET" };
            let answer = ask(house.addr, method, &path).await;
            assert!([400, 404, 422].contains(&answer.status), "{method} {path}: {answer:?}");
        }
    }
    for target in
        ["//v1/deletions", "/v1//deletions", "/v1/./deletions", "/v1/../v1/deletions", "/V1/deletions"]
    {
        ask(house.addr, "GET", target).await.problem(404, "not_found");
    }
    assert_eq!(house.vendors.calls(), 0);
}

#[tokio::test]
async fn what_is_no_http_is_cut_and_hurts_nobody() {
    let house = House::start().await;
    for bytes in [
        "GET\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "GET /livez HTTP/9.9\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
        "POST /v1/deletions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /v1/deletions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx"
            .to_owned(),
        format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200_000)),
        format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1_000)),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}".to_owned(),
    ] {
        let mut raw = Raw::open(house.addr).await;
        raw.send(&bytes).await;
        if let Some(answer) = raw.answer().await {
            assert!([400, 414, 431].contains(&answer.status), "{answer:?}");
        }
        raw.closed().await;
    }
    assert_eq!(house.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_request_keeps_its_id_if_it_is_a_sane_one() {
    let house = House::start().await;
    let asked = |id: &'static str| house.call("GET", "/v1/deletions/none").header("x-request-id", id).send();
    let own = asked("run-2026.11:7_a").await;
    assert_eq!(own.problem(404, "not_found")["request_id"], "run-2026.11:7_a");
    for odd in ["a b", "<script>", "x;y", "", "é"] {
        let answer = asked(odd).await;
        assert_ne!(answer.header("x-request-id"), odd);
        assert_eq!(answer.header("x-request-id").len(), 36, "a new one: {answer:?}");
    }
    let (first, second) = (house.get("/livez").await, house.get("/livez").await);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn an_unknown_account_is_404_in_a_path_and_422_in_a_body() {
    let house = House::start().await;
    house.delete(&media("media-cn", "x")).await.problem(404, "not_found");
    for account in ["media-cn", "a b", ""] {
        let body = json!({"account": account, "targets": [media_target("x")]});
        let answer = house.submit(&body).await;
        answer.problem(422, "invalid");
        assert_eq!(answer.pointers()[0], "#/account");
    }
    let spanning = json!({"account": TEN, "targets": [
        {"kind": "media", "id": ten::video(1)}, {"kind": "media", "account": "media-cn", "id": "x"},
    ]});
    assert_eq!(house.submit(&spanning).await.pointers(), ["#/targets/1/account"]);
    assert_eq!(house.vendors.calls(), 0, "one bad target, and nothing is accepted");
}

//! Lists that come as streams: what is taken, what is refused, what is left behind.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::raw::Raw;
use crate::harness::{ALI, Answer, House, TEN, ali, lines, new_key, pieces, soon, ten};

/// What was asked for, in order.
async fn targets(house: &House, id: &str) -> Vec<Value> {
    let items = house.get(&format!("/v1/deletions/{id}/items?page_size=1000")).await.json();
    items["items"].as_array().unwrap().iter().map(|item| item["target"].clone()).collect()
}

fn id_of(answer: &Answer) -> String {
    assert!([200, 202, 207].contains(&answer.status), "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn nothing_was_accepted(house: &House) {
    assert_eq!(house.get("/v1/deletions").await.json()["items"], json!([]));
    assert_eq!(house.vendors.calls(), 0);
}

#[tokio::test]
async fn a_list_is_the_same_however_it_is_cut() {
    let house = House::start().await;
    let text = format!(
        "\u{feff}# a list\r\n{}\r\n\n  {}\t\n{}\n# the end\n{}",
        ali::NORMAL,
        ali::normal(2),
        ali::normal(2),
        ali::MISSING
    );
    let whole = id_of(&house.upload_text("&reason=old&kind=media", text.clone()).send().await);
    let ended = house.finished(&whole).await;
    assert_eq!(ended["counts"]["deleted"], 3, "{ended}");
    assert_eq!((&ended["counts"]["absent"], &ended["reason"]), (&json!(1), &json!("old")));
    let wanted = targets(&house, &whole).await;
    assert_eq!(wanted.len(), 4);
    assert_eq!(wanted[0], json!({"kind": "media", "account": ALI, "id": ali::NORMAL}));
    let byte_by_byte: Vec<Vec<u8>> = text.bytes().map(|byte| vec![byte]).collect();
    let by_bytes = id_of(&house.upload_text("", pieces(byte_by_byte)).send().await);
    assert_eq!(targets(&house, &by_bytes).await, wanted);
    for cut in (0..text.len()).step_by(7) {
        let (head, tail) = text.as_bytes().split_at(cut);
        let cut = id_of(&house.upload_text("", pieces(vec![head.to_vec(), tail.to_vec()])).send().await);
        assert_eq!(targets(&house, &cut).await, wanted);
    }
}

#[tokio::test]
async fn objects_are_read_as_strictly_as_in_a_json_body() {
    let house = House::start().await;
    let list = lines([
        json!({"kind": "media", "id": ali::NORMAL, "ref": "row-1"}).to_string(),
        json!({"kind": "media", "account": TEN, "id": ten::video(1)}).to_string(),
        json!({"kind": "renditions", "id": ali::normal(3), "definitions": ["HD", 7]}).to_string(),
        "{\"kind\": \"media\", \"id\": \"a\", \"id\": \"b\"}".to_owned(),
        json!({"kind": "media", "id": "a", "dry_runn": true}).to_string(),
        String::new(),
        json!({"kind": "media", "id": "a", "account": "nobody"}).to_string(),
        "not json".to_owned(),
        format!("{{\"kind\": \"media\", \"id\": \"{}\"}}", "x".repeat(5_000)),
        json!({"kind": "media", "id": ali::normal(4)}).to_string(),
    ]);
    let id = id_of(&house.upload_ndjson(&format!("?account={ALI}"), list).send().await);
    let ended = house.finished(&id).await;
    assert_eq!((&ended["counts"]["total"], &ended["counts"]["refused"]), (&json!(9), &json!(5)), "{ended}");
    let items = ended["items"].as_array().unwrap();
    assert_eq!((&items[0]["ref"], &items[0]["outcome"]), (&json!("row-1"), &json!("deleted")));
    assert_eq!(items[2]["target"]["definitions"], json!(["HD", "7"]));
    for (index, line, part) in [
        (3, 4, "stands there twice"),
        (4, 5, "dry_runn"),
        (5, 7, "there is no such account"),
        (6, 8, "not usable JSON"),
        (7, 9, "too long"),
    ] {
        let item = &items[index];
        assert_eq!((&item["target"], &item["outcome"]), (&Value::Null, &json!("refused")), "{item}");
        assert_eq!(
            (&item["error"]["code"], &item["error"]["line"]),
            (&json!("invalid"), &json!(line)),
            "{item}"
        );
        assert!(item["error"]["message"].as_str().unwrap().contains(part), "{item}");
    }
    assert_eq!(items[8]["outcome"], "deleted", "the rest goes on");
}

#[tokio::test]
async fn a_list_without_a_single_target_is_a_400() {
    let house = House::start().await;
    for list in ["", "\n\n# nothing\n", "a b\nc,d\n"] {
        let problem = house.upload_text("", list).send().await.problem(400, "malformed");
        assert!(list != "a b\nc,d\n" || problem["detail"].as_str().unwrap().contains("line 1"), "{problem}");
    }
    house.upload_ndjson("", "{\"kind\": \"media\", \"id\": \"a\"}").send().await.problem(400, "malformed");
    house.upload_text("", &b"\xff\xfea\x00b\x00\n\x00"[..]).send().await.problem(400, "malformed");
    nothing_was_accepted(&house).await;
}

#[tokio::test]
async fn what_stands_around_a_list_is_checked_before_it_is_read() {
    let house = House::start().await;
    let post = |query: &str, kind: &str| {
        let request = house.call("POST", &format!("/v1/deletions{query}")).header("content-type", kind);
        request.body(lines([ali::NORMAL]))
    };
    let (text, ndjson) = ("text/plain", "application/x-ndjson");
    post("", text).send().await.problem(400, "malformed");
    post("?account=nobody", text).send().await.problem(422, "invalid");
    post("?account=nobody", ndjson).send().await.problem(422, "invalid");
    let renditions = post(&format!("?account={ALI}&kind=renditions"), text).send().await;
    assert!(renditions.problem(400, "malformed")["detail"].as_str().unwrap().contains("ndjson"));
    post(&format!("?account={ALI}&force=true"), text).send().await.problem(400, "malformed");
    post(&format!("?account={ALI}&purge_cdn=true"), text).send().await.problem(422, "not_served");
    post(&format!("?account={ALI}&check=true"), text).send().await.problem(400, "malformed");
    post(&format!("?account={ALI}"), "text/plain; charset=utf-16")
        .send()
        .await
        .problem(415, "unsupported_media_type");
    post(&format!("?account={ALI}"), "application/x-www-form-urlencoded")
        .send()
        .await
        .problem(415, "unsupported_media_type");
    let packed = post(&format!("?account={ALI}"), text).header("content-encoding", "gzip");
    packed.send().await.problem(415, "unsupported_media_type");
    nothing_was_accepted(&house).await;
}

#[tokio::test]
async fn a_list_over_a_cap_is_413_and_leaves_nothing() {
    let house = House::with("[intake]\nmax_items = 5\nmax_bytes = 8192").await;
    let ids = |n: usize| lines((0..n).map(|n| format!("video-{n}")));
    house.upload_text("", ids(6)).send().await.problem(413, "too_large");
    house
        .upload_text("", format!("# {}\n{}", "x".repeat(9_000), ids(1)))
        .send()
        .await
        .problem(413, "too_large");
    let undeclared = pieces(vec![vec![b'\n'; 5_000], vec![b'\n'; 5_000], ids(1).into_bytes()]);
    house.upload_text("", undeclared).send().await.problem(413, "too_large");
    nothing_was_accepted(&house).await;
    house.finished(&id_of(&house.upload_text("", ids(5)).send().await)).await;
}

/// Begins an upload by hand: its head, and this much of its body.
async fn begin(house: &House, head: &str, body: &str) -> Raw {
    let mut raw = Raw::open(house.addr).await;
    let path = format!("/v1/deletions?account={ALI}");
    raw.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n{head}\r\n\r\n{body}"))
        .await;
    raw
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let house = House::with("[intake]\nmax_uploads = 1").await;
    for (head, body) in [
        ("content-length: 1000", "video-1\nvideo-2\n"),
        ("content-length: 1000", ""),
        ("transfer-encoding: chunked", "8\r\nvideo-1\n\r\n8\r\nvideo-2"),
    ] {
        let raw = begin(&house, head, body).await;
        // The one place is taken from when the service has seen the beginning until it has seen the end.
        soon("a broken upload", async { while try_place(&house).await != 503 {} }).await;
        drop(raw);
        soon("the end of a broken upload", async { while try_place(&house).await == 503 {} }).await;
        nothing_was_accepted(&house).await;
    }
    let mut garbled = begin(&house, "transfer-encoding: chunked", "8\r\nvideo-1\n\r\nzz\r\n").await;
    if let Some(answer) = garbled.answer().await {
        answer.problem(400, "malformed");
    }
    nothing_was_accepted(&house).await;
}

/// What an upload gets that would be refused anyway.
async fn try_place(house: &House) -> u16 {
    house.upload_text("", "a b\n").send().await.status
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408() {
    let silent = House::with("[server]\nbody_timeout = \"60ms\"").await;
    let mut raw = begin(&silent, "content-length: 1000", "video-1\n").await;
    raw.answer().await.unwrap().problem(408, "body_too_slow");
    nothing_was_accepted(&silent).await;
    let limits = "[server]\nbody_timeout = \"80ms\"\nrequest_body_deadline = \"80ms\"";
    let steady = House::with(limits).await;
    let mut raw = begin(&steady, "content-length: 100000000", "").await;
    if let Some(answer) = raw.trickle(b"video-1\n", std::time::Duration::from_millis(5)).await {
        answer.problem(408, "body_too_slow");
    }
    nothing_was_accepted(&steady).await;
}

#[tokio::test]
async fn only_so_many_uploads_at_once() {
    let house = House::with("[intake]\nmax_uploads = 1").await;
    let mut first = begin(&house, "content-length: 18", "video-1\n").await;
    let full = async {
        loop {
            let answer = house.upload_text("", "a b\n").send().await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    soon("a second upload beside the first", full).await.problem(503, "overloaded");
    first.send("\nvideo-22\n").await;
    assert_eq!(first.answer().await.unwrap().status, 202);
}

#[tokio::test]
async fn an_upload_is_invisible_until_it_is_whole() {
    let house = House::start().await;
    let mut raw = begin(&house, "content-length: 18", "video-1\n").await;
    nothing_was_accepted(&house).await;
    raw.send("\nvideo-22\n").await;
    let answer = raw.answer().await.unwrap();
    let ended = house.finished(&id_of(&answer)).await;
    assert_eq!((&ended["counts"]["total"], &ended["counts"]["absent"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_line_may_name_only_accounts_that_its_caller_sees() {
    let (key, digest) = new_key();
    let mut house = House::with(&format!(
        "[callers.ali]\nkey_sha256 = \"{digest}\"\naccounts = [\"{ALI}\"]\nmay = [\"read\", \"delete\"]"
    ))
    .await;
    house.as_caller(&key);
    let list = lines([
        json!({"kind": "media", "id": ali::NORMAL}).to_string(),
        json!({"kind": "media", "id": ten::video(1), "account": TEN}).to_string(),
    ]);
    let id = id_of(&house.upload_ndjson(&format!("?account={ALI}"), list).send().await);
    let ended = house.finished(&id).await;
    assert_eq!((&ended["counts"]["deleted"], &ended["counts"]["refused"]), (&json!(1), &json!(1)), "{ended}");
    house.upload_ndjson(&format!("?account={TEN}"), "{}").send().await.problem(422, "invalid");
    assert_eq!(house.tencent().calls(), 0);
}

#[tokio::test]
async fn uploads_wait_only_if_they_are_asked_to() {
    let house = House::start().await;
    let waited = house.upload_text("", lines([ali::NORMAL])).header("prefer", "wait=20").send().await;
    assert_eq!((waited.status, waited.header("preference-applied")), (200, "wait=20"), "{waited:?}");
    let at_once = house.upload_text("", lines([ali::normal(2)])).send().await;
    assert_eq!(at_once.header("preference-applied"), "");
    house.finished(&id_of(&at_once)).await;
}

#[tokio::test]
async fn a_list_of_nothing_that_stands_there_gives_a_warning() {
    let house = House::start().await;
    let id = id_of(&house.upload_text("", lines((0..1_200).map(|n| format!("video-{n}")))).send().await);
    let ended = house.finished(&id).await;
    assert_eq!((&ended["counts"]["absent"], &ended["ok"]), (&json!(1_200), &json!(true)));
    assert!(ended["warnings"].to_string().contains("over 90 %"), "{ended}");
    assert!(ended.get("items").is_none(), "too many to stand inside");
}

#[tokio::test]
async fn twenty_thousand_lines_are_taken_in_seconds() {
    let house = House::start().await;
    let list = lines((0..20_000).map(|n| format!("video-{n}")));
    let started = Instant::now();
    let answer = house.upload_text("", list).send().await;
    let taken = started.elapsed();
    assert_eq!((answer.status, &answer.json()["counts"]["total"]), (202, &json!(20_000)), "{answer:?}");
    assert!(taken.as_secs() < 15, "taken in {taken:?}");
}

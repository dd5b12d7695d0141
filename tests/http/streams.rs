//! Items as NDJSON and CSV, and readers that do not read.

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::raw::Raw;
use crate::harness::sse::Events;
use crate::harness::{ALI, Answer, Fault, FaultRule, House, TEN, ali, lines, media, media_body, soon, ten};

async fn stream(house: &House, path: &str, kind: &str) -> Answer {
    let answer = house.call("GET", path).header("accept", kind).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("content-type").starts_with(kind), "{answer:?}");
    answer
}

fn objects(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn all_items_come_as_a_stream_and_look_as_on_a_page() {
    let house = House::start().await;
    let list = lines((0..2_000).map(|n| if n % 10 == 0 { "a b".to_owned() } else { format!("missing-{n}") }));
    let id = house.upload_text("", list).send().await.json()["id"].as_str().unwrap().to_owned();
    house.finished(&id).await;
    let path = format!("/v1/deletions/{id}/items");
    let all = objects(&stream(&house, &path, "application/x-ndjson").await);
    assert_eq!(all.len(), 2_000);
    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let page = house.get(&format!("{path}?page_size=700{token}")).await.json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_page_token"].as_str() else { break };
        token = format!("&page_token={next}");
    }
    assert_eq!(all, paged);
    let refused = objects(&stream(&house, &format!("{path}?outcome=refused"), "application/x-ndjson").await);
    assert_eq!(refused.len(), 200);
    assert!(refused.iter().all(|item| item["error"]["code"] == "invalid" && item["target"].is_null()));
    assert_eq!(
        objects(&stream(&house, &format!("{path}?state=pending"), "application/x-ndjson").await).len(),
        0
    );
    let page = house.get(&format!("{path}?page_size=700")).await.json();
    let rest = format!("{path}?page_token={}", page["next_page_token"].as_str().unwrap());
    assert_eq!(objects(&stream(&house, &rest, "application/x-ndjson").await), all[700..]);
    let sized = house.call("GET", &format!("{path}?page_size=7")).header("accept", "text/csv").send().await;
    sized.problem(400, "malformed");
}

#[tokio::test]
async fn a_table_is_rfc_4180_and_runs_nothing() {
    let house = House::start().await;
    let body = json!({"account": ALI, "if_absent": "error", "targets": [
        {"kind": "media", "id": ali::NORMAL, "ref": "=HYPERLINK(\"http://x\",1)"},
        {"kind": "media", "id": "-1", "ref": "a, \"b\""},
        {"kind": "attached_media", "account": TEN, "id": ten::MISSING, "ref": "plain"},
    ]});
    let id = house.submit(&body).await.json()["id"].as_str().unwrap().to_owned();
    let table = stream(&house, &format!("/v1/deletions/{id}/items"), "text/csv").await;
    assert!(table.header("content-disposition").contains(&id), "{table:?}");
    let text = table.text();
    let rows: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(
        rows[0],
        "index,account,kind,id,ref,outcome,ok,error_code,vendor_code,vendor_request_id,attempts,finished_at"
    );
    let starts = [
        format!("0,{ALI},media,{},\"'=HYPERLINK(\"\"http://x\"\",1)\",deleted,true,,,", ali::NORMAL),
        format!("1,{ALI},media,-1,\"a, \"\"b\"\"\",absent,false,absent,"),
        format!("2,{TEN},attached_media,{},plain,refused,false,unsupported,,,0,2", ten::MISSING),
    ];
    for (row, start) in rows[1..].iter().zip(starts) {
        assert!(row.starts_with(&start), "{row}: {start}");
    }
    assert_eq!((rows.len(), rows[4]), (5, ""));
    let none = stream(&house, &format!("/v1/deletions/{id}/items?outcome=busy"), "text/csv").await;
    assert_eq!(none.text().lines().count(), 1, "the head alone");
}

#[tokio::test]
async fn streams_are_capped_in_all_and_for_each_caller() {
    let limits = "[server]\nmax_streams = 3\nmax_streams_per_caller = 2";
    let house = House::with(limits).await;
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Hang { after_effect: false })]).unwrap();
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    let mut first = Events::of(&house, &id, None).await;
    let mut second = Events::of(&house, &id, None).await;
    assert!(first.next().await.is_some() && second.next().await.is_some());
    let events = format!("/v1/deletions/{id}/events");
    house.get(&events).await.problem(429, "too_many_streams");
    let rows = house.call("GET", &format!("/v1/deletions/{id}/items")).header("accept", "text/csv");
    rows.send().await.problem(429, "too_many_streams");
    assert_eq!(house.get(&format!("/v1/deletions/{id}/items")).await.status, 200, "pages are no streams");
    drop(first);
    let free = async {
        loop {
            let rows = house.call("GET", &format!("/v1/deletions/{id}/items")).header("accept", "text/csv");
            if rows.send().await.status == 200 {
                break;
            }
        }
    };
    soon("a seat that is given back", free).await;
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// A finished deletion of so many items, of which hardly one was ever sent.
async fn long_list(house: &House, items: usize) -> String {
    // Lines that cannot be read have their outcome at once.
    let list = lines((0..items).map(|n| if n == 0 { ali::MISSING } else { "a b" }));
    let answer = house.upload_text("", list).send().await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    house.finished(&id).await;
    id
}

#[tokio::test]
async fn two_hundred_readers_that_do_not_read_hold_a_chunk_each() {
    let house = House::start().await;
    let id = long_list(&house, 2_000).await;
    let router = house.router();
    let before = resident();
    let mut stalled = Vec::new();
    for n in 0..200 {
        let (path, accept) =
            if n % 2 == 0 { ("items", "application/x-ndjson") } else { ("events", "text/event-stream") };
        let request = http::Request::get(format!("/v1/deletions/{id}/{path}"))
            .header("accept", accept)
            .header("host", "vodrm");
        let answer = router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(chunk.len() < 24 * 1024, "{} bytes", chunk.len());
        stalled.push((body, chunk));
    }
    let grown = resident().saturating_sub(before) / 200;
    assert!(grown < 64 * 1024, "{grown} bytes for each");
    for n in 1..=20 {
        assert_eq!(house.delete(&media(TEN, &ten::video(n))).await.status, 200, "the journal is free");
    }
    for (mut body, _) in stalled {
        assert!(body.frame().await.unwrap().is_ok(), "who reads on gets more");
    }
}

#[tokio::test]
async fn a_connection_that_is_not_read_takes_no_more_than_it_holds() {
    let house = House::start().await;
    let id = long_list(&house, 15_000).await;
    let mut raw = Raw::narrow(house.addr).await;
    raw.send(format!("GET /v1/deletions/{id}/items HTTP/1.1\r\nhost: x\r\naccept: text/csv\r\n\r\n")).await;
    assert!(raw.first_byte().await, "it began");
    assert_eq!(house.delete(&media(TEN, &ten::video(1))).await.status, 200);
    let path = format!("/v1/deletions/{id}/items");
    assert_eq!(objects(&stream(&house, &path, "application/x-ndjson").await).len(), 15_000);
}

//! Too much, too slow, and the end: what callers meet then.

use serde_json::json;

use crate::harness::raw::Raw;
use crate::harness::{ALI, Fault, FaultRule, House, TEN, ali, beside, media, media_body, soon, ten};

const ASK: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn beyond_its_limit_it_sheds_and_health_still_answers() {
    let house = House::with("[server]\nmax_requests_in_flight = 1").await;
    let slow = Fault::Delay { ms: 1_000, late_effect: false };
    house.alibaba().set_faults(vec![FaultRule::always(slow)]).unwrap();
    let path = media(ALI, ali::NORMAL);
    let (waiting, others) =
        tokio::join!(house.call("DELETE", &path).header("prefer", "wait=60").send(), async {
            house.alibaba().wait_for_calls(1).await;
            for (method, path) in [
                ("GET", "/v1/deletions"),
                ("POST", "/v1/deletions"),
                ("GET", "/v1/accounts"),
                ("DELETE", &path),
            ] {
                let shed = house.call(method, path).send().await;
                shed.problem(503, "overloaded");
                assert_eq!(shed.header("retry-after"), "1");
            }
            for path in ["/livez", "/readyz", "/metrics", "/openapi.yaml"] {
                assert_eq!(house.get(path).await.status, 200, "{path}");
            }
            house.get("/no/such/path").await.problem(404, "not_found");
            house.alibaba().calls()
        });
    assert_eq!((waiting.status, others), (200, 1), "what was taken ends well: {waiting:?}");
    assert_eq!(house.get("/v1/accounts").await.status, 200, "and then there is room again");
}

#[tokio::test]
async fn a_connection_too_many_waits_until_another_closes() {
    let house = House::with("[server]\nmax_connections = 2\nmax_requests_in_flight = 1").await;
    let (mut first, mut second, mut third) =
        (Raw::open(house.addr).await, Raw::open(house.addr).await, Raw::open(house.addr).await);
    for open in [&mut first, &mut second] {
        open.send(ASK).await;
        assert_eq!(open.answer().await.unwrap().status, 200);
    }
    third.send(ASK).await;
    {
        let mut early = std::pin::pin!(third.answer());
        for _ in 0..20 {
            first.send(ASK).await;
            tokio::select! {
                biased;
                answer = first.answer() => assert_eq!(answer.unwrap().status, 200),
                answer = &mut early => panic!("it was taken beyond the limit: {answer:?}"),
            }
        }
        drop(second);
        assert_eq!(early.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let house = House::with("[server]\nheader_timeout = \"50ms\"").await;
    for start in ["", "G", "GET /livez HTTP/1.1\r\nhost: x\r\n"] {
        let mut raw = Raw::open(house.addr).await;
        raw.send(start).await;
        raw.closed().await;
    }
    let mut idle = Raw::open(house.addr).await;
    idle.send(ASK).await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    idle.closed().await;
}

#[tokio::test]
async fn a_full_lane_is_429_and_keeps_nothing() {
    let house = House::with("[lanes]\nqueue_depth = 5").await;
    let hang = Fault::Hang { after_effect: false };
    house.alibaba().set_faults(vec![FaultRule::always(hang)]).unwrap();
    let ids: Vec<String> = (0..40).map(|n| format!("missing-{n}")).collect();
    let answer = house.submit(&media_body(ids.iter().map(String::as_str))).await;
    answer.problem(429, "queue_full");
    assert_eq!(house.get("/v1/deletions").await.json()["items"], json!([]));
    assert_eq!(house.delete(&media(TEN, &ten::video(1))).await.status, 200, "another lane has room");
}

#[tokio::test]
async fn the_end_comes_in_order_and_what_was_promised_is_kept() {
    let mut house = House::start().await;
    let slow = Fault::Delay { ms: 700, late_effect: false };
    house.alibaba().set_faults(vec![FaultRule::always(slow)]).unwrap();
    let path = media(ALI, ali::NORMAL);
    let (client, url) = (house.client.clone(), house.url(&path));
    let waiting = beside(async move { client.delete(url).header("prefer", "wait=60").send().await });
    house.alibaba().wait_for_calls(1).await;
    house.shutdown.asked.cancel();
    let not_ready = house.get("/readyz").await;
    not_ready.problem(503, "not_ready");
    assert_eq!(house.get("/livez").await.status, 200);
    let still = house.delete(&media(TEN, &ten::video(1))).await;
    assert_eq!(still.status, 200, "during the drain delay requests are still taken: {still:?}");
    house.stop().await;
    let answer = soon("the answer to who waited", waiting).await.unwrap().unwrap();
    assert_eq!(answer.status(), 202, "it goes on after the next start, as far as is known here");
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(answer.headers().contains_key("retry-after"));
    assert!(house.client.get(house.url("/livez")).send().await.is_err(), "the port is refused");
    let journal = house.journal_path();
    let next = House::built("", |settings| settings.store.path = journal).await;
    let deletion = next.get(&location).await.json();
    assert_eq!(
        (deletion["state"].as_str(), deletion["counts"]["deleted"].as_u64()),
        (Some("finished"), Some(1)),
        "the call under way ended and was recorded: {deletion}"
    );
    assert_eq!((house.alibaba().calls(), next.alibaba().calls()), (1, 0));
}

#[tokio::test]
async fn a_body_under_way_at_the_end_leaves_nothing_behind() {
    let mut house = House::start().await;
    let mut raw = Raw::open(house.addr).await;
    let body = media_body([ali::NORMAL]).to_string();
    let (head, rest) = body.split_at(10);
    let length = body.len();
    raw.send(format!("POST /v1/deletions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{head}")).await;
    house.get("/livez").await;
    house.shutdown.asked.cancel();
    house.shutdown.closing.cancel();
    raw.send(rest).await;
    if let Some(answer) = raw.answer().await {
        answer.problem(503, "not_ready");
    }
    house.stop().await;
    assert_eq!(house.vendors.calls(), 0);
}

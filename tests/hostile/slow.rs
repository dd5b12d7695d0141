//! Peers that send or read as slowly as they may, and those who want to be served meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::raw::Raw;
use crate::report::{self, Times, is_full};
use crate::service::{ALI, MOST_KB, Service};
use crate::soon;

/// Peers that never end their heads.
const SLOW_HEADS: usize = 500;
/// Peers that ask for a stream and do not read it.
const STALLED: usize = 200;
/// Rows of a stream: more than all buffers on the way can take.
const ROWS: usize = 5_000;

/// The built-in limits, or shorter ones for every day.
fn limits() -> &'static str {
    if is_full() {
        "[server]\nmax_streams_per_caller = 256\n"
    } else {
        "[server]\nmax_streams_per_caller = 256\nheader_timeout = \"4s\"\nwrite_timeout = \"4s\"\n"
    }
}

/// A finished deletion of many items, of which hardly one was ever sent.
async fn long_list(service: &Service) -> String {
    let list = format!("{}{}", "missing\n", "a b\n".repeat(ROWS));
    let path = format!("/v1/deletions?account={ALI}");
    let answer = service.ask_with("POST", &path, &[("content-type", "text/plain")], list.as_bytes()).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let ended = service.ask("GET", &format!("/v1/deletions/{id}?wait=20s")).await.json();
    assert_eq!(ended["state"], "finished", "{}", ended["counts"]);
    id
}

#[tokio::test]
async fn slow_peers_keep_nobody_from_being_served_and_are_cut() {
    let service = Service::with(limits());
    let id = long_list(&service).await;
    let mut slow = Vec::new();
    for _ in 0..SLOW_HEADS {
        let mut raw = Raw::open(service.addr).await;
        raw.send("GET /livez HTTP/1.1\r\nhost: x\r\nx: ").await;
        slow.push(raw);
    }
    let mut stalled = Vec::new();
    for n in 0..STALLED {
        let (path, accept) =
            if n % 2 == 0 { ("items", "application/x-ndjson") } else { ("events", "text/event-stream") };
        let mut raw = Raw::narrow(service.addr).await;
        raw.send(format!("GET /v1/deletions/{id}/{path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\n\r\n"))
            .await;
        assert!(raw.first_byte().await, "a stream that does not begin");
        stalled.push(raw);
    }
    let begun = Instant::now();
    let (mut health, mut served) = (Times::default(), Times::default());
    for n in 0..50 {
        for path in ["/livez", "/readyz"] {
            let asked = Instant::now();
            assert_eq!(service.ask("GET", path).await.status, 200);
            health.add(asked.elapsed());
        }
        let asked = Instant::now();
        let answer = service.ask("DELETE", &format!("/v1/accounts/{ALI}/media/missing-{n}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        served.add(asked.elapsed());
    }
    for mut raw in slow {
        raw.closed().await;
    }
    let heads_cut = begun.elapsed();
    // Nobody read a byte more: it is the service that ends these.
    let cut = async { while service.metric("vodrm_http_connections ").await > 1 {} };
    soon("the end of the streams that nobody reads", cut).await;
    let streams_cut = begun.elapsed();
    drop(stalled);
    let usual = health.within(if is_full() { 0.99 } else { 0.5 });
    assert!(usual < Duration::from_secs(1), "health answers after {usual:?}");
    assert!(service.peak_kb() < MOST_KB, "{} kB", service.peak_kb());
    report::write(
        "slow",
        json!({"slow_heads": SLOW_HEADS, "stalled_readers": STALLED, "health": health.figures(),
            "deletes": served.figures(), "heads_cut_after_s": heads_cut.as_secs_f64(),
            "streams_cut_after_s": streams_cut.as_secs_f64(), "peak_kb": service.peak_kb()}),
    );
    service.end().await;
}

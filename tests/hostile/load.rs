//! Ten times the load that the service can take: what is refused is told so at once,
//! what is accepted is done, and health answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vodrm::sandbox::{Fault, FaultRule};

use crate::raw::Raw;
use crate::report::{self, Times, is_full};
use crate::service::{ALI, MOST_KB, Service, TEN};
use crate::{contract, soon};

/// A refusal takes at most this. The full run is held to it; the short one shares its machine with
/// other tests and is not optimized, so that its times are held against each other.
const REFUSED_WITHIN: Duration = Duration::from_millis(50);
/// Connections, each with a request every so often.
const CALLERS: usize = 200;
/// Of so many answers one is held against the whole contract, which takes longer than the answer.
const LOOK_AT_EACH: usize = 50;

fn lasts() -> Duration {
    if is_full() { Duration::from_secs(30) } else { Duration::from_secs(3) }
}

/// What callers met.
#[derive(Debug, Default)]
struct Met {
    accepted: Times,
    refused: Times,
}

/// Requests, how each is told apart from the others, and how refusals must look.
#[derive(Debug, Clone, Copy)]
struct Offer {
    account: &'static str,
    headers: &'static str,
    every: Duration,
    refusal: (u16, &'static str),
}

/// One caller on one connection, as long as it lasts.
async fn call(
    addr: SocketAddr,
    offer: Offer,
    delay: Duration,
    next: Arc<AtomicUsize>,
    until: Instant,
) -> Met {
    let mut met = Met::default();
    let mut raw = Raw::open(addr).await;
    let mut beat = tokio::time::interval_at((Instant::now() + delay).into(), offer.every);
    while Instant::now() < until {
        beat.tick().await;
        let n = next.fetch_add(1, Ordering::Relaxed);
        let path = format!("/v1/accounts/{}/media/missing-{n}", offer.account);
        let asked = Instant::now();
        raw.send(format!("DELETE {path} HTTP/1.1\r\nhost: x\r\n{}\r\n", offer.headers)).await;
        let answer = raw.answer().await.expect("a request is answered");
        let took = asked.elapsed();
        if n.is_multiple_of(LOOK_AT_EACH) {
            contract::check(&http::Method::DELETE, &path, &answer);
        }
        if matches!(answer.status, 200 | 202) {
            met.accepted.add(took);
        } else {
            assert_eq!((answer.status, answer.code().as_str()), offer.refusal, "{answer:?}");
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "{answer:?}");
            met.refused.add(took);
        }
    }
    met
}

/// All callers at once, and who asks about health meanwhile.
async fn flood(service: &Service, offer: Offer) -> (Met, Times) {
    let (next, until) = (Arc::new(AtomicUsize::new(0)), Instant::now() + lasts());
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        // One after the other, as in a crowd that does not know of each other.
        let delay = offer.every * u32::try_from(n).unwrap() / u32::try_from(CALLERS).unwrap();
        callers.spawn(call(service.addr, offer, delay, Arc::clone(&next), until));
    }
    let over = CancellationToken::new();
    let health = async {
        let mut times = Times::default();
        while !over.is_cancelled() {
            for path in ["/livez", "/readyz", "/metrics"] {
                let asked = Instant::now();
                assert_eq!(service.ask("GET", path).await.status, 200, "{path}");
                times.add(asked.elapsed());
            }
        }
        times
    };
    let all = async {
        let mut all = Met::default();
        while let Some(met) = callers.join_next().await {
            let met = met.unwrap();
            all.accepted.extend(met.accepted);
            all.refused.extend(met.refused);
        }
        over.cancel();
        all
    };
    tokio::join!(all, health)
}

/// Waits until everything that was accepted has ended; how many deletions there are.
async fn all_finished(service: &Service) -> usize {
    let finished = async {
        while !service.ask("GET", "/v1/deletions?state=running&page_size=1").await.json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
        {}
    };
    soon("the end of what was accepted", finished).await;
    let (mut all, mut token) = (0, String::new());
    loop {
        let page = service.ask("GET", &format!("/v1/deletions?page_size=1000{token}")).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.iter().all(|one| one["state"] == "finished"), "{page}");
        all += items.len();
        let Some(next) = page["next_page_token"].as_str() else { return all };
        token = format!("&page_token={next}");
    }
}

async fn judge(name: &str, service: Service, offer: Offer) {
    let (met, health) = flood(&service, offer).await;
    let (accepted, refused) = (met.accepted.len(), met.refused.len());
    assert_eq!(all_finished(&service).await, accepted, "what was accepted is there, and nothing else");
    assert!(accepted > 0 && refused > 2 * accepted, "{accepted} accepted, {refused} refused");
    let p99 = met.refused.within(0.99);
    // First, so that a run that fails has its figures too.
    report::write(
        name,
        json!({"callers": CALLERS, "seconds": lasts().as_secs(), "accepted": met.accepted.figures(),
            "refused": met.refused.figures(), "health": health.figures(), "peak_kb": service.peak_kb(),
            "refused_within_50_ms": p99 < REFUSED_WITHIN}),
    );
    let usual = [&met.refused, &health].map(|times| times.within(0.5));
    let accepting = met.accepted.within(0.5) * 2 + REFUSED_WITHIN;
    assert!(usual.iter().all(|time| *time < accepting), "{usual:?}, and who is accepted {accepting:?}");
    assert!(!is_full() || p99 < REFUSED_WITHIN, "a refusal took {p99:?}");
    assert!(service.peak_kb() < MOST_KB, "{} kB", service.peak_kb());
    service.end().await;
}

/// What a simulator must do: slow answers, and no throttling of its own.
async fn slow_vendors(service: &Service, ms: u64) {
    let rule = FaultRule::always(Fault::Delay { ms, late_effect: false });
    service.set_vendors("/_sandbox/faults", &json!([rule])).await;
    service.set_vendors("/_sandbox/options", &json!({"enforce_qps": false})).await;
}

#[tokio::test]
async fn callers_who_wait_are_shed_beyond_what_can_be_at_work() {
    // 20 at once for 200 ms each is 100 a second; 200 callers offer 1,000.
    let service = Service::with("[server]\nmax_requests_in_flight = 20\n");
    slow_vendors(&service, 200).await;
    let every = Duration::from_millis(200);
    let offer = Offer { account: ALI, headers: "prefer: wait=20\r\n", every, refusal: (503, "overloaded") };
    judge("shed", service, offer).await;
}

#[tokio::test]
async fn callers_who_do_not_wait_meet_a_full_queue() {
    // Tencent's DeleteMedia goes out 90 times a second; 200 callers offer 1,000.
    let service = Service::with("[lanes]\nqueue_depth = 100\n");
    slow_vendors(&service, 1).await;
    let every = Duration::from_millis(200);
    let offer =
        Offer { account: TEN, headers: "prefer: respond-async\r\n", every, refusal: (429, "queue_full") };
    judge("queue_full", service, offer).await;
}

#[tokio::test]
async fn many_large_bodies_at_once_take_bounded_memory() {
    const BODY: usize = 2 * 1024 * 1024;
    let service = Service::with("[server]\nbody_timeout = \"2s\"\n");
    let body = vec![b' '; BODY - 1];
    let mut open = Vec::new();
    // All but the last byte of each: whoever is not refused is held until it comes.
    for _ in 0..CALLERS {
        let mut raw = Raw::open(service.addr).await;
        raw.send(format!("POST /v1/deletions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {BODY}\r\n\r\n")).await;
        raw.send(&body).await;
        open.push(raw);
    }
    let (mut refused, mut slow) = (0, 0);
    for mut raw in open {
        let answer: Option<Value> = raw.answer().await.map(|answer| json!([answer.status, answer.code()]));
        match answer {
            Some(answer) if answer == json!([503, "overloaded"]) => refused += 1,
            Some(answer) if answer == json!([408, "body_too_slow"]) => slow += 1,
            // A refusal can be lost when its connection is closed on a body that still comes.
            None => refused += 1,
            Some(other) => panic!("{other}"),
        }
    }
    assert!(slow > 0 && refused > CALLERS / 2, "{slow} were held, {refused} refused");
    assert!(service.peak_kb() < MOST_KB, "{} kB", service.peak_kb());
    let fine = json!({"account": ALI, "targets": [{"kind": "media", "id": "missing"}]}).to_string();
    let kind = [("content-type", "application/json")];
    let answer = service.ask_with("POST", "/v1/deletions", &kind, fine.as_bytes()).await;
    assert_eq!(answer.status, 200, "there is room again: {answer:?}");
    let figures = json!({"bodies": CALLERS, "held": slow, "refused": refused, "peak_kb": service.peak_kb()});
    report::write("large_bodies", figures);
    service.end().await;
}

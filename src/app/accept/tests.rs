//! The accept loop against real sockets. Nothing sleeps: each test waits for
//! the event it is about, within a limit that only a failure reaches.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;
use crate::settings::testing::load;

/// Far beyond what any step here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    metrics: Metrics,
    tasks: TaskTracker,
    ended: tokio::task::JoinHandle<()>,
}

fn start(app: Router, change: impl FnOnce(&mut ServerSettings)) -> Server {
    let mut settings = load("", &[]).unwrap().server;
    change(&mut settings);
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, metrics, tasks) = (Shutdown::new(), Metrics::new(), TaskTracker::new());
    let ended = {
        let (shutdown, metrics, inner) = (shutdown.clone(), metrics.clone(), tasks.clone());
        tasks.spawn(async move { serve(listener, app, &settings, None, metrics, &inner, &shutdown).await })
    };
    Server { address, shutdown, metrics, tasks, ended }
}

async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("the step must not hang")
}

async fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads until the peer closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end as well.
    if within(stream.read_to_end(&mut text)).await.is_err() {
        text.extend_from_slice(b"[reset]");
    }
    String::from_utf8(text).unwrap()
}

/// Reads one answer whose body is `ends`.
async fn answer_with(stream: &mut TcpStream, ends: &str) -> String {
    let mut text = String::new();
    let mut chunk = [0; 1024];
    while !text.ends_with(ends) {
        let n = within(stream.read(&mut chunk)).await.unwrap();
        assert!(n > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
    }
    text
}

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

#[tokio::test]
async fn slow_headers_are_cut() {
    let app = Router::new().route("/", get(|| async { "hello" }));
    let server = start(app, |settings| settings.header_timeout = Duration::from_millis(30));
    assert_eq!(rest(send(server.address, "GET / HTTP/1.1\r\nhost: ").await).await, "");
    // One that asks nothing at all as well, and one that idles after an answer.
    assert_eq!(rest(send(server.address, "").await).await, "");
    assert!(rest(send(server.address, GET).await).await.ends_with("hello"));
}

#[tokio::test]
async fn a_request_knows_its_peer_and_its_head_is_limited() {
    let app = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { format!("<{peer}>") }));
    let server = start(app, |_| {});
    let mut stream = send(server.address, GET).await;
    let own = format!("<{}>", stream.local_addr().unwrap());
    assert!(answer_with(&mut stream, &own).await.starts_with("HTTP/1.1 200"));
    // The connection is kept and used again.
    stream.write_all(GET.as_bytes()).await.unwrap();
    answer_with(&mut stream, &own).await;
    let long = format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}", "x".repeat(MAX_HEAD_BYTES));
    let mut stream = send(server.address, &long).await;
    let mut status = [0; 12];
    within(stream.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 431");
}

#[tokio::test]
async fn the_cap_holds_and_the_next_waits_for_a_place() {
    let second_served = Arc::new(AtomicI64::new(0));
    let count = Arc::clone(&second_served);
    let app = Router::new().route("/", get(|| async { "first" })).route(
        "/second",
        get(move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            "second"
        }),
    );
    let server = start(app, |settings| settings.max_connections = 1);
    let mut first = send(server.address, GET).await;
    answer_with(&mut first, "first").await;
    let second = send(server.address, "GET /second HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    for _ in 0..20 {
        first.write_all(GET.as_bytes()).await.unwrap();
        answer_with(&mut first, "first").await;
        assert_eq!(server.metrics.connections.get(), 1);
    }
    assert_eq!(second_served.load(Ordering::SeqCst), 0);
    drop(first);
    assert!(rest(second).await.ends_with("second"));
    assert_eq!(second_served.load(Ordering::SeqCst), 1);
}

struct Gate {
    entered: Notify,
    open: Notify,
}

fn gated() -> (Arc<Gate>, Router) {
    let gate = Arc::new(Gate { entered: Notify::new(), open: Notify::new() });
    let inside = Arc::clone(&gate);
    let handler = move || async move {
        inside.entered.notify_one();
        inside.open.notified().await;
        "finished"
    };
    (gate, Router::new().route("/", get(handler)))
}

#[tokio::test]
async fn a_graceful_end_finishes_what_is_under_way_and_refuses_the_rest() {
    let (gate, app) = gated();
    let server = start(app, |_| {});
    let idle = send(server.address, "").await;
    let busy = send(server.address, GET).await;
    within(gate.entered.notified()).await;
    server.shutdown.closing.cancel();
    // Idle ones are closed, and soon no new one is taken.
    assert_eq!(rest(idle).await, "");
    within(async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!server.ended.is_finished());
    gate.open.notify_one();
    let answer = rest(busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished"), "{answer}");
    within(server.ended).await.unwrap();
    server.tasks.close();
    within(server.tasks.wait()).await;
    assert_eq!(server.metrics.connections.get(), 0);
}

#[tokio::test]
async fn at_once_cuts_what_is_under_way() {
    let (gate, app) = gated();
    let server = start(app, |_| {});
    let busy = send(server.address, GET).await;
    within(gate.entered.notified()).await;
    server.shutdown.closing.cancel();
    server.shutdown.at_once.cancel();
    assert!(!rest(busy).await.contains("finished"));
    within(server.ended).await.unwrap();
    server.tasks.close();
    within(server.tasks.wait()).await;
    assert_eq!(server.metrics.connections.get(), 0);
}

//! The kit over real sockets, with a toy vendor: what a client sees of every fault, and what the
//! ledger says of it.
//!
//! The client is a bare socket, so that resets and cut bodies are seen as they are. The toy
//! counts its calls; nothing sleeps for longer than a fault asks it to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Answer, Desk, Effect, Fault, FaultRule, LedgerRow, Options, Peek, Received, Reply, Sandbox, Vendor,
    VendorFault,
};

/// Deletes whatever the query says.
#[derive(Debug, Default)]
struct Toy {
    deleted: AtomicU64,
}

impl Vendor for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn peek(&self, request: &Received) -> Peek {
        Peek {
            operation: request.path().trim_start_matches('/').to_owned(),
            ids: vec![request.query().to_owned()],
            ..Peek::default()
        }
    }

    fn answer(&self, request: &Received, desk: &Desk<'_>) -> Answer {
        if !desk.admit("toy", "delete", 2) {
            return Answer {
                reply: Reply::json(400, &json!({"slow": true})),
                verdict: "Slow".to_owned(),
                effects: Vec::new(),
            };
        }
        self.deleted.fetch_add(1, Ordering::Relaxed);
        Answer {
            reply: Reply::json(200, &json!({"deleted": request.query()})),
            verdict: "ok".to_owned(),
            effects: vec![Effect::whole(request.query(), true)],
        }
    }

    fn refuse(&self, fault: &VendorFault, _: &Received) -> Reply {
        Reply::json(fault.status.unwrap_or(400), &json!({"code": fault.code, "wait": fault.retry_after_ms}))
    }

    fn assets(&self) -> Value {
        json!({"deleted": self.deleted.load(Ordering::Relaxed)})
    }

    fn reset(&self) {
        self.deleted.store(0, Ordering::Relaxed);
    }
}

struct Running {
    sandbox: Sandbox,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    fn start() -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let sandbox = Sandbox::start(
            Arc::new(Toy::default()),
            ([127, 0, 0, 1], 0).into(),
            Arc::new(|| Timestamp::from_second(1_768_465_800).unwrap()),
            &tasks,
            stop.clone(),
        )
        .unwrap();
        Self { sandbox, tasks, stop }
    }

    fn with(fault: Fault) -> Self {
        let running = Self::start();
        running.sandbox.set_faults(vec![FaultRule::once(fault)]).unwrap();
        running
    }

    /// Sends one request on a connection of its own; all bytes that came back, or the error.
    async fn send(&self, head: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.sandbox.addr()).await?;
        let request = format!(
            "{head} HTTP/1.1\r\nhost: toy\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn delete(&self) -> std::io::Result<String> {
        self.send("POST /delete?a", "").await
    }

    fn only_row(&self) -> LedgerRow {
        let rows = self.sandbox.ledger();
        assert_eq!(rows.len(), 1);
        rows[0].clone()
    }

    async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test]
async fn a_call_is_answered_dated_and_written_down() {
    let running = Running::start();
    let answer = running.delete().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("date: Thu, 15 Jan 2026 08:30:00 GMT"), "{answer}");
    assert!(answer.ends_with(r#"{"deleted":"a"}"#), "{answer}");
    let row = running.only_row();
    assert_eq!((row.seq, &*row.action, &*row.verdict), (1, "delete", "ok"));
    assert_eq!((row.status, row.delivered, row.fault), (Some(200), true, None));
    assert_eq!(row.effects, [Effect::whole("a", true)]);
    running.finish().await;
}

#[tokio::test]
async fn faults_with_an_answer_say_in_the_ledger_whether_they_took_effect() {
    let after_effect = true;
    for (fault, start, effective) in [
        (Fault::Throttle { code: None, retry_after_ms: Some(5) }, "HTTP/1.1 400", false),
        (Fault::Error { status: Some(500), code: "X".into(), message: None }, "HTTP/1.1 500", false),
        (Fault::ErrorAfter { status: Some(503), code: "X".into(), message: None }, "HTTP/1.1 503", true),
        (Fault::HttpError { status: 502, after_effect: false }, "HTTP/1.1 502", false),
        (Fault::HttpError { status: 504, after_effect }, "HTTP/1.1 504", true),
        (Fault::Garbage { after_effect }, "HTTP/1.1 200", true),
        (Fault::Empty { after_effect: false }, "HTTP/1.1 200", false),
        (Fault::Html { after_effect: false }, "HTTP/1.1 200", false),
        (Fault::WrongContentType {}, "HTTP/1.1 200", true),
        (Fault::Says { status: 404, body: "{}".into(), after_effect }, "HTTP/1.1 404", true),
        (
            Fault::Redirect { location: "http://127.0.0.1:1/".into(), after_effect: false },
            "HTTP/1.1 302",
            false,
        ),
        (Fault::Delay { ms: 1, late_effect: false }, "HTTP/1.1 200", true),
        (Fault::Delay { ms: 1, late_effect: true }, "HTTP/1.1 200", true),
    ] {
        let kind = fault.kind();
        let running = Running::with(fault);
        let answer = running.delete().await.unwrap();
        assert!(answer.starts_with(start), "{kind}: {answer}");
        let row = running.only_row();
        assert_eq!(row.effects.len(), usize::from(effective), "{kind}");
        assert_eq!((row.fault.as_deref(), row.delivered), (Some(kind), true));
        assert_eq!(row.verdict, if effective { "ok" } else { kind });
        let answer = running.delete().await.unwrap();
        assert!(answer.ends_with(r#"{"deleted":"a"}"#), "once is once: {answer}");
        running.finish().await;
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_its_row_is_not_delivered() {
    for after_effect in [false, true] {
        let running = Running::with(Fault::Reset { after_effect });
        let error = running.delete().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let row = running.only_row();
        assert_eq!((row.status, row.delivered), (None, false));
        assert_eq!(row.effects.len(), usize::from(after_effect));
        running.finish().await;
    }
}

#[tokio::test]
async fn a_cut_promises_the_whole_and_sends_the_start() {
    for at_byte in [0, 5] {
        let running = Running::with(Fault::Cut { at_byte, after_effect: true });
        let answer = running.delete().await.unwrap();
        assert!(answer.contains("content-length: 15\r\n"), "{answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body, if at_byte == 0 { "" } else { r#"{"del"# });
        let row = running.only_row();
        assert_eq!((row.status, row.delivered, row.effects.len()), (Some(200), false, 1));
        running.finish().await;
    }
}

#[tokio::test]
async fn a_huge_body_is_as_long_as_asked() {
    let bytes = 3_000_000;
    let running = Running::with(Fault::Huge { bytes, after_effect: false });
    let answer = running.delete().await.unwrap();
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 3_000_000);
    assert!(answer.contains("content-length: 3000000"));
    running.finish().await;
}

#[tokio::test]
async fn a_hang_ends_with_the_client_or_with_the_simulator() {
    let running = Running::with(Fault::Hang { after_effect: true });
    {
        let mut stream = TcpStream::connect(running.sandbox.addr()).await.unwrap();
        let request = b"POST /delete?a HTTP/1.1\r\nhost: toy\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(request).await.unwrap();
        running.sandbox.wait_for_calls(1).await;
    }
    let row = running.only_row();
    assert_eq!((row.status, row.delivered, row.effects.len()), (None, false, 1));
    running.sandbox.reset();
    let hang = Fault::Hang { after_effect: false };
    running.sandbox.set_faults(vec![FaultRule::always(hang)]).unwrap();
    let mut stream = TcpStream::connect(running.sandbox.addr()).await.unwrap();
    let request = b"POST /delete?a HTTP/1.1\r\nhost: toy\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    running.sandbox.wait_for_calls(1).await;
    let finished = tokio::time::timeout(Duration::from_secs(5), running.finish());
    finished.await.expect("a hanging call ends at the stop");
}

#[tokio::test]
async fn a_late_effect_comes_although_the_client_left() {
    let running = Running::start();
    let delay = Fault::Delay { ms: 20, late_effect: true };
    let rule = FaultRule::once(delay).for_id("late");
    running.sandbox.set_faults(vec![rule]).unwrap();
    {
        let mut stream = TcpStream::connect(running.sandbox.addr()).await.unwrap();
        let request = b"POST /delete?late HTTP/1.1\r\nhost: toy\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(request).await.unwrap();
        // Connections are taken in order: once this one is answered, the first one was read.
        running.delete().await.unwrap();
    }
    running.sandbox.wait_until(|rows| rows.iter().any(|row| row.ids == ["late"])).await;
    let row = running.sandbox.ledger().pop().unwrap();
    assert_eq!(row.effects, [Effect::whole("late", true)]);
    assert!(!row.delivered);
    running.finish().await;
}

#[tokio::test]
async fn rates_hold_and_can_be_switched_off() {
    let running = Running::start();
    for expected in ["200", "200", "400"] {
        let answer = running.delete().await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
    }
    running.sandbox.set_options(Options {
        enforce_qps: false,
        clock_offset_ms: 3_600_000,
        ..Options::default()
    });
    let answer = running.delete().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"));
    assert!(answer.contains("09:30:00 GMT"), "the clock is an hour ahead: {answer}");
    running.finish().await;
}

#[tokio::test]
async fn the_control_endpoints_show_and_change_everything() {
    let running = Running::start();
    let put = |path: &'static str, body: &'static str| running.send(path, body);
    let answer = put("PUT /_sandbox/faults", r#"[{"fault":{"kind":"reste"}}]"#).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("reste"), "{answer}");
    let answer = put(
        "PUT /_sandbox/faults",
        r#"[{"operation":"delete","times":1,"fault":{"kind":"throttle","retry_after_ms":9}}]"#,
    )
    .await
    .unwrap();
    assert!(answer.contains(r#""retry_after_ms":9"#), "{answer}");
    assert!(running.delete().await.unwrap().contains(r#""wait":9"#));
    running.delete().await.unwrap();

    let answer = put("GET /_sandbox/ledger", "").await.unwrap();
    let rows: Vec<LedgerRow> = answer
        .split_once("\r\n\r\n")
        .unwrap()
        .1
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows, running.sandbox.ledger());
    let answer = put("GET /_sandbox/ledger?after=1", "").await.unwrap();
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.lines().count(), 1);
    assert!(put("GET /_sandbox/assets", "").await.unwrap().contains(r#"{"deleted":1}"#));

    let answer = put("PUT /_sandbox/options", r#"{"enforce_qps":false,"vendor":{}}"#).await.unwrap();
    assert!(answer.contains(r#""enforce_qps":false"#), "{answer}");
    for bad in [r#"{"enforce":1}"#, r#"{"vendor":{"x":1}}"#, "[]", "{"] {
        let answer = put("PUT /_sandbox/options", bad).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert!(put("POST /_sandbox/reset", "").await.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!((running.sandbox.calls(), running.sandbox.faults()), (0, Vec::new()));
    assert!(!running.sandbox.options().enforce_qps, "options stay");
    assert!(put("GET /_sandbox/assets", "").await.unwrap().contains(r#"{"deleted":0}"#));
    assert!(put("GET /_sandbox/reset", "").await.unwrap().starts_with("HTTP/1.1 405"));
    assert!(put("GET /_sandbox/other", "").await.unwrap().starts_with("HTTP/1.1 404"));
    running.finish().await;
}

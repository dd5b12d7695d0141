//! The simulator behind the kit's real server: a signed call over a socket, with its ledger row.
//!
//! One file with few tests: the kit's own tests cover faults and connections, and the others here
//! cover the operations. This one proves that the two fit together.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::super::{Alibaba, seed, signed::Draft};
use crate::sandbox::{Effect, Fault, FaultRule, Received, Sandbox};

async fn send(sandbox: &Sandbox, request: &Received) -> (String, Value) {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        text.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
    }
    text.push_str("connection: close\r\ncontent-length: 0\r\n\r\n");
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_signed_delete_over_a_socket_is_done_and_written_down() {
    let now: jiff::Timestamp = "2026-01-15T08:30:00Z".parse().unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let vendor = Arc::new(Alibaba::new());
    let sandbox = Sandbox::start(
        vendor.clone(),
        ([127, 0, 0, 1], 0).into(),
        Arc::new(move || now),
        &tasks,
        stop.clone(),
    )
    .unwrap();
    let ids = format!("{},{}", seed::NORMAL, seed::MISSING);
    let draft = Draft::new("DeleteVideo", &[("VideoIds", &ids)], now);

    let lost = Fault::ErrorAfter { status: None, code: "DeleteVideoFailed".to_owned(), message: None };
    sandbox.set_faults(vec![FaultRule::once(lost)]).unwrap();
    let (head, body) = send(&sandbox, &draft.acs3()).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(body["Code"], "DeleteVideoFailed");
    assert!(!vendor.has_video(seed::NORMAL), "the effect came first");

    let again = Draft::new("DeleteVideo", &[("VideoIds", &ids)], now);
    let (head, body) = send(&sandbox, &again.rpc_v1(http::Method::GET)).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert_eq!(body["Code"], "InvalidVideo.NotFound");

    let rows = sandbox.ledger();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].fault.as_deref(), Some("error_after"));
    assert_eq!((&*rows[0].verdict, rows[0].status), ("partial", Some(503)));
    let effects = [Effect::whole(seed::NORMAL, true), Effect::whole(seed::MISSING, false)];
    assert_eq!(rows[0].effects, effects);
    assert_eq!(rows[0].nonce, Some(draft.nonce));
    assert_eq!(rows[1].verdict, "InvalidVideo.NotFound");
    assert_eq!(json!(rows[1])["scheme"], "rpc-v1-hmac-sha1");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

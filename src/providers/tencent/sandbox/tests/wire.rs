//! One call over a real connection: what the kit and the simulator make of it together.
//!
//! Its own file because it needs a socket. It proves that signed headers survive the HTTP server unchanged
//! and that the ledger's one row tells the truth, also when the answer does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{NOW, Signer, TencentVod, seed};
use crate::sandbox::{Effect, Fault, FaultRule, Sandbox};

fn start(stop: &CancellationToken) -> Sandbox {
    let now = Arc::new(|| jiff::Timestamp::from_second(NOW).unwrap());
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let vendor = Arc::new(TencentVod::new());
    Sandbox::start(vendor, listen, now, &TaskTracker::new(), stop.clone()).unwrap()
}

/// Signs for the port that was bound, sends, and reads until the server closes.
async fn delete(sandbox: &Sandbox, file_id: &str) -> Value {
    let signer = Signer { host: sandbox.addr().to_string(), ..Signer::new(NOW) };
    let body = json!({ "FileId": file_id }).to_string();
    let request = signer.post("DeleteMedia", &body);
    let mut text = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &request.headers {
        text += name.as_str();
        text += ": ";
        text += value.to_str().unwrap();
        text += "\r\n";
    }
    let length = body.len();
    let text = format!("{text}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let mut stream = tokio::net::TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_delete_over_http_leaves_one_true_row() {
    let stop = CancellationToken::new();
    let sandbox = start(&stop);
    let answer = delete(&sandbox, &seed::video(0)).await;
    assert!(answer["Response"]["Error"].is_null(), "{answer}");
    let rows = sandbox.ledger();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].account.as_deref(), Some(seed::SECRET_ID));
    assert_eq!((rows[0].action.as_str(), rows[0].verdict.as_str()), ("DeleteMedia", "ok"));
    assert_eq!(rows[0].ids, [seed::video(0)]);
    assert_eq!(rows[0].effects, [Effect::whole(seed::video(0), true)]);
    assert_eq!(rows[0].scheme, "TC3-HMAC-SHA256");
    assert!(rows[0].nonce.is_some() && rows[0].delivered);
    stop.cancel();
}

#[tokio::test]
async fn an_error_after_the_effect_is_told_apart_by_the_row() {
    let stop = CancellationToken::new();
    let sandbox = start(&stop);
    let code = "InternalError".to_owned();
    let rule = FaultRule::once(Fault::ErrorAfter { status: None, code, message: None });
    sandbox.set_faults(vec![rule]).unwrap();
    let answer = delete(&sandbox, &seed::video(1)).await;
    assert_eq!(answer["Response"]["Error"]["Code"], "InternalError");
    assert_eq!(sandbox.ledger()[0].effects, [Effect::whole(seed::video(1), true)]);
    let again = delete(&sandbox, &seed::video(1)).await;
    assert_eq!(again["Response"]["Error"]["Code"], "ResourceNotFound");
    assert_eq!(sandbox.ledger()[1].effects, [Effect::whole(seed::video(1), false)]);
    stop.cancel();
}

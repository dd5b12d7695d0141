//! The client against a socket: what leaves, how often, and what cures a refusal.

use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::super::{Again, Verdict};
use super::*;
use crate::types::clock::ManualClock;
use crate::types::outcome::AttemptClass;
use crate::types::outcome::LaneReason;

type Heard = Arc<Mutex<Vec<String>>>;

/// Answers one connection after the other with these answers, then closes its ear.
async fn vendor(answers: Vec<String>) -> (String, Heard, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let speak = async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut chunk = [0; 4096];
                let read = socket.read(&mut chunk).await.unwrap();
                assert!(read > 0, "the request ended early");
                request.extend_from_slice(&chunk[..read]);
            }
            ear.lock().unwrap().push(String::from_utf8(request).unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the stand-in ends with its test")]
    let task = tokio::spawn(speak);
    (address, heard, task)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn client(
    address: &str,
    signature: &str,
    key: CredentialSource,
    clock: &Arc<ManualClock>,
) -> Arc<dyn Provider> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    let endpoint = Some(address.parse().unwrap());
    let transport = Transport::new().unwrap();
    let signature = Some(signature.to_owned());
    let setup = AccountSetup {
        region: None,
        endpoint,
        sub_app_id: None,
        signature,
        credentials: key,
        transport,
        clock,
    };
    build(setup).unwrap()
}

fn clock() -> Arc<ManualClock> {
    ManualClock::at("2026-01-15T08:30:00Z".parse().unwrap())
}

fn fixed(clock: &Arc<ManualClock>) -> CredentialSource {
    let token = Some("tok+/=1".into());
    let key = Credentials { id: "STS.key".into(), secret: "secret".into(), token };
    CredentialSource::fixed(key, Arc::clone(clock) as Arc<dyn Clock>)
}

#[tokio::test]
async fn a_call_is_one_signed_post_without_a_body() {
    for signature in ["v3", "v1"] {
        let body = r#"{"RequestId":"r-1","NonExistVideoIds":["v2"]}"#;
        let (address, heard, task) = vendor(vec![http("200 OK", "", body)]).await;
        let clock = clock();
        let provider = client(&address, signature, fixed(&clock), &clock);
        let report = provider.call(&call(Action::DeleteVideo, vec![media("v1"), media("v2")])).await;
        assert_eq!(report.verdicts, [Verdict::Deleted, Verdict::Absent]);
        assert_eq!((report.status, report.request_id.as_deref()), (Some(200), Some("r-1")));
        task.await.unwrap();
        let heard = heard.lock().unwrap().join("");
        let host = format!("\r\nhost: {}\r\n", address.trim_start_matches("http://"));
        assert!(heard.contains(&host) && heard.contains("content-length: 0\r\n"), "{heard}");
        assert!(!heard.contains("content-type"), "{heard}");
        if signature == "v3" {
            assert!(heard.starts_with("POST /?VideoIds=v1%2Cv2 HTTP/1.1\r\n"), "{heard}");
            for header in [
                "authorization: ACS3-HMAC-SHA256 Credential=STS.key,SignedHeaders=host;x-acs-accesskey-id;",
                "x-acs-action: DeleteVideo\r\n",
                "x-acs-date: 2026-01-15T08:30:00Z\r\n",
                "x-acs-security-token: tok+/=1\r\n",
            ] {
                assert!(heard.contains(header), "{heard}");
            }
        } else {
            assert!(
                heard.starts_with("POST /?AccessKeyId=STS.key&Action=DeleteVideo&Format=JSON&"),
                "{heard}"
            );
            assert!(
                heard.contains("&SecurityToken=tok%2B%2F%3D1&") && heard.contains("&Signature="),
                "{heard}"
            );
        }
    }
}

#[tokio::test]
async fn nobody_there_is_not_sent_and_a_lost_answer_is_doubtful() {
    let (address, heard, task) = vendor(vec![String::new()]).await;
    let clock = clock();
    let provider = client(&address, "v3", fixed(&clock), &clock);
    let delete = call(Action::DeleteVideo, vec![media("v1")]);
    let lost = provider.call(&delete).await;
    assert_eq!(
        (lost.verdicts, lost.class),
        (vec![Verdict::Doubtful { unanswered: true }], AttemptClass::Ambiguous)
    );
    task.await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 1, "a delete is never sent twice");
    let unsent = provider.call(&delete).await;
    assert_eq!(
        (unsent.verdicts, unsent.class),
        (vec![Verdict::Again(Again::NotSent)], AttemptClass::NotSent)
    );
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    let refusal = |date: &str| {
        let body = r#"{"Code":"InvalidTimeStamp.Expired","RequestId":"r"}"#;
        http("400 Bad Request", &format!("date: {date}\r\n"), body)
    };
    let late = "Thu, 15 Jan 2026 09:30:00 GMT";
    let (address, heard, task) = vendor(vec![refusal(late), refusal(late)]).await;
    let clock = clock();
    let provider = client(&address, "v3", fixed(&clock), &clock);
    let first = provider.call(&provider.probe()).await;
    assert_eq!((first.verdicts, first.class), (vec![Verdict::Again(Again::Resign)], AttemptClass::Refused));
    let second = provider.call(&provider.probe()).await;
    assert_eq!(second.verdicts, [Verdict::Fault(LaneReason::ClockSkew)]);
    task.await.unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard[0].contains("x-acs-date: 2026-01-15T08:30:00Z"), "{}", heard[0]);
    assert!(heard[1].contains("x-acs-date: 2026-01-15T09:30:00Z"), "{}", heard[1]);
    let nonce = |request: &str| {
        request.lines().find(|line| line.starts_with("x-acs-signature-nonce")).map(str::to_owned).unwrap()
    };
    assert_ne!(nonce(&heard[0]), nonce(&heard[1]));
}

#[tokio::test]
async fn a_rotated_key_is_picked_up_and_the_same_key_blocks() {
    let refusal = || http("404 Not Found", "", r#"{"Code":"InvalidAccessKeyId.NotFound","RequestId":"r"}"#);
    let (address, heard, task) = vendor(vec![refusal(), refusal()]).await;
    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.toml");
    std::fs::write(&path, "id = \"old\"\nsecret = \"s\"").unwrap();
    let key = CredentialSource::file(path.clone(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let provider = client(&address, "v3", key, &clock);
    std::fs::write(&path, "id = \"new\"\nsecret = \"s\"").unwrap();
    let first = provider.call(&provider.probe()).await;
    assert_eq!(first.verdicts, [Verdict::Again(Again::Resign)]);
    clock.advance(Duration::from_secs(1));
    let second = provider.call(&provider.probe()).await;
    assert_eq!(second.verdicts, [Verdict::Fault(LaneReason::BadCredentials)]);
    assert_eq!(second.code.as_deref(), Some("InvalidAccessKeyId.NotFound"));
    task.await.unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard[0].contains("Credential=old,") && heard[1].contains("Credential=new,"));
}

//! The client against a vendor of a few lines: what one call sends and how often.
//!
//! The server here says what each test tells it to and keeps what it was sent.
//! It knows no signature and shares nothing with the simulator; everything that
//! can be tested without a connection is tested beside the code.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::providers::survey::surveys;
use crate::providers::{Again, ReadFirst, Verdict};
use crate::types::asset::Standing;
use crate::types::clock::ManualClock;
use crate::types::deletion::PartName;
use crate::types::outcome::AttemptClass;
use crate::types::outcome::LaneReason;
use crate::types::target::{Renditions, Snapshots};

fn clock() -> Arc<dyn Clock> {
    ManualClock::at("2026-03-01T00:00:00Z".parse().unwrap())
}

fn key(id: &str) -> Credentials {
    Credentials { id: id.into(), secret: "secret".into(), token: None }
}

fn setup(endpoint: Option<&str>, credentials: CredentialSource) -> AccountSetup {
    AccountSetup {
        region: None,
        endpoint: endpoint.map(|url| Url::parse(url).unwrap()),
        sub_app_id: Some(1_500_000_000),
        signature: None,
        credentials,
        transport: Transport::new().unwrap(),
        clock: clock(),
    }
}

fn fixed() -> CredentialSource {
    CredentialSource::fixed(key("AKIDtest"), clock())
}

/// Answers one request after another with these, and gives back what was sent.
#[expect(clippy::disallowed_methods, reason = "the test waits for the task itself")]
async fn vendor(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert_ne!(peer.read_buf(&mut request).await.unwrap(), 0, "the request broke off");
            }
            requests.push(String::from_utf8(request).unwrap());
            peer.write_all(answer.as_bytes()).await.unwrap();
        }
        // Nobody else may knock: a call is one request.
        assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err());
        requests
    });
    (url, served)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    body.len() >= length.parse::<usize>().unwrap()
}

fn answer(body: &str) -> String {
    dated(body, "Sun, 01 Mar 2026 00:00:00 GMT")
}

fn dated(body: &str, date: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: {date}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn error(code: &str) -> String {
    format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"m"}},"RequestId":"r-1"}}}}"#)
}

fn delete_media() -> Call {
    let entry = Entry { parts: vec![PartName::Asset], ..read_entry(MediaId::parse("74").unwrap()) };
    Call { operation: &DELETE_MEDIA, entries: vec![entry] }
}

/// What one call sends and reports.
async fn one_call(call: &Call, answer: String) -> (String, CallReport) {
    let (url, served) = vendor(vec![answer]).await;
    let report = build(setup(Some(&url), fixed())).unwrap().call(call).await;
    (served.await.unwrap().remove(0), report)
}

#[tokio::test]
async fn what_is_signed_is_what_is_sent() {
    let (sent, report) = one_call(&delete_media(), answer(r#"{"Response":{"RequestId":"r-1"}}"#)).await;
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"FileId":"74","SubAppId":1500000000}"#);
    let header = |name: &str| {
        let of = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned()));
        let found = head.lines().filter_map(of).filter(|(n, _)| n == name).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{name} in {head}");
        found[0].1.clone()
    };
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    let time = "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let signed = sign::authorize(&key("AKIDtest"), time, &header("host"), body.as_bytes());
    assert_eq!(header("authorization"), signed);
    assert!(header("host").starts_with("127.0.0.1:"), "with its port");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-tc-timestamp"), time.as_second().to_string());
    assert_eq!(header("x-tc-action"), "DeleteMedia");
    assert_ne!(header("x-tc-traceid"), Uuid::nil().to_string());
    assert_eq!(report.verdicts, [Verdict::Deleted]);
    assert_eq!((report.class, report.status), (AttemptClass::Answered, Some(200)));
    assert_eq!(report.request_id.as_deref(), Some("r-1"));
}

#[tokio::test]
async fn a_code_is_reported_with_its_request_id() {
    let (_, report) = one_call(&delete_media(), answer(&error("ResourceNotFound"))).await;
    assert_eq!(report.verdicts, [Verdict::Absent]);
    assert_eq!(
        (report.code.as_deref(), report.request_id.as_deref()),
        (Some("ResourceNotFound"), Some("r-1"))
    );
}

#[tokio::test]
async fn an_answer_of_anybody_else_leaves_a_delete_in_doubt() {
    let gateway =
        "HTTP/1.1 502 Bad Gateway\r\nx-tc-requestid: r-9\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
    let moved = "HTTP/1.1 307 Moved\r\nlocation: /else\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-length: 200\r\nconnection: close\r\n\r\n{\"Response\":{\"RequestId\"";
    for said in [gateway, moved, cut, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", ""]
    {
        let (_, report) = one_call(&delete_media(), said.to_owned()).await;
        assert_eq!(report.class, AttemptClass::Ambiguous, "{said}");
        assert_eq!(report.verdicts, [Verdict::Doubtful { unanswered: true }], "{said}");
        assert_eq!(report.request_id.is_some(), said == gateway);
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = build(setup(Some(&format!("http://{closed}")), fixed())).unwrap();
    let report = client.call(&delete_media()).await;
    assert_eq!((report.class, report.status), (AttemptClass::NotSent, None));
    assert_eq!(report.verdicts, [Verdict::Again(Again::NotSent)]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_once() {
    let expired = error("AuthFailure.SignatureExpire");
    let late = |body: &str| dated(body, "Sun, 01 Mar 2026 02:00:00 GMT");
    let (url, served) = vendor(vec![late(&expired), late(&expired)]).await;
    let client = build(setup(Some(&url), fixed())).unwrap();
    assert_eq!(client.call(&delete_media()).await.verdicts, [Verdict::Again(Again::Resign)]);
    let second = client.call(&delete_media()).await.verdicts;
    assert_eq!(second, [Verdict::Fault(LaneReason::ClockSkew)], "the correction did not help");
    let time = |at: &str| format!("x-tc-timestamp: {}\r\n", at.parse::<Timestamp>().unwrap().as_second());
    let requests = served.await.unwrap();
    assert!(requests[0].contains(&time("2026-03-01T00:00:00Z")));
    assert!(requests[1].contains(&time("2026-03-01T02:00:00Z")));
}

#[tokio::test]
async fn calls_that_were_signed_before_the_clock_was_corrected_are_signed_again() {
    let expired = error("AuthFailure.SignatureExpire");
    let headers = {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Sun, 01 Mar 2026 02:00:00 GMT".parse().unwrap());
        headers
    };
    let client = Tencent {
        url: Url::parse("http://127.0.0.1:1").unwrap(),
        host: "127.0.0.1:1".into(),
        region: None,
        sub_app_id: None,
        credentials: fixed(),
        transport: Transport::new().unwrap(),
        clock: clock(),
        skew: Skew::default(),
    };
    let incoming = Incoming { status: http::StatusCode::OK, headers, body: expired.into() };
    let signed = Signed { key: client.credentials.current().await, offset_s: client.skew.offset_s() };
    for _ in 0..2 {
        let report = client.judge(&delete_media(), &signed, &incoming).await;
        assert_eq!(report.verdicts, [Verdict::Again(Again::Resign)]);
    }
}

#[tokio::test]
async fn a_refused_key_is_looked_up_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |id: &str| std::fs::write(file.path(), format!("id = \"{id}\"\nsecret = \"s\"\n")).unwrap();
    write("AKIDold");
    let source = CredentialSource::file(file.path().to_owned(), clock()).unwrap();
    let refused = answer(&error("AuthFailure.SecretIdNotFound"));
    let (url, served) = vendor(vec![refused.clone(), refused]).await;
    let client = build(setup(Some(&url), source)).unwrap();
    write("AKIDnew");
    assert_eq!(client.call(&delete_media()).await.verdicts, [Verdict::Again(Again::Resign)]);
    let second = client.call(&delete_media()).await.verdicts;
    assert_eq!(second, [Verdict::Fault(LaneReason::BadCredentials)]);
    let requests = served.await.unwrap();
    assert!(requests[0].contains("Credential=AKIDold/") && requests[1].contains("Credential=AKIDnew/"));
}

#[tokio::test]
async fn a_key_that_no_header_can_hold_is_the_accounts_fault() {
    let source = CredentialSource::fixed(key("AKID\u{7f}"), clock());
    let client = build(setup(Some("http://127.0.0.1:1"), source)).unwrap();
    let report = client.call(&delete_media()).await;
    assert_eq!(report.class, AttemptClass::NotSent);
    assert_eq!(report.verdicts, [Verdict::Fault(LaneReason::BadCredentials)]);
}

#[tokio::test]
async fn a_call_that_breaks_our_rules_is_not_made() {
    let client = build(setup(Some("http://127.0.0.1:1"), fixed())).unwrap();
    let two = Call { entries: [delete_media().entries, delete_media().entries].concat(), ..delete_media() };
    let mut empty = delete_media();
    empty.entries[0].target.what = What::Source { force: true };
    empty.entries[0].parts.clear();
    let crowd = vec![client.probe().entries.remove(0); 21];
    let swapped = Call { operation: &FORBID, entries: crowd.clone() };
    let crowd = Call { operation: &DESCRIBE_MEDIA_INFOS, entries: crowd };
    for call in [two, empty, crowd, swapped] {
        let report = client.call(&call).await;
        assert_eq!((report.class, report.status), (AttemptClass::NotSent, None));
        assert_eq!(report.verdicts.len(), call.entries.len());
        assert!(report.verdicts.iter().all(|verdict| matches!(verdict, Verdict::NotOk { .. })));
    }
}

#[tokio::test]
async fn the_probe_and_the_portrait_are_one_read_each() {
    let client = build(setup(None, fixed())).unwrap();
    let portrait = client.portrait(&MediaId::parse("74").unwrap());
    assert_eq!(portrait.len(), 1);
    for (call, id) in [(&client.probe(), NOBODY), (&portrait[0], "74")] {
        let told = format!(r#"{{"Response":{{"RequestId":"r","NotExistFileIdSet":["{id}"]}}}}"#);
        let (sent, report) = one_call(call, answer(&told)).await;
        assert!(
            sent.contains(&format!(r#"{{"FileIds":["{id}"],"SubAppId":1500000000,"Filters":["basicInfo""#))
        );
        let Verdict::Facts(facts) = &report.verdicts[0] else { panic!() };
        assert_eq!(facts.standing, Standing::Missing);
    }
}

#[tokio::test]
async fn a_block_and_its_lift_are_one_signed_call_each() {
    let client = build(setup(None, fixed())).unwrap();
    let ids = ["74", "75", "74"].map(|id| MediaId::parse(id).unwrap());
    assert_eq!(client.block(&[], false), None);
    for (lift, word) in [(false, "forbid"), (true, "recover")] {
        let call = client.block(&ids, lift).unwrap();
        assert_eq!(client.operation(call.operation.name).map(|known| known.published_qps), Some(Some(20)));
        let said = r#"{"Response":{"RequestId":"r-1","NotExistFileIdSet":["75"]}}"#;
        let (sent, report) = one_call(&call, answer(said)).await;
        let body = format!(r#"{{"FileIds":["74","75"],"Operation":"{word}","SubAppId":1500000000}}"#);
        assert!(sent.ends_with(&body), "{sent}");
        assert!(sent.contains("x-tc-action: ForbidMediaDistribution\r\n"), "{sent}");
        assert_eq!(report.verdicts, [Verdict::Done, Verdict::Absent, Verdict::Done]);
        let (_, lost) = one_call(&call, String::new()).await;
        assert_eq!(lost.class, AttemptClass::Ambiguous);
        assert_eq!(lost.verdicts, vec![Verdict::Doubtful { unanswered: true }; 3]);
    }
}

#[tokio::test]
async fn whatever_is_to_go_of_files_is_looked_at_by_one_read_of_twenty() {
    let client = build(setup(None, fixed())).unwrap();
    let target = |what: What, id: String| Target {
        account: AccountId::parse("media").unwrap(),
        name: Name::Id(MediaId::parse(&id).unwrap()),
        what,
    };
    let mut targets: Vec<Target> = (0..21).map(|n| target(What::Media, format!("7{n}"))).collect();
    targets.push(target(What::Source { force: false }, "71".into()));
    targets.push(target(What::AttachedMedia, "71".into()));
    let reads = surveys(client.as_ref(), &targets);
    let sizes: Vec<_> = reads.iter().map(|read| (read.call.operation.name, read.targets.len())).collect();
    assert_eq!(sizes, [("DescribeMediaInfos", 20), ("DescribeMediaInfos", 1)]);
    assert_eq!((&reads[0].targets[1], &reads[1].targets[0]), (&vec![1, 21], &vec![20]));
    let said = r#"{"Response":{"RequestId":"r","NotExistFileIdSet":["720"]}}"#;
    let (sent, report) = one_call(&reads[1].call, answer(said)).await;
    assert!(sent.contains(r#"{"FileIds":["720"],"SubAppId":1500000000,"Filters":["basicInfo""#));
    let Verdict::Facts(facts) = &report.verdicts[0] else { panic!() };
    assert_eq!(facts.standing, Standing::Missing);
}

#[tokio::test]
async fn only_a_whole_file_can_be_blocked() {
    let client = build(setup(None, fixed())).unwrap();
    let target = |name: &str, text: &str, what: What| Target {
        account: AccountId::parse("media").unwrap(),
        name: Name::parse(name, text).unwrap(),
        what,
    };
    assert!(client.can_block(&target("id", "74", What::Media)));
    for what in [What::Source { force: false }, What::Renditions(Renditions::All), What::Image] {
        assert!(!client.can_block(&target("id", "74", what)));
    }
    assert!(!client.can_block(&target("reference_id", "my-video", What::Media)));
    assert!(!client.can_block(&target("url", "https://h/1.jpg", What::Image)));
    assert!(!client.can_block(&target("id", "74", What::Snapshots(Snapshots::All))));
}

#[test]
fn ids_are_asked_for_once_each() {
    let ids = ["1", "2", "1"].map(|id| read_entry(MediaId::parse(id).unwrap()));
    let call = Call { operation: &DESCRIBE_MEDIA_INFOS, entries: ids.to_vec() };
    let body = body(&call, None).unwrap();
    assert!(body.starts_with(br#"{"FileIds":["1","2"],"#));
}

#[tokio::test]
async fn the_host_is_the_endpoints_or_the_regions_or_the_default() {
    let host = |region: Option<&str>, url: Option<&str>| {
        let setup = AccountSetup { region: region.map(str::to_owned), ..setup(url, fixed()) };
        endpoint(&setup).map(|url| (url.scheme().to_owned(), host_header(&url)))
    };
    let https = |host: &str| Ok(("https".to_owned(), host.to_owned()));
    assert_eq!(host(None, None), https("vod.tencentcloudapi.com"));
    assert_eq!(host(Some("ap-singapore"), None), https("vod.ap-singapore.tencentcloudapi.com"));
    let intl = "https://vod.intl.tencentcloudapi.com";
    assert_eq!(host(Some("ap-singapore"), Some(intl)), https("vod.intl.tencentcloudapi.com"));
    assert_eq!(host(None, Some("https://VOD.example.com:443/")), https("vod.example.com"));
    assert_eq!(host(None, Some("http://127.0.0.1:9102")).unwrap().1, "127.0.0.1:9102");
    assert_eq!(host(None, Some("http://[::1]:9102")).unwrap().1, "[::1]:9102");
    for bad in ["", "evil.com/", "AP-GUANGZHOU", "a.b", "-a", "a-", "a@b"] {
        assert_eq!(host(Some(bad), None).unwrap_err().field, "region", "{bad}");
    }
    for bad in ["https://h/path", "https://h/?q", "https://h/#f", "https://u:p@h/"] {
        assert_eq!(host(None, Some(bad)).unwrap_err().field, "endpoint", "{bad}");
    }
}

#[tokio::test]
async fn only_the_signature_that_is_served_can_be_set() {
    for (version, taken) in [(None, true), (Some("v3"), true), (Some("v1"), false), (Some(""), false)] {
        let setup = AccountSetup { signature: version.map(str::to_owned), ..setup(None, fixed()) };
        assert_eq!(build(setup).map(|_| ()).map_err(|bad| bad.field), taken.then_some(()).ok_or("signature"));
    }
}

#[tokio::test]
async fn a_sub_application_of_0_is_left_out() {
    let (url, served) = vendor(vec![answer(&error("ResourceNotFound"))]).await;
    let client = build(AccountSetup { sub_app_id: Some(0), ..setup(Some(&url), fixed()) }).unwrap();
    client.call(&delete_media()).await;
    assert!(!served.await.unwrap()[0].contains("SubAppId"));
    let target = &delete_media().entries[0].target;
    assert_eq!(client.route(target).unwrap().resolve, None::<(&Operation, ReadFirst)>);
    assert_eq!(client.operation("DeleteMedia"), Some(&DELETE_MEDIA));
}

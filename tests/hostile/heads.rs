//! Heads, targets and methods that one reader takes otherwise than the next.
//!
//! Nearly all are about a video that stands, so that a wrong reading would delete
//! it, and what hides behind a request is a whole DELETE. Each ends as a problem of
//! the contract, with a bare status of the frame, or cut; none deletes or hangs.

use serde_json::{Value, json};

use crate::raw::Raw;
use crate::service::{ALI, Service};
use crate::{Answer, contract, report};

const VIDEO: &str = "5eed0000000000000000000000000001";
/// A connection that waits for a request is closed soon.
const LIMITS: &str = "[server]\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"\n";

/// What must come of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A problem of the contract.
    Problem(u16, &'static str),
    /// What was asked for, which is harmless.
    Fine(u16),
    /// A bare status of the frame.
    Frame(u16),
    /// The end of the connection.
    Cut,
}

use Wanted::{Cut, Fine, Frame, Problem};

const MALFORMED: Wanted = Problem(400, "malformed");
const INVALID: Wanted = Problem(422, "invalid");
const NOWHERE: Wanted = Problem(404, "not_found");
const NO_METHOD: Wanted = Problem(405, "method_not_allowed");

fn video() -> String {
    format!("/v1/accounts/{ALI}/media/{VIDEO}")
}

/// A head with these lines after the host.
fn head(method: &str, target: &str, lines: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{lines}\r\n").into_bytes()
}

fn delete(lines: &str) -> Vec<u8> {
    head("DELETE", &video(), lines)
}

/// The DELETE of a path as it stands here.
fn path(target: &str) -> Vec<u8> {
    head("DELETE", target, "")
}

fn bare(text: &str) -> Vec<u8> {
    text.replace("{video}", &video()).into_bytes()
}

type Class = (&'static str, Wanted, Vec<Vec<u8>>);

fn classes() -> Vec<Class> {
    let (media, longest) = (format!("/v1/accounts/{ALI}/media"), "x".repeat(8 * 1024));
    vec![
        (
            "paths that are not there",
            NOWHERE,
            vec![
                path(&format!("{media}/../media/{VIDEO}")),
                path(&format!("{media}/./{VIDEO}")),
                path(&format!("/.{}", video())),
                path(&format!("/x/..{}", video())),
                path(&format!("/{}", video())),
                path(&format!("{media}//{VIDEO}")),
                path(&format!("{}/", video())),
                path(&format!("{}//source", video())),
                path(&format!("/V1/accounts/{ALI}/media/{VIDEO}")),
                path(&format!("/v1/accounts/{ALI}%2fmedia/{VIDEO}")),
                path(&format!("/v1%2faccounts/{ALI}/media/{VIDEO}")),
                path(&format!("/v1/accounts/{ALI};x=y/media/{VIDEO}")),
                path(&format!("/v1/accounts/{ALI}%00/media/{VIDEO}")),
                path(&format!("/v1/accounts/%2e%2e/media/{VIDEO}")),
                path(&format!("/v1/accounts/{ALI}/media\\{VIDEO}")),
                path(&format!("/v1/accounts/*/media/{VIDEO}")),
                path("*"),
                path("/"),
            ],
        ),
        (
            "ids that are none",
            INVALID,
            vec![
                path(&format!("{media}/%2e%2e")),
                path(&format!("{media}/..")),
                path(&format!("{media}/*")),
                path(&format!("{media}/x%2f..%2f{VIDEO}")),
                path(&format!("{media}/{VIDEO};x=y")),
                path(&format!("{media}/{VIDEO}%00")),
                path(&format!("{media}/{VIDEO}%0a")),
                path(&format!("{media}/{VIDEO}%20")),
                path(&format!("{media}/{VIDEO},{VIDEO}")),
                path(&format!("{media}/{VIDEO}%23")),
                path(&format!("{media}/%25{VIDEO}")),
                path(&format!("{media}/{}", "x".repeat(65))),
                path(&format!("{media}/{longest}")),
                path(&format!("{media}/%e2%80%8b{VIDEO}")),
                path(&format!("{media}/+")),
                path(&format!("{media}/{VIDEO}%3fx=y")),
            ],
        ),
        (
            "paths that are not UTF-8",
            MALFORMED,
            vec![
                path(&format!("{media}/%c0%ae%c0%ae")),
                path(&format!("{media}/{VIDEO}%c0%80")),
                path(&format!("{media}/%ff")),
                path(&format!("{media}/%ed%a0%80")),
            ],
        ),
        (
            "queries that mean two things",
            MALFORMED,
            [
                "if_absent=ok&if_absent=error",
                "reason=a&reason=b",
                "if_absent=ok;if_absent=error",
                "if_absent[]=ok",
                "dry_runn=true",
                "dry_run=true&dry_run=false",
                "x",
                "=",
                "reason=%",
                "reason=%zz",
                "reason=%ff",
                "?",
                "if_absent",
                "if_absent=OK",
                "reason=a%00b",
            ]
            .iter()
            .map(|query| path(&format!("{}?{query}", video())))
            .collect(),
        ),
        (
            "targets that are no path",
            MALFORMED,
            vec![
                head("DELETE", &format!("http://other{}", video()), ""),
                head("DELETE", &format!("http://x:1{}", video()), ""),
                head("DELETE", &format!("http://x@other{}", video()), ""),
                head("DELETE", "other:443", ""),
                head("CONNECT", "other:443", ""),
            ],
        ),
        (
            "no host, two hosts, a strange one",
            MALFORMED,
            vec![
                bare("DELETE {video} HTTP/1.1\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost: a, b\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost: a b\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost: x/y\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost: u@x\r\n\r\n"),
                bare("DELETE {video} HTTP/1.1\r\nhost:\r\n\r\n"),
            ],
        ),
        (
            "methods that the path does not take",
            NO_METHOD,
            [
                "PUT", "PATCH", "POST", "OPTIONS", "TRACE", "delete", "Delete", "DELETED", "PROPFIND",
                "BREW", "X", "DELETE-",
            ]
            .iter()
            .map(|method| head(method, &video(), ""))
            .collect(),
        ),
        (
            "another method in a header",
            NO_METHOD,
            ["x-http-method-override", "x-http-method", "x-method-override", "_method"]
                .iter()
                .map(|name| head("POST", &video(), &format!("{name}: DELETE\r\ncontent-length: 0\r\n")))
                .collect(),
        ),
        (
            "the same beside a method that the path takes",
            Fine(200),
            ["x-http-method-override", "x-http-method", "x-original-method"]
                .iter()
                .map(|name| head("GET", "/v1/deletions", &format!("{name}: DELETE\r\n")))
                .chain(
                    ["x-original-url", "x-rewrite-url", "x-forwarded-path"]
                        .iter()
                        .map(|name| head("GET", "/v1/deletions", &format!("{name}: {}\r\n", video()))),
                )
                .collect(),
        ),
        (
            "ids of requests that are nonsense",
            Fine(200),
            vec![
                head("GET", "/v1/deletions", &format!("x-request-id: {longest}\r\n")),
                head("GET", "/v1/deletions", "x-request-id: <script>\r\n"),
                head("GET", "/v1/deletions", "x-request-id: a\r\nx-request-id: b\r\n"),
                head("GET", "/v1/deletions", "x-request-id: \u{e9}\r\n"),
                head("GET", "/v1/deletions", "x-request-id:\r\n"),
                head("GET", "/v1/deletions", "x-request-id: a b\tc\r\n"),
            ],
        ),
        (
            "a DELETE with a body",
            MALFORMED,
            vec![
                [delete("content-length: 2\r\n").as_slice(), b"{}"].concat(),
                [delete("content-length: 16\r\n").as_slice(), b"{\"dry_run\":true}"].concat(),
                [delete("transfer-encoding: chunked\r\n").as_slice(), b"0\r\n\r\n"].concat(),
                [delete("transfer-encoding: chunked\r\n").as_slice(), b"2\r\n{}\r\n0\r\n\r\n"].concat(),
            ],
        ),
        (
            "heads that break the rules",
            Frame(400),
            vec![
                delete("x: a\r\n b\r\n"),
                delete("x : a\r\n"),
                delete(" x: a\r\n"),
                delete("x\r\n"),
                delete(": a\r\n"),
                delete("x\0: a\r\n"),
                delete("x: a\0b\r\n"),
                delete("x: a\rb\r\n"),
                delete("x: a\u{1}b\r\n"),
                delete("x(y): a\r\n"),
                delete("\u{e9}: a\r\n"),
                bare("DELETE {video}\r\n\r\n"),
                bare("DELETE  {video} HTTP/1.1\r\nhost: x\r\n\r\n"),
                bare("DELETE {video} x HTTP/1.1\r\nhost: x\r\n\r\n"),
                bare("DELETE {video} HTTP/1.2\r\nhost: x\r\n\r\n"),
                bare("DELETE {video} HTTP/9.9\r\nhost: x\r\n\r\n"),
                bare("DELETE {video} http/1.1\r\nhost: x\r\n\r\n"),
                bare("DELETE\0 {video} HTTP/1.1\r\nhost: x\r\n\r\n"),
                bare("DELETE {video}\0 HTTP/1.1\r\nhost: x\r\n\r\n"),
                bare("DE LETE {video} HTTP/1.1\r\nhost: x\r\n\r\n"),
                bare("DELETE v1 HTTP/1.1\r\nhost: x\r\n\r\n").replacen_first(b"v1", b"v1/accounts"),
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
                b"GET /livez\r\n\r\n".to_vec(),
                vec![0; 4096],
            ],
        ),
        ("HTTP/2 out of the blue", Cut, vec![b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()]),
        (
            "heads that are too large",
            Frame(431),
            vec![
                delete(&(0..100).fold(String::new(), |all, n| all + &format!("x-{n}: {longest}\r\n"))),
                delete(&(0..5_000).fold(String::new(), |all, n| all + &format!("x{n}:\r\n"))),
                delete(&"x: y\r\n".repeat(200)),
                delete(&format!("authorization: Bearer {}\r\n", "x".repeat(64 * 1024))),
                path(&format!("{}?reason={}", video(), "x".repeat(1_000_000))),
                path(&format!("{media}/{}", "x".repeat(100_000))),
            ],
        ),
    ]
}

trait Replace {
    fn replacen_first(self, from: &[u8], to: &[u8]) -> Self;
}

impl Replace for Vec<u8> {
    fn replacen_first(self, from: &[u8], to: &[u8]) -> Self {
        let at = self.windows(from.len()).position(|window| window == from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }
}

/// What came after a request, until the connection was closed: whole answers, one after the other.
fn answers(bytes: &[u8]) -> usize {
    bytes.windows(9).filter(|nine| nine == b"HTTP/1.1 ").count()
}

/// What is wrong with the end of a request, if it should have been this one.
fn judge(wanted: Wanted, request: &[u8], answer: Option<&Answer>) -> Option<String> {
    let is_fine = answer.map_or(wanted == Cut, |answer| match wanted {
        Problem(status, code) => {
            let line = String::from_utf8_lossy(request).into_owned();
            let mut words = line.split(' ');
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let is_it = (answer.status, answer.code().as_str()) == (status, code);
            // The document knows paths, and methods in capitals.
            if is_it && target.starts_with('/') && method == method.to_uppercase() {
                contract::check(&method.parse().unwrap(), target, answer);
            }
            is_it
        }
        Fine(status) => {
            let id = answer.header("x-request-id");
            answer.status == status && id.len() < 40 && !id.contains(['<', ' '])
        }
        Frame(status) => (answer.status, answer.body.len()) == (status, 0),
        Cut => false,
    });
    (!is_fine).then(|| format!("{wanted:?} was wanted and {answer:?} came"))
}

/// Nothing was deleted: reads may have been.
async fn nothing_was_deleted(service: &Service) {
    let list = service.ask("GET", "/v1/deletions").await.json();
    assert_eq!(list["items"], json!([]), "something was accepted");
    let deletes = |row: &&Value| row["action"].as_str().unwrap_or_default().contains("Delete");
    let rows = service.ledger().await;
    assert_eq!(rows.iter().find(deletes), None, "something was deleted");
}

#[tokio::test]
async fn no_trick_in_a_head_or_a_path_deletes_anything() {
    let service = Service::with(LIMITS);
    let classes = classes();
    let (mut requests, mut faults) = (0, Vec::new());
    for (class, wanted, heads) in &classes {
        for (n, request) in heads.iter().enumerate() {
            let answer = Raw::open(service.addr).await.talk(request).await;
            let fault = judge(*wanted, request, answer.as_ref());
            faults.extend(fault.map(|fault| format!("{class} {n}: {fault}")));
            requests += 1;
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    nothing_was_deleted(&service).await;
    report::write(
        "heads",
        json!({"classes": classes.len(), "requests": requests, "peak_kb": service.peak_kb()}),
    );
    service.end().await;
}

/// A request with a DELETE behind it, which a reader that finds another end than a proxy before it
/// would take for the next request.
fn smuggled() -> Vec<(&'static str, Vec<u8>)> {
    let hidden = String::from_utf8(delete("")).unwrap();
    let post = |lines: &str, body: &str| -> Vec<u8> {
        let mut sent = head("POST", "/v1/deletions", &format!("content-type: application/json\r\n{lines}"));
        sent.extend(body.as_bytes());
        sent.extend(hidden.as_bytes());
        sent
    };
    let length = hidden.len();
    vec![
        ("CL.TE", post("content-length: 4\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n")),
        ("TE.CL", post("transfer-encoding: chunked\r\ncontent-length: 4\r\n", "0\r\n\r\n")),
        ("TE.CL, all", post(&format!("transfer-encoding: chunked\r\ncontent-length: {}\r\n", length + 5), "0\r\n\r\n")),
        ("CL.TE, all", post(&format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", length + 5), "0\r\n\r\n")),
        ("chunked, identity", post("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n")),
        ("identity", post("transfer-encoding: identity\r\n", "0\r\n\r\n")),
        ("xchunked", post("transfer-encoding: xchunked\r\ncontent-length: 4\r\n", "0\r\n\r\n")),
        ("x, chunked", post("transfer-encoding: x, chunked\r\ncontent-length: 4\r\n", "0\r\n\r\n")),
        ("two TE", post("transfer-encoding: chunked\r\ntransfer-encoding: x\r\n", "0\r\n\r\n")),
        ("two TE, the other way", post("transfer-encoding: x\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n")),
        ("TE with a space", post("transfer-encoding : chunked\r\ncontent-length: 4\r\n", "0\r\n\r\n")),
        ("TE folded", post("transfer-encoding:\r\n chunked\r\ncontent-length: 4\r\n", "0\r\n\r\n")),
        ("TE with a tab", post("transfer-encoding:\tchunked\u{b}\r\ncontent-length: 4\r\n", "0\r\n\r\n")),
        ("two lengths", post("content-length: 4\r\ncontent-length: 0\r\n", "0\r\n\r\n")),
        ("a list of lengths", post("content-length: 0, 4\r\n", "0\r\n\r\n")),
        ("chunks with bare LF", post("transfer-encoding: chunked\r\n", "0\n\n")),
        ("a chunk that is too long", post("transfer-encoding: chunked\r\n", "2\r\n{}{}\r\n0\r\n\r\n")),
        ("an extension with LF", post("transfer-encoding: chunked\r\n", "2;a\nb\r\n{}\r\n0\r\n\r\n")),
        ("a chunked body and more", post("transfer-encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n")),
        ("a trailer", post("transfer-encoding: chunked\r\ntrailer: content-length\r\n", "0\r\ncontent-length: 999\r\n\r\n")),
        (
            "HTTP/1.0 with TE",
            [
                b"POST /v1/deletions HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".as_slice(),
                hidden.as_bytes(),
            ]
            .concat(),
        ),
        (
            "the body of a GET",
            [head("GET", "/v1/deletions", &format!("content-length: {length}\r\n")).as_slice(), hidden.as_bytes()].concat(),
        ),
        (
            "the body of a request that is refused",
            [head("POST", "/v1/nowhere", &format!("content-length: {length}\r\n")).as_slice(), hidden.as_bytes()].concat(),
        ),
        (
            "the body of a method that is refused",
            [head("PUT", "/v1/deletions", &format!("content-length: {length}\r\n")).as_slice(), hidden.as_bytes()].concat(),
        ),
        (
            "an upgrade",
            [
                head("GET", "/livez", "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n").as_slice(),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ]
            .concat(),
        ),
    ]
}

#[tokio::test]
async fn nothing_behind_a_request_becomes_another() {
    let service = Service::with(LIMITS);
    let forms = smuggled();
    for (form, request) in &forms {
        let mut raw = Raw::open(service.addr).await;
        raw.send(request).await;
        let came = raw.closed().await;
        let said = String::from_utf8_lossy(&came).into_owned();
        // What is no request may be said of what came behind it, and of nothing else.
        let (count, bad) =
            (answers(&came), said.matches("HTTP/1.1 400 Bad Request\r\ncontent-length: 0").count());
        assert!(count - bad <= 1, "{form}: {said}");
        nothing_was_deleted(&service).await;
    }
    report::write("smuggled", json!({"forms": forms.len()}));
    service.end().await;
}

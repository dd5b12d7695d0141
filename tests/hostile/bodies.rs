//! Bodies that are too large, too deep, too clever or not what they say.
//!
//! Each holds or hides a target that stands at the vendor, so that a body that was
//! read in another way than meant would delete it. Afterwards nothing was
//! accepted, nothing sent, and no request took more memory than one may.

use std::time::Duration;

use serde_json::json;

use crate::raw::Raw;
use crate::service::{MOST_KB, MOST_OF_ONE_KB, Service};
use crate::{Answer, contract, report};

/// A video that stands.
const VIDEO: &str = "5eed0000000000000000000000000001";
const TARGET: &str = r#"{"kind":"media","id":"5eed0000000000000000000000000001"}"#;
const MIB: usize = 1024 * 1024;

/// Short limits of time, and uploads that end before they are long.
const LIMITS: &str = "[server]\nbody_timeout = \"400ms\"\nrequest_body_deadline = \"1500ms\"\n\
                      [intake]\nmax_items = 1000\nmax_bytes = 4194304\n";

/// A whole JSON body around these targets.
fn around(targets: &str) -> String {
    format!(r#"{{"account":"sandbox-alibaba","targets":[{targets}]}}"#)
}

fn valid() -> String {
    around(TARGET)
}

/// A request to delete many with these header lines; its length is not among them.
fn head(lines: &str) -> Vec<u8> {
    format!("POST /v1/deletions HTTP/1.1\r\nhost: x\r\n{lines}\r\n").into_bytes()
}

fn request(lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [head(&format!("{lines}content-length: {}\r\n", body.len())).as_slice(), body].concat()
}

fn sent_as(kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request(&format!("content-type: {kind}\r\n"), body)
}

fn as_json(body: impl AsRef<[u8]>) -> Vec<u8> {
    sent_as("application/json", body)
}

/// The same for an upload, whose account stands in the query.
fn uploaded(request: &[u8]) -> Vec<u8> {
    let (path, rest) = request.split_at(b"POST /v1/deletions".len());
    [path, b"?account=sandbox-alibaba", rest].concat()
}

fn text(body: impl AsRef<[u8]>) -> Vec<u8> {
    uploaded(&sent_as("text/plain", body))
}

fn lines(body: impl AsRef<[u8]>) -> Vec<u8> {
    uploaded(&sent_as("application/x-ndjson", body))
}

/// A body in chunks of 64 KiB.
fn chunked(kind: &str, body: &[u8]) -> Vec<u8> {
    let mut sent = head(&format!("content-type: {kind}\r\ntransfer-encoding: chunked\r\n"));
    for piece in body.chunks(64 * 1024) {
        sent.extend(format!("{:x}\r\n", piece.len()).as_bytes());
        sent.extend(piece);
        sent.extend(b"\r\n");
    }
    sent.extend(b"0\r\n\r\n");
    sent
}

/// Chunks as they are written here.
fn chunks(raw: &str) -> Vec<u8> {
    let mut sent = head("content-type: application/json\r\ntransfer-encoding: chunked\r\n");
    sent.extend(raw.as_bytes());
    sent
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    around(&format!(r#"{TARGET}],"x":[{}0{}"#, open.repeat(depth), close.repeat(depth)))
}

/// What must come of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A problem of the contract.
    Problem(u16, &'static str),
    /// Not even a request: the frame answers this status without a body and closes.
    Frame(u16),
}

use Wanted::{Frame, Problem};

const MALFORMED: Wanted = Problem(400, "malformed");
const INVALID: Wanted = Problem(422, "invalid");
const TOO_LARGE: Wanted = Problem(413, "too_large");
const TYPE: Wanted = Problem(415, "unsupported_media_type");
const TOO_SLOW: Wanted = Problem(408, "body_too_slow");

/// A class of bad bodies: requests that must all end so.
type Class = (&'static str, Wanted, Vec<Vec<u8>>);

fn classes() -> Vec<Class> {
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let utf16: Vec<u8> = valid().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let doubled = |body: &str| as_json(body.as_bytes());
    vec![
        ("nothing", MALFORMED, vec![as_json(""), as_json("  \r\n\t"), as_json("\0")]),
        (
            "half of it",
            MALFORMED,
            (1..valid().len()).step_by(7).map(|most| as_json(&valid().as_bytes()[..most])).collect(),
        ),
        (
            "more than one document",
            MALFORMED,
            ["{}", ",", "x", "\0", "//", "]", "\u{feff}"]
                .iter()
                .map(|rest| as_json(valid() + rest))
                .chain([as_json(valid() + &valid())])
                .collect(),
        ),
        ("a byte order mark", MALFORMED, vec![as_json(format!("\u{feff}{}", valid()))]),
        (
            "no object",
            MALFORMED,
            ["null", "true", "1", "\"x\"", "[]", TARGET.replace(['{', '}'], "").as_str()]
                .iter()
                .map(as_json)
                .chain([as_json(format!("[{}]", valid())), as_json(format!("{:?}", valid()))])
                .collect(),
        ),
        (
            "almost JSON",
            MALFORMED,
            vec![
                as_json(valid().replace('"', "'")),
                as_json(valid().replace("]}", "],}")),
                as_json(valid().replace("\"kind\"", "kind")),
                as_json(format!("/* */{}", valid())),
                as_json(valid().replace("]}", "],\"x\":NaN}")),
                as_json(valid().replace("]}", "],\"x\":-Infinity}")),
                as_json(valid().replace("]}", "],\"x\":01}")),
                as_json(valid().replace("]}", "],\"x\":0x10}")),
                as_json(valid().replace(':', "=")),
            ],
        ),
        (
            "deep nesting",
            MALFORMED,
            vec![
                as_json(nested("[", "]", 40)),
                as_json(nested("[", "]", 100_000)),
                as_json(nested("{\"a\":", "}", 40)),
                as_json("[".repeat(2 * MIB - 1)),
                as_json("{\"a\":".repeat(400_000)),
            ],
        ),
        (
            "duplicate keys",
            MALFORMED,
            vec![
                doubled(&valid().replacen('{', "{\"account\":\"sandbox-tencent\",", 1)),
                doubled(&valid().replacen('{', "{\"targets\":[],", 1)),
                doubled(&around(&TARGET.replace('}', ",\"id\":\"other\"}"))),
                doubled(&around(&TARGET.replace('}', ",\"\\u0069d\":\"other\"}"))),
                doubled(&around(&TARGET.replace('{', "{\"\\u006b\\u0069\\u006e\\u0064\":\"image\","))),
                doubled(&valid().replace("]}", "],\"x\":{\"a\":{\"b\":1,\"b\":2}}}")),
                doubled(&valid().replace("]}", &format!("],\"{0}\":1,\"{0}\":2}}", "k".repeat(MIB / 2)))),
            ],
        ),
        (
            "bad UTF-8",
            MALFORMED,
            [&b"\xff"[..], b"\xc0\x80", b"\xc1\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
                .iter()
                .map(|bad| {
                    let body = valid().into_bytes();
                    as_json([&body[..body.len() - 1], b",\"x\":\"", bad, b"\"}"].concat())
                })
                .chain([as_json(&utf16), as_json([b"\xff\xfe".as_slice(), &utf16].concat())])
                .collect(),
        ),
        (
            "lone surrogates",
            MALFORMED,
            [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud83dx"]
                .iter()
                .map(|lone| as_json(valid().replace("]}", &format!("],\"reason\":\"{lone}\"}}"))))
                .collect(),
        ),
        (
            "numbers out of bounds",
            MALFORMED,
            ["1e999", "-1e999", &"9".repeat(400)]
                .iter()
                .map(|number| as_json(valid().replace("]}", &format!("],\"x\":{number}}}"))))
                .collect(),
        ),
        (
            "huge numbers as names",
            INVALID,
            ["18446744073709551616", "-1", "1.5", "1e3", &"9".repeat(300)]
                .iter()
                .map(|number| {
                    let target = format!(
                        r#"{{"kind":"renditions","account":"sandbox-tencent","id":"5285890784001000003","definitions":[{number}]}}"#
                    );
                    as_json(around(&target))
                })
                .collect(),
        ),
        (
            "NUL and other control characters",
            INVALID,
            vec![
                as_json(around(&TARGET.replace("01\"", "01\\u0000\""))),
                as_json(around(&TARGET.replace("01\"", "01\\n\""))),
                as_json(valid().replace("]}", "],\"reason\":\"a\\u0000b\"}")),
                as_json(valid().replace("]}", "],\"reason\":\"a\\u0085b\"}")),
            ],
        ),
        (
            "raw control characters",
            MALFORMED,
            vec![
                as_json(around(&TARGET.replace("01\"", "01\0\""))),
                as_json(around(&TARGET.replace("01\"", "01\n\""))),
                as_json(valid().replace(',', ",\u{b}")),
                as_json(valid().replace(',', ",\u{a0}")),
            ],
        ),
        (
            "the wrong type in a field",
            INVALID,
            vec![
                as_json(valid().replace("[{", "{\"0\":{").replace("}]", "}}")),
                as_json(around(&format!("[{TARGET}]"))),
                as_json(around(&format!("{TARGET},\"{VIDEO}\""))),
                as_json(around(&TARGET.replace(&format!("\"{VIDEO}\""), &format!("[\"{VIDEO}\"]")))),
                as_json(around(&TARGET.replace(&format!("\"{VIDEO}\""), &format!("{{\"$ne\":\"{VIDEO}\"}}")))),
                as_json(around(&TARGET.replace("\"media\"", "[\"media\"]"))),
                as_json(around("")),
                as_json(valid().replace("\"sandbox-alibaba\"", "null")),
                as_json(valid().replace("\"sandbox-alibaba\"", "[\"sandbox-alibaba\"]")),
            ],
        ),
        (
            "unknown fields",
            INVALID,
            vec![
                as_json(valid().replace("]}", "],\"dry_runn\":true}")),
                as_json(valid().replace("]}", "],\"__proto__\":{}}")),
                as_json(around(&TARGET.replace('}', ",\"ID\":\"x\"}"))),
                as_json(valid().replace("\"account\"", "\"Account\"")),
                as_json(format!("{{{}\"targets\":[{TARGET}]}}", (0..150_000).fold(String::new(), |all, n| {
                    all + &format!("\"{n}\":0,")
                }))),
            ],
        ),
        (
            "ids of 10 MB, huge bodies",
            TOO_LARGE,
            vec![
                as_json(around(&TARGET.replace(VIDEO, &"x".repeat(10 * MIB)))),
                as_json(format!("{}{}", valid(), " ".repeat(2 * MIB))),
                chunked("application/json", around(&TARGET.replace(VIDEO, &"x".repeat(10 * MIB))).as_bytes()),
                chunked("application/json", &vec![b'['; 32 * MIB]),
                text("x\n".repeat(4 * MIB)),
                uploaded(&chunked("text/plain", format!("{}\n", "x".repeat(4_000)).repeat(2_000).as_bytes())),
                head("content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n"),
            ],
        ),
        (
            "large ids",
            INVALID,
            vec![
                as_json(around(&TARGET.replace(VIDEO, &"x".repeat(MIB)))),
                as_json(around(&format!(r#"{{"kind":"image","url":"https://h/{}"}}"#, "x".repeat(MIB)))),
                as_json(valid().replace("]}", &format!("],\"reason\":\"{}\"}}", "\\u00e9".repeat(300_000)))),
            ],
        ),
        (
            "1,001 targets and more",
            TOO_LARGE,
            vec![
                as_json(around(&vec![TARGET; 1_001].join(","))),
                as_json(around(&vec!["0"; 1_000_000].join(","))),
                as_json(around(&vec!["[]"; 690_000].join(","))),
                text(format!("{VIDEO}\n").repeat(1_001)),
                lines(format!("{TARGET}\n").repeat(1_001)),
            ],
        ),
        (
            "compressed",
            TYPE,
            ["gzip", "br", "zstd", "deflate", "x-gzip", "gzip, gzip", "identity", "GZIP", ""]
                .iter()
                .map(|coding| {
                    request(&format!("content-type: application/json\r\ncontent-encoding: {coding}\r\n"), gzip)
                })
                .chain([
                    uploaded(&request("content-type: application/x-ndjson\r\ncontent-encoding: gzip\r\n", gzip)),
                    uploaded(&request("content-type: text/plain\r\ncontent-encoding: zstd\r\n", valid())),
                ])
                .collect(),
        ),
        ("compressed, and nobody says so", MALFORMED, vec![as_json(gzip), text(gzip), lines(gzip)]),
        (
            "another content type",
            TYPE,
            vec![
                request("", valid()),
                sent_as("", valid()),
                sent_as("application/xml", valid()),
                sent_as("text/json", valid()),
                sent_as("application/json+x", valid()),
                sent_as("application/x-www-form-urlencoded", valid()),
                sent_as("multipart/form-data; boundary=x", valid()),
                sent_as("application/json, text/plain", valid()),
                sent_as("application/json; charset=utf-16", valid()),
                sent_as("application/json; charset=utf-8; charset=utf-7", valid()),
                sent_as("text/plain; charset=utf-16", VIDEO),
                sent_as("text/plain; charset=shift_jis", VIDEO),
                request("content-type: application/json\r\ncontent-type: text/plain\r\n", valid()),
                request("content-type: text/plain\r\ncontent-type: application/json\r\n", valid()),
                request("content-type: application/json\r\ncontent-type: application/json\r\n", valid()),
                sent_as("application/json\u{e9}", valid()),
            ],
        ),
        (
            "a length that is none",
            Frame(400),
            ["-1", "+1", "0x10", "1e3", "10, 11", "18446744073709551616", "", "1 1", "\u{660}"]
                .iter()
                .map(|length| {
                    let mut sent = head(&format!("content-type: application/json\r\ncontent-length: {length}\r\n"));
                    sent.extend(valid().as_bytes());
                    sent
                })
                .chain([[
                    head("content-type: application/json\r\ncontent-length: 10\r\ncontent-length: 88\r\n").as_slice(),
                    valid().as_bytes(),
                ]
                .concat()])
                .collect(),
        ),
        ("a length that is too short", MALFORMED, vec![{
            let mut sent = head("content-type: application/json\r\ncontent-length: 20\r\n");
            sent.extend(valid().as_bytes());
            sent
        }]),
        ("a length that is too long", TOO_SLOW, vec![{
            let mut sent = head("content-type: application/json\r\ncontent-length: 2000\r\n");
            sent.extend(valid().as_bytes());
            sent
        }]),
        (
            "chunks that are none",
            MALFORMED,
            ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n", "ffffffffffffffffff\r\n{}", "2\r\n{}x\r\n0\r\n\r\n", "0x2\r\n{}\r\n"]
                .iter()
                .map(|raw| chunks(raw))
                .chain([chunks(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(64 * 1024)))])
                .collect(),
        ),
        (
            "lines of which none is a target",
            MALFORMED,
            vec![
                text(""),
                text("\n\n# nothing\n\r\n"),
                text(format!("{}\n", "x".repeat(3 * MIB))),
                text("a b\na,b\na\tb\n\u{2028}x\n../x\n"),
                text(format!("{VIDEO}\r{VIDEO}\r")),
                text(format!("{VIDEO}\u{2028}{VIDEO}")),
                text(format!("{VIDEO}\u{85}{VIDEO}\n")),
                text(format!("{VIDEO}\0\n")),
                text(format!("{VIDEO}\u{b}{VIDEO}\u{c}")),
                text(VIDEO.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
                text([VIDEO.as_bytes(), b"\xff\n"].concat()),
                lines(format!("[{TARGET}]\n")),
                lines(around(TARGET)),
                lines(format!("{TARGET}{TARGET}\n{TARGET},\n")),
                lines(format!("{}\n", TARGET.replace('}', ",\"id\":\"x\"}"))),
                lines(format!("{}\n", TARGET.replace('}', ",\"x\":1}"))),
                lines(TARGET.replace(',', ",\n")),
                lines(format!("{}\n", TARGET.replace(VIDEO, &"x".repeat(3 * MIB)))),
                lines(format!("\"{VIDEO}\"\nnull\n7\n")),
                lines("[".repeat(4_000)),
            ],
        ),
        (
            "a key that is none",
            MALFORMED,
            ["", " ", "a b", &"k".repeat(256), "\u{e9}", "a\r\nidempotency-key: b"]
                .iter()
                .map(|key| {
                    request(&format!("content-type: application/json\r\nidempotency-key: {key}\r\n"), valid())
                })
                .collect(),
        ),
    ]
}

/// What is wrong with the end of a request, if it should have been this one.
fn judge(wanted: Wanted, answer: Option<&Answer>) -> Option<String> {
    let is_fine = answer.is_some_and(|answer| match wanted {
        Problem(status, code) => {
            let is_it = (answer.status, answer.code().as_str()) == (status, code);
            if is_it {
                contract::check(&http::Method::POST, "/v1/deletions", answer);
            }
            is_it
        }
        Frame(status) => (answer.status, answer.body.len()) == (status, 0),
    });
    (!is_fine).then(|| format!("{wanted:?} was wanted and {answer:?} came"))
}

#[tokio::test]
async fn no_bad_body_deletes_anything_or_takes_much() {
    let service = Service::with(LIMITS);
    let classes = classes();
    assert!(classes.len() >= 20);
    let (mut requests, mut most, mut worst, mut faults) = (0, 0, "", Vec::new());
    for (class, wanted, bodies) in &classes {
        for (n, body) in bodies.iter().enumerate() {
            service.forget_peak();
            let before = service.resident_kb();
            let answer = Raw::open(service.addr).await.talk(body).await;
            faults.extend(judge(*wanted, answer.as_ref()).map(|fault| format!("{class} {n}: {fault}")));
            let took = service.peak_kb().saturating_sub(before);
            if took > MOST_OF_ONE_KB {
                faults.push(format!("{class} {n} took {took} kB"));
            }
            requests += 1;
            if took > most {
                (most, worst) = (took, *class);
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    service.has_done_nothing().await;
    assert!(service.peak_kb() < MOST_KB);
    report::write(
        "bodies",
        json!({"classes": classes.len(), "requests": requests, "most_kb_of_one": most, "of": worst,
            "resident_kb": service.resident_kb()}),
    );
    service.end().await;
}

#[tokio::test]
async fn a_body_that_trickles_ends_at_its_deadline() {
    let service = Service::with(LIMITS);
    let started = |kind: &str| head(&format!("content-type: {kind}\r\ncontent-length: 2000\r\n"));
    for head in [started("application/json"), uploaded(&started("text/plain"))] {
        let mut raw = Raw::open(service.addr).await;
        raw.send(head).await;
        // Each byte comes within the longest silence, and all of them would take minutes.
        let answer = raw.trickle(b"\n", Duration::from_millis(100)).await;
        assert_eq!(judge(TOO_SLOW, answer.as_ref()), None);
    }
    service.has_done_nothing().await;
    service.end().await;
}

//! What a signature costs, beside the bare hash of the bytes that it covers.
//!
//! Three signatures, each for a call with one id and with twenty. A hash cannot
//! be avoided, so it is the yardstick: `bare` hashes once each the texts that
//! the scheme hashes (body, canonical request, string to sign), `keyed` does the
//! scheme's digests and HMACs without building any text, and `sign` is what a
//! call pays. The ratios at the end come from rounds that take turns, since
//! this machine's speed may change between two of criterion's groups.
//!
//! `cargo bench --bench sign`, or `-- --ratios` for the last table alone.

#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use jiff::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use vodrm::providers::alibaba::sign::{self as acs, Unsigned};
use vodrm::providers::tencent::sign as tc3;
use vodrm::types::secret::Credentials;

/// Rounds of the last table; the median of odd many is one of them.
const ROUNDS: usize = 31;
/// How long one part of a round runs.
const PART: Duration = Duration::from_millis(4);

type Work = Box<dyn Fn()>;

/// One signature and its yardsticks.
struct Case {
    name: &'static str,
    hashed_bytes: usize,
    sign: Work,
    keyed: Work,
    bare: Work,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let cases = cases();
    if !arguments.iter().any(|argument| argument == "--ratios") {
        let mut criterion = Criterion::default().configure_from_args();
        for case in &cases {
            let mut group = criterion.benchmark_group(case.name);
            group.bench_function("sign", |bench| bench.iter(|| (case.sign)()));
            group.bench_function("keyed", |bench| bench.iter(|| (case.keyed)()));
            group.bench_function("bare", |bench| bench.iter(|| (case.bare)()));
            group.finish();
        }
        criterion.final_summary();
    }
    // Under `cargo test` criterion runs each once and so do we.
    if arguments.iter().any(|argument| argument == "--bench") {
        println!(
            "\n{:<10} {:>7} {:>9} {:>9} {:>9} {:>11} {:>11}",
            "signature", "bytes", "sign ns", "keyed ns", "bare ns", "sign/bare", "sign/keyed"
        );
        cases.iter().for_each(compare);
    }
}

/// Medians of rounds in which the three take turns, and the medians of their ratios.
fn compare(case: &Case) {
    let mut rounds = [Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let [sign, keyed, bare] = [&case.sign, &case.keyed, &case.bare].map(time);
        for (all, one) in rounds.iter_mut().zip([sign, keyed, bare, sign / bare, sign / keyed]) {
            all.push(one);
        }
    }
    let [sign, keyed, bare, over_bare, over_keyed] = rounds.map(median);
    println!(
        "{:<10} {:>7} {sign:>9.0} {keyed:>9.0} {bare:>9.0} {over_bare:>10.2}x {over_keyed:>10.2}x",
        case.name, case.hashed_bytes
    );
}

/// Nanoseconds of one turn.
fn time(work: &Work) -> f64 {
    let (began, mut turns) = (Instant::now(), 0_u32);
    while began.elapsed() < PART {
        (0..16).for_each(|_| work());
        turns += 16;
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(turns)
}

fn hash<D: Digest>(text: &str) {
    black_box(D::digest(black_box(text)));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn cases() -> Vec<Case> {
    vec![
        acs3("acs3/1", 1),
        acs3("acs3/20", 20),
        rpc_v1("rpcv1/1", 1),
        rpc_v1("rpcv1/20", 20),
        authorize("tc3/1", 1),
        authorize("tc3/20", 20),
    ]
}

const NONCE: &str = "3156853299f313e23d1673dc12e1703d";
const ALIBABA_HOST: &str = "vod.cn-shanghai.aliyuncs.com";
const TENCENT_HOST: &str = "vod.tencentcloudapi.com";

fn key() -> Credentials {
    Credentials {
        id: "LTAI5tBENCHxNOTxREALxKEY".to_owned(),
        secret: "benchSecretNotReal00000000000000".into(),
        token: None,
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_768_465_800).expect("a second of 2026 is within the calendar")
}

/// As long as the vendor's: 32 hexadecimal digits.
fn video_ids(count: u32) -> Vec<(&'static str, String)> {
    let ids: Vec<String> = (0..count).map(|n| format!("8bc8e94fe4e55abde857188b{n:08x}")).collect();
    vec![("VideoIds", ids.join(","))]
}

fn unsigned<'a>(parameters: &'a [(&'static str, String)]) -> Unsigned<'a> {
    Unsigned { host: ALIBABA_HOST, action: "DeleteVideo", parameters, time: now(), nonce: NONCE }
}

fn acs3(name: &'static str, ids: u32) -> Case {
    let (parameters, key) = (video_ids(ids), key());
    let signed = acs::acs3(&unsigned(&parameters), &key).expect("a plain key signs");
    // The texts as they were hashed, from what was signed; the same signature proves it.
    let header = |name: &str| signed.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let names = ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date"];
    let names = names.into_iter().chain(["x-acs-signature-nonce", "x-acs-version"]);
    let headers: Vec<(&str, &str)> = names.map(|name| (name, header(name))).collect();
    let joined = acs::signed_headers(&headers);
    let canonical = acs::canonical_request(acs::METHOD, &signed.query, &headers, &joined, acs::EMPTY_SHA256);
    let to_sign = acs::acs3_string_to_sign(&canonical);
    let signature = acs::acs3_signature(key.secret.expose(), &to_sign);
    assert!(header("authorization").ends_with(&signature), "these are the texts that acs3 hashes");

    let secret = key.secret.clone();
    let texts = [canonical, to_sign];
    let keyed = texts.clone();
    Case {
        name,
        hashed_bytes: texts.iter().map(String::len).sum(),
        sign: Box::new(move || drop(black_box(acs::acs3(&unsigned(black_box(&parameters)), &key)))),
        keyed: Box::new(move || {
            let [canonical, to_sign] = &keyed;
            hash::<Sha256>(canonical);
            black_box(acs::acs3_signature(secret.expose(), black_box(to_sign)));
        }),
        bare: Box::new(move || texts.iter().for_each(|text| hash::<Sha256>(text))),
    }
}

fn rpc_v1(name: &'static str, ids: u32) -> Case {
    let (parameters, key) = (video_ids(ids), key());
    let signed = acs::rpc_v1(&unsigned(&parameters), &key).expect("a plain key signs");
    let (canonical, _) = signed.query.split_once("&Signature=").expect("the signature comes last");
    let to_sign = acs::rpc_string_to_sign(acs::METHOD, canonical);
    let signature = acs::rpc_signature(key.secret.expose(), &to_sign);
    let sent = acs::canonical_query(&mut [("Signature", signature.as_str())]);
    assert!(signed.query.ends_with(&sent), "this is the text that rpc_v1 hashes");

    let secret = key.secret.clone();
    let (keyed, bare) = (to_sign.clone(), to_sign);
    Case {
        name,
        hashed_bytes: bare.len(),
        sign: Box::new(move || drop(black_box(acs::rpc_v1(&unsigned(black_box(&parameters)), &key)))),
        keyed: Box::new(move || drop(black_box(acs::rpc_signature(secret.expose(), black_box(&keyed))))),
        bare: Box::new(move || hash::<Sha1>(&bare)),
    }
}

fn authorize(name: &'static str, ids: u64) -> Case {
    let key = key();
    let file_id = |n: u64| format!("\"{}\"", 5_285_890_784_000_000_000 + n * 1_000_003);
    let body = match ids {
        1 => format!("{{\"FileId\":{},\"SubAppId\":1500000001}}", file_id(0)),
        _ => format!("{{\"FileIds\":[{}]}}", (0..ids).map(file_id).collect::<Vec<_>>().join(",")),
    };
    let headers = [("content-type", tc3::CONTENT_TYPE), ("host", TENCENT_HOST)];
    let date = tc3::scope_date(now());
    let scope = tc3::credential_scope(&date, tc3::SERVICE);
    let canonical = tc3::canonical_request("POST", "", &headers, &tc3::sha256_hex(body.as_bytes()));
    let to_sign = tc3::string_to_sign(now(), &scope, &canonical);
    let signature = tc3::signature(&tc3::signing_key(&key.secret, &date, tc3::SERVICE), &to_sign);
    let header = tc3::authorize(&key, now(), TENCENT_HOST, body.as_bytes());
    assert!(header.ends_with(&signature), "these are the texts that authorize hashes");

    let secret = key.secret.clone();
    let texts = [body.clone(), canonical, to_sign];
    let keyed = texts.clone();
    Case {
        name,
        hashed_bytes: texts.iter().map(String::len).sum(),
        sign: Box::new(move || {
            drop(black_box(tc3::authorize(&key, now(), TENCENT_HOST, black_box(body.as_bytes()))));
        }),
        keyed: Box::new(move || {
            let [body, canonical, to_sign] = &keyed;
            hash::<Sha256>(body);
            hash::<Sha256>(canonical);
            let key = tc3::signing_key(&secret, black_box(&date), tc3::SERVICE);
            black_box(tc3::signature(&key, black_box(to_sign)));
        }),
        bare: Box::new(move || texts.iter().for_each(|text| hash::<Sha256>(text))),
    }
}

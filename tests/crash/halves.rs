//! SIGKILL while an upload comes in.
//!
//! Its own file because here the client is the one who must not go on: it sends a
//! part of a body, and the process dies at a random moment of that. Nobody may ever
//! see such an upload and nothing of it may be sent; its key must be free for the
//! whole. What a vendor's ledger holds in the end is looked at by the same checker,
//! to which the halves are requests that nobody made.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::checker;
use super::client::{self, Client, Fate};
use super::config::Pace;
use super::evidence::Before;
use super::http;
use super::journal;
use super::kills::given;
use super::load::{self, Form, Request, Size};
use super::report;
use super::stage::{Assets, Stage};

/// Lists of three chunks as the service writes them.
const LIST: usize = 3_000;
const LISTS: usize = 3;
const ASSETS: Assets = Assets { alibaba: 9_300, tencent: 9_300 };
const PACE: Pace = Pace { alibaba: 50, tencent: 800 };
/// What the whole upload names of the last list; its halves name all.
const WHOLE: usize = 1_500;
/// Deaths that each list brings; the last one's key is that of the whole upload.
const DEATHS: usize = 3;
/// Longest time from the last byte that is sent to the death.
const MOMENT_MS: u64 = 150;

/// Sends some of the body, not all.
fn send_half(address: SocketAddr, label: &str, request: &Request, chance: &mut StdRng) -> TcpStream {
    let (method, path, content, body) = request.parts(label);
    let headers = [("idempotency-key", label), ("content-type", content)];
    let mut stream = http::begin(address, method, &path, &headers, body.len()).unwrap();
    let part = chance.random_range(0..body.len());
    stream.write_all(&body[..part]).unwrap();
    std::thread::sleep(Duration::from_millis(chance.random_range(0..MOMENT_MS)));
    stream
}

fn die_while_receiving(vendor: &str, at_tencent: bool) {
    let (seed, from) = (given("VODRM_SEED", 1), Instant::now());
    let mut chance = StdRng::seed_from_u64(seed);
    let stage = Stage::new(ASSETS, PACE);
    let before = Before::look(&stage);
    let items = LIST * LISTS;
    let tencent = if at_tencent { items } else { 0 };
    let size = Size { items, tencent, request: LIST, form: Form::Lines, singles: 0 };
    let mut lists = load::requests(&stage.vendors, size, seed);
    lists.retain(|request| !request.spoiled);
    let (client, mut staged, mut deaths) = (Client::default(), 0, 0);
    for (n, list) in lists.iter().enumerate() {
        // The label that the client's first request gets.
        let label = if n + 1 == lists.len() { "request-0".to_owned() } else { format!("half-{n}") };
        for _ in 0..DEATHS {
            let service = stage.serve();
            let address = service.address().unwrap();
            assert_eq!(client::find(address, &label).unwrap(), None, "half an upload is shown");
            let stream = send_half(address, &label, list, &mut chance);
            assert_eq!(client::find(address, &label).unwrap(), None, "what comes in is shown");
            service.process.kill();
            // Open until here: a client that hangs up is another thing.
            drop(stream);
            deaths += 1;
            staged += journal::staged(&stage.journal_path());
            Stage::fsck(&stage.journal_path());
        }
    }
    assert!(staged > 0, "nothing was on disk when the process died");
    let service = stage.serve();
    client.serve(service.address().unwrap());
    let calls = [&stage.vendors.alibaba, &stage.vendors.tencent].map(|vendor| vendor.ledger().len());
    assert_eq!(calls, [0, 0], "of half an upload something was sent");
    let mut whole = lists.pop().unwrap();
    whole.targets.truncate(WHOLE);
    assert!(matches!(client.submit(&whole), Fate::Accepted(_)), "{:?}", client.asked());
    client.wait_until_over(Duration::from_mins(1));
    let evidence = before.collect(&stage, &client, service, 0);
    let found = checker::check(&evidence);
    assert!(found.violations.is_empty(), "seed {seed}: {}", found.told());
    assert_eq!((evidence.asked.len(), evidence.asked[0].replayed), (1, false), "{:?}", evidence.asked);
    let mut figures = report::figures(&evidence, &found, seed, from.elapsed());
    figures["deaths"] = json!(deaths);
    figures["lines_on_disk_at_deaths"] = json!(staged);
    report::write(&format!("halves at {vendor}"), &figures);
}

#[test]
fn half_an_upload_to_alibaba_is_none() {
    die_while_receiving("alibaba", false);
}

#[test]
fn half_an_upload_to_tencent_is_none() {
    die_while_receiving("tencent", true);
}

//! The process dies at a named place, at each vendor.
//!
//! `src/types/crash.rs` names the places; a build with the feature `crash-points` dies
//! there when it is told to. For each a small job runs into the place, the next
//! process goes on, and the same checker looks at the whole. A place that is never
//! passed fails its test, and one that the code has and no test knows fails another.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::checker;
use super::client::{Client, Fate};
use super::config::Pace;
use super::evidence::{Before, Evidence};
use super::kills::{given, slow_down};
use super::load::{self, Size};
use super::report;
use super::stage::{Assets, Stage};

/// A place, and what must come of a death there.
struct Point {
    name: &'static str,
    /// Which pass of it: the first items go out with the request itself, later ones are claimed.
    nth: u32,
    /// An answer of the vendor is lost, so that a delete can only be inferred.
    loses_answers: bool,
    /// The next process meets the same place while it takes back what it finds.
    twice: bool,
}

const POINTS: [Point; 6] = [
    Point { name: "after-accept", nth: 2, loses_answers: false, twice: false },
    Point { name: "after-claim", nth: 2, loses_answers: false, twice: false },
    Point { name: "request-out", nth: 2, loses_answers: true, twice: false },
    Point { name: "after-answer", nth: 3, loses_answers: true, twice: false },
    Point { name: "before-record", nth: 3, loses_answers: true, twice: true },
    Point { name: "after-record", nth: 3, loses_answers: false, twice: false },
];
/// Named, and passed by no code yet, so tested by nothing.
const NOT_PLACED: [&str; 2] = ["upload-before-seal", "upload-after-seal"];

/// The names in the list, and those in calls of `point` and `while_waiting`.
fn named_in_sources() -> (Vec<String>, Vec<String>) {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let quoted = |text: &str| text.split('"').nth(1).map(str::to_owned);
    let list = std::fs::read_to_string(src.join("types/crash.rs")).unwrap();
    let list = list.split_once("pub const POINTS").unwrap().1.split_once("];").unwrap().0;
    let listed = list.lines().filter(|line| !line.trim().starts_with("//")).filter_map(quoted).collect();
    let (mut passed, mut folders) = (Vec::new(), vec![src]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("types/crash.rs") {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                for call in ["crash::point(", "crash::while_waiting("] {
                    passed.extend(text.split(call).skip(1).filter_map(quoted));
                }
            }
        }
    }
    passed.sort();
    (listed, passed)
}

#[test]
fn every_place_in_the_code_is_listed_and_tested() {
    let (listed, passed) = named_in_sources();
    let mut tested: Vec<String> = POINTS.iter().map(|point| point.name.to_owned()).collect();
    tested.sort();
    assert_eq!(passed, tested, "what the code passes is not what is tested here");
    let mut known: Vec<String> = tested.into_iter().chain(NOT_PLACED.map(str::to_owned)).collect();
    known.sort();
    let mut listed = listed;
    listed.sort();
    assert_eq!(listed, known, "the list in src/types/crash.rs is not what is known here");
    println!("not placed yet, so not tested: {NOT_PLACED:?}");
}

fn die_at(point: &Point, at_tencent: bool, seed: u64) -> Evidence {
    let stage = Stage::new(Assets { alibaba: 300, tencent: 300 }, Pace { alibaba: 50, tencent: 400 });
    // Waiting for an answer is a place only while there is one to wait for.
    slow_down(&stage, if point.name == "request-out" { 400 } else { 10 }, false);
    let before = Before::look(&stage);
    let size = Size { items: 240, tencent: if at_tencent { 240 } else { 0 }, request: 60 };
    let requests = load::requests(&stage.vendors, size, seed);
    let client = Client::default();
    let passes = std::iter::once(point.nth).chain(point.twice.then_some(1));
    let mut deaths = 0;
    let service = std::thread::scope(|scope| {
        let sender = scope.spawn(|| requests.iter().for_each(|request| drop(client.submit(request))));
        for nth in passes {
            let service = stage.serve_by(&[], Some(&format!("{}:{nth}", point.name)));
            // It may be over before it serves.
            if let Some(address) = service.address() {
                client.serve(address);
            }
            let died = service.process.ends(Duration::from_secs(20));
            client.gone();
            assert!(died, "{} was not passed {nth} times:\n{}", point.name, service.process.said());
            let (status, said, _) = service.process.end(Duration::ZERO);
            assert!(status.code().is_none() && said.contains("crash point reached"), "{status}: {said}");
            deaths += 1;
        }
        let service = stage.serve();
        client.serve(service.address().unwrap());
        sender.join().unwrap();
        service
    });
    client.wait_until_over(Duration::from_secs(30));
    before.collect(&stage, &client, service, deaths)
}

fn die_everywhere(vendor: &str, at_tencent: bool) {
    let (seed, from) = (given("VODRM_SEED", 1), Instant::now());
    let mut figures = Map::new();
    for point in &POINTS {
        let evidence = die_at(point, at_tencent, seed);
        let found = checker::check(&evidence);
        let name = point.name;
        assert!(found.violations.is_empty(), "{name} at {vendor}, seed {seed}: {}", found.told());
        assert!(
            found.items >= 240 && !found.outcomes.contains_key("unknown"),
            "{name}: {:?}",
            found.outcomes
        );
        assert!(!point.loses_answers || found.inferred > 0, "{name} at {vendor}: no answer was lost");
        let found_again =
            evidence.asked.iter().any(|asked| asked.looked_up && matches!(asked.fate, Fate::Accepted(_)));
        assert!(name != "after-accept" || found_again, "{name} at {vendor}: whoever asked had an answer");
        figures.insert(name.to_owned(), report::figures(&evidence, &found, seed, from.elapsed()));
    }
    figures.insert("not_placed".to_owned(), json!(NOT_PLACED));
    report::write(&format!("points at {vendor}"), &Value::from(figures));
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points, as tests/run has it")]
fn a_death_at_any_place_of_an_alibaba_call_changes_no_outcome() {
    die_everywhere("alibaba", false);
}

#[test]
#[cfg_attr(not(feature = "crash-points"), ignore = "needs --features crash-points, as tests/run has it")]
fn a_death_at_any_place_of_a_tencent_call_changes_no_outcome() {
    die_everywhere("tencent", true);
}

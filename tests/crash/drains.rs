//! SIGTERM under load, many times.
//!
//! The same job as with kills, but each process is asked to end: it must do so by
//! itself, in time and with exit code 0, and leave nothing behind that anybody could
//! doubt. `VODRM_DRAINS` says how often.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use super::checker;
use super::journal;
use super::kills::{Ends, JOB, given, job};
use super::load::Size;
use super::report;
use super::stage::{Service, Stage};

/// What the contract of the process allows.
const IN_TIME: Duration = Duration::from_secs(25);
/// As many items as ten lives need; the other twenty-five are for kills.
const SMALL: Size = Size { items: 12_000, tencent: 3_500, ..JOB };
const IN_A_ROUND: u64 = 10;

#[test]
fn a_process_that_is_asked_to_end_leaves_nothing_open() {
    let (drains, seed) = (given("VODRM_DRAINS", IN_A_ROUND), given("VODRM_SEED", 1));
    let longest = Mutex::new(Duration::ZERO);
    let end = |stage: &Stage, service: Service| {
        service.process.signal("-TERM");
        let (status, said, took) = service.process.end(IN_TIME);
        assert_eq!(status.code(), Some(0), "{said}");
        let (sending, ambiguous) = journal::loose_ends(&stage.journal_path());
        assert_eq!((sending, ambiguous), (0, 0), "items sending, calls without an answer:\n{said}");
        let mut longest = longest.lock().unwrap();
        *longest = took.max(*longest);
    };
    let mut rounds = Vec::new();
    let mut violations = 0;
    for (round, seed) in (0..drains.div_ceil(IN_A_ROUND)).zip(seed..) {
        let times = (drains - round * IN_A_ROUND).min(IN_A_ROUND);
        println!("round {round}: {times} drains, VODRM_SEED={seed}");
        let from = Instant::now();
        let evidence = job(seed, SMALL, &Ends { times, early: false, end: &end, deadly: false });
        let found = checker::check(&evidence);
        rounds.push(report::figures(&evidence, &found, seed, from.elapsed()));
        println!("{}", found.told());
        violations += found.violations.len();
        // Every answer was waited for, so nothing had to be inferred.
        assert_eq!(found.inferred, 0);
    }
    let longest_s = longest.into_inner().unwrap().as_secs_f64();
    let figures =
        json!({"drains": drains, "longest_s": longest_s, "violations": violations, "rounds": rounds});
    report::write("drains", &figures);
    assert_eq!(violations, 0, "seed {seed}");
}

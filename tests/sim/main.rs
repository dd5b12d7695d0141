//! Seeded simulations of the real dispatch.
//!
//! One seed is one world: accounts with limits and policies, requests of several callers,
//! verbs, decisions, holds, stop switches, process deaths, a failing disk and a faulty
//! vendor, all drawn beforehand. The journal is the model, time is moved by hand,
//! everything runs on one thread, so that a seed always plays the same. `tests/sim/run`
//! plays more of them, and one seed line by line.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed, and the place tells why")]
#![expect(clippy::print_stdout, reason = "a run tells what it played")]

mod checker;

mod clock;

mod gates;

mod journal;

mod plan;

mod run;

mod trace;

mod vendor;

use std::sync::atomic::{AtomicBool, Ordering};

use run::Summary;

/// Seeds of every test run, in parts that run side by side.
const SEEDS: u64 = 500;
const PARTS: u64 = 4;

/// Plays these; the first that fails ends the test and says how to see it again.
fn play(seeds: impl Iterator<Item = u64>) -> Vec<Summary> {
    let one = |seed| match run::run(seed, true) {
        Ok(summary) => summary,
        Err(failure) => panic!(
            "seed {seed}: {}\n\nThe last lines:\n{}\n\nTo see all of it: VODRM_SIM_SEED={seed} tests/sim/run",
            failure.why, failure.trace
        ),
    };
    seeds.map(one).collect()
}

fn part(n: u64) {
    let each = SEEDS / PARTS;
    let all = play(n * each..(n + 1) * each);
    let sum = |of: fn(&Summary) -> usize| all.iter().map(of).sum::<usize>();
    // A world in which nothing goes wrong proves nothing.
    for (what, many) in [
        ("calls", sum(|s| usize::try_from(s.calls).unwrap_or_default())),
        ("deletes that worked", sum(|s| s.effective)),
        ("lost answers", sum(|s| s.lost)),
        ("deaths", sum(|s| usize::try_from(s.lives - 1).unwrap_or_default())),
        ("inferred", sum(|s| s.inferred)),
        ("coalesced", sum(|s| s.coalesced)),
        ("started", sum(|s| s.started)),
        ("approved", sum(|s| s.approved)),
        ("rejected", sum(|s| s.rejected)),
        ("expired", sum(|s| s.expired)),
        ("delayed", sum(|s| s.delayed)),
        ("held", sum(|s| s.held)),
        ("stops", sum(|s| s.stops)),
    ] {
        assert!(many >= 5, "only {many} {what} in {each} worlds");
        println!("{many} {what}");
    }
}

#[test]
fn many_worlds_keep_every_promise_1() {
    part(0);
}

#[test]
fn many_worlds_keep_every_promise_2() {
    part(1);
}

#[test]
fn many_worlds_keep_every_promise_3() {
    part(2);
}

#[test]
fn many_worlds_keep_every_promise_4() {
    part(3);
}

#[test]
fn a_seed_plays_the_same_every_time() {
    for seed in 0..20 {
        let hash = || run::run(seed, false).map_or_else(|failure| panic!("{}", failure.why), |s| s.hash);
        assert_eq!(hash(), hash(), "seed {seed}");
    }
}

#[expect(clippy::disallowed_methods, reason = "tests/sim/run tells so which seeds are wanted")]
fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What `tests/sim/run` asks for; nothing otherwise.
#[test]
#[ignore = "tests/sim/run plays it"]
fn seeds_that_were_asked_for() {
    if let Some(seed) = told("VODRM_SIM_SEED") {
        match run::run(seed, true) {
            Ok(summary) => println!("seed {seed}: {summary:?}"),
            Err(failure) => panic!("seed {seed}: {}\n{}", failure.why, failure.trace),
        }
        return;
    }
    let (from, seeds) = (told("VODRM_SIM_FROM").unwrap_or(0), told("VODRM_SIM_SEEDS").unwrap_or(SEEDS));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    // Who wants to know only whether any fails need not wait for the rest.
    let (first_only, over) = (told("VODRM_SIM_FIRST").is_some(), AtomicBool::new(false));
    let (over, goes_on) = (&over, |_: &u64| !(first_only && over.load(Ordering::Relaxed)));
    let failed = std::thread::scope(|scope| {
        let of_thread = |n: u64| {
            move || {
                let mine = (from..from + seeds).filter(|seed| seed % threads == n);
                let failed = |seed: &u64| match run::run(*seed, true) {
                    Ok(_) => false,
                    Err(failure) => {
                        println!("VODRM_SIM_SEED={seed} tests/sim/run   # {}", failure.why);
                        over.store(true, Ordering::Relaxed);
                        true
                    }
                };
                mine.take_while(goes_on).filter(failed).count()
            }
        };
        let threads: Vec<_> = (0..threads).map(|n| scope.spawn(of_thread(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(1)).sum::<usize>()
    });
    println!("{seeds} seeds from {from}, {failed} failed");
    assert_eq!(failed, 0, "the lines above tell how to see each again");
}

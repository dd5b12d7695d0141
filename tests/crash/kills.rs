//! SIGKILL at random moments of a large job over both vendors.
//!
//! A client sends its requests bit by bit while the process dies again and again,
//! now and then during its start. `VODRM_KILLS` says how often (rounds of 25, each
//! with a journal and vendors of its own), `VODRM_SEED` replays the choices of a
//! run; when exactly a signal arrives is up to the machine.

use std::cell::Cell;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::checker;
use super::client::Client;
use super::config::{MOST_LINES, Pace};
use super::evidence::{Before, Evidence};
use super::load::{self, Form, Request, Size};
use super::report;
use super::stage::{Assets, Stage};

/// Deaths of one job: with more, there would be none left to die in.
const IN_A_ROUND: u64 = 25;
/// A job of 20,000 items lasts as long as a round of deaths at this pace.
const PACE: Pace = Pace { alibaba: 30, tencent: 250 };
pub(crate) const JOB: Size =
    Size { items: 20_000, tencent: 6_000, request: MOST_LINES, form: Form::Lines, singles: 24 };
const ASSETS: Assets = Assets { alibaba: 15_000, tencent: 7_000 };
/// Longest life of a process, from when it serves: of one half shorter than an upload takes, of the
/// other longer.
const LIFE_MS: [u64; 2] = [800, 3_000];
/// After each so many deaths the journal is looked at as it was left.
const LOOKED_AT: u64 = 5;
/// In how many of a hundred lives the process dies before it serves, and how early.
const STILLBORN: u32 = 15;
const BIRTH_MS: u64 = 100;
/// After this part of the deaths the first list is let in, however slow the machine: the rest are
/// deaths with work under way.
const UNHELPED: u64 = 5;
/// Looks at something before the rest is waited for.
const LOOKS: u32 = 5;
/// Longest pause between two requests: they come in during most of the run.
const PAUSE_MS: u64 = 800;
/// What a vendor takes for a delete: when a process ends, calls are under way.
const LATENCY_MS: u64 = 60;
/// What is left after the last death is done within this time.
const REST: Duration = Duration::from_secs(90);

/// A number from the environment, or the usual one.
#[expect(clippy::disallowed_methods, reason = "amount and seed of a run are given from outside")]
pub(crate) fn given(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).unwrap_or_else(|_| usual.to_string());
    text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}"))
}

/// How a process ends, again and again.
pub(crate) struct Ends<'a> {
    pub(crate) times: u64,
    /// Whether it may end while it starts.
    pub(crate) early: bool,
    /// Ends one.
    pub(crate) end: &'a dyn Fn(&Stage, super::stage::Service),
    /// Whether its end is a death, after which calls may be repeated.
    pub(crate) deadly: bool,
}

/// One job, with a process that ends many times.
pub(crate) fn job(seed: u64, size: Size, ends: &Ends<'_>) -> Evidence {
    let mut chance = StdRng::seed_from_u64(seed);
    let stage = Stage::new(ASSETS, PACE);
    slow_down(&stage, LATENCY_MS, true);
    let before = Before::look(&stage);
    let requests = load::requests(&stage.vendors, size, seed);
    let client = Client::default();
    let mut idle = 0;
    let service = std::thread::scope(|scope| {
        let (singles, lists): (Vec<Request>, Vec<Request>) =
            requests.into_iter().partition(|request| request.form == Form::Single);
        // Side by side, so that single assets meet lists that name them too, and come in at any time.
        let (client, chance_of) = (&client, |n| StdRng::seed_from_u64(seed.wrapping_add(n)));
        let senders = [(lists, 1), (singles, 2)]
            .map(|(part, n)| scope.spawn(move || send(client, &part, chance_of(n))));
        let mut done = 0;
        loop {
            let service = stage.serve();
            if done < ends.times && ends.early && chance.random_range(0..100) < STILLBORN {
                std::thread::sleep(Duration::from_millis(chance.random_range(0..BIRTH_MS)));
                (ends.end)(&stage, service);
                done += 1;
                continue;
            }
            let address = service.address();
            client.serve(address.unwrap_or_else(|| panic!("it does not start:\n{}", service.process.said())));
            if done == ends.times {
                for sender in senders {
                    sender.join().unwrap();
                }
                break service;
            }
            if done >= ends.times / UNHELPED {
                client.wait_for_a_list();
            }
            let longest = LIFE_MS[chance.random_range(0..LIFE_MS.len())];
            let life = Duration::from_millis(chance.random_range(0..longest));
            let look = life.mul_f64(chance.random());
            std::thread::sleep(look);
            client.look(&mut chance);
            idle += u64::from(senders.iter().all(ScopedJoinHandle::is_finished) && client.is_all_over());
            std::thread::sleep(life.saturating_sub(look));
            client.gone();
            (ends.end)(&stage, service);
            done += 1;
        }
    });
    // Where the machine is slow the lists may have come in only now.
    (0..LOOKS).for_each(|_| client.look(&mut chance));
    client.wait_until_over(REST);
    // A death without work proves nothing.
    assert!(idle * 5 <= ends.times, "{idle} of {} ends came when all was over", ends.times);
    before.collect(&stage, &client, service, if ends.deadly { ends.times } else { 0 })
}

/// Lets the vendors take their time over deletes. They work at once and answer late, or one of
/// them works late, and does so even if its caller is gone by then.
pub(crate) fn slow_down(stage: &Stage, ms: u64, late: bool) {
    for (vendor, late_effect) in [(&stage.vendors.alibaba, late), (&stage.vendors.tencent, false)] {
        let delay = json!({"kind": "delay", "ms": ms, "late_effect": late_effect});
        let rule = |action| json!({"operation": action, "fault": delay});
        vendor.set_faults(&json!([rule("DeleteVideo"), rule("DeleteMezzanines"), rule("DeleteMedia")]));
    }
}

fn send(client: &Client, requests: &[Request], mut chance: StdRng) {
    for request in requests {
        client.submit(request);
        std::thread::sleep(Duration::from_millis(chance.random_range(0..PAUSE_MS)));
    }
}

#[test]
fn nothing_is_lost_or_invented_however_often_the_process_is_killed() {
    let (kills, seed) = (given("VODRM_KILLS", IN_A_ROUND), given("VODRM_SEED", 1));
    let (mut rounds, mut unsettled) = (Vec::new(), Vec::new());
    let (mut violations, mut deaths, dead) = (0, 0, Cell::new(0));
    for (round, seed) in (0..kills.div_ceil(IN_A_ROUND)).zip(seed..) {
        let times = (kills - round * IN_A_ROUND).min(IN_A_ROUND);
        println!("round {round}: {times} kills, VODRM_SEED={seed}");
        let from = Instant::now();
        let end = |stage: &Stage, service: super::stage::Service| {
            service.process.kill();
            dead.set(dead.get() + 1);
            if dead.get() % LOOKED_AT == 0 {
                Stage::fsck(&stage.journal_path());
            }
        };
        let evidence = job(seed, JOB, &Ends { times, early: true, end: &end, deadly: true });
        let found = checker::check(&evidence);
        rounds.push(report::figures(&evidence, &found, seed, from.elapsed()));
        println!("{}", found.told());
        violations += found.violations.len();
        assert!(evidence.sights.len() > 100, "too little was looked at on the way");
        unsettled.extend(evidence.journal.unsettled);
        let all = |name: &str| rounds.iter().filter_map(|round| round[name].as_u64()).sum::<u64>();
        deaths = all("deaths");
        // After each round: one that fails later, or is stopped, has its figures all the same.
        let figures = json!({"kills": deaths, "items": all("items"), "violations": violations,
            "unsettled": unsettled.len(), "rounds": rounds});
        report::write("kills", &figures);
    }
    assert_eq!((deaths, violations), (kills, 0), "seed {seed}");
    // Even a source, which may be asked for again within a minute only, is so in time.
    assert!(unsettled.is_empty(), "{unsettled:#?}");
}

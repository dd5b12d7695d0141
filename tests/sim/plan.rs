//! One world, drawn from a seed: accounts, objects, requests, verbs, disasters.
//!
//! Everything is drawn before the run begins, so that the run's own choices cannot
//! change what is asked of it.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vodrm::dispatch::retry::Policy;
use vodrm::types::deletion::{IfAbsent, Wanted};
use vodrm::types::lifecycle::Verb;
use vodrm::types::target::{AccountId, Name, Target, What};

use crate::journal::Trouble;
use crate::vendor::{AccountPlan, Object};

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) accounts: Vec<AccountPlan>,
    /// By time.
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) disk: Vec<(Duration, Duration, Trouble)>,
    /// From here on nothing goes wrong any more.
    pub(crate) calm: Duration,
    pub(crate) policy: Policy,
    pub(crate) queue_depth: u64,
    pub(crate) requests: Vec<Ask>,
}

/// What a caller asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) caller: String,
    pub(crate) if_absent: IfAbsent,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) waits: bool,
    /// As lines, in so many pieces; some are broken off before the end.
    pub(crate) upload: Option<bool>,
    /// A key, which another request may have as well.
    pub(crate) key: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    Ask(usize),
    Turn(usize, Verb),
    /// An operator decides what is unknown in it.
    Settle(usize),
    /// The process dies and comes back after this long.
    Die(Duration),
}

fn seconds(chance: &mut StdRng, most: u64) -> Duration {
    Duration::from_millis(chance.random_range(0..most * 1_000))
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let rough = chance.random_range(20..120);
        let calm = Duration::from_secs(rough);
        let accounts: Vec<AccountPlan> =
            (0..chance.random_range(1..4)).map(|n| account(&mut chance, n, rough)).collect();
        let mut requests: Vec<Ask> = Vec::new();
        for _ in 0..chance.random_range(2..7) {
            let ask = request(&mut chance, &accounts);
            requests.push(ask);
        }
        // A caller that is not sure asks again with the same key; or wrongly for something else.
        if let Some(n) = requests.iter().position(|ask| ask.key.is_some()) {
            let mut twin = requests[n].clone();
            if chance.random_bool(0.3) {
                twin.wanted.truncate(1);
            }
            requests.push(twin);
        }
        let mut events: Vec<(Duration, Event)> = Vec::new();
        for n in 0..requests.len() {
            let at = seconds(&mut chance, rough * 2 / 3);
            events.push((at, Event::Ask(n)));
            while chance.random_bool(0.4) {
                let verb = [Verb::Pause, Verb::Resume, Verb::Resume, Verb::Cancel, Verb::Retry, Verb::Retry];
                let verb = verb[chance.random_range(0..verb.len())];
                events.push((at + seconds(&mut chance, rough), Event::Turn(n, verb)));
            }
            if chance.random_bool(0.3) {
                events.push((calm + seconds(&mut chance, 600), Event::Turn(n, Verb::Retry)));
            }
            if chance.random_bool(0.3) {
                events.push((calm + seconds(&mut chance, 900), Event::Settle(n)));
            }
        }
        while chance.random_bool(0.5) {
            let most = if chance.random_bool(0.7) { 3 } else { 90 };
            let down = seconds(&mut chance, most);
            events.push((seconds(&mut chance, rough), Event::Die(down)));
        }
        events.sort_by_key(|(at, _)| *at);
        let mut disk = Vec::new();
        while chance.random_bool(0.35) {
            let troubles =
                [Trouble::Down, Trouble::Full, Trouble::AnswersLost, Trouble::WritesLost, Trouble::Slow];
            let from = seconds(&mut chance, rough);
            let until = (from + seconds(&mut chance, 20)).min(calm);
            disk.push((from, until, troubles[chance.random_range(0..troubles.len())]));
        }
        let policy = Policy {
            max_attempts: chance.random_range(2..9),
            max_age: Duration::from_secs(if chance.random_bool(0.2) { 120 } else { 86_400 }),
            cool_down: Duration::from_secs(30),
        };
        let queue_depth = if chance.random_bool(0.1) { 10 } else { 100_000 };
        Self { accounts, events, disk, calm, policy, queue_depth, requests }
    }
}

fn account(chance: &mut StdRng, n: usize, rough: u64) -> AccountPlan {
    let batches = chance.random_bool(0.65);
    let mut objects = BTreeMap::new();
    for id in 0..40 {
        let mut object = Object { stands: chance.random_bool(0.85), ..Object::default() };
        object.forbidden = chance.random_bool(0.03);
        object.poisoned = chance.random_bool(0.03);
        if chance.random_bool(0.06) {
            object.busy_until = seconds(chance, rough * 2);
        }
        let made_again = chance.random_bool(0.3).then(|| Duration::from_secs(90) + seconds(chance, 200));
        let source = Object {
            stands: object.stands && chance.random_bool(0.8),
            made_again_after: made_again,
            ..Object::default()
        };
        objects.insert(format!("v{id}#source"), source);
        objects.insert(format!("v{id}"), object);
        let image = Object { stands: chance.random_bool(0.8), ..Object::default() };
        objects.insert(image_url(id), image);
    }
    let mut references = BTreeMap::new();
    let mut rebound = Vec::new();
    for n in 0..8 {
        let (reference, object) = (format!("reference-{n}"), format!("r{n}"));
        objects.insert(object.clone(), Object { stands: true, ..Object::default() });
        references.insert(reference.clone(), object);
        if chance.random_bool(0.4) {
            rebound.push((seconds(chance, rough), reference, format!("new-r{n}")));
        }
    }
    let mut outages = Vec::new();
    if chance.random_bool(0.2) {
        let from = seconds(chance, rough);
        outages.push((from, from + seconds(chance, 40)));
    }
    let troubles = [0, 0, 50, 150, 300, 600];
    AccountPlan {
        id: AccountId::parse(&format!("account-{n}")).expect("it is a name"),
        batches,
        qps: chance.random_range(1..20),
        share: if chance.random_bool(0.2) { 1.0 } else { chance.random_range(0.3..1.0) },
        trouble: troubles[chance.random_range(0..troubles.len())],
        outages,
        images_go: chance.random_bool(0.5),
        objects,
        references,
        rebound,
    }
}

fn image_url(n: u64) -> String {
    format!("https://img.example.com/{n}.png")
}

fn request(chance: &mut StdRng, accounts: &[AccountPlan]) -> Ask {
    let many = if chance.random_bool(0.5) { chance.random_range(1..4) } else { chance.random_range(4..28) };
    let images = chance.random_bool(0.2);
    let wanted: Vec<Wanted> = (0..many).map(|_| one(chance, accounts, images)).collect();
    let uploads = chance.random_bool(0.3);
    Ask {
        caller: ["ops", "night-job", "web"][chance.random_range(0..3)].to_owned(),
        if_absent: if chance.random_bool(0.5) { IfAbsent::Ok } else { IfAbsent::Error },
        wanted,
        waits: chance.random_bool(0.3),
        upload: uploads.then(|| chance.random_bool(0.8)),
        key: chance.random_bool(0.25).then(|| format!("key-{}", chance.random_range(0..3))),
    }
}

fn one(chance: &mut StdRng, accounts: &[AccountPlan], images: bool) -> Wanted {
    let account = &accounts[chance.random_range(0..accounts.len())];
    let id = chance.random_range(0..40_u64);
    let (form, name, what) = match chance.random_range(0..10) {
        _ if images && account.batches => ("url", image_url(id), What::Image),
        0 | 1 => ("id", format!("v{id}"), What::Source { force: true }),
        2 if account.batches => ("reference_id", format!("reference-{}", id % 10), What::Media),
        _ => ("id", format!("v{id}"), What::Media),
    };
    let name = Name::parse(form, &name).expect("it is a name");
    Wanted { target: Target { account: account.id.clone(), name, what }, label: None }
}

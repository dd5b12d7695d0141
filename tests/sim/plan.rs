//! One world, drawn from a seed: accounts, objects, requests, verbs, disasters.
//!
//! Everything is drawn before the run begins, so that the run's own choices cannot
//! change what is asked of it.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vodrm::dispatch::retry;
use vodrm::guard::policy::{Policy, Wish};
use vodrm::types::deletion::{IfAbsent, Wanted};
use vodrm::types::hold::HoldId;
use vodrm::types::lifecycle::Verb;
use vodrm::types::target::{AccountId, Kind, Name, Target, What};

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
    pub(crate) policy: retry::Policy,
    /// Items a day, of callers who have such a cap.
    pub(crate) caps: BTreeMap<String, u64>,
    pub(crate) queue_depth: u64,
    pub(crate) requests: Vec<Ask>,
}

/// What a caller asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) caller: String,
    pub(crate) if_absent: IfAbsent,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) wish: Wish,
    pub(crate) waits: bool,
    /// As lines, in so many pieces; some are broken off before the end.
    pub(crate) upload: Option<bool>,
    /// A key, which another request may have as well.
    pub(crate) key: Option<String>,
}

/// Who decides, and what they have seen.
#[derive(Debug, Clone)]
pub(crate) struct Decide {
    pub(crate) verb: Verb,
    pub(crate) by: String,
    /// The digest, or another; or nothing.
    pub(crate) seen: Option<bool>,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    Ask(usize),
    /// A plan is started, a deletion approved or rejected, by whom it may be or not.
    Decide(usize, Decide),
    Hold(AccountId, HoldId),
    Lift(AccountId, HoldId),
    /// Of an account, or of all.
    Stop(Option<AccountId>),
    Restart(Option<AccountId>),
    Turn(usize, Verb),
    /// An operator decides what is unknown in it.
    Settle(usize),
    /// The process dies and comes back after this long.
    Die(Duration),
}

const CALLERS: [&str; 3] = ["ops", "night-job", "web"];
/// Who never asks for a deletion.
pub(crate) const BOSS: &str = "boss";

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
        for (n, ask) in requests.iter().enumerate() {
            let at = seconds(&mut chance, rough * 2 / 3);
            events.push((at, Event::Ask(n)));
            while chance.random_bool(0.4) {
                let verb = [Verb::Pause, Verb::Resume, Verb::Resume, Verb::Cancel, Verb::Retry, Verb::Retry];
                let verb = verb[chance.random_range(0..verb.len())];
                events.push((at + seconds(&mut chance, rough), Event::Turn(n, verb)));
            }
            decisions(&mut chance, ask, at, rough, |at, decide| {
                events.push((at, Event::Decide(n, decide)));
            });
            if chance.random_bool(0.3) {
                events.push((calm + seconds(&mut chance, 600), Event::Turn(n, Verb::Retry)));
            }
            if chance.random_bool(0.3) {
                events.push((calm + seconds(&mut chance, 900), Event::Settle(n)));
            }
        }
        guards(&mut chance, &accounts, rough, |at, event| events.push((at, event)));
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
        let policy = retry::Policy {
            max_attempts: chance.random_range(2..9),
            max_age: Duration::from_secs(if chance.random_bool(0.2) { 120 } else { 86_400 }),
            cool_down: Duration::from_secs(30),
        };
        let queue_depth = if chance.random_bool(0.1) { 10 } else { 100_000 };
        let mut caps = BTreeMap::new();
        for caller in CALLERS.into_iter().chain([BOSS]) {
            if chance.random_bool(0.15) {
                caps.insert(caller.to_owned(), chance.random_range(5..60));
            }
        }
        Self { accounts, events, disk, calm, policy, caps, queue_depth, requests }
    }
}

/// Who starts, approves or rejects a deletion, and when: mostly as is needed, now and then not.
fn decisions(
    chance: &mut StdRng,
    ask: &Ask,
    asked_at: Duration,
    rough: u64,
    mut push: impl FnMut(Duration, Decide),
) {
    let mut at = asked_at;
    let one = |chance: &mut StdRng, verb: Verb, usual: &str| {
        let anybody = ["ops", "night-job", "web", BOSS];
        let by = if chance.random_bool(0.75) { usual } else { anybody[chance.random_range(0..4)] };
        let seen = [None, Some(true), Some(true), Some(true), Some(false)][chance.random_range(0..5)];
        Decide { verb, by: by.to_owned(), seen }
    };
    while ask.wish.dry_run && chance.random_bool(0.75) {
        at += seconds(chance, rough / 2);
        push(at, one(chance, Verb::Start, &ask.caller));
    }
    while chance.random_bool(0.6) {
        at += seconds(chance, rough / 2);
        let verb = [Verb::Approve, Verb::Approve, Verb::Approve, Verb::Reject, Verb::Start]
            [chance.random_range(0..5)];
        push(at, one(chance, verb, BOSS));
    }
}

/// Holds and stop switches, put and lifted at any time.
fn guards(chance: &mut StdRng, accounts: &[AccountPlan], rough: u64, mut push: impl FnMut(Duration, Event)) {
    let any = |chance: &mut StdRng| accounts[chance.random_range(0..accounts.len())].id.clone();
    while chance.random_bool(0.7) {
        let n = chance.random_range(0..40_u64);
        let text = match chance.random_range(0..8) {
            0 => format!("v{}*", n % 4),
            1 => format!("reference-{}", n % 8),
            2 => format!("r{}", n % 8),
            _ => format!("v{n}"),
        };
        let (account, id) = (any(chance), HoldId::parse(&text).expect("it is a name"));
        let at = seconds(chance, rough);
        push(at, Event::Hold(account.clone(), id.clone()));
        if chance.random_bool(0.5) {
            push(at + seconds(chance, rough), Event::Lift(account, id));
        }
    }
    while chance.random_bool(0.25) {
        let account = chance.random_bool(0.7).then(|| any(chance));
        let at = seconds(chance, rough);
        push(at, Event::Stop(account.clone()));
        if chance.random_bool(0.7) {
            push(at + seconds(chance, rough / 2), Event::Restart(account));
        }
    }
}

fn policy(chance: &mut StdRng) -> Policy {
    let minutes = |chance: &mut StdRng| Duration::from_secs(20) + seconds(chance, 200);
    Policy {
        approve_above: chance.random_bool(0.25).then(|| chance.random_range(0..12)),
        approve_kinds: if chance.random_bool(0.1) { vec![Kind::Source] } else { Vec::new() },
        grace: if chance.random_bool(0.15) { seconds(chance, 20) } else { Duration::ZERO },
        require_reason: false,
        plan_valid_for: minutes(chance),
        approval_valid_for: minutes(chance),
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
        policy: policy(chance),
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
        caller: CALLERS[chance.random_range(0..3)].to_owned(),
        if_absent: if chance.random_bool(0.5) { IfAbsent::Ok } else { IfAbsent::Error },
        wanted,
        wish: Wish {
            dry_run: chance.random_bool(0.15),
            check: chance.random_bool(0.4),
            delay: if chance.random_bool(0.2) { seconds(chance, 40) } else { Duration::ZERO },
            ..Wish::default()
        },
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

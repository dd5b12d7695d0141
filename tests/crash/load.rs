//! What is asked for: the requests of a run, made from a seed.
//!
//! Mostly whole assets of both vendors; some sources, some ids that are not there,
//! some duplicates, some kinds that a vendor does not know, and requests that must
//! be refused as a whole although everything they name stands. Each request bears
//! a label of its own as its reason, by which it is found again in the journal.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::config::{ALIBABA, TENCENT};
use super::stage::Vendors;

/// The most that a JSON request takes.
pub(crate) const MOST: usize = 1_000;

/// One thing to delete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    pub(crate) account: String,
    pub(crate) kind: String,
    pub(crate) id: String,
}

impl Target {
    pub(crate) fn new(account: &str, kind: &str, id: &str) -> Self {
        Self { account: account.to_owned(), kind: kind.to_owned(), id: id.to_owned() }
    }

    fn json(&self) -> Value {
        let mut json = json!({"kind": self.kind, "account": self.account, "id": self.id});
        match self.kind.as_str() {
            "source" => json["force"] = true.into(),
            "snapshots" => json["all"] = true.into(),
            _ => {}
        }
        json
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) targets: Vec<Target>,
    /// Makes the whole request one that must be refused.
    pub(crate) spoiled: bool,
}

impl Request {
    pub(crate) fn body(&self, label: &str) -> Value {
        let mut targets: Vec<Value> = self.targets.iter().map(Target::json).collect();
        if self.spoiled {
            targets.push(json!({"kind": "media", "account": ALIBABA, "id": "not an id"}));
        }
        json!({"reason": label, "targets": targets})
    }
}

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Targets in all.
    pub(crate) items: usize,
    /// Of these at the second vendor, whose calls carry one each.
    pub(crate) tencent: usize,
    /// Targets in a request.
    pub(crate) request: usize,
}

/// The requests of a run. Everything they name was found standing, but for what is meant to be missing.
pub(crate) fn requests(vendors: &Vendors, size: Size, seed: u64) -> Vec<Request> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut standing_a = vendors.alibaba.bulk();
    let mut standing_t = vendors.tencent.bulk();
    standing_a.shuffle(&mut chance);
    standing_t.shuffle(&mut chance);
    let (mut of_a, mut of_t) = (standing_a.into_iter(), standing_t.into_iter());
    let mut targets: Vec<Target> = Vec::with_capacity(size.items);
    for n in 0..size.items {
        let tencent = n < size.tencent;
        let (account, next) = if tencent { (TENCENT, of_t.next()) } else { (ALIBABA, of_a.next()) };
        let id = next.expect("the library is large enough");
        // Missing ids look like those of the vendor and continue them.
        let missing = if tencent { format!("99{n:017}") } else { format!("dead{n:028x}") };
        targets.push(match chance.random_range(0..100_u32) {
            0..3 => Target::new(account, "media", &missing),
            3..5 => Target::new(account, "source", &id),
            // Tencent deletes no snapshots by themselves; Alibaba's are a kind of part.
            5 if tencent => Target::new(account, "snapshots", &id),
            _ => Target::new(account, "media", &id),
        });
    }
    targets.shuffle(&mut chance);
    let mut requests: Vec<Request> = targets
        .chunks(size.request)
        .map(|chunk| {
            let mut targets = chunk.to_vec();
            // Some in each are there twice; the request keeps its size.
            for _ in 0..targets.len() / 50 {
                let (from, to) =
                    (chance.random_range(0..targets.len()), chance.random_range(0..targets.len()));
                targets[to] = targets[from].clone();
            }
            Request { targets, spoiled: false }
        })
        .collect();
    // Bystanders: whoever deletes them has deleted what was refused.
    let mut bystanders = |account: &str, ids: &mut dyn Iterator<Item = String>| {
        let targets = ids.take(20).map(|id| Target::new(account, "media", &id)).collect();
        let place = chance.random_range(0..=requests.len());
        requests.insert(place, Request { targets, spoiled: true });
    };
    bystanders(ALIBABA, &mut of_a);
    bystanders(TENCENT, &mut of_t);
    requests
}

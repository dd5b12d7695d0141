//! What is asked for: the requests of a run, made from a seed.
//!
//! Mostly whole assets of both vendors; some sources, some ids that are not there,
//! some duplicates, some kinds that a vendor does not know, and requests that must
//! be refused as a whole although everything they name stands. Lists come as JSON or
//! as uploads; in between single assets, of which lists name every second one too.
//! Each request bears a label of its own as its reason, by which it is found again in
//! the journal, and the same as its key.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::config::{ALIBABA, MOST_LINES, TENCENT};
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

/// How a request goes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A list in one JSON body.
    Json,
    /// A list as an upload, one target a line.
    Lines,
    /// A single asset, by the URL.
    Single,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) targets: Vec<Target>,
    /// Makes the whole request one that must be refused.
    pub(crate) spoiled: bool,
    pub(crate) form: Form,
}

impl Request {
    /// Method, path, content type and body.
    pub(crate) fn parts(&self, label: &str) -> (&'static str, String, &'static str, Vec<u8>) {
        let mut targets: Vec<Value> = self.targets.iter().map(Target::json).collect();
        match self.form {
            Form::Json => {
                if self.spoiled {
                    targets.push(json!({"kind": "media", "account": ALIBABA, "id": "not an id"}));
                }
                let body = json!({"reason": label, "targets": targets}).to_string();
                ("POST", "/v1/deletions".to_owned(), "application/json", body.into_bytes())
            }
            Form::Lines => {
                let mut body = String::new();
                for target in &targets {
                    body.extend([&target.to_string(), "\n"]);
                }
                if self.spoiled {
                    // One line too many, and all before it are on disk by then.
                    body += &"x\n".repeat(MOST_LINES + 1 - targets.len());
                }
                let path = format!("/v1/deletions?reason={label}");
                ("POST", path, "application/x-ndjson", body.into_bytes())
            }
            Form::Single => {
                let Target { account, id, .. } = &self.targets[0];
                let path = format!("/v1/accounts/{account}/media/{id}?reason={label}");
                ("DELETE", path, "", Vec::new())
            }
        }
    }
}

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Targets in all.
    pub(crate) items: usize,
    /// Of these at the second vendor, whose calls carry one each.
    pub(crate) tencent: usize,
    /// Targets in a list.
    pub(crate) request: usize,
    /// How lists go in.
    pub(crate) form: Form,
    /// Single assets in between.
    pub(crate) singles: usize,
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
            Request { targets, spoiled: false, form: size.form }
        })
        .collect();
    // Bystanders: whoever deletes them has deleted what was refused.
    let mut bystanders = |account: &str, ids: &mut dyn Iterator<Item = String>| {
        let targets = ids.take(20).map(|id| Target::new(account, "media", &id)).collect();
        let place = chance.random_range(0..=requests.len());
        requests.insert(place, Request { targets, spoiled: true, form: size.form });
    };
    bystanders(ALIBABA, &mut of_a);
    bystanders(TENCENT, &mut of_t);
    let whole: Vec<Target> = targets.into_iter().filter(|target| target.kind == "media").collect();
    for n in 0..size.singles {
        let target = match n % 4 {
            0 => Target::new(ALIBABA, "media", &of_a.next().unwrap()),
            1 => Target::new(TENCENT, "media", &of_t.next().unwrap()),
            _ => whole[chance.random_range(0..whole.len())].clone(),
        };
        // Not the first: with a list there is something to die in.
        let place = chance.random_range(1..=requests.len());
        requests.insert(place, Request { targets: vec![target], spoiled: false, form: Form::Single });
    }
    requests
}

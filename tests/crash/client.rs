//! A careful client, and what it knows.
//!
//! It sends each request under a label of its own, which is its key too, until it has
//! an answer. When a connection breaks it does not know what became of the request:
//! it waits for the next process, looks for the label, and sends the same again. What
//! it gets must be what it saw: the same deletion back, or a new one if there was none.
//! On the way it looks at what it was promised, so that the checker can tell later
//! whether anything that was shown as over has changed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::Value;

use super::http::{self, Answer};
use super::load::{Request, Target};
use super::process::TOO_LONG;

/// Pause before a refusal that will pass is asked about again.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of a request, as far as the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There is a deletion of it.
    Accepted(String),
    /// Any other answer.
    Refused(u16),
    /// No whole answer yet.
    Unknown,
}

/// A request under one label, sent until it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) label: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) fate: Fate,
    /// How often it was sent and no whole answer came.
    pub(crate) unanswered: u32,
    /// The answer was to a repeat of what had been accepted before.
    pub(crate) replayed: bool,
}

/// An item of a deletion, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) target: Target,
    pub(crate) outcome: Option<String>,
    pub(crate) inferred: bool,
}

/// A deletion, as the API shows it: its state and its counts.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) deletion: String,
    pub(crate) state: String,
    pub(crate) counts: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Place {
    address: Option<SocketAddr>,
    /// Counts processes.
    process: u64,
}

/// The client. Shared by the one who sends and the one who looks.
#[derive(Debug, Default)]
pub(crate) struct Client {
    place: Mutex<Place>,
    moved: Condvar,
    asked: Mutex<Vec<Asked>>,
    /// Earlier looks: an item that was over, and how.
    pub(crate) sights: Mutex<Vec<(String, u32, Shown)>>,
    pub(crate) counted: Mutex<Vec<Counted>>,
}

/// The one way by which requests go in. All else of a run does not care how.
pub(crate) fn upload(address: SocketAddr, label: &str, request: &Request) -> std::io::Result<Answer> {
    let (method, path, content, body) = request.parts(label);
    let headers = [("prefer", "respond-async"), ("idempotency-key", label), ("content-type", content)];
    let headers = if content.is_empty() { &headers[..2] } else { &headers };
    http::exchange(address, method, &path, headers, &body)
}

/// The deletion that an answer is about.
pub(crate) fn deletion(answer: &Answer) -> Option<String> {
    answer.location.as_ref()?.strip_prefix("/v1/deletions/").map(str::to_owned)
}

/// The deletion with a label, if there is one.
pub(crate) fn find(address: SocketAddr, label: &str) -> std::io::Result<Option<String>> {
    let list = get(address, "/v1/deletions?page_size=1000")?;
    let found = list["items"].as_array().unwrap().iter().find(|one| one["reason"] == label);
    Ok(found.map(|one| one["id"].as_str().unwrap().to_owned()))
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<Value> {
    let answer = http::exchange(address, "GET", path, &[], &[])?;
    match answer.status {
        200 => Ok(answer.json()),
        other => Err(std::io::Error::other(format!("{path}: {other}"))),
    }
}

impl Client {
    /// A process serves there now.
    pub(crate) fn serve(&self, address: SocketAddr) {
        let mut place = self.place.lock().unwrap();
        *place = Place { address: Some(address), process: place.process + 1 };
        self.moved.notify_all();
    }

    /// The process is about to end.
    pub(crate) fn gone(&self) {
        self.place.lock().unwrap().address = None;
    }

    /// Where a process serves that came after `process`.
    fn place(&self, after: u64) -> (SocketAddr, u64) {
        let deadline = Instant::now() + TOO_LONG;
        let mut place = self.place.lock().unwrap();
        loop {
            if let Some(address) = place.address.filter(|_| place.process > after) {
                return (address, place.process);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no process serves");
            place = self.moved.wait_timeout(place, left).unwrap().0;
        }
    }

    /// Sends a request until it is answered for good.
    pub(crate) fn submit(&self, request: &Request) -> Fate {
        loop {
            match self.submit_once(request) {
                // It is stopping, or cannot write just now.
                Fate::Refused(429 | 503 | 507) => std::thread::sleep(PAUSE),
                known @ (Fate::Accepted(_) | Fate::Refused(_) | Fate::Unknown) => return known,
            }
        }
    }

    /// Sends a request under one label, again and again until there is an answer.
    pub(crate) fn submit_once(&self, request: &Request) -> Fate {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            let (label, targets) = (format!("request-{}", asked.len()), request.targets.clone());
            asked.push(Asked { label, targets, fate: Fate::Unknown, unanswered: 0, replayed: false });
            asked.len() - 1
        };
        let label = format!("request-{number}");
        let mut unanswered = 0;
        let (mut address, mut process) = self.place(0);
        let answer = loop {
            let found = if unanswered > 0 { find(address, &label) } else { Ok(None) };
            match found.and_then(|found| Ok((found, upload(address, &label, request)?))) {
                // What an end cut off still has the key, for a moment.
                Ok((None, Answer { status: 409, .. })) => {
                    std::thread::sleep(PAUSE);
                    (address, process) = self.place(0);
                }
                Ok((found, answer)) => {
                    let same = answer.replayed.then(|| deletion(&answer).unwrap());
                    assert_eq!(same, found, "{label}, sent again, got {answer:?}");
                    break answer;
                }
                Err(_) => {
                    unanswered += 1;
                    (address, process) = self.place(process);
                }
            }
        };
        let fate = deletion(&answer).map_or(Fate::Refused(answer.status), Fate::Accepted);
        let asked = &mut self.asked.lock().unwrap()[number];
        *asked = Asked { fate: fate.clone(), unanswered, replayed: answer.replayed, ..asked.clone() };
        fate
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until a list was accepted.
    pub(crate) fn wait_for_a_list(&self) {
        let from = Instant::now();
        let is_in = |one: &Asked| one.targets.len() > 1 && matches!(one.fate, Fate::Accepted(_));
        while !self.asked.lock().unwrap().iter().any(is_in) {
            assert!(from.elapsed() < TOO_LONG, "no list comes in");
            std::thread::sleep(PAUSE);
        }
    }

    /// Looks at one deletion while everything goes on; a process may die under it.
    pub(crate) fn look(&self, chance: &mut StdRng) {
        let accepted = accepted(&self.asked());
        let address = self.place.lock().unwrap().address;
        let (Some(address), 1..) = (address, accepted.len()) else { return };
        let id = &accepted[chance.random_range(0..accepted.len())];
        if let Ok(counted) = count(address, id) {
            self.counted.lock().unwrap().push(counted);
        }
        let Ok(page) = get(address, &format!("/v1/deletions/{id}/items?state=done&page_size=200")) else {
            return;
        };
        let mut sights = self.sights.lock().unwrap();
        sights.extend(page["items"].as_array().unwrap().iter().map(|one| {
            let (index, shown) = shown(one);
            (id.clone(), index, shown)
        }));
    }

    /// Whether everything that was accepted is over.
    pub(crate) fn is_all_over(&self) -> bool {
        let (address, _) = self.place(0);
        let list = get(address, "/v1/deletions?state=running&page_size=1");
        list.is_ok_and(|list| list["items"].as_array().unwrap().is_empty())
    }

    /// Waits until everything is over.
    pub(crate) fn wait_until_over(&self, within: Duration) {
        let from = Instant::now();
        while !self.is_all_over() {
            assert!(from.elapsed() < within, "not everything is over after {within:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Every accepted deletion as the API shows it now.
    pub(crate) fn show_all(&self) -> BTreeMap<String, (Counted, Vec<Shown>)> {
        let (address, _) = self.place(0);
        let show = |id: String| {
            let counted = count(address, &id).unwrap();
            let mut items = Vec::new();
            let mut page = format!("/v1/deletions/{id}/items?page_size=1000");
            loop {
                let got = get(address, &page).unwrap();
                for (index, one) in got["items"].as_array().unwrap().iter().map(shown) {
                    assert_eq!(usize::try_from(index).unwrap(), items.len(), "{id} is not shown in order");
                    items.push(one);
                }
                let Some(token) = got["next_page_token"].as_str() else { break };
                page = format!("/v1/deletions/{id}/items?page_size=1000&page_token={token}");
            }
            (id, (counted, items))
        };
        accepted(&self.asked()).into_iter().map(show).collect()
    }
}

fn accepted(asked: &[Asked]) -> Vec<String> {
    let id = |one: &Asked| match &one.fate {
        Fate::Accepted(id) => Some(id.clone()),
        Fate::Refused(_) | Fate::Unknown => None,
    };
    asked.iter().filter_map(id).collect()
}

fn count(address: SocketAddr, id: &str) -> std::io::Result<Counted> {
    let got = get(address, &format!("/v1/deletions/{id}"))?;
    let counts = got["counts"].as_object().unwrap();
    Ok(Counted {
        deletion: id.to_owned(),
        state: got["state"].as_str().unwrap().to_owned(),
        counts: counts.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect(),
    })
}

fn shown(one: &Value) -> (u32, Shown) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let target = &one["target"];
    let target =
        Target { account: text(&target["account"]), kind: text(&target["kind"]), id: text(&target["id"]) };
    let outcome = one["outcome"].as_str().map(str::to_owned);
    let inferred = one["confirmation"] == "inferred";
    (u32::try_from(one["index"].as_u64().unwrap()).unwrap(), Shown { target, outcome, inferred })
}

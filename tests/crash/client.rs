//! A careful client, and what it knows.
//!
//! It sends each request under a label of its own until it has an answer. When a
//! connection breaks it does not know what became of the request: it waits for the
//! next process, looks for the label, and asks again only if the label is not there.
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
    /// 2xx, or found under its label.
    Accepted(String),
    /// Any other status.
    Refused(u16),
    /// No whole answer.
    Unknown,
}

/// A request that was sent once.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) label: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) fate: Fate,
    /// No answer came; the fate is what the next process showed.
    pub(crate) looked_up: bool,
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
fn upload(address: SocketAddr, label: &str, request: &Request) -> std::io::Result<Answer> {
    let body = request.body(label).to_string();
    http::exchange(address, "POST", "/v1/deletions", &[("prefer", "respond-async")], body.as_bytes())
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

    /// Sends a request until it knows what became of it.
    pub(crate) fn submit(&self, request: &Request) -> Fate {
        loop {
            match self.submit_once(request) {
                Fate::Unknown => {}
                // It is stopping, or cannot write just now.
                Fate::Refused(429 | 503 | 507) => std::thread::sleep(PAUSE),
                known @ (Fate::Accepted(_) | Fate::Refused(_)) => return known,
            }
        }
    }

    /// Sends a request once; what is not known is looked up at the next process.
    pub(crate) fn submit_once(&self, request: &Request) -> Fate {
        let (address, process) = self.place(0);
        let number = {
            let mut asked = self.asked.lock().unwrap();
            let label = format!("request-{}", asked.len());
            asked.push(Asked {
                label,
                targets: request.targets.clone(),
                fate: Fate::Unknown,
                looked_up: false,
            });
            asked.len() - 1
        };
        let label = format!("request-{number}");
        let answer = upload(address, &label, request);
        let looked_up = answer.is_err();
        let fate = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                Fate::Accepted(answer.json()["id"].as_str().unwrap().to_owned())
            }
            Ok(answer) => Fate::Refused(answer.status),
            Err(_) => self.look_up(&label, process),
        };
        let asked = &mut self.asked.lock().unwrap()[number];
        (asked.fate, asked.looked_up) = (fate.clone(), looked_up);
        fate
    }

    fn look_up(&self, label: &str, process: u64) -> Fate {
        let from = Instant::now();
        loop {
            assert!(from.elapsed() < TOO_LONG, "{label} cannot be looked up");
            let (address, _) = self.place(process);
            if let Ok(list) = get(address, "/v1/deletions?page_size=1000") {
                let list = list["items"].as_array().unwrap();
                let found = list.iter().find(|one| one["reason"] == label);
                return found
                    .map_or(Fate::Unknown, |one| Fate::Accepted(one["id"].as_str().unwrap().to_owned()));
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
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

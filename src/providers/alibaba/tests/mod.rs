//! The client's tests: what it sends, what it makes of answers, and one real exchange.
//!
//! A folder of their own because they name several of the client's files at once.
//! They are written from the vendor page, not from the simulator.

use super::routes::{SHORT_URL, group, route};
use super::*;
use crate::providers::{ReadFirst, Repeat};
use crate::types::target::{Family, Renditions, Selector, Snapshots};

/// What the client does when it calls.
mod client;

/// Codes and lists to verdicts.
mod outcome;

/// Routes, groups and hosts.
mod routes;

/// Signatures against the vendor's vectors.
mod sign;

/// Calls to parameters.
mod wire;

fn target(what: What, form: &str, name: &str) -> Target {
    let account = AccountId::parse("media-cn").unwrap();
    Target { account, name: Name::parse(form, name).unwrap(), what }
}

fn entry(what: What, form: &str, name: &str, parts: &[PartName]) -> Entry {
    Entry { target: target(what, form, name), asset: None, parts: parts.to_vec() }
}

fn media(id: &str) -> Entry {
    entry(What::Media, "id", id, &[PartName::Asset])
}

fn source(id: &str, force: bool) -> Entry {
    entry(What::Source { force }, "id", id, &[PartName::Source])
}

fn streams(id: &str, jobs: &[&str]) -> Entry {
    let parts: Vec<_> = jobs.iter().map(|job| PartName::Job((*job).to_owned())).collect();
    entry(What::Renditions(Renditions::All), "id", id, &parts)
}

fn stills(id: &str, parts: &[PartName]) -> Entry {
    entry(What::Snapshots(Snapshots::All), "id", id, parts)
}

fn image(form: &str, name: &str) -> Entry {
    entry(What::Image, form, name, &[PartName::Asset])
}

fn attached(id: &str) -> Entry {
    entry(What::AttachedMedia, "id", id, &[PartName::Asset])
}

fn call(action: Action, entries: Vec<Entry>) -> Call {
    let operation = OPERATIONS.iter().find(|operation| operation.name == action.name()).unwrap();
    Call { operation, entries }
}

fn some(definitions: &[&str], job_ids: &[&str], family: Option<Family>) -> What {
    let list = |names: &[&str]| names.iter().map(|name| Selector::parse(name).unwrap()).collect();
    What::Renditions(Renditions::Some { definitions: list(definitions), job_ids: list(job_ids), family })
}

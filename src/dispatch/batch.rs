//! Items that were handed out together become one call. Pure.
//!
//! The journal hands out items of one group; this file fills in the parts that
//! are known without a read and picks those that the call is about, within the
//! operation's limits. What a call of many parts leaves over goes with the item's
//! next call. Its own file because it is the only place that looks at limits of
//! ids; when to call is `lane.rs`, what comes of it is `retry`.

use crate::journal::Claimed;
use crate::providers::{Call, Entry, Operation, Provider, Refusal, Route};
use crate::types::deletion::{Part, Phase, Progress};

/// An item on its way through one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// As the journal handed it out.
    pub claimed: Claimed,
    /// How its target is served.
    pub route: Route,
    /// How far it has come, parts filled in.
    pub progress: Progress,
    /// The parts (by position) that the call is about.
    pub carried: Vec<usize>,
}

/// Makes loads of handed-out items. An item whose account's provider no longer
/// serves its target (the settings changed under the journal) comes back apart.
pub fn load(
    provider: &dyn Provider,
    operation: &Operation,
    items: Vec<Claimed>,
) -> (Vec<Load>, Vec<(Claimed, Refusal)>) {
    let (mut loads, mut refused) = (Vec::new(), Vec::new());
    for claimed in items {
        match provider.route(&claimed.target) {
            Ok(route) => loads.push(one(operation, claimed, route)),
            Err(refusal) => refused.push((claimed, refusal)),
        }
    }
    (loads, refused)
}

fn one(operation: &Operation, claimed: Claimed, route: Route) -> Load {
    let mut progress = claimed.progress.clone().unwrap_or_default();
    if progress.parts.is_empty() {
        progress.parts = route.parts.iter().cloned().map(Part::named).collect();
    }
    let most = progress.crowd.map_or(operation.parts_per_call, |crowd| {
        operation.parts_per_call.min(usize::try_from(crowd).unwrap_or(usize::MAX))
    });
    let fits: fn(&Part) -> bool = match claimed.step.phase {
        Phase::Resolve | Phase::Delete => Part::is_open,
        Phase::Settle => Part::wants_read,
    };
    let carried =
        progress.parts.iter().enumerate().filter(|(_, part)| fits(part)).map(|(n, _)| n).take(most).collect();
    Load { claimed, route, progress, carried }
}

impl Load {
    /// The item's share in a call.
    #[must_use]
    pub fn entry(&self) -> Entry {
        Entry {
            target: self.claimed.target.clone(),
            asset: self.progress.asset.clone(),
            parts: self
                .carried
                .iter()
                .filter_map(|n| self.progress.parts.get(*n))
                .map(|p| p.name.clone())
                .collect(),
        }
    }
}

/// The call that carries these loads.
#[must_use]
pub fn call(operation: &'static Operation, loads: &[Load]) -> Call {
    Call { operation, entries: loads.iter().map(Load::entry).collect() }
}

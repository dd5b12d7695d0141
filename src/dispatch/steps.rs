//! The first call of a target. Pure.
//!
//! Shared by everything that makes items: requests, uploads, retries. What
//! follows after a call is `retry`.

use crate::providers::{Entry, Operation, Provider, Route};
use crate::types::deletion::{PartName, Phase, Step};
use crate::types::target::{MediaId, OperationName, Target};

/// The call that an item begins with.
#[must_use]
pub fn first(provider: &dyn Provider, route: Route, target: &Target) -> Step {
    let (operation, phase) = match route.resolve {
        Some((read, _)) => (read, Phase::Resolve),
        None => (route.delete, Phase::Delete),
    };
    step(provider, operation, phase, target, None, route.parts)
}

/// A call of this operation about these parts.
#[must_use]
pub fn step(
    provider: &dyn Provider,
    operation: &'static Operation,
    phase: Phase,
    target: &Target,
    asset: Option<MediaId>,
    parts: Vec<PartName>,
) -> Step {
    let entry = Entry { target: target.clone(), asset, parts };
    let group = provider.group(operation, &entry);
    Step { operation: OperationName::known(operation.name), phase, group }
}

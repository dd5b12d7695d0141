//! Many targets looked at by few reads. Pure.
//!
//! Packs what a plan wants to see into as few calls as the provider's batch reads allow: targets of
//! one asset share an entry, entries of one group share a call. Its own file because it asks the
//! provider and makes no call; when to call is decided in `dispatch`, which gives each verdict to
//! the targets of its entry.

use std::collections::HashMap;

use super::{Call, Entry, Operation, Provider};
use crate::types::target::Target;

/// One batch read, and whom its verdicts concern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The read.
    pub call: Call,
    /// For each entry of the call the positions of its targets in what was asked, at least one.
    pub targets: Vec<Vec<usize>>,
}

/// The reads that together tell what stands of these targets. A target of which no batch read
/// tells is in none of them.
#[must_use]
pub fn surveys(provider: &dyn Provider, targets: &[Target]) -> Vec<Survey> {
    let mut surveys: Vec<Survey> = Vec::new();
    // Where an asset is read, and the call of each group that has room, by position.
    let mut places: HashMap<(&'static str, Target), (usize, usize)> = HashMap::new();
    let mut open: HashMap<(&'static str, String), usize> = HashMap::new();
    for (position, target) in targets.iter().enumerate() {
        let Some((operation, entry)) = provider.survey(target) else { continue };
        let place = *places.entry((operation.name, entry.target.clone())).or_insert_with(|| {
            let group = (operation.name, provider.group(operation, &entry));
            let room = |at: &usize| surveys.get(*at).is_some_and(has_room);
            let at = open.get(&group).copied().filter(room).unwrap_or_else(|| {
                surveys.push(Survey { call: Call { operation, entries: Vec::new() }, targets: Vec::new() });
                surveys.len() - 1
            });
            open.insert(group, at);
            (at, add(&mut surveys, at, entry))
        });
        if let Some(sharers) = surveys.get_mut(place.0).and_then(|survey| survey.targets.get_mut(place.1)) {
            sharers.push(position);
        }
    }
    surveys
}

fn has_room(survey: &Survey) -> bool {
    let Operation { items_per_call, .. } = *survey.call.operation;
    survey.call.entries.len() < items_per_call
}

/// Adds an entry to a call; answers its position there.
fn add(surveys: &mut [Survey], at: usize, entry: Entry) -> usize {
    surveys.get_mut(at).map_or(0, |survey| {
        survey.call.entries.push(entry);
        survey.targets.push(Vec::new());
        survey.call.entries.len() - 1
    })
}

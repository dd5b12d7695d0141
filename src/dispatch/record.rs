//! What came of items, written down and told.
//!
//! A call's outcome must not be forgotten: it is written for as long as it takes.
//! Then lanes, waiters, counters, forecasts and the watch over failures hear of
//! it. Its own file because verbs give outcomes as well as calls do.

use std::sync::Arc;
use std::time::Duration;

use super::health::Finding;
use super::{Shared, verbs};
use crate::journal::{self, CallRecord, Change, Next, Recorded, Touched};
use crate::types::crash;
use crate::types::deletion::DeletionSeq;
use crate::types::metrics::OutcomeLabels;

/// First wait after the journal failed, and the most that it grows to.
pub(super) const JOURNAL_PAUSE: Duration = Duration::from_millis(100);
pub(super) const JOURNAL_PAUSE_MOST: Duration = Duration::from_secs(5);

/// Records, for as long as it takes: what a call did must not be forgotten.
pub(super) async fn finish(shared: &Arc<Shared>, call: CallRecord, changes: Vec<Change>) {
    let mut pause = JOURNAL_PAUSE;
    // While an outcome waits to be written, its lease may run out; nobody may take the item back.
    let _unrecorded = shared.hold_rescue();
    crash::point("before-record");
    let recorded = loop {
        match shared.journal.record(call.clone(), changes.clone()).await {
            Ok(recorded) => break recorded,
            Err(error @ (journal::Error::Invalid(_) | journal::Error::Unreadable(_))) => {
                // Trying again cannot help; the lease runs out and the items are taken back.
                tracing::error!(lane = %call.lane, %error, "the journal does not take a record");
                return;
            }
            Err(error) => {
                shared.journal_failed(&error);
                shared.clock.sleep(pause).await;
                pause = (pause * 2).min(JOURNAL_PAUSE_MOST);
            }
        }
    };
    crash::point("after-record");
    shared.journal_works();
    announce(shared, &recorded);
    measure(shared, &call, &changes, &recorded);
    // A record that came too late tells of items that others have by now.
    if recorded.stale == 0 {
        for (touched, finding) in examine(shared, &changes, &recorded) {
            verbs::pause_by_itself(shared, touched, finding);
        }
    }
}

/// Tells lanes, waiters and counters what a write did.
pub(super) fn announce(shared: &Shared, recorded: &Recorded) {
    for outcome in &recorded.ended {
        shared.metrics.outcomes.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc();
    }
    for waiting in &recorded.waiting {
        if let Some(lane) = shared.lanes.get(&waiting.lane) {
            lane.arrive(waiting);
        }
    }
    if recorded.stale > 0 {
        tracing::warn!(stale = recorded.stale, "a record came after its lease; another sender had the items");
    }
    for touched in recorded.touched.iter().filter(|touched| touched.finished) {
        shared.forget(touched.seq);
        shared.wakes.wake(&touched.id);
    }
}

/// Feeds the forecasts.
fn measure(shared: &Shared, call: &CallRecord, changes: &[Change], recorded: &Recorded) {
    let now = shared.clock.uptime();
    let mut paces = shared.paces();
    for touched in recorded.touched.iter().filter(|touched| !touched.finished) {
        paces.ended(touched.seq, touched.counts.total - touched.counts.open(), now);
    }
    let leaves = |change: &&Change| match &change.next {
        Next::Ended(_) => true,
        Next::Again { step, .. } => step.operation != call.lane.operation,
    };
    let mut left: Vec<(DeletionSeq, u64)> = Vec::new();
    for change in changes.iter().filter(leaves) {
        match left.iter_mut().find(|(seq, _)| *seq == change.key.deletion) {
            Some((_, items)) => *items += 1,
            None => left.push((change.key.deletion, 1)),
        }
    }
    for (seq, items) in left {
        paces.left(seq, &call.lane, items, now);
    }
}

/// Which deletions should not go on by themselves.
fn examine<'a>(shared: &Shared, changes: &[Change], recorded: &'a Recorded) -> Vec<(&'a Touched, Finding)> {
    let mut runs = shared.runs();
    let mut found = Vec::new();
    for touched in recorded.touched.iter().filter(|touched| !touched.finished) {
        for change in changes.iter().filter(|change| change.key.deletion == touched.seq) {
            if let Next::Ended(ending) = &change.next {
                runs.note(touched, ending);
            }
        }
        let finding = runs.same_failure(touched.seq).or_else(|| super::health::mostly_failed(touched));
        found.extend(finding.map(|finding| (touched, finding)));
    }
    found
}

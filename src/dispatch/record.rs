//! What came of items, written down and told.
//!
//! A call's outcome must not be forgotten: it is written for as long as it takes.
//! Then lanes, waiters and counters hear of it. Its own file because verbs give
//! outcomes as well as calls do.

/// Records, for as long as it takes: what a call did must not be forgotten.
async fn finish(shared: &Arc<Shared>, call: CallRecord, changes: Vec<Change>) {
    let mut pause = JOURNAL_PAUSE;
    // While an outcome waits to be written, its lease may run out; nobody may take the item back.
    let _unrecorded = shared.hold_rescue();
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
    shared.journal_works();
    announce(shared, &recorded);
}

fn announce(shared: &Shared, recorded: &Recorded) {
    for outcome in &recorded.ended {
        shared.metrics.outcomes.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc();
    }
    for lane in recorded.waiting.iter().filter_map(|waiting| shared.lanes.get(&waiting.lane)) {
        lane.arrive(1);
    }
    if recorded.stale > 0 {
        tracing::warn!(stale = recorded.stale, "a record came after its lease; another sender had the items");
    }
    for touched in recorded.touched.iter().filter(|touched| touched.finished) {
        shared.wakes.wake(&touched.id);
    }
}

//! The life cycle: start, approve, reject, pause, resume, cancel, retry, settle.
//!
//! The journal decides by compare-and-set; this file prepares what the journal
//! cannot know (the next call of an item that is opened again), begins the work
//! that goes in steps (`chores.rs`), and wakes lanes and waiters. Who may ask is
//! decided above.

use std::sync::Arc;

use super::chores::{self, Asker};
use super::health::Finding;
use super::{Dispatch, Shared, record};
use crate::journal::audit::SERVICE;
use crate::journal::{self, Asked, Settled, Settlement, Touched, Turned};
use crate::types::deletion::{DeletionId, ItemKey};
use crate::types::lifecycle::{DeletionState, Pause, PauseCode, Turn, Verb, turn as turn_of};

impl Dispatch {
    /// Does what a verb says; `None` if there is no such deletion. The deletion comes
    /// back as it stands after the first step of the work.
    pub async fn turn(&self, deletion: &DeletionId, asked: Asked) -> Result<Option<Turned>, journal::Error> {
        let (shared, id) = (Arc::clone(&self.shared), deletion.clone());
        // A task of its own: a caller who hangs up leaves no verb half done.
        let turning = self.shared.tasks.spawn(async move {
            let turned = match asked.verb {
                Verb::Retry => retry(&shared, &id, Asker { by: asked.by, reason: asked.reason }).await,
                Verb::Pause
                | Verb::Resume
                | Verb::Cancel
                | Verb::Start
                | Verb::Approve
                | Verb::Reject
                | Verb::Lapse => turn(&shared, &id, asked).await,
            };
            turned.inspect_err(|error| shared.journal_failed(error))
        });
        turning.await.unwrap_or_else(|_| Err(half_way()))
    }

    /// Decides an `unknown` item.
    pub async fn settle(&self, key: ItemKey, settlement: Settlement) -> Result<Settled, journal::Error> {
        let shared = Arc::clone(&self.shared);
        let settling = self.shared.tasks.spawn(async move {
            let settled = shared.journal.settle(key, settlement).await;
            let settled = settled.inspect_err(|error| shared.journal_failed(error))?;
            if let Settled::Done(_, recorded) = &settled {
                record::announce(&shared, recorded);
            }
            Ok(settled)
        });
        settling.await.unwrap_or_else(|_| Err(half_way()))
    }
}

fn half_way() -> journal::Error {
    journal::Error::Uncertain("the verb failed half-way".to_owned())
}

/// Every verb but a retry.
pub(super) async fn turn(
    shared: &Arc<Shared>,
    id: &DeletionId,
    mut asked: Asked,
) -> Result<Option<Turned>, journal::Error> {
    if asked.verb == Verb::Pause {
        let (reason, by) = (asked.reason.clone(), Some(asked.by.clone()));
        asked.pause = Some(Pause { code: PauseCode::Operator, reason, by, at: shared.clock.now() });
    }
    let turned = shared.journal.turn(id, asked).await?;
    shared.journal_works();
    let (row, recorded) = match turned {
        Some(Turned::Done(row, recorded)) => (row, recorded),
        // Work that was left by an earlier verb may still be under way: a cancel that was
        // asked for before, or what was found to have expired.
        Some(Turned::Same(ref row) | Turned::Wrong(ref row)) => {
            chores::begin(shared, row.seq);
            shared.wakes.wake(&row.id);
            return Ok(turned);
        }
        other => return Ok(other),
    };
    record::announce(shared, &recorded);
    // Who waits for it sees where it stands.
    shared.wakes.wake(&row.id);
    if row.deadline.is_some() {
        shared.deadline_set.notify_one();
    }
    match row.state {
        DeletionState::Running => {
            // What went wrong before is no news: rows of failures begin anew.
            shared.runs().forget(row.seq);
            shared.recount_and_wake().await;
        }
        DeletionState::Canceled | DeletionState::Rejected | DeletionState::Expired => {
            return end(shared, id, row, recorded).await;
        }
        DeletionState::AwaitingApproval | DeletionState::Scheduled => chores::begin(shared, row.seq),
        DeletionState::Receiving
        | DeletionState::Paused
        | DeletionState::Finished
        | DeletionState::Planned => {}
    }
    Ok(Some(Turned::Done(row, recorded)))
}

/// The first step is made at once, so that a small deletion is told as it ended.
async fn end(
    shared: &Arc<Shared>,
    id: &DeletionId,
    row: journal::DeletionRow,
    recorded: journal::Recorded,
) -> Result<Option<Turned>, journal::Error> {
    // It has ended already: an error here only leaves the rest of the work to others.
    match chores::cancel_step(shared, row.seq).await {
        Ok(false) => {}
        Ok(true) => chores::begin(shared, row.seq),
        Err(error) => {
            shared.journal_failed(&error);
            chores::begin(shared, row.seq);
        }
    }
    let now = shared.journal.deletion(id).await.ok().flatten();
    Ok(Some(Turned::Done(now.unwrap_or(row), recorded)))
}

async fn retry(
    shared: &Arc<Shared>,
    id: &DeletionId,
    asker: Asker,
) -> Result<Option<Turned>, journal::Error> {
    let Some(row) = shared.journal.deletion(id).await? else { return Ok(None) };
    if turn_of(&row.standing(shared.clock.now()), Verb::Retry) == Turn::Wrong {
        return Ok(Some(Turned::Wrong(row)));
    }
    let turned = chores::retry_step(shared, id, row.seq, asker, 0).await?;
    if let Some(Turned::Done(row, _)) = &turned {
        chores::begin(shared, row.seq);
    }
    Ok(turned)
}

/// Pauses a deletion that goes wrong in bulk, once.
pub(super) fn pause_by_itself(shared: &Arc<Shared>, touched: &Touched, finding: Finding) {
    let (seq, id) = (touched.seq, touched.id.clone());
    // Many calls tell the same: one of them acts, or a resume right after would be undone by the next.
    if !shared.pausing().insert(seq) {
        return;
    }
    let shared = Arc::clone(shared);
    shared.tasks.clone().spawn(async move {
        tracing::warn!(deletion.id = %id, code = finding.code.as_str(), why = finding.why, "a deletion is paused by itself");
        let pause = Pause { code: finding.code, reason: Some(finding.why), by: None, at: shared.clock.now() };
        let reason = pause.reason.clone();
        let asked = Asked { reason, pause: Some(pause), ..Asked::of(Verb::Pause, SERVICE) };
        match shared.journal.turn(&id, asked).await {
            Ok(turned) => {
                if let Some(Turned::Done(_, recorded)) = &turned {
                    record::announce(&shared, recorded);
                }
                shared.runs().forget(seq);
                // Who waits for it should look: it will not end by itself.
                shared.wakes.wake(&id);
            }
            // The next record finds the same.
            Err(error) => shared.journal_failed(&error),
        }
        shared.pausing().remove(&seq);
    });
}

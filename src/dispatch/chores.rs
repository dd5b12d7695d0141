//! Work on a deletion that goes in steps: canceling its items, opening them again, looking at
//! what they name, blocking its playback.
//!
//! The journal keeps what is left to do, so the work goes on after a crash. One
//! task per deletion does one small step after the other, so that other writes
//! come in between. Begun by a verb, at the start and by the sweep; how an item is
//! opened again is decided in `retry/reopen.rs`, what is asked of a vendor in `checks.rs` and
//! `quarantine.rs`.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use super::record::{self, JOURNAL_PAUSE, JOURNAL_PAUSE_MOST};
use super::retry::reopen;
use super::wake::Watch;
use super::{Shared, checks, quarantine};
use crate::journal::{self, Chore, ChoreKind, ChoreWord, DeletionRow, Noted, Reopen, Retry, Turned};
use crate::types::deletion::{DeletionId, DeletionSeq};
use crate::types::lifecycle::DeletionState;

/// Items that one step of a cancel ends.
pub(super) const CANCEL_STEP: usize = 1_000;
/// Items that one step of a retry opens.
pub(super) const RETRY_STEP: usize = 500;

/// Deletions that are being worked on, and whether somebody has come with more since.
pub(super) type AtWork = BTreeMap<DeletionSeq, bool>;

/// Works off everything that is left to do.
pub(super) async fn begin_all(shared: &Arc<Shared>) -> Result<(), journal::Error> {
    for chore in shared.journal.chores().await? {
        begin(shared, chore.seq);
    }
    Ok(())
}

/// Works off what is left to do for a deletion, unless somebody does so already.
pub(super) fn begin(shared: &Arc<Shared>, seq: DeletionSeq) {
    let is_new = {
        let mut at_work = shared.at_work();
        let is_known = at_work.contains_key(&seq);
        at_work.insert(seq, is_known);
        !is_known
    };
    if is_new {
        let shared = Arc::clone(shared);
        shared.tasks.clone().spawn(async move { work(&shared, seq).await });
    }
}

/// Until nothing is left to do, or the service stops.
async fn work(shared: &Arc<Shared>, seq: DeletionSeq) {
    let mut pause = JOURNAL_PAUSE;
    loop {
        let left = if shared.stop.is_cancelled() { Ok(false) } else { step(shared, seq).await };
        match left {
            Ok(true) => pause = JOURNAL_PAUSE,
            Ok(false) => {
                let mut at_work = shared.at_work();
                // A verb that came while this step was made may have left more to do.
                match at_work.get_mut(&seq) {
                    Some(more) if *more && !shared.stop.is_cancelled() => *more = false,
                    _ => {
                        at_work.remove(&seq);
                        return;
                    }
                }
            }
            Err(error) => {
                shared.journal_failed(&error);
                tokio::select! {
                    () = shared.stop.cancelled() => {}
                    () = shared.clock.sleep(pause) => pause = (pause * 2).min(JOURNAL_PAUSE_MOST),
                }
            }
        }
    }
}

/// One step; whether there may be more.
async fn step(shared: &Arc<Shared>, seq: DeletionSeq) -> Result<bool, journal::Error> {
    let chores = shared.journal.chores().await?;
    match chores.into_iter().find(|chore| chore.seq == seq) {
        None => Ok(false),
        Some(Chore { kind: ChoreKind::Cancel, .. }) => cancel_step(shared, seq).await,
        Some(Chore { kind: ChoreKind::Retry { from, by, reason }, id, .. }) => {
            let turned = retry_step(shared, &id, seq, Asker { by, reason }, from).await?;
            // Whatever else it was turned to has its own work.
            Ok(matches!(turned, Some(Turned::Done(..))))
        }
        Some(chore) => vendor_step(shared, &chore).await,
    }
}

/// One step of work that asks vendors. It may have to wait for them, or behind a stop switch, for
/// long; it is called off when it is not to be done any more.
async fn vendor_step(shared: &Arc<Shared>, chore: &Chore) -> Result<bool, journal::Error> {
    let word = chore.kind.word();
    // Subscribed before it looks, so that a verb in between is heard of.
    let mut watch = shared.wakes.subscribe(&chore.id);
    match due(word, shared.journal.deletion(&chore.id).await?.as_ref()) {
        Due::Now => {}
        // A resume begins it again.
        Due::Later => return Ok(false),
        Due::Never => {
            let nothing = Noted { chore: word, notes: Vec::new(), next: None };
            return shared.journal.note(chore.seq, nothing).await;
        }
    }
    let over = shared.stop.child_token();
    let errand = async {
        match chore.kind {
            ChoreKind::Check { from } => {
                // The semaphore is never closed.
                let _place = shared.checks.acquire().await;
                checks::step(shared, chore, from, &over).await
            }
            ChoreKind::Quarantine { from } => quarantine::block_step(shared, chore, from, &over).await,
            ChoreKind::Lift { from } => quarantine::lift_step(shared, chore, from, &over).await,
            ChoreKind::Cancel | ChoreKind::Retry { .. } => Ok(()),
        }
    };
    let mut errand = pin!(errand);
    tokio::select! {
        biased;
        done = &mut errand => return done.map(|()| true),
        () = no_longer_due(shared, chore, &mut watch) => over.cancel(),
    }
    // A call under way is waited for: what it does must not come after what follows.
    errand.await.map(|()| true)
}

/// Resolves when the work is not to be done now any more.
async fn no_longer_due(shared: &Shared, chore: &Chore, watch: &mut Watch) {
    loop {
        watch.woken().await;
        // A journal that cannot be read is no reason to stop.
        let Ok(row) = shared.journal.deletion(&chore.id).await else { continue };
        if due(chore.kind.word(), row.as_ref()) != Due::Now {
            return;
        }
    }
}

/// Whether work that asks vendors is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    /// When the deletion is resumed.
    Later,
    /// It has lost its sense.
    Never,
}

fn due(word: ChoreWord, row: Option<&DeletionRow>) -> Due {
    let row = row.filter(|row| row.chore == Some(word));
    row.map_or(Due::Never, |row| due_in(word, row.state))
}

fn due_in(word: ChoreWord, state: DeletionState) -> Due {
    use DeletionState::{
        AwaitingApproval, Canceled, Expired, Finished, Paused, Planned, Receiving, Rejected, Running,
        Scheduled,
    };
    match (word, state) {
        (ChoreWord::Lift, _) | (ChoreWord::Check, Planned) | (ChoreWord::Quarantine, Scheduled) => Due::Now,
        (ChoreWord::Quarantine, Paused) => Due::Later,
        (
            ChoreWord::Cancel | ChoreWord::Retry | ChoreWord::Check | ChoreWord::Quarantine,
            Receiving | Running | Paused | Finished | Canceled | Planned | AwaitingApproval | Rejected
            | Expired | Scheduled,
        ) => Due::Never,
    }
}

/// One step of a cancel; whether there is more.
pub(super) async fn cancel_step(shared: &Arc<Shared>, seq: DeletionSeq) -> Result<bool, journal::Error> {
    let moves = shared.moves();
    let (recorded, more) = shared.journal.cancel_step(seq, CANCEL_STEP).await?;
    shared.journal_works();
    record::announce(shared, &recorded);
    drop(moves);
    if !more {
        // What was sent goes on to its outcome.
        shared.wake_lanes_of(seq).await;
    }
    Ok(more)
}

/// Who asked for a retry, and why.
pub(super) struct Asker {
    pub(super) by: String,
    pub(super) reason: Option<String>,
}

/// One step of a retry, from an index on.
pub(super) async fn retry_step(
    shared: &Arc<Shared>,
    id: &DeletionId,
    seq: DeletionSeq,
    asker: Asker,
    from: u32,
) -> Result<Option<Turned>, journal::Error> {
    let (items, next) = page(shared, seq, from).await?;
    let retry = Retry { items, next, by: asker.by, reason: asker.reason };
    let _moves = shared.moves();
    let turned = shared.journal.retry(id, retry).await?;
    shared.journal_works();
    if let Some(Turned::Done(_, recorded)) = &turned {
        record::announce(shared, recorded);
    }
    Ok(turned)
}

/// Items to open from an index on, and where to look next. Pages of nothing that can be opened are passed over.
async fn page(
    shared: &Shared,
    seq: DeletionSeq,
    mut from: u32,
) -> Result<(Vec<Reopen>, Option<u32>), journal::Error> {
    loop {
        let rows = shared.journal.retriable(seq, from, RETRY_STEP).await?;
        let last = rows.last().filter(|_| rows.len() >= RETRY_STEP);
        let next = last.map(|row| row.key.index.saturating_add(1));
        let now = shared.clock.now();
        let open = |row: &journal::ItemRow| {
            let account = shared.accounts.get(&row.wanted.as_ref()?.target.account)?;
            reopen::reopen(account.provider.as_ref(), row, now)
        };
        let items: Vec<Reopen> = rows.iter().filter_map(open).collect();
        match next {
            Some(next) if items.is_empty() => from = next,
            next => return Ok((items, next)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_asked_only_while_it_makes_sense() {
        let now = |word| {
            let due = |state: &DeletionState| due_in(word, *state) == Due::Now;
            DeletionState::ALL.into_iter().filter(due).collect::<Vec<_>>()
        };
        assert_eq!(now(ChoreWord::Check), [DeletionState::Planned]);
        assert_eq!(now(ChoreWord::Quarantine), [DeletionState::Scheduled], "not before it is approved");
        assert_eq!(now(ChoreWord::Lift), DeletionState::ALL, "whatever ended it, our blocks go");
        assert_eq!(due_in(ChoreWord::Quarantine, DeletionState::Paused), Due::Later);
        assert_eq!(due_in(ChoreWord::Quarantine, DeletionState::Running), Due::Never);
    }
}

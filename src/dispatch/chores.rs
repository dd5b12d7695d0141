//! Work on a deletion that goes in steps: canceling its items, opening them again.
//!
//! The journal keeps what is left to do, so the work goes on after a crash. One
//! task per deletion does one small step after the other, so that other writes
//! come in between. Begun by a verb, at the start and by the sweep; how an item is
//! opened again is decided in `retry/reopen.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use super::record::{self, JOURNAL_PAUSE, JOURNAL_PAUSE_MOST};
use super::retry::reopen;
use crate::journal::{self, Chore, ChoreKind, Reopen, Retry, Turned};
use crate::types::deletion::{DeletionId, DeletionSeq};

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
        Some(Chore {
            kind: ChoreKind::Check { .. } | ChoreKind::Quarantine { .. } | ChoreKind::Lift { .. },
            ..
        }) => Ok(false),
        Some(Chore { kind: ChoreKind::Cancel, .. }) => cancel_step(shared, seq).await,
        Some(Chore { kind: ChoreKind::Retry { from, by, reason }, id, .. }) => {
            let turned = retry_step(shared, &id, seq, Asker { by, reason }, from).await?;
            // Whatever else it was turned to has its own work.
            Ok(matches!(turned, Some(Turned::Done(..))))
        }
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

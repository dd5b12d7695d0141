//! The journal in one SQLite file, for one process.
//!
//! A thread that owns the writing connection commits what has queued up in one
//! go (`writer`); a few connections read beside it (`readers`). This file joins
//! the two into a [`Journal`]; the statements stand by subject in the files
//! below. When something is sent is not known here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    Accepted, Asked, Begun, CallRecord, Change, Chore, Claim, Claimed, DeletionFilter, DeletionRow, Error,
    ItemFilter, ItemRow, Journal, LaneShare, Lapsed, NewDeletion, NewItem, NewUpload, Noted, Once, OpenLane,
    Receipt, Recorded, Rescue, Retry, Seal, Sealed, Settled, Settlement, Turned, audit,
};
use crate::types::clock::Clock;
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::lifecycle::Pause;
use crate::types::metrics::Metrics;
use crate::types::target::AccountId;

mod open;

mod writer;

mod readers;

mod accept;

mod stage;

mod keys;

mod caps;

mod items;

mod handout;

mod turns;

mod queues;

mod coalesce;

mod record;

mod writing;

mod chain;

mod folded;

mod verify;

mod lifecycle;

mod chores;

mod notes;

mod holds;

mod settle;

mod clean;

mod epoch;

mod fsck;

mod backup;

mod reads;

mod words;

mod rows;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod safekeeping;

#[cfg(test)]
mod tampering;

pub use backup::{BackupError, backup};
pub use fsck::{FINDINGS_PER_RULE, Finding, Report, fsck};
pub use open::{Moved, OpenError};
pub use verify::{AuditReport, verify};

const CHECK: &str = "UPDATE probe SET checked_at = ?1 WHERE id = 1";

/// Every statement, for the check at the start that all fit the tables.
fn statements() -> impl Iterator<Item = &'static str> {
    let of_files: [&'static [&'static str]; 23] = [
        &[CHECK],
        &accept::STATEMENTS,
        &stage::STATEMENTS,
        &keys::STATEMENTS,
        &caps::STATEMENTS,
        &items::STATEMENTS,
        &handout::STATEMENTS,
        &turns::STATEMENTS,
        &queues::STATEMENTS,
        &coalesce::STATEMENTS,
        &record::STATEMENTS,
        &writing::STATEMENTS,
        &chain::STATEMENTS,
        &folded::STATEMENTS,
        &lifecycle::STATEMENTS,
        &chores::STATEMENTS,
        &notes::STATEMENTS,
        &holds::STATEMENTS,
        &settle::STATEMENTS,
        &clean::STATEMENTS,
        &epoch::STATEMENTS,
        &reads::STATEMENTS,
        &words::STATEMENTS,
    ];
    of_files.into_iter().flatten().copied()
}

/// The journal in one file.
#[derive(Debug)]
pub struct SqliteJournal {
    writer: writer::Writer,
    readers: Arc<readers::Readers>,
    clock: Arc<dyn Clock>,
}

impl SqliteJournal {
    /// Opens the file, made if it is missing, and locks it for as long as the
    /// journal lives. Blocks while it does so: meant for the start.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, metrics: Metrics) -> Result<Self, OpenError> {
        Self::open_moved(path, clock, metrics, Moved::Pause)
    }

    /// The same, with a say about what happens if it was restored or copied.
    pub fn open_moved(
        path: &Path,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        moved: Moved,
    ) -> Result<Self, OpenError> {
        let (connection, lock) = open::for_writing(path, clock.now(), moved)?;
        let readers = readers::Readers::open(path)
            .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        let writer = writer::Writer::start(connection, lock, Arc::clone(&clock), metrics)
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Ok(Self { writer, readers, clock })
    }

    /// A write that takes the store's time as it runs, so that times rise in
    /// the order of the commits.
    async fn write<T: Send + 'static>(
        &self,
        rows: usize,
        work: impl FnOnce(&Connection, jiff::Timestamp) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let clock = Arc::clone(&self.clock);
        self.writer.write(rows, move |connection| work(connection, clock.now())).await
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, deletion: NewDeletion) -> Result<Accepted, Error> {
        self.write(deletion.items.len() + 1, move |c, now| accept::append(c, now, &deletion)).await
    }

    async fn known(&self, requested_by: &str, once: &Once) -> Result<Option<Accepted>, Error> {
        let (caller, once, now) = (requested_by.to_owned(), once.clone(), self.clock.now());
        self.readers.read(move |c| keys::known(c, now, &caller, &once)).await
    }

    async fn begin(&self, upload: NewUpload) -> Result<Begun, Error> {
        self.write(1, move |c, now| stage::begin(c, now, &upload)).await
    }

    async fn stage(&self, upload: DeletionSeq, from: u32, items: Vec<NewItem>) -> Result<(), Error> {
        self.write(items.len() + 1, move |c, now| stage::stage(c, now, upload, from, &items)).await
    }

    async fn seal(&self, upload: DeletionSeq, seal: Seal) -> Result<Sealed, Error> {
        self.write(1, move |c, now| stage::seal(c, now, upload, &seal)).await
    }

    async fn discard(&self, upload: DeletionSeq) -> Result<(), Error> {
        self.write(1, move |c, _| stage::discard(c, upload).map(drop)).await
    }

    async fn discard_unsealed(&self, begun_before: jiff::Timestamp) -> Result<usize, Error> {
        self.write(1, move |c, _| stage::discard_unsealed(c, begun_before)).await
    }

    async fn turn(&self, deletion: &DeletionId, asked: Asked) -> Result<Option<Turned>, Error> {
        let id = deletion.clone();
        self.write(1, move |c, now| lifecycle::turn_to(c, now, &id, &asked)).await
    }

    async fn cancel_step(&self, deletion: DeletionSeq, max: usize) -> Result<(Recorded, bool), Error> {
        self.write(max, move |c, now| chores::cancel_step(c, now, deletion, max)).await
    }

    async fn retriable(&self, deletion: DeletionSeq, from: u32, limit: usize) -> Result<Vec<ItemRow>, Error> {
        self.readers.read(move |c| reads::retriable(c, deletion, from, limit)).await
    }

    async fn retry(&self, deletion: &DeletionId, retry: Retry) -> Result<Option<Turned>, Error> {
        let id = deletion.clone();
        self.write(retry.items.len() + 1, move |c, now| settle::retry(c, now, &id, &retry)).await
    }

    async fn settle(&self, key: ItemKey, settlement: Settlement) -> Result<Settled, Error> {
        self.write(1, move |c, now| settle::settle(c, now, key, &settlement)).await
    }

    async fn note(&self, deletion: DeletionSeq, noted: Noted) -> Result<bool, Error> {
        self.write(noted.notes.len() + 1, move |c, now| notes::note(c, now, deletion, &noted)).await
    }

    async fn lapsed(&self, limit: usize) -> Result<Lapsed, Error> {
        let now = self.clock.now();
        self.readers.read(move |c| lifecycle::lapsed(c, now, limit)).await
    }

    async fn hold(&self, hold: Hold) -> Result<(), Error> {
        self.write(1, move |c, now| holds::hold(c, now, &hold)).await
    }

    async fn lift(&self, account: &AccountId, id: &HoldId, by: &str) -> Result<Option<Hold>, Error> {
        let (account, id, by) = (account.clone(), id.clone(), by.to_owned());
        self.write(1, move |c, now| holds::lift(c, now, &account, &id, &by)).await
    }

    async fn holds(&self) -> Result<Vec<Hold>, Error> {
        self.readers.read(holds::holds).await
    }

    async fn stop(&self, stop: Stop) -> Result<bool, Error> {
        self.write(1, move |c, now| holds::stop(c, now, &stop)).await
    }

    async fn restart(
        &self,
        account: Option<&AccountId>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<bool, Error> {
        let (account, by, reason) = (account.cloned(), by.to_owned(), reason.map(str::to_owned));
        self.write(1, move |c, now| holds::restart(c, now, account.as_ref(), &by, reason.as_deref())).await
    }

    async fn stops(&self) -> Result<Vec<Stop>, Error> {
        self.readers.read(holds::stops).await
    }

    async fn audit(&self, entries: Vec<audit::Entry>) -> Result<(), Error> {
        self.write(entries.len(), move |c, now| chain::add_all(c, now, &entries)).await
    }

    async fn audited(&self, filter: audit::AuditFilter, limit: usize) -> Result<Vec<audit::Record>, Error> {
        self.readers.read(move |c| chain::audited(c, &filter, limit)).await
    }

    async fn chores(&self) -> Result<Vec<Chore>, Error> {
        self.readers.read(chores::chores).await
    }

    async fn pause_all(&self, pause: Pause) -> Result<usize, Error> {
        self.write(1, move |c, now| lifecycle::pause_all(c, now, &pause)).await
    }

    async fn clean(&self, finished_before: jiff::Timestamp, max: usize) -> Result<bool, Error> {
        self.write(max, move |c, now| clean::clean(c, now, finished_before, max)).await
    }

    async fn shares(&self, deletion: DeletionSeq) -> Result<Vec<LaneShare>, Error> {
        self.readers.read(move |c| reads::shares(c, deletion)).await
    }

    async fn outcomes(&self, deletion: DeletionSeq, after: u32, limit: usize) -> Result<Vec<ItemRow>, Error> {
        self.readers.read(move |c| reads::outcomes(c, deletion, after, limit)).await
    }

    async fn size(&self) -> Result<u64, Error> {
        let path = self.readers.path().to_owned();
        self.readers.read(move |_| open::size(&path)).await
    }

    async fn claim(&self, lane: &LaneId, max: usize, lease: Duration) -> Result<Claim, Error> {
        let lane = lane.clone();
        let rows = max.min(turns::CANDIDATES) + 1;
        self.write(rows, move |c, now| handout::claim(c, now, &lane, max, lease)).await
    }

    async fn record(&self, call: CallRecord, changes: Vec<Change>) -> Result<Recorded, Error> {
        self.write(changes.len() + 1, move |c, now| record::record(c, now, &call, &changes)).await
    }

    async fn rescue(&self, which: Rescue, max: usize, lease: Duration) -> Result<Vec<Claimed>, Error> {
        self.write(max, move |c, now| handout::rescue(c, now, which, max, lease)).await
    }

    async fn open_lanes(&self) -> Result<Vec<OpenLane>, Error> {
        self.readers.read(reads::open_lanes).await
    }

    async fn deletion(&self, id: &DeletionId) -> Result<Option<DeletionRow>, Error> {
        let id = id.clone();
        self.readers.read(move |c| reads::deletion(c, &id)).await
    }

    async fn deletions(&self, filter: DeletionFilter, limit: usize) -> Result<Vec<DeletionRow>, Error> {
        self.readers.read(move |c| reads::deletions(c, &filter, limit)).await
    }

    async fn items(
        &self,
        deletion: DeletionSeq,
        filter: ItemFilter,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error> {
        self.readers.read(move |c| reads::items(c, deletion, &filter, limit)).await
    }

    async fn item(&self, key: ItemKey) -> Result<Option<Receipt>, Error> {
        self.readers.read(move |c| reads::item(c, key)).await
    }

    async fn items_of(
        &self,
        account: &AccountId,
        id: &str,
        before: Option<ItemKey>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error> {
        let (account, id) = (account.clone(), id.to_owned());
        self.readers.read(move |c| reads::items_of(c, &account, &id, before, limit)).await
    }

    async fn check(&self) -> Result<(), Error> {
        self.write(1, |c, now| {
            c.prepare_cached(CHECK)?.execute([rows::millis(now)])?;
            Ok(())
        })
        .await
    }

    async fn close(&self) {
        // Readers first: an open read would keep the last checkpoint from its end.
        let queue = self.writer.stop();
        self.readers.close().await;
        drop(queue);
        self.writer.ended().await;
    }
}

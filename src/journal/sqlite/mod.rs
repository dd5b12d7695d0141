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

mod items;

mod handout;

mod turns;

mod queues;

mod coalesce;

mod record;

mod writing;

mod lifecycle;

mod chores;

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

pub use backup::{BackupError, backup};
pub use fsck::{FINDINGS_PER_RULE, Finding, Report, fsck};
pub use open::{Moved, OpenError};

const CHECK: &str = "UPDATE probe SET checked_at = ?1 WHERE id = 1";

/// Every statement, for the check at the start that all fit the tables.
fn statements() -> impl Iterator<Item = &'static str> {
    let of_files: [&'static [&'static str]; 18] = [
        &[CHECK],
        &accept::STATEMENTS,
        &stage::STATEMENTS,
        &keys::STATEMENTS,
        &items::STATEMENTS,
        &handout::STATEMENTS,
        &turns::STATEMENTS,
        &queues::STATEMENTS,
        &coalesce::STATEMENTS,
        &record::STATEMENTS,
        &writing::STATEMENTS,
        &lifecycle::STATEMENTS,
        &chores::STATEMENTS,
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
        self.write(1, move |c, now| stage::seal(c, now, upload, &seal).map(Sealed::Done)).await
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

    async fn note(&self, _deletion: DeletionSeq, _noted: Noted) -> Result<bool, Error> {
        Err(Error::Invalid("not built yet".to_owned()))
    }

    async fn lapsed(&self, _limit: usize) -> Result<Lapsed, Error> {
        Ok(Lapsed { ids: Vec::new(), next: None })
    }

    async fn hold(&self, _hold: Hold) -> Result<(), Error> {
        Err(Error::Invalid("not built yet".to_owned()))
    }

    async fn lift(&self, _account: &AccountId, _id: &HoldId, _by: &str) -> Result<Option<Hold>, Error> {
        Err(Error::Invalid("not built yet".to_owned()))
    }

    async fn holds(&self) -> Result<Vec<Hold>, Error> {
        Ok(Vec::new())
    }

    async fn stop(&self, _stop: Stop) -> Result<bool, Error> {
        Err(Error::Invalid("not built yet".to_owned()))
    }

    async fn restart(
        &self,
        _account: Option<&AccountId>,
        _by: &str,
        _reason: Option<&str>,
    ) -> Result<bool, Error> {
        Err(Error::Invalid("not built yet".to_owned()))
    }

    async fn stops(&self) -> Result<Vec<Stop>, Error> {
        Ok(Vec::new())
    }

    async fn audit(&self, _entries: Vec<audit::Entry>) -> Result<(), Error> {
        Ok(())
    }

    async fn audited(&self, _filter: audit::AuditFilter, _limit: usize) -> Result<Vec<audit::Record>, Error> {
        Ok(Vec::new())
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

//! The one thread that writes.
//!
//! It owns the only connection that can write and the lock on the file. Writes
//! come to it through a bounded queue; what has queued up while one commit went
//! to disk shares the next one, each in its own savepoint, and every caller is
//! answered after the commit. A caller who has gone away changes nothing: the
//! write is here already. What is written is not known here.

use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{oneshot, watch};

use crate::journal::Error;
use crate::types::clock::Clock;
use crate::types::metrics::Metrics;

/// Most writes that may wait. At a slow disk's 100 ms per commit and
/// [`WRITES_PER_COMMIT`] this is less than a second's work.
pub(super) const QUEUE: usize = 1_024;
/// Most writes in one commit: the first of them waits for the last.
const WRITES_PER_COMMIT: usize = 256;
/// Most rows, by the callers' own estimate, in one commit. About 30 ms of work.
const ROWS_PER_COMMIT: usize = 4_000;

/// A queued write, whatever it returns.
trait Job: Send {
    fn rows(&self) -> usize;
    fn run(&mut self, connection: &Connection) -> Result<(), Error>;
    fn answer(self: Box<Self>, fate: Result<(), Error>);
}

struct Write<W, T> {
    rows: usize,
    work: Option<W>,
    made: Option<T>,
    caller: oneshot::Sender<Result<T, Error>>,
}

impl<W, T> Job for Write<W, T>
where
    W: FnOnce(&Connection) -> Result<T, Error> + Send,
    T: Send,
{
    fn rows(&self) -> usize {
        self.rows
    }

    fn run(&mut self, connection: &Connection) -> Result<(), Error> {
        if let Some(work) = self.work.take() {
            self.made = Some(work(connection)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, fate: Result<(), Error>) {
        let Self { made, caller, .. } = *self;
        // A fate of Ok is only given to a job that ran.
        let lost = || Error::Unavailable("a write was left out".to_owned());
        // The caller may have gone; the write stands all the same.
        drop(caller.send(fate.and_then(|()| made.ok_or_else(lost))));
    }
}

type Queue = SyncSender<Box<dyn Job>>;

/// The way to the writing thread.
pub(super) struct Writer {
    queue: Mutex<Option<Queue>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: watch::Receiver<bool>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the thread. `lock` is let go of when it has ended.
    pub(super) fn start(
        connection: Connection,
        lock: File,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let (end, ended) = watch::channel(false);
        let thread = std::thread::Builder::new().name("journal-writer".to_owned()).spawn(move || {
            let seat = Seat { connection, clock, metrics };
            seat.serve(&jobs);
            seat.leave();
            drop(lock);
            end.send_replace(true);
        })?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), ended })
    }

    /// Runs `work` in a transaction and returns what it made once that is on
    /// stable storage. `rows` is about how many rows it will touch.
    pub(super) async fn write<T, W>(&self, rows: usize, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        self.enqueue(Box::new(Write { rows, work: Some(work), made: None, caller }))?;
        // The thread answers everything that it took, so this is its death.
        answer.await.unwrap_or_else(|_| Err(Error::Uncertain("the writing thread has died".to_owned())))
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(Error::Unavailable("it is closed".to_owned()));
        };
        queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Disconnected(_) => Error::Unavailable("the writing thread has died".to_owned()),
        })
    }

    /// Takes no more writes. The thread ends once it has done what is queued and
    /// what this returned is dropped.
    pub(super) fn stop(&self) -> Option<impl Sized + use<>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until the thread has let go of the file.
    pub(super) async fn ended(&self) {
        // An error means that the thread is gone without a word: ended too.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
    }
}

impl Drop for Writer {
    /// Waits for the thread, a few commits at most, so that the file is free
    /// once the journal is gone.
    fn drop(&mut self) {
        drop(self.stop());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal's writing thread had died");
        }
    }
}

/// What the thread holds.
struct Seat {
    connection: Connection,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Seat {
    fn serve(&self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            let mut rows = first.rows();
            let mut batch = vec![first];
            while batch.len() < WRITES_PER_COMMIT && rows < ROWS_PER_COMMIT {
                let Ok(next) = jobs.try_recv() else { break };
                rows = rows.saturating_add(next.rows());
                batch.push(next);
            }
            self.commit(batch);
        }
    }

    fn commit(&self, mut batch: Vec<Box<dyn Job>>) {
        let (began, before) = (self.clock.uptime(), self.connection.total_changes());
        let fates = match self.transact(&mut batch) {
            Ok(fates) => fates,
            Err(error) => {
                tracing::error!(%error, writes = batch.len(), "journal: a commit failed");
                if error == Error::DiskFull {
                    self.recycle_log();
                }
                vec![Err(error); batch.len()]
            }
        };
        // A claim that found nothing costs no commit on disk, so it is not counted as one.
        if self.connection.total_changes() != before {
            self.metrics.commit_seconds.observe(self.clock.uptime().saturating_sub(began).as_secs_f64());
            self.metrics.commit_writes.observe(u32::try_from(batch.len()).map_or(f64::MAX, f64::from));
        }
        for (job, fate) in batch.into_iter().zip(fates) {
            job.answer(fate);
        }
    }

    /// Each job's own fate, or the one that all share.
    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), Error>>, Error> {
        if !self.connection.is_autocommit() {
            // Only after a rollback that failed itself.
            self.execute("ROLLBACK")?;
        }
        self.execute("BEGIN IMMEDIATE")?;
        let fates = batch.iter_mut().map(|job| self.attempt(job.as_mut())).collect::<Result<Vec<_>, _>>();
        let committed = match fates {
            Ok(fates) => self.execute("COMMIT").map_err(|e| commit_error(&e)).map(|()| fates),
            Err(error) => Err(error),
        };
        if committed.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "journal: a rollback failed");
        }
        committed
    }

    /// Runs one job in its savepoint. The outer error means that the whole
    /// transaction is gone: SQLite rolls it back by itself after some failures.
    fn attempt(&self, job: &mut dyn Job) -> Result<Result<(), Error>, Error> {
        self.execute("SAVEPOINT job")?;
        let ran = catch_unwind(AssertUnwindSafe(|| job.run(&self.connection)))
            .unwrap_or_else(|_| Err(Error::Unavailable("a write panicked".to_owned())));
        if let Err(error) = &ran {
            if self.connection.is_autocommit() {
                return Err(error.clone());
            }
            self.execute("ROLLBACK TO job")?;
        }
        self.execute("RELEASE job")?;
        Ok(ran)
    }

    fn execute(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(drop)
    }

    /// Moves the log into the file, so that its room is used again. Without this a
    /// small disk stays full: only a commit that succeeds begins a checkpoint.
    fn recycle_log(&self) {
        let mode = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], mode) {
            tracing::warn!(%error, "journal: the log could not be moved into the file");
        }
    }

    /// Leaves one whole file behind.
    fn leave(self) {
        let mode = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        match self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], mode) {
            Ok(0) => {}
            Ok(_) => tracing::warn!("journal: a reader kept the last checkpoint from its end"),
            Err(error) => tracing::warn!(%error, "journal: the last checkpoint failed"),
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "journal: closing failed");
        }
    }
}

/// What a failed `COMMIT` means. Without room, or while another held the file,
/// the commit's last frame was not written. After any other failure it may be on
/// disk: a `sync` that failed says nothing about what a restart would find.
fn commit_error(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Unavailable(error.to_string()),
        Some(_) | None => Error::Uncertain(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_leaves_open_whether_the_commit_happened() {
        let error =
            |code| commit_error(&rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        assert!(matches!(error(rusqlite::ffi::SQLITE_IOERR_FSYNC), Error::Uncertain(_)));
        assert_eq!(error(rusqlite::ffi::SQLITE_FULL), Error::DiskFull);
        assert!(matches!(error(rusqlite::ffi::SQLITE_BUSY), Error::Unavailable(_)));
    }
}

//! The few connections that only read.
//!
//! A read runs on a blocking thread with a connection of its own, so it sees one
//! committed state and neither waits for the writer nor holds it up. A thread
//! that has done its read does those that came in the meantime: to wake one for
//! each would cost more than most reads do. What is read is not known here.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::open;
use crate::journal::Error;

/// Reads at once. They are short and mostly in memory; more would only compete
/// for the same cores.
const READERS: usize = 4;

/// A read with its caller, who is answered by it.
type Job = Box<dyn FnOnce(Result<&Connection, Error>) + Send>;

/// A pool of read-only connections.
pub(super) struct Readers {
    path: PathBuf,
    desk: Mutex<Desk>,
    /// Threads at work.
    busy: watch::Sender<usize>,
}

/// What the threads share.
struct Desk {
    idle: Vec<Connection>,
    /// In the order in which they came. Not bounded: each has a caller who waits.
    waiting: VecDeque<Job>,
    closed: bool,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Readers {
    /// Opens all connections.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Arc<Self>> {
        let idle = (0..READERS).map(|_| open::read_only(path)).collect::<Result<Vec<_>, _>>()?;
        let desk = Mutex::new(Desk { idle, waiting: VecDeque::new(), closed: false });
        Ok(Arc::new(Self { path: path.to_owned(), desk, busy: watch::Sender::new(0) }))
    }

    /// The journal's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on one of the connections.
    pub(super) async fn read<T, W>(self: &Arc<Self>, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = move |connection: Result<&Connection, Error>| {
            // The caller may have gone; then nobody wants to know.
            if !caller.is_closed() {
                drop(caller.send(connection.and_then(work)));
            }
        };
        if self.take_in(Box::new(job))? {
            let readers = Arc::clone(self);
            drop(tokio::task::spawn_blocking(move || readers.work_off()));
        }
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable("a read did not end".to_owned())))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job; whether it needs another thread.
    fn take_in(&self, job: Job) -> Result<bool, Error> {
        let mut desk = self.desk();
        if desk.closed {
            return Err(Error::Unavailable("it is closed".to_owned()));
        }
        desk.waiting.push_back(job);
        Ok(self.busy.send_if_modified(|busy| {
            let more = *busy < READERS;
            *busy += usize::from(more);
            more
        }))
    }

    /// Does what waits, with one connection, until nothing does.
    fn work_off(&self) {
        let mut connection = self.desk().idle.pop();
        while let Some(job) = self.next(&mut connection) {
            // None is idle only if an earlier read panicked and took its own with it.
            if connection.is_none() {
                match open::read_only(&self.path) {
                    Ok(opened) => connection = Some(opened),
                    Err(error) => {
                        job(Err(error.into()));
                        continue;
                    }
                }
            }
            let Some(usable) = &connection else { continue };
            if catch_unwind(AssertUnwindSafe(|| job(Ok(usable)))).is_err() {
                connection = None;
            }
        }
    }

    /// The next job; with none, the connection goes back and the thread counts as gone.
    fn next(&self, connection: &mut Option<Connection>) -> Option<Job> {
        let mut desk = self.desk();
        let job = desk.waiting.pop_front();
        if job.is_none() {
            desk.idle.extend(connection.take());
            // Under the lock, so that a job that comes now gets a thread of its own.
            self.busy.send_modify(|busy| *busy -= 1);
        }
        job
    }

    /// Waits for the reads under way, refuses new ones, and closes the connections.
    pub(super) async fn close(&self) {
        self.desk().closed = true;
        let mut busy = self.busy.subscribe();
        // The sender lives in self, so the channel cannot close while we wait.
        drop(busy.wait_for(|busy| *busy == 0).await);
        self.desk().idle.clear();
    }
}

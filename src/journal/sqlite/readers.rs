//! The few connections that only read.
//!
//! A read runs on a blocking thread with a connection of its own, so it sees one
//! committed state and neither waits for the writer nor holds it up. What is
//! read is not known here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open;
use crate::journal::Error;

/// Reads at once. They are short and mostly in memory; more would only compete
/// for the same cores.
const READERS: u32 = 4;

/// A pool of read-only connections.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
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
        let permits = Arc::new(Semaphore::new(idle.len()));
        Ok(Arc::new(Self { path: path.to_owned(), idle: Mutex::new(idle), permits }))
    }

    /// Runs `work` on one of the connections.
    pub(super) async fn read<T, W>(self: &Arc<Self>, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let closed = |_| Error::Unavailable("it is closed".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        let pool = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            // Given back last, after the connection.
            let _permit = permit;
            // None is idle only if an earlier read panicked and took its own with it.
            let kept = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => open::read_only(&pool.path)?,
            };
            let found = work(&connection);
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            found
        });
        read.await.unwrap_or_else(|e| Err(Error::Unavailable(format!("a read did not end: {e}"))))
    }

    /// Waits for the reads under way, refuses new ones, and closes the connections.
    pub(super) async fn close(&self) {
        // An error means that another close has come first.
        let all = self.permits.acquire_many(READERS).await;
        self.permits.close();
        drop(all);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

//! Opening the file: its lock, its settings, its version, its health.
//!
//! Everything that may refuse to start stands here, each refusal with the name
//! of the file, because a journal that is not whole must not be worked on.
//! What is in the tables is not known here beyond their statements.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::epoch::{Epoch, Fault};
use super::lifecycle;
use crate::types::lifecycle::{Pause, PauseCode};

/// Why the journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on it.
    #[error("another process holds the journal: {} is locked", .0.display())]
    Locked(PathBuf),
    /// Its file or folder cannot be used.
    #[error("the journal's file {} cannot be used: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not whole.
    #[error("the journal's file {} is damaged: {detail}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// It is a database, but not a journal.
    #[error("{} holds a database that is not a journal of vodrm", .0.display())]
    Foreign(PathBuf),
    /// A newer vodrm wrote it.
    #[error(
        "the journal's file {} has schema {found}, this version knows {known}: use a newer vodrm",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Our schema.
        known: i64,
    },
    /// An older vodrm wrote it, and it was not opened for writing since.
    #[error(
        "the journal's file {} has schema {found}, this version knows {known}: `vodrm serve` brings it up to date",
        .path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Our schema.
        known: i64,
    },
    /// A start could not do its first writes.
    #[error("the journal's file {} cannot be worked on: {source}", .path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: crate::journal::Error,
    },
    /// SQLite before 3.51.3 could damage such a file.
    #[error("SQLite {0} is too old: 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// SQLite refused for another reason.
    #[error("the journal's file {} cannot be opened: {source}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// One batch per schema version. A batch that was released is never edited.
const MIGRATIONS: [&str; 3] = [include_str!("schema.sql"), include_str!("v2.sql"), include_str!("v3.sql")];

/// Marks the file as ours: `VODR`.
const APPLICATION_ID: i64 = 0x564F_4452;

/// SQLite 3.7.0 to 3.51.2 could damage a write-ahead log when a checkpoint and a
/// commit met in a rare race; sqlite.org/wal.html, read 2026-11.
const OLDEST_SQLITE: i32 = 3_051_003;

/// A file up to this size is checked whole at the start; that takes about 30 ms.
const FULL_CHECK_BYTES: u64 = 16 << 20;

/// How long to wait for a lock inside SQLite. Only checkpoints and readers of
/// other tools can hold one.
const BUSY: Duration = Duration::from_secs(5);

/// The log shrinks to this after a checkpoint, should a long read have made it grow.
const LOG_LIMIT_BYTES: i64 = 96 << 20;

/// Pages in the log that begin a checkpoint: 64 MiB. A page that was changed many
/// times in the meantime is written to the file once.
const CHECKPOINT_PAGES: i64 = 16_384;

/// Kibibytes of pages that the writer keeps; its index of names is written all over.
const WRITER_CACHE_KIB: i64 = 64 << 10;

/// Prepared statements kept per connection: more than there are.
const STATEMENTS: usize = 256;

/// What a start does with a journal that was restored or copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Pauses every open deletion until an operator resumes it.
    Pause,
    /// Goes on: the operator has looked.
    Accept,
}

/// Locks the file and opens it for writing, made or brought up to date if needed.
pub(super) fn for_writing(
    path: &Path,
    now: Timestamp,
    moved: Moved,
) -> Result<(Connection, File), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    make_folder(path)?;
    // Before SQLite touches anything: it would replay another process's log.
    let lock = lock(path)?;
    let refused = |source| refused(path, source);
    let mut connection = Connection::open(path).map_err(refused)?;
    adopt(path, &connection)?;
    configure(&connection).map_err(refused)?;
    migrate(path, &mut connection)?;
    check(path, &connection)?;
    begin_epoch(path, &mut connection, now, moved)?;
    Ok((connection, lock))
}

/// Marks the file as the one that is worked on. If it is not the one that was
/// worked on last, nothing of it goes on by itself.
fn begin_epoch(
    path: &Path,
    connection: &mut Connection,
    now: Timestamp,
    moved: Moved,
) -> Result<(), OpenError> {
    let failed = |fault| match fault {
        Fault::Io(source) => OpenError::Io { path: path.to_owned(), source },
        Fault::Sqlite(source) => refused(path, source),
        Fault::Journal(source) => OpenError::Journal { path: path.to_owned(), source },
    };
    let epoch = Epoch::read(connection, path).map_err(failed)?;
    let Some(why) = epoch.moved else {
        return epoch.renew(connection, |_| Ok(())).map_err(failed);
    };
    if moved == Moved::Accept {
        tracing::warn!(journal = %path.display(), why, "the journal was restored or copied, which is accepted");
        return epoch.renew(connection, |_| Ok(())).map_err(failed);
    }
    let reason = format!("The journal was restored or copied ({why}): it may not know all that was sent.");
    let pause = Pause { code: PauseCode::JournalMoved, reason: Some(reason), by: None, at: now };
    let paused = epoch.renew(connection, |c| lifecycle::pause_all(c, now, &pause)).map_err(failed)?;
    tracing::error!(
        journal = %path.display(),
        why,
        paused,
        "the journal was restored or copied: its open deletions are paused. Look at what was sent \
         since, then resume each of them; or start once with --accept-moved-journal to go on with all"
    );
    Ok(())
}

/// Opens a journal that another process may be working on, to look at it.
pub(super) fn for_looking(path: &Path) -> Result<Connection, OpenError> {
    if !path.is_file() {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
        return Err(OpenError::Io { path: path.to_owned(), source });
    }
    let refused = |source| refused(path, source);
    let connection = read_only(path).map_err(refused)?;
    adopt(path, &connection)?;
    let found = version(&connection).map_err(refused)?;
    let known = known_version();
    match found {
        0 => Err(OpenError::Foreign(path.to_owned())),
        _ if found > known => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        _ => Ok(connection),
    }
}

/// The schema of a journal.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    number(connection, "user_version")
}

/// The schema that this version writes.
pub(super) fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Another connection, which cannot write.
pub(super) fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Bytes of the file and its log.
pub(super) fn size(path: &Path) -> Result<u64, crate::journal::Error> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let of = |path: &Path| match std::fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        // Without writes there may be no log.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(crate::journal::Error::Unavailable(error.to_string())),
    };
    Ok(of(path)? + of(Path::new(&log))?)
}

/// Prepares each statement once. By default SQLite looks at a bound `LIMIT` when
/// it plans, and plans anew whenever another is bound, be it the same number:
/// most of a short read's time.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let named = |folder: &Path| !folder.as_os_str().is_empty();
    let missing = folder.ancestors().take_while(|folder| named(folder) && !folder.is_dir()).count();
    let failed = |source| OpenError::Io { path: folder.to_owned(), source };
    if missing == 0 {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    // SQLite syncs the folder of its file but not the way to it: a new folder
    // could be gone after a power cut, with everything that was promised in it.
    for above in folder.ancestors().skip(1).take(missing).filter(|_| cfg!(unix)) {
        let above = if named(above) { above } else { Path::new(".") };
        File::open(above).and_then(|above| above.sync_all()).map_err(failed)?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    // One file has one lock, by whatever link it is opened.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.into_os_string();
    name.push(".lock");
    let name = PathBuf::from(name);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
    let file = opened.map_err(|source| OpenError::Io { path: name.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(name)),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path: name, source }),
    }
}

/// What SQLite's refusal means.
pub(super) fn refused(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Damaged { path, detail: error.to_string() }
        }
        Some(_) | None => OpenError::Sqlite { path, source: error },
    }
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Refuses what is not a journal, before anything is changed in it.
fn adopt(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let refused = |source| refused(path, source);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(refused)?;
    let ours = number(connection, "application_id").map_err(refused)? == APPLICATION_ID;
    if tables > 0 && !ours {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    Ok(())
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!("journal_mode is {mode}, not wal")));
    }
    // Not NORMAL, which may lose the last commits at a power cut: then "journal
    // before the first vendor call" would not be true.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    keep_statements(connection)
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let refused = |source| refused(path, source);
    let found = version(connection).map_err(refused)?;
    let known = known_version();
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    let done = usize::try_from(found).unwrap_or_default();
    // Off for the duration: a table that others name may be made anew. Inside a
    // transaction this setting cannot be changed.
    connection.pragma_update(None, "foreign_keys", "OFF").map_err(refused)?;
    for (version, batch) in (1_i64..).zip(MIGRATIONS).skip(done) {
        let change = connection.transaction().map_err(refused)?;
        change.execute_batch(batch).map_err(refused)?;
        change.pragma_update(None, "application_id", APPLICATION_ID).map_err(refused)?;
        change.pragma_update(None, "user_version", version).map_err(refused)?;
        change.commit().map_err(refused)?;
    }
    connection.pragma_update(None, "foreign_keys", "ON").map_err(refused)?;
    Ok(())
}

/// Whether the file is whole, as far as that is cheap to tell: each statement
/// must fit the tables, and a small file is read through.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let damaged = |detail| OpenError::Damaged { path: path.to_owned(), detail };
    for statement in super::statements() {
        connection.prepare_cached(statement).map_err(|e| damaged(e.to_string()))?;
    }
    let pages = number(connection, "page_count").map_err(|source| refused(path, source))?;
    let size = number(connection, "page_size").map_err(|source| refused(path, source))?;
    if u64::try_from(pages.saturating_mul(size)).is_ok_and(|bytes| bytes <= FULL_CHECK_BYTES) {
        let found: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|source| refused(path, source))?;
        if found != "ok" {
            return Err(damaged(found));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_sqlite_is_new_enough() {
        assert!(rusqlite::version_number() >= OLDEST_SQLITE, "{}", rusqlite::version());
    }

    #[test]
    fn a_statement_is_not_prepared_again_for_another_limit() {
        let connection = Connection::open_in_memory().unwrap();
        keep_statements(&connection).unwrap();
        let mut numbers = connection.prepare("SELECT value FROM json_each('[1, 2, 3]') LIMIT ?1").unwrap();
        for limit in 1_u8..4 {
            assert_eq!(numbers.query_map([limit], |_| Ok(())).unwrap().count(), usize::from(limit));
        }
        assert_eq!(numbers.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }

    #[test]
    fn the_cache_holds_every_statement() {
        // And the few that the writer's transactions are made of.
        assert!(super::super::statements().count() + 8 <= STATEMENTS);
    }
}

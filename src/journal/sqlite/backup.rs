//! `backup`: a copy of the journal as it stood at one commit.
//!
//! Made by SQLite itself from a connection that cannot write, so the service may
//! run meanwhile; it is complete, checked and on disk before it gets its name.
//! Its own file because only here a second database is written. Where backups are
//! kept, and for how long, is not known here.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::open::OpenError;
use super::{epoch, open};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// Nothing is overwritten.
    #[error("{} is there already: a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("the backup {} cannot be written: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite did not copy it.
    #[error("the backup {} was not made: {source}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The copy is not whole, so it was removed.
    #[error("the backup {} was not whole and is removed: {detail}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
}

/// Copies the journal to a new file; its size. Blocks.
pub fn backup(journal: &Path, to: &Path) -> Result<u64, BackupError> {
    let source = open::for_looking(journal)?;
    let failed = |source| BackupError::Io { path: to.to_owned(), source };
    if to.try_exists().map_err(failed)? {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    // Reserved, so that two backups to one name do not write into each other.
    match OpenOptions::new().create_new(true).write(true).open(&part) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(part));
        }
        Err(error) => return Err(failed(error)),
    }
    let made = copy(&source, &part, to).and_then(|()| name(&part, to));
    // After a success it has its own name; else it is of no use to anybody.
    drop(std::fs::remove_file(&part));
    made?;
    Ok(std::fs::metadata(to).map_err(failed)?.len())
}

fn copy(source: &Connection, part: &Path, to: &Path) -> Result<(), BackupError> {
    let refused = |source| BackupError::Sqlite { path: to.to_owned(), source };
    let Some(name) = part.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        return Err(BackupError::Io { path: to.to_owned(), source });
    };
    source.execute("VACUUM INTO ?1", [name]).map_err(refused)?;
    let copy = Connection::open(part).map_err(refused)?;
    if open::version(&copy).map_err(refused)? == open::known_version() {
        epoch::mark_backup(&copy).map_err(refused)?;
    }
    let said: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(refused)?;
    if said != "ok" {
        return Err(BackupError::Damaged { path: to.to_owned(), detail: said });
    }
    copy.close().map_err(|(_, source)| refused(source))?;
    File::open(part)
        .and_then(|file| file.sync_all())
        .map_err(|source| BackupError::Io { path: to.to_owned(), source })
}

/// Gives it its name, unless another has it by now.
fn name(part: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            BackupError::Exists(to.to_owned())
        } else {
            BackupError::Io { path: to.to_owned(), source }
        }
    };
    if let Err(error) = std::fs::hard_link(part, to) {
        if to.exists() {
            return Err(failed(error));
        }
        // A file system without links: here a name that comes in this very moment would be lost.
        std::fs::rename(part, to).map_err(failed)?;
    }
    epoch::sync_folder(to).map_err(failed)
}

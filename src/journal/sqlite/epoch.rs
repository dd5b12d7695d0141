//! Whether the journal's file is the one that was worked on last.
//!
//! A journal that was restored or copied does not know what was sent since, so
//! nothing of it may go on by itself. At each start a new random value is written
//! into the journal and into a small file beside it, and the file's own identity
//! into the journal; a copy, an older state or a file without its companion does
//! not fit. What happens to a journal that was moved is decided by its caller.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

const EPOCH: &str = "SELECT value, inode FROM epoch WHERE id = 1";
const SET_EPOCH: &str = "INSERT INTO epoch (id, value, inode) VALUES (1, ?1, ?2) \
    ON CONFLICT (id) DO UPDATE SET value = excluded.value, inode = excluded.inode";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 2] = [EPOCH, SET_EPOCH];

/// Stands in the companion while a journal without a value gets its first.
const NONE: &str = "none";
/// The value of a backup: no companion ever has it.
const BACKUP: &str = "backup";

/// What is known of a journal's file before it is worked on.
#[derive(Debug)]
pub(super) struct Epoch {
    companion: PathBuf,
    stored: Option<String>,
    inode: String,
    /// Why it is not the one that was worked on last.
    pub(super) moved: Option<&'static str>,
}

/// What tells this file from others on its disk.
#[cfg(unix)]
fn inode(path: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(std::fs::metadata(path)?.ino().to_string())
}

#[cfg(not(unix))]
fn inode(_: &Path) -> io::Result<String> {
    Ok(String::new())
}

/// Why a journal with these values is not the one that was worked on last.
fn moved(stored: Option<(&str, &str)>, companion: Option<&str>, inode: &str) -> Option<&'static str> {
    let stands = |value| companion.is_some_and(|text| text.lines().any(|line| line == value));
    match (stored, companion) {
        (None, Some(_)) if !stands(NONE) => Some("it is older than the file beside it"),
        (Some(_), None) => Some("the file beside it that ends in .epoch is missing"),
        (Some((value, _)), Some(_)) if !stands(value) => Some("the file beside it names another state"),
        (Some((_, was)), Some(_)) if !was.is_empty() && !inode.is_empty() && was != inode => {
            Some("it is another file than before")
        }
        // With nothing stored: its first start with this version.
        (None | Some(_), _) => None,
    }
}

impl Epoch {
    /// Reads what there is.
    pub(super) fn read(connection: &Connection, path: &Path) -> Result<Self, Fault> {
        let path = std::fs::canonicalize(path)?;
        let inode = inode(&path)?;
        let mut companion = path.into_os_string();
        companion.push(".epoch");
        let companion = PathBuf::from(companion);
        let beside = match std::fs::read_to_string(&companion) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let stored: Option<(String, String)> =
            connection.query_row(EPOCH, [], |row| Ok((row.get("value")?, row.get("inode")?))).optional()?;
        let moved = moved(stored.as_ref().map(|(v, i)| (v.as_str(), i.as_str())), beside.as_deref(), &inode);
        Ok(Self { companion, stored: stored.map(|(value, _)| value), inode, moved })
    }

    /// Begins a new one; `pause` is committed with it. Wherever this is cut off,
    /// the next start comes to the same finding about whether the journal was moved.
    pub(super) fn renew<T>(
        &self,
        connection: &mut Connection,
        pause: impl FnOnce(&Connection) -> Result<T, crate::journal::Error>,
    ) -> Result<T, Fault> {
        let value = uuid::Uuid::new_v4().simple().to_string();
        if self.moved.is_none() {
            let stored = self.stored.as_deref().unwrap_or(NONE);
            write(&self.companion, &format!("{stored}\n{value}\n"))?;
        }
        let change = connection.transaction()?;
        let done = pause(&change)?;
        change.execute(SET_EPOCH, [&value, &self.inode])?;
        change.commit()?;
        write(&self.companion, &format!("{value}\n"))?;
        Ok(done)
    }
}

/// Marks a backup, so that it counts as moved wherever it is put.
pub(super) fn mark_backup(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(SET_EPOCH, [BACKUP, ""]).map(drop)
}

/// Replaces the companion in one step.
fn write(companion: &Path, text: &str) -> io::Result<()> {
    let new = companion.with_extension("epoch.new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, companion)?;
    sync_folder(companion)
}

/// Makes a new name in this file's folder survive a power cut.
pub(super) fn sync_folder(of: &Path) -> io::Result<()> {
    match of.parent().filter(|_| cfg!(unix)) {
        None => Ok(()),
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
    }
}

/// Why an epoch could not be read or begun.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Sqlite(rusqlite::Error),
    Journal(crate::journal::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<crate::journal::Error> for Fault {
    fn from(error: crate::journal::Error) -> Self {
        Self::Journal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_that_was_worked_on_last_fits() {
        let stays = |stored, beside| assert_eq!(moved(stored, beside, "7"), None, "{stored:?} {beside:?}");
        stays(None, None);
        stays(Some(("b", "7")), Some("b\n"));
        // Cut off between two of its three writes.
        stays(Some(("a", "7")), Some("a\nb\n"));
        stays(Some(("b", "7")), Some("a\nb\n"));
        stays(None, Some("none\nb\n"));
        // Where files have no identity the value alone decides.
        stays(Some(("b", "")), Some("b\n"));
        let moves = |stored, beside| assert!(moved(stored, beside, "7").is_some(), "{stored:?} {beside:?}");
        moves(None, Some("b\n"));
        moves(Some(("b", "7")), None);
        moves(Some(("a", "7")), Some("b\n"));
        moves(Some(("b", "8")), Some("b\n"));
        moves(Some((BACKUP, "")), Some("b\n"));
    }
}

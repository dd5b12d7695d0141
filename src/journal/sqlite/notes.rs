//! What is found out about items, or done for them, before anything is sent.
//!
//! Few items have such a note, and none keeps it longer than its deletion: they
//! stand in a table of their own. Its own file because these steps change no item.
//! What is looked up, and how playback is blocked, is not known here.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::chores::{self, Data};
use super::rows;
use crate::journal::{ChoreWord, Error, Noted, Recorded};
use crate::types::deletion::DeletionSeq;

const ADD: &str = "INSERT INTO notes (deletion, idx, found, quarantine) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (deletion, idx) DO UPDATE SET found = coalesce(excluded.found, found), \
    quarantine = coalesce(excluded.quarantine, quarantine)";
const BLOCKED: &str =
    "SELECT 1 FROM notes INDEXED BY notes_blocked WHERE deletion = ?1 AND quarantine = 0 LIMIT 1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 2] = [ADD, BLOCKED];

/// Writes down a step; whether that work was still to be done.
pub(super) fn note(
    connection: &Connection,
    now: Timestamp,
    seq: DeletionSeq,
    noted: &Noted,
) -> Result<bool, Error> {
    match noted.chore {
        ChoreWord::Check | ChoreWord::Quarantine | ChoreWord::Lift => {}
        ChoreWord::Cancel | ChoreWord::Retry => {
            return Err(Error::Invalid("a cancel or a retry leaves no notes".to_owned()));
        }
    }
    let Some((data, total)) = chores::under_way(connection, seq, noted.chore)? else { return Ok(false) };
    let mut add = connection.prepare_cached(ADD)?;
    for (index, note) in &noted.notes {
        if *index >= total {
            return Err(Error::Invalid(format!("a note on item {index} of {total}")));
        }
        let found = note.found.as_ref().map(rows::json).transpose()?;
        add.execute(params![seq, index, found, note.quarantine.map(rows::quarantine_code)])?;
    }
    match noted.next {
        Some(from) => chores::go_on(connection, seq, &Data { from, ..data })?,
        None => chores::end(connection, now, seq, &mut Recorded::default())?,
    }
    Ok(true)
}

/// Whether playback of some item is blocked by us.
pub(super) fn has_blocked(connection: &Connection, seq: DeletionSeq) -> Result<bool, Error> {
    Ok(connection.prepare_cached(BLOCKED)?.exists([seq])?)
}

//! Names that many rows share, written once each.
//!
//! Accounts, operations and callers are few and stand in every row; a number of
//! one to three bytes in their place keeps a finished item small. Its own file
//! because every write uses it. Which column holds which word is not known here.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::journal::Error;

const FIND: &str = "SELECT id FROM words WHERE text = ?1";
// No RETURNING: with it SQLite plans a search of every row that may name the new one.
const ADD: &str = "INSERT INTO words (text) VALUES (?1)";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 2] = [FIND, ADD];

/// The number of a word, if it was ever written.
pub(super) fn find(connection: &Connection, text: &str) -> Result<Option<i64>, Error> {
    Ok(connection.prepare_cached(FIND)?.query_row([text], |row| row.get(0)).optional()?)
}

/// The words of one write. Not kept longer: a rollback takes new words away.
pub(super) struct Words<'a> {
    connection: &'a Connection,
    known: HashMap<String, i64>,
}

impl<'a> Words<'a> {
    /// Knows nothing yet.
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, known: HashMap::new() }
    }

    /// The number of a word, which is written if it is new.
    pub(super) fn number(&mut self, text: &str) -> Result<i64, Error> {
        if let Some(number) = self.known.get(text) {
            return Ok(*number);
        }
        let number = match find(self.connection, text)? {
            Some(number) => number,
            None => self.connection.prepare_cached(ADD)?.insert([text])?,
        };
        self.known.insert(text.to_owned(), number);
        Ok(number)
    }
}

//! A new item's row.
//!
//! Its own file because a deletion that comes whole and an upload write the same
//! row. Where an item starts is decided by them.

use rusqlite::{CachedStatement, Connection, params};

use super::rows;
use super::words::Words;
use crate::journal::Error;
use crate::types::deletion::{DeletionSeq, Step, Wanted};
use crate::types::outcome::Ending;

const ADD: &str = "INSERT INTO items (deletion, idx, account, form, name, kind, what, label, \
    same_as, behind, operation, phase, grp, due_at, generation, lease_until, calls, tries, \
    outcome, inferred, error, finished_at, outcome_seq) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0, 0, \
    ?17, ?18, ?19, ?20, ?21)";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 1] = [ADD];

/// Where an item stands when it is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stand<'a> {
    /// It waits in its lane from now on.
    Due,
    /// It waits for an earlier item of its deletion, or for one of another.
    Behind(i64),
    /// It is being sent, under this lease.
    Leased(i64),
    /// It has ended, with this place in the sequence of outcomes.
    Ended(&'a Ending, u32),
}

/// Writes items of one deletion.
pub(super) struct Writer<'a> {
    statement: CachedStatement<'a>,
    deletion: DeletionSeq,
    now: i64,
    /// The account of the last item: mostly it is that of the next too.
    account: Option<(String, i64)>,
    operation: Option<(String, i64)>,
}

impl<'a> Writer<'a> {
    /// Of this deletion.
    pub(super) fn new(connection: &'a Connection, deletion: DeletionSeq, now: i64) -> Result<Self, Error> {
        let statement = connection.prepare_cached(ADD)?;
        Ok(Self { statement, deletion, now, account: None, operation: None })
    }

    /// The number of an account.
    pub(super) fn account(&mut self, words: &mut Words<'_>, name: &str) -> Result<i64, Error> {
        number(&mut self.account, words, name)
    }

    /// The number of an operation.
    pub(super) fn operation(&mut self, words: &mut Words<'_>, name: &str) -> Result<i64, Error> {
        number(&mut self.operation, words, name)
    }

    /// Writes one.
    pub(super) fn add(
        &mut self,
        words: &mut Words<'_>,
        index: u32,
        wanted: Option<&Wanted>,
        same_as: Option<u32>,
        step: Option<&Step>,
        stand: Stand<'_>,
    ) -> Result<(), Error> {
        // A line that could not be read names nothing.
        let (account, form, name, kind, what) = match wanted.map(|wanted| &wanted.target) {
            None => ("", 0, "", rows::UNREAD, None),
            Some(target) => {
                let (kind, what) = rows::what_columns(&target.what)?;
                (target.account.as_str(), rows::form_code(&target.name), target.name.as_str(), kind, what)
            }
        };
        let account = self.account(words, account)?;
        let operation = step.map(|step| self.operation(words, step.operation.as_str())).transpose()?;
        let (due_at, behind, lease, ended) = match stand {
            Stand::Due => (Some(self.now), None, None, None),
            Stand::Behind(on) => (None, Some(on), None, None),
            Stand::Leased(until) => (None, None, Some(until), None),
            Stand::Ended(ending, place) => (None, None, None, Some((ending, place))),
        };
        let ending = ended.map(|(ending, _)| ending);
        self.statement.execute(params![
            self.deletion,
            index,
            account,
            form,
            name,
            kind,
            what,
            wanted.and_then(|wanted| wanted.label.as_deref()),
            same_as,
            behind,
            operation,
            step.map(|step| rows::phase_code(step.phase)),
            step.and_then(rows::group_column),
            due_at,
            if lease.is_some() { rows::FIRST_GENERATION } else { 0 },
            lease,
            ending.map(|ending| rows::outcome_code(ending.outcome)),
            ending.map(|ending| ending.inferred),
            ending.and_then(|ending| ending.error.as_ref()).map(rows::json).transpose()?,
            ending.map(|_| self.now),
            ended.map(|(_, place)| place),
        ])?;
        Ok(())
    }
}

fn number(known: &mut Option<(String, i64)>, words: &mut Words<'_>, name: &str) -> Result<i64, Error> {
    if let Some((last, number)) = known
        && last == name
    {
        return Ok(*number);
    }
    let number = words.number(name)?;
    *known = Some((name.to_owned(), number));
    Ok(number)
}

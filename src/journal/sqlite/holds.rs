//! Holds and stop switches, as they are kept.
//!
//! Both are few, read whole at the start, and matched in memory (`guard`). Their
//! own file because they belong to no deletion. What they keep from being sent is
//! not known here.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::words::{self, Words};
use super::{chain, reads, rows};
use crate::journal::Error;
use crate::journal::audit::{Action, Entry};
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::target::{AccountId, MediaId};

/// `stops.account` of the switch that stops all: no word has this number.
const ALL: i64 = 0;

const HOLD: &str = "INSERT OR REPLACE INTO holds (account, id, asset, reason, held_by, held_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const LIFT: &str = "DELETE FROM holds WHERE account = ?1 AND id = ?2 RETURNING \
    (SELECT text FROM words w WHERE w.id = account) AS account, id, asset, reason, \
    (SELECT text FROM words w WHERE w.id = held_by) AS held_by, held_at";
const HOLDS: &str = "SELECT a.text AS account, h.id, h.asset, h.reason, b.text AS held_by, h.held_at \
    FROM holds h CROSS JOIN words a ON a.id = h.account CROSS JOIN words b ON b.id = h.held_by";
// One that is on stays as it was.
const STOP: &str = "INSERT OR IGNORE INTO stops (account, by, reason, at) VALUES (?1, ?2, ?3, ?4)";
const RESTART: &str = "DELETE FROM stops WHERE account = ?1";
const STOPS: &str = "SELECT a.text AS account, b.text AS by, s.reason, s.at FROM stops s \
    LEFT JOIN words a ON a.id = s.account CROSS JOIN words b ON b.id = s.by ORDER BY s.account";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 6] = [HOLD, LIFT, HOLDS, STOP, RESTART, STOPS];

fn entry(by: &str, action: Action, account: Option<&AccountId>, reason: Option<String>) -> Entry {
    Entry {
        actor: by.to_owned(),
        action,
        account: account.cloned(),
        deletion: None,
        items: None,
        reason,
        vendor_request_id: None,
    }
}

/// Puts a hold, or another in its place.
pub(super) fn hold(connection: &Connection, now: Timestamp, hold: &Hold) -> Result<(), Error> {
    let mut words = Words::new(connection);
    connection.prepare_cached(HOLD)?.execute(params![
        words.number(hold.account.as_str())?,
        hold.id.as_str(),
        hold.asset.as_ref().map(MediaId::as_str),
        hold.reason,
        words.number(&hold.held_by)?,
        rows::millis(hold.held_at),
    ])?;
    let reason = Some(format!("{}: {}", hold.id, hold.reason));
    let entry = entry(&hold.held_by, Action::Held, Some(&hold.account), reason);
    chain::add(connection, &mut words, rows::millis(now), entry)
}

/// Lifts a hold; the hold that it was.
pub(super) fn lift(
    connection: &Connection,
    now: Timestamp,
    account: &AccountId,
    id: &HoldId,
    by: &str,
) -> Result<Option<Hold>, Error> {
    let Some(number) = words::find(connection, account.as_str())? else { return Ok(None) };
    let lifted = reads::all(connection, LIFT, params![number, id.as_str()], read_hold)?.pop();
    if lifted.is_some() {
        let entry = entry(by, Action::Lifted, Some(account), Some(id.to_string()));
        chain::add(connection, &mut Words::new(connection), rows::millis(now), entry)?;
    }
    Ok(lifted)
}

fn read_hold(row: &Row<'_>) -> Result<Hold, Error> {
    let (account, id): (String, String) = (row.get("account")?, row.get("id")?);
    let asset: Option<String> = row.get("asset")?;
    let unreadable = |what: &str| Error::Unreadable(format!("hold {id} of {what}"));
    Ok(Hold {
        account: rows::account(&account)?,
        id: HoldId::parse(&id).map_err(|_| unreadable("no such name"))?,
        asset: asset
            .map(|asset| MediaId::parse(&asset))
            .transpose()
            .map_err(|_| unreadable("no such asset"))?,
        reason: row.get("reason")?,
        held_by: row.get("held_by")?,
        held_at: rows::time(row.get("held_at")?)?,
    })
}

/// Every hold, by account and id.
pub(super) fn holds(connection: &Connection) -> Result<Vec<Hold>, Error> {
    let mut holds = reads::all(connection, HOLDS, [], read_hold)?;
    holds.sort_by(|one, other| (&one.account, &one.id).cmp(&(&other.account, &other.id)));
    Ok(holds)
}

fn switch(words: &mut Words<'_>, account: Option<&AccountId>) -> Result<i64, Error> {
    account.map_or(Ok(ALL), |account| words.number(account.as_str()))
}

/// Sets a stop switch; whether it was off.
pub(super) fn stop(connection: &Connection, now: Timestamp, stop: &Stop) -> Result<bool, Error> {
    let mut words = Words::new(connection);
    let account = switch(&mut words, stop.account.as_ref())?;
    let by = words.number(&stop.by)?;
    let set = params![account, by, stop.reason, rows::millis(stop.at)];
    let is_new = connection.prepare_cached(STOP)?.execute(set)? > 0;
    if is_new {
        let entry = entry(&stop.by, Action::Stopped, stop.account.as_ref(), stop.reason.clone());
        chain::add(connection, &mut words, rows::millis(now), entry)?;
    }
    Ok(is_new)
}

/// Lifts a stop switch; whether it was on.
pub(super) fn restart(
    connection: &Connection,
    now: Timestamp,
    account: Option<&AccountId>,
    by: &str,
    reason: Option<&str>,
) -> Result<bool, Error> {
    let mut words = Words::new(connection);
    let number = switch(&mut words, account)?;
    let was_on = connection.prepare_cached(RESTART)?.execute([number])? > 0;
    if was_on {
        let entry = entry(by, Action::Restarted, account, reason.map(str::to_owned));
        chain::add(connection, &mut words, rows::millis(now), entry)?;
    }
    Ok(was_on)
}

/// The stop switches that are on.
pub(super) fn stops(connection: &Connection) -> Result<Vec<Stop>, Error> {
    reads::all(connection, STOPS, [], |row| {
        let account: Option<String> = row.get("account")?;
        Ok(Stop {
            account: account.map(|account| rows::account(&account)).transpose()?,
            reason: row.get("reason")?,
            by: row.get("by")?,
            at: rows::time(row.get("at")?)?,
        })
    })
}

//! `append`: a deletion with all its items, in one transaction.
//!
//! Where each item starts is worked out before the first row is written, without
//! the store; then the rows follow. Its own file because accepting is the only
//! write that makes items. When an item is sent is not decided here.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::rows;
use super::words::Words;
use crate::journal::{Accepted, Appended, Claimed, Error, NewDeletion, NewItem, Start};
use crate::types::deletion::{DeletionSeq, ItemKey};
use crate::types::outcome::{Ending, Outcome};

const ADD_DELETION: &str = "INSERT INTO deletions (id, requested_by, accounts, reason, if_absent, \
    created_at, started_at, finished_at, total, ended, \
    deleted, absent, refused, busy, failed, unknown, canceled, state, digest, sequence, bulk, round) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?10, 0, 0)";
const ADD_ACCOUNT: &str = "INSERT INTO deletion_accounts (account, deletion) VALUES (?1, ?2)";
const ADD_ITEM: &str = "INSERT INTO items (deletion, idx, account, form, name, kind, what, label, \
    same_as, behind, operation, phase, grp, due_at, generation, lease_until, calls, tries, \
    outcome, inferred, error, finished_at, outcome_seq) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0, 0, \
    ?17, ?18, ?19, ?20, ?21)";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 3] = [ADD_DELETION, ADD_ACCOUNT, ADD_ITEM];

/// Where an item stands in its deletion when it is written.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    /// How it has ended.
    ending: Option<&'a Ending>,
    /// The item that it is a duplicate of.
    same_as: Option<u32>,
    /// The item that must end before it.
    behind: Option<u32>,
}

/// Works out where every item starts. What follows a follower, or waits for one,
/// is hung on the item that the follower hangs on: all end in the same commit.
fn place(items: &[NewItem]) -> Result<Vec<Placed<'_>>, Error> {
    let mut placed: Vec<Placed<'_>> = Vec::with_capacity(items.len());
    for item in items {
        let on = |earlier: u32| {
            let found = usize::try_from(earlier).ok().and_then(|n| placed.get(n));
            let found = found.ok_or_else(|| {
                Error::Invalid(format!("item {} hangs on {earlier}, which is not before it", placed.len()))
            })?;
            let root = found.same_as.unwrap_or(earlier);
            Ok::<_, Error>((root, found.ending, found.ending.is_none().then_some(root)))
        };
        let next = match &item.start {
            Start::Ended(ending) => Placed { ending: Some(ending), same_as: None, behind: None },
            Start::Waits(_) | Start::Sends { .. } => Placed { ending: None, same_as: None, behind: None },
            Start::Follows { leader } => {
                let (root, ending, behind) = on(*leader)?;
                Placed { ending, same_as: Some(root), behind }
            }
            Start::After { earlier, .. } => Placed { ending: None, same_as: None, behind: on(*earlier)?.2 },
        };
        placed.push(next);
    }
    Ok(placed)
}

/// Writes it all.
pub(super) fn append(
    connection: &Connection,
    now: Timestamp,
    deletion: &NewDeletion,
) -> Result<Accepted, Error> {
    let placed = place(&deletion.items)?;
    let mut words = Words::new(connection);
    let (seq, finished) = add_deletion(connection, now, deletion, &placed, &mut words)?;
    let mut add = connection.prepare_cached(ADD_ITEM)?;
    let (mut claimed, mut place_in_sequence) = (Vec::new(), 0_i64);
    let now_ms = rows::millis(now);
    for (index, (item, placed)) in (0_u32..).zip(deletion.items.iter().zip(&placed)) {
        let (step, lease) = match &item.start {
            Start::Ended(_) | Start::Follows { .. } => (None, None),
            Start::Waits(step) | Start::After { step, .. } => (Some(step), None),
            Start::Sends { step, lease } => (Some(step), Some(*lease)),
        };
        let Some(wanted) = &item.wanted else { continue };
        let target = &wanted.target;
        let (kind, selectors) = rows::what_columns(&target.what)?;
        let operation = step.map(|s| words.number(s.operation.as_str())).transpose()?;
        let is_due = placed.ending.is_none() && placed.behind.is_none() && lease.is_none();
        place_in_sequence += i64::from(placed.ending.is_some());
        add.execute(params![
            seq,
            index,
            words.number(target.account.as_str())?,
            rows::form_code(&target.name),
            target.name.as_str(),
            kind,
            selectors,
            wanted.label,
            placed.same_as,
            placed.behind,
            operation,
            step.map(|s| rows::phase_code(s.phase)),
            step.and_then(rows::group_column),
            is_due.then_some(now_ms),
            if lease.is_some() { rows::FIRST_GENERATION } else { 0 },
            lease.map(|lease| now_ms.saturating_add(rows::length(lease))),
            placed.ending.map(|e| rows::outcome_code(e.outcome)),
            placed.ending.map(|e| e.inferred),
            placed.ending.and_then(|e| e.error.as_ref()).map(rows::json).transpose()?,
            placed.ending.map(|_| now_ms),
            placed.ending.map(|_| place_in_sequence),
        ])?;
        if let (Some(step), Some(_)) = (step, lease) {
            claimed.push(Claimed {
                key: ItemKey { deletion: seq, index },
                generation: rows::FIRST_GENERATION,
                deletion: deletion.id.clone(),
                target: target.clone(),
                step: step.clone(),
                progress: None,
                calls: 0,
                tries: 0,
                accepted_at: rows::time(now_ms)?,
                lapsed_at: None,
                bulk: false,
            });
        }
    }
    Ok(Accepted::New(Appended { seq, claimed, finished }))
}

fn add_deletion(
    connection: &Connection,
    now: Timestamp,
    deletion: &NewDeletion,
    placed: &[Placed<'_>],
    words: &mut Words<'_>,
) -> Result<(DeletionSeq, bool), Error> {
    let mut accounts = Vec::new();
    for item in &deletion.items {
        let Some(wanted) = &item.wanted else { continue };
        let account = words.number(wanted.target.account.as_str())?;
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    let mut ended = [0_u32; Outcome::ALL.len()];
    for ending in placed.iter().filter_map(|p| p.ending) {
        for (count, _) in ended.iter_mut().zip(Outcome::ALL).filter(|(_, one)| *one == ending.outcome) {
            *count += 1;
        }
    }
    let too_many = |_| Error::Invalid("more items than can be numbered".to_owned());
    let total = u32::try_from(placed.len()).map_err(too_many)?;
    let all: u32 = ended.iter().sum();
    let started = deletion.items.iter().any(|item| matches!(item.start, Start::Sends { .. }));
    let now = rows::millis(now);
    let finished = all == total;
    let [deleted, absent, refused, busy, failed, unknown, canceled] = ended;
    let seq = connection.prepare_cached(ADD_DELETION)?.insert(params![
        deletion.id.as_str(),
        words.number(&deletion.requested_by)?,
        rows::json(&accounts)?,
        deletion.reason,
        rows::if_absent_code(deletion.if_absent),
        now,
        started.then_some(now),
        finished.then_some(now),
        total,
        all,
        deleted,
        absent,
        refused,
        busy,
        failed,
        unknown,
        canceled,
        if finished { 3 } else { 1 },
        deletion.digest.0,
    ])?;
    for account in accounts {
        connection.prepare_cached(ADD_ACCOUNT)?.execute([account, seq])?;
    }
    Ok((seq, finished))
}

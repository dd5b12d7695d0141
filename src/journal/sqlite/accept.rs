//! `append`: a deletion with all its items, in one transaction.
//!
//! Where each item starts is worked out before the first row is written; then the
//! rows follow. Its own file because it is the way in of what comes whole; uploads
//! come by `stage`. When an item is sent is not decided here.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::chores::Data;
use super::coalesce::{self, Twins};
use super::items::{self, Stand};
use super::keys;
use super::queues::LaneNo;
use super::words::Words;
use super::writing::{ELSEWHERE, Writing};
use super::{caps, chain, lifecycle, reads, rows};
use crate::journal::{Accepted, Appended, Claimed, Error, NewDeletion, NewItem, Start};
use crate::types::deletion::{DeletionId, DeletionSeq, Digest, IfAbsent, ItemKey, Step};
use crate::types::lifecycle::{DeletionState, Passed, Terms};
use crate::types::outcome::{Ending, Outcome};
use crate::types::target::Target;

const ADD_DELETION: &str = "INSERT INTO deletions (id, requested_by, accounts, reason, if_absent, \
    state, bulk, digest, created_at, started_at, finished_at, total, ended, sequence, \
    deleted, absent, refused, busy, failed, unknown, canceled, baseline, terms, deadline, chore, chore_data, \
    round) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, \
    ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, 0)";
const ADD_ACCOUNT: &str = "INSERT INTO deletion_accounts (account, deletion) VALUES (?1, ?2)";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 2] = [ADD_DELETION, ADD_ACCOUNT];

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
        if item.wanted.is_none() && !matches!(item.start, Start::Ended(_)) {
            return Err(Error::Invalid(format!("item {} names nothing and has not ended", placed.len())));
        }
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

/// Writes it all, unless the key says that it is there.
pub(super) fn append(
    connection: &Connection,
    now: Timestamp,
    deletion: &NewDeletion,
) -> Result<Accepted, Error> {
    let mut writing = Writing::new(connection, rows::millis(now));
    let caller = writing.words.number(&deletion.requested_by)?;
    if let Some(once) = &deletion.once
        && let Some(known) = keys::find(connection, caller, &once.key, writing.now)?.answer(once)
    {
        return Ok(known);
    }
    let placed = place(&deletion.items)?;
    let runs = deletion.terms.state(Passed::Nothing).sends();
    if !runs && deletion.items.iter().any(|item| matches!(item.start, Start::Sends { .. })) {
        return Err(Error::Invalid("an item is sent of a deletion that does not run yet".to_owned()));
    }
    if deletion.terms.plan.is_none() {
        let open = placed.iter().filter(|placed| placed.ending.is_none()).count();
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        if let Some(reached) = caps::take(connection, writing.now, caller, open, deletion.daily_cap)? {
            return Ok(Accepted::CapReached(reached));
        }
    }
    let twins = twins(&mut writing, &deletion.items)?;
    let (seq, finished) = add(&mut writing, caller, deletion, &placed, &twins)?;
    if let Some(once) = &deletion.once {
        let until = (writing.now, once.keep);
        keys::add(connection, caller, &once.key, Some(once.fingerprint), seq, until)?;
    }
    let claimed = add_items(&mut writing, seq, deletion, &placed, &twins)?;
    if let Some(row) = reads::deletion(connection, &deletion.id)? {
        chain::add(connection, &mut writing.words, writing.now, chain::asked(&row))?;
    }
    writing.finish()?;
    Ok(Accepted::New(Appended { seq, claimed, finished }))
}

/// For each item that would be sent at once: what is open of its target elsewhere.
fn twins(writing: &mut Writing<'_>, items: &[NewItem]) -> Result<Vec<Option<Twins>>, Error> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        let twins = match (&item.start, &item.wanted) {
            (Start::Sends { .. }, Some(wanted)) => {
                let account = writing.words.number(wanted.target.account.as_str())?;
                Some(coalesce::twins(writing, account, &wanted.target, None)?)
            }
            (Start::Sends { .. }, None)
            | (Start::Ended(_) | Start::Waits(_) | Start::Follows { .. } | Start::After { .. }, _) => None,
        };
        all.push(twins);
    }
    Ok(all)
}

fn add_items(
    writing: &mut Writing<'_>,
    seq: DeletionSeq,
    deletion: &NewDeletion,
    placed: &[Placed<'_>],
    twins: &[Option<Twins>],
) -> Result<Vec<Claimed>, Error> {
    let mut rows = items::Writer::new(writing.connection, seq, writing.now)?;
    let (mut claimed, mut outcomes) = (Vec::new(), 0_u32);
    for (index, ((item, placed), twins)) in (0_u32..).zip(deletion.items.iter().zip(placed).zip(twins)) {
        let key = ItemKey { deletion: seq, index };
        let (step, lease) = match &item.start {
            Start::Ended(_) | Start::Follows { .. } => (None, None),
            Start::Waits(step) | Start::After { step, .. } => (Some(step), None),
            Start::Sends { step, lease } => (Some(step), Some(*lease)),
        };
        let stand = match (placed.ending, placed.behind, lease, twins) {
            (Some(ending), _, _, _) => {
                outcomes = outcomes.saturating_add(1);
                Stand::Ended(ending, outcomes)
            }
            (None, Some(on), _, _) => Stand::Behind(on.into()),
            (None, None, Some(_), Some(Twins::Led(_))) => Stand::Behind(ELSEWHERE),
            (None, None, Some(lease), _) => Stand::Leased(writing.now.saturating_add(rows::length(lease))),
            (None, None, None, _) => Stand::Due,
        };
        rows.add(&mut writing.words, index, item.wanted.as_ref(), placed.same_as, step, stand)?;
        let (Some(step), Some(wanted)) = (step, &item.wanted) else { continue };
        match (stand, twins) {
            (Stand::Behind(_), Some(Twins::Led(leader))) => coalesce::note(writing, key, *leader)?,
            (Stand::Leased(_), Some(Twins::Idle(idle))) => {
                coalesce::take_along(writing, key, idle)?;
                claimed.push(sent(key, deletion, &wanted.target, step, writing.now)?);
            }
            (Stand::Due, _) => {
                let account = rows.account(&mut writing.words, wanted.target.account.as_str())?;
                let operation = rows.operation(&mut writing.words, step.operation.as_str())?;
                writing.queues.came(LaneNo { account, operation }, seq, writing.now);
            }
            (Stand::Behind(_) | Stand::Leased(_) | Stand::Ended(..), _) => {}
        }
    }
    Ok(claimed)
}

fn sent(
    key: ItemKey,
    deletion: &NewDeletion,
    target: &Target,
    step: &Step,
    now: i64,
) -> Result<Claimed, Error> {
    Ok(Claimed {
        key,
        generation: rows::FIRST_GENERATION,
        deletion: deletion.id.clone(),
        target: target.clone(),
        step: step.clone(),
        progress: None,
        calls: 0,
        tries: 0,
        accepted_at: rows::time(now)?,
        lapsed_at: None,
        is_dead: false,
        bulk: false,
    })
}

/// A deletion's row, as it is first written.
pub(super) struct NewRow<'a> {
    pub(super) id: &'a DeletionId,
    pub(super) caller: i64,
    pub(super) accounts: &'a [i64],
    pub(super) reason: Option<&'a str>,
    pub(super) if_absent: IfAbsent,
    pub(super) state: DeletionState,
    pub(super) bulk: bool,
    pub(super) digest: Option<Digest>,
    pub(super) now: i64,
    pub(super) started: bool,
    pub(super) total: u32,
    pub(super) ended: [u32; Outcome::ALL.len()],
    pub(super) terms: &'a Terms,
}

/// Writes a deletion's row, without its items.
pub(super) fn add_row(connection: &Connection, row: &NewRow<'_>) -> Result<DeletionSeq, Error> {
    let finished = row.state == DeletionState::Finished;
    let [deleted, absent, refused, busy, failed, unknown, canceled] = row.ended;
    let chore = lifecycle::work_ahead(row.terms, row.state);
    let seq = connection.prepare_cached(ADD_DELETION)?.insert(params![
        row.id.as_str(),
        row.caller,
        rows::json(&row.accounts)?,
        row.reason,
        rows::if_absent_code(row.if_absent),
        rows::deletion_state_code(row.state),
        row.bulk,
        row.digest.map(|digest| digest.0),
        row.now,
        row.started.then_some(row.now),
        finished.then_some(row.now),
        row.total,
        row.ended.iter().sum::<u32>(),
        deleted,
        absent,
        refused,
        busy,
        failed,
        unknown,
        canceled,
        rows::baseline_column(&row.ended)?,
        rows::terms_column(row.terms)?,
        lifecycle::deadline(row.terms, row.state, row.now),
        chore.map(rows::chore_code),
        chore.map(|_| rows::json(&Data::default())).transpose()?,
    ])?;
    add_accounts(connection, row.accounts, seq)?;
    Ok(seq)
}

/// Makes a deletion findable by these accounts.
pub(super) fn add_accounts(connection: &Connection, accounts: &[i64], seq: DeletionSeq) -> Result<(), Error> {
    for account in accounts {
        connection.prepare_cached(ADD_ACCOUNT)?.execute([*account, seq])?;
    }
    Ok(())
}

fn add(
    writing: &mut Writing<'_>,
    caller: i64,
    deletion: &NewDeletion,
    placed: &[Placed<'_>],
    twins: &[Option<Twins>],
) -> Result<(DeletionSeq, bool), Error> {
    let accounts = accounts(&mut writing.words, &deletion.items)?;
    let mut ended = [0_u32; Outcome::ALL.len()];
    for ending in placed.iter().filter_map(|p| p.ending) {
        ended[ending.outcome.place()] += 1;
    }
    let too_many = |_| Error::Invalid("more items than can be numbered".to_owned());
    let total = u32::try_from(placed.len()).map_err(too_many)?;
    let finished = ended.iter().sum::<u32>() == total;
    let row = NewRow {
        id: &deletion.id,
        caller,
        accounts: &accounts,
        reason: deletion.reason.as_deref(),
        if_absent: deletion.if_absent,
        state: if finished { DeletionState::Finished } else { deletion.terms.state(Passed::Nothing) },
        bulk: false,
        digest: Some(deletion.digest),
        now: writing.now,
        started: twins.iter().any(|twins| matches!(twins, Some(Twins::Idle(_)))),
        total,
        ended,
        terms: &deletion.terms,
    };
    Ok((add_row(writing.connection, &row)?, finished))
}

/// The accounts that items name, in order of first appearance.
fn accounts(words: &mut Words<'_>, items: &[NewItem]) -> Result<Vec<i64>, Error> {
    let mut accounts = Vec::new();
    for wanted in items.iter().filter_map(|item| item.wanted.as_ref()) {
        let account = words.number(wanted.target.account.as_str())?;
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    Ok(accounts)
}

//! Uploads: begun, staged in chunks, sealed or discarded.
//!
//! Until it is sealed a deletion is in state `receiving`, which no reader shows,
//! and its items are in no queue, so no claim finds them. What seal needs (how many
//! items wait in which lane) is counted as they come: counting a million of them
//! at once would hold up everybody. Its own file because nothing else sees such
//! deletions. Who sends the chunks is not known here.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};
use serde::{Deserialize, Serialize};

use super::accept::{self, NewRow};
use super::chores::Data;
use super::items::{self, Stand};
use super::keys::{self, Held};
use super::queues::{LaneNo, Queues};
use super::words::Words;
use super::{caps, chain, lifecycle, reads, rows};
use crate::journal::{Begun, Error, NewItem, NewUpload, Seal, Sealed, Start, Touched};
use crate::types::deletion::{DeletionSeq, Step, Wanted};
use crate::types::lifecycle::{DeletionState, Passed, Terms};
use crate::types::outcome::{Ending, Outcome};

/// Items of one upload on one asset that are looked at, newest first. A repeat of
/// an older target than these is not told to be one: it waits its turn and is sent.
const OF_ASSET: i64 = 64;

const UPLOAD: &str = "SELECT total, sequence, accounts, chore_data, baseline, requested_by FROM deletions \
    WHERE seq = ?1 AND state = 0";
const STAGED: &str = "UPDATE deletions SET total = ?2, ended = ?3, sequence = ?3, accounts = ?4, \
    chore_data = ?5, baseline = ?6, \
    deleted = ?7, absent = ?8, refused = ?9, busy = ?10, failed = ?11, unknown = ?12, canceled = ?13 \
    WHERE seq = ?1";
const OF_NAME: &str = "SELECT idx, form, kind, what, same_as, outcome, inferred, error \
    FROM items INDEXED BY items_named WHERE account = ?1 AND name = ?2 AND deletion = ?3 \
    ORDER BY idx DESC LIMIT ?4";
const SEAL: &str = "UPDATE deletions SET state = ?4, \
    created_at = ?2, finished_at = CASE WHEN ended = total THEN ?2 END, digest = ?3, terms = ?5, \
    deadline = ?6, chore = ?7, chore_data = ?8 \
    WHERE seq = ?1 RETURNING id, finished_at IS NOT NULL AS finished, total, baseline, \
    deleted, absent, refused, busy, failed, unknown, canceled";
const DISCARD: &str = "UPDATE deletions SET state = 5, chore_data = NULL WHERE seq = ?1 AND state = 0";
const UNSEALED: &str = "SELECT seq FROM deletions INDEXED BY deletions_open \
    WHERE finished_at IS NULL AND state = 0 AND created_at < ?1";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 6] = [UPLOAD, STAGED, OF_NAME, SEAL, DISCARD, UNSEALED];

/// What is staged of an upload so far.
#[derive(Debug, Default)]
struct Upload {
    total: u32,
    /// The last place given in the sequence of outcomes.
    sequence: u32,
    caller: i64,
    accounts: Vec<i64>,
    lanes: Lanes,
    ended: [u32; Outcome::ALL.len()],
}

/// How many items wait in which lane, in `chore_data`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lanes {
    lanes: Vec<(i64, i64, i64)>,
}

impl Lanes {
    fn add(&mut self, lane: LaneNo) {
        let found = self.lanes.iter_mut().find(|(a, o, _)| (*a, *o) == (lane.account, lane.operation));
        match found {
            Some((_, _, items)) => *items += 1,
            None => self.lanes.push((lane.account, lane.operation, 1)),
        }
    }
}

/// Begins an upload, unless the key says that it is there.
pub(super) fn begin(connection: &Connection, now: Timestamp, upload: &NewUpload) -> Result<Begun, Error> {
    let now = rows::millis(now);
    let caller = Words::new(connection).number(&upload.requested_by)?;
    if let Some((key, _)) = &upload.key {
        match keys::find(connection, caller, key, now)? {
            Held::Free => {}
            Held::By { id, fingerprint } => return Ok(Begun::Known { id, fingerprint }),
            Held::Busy => return Ok(Begun::KeyBusy),
        }
    }
    let row = NewRow {
        id: &upload.id,
        caller,
        accounts: &[],
        reason: upload.reason.as_deref(),
        if_absent: upload.if_absent,
        state: DeletionState::Receiving,
        bulk: true,
        digest: None,
        now,
        started: false,
        total: 0,
        ended: [0; Outcome::ALL.len()],
        terms: &Terms::default(),
    };
    let seq = accept::add_row(connection, &row)?;
    if let Some((key, keep)) = &upload.key {
        keys::add(connection, caller, key, None, seq, (now, *keep))?;
    }
    Ok(Begun::Receiving(seq))
}

fn read(connection: &Connection, seq: DeletionSeq) -> Result<Upload, Error> {
    let mut statement = connection.prepare_cached(UPLOAD)?;
    let mut found = statement.query([seq])?;
    let Some(row) = found.next()? else {
        return Err(Error::Invalid(format!("deletion {seq} is not being received")));
    };
    Ok(Upload {
        total: row.get("total")?,
        sequence: row.get("sequence")?,
        caller: row.get("requested_by")?,
        accounts: rows::json_column(row, "accounts")?.unwrap_or_default(),
        lanes: rows::json_column(row, "chore_data")?.unwrap_or_default(),
        ended: rows::json_column(row, "baseline")?.unwrap_or_default(),
    })
}

/// Where an item is put.
enum Placed {
    Due,
    /// Of this item the target is a repeat.
    Follows(u32),
    /// The same, and it has ended.
    Ended(u32, Ending),
    After(u32),
}

/// Stages a chunk.
pub(super) fn stage(
    connection: &Connection,
    now: Timestamp,
    seq: DeletionSeq,
    from: u32,
    items: &[NewItem],
) -> Result<(), Error> {
    let mut upload = read(connection, seq)?;
    if from != upload.total {
        return Err(Error::Invalid(format!("item {from} of an upload that has {}", upload.total)));
    }
    let now = rows::millis(now);
    let mut words = Words::new(connection);
    let mut writer = items::Writer::new(connection, seq, now)?;
    let mut of_name = connection.prepare_cached(OF_NAME)?;
    for item in items {
        let index = upload.total;
        let too_many = || Error::Invalid("more items than can be numbered".to_owned());
        upload.total = index.checked_add(1).ok_or_else(too_many)?;
        let wanted = item.wanted.as_ref();
        if let Some(wanted) = wanted {
            let account = writer.account(&mut words, wanted.target.account.as_str())?;
            if !upload.accounts.contains(&account) {
                upload.accounts.push(account);
            }
        }
        match (&item.start, wanted) {
            (Start::Ended(ending), _) => {
                let stand = Stand::Ended(ending, upload.end(ending));
                writer.add(&mut words, index, wanted, None, None, stand)?;
            }
            (Start::Waits(step), Some(wanted)) => {
                let account = writer.account(&mut words, wanted.target.account.as_str())?;
                let placed = place(&mut of_name, seq, account, wanted)?;
                add(&mut writer, &mut words, &mut upload, index, account, wanted, step, placed)?;
            }
            (Start::Waits(_) | Start::Sends { .. } | Start::Follows { .. } | Start::After { .. }, _) => {
                return Err(Error::Invalid(format!("item {index} of an upload starts otherwise")));
            }
        }
    }
    let [deleted, absent, refused, busy, failed, unknown, canceled] = upload.ended;
    connection.prepare_cached(STAGED)?.execute(params![
        seq,
        upload.total,
        upload.sequence,
        rows::json(&upload.accounts)?,
        rows::json(&upload.lanes)?,
        rows::baseline_column(&upload.ended)?,
        deleted,
        absent,
        refused,
        busy,
        failed,
        unknown,
        canceled,
    ])?;
    Ok(())
}

impl Upload {
    /// Counts an item that has ended; its place in the sequence.
    fn end(&mut self, ending: &Ending) -> u32 {
        self.ended[ending.outcome.place()] += 1;
        self.sequence = self.sequence.saturating_add(1);
        self.sequence
    }
}

#[expect(clippy::too_many_arguments, reason = "the loop's own variables")]
fn add(
    writer: &mut items::Writer<'_>,
    words: &mut Words<'_>,
    upload: &mut Upload,
    index: u32,
    account: i64,
    wanted: &Wanted,
    step: &Step,
    placed: Placed,
) -> Result<(), Error> {
    let wanted = Some(wanted);
    match placed {
        Placed::Due => {
            let operation = writer.operation(words, step.operation.as_str())?;
            upload.lanes.add(LaneNo { account, operation });
            writer.add(words, index, wanted, None, Some(step), Stand::Due)
        }
        Placed::Follows(leader) => {
            writer.add(words, index, wanted, Some(leader), None, Stand::Behind(leader.into()))
        }
        Placed::Ended(leader, ending) => {
            let stand = Stand::Ended(&ending, upload.end(&ending));
            writer.add(words, index, wanted, Some(leader), None, stand)
        }
        Placed::After(earlier) => {
            writer.add(words, index, wanted, None, Some(step), Stand::Behind(earlier.into()))
        }
    }
}

/// Looks for earlier items of the upload on the same asset.
fn place(
    of_name: &mut CachedStatement<'_>,
    seq: DeletionSeq,
    account: i64,
    wanted: &Wanted,
) -> Result<Placed, Error> {
    let target = &wanted.target;
    let mut found = of_name.query(params![account, target.name.as_str(), seq, OF_ASSET])?;
    let mut last_open = None;
    while let Some(row) = found.next()? {
        let index: u32 = row.get("idx")?;
        let root = row.get::<_, Option<u32>>("same_as")?.unwrap_or(index);
        let ending = rows::ending(row)?;
        if rows::is_same(row, target)? {
            return Ok(match ending {
                Some(ending) => Placed::Ended(root, ending),
                None => Placed::Follows(root),
            });
        }
        // Names of another form are other assets.
        if ending.is_none() && row.get::<_, i64>("form")? == rows::form_code(&target.name) {
            last_open.get_or_insert(root);
        }
    }
    Ok(last_open.map_or(Placed::Due, Placed::After))
}

/// Closes an upload.
pub(super) fn seal(
    connection: &Connection,
    now: Timestamp,
    seq: DeletionSeq,
    seal: &Seal,
) -> Result<Sealed, Error> {
    let upload = read(connection, seq)?;
    if upload.total != seal.total {
        let told = format!("{} items were staged, not {}", upload.total, seal.total);
        return Err(Error::Invalid(told));
    }
    let now = rows::millis(now);
    let open = upload.total.saturating_sub(upload.ended.iter().sum());
    if seal.terms.plan.is_none()
        && let Some(reached) = caps::take(connection, now, upload.caller, open.into(), seal.daily_cap)?
    {
        return Ok(Sealed::CapReached(reached));
    }
    let state = if open == 0 { DeletionState::Finished } else { seal.terms.state(Passed::Nothing) };
    accept::add_accounts(connection, &upload.accounts, seq)?;
    if let Some(fingerprint) = seal.fingerprint {
        keys::seal(connection, seq, fingerprint)?;
    }
    let mut statement = connection.prepare_cached(SEAL)?;
    let chore = lifecycle::work_ahead(&seal.terms, state);
    let mut found = statement.query(params![
        seq,
        now,
        seal.digest.0,
        rows::deletion_state_code(state),
        rows::terms_column(&seal.terms)?,
        lifecycle::deadline(&seal.terms, state, now),
        chore.map(rows::chore_code),
        chore.map(|_| rows::json(&Data::default())).transpose()?,
    ])?;
    let Some(row) = found.next()? else { return Err(Error::Unreadable(format!("deletion {seq} is gone"))) };
    let id: String = row.get("id")?;
    let touched = Touched {
        seq,
        id: rows::deletion_id(&id)?,
        counts: rows::counts(row)?,
        baseline: rows::baseline(row)?,
        finished: row.get("finished")?,
    };
    // To its end, which is where the change is made sure.
    while found.next()?.is_some() {}
    let mut queues = Queues::default();
    for (account, operation, items) in upload.lanes.lanes {
        queues.came_many(LaneNo { account, operation }, seq, now, items);
    }
    queues.write(connection, now)?;
    if let Some(row) = reads::deletion(connection, &touched.id)? {
        chain::add(connection, &mut Words::new(connection), now, chain::asked(&row))?;
    }
    Ok(Sealed::Done(touched))
}

/// Drops an upload; nothing, if it was sealed or dropped before.
pub(super) fn discard(connection: &Connection, seq: DeletionSeq) -> Result<bool, Error> {
    let dropped = connection.prepare_cached(DISCARD)?.execute([seq])? > 0;
    if dropped {
        keys::free(connection, seq)?;
    }
    Ok(dropped)
}

/// Drops the uploads begun before this time.
pub(super) fn discard_unsealed(connection: &Connection, begun_before: Timestamp) -> Result<usize, Error> {
    let seqs: Vec<DeletionSeq> = connection
        .prepare_cached(UNSEALED)?
        .query_map([rows::millis_up(begun_before)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    seqs.iter().try_for_each(|seq| discard(connection, *seq).map(drop))?;
    Ok(seqs.len())
}

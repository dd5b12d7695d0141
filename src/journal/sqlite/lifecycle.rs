//! What verbs and time do to a deletion.
//!
//! Each is one small write, however large the deletion: its state, and its queues
//! taken out of the lanes' turns or put back. Its own file because here the verbs'
//! table (`types/lifecycle.rs`) meets the store. What a cancel does to the items
//! follows in steps (`chores`).

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::chores::Data;
use super::writing::Writing;
use super::{caps, chain, folded, queues, reads, rows};
use crate::journal::audit::{self, Action};
use crate::journal::{Asked, ChoreWord, DeletionRow, Error, Lapsed, Turned};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, Progress};
use crate::types::lifecycle::{Decision, DeletionState, Pause, Review, Terms, Turn, Verb, turn};

const MOVE: &str = "UPDATE deletions SET state = ?2, pause = ?3, deadline = ?4, review = ?5 WHERE seq = ?1";
const RESUMED: &str = "UPDATE deletions SET baseline = ?2 WHERE seq = ?1";
// Only what did not run before: a pause on the way does not make it younger.
const RELEASED: &str = "UPDATE deletions SET released_at = ?2 WHERE seq = ?1";
const SET_CHORE: &str = "UPDATE deletions SET chore = ?2, chore_data = ?3 WHERE seq = ?1";
const PAUSE: &str = "UPDATE deletions SET state = 2, pause = ?2 WHERE seq = ?1";
// What is scheduled too: a journal that was restored must not run by its clock.
const RUNNING: &str = "SELECT seq, id FROM deletions INDEXED BY deletions_open \
    WHERE finished_at IS NULL AND state IN (1, 10) ORDER BY seq";
const LAPSED: &str = "SELECT id, deadline FROM deletions INDEXED BY deletions_deadline \
    WHERE deadline IS NOT NULL AND state IN (6, 7, 10) ORDER BY deadline LIMIT ?1";
// Items that wait for a call of this deletion (or of any). From the side of those
// that wait now: there are few, while a large deletion may have served many.
const LEADERS: &str = "SELECT DISTINCT c.with_deletion AS deletion, c.with_idx AS idx FROM \
    (SELECT seq FROM deletions INDEXED BY deletions_open WHERE finished_at IS NULL) d \
    CROSS JOIN items i INDEXED BY items_behind ON i.deletion = d.seq AND i.behind = -1 \
    CROSS JOIN coalesced c ON c.deletion = i.deletion AND c.idx = i.idx \
    WHERE ?1 IS NULL OR c.with_deletion = ?1";
const WAITS: &str = "SELECT i.progress FROM items i JOIN deletions d ON d.seq = i.deletion AND d.state = 2 \
    WHERE i.deletion = ?1 AND i.idx = ?2 AND i.outcome IS NULL AND i.lease_until IS NULL";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 9] =
    [MOVE, RESUMED, RELEASED, SET_CHORE, PAUSE, RUNNING, LAPSED, LEADERS, WAITS];

/// Does what was asked, if the state allows it.
pub(super) fn turn_to(
    connection: &Connection,
    now: Timestamp,
    id: &DeletionId,
    asked: &Asked,
) -> Result<Option<Turned>, Error> {
    let Some(mut row) = reads::deletion(connection, id)? else { return Ok(None) };
    let mut writing = Writing::new(connection, rows::millis(now));
    let is_over = row.deadline.is_some_and(|at| at <= now);
    let waits_for_a_person = matches!(row.state, DeletionState::Planned | DeletionState::AwaitingApproval);
    let lapses = is_over && (waits_for_a_person || row.state == DeletionState::Scheduled);
    if asked.verb == Verb::Lapse && !lapses {
        return Ok(Some(Turned::Same(row)));
    }
    if asked.verb != Verb::Lapse && lapses && waits_for_a_person {
        // Whoever comes too late finds it so.
        go(&mut writing, &row, &Asked::of(Verb::Lapse, audit::SERVICE), DeletionState::Expired)?;
        let Some(expired) = reads::deletion(connection, id)? else { return Ok(None) };
        row = expired;
    }
    let to = turn(&row.standing(now), asked.verb);
    if to == Turn::Wrong {
        return Ok(Some(Turned::Wrong(row)));
    }
    if asked.digest.is_some_and(|digest| digest != row.digest) {
        return Ok(Some(Turned::OtherDigest(row)));
    }
    if matches!(asked.verb, Verb::Approve | Verb::Reject) && is_own(&row, &asked.by) {
        return Ok(Some(Turned::Own(row)));
    }
    let Turn::To(to) = to else { return Ok(Some(Turned::Same(row))) };
    if asked.verb == Verb::Start {
        let caller = writing.words.number(&asked.by)?;
        if let Some(reached) =
            caps::take(connection, writing.now, caller, row.counts.open(), asked.daily_cap)?
        {
            return Ok(Some(Turned::CapReached(reached)));
        }
    }
    go(&mut writing, &row, asked, to)?;
    if asked.verb == Verb::Pause {
        hand_on(&mut writing, Some(row.seq))?;
    }
    let recorded = writing.finish()?;
    Ok(reads::deletion(connection, id)?.map(|row| Turned::Done(row, recorded)))
}

/// Whether a caller asked for the deletion, or started it.
fn is_own(row: &DeletionRow, by: &str) -> bool {
    row.requested_by == by || row.review.started.as_ref().is_some_and(|started| started.by == by)
}

/// When a deletion that comes into this state now leaves it by itself.
pub(super) fn deadline(terms: &Terms, state: DeletionState, now: i64) -> Option<i64> {
    terms.time_in(state).map(|time| now.saturating_add(rows::length(time)))
}

/// The work that begins when a deletion comes into this state on its way to run.
pub(super) fn work_ahead(terms: &Terms, state: DeletionState) -> Option<ChoreWord> {
    match state {
        DeletionState::Planned => terms.check.then_some(ChoreWord::Check),
        // Before it is approved not even playback is touched.
        DeletionState::Scheduled => terms.quarantine.then_some(ChoreWord::Quarantine),
        DeletionState::AwaitingApproval
        | DeletionState::Receiving
        | DeletionState::Running
        | DeletionState::Paused
        | DeletionState::Finished
        | DeletionState::Canceled
        | DeletionState::Rejected
        | DeletionState::Expired => None,
    }
}

/// Moves a deletion into a state, with all that follows from it.
fn go(writing: &mut Writing<'_>, row: &DeletionRow, asked: &Asked, to: DeletionState) -> Result<(), Error> {
    let (connection, seq, now) = (writing.connection, row.seq, writing.now);
    if to.is_dead() || to == DeletionState::Paused {
        folded::flush(connection, &mut writing.words, seq)?;
    }
    let reason = asked.reason.as_deref().or(asked.pause.as_ref().and_then(|pause| pause.reason.as_deref()));
    let entry = chain::about(row, action(asked.verb, to), &asked.by, reason);
    chain::add(connection, &mut writing.words, now, entry)?;
    let pause = match (asked.verb, &asked.pause) {
        (Verb::Pause, Some(why)) => Some(rows::json(why)?),
        (Verb::Pause, None) | (Verb::Retry, _) | (_, Some(_)) => {
            return Err(Error::Invalid(format!("{} does not go so", asked.verb.as_str())));
        }
        (_, None) => None,
    };
    // A delay goes on while it is paused.
    let keeps = matches!(asked.verb, Verb::Pause | Verb::Resume) && to != DeletionState::Running;
    let deadline = match row.deadline {
        Some(at) if keeps => Some(rows::millis(at)),
        Some(_) | None => deadline(&row.terms, to, now),
    };
    let review = rows::review_column(&reviewed(row, asked, now)?)?;
    let state = rows::deletion_state_code(to);
    connection.prepare_cached(MOVE)?.execute(params![seq, state, pause, deadline, review])?;
    if asked.verb == Verb::Resume {
        let baseline = rows::baseline_column(&row.counts.by_outcome)?;
        connection.prepare_cached(RESUMED)?.execute(params![seq, baseline])?;
    }
    if to.is_dead() {
        set_chore(connection, seq, Some(ChoreWord::Cancel))?;
    } else if matches!(row.state, DeletionState::Planned | DeletionState::AwaitingApproval)
        && work_ahead(&row.terms, to).is_some()
    {
        set_chore(connection, seq, work_ahead(&row.terms, to))?;
    } else if to == DeletionState::Running && row.chore == Some(ChoreWord::Quarantine) {
        // Blocks that stand stay: what they are for goes now.
        set_chore(connection, seq, None)?;
    }
    if to.sends() {
        if row.state.is_ahead() || row.deadline.is_some() {
            connection.prepare_cached(RELEASED)?.execute([seq, now])?;
        }
        queues::resume(connection, seq)
    } else {
        queues::stop(connection, seq)
    }
}

/// What is recorded of a verb.
fn action(verb: Verb, to: DeletionState) -> Action {
    match verb {
        Verb::Pause => Action::Paused,
        Verb::Resume => Action::Resumed,
        Verb::Cancel => Action::Canceled,
        Verb::Retry => Action::Retried,
        Verb::Start => Action::Started,
        Verb::Approve => Action::Approved,
        Verb::Reject => Action::Rejected,
        Verb::Lapse if to.sends() => Action::Released,
        Verb::Lapse => Action::Expired,
    }
}

/// What was decided, with this decision.
fn reviewed(row: &DeletionRow, asked: &Asked, now: i64) -> Result<Review, Error> {
    let decision = Decision { by: asked.by.clone(), at: rows::time(now)?, reason: asked.reason.clone() };
    let mut review = row.review.clone();
    match asked.verb {
        Verb::Start => review.started = Some(decision),
        Verb::Approve => review.approved = Some(decision),
        Verb::Reject => review.rejected = Some(decision),
        Verb::Pause | Verb::Resume | Verb::Cancel | Verb::Retry | Verb::Lapse => {}
    }
    Ok(review)
}

/// Begins work in steps, or ends it.
pub(super) fn set_chore(
    connection: &Connection,
    seq: DeletionSeq,
    chore: Option<ChoreWord>,
) -> Result<(), Error> {
    let data = chore.map(|_| rows::json(&Data::default())).transpose()?;
    connection.prepare_cached(SET_CHORE)?.execute(params![seq, chore.map(rows::chore_code), data])?;
    Ok(())
}

/// Deletions whose deadline is over, earliest first.
pub(super) fn lapsed(connection: &Connection, now: Timestamp, limit: usize) -> Result<Lapsed, Error> {
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let found = reads::all(connection, LAPSED, [one_more], |row| {
        let id: String = row.get("id")?;
        Ok((rows::deletion_id(&id)?, rows::time(row.get("deadline")?)?))
    })?;
    let (over, ahead): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, at)| *at <= now);
    let next = ahead.first().map(|(_, at)| *at);
    Ok(Lapsed { ids: over.into_iter().map(|(id, _)| id).take(limit).collect(), next })
}

/// Pauses everything that runs, or would by itself; how many deletions that were.
pub(super) fn pause_all(connection: &Connection, now: Timestamp, why: &Pause) -> Result<usize, Error> {
    let running = reads::all(connection, RUNNING, [], |row| {
        let id: String = row.get("id")?;
        rows::deletion_id(&id)
    })?;
    let mut writing = Writing::new(connection, rows::millis(now));
    let by = why.by.as_deref().unwrap_or(audit::SERVICE);
    for id in &running {
        let Some(row) = reads::deletion(connection, id)? else { continue };
        connection.prepare_cached(PAUSE)?.execute(params![row.seq, rows::json(why)?])?;
        queues::stop(connection, row.seq)?;
        folded::flush(connection, &mut writing.words, row.seq)?;
        let entry = chain::about(&row, Action::Paused, by, why.reason.as_deref());
        chain::add(connection, &mut writing.words, writing.now, entry)?;
    }
    hand_on(&mut writing, None)?;
    writing.finish()?;
    Ok(running.len())
}

/// Who waits for a call that a paused deletion will not make goes on by itself. If
/// the vendor may have done something already, they wait for what that was.
fn hand_on(writing: &mut Writing<'_>, of: Option<DeletionSeq>) -> Result<(), Error> {
    let mut leaders = reads::all(writing.connection, LEADERS, [of], rows::key)?;
    leaders.sort_unstable();
    for leader in leaders {
        if waits_unsent(writing.connection, leader)? {
            writing.release(leader)?;
        }
    }
    Ok(())
}

fn waits_unsent(connection: &Connection, key: ItemKey) -> Result<bool, Error> {
    let found = reads::all(connection, WAITS, params![key.deletion, key.index], rows::progress::<Progress>)?;
    Ok(found.first().is_some_and(|progress| !progress.as_ref().is_some_and(Progress::was_sent)))
}

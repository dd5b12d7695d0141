//! What the store's integers and texts mean.
//!
//! Enums are stored as small integers, times as milliseconds, the rest as text
//! or JSON; this file is the only place that knows which number is which, in both
//! directions, so that a row is read as it was written. A number is never given
//! a second meaning. No statement stands here.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{ErrorCode, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::journal::audit::Action;
use crate::journal::{CallRecord, ChoreWord, DeletionRow, Error, ItemRow, Note, Quarantine, Round, Touched};
use crate::types::deletion::{
    Counts, DeletionId, DeletionSeq, Digest, IfAbsent, ItemKey, ItemState, LaneId, Phase, Step, Wanted,
};
use crate::types::lifecycle::{DeletionState, Pause, Review, Terms};
use crate::types::outcome::{AttemptClass, Ending, Outcome};
use crate::types::target::{AccountId, Name, OperationName, Target, What};

/// The first generation that is handed out.
pub(super) const FIRST_GENERATION: i64 = 1;

/// In `queues.asleep`: the deletion is not running.
pub(super) const NOT_RUNNING: i64 = i64::MAX;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let Some(failure) = error.sqlite_error() else {
            // The statement went well; what it returned does not fit the type that was asked for.
            return Error::Unreadable(error.to_string());
        };
        // The write-ahead index is a file too: no room to grow it is no room.
        let no_index = failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
        if failure.code == ErrorCode::DiskFull || no_index {
            Error::DiskFull
        } else if failure.code == ErrorCode::ConstraintViolation {
            Error::Invalid(error.to_string())
        } else {
            Error::Unavailable(error.to_string())
        }
    }
}

fn unreadable(what: &str, found: impl std::fmt::Display) -> Error {
    Error::Unreadable(format!("{what} {found}"))
}

/// Milliseconds of a time, rounded down.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// Milliseconds of a time, rounded up: "not before" must not come early.
pub(super) fn millis_up(time: Timestamp) -> i64 {
    let floor = time.as_millisecond();
    floor + i64::from(time.subsec_nanosecond() % 1_000_000 > 0)
}

/// Milliseconds of a length of time.
pub(super) fn length(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A time that was stored.
pub(super) fn time(millis: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(millis).map_err(|_| unreadable("time", millis))
}

/// The number of one of a fixed list.
fn place<T: PartialEq>(all: &[T], one: &T) -> i64 {
    // Every list here is short.
    all.iter().position(|other| other == one).and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX)
}

fn at<T: Copy>(all: &[T], code: i64, what: &str) -> Result<T, Error> {
    let found = usize::try_from(code).ok().and_then(|n| all.get(n));
    found.copied().ok_or_else(|| unreadable(what, code))
}

const PHASES: [Phase; 3] = [Phase::Resolve, Phase::Delete, Phase::Settle];
const STATES: [ItemState; 3] = [ItemState::Pending, ItemState::Sending, ItemState::Done];
const CLASSES: [AttemptClass; 4] =
    [AttemptClass::NotSent, AttemptClass::Answered, AttemptClass::Ambiguous, AttemptClass::Refused];
const IF_ABSENT: [IfAbsent; 2] = [IfAbsent::Ok, IfAbsent::Error];
// Five stands for one that is being removed, which no reader sees.
const DELETION_STATES: [Option<DeletionState>; 11] = [
    Some(DeletionState::Receiving),
    Some(DeletionState::Running),
    Some(DeletionState::Paused),
    Some(DeletionState::Finished),
    Some(DeletionState::Canceled),
    None,
    Some(DeletionState::Planned),
    Some(DeletionState::AwaitingApproval),
    Some(DeletionState::Rejected),
    Some(DeletionState::Expired),
    Some(DeletionState::Scheduled),
];
// From one: NULL is none.
const CHORES: [ChoreWord; 5] =
    [ChoreWord::Cancel, ChoreWord::Retry, ChoreWord::Check, ChoreWord::Quarantine, ChoreWord::Lift];
const FORMS: [&str; 3] = ["id", "reference_id", "url"];

/// A phase's number.
pub(super) fn phase_code(phase: Phase) -> i64 {
    place(&PHASES, &phase)
}

/// An outcome's number.
pub(super) fn outcome_code(outcome: Outcome) -> i64 {
    place(&Outcome::ALL, &outcome)
}

/// An item state's number, as the schema's `state` computes it.
pub(super) fn state_code(state: ItemState) -> i64 {
    place(&STATES, &state)
}

/// An attempt class's number.
pub(super) fn class_code(class: AttemptClass) -> i64 {
    place(&CLASSES, &class)
}

/// A deletion state's number.
pub(super) fn deletion_state_code(state: DeletionState) -> i64 {
    place(&DELETION_STATES, &Some(state))
}

/// The state of a deletion that is being removed.
pub(super) const GOING: i64 = 5;

/// The state of a deletion that readers see.
fn deletion_state(code: i64) -> Result<DeletionState, Error> {
    at(&DELETION_STATES, code, "state")?.ok_or_else(|| unreadable("state", code))
}

/// The number of what happened.
pub(super) fn action_code(action: Action) -> i64 {
    place(&Action::ALL, &action)
}

/// What happened.
pub(super) fn action(code: i64) -> Result<Action, Error> {
    at(&Action::ALL, code, "action")
}

/// The number of work in steps.
pub(super) fn chore_code(chore: ChoreWord) -> i64 {
    place(&CHORES, &chore).saturating_add(1)
}

/// Column `chore`.
pub(super) fn chore(row: &Row<'_>) -> Result<Option<ChoreWord>, Error> {
    let found: Option<i64> = row.get("chore")?;
    found.map(|code| at(&CHORES, code.saturating_sub(1), "chore")).transpose()
}

/// The number of what became of an item's playback.
pub(super) fn quarantine_code(quarantine: Quarantine) -> i64 {
    place(&Quarantine::ALL, &quarantine)
}

/// Columns `found` and `quarantine`.
fn note(row: &Row<'_>) -> Result<Option<Note>, Error> {
    let quarantine: Option<i64> = row.get("quarantine")?;
    let quarantine = quarantine.map(|code| at(&Quarantine::ALL, code, "quarantine")).transpose()?;
    let note = Note { found: json_column(row, "found")?, quarantine };
    Ok((note != Note::default()).then_some(note))
}

/// Terms, for column `terms`: NULL is nothing.
pub(super) fn terms_column(terms: &Terms) -> Result<Option<String>, Error> {
    if *terms == Terms::default() { Ok(None) } else { json(terms).map(Some) }
}

/// A review, for column `review`: NULL is none.
pub(super) fn review_column(review: &Review) -> Result<Option<String>, Error> {
    if *review == Review::default() { Ok(None) } else { json(review).map(Some) }
}

/// The number of what "not found" means.
pub(super) fn if_absent_code(if_absent: IfAbsent) -> i64 {
    place(&IF_ABSENT, &if_absent)
}

/// The number of a name's form.
pub(super) fn form_code(name: &Name) -> i64 {
    place(&FORMS, &name.form())
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Invalid(e.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Unreadable(e.to_string()))
}

fn kind_code(what: &What) -> i64 {
    match what {
        What::Media => 0,
        What::Source { .. } => 1,
        What::Renditions(_) => 2,
        What::Snapshots(_) => 3,
        What::Image => 4,
        What::AttachedMedia => 5,
    }
}

/// A kind's number, and its selectors where it has any.
pub(super) fn what_columns(what: &What) -> Result<(i64, Option<String>), Error> {
    let selectors = match what {
        What::Source { .. } | What::Renditions(_) | What::Snapshots(_) => Some(json(what)?),
        What::Media | What::Image | What::AttachedMedia => None,
    };
    Ok((kind_code(what), selectors))
}

fn what(kind: i64, selectors: Option<&str>) -> Result<What, Error> {
    match (kind, selectors) {
        (0, None) => Ok(What::Media),
        (1..=3, Some(text)) => from_json(text),
        (4, None) => Ok(What::Image),
        (5, None) => Ok(What::AttachedMedia),
        _ => Err(unreadable("kind", kind)),
    }
}

/// Whether columns `form`, `kind`, `what` say the same as this target, whose account and name are equal.
pub(super) fn is_same(row: &Row<'_>, target: &Target) -> Result<bool, Error> {
    if row.get::<_, i64>("form")? != form_code(&target.name)
        || row.get::<_, i64>("kind")? != kind_code(&target.what)
    {
        return Ok(false);
    }
    let selectors = row.get_ref("what")?.as_str_or_null().map_err(|e| unreadable("what", e))?;
    let Some(selectors) = selectors else { return Ok(true) };
    // The order of selectors does not make another target.
    let other = Target { what: from_json(selectors)?, ..target.clone() };
    Ok(other.identity() == target.identity())
}

/// The group as stored: the empty one is NULL.
pub(super) fn group_column(step: &Step) -> Option<&str> {
    Some(step.group.as_str()).filter(|group| !group.is_empty())
}

/// An account's name.
pub(super) fn account(text: &str) -> Result<AccountId, Error> {
    AccountId::parse(text).map_err(|_| unreadable("account", text))
}

/// An operation's name.
pub(super) fn operation(text: &str) -> Result<OperationName, Error> {
    OperationName::parse(text).map_err(|_| unreadable("operation", text))
}

/// A deletion's public name.
pub(super) fn deletion_id(text: &str) -> Result<DeletionId, Error> {
    DeletionId::parse(text).ok_or_else(|| unreadable("deletion", text))
}

fn text<T>(row: &Row<'_>, column: &str, read: fn(&str) -> Result<T, Error>) -> Result<T, Error> {
    read(row.get_ref(column)?.as_str().map_err(|e| unreadable(column, e))?)
}

/// A stored JSON value, if there is one.
pub(super) fn json_column<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<Option<T>, Error> {
    let found = row.get_ref(column)?.as_str_or_null().map_err(|e| unreadable(column, e))?;
    found.map(from_json).transpose()
}

fn optional_time(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>, Error> {
    row.get::<_, Option<i64>>(column)?.map(time).transpose()
}

/// Columns `deletion` and `idx`.
pub(super) fn key(row: &Row<'_>) -> Result<ItemKey, Error> {
    Ok(ItemKey { deletion: row.get("deletion")?, index: row.get("idx")? })
}

/// Columns `account`, `form`, `name`, `kind`, `what`.
pub(super) fn target(row: &Row<'_>) -> Result<Target, Error> {
    let form = at(&FORMS, row.get("form")?, "form")?;
    let name: String = row.get("name")?;
    let selectors = row.get_ref("what")?.as_str_or_null().map_err(|e| unreadable("what", e))?;
    Ok(Target {
        account: text(row, "account", account)?,
        name: Name::parse(form, &name).map_err(|_| unreadable("name", name))?,
        what: what(row.get("kind")?, selectors)?,
    })
}

/// Columns `operation`, `phase`, `grp`.
pub(super) fn step(row: &Row<'_>) -> Result<Step, Error> {
    Ok(Step {
        operation: text(row, "operation", operation)?,
        phase: at(&PHASES, row.get("phase")?, "phase")?,
        group: row.get::<_, Option<String>>("grp")?.unwrap_or_default(),
    })
}

/// Column `progress`.
pub(super) fn progress<T: DeserializeOwned>(row: &Row<'_>) -> Result<Option<T>, Error> {
    json_column(row, "progress")
}

/// Columns `outcome`, `inferred`, `error`.
pub(super) fn ending(row: &Row<'_>) -> Result<Option<Ending>, Error> {
    let Some(code) = row.get::<_, Option<i64>>("outcome")? else { return Ok(None) };
    Ok(Some(Ending {
        outcome: at(&Outcome::ALL, code, "outcome")?,
        inferred: row.get::<_, Option<bool>>("inferred")?.unwrap_or(false),
        error: json_column(row, "error")?,
    }))
}

/// The kind of a line that could not be read: it names no target.
pub(super) const UNREAD: i64 = 6;

fn wanted(row: &Row<'_>) -> Result<Option<Wanted>, Error> {
    if row.get::<_, i64>("kind")? == UNREAD {
        return Ok(None);
    }
    Ok(Some(Wanted { target: target(row)?, label: row.get("label")? }))
}

fn digest(row: &Row<'_>) -> Result<Digest, Error> {
    // None in rows of version 1.
    Ok(Digest(row.get::<_, Option<[u8; 32]>>("digest")?.unwrap_or_default()))
}

fn coalesced_with(row: &Row<'_>) -> Result<Option<(DeletionId, u32)>, Error> {
    let Some(id) = row.get::<_, Option<String>>("with_id")? else { return Ok(None) };
    Ok(Some((deletion_id(&id)?, row.get("with_idx")?)))
}

/// A whole row of `reads::ROUNDS`.
pub(super) fn round(row: &Row<'_>) -> Result<Round, Error> {
    let ending = ending(row)?.ok_or_else(|| unreadable("round", "without an outcome"))?;
    Ok(Round {
        number: row.get("number")?,
        ending,
        finished_at: time(row.get("finished_at")?)?,
        reopened_at: time(row.get("reopened_at")?)?,
        by: row.get("by")?,
        reason: row.get("reason")?,
        settled: row.get("settled")?,
    })
}

/// A whole row of `reads::ITEM`.
pub(super) fn item(row: &Row<'_>) -> Result<ItemRow, Error> {
    let last_call = match row.get::<_, Option<String>>("last_operation")? {
        Some(name) => Some((operation(&name)?, row.get("request_id")?)),
        None => None,
    };
    Ok(ItemRow {
        deletion_state: deletion_state(row.get("deletion_state")?)?,
        note: note(row)?,
        key: key(row)?,
        deletion: text(row, "public_id", deletion_id)?,
        wanted: wanted(row)?,
        state: at(&STATES, row.get("state")?, "state")?,
        ending: ending(row)?,
        outcome_seq: row.get("outcome_seq")?,
        progress: progress(row)?,
        attempts: row.get("calls")?,
        last_call,
        finished_at: optional_time(row, "finished_at")?,
        same_as: row.get("same_as")?,
        coalesced_with: coalesced_with(row)?,
        if_absent: at(&IF_ABSENT, row.get("if_absent")?, "if_absent")?,
    })
}

fn count(row: &Row<'_>, column: &str) -> Result<u64, Error> {
    let found: i64 = row.get(column)?;
    u64::try_from(found).map_err(|_| unreadable(column, found))
}

/// Columns `total` and those named by the outcomes.
pub(super) fn counts(row: &Row<'_>) -> Result<Counts, Error> {
    let mut by_outcome = [0; Outcome::ALL.len()];
    for (slot, outcome) in by_outcome.iter_mut().zip(Outcome::ALL) {
        // The columns are named by the contract's words.
        *slot = count(row, outcome.as_str())?;
    }
    Ok(Counts { total: count(row, "total")?, by_outcome })
}

/// What had ended at a time, for column `baseline`: NULL if nothing had.
pub(super) fn baseline_column<N>(by_outcome: &[N; Outcome::ALL.len()]) -> Result<Option<String>, Error>
where
    N: Copy + Into<u64> + Serialize,
{
    if by_outcome.iter().all(|count| (*count).into() == 0) { Ok(None) } else { json(by_outcome).map(Some) }
}

/// Columns `total` and `baseline`.
pub(super) fn baseline(row: &Row<'_>) -> Result<Counts, Error> {
    let by_outcome = json_column(row, "baseline")?.unwrap_or_default();
    Ok(Counts { total: count(row, "total")?, by_outcome })
}

/// A whole row of `reads::DELETION`.
pub(super) fn deletion(row: &Row<'_>) -> Result<DeletionRow, Error> {
    let finished_at = optional_time(row, "finished_at")?;
    let accounts: Vec<String> = json_column(row, "accounts")?.unwrap_or_default();
    Ok(DeletionRow {
        seq: row.get("seq")?,
        id: text(row, "id", deletion_id)?,
        requested_by: row.get("requested_by")?,
        reason: row.get("reason")?,
        if_absent: at(&IF_ABSENT, row.get("if_absent")?, "if_absent")?,
        state: deletion_state(row.get("state")?)?,
        terms: json_column::<Terms>(row, "terms")?.unwrap_or_default(),
        review: json_column::<Review>(row, "review")?.unwrap_or_default(),
        deadline: optional_time(row, "deadline")?,
        chore: chore(row)?,
        pause: json_column::<Pause>(row, "pause")?,
        digest: digest(row)?,
        bulk: row.get("bulk")?,
        round: row.get("round")?,
        last_outcome: row.get("sequence")?,
        created_at: time(row.get("created_at")?)?,
        started_at: optional_time(row, "started_at")?,
        finished_at,
        counts: counts(row)?,
        accounts: accounts.iter().map(|name| account(name)).collect::<Result<_, _>>()?,
    })
}

/// Columns `id`, `finished`, `baseline` and the counts.
pub(super) fn touched(row: &Row<'_>, seq: DeletionSeq) -> Result<Touched, Error> {
    Ok(Touched {
        seq,
        id: text(row, "id", deletion_id)?,
        counts: counts(row)?,
        baseline: baseline(row)?,
        finished: row.get("finished")?,
    })
}

/// A call, from a row of `reads::ATTEMPTS`.
pub(super) fn call(row: &Row<'_>) -> Result<CallRecord, Error> {
    let millis: i64 = row.get("duration_ms")?;
    Ok(CallRecord {
        lane: LaneId {
            account: text(row, "account", account)?,
            operation: text(row, "operation", operation)?,
        },
        phase: at(&PHASES, row.get("phase")?, "phase")?,
        started_at: time(row.get("started_at")?)?,
        duration: Duration::from_millis(u64::try_from(millis).map_err(|_| unreadable("duration", millis))?),
        class: at(&CLASSES, row.get("class")?, "class")?,
        status: row.get("status")?,
        vendor_code: row.get("vendor_code")?,
        request_id: row.get("request_id")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_never_rounded_down() {
        let exact = Timestamp::from_millisecond(1_700_000_000_001).unwrap();
        assert_eq!(millis_up(exact), 1_700_000_000_001);
        assert_eq!(millis_up(exact + Duration::from_nanos(1)), 1_700_000_000_002);
        assert_eq!(millis(exact + Duration::from_nanos(999_999)), 1_700_000_000_001);
    }

    #[test]
    fn every_enum_reads_back_and_an_unknown_number_is_refused() {
        for (n, outcome) in (0..).zip(Outcome::ALL) {
            assert_eq!((outcome_code(outcome), at(&Outcome::ALL, n, "outcome")), (n, Ok(outcome)));
        }
        assert_eq!([PHASES.map(phase_code)], [[0, 1, 2]]);
        assert_eq!(CLASSES.map(class_code), [0, 1, 2, 3]);
        assert_eq!(STATES.map(state_code), [0, 1, 2]);
        assert!(matches!(at(&PHASES, 3, "phase"), Err(Error::Unreadable(_))));
        assert!(matches!(what(0, Some("{}")), Err(Error::Unreadable(_))));
        assert!(matches!(what(9, None), Err(Error::Unreadable(_))));
    }
}

//! Calls on their way into the audit chain.
//!
//! A record of each call would make the journal grow by more than its items do: one
//! vendor takes a single item a call. So calls of one deletion and lane are gathered
//! here, in the transaction of each, and become two records once they are enough, or
//! old, or their deletion stops. Its own file because only `record` and the ends of
//! deletions know of it. The chain itself is `chain`.

use rusqlite::{Connection, Row, params};

use super::words::Words;
use super::writing::Writing;
use super::{chain, reads, rows};
use crate::journal::audit::{self, Action, Entry, NOTHING, Ranges, Span};
use crate::journal::{CallRecord, Change, Error, Next};
use crate::types::deletion::{DeletionId, DeletionSeq, Digest};
use crate::types::outcome::{AttemptClass, Outcome};
use crate::types::target::{AccountId, OperationName};

/// Items that are enough for a record: it costs about 8 bytes for each of them then.
pub(super) const ENOUGH: u32 = 64;
/// Calls are gathered for so long; then they go into the chain with the next write.
pub(super) const OLD_MS: i64 = 10_000;
/// Old ones that one write takes along.
const AT_ONCE: i64 = 4;
/// What the vendor said, in bytes: past this it is cut short.
const TOLD_BYTES: usize = 200;

const OPEN: &str = "SELECT ranges, calls, digest, sent_at, answered_at, told, request_id, since \
    FROM audit_open WHERE deletion = ?1 AND account = ?2 AND operation = ?3";
const KEEP: &str = "INSERT OR REPLACE INTO audit_open (deletion, account, operation, ranges, calls, \
    digest, sent_at, answered_at, told, request_id, since) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const OF_DELETION: &str = "SELECT o.deletion AS seq, (SELECT id FROM deletions WHERE seq = o.deletion) AS id, \
    (SELECT text FROM words WHERE id = o.account) AS account, \
    (SELECT text FROM words WHERE id = o.operation) AS operation, o.ranges, o.calls, o.digest, o.sent_at, \
    o.answered_at, o.told, o.request_id, o.since FROM audit_open o WHERE o.deletion = ?1";
const OLD: &str = "SELECT DISTINCT deletion FROM (SELECT deletion FROM audit_open \
    INDEXED BY audit_open_old WHERE since <= ?1 ORDER BY since LIMIT ?2)";
const CLEAR: &str = "DELETE FROM audit_open WHERE deletion = ?1";
const CLEAR_ONE: &str = "DELETE FROM audit_open WHERE deletion = ?1 AND account = ?2 AND operation = ?3";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 6] = [OPEN, KEEP, OF_DELETION, OLD, CLEAR, CLEAR_ONE];

/// Calls of one deletion and lane.
struct Folded {
    ranges: Ranges,
    calls: u32,
    digest: Digest,
    sent_at: i64,
    answered_at: i64,
    told: String,
    request_id: Option<String>,
    since: i64,
}

impl Folded {
    fn none(now: i64) -> Self {
        Self {
            ranges: Ranges::default(),
            calls: 0,
            digest: NOTHING,
            sent_at: i64::MAX,
            answered_at: i64::MIN,
            told: String::new(),
            request_id: None,
            since: now,
        }
    }

    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let ranges: String = row.get("ranges")?;
        Ok(Self {
            ranges: Ranges::parse(&ranges).ok_or_else(|| Error::Unreadable(format!("ranges {ranges}")))?,
            calls: row.get("calls")?,
            digest: Digest(row.get("digest")?),
            sent_at: row.get("sent_at")?,
            answered_at: row.get("answered_at")?,
            told: row.get("told")?,
            request_id: row.get("request_id")?,
            since: row.get("since")?,
        })
    }

    fn add(&mut self, call: &CallRecord, items: &[(u32, Option<Outcome>)]) {
        for (index, _) in items {
            self.ranges.add(*index);
        }
        self.calls = self.calls.saturating_add(1);
        self.digest = audit::call_digest(&self.digest, call, items);
        let sent_at = rows::millis(call.started_at);
        self.sent_at = self.sent_at.min(sent_at);
        self.answered_at = self.answered_at.max(sent_at.saturating_add(rows::length(call.duration)));
        self.request_id = call.request_id.clone().filter(|_| self.calls == 1);
        self.tell(&audit::said(call));
    }

    fn tell(&mut self, said: &str) {
        let is_known = self.told.split(", ").any(|known| known == said);
        if is_known || said.is_empty() || self.told.len() > TOLD_BYTES {
            return;
        }
        if !self.told.is_empty() {
            self.told.push_str(", ");
        }
        self.told.push_str(said);
    }

    /// The records: one of what was sent, and one of the answers, if there were any.
    fn entries(
        &self,
        deletion: &DeletionId,
        account: &AccountId,
        operation: &OperationName,
        is_answered: bool,
    ) -> Vec<(i64, Entry)> {
        let many = if self.calls > 1 { format!(", {} calls", self.calls) } else { String::new() };
        let sent = Entry {
            actor: audit::SERVICE.to_owned(),
            action: Action::Sent,
            account: Some(account.clone()),
            deletion: Some(deletion.clone()),
            items: Some(Span {
                ranges: self.ranges.to_string(),
                count: self.ranges.count(),
                digest: self.digest,
            }),
            reason: Some(format!("{operation}{many}")),
            vendor_request_id: None,
        };
        let told = if self.told.is_empty() { String::new() } else { format!(": {}", self.told) };
        let answered = Entry {
            action: Action::Answered,
            reason: Some(format!("{operation}{many}{told}")),
            vendor_request_id: self.request_id.clone(),
            ..sent.clone()
        };
        let mut both = vec![(self.sent_at, sent)];
        both.extend(is_answered.then_some((self.answered_at, answered)));
        both
    }
}

/// Takes a call into account, for each deletion that it carried items of.
pub(super) fn note(writing: &mut Writing<'_>, call: &CallRecord, changes: &[Change]) -> Result<(), Error> {
    if call.class == AttemptClass::NotSent {
        return Ok(());
    }
    let mut carried = std::collections::BTreeMap::<DeletionSeq, Vec<(u32, Option<Outcome>)>>::new();
    for change in changes {
        let outcome = match &change.next {
            Next::Ended(ending) => Some(ending.outcome),
            Next::Again { .. } => None,
        };
        carried.entry(change.key.deletion).or_default().push((change.key.index, outcome));
    }
    for (seq, items) in carried {
        // A write that comes too late may name what is gone.
        let found = writing.parent(seq)?.map(|parent| (parent.id.clone(), parent.is_going()));
        let Some((id, is_going)) = found else { continue };
        let is_lost = call.class == AttemptClass::Ambiguous;
        if is_lost || is_going {
            // Without an answer it is no part of those with one.
            let mut alone = Folded::none(writing.now);
            alone.add(call, &items);
            put(writing.connection, &mut writing.words, &alone, &id, call, !is_lost)?;
        } else {
            fold(writing, seq, &id, call, &items)?;
        }
    }
    flush_old(writing.connection, &mut writing.words, writing.now, AT_ONCE).map(drop)
}

fn fold(
    writing: &mut Writing<'_>,
    seq: DeletionSeq,
    id: &DeletionId,
    call: &CallRecord,
    items: &[(u32, Option<Outcome>)],
) -> Result<(), Error> {
    let connection = writing.connection;
    let account = writing.words.number(call.lane.account.as_str())?;
    let operation = writing.words.number(call.lane.operation.as_str())?;
    let place = [seq, account, operation];
    let known = reads::all(connection, OPEN, place, Folded::read)?.pop();
    let is_known = known.is_some();
    let mut folded = known.unwrap_or_else(|| Folded::none(writing.now));
    folded.add(call, items);
    let is_old = writing.now.saturating_sub(folded.since) >= OLD_MS;
    if folded.ranges.count() >= ENOUGH || is_old {
        if is_known {
            connection.prepare_cached(CLEAR_ONE)?.execute(place)?;
        }
        return put(connection, &mut writing.words, &folded, id, call, true);
    }
    connection.prepare_cached(KEEP)?.execute(params![
        seq,
        account,
        operation,
        folded.ranges.to_string(),
        folded.calls,
        folded.digest.0,
        folded.sent_at,
        folded.answered_at,
        folded.told,
        folded.request_id,
        folded.since,
    ])?;
    Ok(())
}

fn put(
    connection: &Connection,
    words: &mut Words<'_>,
    folded: &Folded,
    id: &DeletionId,
    call: &CallRecord,
    is_answered: bool,
) -> Result<(), Error> {
    let entries = folded.entries(id, &call.lane.account, &call.lane.operation, is_answered);
    entries.into_iter().try_for_each(|(at, entry)| chain::add(connection, words, at, entry))
}

/// What was gathered of a deletion goes into the chain; how many records that made.
pub(super) fn flush(
    connection: &Connection,
    words: &mut Words<'_>,
    seq: DeletionSeq,
) -> Result<usize, Error> {
    let found = reads::all(connection, OF_DELETION, [seq], |row| {
        let (id, account): (Option<String>, String) = (row.get("id")?, row.get("account")?);
        let operation: String = row.get("operation")?;
        let Some(id) = id else { return Ok(Vec::new()) };
        let (id, account) = (rows::deletion_id(&id)?, rows::account(&account)?);
        Ok(Folded::read(row)?.entries(&id, &account, &rows::operation(&operation)?, true))
    })?;
    if found.is_empty() {
        return Ok(0);
    }
    connection.prepare_cached(CLEAR)?.execute([seq])?;
    let entries: Vec<_> = found.into_iter().flatten().collect();
    let number = entries.len();
    entries.into_iter().try_for_each(|(at, entry)| chain::add(connection, words, at, entry))?;
    Ok(number)
}

/// What was gathered long ago goes into the chain; how many records that made.
pub(super) fn flush_old(
    connection: &Connection,
    words: &mut Words<'_>,
    now: i64,
    max: i64,
) -> Result<usize, Error> {
    let old = reads::all(connection, OLD, [now.saturating_sub(OLD_MS), max], |row| Ok(row.get("deletion")?))?;
    old.into_iter().map(|seq: DeletionSeq| flush(connection, words, seq)).sum()
}

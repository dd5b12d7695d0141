//! The audit chain: records added, listed, and found by the item that they are about.
//!
//! A record is added in the transaction of what it tells, after the last one, whose
//! hash it carries on. Its own file because every write that decides or sends tells
//! of it here. What is hashed is `journal/audit.rs`; calls are gathered in `folded`.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::words::{self, Words};
use super::{reads, rows};
use crate::journal::audit::{Action, AuditFilter, Entry, NOTHING, Ranges, Record, Span};
use crate::journal::{DeletionRow, Error, ItemRow};
use crate::types::deletion::{DeletionId, Digest};
use crate::types::target::AccountId;

/// A clock may have been turned back by so much; then a later record is no older than it says.
const TURNED_MS: i64 = 24 * 60 * 60 * 1_000;
/// A call may be recorded so much later than it went out: after a crash, with the next start.
const LATE_MS: i64 = 30 * TURNED_MS;

// The last number ever given: what is missing at the end leaves a gap that shows.
const GIVEN: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'";
const LAST: &str = "SELECT hash FROM audit a ORDER BY seq DESC LIMIT 1";
const ADD: &str = "INSERT INTO audit (seq, at, actor, action, account, deletion, first, last, ranges, \
    items, digest, reason, request_id, hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

/// A question about records: its columns, before what stands behind `FROM`.
macro_rules! record {
    ($($rest:tt)*) => {
        concat!(
            "SELECT a.seq, a.at, (SELECT text FROM words WHERE id = a.actor) AS actor, a.action, a.account AS of, ",
            "(SELECT text FROM words WHERE id = a.account) AS account, a.deletion AS about, ",
            "(SELECT text FROM words WHERE id = a.deletion) AS deletion, a.first, a.last, a.ranges, a.items, ",
            "a.digest, a.reason, a.request_id, a.hash, (SELECT p.hash FROM audit p WHERE p.seq < a.seq ",
            "ORDER BY p.seq DESC LIMIT 1) AS previous FROM ",
            $($rest)*
        )
    };
}
macro_rules! records {
    ($source:literal) => {
        record!(
            $source,
            "a.seq < :before AND a.seq > :after AND (:actor IS NULL OR a.actor = :actor) AND (:action IS NULL OR a.action = :action) ",
            "AND (:account IS NULL OR a.account = :account) AND (:deletion IS NULL OR a.deletion = :deletion) ",
            "AND (:since IS NULL OR a.at >= :since) AND (:until IS NULL OR a.at < :until) ",
            "AND (:visible IS NULL OR a.account IN ",
            "(SELECT w.id FROM json_each(:visible) v JOIN words w ON w.text = v.value)) ",
            "ORDER BY a.seq DESC LIMIT :limit"
        )
    };
}

// The same question from five sides, so that what is asked for is not searched among all.
const RECORDS: &str = records!("audit a WHERE ");
const OF_DELETION: &str = records!("audit a INDEXED BY audit_deletion WHERE a.deletion = :deletion AND ");
const OF_ACTOR: &str = records!("audit a INDEXED BY audit_actor WHERE a.actor = :actor AND ");
const OF_ACCOUNT: &str = records!("audit a INDEXED BY audit_account WHERE a.account = :account AND ");
const OF_ACTION: &str = records!("audit a INDEXED BY audit_action WHERE a.action = :action AND ");
/// Every record in order, for `verify`.
pub(super) const CHAIN: &str = record!("audit a ORDER BY a.seq");
const LAST_BEFORE: &str = "SELECT seq FROM audit INDEXED BY audit_at \
    WHERE action NOT IN (8, 9) AND at < ?1 ORDER BY at DESC LIMIT 1";
const FIRST_FROM: &str = "SELECT seq FROM audit INDEXED BY audit_at \
    WHERE action NOT IN (8, 9) AND at >= ?1 ORDER BY at LIMIT 1";
const OF_ALL_ITEMS: &str =
    "SELECT seq FROM audit INDEXED BY audit_items WHERE deletion = ?1 AND first IS NULL";
const OF_ITEM: &str = "SELECT seq, action, ranges FROM audit INDEXED BY audit_items \
    WHERE deletion = ?1 AND first <= ?2 AND last >= ?2";
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 13] = [
    GIVEN,
    LAST,
    ADD,
    RECORDS,
    OF_DELETION,
    OF_ACTOR,
    OF_ACCOUNT,
    OF_ACTION,
    CHAIN,
    LAST_BEFORE,
    FIRST_FROM,
    OF_ALL_ITEMS,
    OF_ITEM,
];

/// Adds a record.
pub(super) fn add(
    connection: &Connection,
    words: &mut Words<'_>,
    at: i64,
    entry: Entry,
) -> Result<(), Error> {
    let given: Option<i64> = connection.prepare_cached(GIVEN)?.query_row([], |row| row.get(0)).optional()?;
    let last: Option<[u8; 32]> =
        connection.prepare_cached(LAST)?.query_row([], |row| row.get(0)).optional()?;
    let seq = given.unwrap_or_default().saturating_add(1);
    let record = Record::after(last.map_or(NOTHING, Digest), seq, rows::time(at)?, entry);
    let Entry { actor, action, account, deletion, items, reason, vendor_request_id } = &record.entry;
    let bounds = items.as_ref().and_then(|items| Ranges::parse(&items.ranges)).and_then(|r| r.bounds());
    if items.is_some() && bounds.is_none() {
        return Err(Error::Invalid("a record about items that are no ranges".to_owned()));
    }
    connection.prepare_cached(ADD)?.execute(params![
        seq,
        at,
        words.number(actor)?,
        rows::action_code(*action),
        account.as_ref().map(|account| words.number(account.as_str())).transpose()?,
        deletion.as_ref().map(|deletion| words.number(deletion.as_str())).transpose()?,
        bounds.map(|(first, _)| first),
        bounds.map(|(_, last)| last),
        items.as_ref().map(|items| &items.ranges),
        items.as_ref().map(|items| items.count),
        items.as_ref().map(|items| items.digest.0),
        reason,
        vendor_request_id,
        record.hash.0,
    ])?;
    Ok(())
}

/// Adds what no other write tells of.
pub(super) fn add_all(connection: &Connection, now: Timestamp, entries: &[Entry]) -> Result<(), Error> {
    let mut words = Words::new(connection);
    entries.iter().try_for_each(|entry| add(connection, &mut words, rows::millis(now), entry.clone()))
}

/// What is recorded of a decision about a deletion.
pub(super) fn about(row: &DeletionRow, action: Action, actor: &str, reason: Option<&str>) -> Entry {
    // Only what was seen together with its digest is bound to it.
    let binds = matches!(
        action,
        Action::Requested | Action::Planned | Action::Started | Action::Approved | Action::Rejected
    );
    let total = u32::try_from(row.counts.total).unwrap_or(u32::MAX);
    Entry {
        actor: actor.to_owned(),
        action,
        account: row.accounts.first().filter(|_| row.accounts.len() == 1).cloned(),
        deletion: Some(row.id.clone()),
        items: Span::all(total, row.digest).filter(|_| binds),
        reason: reason.map(str::to_owned),
        vendor_request_id: None,
    }
}

/// What is recorded of a new deletion.
pub(super) fn asked(row: &DeletionRow) -> Entry {
    let action = if row.terms.plan.is_some() { Action::Planned } else { Action::Requested };
    about(row, action, &row.requested_by, row.reason.as_deref())
}

/// A row of `record!`, and whether it says of itself what is so; for `verify`.
pub(super) fn read(row: &Row<'_>) -> Result<(Record, bool), Error> {
    let text = |column: &str| -> Result<Option<String>, Error> { Ok(row.get(column)?) };
    let missing = |what: &str| Error::Unreadable(format!("an audit record of a {what} that is not there"));
    let account = text("account")?.map(|name| rows::account(&name)).transpose()?;
    let deletion = text("deletion")?.map(|id| rows::deletion_id(&id)).transpose()?;
    let named = row.get::<_, Option<i64>>("of")?.is_some() == account.is_some()
        && row.get::<_, Option<i64>>("about")?.is_some() == deletion.is_some();
    let digest: Option<[u8; 32]> = row.get("digest")?;
    let items = match text("ranges")? {
        None => None,
        Some(ranges) => {
            Some(Span { ranges, count: row.get("items")?, digest: Digest(digest.unwrap_or_default()) })
        }
    };
    let bounds = items.as_ref().and_then(|items| Ranges::parse(&items.ranges)).and_then(|r| r.bounds());
    let found: (Option<u32>, Option<u32>) = (row.get("first")?, row.get("last")?);
    // What is said of items is said whole.
    let parts = (row.get::<_, Option<i64>>("items")?.is_some(), digest.is_some());
    let fits = parts == (items.is_some(), items.is_some())
        && found == (bounds.map(|b| b.0), bounds.map(|b| b.1))
        && items.is_some() == bounds.is_some();
    let entry = Entry {
        actor: text("actor")?.ok_or_else(|| missing("caller"))?,
        action: rows::action(row.get("action")?)?,
        account,
        deletion,
        items,
        reason: text("reason")?,
        vendor_request_id: text("request_id")?,
    };
    let record = Record {
        seq: row.get("seq")?,
        at: rows::time(row.get("at")?)?,
        entry,
        previous: row.get::<_, Option<[u8; 32]>>("previous")?.map_or(NOTHING, Digest),
        hash: Digest(row.get("hash")?),
    };
    Ok((record, named && fits))
}

/// Records, newest first.
pub(super) fn audited(
    connection: &Connection,
    filter: &AuditFilter,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let mut numbers = [None; 3];
    let names = [
        filter.actor.as_deref(),
        filter.account.as_ref().map(AccountId::as_str),
        filter.deletion.as_ref().map(DeletionId::as_str),
    ];
    for (number, name) in numbers.iter_mut().zip(names) {
        let Some(name) = name else { continue };
        *number = words::find(&snapshot, name)?;
        if number.is_none() {
            return Ok(Vec::new());
        }
    }
    let [actor, account, deletion] = numbers;
    let action = filter.action.map(rows::action_code);
    let statement = match (deletion, action, account, actor) {
        (Some(_), ..) => OF_DELETION,
        // Who acts mostly, and how: the service, by calls. So a caller is the better start.
        (_, _, _, Some(_)) if filter.actor.as_deref() != Some(crate::journal::audit::SERVICE) => OF_ACTOR,
        (_, Some(_), ..) => OF_ACTION,
        (_, _, Some(_), _) => OF_ACCOUNT,
        (_, _, _, Some(_)) => OF_ACTOR,
        (None, None, None, None) => RECORDS,
    };
    let (after, until) = between(&snapshot, filter)?;
    let before = filter.before.unwrap_or(i64::MAX).min(until);
    let visible: Option<Vec<&str>> =
        filter.visible.as_ref().map(|accounts| accounts.iter().map(AccountId::as_str).collect());
    let asked = named_params! {
        ":before": before,
        ":after": after,
        ":actor": actor,
        ":action": action,
        ":account": account,
        ":deletion": deletion,
        // Stored times are whole milliseconds: rounding up keeps both bounds exact.
        ":since": filter.since.map(rows::millis_up),
        ":until": filter.until.map(rows::millis_up),
        ":visible": visible.as_ref().map(rows::json).transpose()?,
        ":limit": i64::try_from(limit).unwrap_or(i64::MAX),
    };
    reads::all(&snapshot, statement, asked, |row| read(row).map(|(record, _)| record))
}

/// Between which places in the chain all records of the asked time are.
fn between(connection: &Connection, filter: &AuditFilter) -> Result<(i64, i64), Error> {
    let place = |statement, at: Option<i64>| -> Result<Option<i64>, Error> {
        let Some(at) = at else { return Ok(None) };
        Ok(connection.prepare_cached(statement)?.query_row([at], |row| row.get(0)).optional()?)
    };
    let since = filter.since.map(|at| rows::millis(at).saturating_sub(TURNED_MS));
    let until = filter.until.map(|at| rows::millis_up(at).saturating_add(LATE_MS));
    let after = place(LAST_BEFORE, since)?.unwrap_or(i64::MIN);
    Ok((after, place(FIRST_FROM, until)?.unwrap_or(i64::MAX)))
}

/// The records that are about an item, oldest first: those of its deletion, and those of the calls
/// of whoever led it.
pub(super) fn of_item(connection: &Connection, item: &ItemRow) -> Result<Vec<i64>, Error> {
    let mut found = covering(connection, &item.deletion, item.key.index, true)?;
    if let Some(leader) = item.same_as {
        found.extend(covering(connection, &item.deletion, leader, false)?);
    }
    if let Some((leader, index)) = &item.coalesced_with {
        found.extend(covering(connection, leader, *index, false)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn covering(
    connection: &Connection,
    deletion: &DeletionId,
    index: u32,
    is_own: bool,
) -> Result<Vec<i64>, Error> {
    let Some(number) = words::find(connection, deletion.as_str())? else { return Ok(Vec::new()) };
    let mut seqs = Vec::new();
    if is_own {
        seqs = reads::all(connection, OF_ALL_ITEMS, [number], |row| Ok(row.get("seq")?))?;
    }
    let found = reads::all(connection, OF_ITEM, params![number, index], |row| {
        let action = rows::action(row.get("action")?)?;
        let ranges: String = row.get("ranges")?;
        let told = is_own || matches!(action, Action::Sent | Action::Answered);
        let covers = Ranges::parse(&ranges).is_some_and(|ranges| ranges.contains(index));
        let seq: i64 = row.get("seq")?;
        Ok((told && covers).then_some(seq))
    })?;
    seqs.extend(found.into_iter().flatten());
    Ok(seqs)
}

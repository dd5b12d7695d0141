//! Every question that changes nothing.
//!
//! Each answers from one committed state: a question of one statement by itself,
//! one of several in a read transaction. Its own file because readers run on
//! other connections than the writer. Who may see what is asked for is not
//! decided here, only filtered by.

use rusqlite::{Connection, Params, Row, named_params, params};

use super::{chain, rows, words};
use crate::journal::{
    AttemptRow, DeletionFilter, DeletionRow, Error, ItemFilter, ItemRow, LaneShare, OpenLane, Receipt,
};
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};
use crate::types::lifecycle::DeletionState;
use crate::types::target::AccountId;

macro_rules! deletion {
    ($($rest:tt)*) => {
        concat!(
            "SELECT d.seq, d.id, r.text AS requested_by, d.reason, d.if_absent, d.state, d.pause, d.digest, d.bulk, ",
            "d.round, d.sequence, d.created_at, d.started_at, d.terms, d.review, d.deadline, d.chore, ",
            "d.finished_at, d.total, d.deleted, d.absent, d.refused, d.busy, d.failed, d.unknown, d.canceled, ",
            "(SELECT json_group_array(w.text ORDER BY a.key) FROM json_each(d.accounts) a ",
            "JOIN words w ON w.id = a.value) AS accounts FROM ",
            $($rest)*
        )
    };
}

// Newest first. CROSS JOIN keeps the planner from another order, which would sort.
macro_rules! deletions {
    ($source:literal, $seq:literal) => {
        deletion!(
            $source,
            " CROSS JOIN words r ON r.id = d.requested_by ",
            "WHERE (:account IS NULL OR :account IN (SELECT value FROM json_each(d.accounts))) ",
            "AND (:since IS NULL OR d.created_at >= :since) AND (:until IS NULL OR d.created_at < :until) ",
            "AND (:requested_by IS NULL OR r.text = :requested_by) ",
            "AND d.state NOT IN (0, 5) AND (:state IS NULL OR d.state = :state) ",
            "AND (:visible IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(d.accounts) a WHERE a.value NOT IN ",
            "(SELECT w.id FROM json_each(:visible) v JOIN words w ON w.text = v.value))) AND ",
            $seq,
            " < :before ORDER BY ",
            $seq,
            " DESC LIMIT :limit"
        )
    };
}

// `l` is the item whose calls are shown: the leader of a follower, and of another
// deletion the one whose call serves this one too; else itself. What is being
// received or removed has no items.
macro_rules! item {
    ($($rest:tt)*) => {
        concat!(
            "SELECT i.deletion, i.idx, d.id AS public_id, d.state AS deletion_state, d.if_absent, wa.text AS account, i.form, i.name, ",
            "i.kind, i.what, i.label, i.same_as, i.state, i.outcome, i.inferred, i.error, i.finished_at, ",
            "i.outcome_seq, t.found, t.quarantine, l.progress, l.calls, wo.text AS last_operation, c.request_id, ",
            "CASE WHEN i.same_as IS NULL THEN od.id END AS with_id, o.with_idx FROM ",
            $($rest)*
        )
    };
}
macro_rules! item_joins {
    () => {
        " CROSS JOIN deletions d ON d.seq = i.deletion AND d.state NOT IN (0, 5) CROSS JOIN words wa ON wa.id = i.account \
        LEFT JOIN coalesced o ON o.deletion = i.deletion AND o.idx = coalesce(i.same_as, i.idx) \
        LEFT JOIN deletions od ON od.seq = o.with_deletion \
        CROSS JOIN items l ON l.deletion = coalesce(o.with_deletion, i.deletion) \
        AND l.idx = coalesce(o.with_idx, i.same_as, i.idx) \
        LEFT JOIN notes t ON t.deletion = i.deletion AND t.idx = coalesce(i.same_as, i.idx) \
        LEFT JOIN calls c ON c.id = l.call LEFT JOIN words wo ON wo.id = c.operation "
    };
}
macro_rules! call {
    () => {
        "c.started_at, c.duration_ms, c.class, c.status, c.vendor_code, c.request_id, c.phase, \
        (SELECT text FROM words WHERE id = c.account) AS account, \
        (SELECT text FROM words WHERE id = c.operation) AS operation "
    };
}

const OPEN_LANES: &str = "SELECT a.text AS account, o.text AS operation, n.waiting, n.bulk FROM \
    (SELECT account, operation, sum(waiting) AS waiting, sum(waiting * d.bulk) AS bulk \
    FROM queues q JOIN deletions d ON d.seq = q.deletion AND d.state IN (1, 2, 4) GROUP BY account, operation) n \
    JOIN words a ON a.id = n.account JOIN words o ON o.id = n.operation ORDER BY a.text, o.text";
const DELETION: &str = deletion!(
    "deletions d CROSS JOIN words r ON r.id = d.requested_by WHERE d.id = ?1 AND d.state NOT IN (0, 5)"
);
// The same question from three sides, so that none has to look at everything:
// all of them, those that run (few), those of one account.
const DELETIONS: &str = deletions!("deletions d", "d.seq");
const DELETIONS_RUNNING: &str =
    deletions!("(SELECT * FROM deletions INDEXED BY deletions_open WHERE finished_at IS NULL) d", "d.seq");
const DELETIONS_OF_ACCOUNT: &str = deletions!(
    "(SELECT deletion FROM deletion_accounts WHERE account = :account) n \
    CROSS JOIN deletions d ON d.seq = n.deletion",
    "n.deletion"
);
const ITEMS: &str = item!(
    "items i",
    item_joins!(),
    "WHERE i.deletion = ?1 AND i.idx >= ?2 AND (?3 IS NULL OR i.outcome = ?3) ",
    "AND (?4 IS NULL OR i.state = ?4) ORDER BY i.idx LIMIT ?5"
);
const ITEM: &str = item!("items i", item_joins!(), "WHERE i.deletion = ?1 AND i.idx = ?2");
const OUTCOMES: &str = item!(
    "items i INDEXED BY items_sequence",
    item_joins!(),
    "WHERE i.deletion = ?1 AND i.outcome_seq > ?2 ORDER BY i.outcome_seq LIMIT ?3"
);
const RETRIABLE: &str = item!(
    "items i",
    item_joins!(),
    "WHERE i.deletion = ?1 AND i.idx >= ?2 AND i.outcome IN (3, 4, 5) AND i.same_as IS NULL ",
    "ORDER BY i.idx LIMIT ?3"
);
// Whose calls an item shows.
const SHOWN: &str = "SELECT coalesce(o.with_deletion, i.deletion) AS deletion, \
    coalesce(o.with_idx, i.same_as, i.idx) AS idx FROM items i \
    LEFT JOIN coalesced o ON o.deletion = i.deletion AND o.idx = coalesce(i.same_as, i.idx) \
    WHERE i.deletion = ?1 AND i.idx = ?2";
const ROUNDS: &str = "SELECT r.number, r.outcome, r.inferred, r.error, r.finished_at, r.reopened_at, \
    (SELECT text FROM words WHERE id = r.by) AS by, r.reason, r.settled FROM rounds r \
    WHERE r.deletion = ?1 AND r.idx = ?2 ORDER BY r.number";
// A deletion that is not running sleeps until the end of time.
const SHARES: &str = "SELECT (SELECT text FROM words WHERE id = q.account) AS account, \
    (SELECT text FROM words WHERE id = q.operation) AS operation, q.waiting, \
    (SELECT count(DISTINCT n.caller) FROM queues n WHERE n.account = q.account \
    AND n.operation = q.operation AND coalesce(n.asleep, 0) < ?2) AS callers, \
    (SELECT count(*) FROM queues n WHERE n.account = q.account AND n.operation = q.operation \
    AND n.caller = q.caller AND coalesce(n.asleep, 0) < ?2) AS siblings \
    FROM queues q INDEXED BY queues_deletion WHERE q.deletion = ?1";
const ATTEMPTS: &str = concat!(
    "SELECT a.number AS number, ",
    call!(),
    "FROM attempts a JOIN calls c ON c.id = a.call WHERE a.deletion = ?1 AND a.idx = ?2 ",
    "UNION ALL SELECT i.calls AS number, ",
    call!(),
    "FROM items i JOIN calls c ON c.id = i.call ",
    "WHERE i.deletion = ?1 AND i.idx = ?2 AND i.outcome IS NOT NULL AND NOT EXISTS (SELECT 1 ",
    "FROM attempts a WHERE a.deletion = i.deletion AND a.idx = i.idx AND a.number = i.calls) ORDER BY number"
);
const NAMED: &str = item!(
    "items i INDEXED BY items_named",
    item_joins!(),
    "WHERE i.account = ?1 AND i.name = ?2 AND (i.deletion, i.idx) < (?3, ?4) ",
    "ORDER BY i.deletion DESC, i.idx DESC LIMIT ?5"
);
const RESOLVED: &str = item!(
    "resolved s CROSS JOIN items i ON i.deletion = s.deletion AND i.idx = s.idx",
    item_joins!(),
    "WHERE s.account = ?1 AND s.asset = ?2 AND (s.deletion, s.idx) < (?3, ?4) ",
    "ORDER BY s.deletion DESC, s.idx DESC LIMIT ?5"
);
/// The statements of this file.
pub(super) const STATEMENTS: [&str; 15] = [
    OPEN_LANES,
    DELETION,
    DELETIONS,
    DELETIONS_RUNNING,
    DELETIONS_OF_ACCOUNT,
    ITEMS,
    ITEM,
    OUTCOMES,
    RETRIABLE,
    SHOWN,
    ROUNDS,
    SHARES,
    ATTEMPTS,
    NAMED,
    RESOLVED,
];

/// All rows of a statement.
pub(super) fn all<T, P: Params>(
    connection: &Connection,
    statement: &str,
    params: P,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut found = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Lanes with waiting items.
pub(super) fn open_lanes(connection: &Connection) -> Result<Vec<OpenLane>, Error> {
    all(connection, OPEN_LANES, [], |row| {
        let (account, operation): (String, String) = (row.get("account")?, row.get("operation")?);
        let lane = LaneId { account: rows::account(&account)?, operation: rows::operation(&operation)? };
        let waiting: i64 = row.get("waiting")?;
        let bulk: i64 = row.get("bulk")?;
        Ok(OpenLane { lane, waiting: waiting.unsigned_abs(), bulk: bulk.unsigned_abs() })
    })
}

/// One deletion.
pub(super) fn deletion(connection: &Connection, id: &DeletionId) -> Result<Option<DeletionRow>, Error> {
    Ok(all(connection, DELETION, [id.as_str()], rows::deletion)?.pop())
}

/// Whether no deletion in this state has finished.
fn is_open(state: DeletionState) -> bool {
    matches!(state, DeletionState::Running | DeletionState::Paused) || state.is_ahead()
}

/// Deletions, newest first.
pub(super) fn deletions(
    connection: &Connection,
    filter: &DeletionFilter,
    limit: usize,
) -> Result<Vec<DeletionRow>, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let account = match &filter.account {
        None => None,
        Some(account) => match words::find(&snapshot, account.as_str())? {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let statement = match (filter.state, account) {
        (Some(state), _) if is_open(state) => DELETIONS_RUNNING,
        (_, Some(_)) => DELETIONS_OF_ACCOUNT,
        (_, None) => DELETIONS,
    };
    let visible: Option<Vec<&str>> =
        filter.visible.as_ref().map(|accounts| accounts.iter().map(AccountId::as_str).collect());
    all(
        &snapshot,
        statement,
        named_params! {
            ":before": filter.before.unwrap_or(i64::MAX),
            ":account": account,
            // Stored times are whole milliseconds: rounding up keeps both bounds exact.
            ":since": filter.since.map(rows::millis_up),
            ":until": filter.until.map(rows::millis_up),
            ":requested_by": filter.requested_by,
            ":state": filter.state.map(rows::deletion_state_code),
            ":visible": visible.as_ref().map(rows::json).transpose()?,
            ":limit": limited(limit),
        },
        rows::deletion,
    )
}

/// Items of one deletion, by index.
pub(super) fn items(
    connection: &Connection,
    deletion: DeletionSeq,
    filter: &ItemFilter,
    limit: usize,
) -> Result<Vec<ItemRow>, Error> {
    let outcome = filter.outcome.map(rows::outcome_code);
    let state = filter.state.map(rows::state_code);
    all(connection, ITEMS, params![deletion, filter.from, outcome, state, limited(limit)], rows::item)
}

/// Items that have ended, in the order in which they did.
pub(super) fn outcomes(
    connection: &Connection,
    deletion: DeletionSeq,
    after: u32,
    limit: usize,
) -> Result<Vec<ItemRow>, Error> {
    all(connection, OUTCOMES, params![deletion, after, limited(limit)], rows::item)
}

/// Items that may be opened again. Followers are opened with their leader.
pub(super) fn retriable(
    connection: &Connection,
    deletion: DeletionSeq,
    from: u32,
    limit: usize,
) -> Result<Vec<ItemRow>, Error> {
    all(connection, RETRIABLE, params![deletion, from, limited(limit)], rows::item)
}

/// Where a deletion's items wait, by lane.
pub(super) fn shares(connection: &Connection, deletion: DeletionSeq) -> Result<Vec<LaneShare>, Error> {
    let mut shares = all(connection, SHARES, [deletion, rows::NOT_RUNNING], |row| {
        let (account, operation): (String, String) = (row.get("account")?, row.get("operation")?);
        let waiting: i64 = row.get("waiting")?;
        Ok(LaneShare {
            lane: LaneId { account: rows::account(&account)?, operation: rows::operation(&operation)? },
            waiting: waiting.unsigned_abs(),
            callers: row.get("callers")?,
            siblings: row.get("siblings")?,
        })
    })?;
    shares.sort_by(|one, other| one.lane.cmp(&other.lane));
    Ok(shares)
}

/// One item.
pub(super) fn item_row(connection: &Connection, key: ItemKey) -> Result<Option<ItemRow>, Error> {
    Ok(all(connection, ITEM, params![key.deletion, key.index], rows::item)?.pop())
}

/// One item with its attempts and its earlier outcomes.
pub(super) fn item(connection: &Connection, key: ItemKey) -> Result<Option<Receipt>, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(item) = item_row(&snapshot, key)? else { return Ok(None) };
    let here = params![key.deletion, key.index];
    let shown = all(&snapshot, SHOWN, here, rows::key)?.pop().unwrap_or(key);
    let attempts = all(&snapshot, ATTEMPTS, params![shown.deletion, shown.index], |row| {
        Ok(AttemptRow { number: row.get("number")?, call: rows::call(row)? })
    })?;
    let rounds = all(&snapshot, ROUNDS, here, rows::round)?;
    let mut audit = chain::of_item(&snapshot, &item)?;
    // Who follows one that was served by another's call was served by that too.
    if let Some(index) = item.same_as
        && let Some(leader) = item_row(&snapshot, ItemKey { index, ..key })?
        && leader.coalesced_with.is_some()
    {
        let with = ItemRow { same_as: None, ..leader };
        audit.extend(chain::of_item(&snapshot, &with)?);
        audit.sort_unstable();
        audit.dedup();
    }
    Ok(Some(Receipt { item, attempts, rounds, audit }))
}

/// What ever happened to an asset, newest first: under the name that was asked
/// for, and under the id that it was resolved to.
pub(super) fn items_of(
    connection: &Connection,
    account: &AccountId,
    id: &str,
    before: Option<ItemKey>,
    limit: usize,
) -> Result<Vec<ItemRow>, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(account) = words::find(&snapshot, account.as_str())? else { return Ok(Vec::new()) };
    let before = before.unwrap_or(ItemKey { deletion: i64::MAX, index: 0 });
    let page = params![account, id, before.deletion, before.index, limited(limit)];
    let mut found = all(&snapshot, NAMED, page, rows::item)?;
    found.extend(all(&snapshot, RESOLVED, page, rows::item)?);
    found.sort_by_key(|item| std::cmp::Reverse(item.key));
    found.dedup_by_key(|item| item.key);
    found.truncate(limit);
    Ok(found)
}

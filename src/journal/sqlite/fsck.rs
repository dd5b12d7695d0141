//! `fsck`: whether a journal keeps its own rules.
//!
//! Each rule is one question whose answer is empty in a sound journal. They are
//! asked of one committed state, beside a service that runs, on a connection that
//! cannot write. Its own file because these questions read everything, which no
//! other may. What to do about a violation is not known here.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::open::OpenError;
use super::{open, verify};

/// Most violations of one rule that are told; a journal that breaks it everywhere has a million.
pub const FINDINGS_PER_RULE: usize = 100;

/// A rule that is broken somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: &'static str,
    /// The deletion's public name, or its number if it has none.
    pub deletion: Option<String>,
    /// The item's index.
    pub item: Option<u32>,
    /// What was found.
    pub detail: String,
}

/// What was looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Deletions in the journal, with those that are being received or removed.
    pub deletions: u64,
    /// Items in the journal.
    pub items: u64,
    /// Violations, at most [`FINDINGS_PER_RULE`] of each rule.
    pub findings: Vec<Finding>,
}

/// A rule: its name and the question that finds where it is broken. Columns:
/// deletion, item, what was found.
type Rule = (&'static str, &'static str);

// States of deletions: 0 receiving, 1 running, 2 paused, 3 finished, 4 canceled, 5 being removed.
pub(super) const RULES: [Rule; 34] = [
    (
        "counts",
        "SELECT d.seq, NULL, 'the deletion counts ' || d.ended || ' of ' || d.total || \
         ' ended, its items say ' || coalesce(i.ended, 0) || ' of ' || coalesce(i.total, 0) || \
         ' (or the outcomes differ)' \
         FROM deletions d LEFT JOIN (SELECT deletion, count(*) AS total, count(outcome) AS ended, \
         sum(outcome IS 0) AS deleted, sum(outcome IS 1) AS absent, sum(outcome IS 2) AS refused, \
         sum(outcome IS 3) AS busy, sum(outcome IS 4) AS failed, sum(outcome IS 5) AS unknown, \
         sum(outcome IS 6) AS canceled FROM items GROUP BY deletion) i ON i.deletion = d.seq \
         WHERE d.state <> 5 AND (d.total, d.ended, d.deleted, d.absent, d.refused, d.busy, d.failed, \
         d.unknown, d.canceled) IS NOT (coalesce(i.total, 0), coalesce(i.ended, 0), \
         coalesce(i.deleted, 0), coalesce(i.absent, 0), coalesce(i.refused, 0), coalesce(i.busy, 0), \
         coalesce(i.failed, 0), coalesce(i.unknown, 0), coalesce(i.canceled, 0))",
    ),
    (
        "sum",
        "SELECT seq, NULL, 'outcomes add up to ' || \
         (deleted + absent + refused + busy + failed + unknown + canceled) || ', ended is ' || ended \
         || ' of ' || total FROM deletions \
         WHERE ended <> deleted + absent + refused + busy + failed + unknown + canceled OR ended > total",
    ),
    (
        "indexes",
        "SELECT i.deletion, NULL, 'items go from ' || min(i.idx) || ' to ' || max(i.idx) || \
         ' but are ' || count(*) FROM items i JOIN deletions d ON d.seq = i.deletion AND d.state <> 5 \
         GROUP BY i.deletion HAVING min(i.idx) <> 0 OR max(i.idx) + 1 <> count(*)",
    ),
    (
        "orphan items",
        "SELECT deletion, min(idx), count(*) || ' items without a deletion' FROM items \
         WHERE deletion NOT IN (SELECT seq FROM deletions) GROUP BY deletion",
    ),
    (
        "one place",
        "SELECT deletion, idx, 'it is in ' || ((due_at IS NOT NULL) + (behind IS NOT NULL) + \
         (lease_until IS NOT NULL) + (outcome IS NOT NULL)) || ' places at once' FROM items \
         WHERE (due_at IS NOT NULL) + (behind IS NOT NULL) + (lease_until IS NOT NULL) \
         + (outcome IS NOT NULL) <> 1",
    ),
    (
        "done",
        "SELECT deletion, idx, 'half of an outcome' FROM items \
         WHERE (outcome IS NULL) <> (finished_at IS NULL) OR (outcome IS NULL) <> (outcome_seq IS NULL)",
    ),
    (
        "next call",
        "SELECT deletion, idx, 'it is open and has no next call' FROM items WHERE outcome IS NULL \
         AND (operation IS NULL OR phase IS NULL) AND NOT (same_as IS NOT NULL AND behind IS NOT NULL)",
    ),
    (
        "leases",
        "SELECT i.deletion, i.idx, 'it was handed out under generation ' || i.generation || \
         ' in a deletion that is being received or removed, or under none' \
         FROM items i INDEXED BY items_leased JOIN deletions d ON d.seq = i.deletion \
         WHERE i.lease_until IS NOT NULL AND (d.state IN (0, 5) OR i.generation < 1)",
    ),
    (
        "places are unique",
        "SELECT deletion, min(idx), count(*) || ' items have the place ' || outcome_seq FROM items \
         WHERE outcome_seq IS NOT NULL GROUP BY deletion, outcome_seq HAVING count(*) > 1",
    ),
    (
        "places have no gap",
        "SELECT d.seq, NULL, d.sequence || ' places were given, ' || d.ended || ' are taken and ' || \
         (SELECT count(*) FROM rounds r WHERE r.deletion = d.seq) || ' were given up' \
         FROM deletions d WHERE d.state <> 5 AND (d.sequence <> d.ended + \
         (SELECT count(*) FROM rounds r WHERE r.deletion = d.seq) OR d.sequence < \
         (SELECT coalesce(max(outcome_seq), 0) FROM items i INDEXED BY items_sequence \
         WHERE i.deletion = d.seq AND i.outcome_seq IS NOT NULL))",
    ),
    (
        "finished",
        "SELECT seq, NULL, 'state ' || state || ', ' || ended || ' of ' || total || ' ended, chore ' || \
         coalesce(chore, 'none') || ', finished_at ' || coalesce(finished_at, 'none') FROM deletions \
         WHERE state <> 5 AND ((finished_at IS NOT NULL) <> \
         (ended = total AND chore IS NULL AND state <> 0) \
         OR (state = 3) <> (finished_at IS NOT NULL AND state NOT IN (4, 8, 9)))",
    ),
    (
        "pause",
        "SELECT seq, NULL, 'state ' || state || ', pause ' || coalesce(pause, 'none') FROM deletions \
         WHERE (pause IS NOT NULL) <> (state = 2)",
    ),
    (
        "chores",
        "SELECT seq, NULL, 'state ' || state || ' with chore ' || chore FROM deletions \
         WHERE chore IS NOT NULL AND state <> 5 AND NOT \
         ((chore IN (1, 5) AND state IN (4, 8, 9)) OR (chore = 2 AND state IN (1, 2)) \
         OR (chore = 3 AND state = 6) OR (chore = 4 AND state IN (2, 7, 10)))",
    ),
    (
        "not sent",
        "SELECT i.deletion, i.idx, 'state ' || d.state || ', and it was handed out' FROM deletions d \
         CROSS JOIN items i ON i.deletion = d.seq WHERE d.state IN (6, 7, 8, 9, 10) \
         AND (i.calls > 0 OR i.generation > 0 OR i.lease_until IS NOT NULL OR i.behind < 0) \
         UNION ALL SELECT seq, NULL, 'state ' || state || ', and it has begun' FROM deletions \
         WHERE state IN (6, 7, 8, 9, 10) AND started_at IS NOT NULL",
    ),
    (
        "deadline",
        "SELECT seq, NULL, 'state ' || state || ', deadline ' || coalesce(deadline, 'none') FROM deletions \
         WHERE (deadline IS NULL AND state IN (6, 7, 10)) \
         OR (deadline IS NOT NULL AND state NOT IN (2, 6, 7, 10))",
    ),
    (
        "gates",
        "SELECT seq, NULL, 'state ' || state || ', terms ' || terms || ', review ' || coalesce(review, 'none') \
         FROM deletions WHERE (state IN (1, 2, 10) OR started_at IS NOT NULL) \
         AND ((terms ->> '$.approval' IS NOT NULL AND review ->> '$.approved' IS NULL) \
         OR (terms ->> '$.plan' IS NOT NULL AND review ->> '$.started' IS NULL))",
    ),
    (
        "notes",
        "SELECT n.deletion, n.idx, 'a note of no item' FROM notes n WHERE NOT EXISTS \
         (SELECT 1 FROM items i WHERE i.deletion = n.deletion AND i.idx = n.idx)",
    ),
    (
        "gathered calls",
        "SELECT o.deletion, NULL, 'calls of a deletion that is not there, or is being received or removed' FROM audit_open o \
         LEFT JOIN deletions d ON d.seq = o.deletion WHERE d.seq IS NULL OR d.state IN (0, 5)",
    ),
    (
        "usage",
        "SELECT NULL, NULL, coalesce((SELECT text FROM words WHERE id = caller), 'nobody') || ' used ' \
         || items || ' items on day ' || day FROM usage \
         WHERE items < 0 OR caller NOT IN (SELECT id FROM words)",
    ),
    (
        "holds",
        "SELECT NULL, NULL, 'the hold ' || id || ' names no account, or nobody' FROM holds \
         WHERE account NOT IN (SELECT id FROM words) OR held_by NOT IN (SELECT id FROM words) \
         UNION ALL SELECT NULL, NULL, 'a stop switch names no account, or nobody' FROM stops \
         WHERE (account <> 0 AND account NOT IN (SELECT id FROM words)) \
         OR by NOT IN (SELECT id FROM words)",
    ),
    (
        "waiting",
        "SELECT q.deletion, NULL, (SELECT text FROM words WHERE id = q.operation) || ': the queue says ' \
         || q.waiting || ' wait, ' || (SELECT count(*) FROM items i INDEXED BY items_due \
         WHERE i.deletion = q.deletion AND i.account = q.account AND i.operation = q.operation \
         AND i.due_at IS NOT NULL) || ' do' FROM queues q WHERE q.waiting <> \
         (SELECT count(*) FROM items i INDEXED BY items_due WHERE i.deletion = q.deletion \
         AND i.account = q.account AND i.operation = q.operation AND i.due_at IS NOT NULL)",
    ),
    (
        "queued",
        "SELECT i.deletion, min(i.idx), count(*) || ' due items that no queue knows of' \
         FROM items i INDEXED BY items_due JOIN deletions d ON d.seq = i.deletion \
         WHERE i.due_at IS NOT NULL AND d.state NOT IN (0, 5) AND NOT EXISTS (SELECT 1 FROM queues q \
         WHERE q.account = i.account AND q.operation = i.operation AND q.deletion = i.deletion) \
         GROUP BY i.deletion, i.account, i.operation",
    ),
    (
        "unsealed",
        "SELECT q.deletion, NULL, 'a queue of a deletion that is being received or removed, or is not there, \
         or of another caller' FROM queues q LEFT JOIN deletions d ON d.seq = q.deletion \
         WHERE d.seq IS NULL OR d.state IN (0, 5) OR d.requested_by <> q.caller",
    ),
    (
        "asleep",
        "SELECT q.deletion, NULL, 'state ' || d.state || ', its queue sleeps until ' || \
         coalesce(q.asleep, 'no time') FROM queues q JOIN deletions d ON d.seq = q.deletion \
         WHERE (d.state IN (2, 6, 7, 10) AND q.asleep IS NOT 9223372036854775807) \
         OR ((d.state = 1 OR (d.state IN (4, 8, 9) AND coalesce(d.chore, 0) <> 1)) AND q.asleep > \
         (SELECT min(i.due_at) FROM items i INDEXED BY items_due WHERE i.deletion = q.deletion \
         AND i.account = q.account AND i.operation = q.operation AND i.due_at IS NOT NULL))",
    ),
    (
        "turns",
        "SELECT q.deletion, NULL, 'its queue has no turn in the lane, or the lane none' FROM queues q \
         WHERE NOT EXISTS (SELECT 1 FROM turns t JOIN lanes l USING (account, operation) \
         WHERE t.account = q.account AND t.operation = q.operation AND t.caller = q.caller) \
         UNION ALL SELECT NULL, NULL, 'a turn of ' || (SELECT text FROM words WHERE id = t.caller) || \
         ' in ' || (SELECT text FROM words WHERE id = t.operation) || ' where it has no queue' \
         FROM turns t WHERE NOT EXISTS (SELECT 1 FROM queues q WHERE q.account = t.account \
         AND q.operation = t.operation AND q.caller = t.caller) \
         UNION ALL SELECT NULL, NULL, 'the lane ' || (SELECT text FROM words WHERE id = l.operation) || \
         ' has no turns' FROM lanes l WHERE NOT EXISTS (SELECT 1 FROM turns t \
         WHERE t.account = l.account AND t.operation = l.operation)",
    ),
    (
        "behind",
        "SELECT i.deletion, i.idx, 'it waits for item ' || i.behind || ', which has ended or is not there' \
         FROM items i INDEXED BY items_behind JOIN deletions d ON d.seq = i.deletion AND d.state <> 5 \
         LEFT JOIN items e ON e.deletion = i.deletion AND e.idx = i.behind \
         WHERE i.behind >= 0 AND (e.idx IS NULL OR e.outcome IS NOT NULL OR e.idx >= i.idx)",
    ),
    (
        "followers",
        "SELECT i.deletion, i.idx, 'it is a duplicate of item ' || i.same_as || \
         ', which is not there, another target, a duplicate itself, or not what it waits for' FROM items i \
         JOIN deletions d ON d.seq = i.deletion AND d.state <> 5 \
         LEFT JOIN items e ON e.deletion = i.deletion AND e.idx = i.same_as WHERE i.same_as IS NOT NULL \
         AND (e.idx IS NULL OR e.same_as IS NOT NULL OR e.idx >= i.idx \
         OR (i.account, i.form, i.name, i.kind) IS NOT (e.account, e.form, e.name, e.kind) \
         OR (i.outcome IS NULL AND i.behind IS NOT i.same_as))",
    ),
    (
        "shared calls",
        "SELECT c.deletion, c.idx, 'it shares the call of item ' || c.with_idx || ' of deletion ' || \
         c.with_deletion || ', and one of them is not there or is another target' FROM coalesced c \
         LEFT JOIN items i ON i.deletion = c.deletion AND i.idx = c.idx \
         LEFT JOIN items l ON l.deletion = c.with_deletion AND l.idx = c.with_idx \
         WHERE i.idx IS NULL OR l.idx IS NULL OR c.deletion = c.with_deletion \
         OR (i.account, i.form, i.name, i.kind) IS NOT (l.account, l.form, l.name, l.kind)",
    ),
    (
        "attached",
        "SELECT i.deletion, i.idx, 'it waits for a call of another deletion that is not under way' \
         FROM items i INDEXED BY items_behind LEFT JOIN coalesced c ON c.deletion = i.deletion AND c.idx = i.idx \
         LEFT JOIN items l ON l.deletion = c.with_deletion AND l.idx = c.with_idx WHERE i.behind < 0 \
         AND (i.behind <> -1 OR c.idx IS NULL OR l.idx IS NULL OR l.outcome IS NOT NULL \
         OR l.behind IS NOT NULL)",
    ),
    (
        "attempts",
        "SELECT i.deletion, i.idx, 'it counts ' || i.calls || ' calls and has ' || a.found || \
         ' of the earlier ones, the last numbered ' || a.last FROM items i JOIN (SELECT deletion, idx, \
         count(*) AS found, max(number) AS last, min(number) AS first FROM attempts GROUP BY deletion, idx) a \
         ON a.deletion = i.deletion AND a.idx = i.idx WHERE a.first <> 1 OR a.last <> a.found \
         OR a.found NOT BETWEEN i.calls - (i.outcome IS NOT NULL) AND i.calls \
         UNION ALL SELECT i.deletion, i.idx, 'it counts ' || i.calls || ' calls and has none of the earlier ones' \
         FROM items i WHERE i.calls > (i.outcome IS NOT NULL) AND NOT EXISTS \
         (SELECT 1 FROM attempts a WHERE a.deletion = i.deletion AND a.idx = i.idx)",
    ),
    (
        "calls",
        "SELECT deletion, idx, 'its last call is not there' FROM items WHERE \
         (call IS NOT NULL AND call NOT IN (SELECT id FROM calls)) OR (call IS NULL) <> (calls = 0) \
         UNION ALL SELECT deletion, idx, 'its call ' || number || ' is not there' FROM attempts \
         WHERE call NOT IN (SELECT id FROM calls)",
    ),
    (
        "rounds",
        "SELECT deletion, idx, 'its ' || count(*) || ' rounds go from ' || min(number) || ' to ' || max(number) \
         FROM rounds GROUP BY deletion, idx HAVING min(number) <> 1 OR max(number) <> count(*)",
    ),
    (
        "left over",
        "SELECT a.deletion, a.idx, 'an attempt of no item' FROM attempts a WHERE NOT EXISTS \
         (SELECT 1 FROM items i WHERE i.deletion = a.deletion AND i.idx = a.idx) \
         UNION ALL SELECT r.deletion, r.idx, 'a round of no item' FROM rounds r WHERE NOT EXISTS \
         (SELECT 1 FROM items i WHERE i.deletion = r.deletion AND i.idx = r.idx) \
         UNION ALL SELECT s.deletion, s.idx, 'a resolved name of no item' FROM resolved s WHERE NOT EXISTS \
         (SELECT 1 FROM items i WHERE i.deletion = s.deletion AND i.idx = s.idx) \
         UNION ALL SELECT n.deletion, NULL, 'an account of no deletion' FROM deletion_accounts n \
         WHERE n.deletion NOT IN (SELECT seq FROM deletions)",
    ),
    (
        "keys",
        "SELECT k.deletion, NULL, 'a key of ' || (SELECT text FROM words WHERE id = k.caller) || \
         ' for a deletion that is not there, or that is received while the key says otherwise' \
         FROM keys k LEFT JOIN deletions d ON d.seq = k.deletion \
         WHERE d.seq IS NULL OR d.state = 5 OR (k.fingerprint IS NULL) <> (d.state = 0)",
    ),
];

/// Checks the journal in this file. Blocks; reads all of it.
pub fn fsck(path: &Path) -> Result<Report, OpenError> {
    let connection = open::for_looking(path)?;
    let found = open::version(&connection).map_err(|error| open::refused(path, error))?;
    let known = open::known_version();
    if found < known {
        return Err(OpenError::Older { path: path.to_owned(), found, known });
    }
    look(&connection).map_err(|error| open::refused(path, error))
}

/// All answers from one committed state.
fn look(connection: &Connection) -> rusqlite::Result<Report> {
    let snapshot = connection.unchecked_transaction()?;
    let count = |statement: &str| snapshot.query_row(statement, [], |row| row.get(0).map(i64::unsigned_abs));
    let mut report = Report { findings: integrity(&snapshot)?, ..Report::default() };
    // What SQLite itself calls broken cannot be read for more.
    if !report.findings.is_empty() {
        return Ok(report);
    }
    report.deletions = count("SELECT count(*) FROM deletions")?;
    report.items = count("SELECT count(*) FROM items")?;
    report.findings.extend(verify::findings(&snapshot)?);
    for (rule, question) in RULES {
        report.findings.extend(ask(&snapshot, rule, question)?);
    }
    Ok(report)
}

/// What SQLite says of the file: pages, indexes, and rows that fit no column. Broken
/// `CHECK`s are told by our own rules, which know the deletion.
fn integrity(connection: &Connection) -> rusqlite::Result<Vec<Finding>> {
    let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let ours = |line: &String| line == "ok" || line.starts_with("CHECK constraint failed");
    let finding = |detail| Finding { rule: "sqlite", deletion: None, item: None, detail };
    Ok(said.into_iter().filter(|line| !ours(line)).map(finding).collect())
}

fn ask(connection: &Connection, rule: &'static str, question: &str) -> rusqlite::Result<Vec<Finding>> {
    let mut statement = connection.prepare(question)?;
    let mut rows = statement.query([])?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        if findings.len() == FINDINGS_PER_RULE {
            break;
        }
        let deletion = row.get::<_, Option<i64>>(0)?.map(|seq| name(connection, seq)).transpose()?;
        // A text that is put together of what is missing is missing too.
        let detail = row.get::<_, Option<String>>(2)?.unwrap_or_else(|| "names what is not there".to_owned());
        findings.push(Finding { rule, deletion, item: row.get(1)?, detail });
    }
    Ok(findings)
}

fn name(connection: &Connection, seq: i64) -> rusqlite::Result<String> {
    let id = "SELECT id FROM deletions WHERE seq = ?1";
    let known: Option<String> = connection.query_row(id, [seq], |row| row.get(0)).optional()?;
    Ok(known.unwrap_or_else(|| format!("number {seq}")))
}

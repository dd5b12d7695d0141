-- Version 2: uploads, states, fair queues, keys, rounds. Foreign keys are off
-- while this runs, since a table that others name is made anew.

CREATE TABLE new_deletions (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    requested_by INTEGER NOT NULL REFERENCES words (id),
    accounts     TEXT    NOT NULL, -- JSON array of words.id, in order of first appearance
    reason       TEXT,
    if_absent    INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    pause        TEXT,             -- JSON: why it is paused
    chore        INTEGER,          -- work in steps that is under way
    chore_data   TEXT,             -- JSON: what the work needs to go on
    bulk         INTEGER NOT NULL, -- it came as an upload
    round        INTEGER NOT NULL,
    digest       BLOB,             -- NULL until it is sealed, and in rows of version 1
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    total        INTEGER NOT NULL,
    ended        INTEGER NOT NULL,
    sequence     INTEGER NOT NULL, -- the last place given in the sequence of outcomes
    deleted      INTEGER NOT NULL,
    absent       INTEGER NOT NULL,
    refused      INTEGER NOT NULL,
    busy         INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    unknown      INTEGER NOT NULL,
    canceled     INTEGER NOT NULL,
    baseline     TEXT,             -- JSON array: what had ended with each outcome when it was accepted or last resumed; NULL is all zero
    -- Counts that do not add up cannot be committed.
    CHECK (ended = deleted + absent + refused + busy + failed + unknown + canceled),
    CHECK (ended <= total AND sequence >= ended),
    -- It has finished when all has ended, nothing is being opened again, and it is sealed.
    CHECK ((finished_at IS NOT NULL) = (ended = total AND chore IS NULL AND state NOT IN (0, 5)) OR state = 5),
    CHECK ((pause IS NOT NULL) = (state = 2))
) STRICT;
INSERT INTO new_deletions SELECT seq, id, requested_by, accounts, reason, if_absent,
    CASE WHEN finished_at IS NULL THEN 1 ELSE 3 END, NULL, NULL, NULL, 0, 0, NULL,
    created_at, started_at, finished_at, total, ended, ended,
    deleted, absent, refused, busy, failed, unknown, canceled, NULL FROM deletions;
DROP TABLE deletions;
ALTER TABLE new_deletions RENAME TO deletions;
-- States: 0 receiving, 1 running, 2 paused, 3 finished, 4 canceled, 5 being removed.
CREATE INDEX deletions_open ON deletions (seq) WHERE finished_at IS NULL;
CREATE INDEX deletions_chores ON deletions (seq) WHERE chore IS NOT NULL;
CREATE INDEX deletions_removed ON deletions (seq) WHERE state = 5;
CREATE INDEX deletions_finished ON deletions (finished_at) WHERE finished_at IS NOT NULL;

-- In an index that begins with the deletion a million items in order are a million
-- appends. A claim knows from `queues` which deletions to look at.
DROP INDEX items_due;
CREATE INDEX items_due ON items (deletion, account, operation, due_at, idx, grp) WHERE due_at IS NOT NULL;
CREATE INDEX items_sequence ON items (deletion, outcome_seq) WHERE outcome_seq IS NOT NULL;
-- When its present round began, if it was opened again.
ALTER TABLE items ADD COLUMN since INTEGER;

-- The lanes in which something waits, and what fair.rs needs to know of them.
CREATE TABLE lanes (
    account   INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    served    INTEGER NOT NULL, -- the callers' tag that was served last
    PRIMARY KEY (account, operation)
) STRICT, WITHOUT ROWID;
CREATE TABLE turns (
    account   INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    caller    INTEGER NOT NULL,
    tag       INTEGER NOT NULL,
    served    INTEGER NOT NULL, -- the tag of its deletions that was served last
    PRIMARY KEY (account, operation, caller)
) STRICT, WITHOUT ROWID;
-- One row while items of the deletion wait in the lane, due or not. Items of an
-- upload that is not sealed have none, so nobody finds them.
CREATE TABLE queues (
    account   INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    deletion  INTEGER NOT NULL,
    caller    INTEGER NOT NULL,
    tag       INTEGER NOT NULL,
    waiting   INTEGER NOT NULL CHECK (waiting > 0),
    -- NULL: something may be due. A time: nothing is before it. The greatest
    -- number: the deletion is not running.
    asleep    INTEGER,
    PRIMARY KEY (account, operation, deletion)
) STRICT, WITHOUT ROWID;
CREATE INDEX queues_turn ON queues (account, operation, caller, asleep, tag, deletion);
CREATE INDEX queues_asleep ON queues (account, operation, asleep) WHERE asleep IS NOT NULL;
CREATE INDEX queues_deletion ON queues (deletion);

-- An item whose target was being sent for another deletion (`items.behind` is -1
-- while it waits for that), and the item that it ends with.
CREATE TABLE coalesced (
    deletion      INTEGER NOT NULL,
    idx           INTEGER NOT NULL,
    with_deletion INTEGER NOT NULL,
    with_idx      INTEGER NOT NULL,
    PRIMARY KEY (deletion, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX coalesced_with ON coalesced (with_deletion, with_idx);

-- Callers' keys. Without a fingerprint the request is still being received.
CREATE TABLE keys (
    caller      INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB,
    deletion    INTEGER NOT NULL,
    keep_until  INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_old ON keys (keep_until);
CREATE INDEX keys_deletion ON keys (deletion);

-- Outcomes that were given up for another.
CREATE TABLE rounds (
    deletion    INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    outcome     INTEGER NOT NULL,
    inferred    INTEGER,
    error       TEXT,
    finished_at INTEGER NOT NULL,
    reopened_at INTEGER NOT NULL,
    by          INTEGER NOT NULL,
    reason      TEXT,
    settled     INTEGER NOT NULL,
    PRIMARY KEY (deletion, idx, number)
) STRICT, WITHOUT ROWID;

-- To find what goes with a deletion.
CREATE INDEX resolved_deletion ON resolved (deletion, idx);
CREATE INDEX items_same ON items (deletion, same_as) WHERE same_as IS NOT NULL;

-- Tells a journal from its copies: the same value stands in a file beside it.
CREATE TABLE epoch (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value TEXT NOT NULL,
    inode TEXT NOT NULL -- of the journal's file; empty where files have none
) STRICT;

-- Items of version 1 that wait.
INSERT INTO lanes SELECT DISTINCT account, operation, 0 FROM items WHERE due_at IS NOT NULL;
INSERT INTO turns SELECT DISTINCT i.account, i.operation, d.requested_by, 0, 0
    FROM items i JOIN deletions d ON d.seq = i.deletion WHERE i.due_at IS NOT NULL;
INSERT INTO queues SELECT i.account, i.operation, i.deletion, d.requested_by, 0, count(*), NULL
    FROM items i JOIN deletions d ON d.seq = i.deletion WHERE i.due_at IS NOT NULL
    GROUP BY i.account, i.operation, i.deletion;

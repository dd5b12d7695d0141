-- Version 1. All times are integer milliseconds since 1970; enums are small
-- integers whose meaning is in rows.rs. What is NULL costs one byte, so a column
-- that most rows do not need is NULL in them.

-- Accounts, operations and callers, written once each and named by number.
CREATE TABLE words (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- One row that `check` writes.
CREATE TABLE probe (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    checked_at INTEGER NOT NULL
) STRICT;
INSERT INTO probe VALUES (1, 0);

-- AUTOINCREMENT: a number is never given twice, not even after rows were removed,
-- because page tokens and generations hang on it.
CREATE TABLE deletions (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    requested_by INTEGER NOT NULL REFERENCES words (id),
    accounts     TEXT    NOT NULL, -- JSON array of words.id, in order of first appearance
    reason       TEXT,
    if_absent    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    total        INTEGER NOT NULL,
    ended        INTEGER NOT NULL, -- also the last place given in the sequence of outcomes
    deleted      INTEGER NOT NULL,
    absent       INTEGER NOT NULL,
    refused      INTEGER NOT NULL,
    busy         INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    unknown      INTEGER NOT NULL,
    canceled     INTEGER NOT NULL,
    -- Counts that do not add up cannot be committed.
    CHECK (ended = deleted + absent + refused + busy + failed + unknown + canceled),
    CHECK (ended <= total),
    CHECK ((finished_at IS NOT NULL) = (ended = total))
) STRICT;
CREATE INDEX deletions_running ON deletions (seq) WHERE finished_at IS NULL;

-- The filter by account; `deletions.accounts` is the other direction. No foreign
-- key where a key does not begin with it: removing a deletion would search it all.
CREATE TABLE deletion_accounts (
    account  INTEGER NOT NULL,
    deletion INTEGER NOT NULL,
    PRIMARY KEY (account, deletion)
) STRICT, WITHOUT ROWID;

-- One row per vendor call, shared by the items that it carried. No foreign key
-- points here either: removing a call would search all items.
CREATE TABLE calls (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL,
    operation   INTEGER NOT NULL,
    phase       INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    class       INTEGER NOT NULL,
    status      INTEGER,
    vendor_code TEXT,
    request_id  TEXT
) STRICT;

-- An item is done if it has an outcome, sending if it has a lease, else pending.
-- A pending item has a due time unless it hangs behind another item.
CREATE TABLE items (
    deletion    INTEGER NOT NULL REFERENCES deletions (seq),
    idx         INTEGER NOT NULL,
    account     INTEGER NOT NULL,
    form        INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    kind        INTEGER NOT NULL,
    what        TEXT,    -- JSON, only where the kind does not say it all
    label       TEXT,
    same_as     INTEGER, -- the earlier item that it is a duplicate of, for good
    behind      INTEGER, -- the earlier item that must end first, while it has not
    operation   INTEGER, -- the step: until it is done
    phase       INTEGER,
    grp         TEXT,    -- NULL is the empty group
    due_at      INTEGER,
    generation  INTEGER NOT NULL,
    lease_until INTEGER,
    calls       INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    call        INTEGER, -- the last call that carried it
    progress    TEXT,    -- JSON
    outcome     INTEGER,
    inferred    INTEGER,
    error       TEXT,    -- JSON
    finished_at INTEGER,
    outcome_seq INTEGER,
    state       INTEGER GENERATED ALWAYS AS (
        CASE WHEN outcome IS NOT NULL THEN 2 WHEN lease_until IS NOT NULL THEN 1 ELSE 0 END
    ) VIRTUAL,
    PRIMARY KEY (deletion, idx),
    CHECK ((outcome IS NULL) = (finished_at IS NULL) AND (outcome IS NULL) = (outcome_seq IS NULL)),
    -- Exactly one of: due, hanging behind another, handed out, done.
    CHECK ((due_at IS NOT NULL) + (behind IS NOT NULL) + (lease_until IS NOT NULL)
           + (outcome IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_due ON items (account, operation, due_at, deletion, idx, grp) WHERE due_at IS NOT NULL;
CREATE INDEX items_leased ON items (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX items_behind ON items (deletion, behind) WHERE behind IS NOT NULL;
CREATE INDEX items_named ON items (account, name);

-- Items that were asked for by another name than the vendor's id, by that id.
CREATE TABLE resolved (
    account  INTEGER NOT NULL,
    asset    TEXT    NOT NULL,
    deletion INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    PRIMARY KEY (account, asset, deletion, idx)
) STRICT, WITHOUT ROWID;

-- Calls that did not end their item. The one that did is in items.call, so that
-- the common item, done with its first call, needs no row here.
CREATE TABLE attempts (
    deletion INTEGER NOT NULL REFERENCES deletions (seq),
    idx      INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    call     INTEGER NOT NULL,
    PRIMARY KEY (deletion, idx, number)
) STRICT, WITHOUT ROWID;

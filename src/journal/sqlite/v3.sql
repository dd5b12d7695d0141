-- Version 3: plans, approval, delays; caps, holds, stops; the audit chain.

ALTER TABLE deletions ADD COLUMN terms TEXT;       -- JSON: what must happen before it runs; NULL is nothing
ALTER TABLE deletions ADD COLUMN review TEXT;      -- JSON: who let it go on, or did not
ALTER TABLE deletions ADD COLUMN deadline INTEGER; -- when it goes on, or expires, by itself
ALTER TABLE deletions ADD COLUMN released_at INTEGER; -- since when it runs, if not since it was accepted
-- More states: 6 planned, 7 awaiting approval, 8 rejected, 9 expired, 10 scheduled.
CREATE INDEX deletions_deadline ON deletions (deadline) WHERE deadline IS NOT NULL AND state IN (6, 7, 10);

-- What was found out about items, or done for them, before anything was sent.
CREATE TABLE notes (
    deletion   INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    found      TEXT,    -- JSON
    quarantine INTEGER,
    PRIMARY KEY (deletion, idx)
) STRICT, WITHOUT ROWID;
-- Blocks of playback that are ours and stand.
CREATE INDEX notes_blocked ON notes (deletion) WHERE quarantine = 0;

-- Items that a caller's deletions made real, by day (UTC) since 1970.
CREATE TABLE usage (
    day    INTEGER NOT NULL,
    caller INTEGER NOT NULL,
    items  INTEGER NOT NULL CHECK (items >= 0),
    PRIMARY KEY (day, caller)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    account INTEGER NOT NULL,
    id      TEXT    NOT NULL,
    asset   TEXT,
    reason  TEXT    NOT NULL,
    held_by INTEGER NOT NULL,
    held_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- Stop switches that are on. Account 0 stops all.
CREATE TABLE stops (
    account INTEGER PRIMARY KEY,
    by      INTEGER NOT NULL,
    reason  TEXT,
    at      INTEGER NOT NULL
) STRICT;

-- The chain. Rows are only added; AUTOINCREMENT keeps the last number given, so that
-- rows missing at the end show. Names are words, deletions by their public name, which
-- outlive what they name.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor      INTEGER NOT NULL,
    action     INTEGER NOT NULL,
    account    INTEGER,
    deletion   INTEGER,
    first      INTEGER, -- of the items' indexes, as `last`: to find the records of an item
    last       INTEGER,
    ranges     TEXT,
    items      INTEGER,
    digest     BLOB,
    reason     TEXT,
    request_id TEXT,
    hash       BLOB NOT NULL,
    CHECK ((ranges IS NULL) = (items IS NULL) AND (ranges IS NULL) = (digest IS NULL)
           AND (ranges IS NULL) = (first IS NULL) AND (ranges IS NULL) = (last IS NULL))
) STRICT;
CREATE INDEX audit_actor ON audit (actor);
CREATE INDEX audit_action ON audit (action);
CREATE INDEX audit_account ON audit (account) WHERE account IS NOT NULL;
CREATE INDEX audit_deletion ON audit (deletion) WHERE deletion IS NOT NULL;
-- Decisions bear the time of their write, so they tell where in the chain a time is.
CREATE INDEX audit_at ON audit (at) WHERE action NOT IN (8, 9);
CREATE INDEX audit_items ON audit (deletion, first, last) WHERE deletion IS NOT NULL;

-- Calls that are not in the chain yet, by deletion and lane: a record of each would make
-- the journal grow by more than the items themselves.
CREATE TABLE audit_open (
    deletion    INTEGER NOT NULL,
    account     INTEGER NOT NULL,
    operation   INTEGER NOT NULL,
    ranges      TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    sent_at     INTEGER NOT NULL, -- of the first call
    answered_at INTEGER NOT NULL, -- of the last answer
    told        TEXT    NOT NULL, -- what the vendor said, each once
    request_id  TEXT,             -- of the only call
    since       INTEGER NOT NULL, -- by the store's clock
    PRIMARY KEY (deletion, account, operation)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_open_old ON audit_open (since);

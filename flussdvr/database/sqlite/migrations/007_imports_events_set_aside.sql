-- Catalogs that lost something know it. The spool had made its table itself before, where there was one.

ALTER TABLE root ADD COLUMN imported INTEGER NOT NULL DEFAULT 1;  -- 0: what is on it is not all known yet
CREATE TABLE IF NOT EXISTS event (
    sink TEXT NOT NULL,
    id INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (sink, id)
) WITHOUT ROWID;
CREATE TABLE set_aside (                -- rows that made no sense, kept to be looked at
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,               -- the table
    row TEXT NOT NULL,                  -- JSON
    reason TEXT NOT NULL,
    found_ms INTEGER NOT NULL
);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

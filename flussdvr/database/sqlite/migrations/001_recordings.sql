-- What is on the disks, and what the API was told.

CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    path TEXT UNIQUE                    -- NULL: another disk stands in its place
);
CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    root_id INTEGER NOT NULL REFERENCES root(id),
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    index_size INTEGER NOT NULL,
    state INTEGER NOT NULL,
    segment_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    after TEXT,
    UNIQUE (root_id, stream, begin_ms)
);
CREATE TABLE lock (
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, begin_ms)
) WITHOUT ROWID;
CREATE TABLE export_job (id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, job TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE stream_override (stream TEXT PRIMARY KEY, patch TEXT NOT NULL) WITHOUT ROWID;

-- Links to a span of a stream, and who has used one that only so many may use.

CREATE TABLE link (
    id TEXT PRIMARY KEY,
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    formats TEXT NOT NULL,              -- with spaces between
    expires_ms INTEGER NOT NULL,
    max_uses INTEGER,
    uses INTEGER NOT NULL,
    title TEXT,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE link_viewer (
    link_id TEXT NOT NULL REFERENCES link(id) ON DELETE CASCADE,
    viewer BLOB NOT NULL,
    PRIMARY KEY (link_id, viewer)
) WITHOUT ROWID;

-- Sign-ins of the web page that were ended before their time.

CREATE TABLE signed_out (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID;

-- Changes of storages by the API.

CREATE TABLE dvr_override (dvr TEXT PRIMARY KEY, patch TEXT NOT NULL) WITHOUT ROWID;

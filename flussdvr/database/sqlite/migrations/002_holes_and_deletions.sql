-- Parts of a blob are deleted, and ranges are while a crash interrupts it.

ALTER TABLE blob ADD COLUMN holes TEXT;                  -- JSON: [[begin_ms, end_ms], ...], NULL for none
ALTER TABLE blob ADD COLUMN freed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE deletion (
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, begin_ms, end_ms)
) WITHOUT ROWID;

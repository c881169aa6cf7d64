-- Deletions of whole fragments, as of a recording that is dated anew.

ALTER TABLE deletion ADD COLUMN cover INTEGER NOT NULL DEFAULT 0;   -- also fragments that only touch the range

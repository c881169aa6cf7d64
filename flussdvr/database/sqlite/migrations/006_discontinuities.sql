-- How many discontinuities a stream had up to the beginning of a blob; 0: not counted.

ALTER TABLE blob ADD COLUMN discontinuity INTEGER NOT NULL DEFAULT 0;

"""The state database in one SQLite file: all the SQL there is, and all of SQLite's types."""

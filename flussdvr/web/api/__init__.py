"""The administrator's API: one file per collection."""

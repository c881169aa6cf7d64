"""Exports: recordings as files, on the server or in an object store."""

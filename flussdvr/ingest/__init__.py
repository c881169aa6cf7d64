"""Sockets to samples."""

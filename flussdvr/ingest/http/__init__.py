"""MPEG-TS over HTTP, pulled and pushed."""

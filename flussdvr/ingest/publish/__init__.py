"""Streams that are published to, over whatever protocol."""

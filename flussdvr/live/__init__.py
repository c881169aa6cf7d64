"""Samples to fragments, to the live window and the archive."""

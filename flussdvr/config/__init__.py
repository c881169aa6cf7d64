"""The configuration file: text to values."""

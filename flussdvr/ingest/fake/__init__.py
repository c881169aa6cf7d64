"""The built-in test source."""

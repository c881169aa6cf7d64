"""The command line, where it needs a running server."""

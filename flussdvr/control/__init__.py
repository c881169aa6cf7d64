"""What changes while the server runs: the running streams, the administrator's changes, reloads."""

"""The process: its memory, descriptors, threads of callbacks, secret, and what it tells systemd."""

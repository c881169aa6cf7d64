"""What integration tests are made of: a server process, live sources, and eyes that read the burnt-in clock."""

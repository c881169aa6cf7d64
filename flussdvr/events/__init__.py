"""Events: what happened, told to those whom the configuration names (docs/events.md)."""

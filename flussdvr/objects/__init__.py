"""Object stores: one client for all who keep something there."""

"""The URLs of media: one value for each kind, and how it is read from a path."""

"""The store: blobs, their indexes, the catalog."""

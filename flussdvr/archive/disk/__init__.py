"""What lies on a disk: blobs and their indexes, markers, locks; found, recovered, trimmed, removed."""

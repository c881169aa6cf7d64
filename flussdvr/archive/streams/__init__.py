"""One stream's recordings, answered from RAM."""

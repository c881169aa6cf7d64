"""Files that are played in a loop."""

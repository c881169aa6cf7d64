"""Downloads: windows of the archive as files."""

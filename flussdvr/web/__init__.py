"""HTTP in: parse the URL, admit, answer."""

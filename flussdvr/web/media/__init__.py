"""Everything under a stream's name: URLs, their routes, the viewer's admission."""

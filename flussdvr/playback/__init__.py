"""The archive and the live window to playlists, bodies and pictures."""

"""HLS (RFC 8216): which segments a playlist has, and how it is written."""

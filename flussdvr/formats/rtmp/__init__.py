"""RTMP: its chunk stream, and the side that is published to."""

"""RTMP."""

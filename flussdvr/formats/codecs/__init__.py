"""Codecs: what their headers say, and how their frames are framed. One file each."""

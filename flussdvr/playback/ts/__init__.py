"""MPEG-TS: segments, downloads, timeshifts and live."""

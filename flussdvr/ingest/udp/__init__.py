"""MPEG-TS over UDP and RTP."""

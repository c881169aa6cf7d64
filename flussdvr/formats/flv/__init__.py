"""FLV, and the media messages of RTMP."""

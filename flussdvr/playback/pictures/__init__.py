"""
Pictures of a stream: of any moment on demand, and those that were stored while it was recorded.

    key_frame   where the key frames are                        (the blobs' tables, the live window)
    decoder     samples -> a picture -> JPEG                    (codec pool)
    previews    JPEGs on demand: once for all who ask, cached, bounded
    one_frame   a key frame as an MP4, without decoding

docs/design/pictures.md
"""

"""
Makes JPEGs of a 7680x4320 H.264 key frame in threads and prints, as JSON, the resident memory in MB before, after each
round, and at the highest. A program of its own: in the process of the tests, memory is also that of other tests.
"""

from __future__ import annotations

import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import av

from flussdvr.media import Codec, Track
from flussdvr.playback.pictures.decoder import Box, key_frame_jpeg
from flussdvr.process.memory import bound, trim

WIDTH, HEIGHT = 7680, 4320
THREADS, ROUNDS = 2, 4


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def key_frame() -> bytes:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = WIDTH, HEIGHT, "yuv420p", Fraction(1, 25)
    encoder.options = {"preset": "ultrafast", "threads": "1", "x264-params": "annexb=1:repeat-headers=1"}
    frame: Any = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def main() -> None:
    if len(sys.argv) == 1:
        sys.stdout.buffer.write(key_frame())  # in another process: the encoder's memory is not what is measured
        return
    bound()
    with open(sys.argv[1], "rb") as file:
        sample = file.read()
    track = Track(1, Codec.H264, 90_000, width=WIDTH, height=HEIGHT, in_band=True)
    boxes = (Box(320, 9999), Box(1920, 9999))
    with ThreadPoolExecutor(THREADS) as pool:

        def picture(box: Box) -> int:
            return len(key_frame_jpeg(track, sample, box))

        list(pool.map(lambda number: number, range(THREADS)))
        trim()
        mb = [resident_bytes() >> 20]
        for _round in range(ROUNDS):
            assert all(list(pool.map(picture, boxes * THREADS)))
            mb.append(resident_bytes() >> 20)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"mb": mb, "highest": highest}))


if __name__ == "__main__":
    main()

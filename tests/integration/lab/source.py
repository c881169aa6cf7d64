"""
A live camera: real ffmpeg, fed with pictures that show the time at which they are made.

Each picture carries the true UTC in its first 32 rows (see `flussdvr.formats.stamp`) at the moment when it is handed
to ffmpeg; the sound is the tone of that second. So what a decoder reads from the picture is when it was "seen".

    python source.py --seconds 60 --output '[f=mpegts]udp://127.0.0.1:5000?pkt_size=1316' [--output ...]
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flussdvr.formats.stamp import tones, write_stamp

RATE = 48_000


def command(arguments: argparse.Namespace, sound: int) -> list[str]:
    gop = arguments.gop
    if arguments.codec == "h265":
        video = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"]
        video += [f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={arguments.bframes}:rc-lookahead=0:log-level=none"]
    else:
        video = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", str(arguments.bframes), "-x264-params"]
        extra = ":open-gop=1" if arguments.open_gop else ""
        video += [f"keyint={gop}:min-keyint={gop}:scenecut=0:rc-lookahead=0:sync-lookahead=0:b-adapt=0{extra}"]
    width, height = arguments.width, arguments.height
    at_once = ["-probesize", "32", "-analyzeduration", "0"]
    return [
        *["ffmpeg", "-v", "error", "-fflags", "nobuffer"],
        *["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(arguments.fps)],
        *[*at_once, "-i", "pipe:0"],
        *[
            "-f",
            "s16le",
            "-ar",
            str(RATE),
            "-ac",
            "1",
            "-probesize",
            "32",
            "-analyzeduration",
            "0",
            "-i",
            f"pipe:{sound}",
        ],
        *["-map", "0:v", "-map", "1:a", *video, "-threads", "1", "-b:v", f"{arguments.kbps}k"],
        *["-c:a", "aac", "-b:a", "96k", "-flags", "+global_header"],
        *["-f", "tee", "-flush_packets", "1", "|".join(arguments.output)],
    ]


def luma_planes(width: int, height: int) -> NDArray[np.uint8]:
    """A picture with some detail, to be rolled along."""
    rows, columns = np.mgrid[0:height, 0:width]
    return ((columns * 2 + rows) % 256).astype(np.uint8)


def feed_pictures(pipe: int, arguments: argparse.Namespace, epoch: float) -> None:
    width, height, fps = arguments.width, arguments.height, arguments.fps
    base, chroma = luma_planes(width, height), bytes([128]) * (width * height // 2)
    for number in range(arguments.seconds * fps):
        second, frame = int(epoch) + number // fps, number % fps
        sleep_until(epoch + number / fps, arguments.shift)
        luma = np.roll(base, -4 * number, axis=1)
        write_stamp(luma, second, frame)
        write_all(pipe, luma.tobytes() + chroma)
    os.close(pipe)


def feed_sound(pipe: int, arguments: argparse.Namespace, epoch: float) -> None:
    step = RATE // 50
    for number in range(arguments.seconds * 50):
        sleep_until(epoch + number / 50, arguments.shift)
        pcm = tones(int(epoch) * RATE + number * step, step, RATE)
        write_all(pipe, (pcm * 32767).astype(np.int16).tobytes())
    os.close(pipe)


def write_all(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def sleep_until(utc: float, shift: float) -> None:
    delay = utc - shift - time.time()
    if delay > 0:
        time.sleep(delay)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", action="append", required=True, help="of ffmpeg's tee muxer")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--open-gop", action="store_true")
    parser.add_argument("--shift", type=float, default=0, help="seconds that the server's clock is ahead")
    for name, value in (("width", 320), ("height", 180), ("fps", 25), ("gop", 50), ("bframes", 2), ("kbps", 600)):
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    sound_out, sound_in = os.pipe()
    ffmpeg = subprocess.Popen(command(arguments, sound_out), stdin=subprocess.PIPE, pass_fds=[sound_out])
    os.close(sound_out)
    assert ffmpeg.stdin is not None
    epoch = math.ceil(time.time() + arguments.shift + 0.7)
    feeder = threading.Thread(target=feed_sound, args=(sound_in, arguments, epoch), daemon=True)
    feeder.start()
    try:
        feed_pictures(os.dup(ffmpeg.stdin.fileno()), arguments, epoch)
    except BrokenPipeError:
        pass
    ffmpeg.stdin.close()
    return ffmpeg.wait(20)


class Source:
    """`main` as a process that a test starts and stops."""

    def __init__(self, *outputs: str, **options: object) -> None:
        arguments = [word for output in outputs for word in ("--output", output)]
        for name, value in options.items():
            if value is True:
                arguments.append("--" + name.replace("_", "-"))
            else:
                arguments += ["--" + name.replace("_", "-"), str(value)]
        self.process = subprocess.Popen([sys.executable, str(Path(__file__)), *arguments], stderr=subprocess.PIPE)

    def stop(self) -> str:
        """End it; what ffmpeg complained about."""
        if self.process.poll() is None:
            self.process.terminate()
        _, errors = self.process.communicate(timeout=15)
        return errors.decode(errors="replace")

    def wait(self, timeout_s: float) -> str:
        _, errors = self.process.communicate(timeout=timeout_s)
        return errors.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())

"""The media that is measured with: 5 Mbit/s 1080p25 H.264 + AAC in a constant 5.6 Mbit/s MPEG-TS."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.measure import FOLDER

MUX_RATE = 5_600_000


def load_ts(seconds: int = 60) -> Path:
    """A transport stream of `seconds`; made once, kept in the bench's folder."""
    path = FOLDER / f"load{seconds}.ts"
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    if seconds > 60:
        source = ["-stream_loop", str(seconds // 60), "-i", str(load_ts(60)), "-t", str(seconds), "-c", "copy"]
    else:
        source = [
            *["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25,noise=alls=12:allf=t,format=yuv420p"],
            *["-f", "lavfi", "-i", "sine=440:sample_rate=48000", "-t", str(seconds)],
            *["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-sc_threshold", "0", "-b:v", "5M"],
            *["-minrate", "5M", "-maxrate", "5M", "-bufsize", "2500k", "-x264-params", "nal-hrd=cbr"],
            *["-c:a", "aac", "-b:a", "96k", "-ac", "2"],
        ]
    command = ["ffmpeg", "-v", "error", "-y", *source, "-muxrate", str(MUX_RATE), "-f", "mpegts", str(temporary)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    temporary.rename(path)
    return path

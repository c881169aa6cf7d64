"""The page's timeline over a year with 10 000 gaps, in Chromium: how soon it is there, and its frames as it moves.

Wants Chromium, Node and what `npm ci` puts into ui/ and tests/browser/.
"""

from __future__ import annotations

import json
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.measure import FOLDER, Result, median

HERE = Path(__file__).resolve().parent
UI = HERE.parent / "ui"
FRAME_MS = 1000 / 60


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def run() -> list[Result]:
    built = (FOLDER / "timeline").resolve()
    build = ["node_modules/.bin/vite", "build", "bench", "--logLevel", "warn", "--outDir", str(built)]
    subprocess.run(build, cwd=UI, check=True)
    found = _drive(built)
    opened = median(found["opened_ms"])
    idle = median(found["idle"]["intervals_ms"])
    return [
        Result("timeline of a year with 10 000 gaps, opened", "ms", opened, None, None, "<= 200 ms", opened <= 200),
        _interval("one frame while it is zoomed, year to minute", found["zooming"], idle),
        _interval("one frame while it is moved", found["moving"], idle),
        _work("the main thread's work for a frame, zooming", found["zooming"]),
        _work("the same, moving", found["moving"]),
    ]


def _drive(built: Path) -> dict[str, Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        done = subprocess.run(["node", str(HERE / "timeline.mjs"), address], check=True, stdout=subprocess.PIPE)
    finally:
        server.shutdown()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _interval(name: str, taken: dict[str, Any], idle: float) -> Result:
    """From frame to frame, nine of ten: no longer than the page that does nothing has."""
    intervals = sorted(taken["intervals_ms"])
    ours = intervals[len(intervals) * 9 // 10]
    limit = FRAME_MS * 1.05
    return Result(f"{name} (p90)", "ms", ours, idle, None, "<= 17.5 ms", ours <= limit, "the idle page, median")


def _work(name: str, taken: dict[str, Any]) -> Result:
    ours = taken["task_ms"]
    return Result(name, "ms", ours, None, None, "<= 8 ms", ours <= 8)

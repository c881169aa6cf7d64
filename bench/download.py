"""CPU of sending an hour: `archive-F-3600.mp4` and nginx's sendfile of a recorded hour, taken by curl over loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.client import get
from bench.measure import Result, cpu_s, median
from bench.recordings import T0_MS, film
from bench.served import pid_of, served
from tests.integration.lab.server import free_port

ROUNDS = 5
LIMITED_BYTES = 1 << 30
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on;
  server {{ listen 127.0.0.1:{port}; location = /hour.mp4 {{ alias {file}; }} }}
}}
"""


@contextmanager
def nginx(file: Path) -> Iterator[tuple[int, str]]:
    """Process id, URL of the file."""
    folder, port = tempfile.mkdtemp(), free_port()
    Path(folder, "nginx.conf").write_text(NGINX.format(folder=folder, port=port, file=file))
    process = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield process.pid, f"http://127.0.0.1:{port}/hour.mp4"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def run() -> list[Result]:
    archive = film()
    blob = next(Path(archive.root).rglob(f"{T0_MS}.mp4"))
    with nginx(blob) as (their_pid, their_url), served(archive) as server:
        path = f"/film/archive-{T0_MS // 1000 + 1}-3600.mp4"
        get(server.http, path, enough=1)
        results = []
        for name, options in (
            ("one-hour MP4, as fast as it goes", []),
            ("the same, client limited to 100 MB/s", ["--limit-rate", "100M", "-r", f"0-{LIMITED_BYTES - 1}"]),
        ):
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(_mb_per_cpu_s(their_pid, their_url, options))
                ours.append(_mb_per_cpu_s(pid_of(server), server.url(path), options))
            ratio = median(ours) / median(theirs)
            figures = median(ours), median(theirs), ratio
            results.append(Result(name, "MB/CPU-s", *figures, ">= 0.5x", ratio >= 0.5, "nginx, sendfile"))
        return results


def _mb_per_cpu_s(pid: int, url: str, options: list[str]) -> float:
    before = cpu_s(pid)
    command = ["curl", "-sf", "-o", "/dev/null", "-w", "%{size_download}", *options, url]
    size = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return size / 1e6 / max(cpu_s(pid) - before, 1 / os.sysconf("SC_CLK_TCK"))

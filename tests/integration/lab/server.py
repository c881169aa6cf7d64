"""A flussdvr server as an operator runs it: `twist flussdvr --config FILE`, in a process of its own."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.integration.lab.wait import TIMEOUT_S, until

STOP_TIMEOUT_S = 60.0
"""The server gives itself less."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def faketime_library() -> str:
    """The library that shifts the clock of a process, where Debian has put it."""
    return str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")))


class Server:
    """Its configuration is `streams` (text of the configuration file), plus listeners and a root in `folder`."""

    def __init__(self, folder: Path, streams: str, shift_s: int = 0, settings: str = "") -> None:
        self.folder = folder
        self.http, self.rtmp = free_port(), free_port()
        self.root = folder / "archive"
        self.config = folder / "flussdvr.conf"
        self.shift_s = shift_s
        self.log = folder / "server.log"
        self.config.write_text(
            f"http 127.0.0.1:{self.http};\nrtmp 127.0.0.1:{self.rtmp};\n"
            f"edit_auth admin secret;\nview_auth viewer look;\n"
            f"state_dir {folder}/state;\nexport_root {folder}/exports;\n"
            f"dvr main {{ root {self.root}; expiration 7d; }}\n{settings}\n{streams}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait_s: float = TIMEOUT_S) -> Server:
        self.launch()
        return self.wait_ready(wait_s)

    def launch(self) -> None:
        """Start the process; it has not done anything yet."""
        command = [sys.executable, "-m", "twisted", "--log-format=text", "flussdvr", "--config", str(self.config)]
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        if self.shift_s:  # without the `faketime` program around it, which would be what a signal goes to
            environment |= {"LD_PRELOAD": faketime_library(), "FAKETIME": f"{self.shift_s:+d}s"}
            environment |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        atexit.register(self.stop)  # also where a fixture failed before it came to that

    def wait_ready(self, wait_s: float = TIMEOUT_S) -> Server:
        """Until it answers."""
        assert self.process is not None
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if (code := self.process.poll()) is not None:
                self.process = None
                raise RuntimeError(f"the server ended with {code}:\n{self.log.read_text()[-4000:]}")
            try:
                self.get("/streamer/api/v3/monitoring/liveness")
                return self
            except OSError:
                time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server does not answer:\n{self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """As the kernel's OOM killer would."""
        assert self.process is not None
        self._signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def stop(self, wait_s: float = STOP_TIMEOUT_S) -> float:
        """As systemd would; the seconds it took."""
        if self.process is None:
            return 0.0
        begin = time.monotonic()
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait(10)
            raise
        self.process = None
        return time.monotonic() - begin

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http}/{quote(path.lstrip('/'), safe='/?=&-._,:@')}"

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> http.client.HTTPResponse:
        """The answer, whatever its status; `OSError` if there is none."""
        request = urllib.request.Request(self.url(path), headers=headers or {}, method=method)
        try:
            response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
            return response
        except urllib.error.HTTPError as error:
            return error  # type: ignore[return-value]

    def text(self, path: str) -> str:
        response = self.get(path)
        body = response.read().decode()
        assert response.status == 200, f"{path}: {response.status} {body}"
        return body

    def json(self, path: str) -> Any:
        return json.loads(self.text(path))

    def ranges(self, stream: str) -> list[tuple[int, int]]:
        """What is recorded: (begin, end) in seconds of UTC."""
        answer = self.json(f"/{stream}/recording_status.json")
        return [(item["from"], item["from"] + item["duration"]) for item in answer[0]["ranges"]]

    def wait_recorded(self, stream: str, seconds: float, timeout_s: float = TIMEOUT_S) -> list[tuple[int, int]]:
        """What is recorded, once it is `seconds` in total."""

        def enough() -> list[tuple[int, int]]:
            response = self.get(f"/{stream}/recording_status.json")
            body = response.read()
            found = json.loads(body)[0]["ranges"] if response.status == 200 else []
            if sum(item["duration"] for item in found) < seconds:
                return []
            return [(item["from"], item["from"] + item["duration"]) for item in found]

        return until(
            lambda: f"{seconds} s of {stream} are recorded:\n{self.log.read_text()[-3000:]}", enough, timeout_s
        )

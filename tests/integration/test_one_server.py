"""One server uses a state directory, one records a stream; a state directory that can't be written stops neither."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.lab.server import Server

STREAM = "stream cam { input fake://?size=160x96&fps=10; dvr @main; segment_duration 1; }"


def wait(what: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def alarms(server: Server) -> str:
    response = server.get("/streamer/api/v3/alarms", {"Authorization": "Basic YWRtaW46c2VjcmV0"})
    return response.read().decode()


def test_the_second_one_says_who_was_first(tmp_path: Path) -> None:
    first = Server(tmp_path, STREAM).start()
    try:
        first.wait_recorded("cam", 2)
        assert first.process is not None
        pid = first.process.pid
        (tmp_path / "second").mkdir()
        second = Server(tmp_path / "second", STREAM)
        text = second.config.read_text()
        second.config.write_text(text.replace(f"{tmp_path}/second/state", f"{tmp_path}/state"))
        with pytest.raises(RuntimeError, match=f"state is in use by process {pid} on"):
            second.start()
        second.config.write_text(text.replace(f"{tmp_path}/second/archive", f"{tmp_path}/archive"))
        second.start()
        try:
            wait(lambda: f"cam is in use by process {pid} on" in alarms(second))
            first.stop()
            wait(lambda: bool(second.ranges("cam")))
        finally:
            second.stop()
    finally:
        first.stop()


def test_a_catalog_that_is_locked_or_garbage_stops_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path, STREAM).start()
    try:
        before = server.wait_recorded("cam", 2)
        server.kill()
        catalog = tmp_path / "state" / "catalog.sqlite"
        other = sqlite3.connect(catalog, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        server.start()
        server.wait_recorded("cam", before[-1][1] - before[0][0] + 1)
        assert server.ranges("cam")[0][0] == before[0][0] and "can't be written" in alarms(server)
        other.close()
        wait(lambda: "can't be written" not in alarms(server))
        server.kill()
        catalog.write_bytes(b"garbage" * 1000)
        server.start()
        wait(lambda: server.get("/cam/recording_status.json").status == 200)
        assert server.ranges("cam")[0][0] == before[0][0] and "catalog_rebuilt" in alarms(server)
    finally:
        server.stop()

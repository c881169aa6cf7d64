"""Where a server's lines go: systemd's journal, a terminal's text, the access log."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.lab.server import Server
from tests.integration.lab.wait import until

pytestmark = pytest.mark.long

TWIST = "from twisted.application.twist._twist import Twist; Twist.main(['twist', '--log-format=text', *arguments])"
TWISTD = "from twisted.scripts.twistd import run;sys.argv = ['twistd', '--nodaemon', '--pidfile=', *arguments]; run()"
GONE = "stream gone { input tshttp://127.0.0.1:1/gone; }"


class Journaled(Server):
    """As systemd starts it, with a journal of the test's own, or none; `runner` is the program, as Python."""

    runner = TWIST

    @property
    def journal_path(self) -> Path:
        return self.folder / "journal"

    def launch(self) -> None:
        code = (
            f"import sys; from flussdvr.logs import journal; journal.SOCKET = {str(self.journal_path)!r};"
            f"arguments = ['flussdvr', '--config', {str(self.config)!r}]; {self.runner}"
        )
        with self.log.open("ab") as log:
            status = os.fstat(log.fileno())
            environment = dict(os.environ, JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}", PYTHONUNBUFFERED="1")
            self.process = subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log, env=environment)


@pytest.mark.parametrize("runner", [TWIST, TWISTD], ids=["twist", "twistd"])
def test_the_journal_gets_fields_and_no_line_twice(tmp_path: Path, runner: str) -> None:
    server = Journaled(tmp_path, GONE)
    server.runner = runner
    entries: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(server.journal_path))
        journal.setblocking(False)

        def read() -> list[bytes]:
            while True:
                try:
                    entries.append(journal.recv(1 << 20))
                except BlockingIOError:
                    return entries

        try:
            server.start()
            until("the source that is gone is told of", lambda: any(b"FLUSSDVR_STREAM=gone\n" in one for one in read()))
        finally:
            server.stop()
        (told,) = [one for one in read() if b"MESSAGE=flussdvr has stopped\n" in one]
    assert b"\nPRIORITY=6\nSYSLOG_IDENTIFIER=flussdvr\nLOGGER=flussdvr.server.Server\n" in told
    assert b"flussdvr" not in server.log.read_bytes(), "nothing is written as text"


def test_without_a_journal_there_is_text(tmp_path: Path) -> None:
    server = Journaled(tmp_path, GONE).start()
    server.stop()
    assert server.log.read_text().count("flussdvr has stopped") == 1


def test_the_access_log(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A file, the log, nowhere; a reload moves it."""
    path = tmp_path / "access.log"
    server = serve("", settings=f"access_log {path};")

    def switch(before: str, after: str, reloads: int) -> None:
        server.config.write_text(server.config.read_text().replace(f"access_log {before};", f"access_log {after};"))
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGHUP)
        until("it is reloaded", lambda: server.log.read_text().count("reloaded ") == reloads)

    def ask(name: str) -> None:
        assert server.get(f"/{name}/index.m3u8?token=secret").status == 404

    ask("first")
    until("the line is there", lambda: path.exists() and "/first/index.m3u8" in path.read_text())
    line = next(line for line in path.read_text().splitlines() if "/first/" in line)
    assert "404" in line and "secret" not in line
    assert "/first/" not in server.log.read_text()
    switch(str(path), "on", 1)
    ask("second")
    until("the line is there", lambda: "/second/index.m3u8" in server.log.read_text())
    switch("on", "off", 2)
    ask("third")
    switch("off", str(path), 3)
    ask("fourth")
    until("the line is there", lambda: "/fourth/index.m3u8" in path.read_text())
    server.stop()
    log, access = server.log.read_text(), path.read_text()
    assert "/second/" not in access and "/third/" not in access + log and "/fourth/" not in log
    assert "secret" not in log + access

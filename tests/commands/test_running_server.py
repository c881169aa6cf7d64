"""A command asks the server that runs: where it is, with which credentials, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from flussdvr.cli import main
from flussdvr.commands.redate_remotely import list_remotely, redate_remotely
from flussdvr.commands.running_server import RunningServer
from flussdvr.config.model import ApiToken, Config, Credentials, Listener
from flussdvr.errors import DvrError

BEGIN = 1_795_280_400_000
Answer = tuple[int, Any]


class Asked:
    """A server that answers what a test has for each method and path; `requests` are what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, Any]] = []
        self.credentials: list[str | None] = []
        asked = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                what = f"{self.command} {self.path.partition('?')[0]}"
                asked.requests.append((what, json.loads(body) if body else None))
                asked.credentials.append(self.headers.get("authorization"))
                answers = asked.answers[what]
                status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def server(self) -> RunningServer:
        return RunningServer.at(f"http://admin:s%40cret@127.0.0.1:{self.http.server_port}")


@pytest.fixture
def asked() -> Iterator[Asked]:
    one = Asked()
    yield one
    one.http.shutdown()
    one.http.server_close()


def misdated(root: Path, **more: Any) -> dict[str, Any]:
    about = {"id": "1-a", "name": "a/cam", "root": str(root), "opened_at": BEGIN, "closed_at": BEGIN + 5000}
    return {**about, "shift": -86_400_000, "written_at": BEGIN, "status": "kept", "error": None, **more}


LIST, ONE = "GET /streamer/api/v3/dvr_misdated", "GET /streamer/api/v3/streams/a/cam/dvr/misdated"
REDATE = "POST /streamer/api/v3/streams/a/cam/dvr/misdated/redate"


def test_it_is_found_by_its_configuration() -> None:
    edit = Credentials("admin", "secret")
    found = RunningServer.of(Config(http=(Listener(80, "192.0.2.1"), Listener(8080)), edit_auth=edit))
    assert found is not None and (found.host, found.port, found.tls) == ("127.0.0.1", 8080, False)
    assert found.authorization == "Basic YWRtaW46c2VjcmV0"
    hashed = Credentials("admin", "scrypt:32768:8:1$salt$00ff")
    assert RunningServer.of(Config(http=(Listener(80),), edit_auth=hashed)) is None, "nobody knows the password"
    found = RunningServer.of(Config(http=(Listener(80),), edit_auth=hashed, api_tokens=(ApiToken("ops", "key"),)))
    assert found is not None and found.authorization == "Bearer key" and "key" not in repr(found)
    assert RunningServer.of(Config(http=(Listener(80, api=False), Listener(0)))) is None


@pytest.mark.parametrize("url", ["", "x", "ftp://host", "http://", "http://host:99999", "http://[::1"])
def test_an_url_that_names_no_server(url: str) -> None:
    with pytest.raises(DvrError, match="--server"):
        RunningServer.at(url)


def test_what_is_done_at_once(asked: Asked, tmp_path: Path) -> None:
    asked.answers = {
        LIST: [(200, {"misdated": [misdated(tmp_path), misdated(Path("/other"), id="2-b")], "next": None})],
        REDATE: [(200, {"redated": [{"id": "1-a", "opened_at": BEGIN - 1000}], "problems": [], "pending": []})],
    }
    assert "shift -86400.000 s" in list_remotely(asked.server, str(tmp_path))
    assert "/other" not in list_remotely(asked.server, str(tmp_path))
    report = redate_remotely(asked.server, str(tmp_path), "a/cam", -1000, None)
    assert report.ok and f"{BEGIN - 1000}.mp4" in report.done[0]
    assert asked.requests[-1] == (REDATE, {"id": "1-a", "shift": -1000})
    assert set(asked.credentials) == {"Basic YWRtaW46c0BjcmV0"}
    redate_remotely(asked.server, str(tmp_path), "a/cam", None, BEGIN, BEGIN - 500)
    assert asked.requests[-1] == (REDATE, {"id": "1-a", "at": (BEGIN - 500) / 1000})
    assert not redate_remotely(asked.server, str(tmp_path), "other", None, None).done


@pytest.mark.parametrize(
    ("last", "ok"),
    [([], True), ([{"status": "failed", "error": {"code": "disk_full", "title": "no room"}}], False)],
)
def test_what_takes_long_is_waited_for(asked: Asked, tmp_path: Path, last: list[dict[str, Any]], ok: bool) -> None:
    working = {"misdated": [misdated(tmp_path, status="working")], "next": None}
    asked.answers = {
        LIST: [(200, {"misdated": [misdated(tmp_path)], "next": None})],
        REDATE: [(202, {"redated": [], "problems": [], "pending": ["1-a"]})],
        ONE: [(200, working), (200, {"misdated": [misdated(tmp_path, **one) for one in last]})],
    }
    waits: list[float] = []
    report = redate_remotely(asked.server, str(tmp_path), None, None, None, sleep=waits.append)
    assert len(waits) == 2 and report.ok is ok
    assert f"{BEGIN - 86_400_000}.mp4" in report.done[0] if ok else "no room" in report.problems[0]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((401, {"error": "x", "errors": [{"code": "authorization_failed", "title": "wrong password"}]}), "--server"),
        ((503, {"errors": [{"code": "disk_failed", "title": "the disk"}]}), "the disk"),
        ((500, b"<html>"), "status 500"),
        ((200, b"<html>"), "says no misdated"),
        ((200, []), "says no misdated"),
        ((302, {"errors": 7}), "status 302"),
    ],
)
def test_what_a_server_refuses_or_is_none(asked: Asked, tmp_path: Path, answer: Answer, what: str) -> None:
    asked.answers = {LIST: [answer]}
    with pytest.raises(DvrError, match=what):
        list_remotely(asked.server, str(tmp_path))


def test_pages_that_go_round_in_circles_end(asked: Asked, tmp_path: Path) -> None:
    asked.answers = {LIST: [(200, {"misdated": [misdated(tmp_path)], "next": "again"})]}
    assert len(list_remotely(asked.server, str(tmp_path)).splitlines()) == 2


def test_the_command_asks_the_server_that_holds_the_root(
    asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flussdvr.archive import redate as redating
    from flussdvr.archive.disk.marker import lock_marker, make_marker

    make_marker(str(tmp_path))
    asked.answers = {
        LIST: [(200, {"misdated": [misdated(tmp_path)], "next": None})],
        REDATE: [(200, {"redated": [{"id": "1-a", "opened_at": BEGIN - 1000}], "problems": [], "pending": []})],
    }
    held = lock_marker(str(tmp_path), exclusive=False)
    config = tmp_path / "flussdvr.conf"
    config.write_text(f"http 127.0.0.1:{asked.http.server_port}; edit_auth admin secret;")
    import os

    run: Callable[..., int] = lambda *more: main(["redate", str(tmp_path), *more])  # noqa: E731
    monkeypatch.setattr("flussdvr.cli.DEFAULT_CONFIG", str(tmp_path / "none.conf"))
    try:
        assert run() == 1 and "in use" in (said := capsys.readouterr().err) and "--server" in said
        assert run("--config", str(config)) == 0 and f"{BEGIN - 1000}.mp4" in capsys.readouterr().out
        assert run("--config", str(tmp_path / "none.conf")) == 1
        assert run("--at", "2026-11-20") == 2 and run("--begin", "1") == 2
        assert run("a/cam", "--begin", "1", "--at", "2", "--shift", "1") == 2
    finally:
        os.close(held)
    assert redating.redate(str(tmp_path)).ok

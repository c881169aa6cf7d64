"""Changes that a disk does not let end: the answer comes in time, and says what is still to come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from flussdvr.access.sessions import Sessions
from flussdvr.config.load import load_config
from flussdvr.config.model import Config
from flussdvr.control.streams import STOP_S
from flussdvr.threads import InlineWorker
from flussdvr.web.api.dvrs import add_dvrs
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.api.streams import StreamDocuments, add_streams
from flussdvr.web.http.auth import Account, Gate
from flussdvr.web.http.site import DvrRequest, Site
from tests.archive.test_hung_disk import INTERRUPTING, Lab
from tests.web.media.test_routes import Answer


class Open(Gate):
    """Lets everybody in."""

    async def admit(self, request: DvrRequest, edit: bool) -> Account:
        return Account("admin", True)


class Api(Lab):
    """Requests to the handlers of streams and storages."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("first", "second"):
            (folder / name).mkdir()
        clock = self.store.clock
        sessions = Sessions(clock, lambda: self.store.now_ms)
        router = Router(Open(Config, InlineWorker()), Schema(), clock, InlineWorker())
        documents = StreamDocuments(self.administration, self.streams, sessions, lambda: self.store.now_ms)
        add_streams(router, documents)
        add_dvrs(router, self.administration, self.store.archive)
        self.site = Site(router.resource(), clock)

    def ask(self, method: str, path: str, body: Any = None) -> StringTransport:
        protocol: Any = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        protocol.dataReceived(head.encode() + data)
        return transport

    def hang(self) -> None:
        """The disk, which has answered until now, has a recording of `a` to be closed and does not."""
        self.store.steps("bad")
        self.record(3)
        self.store.steps("bad")
        self.record(3)

    def late(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer, which comes when the disk has been waited for long enough, and not before."""
        transport = self.ask(method, path, body)
        assert not transport.value()
        self.store.clock.advance(STOP_S)
        return Answer(transport.value())

    def check(self, answer: Answer) -> None:
        """It is what the schema promises, names the disk, and is over when that answers."""
        (pending,) = answer.json["pending"]
        assert answer.status == 202 and pending["stream"] == "a" and pending["code"] == "disk_slow"
        assert f"{self.folder}/bad" in pending["title"]
        self.store.steps("bad")
        assert self.streams.stuck == {}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def test_a_stream_that_is_changed(api: Api) -> None:
    answer = api.late("PUT", "streams/a", INTERRUPTING)
    assert answer.json["title"] == "x"
    assert Answer(api.ask("PUT", "streams/b", {"title": "y"}).value()).status == 200
    api.check(answer)
    assert Answer(api.ask("PUT", "streams/a", {"title": "z"}).value()).status == 200


def test_a_stream_that_is_taken_back(api: Api) -> None:
    api.begin(api.administration.put_stream("a", INTERRUPTING))
    api.hang()
    api.check(api.late("DELETE", "streams/a"))
    entry = api.streams.entry("a")
    assert entry is not None and entry.settings.title != INTERRUPTING["title"]


def test_a_stream_that_is_stopped(api: Api) -> None:
    api.check(api.late("POST", "streams/a/stop"))
    assert api.streams.entry("a") is not None


def test_a_storage_that_is_moved_and_taken_back(api: Api) -> None:
    """Each answer has its own streams: what another change waits for is not this one's."""
    follow(api)
    answer = api.late("PUT", "dvrs/store", {"root": f"{api.folder}/first"})
    assert answer.json["root"] == f"{api.folder}/first"
    assert Answer(api.ask("PUT", "dvrs/other", {"root": f"{api.folder}/second"}).value()).status == 200
    assert Answer(api.ask("DELETE", "dvrs/other").value()).status == 204
    api.check(answer)
    entry = api.streams.entry("a")
    assert entry is not None and api.store.archive.recorders["a"].root.path == f"{api.folder}/first"


def test_a_storage_that_is_taken_back(api: Api) -> None:
    """What the file says holds again, once the disk of what held before lets go."""
    follow(api, root="first", patched="bad")
    api.check(api.late("DELETE", "dvrs/store"))
    assert api.store.archive.recorders["a"].root.path == f"{api.folder}/first"


def follow(api: Api, root: str = "bad", patched: str | None = None) -> None:
    """Stream `a`, which hangs, follows the storage `store` from now on."""
    api.store.steps("bad")
    api.file.write_text(
        f"http 0; state_dir {api.folder}/state;\ndvr store {{ root {api.folder}/{root}; }}\n"
        f"stream a {{ input publish://; dvr @store; }}\n"
    )
    api.begin(api.administration.reload(load_config(str(api.file))))
    if patched is not None:
        api.begin(api.administration.put_storage("store", {"root": f"{api.folder}/{patched}"}))
    api.store.steps("bad")
    assert api.store.archive.recorders["a"].root.path == f"{api.folder}/{patched or root}"
    api.hang()

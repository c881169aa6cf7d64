"""SIGHUP at any moment: none is lost, none comes too early, no two at once."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from flussdvr.control import reloads as module
from flussdvr.control.reloads import Reloads


class Server:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.under_way: list[Deferred[None]] = []
        self.begun = 0
        self.reloads = Reloads(self.reload)
        monkeypatch.setattr(module, "notify", self.said.append)
        monkeypatch.setattr(module, "reloading", lambda: self.said.append("RELOADING=1"))

    async def reload(self) -> None:
        self.begun += 1
        waiting: Deferred[None] = Deferred()
        self.under_way.append(waiting)
        await waiting


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def test_during_the_start_it_waits_and_is_done_once(server: Server) -> None:
    server.reloads.ask()
    server.reloads.ask()
    assert server.begun == 0 and server.said == []
    server.reloads.started()
    assert server.begun == 1 and server.said == ["RELOADING=1"]
    server.under_way.pop().callback(None)
    assert server.begun == 1 and server.said == ["RELOADING=1", "READY=1"]


def test_during_a_reload_it_is_done_once_more(server: Server) -> None:
    server.reloads.started()
    assert server.begun == 0 == len(server.said)
    for _ in range(3):
        server.reloads.ask()
    assert server.begun == 1
    server.under_way.pop().callback(None)
    assert server.begun == 2
    server.under_way.pop().callback(None)
    assert server.begun == 2 and server.said == ["RELOADING=1", "READY=1"] * 2


def test_one_that_fails_is_not_the_last(server: Server) -> None:
    server.reloads.started()
    server.reloads.ask()
    server.under_way.pop().errback(RuntimeError("a bug"))
    assert server.said == ["RELOADING=1", "READY=1"]
    server.reloads.ask()
    assert server.begun == 2


def test_none_after_the_end(server: Server) -> None:
    server.reloads.started()
    server.reloads.ask()
    server.reloads.ask()
    server.reloads.stop()
    server.under_way.pop().callback(None)
    server.reloads.ask()
    assert server.begun == 1

"""The server as a whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from flussdvr.access.sessions import Session, Sessions
from flussdvr.config.model import Config, Listener
from flussdvr.threads import InlineWorker
from flussdvr.web.api.config import add_config
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate


def test_how_much_goes_out_is_measured() -> None:
    clock, seconds = Clock(), 60
    sessions = Sessions(clock, lambda: int(clock.seconds() * 1000))
    config = Config(rtmp=(Listener(11935),))
    anything: Any = SimpleNamespace(roots={}, names=list, config=config)
    router = Router(Gate(Config, InlineWorker()), Schema(), clock)
    stats = add_config(router, anything, anything, anything, sessions, lambda: seconds * 1000)
    assert stats()["output_kbit"] == 0
    viewer = Session("1", "ort", "hls", 0, 0)
    sessions.add(viewer)
    for _ in range(20):
        clock.advance(1)
        sessions.sent(viewer, 250_000)
    clock.advance(1)
    assert stats()["output_kbit"] == 2000
    assert stats()["started_at"] == 60 and stats()["uptime"] == 0
    assert stats()["listeners"] == {"http": [], "https": [], "rtmp": [{"port": 11935, "address": None}]}

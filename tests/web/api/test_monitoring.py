"""The page of the schema, as a browser sees it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.config.model import Config
from flussdvr.threads import InlineWorker
from flussdvr.web.api.monitoring import add_monitoring
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from tests.web.media.test_routes import Answer


def get(path: str) -> Answer:
    router = Router(Gate(Config, InlineWorker()), Schema(), Clock())
    archive: Any = SimpleNamespace(opened=True, roots={})
    add_monitoring(router, archive, lambda: 0)
    protocol: Any = Site(router.resource(), Clock()).buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return Answer(transport.value())


def test_the_page_runs_what_is_in_it_and_nothing_else() -> None:
    answer = get("/schema.html")
    assert answer.status == 200 and answer.headers["x-content-type-options"] == "nosniff"
    rules = [rule.split() for rule in answer.headers["content-security-policy"].split("; ")]
    policy = {name: values for name, *values in rules}
    for element in ("script", "style"):
        (inline,) = re.findall(f"<{element}>(.*?)</{element}>".encode(), answer.body, re.DOTALL)
        assert policy[f"{element}-src"] == [f"'sha256-{b64encode(sha256(inline).digest()).decode()}'"]
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert not re.search(rb"\son\w+=|\sstyle=", answer.body)

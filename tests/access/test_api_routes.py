"""Every route of the API asks for credentials, but for those that are meant for everybody."""

from __future__ import annotations

import inspect
from typing import Any
from unittest.mock import MagicMock

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.config.model import Config, Credentials
from flussdvr.threads import InlineWorker
from flussdvr.web.api import site as api_site
from flussdvr.web.api.router import Router
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from flussdvr.web.root import Root

PUBLIC = {"/monitoring/liveness", "/monitoring/readiness", "/schema", "/schema.html", "/schema/html"}
"""No secrets, and nothing of any stream, is in these."""


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> tuple[Site, list[tuple[str, str]]]:
    routers: list[Router] = []

    class Recorded(Router):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            routers.append(self)

    monkeypatch.setattr(api_site, "Router", Recorded)
    config = Config(edit_auth=Credentials("admin", "secret"), view_auth=Credentials("viewer", "look"))
    gate = Gate(lambda: config, InlineWorker())
    known: dict[str, Any] = {"gate": gate, "clock": Clock(), "now_ms": lambda: 0, "clients": None}
    parameters = inspect.signature(api_site.make_api).parameters
    answer: Any = api_site.make_api(**{name: known.get(name, MagicMock()) for name in parameters})
    resource = answer[0] if isinstance(answer, tuple) else answer
    found = []
    for base, router in zip(("/streamer/api/v3", "/streamer/api"), routers, strict=True):
        for rule in router.app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                found.append((method, base + rule.rule))
    return Site(Root(resource, resource), known["clock"]), found


def status(site: Site, method: str, path: str, *headers: str) -> int:
    protocol = site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
    return int(transport.value().split(b" ", 2)[1])


def example(rule: str) -> str:
    path = rule.replace("<path:", "<")
    while "<" in path:
        before, _, rest = path.partition("<")
        path = before + "x" + rest.partition(">")[2]
    return path


def test_every_route_needs_credentials(routes: tuple[Site, list[tuple[str, str]]]) -> None:
    site, found = routes
    assert len(found) > 30
    for method, rule in found:
        if rule.removeprefix("/streamer/api/v3") in PUBLIC:
            continue
        path = example(rule)
        assert status(site, method, path) == 401, (method, rule)
        assert status(site, method, path, "Authorization: Basic YWRtaW46d3Jvbmc=") == 401, (method, rule)
        assert status(site, method, path, "Authorization: Bearer wrong") == 401, (method, rule)
        if method in ("PUT", "DELETE"):
            assert status(site, method, path, "Authorization: Basic dmlld2VyOmxvb2s=") == 403, (method, rule)


def test_sessions_are_among_them(routes: tuple[Site, list[tuple[str, str]]]) -> None:
    _, found = routes
    base = "/streamer/api/v3/sessions"
    assert {("GET", base), ("GET", f"{base}/<id>"), ("DELETE", f"{base}/<id>"), ("POST", f"{base}/reauth")} <= {*found}

"""The page, sign-ins, a few routes of an API and the media of some recordings, all of it in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from flussdvr.access.sessions import Sessions
from flussdvr.access.verdict import Reply
from flussdvr.config import parse_config
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.process.secret import Secret
from flussdvr.threads import InlineWorker, Worker
from flussdvr.web.api.router import Call, Router
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from flussdvr.web.media.gate import ViewersGate
from flussdvr.web.root import Root
from flussdvr.web.ui.files import File
from flussdvr.web.ui.pages import Pages
from flussdvr.web.ui.session import session_resource
from flussdvr.web.ui.signin import SignedIn, SignIns
from tests.playback.recordings import Recording, T
from tests.web.media.test_routes import Answer, Server

CONFIG = "edit_auth admin secret; view_auth viewer look;"
HOST = "dvr.example"
ASSET = b"console.log(1);" * 100
FILES = {
    "index.html": File(b"<!doctype html>the application", None, "text/html; charset=utf-8", "a1"),
    "embed.html": File(b"<!doctype html>the player", None, "text/html; charset=utf-8", "e1"),
    "icon.svg": File(b"<svg/>", None, "image/svg+xml", "i1"),
    "assets/index-1a2b.js": File(ASSET, b"small", "text/javascript; charset=utf-8", "j1"),
}


class Nobody:
    """A backend that lets nobody watch, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, url: str, parameters: Any) -> Reply:
        self.asked += 1
        return Reply(403, {})


class PageServer(Server):
    """`streams` of the configuration are what `recordings` are of; `start` again is a restart of the process."""

    def __init__(
        self,
        recordings: Sequence[Recording] = (),
        config: str = CONFIG,
        files: dict[str, File] = FILES,
        worker: Worker | None = None,
        secret: bytes = b"k" * 32,
    ) -> None:
        super().__init__(list(recordings), T + 3_600_000)
        self.streams.settings = lambda name: None  # type: ignore[attr-defined]
        self.config = parse_config(config)
        self.files = files
        self.secret = Secret(secret)
        self.worker = worker or InlineWorker()
        self.catalog = SqliteCatalog(":memory:", InlineWorker())
        self.catalog.open()
        self.backend = Nobody()
        self.changed: list[str] = []
        self.start()

    def start(self) -> None:
        streams: Any = self.streams
        self.sign_ins = SignIns(lambda: self.config, self.secret, self.catalog.sign_outs, lambda: self.now_ms)
        Deferred.fromCoroutine(self.sign_ins.load())
        gate = Gate(lambda: self.config, self.worker, self.sign_ins)
        self.sessions = Sessions(self.clock, lambda: self.now_ms)
        self.media.admission = self.viewers = ViewersGate(
            *(lambda: self.config, streams, self.sessions, self.backend, self.clock, lambda: self.now_ms),
            passes=[SignedIn(self.sign_ins, gate)],
        )
        session = session_resource(
            *(self.sign_ins, gate, lambda: self.config, self.clock, lambda: self.now_ms),
            on_end=lambda one: self.viewers.withdraw(one.key),
        )
        self.pages = Pages(self.files, self.media.sender, gate.hides)
        root = Root(self.media.resource(), self._api(gate).resource(), pages=self.pages, session=session)
        self.site = Site(root, self.clock, None, lambda request, aborted: self.accessed.append(request))

    def _api(self, gate: Gate) -> Router:
        router = Router(gate, None, self.clock)

        async def thing(call: Call) -> dict[str, Any]:
            self.changed.append(call.request.method.decode())
            return {"account": call.account.name, "edit": call.account.edit}

        for method in ("GET", "POST", "PUT", "DELETE"):
            router.route("/streamer/api/v3/thing", method)(thing)
        router.route("/streamer/api/v3/check", "POST", edit=False)(thing)
        return router

    def send(
        self, method: str, url: str, *headers: str, body: bytes = b"", ip: str = "192.0.2.1", port: int = 80
    ) -> StringTransport:
        address = IPv4Address("TCP", ip, 5)
        protocol: Any = self.site.buildProtocol(address)
        transport = StringTransport(hostAddress=IPv4Address("TCP", "192.0.2.9", port), peerAddress=address)
        protocol.makeConnection(transport)
        head = [f"{method} {url} HTTP/1.1", f"Host: {HOST}", *headers, f"Content-Length: {len(body)}", "", ""]
        protocol.dataReceived("\r\n".join(head).encode("latin-1") + body)
        return transport

    def ask(self, method: str, url: str, *headers: str, **more: Any) -> Visit:
        return Visit(self.send(method, url, *headers, **more).value())


class Visit(Answer):
    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reason = data.partition(b"\r\n")[0].decode().split(" ", 2)[2]

    @property
    def code(self) -> str:
        return str(self.json["error"])

    @property
    def cookie(self) -> str:
        """What a browser would send from now on."""
        return "Cookie: " + self.headers["set-cookie"].partition(";")[0]


class Browser:
    """Keeps its cookie and sends what the page sends."""

    def __init__(self, server: PageServer, ip: str = "192.0.2.1") -> None:
        self.server = server
        self.ip = ip
        self.cookie: str | None = None
        self.csrf = ""

    def ask(self, method: str, url: str, *headers: str, body: bytes = b"", **more: Any) -> Visit:
        sent = [*headers, "X-Requested-With: flussdvr", *([self.cookie] if self.cookie else [])]
        answer = self.server.ask(method, url, *sent, body=body, ip=self.ip, **more)
        if "set-cookie" in answer.headers:
            self.cookie = None if "Max-Age=0;" in answer.headers["set-cookie"] else answer.cookie
        return answer

    def get(self, url: str, *headers: str) -> Visit:
        return self.ask("GET", url, *headers)

    def change(self, method: str, url: str) -> Visit:
        return self.ask(method, url, f"X-CSRF-Token: {self.csrf}")

    def sign_in(self, user: str = "admin", password: str = "secret", *headers: str, **more: Any) -> Visit:
        body = json.dumps({"user": user, "password": password}).encode()
        answer = self.ask("POST", "/ui/session", "Content-Type: application/json", *headers, body=body, **more)
        if answer.status == 200:
            self.csrf = answer.json["csrf"]
        return answer

    def sign_out(self) -> Visit:
        return self.ask("DELETE", "/ui/session")

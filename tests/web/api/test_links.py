"""Links in the API: what a link may be, who may make one, and who sees what opens it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.access.links import Links
from flussdvr.config.model import Config, Credentials
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker
from flussdvr.urls.paths import parse
from flussdvr.web.api.links import add_links
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from flussdvr.web.media.link_passes import FORMAT, opens
from tests.web.media.test_routes import Answer

BEGIN = 1_795_194_000


class Streams:
    def one(self, name: str, secrets: bool) -> dict[str, Any]:
        if name not in ("cam", "site/gate"):
            raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is none", {"parameter": "name"})
        return {}


class Viewers:
    def __init__(self) -> None:
        self.withdrawn: list[str] = []

    def withdraw(self, key: str) -> int:
        self.withdrawn.append(key)
        return 0


class Api:
    def __init__(self) -> None:
        self.now_ms = BEGIN * 1000 + 86_400_000
        catalog = SqliteCatalog(":memory:", InlineWorker())
        catalog.open()
        self.links = Links(b"k" * 32, catalog.links, lambda: self.now_ms)
        self.viewers = Viewers()
        config = Config(edit_auth=Credentials("admin", "secret"), view_auth=Credentials("viewer", "look"))
        router = Router(Gate(lambda: config, InlineWorker()), Schema(), Clock())
        streams: Any = Streams()
        viewers: Any = self.viewers
        add_links(router, self.links, streams, viewers)
        self.site = Site(router.resource(), Clock())

    def __call__(
        self, method: str, name: str = "cam", body: Any = None, id: str = "", user: str = "admin:secret"
    ) -> Any:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        data = b"" if body is None else json.dumps(body).encode()
        path = f"/streams/{name}/dvr/links{'/' + id if id else ''}"
        head = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(data)}"]
        head += [f"Authorization: Basic {b64encode(user.encode()).decode()}", "", ""]
        protocol.dataReceived("\r\n".join(head).encode() + data)
        return Answer(transport.value())


@pytest.fixture
def api() -> Iterator[Api]:
    yield Api()


def test_a_link_and_its_urls(api: Api) -> None:
    body = {"from": BEGIN + 0.25, "duration": 60, "formats": ["jpg", "mp4"], "max_uses": 3, "title": "Tür"}
    answer = api("POST", "site/gate", body)
    assert answer.status == 200
    link = answer.json
    token = link["urls"]["mp4"].partition("?link=")[2]
    now = api.now_ms
    assert link == {
        "id": link["id"],
        "stream": "site/gate",
        "from": BEGIN + 0.25,
        "duration": 60,
        "formats": ["mp4", "jpg"],
        "expires_at": (now + 7 * 86_400_000) // 1000,
        "max_uses": 3,
        "uses": 0,
        "title": "Tür",
        "created_by": "admin",
        "created_at": now // 1000,
        "urls": {
            "mp4": f"/site/gate/archive-{BEGIN}.250-60.mp4?link={token}",
            "jpg": f"/site/gate/{BEGIN}.250-preview.jpg?link={token}",
        },
    }
    found = api.links.find(token, "site/gate")
    assert found is not None and found.id == link["id"]
    assert api("GET", "site/gate").json == {"links": [link]}
    assert api("GET").json == {"links": []}


def test_every_url_is_one_of_the_gate(api: Api) -> None:
    link = api("POST", body={"from": (BEGIN * 1000) + 7, "duration": 0.5}).json
    assert set(link["urls"]) == {"mp4", "hls", "ts", "jpg"}
    row = api.links.of("cam")[0]
    for one, url in link["urls"].items():
        parsed = parse(*url.split("?"))
        assert FORMAT[type(parsed)] == one and opens(row, parsed)


def test_when_it_expires(api: Api) -> None:
    now_s = api.now_ms // 1000
    span = {"from": BEGIN, "duration": 1}
    for given, expires_at in (
        ({"expires_in": 1.5}, now_s + 1.5),
        ({"expires_at": now_s + 9}, now_s + 9),
        ({"expires_at": (now_s + 9) * 1000}, now_s + 9),
    ):
        assert api("POST", body=span | given).json["expires_at"] == expires_at
    assert api("POST", body=span | {"max_uses": None, "title": None}).json["max_uses"] is None


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"from": None}, "/from"),
        ({"from": -1}, "/from"),
        ({"from": "now"}, "/from"),
        ({"duration": 0}, "/duration"),
        ({"duration": 0.0001}, "/duration"),
        ({"duration": 366 * 86_400 + 1}, "/duration"),
        ({"formats": []}, "/formats"),
        ({"formats": ["mp4", "mp4"]}, "/formats"),
        ({"formats": ["avi"]}, "/formats/0"),
        ({"formats": "mp4"}, "/formats"),
        ({"expires_in": 0}, "/expires_in"),
        ({"expires_in": 400 * 86_400 * 10}, "/expires_in"),
        ({"expires_at": 5}, "/expires_at"),
        ({"expires_at": 9_999_999_999}, "/expires_at"),
        ({"expires_at": 1_795_290_000, "expires_in": 5}, "/expires_in"),
        ({"max_uses": 0}, "/max_uses"),
        ({"max_uses": 1.5}, "/max_uses"),
        ({"max_uses": 10_001}, "/max_uses"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "\ud800"}, "/title"),
        ({"uses": 5}, "/uses"),
    ],
)
def test_what_cannot_be_a_link(api: Api, wrong: dict[str, Any], pointer: str) -> None:
    answer = api("POST", body={"from": BEGIN, "duration": 60} | wrong)
    assert (answer.status, answer.json["errors"][0]["source"]) == (400, {"pointer": pointer})
    assert api("GET").json == {"links": []}


def test_what_is_missing(api: Api) -> None:
    for body in (None, {}, {"from": BEGIN}, {"duration": 5}, []):
        assert api("POST", body=body).status == 400
    for method in ("GET", "POST"):
        answer = api(method, "nobody", {"from": BEGIN, "duration": 1} if method == "POST" else None)
        assert (answer.status, answer.json["error"]) == (404, "stream_not_found")


def test_who_may_only_look(api: Api) -> None:
    link = api("POST", body={"from": BEGIN, "duration": 60}).json
    token = link["urls"]["mp4"].partition("?link=")[2]
    answer = api("GET", user="viewer:look")
    assert answer.status == 200 and token not in answer.text
    assert answer.json["links"][0]["urls"]["mp4"] == f"/cam/archive-{BEGIN}-60.mp4"
    assert api("POST", body={"from": BEGIN, "duration": 60}, user="viewer:look").status == 403
    assert api("DELETE", id=link["id"], user="viewer:look").status == 403
    assert api("GET", user="viewer:wrong").status == 401
    assert api.viewers.withdrawn == []


def test_revoking(api: Api) -> None:
    link = api("POST", body={"from": BEGIN, "duration": 60}).json
    for name, id in (("site/gate", link["id"]), ("cam", "0" * 16)):
        answer = api("DELETE", name, id=id)
        assert (answer.status, answer.json["error"]) == (404, "link_not_found")
    assert api("DELETE", id=link["id"]).status == 204
    assert api.viewers.withdrawn == [f"link {link['id']}"]
    assert api("GET").json == {"links": []}
    assert api("DELETE", id=link["id"]).status == 404

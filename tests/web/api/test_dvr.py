"""What is answered to a deletion: that it is done, what of it, or what remains to be done and why."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.archive.range_deletion import Report
from flussdvr.config.model import Config, Credentials
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range, RangeSet
from flussdvr.web.api.dvr import add_dvr
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from tests.web.media.test_routes import Answer

T = 1_795_194_000_000
GONE = Range(T + 1000, T + 3500)


class Api:
    """With an archive that reports `report`; `asked` is what it was asked for."""

    def __init__(self, report: Report) -> None:
        self.asked: list[tuple[str, Range, bool]] = []

        async def delete_range(name: str, span: Range, cover: bool) -> Report:
            self.asked.append((name, span, cover))
            return report

        def one(name: str, secrets: bool) -> None:
            raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is none", {"parameter": "name"})

        found = SimpleNamespace()
        archive: Any = SimpleNamespace(
            stream=lambda name: found if name == "cam" else None,
            unlisted=lambda name: ["blob"] if name == "away" else [],
            delete_range=delete_range,
        )
        streams: Any = SimpleNamespace(one=one)
        config = Config(edit_auth=Credentials("admin", "secret"))
        router = Router(Gate(lambda: config, InlineWorker()), Schema(), Clock())
        add_dvr(router, archive, streams)
        self.site = Site(router.resource(), Clock())

    def delete(self, name: str, body: object, *headers: str) -> Answer:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        data = json.dumps(body).encode()
        lines = [
            f"DELETE /streams/{name}/dvr/ranges HTTP/1.1",
            "Host: x",
            "Authorization: Basic YWRtaW46c2VjcmV0",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
        ]
        protocol.dataReceived("\r\n".join([*lines, *headers, "", ""]).encode() + data)
        return Answer(transport.value())


ASKED = {"from": T // 1000, "duration": 5}


def test_it_is_done() -> None:
    api = Api(Report(RangeSet([GONE])))
    answer = api.delete("cam", {**ASKED, "cover": True})
    assert (answer.status, answer.body) == (204, b"")
    assert api.asked == [("cam", Range(T, T + 5000), True)]


@pytest.mark.parametrize("prefer", ["return=representation", 'respond-async, Return="representation"; x=1'])
def test_what_of_it(prefer: str) -> None:
    answer = Api(Report(RangeSet([GONE]))).delete("cam", ASKED, f"Prefer: {prefer}")
    assert answer.status == 200 and answer.headers["preference-applied"] == "return=representation"
    (gone,) = answer.json["deleted"]
    assert (gone["opened_at"], gone["closed_at"]) == (GONE.begin_ms, GONE.end_ms) and answer.json["pending"] == []


@pytest.mark.parametrize("headers", [(), ("Prefer: return=representation",), ("Prefer: return=minimal",)])
def test_what_remains_to_be_done_is_said_whatever_is_preferred(headers: tuple[str, ...]) -> None:
    pending = {
        "/disk": DvrError(Kind.UNAVAILABLE, "disk_not_ready", "/disk is not mounted"),
        "": DvrError(Kind.UNAVAILABLE, "catalog_failed", "the catalog can't be written"),
    }
    answer = Api(Report(RangeSet([GONE]), pending)).delete("cam", ASKED, *headers)
    assert answer.status == 202
    assert [one["opened_at"] for one in answer.json["deleted"]] == [GONE.begin_ms]
    assert answer.json["pending"] == [
        {"root": "/disk", "code": "disk_not_ready", "title": "/disk is not mounted"},
        {"root": None, "code": "catalog_failed", "title": "the catalog can't be written"},
    ]


def test_what_is_on_a_disk_that_is_away_can_be_deleted_and_nothing_of_nobody() -> None:
    api = Api(Report())
    assert api.delete("away", ASKED).status == 204 and len(api.asked) == 1
    assert api.delete("nobody", ASKED).status == 404 and len(api.asked) == 1
    assert api.delete("cam", {"from": 1}).status == 400 and len(api.asked) == 1

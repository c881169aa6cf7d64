"""Where pictures refer to lost ones, as the fragments say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.config.model import Config, Credentials
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.fmp4 import Run, write_fragment, write_init
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.media import Codec, Sample, Track
from flussdvr.threads import InlineWorker
from flussdvr.web.api.damaged import FILES_MAX, add_damaged
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from tests.web.media.test_routes import Answer

T = 1_795_194_000_000
VIDEO = Track(1, Codec.H264, 90_000, b"\1d\0\x1f\xff\xe1\0\0\1\0\0", width=64, height=64)


def table(begin_s: int, damaged: set[int], count: int = 10) -> FragmentTable:
    """Fragments of a second, each with four pictures; in some of them the third one is damaged."""
    data = write_init([VIDEO])
    for number in range(count):
        pictures = [Sample(0, b"x", not n, 0, n == 2 and number in damaged) for n in range(4)]
        dts = (T // 1000 + begin_s + number) * 90_000
        head, _ = write_fragment(number, [Run(VIDEO, dts, [22_500] * 4, pictures)])
        data += head
    return FragmentTable(data)


def blob(begin_s: int, stop_s: int) -> Any:
    return SimpleNamespace(begin_ms=T + begin_s * 1000, end_ms=T + stop_s * 1000)


class Api:
    def __init__(self, tables: dict[int, FragmentTable | DvrError]) -> None:
        """By the second that they begin with; 10 s each."""

        async def read(asked: Any) -> FragmentTable:
            found = tables[(asked.begin_ms - T) // 1000]
            if isinstance(found, DvrError):
                raise found
            return found

        blobs = [blob(begin, begin + 10) for begin in sorted(tables)]
        found: Any = SimpleNamespace(
            onward=lambda utc_ms: iter([one for one in blobs if one.end_ms > utc_ms]), table=read
        )

        def one(name: str, secrets: bool) -> None:
            if name != "new":
                raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is none", {"parameter": "name"})

        archive: Any = SimpleNamespace(stream=lambda name: found if name == "cam" else None)
        streams: Any = SimpleNamespace(one=one)
        config = Config(view_auth=Credentials("viewer", "look"))
        router = Router(Gate(lambda: config, InlineWorker()), Schema(), Clock())
        add_damaged(router, archive, streams)
        self.site = Site(router.resource(), Clock())

    def get(self, begin: object, duration: object, name: str = "cam") -> Answer:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        path = f"/streams/{name}/dvr/damaged?from={begin}&duration={duration}"
        head = [f"GET {path} HTTP/1.1", "Host: x", "Authorization: Basic dmlld2VyOmxvb2s=", "", ""]
        protocol.dataReceived("\r\n".join(head).encode())
        return Answer(transport.value())

    def damaged(self, begin_s: int, duration_s: int) -> list[tuple[int, int]]:
        answer = self.get(T // 1000 + begin_s, duration_s)
        assert answer.status == 200
        found = [(one["opened_at"] - T, one["closed_at"] - T) for one in answer.json["damaged"]]
        return [(begin // 1000, end // 1000) for begin, end in found]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0, 30), [(2, 4), (7, 8), (19, 20), (25, 26)]),
        ((3, 1), [(3, 4)]),
        ((4, 3), []),
        ((8, 12), [(19, 20)]),
        ((100, 5), []),
    ],
)
def test_the_fragments_that_are_marked(window: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    api = Api({0: table(0, {2, 3, 7}), 10: table(10, {9}), 20: table(20, {5})})
    assert api.damaged(*window) == expected


def test_what_cannot_be_read_is_said_and_what_is_gone_is_not_there() -> None:
    gone, broken = DvrError(Kind.NOT_FOUND, "gone", "gone"), DvrError(Kind.UNAVAILABLE, "disk_not_ready", "no disk")
    assert Api({0: gone, 10: table(10, {1})}).damaged(0, 20) == [(11, 12)]
    assert Api({0: table(0, {1}), 10: broken}).get(T // 1000, 20).status == 503


def test_what_one_request_may_read_is_bounded() -> None:
    api = Api({0: table(0, set())})
    assert api.get(T // 1000, 24 * 3600).status == 200
    long = api.get(T // 1000, 24 * 3600 + 1)
    assert (long.status, long.json["errors"][0]["code"]) == (413, "range_too_long")
    many = Api({begin * 10: table(begin * 10, set(), 1) for begin in range(FILES_MAX + 1)})
    assert many.get(T // 1000, FILES_MAX * 10).status == 200
    assert many.get(T // 1000, FILES_MAX * 10 + 1).status == 413


def test_wrong_questions() -> None:
    api = Api({})
    assert api.get(T // 1000, 5, "new").json == {"damaged": []}
    assert api.get(T // 1000, 5, "nobody").status == 404
    for begin, duration in (("x", 5), (5, "x"), (5, 0), (5, -1)):
        assert api.get(begin, duration).status == 400

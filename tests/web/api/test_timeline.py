"""The timeline: what of the recordings overlaps a window, whole, with the reasons that clients know."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.misdated import Aside
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.config.model import Config, Credentials
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.api.timeline import MANY, add_timeline, is_recorded, what_is_recorded
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from tests.web.media.test_routes import Answer

T = 1_795_194_000_000
EVERYTHING = Range(0, 1 << 50)


def blob(begin_s: int, end_s: int, after: str | None = None, state: BlobState = BlobState.CLOSED) -> Blob:
    return Blob("cam", "/d", T + begin_s * 1000, T + end_s * 1000, 10, 4, state, 2000, 3, after)


def archived(*blobs: Blob) -> LocalStreamArchive:
    unused: Any = None
    return LocalStreamArchive("cam", unused, unused, blobs)


def ms(*seconds: int) -> tuple[int, int]:
    begin, end = (T + one * 1000 for one in seconds)
    return begin, end


def three() -> LocalStreamArchive:
    """The first of them of two blobs, the last growing."""
    return archived(blob(0, 10), blob(10, 20), blob(30, 40, "stopped"), blob(50, 60, "no_packets", BlobState.OPEN))


def test_what_has_a_wrong_date_is_said_whatever_was_asked_for() -> None:
    found = three()
    assert "misdated" not in what_is_recorded(found, EVERYTHING)
    found.misdated |= {blob(86_400, 86_410): Aside(-86_400_000), blob(500, 510): Aside()}
    said = what_is_recorded(found, Range(0, 1))["misdated"]
    assert said == [(*ms(500, 510), None), (*ms(86_400, 86_410), -86_400_000)]


def test_everything() -> None:
    found = three()
    found.locks.add(Range(*ms(5, 12)))
    assert what_is_recorded(found, EVERYTHING) == {
        "opened_at": T,
        "closed_at": T + 60_000,
        "bytes": found.size,
        "ranges": [ms(0, 20), ms(30, 40), ms(50, 60)],
        "locks": [ms(5, 12)],
        "gaps": [(*ms(20, 30), "restart"), (*ms(40, 50), "source_lost")],
    }
    found.grow(found.blobs()[-1], T + 61_000, 20, 5)
    assert what_is_recorded(found, EVERYTHING)["ranges"][-1] == ms(50, 61), "as far as it is written"


@pytest.mark.parametrize(
    ("window", "ranges", "gaps"),
    [
        ((5, 6), [(0, 20)], []),
        ((19, 21), [(0, 20)], [(20, 30)]),
        ((20, 30), [], [(20, 30)]),
        ((25, 26), [], [(20, 30)]),
        ((29, 41), [(30, 40)], [(20, 30), (40, 50)]),
        ((60, 99), [], []),
        ((-9, 0), [], []),
        ((-9, 1), [(0, 20)], []),
    ],
)
def test_a_window(window: tuple[int, int], ranges: list[Any], gaps: list[Any]) -> None:
    found = three()
    found.locks.add(Range(*ms(5, 12)))
    shown = what_is_recorded(found, Range(*ms(*window)))
    assert shown["ranges"] == [ms(*one) for one in ranges]
    assert [gap[:2] for gap in shown["gaps"]] == [ms(*one) for one in gaps]
    assert shown["locks"] == ([ms(5, 12)] if window == (5, 6) else [])
    assert (shown["opened_at"], shown["closed_at"]) == (T, T + 60_000), "of everything"


def test_gaps_have_the_reasons_of_the_list_of_ranges() -> None:
    found = archived(*(blob(at * 10, at * 10 + 5, ("disk", None)[at % 2]) for at in range(200)))
    within = Range(T + 500_000, T + 600_000)
    assert found.gaps(within) == [one for one in found.gaps() if one[0].overlaps(within)]
    assert {reason for _, reason in found.gaps(within)} == {"disk", "deleted"}


def test_nothing() -> None:
    empty = {"opened_at": None, "closed_at": None, "bytes": 0, "ranges": [], "locks": [], "gaps": []}
    assert what_is_recorded(None, EVERYTHING) == empty == what_is_recorded(archived(), EVERYTHING)


def test_whether_it_is_being_recorded() -> None:
    def running(recorder: Any, alive: bool) -> Any:
        return SimpleNamespace(recorder=recorder, stream=SimpleNamespace(alive=alive))

    assert is_recorded(running(object(), True))
    assert not any(map(is_recorded, (None, running(None, True), running(object(), False))))


class Api:
    def __init__(self, found: LocalStreamArchive | None) -> None:
        class Streams:
            streams = SimpleNamespace(entry=lambda name: None)

            def one(self, name: str, secrets: bool) -> None:
                if name != "new":
                    raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is none", {"parameter": "name"})

        config = Config(view_auth=Credentials("viewer", "look"))
        archive: Any = SimpleNamespace(stream=lambda name: found if name == "cam" else None)
        streams: Any = Streams()
        router = Router(Gate(lambda: config, InlineWorker()), Schema(), Clock())
        add_timeline(router, archive, streams, lambda: T, InlineWorker())
        self.site = Site(router.resource(), Clock())

    def get(self, path: str, *headers: str) -> Answer:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        head = [f"GET /streams/{path} HTTP/1.1", "Host: x", "Authorization: Basic dmlld2VyOmxvb2s=", *headers, "", ""]
        protocol.dataReceived("\r\n".join(head).encode())
        return Answer(transport.value())


def test_the_call() -> None:
    api = Api(three())
    answer = api.get(f"cam/dvr/timeline?from={T + 25_000}&to={T + 35_000}")
    assert answer.status == 200
    assert answer.json["ranges"] == [list(ms(30, 40))] and answer.json["gaps"] == [[*ms(20, 30), "restart"]]
    assert (answer.json["name"], answer.json["now"], answer.json["recording"]) == ("cam", T, False)
    assert len(api.get(f"cam/dvr/timeline?from={T + 25_000}").json["ranges"]) == 2
    assert len(api.get(f"cam/dvr/timeline?to={T // 1000 + 35}").json["ranges"]) == 2, "seconds will do"
    assert len(api.get("cam/dvr/timeline").json["ranges"]) == 3
    assert api.get("new/dvr/timeline").json["ranges"] == []
    assert api.get("nobody/dvr/timeline").status == 404
    for query, parameter in (("from=5&to=5", "to"), ("from=9&to=5", "to"), ("from=x", "from"), ("to=-1", "to")):
        wrong = api.get(f"cam/dvr/timeline?{query}")
        assert (wrong.status, wrong.json["errors"][0]["source"]) == (400, {"parameter": parameter}), query


def test_much_of_it_is_packed_by_the_worker() -> None:
    api = Api(archived(*(blob(at * 10, at * 10 + 5) for at in range(MANY + 1))))
    plain = api.get("cam/dvr/timeline")
    packed = api.get("cam/dvr/timeline", "Accept-Encoding: gzip")
    assert packed.headers["content-encoding"] == "gzip" and len(packed.body) < len(plain.body) / 3
    assert json.loads(gzip.decompress(packed.body)) == plain.json
    assert len(plain.json["ranges"]) == MANY + 1 == len(plain.json["gaps"]) + 1
    assert plain.headers["content-type"] == packed.headers["content-type"] == "application/json"

"""Misdated recordings over the API: what is asked of the archive, and what is answered to what it says."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.misdated import Aside
from flussdvr.archive.redating import Found, Report
from flussdvr.config.model import Config, Credentials
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from flussdvr.web.api.misdated import add_misdated
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from tests.web.media.test_routes import Answer

T = 1_795_194_000_000
BLOB = Blob("a/cam", "/d", T + 400, T + 10_000, 10, 4, BlobState.CLOSED)
TAKEN = DvrError(Kind.CONFLICT, "recorded_already", "there is something")


class Api:
    """With an archive that has `found`, and reports `report` or raises it; `asked` is what it was asked for."""

    def __init__(self, report: Report | DvrError, *found: Found) -> None:
        self.asked: list[tuple[object, ...]] = []

        async def list_found(name: str | None = None) -> list[Found]:
            return list(found)

        async def change(*args: object) -> Report:
            self.asked.append(args)
            if isinstance(report, DvrError):
                raise report
            return report

        def one(name: str, secrets: bool) -> None:
            raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is none", {"parameter": "name"})

        redating = SimpleNamespace(found=list_found, redate=change, delete=change)
        archive: Any = SimpleNamespace(stream=lambda name: redating if name == "a/cam" else None, redating=redating)
        streams: Any = SimpleNamespace(one=one)
        edit, view = Credentials("admin", "secret"), Credentials("viewer", "look")
        self.schema = Schema()
        router = Router(Gate(lambda: Config(edit_auth=edit, view_auth=view), InlineWorker()), self.schema, Clock())
        add_misdated(router, archive, streams)
        self.site = Site(router.resource(), Clock())

    def ask(self, method: str, path: str, body: object = None, login: str = "YWRtaW46c2VjcmV0") -> Answer:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Basic {login}", f"Content-Length: {len(data)}"]
        protocol.dataReceived("\r\n".join([*head, "", ""]).encode() + data)
        return Answer(transport.value())

    def check(self, name: str, value: object) -> None:
        document = self.schema.document
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]}).validate(
            value
        )


def test_the_list_says_what_is_known() -> None:
    known = Found("1-a", BLOB, Aside(-5), T, False, None)
    api = Api(Report(), known, Found("2-b", BLOB, Aside(), None, False, TAKEN), Found("3-c", BLOB, Aside(), None, True))
    for path in ("/dvr_misdated", "/streams/a/cam/dvr/misdated"):
        answer = api.ask("GET", path, login="dmlld2VyOmxvb2s=")
        assert answer.status == 200
        api.check("misdated_list", answer.json)
        first, second, third = answer.json["misdated"]
        assert first == {
            **{"id": "1-a", "name": "a/cam", "root": "/d", "from": T // 1000, "duration": 10, "opened_at": T + 400},
            **{"closed_at": T + 10_000, "bytes": 14, "shift": -5, "written_at": T, "status": "kept", "error": None},
        }
        assert second["status"] == "failed" and second["error"]["code"] == "recorded_already"
        assert third["status"] == "working" and third["written_at"] is None
    assert [one["id"] for one in api.ask("GET", "/dvr_misdated?limit=1&select=id").json["misdated"]] == ["1-a"]
    assert api.ask("GET", "/streams/other/dvr/misdated").status == 404


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (None, (None, None, None)),
        ({"shift": -86_400_000}, (None, -86_400_000, None)),
        ({"id": "1-a", "at": T // 1000}, ("1-a", None, T)),
        ({"id": "1-a", "at": T + 1}, ("1-a", None, T + 1)),
    ],
)
def test_what_is_asked_for(body: object, asked: tuple[object, ...]) -> None:
    api = Api(Report({"1-a": Range(T, T + 5000)}, {"2-b": TAKEN}))
    answer = api.ask("POST", "/streams/a/cam/dvr/misdated/redate", body)
    assert answer.status == 200 and api.asked == [("a/cam", *asked)]
    api.check("misdated_redated", answer.json)
    assert answer.json["redated"][0]["opened_at"] == T and answer.json["problems"][0]["code"] == "recorded_already"


@pytest.mark.parametrize(
    "body", [{"shift": "1"}, {"shift": 1 << 60}, {"shift": 1.5}, {"at": -1}, {"at": "now"}, {"by": 1}, {"id": 5}, []]
)
def test_nonsense_is_refused(body: object) -> None:
    api = Api(Report())
    assert api.ask("POST", "/streams/a/cam/dvr/misdated/redate", body).status == 400 and not api.asked


def test_one_that_cannot_be_dated_anew_is_an_error() -> None:
    answer = Api(Report(problems={"1-a": TAKEN})).ask("POST", "/streams/a/cam/dvr/misdated/redate", {"id": "1-a"})
    assert (answer.status, answer.json["error"]) == (409, "recorded_already")


def test_what_goes_on_is_said() -> None:
    answer = Api(Report(pending=["1-a"])).ask("POST", "/streams/a/cam/dvr/misdated/redate")
    assert answer.status == 202 and answer.json["pending"] == ["1-a"]
    assert Api(Report(pending=["1-a"])).ask("DELETE", "/streams/a/cam/dvr/misdated/1-a").status == 202


def test_deleting() -> None:
    api = Api(Report({"1-a": BLOB.range}))
    assert api.ask("DELETE", "/streams/a/cam/dvr/misdated/1-a").status == 204
    assert api.ask("DELETE", "/streams/a/cam/dvr/misdated").status == 204
    assert api.asked == [("a/cam", "1-a"), ("a/cam",)]
    locked = Report({}, {"1-a": DvrError(Kind.CONFLICT, "locked", "it is locked")})
    assert Api(locked).ask("DELETE", "/streams/a/cam/dvr/misdated/1-a").status == 409
    some = Api(locked).ask("DELETE", "/streams/a/cam/dvr/misdated")
    assert some.status == 200 and some.json["problems"][0]["code"] == "locked"


def test_viewers_change_nothing() -> None:
    api = Api(Report())
    for method, path in (("POST", "/redate"), ("DELETE", "/1-a"), ("DELETE", "")):
        assert api.ask(method, f"/streams/a/cam/dvr/misdated{path}", login="dmlld2VyOmxvb2s=").status == 403
    assert not api.asked


def test_a_misspelt_field_says_what_may_have_been_meant() -> None:
    answer = Api(Report()).ask("POST", "/streams/a/cam/dvr/misdated/redate", {"shfit": 5})
    assert answer.json["errors"][0]["title"] == "there is no shfit; did you mean 'shift'?"

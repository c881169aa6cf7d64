"""With a store that says what it is told to; a real one is in integration/test_object_stores.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError, ParamValidationError

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import file_at
from flussdvr.config.model import Bucket
from flussdvr.errors import DvrError, Kind
from flussdvr.export.exporter import Canceled
from flussdvr.objects import s3 as object_store
from flussdvr.objects.s3 import MARK, ObjectStore

BUCKET = Bucket("store:9000", "bucket", "KEY", "SECRET", tls=False)


def says(status: int, code: str = "") -> ClientError:
    answer: Any = {"Error": {"Code": code or str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "operation")


def silent() -> EndpointConnectionError:
    error = EndpointConnectionError(endpoint_url="http://store:9000/bucket?secret")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return error


class FakeS3:
    """Keeps objects and parts; `faults[operation]` are raised one after the other, after the call for `(fault,)`."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.faults: dict[str, list[Any]] = {}
        self.calls: list[str] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**about: Any) -> Any:
            assert about.pop("Bucket") == "bucket"
            self.calls.append(operation)
            fault = self.faults[operation].pop(0) if self.faults.get(operation) else None
            if isinstance(fault, Exception):
                raise fault
            if about.get("IfNoneMatch") == "no":
                raise says(501, "NotImplemented")
            answer = getattr(self, f"_{operation}")(**about)
            if fault is not None:
                raise fault[0]
            return answer

        return call

    def close(self) -> None:
        self.calls.append("close")

    def _head_object(self, Key: str) -> Any:  # noqa: N803
        if Key not in self.objects:
            raise says(404)
        return {**self.objects[Key], "ContentLength": len(self.objects[Key]["data"])}

    def _appear(self, key: str, data: bytes, metadata: Any, if_none_match: str) -> None:
        if key in self.objects and if_none_match == "*":
            raise says(412, "PreconditionFailed")
        self.objects[key] = {"data": data, "Metadata": {name.title(): value for name, value in metadata.items()}}

    def _put_object(self, Key: str, Body: Any, Metadata: Any, ContentType: str, IfNoneMatch: str = "") -> Any:  # noqa: N803
        try:
            data = b"".join(iter(lambda: Body.read(1000), b""))
        except Exception as error:
            raise HTTPClientError(error=error) from error
        self._appear(Key, data, Metadata, IfNoneMatch)

    def _create_multipart_upload(self, Key: str, Metadata: Any, ContentType: str) -> Any:  # noqa: N803
        self.parts[Key] = {}
        self.metadata = Metadata
        return {"UploadId": "id"}

    def _upload_part(self, Key: str, UploadId: str, PartNumber: int, Body: Any) -> Any:  # noqa: N803
        self.parts[Key][PartNumber] = Body.read()
        return {"ETag": str(PartNumber)}

    def _complete_multipart_upload(self, Key: str, UploadId: str, MultipartUpload: Any, IfNoneMatch: str = "") -> Any:  # noqa: N803
        if Key not in self.parts:
            raise says(404, "NoSuchUpload")
        assert MultipartUpload["Parts"] == [{"PartNumber": n, "ETag": str(n)} for n in sorted(self.parts[Key])]
        self._appear(Key, b"".join(part for _, part in sorted(self.parts[Key].items())), self.metadata, IfNoneMatch)
        del self.parts[Key]

    def _abort_multipart_upload(self, Key: str, UploadId: str) -> Any:  # noqa: N803
        del self.parts[Key]

    def _list_multipart_uploads(self, Prefix: str) -> Any:  # noqa: N803
        return {"Uploads": [{"Key": key, "UploadId": "id"} for key in self.parts if key.startswith(Prefix)]}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    fake = FakeS3()
    monkeypatch.setattr(object_store, "_client", lambda bucket: fake)
    monkeypatch.setattr(object_store, "QUICK_RETRY_DELAYS_S", (0,))
    return fake


@pytest.fixture
def body(tmp_path: Path) -> Body:
    (tmp_path / "blob").write_bytes(bytes(range(250)) * 40)
    return Body((b"head", Extent(file_at(str(tmp_path / "blob")), 0, 10_000)))


def store(copied: Callable[[int, int], None] = lambda done, total: None, **options: Any) -> ObjectStore:
    options = {"single": 20_000, "part": 3000, "retry_delays_s": (0, 0), **options}
    return ObjectStore(BUCKET, options.pop("ending", Event()), copied, **options)


IN_PARTS = {"single": 9000}
DATA = b"head" + bytes(range(250)) * 40


@pytest.mark.parametrize("options", [{}, IN_PARTS], ids=["at once", "in parts"])
def test_it_is_there_and_whole(s3: FakeS3, body: Body, options: Any) -> None:
    told: list[tuple[int, int]] = []
    with store(lambda *progress: told.append(progress), **options) as one:
        one.check("x")
        one.upload(body, "x")
        assert s3.objects["x"]["data"] == DATA and one.size("x") == len(DATA) and one.size("y") is None
        with pytest.raises(DvrError, match="file_exists"):
            one.check("x")
        s3.calls.clear()
        with pytest.raises(DvrError) as raised:
            one.upload(body, "x")
    assert raised.value.kind is Kind.CONFLICT and raised.value.source == {"parameter": "path"}
    assert "put_object" not in s3.calls and not s3.parts and s3.calls[-1] == "close"
    assert told[0] == (0, len(DATA)) and (len(DATA), len(DATA)) in told
    assert options == {} or {(3000, len(DATA)), (9000, len(DATA))} <= set(told)


def test_ten_thousand_parts_are_enough(s3: FakeS3) -> None:
    whole = Body((bytes(200_000),))
    store(single=1, part=1).upload(whole, "x")
    assert s3.calls.count("upload_part") == 10_000 and len(s3.objects["x"]["data"]) == 200_000


LAST = {"at once": ({}, "put_object"), "in parts": (IN_PARTS, "complete_multipart_upload")}


@pytest.fixture(params=LAST.values(), ids=LAST)
def last(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], str]]:
    yield request.param


def test_what_passes_is_tried_again(s3: FakeS3, body: Body, last: Any) -> None:
    options, operation = last
    s3.faults = {
        operation: [says(503, "SlowDown"), silent()],
        "upload_part": [says(500), silent(), None, says(400, "RequestTimeout")],
        "head_object": [silent()],
    }
    store(**options).upload(body, "x")
    assert s3.objects["x"]["data"] == DATA and s3.calls.count(operation) == 3


def test_an_answer_that_was_lost(s3: FakeS3, body: Body, last: Any) -> None:
    """The store has done it; asked again, it says that there is one, or that it does not know the upload."""
    options, operation = last
    s3.faults = {operation: [(says(504),)]}
    store(**options).upload(body, "x")
    assert s3.objects["x"]["data"] == DATA and s3.calls.count(operation) == 2


def test_somebody_was_faster(s3: FakeS3, body: Body, last: Any) -> None:
    options, operation = last
    theirs = {"data": b"theirs", "Metadata": {}}

    def copied(done: int, total: int) -> None:
        s3.objects["x"] = theirs

    s3.faults = {"head_object": [silent(), says(404)]}
    with pytest.raises(DvrError, match="file_exists"):
        store(copied, **options).upload(body, "x")
    assert s3.objects["x"] is theirs and not s3.parts and operation in s3.calls


def test_a_store_without_conditions(s3: FakeS3, body: Body, last: Any) -> None:
    options, operation = last
    s3.faults = {operation: [says(501, "NotImplemented")]}
    store(**options).upload(body, "x")
    assert s3.objects["x"]["data"] == DATA and s3.calls.count(operation) == 2


@pytest.mark.parametrize(
    ("fault", "status", "code", "words"),
    [
        (says(403, "SignatureDoesNotMatch"), 403, "store_denied", "SignatureDoesNotMatch"),
        (says(403), 403, "store_denied", "403"),
        (says(404, "NoSuchBucket"), 404, "bucket_not_found", "does not exist"),
        (says(507, "XMinioStorageFull"), 507, "no_space", "XMinioStorageFull"),
        (says(400, "AuthorizationHeaderMalformed"), 503, "store_failed", "400 AuthorizationHeaderMalformed"),
        (says(503, "SlowDown"), 503, "store_unreachable", "503 SlowDown"),
        (silent(), 503, "store_unreachable", "Connection refused"),
        (HTTPClientError(error=ValueError("SECRET")), 503, "store_unreachable", "HTTPClientError"),
        (ParamValidationError(report="SECRET"), 503, "store_failed", "ParamValidationError"),
    ],
)
def test_errors_name_the_bucket_and_no_secret(
    s3: FakeS3, body: Body, last: Any, fault: Exception, status: int, code: str, words: str
) -> None:
    options, operation = last
    s3.faults = {operation: [fault] * 3}
    with pytest.raises(DvrError) as raised:
        store(**options).upload(body, "x")
    error = raised.value
    assert (error.status, error.code, error.source) == (status, code, {"parameter": "path"})
    assert error.title.startswith("s3://store:9000/bucket ") and words in error.title and "SECRET" not in error.title
    assert not s3.objects and not s3.parts


@pytest.mark.parametrize("wrong", [{"data": b"short", "Metadata": {}}, {"data": DATA, "Metadata": {MARK: "other"}}])
def test_another_object_than_was_sent(s3: FakeS3, body: Body, wrong: Any) -> None:
    s3._appear = lambda key, *_: s3.objects.update({key: wrong})  # type: ignore[method-assign]
    with pytest.raises(DvrError, match="store_failed"):
        store().upload(body, "x")


def test_a_store_that_keeps_no_metadata(s3: FakeS3, body: Body) -> None:
    real = s3._put_object
    s3._put_object = lambda **about: real(**{**about, "Metadata": {}})  # type: ignore[method-assign]
    store().upload(body, "x")
    assert s3.objects["x"]["data"] == DATA


@pytest.mark.parametrize("options", [{}, IN_PARTS], ids=["at once", "in parts"])
def test_canceled(s3: FakeS3, body: Body, options: Any) -> None:
    calls = 0

    def copied(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise Canceled

    with pytest.raises(Canceled):
        store(copied, **options).upload(body, "x")
    assert not s3.objects and not s3.parts


def test_a_canceled_export_does_not_wait_for_a_store(s3: FakeS3, body: Body) -> None:
    def copied(done: int, total: int) -> None:
        if s3.calls.count("upload_part"):
            raise Canceled

    s3.faults = {"upload_part": [silent()] * 3}
    with pytest.raises(Canceled):
        store(copied, **IN_PARTS, retry_delays_s=(1e-6, 1e6)).upload(body, "x")
    assert s3.calls.count("upload_part") == 1 and not s3.parts


def test_the_server_ends(s3: FakeS3, body: Body) -> None:
    ending = Event()

    def copied(done: int, total: int) -> None:
        if done:
            ending.set()

    with pytest.raises(DvrError, match="interrupted"):
        store(copied, **IN_PARTS, ending=ending).upload(body, "x")
    assert not s3.objects and not s3.parts


def test_recordings_that_are_gone(s3: FakeS3, tmp_path: Path, body: Body) -> None:
    (tmp_path / "blob").unlink()
    with pytest.raises(DvrError) as raised:
        store().upload(body, "x")
    assert raised.value.kind is Kind.NOT_FOUND and s3.calls.count("put_object") == 1 and not s3.objects


def test_what_a_killed_server_has_left(s3: FakeS3) -> None:
    s3.parts = {"x": {}, "x2": {}}
    store().give_up("x")
    assert list(s3.parts) == ["x2"]
    s3.faults = {"abort_multipart_upload": [silent()] * 2}
    store().give_up("x2")  # is left to the store's own rules, and not an error
    s3.faults = {"list_multipart_uploads": [says(501, "NotImplemented")]}
    store().give_up("x2")
    assert list(s3.parts) == ["x2"]


def test_botocore_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys, flussdvr.server; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0

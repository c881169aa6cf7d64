from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from flussdvr.body.body import Body
from flussdvr.config.model import Bucket
from flussdvr.errors import DvrError, Kind
from flussdvr.export.exporter import FILES_AT_ONCE, Canceled, Exporter, Order
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.timeline import Range
from tests.events.documents import documents


def now(work: Any) -> Any:
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def test_how_an_export_ends_is_told(tmp_path: Path, event_schema: Any) -> None:
    events: list[dict[str, Any]] = []

    class NothingRecorded:
        async def file(self, source: Any, window: Range, metadata: Any) -> Body:
            raise problem

    exports: Any = NothingRecorded()
    worker = InlineWorker()
    exporter = Exporter(exports, worker, worker, lambda: [str(tmp_path)], documents(events))
    order = Order("cam", Range(1000, 3000), str(tmp_path / "x.mp4"))
    problem: Exception
    for problem in (DvrError(Kind.NOT_FOUND, "no_recordings", ""), Canceled(), RuntimeError()):
        with pytest.raises(type(problem)):
            now(exporter.export(None, order))  # type: ignore[arg-type]
    assert [(event["status"], event["error"]) for event in events] == [
        ("failed", "no_recordings"),
        ("canceled", None),
        ("failed", "internal_error"),
    ]
    event_schema.check_own(events)
    about = {"event": "dvr_export_finished", "media": "cam", "path": order.path, "begin_ms": 1000, "duration_ms": 2000}
    assert all(event.items() >= about.items() and event["size"] is None for event in events)


def test_who_asked_goes_away(tmp_path: Path) -> None:
    """The thread that writes stops, and takes back what it has."""

    class SomethingRecorded:
        async def file(self, source: Any, window: Range, metadata: Any) -> Body:
            return Body.of([b"film"])

    events: list[dict[str, Any]] = []
    exports: Any = SomethingRecorded()
    disk, uploads = MemoryWorker(), InlineWorker()
    exporter = Exporter(exports, disk, uploads, lambda: [str(tmp_path)], documents(events))
    for cancel in (False, True):
        order = Order("cam", Range(1000, 3000), f"{tmp_path}/{cancel}.mp4")
        done = Deferred.fromCoroutine(exporter.export(None, order))  # type: ignore[arg-type]
        done.addErrback(lambda failure: failure.trap(CancelledError) and None)
        assert disk.step() and len(disk) == 1
        if cancel:
            done.cancel()
        assert disk.step() and not disk.step()
    assert [event["status"] for event in events] == ["succeeded", "canceled"]
    assert [path.name for path in tmp_path.iterdir()] == ["False.mp4"]


def test_exports_that_wait_have_nothing_prepared(tmp_path: Path) -> None:
    prepared: list[Range] = []

    class Recorded:
        async def file(self, source: Any, window: Range, metadata: Any) -> Body:
            prepared.append(window)
            return Body.of([b"film"])

    exports: Any = Recorded()
    disk, uploads = MemoryWorker(), InlineWorker()
    exporter = Exporter(exports, disk, uploads, lambda: [str(tmp_path)])
    done = []
    for number in range(6):
        order = Order("cam", Range(number, number + 1), f"{tmp_path}/x{number}.mp4")
        work = Deferred.fromCoroutine(exporter.export(None, order))  # type: ignore[arg-type]
        work.addCallback(done.append)
    for _ in range(6):
        disk.step()  # each path is looked at
    assert len(prepared) == FILES_AT_ONCE and not done
    assert disk.step() and len(prepared) == FILES_AT_ONCE + 1 and len(done) == 1
    while disk.step():
        pass
    assert [window.begin_ms for window in prepared] == list(range(6)) and len(done) == 6


def test_what_of_a_path_may_be_shown(tmp_path: Path) -> None:
    bucket = Bucket("store", "bucket", "KEY", "SECRET", "exports")
    worker: Any = InlineWorker()
    exporter = Exporter(None, worker, worker, lambda: [str(tmp_path), bucket])  # type: ignore[arg-type]
    assert exporter.named("/any/x.mp4") == "/any/x.mp4"
    assert exporter.named("s3s://KEY:SECRET@store/bucket/exports/x.mp4") == "s3s://store/bucket/exports/x.mp4"
    for path, kind in (
        ("s3s://store/other/x.mp4", Kind.DENIED),
        ("http://store/bucket/exports/x.mp4", Kind.BAD_REQUEST),
    ):
        with pytest.raises(DvrError) as raised:
            exporter.named(path)
        assert raised.value.kind is kind and raised.value.source == {"parameter": "path"}
    (tmp_path / "x.mp4").write_bytes(b"abc")
    assert now(exporter.left(f"{tmp_path}/x.mp4")) == 3 and now(exporter.left(f"{tmp_path}/y.mp4")) is None

from __future__ import annotations

import os
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from flussdvr.archive.body import Body, Extent
from flussdvr.errors import DvrError, Kind
from flussdvr.export import Canceled, Exporter, Order, check_path, write_file
from flussdvr.export_jobs import ExportJobs, Job
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range


@pytest.fixture
def source(tmp_path: Path) -> Body:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(100_000))
    return Body((b"head", Extent(str(path), 10, 50_000), Extent(str(path), 70_000, 30_000)))


def content(body: Body) -> bytes:
    data = b""
    for part in body.parts:
        data += part if isinstance(part, bytes) else Path(part.path).read_bytes()[part.offset :][: part.length]
    return data


def nothing(done: int, total: int) -> None: ...


def test_a_file_is_there_when_it_is_whole(tmp_path: Path, source: Body) -> None:
    seen: list[tuple[int, int, list[str]]] = []
    out = tmp_path / "out" / "deep" / "x.mp4"

    def copied(done: int, total: int) -> None:
        seen.append((done, total, os.listdir(out.parent)))

    write_file(source, str(out), [str(tmp_path / "out")], copied)
    assert out.read_bytes() == content(source) and seen[-1][:2] == (80_004, 80_004)
    assert all(names == [] for _, _, names in seen)
    with pytest.raises(DvrError) as raised:
        write_file(Body((b"other",)), str(out), [str(tmp_path)], nothing)
    assert raised.value.kind is Kind.CONFLICT and out.read_bytes() == content(source)


@pytest.mark.parametrize("fault", [OSError(ENOSPC, "No space left on device"), Canceled(), OSError(5, "I/O error")])
def test_nothing_is_left_of_what_failed(tmp_path: Path, source: Body, fault: Exception) -> None:
    def copied(done: int, total: int) -> None:
        if done > 60_000:
            raise fault

    with pytest.raises(DvrError if isinstance(fault, OSError) else Canceled) as raised:
        write_file(source, str(tmp_path / "out/x.mp4"), [str(tmp_path)], copied)
    assert os.listdir(tmp_path / "out") == []
    if fault.args[:1] == (ENOSPC,):
        assert raised.value.status == 507  # type: ignore[union-attr]


def test_too_large_for_the_disk_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(DvrError) as raised:
        write_file(Body((Extent("/none", 0, 1 << 60),)), str(tmp_path / "x.mp4"), [str(tmp_path)], nothing)
    assert raised.value.kind is Kind.NO_SPACE


def test_without_nameless_files(tmp_path: Path, source: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flussdvr.export.os.O_TMPFILE", os.O_PATH | os.O_DIRECTORY | os.O_CREAT)
    real = os.open

    def refuse(path: str, flags: int, *args: Any, **kwargs: Any) -> int:
        if path == ".":
            raise OSError(95, "Operation not supported")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr("flussdvr.export.os.open", refuse)
    write_file(source, str(tmp_path / "x.mp4"), [str(tmp_path)], nothing)
    assert (tmp_path / "x.mp4").read_bytes() == content(source) and len(os.listdir(tmp_path)) == 2


def test_killed_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(1000))
    program = f"""if 1:
        import os
        from flussdvr.archive.body import Body, Extent
        from flussdvr.export import write_file
        body = Body((b"head", Extent({str(tmp_path / "source")!r}, 0, 1000)))
        kill = lambda done, total: done > 10 and os.kill(os.getpid(), 9)
        write_file(body, {str(tmp_path / "out/x.mp4")!r}, [{str(tmp_path)!r}], kill)
    """
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert os.listdir(tmp_path / "out") == []


def test_where_files_may_go(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to(root / "real")
    (root / "dangling.mp4").symlink_to(outside / "none")
    roots = [str(root)]
    for good in ("x.mp4", "a/b/x.mp4", "in/x.mp4"):
        check_path(f"{root}/{good}", roots)
    for bad in (
        "../x.mp4",
        "out/x.mp4",
        "a/../x.mp4",
        "",
        "x/",
        ".hidden",
        "1795194000000.mp4",
        "locks.json",
        "x\0.mp4",
    ):
        with pytest.raises(DvrError) as raised:
            check_path(f"{root}/{bad}", roots)
        assert raised.value.kind is Kind.DENIED, bad
    for path in ("x.mp4", str(tmp_path / "rootless/x.mp4"), "/x.mp4"):
        with pytest.raises(DvrError, match="path_not_permitted"):
            check_path(path, roots)
    with pytest.raises(DvrError, match="file_exists"):
        check_path(f"{root}/dangling.mp4", roots)


# -- jobs


class Rows:
    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def export_jobs(self) -> Deferred[dict[str, str]]:
        return succeed(self.rows)

    def save_export_job(self, id: str, created_ms: int, job: str) -> Deferred[None]:
        self.rows[id] = job
        return succeed(None)

    def delete_export_job(self, id: str) -> Deferred[None]:
        del self.rows[id]
        return succeed(None)


def now(work: Any) -> Any:
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def job(path: str = "/x.mp4", id: str = "a") -> Job:
    return Job(id, "cam", 1000, 2000, path, False, "compat")


def test_a_job_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    rows: Any = Rows()
    waiting: Deferred[int] = Deferred()
    told: list[Any] = []

    async def export(order: Order, copied: Any) -> int:
        told.append(copied)
        return await waiting

    jobs = ExportJobs(export, rows, InlineWorker(), lambda: 5)
    now(jobs.begin(job()))
    told[0](30, 90)
    assert jobs.find("a").progress == 33.3 and now(jobs.begin(job())) is jobs.find("a")
    with pytest.raises(DvrError, match="job_exists"):
        now(jobs.begin(job("/y.mp4")))
    waiting.callback(90)
    assert jobs.find("a").status == "succeeded" and jobs.find("a").document()["size"] == 90
    again = ExportJobs(export, rows, InlineWorker(), lambda: 6)
    now(again.load())
    assert again.find("a") == jobs.find("a")
    now(again.delete("a"))
    assert rows.rows == {}
    with pytest.raises(DvrError, match="job_not_found"):
        again.find("a")


def test_jobs_are_canceled_fail_and_are_interrupted(tmp_path: Path) -> None:
    rows: Any = Rows()
    waiting: Deferred[None] = Deferred()

    async def export(order: Order, copied: Any) -> int:
        if order.path == "/bad":
            raise DvrError(Kind.NOT_FOUND, "no_recordings", "")
        if order.path == "/crash":
            raise RuntimeError
        await waiting
        copied(1, 2)
        return 2

    jobs = ExportJobs(export, rows, InlineWorker(), lambda: 5)
    (tmp_path / "there").touch()
    for id, path in (("a", "/x"), ("b", "/bad"), ("c", "/crash"), ("d", str(tmp_path / "there"))):
        now(jobs.begin(job(path, id)))
    assert (jobs.find("b").error, jobs.find("c").error) == ("no_recordings", "internal_error")
    told: list[Any] = []

    def tell(order: Order, *result: Any) -> None:
        told.append((order.path, *result))

    again = ExportJobs(export, Rows(), InlineWorker(), lambda: 6, tell)  # type: ignore[arg-type]
    again._catalog.rows = dict(rows.rows)  # type: ignore[attr-defined]
    now(again.load())
    assert told == [("/x", "failed", "interrupted", None), (str(tmp_path / "there"), "succeeded", None, 0)]
    assert again.find("a").error == "interrupted" and again.find("d").status == "succeeded"
    now(jobs.delete("a"))
    waiting.callback(None)
    assert jobs.find("a").status == "canceled" and jobs.find("d").status == "succeeded"


def test_how_an_export_ends_is_told(tmp_path: Path, event_schema: Any) -> None:
    events: list[dict[str, Any]] = []

    class NothingRecorded:
        async def parts(self, source: Any, window: Range) -> Any:
            raise problem

    exports: Any = NothingRecorded()
    worker = InlineWorker()
    exporter = Exporter(exports, worker, worker, lambda: [str(tmp_path)], events.append)
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

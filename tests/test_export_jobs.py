from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from flussdvr.errors import DvrError, Kind
from flussdvr.export import Order
from flussdvr.export_jobs import ExportJobs, Job


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


async def left(path: str) -> int | None:
    if path.endswith("silent"):
        raise DvrError(Kind.UNAVAILABLE, "store_unreachable", "")
    return 7 if path.endswith("there") else None


def job(path: str = "/x.mp4", id: str = "a") -> Job:
    return Job(id, "cam", 1000, 2000, path, False, "compat")


def test_a_job_from_its_beginning_to_its_end() -> None:
    rows: Any = Rows()
    waiting: Deferred[int] = Deferred()
    told: list[Any] = []

    async def export(order: Order, copied: Any) -> int:
        told.append(copied)
        return await waiting

    jobs = ExportJobs(export, rows, left, lambda: 5)
    now(jobs.begin(job()))
    told[0](30, 90)
    assert jobs.find("a").progress == 33.3 and now(jobs.begin(job())) is jobs.find("a")
    with pytest.raises(DvrError, match="job_exists"):
        now(jobs.begin(job("/y.mp4")))
    waiting.callback(90)
    assert jobs.find("a").status == "succeeded" and jobs.find("a").document()["size"] == 90
    again = ExportJobs(export, rows, left, lambda: 6)
    now(again.load())
    assert again.find("a") == jobs.find("a")
    now(again.delete("a"))
    assert rows.rows == {}
    with pytest.raises(DvrError, match="job_not_found"):
        again.find("a")


def test_jobs_are_canceled_fail_and_are_interrupted() -> None:
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

    jobs = ExportJobs(export, rows, left, lambda: 5)
    for id, path in (("a", "/x"), ("b", "/bad"), ("c", "/crash"), ("d", "s3s://h/b/there"), ("e", "s3s://h/b/silent")):
        now(jobs.begin(job(path, id)))
    assert (jobs.find("b").error, jobs.find("c").error) == ("no_recordings", "internal_error")
    told: list[Any] = []

    def tell(order: Order, *result: Any) -> None:
        told.append((order.path, *result))

    again = ExportJobs(export, Rows(), left, lambda: 6, tell)  # type: ignore[arg-type]
    again._catalog.rows = dict(rows.rows)  # type: ignore[attr-defined]
    now(again.load())
    assert told == [
        ("/x", "failed", "interrupted", None),
        ("s3s://h/b/there", "succeeded", None, 7),
        ("s3s://h/b/silent", "failed", "store_unreachable", None),
    ]
    assert again.find("e").error == "store_unreachable" and again.find("d").size == 7
    assert again.find("a").error == "interrupted" and again.find("d").status == "succeeded"
    now(jobs.delete("a"))
    waiting.callback(None)
    assert jobs.find("a").status == "canceled" and jobs.find("d").status == "succeeded"

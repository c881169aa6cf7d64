from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed

from flussdvr.errors import DvrError, Kind
from flussdvr.export.exporter import Order
from flussdvr.export.jobs import ExportJobs, Job, read_job


class Rows:
    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def all(self) -> Deferred[dict[str, str]]:
        return succeed(dict(self.rows))

    def save(self, id: str, created_ms: int, job: str) -> Deferred[None]:
        self.rows[id] = job
        return succeed(None)

    def set_aside(self, id: str, reason: str) -> Deferred[None]:
        assert reason
        del self.rows[id]
        return succeed(None)

    def delete(self, id: str) -> Deferred[None]:
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
    again._stored.rows = dict(rows.rows)  # type: ignore[attr-defined]
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


GOOD = asdict(Job("a", "cam", 1000, 2000, "/x.mp4", False, "compat"))
values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just("running")
)


@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), values))
def test_a_row_is_a_job_or_says_why_not(changes: dict[str, object]) -> None:
    text = json.dumps({**GOOD, **changes})
    try:
        found = read_job("a", text)
    except ValueError:
        return
    assert found.order.window.begin_ms >= 0 and 0 <= found.progress <= 100
    json.dumps(found.document())


@pytest.mark.parametrize(
    "text", ["", "nojson", "[]", "{}", "[" * 100_000, '{"id": "b"}', '{"id": "a", "from_ms": 1e999}']
)
def test_rows_that_are_none_are_set_aside(text: str) -> None:
    rows: Any = Rows()
    rows.rows = {"a": text, "b": json.dumps({**GOOD, "id": "b", "status": "failed"})}
    jobs = ExportJobs(lambda order, copied: left(""), rows, left, lambda: 5)  # type: ignore[arg-type, return-value]
    now(jobs.load())
    assert list(jobs.jobs) == ["b"] == list(rows.rows)


def test_the_end_of_a_job_need_not_be_kept() -> None:
    rows: Any = Rows()
    waiting: Deferred[int] = Deferred()

    async def export(order: Order, copied: Any) -> int:
        return await waiting

    jobs = ExportJobs(export, rows, left, lambda: 5)
    now(jobs.begin(job()))
    rows.save = lambda *row: fail(DvrError(Kind.UNAVAILABLE, "state_not_writable", "the disk is full"))
    waiting.callback(90)
    assert jobs.find("a").status == "succeeded"
    with pytest.raises(DvrError, match="state_not_writable"):
        now(jobs.begin(job(id="b")))


def test_a_job_that_can_not_be_forgotten_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Any = Rows()

    async def export(order: Order, copied: Any) -> int:
        return 5

    jobs = ExportJobs(export, rows, left, lambda: 5)
    now(jobs.begin(job()))
    refused = DvrError(Kind.UNAVAILABLE, "state_not_writable", "")
    monkeypatch.setattr(rows, "delete", lambda id: fail(refused))
    with pytest.raises(DvrError, match="state_not_writable"):
        now(jobs.delete("a"))
    assert jobs.find("a").status == "succeeded"

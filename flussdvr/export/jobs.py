"""
Exports as jobs: a client begins one under an id of its choice, looks how far it is, cancels it.

    PUT --> running --> succeeded | failed (error) | canceled        kept in the catalog until it is deleted

A job that was running when the server ended has succeeded if its file is there: a file appears only when it is whole.
That is looked for in the background, as an object store may not answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

from twisted.logger import Logger

from flussdvr.database.subjects import ExportJobs as StoredJobs
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.viewers import ExportStatus
from flussdvr.export.exporter import Canceled, Order
from flussdvr.json_text import parse_json
from flussdvr.process.callbacks import background
from flussdvr.timeline import MAX_MS, Range

KEPT = 10_000


@dataclass(slots=True)
class Job:
    """Times in UTC milliseconds, `duration` too; `progress` in percent."""

    id: str
    name: str
    from_ms: int
    duration_ms: int
    path: str
    meta: bool
    packing: str
    status: str = "running"
    error: str | None = None
    progress: float = 0.0
    started_at: int | None = None
    finished_at: int | None = None
    size: int | None = None

    def document(self) -> dict[str, Any]:
        found = asdict(self)
        return {{"from_ms": "from", "duration_ms": "duration"}.get(key, key): value for key, value in found.items()}

    @property
    def order(self) -> Order:
        window = Range(self.from_ms, self.from_ms + self.duration_ms)
        return Order(self.name, window, self.path, self.meta, self.packing == "fragmented")


STATUSES = ("running", "succeeded", "failed", "canceled")
MAX_JOB = 1 << 20
"""Characters of a job in the catalog."""


def read_job(id: str, text: str) -> Job:
    """The job of a row. ValueError where it is none."""
    fields = parse_json(text, MAX_JOB)
    if not isinstance(fields, dict) or fields.get("id") != id:
        raise ValueError("it is not the job of its id")
    numbers = [fields.get(key) for key in ("from_ms", "duration_ms")]
    if not all(type(value) is int and 0 <= value <= MAX_MS for value in numbers):
        raise ValueError("it exports no span")
    if (
        not all(isinstance(fields.get(key), str) for key in ("name", "path", "packing"))
        or type(fields.get("meta")) is not bool
    ):
        raise ValueError("it lacks name, path, packing or meta")
    if fields.get("status") not in STATUSES or not isinstance(fields.get("error"), str | None):
        raise ValueError("its status is none")
    if type(fields.get("progress")) not in (int, float) or not 0 <= fields["progress"] <= 100:
        raise ValueError("its progress is none")
    moments = [fields.get(key) for key in ("started_at", "finished_at", "size")]
    if not all(value is None or (type(value) is int and 0 <= value < 1 << 53) for value in moments):
        raise ValueError("its times or its size are none")
    try:
        return Job(**fields)
    except TypeError as error:
        raise ValueError(str(error)) from None


Export = Callable[[Order, Callable[[int, int], None]], Awaitable[int]]
Left = Callable[[str], Awaitable[int | None]]
Tell = Callable[[Order, ExportStatus, str | None, int | None], None]


class ExportJobs:
    """
    `export(order, copied)` does one; `await load()` first. Of those that were running when the server ended,
    `left(path)` finds what there is, and `tell(order, status, error, size)` is told what has become of them.
    """

    log = Logger()

    def __init__(
        self,
        export: Export,
        stored: StoredJobs,
        left: Left,
        now_ms: Callable[[], int],
        tell: Tell = lambda order, status, error, size: None,
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self._export = export
        self._stored = stored
        self._left = left
        self._now_ms = now_ms
        self._tell = tell
        self._canceled: set[str] = set()

    async def load(self) -> None:
        for id, text in (await self._stored.all()).items():
            try:
                job = self.jobs[id] = read_job(id, text)
            except ValueError as error:
                await self._stored.set_aside(id, str(error)[:200])
                continue
            if job.status == "running":
                self._begin(self._settle(job), job)

    def find(self, id: str) -> Job:
        """DvrError NOT_FOUND."""
        if id not in self.jobs:
            raise DvrError(Kind.NOT_FOUND, "job_not_found", f"there is no job {id[:200]}", {"parameter": "id"})
        return self.jobs[id]

    async def begin(self, job: Job) -> Job:
        """DvrError CONFLICT for an id that is taken by another order, NO_SPACE for too many jobs."""
        known = self.jobs.get(job.id)
        if known is not None:
            if known.order == job.order:
                return known
            raise DvrError(Kind.CONFLICT, "job_exists", f"{job.id} is another job", {"parameter": "id"})
        if len(self.jobs) >= KEPT:
            raise DvrError(Kind.CONFLICT, "too_many_jobs", f"there are {KEPT} jobs: delete some")
        job.started_at = self._now_ms()
        self.jobs[job.id] = job
        try:
            await self._save(job)
        except DvrError:
            del self.jobs[job.id]
            raise
        self._begin(self._run(job), job)
        return job

    async def delete(self, id: str) -> None:
        """Cancel a running one, forget one that is over. DvrError NOT_FOUND."""
        if self.find(id).status == "running":
            self._canceled.add(id)
            return
        job = self.jobs.pop(id)
        try:
            await self._stored.delete(id)
        except DvrError:
            self.jobs[id] = job
            raise

    def _begin(self, work: Coroutine[Any, Any, None], job: Job) -> None:
        background(work, self.log, f"job {job.id}")

    async def _settle(self, job: Job) -> None:
        """Settle a job that another process has begun."""
        status: ExportStatus = "failed"
        try:
            job.size = await self._left(job.path)
        except DvrError as error:
            self._finish(job, status, error.code)
        else:
            status = "failed" if job.size is None else "succeeded"
            self._finish(job, status, "interrupted" if job.size is None else None)
        self._canceled.discard(job.id)
        self._tell(job.order, status, job.error, job.size)
        await self._save_end(job)

    async def _save_end(self, job: Job) -> None:
        """Where that is refused, the next start finds out again how the job has ended."""
        try:
            await self._save(job)
        except DvrError as error:
            self.log.warn("the end of job {id} is not kept: {error}", id=job.id, error=error)

    async def _run(self, job: Job) -> None:
        def copied(done: int, total: int) -> None:  # in the writing thread
            job.progress = round(done * 100 / max(1, total), 1)
            if job.id in self._canceled:
                raise Canceled

        try:
            job.size = await self._export(job.order, copied)
        except Canceled:
            self._finish(job, "canceled", None)
        except DvrError as error:
            self._finish(job, "failed", error.code)
        except Exception:
            self.log.failure("job {id}", id=job.id)
            self._finish(job, "failed", "internal_error")
        else:
            job.progress = 100.0
            self._finish(job, "succeeded", None)
        self._canceled.discard(job.id)
        await self._save_end(job)

    def _finish(self, job: Job, status: ExportStatus, error: str | None) -> None:
        job.status, job.error, job.finished_at = status, error, self._now_ms()

    async def _save(self, job: Job) -> None:
        await self._stored.save(job.id, job.started_at or 0, json.dumps(asdict(job)))

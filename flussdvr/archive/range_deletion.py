# -*- test-case-name: tests.archive.test_range_deletion -*-
"""
What somebody wants deleted: ranges of streams, on whatever disks they are.

    delete --catalog--> [wanted] --each root for itself--> fragments gone ------ nothing pending ---> forgotten
                           ^                                     |
                           `---- later, when the disk is back ---' pending: not mounted, fails, does not answer

Once it is in the catalog it will be finished, if need be after a restart. A range ends at the latest where what is
recorded ended when it was asked for: what is recorded later is not meant. Who plays what is in RAM is told of it when
it is noted, and after each try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.deletion import RETRY_MAX_S, RETRY_S, Deletion, all_of, is_closed, is_locked
from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.root import Root
from flussdvr.archive.disk.trim import Cut, Reach
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.database.subjects import Deletions
from flussdvr.errors import DvrError, Kind
from flussdvr.process.time_limits import TooSlow, begun, within
from flussdvr.timeline import HOUR_MS, Range, RangeSet

ANSWER_S = 10.0
"""Who asks for a deletion waits no longer for it; it goes on."""
ROTATE_S = 15.0
"""How long the end of the blob that is being recorded is waited for."""


@dataclass(slots=True)
class Report:
    """`deleted`: what is gone; `pending`: on which roots something remains to be done, and why."""

    deleted: RangeSet = field(default_factory=RangeSet)
    pending: dict[str, DvrError] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Wanted:
    stream: str
    within: Range
    cover: bool
    retry_at: float = 0.0
    delay: float = RETRY_S
    running: Deferred[Report] | None = None
    report: Report = field(default_factory=Report)
    notes: dict[str, DvrError] = field(default_factory=dict)


class Rotating(Protocol):
    """A recorder, as far as it is needed here."""

    async def rotate(self) -> None: ...


class Holdings(Protocol):
    """What of the archive is needed here."""

    def stream(self, name: str) -> LocalStreamArchive | None: ...

    def recorder_of(self, name: str) -> Rotating | None: ...

    def root(self, path: str) -> Root: ...

    def unlisted(self, name: str) -> Iterable[Blob]:
        """Blobs of a stream on disks that have not been looked into yet."""

    @property
    def unknown_roots(self) -> Iterable[str]:
        """Roots that may have recordings which the catalog does not know yet."""


class RangeDeletions:
    """Only in the reactor thread. `await load()` once the roots are known."""

    log = Logger()

    def __init__(
        self,
        holdings: Holdings,
        deletions: Deletions,
        deletion: Deletion,
        clock: IReactorTime,
        utc_ms: Callable[[], int],
    ) -> None:
        self._holdings = holdings
        self._stored = deletions
        self._deletion = deletion
        self._clock = clock
        self._utc_ms = utc_ms
        self.on_delete: Callable[[str, tuple[Range, ...], bool], None] = lambda name, spans, cover: None
        """Called with a stream, the ranges without what is locked, and `cover` as in `delete`."""
        self._wanted: list[_Wanted] = []
        self._locks: dict[str, DeferredLock] = {}

    async def load(self) -> None:
        """Go on with what was left when the server ended."""
        for stream, span, cover in await self._stored.all():
            self._wanted.append(_Wanted(stream, span, cover))
        self.retry()

    async def delete(self, name: str, span: Range, cover: bool = False) -> Report:
        """
        Delete the fragments of a stream that lie in a range, with `cover` also those that have a part of it; not what
        is locked. When the catalog has noted it, it will be done, whatever comes in between. DvrError UNAVAILABLE.
        """
        end_ms = min(span.end_ms, self._end_ms(name))
        if end_ms <= span.begin_ms:
            return Report()
        wanted = _Wanted(name, Range(span.begin_ms, end_ms), cover)
        await self._stored.add(name, wanted.within, cover)
        self._wanted.append(wanted)
        self._tell(wanted)
        running = self._start(wanted)
        try:
            return await within(ANSWER_S, running, self._clock)
        except TooSlow:
            wanted.report.pending = self._still_working(wanted)
            return Report(wanted.report.deleted.copy(), wanted.report.pending)

    def pending(self) -> list[tuple[str, Range, dict[str, DvrError]]]:
        """What is not finished: stream, range, and by root why."""
        return [(one.stream, one.within, dict(one.report.pending)) for one in self._wanted]

    def retry(self) -> None:
        """Try again at once: a disk is back."""
        for wanted in self._wanted:
            wanted.retry_at = 0.0
        self.tend()

    def tend(self) -> None:
        """Try again what is due; called each second."""
        for wanted in tuple(self._wanted):
            if wanted.running is None and wanted.retry_at <= self._clock.seconds():
                self._start(wanted).addErrback(
                    lambda failure, stream: self.log.failure("deleting of {stream}", failure, stream=stream),
                    wanted.stream,
                )

    # -- one of them ------------------------------------------------------------------------------------------

    def _end_ms(self, name: str) -> int:
        """The end of what may be recorded of a stream now."""
        archive = self._holdings.stream(name)
        ends = [blob.begin_ms + HOUR_MS for blob in self._holdings.unlisted(name)]
        return max(self._utc_ms(), archive.end_ms if archive is not None else 0, *ends, 0)

    def _start(self, wanted: _Wanted) -> Deferred[Report]:
        """Begin a try, and remember it while it is under way. The result is for one who waits."""
        running = wanted.running = begun(self._run(wanted))
        mine: Deferred[Report] = Deferred()

        def done(result: Report | Failure) -> None:
            wanted.running = None
            if isinstance(result, Failure):
                mine.errback(result)
            else:
                mine.callback(result)

        running.addBoth(done)
        return mine

    async def _run(self, wanted: _Wanted) -> Report:
        lock = self._locks.setdefault(wanted.stream, DeferredLock())
        await lock.acquire()
        report = wanted.report
        wanted.notes = {}
        try:
            await self._try(wanted)
            if not wanted.notes:
                await self._stored.remove(wanted.stream, wanted.within)
                self._wanted.remove(wanted)
        except DvrError as error:
            wanted.notes[""] = error
        finally:
            self._tell(wanted)
            report.pending = wanted.notes
            wanted.retry_at = self._clock.seconds() + wanted.delay
            wanted.delay = min(2 * wanted.delay, RETRY_MAX_S)
            lock.release()
        return report

    def _tell(self, wanted: _Wanted) -> None:
        archive, spans = self._holdings.stream(wanted.stream), RangeSet([wanted.within])
        for lock in archive.locks.within(wanted.within) if archive is not None else ():
            spans.subtract(lock)
        with self.log.failuresHandled("what is played of {stream}", stream=wanted.stream):
            self.on_delete(wanted.stream, tuple(spans), wanted.cover)

    async def _try(self, wanted: _Wanted) -> None:
        archive = self._holdings.stream(wanted.stream)
        if archive is not None:
            await self._delete_listed(wanted, archive)
            if any(not blob.closed for blob in archive.blobs(wanted.within)):
                await self._end_recording(wanted)
                await self._delete_listed(wanted, archive)
            for blob in archive.blobs(wanted.within):
                if not is_closed(blob) and overlaps(blob, wanted.within):
                    self._note(wanted, blob.root, "being_written", f"{blob.path} is being written or changed")
        for blob in self._deletion.unlisted(wanted.stream, wanted.within):
            self._note(wanted, blob.root, "being_deleted", f"{blob.path} is still to be removed")
        for path in self._holdings.unknown_roots:
            title = f"it is not known yet what is recorded on {path}"
            error = self._holdings.root(path).error or DvrError(Kind.UNAVAILABLE, "disk_not_ready", title)
            wanted.notes.setdefault(path, error)
        for blob in self._holdings.unlisted(wanted.stream):
            if blob.begin_ms < wanted.within.end_ms and wanted.within.begin_ms < blob.begin_ms + HOUR_MS:
                root = self._holdings.root(blob.root)
                error = root.error or DvrError(Kind.UNAVAILABLE, "disk_not_ready", f"{blob.root} is not ready yet")
                wanted.notes.setdefault(blob.root, error)

    async def _end_recording(self, wanted: _Wanted) -> None:
        recorder = self._holdings.recorder_of(wanted.stream)
        if recorder is not None:
            try:
                await within(ROTATE_S, begun(recorder.rotate()), self._clock)
            except TooSlow:
                pass  # what is still open is pending

    async def _delete_listed(self, wanted: _Wanted, archive: LocalStreamArchive) -> None:
        """What is closed, each root for itself."""
        by_root: dict[str, list[Blob]] = {}
        for blob in archive.blobs(wanted.within):
            if is_closed(blob) and overlaps(blob, wanted.within):
                by_root.setdefault(blob.root, []).append(blob)
        await all_of(self._delete_on(path, blobs, wanted, archive) for path, blobs in by_root.items())

    async def _delete_on(self, path: str, blobs: Iterable[Blob], wanted: _Wanted, archive: LocalStreamArchive) -> None:
        root = self._holdings.root(path)
        reach = Reach.TOUCHING if wanted.cover else Reach.WITHIN
        for blob in blobs:
            error = self._deletion.trouble(path) if self._deletion.is_blocked(path) else None
            if root.uuid is None:
                error = root.error or DvrError(Kind.UNAVAILABLE, "disk_not_ready", f"{path} is not ready yet")
            if error is None:
                span = wanted.within
                if span.begin_ms <= blob.begin_ms and blob.end_ms <= span.end_ms and not is_locked(archive, blob):
                    outcome = await self._deletion.delete([blob], "deleted")
                else:
                    outcome = await self._deletion.cut(archive, blob, Cut((span,), (), reach), "deleted")
                for item in outcome.gone:
                    wanted.report.deleted.add(item)
                error = outcome.error
            if error is not None:
                wanted.notes.setdefault(path, error)

    def _still_working(self, wanted: _Wanted) -> dict[str, DvrError]:
        """Nobody has answered in time: say who it may be."""
        archive = self._holdings.stream(wanted.stream)
        listed = archive.blobs(wanted.within) if archive is not None else []
        blobs = [*listed, *self._deletion.unlisted(wanted.stream, wanted.within)]
        paths = {blob.root: None for blob in blobs if overlaps(blob, wanted.within)} or {"": None}
        title = f"takes longer than {ANSWER_S:.0f} s"
        slow = {path: DvrError(Kind.UNAVAILABLE, "disk_slow", f"{path or 'it'} {title}") for path in paths}
        return slow | wanted.notes

    @staticmethod
    def _note(wanted: _Wanted, path: str, code: str, title: str) -> None:
        wanted.notes.setdefault(path, DvrError(Kind.UNAVAILABLE, code, title))


def overlaps(blob: Blob, span: Range) -> bool:
    """Whether anything of a blob may lie in a range: not if all of that has been deleted."""
    parts = RangeSet([blob.range]).within(span)
    for hole in blob.holes:
        parts.subtract(hole)
    return bool(parts)

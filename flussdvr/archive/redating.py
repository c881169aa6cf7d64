# -*- test-case-name: tests.archive.test_redating -*-
"""
Recordings with a wrong date, while the server runs: they are listed, dated anew, or deleted.

    set aside --copy, dated anew--> both on the disk --row--> listed --delete the old--> dated anew
                                         `--> refused, or a crash: still set aside, and the next call goes on here

One is copied at a time, whatever is asked for, so that disks keep their time for what is being recorded. Whoever asks
waits `ANSWER_S` at the latest; it goes on. Reactor thread; the disk in its root's reader threads.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol
from weakref import WeakKeyDictionary

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flussdvr.archive.deletion import Deletion, is_closed, is_locked, recorded
from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.recovery import recover_some, take_over
from flussdvr.archive.disk.root import Root, as_error
from flussdvr.archive.misdated import FUTURE_MS, Aside, Misdated
from flussdvr.archive.redate import copy_anew
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.clock.utc import EARLIEST_MS
from flussdvr.database.catalog import Catalog
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.events.types.archive import DeletionReason
from flussdvr.process.time_limits import TooSlow, begun, within
from flussdvr.timeline import Range, RangeSet

ANSWER_S = 10.0
"""Who asks waits no longer for the answer."""
LOOK_S = 2.0
"""How long a list waits for the disk to say when something was written."""
SPARE_BYTES = 1 << 30
"""So much stays free on the disk beside a copy: the reserve of retention."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    A recording that is set aside. `written_ms`: when the disk says it was last written to, by the machine's clock of
    then; `None`: not known. `working`: it is being dated anew; `error`: why that failed when it was last tried.
    """

    id: str
    blob: Blob
    aside: Aside
    written_ms: int | None = None
    working: bool = False
    error: DvrError | None = None


@dataclass(slots=True)
class Report:
    """
    By id: `done`, where the recording is listed now, or was (where it was deleted); `problems`, why it is as it was;
    `pending`, what goes on.
    """

    done: dict[str, Range] = field(default_factory=dict)
    problems: dict[str, DvrError] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)


class Holdings(Protocol):
    """What of the archive is needed here."""

    misdated: Misdated

    def stream(self, name: str) -> LocalStreamArchive | None: ...

    def streams_of(self, root: str | None = None) -> list[LocalStreamArchive]: ...

    def root(self, path: str) -> Root: ...

    async def lock(self, name: str, within: Range) -> None: ...

    async def unlock(self, name: str, within: Range) -> None: ...

    async def write_misdated(self, root: Root) -> None:
        """Bring what is set aside on a root to the disk."""


class Redating:
    """`utc_ms` is the server's time."""

    log = Logger()

    def __init__(
        self,
        holdings: Holdings,
        catalog: Catalog,
        deletion: Deletion,
        clock: IReactorTime,
        utc_ms: Callable[[], int],
        spare_bytes: int = SPARE_BYTES,
    ) -> None:
        self._holdings = holdings
        self._catalog = catalog
        self._deletion = deletion
        self._clock = clock
        self._utc_ms = utc_ms
        self._spare_bytes = spare_bytes
        self._one = DeferredLock()
        self._working: set[Blob] = set()
        self._rows: dict[str, int] = {}
        """Rows of copies that could not be listed yet, by path."""
        self._errors: WeakKeyDictionary[Blob, DvrError] = WeakKeyDictionary()
        self._written: WeakKeyDictionary[Blob, int] = WeakKeyDictionary()

    # -- questions --------------------------------------------------------------------------------------------

    async def found(self, name: str | None = None) -> list[Found]:
        """What is set aside, of a stream or all, by stream and date."""
        archives = self._holdings.streams_of() if name is None else [self._holdings.stream(name)]
        blobs = [blob for archive in archives if archive is not None for blob in archive.misdated]
        await self._look(blobs)
        found = [one for archive in archives if archive is not None for one in self._of(archive)]
        return sorted(found, key=lambda one: (one.blob.stream, one.blob.begin_ms, one.id))

    def _of(self, archive: LocalStreamArchive) -> Iterable[Found]:
        for blob, aside in archive.misdated.items():
            working, error = blob in self._working, self._errors.get(blob)
            yield Found(id_of(blob), blob, aside, self._written.get(blob), working, error)

    async def _look(self, blobs: Sequence[Blob]) -> None:
        """When they were written, as far as their disks say so in time."""
        by_root: dict[str, list[Blob]] = {}
        for blob in blobs:
            if blob not in self._written:
                by_root.setdefault(blob.root, []).append(blob)
        looks = [self._look_at(path, some) for path, some in by_root.items()]
        for look in [begun(one) for one in looks]:
            try:
                await within(LOOK_S, look, self._clock)
            except TooSlow:
                continue

    async def _look_at(self, path: str, blobs: Sequence[Blob]) -> None:
        try:
            times = await self._holdings.root(path).reader.do(_written, [blob.path for blob in blobs])
        except (DvrError, OSError):
            return
        for blob, at_ms in zip(blobs, times, strict=True):
            if at_ms is not None and is_closed(blob):
                self._written[blob] = at_ms

    def _chosen(self, name: str, id: str | None) -> list[Found]:
        """DvrError NOT_FOUND."""
        archive = self._holdings.stream(name)
        found = [one for one in (self._of(archive) if archive is not None else ()) if id in (None, one.id)]
        if not found:
            title = f"nothing of {name} is misdated" if id is None else "there is no such misdated recording"
            raise DvrError(Kind.NOT_FOUND, "misdated_not_found", title, {"parameter": "id" if id else "name"})
        return sorted(found, key=lambda one: one.blob.begin_ms)

    # -- changes ----------------------------------------------------------------------------------------------

    async def redate(
        self, name: str, id: str | None = None, shift_ms: int | None = None, at_ms: int | None = None
    ) -> Report:
        """
        Date anew what is set aside of a stream, one or all: `shift_ms` later, so that one begins `at_ms`, or by what is
        known of each. DvrError NOT_FOUND, BAD_REQUEST; why one failed is in the report.
        """
        chosen = self._chosen(name, id)
        if at_ms is not None and (shift_ms is not None or len(chosen) > 1):
            title = "at: expected one recording, and no shift" if shift_ms is None else "expected shift or at, not both"
            raise DvrError(Kind.BAD_REQUEST, "invalid_parameter", title, {"parameter": "at"})
        report = Report()

        async def one(found: Found) -> None:
            blob = found.blob
            by_ms = at_ms - blob.begin_ms if at_ms is not None else shift_ms
            by_ms = found.aside.shift_ms if by_ms is None else by_ms
            report.done[found.id] = await self._redate(blob, by_ms)

        return await self._each(chosen, one, report)

    async def delete(self, name: str, id: str | None = None) -> Report:
        """Delete what is set aside of a stream, one or all, but for what is locked. DvrError NOT_FOUND."""
        report = Report()

        async def one(found: Found) -> None:
            await self._delete(found.blob, "deleted")
            report.done[found.id] = found.blob.range

        return await self._each(self._chosen(name, id), one, report)

    async def _each(
        self, chosen: Sequence[Found], change: Callable[[Found], Awaitable[None]], report: Report
    ) -> Report:
        """One after the other; the report is of what is done in time."""
        report.pending = [found.id for found in chosen if not found.working]
        for found in chosen:
            if found.working:
                title = "it is being dated anew, or deleted"
                report.problems[found.id] = DvrError(Kind.CONFLICT, "being_changed", title)
        self._working |= {found.blob for found in chosen}

        async def all_of_it() -> None:
            for found in [found for found in chosen if not found.working]:
                error = await self._alone(found, change)
                if error is None:
                    self._errors.pop(found.blob, None)
                else:
                    report.problems[found.id] = self._errors[found.blob] = error
                report.pending.remove(found.id)

        try:
            await within(ANSWER_S, begun(all_of_it()), self._clock)
        except TooSlow:
            return Report(dict(report.done), dict(report.problems), list(report.pending))
        return report

    async def _alone(self, found: Found, change: Callable[[Found], Awaitable[None]]) -> DvrError | None:
        """One change at a time; why it failed."""
        await self._one.acquire()
        try:
            await change(found)
        except Exception as failure:
            if not isinstance(failure, DvrError | FormatError | OSError):
                self.log.failure("{path} can't be changed", path=found.blob.path)
            error = _understood(failure, found.blob.path)
            self.log.warn("{path} stays misdated: {error}", path=found.blob.path, error=error)
            return error
        finally:
            self._working.discard(found.blob)
            self._one.release()
        return None

    async def _redate(self, blob: Blob, shift_ms: int | None) -> Range:
        """Where it is listed now. DvrError, `FormatError`, OSError: it is set aside as before."""
        archive, root = self._kept(blob), self._holdings.root(blob.root)
        if shift_ms is None:
            title = "by how much its date is wrong is not known: say shift or at"
            raise DvrError(Kind.CONFLICT, "shift_unknown", title, {"parameter": "shift"})
        if shift_ms == 0:
            return await self._as_it_is(archive, blob)
        new = Blob(blob.stream, blob.root, blob.begin_ms + shift_ms, blob.end_ms + shift_ms, state=BlobState.SUSPECT)
        listed = self._check(archive, blob, new)
        before, blob.state = blob.state, BlobState.TRIMMING  # in RAM only: nobody else changes or deletes it meanwhile
        try:
            about = blob.root, root.uuid or "", root.holds, blob.stream, blob.begin_ms, shift_ms, self._spare_bytes
            await root.reader.do(copy_anew, *about)
            if not listed:
                await self._list(archive, root, new)
            await self._move_locks(archive, blob, shift_ms)
        finally:
            blob.state = before
        await self._delete(blob, "redated")
        self.log.info("{path} is dated anew: {new}", path=blob.path, new=new.path)
        return new.range

    async def _as_it_is(self, archive: LocalStreamArchive, blob: Blob) -> Range:
        """Its date is right, says the operator."""
        self._check(archive, blob, blob)
        self._holdings.misdated.forget(blob)
        archive.restore(blob)
        await self._holdings.write_misdated(self._holdings.root(blob.root))
        return blob.range

    def _kept(self, blob: Blob) -> LocalStreamArchive:
        """The archive that has it set aside. DvrError NOT_FOUND, CONFLICT, UNAVAILABLE."""
        archive, root = self._holdings.stream(blob.stream), self._holdings.root(blob.root)
        if archive is None or blob not in archive.misdated:
            raise DvrError(Kind.NOT_FOUND, "misdated_not_found", "it is not set aside any more")
        if root.uuid is None:
            raise root.error or DvrError(Kind.UNAVAILABLE, "disk_not_ready", f"{blob.root} is not ready yet")
        if not is_closed(blob):
            raise DvrError(Kind.CONFLICT, "being_written", f"{blob.path} is being written or changed")
        return archive

    def _check(self, archive: LocalStreamArchive, old: Blob, new: Blob) -> bool:
        """Whether its copy is listed already. DvrError CONFLICT where it may not lie."""
        if new.begin_ms < EARLIEST_MS or new.end_ms > self._utc_ms() + FUTURE_MS:
            title = f"{new.begin_ms} to {new.end_ms} ms lies in the future, or before 2025"
            raise DvrError(Kind.CONFLICT, "date_is_wrong", title)
        other = [blob for blob in archive.misdated if blob is not old and blob.path == new.path]
        if other or (new is not old and (new.stream, new.begin_ms) in self._holdings.misdated.entries(new.root)):
            raise DvrError(Kind.CONFLICT, "recorded_already", f"another misdated recording is there: {new.path}")
        inner = Range(new.begin_ms + 1, max(new.begin_ms + 1, new.end_ms - 1))  # neighbours meet within rounding
        there = [blob for blob in archive.blobs(inner) if recorded(blob).within(inner)]
        if [blob.path for blob in there] == [new.path]:
            return True
        if there:
            title = f"{new.begin_ms} to {new.end_ms} ms is recorded already: {there[0].path}"
            raise DvrError(Kind.CONFLICT, "recorded_already", title)
        return False

    async def _list(self, archive: LocalStreamArchive, root: Root, new: Blob) -> None:
        """A copy that is on the disk gets its row, and is listed."""
        [found] = await root.reader.do(recover_some, [new], root.uuid or "", root.holds, root.files)
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise DvrError(Kind.CORRUPT, "blob_empty", f"{new.path}: nothing is in it")
        # A row that says SUSPECT first: a crash before the next step has the blob looked into at the start.
        [id] = await self._catalog.import_blobs(root.path, [new], {}, True)
        new.id = self._rows[new.path] = id or self._rows.get(new.path, 0)
        if not new.id:
            raise DvrError(Kind.CONFLICT, "recorded_already", f"the catalog knows another recording as {new.path}")
        take_over(new, found)
        await self._catalog.blobs.update([new])
        del self._rows[new.path]
        archive.add(new)

    async def _move_locks(self, archive: LocalStreamArchive, blob: Blob, shift_ms: int) -> None:
        """What of it was locked stays locked. DvrError UNAVAILABLE."""
        locks = RangeSet(archive.locks.within(blob.range))
        for lock in locks:
            await self._holdings.lock(blob.stream, Range(lock.begin_ms + shift_ms, lock.end_ms + shift_ms))
        for other in archive.blobs(blob.range):
            locks.subtract(other.range)
        for lock in locks:
            await self._holdings.unlock(blob.stream, lock)

    async def _delete(self, blob: Blob, reason: DeletionReason) -> None:
        """DvrError."""
        archive, root = self._kept(blob), self._holdings.root(blob.root)
        if reason == "deleted" and is_locked(archive, blob):
            raise DvrError(Kind.CONFLICT, "locked", f"{blob.path} is locked, at least a part of it")
        outcome = await self._deletion.delete([blob], reason)
        if outcome.error is not None:
            raise outcome.error
        if blob in archive.misdated:
            raise DvrError(Kind.CONFLICT, "being_changed", f"{blob.path} could not be deleted now")
        self._holdings.misdated.forget(blob)
        await self._holdings.write_misdated(root)


def id_of(blob: Blob) -> str:
    """Of a recording in its stream: its date in the files, and the root it is on. The same after a restart."""
    return f"{blob.begin_ms}-{sha256(blob.root.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _written(paths: Sequence[str]) -> list[int | None]:
    """In a thread of their disk."""
    found: list[int | None] = []
    for path in paths:
        try:
            found.append(int(os.stat(path).st_mtime * 1000))
        except OSError:
            found.append(None)
    return found


def _understood(failure: Exception, path: str) -> DvrError:
    if isinstance(failure, FormatError):
        return DvrError(Kind.CORRUPT, "corrupt_blob", f"{path}: {failure}")
    return as_error(failure, path)


__all__ = ["Found", "Redating", "Report", "id_of"]

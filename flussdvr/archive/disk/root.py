# -*- test-case-name: tests.archive.disk.test_root -*-
"""
A storage root: a directory on a disk, and the threads that may wait for that disk.

    writer   1 thread    creates blobs and appends; everything in order
    syncer   1 thread    fdatasync each `sync_interval`, close, delete: what may take long never delays a write
    reader   N threads   indexes, what viewers watch

A hanging disk holds these threads and what is in their queues, which are bounded: writes in bytes too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob, BlobWriter
from flussdvr.archive.disk.hold import StreamHolds
from flussdvr.archive.disk.marker import check_marker, lock_marker, make_marker, read_marker
from flussdvr.body.file import BodyFile, Directory
from flussdvr.body.files import FILES, Files
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.archive import DvrRootFailed, DvrRootRecovered
from flussdvr.events.types.event import OnEvent
from flussdvr.logs.repeated import Repeated, where
from flussdvr.threads import Pool, ThreadWorker, Worker

WRITE_LIMIT_BYTES = 256 << 20
"""What may wait for the writer thread: five seconds of a hundred streams at 4 Mbit/s."""
WRITE_LIMIT_COUNT = 10_000
READERS = 4

T = TypeVar("T")


@dataclass(slots=True)
class RootWorkers:
    writer: Worker
    syncer: Worker
    reader: Worker

    def __iter__(self) -> Iterator[Worker]:
        return iter((self.writer, self.syncer, self.reader))


def root_threads(reactor: IReactorFromThreads, path: str) -> RootWorkers:
    """The threads of the root at `path`."""
    return RootWorkers(
        ThreadWorker(reactor, f"write {path}", WRITE_LIMIT_COUNT + 1000),
        ThreadWorker(reactor, f"sync {path}", 100_000),
        Pool(reactor, f"read {path}", READERS, 10_000),
    )


class Root:
    """
    One storage root.

    `error` says why it can't be written now, or is `None`. `open_writers` are synced by `sync`, which the archive calls
    each `sync_interval`; `on_sync_failed` is told of the writer whose sync failed.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        workers: RootWorkers,
        on_event: OnEvent = lambda event: None,
        on_identified: Callable[[Root, str], Awaitable[None]] | None = None,
        known: bool = False,
        files: Files = FILES,
    ) -> None:
        self.path = path
        self.workers = workers
        self.writer, self.syncer, self.reader = workers
        self._directory = Directory(path, self.reader)
        self.files = files
        self.known = known
        self.uuid: str | None = None
        self.step: str | None = None
        """What is being done until all that is on it is listed."""
        self.error: DvrError | None = None
        self.queued_bytes = 0
        self.queued_count = 0
        self.limit_bytes = WRITE_LIMIT_BYTES
        self.limit_count = WRITE_LIMIT_COUNT
        self.sync_interval_s = 5
        self.sync_s = 0.0
        """How long the last sync took, with its wait for the thread."""
        self.holds = StreamHolds(path, files)
        """Which streams this process records here; for the root's threads."""
        self._troubles = Repeated(self.log)
        self._sync_troubles = Repeated(self.log)
        self._on_event = on_event
        self._on_identified = on_identified
        self._open_writers: dict[BlobWriter, Callable[[Exception], None]] = {}
        self._syncing = False
        self._marker_fd = -1
        self._waiting: list[Deferred[None]] | None = None

    def file(self, blob: Blob, suffix: str = ".mp4") -> BodyFile:
        """One of the files of a blob that is on this root."""
        return self._directory.file(blob.name + suffix)

    # -- whose disk it is -------------------------------------------------------------------------------------

    def ready(self) -> Deferred[None]:
        """
        Fires once the root is known to be the right disk and `on_identified` has been told.

        Makes the marker if the root is not `known` and has none. Fails with UNAVAILABLE where a known root has lost
        its marker (not mounted) or the disk fails; ask again later.
        """
        if self.uuid is not None:
            return succeed(None)
        mine: Deferred[None] = Deferred()
        if self._waiting is not None:
            self._waiting.append(mine)
            return mine
        self._waiting = [mine]

        def identified(result: None | Failure) -> None:
            waiting, self._waiting = self._waiting or [], None
            if isinstance(result, Failure):
                self.set_error(as_error(result.value or OSError("unknown"), self.path))
            for waiter in waiting:
                if not waiter.called:
                    waiter.callback(result)

        Deferred.fromCoroutine(self._identify()).addBoth(identified)
        return mine

    def stop(self) -> Deferred[Any]:
        """Let the disk and the threads go; fires when what waited for them is done."""
        if self._marker_fd >= 0:
            os.close(self._marker_fd)
            self._marker_fd = -1
        self.uuid = None
        self.syncer.do(self.holds.release).addErrback(lambda failure: None)
        return DeferredList([worker.stop() for worker in self.workers])

    def find(self) -> Deferred[str | None]:
        """The uuid in the marker, if there is one. Changes nothing. DvrError CORRUPT, OSError."""
        return self.reader.do(read_marker, self.path)

    async def _identify(self) -> None:
        try:
            uuid, marker_fd = await self.reader.do(_identify, self.path, self.known)
        except OSError as error:
            raise as_error(error, self.path) from error
        try:
            if self._on_identified is not None:
                await self._on_identified(self, uuid)
        except BaseException:
            os.close(marker_fd)
            raise
        self._marker_fd = marker_fd
        self.uuid, self.known = uuid, True
        self.set_error(None)

    def set_error(self, error: DvrError | None) -> None:
        """Note that the root can't be written now, or can again; the change is an event."""
        before, self.error = self.error, error
        if error is not None and (before is None or before.code != error.code):
            self._troubles.error(error.code, "storage root {root}: {error}", root=self.path, error=error)
            self._on_event(DvrRootFailed(path=self.path, reason=error.code, error=error.title))
        elif error is None and before is not None:
            self._troubles.over("storage root {root} is usable again", root=self.path)
            self._on_event(DvrRootRecovered(path=self.path))

    # -- writing ----------------------------------------------------------------------------------------------

    def reserve(self, size: int) -> bool:
        """Room in the write queue for one more fragment of this size; `release` gives it back."""
        if self.queued_bytes + size > self.limit_bytes or self.queued_count >= self.limit_count:
            return False
        self.queued_bytes += size
        self.queued_count += 1
        return True

    def release(self, size: int) -> None:
        self.queued_bytes -= size
        self.queued_count -= 1

    def create(self, blob: Blob, head: bytes, on_sync_failed: Callable[[Exception], None]) -> Deferred[BlobWriter]:
        """Make the blob's files and sync them from now on. Fails as `BlobWriter.create`, or UNAVAILABLE."""
        if self.uuid is None:
            raise DvrError(Kind.UNAVAILABLE, "disk_not_mounted", f"{self.path} is not identified yet")
        writer = BlobWriter(blob, self.files)
        created = self.writer.do(_create, self.path, self.uuid, self.holds, writer, head)

        def register(result: BlobWriter) -> BlobWriter:
            self._open_writers[result] = on_sync_failed
            return result

        return created.addCallback(register)

    def hold(self, stream: str) -> Deferred[None]:
        """
        Keep the stream's directory to this process, until `give_back`. Fails with CONFLICT where another has it, or
        this one by another name; UNAVAILABLE; OSError.
        """
        return self.writer.do(_hold, self.path, self.uuid or "", self.holds, stream)

    def give_back(self, stream: str) -> None:
        """The stream is not recorded here any more."""
        self.syncer.do(self.holds.give_back, stream).addErrback(
            lambda failure: self.log.failure("giving {stream} back", failure, stream=stream)
        )

    def close(self, writer: BlobWriter) -> Deferred[None]:
        """Sync and close; nothing is being appended any more."""
        self._open_writers.pop(writer, None)
        return self.syncer.do(writer.close)

    def sync(self) -> None:
        """Sync the open blobs that have been written to. While a sync takes longer than this is called, once."""
        if self._syncing:
            return
        dirty = [writer for writer in self._open_writers if writer.dirty]
        if not dirty:
            return
        self._syncing = True
        begun = time.monotonic()

        def measured(result: T) -> T:
            self.sync_s = time.monotonic() - begun
            return result

        self.syncer.do(_sync_all, dirty).addBoth(measured).addCallbacks(self._synced, self._not_synced)

    def _synced(self, failed: list[tuple[BlobWriter, Exception]]) -> None:
        self._syncing = False
        for writer, error in failed:
            on_failed = self._open_writers.pop(writer, None)
            if on_failed is not None:
                on_failed(error)

    def _not_synced(self, failure: Any) -> None:
        self._syncing = False
        self._sync_troubles.failure(where(failure), "syncing {root}", failure, root=self.path)


def as_error(error: BaseException, path: str) -> DvrError:
    """Any failure of a disk as a `DvrError`."""
    if isinstance(error, DvrError):
        return error
    return DvrError(Kind.UNAVAILABLE, "disk_failed", f"{path}: {error}")


def _identify(path: str, known: bool) -> tuple[str, int]:
    uuid = read_marker(path)
    if uuid is None:
        if known:
            raise DvrError(Kind.UNAVAILABLE, "disk_not_mounted", f"{path} has no marker: is its disk mounted?")
        uuid = make_marker(path)
    return uuid, lock_marker(path, exclusive=False)


def _hold(root: str, uuid: str, holds: StreamHolds, stream: str) -> None:
    check_marker(root, uuid)
    holds.take(stream)


def _create(root: str, uuid: str, holds: StreamHolds, writer: BlobWriter, head: bytes) -> BlobWriter:
    check_marker(root, uuid)
    holds.check(writer.stream)
    try:
        writer.create(head)
    except Exception:
        writer.abandon()
        raise
    return writer


def _sync_all(writers: list[BlobWriter]) -> list[tuple[BlobWriter, Exception]]:
    failed: list[tuple[BlobWriter, Exception]] = []
    for writer in writers:
        try:
            writer.sync()
        except OSError as error:
            failed.append((writer, error))
    return failed

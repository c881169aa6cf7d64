# -*- test-case-name: tests.archive.test_root -*-
"""
A storage root: a directory on a disk, and the threads that may wait for that disk.

    writer   1 thread    creates blobs and appends; everything in order
    syncer   1 thread    fdatasync each `sync_interval`, close, delete: what may take long never delays a write
    reader   N threads   indexes, what viewers watch

A hanging disk holds these threads and what is in their queues, which are bounded: writes in bytes too.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.blob import Blob, BlobWriter
from flussdvr.archive.files import FILES, Files
from flussdvr.archive.marker import check_marker, lock_marker, make_marker, read_marker
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import Pool, ThreadWorker, Worker

WRITE_LIMIT_BYTES = 256 << 20
"""What may wait for the writer thread: five seconds of a hundred streams at 4 Mbit/s."""
WRITE_LIMIT_COUNT = 10_000
READERS = 4

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class RootWorkers:
    writer: Worker
    syncer: Worker
    reader: Worker

    def __iter__(self) -> Iterator[Worker]:
        return iter((self.writer, self.syncer, self.reader))


def root_threads(reactor: Any, path: str) -> RootWorkers:
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
        self.files = files
        self.known = known
        self.uuid: str | None = None
        self.error: DvrError | None = None
        self.queued_bytes = 0
        self.queued_count = 0
        self.limit_bytes = WRITE_LIMIT_BYTES
        self.limit_count = WRITE_LIMIT_COUNT
        self.sync_interval_s = 5
        self._on_event = on_event
        self._on_identified = on_identified
        self._open_writers: dict[BlobWriter, Callable[[Exception], None]] = {}
        self._syncing = False
        self._marker_fd = -1
        self._waiting: list[Deferred[None]] | None = None

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
        return DeferredList([worker.stop() for worker in self.workers])

    def find(self) -> Deferred[str | None]:
        """The uuid in the marker, if there is one. Changes nothing. DvrError CORRUPT, OSError."""
        return self.reader.do(read_marker, self.path)

    async def _identify(path: str, known: bool) -> tuple[str, int]:
    uuid = read_marker(path)
    if uuid is None:
        if known:
            raise DvrError(Kind.UNAVAILABLE, "disk_not_mounted", f"{path} has no marker: is its disk mounted?")
        uuid = make_marker(path)
    return uuid, lock_marker(path, exclusive=False)


def _create(root: str, uuid: str, writer: BlobWriter, head: bytes) -> BlobWriter:
    check_marker(root, uuid)
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

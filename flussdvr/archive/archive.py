# -*- test-case-name: tests.archive.test_archive -*-
"""
The archive: everything that is recorded, on all storage roots.

    Archive --- Catalog (SQL thread)
       |------- Root (threads of one disk)      one per DVR root
       |------- StreamArchive, Recorder         one per stream
       |------- IndexCache
       `------- Retention

Start-up: rows are loaded, then every root is identified and what a crash left open there is recovered. A root that is
not mounted or hangs delays the others by no more than `PATIENCE_S`; it is tried again until it comes.
"""
# mypy: allow-untyped-calls
# (Service is not annotated)

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from flussdvr.archive.blob import Blob, BlobState
from flussdvr.archive.body import Extent
from flussdvr.archive.catalog import Catalog, SqliteCatalog
from flussdvr.archive.files import FILES, Files
from flussdvr.archive.index_cache import IndexCache
from flussdvr.archive.locks import find_locks, write_locks
from flussdvr.archive.recorder import Recorder
from flussdvr.archive.recovery import Recovered, recover_open
from flussdvr.archive.retention import DvrPolicy, Retention, blob_bytes, blob_ms, is_closed, unlocked
from flussdvr.archive.root import OnEvent, Root, RootWorkers, root_threads
from flussdvr.archive.scan import find_blobs
from flussdvr.archive.stream_archive import StreamArchive
from flussdvr.callbacks import Periodic
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import ThreadWorker, Worker
from flussdvr.timeline import Range, RangeSet

__all__ = ["Archive", "StreamArchive"]

PATIENCE_S = 30
"""How long start-up waits for a disk."""
FAREWELL_S = 10
"""How long each step of stopping waits: what is lost then is what a kill would lose."""
TICK_S = 1
SWEEP_S = 5
ROOT_RETRY_S = 5
RECOVERY_RETRY_S = 60
CATALOG = "catalog.sqlite"


class Archive(Service):
    """
    The store as a service. `await open()` first.

    `roots`: DVR roots of the configuration, so that one that was moved is known by its uuid. `on_event` gets JSON-able
    dicts, an error in it stays there; `wants` says whether anybody wants those of a name. `trusts_clock`: as in
    `Retention`. `catalog`, `workers` (path -> threads) and `files` have stand-ins in tests.
    """

    log = Logger()

    def __init__(
        self,
        state_dir: str,
        reactor: Any,
        roots: Iterable[str] = (),
        on_event: OnEvent = lambda event: None,
        utc_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        catalog: Catalog | None = None,
        workers: Callable[[str], RootWorkers] | None = None,
        files: Files = FILES,
        wants: Callable[[str], bool] = lambda event: True,
        trusts_clock: Callable[[], bool] = lambda: True,
    ) -> None:
        self.utc_ms = utc_ms
        self.indexes = IndexCache(lambda blob: self.root(blob.root).reader)
        self.roots: dict[str, Root] = {}
        self.recorders: dict[str, Recorder] = {}
        self.opened = False
        self._reactor = reactor
        self._files = files
        self._on_event = on_event
        self._sql = ThreadWorker(reactor, "sql", 100_000) if catalog is None else None
        self.catalog: Catalog = catalog or SqliteCatalog(os.path.join(state_dir, CATALOG), self._sql)  # type: ignore[arg-type]
        self._workers = workers or partial(root_threads, reactor)
        self._streams: dict[str, StreamArchive] = {}
        self._left_open: dict[str, list[Blob]] = {}
        self._recovering: set[str] = set()
        self._uuids: dict[str, str] = {}
        self._configured = [os.path.abspath(path) for path in roots]
        self._ticks = 0
        self._loop = Periodic(reactor, self._tick, self.log, "the archive's second")
        self.retention = Retention(
            self.streams_of, self.catalog, self.root, self._event, utc_ms, wants=wants, trusts_clock=trusts_clock
        )

    # -- questions --------------------------------------------------------------------------------------------

    def streams(self) -> list[str]:
        """The names of all streams that have recordings."""
        return sorted(name for name, archive in self._streams.items() if len(archive))

    def streams_of(self, root: str | None = None) -> list[StreamArchive]:
        """The archives with recordings on a root, or all."""
        archives = [archive for archive in self._streams.values() if len(archive)]
        return archives if root is None else [archive for archive in archives if root in archive.roots]

    def stream(self, name: str) -> StreamArchive | None:
        """What is recorded of a stream; `None` if nothing ever was and nothing records it."""
        return self._streams.get(name)

    def reader(self, path: str) -> Worker:
        """The worker that may read a file of the archive: that of the innermost root around it."""
        within = [root for root in self.roots.values() if path.startswith(root.path.rstrip("/") + "/")]
        if within:
            return max(within, key=lambda root: len(root.path)).reader
        raise DvrError(Kind.NOT_FOUND, "no_such_root", f"{path} is on no storage root")

    async def read(self, extent: Extent) -> bytes:
        """The bytes of an extent. DvrError NOT_FOUND if they have been deleted, UNAVAILABLE if the disk fails."""
        return await self.reader(extent.path).do(read_extent, extent)

    def root(self, path: str) -> Root:
        """The storage root at a path, made known if it was not."""
        path = os.path.abspath(path)
        if path not in self.roots:
            known = path in self._uuids
            self.roots[path] = Root(path, self._workers(path), self._event, self._root_identified, known, self._files)
        return self.roots[path]

    # -- recording --------------------------------------------------------------------------------------------

    def recorder(self, name: str, settings: DvrPolicy) -> Recorder:
        """The one writer of a stream. CONFLICT while another is not closed."""
        if name in self.recorders:
            raise DvrError(Kind.CONFLICT, "already_recording", f"{name} is being recorded")
        root = self.root(settings.root)
        root.sync_interval_s = max(1, min(root.sync_interval_s, settings.sync_interval_s))
        archive = self._stream_archive(name)
        make_room = partial(self.retention.make_room, root)
        recorder = Recorder(archive, root, self.catalog, self._reactor, self._event, make_room, self._recorder_closed)
        self.recorders[name] = recorder
        self.set_policy(name, settings)
        return recorder

    def _recorder_closed(self, recorder: Recorder) -> None:
        if self.recorders.get(recorder.archive.name) is recorder:
            del self.recorders[recorder.archive.name]

    def set_policy(self, name: str, settings: DvrPolicy | None) -> None:
        """How long the recordings of a stream are kept, recorded at present or not; `None`: while there is space."""
        self.retention.set_policy(name, settings)
        recorder = self.recorders.get(name)
        if recorder is not None:
            recorder.blob_ms, recorder.blob_bytes = blob_ms(settings), blob_bytes(settings)

    # -- deleting ---------------------------------------------------------------------------------------------

    async def delete_range(self, name: str, within: Range) -> None:
        """
        Delete what is recorded of a stream in a range and is not locked; whole fragments that lie in it.

        When the catalog has noted it, it will be done, whatever comes in between. DvrError UNAVAILABLE.
        """
        await self.catalog.add_deletion(name, within)
        await self._delete_range(name, within)

    async def _delete_range(self, name: str, within: Range) -> None:
        archive = self._streams.get(name)
        recorder = self.recorders.get(name)
        if recorder is not None and archive is not None and any(not one.closed for one in archive.blobs(within)):
            await recorder.rotate()
        for blob in archive.blobs(within) if archive is not None else []:
            parts = unlocked(self._streams[name], blob).within(within)
            if not is_closed(blob) or not parts:
                continue
            if parts == RangeSet([blob.range]):
                await self.retention.delete([blob], "deleted")
            elif not await self.retention.cut(self._streams[name], blob, parts, "deleted"):
                title = f"{blob.path} can't be changed now; what is left is deleted at the next start"
                raise DvrError(Kind.UNAVAILABLE, "disk_failed", title)
        await self.catalog.remove_deletion(name, within)

    # -- locks ------------------------------------------------------------------------------------------------

    async def lock(self, name: str, within: Range) -> None:
        """Protect a range from expiry. NOT_FOUND for a stream without recordings."""
        await self._relock(name, lambda locks: locks.add(within))

    async def unlock(self, name: str, within: Range) -> None:
        await self._relock(name, lambda locks: locks.subtract(within))

    async def _relock(self, name: str, change: Callable[[RangeSet], None]) -> None:
        archive = self._streams.get(name)
        if archive is None:
            raise DvrError(Kind.NOT_FOUND, "stream_not_found", f"{name} has no archive", {"parameter": "name"})
        before = archive.locks
        after = archive.locks = before.copy()
        change(after)  # at once: expiry must not run between this and the answer of the catalog
        try:
            for path in archive.roots:
                root = self.root(path)
                await root.ready()
                await root.syncer.do(write_locks, path, root.uuid or "", name, after, root.files)
            await self.catalog.change_locks(name, *differences(before, after))
        except (DvrError, OSError) as error:
            if archive.locks is after:
                archive.locks = before
            if isinstance(error, DvrError):
                raise
            raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"the locks of {name}: {error}") from error

    # -- start and stop ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Load the catalog, identify the roots, recover what was left open. DvrError UNAVAILABLE without catalog."""
        await self.catalog.open()
        for row in await self.catalog.roots():
            if row.path is not None:
                self._uuids[row.path] = row.uuid
        paths = dict.fromkeys([*self._uuids, *self._configured])
        # A known disk at another path must be known by that before its rows are read.
        await self._patiently([self._look(path) for path in paths])
        self._load(await self.catalog.blobs())
        for name, locks in (await self.catalog.locks()).items():
            self._stream_archive(name).locks = locks
        self.opened = True
        await self._patiently([self._ready(self.root(path)) for path in paths])
        for name, within in await self.catalog.deletions():
            self._behind(self._delete_range(name, within))

    def startService(self) -> None:
        super().startService()
        self._loop.start(TICK_S, now=False)

    async def close(self) -> None:
        """Close all recorders and threads; a disk that hangs is left alone after `FAREWELL_S`."""
        self._loop.stop()
        await self._patiently([recorder.close() for recorder in list(self.recorders.values())], FAREWELL_S)
        await self._patiently([_settled(self.catalog.close())], FAREWELL_S)
        stopping = [root.stop() for root in self.roots.values()] + ([self._sql.stop()] if self._sql else [])
        await self._patiently([_settled(one) for one in stopping], FAREWELL_S)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self.close())

    async def _patiently(self, work: Iterable[Awaitable[Any]], patience_s: int = PATIENCE_S) -> None:
        """Wait for all of it, but not for ever; what takes longer goes on behind."""
        waiting = [Deferred.fromCoroutine(_settled(one)) for one in work]
        for one in waiting:
            one.addErrback(lambda failure: self.log.failure("archive", failure))
        patience: Deferred[Any] = Deferred()
        DeferredList(waiting).chainDeferred(patience)
        try:
            await patience.addTimeout(patience_s, self._reactor)
        except TimeoutError:
            self.log.warn("a disk takes longer than {patience} s; going on without it", patience=patience_s)

    # -- roots ------------------------------------------------------------------------------------------------

    async def _look(self, path: str) -> None:
        """Tell the catalog which disk is at a path, if one is."""
        root = self.root(path)
        try:
            uuid = await root.find()
        except (DvrError, OSError):
            return
        if uuid is not None and self._uuids.get(path) != uuid and not self.opened:
            await self._adopt(path, uuid)

    async def _ready(self, root: Root) -> None:
        try:
            await root.ready()
        except DvrError:
            return  # the root has told
        await self._recover(root)

    async def _adopt(self, path: str, uuid: str) -> None:
        known = await self.catalog.adopt_root(path, uuid)
        for other, its in list(self._uuids.items()):
            if its == uuid:
                del self._uuids[other]
        self._uuids[path] = uuid
        self.root(path).known = True
        if not known:
            await self._import(path)

    async def _import(self, path: str) -> None:
        """A disk that the catalog has never seen: what is recorded there becomes rows, and is looked into later."""
        found = await self.root(path).reader.do(find_blobs, path)
        for name, locks in await self.root(path).reader.do(lambda: list(find_locks(path))):
            await self._import_locks(name, locks)
        known = {(blob.stream, blob.begin_ms) for blob in self._all_blobs() if blob.root == path}
        blobs = [blob for blob in found if (blob.stream, blob.begin_ms) not in known]
        if not blobs:
            return
        self.log.info("{path}: {count} recordings that the catalog does not know", path=path, count=len(blobs))
        ids = await self.catalog.insert_blobs(blobs)
        if self.opened:
            for blob, id in zip(blobs, ids, strict=True):
                blob.id = id
            self._load(blobs)

    async def _import_locks(self, name: str, locks: RangeSet) -> None:
        archive = self._stream_archive(name)
        for lock in archive.locks:
            locks.add(lock)
        await self.catalog.replace_locks(name, locks)
        archive.locks = locks

    async def _root_identified(self, root: Root, uuid: str) -> None:
        expected = self._uuids.get(root.path)
        if expected != uuid:
            if expected is not None:
                title = f"{root.path} is another disk: {uuid}, expected {expected}"
                raise DvrError(Kind.UNAVAILABLE, "another_disk", title)
            await self._adopt(root.path, uuid)

    def _load(self, blobs: Iterable[Blob]) -> None:
        whole: dict[str, list[Blob]] = {}
        for blob in blobs:
            if blob.state is BlobState.CLOSED:
                whole.setdefault(blob.stream, []).append(blob)
            else:
                self._left_open.setdefault(blob.root, []).append(blob)
        for name, some in whole.items():
            self._stream_archive(name).add_all(some)

    async def _recover(self, root: Root) -> None:
        """What a crash left open on a root, or what the catalog did not know of."""
        if root.path in self._recovering or root.uuid is None:
            return
        self._recovering.add(root.path)
        failed = []
        for blob in self._left_open.pop(root.path, []):
            try:
                if blob.state is BlobState.DELETING:
                    await self.retention.delete_now([blob], "unfinished")
                elif blob.state is BlobState.TRIMMING:
                    blob.state = BlobState.CLOSED
                    self._stream_archive(blob.stream).add(blob)
                    await self.retention.cut(self._stream_archive(blob.stream), blob, RangeSet(), "unfinished")
                else:
                    await self._recovered(blob, await root.reader.do(recover_open, blob, root.uuid, root.files))
            except (DvrError, OSError) as error:
                failed.append(blob)
                self.log.error("{path} can't be recovered: {error}", path=blob.path, error=error)
        if failed:
            self._left_open[root.path] = failed
        self._recovering.discard(root.path)

    async def _recovered(self, blob: Blob, found: Recovered | None) -> None:
        if found is None:
            self.log.info("{path}: nothing was written to it", path=blob.path)
            await self.retention.delete_now([blob], None)
            return
        blob.end_ms, blob.size, blob.index_size = found.end_ms, found.size, found.index_size
        blob.state = BlobState.CLOSED
        await self.catalog.update_blobs([blob])
        self._stream_archive(blob.stream).add(blob)
        if found.changed:
            self.log.info("{path}: recovered, {size} bytes", path=blob.path, size=blob.size)

    # -- the rest ---------------------------------------------------------------------------------------------

    def _stream_archive(self, name: str) -> StreamArchive:
        if name not in self._streams:
            self._streams[name] = StreamArchive(name, self.indexes, self.read)
        return self._streams[name]

    def _all_blobs(self) -> Iterable[Blob]:
        for archive in self._streams.values():
            yield from archive.blobs()
        for blobs in self._left_open.values():
            yield from blobs

    def _tick(self) -> None:
        self._ticks += TICK_S
        for root in list(self.roots.values()):
            with self.log.failuresHandled("tending {root}", root=root.path):
                self._tend(root)
        if self._ticks % SWEEP_S == 0:
            self._behind(self.retention.sweep())

    def _tend(self, root: Root) -> None:
        if root.uuid is not None and self._ticks % root.sync_interval_s == 0:
            root.sync()
        lost = root.uuid is None and self._ticks % ROOT_RETRY_S == 0
        if lost or (root.path in self._left_open and self._ticks % RECOVERY_RETRY_S == 0):
            self._behind(self._ready(root))

    def _behind(self, work: Awaitable[None]) -> None:
        Deferred.fromCoroutine(_settled(work)).addErrback(lambda failure: self.log.failure("archive", failure))

    def _event(self, event: dict[str, Any]) -> None:
        with self.log.failuresHandled("event {event}", event=event.get("event")):
            self._on_event(event)


def differences(before: RangeSet, after: RangeSet) -> tuple[list[Range], list[Range]]:
    """What is only in one of them."""
    first, second = set(before), set(after)
    return sorted(first - second), sorted(second - first)


async def _settled(work: Awaitable[Any]) -> None:
    await work


def read_extent(extent: Extent) -> bytes:
    """In a reader thread. DvrError NOT_FOUND, UNAVAILABLE."""
    try:
        with open(extent.path, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), extent.length, extent.offset)
    except FileNotFoundError:
        raise DvrError(Kind.NOT_FOUND, "blob_gone", f"{extent.path} has been deleted") from None
    except OSError as error:
        raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"{extent.path}: {error}") from error
    if len(data) < extent.length:
        raise DvrError(Kind.CORRUPT, "blob_too_short", f"{extent.path}: {extent.length} bytes at {extent.offset}")
    return data

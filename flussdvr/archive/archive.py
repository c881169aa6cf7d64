# -*- test-case-name: tests.archive.test_archive -*-
"""
The archive: everything that is recorded, on all storage roots.

    Archive --- Catalog (SQL thread)
       |------- Root (threads of one disk)      one per DVR root
       |------- LocalStreamArchive, Recorder    one per stream
       |------- IndexCache
       `------- Retention

Start-up: rows are loaded, then every root is identified and what a crash left open there is recovered. A root that is
not mounted, hangs or has much to be recovered delays the others by no more than `LOOK_S` and `READY_S`; it joins when
it can (see `joining`), and is tried again until it comes.
"""
# mypy: allow-untyped-calls
# (Service is not annotated)

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from flussdvr.archive.deletion import Deletion
from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.locks import Kept, write_locks
from flussdvr.archive.disk.marker import MARKER
from flussdvr.archive.disk.placement import place
from flussdvr.archive.disk.recovery import Recovered, is_none_of_ours, recover_some, take_over
from flussdvr.archive.disk.root import Root, RootWorkers, as_error, root_threads
from flussdvr.archive.disk.scan import Skipped
from flussdvr.archive.joining import Joining
from flussdvr.archive.misdated import FUTURE_MS, Aside, Misdated, read_misdated, write_misdated
from flussdvr.archive.ports import DvrPolicy
from flussdvr.archive.range_deletion import RangeDeletions, Report
from flussdvr.archive.recorder import Recorder
from flussdvr.archive.redating import Redating
from flussdvr.archive.retention import Retention, blob_bytes, blob_ms
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.body.file import BodyFile
from flussdvr.body.files import FILES, Files
from flussdvr.clock.utc import Step
from flussdvr.database.catalog import Catalog
from flussdvr.database.rows import RootRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.thread import OPEN_S
from flussdvr.database.watch import CatalogWatch
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.archive import DvrLocksDamaged, DvrMisdated
from flussdvr.events.types.event import Event, OnEvent
from flussdvr.logs.repeated import Repeated, RepeatedBy, where
from flussdvr.process.callbacks import Periodic
from flussdvr.process.memory import filling
from flussdvr.process.reactors import IReactorTimeThreads
from flussdvr.process.time_limits import TooSlow, begun, within
from flussdvr.threads import ThreadWorker
from flussdvr.timeline import Range, RangeSet

__all__ = ["Archive", "LocalStreamArchive"]

T = TypeVar("T")

LOOK_S = 1
"""How long start-up waits for a disk to say which it is, so that one that was moved is known before rows are read."""
READY_S = 2
"""How long start-up waits for what was left open on the disks, so that it is listed from the beginning."""
RECOVERED_AT_ONCE = 64
"""Blobs that are recovered between two writes to the catalog."""
STOP_TIMEOUT_S = 10
"""How long each step of stopping waits: what is lost then is what a kill would lose."""
LOCK_S = 10.0
"""Who locks a range waits no longer for a disk."""
TICK_S = 1
SWEEP_S = 5
ROOT_RETRY_S = 5
RECOVERY_RETRY_S = 60
CATALOG_RETRY_S = 5
SLACK_MS = 2_000
"""A run may be dated back by a little: the first of a time that was wrong, too."""
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
        reactor: IReactorTimeThreads,
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
        self.catalog: Catalog = catalog or SqliteCatalog(
            os.path.join(state_dir, CATALOG),
            self._sql,  # type: ignore[arg-type]
            reactor,
            lambda: ThreadWorker(reactor, "sql", 100_000),
        )
        self._workers = workers or partial(root_threads, reactor)
        self.misdated = Misdated(utc_ms)
        self._streams: dict[str, LocalStreamArchive] = {}
        self._troubles = RepeatedBy(self.log, reactor.seconds)
        self._misdating = RepeatedBy(self.log, reactor.seconds)
        self._bugs = Repeated(self.log, reactor.seconds)
        self._left_open: dict[str, list[Blob]] = {}
        self._recovering: set[str] = set()
        self._being_recovered: dict[Blob, None] = {}
        self._surveyed: set[str] = set()
        self._copies: dict[str, str] = {}
        self._uuids: dict[str, str] = {}
        self._configured = [os.path.abspath(path) for path in roots]
        self._ticks = 0
        self._restoring = False
        self.on_catalog_back: Callable[[], Awaitable[None]] = _nothing
        """Awaited when the catalog is there that did not answer at the start."""
        self._loop = Periodic(reactor, self._tick, self.log, "the archive's second")
        self.joining = Joining(self, self._event)
        self._watch = CatalogWatch(self.catalog, self._event)
        self.deletion = Deletion(self.archive_of, self.catalog.blobs, self.root, self._event, reactor.seconds, wants)
        self.retention = Retention(
            self.streams_of, self.deletion, self.root, utc_ms, reactor.seconds, trusts_clock=trusts_clock
        )
        self.range_deletions = RangeDeletions(self, self.catalog.deletions, self.deletion, reactor, utc_ms)
        self.redating = Redating(self, self.catalog, self.deletion, reactor, utc_ms)

    # -- questions --------------------------------------------------------------------------------------------

    def streams(self) -> list[str]:
        """The names of all streams that have recordings."""
        return sorted(name for name, archive in self._streams.items() if len(archive))

    def streams_of(self, root: str | None = None) -> list[LocalStreamArchive]:
        """The archives with recordings on a root, or all."""
        archives = [archive for archive in self._streams.values() if len(archive) or archive.misdated]
        return archives if root is None else [archive for archive in archives if root in archive.roots]

    def stream(self, name: str) -> LocalStreamArchive | None:
        """What is recorded of a stream; `None` if nothing ever was and nothing records it."""
        return self._streams.get(name)

    def file(self, blob: Blob, suffix: str = ".mp4") -> BodyFile:
        """One of the files of a blob, where its root is now."""
        return self.root(blob.root).file(blob, suffix)

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
        archive = self.archive_of(name)
        make_room = partial(self.retention.make_room, root)
        recorder = Recorder(
            archive, root, self.catalog.blobs, self._reactor, self._event, make_room, self._recorder_closed
        )
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

    async def delete_range(self, name: str, span: Range, cover: bool = False) -> Report:
        """
        Delete what is recorded of a stream in a range and is not locked: see `RangeDeletions.delete`. Returns after
        `range_deletion.ANSWER_S` at the latest. DvrError UNAVAILABLE where the catalog can't note it.
        """
        return await self.range_deletions.delete(name, span, cover)

    def recorder_of(self, name: str) -> Recorder | None:
        """What records a stream now."""
        return self.recorders.get(name)

    def unlisted(self, name: str) -> list[Blob]:
        """Blobs of a stream that have still to be looked into, on disks that may not be there."""
        left = [*self._being_recovered, *(blob for blobs in self._left_open.values() for blob in blobs)]
        return [blob for blob in left if blob.stream == name]

    @property
    def unknown_roots(self) -> set[str]:
        """Roots that may have recordings which the catalog does not know yet."""
        unknown = self.joining.unknown
        return {path for path in unknown if self.root(path).uuid is None or path in self._recovering}

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
        work = begun(self._store_locks(archive, before, after))
        try:
            await within(LOCK_S, work, self._reactor)
        except TooSlow:
            work.addErrback(lambda failure: self.log.error("{error}", error=failure.value))
            roots = ", ".join(sorted(archive.roots))
            title = f"{roots}: the locks of {name} are not stored within {LOCK_S:.0f} s; they are when the disk answers"
            raise DvrError(Kind.UNAVAILABLE, "disk_slow", title) from None

    async def _store_locks(self, archive: LocalStreamArchive, before: RangeSet, after: RangeSet) -> None:
        """Beside the recordings and in the catalog. DvrError UNAVAILABLE: they are as before."""
        name = archive.name
        try:
            for path in archive.roots:
                root = self.root(path)
                await root.ready()
                kept = await root.syncer.do(write_locks, path, root.uuid or "", name, after, root.files)
                if kept is not None:
                    self._tell_broken_locks(name, path, kept)
            await self.catalog.locks.change(name, *differences(before, after))
        except (DvrError, OSError) as error:
            if archive.locks is after:
                archive.locks = before
            if isinstance(error, DvrError):
                raise
            raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"the locks of {name}: {error}") from error

    def _tell_broken_locks(self, name: str, path: str, kept: Kept) -> None:
        self.log.error(
            "the locks of {stream} on {root} were damaged ({problem}): what stood there is kept as {kept}",
            **{"stream": name, "root": path, "problem": kept.problem, "kept": kept.path},
        )
        self._event(DvrLocksDamaged(media=name, path=path, kept=kept.path, error=kept.problem))

    # -- start and stop ---------------------------------------------------------------------------------------

    async def open(self, patience_s: float = OPEN_S) -> None:
        """
        Load the catalog, identify the roots, recover what was left open; what takes long goes on behind.

        `patience_s`: how long the catalog is waited for.

        DvrError UNAVAILABLE for a catalog of a newer flussdvr.
        """
        await self.catalog.open(patience_s)
        self._watch.look()
        for row in await self.catalog.roots.all():
            if row.path is not None:
                self._uuids[row.path] = row.uuid
        paths = dict.fromkeys([*self._uuids, *self._configured])
        await self._place(paths)
        with filling():
            self.load(await self.catalog.blobs.all())
        for row in await self.catalog.roots.all():
            if row.path is not None and not row.imported:
                self.joining.unknown.add(row.path)
        for name, locks in (await self.catalog.locks.all()).items():
            self.archive_of(name).locks = locks
        self._watch.look()
        self.opened = True
        await self._in_time([self._ready(self.root(path)) for path in paths if path in self.roots], READY_S)
        await self.range_deletions.load()

    def startService(self) -> None:
        super().startService()
        self._loop.start(TICK_S, now=False)

    async def close(self) -> None:
        """Close all recorders and threads; a disk that hangs is left alone after `STOP_TIMEOUT_S`."""
        self._loop.stop()
        await self._in_time([recorder.close() for recorder in list(self.recorders.values())], STOP_TIMEOUT_S)
        await self._in_time([_settled(self.catalog.close())], STOP_TIMEOUT_S)
        stopping = [root.stop() for root in self.roots.values()] + ([self._sql.stop()] if self._sql else [])
        await self._in_time([_settled(one) for one in stopping], STOP_TIMEOUT_S)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self.close())

    async def _in_time(self, work: Iterable[Awaitable[Any]], limit_s: int) -> None:
        """Wait for all of it, but not for ever; what takes longer goes on behind."""
        waiting = [Deferred.fromCoroutine(_settled(one)) for one in work]
        for one in waiting:
            one.addErrback(lambda failure: self.log.failure("archive", failure))
        done: Deferred[Any] = Deferred()
        DeferredList(waiting).chainDeferred(done)
        try:
            await done.addTimeout(limit_s, self._reactor)
        except TimeoutError:
            self.log.warn("a disk takes longer than {limit} s; going on without it", limit=limit_s)

    # -- roots ------------------------------------------------------------------------------------------------

    async def _place(self, paths: Iterable[str]) -> None:
        """Find out which disk is at which path, before rows are read: one that was moved is known by its uuid."""
        found: dict[str, str] = {}
        silent = set(paths)

        async def look(path: str) -> None:
            try:
                uuid = await self.root(path).find()
            except (DvrError, OSError):
                uuid = None
            silent.discard(path)
            if uuid is not None:
                found[path] = uuid
                await self._read_misdated(self.root(path))

        await self._in_time([look(path) for path in paths], LOOK_S)
        placement = place(dict(found), frozenset(silent), self._uuids, self._configured)
        self._copies = placement.copies
        for path, uuid in placement.adopt.items():
            await self._adopt(path, uuid)
        for path in placement.forgotten:
            self.log.info("{path} is a copy of a root that is configured elsewhere: it is not used", path=path)
        for path in [path for path in self.roots if path not in self._uuids and path not in self._configured]:
            self._behind(_settled(self.roots.pop(path).stop()))  # its disk is elsewhere now

    async def _ready(self, root: Root) -> None:
        try:
            await root.ready()
        except DvrError:
            return  # the root has told
        await self._join(root)

    async def _join(self, root: Root) -> None:
        """List what is on a root that has been identified."""
        if root.path in self._recovering or root.uuid is None:
            return
        self._recovering.add(root.path)
        try:
            await self._read_misdated(root)
            if root.path in self.joining.unknown:
                root.step = "what is recorded on it is looked for"
                await self.joining.import_newest(root)
                await self._recover(root)
                await self.joining.import_all(root)
            root.step = "what was left open on it is looked into"
            await self._recover(root)
            if root.path not in self._surveyed:
                root.step = "it is compared with the catalog"
                await self.joining.survey(root)
                self._surveyed.add(root.path)
                root.step = "what was found on it is looked into"
                await self._recover(root)
            if root.path not in self._left_open:
                self._troubles.over(root.path, "{root}: everything on it is looked into", root=root.path)
        except (DvrError, OSError) as error:
            kind = root.step, as_error(error, root.path).code
            told = {"root": root.path, "step": root.step, "error": error}
            self._troubles.of(root.path).error(kind, "{root}: {step}: {error}", **told)
            self._left_open.setdefault(root.path, [])  # to be tried again
        finally:
            root.step = None
            self._recovering.discard(root.path)
            self.range_deletions.retry()

    async def _adopt(self, path: str, uuid: str) -> None:
        """The disk with this uuid is at `path`."""
        imported = await self.catalog.roots.adopt(path, uuid)
        for other, its in list(self._uuids.items()):
            if its == uuid:
                del self._uuids[other]
        self._uuids[path] = uuid
        self.root(path).known = True
        if not imported:
            self.joining.unknown.add(path)

    async def _root_identified(self, root: Root, uuid: str) -> None:
        expected = self._uuids.get(root.path)
        home = self._copies.get(root.path) or next((path for path, its in self._uuids.items() if its == uuid), None)
        if expected == uuid:
            return
        if expected is not None:
            title = f"{root.path} is another disk: {uuid}, expected {expected}"
            raise DvrError(Kind.UNAVAILABLE, "another_disk", title)
        if home is not None and self._uuids.get(home) == uuid and self._is_used(home):
            title = (
                f"{root.path} is a copy of {home}, by its uuid, and both are configured: nothing is recorded to it. "
                f"Configure one of them, or remove {root.path}/{MARKER} and start again, to use it as another disk"
            )
            raise DvrError(Kind.CONFLICT, "root_is_a_copy", title)
        await self._adopt(root.path, uuid)
        if home is not None and home != root.path:
            self._moved(home, root.path)

    def _is_used(self, path: str) -> bool:
        """Whether anything is configured to be recorded there."""
        policies = {os.path.abspath(policy.root) for policy in self.retention.policies.values()}
        recorded = {recorder.root.path for recorder in self.recorders.values()}
        return path in recorded or path in (policies or self._configured)

    def _moved(self, before: str, path: str) -> None:
        """A disk that was at `before` is found at `path`, while the server runs."""
        self.log.warn("the disk of {before} is at {path} now", before=before, path=path)
        for archive in self.streams_of(before):
            archive.moved(before, path)
        for blob in self._left_open.pop(before, []):
            blob.root = path
            self._left_open.setdefault(path, []).append(blob)
        self._surveyed.discard(path)
        old = self.roots.pop(before, None)
        if old is not None:
            self._behind(_settled(old.stop()))

    def load(self, blobs: Iterable[Blob]) -> None:
        """List the rows that need no look, keep the others for `_recover`."""
        whole: dict[str, list[Blob]] = {}
        for blob in blobs:
            if blob.state is BlobState.CLOSED:
                whole.setdefault(blob.stream, []).append(blob)
            else:
                self._left_open.setdefault(blob.root, []).append(blob)
        for name, some in whole.items():
            self.archive_of(name).add_all(some)

    async def _recover(self, root: Root) -> None:
        """What a crash left open on a root, or what the catalog did not know of."""
        left = self._left_open.pop(root.path, [])
        self._being_recovered |= dict.fromkeys(left)
        try:
            failed = await self._recover_all(root, left)
        finally:
            for blob in left:
                del self._being_recovered[blob]
        if failed:
            self._left_open[root.path] = failed

    async def _recover_all(self, root: Root, left: Sequence[Blob]) -> list[Blob]:
        """List these, or delete them; what is to be tried again."""
        failed: list[Blob] = []
        to_examine: list[Blob] = []
        for blob in left:
            try:
                if blob.state in (BlobState.DELETING, BlobState.TRIMMING):
                    await self.deletion.resume(blob)
                else:
                    to_examine.append(blob)
            except (DvrError, OSError) as error:
                failed.append(blob)
                self._not_recovered(root.path, blob.path, error)
        to_examine.sort(key=lambda blob: -blob.begin_ms)  # what is asked for most comes first
        useless = Skipped()
        for first in range(0, len(to_examine), RECOVERED_AT_ONCE):
            some = to_examine[first : first + RECOVERED_AT_ONCE]
            try:
                found = await root.reader.do(recover_some, some, root.uuid or "", root.holds, root.files)
                failed += await self._recovered(list(zip(some, found, strict=True)), useless)
            except (DvrError, OSError) as error:
                failed += some
                self._not_recovered(root.path, root.path, error)
        self.joining.tell(root, 0, 0, useless)
        return failed

    async def _recovered(self, pairs: list[tuple[Blob, Recovered | Exception | None]], useless: Skipped) -> list[Blob]:
        """List what was found; the blobs that are to be tried again. `useless` is told of files that are none."""
        again, good, empty, forgotten = [], [], [], []
        for blob, found in pairs:
            if isinstance(found, Recovered):
                take_over(blob, found)
                good.append(blob)
                if found.changed:
                    self.log.info("{path}: recovered, {size} bytes", path=blob.path, size=blob.size)
            elif found is None and blob.state is BlobState.OPEN:
                self.log.info("{path}: nothing was written to it", path=blob.path)
                empty.append(blob)
            elif found is None or is_none_of_ours(found):
                useless.add(blob.path, "no recording in it" if found is None else str(found))
                forgotten.append(blob.id)
            else:
                again.append(blob)
                self._not_recovered(blob.root, blob.path, found)
        for blob in empty:
            await self.deletion.resume(blob, listable=False)
        await self.catalog.blobs.delete(forgotten)
        await self.catalog.blobs.update(good)
        for blob in good:
            archive = self.archive_of(blob.stream)
            archive.remove([twin for twin in archive.twins(blob) if not self._is_there(twin)])
            archive.add(blob)
        return again

    def _not_recovered(self, root: str, path: str, error: Exception) -> None:
        """Tried again for as long as the server runs."""
        kind = "recover", as_error(error, root).code
        self._troubles.of(root).error(kind, "{path} can't be recovered: {error}", path=path, error=error)

    def _is_there(self, blob: Blob) -> bool:
        """Whether the disk that a blob is on has been identified."""
        root = self.roots.get(blob.root)
        return root is not None and root.uuid is not None

    # -- dates that are wrong ---------------------------------------------------------------------------------

    async def _read_misdated(self, root: Root) -> None:
        """What was set aside on a root before."""
        try:
            entries = await root.reader.do(read_misdated, root.path)
        except (DvrError, OSError) as error:
            text = "{root}: what is misdated can't be read: {error}"
            self._misdating.of(root.path).warn("not read", text, root=root.path, error=error)
            return
        self.misdated.load(root.path, entries.items())
        if not entries:
            return
        for archive in self.streams_of(root.path):
            for blob in archive.blobs():
                if blob.root == root.path and (aside := entries.get((blob.stream, blob.begin_ms))) is not None:
                    archive.set_aside(blob, aside)

    def clock_stepped(self, step: Step, proven: bool) -> None:
        """
        The server's time has stepped: what was recorded in a time that was wrong, or lies in the future now, is set
        aside. `proven`: the new time is known to be right; else what is set aside for its sake comes back with it.
        """
        changed: set[str] = set()
        for archive in self._streams.values():
            changed |= self._restore(archive) if step.doubtful_ms is not None else set()
            for blob in archive.blobs():
                aside = misdated_by(blob, step, proven)
                if aside is not None:
                    self._set_aside(archive, blob, aside)
                    changed.add(blob.root)
        for path in changed:
            self._behind(self.write_misdated(self.root(path)))

    def set_aside_future(self, name: str) -> None:
        """What is recorded of a stream ends in the future, which no clock explains: it is set aside."""
        archive = self._streams.get(name)
        before = archive.blobs(Range(0, 1 << 53)) if archive is not None else []
        for blob in before:
            if archive is not None and (aside := self.misdated.of(blob)) is not None:
                self._set_aside(archive, blob, aside)
                self._behind(self.write_misdated(self.root(blob.root)))

    def _restore(self, archive: LocalStreamArchive) -> set[str]:
        back = [blob for blob, aside in archive.misdated.items() if aside.provisional]
        for blob in back:
            self.misdated.forget(blob)
            archive.restore(blob)
        return {blob.root for blob in back}

    def _set_aside(self, archive: LocalStreamArchive, blob: Blob, aside: Aside) -> None:
        self.misdated.set(blob, aside)
        archive.set_aside(blob, aside)
        self.log.warn("{path} is misdated", path=blob.path)
        misdated = DvrMisdated(
            media=blob.stream,
            path=blob.root,
            begin_ms=blob.begin_ms,
            duration_ms=blob.end_ms - blob.begin_ms,
            shift_ms=aside.shift_ms,
        )
        self._event(misdated)

    async def write_misdated(self, root: Root) -> None:
        """Behind; a disk that refuses it keeps what is set aside only until the server ends."""
        try:
            await root.ready()
            entries = self.misdated.entries(root.path)
            await root.syncer.do(write_misdated, root.path, root.uuid or "", entries, root.files)
            self._misdating.over(root.path, "{root}: what is misdated is noted", root=root.path)
        except (DvrError, OSError) as error:
            text = "{root}: what is misdated can't be noted: {error}"
            self._misdating.of(root.path).error("not noted", text, root=root.path, error=error)

    # -- the rest ---------------------------------------------------------------------------------------------

    def archive_of(self, name: str) -> LocalStreamArchive:
        """What is recorded of a stream, made known if it was not."""
        if name not in self._streams:
            self._streams[name] = LocalStreamArchive(name, self.indexes, self.file, misdating=self.misdated.of)
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
        if self._ticks % CATALOG_RETRY_S == 0:
            self._tend_catalog()
        self.deletion.tend()
        self.range_deletions.tend()
        if self._ticks % SWEEP_S == 0:
            self._behind(self.retention.sweep())

    def _tend(self, root: Root) -> None:
        if root.uuid is not None and self._ticks % root.sync_interval_s == 0:
            root.sync()
        lost = root.uuid is None and self._ticks % ROOT_RETRY_S == 0
        if lost or (root.path in self._left_open and self._ticks % RECOVERY_RETRY_S == 0):
            self._behind(self._ready(root))

    def _tend_catalog(self) -> None:
        self._watch.look()
        state = self.catalog.state()
        if self.catalog.answers and self.opened and not self._recovering:
            self._behind(self._join_catalog())
        elif self.catalog.broken and not self._restoring:
            rows, locks = self._known_roots(), {name: archive.locks for name, archive in self._streams.items()}
            self._restoring = True
            restoring = self.catalog.restore(rows, list(self._all_blobs()), locks)
            self._behind(restoring.addBoth(self._restored))
        elif state.refused is not None or state.copy_refused is not None:
            self._behind(self.catalog.retry())

    def _known_roots(self) -> list[RootRow]:
        return [RootRow(uuid, path, path not in self.joining.unknown) for path, uuid in self._uuids.items()]

    async def _join_catalog(self) -> None:
        """The catalog that did not answer at the start does now: what it knows besides is listed."""
        self.log.warn("the catalog answers: what the API has changed holds again")
        locks = {name: archive.locks for name, archive in self._streams.items() if len(archive)}
        found = await self.catalog.join(self._known_roots(), list(self._all_blobs()), locks)
        for row in found.roots:
            if row.path is not None and row.path not in self._uuids:
                self._uuids[row.path] = row.uuid
                self.root(row.path)
                if not row.imported:
                    self.joining.unknown.add(row.path)
        self.load(found.blobs)
        for name, lock in found.locks:
            self.archive_of(name).locks.add(lock)
        await self.range_deletions.load()
        await self.on_catalog_back()

    def _restored(self, result: T) -> T:
        self._restoring = False
        return result

    def _behind(self, work: Awaitable[Any]) -> None:
        Deferred.fromCoroutine(_settled(work)).addErrback(
            lambda failure: self._bugs.failure(where(failure), "archive", failure)
        )

    def _event(self, event: Event) -> None:
        with self.log.failuresHandled("event {event}", event=event.event):
            self._on_event(event)


def misdated_by(blob: Blob, step: Step, proven: bool) -> Aside | None:
    """Whether a step of the server's time shows that a blob is misdated."""
    if step.doubtful_ms is not None and abs(step.shift_ms) > FUTURE_MS:
        if step.doubtful_ms - SLACK_MS <= blob.begin_ms <= step.from_ms + FUTURE_MS:
            return Aside(step.shift_ms)
    if blob.end_ms > step.to_ms + FUTURE_MS:
        whole = proven and blob.begin_ms > step.to_ms and step.shift_ms < 0
        return Aside(step.shift_ms if whole else None, not proven)
    return None


def differences(before: RangeSet, after: RangeSet) -> tuple[list[Range], list[Range]]:
    """What is only in one of them."""
    first, second = set(before), set(after)
    return sorted(first - second), sorted(second - first)


async def _nothing() -> None:
    pass


async def _settled(work: Awaitable[Any]) -> None:
    await work

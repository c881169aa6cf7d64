# -*- test-case-name: tests.archive.test_retention -*-
"""
Retention: what is deleted, and when.

    expiration           of a stream: blobs that ended longer ago
    storage_limit        of a DVR, shared by its streams: the oldest until the rest fits
    disk_usage_limit     of the whole disk: the oldest of the streams whose limit is exceeded
    reserve              kept free on every disk, whatever is configured: the oldest of all streams on it

Only whole closed blobs, the oldest first, never one that a lock touches. A row is marked before its files go and
deleted after, so a crash in between only delays.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from twisted.logger import Logger

from flussdvr.archive.blob import Blob, BlobState, delete_blobs
from flussdvr.archive.catalog import Catalog
from flussdvr.archive.root import OnEvent, Root
from flussdvr.archive.stream_archive import StreamArchive
from flussdvr.errors import DvrError
from flussdvr.timeline import Range

RESERVE_BYTES = 1 << 30
RESERVE_SHARE = 50
"""The reserve is a gigabyte, or this part of a small disk."""
ROOM_BYTES = 256 << 20
"""What is freed at least when the disk is full."""


class DvrPolicy(Protocol):
    """What of `config.DvrSettings` the archive needs."""

    @property
    def root(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def expiration_s(self) -> int | None: ...
    @property
    def storage_limit(self) -> int | None: ...
    @property
    def disk_usage_limit(self) -> int | None: ...
    @property
    def sync_interval_s(self) -> int: ...


class DiskUsage(NamedTuple):
    total: int
    free: int

    @property
    def used(self) -> int:
        return self.total - self.free

    @property
    def reserve(self) -> int:
        return min(RESERVE_BYTES, self.total // RESERVE_SHARE)


def disk_usage(path: str) -> DiskUsage:
    """Of the file system that `path` is on; what is kept for root counts as used. OSError."""
    stat = os.statvfs(path)
    return DiskUsage(stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize)


class Retention:
    """
    Deletes by the streams' policies. `streams(root)` gives the archives on a root, `None` all; `usage` is
    `disk_usage`, run in a reader thread of the root.
    """

    log = Logger()

    def __init__(
        self,
        streams: Callable[[str | None], list[StreamArchive]],
        catalog: Catalog,
        root: Callable[[str], Root],
        on_event: OnEvent,
        utc_ms: Callable[[], int],
        usage: Callable[[str], DiskUsage] = disk_usage,
    ) -> None:
        self.policies: dict[str, DvrPolicy] = {}
        self._streams = streams
        self._catalog = catalog
        self._root = root
        self._on_event = on_event
        self._utc_ms = utc_ms
        self._usage = usage
        self._sweeping = False

    def set_policy(self, name: str, policy: DvrPolicy | None) -> None:
        """`None`: the stream's recordings are kept as long as there is space."""
        if policy is None:
            self.policies.pop(name, None)
        else:
            self.policies[name] = policy

    async def sweep(self) -> None:
        """Delete what is to be deleted now. Does nothing while another sweep is under way (a hanging disk)."""
        if self._sweeping:
            return
        self._sweeping = True
        try:
            await self.delete(self._expired(), "expiration")
            await self.delete(self._over_storage_limit(), "storage_limit")
            for path in set().union(*(archive.roots for archive in self._streams(None))):
                await self._sweep_disk(self._root(path))
        finally:
            self._sweeping = False

    async def make_room(self, root: Root) -> bool:
        """The disk is full: delete the oldest on it. Whether anything could be deleted."""
        blobs = oldest(self._streams(root.path), ROOM_BYTES, root.path)
        await self.delete(blobs, "disk_full")
        return bool(blobs)

    # -- what is too much -------------------------------------------------------------------------------------

    def _expired(self) -> list[Blob]:
        now_ms = self._utc_ms()
        expired: list[Blob] = []
        for archive in self._streams(None):
            policy = self.policies.get(archive.name)
            if policy is not None and policy.expiration_s:
                before_ms = now_ms - policy.expiration_s * 1000
                old = archive.blobs(Range(0, max(0, before_ms)))
                expired += [blob for blob in old if blob.end_ms <= before_ms and deletable(archive, blob)]
        return expired

    def _over_storage_limit(self) -> list[Blob]:
        groups: dict[tuple[str, str, int], list[StreamArchive]] = {}
        for archive in self._streams(None):
            policy = self.policies.get(archive.name)
            if policy is not None and policy.storage_limit:
                dvr = f"dvr {policy.name}" if policy.name else f"stream {archive.name}"
                groups.setdefault((policy.root, dvr, policy.storage_limit), []).append(archive)
        over: list[Blob] = []
        for (_, _, limit), archives in groups.items():
            excess = sum(archive.size for archive in archives) - limit
            over += oldest(archives, excess)
        return over

    async def _sweep_disk(self, root: Root) -> None:
        if root.uuid is None:
            return
        try:
            usage = await root.reader.do(self._usage, root.path)
        except (OSError, DvrError) as error:
            self.log.warn("{path}: {error}", path=root.path, error=error)
            return
        archives = self._streams(root.path)
        limited: list[tuple[int, StreamArchive]] = []
        for archive in archives:
            policy = self.policies.get(archive.name)
            if policy is not None and policy.disk_usage_limit:
                limited.append((policy.disk_usage_limit, archive))
        exceeded = [(limit, archive) for limit, archive in limited if usage.used * 100 > limit * usage.total]
        if exceeded:
            excess = usage.used - min(limit for limit, _ in exceeded) * usage.total // 100
            blobs = oldest([archive for _, archive in exceeded], excess, root.path)
            await self.delete(blobs, "disk_usage_limit")
            usage = DiskUsage(usage.total, usage.free + sum(blob.size for blob in blobs))
        blobs = oldest(archives, usage.reserve - usage.free, root.path)
        await self.delete(blobs, "disk_full")

    # -- deleting ---------------------------------------------------------------------------------------------

    async def delete(self, blobs: Sequence[Blob], reason: str) -> None:
        """Off the list, marked, files, rows. `DvrError` if the catalog or the disk fails: the next start goes on."""
        by_stream: dict[str, list[Blob]] = {}
        for blob in blobs:
            by_stream.setdefault(blob.stream, []).append(blob)
        for archive in self._streams(None):
            if archive.name in by_stream:
                archive.remove(by_stream[archive.name])
        for blob in blobs:
            blob.state = BlobState.DELETING
        if blobs:
            await self._catalog.mark_deleting([blob.id for blob in blobs])
            await self.delete_now(blobs)
        for blob in blobs:
            self._on_event(
                {
                    "event": "dvr_blob_deleted",
                    "media": blob.stream,
                    "blob": blob.path,
                    "path": blob.root,
                    "disk_size": blob.size + blob.index_size,
                    "reason": reason,
                }
            )

    async def delete_now(self, blobs: Sequence[Blob]) -> None:
        """The files of blobs that are off the list already, then the rows."""
        by_root: dict[str, list[Blob]] = {}
        for blob in blobs:
            by_root.setdefault(blob.root, []).append(blob)
        for path, some in by_root.items():
            root = self._root(path)
            try:
                await root.syncer.do(delete_blobs, some, root.uuid or "", root.files)
            except (OSError, DvrError) as error:
                self.log.error("deleting on {path}: {error}; the next start tries again", path=path, error=error)
                continue
            await self._catalog.delete_blobs([blob.id for blob in some])


def deletable(archive: StreamArchive, blob: Blob) -> bool:
    """Closed, and not touched by a lock."""
    free = not archive.locks or not archive.locks.within(blob.range)
    return free and blob.closed and blob.state is not BlobState.DELETING


def oldest(archives: Iterable[StreamArchive], excess: int, root: str | None = None) -> list[Blob]:
    """The oldest deletable blobs (of a root) that together have `excess` bytes or more, or all; none if it is <= 0."""
    taken: list[Blob] = []
    if excess <= 0:
        return taken
    by_age = heapq.merge(*([(b, a) for b in a.blobs()] for a in archives), key=lambda pair: pair[0].end_ms)
    for blob, archive in by_age:
        if root in (None, blob.root) and deletable(archive, blob):
            taken.append(blob)
            excess -= blob.size + blob.index_size
            if excess <= 0:
                break
    return taken

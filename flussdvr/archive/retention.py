# -*- test-case-name: tests.archive.test_retention -*-
"""
Retention: what is deleted, and when.

    expiration           of a stream: what was recorded longer ago
    storage_limit        of a DVR, shared by its streams: the oldest until the rest fits
    disk_usage_limit     of the whole disk: as soon as the lowest limit is exceeded, all streams with a limit give what
                         is too much, each in proportion to what it has (so none starves)
    reserve              kept free on every disk, whatever is configured: the oldest of all streams on it

Blobs go whole where they can; a part of one is cut out (see `trim`) where the rest is locked or still to be kept. How
long a blob gets at most follows from the policy (`blob_ms`): so expiry is rarely more than unlinking, and what is kept
beyond the expiration is an eighth of it at most. Locks are never touched. A row is marked before its files change and
written after, so a crash in between only delays.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from twisted.logger import Logger

from flussdvr.archive.blob import Blob, BlobState, delete_blobs
from flussdvr.archive.catalog import Catalog
from flussdvr.archive.recovery import read_index
from flussdvr.archive.root import OnEvent, Root
from flussdvr.archive.stream_archive import StreamArchive
from flussdvr.archive.trim import Trimmed
from flussdvr.archive.trim_thumbs import trim_with_thumbs
from flussdvr.errors import DvrError, FormatError
from flussdvr.formats.fragment_table import FragmentTable
from flussdvr.timeline import HOUR_MS, Range, RangeSet

RESERVE_BYTES = 1 << 30
RESERVE_SHARE = 50
"""The reserve is a gigabyte, or this part of a small disk."""
ROOM_BYTES = 256 << 20
"""What is freed at least when the disk is full."""
SHARE = 8
"""A blob is at most this part of what is kept."""
SHORTEST_BLOB_MS = 10_000
REASONS = {
    "expiration": "it is older than the stream's expiration",
    "storage_limit": "the recordings were larger than storage_limit",
    "disk_usage_limit": "the disk was fuller than disk_usage_limit",
    "disk_full": "the disk was full",
    "deleted": "somebody has deleted it",
    "unfinished": "the server had ended while it was being deleted",
}
"""Why something is deleted, as a word and as a sentence."""
LEAST_BLOB_BYTES = 1 << 20


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
    `disk_usage`, run in a reader thread of the root; `wants` says whether anybody wants an event of this name;
    `trusts_clock` whether the clock may be believed with the age of recordings: nothing expires while it may not.
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
        wants: Callable[[str], bool] = lambda event: True,
        trusts_clock: Callable[[], bool] = lambda: True,
    ) -> None:
        self.policies: dict[str, DvrPolicy] = {}
        self._streams = streams
        self._catalog = catalog
        self._root = root
        self._on_event = on_event
        self._utc_ms = utc_ms
        self._usage = usage
        self._wants = wants
        self._trusts_clock = trusts_clock
        self._sweeping = False
        self._cut_before: WeakKeyDictionary[Blob, RangeSet] = WeakKeyDictionary()
        self._nothing_with: WeakKeyDictionary[Blob, RangeSet] = WeakKeyDictionary()

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
            await self._expire()
            await self.delete(self._over_storage_limit(), "storage_limit")
            for path in set().union(*(archive.roots for archive in self._streams(None))):
                await self._sweep_disk(self._root(path))
        finally:
            self._sweeping = False

    async def make_room(self, root: Root) -> bool:
        """The disk is full: delete the oldest on it. Whether anything could be deleted."""
        blobs = self._oldest(self._streams(root.path), ROOM_BYTES, root.path)
        await self.delete(blobs, "disk_full")
        return bool(blobs)

    # -- what is too much -------------------------------------------------------------------------------------

    async def _expire(self) -> None:
        if not self._trusts_clock():
            return
        now_ms = self._utc_ms()
        expired: list[Blob] = []
        for archive in self._streams(None):
            policy = self.policies.get(archive.name)
            if policy is not None and policy.expiration_s:
                before_ms = max(0, now_ms - policy.expiration_s * 1000)
                old = archive.blobs(Range(0, before_ms))
                expired += [blob for blob in old if blob.end_ms <= before_ms and self._deletable(archive, blob)]
                newest = old[-1] if old else None
                if newest is not None and before_ms - newest.begin_ms > 2 * blob_ms(policy):
                    await self._expire_part(archive, newest, Range(newest.begin_ms, before_ms))
        await self.delete(expired, "expiration")

    async def _expire_part(self, archive: StreamArchive, blob: Blob, old: Range) -> None:
        """Of a long blob, from a time when more was to be kept."""
        parts = unlocked(archive, blob).within(old)
        if blob.end_ms > old.end_ms and is_closed(blob) and parts.duration_ms > SHORTEST_BLOB_MS:
            await self.cut(archive, blob, parts, "expiration")

    def _deletable(self, archive: StreamArchive, blob: Blob) -> bool:
        """Whether anything of a blob may go that has not been tried before."""
        if not is_closed(blob) or self._nothing_with.get(blob) is archive.locks:
            return False
        parts = unlocked(archive, blob)
        if parts and self._cut_before.get(blob) != parts:
            return True
        self._nothing_with[blob] = archive.locks  # other locks are another set: see `Archive._relock`
        return False

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
            over += self._oldest(archives, excess)
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
        excess = usage.used - min((limit for limit, _ in limited), default=100) * usage.total // 100
        if limited and excess > 0:
            sizes = [archive.size for _, archive in limited]
            blobs = []
            for (_, archive), size in zip(limited, sizes, strict=True):
                blobs += self._oldest([archive], excess * size // max(1, sum(sizes)), root.path)
            await self.delete(blobs, "disk_usage_limit")
            usage = DiskUsage(usage.total, usage.free + sum(blob.disk_size for blob in blobs))
        blobs = self._oldest(archives, usage.reserve - usage.free, root.path)
        await self.delete(blobs, "disk_full")

    def _oldest(self, archives: Iterable[StreamArchive], excess: int, root: str | None = None) -> list[Blob]:
        """
        The oldest blobs (of a root) whose deletion, as far as locks let it, gives `excess` bytes, or all there are.
        """
        taken: list[Blob] = []
        if excess <= 0:
            return taken
        by_age = heapq.merge(*([(at, b.id, b, a) for at, b in a.by_age()] for a in archives), key=lambda one: one[:2])
        for _, _, blob, archive in by_age:
            if root in (None, blob.root) and self._deletable(archive, blob):
                taken.append(blob)
                share = unlocked(archive, blob).duration_ms / max(1, blob.end_ms - blob.begin_ms)
                excess -= int(blob.disk_size * min(1.0, share)) if share < 1 else blob.disk_size
                if excess <= 0:
                    break
        return taken

    # -- deleting ---------------------------------------------------------------------------------------------

    async def delete(self, blobs: Sequence[Blob], reason: str) -> None:
        """
        What of these blobs is not locked. Those without a lock: off the list, marked, files, rows.

        `DvrError` if the catalog or the disk fails: the next start goes on.
        """
        archives = {archive.name: archive for archive in self._streams(None)}
        blobs = [blob for blob in blobs if is_closed(blob) and blob.stream in archives]
        locked = [blob for blob in blobs if archives[blob.stream].locks.within(blob.range)]
        for blob in locked:
            await self.cut(archives[blob.stream], blob, unlocked(archives[blob.stream], blob), reason)
        # Meanwhile another deletion may have come to one of them.
        await self._delete_whole([blob for blob in blobs if blob not in locked and is_closed(blob)], reason)

    async def cut(self, archive: StreamArchive, blob: Blob, parts: RangeSet, reason: str) -> bool:
        """Delete `parts` of a closed blob. Whether the disk and the catalog have let it."""
        root, state = self._root(blob.root), blob.state
        blob.state = BlobState.TRIMMING
        try:
            await self._catalog.mark([blob.id], BlobState.TRIMMING)
            result: Trimmed = await root.syncer.do(trim_with_thumbs, blob, root.uuid or "", list(parts), root.files)
        except (OSError, DvrError) as error:
            blob.state = state
            self._cut_before[blob] = parts
            self.log.error("deleting a part of {path}: {error}", path=blob.path, error=error)
            return False
        blob.state = state
        if result.empty:
            await self._delete_whole([blob], reason)
            return True
        before = blob.disk_size
        archive.trimmed(blob, result.holes, result.freed, result.index_size)
        self._cut_before[blob] = unlocked(archive, blob)
        await self._catalog.update_blobs([blob])
        if before != blob.disk_size:
            self._on_event(_deleted(blob, before - blob.disk_size, reason))
        self._tell_fragments(blob, result.begins_ms)
        return True

    async def _delete_whole(self, blobs: Sequence[Blob], reason: str) -> None:
        by_stream: dict[str, list[Blob]] = {}
        for blob in blobs:
            by_stream.setdefault(blob.stream, []).append(blob)
        for archive in self._streams(None):
            if archive.name in by_stream:
                archive.remove(by_stream[archive.name])
        for blob in blobs:
            blob.state = BlobState.DELETING
        if blobs:
            await self._catalog.mark([blob.id for blob in blobs], BlobState.DELETING)
            await self.delete_now(blobs, reason)

    async def delete_now(self, blobs: Sequence[Blob], reason: str | None) -> None:
        """
        The files of blobs that are off the list already, then the rows. `reason` `None`: nobody need be told, as there
        was nothing in them.
        """
        by_root: dict[str, list[Blob]] = {}
        for blob in blobs:
            by_root.setdefault(blob.root, []).append(blob)
        for path, some in by_root.items():
            root = self._root(path)
            begins: dict[Blob, list[int]] = {}
            try:
                if reason is not None and self._wants("dvr_deleted_fragments"):
                    begins = await root.syncer.do(begins_of, some)
                await root.syncer.do(delete_blobs, some, root.uuid or "", root.files)
            except (OSError, DvrError) as error:
                self.log.error("deleting on {path}: {error}; the next start tries again", path=path, error=error)
                continue
            await self._catalog.delete_blobs([blob.id for blob in some])
            if reason is None:
                continue
            for blob in some:
                self._on_event(_deleted(blob, blob.disk_size, reason))
                self._tell_fragments(blob, begins.get(blob, ()))

    def _tell_fragments(self, blob: Blob, begins_ms: Sequence[int]) -> None:
        if len(begins_ms) and self._wants("dvr_deleted_fragments"):
            utcs = [begin_ms // 1000 for begin_ms in begins_ms]
            about = {"media": blob.stream, "path": blob.root, "utcs": utcs}
            self._on_event({"event": "dvr_deleted_fragments", **about})


def _deleted(blob: Blob, size: int, reason: str) -> dict[str, Any]:
    event = {"event": "dvr_blob_deleted", "media": blob.stream, "blob": blob.path, "path": blob.root}
    return event | {"disk_size": size, "reason": reason, "reason_text": REASONS[reason]}


def begins_of(blobs: Iterable[Blob]) -> dict[Blob, list[int]]:
    """When the fragments of blobs begin, in a thread of their disk; of a damaged index nothing."""
    found = {}
    for blob in blobs:
        try:
            found[blob] = FragmentTable(read_index(blob.index_path)).begin_ms.tolist()
        except (OSError, FormatError, DvrError):
            continue
    return found


def is_closed(blob: Blob) -> bool:
    """Neither being recorded nor being changed."""
    return blob.state in (BlobState.CLOSED, BlobState.SUSPECT)


def unlocked(archive: StreamArchive, blob: Blob) -> RangeSet:
    """What is recorded in a blob and not locked."""
    left = RangeSet([blob.range])
    for gone in (*blob.holes, *archive.locks.within(blob.range)):
        left.subtract(gone)
    return left


def blob_ms(policy: DvrPolicy | None) -> int:
    """How long a blob should be at most."""
    if policy is None or not policy.expiration_s:
        return HOUR_MS
    return max(SHORTEST_BLOB_MS, min(HOUR_MS, policy.expiration_s * 1000 // SHARE))


def blob_bytes(policy: DvrPolicy | None) -> int | None:
    """How large a blob should be at most."""
    if policy is None or not policy.storage_limit:
        return None
    return max(LEAST_BLOB_BYTES, policy.storage_limit // SHARE)

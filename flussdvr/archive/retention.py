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
beyond the expiration is an eighth of it at most. Locks are never touched. At most what is too much is chosen: what
`deletion` has under way counts as gone.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.deletion import Deletion, Outcome, all_of, is_closed, is_locked, recorded
from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.root import Root, as_error
from flussdvr.archive.disk.trim import Cut
from flussdvr.archive.ports import DvrPolicy
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.errors import DvrError
from flussdvr.events.types.archive import DeletionReason
from flussdvr.logs.repeated import RepeatedBy
from flussdvr.timeline import HOUR_MS, Range, RangeSet

RESERVE_BYTES = 1 << 30
RESERVE_SHARE = 50
"""The reserve is a gigabyte, or this part of a small disk."""
ROOM_BYTES = 256 << 20
"""What is freed when the disk is full; the reserve if that is less."""
ROOM_S = 5.0
"""What was freed so short a while ago counts for others who ask for room."""
SHARE = 8
"""A blob is at most this part of what is kept."""
SHORTEST_BLOB_MS = 10_000
LEAST_BLOB_BYTES = 1 << 20


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
    Chooses by the streams' policies what `deletion` deletes. `streams(root)` gives the archives on a root, `None` all;
    `usage` is `disk_usage`, run in a reader thread of the root; `seconds` is the monotonic clock; `trusts_clock` says
    whether UTC may be believed with the age of recordings: nothing expires while it may not.
    """

    log = Logger()

    def __init__(
        self,
        streams: Callable[[str | None], list[LocalStreamArchive]],
        deletion: Deletion,
        root: Callable[[str], Root],
        utc_ms: Callable[[], int],
        seconds: Callable[[], float],
        usage: Callable[[str], DiskUsage] = disk_usage,
        trusts_clock: Callable[[], bool] = lambda: True,
    ) -> None:
        self.policies: dict[str, DvrPolicy] = {}
        self.deletion = deletion
        self._streams = streams
        self._root = root
        self._utc_ms = utc_ms
        self._seconds = seconds
        self._usage = usage
        self._trusts_clock = trusts_clock
        self._troubles = RepeatedBy(self.log, seconds)
        self._sweeping: set[str] = set()
        self._making_room: dict[str, Deferred[int]] = {}
        self._room: dict[str, tuple[float, int]] = {}
        self._cut_before: WeakKeyDictionary[Blob, RangeSet] = WeakKeyDictionary()
        self._nothing_with: WeakKeyDictionary[Blob, RangeSet] = WeakKeyDictionary()

    def set_policy(self, name: str, policy: DvrPolicy | None) -> None:
        """`None`: the stream's recordings are kept as long as there is space."""
        if policy is None:
            self.policies.pop(name, None)
        else:
            self.policies[name] = policy

    async def sweep(self) -> None:
        """
        Delete what is to be deleted now, on each root for itself. Roots where another sweep is under way (a hanging
        disk), or whose deletions fail, are passed over.
        """
        paths = set().union(*(archive.roots for archive in self._streams(None)))
        paths = {path for path in paths - self._sweeping if not self.deletion.is_blocked(path)}
        await all_of(self._sweep_root(self._root(path)) for path in sorted(paths))

    async def _sweep_root(self, root: Root) -> None:
        self._sweeping.add(root.path)
        try:
            await self._expire(root.path)
            over = [blob for blob in self._over_storage_limit() if blob.root == root.path]
            await self.delete(over, "storage_limit")
            await self._sweep_disk(root)
        finally:
            self._sweeping.discard(root.path)

    async def make_room(self, root: Root) -> int:
        """
        The disk is full: delete the oldest on it. How many bytes were freed: also those that somebody else has been
        freeing meanwhile, or just now.
        """
        making = self._making_room.get(root.path)
        if making is None:
            making = self._making_room[root.path] = Deferred.fromCoroutine(self._make_room(root))
            making.addBoth(self._made_room, root.path)
        mine: Deferred[int] = Deferred()
        making.addBoth(self._pass_on, mine)
        return await mine

    def _made_room(self, result: int | Failure, path: str) -> int | Failure:
        self._making_room.pop(path, None)
        return result

    @staticmethod
    def _pass_on(result: int | Failure, waiter: Deferred[int]) -> int | Failure:
        if isinstance(result, Failure):
            waiter.errback(result)
            return 0
        waiter.callback(result)
        return result

    async def _make_room(self, root: Root) -> int:
        at, freed = self._room.get(root.path, (0.0, 0))
        if freed and self._seconds() - at < ROOM_S:
            return freed
        if root.uuid is None or self.deletion.is_blocked(root.path):
            return 0
        try:
            usage = await root.reader.do(self._usage, root.path)
        except (OSError, DvrError) as error:
            self._no_usage(root, error)
            return 0
        self._troubles.over(root.path, "the free space of {root} is known again", root=root.path)
        wanted = max(1, min(ROOM_BYTES, usage.reserve)) - self.deletion.pending_bytes(root.path)
        outcome = await self.delete(self._oldest(self._streams(root.path), wanted, root.path), "disk_full")
        self._room[root.path] = self._seconds(), outcome.freed
        return outcome.freed

    # -- what is too much -------------------------------------------------------------------------------------

    async def _expire(self, path: str) -> None:
        if not self._trusts_clock():
            return
        now_ms = self._utc_ms()
        expired: list[Blob] = []
        for archive in self._streams(path):
            policy = self.policies.get(archive.name)
            if policy is not None and policy.expiration_s:
                before_ms = max(0, now_ms - policy.expiration_s * 1000)
                old = [blob for blob in archive.blobs(Range(0, before_ms)) if blob.root == path]
                expired += [blob for blob in old if blob.end_ms <= before_ms and self._deletable(archive, blob)]
                newest = old[-1] if old else None
                if newest is not None and before_ms - newest.begin_ms > 2 * blob_ms(policy):
                    await self._expire_part(archive, newest, Range(newest.begin_ms, before_ms))
        await self.delete(expired, "expiration")

    async def _expire_part(self, archive: LocalStreamArchive, blob: Blob, old: Range) -> None:
        """Of a long blob, from a time when more was to be kept."""
        parts = unlocked(archive, blob).within(old)
        usable = is_closed(blob) and not self.deletion.is_aside(blob)
        if blob.end_ms > old.end_ms and usable and parts.duration_ms > SHORTEST_BLOB_MS:
            await self._cut(archive, blob, parts, "expiration")

    def _deletable(self, archive: LocalStreamArchive, blob: Blob) -> bool:
        """Whether anything of a blob may go that has not been tried before."""
        if not is_closed(blob) or self._nothing_with.get(blob) is archive.locks or self.deletion.is_aside(blob):
            return False
        parts = unlocked(archive, blob)
        if parts and self._cut_before.get(blob) != parts:
            return True
        self._nothing_with[blob] = archive.locks  # other locks are another set: see `Archive._relock`
        return False

    def _over_storage_limit(self) -> list[Blob]:
        groups: dict[tuple[str, str, int], list[LocalStreamArchive]] = {}
        for archive in self._streams(None):
            policy = self.policies.get(archive.name)
            if policy is not None and policy.storage_limit:
                dvr = f"dvr {policy.name}" if policy.name else f"stream {archive.name}"
                groups.setdefault((policy.root, dvr, policy.storage_limit), []).append(archive)
        over: list[Blob] = []
        for (_, _, limit), archives in groups.items():
            listed = sum(archive.size - self.deletion.listed_bytes(archive) for archive in archives)
            over += self._oldest(archives, listed - limit)
        return over

    async def _sweep_disk(self, root: Root) -> None:
        if root.uuid is None or self.deletion.is_blocked(root.path):
            return
        try:
            usage = await root.reader.do(self._usage, root.path)
        except (OSError, DvrError) as error:
            self._no_usage(root, error)
            return
        self._troubles.over(root.path, "the free space of {root} is known again", root=root.path)
        archives = self._streams(root.path)
        limited: list[tuple[int, LocalStreamArchive]] = []
        for archive in archives:
            policy = self.policies.get(archive.name)
            if policy is not None and policy.disk_usage_limit:
                limited.append((policy.disk_usage_limit, archive))
        free = usage.free + self.deletion.pending_bytes(root.path)
        limit = min((limit for limit, _ in limited), default=100) * usage.total // 100
        blobs = self._fairly([archive for _, archive in limited], usage.total - free - limit, root.path)
        outcome = await self.delete(blobs, "disk_usage_limit")
        if not outcome.ends_all:
            # What is pending by now, other than before, is not in `usage`.
            free = usage.free + outcome.freed + self.deletion.pending_bytes(root.path)
            await self.delete(self._oldest(archives, usage.reserve - free, root.path), "disk_full")

    def _no_usage(self, root: Root, error: OSError | DvrError) -> None:
        kind = as_error(error, root.path).code
        self._troubles.of(root.path).warn(kind, "{root}: its free space: {error}", root=root.path, error=error)

    def _fairly(self, archives: Sequence[LocalStreamArchive], excess: int, root: str) -> list[Blob]:
        """
        The oldest blobs of each, in proportion to what it has, until they are `excess` bytes: as many as fit into its
        share, and one more of those that miss most of theirs.
        """
        taken: list[Blob] = []
        left, total = excess, sum(archive.size for archive in archives)
        more: list[tuple[int, LocalStreamArchive, Blob]] = []
        for archive in archives:
            share = excess * archive.size // max(1, total)
            for blob in self._oldest([archive], share, root):
                if (size := gives(archive, blob)) > share:
                    more.append((share, archive, blob))
                    break
                share, left = share - size, left - size
                taken.append(blob)
        for _, archive, blob in sorted(more, key=lambda one: -one[0]):
            if left <= 0:
                break
            left -= gives(archive, blob)
            taken.append(blob)
        return taken + self._oldest(archives, left, root, without=taken)

    def _oldest(
        self, archives: Iterable[LocalStreamArchive], excess: int, root: str | None = None, without: Sequence[Blob] = ()
    ) -> list[Blob]:
        """
        The oldest blobs (of a root) whose deletion, as far as locks let it, gives `excess` bytes, or all there are.

        What would be chosen on a root whose deletions fail counts, and is not chosen.
        """
        taken: list[Blob] = []
        if excess <= 0:
            return taken
        skipped = set(without)
        by_age = heapq.merge(*([(at, b.id, b, a) for at, b in a.by_age()] for a in archives), key=lambda one: one[:2])
        for _, _, blob, archive in by_age:
            if root in (None, blob.root) and blob not in skipped and self._deletable(archive, blob):
                if not self.deletion.is_blocked(blob.root):
                    taken.append(blob)
                excess -= gives(archive, blob)
                if excess <= 0:
                    break
        return taken

    # -- deleting ---------------------------------------------------------------------------------------------

    async def delete(self, blobs: Sequence[Blob], reason: DeletionReason) -> Outcome:
        """What of these blobs is not locked: whole ones first, as a part can't be cut out on a full disk."""
        archives = {archive.name: archive for archive in self._streams(None)}
        blobs = [blob for blob in blobs if blob.stream in archives and is_closed(blob)]
        locked = [blob for blob in blobs if is_locked(archives[blob.stream], blob)]
        total = await self.deletion.delete([blob for blob in blobs if blob not in locked], reason)
        for blob in locked:
            if total.ends_all:
                break
            archive = archives[blob.stream]
            total.add(await self._cut(archive, blob, unlocked(archive, blob), reason))
        return total

    async def _cut(self, archive: LocalStreamArchive, blob: Blob, parts: RangeSet, reason: DeletionReason) -> Outcome:
        everything = parts == unlocked(archive, blob)
        outcome = await self.deletion.cut(archive, blob, Cut(tuple(parts)), reason)
        if everything and outcome.error is None:
            self._cut_before[blob] = unlocked(archive, blob)  # fragments that have a part of a lock
        return outcome


def unlocked(archive: LocalStreamArchive, blob: Blob) -> RangeSet:
    """What is recorded in a blob and not locked."""
    left = recorded(blob)
    for lock in archive.locks.within(blob.range):
        left.subtract(lock)
    return left


def gives(archive: LocalStreamArchive, blob: Blob) -> int:
    """About how many bytes the deletion of a blob frees, as far as locks let it."""
    share = unlocked(archive, blob).duration_ms / max(1, recorded(blob).duration_ms)
    return int(blob.disk_size * share) if share < 1 else blob.disk_size


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

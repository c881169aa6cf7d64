# -*- test-case-name: tests.archive.test_deletion -*-
"""
Deletion: how recordings go. What is to go, retention and the API decide.

    listed --mark--> marked --unlist--> unlisted --unlink--> freed --row--> gone          a whole blob
       ^               |                   |  `--> left: files remain of what is gone ----^
       `---unmark------'-------------------'  nothing was unlinked: on the list again

    listed --mark--> marked --cut the index--> listed without the parts --punch, row--> listed          parts of one
       `------------------'                           `--> left: space still to be given back ----^

The row is marked first, so a crash between any two steps only delays; where the catalog refuses, nothing is unlisted.
Where its disk does not answer, whole blobs go all the same (the next start sees that they are not there), parts do not.
What failed goes back: a blob of which every file is there is listed again, one of which the recording is gone is not,
and what remains of it is tried again. A root (or the catalog) that refuses everything is left alone for a while, longer
each time; so is a stream there that another process has. What is pending is counted, so that nothing else is chosen in
its place.

Only in the reactor thread; the disk in the root's syncer thread, one job after the other, at most `BATCH` blobs each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.recovery import read_index
from flussdvr.archive.disk.removal import Left, Removal, remove_blobs
from flussdvr.archive.disk.root import Root, as_error
from flussdvr.archive.disk.trim import Cut, Trimmed
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.archive.trim_thumbs import trim_held
from flussdvr.database.subjects import Blobs
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.events.types.archive import (
    DeletionReason,
    DvrBlobDeleted,
    DvrDeletedFragments,
    DvrDeletionFailed,
    DvrDeletionResumed,
    DvrStreamInUse,
)
from flussdvr.events.types.event import OnEvent
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.logs.repeated import Repeated, RepeatedBy
from flussdvr.logs.repeated import where as raised_at
from flussdvr.timeline import Range, RangeSet

BATCH = 50
"""Blobs in one transaction and one job of the disk."""
RETRY_S, RETRY_MAX_S = 10.0, 600.0
"""A root whose deletions fail is left alone for so long, twice as long each time."""
TAKEN_S = 60.0
"""A stream that nobody has tried to delete from for so long after it was due is not known to be another's any more."""
CATALOG = ""
"""In the place of a root's path: the catalog."""
REASONS: Mapping[DeletionReason, str] = {
    "expiration": "it is older than the stream's expiration",
    "storage_limit": "the recordings were larger than storage_limit",
    "disk_usage_limit": "the disk was fuller than disk_usage_limit",
    "disk_full": "the disk was full",
    "deleted": "somebody has deleted it",
    "unfinished": "the server had ended while it was being deleted",
    "redated": "it has been dated anew: this was the copy with the wrong date",
}
"""Why something is deleted, as a word and as a sentence."""

T = TypeVar("T")


@dataclass(slots=True)
class Outcome:
    """`freed` bytes; `gone`: times that are not listed any more; `error`: why not everything was done, or `None`."""

    freed: int = 0
    gone: RangeSet = field(default_factory=RangeSet)
    error: DvrError | None = None

    def add(self, other: Outcome) -> None:
        self.freed += other.freed
        for item in other.gone:
            self.gone.add(item)
        self.fail(other.error)

    def fail(self, error: DvrError | None) -> None:
        """One more failure; that of a disk says more than that of one stream."""
        if self.error is None or (error is not None and is_in_use(self.error)):
            self.error = error

    @property
    def ends_all(self) -> bool:
        """Whether what failed lets nothing else be deleted."""
        return self.error is not None and not is_in_use(self.error)


@dataclass(slots=True)
class Trouble:
    """Deletions of a root (or all, where the catalog fails) are put off until `until` (reactor's seconds)."""

    error: DvrError
    until: float
    delay: float


@dataclass(slots=True, eq=False)
class _Item:
    """
    A deletion under way. `before`: the state of the blob; `size`: bytes that it is counted to free; `cut`: of a part.
    `begun`: when, by the monotonic clock. `listed`: it is still on the list; `listable`: it may go back there. After a
    failure it is tried again at `retry_at`.
    """

    blob: Blob
    archive: LocalStreamArchive
    reason: DeletionReason | None
    before: BlobState
    size: int
    cut: Cut | None = None
    begun: float = 0.0
    listed: bool = True
    listable: bool = True
    retry_at: float = 0.0
    delay: float = RETRY_S


class Deletion:
    """
    The deletions of all roots. `archive_of(stream)` is its archive, `root(path)` a root, `seconds` the monotonic clock.

    `wants(event)` says whether anybody wants events of that name.
    """

    log = Logger()

    def __init__(
        self,
        archive_of: Callable[[str], LocalStreamArchive],
        blobs: Blobs,
        root: Callable[[str], Root],
        on_event: OnEvent,
        seconds: Callable[[], float],
        wants: Callable[[str], bool] = lambda event: True,
    ) -> None:
        self.troubles: dict[str, Trouble] = {}
        self._refusals = RepeatedBy(self.log, seconds)
        self._left_behind = RepeatedBy(self.log, seconds)
        self._bugs = Repeated(self.log, seconds)
        self._archive_of = archive_of
        self._blobs = blobs
        self._root = root
        self._on_event = on_event
        self._seconds = seconds
        self._wants = wants
        self._pending: dict[str, set[_Item]] = {}
        self._left: dict[str, list[_Item]] = {}
        self._unmarked: dict[str, list[_Item]] = {}
        self._rows: dict[str, list[_Item]] = {}
        self._tending: set[str] = set()
        self._aside: WeakKeyDictionary[Blob, tuple[float, float]] = WeakKeyDictionary()
        self._in_use: dict[tuple[str, str], Trouble] = {}

    # -- questions --------------------------------------------------------------------------------------------

    def pending_bytes(self, path: str) -> int:
        """Bytes of a root that are chosen and not freed yet: the disk still counts them as used."""
        return sum(item.size for item in self._pending.get(path, ()))

    def listed_bytes(self, archive: LocalStreamArchive) -> int:
        """Bytes of what is pending that are still counted in the size of an archive."""
        items = (item for some in self._pending.values() for item in some)
        return sum(item.size for item in items if item.listed and item.archive is archive)

    def unlisted(self, stream: str, span: Range) -> list[Blob]:
        """Blobs of a stream in a range that are off the list, and of which something may still be there."""
        items = (item for some in self._pending.values() for item in some if not item.listed)
        return [item.blob for item in items if item.blob.stream == stream and item.blob.range.overlaps(span)]

    def waiting_s(self, path: str) -> float:
        """How long the disk of a root has not answered to a deletion; 0 if it does."""
        left = self._left.get(path, ())
        begun = [item.begun for item in self._pending.get(path, ()) if item not in left]
        return self._seconds() - min(begun) if begun else 0.0

    def left(self, path: str) -> int:
        """Of how many deleted recordings of a root something still has to be removed."""
        return len(self._left.get(path, ()))

    def taken(self, path: str) -> list[tuple[str, DvrError]]:
        """Streams of a root that another process had when something was to be deleted, a short while ago; and who."""
        now = self._seconds()
        found = ((stream, one) for (root, stream), one in self._in_use.items() if root == path)
        return [(stream, one.error) for stream, one in found if now < one.until + TAKEN_S]

    def trouble(self, path: str) -> DvrError | None:
        """Why nothing is deleted on a root at present, or `None`."""
        trouble = self.troubles.get(path) or self.troubles.get(CATALOG)
        return trouble.error if trouble is not None else None

    def is_blocked(self, path: str) -> bool:
        """Whether a root is left alone at present."""
        now = self._seconds()
        return any(one in self.troubles and now < self.troubles[one].until for one in (path, CATALOG))

    def is_aside(self, blob: Blob) -> bool:
        """Whether a blob could not be deleted a short while ago, or its stream: others are tried before it."""
        in_use = self._in_use.get((blob.root, blob.stream))
        until = max(self._aside.get(blob, (0.0, 0.0))[0], in_use.until if in_use is not None else 0.0)
        return self._seconds() < until

    # -- deleting ---------------------------------------------------------------------------------------------

    async def delete(self, blobs: Sequence[Blob], reason: DeletionReason) -> Outcome:
        """Delete closed blobs, of which nothing is locked. Fails never: the outcome says what became of it."""
        by_root: dict[str, list[Blob]] = {}
        for blob in blobs:
            by_root.setdefault(blob.root, []).append(blob)
        total = Outcome()
        for outcome in await all_of(self._delete_on(path, some, reason) for path, some in by_root.items()):
            total.add(outcome)
        return total

    async def _delete_on(self, path: str, blobs: Sequence[Blob], reason: DeletionReason) -> Outcome:
        total = Outcome()
        for at in range(0, len(blobs), BATCH):
            # While one batch was under way, another deletion may have come to a blob of the next.
            items = [self._begin(blob, reason) for blob in blobs[at : at + BATCH] if is_closed(blob)]
            if items:
                total.add(await self._delete_batch(path, items))
            if total.ends_all:
                break
        return total

    async def cut(self, archive: LocalStreamArchive, blob: Blob, cut: Cut, reason: DeletionReason) -> Outcome:
        """Delete parts of a closed blob; all of it where nothing else is left. Fails never."""
        if not is_closed(blob):
            return Outcome()
        item = self._begin(blob, reason, cut)
        if (error := await self._mark([item], BlobState.TRIMMING)) is not None:
            return Outcome(error=error)
        return await self._cut(item)

    async def resume(self, blob: Blob, listable: bool = True) -> Outcome:
        """
        Finish what was under way when the server ended, of a blob that is not listed: `DELETING`, or `TRIMMING`.

        `listable`: what can't be deleted may be listed again.
        """
        if blob.state is BlobState.TRIMMING:
            blob.state = BlobState.CLOSED
            archive = self._archive_of(blob.stream)
            archive.add(blob)
            item = self._begin(blob, "unfinished", Cut())
            blob.state = BlobState.TRIMMING
            return await self._cut(item)
        state, blob.state = blob.state, BlobState.CLOSED
        item = self._begin(blob, "unfinished" if state is BlobState.DELETING else None)
        blob.state = BlobState.DELETING
        item.listed, item.listable = False, listable
        return await self._remove(blob.root, [item])

    # -- the steps --------------------------------------------------------------------------------------------

    def _begin(self, blob: Blob, reason: DeletionReason | None, cut: Cut | None = None) -> _Item:
        archive = self._archive_of(blob.stream)
        size = blob.disk_size if cut is None else share_of(blob, cut)
        item = _Item(blob, archive, reason, blob.state, size, cut, self._seconds())
        blob.state = BlobState.DELETING if cut is None else BlobState.TRIMMING
        self._pending.setdefault(blob.root, set()).add(item)
        return item

    def _end(self, item: _Item) -> None:
        """It is not pending any more."""
        self._pending.get(item.blob.root, set()).discard(item)

    async def _mark(self, items: Sequence[_Item], state: BlobState) -> DvrError | None:
        try:
            await self._blobs.mark([item.blob.id for item in items], state, held=state is BlobState.DELETING)
        except Exception as failure:
            error = self._understood(failure, "the catalog")
            self._failed(CATALOG, error)
            await self._give_back(items)
            return error
        self._worked(CATALOG)
        return None

    async def _delete_batch(self, path: str, items: Sequence[_Item]) -> Outcome:
        if (error := await self._mark(items, BlobState.DELETING)) is not None:
            return Outcome(error=error)
        # A lock that came meanwhile holds; that of a wrong date holds the copy with the right one.
        locked = [item for item in items if item.reason != "redated" and is_locked(item.archive, item.blob)]
        await self._give_back(locked)
        items = [item for item in items if item not in locked]
        for item in items:
            item.archive.remove([item.blob])
            item.listed = False
        return await self._remove(path, items)

    async def _remove(self, path: str, items: Sequence[_Item]) -> Outcome:
        """Unlink the files of what is off the list."""
        root, blobs = self._root(path), [item.blob for item in items]
        begins: dict[Blob, list[int]] = {}
        outcome = Outcome()
        try:
            if self._wants("dvr_deleted_fragments"):
                begins = await root.syncer.do(begins_of, blobs)
            removals = await root.syncer.do(remove_blobs, blobs, root.uuid or "", root.holds, root.files)
        except Exception as failure:
            error = self._understood(failure, path)
            removals = [Removal(Left.ALL, error)] * len(blobs)
        gone, back = [], []
        for item, removal in zip(items, removals, strict=True):
            left = {Left.ALL: item.size, Left.SOME: min(item.size, item.blob.index_size), Left.NOTHING: 0}[removal.left]
            outcome.freed, item.size = outcome.freed + item.size - left, left
            if removal.left is not Left.ALL:
                for part in recorded(item.blob):
                    outcome.gone.add(part)
            if removal.error is None:
                gone.append(item)
                self._free(path, item.blob.stream)
                self._tell_deleted(item, item.blob.disk_size, begins.get(item.blob, ()))
                continue
            error = as_error(removal.error, item.blob.path)
            outcome.fail(error)
            if is_in_use(error):
                self._taken(path, item.blob.stream, error)
            if removal.left is Left.ALL and item.listable:
                back.append(item)
            else:
                self._keep(item, error)
        if outcome.error is None or gone:
            self._worked(path)
        elif not is_in_use(outcome.error):
            self._failed(path, outcome.error)
        self._put_aside(back)
        await self._give_back(back)
        await self._forget(path, gone)
        return outcome

    async def _cut(self, item: _Item) -> Outcome:
        """Cut parts out of a blob whose row is marked."""
        blob, archive, root = item.blob, item.archive, self._root(item.blob.root)
        assert item.cut is not None
        locks = tuple(archive.locks.within(blob.range))  # also those that came meanwhile
        cut = Cut(item.cut.unwanted, locks, item.cut.reach)
        try:
            result: Trimmed = await root.syncer.do(trim_held, blob, root.uuid or "", root.holds, cut, root.files)
        except Exception as failure:
            error = self._understood(failure, blob.path)
            if is_in_use(error):
                self._taken(blob.root, blob.stream, error)
            elif error.kind is not Kind.CORRUPT and not is_full(failure):
                self._failed(blob.root, error)  # else it is this blob's index, or only that cutting needs room
            self._put_aside([item])
            await self._give_back([item])
            return Outcome(error=error)
        self._free(blob.root, blob.stream)
        if result.empty:
            item.cut, item.size = None, blob.disk_size
            blob.state = BlobState.DELETING
            return await self._delete_batch(blob.root, [item])
        before, holes = blob.disk_size, RangeSet(blob.holes)
        gone = recorded(blob)
        archive.trimmed(blob, result.holes, result.freed, result.index_size)
        for part in recorded(blob):
            gone.subtract(part)
        outcome = Outcome(before - blob.disk_size, gone)
        if before != blob.disk_size or holes != RangeSet(blob.holes):
            self._tell_deleted(item, before - blob.disk_size, result.begins_ms)
        if result.error is not None:
            outcome.error = as_error(result.error, blob.path)
            item.cut, item.size = Cut(), max(0, item.size - outcome.freed)
            if not is_full(result.error):
                self._failed(blob.root, outcome.error)
            self._keep(item, outcome.error)
            return outcome
        self._worked(blob.root)
        await self._forget(blob.root, [item])
        return outcome

    async def _forget(self, path: str, items: Sequence[_Item]) -> None:
        """The last step: the rows of what is gone go, those of what was cut are written."""
        for item in items:
            self._end(item)
        whole = [item for item in items if item.cut is None]
        parts = [item for item in items if item.cut is not None]
        for item in parts:
            item.blob.state = item.before
        try:
            if whole:
                await self._blobs.delete([item.blob.id for item in whole])
            if parts:
                await self._blobs.update([item.blob for item in parts])
        except Exception as failure:
            self._failed(CATALOG, self._understood(failure, "the catalog"))
            self._rows.setdefault(path, []).extend(items)

    # -- ways back --------------------------------------------------------------------------------------------

    async def _give_back(self, items: Sequence[_Item]) -> None:
        """
        Nothing of these was deleted: they are listed as before. Their state is as before once the catalog says so too,
        and until then nobody chooses them.
        """
        for item in items:
            self._end(item)
            if not item.listed:
                item.archive.add_all([item.blob])
                item.listed = True
        for state in {item.before for item in items}:
            some = [item for item in items if item.before is state]
            try:
                await self._blobs.mark([item.blob.id for item in some], state)
            except Exception as failure:
                self._failed(CATALOG, self._understood(failure, "the catalog"))
                for item in some:
                    self._unmarked.setdefault(item.blob.root, []).append(item)
            else:
                for item in some:
                    item.blob.state = state

    def _put_aside(self, items: Sequence[_Item]) -> None:
        """Other blobs are tried before these for a while: it may be their files, not the disk."""
        for item in items:
            delay = min(2 * self._aside.get(item.blob, (0.0, RETRY_S))[1], RETRY_MAX_S)
            self._aside[item.blob] = self._seconds() + delay, delay

    def _keep(self, item: _Item, error: DvrError) -> None:
        """Something remains of what is gone: try again later."""
        item.retry_at = self._seconds() + item.delay
        item.delay = min(item.delay * 2, RETRY_MAX_S)
        self._left.setdefault(item.blob.root, []).append(item)
        if item.delay == 2 * RETRY_S:
            self._left_behind.of(item.blob.root).error(
                error.code, "{path} can't be removed altogether: {error}", path=item.blob.path, error=error
            )

    def tend(self) -> None:
        """Try again what is due; called each second."""
        if self.is_blocked(CATALOG):
            return
        for path in {*self._left, *self._unmarked, *self._rows} - self._tending:
            due = [item for item in self._left.get(path, ()) if item.retry_at <= self._seconds()]
            if due or self._unmarked.get(path) or self._rows.get(path):
                self._tending.add(path)
                done: Deferred[None] = Deferred.fromCoroutine(self._tend(path, due))
                done.addErrback(lambda failure: self._bugs.failure(raised_at(failure), "deleting", failure))

    async def _tend(self, path: str, due: Sequence[_Item]) -> None:
        try:
            await self._forget(path, self._rows.pop(path, []))
            await self._give_back(self._unmarked.pop(path, []))
            self._left[path] = [item for item in self._left.get(path, ()) if item not in due]
            whole = [item for item in due if item.cut is None]
            if whole:
                await self._remove(path, whole)
            for item in due:
                if item.cut is not None:
                    await self._cut(item)
        finally:
            self._tending.discard(path)

    # -- what is said about it --------------------------------------------------------------------------------

    def _understood(self, failure: Exception, where: str) -> DvrError:
        if not isinstance(failure, OSError | DvrError):
            bug = Failure()  # type: ignore[no-untyped-call]
            self._bugs.failure(raised_at(bug), "deleting on {where}", bug, where=where)
        return as_error(failure, where)

    def _failed(self, path: str, error: DvrError) -> None:
        """A root, or the catalog, refuses deletions: leave it alone for a while."""
        now, before = self._seconds(), self.troubles.get(path)
        if before is not None and now < before.until:
            return
        delay = RETRY_S if before is None else min(before.delay * 2, RETRY_MAX_S)
        self.troubles[path] = Trouble(error, now + delay, delay)
        if before is None:
            self._refusals.of(path).error(
                error.code, "nothing can be deleted on {path}: {error}", path=path or "any root", error=error
            )
            self._on_event(DvrDeletionFailed(path=path, reason=error.code, error=error.title))

    def _worked(self, path: str) -> None:
        if self.troubles.pop(path, None) is not None:
            self._refusals.over(path, "deletions on {path} work again", path=path or "all roots")
            self._on_event(DvrDeletionResumed(path=path))

    def _taken(self, path: str, stream: str, error: DvrError) -> None:
        """Another process has a stream on a root: its recordings there are left alone for a while."""
        now, before = self._seconds(), self._in_use.get((path, stream))
        if before is not None and now < before.until:
            return
        delay = RETRY_S if before is None else min(before.delay * 2, RETRY_MAX_S)
        self._in_use[path, stream] = Trouble(error, now + delay, delay)
        if before is None:
            self.log.error("nothing of {stream} is deleted on {path}: {error}", stream=stream, path=path, error=error)
            self._on_event(DvrStreamInUse(media=stream, path=path, error=error.title))

    def _free(self, path: str, stream: str) -> None:
        if self._in_use.pop((path, stream), None) is not None:
            self.log.info("recordings of {stream} on {path} can be deleted again", stream=stream, path=path)

    def _tell_deleted(self, item: _Item, size: int, begins_ms: Sequence[int]) -> None:
        if item.reason is None:
            return  # nobody need be told: there was nothing in it
        blob = item.blob
        deleted = DvrBlobDeleted(
            media=blob.stream,
            blob=blob.path,
            path=blob.root,
            disk_size=size,
            reason=item.reason,
            reason_text=REASONS[item.reason],
        )
        self._on_event(deleted)
        if len(begins_ms) and self._wants(DvrDeletedFragments.event):
            utcs = tuple(begin_ms // 1000 for begin_ms in begins_ms)
            self._on_event(DvrDeletedFragments(media=blob.stream, path=blob.root, utcs=utcs))


def is_full(failure: Exception) -> bool:
    """Whether it is the disk that is full: other blobs can still be deleted."""
    return isinstance(failure, OSError) and failure.errno in (ENOSPC, EDQUOT)


def is_in_use(error: DvrError) -> bool:
    """Whether it is one stream that can't be deleted from, as another process has it."""
    return error.code == "in_use"


def is_closed(blob: Blob) -> bool:
    """Neither being recorded nor being changed."""
    return blob.state in (BlobState.CLOSED, BlobState.SUSPECT)


def is_locked(archive: LocalStreamArchive, blob: Blob) -> bool:
    """Whether any part of what is recorded in a blob is locked."""
    return any(recorded(blob).within(lock) for lock in archive.locks.within(blob.range))


def recorded(blob: Blob) -> RangeSet:
    """What is recorded in a blob."""
    left = RangeSet([blob.range])
    for hole in blob.holes:
        left.subtract(hole)
    return left


def share_of(blob: Blob, cut: Cut) -> int:
    """About how many bytes of a blob a cut frees."""
    unwanted = RangeSet(item for item in cut.unwanted if item.duration_ms > 0).within(blob.range)
    return int(blob.disk_size * min(1.0, unwanted.duration_ms / max(1, recorded(blob).duration_ms)))


def begins_of(blobs: Iterable[Blob]) -> dict[Blob, list[int]]:
    """When the fragments of blobs begin, in a thread of their disk; of a damaged index nothing."""
    found = {}
    for blob in blobs:
        try:
            found[blob] = FragmentTable(read_index(blob.index_path)).begin_ms.tolist()
        except (OSError, FormatError, DvrError):
            continue
    return found


async def all_of(work: Iterable[Awaitable[T]]) -> Iterator[T]:
    """The results of all of it, side by side."""

    async def result(one: Awaitable[T]) -> T:
        return await one

    results: list[tuple[bool, Any]] = await DeferredList(
        [Deferred.fromCoroutine(result(one)) for one in work], consumeErrors=True
    )
    for good, value in results:
        if not good:
            value.raiseException()
    return iter([value for _, value in results])

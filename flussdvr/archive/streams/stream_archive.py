# -*- test-case-name: tests.archive.streams.test_stream_archive -*-
"""
The archive of one stream, answered from RAM.

    blobs    [ 17h ][ 18h ][ 19h ]   gap   [ 20h | growing
    ranges   [--------------------)        [--------)      neighbours joined; what is listed is written

The recorder adds a blob when its first fragment has been written and grows it with each; retention takes blobs away.
Only in the reactor thread.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from operator import attrgetter

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.misdated import Aside
from flussdvr.archive.streams.index_cache import IndexCache, read_table
from flussdvr.body.file import BodyFile
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range, RangeSet

JOIN_MS = 2
"""Blobs that miss each other by this much do so by rounding to milliseconds."""

_begin = attrgetter("begin_ms")
_end = attrgetter("end_ms")


class LocalStreamArchive:
    """
    What is recorded of the stream `name`; `locks` are the ranges that expiry leaves alone.

    `file_of(blob, suffix)` is one of the blob's files, on its root. `misdating` says of a blob that is to be listed
    whether its date is wrong: then it is set aside.
    """

    def __init__(
        self,
        name: str,
        indexes: IndexCache,
        file_of: Callable[[Blob, str], BodyFile],
        blobs: Iterable[Blob] = (),
        misdating: Callable[[Blob], Aside | None] = lambda blob: None,
    ) -> None:
        self.name = name
        self.locks = RangeSet()
        self.size = 0
        """Bytes on the disk, indexes included."""
        self.discontinuity = 0
        """The highest number of a discontinuity that any blob has had; it outlives the blob."""
        self.additions = 0
        """How often blobs were listed."""
        self.trims = 0
        """How often parts of blobs were deleted."""
        self._indexes = indexes
        self._file_of = file_of
        self.misdated: dict[Blob, Aside] = {}
        """What is set aside: kept, and not listed."""
        self._misdating = misdating
        self._blobs: list[Blob] = []
        self._roots: Counter[str] = Counter()
        self._ranges: RangeSet | None = None
        self._subscribers: list[Callable[[Blob], None]] = []
        self.add_all(blobs)

    # -- questions --------------------------------------------------------------------------------------------

    def ranges(self, within: Range | None = None) -> RangeSet:
        """What is recorded, all or `within` a range; O(log n + ranges in the answer)."""
        ranges = self._all()
        return ranges.copy() if within is None else ranges.within(within)

    def overlapping(self, window: Range) -> RangeSet:
        """What is recorded that overlaps the window, whole; O(log n + ranges in the answer)."""
        return self._all().overlapping(window)

    def blobs(self, within: Range | None = None) -> list[Blob]:
        """The blobs that have a part `within` the range, in order; all for `None`."""
        if within is None:
            return self._blobs[:]
        first = bisect_right(self._blobs, within.begin_ms, key=_end)
        last = bisect_left(self._blobs, within.end_ms, key=_begin)
        return self._blobs[first:last]

    @property
    def bounds(self) -> Range | None:
        """From the first moment recorded to the last."""
        if not self._blobs:
            return None
        if self._blobs[0].holes or self._blobs[-1].holes:
            return self.ranges().bounds
        return Range(self._blobs[0].begin_ms, self._blobs[-1].end_ms)

    def gaps(self, within: Range | None = None) -> list[tuple[Range, str]]:
        """
        What is missing between the recorded ranges, and why: `deleted`, or what the recorder was told. All, or those
        that overlap `within`, whole.
        """
        ranges = self._all()
        gaps = (ranges if within is None else ranges.around(within)).gaps()
        if (bounds := gaps.bounds) is None:
            return []
        first = bisect_left(self._blobs, bounds.begin_ms, key=_begin)
        blobs = self._blobs[first : bisect_right(self._blobs, bounds.end_ms, key=_begin)]
        begins = [blob.begin_ms for blob in blobs]
        found = []
        for gap in gaps:
            index = bisect_left(begins, gap.end_ms - JOIN_MS)
            follows = index < len(begins) and begins[index] <= gap.end_ms
            found.append((gap, (blobs[index].after if follows else None) or "deleted"))
        return found

    @property
    def end_ms(self) -> int:
        """End of what is recorded; 0 if nothing is."""
        return self._blobs[-1].end_ms if self._blobs else 0

    def by_age(self) -> list[tuple[int, Blob]]:
        """
        (when it was recorded, blob) of all, oldest first. What is misdated by nobody knows how much comes behind what
        the catalog has of before it.
        """
        listed = [(blob.end_ms, blob) for blob in self._blobs]
        if not self.misdated:
            return listed
        known = [(blob.end_ms + one.shift_ms, blob) for blob, one in self.misdated.items() if one.shift_ms is not None]
        by_id = sorted((blob.id, at_ms) for at_ms, blob in [*listed, *known])
        ids, latest = [id for id, _ in by_id], list(accumulate((at_ms for _, at_ms in by_id), max, initial=0))
        unknown = [
            (latest[bisect_left(ids, blob.id)], blob) for blob, one in self.misdated.items() if one.shift_ms is None
        ]
        return sorted([*listed, *known, *unknown], key=lambda pair: pair[0])

    @property
    def roots(self) -> set[str]:
        """Where its blobs are: more than one after its DVR root was changed."""
        return set(self._roots)

    def next_blob(self, blob: Blob) -> Blob | None:
        """The one that follows."""
        index = bisect_right(self._blobs, blob.begin_ms, key=_begin)
        return self._blobs[index] if index < len(self._blobs) else None

    def blob_before(self, utc_ms: int) -> Blob | None:
        """The last one that begins before `utc_ms`."""
        index = bisect_left(self._blobs, utc_ms, key=_begin)
        return self._blobs[index - 1] if index else None

    def onward(self, utc_ms: int) -> Iterator[Blob]:
        """
        The blobs that end after `utc_ms`, in order. The list may change meanwhile: each is looked for when it is
        asked for, and begins later than the one before, so that this ends.
        """
        index = bisect_right(self._blobs, utc_ms, key=_end)
        blob = self._blobs[index] if index < len(self._blobs) else None
        while blob is not None:
            yield blob
            blob = self.next_blob(blob)

    def __len__(self) -> int:
        return len(self._blobs)

    def __bool__(self) -> bool:
        return True

    async def table(self, blob: Blob, keep: bool = True) -> FragmentTable:
        """
        The blob's fragments, at least as far as they are listed now; `keep` as in `IndexCache.table`.

        Belongs to the reactor thread, where it grows. DvrError NOT_FOUND if the blob has gone, CORRUPT, UNAVAILABLE.
        """
        return await self._indexes.table(blob, keep)

    def reading_again(self, blob: Blob) -> Callable[[], FragmentTable]:
        """
        What reads the table of all fragments that the blob has then: in a thread of the worker of `file(blob)`. It
        raises as `table`.
        """
        return partial(read_table, blob.index_path)

    def file(self, blob: Blob, suffix: str = ".mp4") -> BodyFile:
        """The recording itself, or another of the blob's files (`SUFFIXES`); it need not be there."""
        return self._file_of(blob, suffix)

    def subscribe(self, subscriber: Callable[[Blob], None]) -> Callable[[], None]:
        """Call `subscriber` with each blob that has grown or been closed; the result ends that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    # -- changes ----------------------------------------------------------------------------------------------

    def add_all(self, blobs: Iterable[Blob]) -> None:
        """List many blobs, without telling anybody."""
        self.additions += 1
        new = list(blobs)
        aside = {blob: one for blob in new if (one := self._misdating(blob)) is not None}
        self.misdated.update(aside)
        self._blobs += [blob for blob in new if blob not in aside] if aside else new
        self._roots.update([blob.root for blob in new])
        self.size += sum([blob.size + blob.index_size - blob.freed for blob in new])
        self.discontinuity = max([self.discontinuity, *(blob.discontinuity for blob in new)])
        self._blobs.sort(key=_begin)
        self._ranges = None

    def add(self, blob: Blob) -> None:
        """List a blob."""
        self.additions += 1
        aside = self.misdated.get(blob) or (self._misdating(blob) if blob.closed else None)
        if aside is not None:
            self.misdated[blob] = aside
            self._roots[blob.root] += 1
            self.size += blob.disk_size
            return
        insort(self._blobs, blob, key=_begin)
        self._roots[blob.root] += 1
        self.size += blob.disk_size
        self.discontinuity = max(self.discontinuity, blob.discontinuity)
        if blob is self._blobs[-1] and self._ranges is not None:
            self._list(len(self._blobs) - 1)
        else:
            self._ranges = None
        self._tell(blob)

    def grow(self, blob: Blob, end_ms: int, size: int, index_size: int) -> None:
        """More of a blob has been written; O(log n)."""
        self.size += size + index_size - blob.size - blob.index_size
        blob.end_ms, blob.size, blob.index_size = end_ms, size, index_size
        if blob in self.misdated:
            return
        if self._ranges is not None:
            if blob is self._blobs[-1]:
                self._list(len(self._blobs) - 1)
            else:
                self._ranges = None
        self._tell(blob)

    def trimmed(self, blob: Blob, holes: tuple[Range, ...], freed: int, index_size: int) -> None:
        """Parts of a blob were deleted: its index is another now."""
        self.size -= blob.disk_size
        if holes and holes[-1].end_ms >= blob.end_ms:  # nothing will follow: the blob ends earlier now
            blob.end_ms, holes = holes[-1].begin_ms, holes[:-1]
        blob.holes, blob.freed, blob.index_size = holes, freed, index_size
        self.size += blob.disk_size
        self.trims += 1
        self._ranges = None
        self._indexes.forget([blob])

    def set_aside(self, blob: Blob, aside: Aside) -> None:
        """A blob's date is wrong: it is listed no more, and stays where it is."""
        self.misdated[blob] = aside
        if blob in self._blobs:
            self._blobs.remove(blob)
            self._ranges = None

    def restore(self, blob: Blob) -> None:
        """A blob's date was right: it is listed again."""
        if self.misdated.pop(blob, None) is not None:
            insort(self._blobs, blob, key=_begin)
            self._ranges = None

    def closed(self, blob: Blob) -> None:
        """The blob will not grow any more."""
        self._tell(blob)

    def remove(self, blobs: Sequence[Blob]) -> None:
        """Take blobs off the list; their files may then be deleted."""
        gone = set(blobs).intersection([*self._blobs, *self.misdated])
        for blob in gone.intersection(self.misdated):
            del self.misdated[blob]
        self.size -= sum(blob.disk_size for blob in gone)
        self._roots -= Counter(blob.root for blob in gone)
        self._blobs = [blob for blob in self._blobs if blob not in gone]
        self._ranges = None
        self._indexes.forget(blobs)

    def twins(self, blob: Blob) -> list[Blob]:
        """The same recording on other roots: a disk was copied, or lost its marker."""
        first, last = (find(self._blobs, blob.begin_ms, key=_begin) for find in (bisect_left, bisect_right))
        return [one for one in self._blobs[first:last] if one.root != blob.root]

    def moved(self, before: str, root: str) -> None:
        """The disk of a root is mounted elsewhere."""
        for blob in [*self._blobs, *self.misdated]:
            if blob.root == before:
                blob.root = root
                self._roots[root] += 1
                self._roots[before] -= 1
        self._roots += Counter()  # without those that have none
        self._indexes.forget(self._blobs)

    def _all(self) -> RangeSet:
        """What is recorded; not for others, it grows."""
        if self._ranges is None:
            self._ranges = self._joined()
        return self._ranges

    def _joined(self) -> RangeSet:
        """As `_list` says it of one blob after the other; blobs that follow each other are put in as one range."""
        ranges = RangeSet()
        run: tuple[int, int] | None = None
        before_ms: int | None = None
        for blob in self._blobs:
            begin_ms, end_ms = blob.begin_ms, blob.end_ms
            if before_ms is not None and before_ms < begin_ms <= before_ms + JOIN_MS:
                begin_ms = before_ms
            before_ms = end_ms
            if run is not None and run[0] <= begin_ms <= run[1]:
                run = run[0], max(run[1], end_ms)
            else:
                if run is not None:
                    ranges.add(Range(*run))
                run = begin_ms, max(begin_ms, end_ms)
            if blob.holes:
                ranges.add(Range(*run))
                run = None
                for hole in blob.holes:
                    ranges.subtract(hole)
        if run is not None:
            ranges.add(Range(*run))
        return ranges

    def _list(self, index: int) -> None:
        blob = self._blobs[index]
        begin_ms = blob.begin_ms
        if index:
            before_ms = self._blobs[index - 1].end_ms
            if before_ms < begin_ms <= before_ms + JOIN_MS:
                begin_ms = before_ms
        if self._ranges is not None:
            self._ranges.add(Range(begin_ms, max(begin_ms, blob.end_ms)))
            for hole in blob.holes:
                self._ranges.subtract(hole)

    def _tell(self, blob: Blob) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(blob)

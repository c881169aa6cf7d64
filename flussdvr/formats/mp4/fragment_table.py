"""
The fragment table: a blob's index, as columns.

    index   ftyp moov [uuid] ( moof mdat-header | free-header | skip-header )*
                               one row of offset, size, head_size, begin_ms, end_ms, sync

A light loop hops over the headers (`index_headers`); everything else is gathered by numpy from the canonical layout of
the `moof` (`sample_table`), or parsed one by one where the layout is another.

Fragments tile time.  A fragment begins when its first video sample is shown, if that is a sync sample; else when that
sample is decoded, plus the composition offset of the latest sync sample: reordering moves pictures inside the group,
not the group.  Without video it begins with its first run.  It ends where the next one begins; the last one, and one
before a deleted span, when the durations of its samples are over.

ISO/IEC 14496-12 §8.8; segments: RFC 8216 §3.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.boxes import Buffer
from flussdvr.formats.mp4.fmp4 import (
    DAMAGED,
    DURATION,
    MOOF,
    NON_SYNC_BIT,
    SIZE,
    TRAF,
    BlobInfo,
    TrackDefaults,
    parse_fragment,
    parse_init,
)
from flussdvr.formats.mp4.index_headers import DamagedIndex, Headers, init_size, read_headers
from flussdvr.formats.mp4.sample_table import (
    RUN,
    STRIDES,
    Bools,
    Ints,
    Records,
    SampleTable,
    Words,
    first_cto,
    gather_runs,
    read_column,
    read_samples,
    rows_of,
    run_sizes,
    words,
)
from flussdvr.media import Track

__all__ = ["DamagedIndex", "FragmentTable", "SampleTable", "Segments"]

DEFAULT_SEGMENT_MS = 5000
MAX_SECONDS = 1 << 40
"""The latest UTC that is accepted; no real date lies beyond it."""
_MOOF = int.from_bytes(b"moof")
_NO_INTS: Ints = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Segments:
    """
    Columns over the segments of a blob.

    `first` and `count`: fragments; `begin_ms`, `end_ms`: UTC; `offset` and `size`: bytes of the blob; `sequence`: media
    sequence number; `complete`: no fragment will be added to it.
    """

    first: Ints
    count: Ints
    begin_ms: Ints
    end_ms: Ints
    offset: Ints
    size: Ints
    sequence: Ints
    complete: Bools

    def __len__(self) -> int:
        return len(self.first)


class FragmentTable:
    """
    The fragments of one blob, from its index or the beginning of it.

    `init`: the init segment; `tracks`; `reference`: the track that dates the fragments; `info`: whose the blob is;
    `consumed`: how many bytes of the index are in the table; `blob_size`: where the blob's next fragment would begin.

    Per fragment: `offset`, `size` and `head_size` (`moof` and `mdat` header) in bytes of the blob, `begin_ms` and
    `end_ms` UTC, `sync`: playback may begin there. Rows are only ever added, and only `end_ms` of the last row
    changes when they are.
    """

    def __init__(self, index: Buffer = b"") -> None:
        """Raises `DamagedIndex` as `extend` does; to keep what is good of such an index, begin empty and extend."""
        self.init = b""
        self.tracks: tuple[Track, ...] = ()
        self.reference: Track | None = None
        self.info = BlobInfo("", DEFAULT_SEGMENT_MS)
        self.consumed = 0
        self.blob_size = 0
        self.offset, self.size, self.head_size = _NO_INTS, _NO_INTS, _NO_INTS
        self.begin_ms, self.end_ms = _NO_INTS, _NO_INTS
        self.sync: Bools = np.empty(0, np.bool_)
        self._defaults: Mapping[int, TrackDefaults] = {}
        self._bytes: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._filled = 0
        self._runs: Records = np.empty(0, RUN)
        self._shift: int | None = None
        self._until_ms: dict[int, int | None] = {}
        if len(index):
            self.extend(index)

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def nbytes(self) -> int:
        """What the table holds in memory."""
        columns = (self.offset, self.size, self.head_size, self.begin_ms, self.end_ms, self.sync, self._runs)
        return self._bytes.nbytes + sum(column.nbytes for column in columns) + len(self.init)

    def extend(self, more: Buffer) -> None:
        """
        Add the index bytes from `consumed` on; an incomplete end is left for the next time.

        Raises `DamagedIndex` where they are no index; what is in front of that has been added.
        """
        data = memoryview(more).cast("B")
        at = 0 if self.init else self._begin(data)
        if not self.init:
            return
        headers = read_headers(data, at, not len(self))
        if headers.info is not None:
            self.info = headers.info
        self.blob_size += headers.info_size
        self._add(data, headers)
        self.consumed += headers.at
        if headers.damage is not None:
            raise DamagedIndex(self.consumed, headers.damage)

    def _begin(self, data: memoryview) -> int:
        """Take the init segment, once all of it is there; returns its size."""
        size = init_size(data)
        if size:
            try:
                init = parse_init(data[:size])
            except FormatError as error:
                raise DamagedIndex(0, str(error)) from None
            self.tracks, self._defaults = init.tracks, init.defaults
            in_order = sorted(self.tracks, key=lambda track: not track.is_video)
            self.reference = in_order[0] if in_order else None
            self.init = bytes(data[:size])
            self.blob_size = size
        return size

    def _add(self, data: memoryview, headers: Headers) -> None:
        """Rows for what was hopped over; where one of them turns out to be damaged, `headers` are cut."""
        count = len(headers)
        holes = np.zeros(count + 1, np.int64)
        ends = np.full(count + 1, -1, np.int64)
        for row, length, from_ms, until_ms in headers.holes:
            holes[row] += length
            self._until_ms[len(self) + row] = until_ms
            if from_ms is not None and ends[row] < 0:
                ends[row] = from_ms
        if count:
            moofs, moof_sizes, mdat_sizes = np.array(headers.fragments, np.int64).reshape(-1, 3).T
            size = moof_sizes + mdat_sizes
            offset = self.blob_size + np.cumsum(size + holes[:-1]) - size
            runs = self._gather(data[: headers.at], headers, moofs, moof_sizes, offset)
            runs = self._cut(runs, headers, moofs)
            count = len(headers)
            if count:
                self._commit(runs, offset[:count], size[:count], moof_sizes[:count] + 8)
                self.blob_size = int(offset[count - 1] + size[count - 1])
        self.blob_size += int(holes[count])
        self._set_ends(ends[: count + 1])

    def _set_ends(self, ends: Ints) -> None:
        """`ends`, where it is not -1: when the fragment in front of each of the last ones was over, as is on record."""
        at = np.flatnonzero(ends >= 0)
        at = at[len(self) - len(ends) + at >= 0]
        rows = len(self) - len(ends) + at
        self.end_ms[rows] = np.maximum(ends[at], self.begin_ms[rows])

    def _gather(self, data: memoryview, headers: Headers, moofs: Ints, moof_sizes: Ints, offset: Ints) -> Records:
        """The runs of the new fragments; fragments of another layout than the canonical are parsed singly."""
        base = self._keep(data)
        runs, strange = gather_runs(words(self._bytes[: self._filled]), base + moofs, moof_sizes)
        if strange.any():
            parsed = [runs]
            for row in np.flatnonzero(strange).tolist():
                moof = data[moofs[row] : moofs[row] + moof_sizes[row]]
                try:
                    fragment = parse_fragment(moof, self._defaults, int(offset[row]))
                    records, rows = rows_of(fragment.runs, row, self._filled)
                except FormatError as error:
                    headers.cut(row, str(error))
                    break
                self._keep(memoryview(rows))
                parsed.append(records)
            runs = np.concatenate(parsed)
            runs = runs[np.argsort(runs["fragment"], kind="stable")]
        return runs[np.isin(runs["track_id"], [track.id for track in self.tracks])]

    def _cut(self, runs: Records, headers: Headers, moofs: Ints) -> Records:
        """Cut `headers` at the first fragment that has no samples or no possible date."""
        count = len(headers)
        bad = np.ones(len(moofs), np.bool_)
        bad[runs["fragment"]] = False
        bad[runs["fragment"][runs["dts"] // self._timescales(runs) >= MAX_SECONDS]] = True
        if bad[:count].any():
            count = int(np.argmax(bad))
            headers.cut(count, "fragment without samples or date")
        return runs[runs["fragment"] < count]

    def _timescales(self, runs: Records) -> Ints:
        scales = np.ones(len(runs), np.int64)
        for track in self.tracks:
            scales[runs["track_id"] == track.id] = track.timescale
        return scales

    def _keep(self, data: memoryview) -> int:
        """Append to the bytes that runs refer to; returns where. Room is doubled, so tailing costs what is new."""
        base = self._filled
        self._filled += len(data)
        if self._filled > len(self._bytes):
            room = np.empty(max(self._filled, 2 * base), np.uint8)
            room[:base] = self._bytes[:base]
            self._bytes = room
        self._bytes[base : self._filled] = np.frombuffer(data, np.uint8)
        return base

    def _commit(self, runs: Records, offset: Ints, size: Ints, head_size: Ints) -> None:
        word, old = words(self._bytes[: self._filled]), len(self)
        count = len(offset)
        anchors = self._anchors(runs, count)
        timescales = self._timescales(anchors)
        sync, shift = self._dates(word, anchors)
        begin = anchors["dts"] + shift
        begin_ms = _to_ms(begin, timescales)
        end_ms = np.empty(count, np.int64)
        np.maximum(begin_ms[1:], begin_ms[:-1], out=end_ms[:-1])
        open_ended = np.flatnonzero(np.append(offset[1:] != offset[:-1] + size[:-1], True))
        last = anchors[open_ended]
        lengths = np.add.reduceat(read_column(word, last, DURATION), np.cumsum(last["count"]) - last["count"])
        end_ms[open_ended] = _to_ms(begin[open_ended] + lengths, timescales[open_ended])
        if old and self.offset[-1] + self.size[-1] == offset[0]:
            self.end_ms[-1] = max(self.begin_ms[-1], begin_ms[0])
        runs["fragment"] += old
        self._runs = np.concatenate((self._runs, runs)) if old else runs
        self.size = np.append(self.size, size)
        self.head_size = np.append(self.head_size, head_size)
        self.begin_ms = np.append(self.begin_ms, begin_ms)
        self.end_ms = np.append(self.end_ms, end_ms)
        self.sync = np.append(self.sync, sync)
        self.offset = np.append(self.offset, offset)

    def _anchors(self, runs: Records, count: int) -> Records:
        """The run that dates each fragment: the first of the reference track, else the first."""
        anchor = np.searchsorted(runs["fragment"], np.arange(count))
        if self.reference is not None:
            of_reference = np.flatnonzero(runs["track_id"] == self.reference.id)[::-1]
            anchor[runs["fragment"][of_reference]] = of_reference
        return runs[anchor]

    def _dates(self, word: Words, anchors: Records) -> tuple[Bools, Ints]:
        """Which fragments begin with a sync sample, and what shifts their first decode time to their beginning."""
        assert self.reference is not None
        if not self.reference.is_video:
            return np.ones(len(anchors), np.bool_), np.zeros(len(anchors), np.int64)
        ours = anchors["track_id"] == self.reference.id
        sync: Bools = ours & (anchors["first_flags"] & NON_SYNC_BIT == 0)
        cto = first_cto(word, anchors)
        latest = np.maximum.accumulate(np.where(sync, np.arange(len(anchors)), -1))
        shift = np.where(latest >= 0, cto[latest], cto if self._shift is None else self._shift)
        if latest[-1] >= 0:
            self._shift = int(cto[latest[-1]])
        return sync, np.where(ours, shift, 0)

    def damaged(self, first: int = 0, stop: int | None = None) -> list[int]:
        """The fragments of `[first, stop)` of which samples are marked as damaged, in order."""
        runs = self._runs
        marked = runs["fragment"][(runs["flags"] | runs["first_flags"]) & DAMAGED != 0]
        stop = len(self) if stop is None else stop
        rows: list[int] = np.unique(marked[(marked >= first) & (marked < stop)]).tolist()
        return rows

    def stretches(self, first: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
        """
        `[first, stop)` in stretches without a deleted span in between, each as far as it can be shown: what follows a
        deleted span is shown from its first sync fragment on.
        """
        stop = len(self) if stop is None else stop
        offset, size = self.offset[first:stop], self.size[first:stop]
        breaks = (np.flatnonzero(offset[1:] != offset[:-1] + size[:-1]) + first + 1).tolist()
        found = []
        for begin, end in zip([first, *breaks], [*breaks, stop], strict=True):
            if begin in self._until_ms:
                begin = self._first_sync(begin, end)
            if begin < end:
                found.append((begin, end))
        return found

    def _first_sync(self, first: int, stop: int) -> int:
        """The first sync fragment of `[first, stop)`, or `stop`."""
        rows = np.flatnonzero(self.sync[first:stop])
        return first + int(rows[0]) if len(rows) else stop

    def segments(self, closed: bool = False) -> Segments:
        """
        The segments: a new one begins at the first sync fragment that begins `segment_ms` or more after the one before.

        `closed`: the blob will not grow, so its last segment is complete. None reaches over a deleted span. Of one in
        which such a span ends, what follows the span is a segment from its first sync fragment on, if it has one; the
        segments after it begin where they did before.
        """
        firsts, stops, _ = self._segment_rows()
        first, after = np.array(firsts, np.int64), np.array(stops, np.int64)
        complete = np.ones(len(first), np.bool_)
        complete[-1:] = closed
        last = after - 1
        return Segments(
            first,
            after - first,
            self.begin_ms[first],
            self.end_ms[last],
            self.offset[first],
            self.offset[last] + self.size[last] - self.offset[first],
            self.info.sequence + np.arange(len(first)),
            complete,
        )

    def segment_end(self, row: int) -> int | None:
        """
        When (UTC ms) the segment is over in whose middle a fragment is; `None` for the first fragment of one. What
        follows a hole in a segment is the middle of it, whether it can be shown or not.
        """
        firsts, _, tails = self._segment_rows()
        begins = sorted(set(firsts).difference(tails))
        at = bisect_left(begins, row)
        if at < len(begins) and begins[at] == row:
            return None
        apart = np.flatnonzero(self.offset[row + 1 :] != self.offset[row:-1] + self.size[row:-1])
        stop = row + 1 + int(apart[0]) if len(apart) else len(self)
        return int(self.begin_ms[begins[at]]) if at < len(begins) and begins[at] < stop else int(self.end_ms[stop - 1])

    def _segment_rows(self) -> tuple[list[int], list[int], list[int]]:
        """First rows of the segments, the rows behind their last ones; and which of the first begin behind a hole."""
        count = len(self)
        breaks = (np.flatnonzero(self.offset[1:] != self.offset[:-1] + self.size[:-1]) + 1).tolist()
        candidates = np.flatnonzero(self.sync)
        begins = np.maximum.accumulate(self.begin_ms[candidates]).tolist() if len(candidates) else []
        rows = candidates.tolist()
        firsts: list[int] = []
        stops: list[int] = []
        tails: list[int] = []
        for start, stop in zip([0, *breaks], [*breaks, count], strict=True):
            following = start
            if start in self._until_ms:
                until_ms = self._until_ms[start]
                if until_ms is not None:
                    times = np.maximum.accumulate(self.begin_ms[start:stop])
                    following = start + int(np.searchsorted(times, until_ms))
                    if (tail := self._first_sync(start, following)) < following:
                        tails.append(tail)
                        firsts.append(tail)
                        stops.append(following)
                following = self._first_sync(following, stop)
            while following < stop:
                firsts.append(following)
                at = bisect_left(rows, following + 1)
                at = bisect_left(begins, int(self.begin_ms[following]) + self.info.segment_ms, at)
                following = min(rows[at], stop) if at < len(rows) else stop
                stops.append(following)
        return firsts, stops, tails

    def track(self, track_id: int) -> Track:
        """The track of that id. Raises `KeyError`."""
        for track in self.tracks:
            if track.id == track_id:
                return track
        raise KeyError(track_id)

    @property
    def present(self) -> tuple[Track, ...]:
        """The tracks that have samples."""
        return tuple(track for track in self.tracks if (self._runs["track_id"] == track.id).any())

    def runs_of(self, track_ids: Collection[int], first: int = 0, stop: int | None = None) -> Records:
        """Records of `sample_table.RUN` of tracks in the fragments `[first, stop)`, in the order of the blob."""
        stop = len(self) if stop is None else stop
        begin, end = np.searchsorted(self._runs["fragment"], (first, stop))
        some = self._runs[begin:end]
        found: Records = some[np.isin(some["track_id"], list(track_ids))]
        return found

    def run_sizes(self, runs: Records) -> Ints:
        """Bytes of each of `runs`. Raises `FormatError` for one that reaches out of its fragment."""
        word = words(self._bytes[: self._filled])
        return run_sizes(runs, read_column(word, runs, SIZE), self.size)

    def run_begins(self, runs: Records) -> Ints:
        """Presentation time of the first sample of each of `runs`, UTC ticks."""
        begins: Ints = runs["dts"] + first_cto(words(self._bytes[: self._filled]), runs)
        return begins

    def sequence(self, fragment: int) -> int:
        """
        The number in the `mfhd` of a fragment, wherever in a table it stands; where it is not canonical, its place.
        """
        at = int(np.searchsorted(self._runs["fragment"], fragment))
        traf = int(self._runs["rows"][at]) - TRAF.size if at < len(self._runs) else -1
        word = words(self._bytes[: self._filled])
        if traf < MOOF.size or int(word[traf - MOOF.size + 4]) != _MOOF:
            return fragment + 1
        return int(word[traf - 4])

    def samples(self, track_id: int, first: int = 0, stop: int | None = None) -> SampleTable:
        """
        The samples of a track in the fragments `[first, stop)`.

        Raises `KeyError` where the blob has no such track, `FormatError` where the index contradicts itself.
        """
        return self.samples_of(self.runs_of([track_id], first, stop), self.track(track_id))

    def samples_of(self, runs: Records, track: Track) -> SampleTable:
        """The samples of some of one track's runs that `runs_of` gave."""
        return read_samples(words(self._bytes[: self._filled]), runs, track, self.offset, self.size)

    def rows(self, run: np.void) -> bytes:
        """The rows of one run as they are in its `trun`."""
        begin = int(run["rows"])
        return self._bytes[begin : begin + int(run["count"]) * int(STRIDES[int(run["columns"]) >> 8])].tobytes()


def _to_ms(ticks: Ints, timescale: Ints) -> Ints:
    """`timeline.to_ms` of arrays, in two steps: UTC in a fine timescale times 1000 has more than 63 bits."""
    return ticks // timescale * 1000 + ticks % timescale * 1000 // timescale

"""
The live window: the newest segments of a stream, in RAM.

    segments  [ 101 | 102 | 103 | 104 ]   complete: what a live playlist lists
    growing                         105...  fragments are appended; becomes complete when the next segment begins

A segment begins with a sync fragment, `segment_ms` or more after the one before it began, or where the recorder opens
a blob; the archive groups fragments by the same rule, so both name the same segments by the same URLs. Media sequence
numbers count on from the second in which the window was opened: they never go back, whatever restarts.

The list keeps `segment_count` segments, and more where these are short: it is never shorter than three target
durations, and its target duration never falls (RFC 8216 section 6.2.2).

A segment of which somebody has deleted a part leaves the RAM at once, and keeps its place in the list as a missing one
(`EXT-X-GAP`): so no number of a segment or a discontinuity changes. What is left of it the archive has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.fmp4 import track_ids
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.live.fragment import LiveFragment
from flussdvr.media import Track
from flussdvr.timeline import Range

GROWING_BYTES = 64 << 20
"""A segment that finds no end (no sync sample comes) is given up as a segment when it has grown to this."""
TARGETS = 3
"""Target durations that a list has at least, once it has been as long."""
MOST_SEGMENTS = 1000
MOST_BYTES = 128 << 20
"""More segments, or bytes of them, are not kept for the sake of the list's length."""


@dataclass(slots=True)
class LiveSegment:
    """
    `discontinuity`: it does not continue the segment before it. `fragments` is empty where the bytes are left to the
    archive, and where it is `deleted`, all of it or a part. `track_ids`: of tracks that have samples in it.
    """

    sequence: int
    init: bytes
    tracks: tuple[Track, ...]
    discontinuity: bool
    begin_ms: int
    end_ms: int
    fragments: list[LiveFragment] = field(default_factory=list)
    size: int = 0
    complete: bool = False
    deleted: bool = False
    track_ids: set[int] = field(default_factory=set)
    _table: FragmentTable | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def table(self) -> FragmentTable:
        """Of its fragments; parsed once for all who ask when the segment is complete. Raises `FormatError`."""
        if self._table is not None:
            return self._table
        table = FragmentTable(self.init + b"".join(item.data[: item.head_size] for item in self.fragments))
        if self.complete:
            self._table = table
        return table

    @property
    def present(self) -> tuple[Track, ...]:
        """The tracks that have samples in it."""
        return tuple(track for track in self.tracks if track.id in self.track_ids)

    @property
    def data(self) -> bytes:
        return b"".join(fragment.data for fragment in self.fragments)

    def delete(self) -> None:
        """Keep nothing of it but its place in the list."""
        self.deleted = True
        self.fragments.clear()
        self._table = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Told to subscribers in place of a fragment: the next one does not continue the last."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """
    Told to subscribers: fragments that lie in one of `spans` are deleted, with `touching` those that have a part of it.
    """

    spans: tuple[Range, ...]
    touching: bool = False

    def takes(self, begin_ms: int, end_ms: int) -> bool:
        """Whether a fragment `[begin_ms, end_ms)` is one of these."""
        if self.touching:
            return any(begin_ms < span.end_ms and span.begin_ms < end_ms for span in self.spans)
        return any(span.begin_ms <= begin_ms and end_ms <= span.end_ms for span in self.spans)

    def takes_some(self, segment: LiveSegment) -> bool:
        """Whether any fragment of a segment that is in RAM is one of these."""
        return any(self.takes(fragment.begin_ms, fragment.end_ms) for fragment in segment.fragments)


def _track_ids(fragment: LiveFragment, tracks: tuple[Track, ...]) -> set[int]:
    """Of the tracks that have samples in `fragment`; of all of them where that cannot be read."""
    try:
        return track_ids(fragment.data[: fragment.head_size])
    except FormatError:
        return {track.id for track in tracks}


News = LiveFragment | Gap | Deleted
Subscriber = Callable[[News], None]


class LiveWindow:
    """
    The newest `segment_count` segments of `segment_ms` or more.

    `kept` more are still found after they have left the playlist (RFC 8216 section 6.2.2 wants that); a recorded
    stream needs none, as the archive has them. Nor does it need the bytes of its oldest segment: `is_recorded` is
    asked whether the archive has them, and then that segment is only listed here.
    """

    def __init__(self, segment_ms: int, segment_count: int, kept: int = 0) -> None:
        self.segment_ms = segment_ms
        self.segment_count = segment_count
        self.segments: deque[LiveSegment] = deque()
        self.kept = kept
        self.is_recorded: Callable[[Range], bool] = lambda range: False
        self._past: deque[LiveSegment] = deque()
        self.growing: LiveSegment | None = None
        self.init = b""
        self.tracks: tuple[Track, ...] = ()
        self.discontinuity_sequence = 0
        """How many discontinuities lie before the first listed segment, without the one that it may begin with."""
        self.target_ms = segment_ms
        """No listed segment was ever longer."""
        self.peak_bps = 0
        """Bit rate of the segment that had the highest of all that were ever listed, in bit/s."""
        self._next_sequence: int | None = None
        self._discontinuity = False
        self._subscribers: list[Subscriber] = []

    def open(self, init: bytes, tracks: tuple[Track, ...]) -> None:
        """The fragments that follow belong to this init segment."""
        if init != self.init:
            self._complete()
            self._discontinuity = self._discontinuity or bool(self.init)
        self.init = init
        self.tracks = tracks

    def begins_segment(self, fragment: LiveFragment) -> bool:
        """Whether `fragment`, the next one, is the first of a segment by its time alone."""
        growing = self.growing
        if growing is None:
            return True
        return fragment.sync and fragment.begin_ms - growing.begin_ms >= self.segment_ms

    def next_sequence(self, fragment: LiveFragment) -> int:
        """The media sequence number of a segment that would begin with `fragment`."""
        if self._next_sequence is None:
            return fragment.begin_ms // 1000
        return self._next_sequence

    def append(self, fragment: LiveFragment, begins_segment: bool) -> None:
        if begins_segment or self.growing is None:
            self._complete()
            if not fragment.sync:
                return
            sequence = self.next_sequence(fragment)
            self._next_sequence = sequence + 1
            self.growing = LiveSegment(
                sequence, self.init, self.tracks, self._discontinuity, fragment.begin_ms, fragment.end_ms
            )
            self._discontinuity = False
        growing = self.growing
        if not growing.deleted:
            growing.fragments.append(fragment)
        if len(growing.track_ids) < len(growing.tracks):
            growing.track_ids |= _track_ids(fragment, growing.tracks)
        growing.size += len(fragment.data)
        growing.end_ms = fragment.end_ms
        for subscriber in tuple(self._subscribers):
            subscriber(fragment)
        if growing.size > GROWING_BYTES:
            self.growing = None
            self._discontinuity = True

    def gap(self, reason: str) -> None:
        """The next fragment does not continue the last one."""
        if self.growing is None and (self._discontinuity or not self.segments):
            return
        self._complete()
        self._discontinuity = True
        for subscriber in tuple(self._subscribers):
            subscriber(Gap(reason))

    def delete(self, deleted: Deleted) -> None:
        """
        Forget what somebody has deleted. A segment whose bytes are left to the archive is missing in the list as soon
        as the archive has not all of it: call it again when the deletion is done.
        """
        for segment in (*self._past, *self.segments, *([self.growing] if self.growing is not None else [])):
            if segment.deleted:
                continue
            if segment.fragments:
                gone = deleted.takes_some(segment)
            else:
                own = Range(segment.begin_ms, segment.end_ms)
                gone = any(own.overlaps(span) for span in deleted.spans) and not self.is_recorded(own)
            if gone:
                segment.delete()
        for subscriber in tuple(self._subscribers):
            subscriber(deleted)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every new fragment, gap and deletion; the result ends that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def find(self, begin_ms: int) -> LiveSegment | None:
        """The complete segment that begins at `begin_ms`, if its bytes are still here."""
        for segment in (*reversed(self.segments), *reversed(self._past)):
            if segment.begin_ms == begin_ms and segment.fragments:
                return segment
        return None

    @property
    def recent(self) -> list[LiveSegment]:
        """The segments that are listed, and those before them that are kept, oldest first."""
        return [*self._past, *self.segments]

    @property
    def next_discontinuity_sequence(self) -> int:
        """A number for the list of another window of the same stream, so that players see none twice."""
        return self.discontinuity_sequence + sum(segment.discontinuity for segment in self.segments) + 1

    @property
    def size(self) -> int:
        """Bytes held."""
        whole = sum(segment.size for segment in (*self.segments, *self._past) if segment.fragments)
        return whole + (self.growing.size if self.growing is not None and self.growing.fragments else 0)

    def _complete(self) -> None:
        if self.growing is None:
            return
        done, self.growing = self.growing, None
        done.complete = True
        self.segments.append(done)
        duration_ms = done.end_ms - done.begin_ms
        self.target_ms = max(self.target_ms, duration_ms)
        self.peak_bps = max(self.peak_bps, done.size * 8000 // max(1, duration_ms))
        while self._may_leave():
            left = self.segments.popleft()
            self._past.append(left)
            while len(self._past) > self.kept:
                self._past.popleft()
            if left.discontinuity:
                self.discontinuity_sequence += 1  # RFC 8216 section 6.2.2: the tag leaves with its segment
        for index in range(len(self.segments) - self.segment_count + 1):
            old = self.segments[index]
            if old.fragments and self.is_recorded(Range(old.begin_ms, old.end_ms)):
                old.fragments.clear()

    def _may_leave(self) -> bool:
        """Whether the list is long enough without its oldest segment (RFC 8216 section 6.2.2)."""
        if len(self.segments) <= self.segment_count:
            return False
        rest_ms = sum(segment.end_ms - segment.begin_ms for segment in self.segments)
        rest_ms -= self.segments[0].end_ms - self.segments[0].begin_ms
        target_ms = -(-self.target_ms // 1000) * 1000  # as it stands in the list
        held = sum(segment.size for segment in self.segments if segment.fragments)
        return rest_ms >= TARGETS * target_ms or len(self.segments) > MOST_SEGMENTS or held > MOST_BYTES

"""Whatever the recordings look like, going through them moves forward and ends."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.body.file import file_at
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.fmp4 import Run, write_fragment
from flussdvr.formats.mp4.fragment_table import FragmentTable, Segments
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.window import LiveSegment, LiveWindow
from flussdvr.playback.cursor import GAP_MS, Cursor
from flussdvr.playback.fragments import SegmentIndex
from flussdvr.playback.playback import make_playback
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from tests.playback.recordings import Recording, T, decoded, media

R = TypeVar("R")
Bounds = list[tuple[int, int]]
BEGIN = 1_000_000


def result(work: Coroutine[Any, Any, R]) -> R:
    """Of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        return cast(R, stop.value)
    raise AssertionError("it waits")


class Table:
    """Of segments with one fragment each."""

    tracks = ()

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.begin_ms, self.end_ms = (np.array([pair[n] for pair in bounds], np.int64) for n in (0, 1))
        self.offset, self.size = np.arange(len(bounds)) * 10, np.full(len(bounds), 10)

    def __len__(self) -> int:
        return len(self.bounds)

    def segments(self, closed: bool) -> Segments:
        count, rows = len(self), np.arange(len(self))
        complete = np.ones(count, np.bool_)
        complete[-1:] = closed
        return Segments(rows, rows * 0 + 1, self.begin_ms, self.end_ms, self.offset, self.size, rows, complete)


class Indexes(IndexCache):
    def __init__(self) -> None:
        super().__init__(lambda blob: InlineWorker())
        self.tables: dict[Blob, Table] = {}
        self.looked_at: list[Blob] = []

    async def table(self, blob: Blob, keep: bool = True) -> FragmentTable:
        self.looked_at.append(blob)
        if blob not in self.tables:
            raise DvrError(Kind.NOT_FOUND, "blob_gone", "deleted")
        return cast(FragmentTable, self.tables[blob])


@dataclass
class Stream:
    """Blobs and live segments by nothing but their bounds."""

    name: str = "cam"
    opened_at_ms: int = 0
    indexes: Indexes = field(default_factory=Indexes)
    window: LiveWindow = field(default_factory=lambda: LiveWindow(5000, 10))

    def __post_init__(self) -> None:
        self.archive = LocalStreamArchive("cam", self.indexes, lambda blob, suffix: file_at(blob.path))

    def record(self, bounds: Bounds, closed: bool = True) -> Blob:
        state = BlobState.CLOSED if closed else BlobState.OPEN
        blob = Blob("cam", "/r", bounds[0][0], max(end for _, end in bounds), 10, 10, state)
        self.indexes.tables[blob] = Table(bounds)
        self.archive.add(blob)
        return blob

    def receive(self, bounds: Bounds) -> None:
        for number, (begin, end) in enumerate(bounds):
            segment = LiveSegment(number, b"", (), False, begin, end, [LiveFragment(b"", 0, begin, end, True)])
            segment._table = cast(FragmentTable, Table([(begin, end)]))
            self.window.segments.append(segment)

    def cursor(self, position_ms: int, inside: bool = False) -> Cursor:
        return Cursor(SegmentIndex(), Source("cam", self, self.archive), position_ms, inside)


def given_by(cursor: Cursor, most: int) -> Bounds:
    """All that it gives; fails where that is more than `most`."""
    found = []
    while (span := result(cursor.next())) is not None:
        found.append((span.begin_ms, span.end_ms))
        assert len(found) <= most, found
    return found


# Any segments at all: they may be empty, overlap, lie in each other, be out of order.
any_bounds = st.lists(
    st.tuples(st.integers(-3000, 3000), st.integers(0, 1500)).map(
        lambda pair: (BEGIN + pair[0], BEGIN + pair[0] + pair[1])
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(any_bounds, st.booleans()), max_size=4),
    st.lists(any_bounds, max_size=2),
    st.integers(BEGIN - 4000, BEGIN + 6000),
    st.booleans(),
)
def test_it_moves_forward_and_ends(
    blobs: list[tuple[Bounds, bool]], live: list[Bounds], position: int, inside: bool
) -> None:
    stream = Stream()
    for bounds, closed in blobs:
        stream.record(bounds, closed)
    for bounds in live:
        stream.receive(bounds)
    cursor = stream.cursor(position, inside)
    most = sum(len(bounds) for bounds, _ in blobs) + sum(len(bounds) for bounds in live)
    found = given_by(cursor, most)
    assert all(before < after for before, after in zip(found, found[1:], strict=False))
    reached = position
    for number, (begin, end) in enumerate(found):
        assert end > position if inside and not number else begin >= reached - GAP_MS
        assert end > reached or begin >= reached
        reached = max(reached, end)
    assert cursor.position_ms == reached
    assert result(cursor.next()) is None, "what is over is over"


# What a healthy recorder makes: in order, with gaps, of any length.
steps = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 1000)), min_size=1, max_size=30)


@settings(deadline=None)
@given(steps, st.data())
def test_nothing_that_follows_is_left_out(lengths: list[tuple[int, int]], data: st.DataObject) -> None:
    bounds: Bounds = []
    at = BEGIN
    for gap, length in lengths:
        if bounds and bounds[-1][0] == at + gap:
            gap += 1  # a segment is known by its beginning: an empty one and the next do not share it
        bounds.append((at + gap, at + gap + length))
        at += gap + length
    cuts = sorted(data.draw(st.sets(st.integers(1, len(bounds)), max_size=4)) | {len(bounds)})
    in_ram = data.draw(st.integers(0, len(bounds)))
    recorded = data.draw(st.integers(0, len(bounds)))
    stream = Stream()
    first = 0
    for cut in cuts:
        if bounds[first : min(cut, recorded)]:
            stream.record(bounds[first : min(cut, recorded)])
        first = cut
    stream.receive(bounds[in_ram:])
    there = bounds[:recorded] + bounds[max(recorded, in_ram) :]
    assert given_by(stream.cursor(BEGIN - GAP_MS), len(bounds)) == there


@settings(deadline=None)
@given(steps)
def test_what_comes_later_is_given_once(lengths: list[tuple[int, int]]) -> None:
    stream = Stream()
    cursor = stream.cursor(BEGIN)
    at, found, sent = BEGIN, [], []
    for gap, length in lengths:
        at += gap + 1
        sent.append((at, at + length))
        stream.receive(sent[-1:])
        at += length
        found += given_by(cursor, 1)
    assert found == sent


def test_a_blob_that_has_gone_is_passed_over() -> None:
    stream = Stream()
    gone = stream.record([(BEGIN, BEGIN + 5000)])
    stream.record([(BEGIN + 9000, BEGIN + 14000)])
    del stream.indexes.tables[gone]
    assert given_by(stream.cursor(BEGIN), 2) == [(BEGIN + 9000, BEGIN + 14000)]


def test_a_closed_blob_is_opened_once() -> None:
    stream = Stream()
    stream.record([(BEGIN + n * 1000, BEGIN + n * 1000 + 1000) for n in range(50)])
    assert len(given_by(stream.cursor(BEGIN), 50)) == 50
    assert len(stream.indexes.looked_at) == 1


def test_a_download_over_the_end_of_a_stream_that_stopped_in_a_key_frame(tmp_path: Path) -> None:
    """The last segment is shorter than what is taken for a gap."""
    recording = Recording(tmp_path)
    recording.play_live(seconds=8)
    video, (key, _) = media().tracks[0], media().samples[1][0]
    begin_ms = T + 8000
    head, payload = write_fragment(9, [Run(video, begin_ms * 90 - key.cto, [3600], [key])])
    recording.window.append(LiveFragment(head + payload, len(head), begin_ms, begin_ms + 40, True), True)
    recording.window.gap("source_lost")
    assert recording.window.segments[-1].end_ms - recording.window.segments[-1].begin_ms == 40
    worker = InlineWorker()
    playback = make_playback(worker, Clock(), lambda: T + 60_000)
    source = Source("ort", recording, None)
    downloads = []
    for duration_ms in (20_000, 8_000_000, None):
        export = result(playback.ts.export(source, T, duration_ms, None))
        data = b""
        chunks = export.chunks(0, export.length)
        while (chunk := result(anext(chunks, None))) is not None:
            data += chunk
        downloads.append(data)
    assert len(decoded(downloads[0])) == 61, "three segments of two seconds, and the last one"
    assert downloads[1:] == downloads[:1] * 2

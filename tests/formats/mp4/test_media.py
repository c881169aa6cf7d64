"""What is kept of a track says the same as all its samples together, however they come in pieces."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import DvrError
from flussdvr.formats.mp4 import media as mp4_media
from flussdvr.formats.mp4.cut import Cut
from flussdvr.formats.mp4.media import Media
from tests.formats import recorded
from tests.formats.recorded import record

TRACK = recorded.video().track
Sample = tuple[int, int]


def in_order(dts: list[int], pts: list[int]) -> list[int]:
    """The latest decode times that are in order and not after their presentation, one sample after the other."""
    fixed: list[int] = []
    for time in reversed(dts):
        fixed.append(min(time, fixed[-1] - 1) if fixed else time)
    fixed.reverse()
    late = max(0, *(one - other for one, other in zip(fixed, pts, strict=True)))
    return [one - late for one in fixed]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 50), st.integers(-20, 60)), min_size=1, max_size=8), min_size=1, max_size=5
    ),
    st.integers(-60, 90),
    st.integers(1, 90),
    st.booleans(),
)
def test_pieces(pieces: list[list[Sample]], begin: int, length: int, goes: bool) -> None:
    """`goes`: all that can be read again is let go of."""
    media = Media(TRACK, 0)
    for number, piece in enumerate(pieces):
        dts = np.array([one[0] for one in piece], np.int64) + 30 * number
        pts = dts + np.array([one[1] for one in piece], np.int64)
        size = np.full(len(piece), 5, np.int64)
        cut = Cut(TRACK, dts, pts, size, size, np.arange(len(piece)) * 5, np.ones(len(piece), np.bool_))
        media.add(number, b"entry", cut, dts, pts, partial(tuple, (dts, pts, size)))
    if goes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mp4_media, "SMALL", -1)
            for part in media.parts:
                part.let_go()
        assert [part.samples_nbytes for part in media.parts] == [0] * len(pieces)
    assert [one.some_sizes().get().column().tolist() for one in media.parts] == [[5] * len(piece) for piece in pieces]
    dts = [one[0] + 30 * number for number, piece in enumerate(pieces) for one in piece]
    pts = [one[0] + one[1] + 30 * number for number, piece in enumerate(pieces) for one in piece]
    expected = in_order(dts, pts)
    steps = [step for one in media.steps() for step in one.get().column().tolist()]
    offsets = [offset + one.shift for one in media.offsets() for offset in one.get().column().tolist()]
    times = [media.dts + sum(steps[:number]) for number in range(len(steps))]
    assert times == expected
    assert [time + offset for time, offset in zip(times, offsets, strict=True)] == pts
    assert steps[-1] == media.last == 5
    assert (media.duration, media.end, media.pts) == (sum(steps), max(pts) + 5, pts[0])
    inside = [one for one in pts if begin <= one < begin + length]
    before = [one for one in pts if one < begin]
    first = min(inside) if inside else max(before) if before else min(pts)
    assert media.first_shown(begin, begin + length) == first


def test_a_day_is_kept_in_few_bytes() -> None:
    """What is held of a blob is less than its tables in the file."""
    blob = record(recorded.video(), recorded.audio())
    for track in blob.table.tracks:
        count = 100_000
        generator = np.random.default_rng(1)
        dts = np.arange(count) * 3600
        pts = dts + generator.choice([0, 3600, 7200], count)
        size = generator.integers(40_000, 190_000, count)
        cut = Cut(track, dts, pts, size, size, np.cumsum(size) - size, np.arange(count) % 50 == 0)
        media = Media(track, 0)
        media.add(0, b"entry", cut, dts, pts)
        (part,) = media.parts
        samples = (part.steps, part.offsets, part.sizes, part.sync)
        chunks = (part.chunks, part.begins, part.lengths, part.inserts)
        held = sum(column.nbytes for column in samples if column is not None)
        held += sum(column.nbytes for column in chunks) + part.early.nbytes
        assert media.nbytes == held < 5 * count
        assert part.sizes is not None and part.sizes.column().tolist() == size.tolist()


def test_what_was_let_go_of_must_come_back_the_same() -> None:
    dts = np.arange(30_000) * 3600
    size = np.random.default_rng(1).integers(0, 60_000, len(dts))
    cut = Cut(TRACK, dts, dts, size, size, np.cumsum(size) - size, np.ones(len(dts), np.bool_))
    media = Media(TRACK, 0)
    changed = size.copy()
    for number in range(2):
        media.add(number, b"entry", cut, dts + number * len(dts) * 3600, dts, lambda: (dts, dts, changed))
    media.let_go()
    first, last = media.parts
    assert last.sizes is not None, "the latest may still change"
    assert first.sizes is None and first.steps is not None, "little is held"
    assert first.some_sizes().get().column().tolist() == size.tolist()
    changed[7] += 1
    with pytest.raises(DvrError, match="data_gone"):
        first.some_sizes().get()
    with pytest.raises(DvrError, match="corrupt_recording"):
        media.parts.pop()
        first.steps = None
        media.add(1, b"entry", cut, dts, dts)

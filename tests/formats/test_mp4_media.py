"""What is kept of a track says the same as all its samples together, however they come in pieces."""

from __future__ import annotations

import numpy as np
import recorded
from hypothesis import given
from hypothesis import strategies as st
from recorded import record

from flussdvr.formats.cut import Cut
from flussdvr.formats.mp4_media import Media

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
)
def test_pieces(pieces: list[list[Sample]], begin: int, length: int) -> None:
    media = Media(TRACK, 0)
    for number, piece in enumerate(pieces):
        dts = np.array([one[0] for one in piece], np.int64) + 30 * number
        pts = dts + np.array([one[1] for one in piece], np.int64)
        size = np.full(len(piece), 5, np.int64)
        cut = Cut(TRACK, dts, pts, size, size, np.arange(len(piece)) * 5, np.ones(len(piece), np.bool_))
        media.add(number, b"entry", cut, dts, pts)
    dts = [one[0] + 30 * number for number, piece in enumerate(pieces) for one in piece]
    pts = [one[0] + one[1] + 30 * number for number, piece in enumerate(pieces) for one in piece]
    expected = in_order(dts, pts)
    steps = [step for one in media.steps() for step in one.column().tolist()]
    offsets = [offset for one in media.offsets() for offset in one.column().tolist()]
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
        held = sum(column.nbytes for column in samples) + sum(column.nbytes for column in chunks)
        assert media.nbytes == held < 5 * count
        assert part.sizes.column().tolist() == size.tolist() and part.pts().tolist() == pts.tolist()

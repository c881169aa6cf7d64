"""One bit of one timestamp is flipped on the way: nothing moves but, at most, the picture that it belongs to."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.live.damaged import PICTURE_MS, Recorded, flip_ts, flv, record_flv, record_ts, ts, ts_stamps

STREAMS = [
    ("libx264", "aac", 0, 0.0),
    ("libx264", "mp2", 2, 0.0),
    ("libx265", "aac", 2, 95441.0),  # the timestamps wrap
    ("libx265", "ac3", 0, 0.0),
]


@lru_cache
def untouched(stream: tuple[str, str, int, float]) -> Recorded:
    return record_ts(ts(*stream))


@lru_cache
def untouched_flv(bframes: int) -> Recorded:
    return record_flv(flv(bframes))


def check(found: Recorded, expected: Recorded) -> None:
    assert not found.gaps and found.tiles
    assert abs(found.begin_ms - expected.begin_ms) <= 2 * PICTURE_MS
    assert abs(found.end_ms - expected.end_ms) <= 2 * PICTURE_MS
    assert max(one.end_ms - one.begin_ms for one in found.fragments) <= 1000 + 2 * PICTURE_MS
    # Sound in front of the first picture is left out: a few frames, where that picture has moved by two.
    for track_id, timescale, most in ((1, 90_000, 1), (2, 48_000, 4)):
        times, others = found.shown_ms(track_id, timescale), expected.shown_ms(track_id, timescale)
        assert len(others) - len(times) <= most
        first, last = expected.begin_ms - 2 * PICTURE_MS, expected.end_ms + 2 * PICTURE_MS
        inside = [at for at in times if first <= at <= last + 100]
        assert len(times) - len(inside) <= 1


# Of the first pictures, of the first one of a sequence, of sync samples, of the last one.
@example(STREAMS[0], 0, 18)
@example(STREAMS[0], 9, 14)
@example(STREAMS[0], 173, 15)
@example(STREAMS[0], 259, 21)
@example(STREAMS[1], 0, 13)
@example(STREAMS[1], 0, 14)
@example(STREAMS[1], 0, 16)
@example(STREAMS[1], 1, 18)
@example(STREAMS[1], 2, 15)
@example(STREAMS[1], 3, 13)
@example(STREAMS[1], 3, 18)
@example(STREAMS[1], 11, 15)
@example(STREAMS[1], 143, 32)
@example(STREAMS[1], 327, 13)
@example(STREAMS[1], 330, 15)
@example(STREAMS[1], 338, 15)
@example(STREAMS[1], 352, 13)
@example(STREAMS[2], 0, 13)
@example(STREAMS[2], 1, 18)
@example(STREAMS[3], 9, 14)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sampled_from(STREAMS), st.integers(0, 10**6), st.integers(0, 32))
def test_a_flipped_bit_in_ts(stream: tuple[str, str, int, float], number: int, bit: int) -> None:
    data = ts(*stream)
    stamps = ts_stamps(data)
    assert len(stamps) > 100
    check(record_ts(flip_ts(data, stamps[number % len(stamps)][0], bit)), untouched(stream))


@example(0, 10, 8)
@example(0, 10, 39)
@example(0, 22, 41)
@example(0, 27, 7)
@example(0, 286, 39)
@example(2, 0, 39)
@example(2, 1, 7)
@example(2, 1, 8)
@example(2, 1, 40)
@example(2, 6, 7)
@example(2, 9, 8)
@example(2, 256, 39)
@example(2, 262, 41)
@example(2, 268, 40)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.sampled_from([0, 2]), st.integers(0, 10**6), st.integers(0, 55))
def test_a_flipped_bit_in_flv(bframes: int, number: int, bit: int) -> None:
    """Of a tag's timestamp, 32 bits, or of a picture's composition time, 24."""
    tags = list(flv(bframes))
    media = [index for index, (kind, _, body) in enumerate(tags) if kind in (8, 9) and body[1:2] == b"\1"]
    index = media[number % len(media)]
    kind, timestamp, body = tags[index]
    if bit < 32:
        tags[index] = kind, timestamp ^ 1 << bit, body
    elif kind == 9:
        offset = int.from_bytes(body[2:5], "big") ^ 1 << bit - 32
        tags[index] = kind, timestamp, body[:2] + offset.to_bytes(3, "big") + body[5:]
    check(record_flv(tags), untouched_flv(bframes))

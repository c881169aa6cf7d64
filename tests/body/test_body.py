from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.body.body import Body, Extent, Part
from flussdvr.body.file import file_at
from flussdvr.formats.made import Made

FILES = {file_at("/a"): bytes(range(200)), file_at("/b"): bytes(reversed(range(256)))}
A, B = FILES

extents = st.builds(Extent, st.sampled_from([A, B]), st.integers(0, 100), st.integers(0, 100))
made = st.binary(max_size=20).map(lambda data: Made.of(lambda: data, len(data)))
parts = st.lists(st.one_of(st.binary(max_size=20), extents, made), max_size=8)


def content(body: Body) -> bytes:
    """What a sender would send."""
    return b"".join(
        FILES[part.file][part.offset : part.offset + part.length]
        if isinstance(part, Extent)
        else part.data()
        if isinstance(part, Made)
        else part
        for part in body.parts
    )


@given(parts, st.integers(0, 400), st.integers(0, 400))
def test_slices_are_those_of_bytes(some: list[Part], start: int, stop: int) -> None:
    body = Body(tuple(some))
    whole = content(body)
    assert len(body) == len(whole)
    piece = body.slice(start, stop)
    assert content(piece) == whole[start:stop]
    assert len(piece) == len(whole[start:stop])
    assert all(len(part) for part in piece.parts)


@given(parts)
def test_of_joins_what_touches(some: list[Part]) -> None:
    body = Body.of(some)
    assert content(body) == content(Body(tuple(some)))
    assert len(body.parts) <= len(some) and all(len(part) for part in body.parts)


def test_extents_that_touch_become_one() -> None:
    assert Body.of([Extent(A, 0, 5), b"", Extent(A, 5, 5), Extent(A, 11, 1), Extent(B, 12, 1)]) == Body(
        (Extent(A, 0, 10), Extent(A, 11, 1), Extent(B, 12, 1))
    )


def test_a_slice_of_many_parts_looks_at_few() -> None:
    body = Body(tuple(Extent(A, n * 10, 10) for n in range(10_000)))
    assert body.slice(54_321, 54_335).parts == (Extent(A, 54_321, 9), Extent(A, 54_330, 5))


def test_longer_than_memory() -> None:
    body = Body((b"head", Extent(A, 0, 1 << 45)))
    assert len(body) == (1 << 45) + 4
    assert body.slice(1 << 44, (1 << 44) + 8).parts == (Extent(A, (1 << 44) - 4, 8),)


def test_memory_that_it_takes_while_it_is_sent() -> None:
    made = Made.of(lambda: bytes(50), 50)
    body = Body((b"head", made, Extent(A, 0, 1 << 45), made.slice(0, 10), b"tail"))
    assert body.held == 58, "one of what is made, at a time"

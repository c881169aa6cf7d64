from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive.disk.blob import BlobState
from flussdvr.archive.disk.recovery import LONGEST_BLOB_MS
from flussdvr.database.rows import (
    Nonsense,
    read_blob,
    read_holes,
    read_link,
    read_named_text,
    read_root,
    read_signed_out,
    read_stream_range,
)
from flussdvr.timeline import MAX_MS, Range

values = (
    st.none()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.sampled_from(["cam", "/disk", "[[1, 2]]", "0011223344556677", "mp4"])
)


def rows(count: int) -> st.SearchStrategy[list[object]]:
    return st.lists(values, min_size=count, max_size=count)


@given(rows(14))
def test_any_row_of_a_blob(row: list[object]) -> None:
    try:
        blob = read_blob(row)
    except Nonsense:
        return
    assert blob.path.startswith(blob.root) and "/.." not in blob.path and blob.id > 0
    assert 0 <= blob.begin_ms <= blob.end_ms <= min(MAX_MS, blob.begin_ms + LONGEST_BLOB_MS)
    assert blob.disk_size >= 0 and all(blob.range.intersection(hole) == hole for hole in blob.holes)


near = st.integers(0, 5) | st.sampled_from([1 << 40, MAX_MS, -1])


@given(st.tuples(near, near, near, near, st.none() | st.text(max_size=30), near))
def test_a_row_that_names_a_file_is_never_lost(rest: tuple[object, ...]) -> None:
    end_ms, size, index_size, state, holes, freed = rest
    blob = read_blob([1, "cam", "/disk", 3, end_ms, size, index_size, state, 5000, 1, None, holes, freed, 0])
    assert (blob.stream, blob.root, blob.begin_ms) == ("cam", "/disk", 3)
    if blob.state is BlobState.CLOSED:
        assert blob.size and blob.index_size and blob.range
    elif blob.state is BlobState.SUSPECT and state != BlobState.SUSPECT:
        assert (blob.end_ms, blob.size, blob.index_size) == (3, 0, 0), "nothing of it is believed"


@given(rows(12))
def test_any_row_of_a_link(row: list[object]) -> None:
    try:
        link = read_link(row)
    except Nonsense:
        return
    assert 0 <= link.begin_ms < link.end_ms <= MAX_MS and len(bytes.fromhex(link.id)) == 8


OTHERS = [(read_root, 3), (read_stream_range, 3), (read_named_text, 2), (read_signed_out, 2)]


@given(st.sampled_from(OTHERS).flatmap(lambda one: st.tuples(st.just(one[0]), rows(one[1]))))
def test_any_other_row(pair: tuple[Callable[[list[object]], object], list[object]]) -> None:
    read, row = pair
    try:
        read(row)
    except Nonsense as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "[[1]]", "[[5, 1]]", "[[2, 9], [3, 4]]", "[[0, 99]]", "[" * 9000, 5, b"[]"]
)
def test_holes_that_are_none(text: object) -> None:
    with pytest.raises(Nonsense):
        read_holes(text, Range(0, 10))


def test_holes() -> None:
    assert read_holes(None, Range(0, 10)) == ()
    assert read_holes("[[1, 2], [3, 10]]", Range(0, 10)) == (Range(1, 2), Range(3, 10))


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/a", "a/", "a\0", "\udcff", 5, None, b"cam", "x" * 5000])
def test_a_name_that_leads_elsewhere(name: object) -> None:
    with pytest.raises(Nonsense):
        read_stream_range((name, 1, 2))

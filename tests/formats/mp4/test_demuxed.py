from __future__ import annotations

import pytest

from flussdvr.formats.mp4.demuxed import demuxed
from flussdvr.formats.mp4.fmp4 import parse_fragment, write_init
from tests.formats import recorded

BLOB = recorded.record(
    recorded.video("libx264", recorded.B_FRAMES),
    recorded.audio(),
    recorded.audio(track_id=3, rate=44100),
    per_fragment=5,
)


def resolved(*track_ids: int, first: int = 0, stop: int | None = None) -> bytes:
    parts = demuxed(BLOB.table, first, len(BLOB.table) if stop is None else stop, track_ids)
    return b"".join(one if isinstance(one, bytes) else BLOB.data[one[0] : sum(one)] for one in parts)


@pytest.mark.parametrize("track_id", [1, 2, 3])
def test_one_track(track_id: int) -> None:
    track = BLOB.table.track(track_id)
    whole = recorded.packets(BLOB.data)
    alone = recorded.packets(write_init([track]) + resolved(track_id))
    assert alone == {0: whole[track_id - 1]}


def test_all_tracks_are_what_was_recorded() -> None:
    begin = int(BLOB.table.offset[0])
    assert resolved(1, 2, 3) == BLOB.data[begin:]


def test_two_extents_and_one() -> None:
    apart = demuxed(BLOB.table, 2, 3, [1, 3])
    assert [type(part) for part in apart] == [bytes, tuple, tuple]
    together = demuxed(BLOB.table, 2, 3, [2, 3])
    assert [type(part) for part in together] == [bytes, tuple]
    assert demuxed(BLOB.table, 2, 4, [2]) == demuxed(BLOB.table, 2, 3, [2]) + demuxed(BLOB.table, 3, 4, [2])


def test_sequence_and_place() -> None:
    head = demuxed(BLOB.table, 4, 5, [2])[0]
    assert isinstance(head, bytes)
    fragment = parse_fragment(head[:-8], {})
    assert (fragment.sequence, [run.track_id for run in fragment.runs]) == (5, [2])
    assert fragment.runs[0].data_offset == len(head)


def test_nothing_of_the_track() -> None:
    assert demuxed(BLOB.table, 0, 5, [9]) == []
    assert demuxed(BLOB.table, 3, 3, [1]) == []


@pytest.mark.parametrize("per_fragment", [1, 5])
def test_sets_in_front_of_sync_samples(per_fragment: int) -> None:
    """Nothing else changes, be the sizes in columns of the run or the same for all of it."""
    blob = recorded.record(recorded.video("libx264", recorded.B_FRAMES), recorded.audio(), per_fragment=per_fragment)
    sets = b"\0\0\0\2\x67\1\0\0\0\2\x68\1"
    parts = demuxed(blob.table, 0, len(blob.table), [1, 2], {1: sets})
    data = b"".join(one if isinstance(one, bytes) else blob.data[one[0] : sum(one)] for one in parts)
    found = recorded.packets(write_init(blob.table.tracks) + data)
    expected = recorded.packets(blob.data)
    expected[0] = [(dts, pts, sets + one if sync else one, sync) for dts, pts, one, sync in expected[0]]
    assert found == expected
    assert sum(sync for *_, sync in found[0]) > 1

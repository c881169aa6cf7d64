from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.numbering import first_discontinuity
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.playback.hls.discontinuities import Discontinuities
from flussdvr.playback.hls.playlist import Piece, render_block
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.playback.recordings import Recording, T


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Five hours with a gap before each but the second, counted by the recorder."""
    made = Recording(tmp_path)
    for hour in range(5):
        blob = hourly(hour, None if hour in (0, 1) else "source_lost")
        blob.discontinuity = 70 + max(0, hour - 1)
        made.archive.add(blob)
    return made


def hourly(hour: int, after: str | None) -> Blob:
    return Blob("ort", "/r", T + hour * 3_600_000, T + (hour + 1) * 3_600_000 - (100_000 if after else 0), after=after)


def piece(blob: Blob, first: int = 0, breaks: tuple[int, ...] = ()) -> Piece:
    begin = np.arange(10) * 5000 + blob.begin_ms
    begin[list(breaks)] += 1
    end = np.append(begin[1:], begin[-1:] + 5000)
    end[[index - 1 for index in breaks]] -= 1
    block = render_block(0, begin, end, begin, "ts", continuous=blob.after is None)
    assert block.breaks == breaks
    return Piece(block, first, 10)


def source_of(recording: Recording) -> Source:
    return Source("ort", None, recording.archive)


def test_the_recorder_has_counted(recording: Recording) -> None:
    numbers, source = Discontinuities(), source_of(recording)
    blobs = recording.archive.blobs()
    assert [numbers.before(source, piece(blob)) for blob in blobs] == [
        (70, False),
        (70, False),
        (70, True),
        (71, True),
        (72, True),
    ]
    assert numbers.before(source, piece(blobs[3], 1)) == (72, False), "its tag has left"


def test_expiry_and_restart_change_nothing(recording: Recording) -> None:
    source, blobs = source_of(recording), recording.archive.blobs()
    before = [Discontinuities().before(source, piece(blob)) for blob in blobs]
    for count in range(1, 5):
        recording.archive.remove(blobs[:count])
        assert [Discontinuities().before(source, piece(blob)) for blob in blobs[count:]] == before[count:]
    recording.archive.remove(blobs)
    assert recording.archive.discontinuity == 73, "known beyond the blobs"


def test_recordings_that_nobody_has_counted() -> None:
    archive = LocalStreamArchive("ort", IndexCache(lambda blob: InlineWorker()), None)  # type: ignore[arg-type]
    for hour in range(4):
        archive.add(hourly(hour, "source_lost" if hour % 2 else None))
    numbers, source = Discontinuities(), Source("ort", None, archive)
    blobs = archive.blobs()
    found = [numbers.before(source, piece(blob)) for blob in blobs]
    assert [number for number, _ in found] == sorted(number for number, _ in found)
    archive.remove(blobs[:2])
    assert [numbers.before(source, piece(blob)) for blob in blobs[2:]] == found[2:]


def test_what_is_deleted_in_the_middle_moves_later_numbers_up_and_none_back(recording: Recording) -> None:
    numbers, source = Discontinuities(), source_of(recording)
    blobs = recording.archive.blobs()
    before = [numbers.before(source, piece(blob))[0] for blob in blobs]
    hole = Range(blobs[0].begin_ms + 10_000, blobs[0].begin_ms + 20_000)
    recording.archive.trimmed(blobs[0], (hole,), 1, 1)
    assert numbers.before(source, piece(blobs[0], 0, (2,))) == (70, False)
    assert numbers.before(source, piece(blobs[0], 2, (2,))) == (70, True)
    assert numbers.before(source, piece(blobs[0], 3, (2,))) == (71, False)
    after = [numbers.before(source, piece(blob))[0] for blob in blobs[1:]]
    assert after[0] == 71
    assert all(new >= old for new, old in zip(after, before[1:], strict=True))


def test_the_first_number_depends_on_the_time_and_is_small() -> None:
    assert first_discontinuity(0) == 1
    assert first_discontinuity(T) < first_discontinuity(T + 300_000) == first_discontinuity(T) + 1
    in_2036 = 2_082_758_400_000
    assert first_discontinuity(in_2036) < 2_000_000

from __future__ import annotations

from pathlib import Path

import pytest

from flussdvr.archive.schedule import DAY_MS, ScheduledRecorder, is_scheduled, scheduled_since
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import SEGMENT_MS, Store

MIDNIGHT_MS = UTC_MS // DAY_MS * DAY_MS


@pytest.mark.parametrize(
    ("schedule", "time", "wanted"),
    [
        ((), 0, True),
        (((800, 1600),), 759, False),
        (((800, 1600),), 800, True),
        (((800, 1600),), 1559, True),
        (((800, 1600),), 1600, False),
        (((2200, 130),), 2200, True),
        (((2200, 130),), 0, True),
        (((2200, 130),), 129, True),
        (((2200, 130),), 130, False),
        (((2200, 130), (1200, 1201)), 1200, True),
    ],
)
def test_hours(schedule: tuple[tuple[int, int], ...], time: int, wanted: bool) -> None:
    assert is_scheduled(schedule, MIDNIGHT_MS + (time // 100 * 60 + time % 100) * 60_000) is wanted


def test_only_the_hours_are_recorded(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    scheduled = ScheduledRecorder(store.recorder(), ((1701, 1702),))
    camera.now_ms = MIDNIGHT_MS + 17 * 3_600_000 + 30_000
    for fragment in camera.film(120):
        if scheduled.opens_blob(fragment, camera.init, SEGMENT_MS):
            assert not (fragment.begin_ms - MIDNIGHT_MS - 17 * 3_600_000) // 60_000 != 1
        scheduled.write(fragment, camera.init, SEGMENT_MS, 0)
        scheduled.gap("schedule")
    archive = store.archive.stream("cam")
    assert archive is not None
    (only,) = {blob.begin_ms // 60_000 for blob in archive.blobs()}
    assert archive.ranges().bounds.duration_ms <= 62_000 and only == (MIDNIGHT_MS // 60_000 + 17 * 60 + 1)  # type: ignore[union-attr]


def test_since_when_to_record() -> None:
    minute = 60_000
    assert scheduled_since([], MIDNIGHT_MS) == 0
    assert scheduled_since([(800, 1600)], MIDNIGHT_MS + 7 * 60 * minute) is None
    assert scheduled_since([(800, 1600)], MIDNIGHT_MS + 9 * 60 * minute) == MIDNIGHT_MS + 8 * 60 * minute
    late = [(2200, 130), (800, 900)]
    assert scheduled_since(late, MIDNIGHT_MS + 60 * minute) == MIDNIGHT_MS - 120 * minute

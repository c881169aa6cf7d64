# -*- test-case-name: tests.archive.test_schedule -*-
"""
The schedule: hours of the day, in UTC, in which to record.

    800-1600     [08:00, 16:00)            2200-130     [22:00, 24:00) and [00:00, 01:30)

It goes by the time of what is recorded, not by the clock: late fragments are still recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from flussdvr.archive.ports import F, Recorder

DAY_MS = 86_400_000


def is_scheduled(schedule: Sequence[tuple[int, int]], utc_ms: int) -> bool:
    """Whether to record then; an empty schedule is always."""
    of_day = utc_ms % DAY_MS
    for begin, end in schedule:
        begin_ms, end_ms = _of_day(begin), _of_day(end)
        inside = begin_ms <= of_day < end_ms if begin_ms < end_ms else of_day >= begin_ms or of_day < end_ms
        if inside:
            return True
    return not schedule


def scheduled_since(schedule: Sequence[tuple[int, int]], utc_ms: int) -> int | None:
    """Since when it has been an hour in which to record: 0 for always, `None` if it is not."""
    if not schedule:
        return 0
    found = [
        utc_ms - (utc_ms - _of_day(begin)) % DAY_MS for begin, end in schedule if is_scheduled([(begin, end)], utc_ms)
    ]
    return min(found, default=None)


def _of_day(hhmm: int) -> int:
    return (hhmm // 100 * 60 + hhmm % 100) * 60_000


class ScheduledRecorder(Generic[F]):
    """A recorder that is given only what the schedule wants; what follows a pause has a gap with that reason."""

    def __init__(self, recorder: Recorder[F], schedule: Sequence[tuple[int, int]]) -> None:
        self.recorder = recorder
        self.schedule = schedule
        self._pausing = False

    def opens_blob(self, fragment: F, init: bytes, segment_ms: int) -> bool:
        wanted = is_scheduled(self.schedule, fragment.begin_ms)
        return wanted and self.recorder.opens_blob(fragment, init, segment_ms)

    def write(self, fragment: F, init: bytes, segment_ms: int, sequence: int) -> None:
        if is_scheduled(self.schedule, fragment.begin_ms):
            self._pausing = False
            self.recorder.write(fragment, init, segment_ms, sequence)
        elif not self._pausing:
            self._pausing = True
            self.recorder.gap("schedule")

    def gap(self, reason: str) -> None:
        if not self._pausing:
            self.recorder.gap(reason)

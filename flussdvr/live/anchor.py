# -*- test-case-name: tests.live.test_stalls -*-
"""
Where a run of media lies in UTC, found at its beginning.

    arrival   |...burst.....| 1x  1x  1x          the run begins when media comes no faster than time goes by,
              0             2    3 s              `WAIT_MAX_US` later at the latest

The least `arrival - media time` of what came until then is the offset. After an outage the clock of the run before may
still hold: then the outage is a gap of its true length, also where the source sends what it owes at twice the speed.

    its prediction lies between the end of what is recorded and the arrival, and
    the newest sample is late by less than `ASTRAY_US`, or what comes catches up

All times in us; pure.
"""

from __future__ import annotations

from collections import deque

from flussdvr.live.clock import ASTRAY_US, DEADBAND_US, MediaClock

__all__ = ["ANCHOR_US", "Anchor"]

ANCHOR_US = 1_000_000
"""Arrivals are collected for this long at least."""
WAIT_MAX_US = 20_000_000
"""... and for this long at most, while a burst lasts."""
RACING = 12, 10
"""Media that comes this much faster than time goes by is a burst."""
CATCHING_UP = 105, 100
"""... and this much faster: a source that sends what it owes."""
LOOK_US = 900_000
"""The pace is measured over this time."""
BUFFER_US = 200_000
"""A source that is not ahead of time by more than this sends from no buffer."""
STEP_US = 50_000
ENOUGH = 4
"""So many arrivals tell which of them is out of place."""
SLACK_US = 200_000
"""A prediction may be later than the arrival by this much: the run before may have been anchored late."""
WRAPS_US = ((1 << 33) * 1_000_000 // 90_000, (1 << 32) * 1000)
"""A new demultiplexer begins to unwrap anew: timestamps of MPEG-TS and of FLV."""


class Anchor:
    """Collects the arrivals of a run that has not begun; remembers the clock of the one before."""

    def __init__(self) -> None:
        self._before: MediaClock | None = None
        self._before_arrival_us = 0
        self.restart()

    def restart(self) -> None:
        """Another run begins; the clock that is remembered stays."""
        self.first_us: int | None = None
        """Of the first arrival, `None` while nothing has come."""
        self._newest_us = 0
        self._count = 0
        self._least: list[int] = []
        self._pace: deque[tuple[int, int]] = deque()

    def remember(self, clock: MediaClock, last_arrival_us: int) -> None:
        """The source is lost: `clock` told its time until `last_arrival_us`."""
        if clock.anchored:
            self._before, self._before_arrival_us = clock, last_arrival_us

    def forget(self) -> None:
        """The clock of the run before says nothing about the next."""
        self._before = None

    def stepped(self, shift_us: int) -> None:
        """UTC has stepped: what came before came at another time of the clock that holds now."""
        if self.first_us is not None:
            self.first_us += shift_us
        self._least = [least + shift_us for least in self._least]
        self._pace = deque((at_us + shift_us, media_us) for at_us, media_us in self._pace)
        self._before_arrival_us += shift_us
        if self._before is not None:
            self._before.shift(shift_us)

    def arrived(self, media_us: int, now_us: int) -> None:
        """The newest sample has media time `media_us`, and has just come in."""
        if self.first_us is None:
            self.first_us = now_us
        self._newest_us = max(self._newest_us, media_us) if self._count else media_us
        self._count += 1
        self._least = sorted([*self._least, now_us - media_us])[:2]
        if not self._pace or now_us - self._pace[-1][0] >= STEP_US:
            self._pace.append((now_us, self._newest_us))
        while len(self._pace) > 1 and self._pace[1][0] <= now_us - LOOK_US:
            self._pace.popleft()

    def is_ready(self, now_us: int) -> bool:
        """Whether enough has come to tell the offset."""
        if self.first_us is None or now_us - self.first_us < ANCHOR_US:
            return False
        return not self._is_faster(now_us, RACING) or now_us - self.first_us >= WAIT_MAX_US

    def _is_faster(self, now_us: int, ratio: tuple[int, int]) -> bool:
        if not self._pace:
            return False
        at_us, media_us = self._pace[0]
        return (self._newest_us - media_us) * ratio[1] > (now_us - at_us) * ratio[0]

    @property
    def offset_us(self) -> int:
        """The least arrival minus media time. One alone that is far below all others is a damaged time."""
        if not self._least:
            return 0
        least, other = self._least[0], self._least[-1]
        return other if self._count >= ENOUGH and other - least > DEADBAND_US else least

    def may_repeat(self, start_us: int, newest_us: int, offset_us: int, now_us: int) -> bool:
        """
        Whether media of `start_us` to `newest_us`, once dated by `offset_us`, comes from a buffer: at once, and soon.

        A film that is played in a loop comes as fast as time goes by, or later than it lasts.
        """
        if self.first_us is None:
            return False
        elapsed_us = now_us - self.first_us + BUFFER_US
        if (newest_us - start_us) * RACING[1] <= elapsed_us * RACING[0]:
            return False
        late_us = self.offset_us - offset_us
        return -SLACK_US <= late_us <= max(ASTRAY_US, newest_us - start_us)

    def continued(self, start_us: int, floor_us: int, now_us: int) -> MediaClock | None:
        """The clock of the run before, if it holds for a run that begins at media time `start_us`."""
        clock, self._before = self._before, None
        if clock is None or self.first_us is None:
            return None
        arrival_us = start_us + self.offset_us
        late_us = arrival_us - clock.utc_us(start_us)
        wraps_us = min((_nearest(late_us, wrap) for wrap in WRAPS_US), key=lambda wraps: abs(late_us - wraps))
        if wraps_us:
            late_us -= wraps_us
            clock.shift(wraps_us)
        outage_us = self.first_us - self._before_arrival_us
        if not -SLACK_US <= late_us <= outage_us + ASTRAY_US or clock.utc_us(start_us) < floor_us - SLACK_US:
            return None
        if late_us > ASTRAY_US and not self._is_faster(now_us, CATCHING_UP):
            return None
        clock.resumed(start_us)
        return clock


def _nearest(value: int, step: int) -> int:
    """The multiple of `step` that is nearest to `value`."""
    return (value + step // 2) // step * step

"""
The media clock of a source, told in UTC.

    UTC ^        / steered: at most 500 ppm
        |      _/
        |    _/
        |   /  slope 1: the media clock is followed, not the arrival of packets
        |  /
        | * anchor: the earliest arrival seen
        +-----------------> media time

Samples arrive late by a jitter that only ever adds delay, so the *least* delay seen over a while is what tells the
offset between the two clocks. It anchors the timeline at the start of a run of media; afterwards it shows how far the
media clock has drifted from UTC. Drift is taken out by stretching or shrinking durations by at most `MAX_PPM`; what
cannot be (a stepped clock, a source that stood still) is for the caller to cut at: see `astray`.

All times are integer microseconds.
"""

from __future__ import annotations

from collections import deque

MAX_PPM = 500
DEADBAND_US = 80_000
"""Smaller deviations than this are noise of the network, not drift."""
SETTLED_US = 20_000
"""Steering that has begun goes on until the deviation is smaller than this."""
ASTRAY_US = 3_000_000
"""A deviation larger than this would take 100 minutes to steer out: it is a jump."""
WINDOW_US = 30_000_000
"""The least delay is sought over this much media time."""
ENOUGH = 4
"""So many arrivals tell which of them is out of place."""


def least_delay(delays: list[int]) -> int:
    """
    The least of some arrival minus media times, in us. One alone that is far below all others is not believed: a
    damaged time.
    """
    least = sorted(delays)[:2] if len(delays) >= ENOUGH else [min(delays, default=0)]
    return least[-1] if least[-1] - least[0] > DEADBAND_US else least[0]


class MediaClock:
    """Maps one source's media time to UTC; knows nothing until `anchor` is called."""

    def __init__(self) -> None:
        self.anchored = False
        self.exact = False
        self._offset_us = 0
        self._rate_ppm = 0
        self._since_us = 0
        self._delays: deque[tuple[int, int]] = deque()
        self._watched_from_us = 0

    def anchor(self, media_us: int, utc_us: int, exact: bool = False) -> None:
        """From now on media time `media_us` is `utc_us`. `exact`: the source said so; arrivals don't correct it."""
        self._offset_us = utc_us - media_us
        self._rate_ppm = 0
        self._delays.clear()
        self.anchored = True
        self.exact = exact

    def offset_us(self, media_us: int) -> int:
        if not self._rate_ppm:
            return self._offset_us
        return self._offset_us + (media_us - self._since_us) * self._rate_ppm // 1_000_000

    def utc_us(self, media_us: int) -> int:
        return media_us + self.offset_us(media_us)

    def ticks(self, dts: list[int], timescale: int) -> list[int]:
        """Decoding times in ticks of a track, from the source's epoch to UTC's."""
        if not self._rate_ppm:
            offset = (self._offset_us * timescale + 500_000) // 1_000_000
            return [value + offset for value in dts]
        return [
            value + (self.offset_us(value * 1_000_000 // timescale) * timescale + 500_000) // 1_000_000 for value in dts
        ]

    def arrived(self, media_us: int, now_us: int) -> None:
        """The newest sample has media time `media_us`, and has just come in."""
        if self.exact:
            return
        delay = now_us - self.utc_us(media_us)
        delays = self._delays
        if not delays:
            self._watched_from_us = media_us
        while delays and delays[-1][1] >= delay:  # a monotone queue: its head is the least of the window
            delays.pop()
        delays.append((media_us, delay))
        while delays[0][0] < media_us - WINDOW_US:
            delays.popleft()

    @property
    def deviation_us(self) -> int:
        """How far UTC is ahead of the mapped media time, by the least delay of the last half minute."""
        return self._delays[0][1] if self._delays else 0

    def astray(self) -> bool:
        """Whether the two clocks are so far apart that they must have jumped."""
        deviation = self.deviation_us
        if deviation < 0:  # media from the future: no delay explains that
            return deviation < -ASTRAY_US
        watched_us = self._delays[-1][0] - self._watched_from_us if self._delays else 0
        return deviation > ASTRAY_US and watched_us > WINDOW_US // 2

    def steer(self, media_us: int) -> None:
        """Choose the rate that holds from `media_us` (a fragment's end) on."""
        deviation = self.deviation_us
        limit = SETTLED_US if self._rate_ppm else DEADBAND_US
        rate = 0 if abs(deviation) <= limit else MAX_PPM if deviation > 0 else -MAX_PPM
        if rate == self._rate_ppm == 0:
            return
        moved = self.offset_us(media_us) - self._offset_us
        self._offset_us += moved
        self._since_us = media_us
        self._rate_ppm = rate
        if moved:  # the delays were measured against the old offset
            self._delays = deque((at, delay - moved) for at, delay in self._delays)

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
cannot be (a stepped clock, a source that stood still) is for the caller to cut at: see `correction`.

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
EARLY_US = 200_000
"""A deviation larger than this that shows in the first `EARLY_RUN_US` of a run was a wrong anchor, no drift."""
EARLY_RUN_US = 60_000_000
LOOK_S = 12
"""How arrivals come nearer to the media clock, or do not, is seen over so many seconds."""
STEADY_S = 5
CATCH_UP_PPM = 20_000
"""Arrivals that come nearer at least this fast will be there: a source sends what it owes."""
AHEAD_US = 20_000_000
"""A run that had to be dated after what is recorded may be ahead of UTC by this much."""


class MediaClock:
    """Maps one source's media time to UTC; knows nothing until `anchor` is called."""

    def __init__(self) -> None:
        self.anchored = False
        self.exact = False
        self._offset_us = 0
        self._rate_ppm = 0
        self._since_us = 0
        self._delays: deque[tuple[int, int]] = deque()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=LOOK_S)
        """(second of arrival, least delay in it)"""
        self._began_us = 0
        self.held_back = False
        """Dated later than it arrived, as it must not lie over what is recorded."""

    def anchor(self, media_us: int, utc_us: int, exact: bool = False) -> None:
        """From now on media time `media_us` is `utc_us`. `exact`: the source said so; arrivals don't correct it."""
        self._offset_us = utc_us - media_us
        self._rate_ppm = 0
        self._delays.clear()
        self._seconds.clear()
        self.anchored = True
        self.exact = exact

    def begin(self, media_us: int) -> None:
        """A run begins at `media_us`."""
        self._began_us = media_us
        self.held_back = False

    def resumed(self, media_us: int) -> None:
        """A run begins at `media_us` in which this clock goes on."""
        self.shift(self.offset_us(media_us) - self._offset_us)
        self._rate_ppm = 0
        self._delays.clear()
        self._seconds.clear()

    def shift(self, us: int) -> None:
        """UTC is later by so much than was thought."""
        self._offset_us += us
        self._delays.clear()
        self._seconds.clear()

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
        while delays and delays[-1][1] >= delay:  # a monotone queue: its head is the least of the window
            delays.pop()
        delays.append((media_us, delay))
        self._note(now_us // 1_000_000, delay)
        while delays[0][0] < media_us - WINDOW_US:
            delays.popleft()

    @property
    def deviation_us(self) -> int:
        """How far UTC is ahead of the mapped media time, by the least delay of the last half minute."""
        return self._delays[0][1] if self._delays else 0

    def _note(self, second: int, delay: int) -> None:
        seconds = self._seconds
        if seconds and seconds[-1][0] == second:
            seconds[-1] = second, min(delay, seconds[-1][1])
            return
        seconds.append((second, delay))
        while seconds[0][0] <= second - LOOK_S:
            seconds.popleft()

    @property
    def catching_up(self) -> bool:
        """Whether what arrives is less late from second to second."""
        (first, before), (last, after) = self._seconds[0], self._seconds[-1]
        return last - first < STEADY_S or (before - after) > (last - first) * CATCH_UP_PPM

    @property
    def _steady(self) -> bool:
        recent = [delay for _, delay in self._seconds][-STEADY_S:]
        return len(recent) == STEADY_S and max(recent) - min(recent) <= EARLY_US

    def correction(self, media_us: int) -> int | None:
        """
        By how much UTC is later than was thought, where steering won't do; `None` while it will. At `media_us`.

        A source that catches up needs none, as long as nothing is dated later than it arrived.
        """
        deviation = self.deviation_us
        if not self._delays:
            return None
        if deviation < 0:  # media from the future: no delay explains that
            if self.held_back:
                return deviation if deviation < -AHEAD_US else None
            early = media_us - self._began_us <= EARLY_RUN_US and deviation < -EARLY_US and self._steady
            return deviation if deviation < -ASTRAY_US or early else None
        if self.catching_up:
            return None
        recent = min(delay for _, delay in self._seconds)
        if recent > ASTRAY_US and self._seconds[-1][0] - self._seconds[0][0] >= LOOK_S - 2:
            return recent
        early = media_us - self._began_us <= EARLY_RUN_US and self._steady
        return deviation if deviation > EARLY_US and early else None

    def steer(self, media_us: int) -> None:
        """Choose the rate that holds from `media_us` (a fragment's end) on."""
        deviation = self.deviation_us
        limit = SETTLED_US if self._rate_ppm else DEADBAND_US
        late = deviation > EARLY_US and self.catching_up
        rate = 0 if late or abs(deviation) <= limit else MAX_PPM if deviation > 0 else -MAX_PPM
        if rate == self._rate_ppm == 0:
            return
        moved = self.offset_us(media_us) - self._offset_us
        self._offset_us += moved
        self._since_us = media_us
        self._rate_ppm = rate
        if moved:  # the delays were measured against the old offset
            self._delays = deque((at, delay - moved) for at, delay in self._delays)
            self._seconds = deque(((second, delay - moved) for second, delay in self._seconds), maxlen=LOOK_S)

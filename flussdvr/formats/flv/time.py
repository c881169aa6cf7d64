"""
Exact times from FLV's milliseconds.

    stated   0     33     67    100     133       as RTMP says it, rounded
    grid     0   3003   6006   9009   12012       90 kHz, 30000/1001 frames per second

A frame that is where the grid expects it, within the rounding, is put on the grid; one that is not is where it was
said to be, and the grid begins again there. So durations are constant when the source's are, and a time is never
further from the stated one than the tolerance: clocks that drift are followed.
"""

from __future__ import annotations

from fractions import Fraction

__all__ = ["VIDEO_TIMESCALE", "AudioClock", "VideoClock", "frame_rate_of"]

VIDEO_TIMESCALE = 90_000
TICKS_PER_MS = VIDEO_TIMESCALE // 1000
VIDEO_TOLERANCE = TICKS_PER_MS
"""Two times rounded to a millisecond differ by a whole one at most."""
AUDIO_TOLERANCE_MS = 5
MAX_FRAME_RATE = 300


class VideoClock:
    """Milliseconds to 90 kHz."""

    def __init__(self, frame_rate: Fraction | None = None) -> None:
        self.frame_rate = frame_rate
        self._base: int | None = None
        self._frame = 0

    def times(self, timestamp: int, composition: int) -> tuple[int, int]:
        """dts and cto in ticks, of a timestamp and a composition time in milliseconds."""
        stated = timestamp * TICKS_PER_MS
        shown = (timestamp + composition) * TICKS_PER_MS
        if self.frame_rate is None:
            return stated, shown - stated
        frame = self._nearest(stated)
        if frame <= self._frame or abs(self._at(frame) - stated) > VIDEO_TOLERANCE:
            self._base, frame = stated, 0
        self._frame = frame
        pts = self._at(self._nearest(shown))
        if abs(pts - shown) > VIDEO_TOLERANCE:
            pts = shown
        dts = self._at(frame)
        return dts, pts - dts

    def _at(self, frame: int) -> int:
        """Where the grid has this frame."""
        assert self._base is not None and self.frame_rate is not None
        rate = self.frame_rate
        return self._base + (2 * frame * VIDEO_TIMESCALE * rate.denominator + rate.numerator) // (2 * rate.numerator)

    def _nearest(self, ticks: int) -> int:
        if self._base is None or self.frame_rate is None:
            return -1
        denominator = VIDEO_TIMESCALE * self.frame_rate.denominator
        return (2 * (ticks - self._base) * self.frame_rate.numerator + denominator) // (2 * denominator)


class AudioClock:
    """Milliseconds to samples: a running count, for as long as it agrees with what is stated."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._tolerance = sample_rate * AUDIO_TOLERANCE_MS // 1000
        self._next: int | None = None

    def time(self, timestamp: int, duration: int, offset: int = 0) -> int:
        """dts of a frame of `duration` samples, `offset` samples after `timestamp` milliseconds."""
        stated = (timestamp * self._rate + 500) // 1000 + offset
        dts = self._next
        if dts is None or abs(dts - stated) > self._tolerance:
            dts = stated
        self._next = dts + duration
        return dts


def frame_rate_of(number: float) -> Fraction | None:
    """The frame rate that a float of `onMetaData` means: 29.97 is 30000/1001. None for nonsense."""
    if not 1 <= number <= MAX_FRAME_RATE:
        return None
    for rate in (Fraction(round(number)), Fraction(round(number * 1.001) * 1000, 1001)):
        if abs(rate - Fraction(number)) < Fraction(1, 500):
            return rate
    return Fraction(number).limit_denominator(1001)

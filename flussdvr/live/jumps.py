# -*- test-case-name: tests.live.test_jumps -*-
"""
The times of one track's samples, judged by their neighbours.

    40  80  120  9_999_160  200  240      one is out of place: put between its neighbours
    40  80  120  9_999_160  9_999_200 ...    the next ones go on from there: a jump, passed on as it is
    40  80  120  260  300                    later than usual, and time goes on: passed on as it is

A bit that flips on the way to us must not move anything but, at most, its own picture. So a sample whose decoding time
is unusual waits for the next ones: for one where the step is small, for `JUMP_SAMPLES` where it is a jump. What is
usual does not wait.

Composition offsets have bounds: a decoder holds 16 pictures (ITU-T H.264 §A.3.1, H.265 §A.4.1) and a coded picture
waits 10 s in its buffer at most (ISO/IEC 13818-1 §2.4.2.6). Sync samples have the offset of the one before, or one that
other pictures have, unless two of them say otherwise. At a constant frame rate offsets differ by whole pictures: one
that does not stands out. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from flussdvr.media import Sample

__all__ = ["JUMP_US", "Stamps"]

JUMP_US = 2_000_000
"""A larger step between two samples is a jump, unless the track is as slow as that."""
SLOW_SAMPLES = 4
"""... unless the step is no more than this many of its usual steps."""
JUMP_SAMPLES = 3
"""So many samples that go on from each other are believed to have jumped. A PES packet has two pictures at most."""
HELD_MAX = 8
"""Samples that agree with nothing at all are passed on when so many of them wait."""
STUBBORN = 8
"""So many pictures with an impossible offset, one after the other, are believed."""
REORDER_MAX = 17
"""Of pictures: an offset can be so many steps."""
GRID_MIN = 4
"""So many offsets that differ by whole pictures say that all do ..."""
GRID_PART = 16
"""... within this part of a picture: containers round times."""
OFFSET_MAX_S = 10
OFFSET_MIN_US = 1_000_000
"""The bound on offsets is never below this: the first steps of a track do not say much."""


class Stamps:
    """
    One track's times. `timescale` in ticks a second, `usual`: the expected step in ticks, `tolerance`: by how much
    steps of audio differ from it, `None` for video, whose usual step is learned.

    `repaired` counts the samples that were put elsewhere than they said; it only grows.
    """

    def __init__(self, timescale: int, usual: int, tolerance: int | None = None) -> None:
        self.repaired = 0
        self._timescale = timescale
        self._jump_min = timescale * JUMP_US // 1_000_000
        self._offset_min = timescale * OFFSET_MIN_US // 1_000_000
        """The bounds where the usual step is short: most samples keep within them."""
        self._usual = max(1, usual)
        self._tolerance = tolerance
        self._last: int | None = None
        self._held: list[Sample] = []
        self._recent: deque[int] = deque(maxlen=REORDER_MAX)
        self._offsets: deque[int] = deque([0], maxlen=REORDER_MAX)
        """Of the last pictures that are no sync samples: those of open GOPs have the same as the others."""
        self._sync_offset: int | None = None
        self._odd_offset: int | None = None
        self._odd = 0

    @property
    def waiting(self) -> bool:
        """Whether samples wait for the next ones."""
        return bool(self._held)

    @property
    def held(self) -> Sequence[Sample]:
        """Samples whose times are not judged yet."""
        return self._held

    @property
    def usual(self) -> int:
        """The step that is expected, in ticks."""
        return self._usual

    def restart(self) -> None:
        """What comes next is unrelated to what came before."""
        self._last = None
        self._held = []
        self._sync_offset = self._odd_offset = None

    def feed(self, sample: Sample) -> list[Sample]:
        """The samples whose times are settled now, in decoding order."""
        last = self._last
        if last is None:
            return self._first(sample)
        held = self._held
        if not held and self._is_usual(sample.dts - last):
            return [self._settle(sample, sample.dts)]
        if not held:
            held.append(sample)
            return []
        if self._goes_on(last, sample.dts):
            return self._place(last, sample)
        held.append(sample)
        if self._agree(last) or len(held) >= HELD_MAX:
            return self._release()
        return []

    def flush(self) -> list[Sample]:
        """Nothing more comes: what waits is put behind the last one."""
        held, self._held = self._held, []
        settled = []
        for sample in held:
            if self._last is not None:
                self.repaired += 1
            settled.append(self._settle(sample, sample.dts if self._last is None else self._last + self._usual))
        return settled

    def sync_offset(self, offset: int) -> None:
        """The offset of the last sync sample was found to be this."""
        self.repaired += 1
        self._sync_offset, self._odd_offset = offset, None

    def stands_out(self, offset: int) -> bool:
        """
        Whether the offsets of late differ by whole pictures, and this one, which may be among them, does not.

        So it is known to be damaged where the frame rate is constant; nothing is said of streams where it is not.
        """
        others, times = list(self._offsets), self._recent
        if self._sync_offset is not None:
            others.append(self._sync_offset)
        if offset in others:
            others.remove(offset)
        if len(others) < GRID_MIN or len(times) <= GRID_MIN:
            return False
        picture = (times[-1] - times[0]) / (len(times) - 1)
        base = others[-1]

        def is_off(one: int) -> bool:
            apart = (one - base) / picture
            return abs(apart - round(apart)) * GRID_PART > 1

        return picture > 0 and is_off(offset) and not any(map(is_off, others))

    def _first(self, sample: Sample) -> list[Sample]:
        """The first sample of all is believed when the second goes on from it; else the third decides."""
        held = self._held
        held.append(sample)
        if len(held) == 1 or (len(held) == 2 and not self._is_usual(sample.dts - held[0].dts)):
            return []
        if len(held) == 2:
            return self._release()
        first, second, third = held
        before, step = second.dts - first.dts, third.dts - second.dts
        nearer = abs(third.dts - first.dts - 2 * self._usual) < abs(step - self._usual)
        if not nearer and 0 < step <= self._jump and not 0 < before <= min(self._jump, SLOW_SAMPLES * step):
            self.repaired += 1
            self._held = [second, third]
            return [self._settle(first, second.dts - min(step, self._usual)), *self._release()]
        if self._regular([before, step]):
            self._learn(step)
            return self._release()
        self._held = [second]
        settled = [self._settle(first, first.dts)]
        return settled + (self._place(first.dts, third) if self._goes_on(first.dts, third.dts) else self._wait(third))

    def _learn(self, step: int) -> None:
        if self._tolerance is None:
            self._usual = step

    def _wait(self, sample: Sample) -> list[Sample]:
        self._held.append(sample)
        return []

    # -- decoding times ---------------------------------------------------------------------------------------

    @property
    def _jump(self) -> int:
        return max(self._jump_min, SLOW_SAMPLES * self._usual)

    def _is_usual(self, step: int) -> bool:
        if self._tolerance is not None:
            return -self._tolerance <= step - self._usual <= self._tolerance
        return self._usual <= 2 * step <= 3 * self._usual

    @staticmethod
    def _regular(steps: list[int]) -> bool:
        return min(steps) > 0 and max(steps) <= 2 * min(steps)

    def _goes_on(self, last: int, dts: int) -> bool:
        """Whether `dts` goes on from `last`, and what is held does not lie between them."""
        held = self._held
        if not 0 < dts - last <= self._jump + len(held) * self._usual:
            return False
        times = [last, *(sample.dts for sample in held), dts]
        if all(before < after for before, after in zip(times, times[1:], strict=False)):
            return False
        if any(abs(sample.dts - last) > self._jump for sample in held):
            return True
        # Pictures in order of presentation leave no room for the one that is out of place; a damaged time does.
        free = not any(last < time < dts for time in self._recent)
        return free and 2 * (dts - last) >= (2 * len(held) + 1) * self._usual

    def _place(self, last: int, sample: Sample) -> list[Sample]:
        """Put what is held between its neighbours."""
        held, self._held = self._held, []
        room, count = sample.dts - last, len(held) + 1
        self.repaired += len(held)
        settled = [self._settle(one, last + room * (index + 1) // count) for index, one in enumerate(held)]
        return [*settled, self._settle(sample, sample.dts)]

    def _agree(self, last: int) -> bool:
        """Whether what is held goes on from each other."""
        held = self._held
        steps = [after.dts - before.dts for before, after in zip(held, held[1:], strict=False)]
        if self._regular([held[0].dts - last, *steps]):
            self._learn(steps[-1])
            return True  # not a jump, but a track as slow as that
        recent = steps[-(JUMP_SAMPLES - 1) :]
        if not all(0 < step <= self._jump for step in recent):
            return False
        return 0 < held[0].dts - last <= self._jump or len(recent) == JUMP_SAMPLES - 1

    def _release(self) -> list[Sample]:
        held, self._held = self._held, []
        return [self._settle(sample, sample.dts) for sample in held]

    def _settle(self, sample: Sample, dts: int) -> Sample:
        last, self._last = self._last, dts
        self._recent.append(dts)
        moved, sample.dts = sample.dts - dts, dts
        if self._tolerance is None:
            if last is not None and not moved:
                step = dts - last
                if step > 0 and (step <= self._jump_min or step <= self._jump):
                    self._usual = step
            sample.cto = self._offset(sample, moved)
        return sample

    # -- composition offsets ----------------------------------------------------------------------------------

    def _offset(self, sample: Sample, moved: int) -> int:
        """The offset of a sample whose decoding time was `moved` ticks less."""
        offset = sample.cto
        if moved and offset and not self._is_possible(offset):
            offset += moved  # the time of presentation was right
        if sample.sync:
            return self._sync(offset)
        if self._is_possible(offset):
            self._offsets.append(offset)
            self._odd = 0
            return offset
        if self._odd >= STUBBORN:
            return offset
        self._odd += 1
        self.repaired += 1
        return self._sync_offset or 0

    def _sync(self, offset: int) -> int:
        known, near = self._sync_offset, 2 * self._usual
        if known is None and self._is_possible(offset):
            self._sync_offset = offset
        elif known is None or not self._is_common(offset, known):
            odd, self._odd_offset = self._odd_offset, offset
            if odd is None or abs(offset - odd) > near:
                self.repaired += 1
                return known or 0
            self._sync_offset = offset
        else:
            self._sync_offset = offset
        self._odd_offset = None
        return offset

    def _is_common(self, offset: int, known: int) -> bool:
        """Whether pictures of late have had such an offset; `known` is that of the sync sample before."""
        near = 2 * self._usual
        usual = min(known, *self._offsets) - near <= offset <= max(known, *self._offsets) + near
        return usual and not self.stands_out(offset)

    def _is_possible(self, offset: int) -> bool:
        if abs(offset) <= self._offset_min:
            return True
        return abs(offset) <= min(REORDER_MAX * self._usual, self._timescale * OFFSET_MAX_S)

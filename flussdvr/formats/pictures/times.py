"""
Times of pictures that decoders and containers accept, from what a source states.

    decoding order   I0   P3   B1   B2   P6      DTS must grow, and be no later than the PTS
    stated PTS        80  200  120  (?)  300      missing, repeated or out of order
    order count        0    6    2    4   12      says which picture is shown when (POC)

What is stated is believed while it agrees with the order counts. Where it does not, the PTS is put on the line through
its neighbours, and the DTS is rebuilt: the pictures' PTS in order, later by as many pictures as are reordered. So no
picture is dropped for its time. One picture that is off the line alone moves no other: when the next ones contradict
it, it is remembered where the line has it. Where another stream was joined so that its first pictures overlap the last
ones before, they are put close together behind those, and what follows is as it is stated. A time that is far off is
damaged, or of another clock: it is passed on as it is.

ITU-T H.264 §8.2.1 and §C.4.5.3, ISO/IEC 13818-1 §2.4.3.7. Pure.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Sequence
from fractions import Fraction

from flussdvr.formats.pictures.syntax import Picture

__all__ = ["PictureTimes"]

FAR_MS = 300
FAR_PICTURES = 8
"""A time that is further from what is expected is not put right ..."""
JUMP_S = 2
"""... and if the next one is no further from it than this, the source's time has jumped."""
RECENT = 17
"""Pictures in decoding order that one can be shown before or behind: a decoder holds 16."""
STEPS_KEPT = 5
"""The last steps between pictures; their median counts."""
STEPS_MIN = 3
"""So many steps say how long a picture lasts, even where one of them is damaged."""
SURE = 3
"""After so many pictures that were where they were expected, one that is not is wrong."""
STUBBORN = 8
"""After so many pictures that contradict the order counts, the counts are wrong."""
_SCALE = 256
_LOWEST = -1 << 64
"""Less than any order count or time."""


class PictureTimes:
    """
    One track's. `reorder` is how many pictures can precede one in decoding order and follow it in output order, `None`
    while the stream does not say. `repaired` counts the pictures whose stated times were not usable; it only grows.
    """

    def __init__(self, timescale: int, order_step: int) -> None:
        """`order_step`: by how much the order counts of neighbours differ mostly, 2 in H.264, 1 in H.265."""
        self.reorder: int | None = None
        self.repaired = 0
        self._timescale = timescale
        self._order_step = order_step
        self._declared = timescale // 25
        self._duration = self._declared
        """Of a picture: the median of what was seen lately."""
        self._is_declared = False
        self._delay: int | None = None
        self._delayed = self._odd_delays = 0
        """PTS minus DTS, of how many pictures running, and how many have had another since."""
        self._durations: deque[int] = deque(maxlen=STEPS_KEPT)
        self._units: deque[int] = deque(maxlen=STEPS_KEPT)
        self._usual: int | None = None
        """The median of the units."""
        self._reset()

    def declare(self, frame_rate: Fraction | None, reorder: int | None) -> None:
        """What the parameter sets say."""
        self.reorder = reorder
        self._is_declared = bool(frame_rate)
        if frame_rate:
            self._declared = max(1, int(self._timescale / frame_rate))
            if len(self._durations) < STEPS_MIN:
                self._duration = self._declared

    def lost(self) -> None:
        """Pictures are missing in front of the next one."""
        self._gaps = -1

    def _reset(self) -> None:
        self._recent: deque[tuple[int, int]] = deque(maxlen=RECENT)
        self._most_order = self._most_pts = _LOWEST
        """No less than the order counts and the times of the recent pictures."""
        self._shown: list[int] = []
        """The PTS that no DTS has been made of yet, in order."""
        self._top: int | None = None
        self._before: int | None = None
        """The latest PTS of all pictures, and of those in front of the running sequence."""
        self._base: tuple[int, int] | None = None
        """Order count and PTS of a picture on the line."""
        self._sure = 0
        """How many pictures were where they were expected."""
        self._error: int | None = None
        self._far: int | None = None
        """The PTS of the picture before, if that was far away from all others."""
        self._last_dts: int | None = None
        self._dts_before: int | None = None
        """The DTS of the last picture, and of the one before it."""
        self._seen_reorder = 0
        self._contradictions = 0
        self._trusted = True
        """Whether the order counts are believed."""
        self._rebuild = False
        self._late_dts = 0
        self._gaps = 0
        self._joining = False
        """DTS begin before the end of what was there before: they are close together until they have caught up."""
        self._pushed: int | None = None
        """The latest PTS of a picture that was put behind those, though it is stated to be before."""
        self._start: int | None = None
        self._count = 0
        """PTS of the picture that the running sequence began with, and how many have come since."""

    def _learn_duration(self, ticks: int) -> None:
        self._durations.append(ticks)
        if ticks == self._duration and len(self._durations) == STEPS_KEPT:
            return  # what is the median already stays it when it comes again
        if len(self._durations) >= STEPS_MIN:
            self._duration = _median(self._durations)
        else:
            # So few can be of a damaged time; without a declared rate the least is as good as any.
            self._duration = self._declared if self._is_declared else min(self._durations)

    def _learn_unit(self, unit: int) -> None:
        if unit <= 0:
            return
        self._units.append(unit)
        if unit != self._usual or len(self._units) < STEPS_KEPT:  # as for durations
            self._usual = _median(self._units)

    def times(self, pts: int | None, dts: int | None, picture: Picture) -> tuple[int, int] | None:
        """
        (DTS, PTS) of the next picture in decoding order; `pts` and `dts` are what is stated of it.

        DTS grow, but for jumps of the source's clock, and behind a damaged one that went too far: what was passed on is
        not ours to change, and it must not move the others. `None` in front of the first time.
        """
        if pts is not None and dts is not None and self._is_ordinary(pts, dts, picture):
            return dts, pts
        return self._any_times(pts, dts, picture)

    def _is_ordinary(self, pts: int, dts: int, picture: Picture) -> bool:
        """
        Whether nothing is the matter with a picture and those before it: it is remembered then, and passed on as it is.

        Most are so, and only speed is the reason that they have a way of their own: `_any_times` says the same of them.
        """
        order, base, last, top = picture.order, self._base, self._last_dts, self._top
        if order is None or base is None or last is None or top is None or picture.begins_sequence:
            return False
        duration = self._duration
        odd = pts - dts != self._delay
        if (
            self._sure < SURE
            or self._error is not None
            or self._rebuild
            or not self._trusted
            or not last < dts <= pts
            or pts - dts > max(RECENT * duration, self._timescale)
            or (odd and self._delayed >= STUBBORN)
            or (self._before is not None and pts <= self._before)
        ):
            return False
        base_order, base_pts = base
        usual = self._usual
        unit = duration * _SCALE // self._order_step if usual is None else usual
        if 2 * abs(pts - base_pts - (order - base_order) * unit // _SCALE) >= duration:
            return False
        ahead = 0
        recent = self._recent
        if order <= self._most_order or pts <= self._most_pts:
            for other, at in recent:
                if other < order:
                    if at >= pts:
                        return False
                elif other > order:
                    if at <= pts:
                        return False
                    ahead += 1
        if ahead and len(recent) == RECENT and recent[0][0] > order:
            ahead -= 1  # that one is too long ago once this one has come
        if dts == pts and self.reorder != 0 and recent:
            if self._gaps > 1:
                return False
            if not ahead:
                gap = order - max(recent if len(recent) < RECENT else list(recent)[1:])[0]
                if gap > self._order_step:
                    return False
                self._gaps = 0 if gap > 0 else self._gaps
        # So it is: what the long way would change is changed.
        if odd:
            self._delay, self._delayed = pts - dts, 1
        else:
            self._delayed += 1
        self._odd_delays = 0
        self._far = None
        self._joining = False
        self._count += 1
        self._contradictions = 0
        if order != base_order:
            self._learn_unit((pts - base_pts) * _SCALE // (order - base_order))
        self._base = order, pts
        self._sure += 1
        recent.append((order, pts))
        if order > self._most_order:
            self._most_order = order
        if pts > self._most_pts:
            self._most_pts = pts
        if ahead > self._seen_reorder:
            self._seen_reorder = ahead
        shown, depth = self._shown, self._depth
        insort(shown, pts)
        if len(shown) > depth:
            del shown[: len(shown) - depth]
        if dts - last < JUMP_S * self._timescale:
            self._learn_duration(dts - last)
        self._dts_before, self._last_dts = last, dts
        if pts > top:
            self._top = pts
        return True

    def _any_times(self, pts: int | None, dts: int | None, picture: Picture) -> tuple[int, int] | None:
        """As `times`."""
        if pts is None and self._top is None:
            return None
        if pts is not None and dts is not None:
            pts = self._with_constant_delay(pts, dts, picture)
        expected = None
        if pts is not None and self._top is not None:
            far, self._far = self._far, None
            expected = self._expected(picture)
            limit = max(FAR_PICTURES * self._duration, self._timescale * FAR_MS // 1000)
            if min(abs(pts - expected), abs(pts - self._top)) >= limit:
                if far is None or abs(pts - far) >= JUMP_S * self._timescale:
                    # One alone may be damaged: it is not ours to tell, and no reason to forget the others.
                    self._far = pts
                    if picture.begins_sequence:
                        self._begin_with_line(picture)
                    return (pts if dts is None else dts), pts
                self._reset()
                expected = None
                if far < pts:
                    self._learn_duration(pts - far)
        stated = pts is not None
        if picture.begins_sequence:
            self._joining = self._is_joined(pts, dts, expected)
            self._begin_sequence(pts)
            expected = pts if self._joining else None
        self._count += 1
        shown, right = self._presentation(pts, picture, expected)
        if not right and self._sure < SURE:
            # It may as well be the first ones that were damaged: begun anew, and passed on as it is.
            assert pts is not None
            earlier = self._last_dts
            self._reset()
            self._any_times(pts, dts, picture)
            self._dts_before, self._last_dts = earlier, pts if dts is None else dts
            return self._last_dts, pts
        if not right and pts is not None and (self._joining or (self._pushed is not None and pts <= self._pushed)):
            self._pushed = shown if self._pushed is None else max(self._pushed, shown)
        decoded = self._decoding(dts if stated else None, shown, picture)
        if not right and stated:
            self.repaired += 1
        self._top = shown if self._top is None else max(self._top, shown)
        return decoded, shown

    def _is_joined(self, pts: int | None, dts: int | None, expected: int | None) -> bool:
        """
        Whether a sequence begins earlier than the one before ends: another stream was joined, a little too early.

        PTS and DTS say so both, by the same amount; of a damaged time only one does.
        """
        if pts is None or dts is None or pts == dts or expected is None or self._last_dts is None or self._sure < SURE:
            return False
        early = expected - pts
        difference = self._last_dts + self._duration - dts - early
        return 2 * early >= self._duration and 2 * abs(difference) < self._duration

    def _begin_sequence(self, pts: int | None) -> None:
        if pts is not None and self._start is not None and self._count and not self._durations:
            duration = (pts - self._start) // self._count
            if 0 < duration < JUMP_S * self._timescale:
                self._learn_duration(duration)
        self._start, self._count = pts, 0
        self._put_top_back()
        self._before = self._top
        self._recent.clear()
        self._most_order = self._most_pts = _LOWEST
        self._base = None
        self._pushed = None

    def _with_constant_delay(self, pts: int, dts: int, picture: Picture) -> int:
        """
        The PTS of the next picture, put right where pictures are not reordered.

        They are all shown the same time after their decoding. A PTS that says otherwise, and is not on the line either,
        is damaged where the DTS is where it was expected.
        """
        delay, last = pts - dts, self._last_dts
        if delay == self._delay:
            self._delayed += 1
            self._odd_delays = 0
            return pts
        known, count, self._odd_delays = self._delay, self._delayed, self._odd_delays + 1
        if (
            known is not None
            and count >= STUBBORN
            and self._odd_delays == 1
            and last is not None
            and self._top is not None
        ):
            near = self._duration
            if 2 * abs(dts - last - near) < near and 2 * abs(pts - self._expected(picture)) >= near:
                self.repaired += 1
                return dts + known
        self._delay, self._delayed, self._odd_delays = delay, 1, 0
        return pts

    def _begin_with_line(self, picture: Picture) -> None:
        """A sequence begins with a picture whose time is far away: the others are where they would be without it."""
        line = self._expected(picture)
        self._begin_sequence(None)
        if picture.order is not None:
            self._base = picture.order, line
            self._remember(picture.order, line)

    # -- presentation -----------------------------------------------------------------------------------------

    def _expected(self, picture: Picture) -> int:
        """Where the line of the pictures before has this one."""
        assert self._top is not None
        if self._base is None or picture.order is None or picture.begins_sequence:
            return self._top + self._duration
        order, pts = self._base
        return pts + (picture.order - order) * self._unit // _SCALE

    @property
    def _unit(self) -> int:
        """Ticks that an order count of one stands for, times `_SCALE`."""
        return self._duration * _SCALE // self._order_step if self._usual is None else self._usual

    def _presentation(self, pts: int | None, picture: Picture, expected: int | None) -> tuple[int, bool]:
        """The picture's PTS, and whether that is what was stated; `expected` as by `_expected`, if that is known."""
        order = picture.order
        if self._top is None:
            assert pts is not None
            self._remember(order, pts)
            self._base = None if order is None else (order, pts)
            return pts, True
        if expected is None:
            expected = self._expected(picture)
        if pts is None:
            shown = self._between(expected, *self._bounds(order))
            self._remember(order, shown)
            self._base = self._base if order is None or self._base is not None else (order, shown)
            return shown, True
        low, high = self._bounds(order)
        if high is not None and pts >= high and order is not None and all(order < one for one, _ in self._recent):
            # The counts began anew without an IDR (memory_management_control_operation 5).
            self._begin_sequence(pts)
            low, high = self._bounds(order)
            expected = self._expected(picture)
        right = (low is None or pts > low) and (high is None or pts < high)
        if not right and self._put_back(order, pts, expected):
            low, high = self._bounds(order)
            right = (low is None or pts > low) and (high is None or pts < high)
        if self._seen_reorder and self._sure >= SURE and self._error is None:
            # One alone that is early leaves no room for the pictures that are shown before it.
            right = right and 2 * (pts - expected) > -self._duration
        self._contradictions = 0 if right else self._contradictions + 1
        if self._contradictions > STUBBORN:
            self._trusted = False
        self._follow(order, pts, expected, right)
        shown = pts if right else self._between(expected, low, high)
        self._remember(order, shown)
        if self._base is None and order is not None:
            # One that is off the line may be damaged: the next one tells.
            self._base = order, expected if self._sure >= SURE else shown
        return shown, right

    def _put_back(self, order: int | None, pts: int, expected: int) -> bool:
        """
        Whether the one picture that contradicts `pts` was damaged: `pts` is where it was expected, that one was not.

        It is passed on already, so `Stamps` puts it back; here it must not move the others.
        """
        if order is None or self._base is None or not self._trusted or 2 * abs(pts - expected) >= self._duration:
            return False
        against = [
            index
            for index, (other, at) in enumerate(self._recent)
            if (other < order and at >= pts) or (other > order and at <= pts)
        ]
        if len(against) > 1:
            return False
        if not against:
            return False
        index = against[0]
        if self._pushed is not None and self._recent[index][1] <= self._pushed:
            return False  # it is where we have put it
        line = pts + (self._recent[index][0] - order) * self._unit // _SCALE
        if 2 * abs(self._recent[index][1] - line) < self._duration:
            return False
        self._put_on_line(index, line)
        return True

    def _put_on_line(self, index: int, line: int) -> None:
        """A recent picture is remembered at `line`, not where it was said to be."""
        order, wrong = self._recent[index]
        self._recent[index] = order, line
        self._most_pts = max(self._most_pts, line)
        if wrong == self._top:
            self._top = max([at for _, at in self._recent] + ([] if self._before is None else [self._before]))
        if wrong in self._shown:
            self._shown.remove(wrong)
            insort(self._shown, line)

    def _put_top_back(self) -> None:
        """The latest picture of a sequence is not what the next one follows, where it alone is off the line."""
        if self._base is None or self._sure < SURE or len(self._recent) <= SURE or not self._trusted:
            return
        order, pts = self._base
        lines = [pts + (other - order) * self._unit // _SCALE for other, _ in self._recent]
        off = [i for i, (_, at) in enumerate(self._recent) if 2 * abs(at - lines[i]) >= self._duration]
        if len(off) == 1 and self._recent[off[0]][1] == self._top:
            self._put_on_line(off[0], lines[off[0]])

    def _follow(self, order: int | None, pts: int, expected: int, right: bool) -> None:
        """Move the line to where the source is, unless only this one picture is off it."""
        error, before = pts - expected, self._error
        near = abs(error) * 2 < self._duration
        if order is not None and (near or (before is not None and abs(error - before) * 2 < self._duration)):
            if self._base is not None and right and order != self._base[0]:
                self._learn_unit((pts - self._base[1]) * _SCALE // (order - self._base[0]))
            self._base = order, pts
            self._sure += near
            error = 0
        self._error = error or None

    def _bounds(self, order: int | None) -> tuple[int | None, int | None]:
        """The PTS must be above the first, below the second."""
        low, high = self._before, None
        if order is None or not self._trusted:
            return None, None
        for other, pts in self._recent:
            if other < order and (low is None or pts > low):
                low = pts
            elif other > order and (high is None or pts < high):
                high = pts
        return low, high

    def _between(self, wanted: int, low: int | None, high: int | None) -> int:
        """What is nearest to `wanted`, a little way from its neighbours."""
        room = max(1, self._duration // 8)
        if low is not None and high is not None:
            room = max(1, min(room, (high - low) // 2))
        if high is not None and wanted > high - room:
            wanted = high - room
        if low is not None and wanted < low + room:
            wanted = low + room
        return wanted

    def _remember(self, order: int | None, pts: int) -> None:
        if order is not None:
            self._recent.append((order, pts))
            self._most_order, self._most_pts = max(self._most_order, order), max(self._most_pts, pts)

    # -- decoding ---------------------------------------------------------------------------------------------

    def _leaves_room(self, picture: Picture) -> bool:
        """
        Whether its order count says that pictures will be shown between this one and those before.

        Twice running: a gap may also be of pictures that were lost.
        """
        if picture.order is None or picture.begins_sequence or not self._trusted or len(self._recent) < 2:
            return False
        *others, _ = self._recent
        gap = picture.order - max(order for order, _ in others)
        if gap > 0:
            self._gaps = self._gaps + 1 if gap > self._order_step else 0
        return self._gaps > 1

    @property
    def _depth(self) -> int:
        """How many pictures can precede one in decoding order and follow it in output order."""
        return self._seen_reorder if self.reorder is None else max(self.reorder, self._seen_reorder)

    def _decoding(self, dts: int | None, pts: int, picture: Picture) -> int:
        """A DTS that is later than the last one and, where possible, no later than `pts`."""
        if picture.order is not None:
            order = picture.order
            seen = len([1 for other, _ in self._recent if other > order])
            if seen > self._seen_reorder:
                self._seen_reorder = seen
        depth = self._depth
        last, earlier = self._last_dts, self._dts_before
        if dts is not None and last is not None and earlier is not None and dts <= last:
            if abs(dts - earlier - 2 * self._duration) * 2 < self._duration:
                last = dts - self._duration  # the one before was damaged: this one goes on from the one before that
        insort(self._shown, pts)
        rebuilt = self._shown[0] - max(0, depth + 1 - len(self._shown)) * self._duration
        while len(self._shown) > depth:
            rebuilt = self._shown.pop(0)
        if dts == pts and last is None and picture.begins_sequence and self.reorder:
            self._rebuild = True  # pictures are reordered, and the first one has no delay: these are no DTS
        if dts == pts and self.reorder != 0 and self._leaves_room(picture):
            # The same: pictures that come later are shown before this one.
            self._rebuild = True
            self._seen_reorder = max(self._seen_reorder, 1)
        if dts is not None and (dts > pts or (last is not None and last >= pts)):
            self._late_dts += 1
            self._rebuild = self._rebuild or self._late_dts > 1
        most = max(RECENT * self._duration, self._timescale)
        usable = dts is not None and pts - most <= dts <= pts and (last is None or dts > last)
        if usable and not self._rebuild:
            assert dts is not None
            decoded = dts
            self._joining = False
            if last is not None and dts - last < JUMP_S * self._timescale:
                self._learn_duration(dts - last)
        else:
            self.repaired += dts is not None and not usable
            if not self._rebuild and last is not None and dts is not None:
                # One alone: the others are as they were stated.
                rebuilt = last + (max(1, self._duration // 8) if self._joining else self._duration)
            decoded = min(rebuilt, pts)
            if last is not None and decoded <= last:
                decoded = last + 1
        self._dts_before, self._last_dts = last, decoded
        return decoded


def _median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]

# -*- test-case-name: tests.clock.test_utc -*-
"""
The server's UTC: the machine's clock, as long as the monotonic clock explains it.

    wall      12:00:00  12:00:01  +1 day     +1 day     12:00:04      what the operating system says
    served    12:00:00  12:00:01  12:00:02   12:00:03   12:00:04      what the server dates by
                                  `------ held ------'

A step is a change of wall minus monotonic time by more than `STEP_MS` between two looks; slews (NTP, 10 % at most)
stay far below that. A step is *held*: the server goes on by the monotonic clock until one of these is true.

    the kernel says that NTP disciplines this very clock              accepted at once
    the clock is back where the last good time and the monotonic      accepted at once
    clock expect it
    sources that state UTC agree on the new time (`witnesses`)        accepted at once
    the time before was known to be wrong (see `start`)               accepted at once
    the step has lasted for `HOLD_MS`, or an operator confirms it     accepted; the former not while sources agree
                                                                      that the served time is right

`doubtful`: the time that is served was taken without proof. What was recorded in it is misdated if the next step
shows that it was wrong: `Step.doubtful_ms` says since when. Whether recordings may be deleted by their age is a
question of its own, `trusted_for_expiry`: a loss can't be undone, so it waits longer. It waits too while sources agree
that the served time is wrong.

Pure but for its two clocks, which are passed in. `now_ms` may be called in any thread; everything else belongs to the
reactor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any

from flussdvr.clock.kernel import boot_id, kernel_synchronised
from flussdvr.clock.witnesses import WRONG_MS, Objection, Witnesses, is_zone

STEP_MS = 1000
"""A larger change between two looks is a step. The kernel slews at most 10 %, and we look each second."""
HOLD_MS = 120_000
"""A step that has lasted this long without proof is followed: somebody has set the clock, and there is no NTP."""
EXPIRY_STEP_MS = 60_000
"""Expiry does not stop for smaller steps: no expiration is that exact."""
SYNCHRONISED_MS = 3_600_000
"""Expiry believes a step that NTP says is right after this long."""
UNPROVEN_MS = 24 * 3_600_000
"""Expiry, and everything else, believes any step that has lasted for a day."""
EARLIEST_MS = 1_735_689_600_000
"""2025-01-01: no recording of this software is older. An earlier clock has lost its battery."""
RESTART_SLACK_MS = 5_000
"""How far a restart may move the clock within the same boot, besides a thousandth of the time in between."""


def wall_ms() -> int:
    """What the operating system says."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """
    The server's time has stepped: at the moment that was called `from_ms` it is now `to_ms`.

    `doubtful_ms`: what was recorded from then (in the old time) to `from_ms` is wrong by the step; `None`: it is not.
    """

    from_ms: int
    to_ms: int
    doubtful_ms: int | None

    @property
    def shift_ms(self) -> int:
        """What must be added to the old dates."""
        return self.to_ms - self.from_ms


@dataclass(frozen=True, slots=True)
class _Held:
    """A step that is not followed yet: wall minus monotonic time, and since when (monotonic)."""

    offset_ms: int
    since_ms: int


class UtcClock:
    """
    `now_ms()` is the server's UTC.

    `on_step` is called when the served time has stepped; `on_held` when the wall clock has stepped and is not followed
    (with how far, in ms) and when that is over (with `None`); `on_contradicted` when sources agree that the served time
    is wrong (with what they say minus that, in ms) and when that is over. All may be called in any thread.
    """

    def __init__(
        self,
        wall: Callable[[], int] = wall_ms,
        monotonic: Callable[[], int] = monotonic_ms,
        synchronised: Callable[[], bool] = kernel_synchronised,
        boot: str | None = None,
    ) -> None:
        self.on_step: Callable[[Step], None] = lambda step: None
        self.on_held: Callable[[int | None], None] = lambda shift_ms: None
        self.on_contradicted: Callable[[int | None], None] = lambda difference_ms: None
        self._wall = wall
        self._monotonic = monotonic
        self._synchronised = synchronised
        self._boot = boot_id() if boot is None else boot
        self._lock = RLock()
        now, mono = wall(), monotonic()
        self._offset = now - mono
        """Of the served time: UTC minus monotonic."""
        self._good: int | None = self._offset
        """The offset of the last time that was not doubtful."""
        self._held: _Held | None = None
        self._ignored: int | None = None
        """The offset of a wall clock that was known to be wrong at the start; it is not looked at until it moves."""
        self._doubtful: int | None = None
        """Since when (monotonic) the served time is one that nothing proves."""
        self._unsynchronised: int | None = None if synchronised() else mono
        """Since when (monotonic) this process, or the boot, has run without NTP."""
        self._untrusted: int | None = None
        """Since when (monotonic) expiry does not believe the served time."""
        self._untrusted_step: int | None = None
        """By how far it has stepped then, if that is why."""
        self._looked: int | None = None
        self._witnesses = Witnesses(EARLIEST_MS)
        self._objection = Objection()
        self._told_ms: int | None = None
        """What `on_contradicted` was called with last."""
        if now < EARLIEST_MS and not synchronised():
            self._doubtful, self._good = mono, None
            self._untrusted = mono

    # -- the time ---------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """UTC milliseconds."""
        mono, wall = self._monotonic(), self._wall()
        offset = wall - mono
        if -STEP_MS <= offset - self._offset <= STEP_MS and self._held is None and self._ignored is None:
            self._offset = offset
            return wall
        with self._lock:
            return self._look(mono, offset)

    def _look(self, mono: int, offset: int) -> int:
        """The clock may have stepped."""
        if self._near(offset, self._offset):
            self._offset, self._ignored = offset, None
            self._release()
            return mono + offset
        if self._ignored is not None and self._near(offset, self._ignored):
            self._ignored = offset
            if self._kernel_agrees(mono) or self._witnessed(mono, offset, self._offset):
                self._accept(mono, offset)
            return mono + self._offset
        if self._held is None or not self._near(offset, self._held.offset_ms):
            self._held = _Held(offset, mono)
            self._looked = None
            if self._is_proven(mono, offset):
                self._accept(mono, offset)
                return mono + offset
            self.on_held(offset - self._offset)
        elif self._is_proven(mono, offset):
            self._accept(mono, offset)
        elif mono - self._held.since_ms >= HOLD_MS and not self._witnessed(mono, self._offset, offset):
            self._accept(mono, offset)
        else:
            self._held = _Held(offset, self._held.since_ms)
        return mono + self._offset

    @staticmethod
    def _near(offset: int, other: int) -> bool:
        return abs(offset - other) <= STEP_MS

    def _is_proven(self, mono: int, offset: int) -> bool:
        if self._good is None or self._ignored is not None:
            return offset + mono >= EARLIEST_MS or self._kernel_agrees(mono)
        back = self._doubtful is not None and abs(offset - self._good) <= self._slack(mono)
        return back or self._kernel_agrees(mono) or self._witnessed(mono, offset, self._offset)

    def _witnessed(self, mono: int, offset: int, rather_than: int) -> bool:
        """Whether sources agree on this offset, and can tell it from the other one: not by a time zone."""
        agreed = self._witnesses.agreed(mono)
        if agreed is None or is_zone(offset - rather_than):
            return False
        return abs(agreed - offset) <= WRONG_MS < abs(agreed - rather_than)

    def _slack(self, mono: int) -> int:
        """How far the clock may have drifted while it was astray."""
        return RESTART_SLACK_MS + (mono - (self._doubtful or mono)) // 1000

    def _kernel_agrees(self, mono: int) -> bool:
        """Asked once a second at most."""
        if self._looked is not None and mono - self._looked < 1000:
            return False
        self._looked = mono
        return self._synchronised()

    def _release(self) -> None:
        """The clock has come back by itself: nothing has happened."""
        if self._held is not None:
            self._held = None
            self.on_held(None)

    def _accept(self, mono: int, offset: int) -> None:
        """Follow the wall clock to where it has stepped."""
        by_kernel = self._synchronised()
        by_sources = self._witnessed(mono, offset, self._offset)
        back = self._good is not None and abs(offset - self._good) <= self._slack(mono)
        since = self._doubtful
        if since is None and by_kernel and self._unsynchronised is not None:
            since = self._unsynchronised if mono - self._unsynchronised < UNPROVEN_MS else None
        step = Step(mono + self._offset, mono + offset, None if since is None else since + self._offset)
        known_wrong = self._good is None or self._ignored is not None
        self._offset = offset
        if by_kernel or by_sources or back or known_wrong:
            self._good, self._doubtful = offset, None
        else:
            self._doubtful = mono
        if by_kernel:
            self._unsynchronised = None
        if back:
            self._untrusted = None
        elif step.shift_ms > EXPIRY_STEP_MS:
            self._untrusted, self._untrusted_step = mono, step.shift_ms
        self._objection.stepped(step.shift_ms)
        was_held, self._held, self._ignored = self._held is not None, None, None
        if was_held:
            self.on_held(None)
        self.on_step(step)

    # -- what sources state -----------------------------------------------------------------------------------

    def testify(self, origin: str, utc_ms: int, media_ms: int) -> None:
        """A source states `utc_ms`; see `Witnesses.heard`. Nothing is dated by it. Reactor thread."""
        with self._lock:
            self._witnesses.heard(origin, utc_ms, media_ms, self._monotonic())

    def weigh(self) -> None:
        """Whether sources agree that the served time is wrong; to be called now and then. Reactor thread."""
        with self._lock:
            self.now_ms()
            mono = self._monotonic()
            agreed = self._witnesses.agreed(mono)
            difference = None if agreed is None else agreed - self._offset
            heeded = difference is not None or self._objection.difference_ms is not None
            self._objection.weigh(difference, heeded and self._synchronised(), mono)
            before, self._told_ms = self._told_ms, self._objection.difference_ms
        if self._told_ms != before:
            self.on_contradicted(self._told_ms)

    @property
    def contradicted_ms(self) -> int | None:
        """What sources agree on, minus the served time, where they say that it is wrong."""
        return self._objection.difference_ms

    # -- what may be believed ---------------------------------------------------------------------------------

    @property
    def trusted_for_expiry(self) -> bool:
        """Whether recordings may be deleted because of their age."""
        self.now_ms()
        if self._held is not None and self._held.offset_ms - self._offset > EXPIRY_STEP_MS:
            return False
        if self._ignored is not None or self._objection.difference_ms is not None:
            return False
        since = self._untrusted
        if since is None:
            return True
        lasted = self._monotonic() - since
        if lasted >= UNPROVEN_MS or (lasted >= SYNCHRONISED_MS and self._is_confirmed()):
            self._untrusted = self._doubtful = None
            self._good = self._offset
            return True
        return False

    @property
    def shift_ms(self) -> int | None:
        """How far the machine's clock is from the served time, while a step of it is not followed."""
        if self._held is not None:
            return self._held.offset_ms - self._offset
        return None if self._ignored is None else self._ignored - self._offset

    @property
    def doubtful(self) -> bool:
        """Whether nothing proves the served time."""
        return self._doubtful is not None

    def _is_confirmed(self) -> bool:
        with self._lock:
            agreed = self._witnesses.agreed(self._monotonic())
        by_sources = agreed is not None and abs(agreed - self._offset) <= WRONG_MS
        if by_sources and (self._untrusted_step is None or not is_zone(self._untrusted_step)):
            return True
        return self._synchronised()

    def confirm(self) -> None:
        """An operator says that the machine's clock is right: it is followed, and believed in everything."""
        with self._lock:
            mono, wall = self._monotonic(), self._wall()
            if not self._near(wall - mono, self._offset):
                self._held = self._held or _Held(wall - mono, mono)
                self._accept(mono, wall - mono)
            self._good, self._doubtful, self._untrusted = self._offset, None, None
            agreed = self._witnesses.agreed(mono)
            self._objection.overrule(None if agreed is None else agreed - self._offset)

    def document(self) -> dict[str, Any]:
        """For the API: times in UTC ms."""
        now, shift = self.now_ms(), self.shift_ms
        return {
            "now": now,
            "machine": self._wall(),
            "shift": shift,
            "synchronised": self._synchronised(),
            "doubtful": self.doubtful,
            "trusted_for_expiry": self.trusted_for_expiry,
            "contradicted": self.contradicted_ms,
        }

    # -- across a restart -------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What the next start needs to know; JSON-able."""
        self.now_ms()
        good = self._good
        return {
            "boot": self._boot,
            "monotonic_ms": self._monotonic(),
            "offset_ms": self._offset,
            "good_ms": None if good is None else self._monotonic() + good,
            "good_offset_ms": good,
            "doubtful_since_ms": self._doubtful,
            "untrusted_since_ms": self._untrusted,
            "untrusted_step_ms": self._untrusted_step,
            **self._objection.state(),
        }

    def start(self, saved: object) -> None:
        """
        Go on from what the last process left, `state()` as read from its file; anything that is no such thing is
        ignored.

        Within the same boot the monotonic clock tells whether the clock has stepped meanwhile. After another boot only
        this is known: time does not run back. A clock that is earlier than the last good time, and that NTP does not
        confirm, is wrong: the server goes on from the last good time until it moves.
        """
        if not isinstance(saved, dict):
            return
        with self._lock:
            mono = self._monotonic()
            contradicted, overruled = _number(saved, "contradicted_ms", 0), _number(saved, "overruled_ms", 0)
            self._objection.start(contradicted or None, overruled or None, mono)
            same_boot = saved.get("boot") == self._boot and 0 <= _number(saved, "monotonic_ms", -1) <= mono
            if same_boot and (offset := _number(saved, "offset_ms", 0)):
                self._go_on(saved, mono, offset)
            elif (good := _number(saved, "good_ms", 0)) >= EARLIEST_MS:
                self._after_boot(mono, good)

    def _go_on(self, saved: dict[str, Any], mono: int, offset: int) -> None:
        wall = self._offset
        elapsed = mono - _number(saved, "monotonic_ms", mono)
        near = abs(wall - offset) <= RESTART_SLACK_MS + elapsed // 1000
        self._offset = wall if near else offset
        good = saved.get("good_offset_ms")
        self._good = good if _is_number(good) else None
        if near and saved.get("doubtful_since_ms") is None:
            self._good = wall
        self._doubtful = _moment(saved, "doubtful_since_ms", mono)
        self._untrusted = _moment(saved, "untrusted_since_ms", mono)
        self._untrusted_step = _number(saved, "untrusted_step_ms", 0) or None

    def _after_boot(self, mono: int, good_ms: int) -> None:
        wall = self._offset
        if self._synchronised():
            return
        if mono + wall < good_ms:
            self._ignored, self._offset = wall, good_ms - mono
            self._doubtful, self._good = mono, None
            self._untrusted = mono
        elif mono + wall - good_ms > UNPROVEN_MS:
            self._untrusted = mono


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53


def _number(saved: dict[str, Any], name: str, default: int) -> int:
    value = saved.get(name)
    return value if isinstance(value, int) and _is_number(value) else default


def _moment(saved: dict[str, Any], name: str, mono: int) -> int | None:
    """A moment of the monotonic clock that is not in its future."""
    return min(_number(saved, name, mono), mono) if saved.get(name) is not None else None

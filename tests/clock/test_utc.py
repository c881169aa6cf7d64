"""The server's time against a machine's clock that steps, slews, lies, and boots without a battery."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.clock.kernel import boot_id, kernel_synchronised
from flussdvr.clock.utc import EARLIEST_MS, HOLD_MS, STEP_MS, SYNCHRONISED_MS, UNPROVEN_MS, Step, UtcClock

NOW = 1_795_194_000_000
DAY = 86_400_000
HOUR = 3_600_000
Y2106 = 4_300_000_000_000


class Machine:
    """A wall clock, a monotonic one, and NTP."""

    def __init__(self, wall: int = NOW, mono: int = 1_000_000, boot: str = "a", synchronised: bool = False) -> None:
        self.wall, self.mono, self.boot, self.synchronised = wall, mono, boot, synchronised
        self.steps: list[Step] = []
        self.held: list[int | None] = []
        self.clock = self.start()

    def start(self, saved: object = None) -> UtcClock:
        self.clock = UtcClock(lambda: self.wall, lambda: self.mono, lambda: self.synchronised, self.boot)
        self.clock.on_step, self.clock.on_held = self.steps.append, self.held.append
        self.clock.start(saved)
        return self.clock

    def restart(self, off_ms: int = 3000, wall: int | None = None, boot: str | None = None) -> UtcClock:
        saved = json.loads(json.dumps(self.clock.state()))
        self.mono += off_ms
        self.wall += off_ms
        if boot is not None:
            self.boot, self.mono = boot, 5000
        if wall is not None:
            self.wall = wall
        return self.start(saved)

    def run(self, ms: int, ppm: int = 0) -> int:
        """Time goes by, with a look each second; the server's time then."""
        now = self.clock.now_ms()
        while ms > 0:
            part = min(ms, 1000 if ms < 2 * HOLD_MS else 60_000)
            self.mono += part
            self.wall += part + part * ppm // 1_000_000
            now = self.clock.now_ms()
            ms -= part
        return now

    def step(self, ms: int) -> None:
        self.wall += ms


def test_the_clock_is_the_machines() -> None:
    machine = Machine()
    assert machine.run(10_000) == machine.wall == NOW + 10_000
    assert machine.clock.trusted_for_expiry and not machine.steps and not machine.held


@pytest.mark.parametrize("shift", [DAY, -DAY, Y2106 - NOW, -NOW, 9 * DAY, 30_000, -30_000, HOUR, -HOUR])
def test_a_step_and_back_changes_nothing(shift: int) -> None:
    machine = Machine()
    machine.run(5000)
    machine.step(shift)
    assert machine.run(50_000) == NOW + 55_000
    assert machine.clock.shift_ms == shift and machine.held == [shift]
    machine.step(-shift)
    assert machine.run(5000) == NOW + 60_000 == machine.wall
    assert not machine.steps and machine.held == [shift, None]
    assert machine.clock.trusted_for_expiry and machine.clock.shift_ms is None


def test_expiry_stops_at_once_where_the_clock_goes_far_ahead() -> None:
    machine = Machine()
    machine.step(9 * DAY)
    assert not machine.clock.trusted_for_expiry
    machine.step(-9 * DAY)
    assert machine.clock.trusted_for_expiry


def test_a_step_that_lasts_is_followed_but_expiry_waits_for_a_day() -> None:
    machine = Machine()
    machine.step(9 * DAY)
    assert machine.run(HOLD_MS + 2000) == machine.wall
    (step,) = machine.steps
    assert step.shift_ms == 9 * DAY and step.doubtful_ms is None
    assert not machine.clock.trusted_for_expiry and machine.clock.doubtful
    machine.run(UNPROVEN_MS // 2)
    assert not machine.clock.trusted_for_expiry
    machine.run(UNPROVEN_MS // 2 + 60_000)
    assert machine.clock.trusted_for_expiry and not machine.clock.doubtful


def test_back_from_a_step_that_was_followed_what_was_recorded_meanwhile_is_misdated() -> None:
    machine = Machine()
    machine.run(10_000)
    machine.step(DAY)
    machine.run(HOLD_MS + 60_000)
    machine.step(-DAY)
    assert machine.clock.now_ms() == machine.wall, "where the monotonic clock expects it: believed at once"
    there, back = machine.steps
    assert there.doubtful_ms is None
    assert back.shift_ms == -DAY and back.doubtful_ms == there.to_ms
    assert machine.clock.trusted_for_expiry and not machine.clock.doubtful


def test_what_ntp_says_is_followed_at_once_and_expiry_waits_an_hour() -> None:
    machine = Machine(synchronised=True)
    machine.step(2 * HOUR)
    assert machine.clock.now_ms() == machine.wall
    assert [step.shift_ms for step in machine.steps] == [2 * HOUR]
    assert not machine.clock.trusted_for_expiry
    machine.run(SYNCHRONISED_MS + 60_000)
    assert machine.clock.trusted_for_expiry


def test_ntp_that_comes_after_the_step_proves_it() -> None:
    machine = Machine()
    machine.step(HOUR)
    machine.run(20_000)
    assert not machine.steps
    machine.synchronised = True
    assert machine.run(2000) == machine.wall


def test_an_operator_confirms() -> None:
    machine = Machine()
    machine.step(DAY)
    machine.run(2000)
    machine.clock.confirm()
    assert machine.clock.now_ms() == machine.wall and machine.clock.trusted_for_expiry
    assert [step.shift_ms for step in machine.steps] == [DAY]
    machine.step(-DAY)
    assert machine.run(30_000) == machine.wall + DAY, "what was confirmed is as good as any"


@pytest.mark.parametrize("ppm", [500, -500, 83_333, -83_333])
def test_slews_are_followed(ppm: int) -> None:
    machine = Machine()
    assert machine.run(60_000, ppm) == machine.wall
    assert not machine.steps and not machine.held


def test_steps_upon_steps_start_the_waiting_anew() -> None:
    machine = Machine()
    for shift in (DAY, HOUR, -3 * DAY, 60_000):
        machine.step(shift)
        machine.run(HOLD_MS - 5000)
    assert not machine.steps
    machine.run(6000)
    assert len(machine.steps) == 1


@given(st.lists(st.tuples(st.integers(-(10**13), 10**13), st.integers(0, 300_000)), max_size=8))
def test_the_time_goes_on_or_steps_by_name(changes: list[tuple[int, int]]) -> None:
    machine = Machine()
    machine.run(2000)
    for shift, ms in changes:
        machine.step(shift)
        before, steps, mono = machine.clock.now_ms(), len(machine.steps), machine.mono
        now = machine.run(ms)
        stepped = sum(step.shift_ms for step in machine.steps[steps:])
        assert abs(now - before - (machine.mono - mono) - stepped) <= STEP_MS * (1 + len(machine.steps) - steps)


# -- starts -------------------------------------------------------------------------------------------------------


def test_a_clock_of_1970_is_followed_when_it_jumps_to_the_present() -> None:
    machine = Machine(wall=12_000)
    machine.run(30_000)
    assert not machine.clock.trusted_for_expiry
    machine.wall = NOW
    assert machine.clock.now_ms() == NOW
    (step,) = machine.steps
    assert step.doubtful_ms == 12_000 and step.from_ms == 42_000


def test_a_clock_of_1970_after_good_times_goes_on_from_there() -> None:
    machine = Machine()
    machine.run(60_000)
    good = machine.clock.now_ms()
    machine.restart(wall=12_000, boot="b")
    now = machine.run(30_000)
    assert good <= now <= good + 40_000
    assert not machine.clock.trusted_for_expiry and machine.clock.shift_ms is not None
    machine.wall, machine.synchronised = good + 2 * HOUR, True
    assert machine.run(1000) == machine.wall
    (step,) = machine.steps
    assert step.doubtful_ms is not None and good <= step.doubtful_ms <= good + 40_000


def test_a_restart_within_a_boot_notices_a_step() -> None:
    machine = Machine()
    machine.run(5000)
    machine.restart(wall=NOW + 8000 + 9 * DAY)
    assert machine.clock.now_ms() < NOW + DAY and not machine.clock.trusted_for_expiry
    machine.step(-9 * DAY)
    assert machine.clock.now_ms() == machine.wall and machine.clock.trusted_for_expiry


def test_a_restart_does_not_make_a_doubtful_time_good() -> None:
    machine = Machine()
    machine.step(DAY)
    machine.run(HOLD_MS + 1000)
    machine.restart()
    assert machine.clock.now_ms() == machine.wall and not machine.clock.trusted_for_expiry
    machine.step(-DAY)
    assert machine.clock.now_ms() == machine.wall
    assert machine.steps[-1].doubtful_ms is not None


def test_a_long_way_off_after_a_boot_is_no_reason_to_delete() -> None:
    machine = Machine()
    machine.restart(wall=NOW + 9 * DAY, boot="b")
    assert machine.clock.now_ms() == NOW + 9 * DAY and not machine.clock.trusted_for_expiry
    machine.run(UNPROVEN_MS + 60_000)
    assert machine.clock.trusted_for_expiry


def test_a_night_off_is_nothing() -> None:
    machine = Machine()
    machine.restart(wall=NOW + 8 * HOUR, boot="b")
    assert machine.clock.now_ms() == NOW + 8 * HOUR and machine.clock.trusted_for_expiry and not machine.steps


def test_the_saved_time_of_a_machine_without_battery_is_corrected_by_ntp() -> None:
    machine = Machine()
    machine.restart(wall=NOW + 5000, boot="b")
    machine.run(20_000)
    machine.step(8 * HOUR)
    machine.synchronised = True
    assert machine.clock.now_ms() == machine.wall
    (step,) = machine.steps
    assert step.doubtful_ms is not None and step.doubtful_ms <= NOW + 6000


SAVED: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    *("boot", "monotonic_ms", "offset_ms", "good_ms"),
    *("good_offset_ms", "doubtful_since_ms", "untrusted_since_ms"),
]


@given(SAVED | st.dictionaries(st.sampled_from(FIELDS), SAVED | st.just("a")))
def test_any_nonsense_may_have_been_saved(saved: object) -> None:
    machine = Machine()
    machine.start(saved)
    assert isinstance(machine.run(3000), int)
    assert isinstance(machine.clock.document()["now"], int)
    json.dumps(machine.clock.state())


def test_the_kernel_answers() -> None:
    assert kernel_synchronised() in (True, False)
    assert boot_id() == boot_id()
    assert EARLIEST_MS < NOW

"""The server's time and sources that state UTC: what they can do to it, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from flussdvr.clock.utc import HOLD_MS, SYNCHRONISED_MS, UNPROVEN_MS, UtcClock
from flussdvr.clock.witnesses import LASTING_MS, WRONG_MS
from tests.clock.test_utc import DAY, HOUR, NOW, Machine

Y1970 = 5000


class Broadcast(Machine):
    """A machine with sources that state the right time, `error_ms` from it, while they are `origins`."""

    def __init__(self, wall: int = NOW, **options: Any) -> None:
        self.origins, self.error_ms = ("a", "b"), 0
        self.differences: list[int | None] = []
        super().__init__(wall, **options)
        self.right = NOW - self.mono

    def start(self, saved: object = None) -> UtcClock:
        super().start(saved)
        self.clock.on_contradicted = self.differences.append
        return self.clock

    def hear(self, ms: int) -> None:
        """Time goes by, with a look each second and a table each 20."""
        for second in range(ms // 1000):
            self.run(1000)
            if second % 20 == 0:
                for origin in self.origins:
                    self.clock.testify(origin, self.right + self.mono + self.error_ms, self.mono)
            self.clock.weigh()


def test_sources_that_agree_with_the_clock_change_nothing() -> None:
    machine = Broadcast()
    machine.hear(2 * LASTING_MS)
    assert machine.clock.now_ms() == machine.wall and machine.clock.trusted_for_expiry
    assert not machine.steps and not machine.differences and machine.clock.document()["contradicted"] is None


@pytest.mark.parametrize("wrong_ms", [9 * DAY, -9 * DAY, HOUR + 5 * 60_000, 2 * WRONG_MS])
def test_a_clock_that_sources_contradict_is_not_believed_by_expiry(wrong_ms: int) -> None:
    machine = Broadcast(NOW + wrong_ms)
    machine.hear(LASTING_MS - 1000)
    assert machine.clock.trusted_for_expiry
    machine.hear(60_000)
    assert not machine.clock.trusted_for_expiry
    assert machine.differences == [-wrong_ms] and machine.clock.document()["contradicted"] == -wrong_ms
    assert machine.clock.now_ms() == machine.wall, "nothing is dated by them"
    machine.origins = ()
    machine.hear(HOUR)
    assert not machine.clock.trusted_for_expiry
    machine.step(-wrong_ms)
    machine.run(HOLD_MS + 2000)
    machine.clock.weigh()
    assert machine.differences == [-wrong_ms, None]


def test_one_source_contradicts_nothing() -> None:
    machine = Broadcast(NOW + 9 * DAY)
    machine.origins = ("a",)
    machine.hear(HOUR)
    assert machine.clock.trusted_for_expiry and not machine.differences


def test_ntp_knows_better() -> None:
    machine = Broadcast(NOW + 9 * DAY, synchronised=True)
    machine.hear(2 * LASTING_MS)
    assert machine.clock.trusted_for_expiry and not machine.differences
    machine.synchronised = False
    machine.hear(60_000)
    assert not machine.clock.trusted_for_expiry
    machine.synchronised = True
    machine.hear(1000)
    assert machine.clock.trusted_for_expiry


def test_an_operator_knows_better_also_after_a_restart() -> None:
    machine = Broadcast(NOW + 9 * DAY)
    machine.hear(2 * LASTING_MS)
    assert not machine.clock.trusted_for_expiry
    machine.clock.confirm()
    assert machine.clock.trusted_for_expiry
    machine.hear(2 * LASTING_MS)
    assert machine.clock.trusted_for_expiry
    machine.restart()
    machine.hear(2 * LASTING_MS)
    assert machine.clock.trusted_for_expiry and machine.differences == [-9 * DAY, None]


@pytest.mark.parametrize("boot", [None, "b"])
def test_what_was_contradicted_is_so_after_a_restart(boot: str | None) -> None:
    machine = Broadcast(NOW + 9 * DAY)
    machine.hear(2 * LASTING_MS)
    machine.restart(boot=boot)
    assert not machine.clock.trusted_for_expiry, "before a source has said a word"
    machine.right = machine.wall - machine.mono
    machine.hear(2 * LASTING_MS)
    assert machine.clock.trusted_for_expiry, "somebody has set it"


def test_a_step_that_sources_agree_with_is_followed_at_once() -> None:
    machine = Broadcast(NOW + 9 * DAY)
    machine.hear(2 * LASTING_MS)
    machine.step(-9 * DAY)
    machine.run(1000)
    (step,) = machine.steps
    assert step.shift_ms == -9 * DAY and not machine.clock.doubtful
    machine.clock.weigh()
    assert machine.clock.trusted_for_expiry and machine.differences[-1] is None


def test_a_step_forward_that_they_agree_with_is_believed_by_expiry_after_an_hour() -> None:
    machine = Broadcast(NOW - 9 * DAY)
    machine.hear(2 * LASTING_MS)
    machine.step(9 * DAY)
    machine.hear(SYNCHRONISED_MS - 2000)
    assert machine.steps and not machine.clock.doubtful and not machine.clock.trusted_for_expiry
    machine.hear(4000)
    assert machine.clock.trusted_for_expiry


@pytest.mark.parametrize("shift", [9 * DAY, -9 * DAY])
def test_a_step_away_from_what_they_agree_on_is_not_followed(shift: int) -> None:
    machine = Broadcast()
    machine.hear(2 * LASTING_MS)
    machine.step(shift)
    machine.hear(10 * HOLD_MS)
    assert not machine.steps and machine.clock.shift_ms == shift and not machine.differences
    assert machine.clock.now_ms() == machine.wall - shift
    machine.origins = ()
    machine.hear(10 * HOLD_MS)
    assert [step.shift_ms for step in machine.steps] == [shift], "nobody knows any more"


def test_a_boot_without_a_battery() -> None:
    machine = Broadcast(Y1970)
    assert not machine.clock.trusted_for_expiry
    machine.hear(UNPROVEN_MS + HOUR)
    assert not machine.clock.trusted_for_expiry, "a day proves nothing while they say that it is wrong"
    assert machine.differences == [NOW - Y1970]
    machine.step(NOW - Y1970)
    machine.hear(2000)
    assert machine.clock.now_ms() == machine.wall and not machine.clock.doubtful
    machine.hear(SYNCHRONISED_MS + 2000)
    assert machine.clock.trusted_for_expiry and machine.differences == [NOW - Y1970, None]


def test_a_boot_later_than_the_server_has_ever_been_is_believed_sooner() -> None:
    machine = Broadcast()
    machine.run(1000)
    machine.restart(wall=NOW + 9 * DAY, boot="b")
    machine.right = machine.wall - machine.mono
    machine.hear(SYNCHRONISED_MS - 2000)
    assert not machine.clock.trusted_for_expiry
    machine.hear(4000)
    assert machine.clock.trusted_for_expiry


def test_a_last_good_time_that_was_none() -> None:
    """The clock was far ahead before the machine went down, and believed: after it the right time looks like 1970."""
    machine = Broadcast(NOW + 365 * DAY)
    machine.run(1000)
    machine.restart(wall=NOW, boot="b")
    machine.right = machine.wall - machine.mono
    assert machine.clock.now_ms() > NOW + 364 * DAY
    machine.hear(LASTING_MS + 60_000)
    assert machine.clock.now_ms() == machine.wall
    assert [step.shift_ms // DAY for step in machine.steps] == [-366]


def test_a_state_that_makes_no_sense() -> None:
    machine = Broadcast()
    for value in ("x", 1 << 70, True, [], None, 1.5):
        state = machine.clock.state() | {"contradicted_ms": value, "overruled_ms": value}
        machine.start(state)
        assert machine.clock.trusted_for_expiry


@pytest.mark.parametrize("shift", [HOUR, -HOUR, 9 * HOUR])
def test_tables_with_local_time_say_nothing_of_a_step_to_or_from_local_time(shift: int) -> None:
    """The clock is set from local time to UTC, or the other way round: the tables cannot tell which is right."""
    for error in (0, shift):
        machine = Broadcast()
        machine.error_ms = error
        machine.hear(2 * LASTING_MS)
        machine.step(shift)
        machine.hear(HOLD_MS - 2000)
        assert not machine.steps
        machine.hear(4000)
        assert [step.shift_ms for step in machine.steps] == [shift] and machine.clock.doubtful
        machine.hear(SYNCHRONISED_MS + 60_000)
        assert machine.clock.trusted_for_expiry == (shift < 0), "a step ahead waits for a day, whoever agrees with it"
        machine.restart()
        machine.hear(LASTING_MS + 60_000)
        assert machine.clock.trusted_for_expiry == (shift < 0)
        machine.hear(UNPROVEN_MS)
        assert machine.clock.trusted_for_expiry and not machine.differences

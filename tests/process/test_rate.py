from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.process.rate import WINDOW_S, Rate


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 10**9)), max_size=40), st.floats(0, 30))
def test_a_rate_is_what_a_naive_model_says(steps: list[tuple[float, int]], rest: float) -> None:
    now = 1000.0
    rate, by_second = Rate(lambda: now), defaultdict[int, int](int)
    for step, count in steps:
        now += step
        rate.add(count)
        by_second[int(now)] += count
    now += rest
    over = min(WINDOW_S, int(now) - 1000)
    seen = sum(by_second[second] for second in range(int(now) - over, int(now)))
    assert rate.per_s() == (seen / over if over else 0)


def test_it_remembers_no_more_than_its_window() -> None:
    now = 0.0
    rate = Rate(lambda: now)
    for now in range(1000):  # noqa: B007
        rate.add(5)
    assert rate.per_s() == 5 and len(rate._by_second) <= WINDOW_S + 1
    now += WINDOW_S + 1
    assert rate.per_s() == 0 and not rate._by_second

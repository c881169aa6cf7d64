from __future__ import annotations

from contextlib import ExitStack

import pytest

from flussdvr.threads import Busy
from flussdvr.web.http.budget import SMALL, Budget

MB = 1 << 20


def test_there_is_a_limit_for_all_and_for_each() -> None:
    budget = Budget(100 * MB, 40 * MB)
    with ExitStack() as held:
        for client in range(3):
            held.enter_context(budget.hold(f"x{client}", f"client{client}", 30 * MB))
        with pytest.raises(Busy), budget.hold("y", "client0", 20 * MB):
            pass
        with pytest.raises(Busy), budget.hold("y", "client4", 11 * MB):
            pass
        with budget.hold("y", "client4", 10 * MB):
            assert budget.held == 100 * MB
    assert budget.held == 0


def test_what_several_are_sent_counts_once() -> None:
    budget = Budget(100 * MB, 90 * MB)
    with ExitStack() as held:
        for client in range(10):
            held.enter_context(budget.hold("film", f"client{client}", (60 + client) * MB))
        assert budget.held == 60 * MB
    assert budget.held == 0


def test_small_answers_are_never_refused() -> None:
    budget = Budget(0, 0)
    with budget.hold("x", "client", SMALL - 1):
        assert budget.held == 0


def test_a_client_may_have_one_that_is_larger_than_its_share() -> None:
    budget = Budget(100 * MB, 10 * MB)
    with budget.hold("x", "client", 50 * MB):
        assert budget.held == 50 * MB
        with pytest.raises(Busy), budget.hold("y", "client", 2 * MB):
            pass

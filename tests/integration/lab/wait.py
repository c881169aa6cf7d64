"""Waiting for what another process does: as long as it takes, on a machine of any speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT_S = 120.0
"""Costs nothing where the condition comes true; where it never does, it is only how late the test fails."""
STEP_S = 0.05


def until(
    what: str | Callable[[], str], condition: Callable[[], T], timeout_s: float = TIMEOUT_S, step_s: float = STEP_S
) -> T:
    """
    The first true answer of `condition`. `AssertionError` after `timeout_s`, with `what`: what did not come true, or a
    function that says it then (the end of a log).
    """
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(step_s)
    return found

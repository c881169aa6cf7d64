"""How much goes by in a second, now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

WINDOW_S = 10


class Rate:
    """The mean of the last `WINDOW_S` whole seconds, idle ones too; `seconds()` never runs back."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._begun_s = int(seconds())
        self._by_second: deque[list[int]] = deque()

    def add(self, count: int) -> None:
        second = int(self._seconds())
        if not self._by_second or self._by_second[-1][0] != second:
            self._forget(second)
            self._by_second.append([second, 0])
        self._by_second[-1][1] += count

    def per_s(self) -> float:
        """0 within the first second."""
        second = int(self._seconds())
        self._forget(second)
        over_s = min(WINDOW_S, second - self._begun_s)
        whole = sum(count for at, count in self._by_second if at < second)
        return whole / over_s if over_s else 0.0

    def _forget(self, second: int) -> None:
        while self._by_second and self._by_second[0][0] < second - WINDOW_S:
            self._by_second.popleft()

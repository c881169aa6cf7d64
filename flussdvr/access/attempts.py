"""
Attempts to show a password, at the page and at the API: after some wrong ones an address has to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import ceil

from flussdvr.caching.lru import Lru
from flussdvr.errors import DvrError, Kind

LIMIT = 10
WINDOW_S = 60.0
ADDRESSES = 10_000


class TooMany(DvrError):
    """429: again in `retry_after_s`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(Kind.DENIED, "too_many_attempts", f"too many wrong passwords; again in {retry_after_s} s")
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        return 429


class Attempts:
    """`LIMIT` in `WINDOW_S` from one address (of IPv6: one network of 64 bits). `clock`: seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: Lru[str, list[float]] = Lru(ADDRESSES)

    def begin(self, address: str) -> None:
        """
        An attempt, which counts as failed until `forget`: so that many at the same time are not more than one after
        the other. Raises `TooMany`.
        """
        key, now = _network(address), self._clock()
        begun = [at for at in self._begun.get(key) or () if now - at < WINDOW_S]
        if len(begun) >= LIMIT:
            raise TooMany(max(1, ceil(begun[0] + WINDOW_S - now)))
        self._begun.put(key, [*begun, now], 1)

    def forget(self, address: str) -> None:
        """The last attempt was a good one, or none. Those before it remain: they may have been for another account."""
        if begun := self._begun.get(_network(address)):
            begun.pop()


def _network(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(parsed.ipv4_mapped or ip_network((int(parsed) >> 64 << 64, 64)))

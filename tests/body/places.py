"""
A place that is not this machine: its files are had in chunks, of sizes that nobody expects.
"""

from __future__ import annotations

import os
from itertools import count, cycle

from flussdvr.body.file import DataGone, Opened, Place
from flussdvr.threads import InlineWorker, Worker

SIZES = 1, 7, 100, 1000, 65_536, 3, 1 << 20
"""Of chunks, one after the other; never more than is asked for."""


class Elsewhere(Place):
    """
    The files below `path`, as if another machine had them. `fails`: which of the chunks read breaks off, counted from
    0. `opened`: files that are open now.
    """

    def __init__(self, path: str, worker: Worker | None = None, fails: int | None = None) -> None:
        self.path = path
        self.fails = fails
        self.opened = 0
        self.chunks = count()
        self._worker: Worker = worker or InlineWorker()

    @property
    def worker(self) -> Worker:
        return self._worker

    def open(self, name: str) -> Opened:
        try:
            with open(self.where(name), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise DataGone(self.where(name)) from None
        return _Fetched(self, name, data)

    def size(self, name: str) -> int:
        return os.stat(self.where(name)).st_size

    def where(self, name: str) -> str:
        return f"{self.path}/{name}"


class _Fetched(Opened):
    def __init__(self, place: Elsewhere, name: str, data: bytes) -> None:
        super().__init__(place.where(name))
        self._place, self._data, self._sizes = place, data, cycle(SIZES)
        place.opened += 1

    def _some(self, offset: int, length: int) -> bytes:
        if next(self._place.chunks) == self._place.fails:
            raise ConnectionResetError(104, "Connection reset by peer", self._file)
        return self._data[offset : offset + min(length, next(self._sizes))]

    def check(self, start: int, stop: int) -> None:
        """What is read is what was there."""

    def close(self) -> None:
        self._place.opened -= 1

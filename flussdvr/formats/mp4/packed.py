# -*- test-case-name: tests.formats.mp4.test_packed -*-
"""
Columns of whole numbers, in as few bytes as their range takes.

    Packed      [ 70112 70090 71000 ... ]   smallest + a byte each, or two, three, four, eight;
                                            a byte each too where there are few different ones
    Ascending   [ 24 900 7000 ... ]         the steps of a column that never falls, packed

A day has millions of samples: as 64-bit numbers each column of them has tens of megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flussdvr.formats.mp4.sample_table import Ints

__all__ = ["Ascending", "Packed"]

FEW = 256
"""As many different values as a byte can tell apart."""
LOOKED_AT = 2000
"""If there are more among so many, the others need not be looked at."""


@dataclass(frozen=True, slots=True)
class Packed:
    """
    `low + 65536 * high + least`, or one of `values` where there are these.

    Not to be changed. `low` has one entry for each number, `high` as well or none at all.
    """

    least: int
    low: NDArray[Any]
    high: NDArray[np.uint8] | None = None
    values: Ints | None = None

    @classmethod
    def of(cls, column: NDArray[Any]) -> Packed:
        if not len(column):
            return cls(0, np.empty(0, np.uint8))
        least = int(column.min())
        reach = int(column.max()) - least
        if reach < 1 << 8:
            return cls(least, (column - least).astype(np.uint8))
        values = np.unique(column[:LOOKED_AT])
        if len(values) <= FEW:
            which = np.searchsorted(values, column)
            if which.max() == len(values) or (values[which] != column).any():  # there are others behind these
                values = np.unique(column)
                which = np.searchsorted(values, column)
            if len(values) <= FEW:
                return cls(least, which.astype(np.uint8), None, values.astype(np.int64))
        above = column - least
        if reach < 1 << 16:
            return cls(least, above.astype(np.uint16))
        if reach < 1 << 24:
            return cls(least, (above & 0xFFFF).astype(np.uint16), (above >> 16).astype(np.uint8))
        if reach < 1 << 32:
            return cls(least, above.astype(np.uint32))
        return cls(0, column.astype(np.int64))

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, which: slice) -> Packed:
        """A view."""
        high = self.high[which] if self.high is not None else None
        return Packed(self.least, self.low[which], high, self.values)

    @property
    def nbytes(self) -> int:
        return sum(column.nbytes for column in (self.low, self.high, self.values) if column is not None)

    def column(self) -> Ints:
        if self.values is not None:
            found: Ints = self.values[self.low]
            return found
        column = self.low.astype(np.int64)
        if self.high is not None:
            column += self.high.astype(np.int64) << 16
        column += self.least
        return column

    def at(self, index: int) -> int:
        """One of them; from the end where `index` is negative."""
        stop = index + 1 or None
        return int(self[index:stop].column()[0])

    def tag(self) -> bytes:
        """Says what the numbers are: another one for other numbers."""
        digest = blake2b(repr((self.least, len(self))).encode(), digest_size=16)
        for column in (self.low, self.high, self.values):
            if column is not None:
                digest.update(np.ascontiguousarray(column).data)
        return digest.digest()

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest. There is at least one."""
        column = self.values if self.values is not None else self.column()
        return int(column.min()), int(column.max())


@dataclass(frozen=True, slots=True)
class Ascending:
    steps: Packed

    @classmethod
    def of(cls, column: Ints) -> Ascending:
        return cls(Packed.of(np.diff(column, prepend=0)))

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def nbytes(self) -> int:
        return self.steps.nbytes

    def column(self) -> Ints:
        return np.cumsum(self.steps.column())

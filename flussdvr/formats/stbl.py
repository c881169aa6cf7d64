"""
The sample table of a progressive MP4: one box per column, written from arrays.

    stsd stts [ctts] [stss] stsc stsz co64

`co64` comes last: with it at the end of its track, chunk offsets are filled in once the head's size is known.
ISO/IEC 14496-12 §8.6-8.7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flussdvr.formats.boxes import full_box

__all__ = ["co64", "ctts", "stsc", "stss", "stsz", "stts"]

Ints = NDArray[np.int64]
MAX_DELTA = 0xFFFF_FFFF


def stts(durations: Ints) -> bytes:
    """Decode time to sample; no duration may be more than `MAX_DELTA`."""
    return _table(b"stts", *_run_lengths(durations))


def ctts(offsets: Ints) -> bytes:
    """Composition offsets, none negative; nothing where all are 0."""
    return _table(b"ctts", *_run_lengths(offsets)) if offsets.any() else b""


def stss(sync: NDArray[np.bool_]) -> bytes:
    """Sync samples; nothing where all are."""
    return b"" if sync.all() else _table(b"stss", np.flatnonzero(sync) + 1)


def stsz(sizes: Ints) -> bytes:
    """Sample sizes."""
    return full_box(b"stsz", 0, 0, bytes(4), len(sizes).to_bytes(4), sizes.astype(">u4").tobytes())


def stsc(counts: Ints, descriptions: Ints) -> bytes:
    """Samples per chunk and which sample entry they have, for every chunk."""
    changes = np.flatnonzero((np.diff(counts) != 0) | (np.diff(descriptions) != 0)) + 1
    first = np.append(0, changes)
    return _table(b"stsc", first + 1, counts[first], descriptions[first])


def co64(offsets: Ints) -> bytes:
    """Chunk offsets."""
    return full_box(b"co64", 0, 0, len(offsets).to_bytes(4), offsets.astype(">u8").tobytes())


def _run_lengths(values: Ints) -> Sequence[Ints]:
    begins = np.append(0, np.flatnonzero(np.diff(values)) + 1)
    return np.diff(np.append(begins, len(values))), values[begins]


def _table(kind: bytes, *columns: Ints) -> bytes:
    """A full box of an entry count and 32-bit columns."""
    rows = np.empty((len(columns[0]), len(columns)), ">u4")
    for index, column in enumerate(columns):
        rows[:, index] = column
    return full_box(kind, 0, 0, len(rows).to_bytes(4), rows.tobytes())

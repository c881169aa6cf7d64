"""
Sample tables out of many fragments at once.

    index bytes   ... moof ... traf | tfhd tfdt trun row row row ... moof ...
                                     |__ gather_runs: one record of RUN per trun, all fragments in a few gathers
                                                      |__ read_samples: the rows of a track's runs, one array a column

Both read 32-bit words at arbitrary byte positions through one strided view, so the cost per fragment or sample is some
nanoseconds and no object.  Layout: `formats/mp4/fmp4.py`; ISO/IEC 14496-12 §8.8.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.fmp4 import (
    CTO,
    DURATION,
    FLAGS,
    MAX_RUN_SAMPLES,
    MOOF,
    NON_SYNC_BIT,
    SIZE,
    TFHD_FLAGS,
    TRAF,
    TrackRun,
)
from flussdvr.media import Track

__all__ = [
    "RUN",
    "STRIDES",
    "Bools",
    "Ints",
    "Records",
    "SampleTable",
    "Words",
    "first_cto",
    "gather_runs",
    "read_column",
    "read_samples",
    "rows_of",
    "run_sizes",
    "words",
]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Records = NDArray[np.void]
Words = NDArray[np.uint32]

MAX_SAMPLES = 1 << 22
"""Of one table: sixteen times what an hour of audio has."""
MAX_DTS = 1 << 60

RUN = np.dtype(
    [
        ("fragment", np.int64),
        ("track_id", np.int64),
        ("dts", np.int64),
        ("count", np.int64),
        ("data_offset", np.int64),  # from the beginning of the moof
        ("rows", np.int64),  # where in the buffer the rows of the trun begin
        ("columns", np.int64),  # flags of the trun: which columns the rows have
        ("duration", np.int64),
        ("size", np.int64),
        ("flags", np.int64),
        ("first_flags", np.int64),
    ]
)
"""One `trun`: where its rows are, and the values of the columns that are not in them."""

ALL_COLUMNS = DURATION | SIZE | FLAGS | CTO
STRIDES = np.array([4 * value.bit_count() for value in range(16)], np.int64)
"""Bytes per row by flags >> 8."""

_TRAF_WORDS = np.arange(0, TRAF.size, 4)
_CONSTANT_AT = [1, 2, 3, 4, 9, 10, 11, 15]
_CONSTANT = np.array(
    [
        int.from_bytes(b"traf"),
        28,
        int.from_bytes(b"tfhd"),
        TFHD_FLAGS,
        20,
        int.from_bytes(b"tfdt"),
        1 << 24,
        int.from_bytes(b"trun"),
    ],
    np.uint32,
)
_MFHD = int.from_bytes(b"mfhd")
_TRUN_FIXED = 0x0100_0005


def words(buffer: NDArray[np.uint8]) -> Words:
    """The big-endian 32-bit word at every byte position of `buffer`: a view."""
    view: Words = np.ndarray((max(len(buffer) - 3, 0),), ">u4", buffer, 0, (1,))
    return view


def gather_runs(word: Words, moofs: Ints, moof_sizes: Ints) -> tuple[Records, Bools]:
    """
    The runs of the canonical ones of the `moofs` (positions and sizes in the buffer of `word`).

    Returns records of `RUN` ordered by fragment (an index into `moofs`), and which fragments are not canonical: these
    have no records.
    """
    ends = moofs + moof_sizes
    strange = (moof_sizes < MOOF.size) | (word[moofs + 8] != 16) | (word[moofs + 12] != _MFHD)
    fragment = np.flatnonzero(~strange)
    at = moofs[fragment] + MOOF.size
    levels: list[Records] = []
    while len(fragment):
        fits = at + TRAF.size <= ends[fragment]
        if not fits.all():
            strange[fragment[~fits]] |= at[~fits] != ends[fragment[~fits]]
            fragment, at = fragment[fits], at[fits]
        level, size, good = _gather_traf(word, fragment, at)
        good &= at + size <= ends[fragment]
        if not good.all():
            strange[fragment[~good]] = True
            level, fragment, at, size = level[good], fragment[good], at[good], size[good]
        levels.append(level)
        at = at + size
        unfinished = at != ends[fragment]
        fragment, at = fragment[unfinished], at[unfinished]
    runs = np.concatenate(levels) if levels else np.empty(0, RUN)
    if strange.any():
        runs = runs[~strange[runs["fragment"]]]
    return runs[np.argsort(runs["fragment"], kind="stable")], strange


def _gather_traf(word: Words, fragment: Ints, at: Ints) -> tuple[Records, Ints, Bools]:
    """The `traf` at each `at`: its run, its size, whether it is canonical."""
    cells = word[at[:, None] + _TRAF_WORDS]
    good: Bools = (cells[:, _CONSTANT_AT] == _CONSTANT).all(axis=1)
    cell = cells.T.astype(np.int64)
    flags, count = cell[16], cell[17]
    good &= (flags & ~ALL_COLUMNS) == _TRUN_FIXED
    good &= (count > 0) & (count <= MAX_RUN_SAMPLES) & (cell[18] < 1 << 31) & (cell[12] < MAX_DTS >> 32)
    good &= (cell[14] == 24 + count * STRIDES[flags >> 8 & 15]) & (cell[0] == 56 + cell[14])
    level = np.empty(len(at), RUN)
    level["fragment"] = fragment
    level["track_id"] = cell[5]
    level["dts"] = cell[12] << 32 | cell[13]
    level["count"] = count
    level["data_offset"] = cell[18]
    level["rows"] = at + TRAF.size
    level["columns"] = flags & ALL_COLUMNS
    level["duration"] = cell[6]
    level["size"] = cell[7]
    level["flags"] = cell[8]
    level["first_flags"] = cell[19]
    return level, cell[0], good


def rows_of(runs: Sequence[TrackRun], fragment: int, at: int) -> tuple[Records, bytes]:
    """
    Records and rows of runs that were parsed one by one; the rows will stand at `at` of the buffer.

    Raises `FormatError` where a run has no date, or a senseless one.
    """
    records, rows = [], bytearray()
    for run in runs:
        if not run.rows:
            continue
        if run.dts is None or not 0 <= run.dts < MAX_DTS:
            raise FormatError(f"run of track {run.track_id}: decode time {run.dts}")
        flags = run.rows[0].flags
        position = at + len(rows)
        records.append(
            (fragment, run.track_id, run.dts, len(run.rows), run.data_offset, position, ALL_COLUMNS, 0, 0, 0, flags)
        )
        rows += b"".join(ROW.pack(row.duration, row.size, row.flags, row.cto) for row in run.rows)
    return np.array(records, RUN), bytes(rows)


ROW = struct.Struct(">IIIi")


def read_column(word: Words, runs: Records, column: int) -> Ints:
    """
    One column (a flag of `trun`) of all samples of `runs`, in order; int64.

    Composition offsets are signed. What the rows do not have is the run's default.
    """
    counts = runs["count"]
    default = {DURATION: "duration", SIZE: "size", FLAGS: "flags"}.get(column)
    defaults: Ints = runs[default] if default else np.zeros(len(runs), np.int64)
    present = runs["columns"] & column != 0
    if not present.any():
        return np.repeat(defaults, counts)
    some = runs if present.all() else runs[present]
    strides = STRIDES[some["columns"] >> 8]
    first = some["rows"] + STRIDES[(some["columns"] & (column - 1)) >> 8]
    counts_some = some["count"]
    begins = np.cumsum(counts_some) - counts_some
    steps = np.arange(int(counts_some.sum()))
    if (strides == strides[0]).all():
        stride = int(strides[0])
        steps *= stride
        steps += np.repeat(first - begins * stride, counts_some)
    else:
        steps = (steps - np.repeat(begins, counts_some)) * np.repeat(strides, counts_some)
        steps += np.repeat(first, counts_some)
    values = word[steps].astype(np.int64)
    if column == CTO:
        values -= (values >> 31) << 32
    if some is runs:
        return values
    result = np.repeat(defaults, counts)
    result[np.repeat(present, counts)] = values
    return result


def first_cto(word: Words, runs: Records) -> Ints:
    """Composition offset of the first sample of each run."""
    offsets = np.zeros(len(runs), np.int64)
    have = runs["columns"] & CTO != 0
    columns = runs["columns"][have]
    offsets[have] = word[runs["rows"][have] + STRIDES[(columns & (CTO - 1)) >> 8]].astype(np.int32)
    return offsets


def run_sizes(runs: Records, sample_sizes: Ints, sizes: Ints) -> Ints:
    """
    Bytes of each run, given those of all their samples and of all fragments.

    Raises `FormatError` for a run that reaches out of its fragment.
    """
    if not len(runs):
        return sample_sizes
    result: Ints = np.add.reduceat(sample_sizes, np.cumsum(runs["count"]) - runs["count"])
    outside = (runs["data_offset"] < 0) | (runs["data_offset"] + result > sizes[runs["fragment"]])
    if outside.any():
        run = runs[int(np.argmax(outside))]
        raise FormatError(f"run of track {int(run['track_id'])} reaches out of fragment {int(run['fragment'])}")
    return result


@dataclass(frozen=True, slots=True)
class SampleTable:
    """
    The samples of one track in some fragments, in the order of the blob.

    Per sample: `sizes` in bytes, `durations` and `cto` in ticks, `sync`. Per run: `run_fragments` (numbers in the
    table), `run_offsets` (bytes, absolute in the blob), `run_counts` (samples), `run_dts` (UTC ticks of its first).
    """

    track: Track
    sizes: Ints
    durations: Ints
    cto: Ints
    sync: Bools
    run_fragments: Ints
    run_offsets: Ints
    run_counts: Ints
    run_dts: Ints

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def dts(self) -> int:
        """UTC ticks of the first sample; 0 where there is none."""
        return int(self.run_dts[0]) if len(self.run_dts) else 0

    def run_begins(self) -> Ints:
        """Number of the first sample of each run."""
        begins: Ints = np.cumsum(self.run_counts) - self.run_counts
        return begins

    def decode_times(self) -> Ints:
        """UTC ticks of every sample: every run dates itself."""
        return self._from_runs(self.run_dts, self.durations)

    def offsets(self) -> Ints:
        """Byte of the blob at which every sample begins."""
        return self._from_runs(self.run_offsets, self.sizes)

    def _from_runs(self, origin: Ints, steps: Ints) -> Ints:
        before: Ints = np.cumsum(steps) - steps
        if len(before):
            before += np.repeat(origin - before[self.run_begins()], self.run_counts)
        return before


def read_samples(word: Words, runs: Records, track: Track, moofs: Ints, sizes: Ints) -> SampleTable:
    """
    The sample table of `runs`, all of `track`; `moofs` and `sizes`: offset and size in the blob of every fragment.

    Raises `FormatError` for a run that reaches out of its fragment, or more than 4 million samples.
    """
    counts: Ints = runs["count"].copy()
    total = int(counts.sum())
    if total > MAX_SAMPLES:
        raise FormatError(f"{total} samples in {len(runs)} runs")
    begins = np.cumsum(counts) - counts
    sample_sizes = read_column(word, runs, SIZE)
    fragments: Ints = runs["fragment"].copy()
    run_sizes(runs, sample_sizes, sizes)
    sync: Any
    if (runs["columns"] & FLAGS).any():
        sync = read_column(word, runs, FLAGS) & NON_SYNC_BIT == 0
    else:
        sync = np.repeat(runs["flags"] & NON_SYNC_BIT == 0, counts)
    sync[begins] = runs["first_flags"] & NON_SYNC_BIT == 0
    return SampleTable(
        track,
        sample_sizes,
        read_column(word, runs, DURATION),
        read_column(word, runs, CTO),
        sync,
        fragments,
        moofs[fragments] + runs["data_offset"],
        counts,
        runs["dts"].copy(),
    )

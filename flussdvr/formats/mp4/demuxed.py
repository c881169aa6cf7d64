"""
One track's part of recorded fragments: what DASH and alternate audio are served from.

    recorded       moof traf(v) traf(a) | mdat | v v v v | a a a
    demuxed (a)    moof traf(a)         | mdat |           a a a
                   synthesised bytes              an extent of the blob

The runs lie grouped by track, so one track of a fragment is one extent.  The same fragment gives the same bytes.

Parameter sets can be put in front of the sync samples, which are the first of their runs:

    with sets      moof traf(v) traf(a) | mdat | sets | v v v v | a a a
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np

from flussdvr.formats.mp4.boxes import HEADER
from flussdvr.formats.mp4.fmp4 import DURATION, MOOF, NON_SYNC_BIT, SIZE, TRAF, RunTable, moof_header, traf_box
from flussdvr.formats.mp4.fragment_table import FragmentTable

__all__ = ["Part", "demuxed"]

_FIELDS = ("count", "duration", "size", "flags", "first_flags", "columns")

Part = bytes | tuple[int, int]
"""Bytes, or offset and length of an extent in the blob."""


_NO_SETS: Mapping[int, bytes] = MappingProxyType({})


def demuxed(
    table: FragmentTable,
    first: int,
    stop: int,
    track_ids: Collection[int],
    sets: Mapping[int, bytes] = _NO_SETS,
) -> list[Part]:
    """
    The fragments `[first, stop)` with only the tracks `track_ids`, as bytes and extents in order. `sets`: by a track's
    id, what each of its sync samples begins with.

    A fragment that has none of these tracks is left out; sequence numbers are those of the blob. Raises `FormatError`
    where the index contradicts itself.
    """
    runs = table.runs_of(track_ids, first, stop)
    sizes = table.run_sizes(runs)
    by_fragment: dict[int, list[int]] = {}
    for row, fragment in enumerate(runs["fragment"].tolist()):
        by_fragment.setdefault(fragment, []).append(row)
    parts: list[Part] = []
    for fragment, rows in by_fragment.items():
        tables, added = [], []
        for row in rows:
            run = runs[row]
            count, duration, size, flags, first, columns = (int(run[name]) for name in _FIELDS)
            rows_of_run = table.rows(run)
            one = RunTable(count, int(sizes[row]), duration, size, flags, first, columns, rows_of_run)
            added.append(b"" if first & NON_SYNC_BIT else sets.get(int(run["track_id"]), b""))
            tables.append(_longer(one, len(added[-1])) if added[-1] else one)
        head_size = MOOF.size + sum(TRAF.size + len(one.rows) for one in tables) + 8
        head, payload, at = [moof_header(head_size - 8, table.sequence(fragment))], list[Part](), head_size
        for row, one, more in zip(rows, tables, added, strict=True):
            head.append(traf_box(int(runs[row]["track_id"]), int(runs[row]["dts"]), one, at))
            begin = int(table.offset[fragment]) + int(runs[row]["data_offset"])
            payload += [more, (begin, one.size - len(more))]
            at += one.size
        head.append(HEADER.pack(8 + at - head_size, b"mdat"))
        parts.append(b"".join(head))
        parts += _joined(payload)
    return parts


def _longer(run: RunTable, more: int) -> RunTable:
    """`run`, with its first sample `more` bytes longer."""
    column = 1 if run.columns & DURATION else 0
    rows = np.frombuffer(run.rows, ">u4").reshape(run.samples, -1)
    rows = rows.copy() if run.columns & SIZE else np.insert(rows, column, run.default_size, axis=1)
    rows[0, column] += more
    columns = run.columns | SIZE
    return run._replace(size=run.size + more, default_size=0, columns=columns, rows=rows.astype(">u4").tobytes())


def _joined(parts: list[Part]) -> list[Part]:
    """`parts` without empty ones, and with extents that follow one another made one."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else b""
        if isinstance(part, tuple) and isinstance(last, tuple) and sum(last) == part[0]:
            joined[-1] = (last[0], last[1] + part[1])
        elif part if isinstance(part, bytes) else part[1]:
            joined.append(part)
    return joined

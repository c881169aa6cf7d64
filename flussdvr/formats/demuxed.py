"""
One track's part of recorded fragments: what DASH and alternate audio are served from.

    recorded       moof traf(v) traf(a) | mdat | v v v v | a a a
    demuxed (a)    moof traf(a)         | mdat |           a a a
                   synthesised bytes              an extent of the blob

The runs lie grouped by track, so one track of a fragment is one extent.  The same fragment gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection

from flussdvr.formats.boxes import HEADER
from flussdvr.formats.fmp4 import MOOF, TRAF, RunTable, moof_header, traf_box
from flussdvr.formats.fragment_table import FragmentTable

__all__ = ["Part", "demuxed"]

_FIELDS = ("count", "duration", "size", "flags", "first_flags", "columns")

Part = bytes | tuple[int, int]
"""Bytes, or offset and length of an extent in the blob."""


def demuxed(table: FragmentTable, first: int, stop: int, track_ids: Collection[int]) -> list[Part]:
    """
    The fragments `[first, stop)` with only the tracks `track_ids`, as bytes and extents in order.

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
        tables = []
        for row in rows:
            run = runs[row]
            count, duration, size, flags, first, columns = (int(run[name]) for name in _FIELDS)
            rows_of_run = table.rows(run)
            tables.append(RunTable(count, int(sizes[row]), duration, size, flags, first, columns, rows_of_run))
        head_size = MOOF.size + sum(TRAF.size + len(one.rows) for one in tables) + 8
        head, extents, at = [moof_header(head_size - 8, table.sequence(fragment))], [], head_size
        for row, one in zip(rows, tables, strict=True):
            head.append(traf_box(int(runs[row]["track_id"]), int(runs[row]["dts"]), one, at))
            extents.append((int(table.offset[fragment]) + int(runs[row]["data_offset"]), one.size))
            at += one.size
        head.append(HEADER.pack(8 + at - head_size, b"mdat"))
        parts.append(b"".join(head))
        parts += _joined(extents)
    return parts


def _joined(extents: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """`extents` with those that follow one another made one."""
    joined: list[tuple[int, int]] = []
    for offset, length in extents:
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        elif length:
            joined.append((offset, length))
    return joined

"""
When the first picture of a part of a recording is shown and the last is over, to the tick: a fragment table dates its
rows to the millisecond, which is a fortieth of a frame.

    rows     | I P B B P | I P B B P |
    begin      ^ the first sample                 end: no sample is shown any more, in the order of presentation
"""

from __future__ import annotations

from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.media import Track

__all__ = ["LAST_RUNS", "shown"]

LAST_RUNS = 64
"""So many runs are looked at for the picture that is shown last: pictures are reordered by less."""


def shown(table: FragmentTable, track: Track, first: int, stop: int) -> tuple[int, int] | None:
    """
    `(begin, end)` of `track` in the fragments `[first, stop)`, UTC in its ticks; `None` where it has nothing in them.

    Raises `FormatError` where the index contradicts itself.
    """
    runs = table.runs_of([track.id], first, stop)
    if not len(runs):
        return None
    last = table.samples_of(runs[-LAST_RUNS:], track)
    ends = last.decode_times() + last.cto + last.durations
    return int(table.run_begins(runs[:1])[0]), int(ends.max())

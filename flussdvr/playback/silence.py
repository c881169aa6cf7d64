"""
Silence in the place of selected sound that a segment does not have.

    list      tracks-v1a1/   | v a | v a | v - | v a |      a segment without sound between others: its list would
    segments                 | v a | v a | v s | v a |      stop every browser there

It follows from the recording and the selection alone, so a segment has the same bytes wherever it is made.
"""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.formats.codecs.silence import can_be_silent, silent_run
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.media import Track
from flussdvr.playback.fragments import Span
from flussdvr.playback.selection import Selection, silent


def silent_runs(span: Span, tracks: Sequence[Track], selection: Selection | None) -> list[Run]:
    """
    Runs of silence for `span`, of which `tracks` are selected: for sound that is not among its tracks, and for sound
    that is, can be silent, and has no sample in it.
    """
    if selection is None:
        return []
    empty = [
        track
        for track in tracks
        if can_be_silent(track) and not len(span.table.runs_of([track.id], span.first, span.stop))
    ]
    missing = (*empty, *silent(span.table.tracks, selection))
    runs = [silent_run(track, span.begin_ms, span.end_ms) for track in missing]
    return [run for run in runs if run is not None]

# -*- test-case-name: tests.playback.hls.test_windows -*-
"""Whether the container of a list has a place for its tracks."""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.formats.mpegts.lane import CARRIED, NotCarried
from flussdvr.playback.hls.playlist import Piece
from flussdvr.playback.ts.continuity import corrupt
from flussdvr.playback.view import View


def require_carried(pieces: Sequence[Piece], view: View) -> None:
    """Raises `DvrError` where the container has no place for a track: a list without it would hide that."""
    if view.container != "ts":
        return
    for track in pieces[-1].block.shown:
        if track.codec not in CARRIED:
            raise corrupt(NotCarried(track.codec))

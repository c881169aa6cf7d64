"""
Track selections: `v1a1`, the first video and the first audio track of a stream.

    v1  a2      the first video, the second audio track, in the stream's own order
    1,2         old spelling: tracks by their place among all tracks

A stream's tracks may change in the middle of a window, so a selection is kept by kind and place and resolved for
each blob anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flussdvr.errors import DvrError, Kind
from flussdvr.formats.codecs.silence import silent_track
from flussdvr.media import Track

Selection = tuple[tuple[str, int], ...]
"""Pairs of kind (`v` video, `a` audio, `t` any track) and place, counted from 1."""

MAX_SELECTED = 16
_KINDED = re.compile(r"(?:[va][0-9]{1,2})+")
_NUMBERED = re.compile(r"[0-9]{1,2}(?:,[0-9]{1,2})*")


def parse_selection(text: str) -> Selection:
    """`v1a1` or `1,2` as a selection; raises `DvrError` BAD_REQUEST."""
    pairs: list[tuple[str, int]] = []
    if _KINDED.fullmatch(text):
        pairs = [(kind, int(place)) for kind, place in re.findall(r"([va])([0-9]+)", text)]
    elif _NUMBERED.fullmatch(text):
        pairs = [("t", int(place)) for place in text.split(",")]
    if not pairs or len(pairs) > MAX_SELECTED or any(place < 1 for _, place in pairs):
        raise DvrError(Kind.BAD_REQUEST, "bad_tracks", f"{text[:40]!r} selects no tracks", {"parameter": "tracks"})
    return tuple(dict.fromkeys(pairs))


def spell_selection(selection: Selection) -> str:
    """The selection as it stands after `tracks-` in a URL."""
    if all(kind == "t" for kind, _ in selection):
        return ",".join(str(place) for _, place in selection)
    return "".join(f"{kind}{place}" for kind, place in selection)


def track_names(tracks: Iterable[Track]) -> dict[int, str]:
    """The name of each track by its id: `v1`, `a1`, `a2`."""
    counts = {"v": 0, "a": 0}
    names = {}
    for track in tracks:
        kind = "v" if track.is_video else "a"
        counts[kind] += 1
        names[track.id] = f"{kind}{counts[kind]}"
    return names


def silent(tracks: Sequence[Track], selection: Selection | None) -> tuple[Track, ...]:
    """
    Silence for each sound that `selection` names by kind and that is not there: what a list shows in its place.

    The tracks have the ids that they would have at their places behind `tracks`.
    """
    count = sum(1 for track in tracks if not track.is_video)
    places = [place for kind, place in selection or () if kind == "a" and place > count]
    last = max((track.id for track in tracks), default=0)
    return tuple(silent_track(last + place - count) for place in places)


def selected(tracks: Sequence[Track], selection: Selection | None) -> tuple[Track, ...]:
    """
    Those of `tracks` that `selection` names, in the stream's own order; all for `None`.

    Empty if there is none of them.
    """
    if selection is None:
        return tuple(tracks)
    names = track_names(tracks)
    wanted = {f"{kind}{place}" for kind, place in selection if kind != "t"}
    places = {place for kind, place in selection if kind == "t"}
    return tuple(track for place, track in enumerate(tracks, 1) if place in places or names[track.id] in wanted)

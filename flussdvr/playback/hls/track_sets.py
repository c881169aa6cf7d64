"""
One set of tracks for a whole list: a browser sets up its buffers once, and refuses what has others.

    recorded      | v a | v a | v   | v a |  a  |      a camera whose sound comes and goes, whose picture is lost once
    list          | v a | v a | v s | v a | gap |      tracks-v1a1/: silence where sound is missing, no segment where
                                                       the picture is

Tracks that were announced and never had a sample are in no list. Where all recordings of a list have the same tracks,
it has them all, under their plain URLs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flussdvr.media import Track
from flussdvr.playback.selection import Selection, selected, spell_selection, track_names
from flussdvr.playback.view import View

if TYPE_CHECKING:
    from flussdvr.playback.hls.playlist import Block


@dataclass(frozen=True, slots=True)
class Choice:
    """The `tracks` of a recording that a list shows: selected ones with samples. `gap`: the list cannot show it."""

    tracks: tuple[Track, ...]
    shown: tuple[Track, ...]
    gap: bool


def choose(tracks: tuple[Track, ...], present: Sequence[Track], view: View) -> Choice:
    """What a list with `view` shows of a recording in which `present` of the `tracks` have samples."""
    there = {track.id for track in present or tracks}
    shown = tuple(track for track in selected(tracks, view.selection) if track.id in there)
    return Choice(tracks, shown, view.selection is not None and not _enough(tracks, shown, view.selection))


def _enough(tracks: Sequence[Track], shown: Sequence[Track], selection: Selection) -> bool:
    """Whether all selected pictures are there, and of tracks selected by their number any. Sound can be silent."""
    names = track_names(tracks)
    have = {names[track.id] for track in shown}
    pictures = [f"v{place}" for kind, place in selection if kind == "v"]
    numbered = all(kind == "t" for kind, _ in selection)
    return all(name in have for name in pictures) and (bool(shown) or not numbered)


def steady_view(view: View, blocks: Sequence[Block]) -> View:
    """`view`, or the choice of tracks that a list of `blocks` makes where they differ or lack what is selected."""
    if not blocks:
        return view
    if view.selection is not None:
        if not all(block.gap for block in blocks):
            return view
        # None has the pictures: it is a list of sound, under the same URLs.
        sound = tuple(pair for pair in view.selection if pair[0] != "v")
        return View(view.container, sound) if sound else view
    sets = [names_of(block) for block in blocks]
    if all(one == sets[0] for one in sets) and all(len(block.shown) == len(block.tracks) for block in blocks):
        return view
    selection = common(sets)
    return View(view.container, selection, f"tracks-{spell_selection(selection)}/") if selection else view


def names_of(block: Block) -> Selection:
    """The tracks that a block shows, as a selection."""
    names = track_names(block.tracks)
    return tuple((names[track.id][0], int(names[track.id][1:])) for track in block.shown)


def common(sets: Sequence[Selection]) -> Selection:
    """What all recordings with these tracks are shown with: what they all have, else one picture and one sound."""
    if all(one == sets[0] for one in sets):
        return sets[0]
    every = {pair for one in sets for pair in one}
    firsts = (min((pair for pair in every if pair[0] == kind), default=None) for kind in ("v", "a"))
    return tuple(pair for pair in firsts if pair is not None)

"""
What an MP4 takes of one track in one span of a blob, and when that is decoded and shown in the output.

It says the same whenever it is asked, of the same recording: so nothing of it has to be held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.cut import Cut, cut_audio, cut_video
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.sample_table import Ints
from flussdvr.media import Track
from flussdvr.timeline import to_ticks

__all__ = ["Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """
    `fragments` of the blob that are shown from `begin_ms` (UTC) on, which is `out_ms` of the output, and up to `end_ms`
    or, if that is `None`, to the last of them; `joined` and `preroll` as in `cut`. Times are those of `target`, the
    track of the output; frames of sound come later than `after_dts`.
    """

    source: Track
    target: Track
    fragments: tuple[int, int]
    begin_ms: int
    end_ms: int | None
    joined: bool
    preroll: int
    out_ms: int
    after_dts: int | None

    def lay_out(self, table: FragmentTable, fragments: tuple[int, int] | None = None) -> tuple[Cut, Ints, Ints]:
        """The samples, their decode and presentation times in the output. Raises `FormatError`."""
        rows = fragments or self.fragments
        if self.source.is_video:
            cut = cut_video(table, self.source, rows, self.begin_ms, self.end_ms, self.joined)
        else:
            cut = cut_audio(table, self.source, rows, self.begin_ms, self.end_ms, self.joined, self.preroll)
        dts, pts = self._to_output(cut.dts), self._to_output(cut.pts)
        if self.after_dts is not None and not self.target.is_video:
            # A frame of audio that would begin before the one in front of it: there is no room for both.
            later = dts > self.after_dts
            if not later.all():
                cut, dts, pts = cut[later], dts[later], pts[later]
        return cut, dts, pts

    def again(self, table: FragmentTable, read: Callable[[], FragmentTable]) -> Callable[[], tuple[Ints, Ints, Ints]]:
        """
        What gives decode times, presentation times and sizes again, from the table that `read` gives. Fragments are
        found by where they are in the blob, as others may be deleted meanwhile: DvrError NOT_FOUND where these are.
        """
        first, last = (int(table.offset[row]) for row in (self.fragments[0], self.fragments[1] - 1))

        def samples() -> tuple[Ints, Ints, Ints]:
            found = read()
            begin, end = np.searchsorted(found.offset, (first, last)).tolist()
            if end >= len(found) or (int(found.offset[begin]), int(found.offset[end])) != (first, last):
                raise DvrError(Kind.NOT_FOUND, "data_gone", "what the file was to be made of has been deleted")
            cut, dts, pts = self.lay_out(found, (begin, end + 1))
            return dts, pts, cut.sizes

        return samples

    def _to_output(self, ticks: Ints) -> Ints:
        """UTC ticks of `source` as ticks of `target`, the timescale of the output, in the output's time."""
        if self.source.timescale == self.target.timescale:
            # One rounding for all that is joined, so that it stays exactly as far apart as it was.
            return ticks + to_ticks(self.out_ms - self.begin_ms, self.target.timescale)
        since = ticks - to_ticks(self.begin_ms, self.source.timescale)
        return since * self.target.timescale // self.source.timescale + to_ticks(self.out_ms, self.target.timescale)

"""
How recordings are presented.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.playback.selection import Selection


@dataclass(frozen=True, slots=True)
class View:
    """
    The container (`fmp4` or `ts`) and a choice of tracks, all of them for `None`. `folder`: what a list puts in front
    of the URLs in it, where it makes the choice itself.
    """

    container: str
    selection: Selection | None = None
    folder: str = ""

    @property
    def extension(self) -> str:
        return "ts" if self.container == "ts" else "m4s"

"""
How recordings are presented.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.media import Codec
from flussdvr.playback.selection import Selection


@dataclass(frozen=True, slots=True)
class View:
    """
    The container (`fmp4` or `ts`) and a choice of tracks, all of them for `None`. `folder`: what a list puts in front
    of the URLs in it, where it makes the choice itself. `codec`: of the pictures that a list has, where it does not
    choose that itself.
    """

    container: str
    selection: Selection | None = None
    folder: str = ""
    codec: Codec | None = None

    @property
    def extension(self) -> str:
        return "ts" if self.container == "ts" else "m4s"

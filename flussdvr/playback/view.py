"""
How recordings are presented.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.playback.selection import Selection


@dataclass(frozen=True, slots=True)
class View:
    """The container (`fmp4` or `ts`) and a choice of tracks, all of them for `None`."""

    container: str
    selection: Selection | None = None

    @property
    def extension(self) -> str:
        return "ts" if self.container == "ts" else "m4s"

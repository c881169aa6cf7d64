# -*- test-case-name: tests.web.http.test_facts -*-
"""
What is found out about a request on its way: one value, which the answer, the log and the usage event read.

    route    parsed, live, source        admission   session_id, country, private, on_sent, on_lost
    sender   sent                        connection  unsent
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from flussdvr.urls.values import MediaPath

Origin = Literal["ram", "cache", "disk"]
RAM: Origin = "ram"
CACHE: Origin = "cache"
DISK: Origin = "disk"
"""Where the bytes of an answer come from: made or received just now, made before and kept, read for this answer."""


@dataclass(slots=True)
class Sent:
    """
    Bytes of content that have gone out, by where they came from.

    While `threads` are at work the numbers are not final; the last of them calls `idle`.
    """

    ram: int = 0
    disk: int = 0
    threads: int = 0
    idle: Callable[[], None] | None = None

    def begin(self) -> None:
        self.threads += 1

    def end(self) -> None:
        self.threads -= 1
        if not self.threads and self.idle is not None:
            idle, self.idle = self.idle, None
            idle()


@dataclass(slots=True)
class Facts:
    """Written and read in the reactor's thread."""

    parsed: MediaPath | None = None
    """The media URL, once it is understood."""
    session_id: str = ""
    """The viewer's session, once admitted."""
    country: str | None = None
    """Where the viewer is, as geoip knows it."""
    private: bool = False
    """The answer is for nobody else: no cache between may keep it."""
    live: bool = False
    """Whether a segment is from the live window."""
    source: Origin = RAM
    """Where those bytes come from that are not sent from a file."""
    sent: Sent = field(default_factory=Sent)
    """Content that has gone out."""
    unsent: int = 0
    """Bytes of the body that were written and never left."""
    on_sent: Callable[[int], None] | None = None
    """Called with the count of each piece of content that has gone out."""
    on_lost: Callable[[int], None] | None = None
    """Called with the count of fragments that are left out, as the viewer reads too slowly."""

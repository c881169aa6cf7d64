"""
What playback reads from: the running streams and their recordings, as far as it needs to know them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flussdvr.errors import DvrError, Kind

if TYPE_CHECKING:
    from flussdvr.archive.ports import StreamArchive
    from flussdvr.live.window import LiveWindow


NO_RECORDINGS = "no_recordings"
"""The code of the error that `no_recordings` makes."""


class LiveStream(Protocol):
    """A running stream."""

    name: str
    window: LiveWindow
    opened_at_ms: int


class Streams(Protocol):
    """Every stream there is: running, recorded, or both."""

    def live(self, name: str) -> LiveStream | None: ...

    def archive(self, name: str) -> StreamArchive | None: ...

    def names(self) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One stream as playback sees it: at least one of the two is there."""

    name: str
    live: LiveStream | None
    archive: StreamArchive | None

    @property
    def window(self) -> LiveWindow | None:
        return self.live.window if self.live is not None else None


def source_of(streams: Streams, name: str) -> Source:
    """The stream called `name`; raises `DvrError` NOT_FOUND."""
    source = Source(name, streams.live(name), streams.archive(name))
    if source.live is None and source.archive is None:
        raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is no such stream", {"parameter": "name"})
    return source


def no_recordings() -> DvrError:
    return DvrError(Kind.NOT_FOUND, NO_RECORDINGS, "nothing is recorded in this window")


def no_such_tracks() -> DvrError:
    return DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")

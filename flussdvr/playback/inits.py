"""
Init segments by the digest in their URL.

    init bytes of a blob --(tracks-v1/)--> init bytes of the chosen tracks --sha256--> init-<digest>.mp4

A digest says nothing about where the blob is, so one that was not handed out by this process is looked for among the
stream's blobs, newest first, reading the first bytes of each once.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from flussdvr.archive.body import Extent
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.fmp4 import parse_init, write_init
from flussdvr.media import Track
from flussdvr.playback.lru import Lru
from flussdvr.playback.reading import ReaderOf, read_extent
from flussdvr.playback.selection import Selection, selected
from flussdvr.playback.sources import Source

if TYPE_CHECKING:
    from flussdvr.archive.blob import Blob

CACHE_BYTES = 16 << 20
SCANNED = 20_000
"""How many blobs whose init segment is known are remembered."""
PROBE = 8 << 10


def digest_of(init: bytes) -> str:
    return sha256(init).hexdigest()[:16]


def init_of(init: bytes, tracks: tuple[Track, ...], selection: Selection | None) -> bytes:
    """The init segment of the selected tracks: `init` itself where that is all of them. Raises NOT_FOUND for none."""
    chosen = selected(tracks, selection)
    if not chosen:
        raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
    return init if len(chosen) == len(tracks) else write_init(chosen)


class Inits:
    """Init segments handed out or found."""

    def __init__(self, reader: ReaderOf) -> None:
        self._reader = reader
        self._known: Lru[str, bytes] = Lru(CACHE_BYTES)
        self._of_blob: Lru[str, bytes] = Lru(SCANNED)
        self._interned: dict[bytes, bytes] = {}

    def url(self, init: bytes, tracks: tuple[Track, ...], selection: Selection | None) -> str:
        """The URL, relative to the stream's, of the init segment for these tracks; it can be served from now on."""
        return f"init-{self._remember(init_of(init, tracks, selection))}.mp4"

    async def find(self, source: Source, digest: str, selection: Selection | None) -> bytes:
        """The bytes of an init segment; raises `DvrError` NOT_FOUND."""
        known = self._known.get(digest)
        if known is not None:
            return known
        if source.window is not None and source.window.init:
            found = self._match(source.window.init, selection, digest)
            if found is not None:
                return found
        if source.archive is not None:
            for blob in reversed(source.archive.blobs()):
                found = self._match(await self._init(blob), selection, digest)
                if found is not None:
                    return found
        raise DvrError(Kind.NOT_FOUND, "init_not_found", "no recording has this init segment")

    def _remember(self, init: bytes) -> str:
        digest = digest_of(init)
        if self._known.get(digest) is None:
            self._known.put(digest, init, len(init) + 200)
        return digest

    def _match(self, init: bytes, selection: Selection | None, digest: str) -> bytes | None:
        if not init:
            return None
        if selection is not None:
            try:
                init = init_of(init, parse_init(init).tracks, selection)
            except (DvrError, FormatError):
                return None
        if digest_of(init) != digest:
            return None
        self._remember(init)
        return init

    async def _init(self, blob: Blob) -> bytes:
        known = self._of_blob.get(blob.path)
        if known is None:
            try:
                data = await self._reader(blob.path).do(read_extent, Extent(blob.path, 0, min(PROBE, blob.size)))
                known = bytes(data[: parse_init(data).size])
            except (DvrError, FormatError, OSError):
                known = b""
            if len(self._interned) > 1000:
                self._interned.clear()
            known = self._interned.setdefault(known, known)  # one object for the hours of one recording
            self._of_blob.put(blob.path, known, 1)
        return known

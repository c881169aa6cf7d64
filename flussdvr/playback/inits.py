# -*- test-case-name: tests.playback.test_inits -*-
"""
Init segments by the digest in their URL.

    init bytes of a blob --(tracks-v1/)--> init bytes of the chosen tracks --sha256--> init-<digest>.mp4

A digest says nothing about where the blob is, so one that was not handed out by this process is looked for among the
stream's blobs, newest first. The first bytes of each blob are read once, in a reader thread, for all who ask; what a
stream consists of seldom changes, so few different init segments are left to compare with. A digest that nothing has
costs a look at these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from flussdvr.body.body import Extent
from flussdvr.body.file import BodyFile
from flussdvr.body.reading import read_extent
from flussdvr.caching.lru import Lru
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fmp4 import parse_init, write_init
from flussdvr.media import Track
from flussdvr.playback.selection import Selection, selected, silent
from flussdvr.playback.sources import Source
from flussdvr.process.callbacks import background

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.ports import StreamArchive

CACHE_BYTES = 16 << 20
STREAMS = 1000
"""How many streams' init segments are remembered."""
DIGESTS = 20_000
"""How many choices of tracks have a remembered digest."""
PROBE = 8 << 10


def digest_of(init: bytes) -> str:
    return sha256(init).hexdigest()[:16]


def init_of(init: bytes, tracks: tuple[Track, ...], selection: Selection | None, silence: bool = True) -> bytes:
    """
    The init segment of the selected tracks: `init` itself where that is all of them. With `silence`, sound that is
    selected and not there is in it too. Raises NOT_FOUND for none.
    """
    chosen = _chosen(tracks, selection) if silence else selected(tracks, selection)
    if not chosen:
        raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
    return init if chosen == tracks else write_init(chosen)


def _chosen(tracks: tuple[Track, ...], selection: Selection | None) -> tuple[Track, ...]:
    """The selected tracks, with silence for sound that is not there."""
    return (*selected(tracks, selection), *silent(tracks, selection))


@dataclass(slots=True, eq=False)
class _Found:
    """One of a stream's init segments; `blob`: one that has it."""

    init: bytes
    tracks: tuple[Track, ...]
    blob: Blob


@dataclass(slots=True, eq=False)
class _Scan:
    """
    The init segments of one stream's blobs, as far as they have been looked at. `looked_at`: blobs by their beginnings;
    `additions`: the archive's when all had been; `waiting`: who waits for more to be found, or for the end.
    """

    found: dict[bytes, _Found] = field(default_factory=dict)
    looked_at: set[int] = field(default_factory=set)
    additions: int = -1
    running: bool = False
    waiting: list[Deferred[None]] = field(default_factory=list)

    def tell(self) -> None:
        waiting, self.waiting = self.waiting, []
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(None)


class Inits:
    """Init segments handed out or found. In the reactor thread."""

    log = Logger()

    def __init__(self) -> None:
        self._known: Lru[str, bytes] = Lru(CACHE_BYTES)
        self._scans: Lru[str, _Scan] = Lru(STREAMS)
        self._digests: Lru[tuple[bytes, tuple[int, ...]], str] = Lru(DIGESTS)

    def url(self, init: bytes, tracks: tuple[Track, ...], selection: Selection | None) -> str:
        """The URL, relative to the stream's, of the init segment for these tracks; it can be served from now on."""
        return f"init-{self._remember(init_of(init, tracks, selection))}.mp4"

    async def find(self, source: Source, digest: str, selection: Selection | None) -> bytes:
        """The bytes of an init segment; raises `DvrError` NOT_FOUND."""
        known = self._known.get(digest)
        if known is not None:
            return known
        window = source.window
        if window is not None and window.init:
            if (
                _chosen(window.tracks, selection)
                and digest_of(init_of(window.init, window.tracks, selection)) == digest
            ):
                return self._remembered(init_of(window.init, window.tracks, selection))
        if source.archive is not None:
            init = await self._search(source.archive, digest, selection)
            if init is not None:
                return self._remembered(init)
        raise DvrError(Kind.NOT_FOUND, "init_not_found", "no recording has this init segment")

    def _remember(self, init: bytes) -> str:
        digest = digest_of(init)
        if self._known.get(digest) is None:
            self._known.put(digest, init, len(init) + 200)
        return digest

    def _remembered(self, init: bytes) -> bytes:
        self._remember(init)
        return init

    async def _search(self, archive: StreamArchive, digest: str, selection: Selection | None) -> bytes | None:
        """Among the init segments of the stream's blobs, while they are being found."""
        scan = self._scans.get(archive.name)
        if scan is None:
            scan = _Scan()
            self._scans.put(archive.name, scan, 1)
        compared = 0
        while True:
            if not scan.running and scan.additions != archive.additions:
                scan.running = True
                background(self._look(archive, scan), self.log, f"looking for init segments of {archive.name}")
            for found in list(scan.found.values())[compared:]:
                compared += 1
                init = await self._matching(archive, found, digest, selection)
                if init is not None:
                    return init
            if compared < len(scan.found):
                continue
            if not scan.running:
                return None
            waiter: Deferred[None] = Deferred()
            scan.waiting.append(waiter)
            await waiter

    async def _matching(
        self, archive: StreamArchive, found: _Found, digest: str, selection: Selection | None
    ) -> bytes | None:
        chosen = _chosen(found.tracks, selection)
        if not chosen:
            return None
        if chosen == found.tracks:
            return found.init if self._digest(found, chosen, found.init) == digest else None
        key = found.init, tuple(track.id for track in chosen)
        known = self._digests.get(key)
        if known is not None and known != digest:
            return None
        init = await archive.file(found.blob).worker.do(write_init, chosen)
        return init if self._digest(found, chosen, init) == digest else None

    def _digest(self, found: _Found, chosen: tuple[Track, ...], init: bytes) -> str:
        key = found.init, tuple(track.id for track in chosen)
        known = self._digests.get(key)
        if known is None:
            known = digest_of(init)
            self._digests.put(key, known, 1)
        return known

    async def _look(self, archive: StreamArchive, scan: _Scan) -> None:
        """Look at all blobs that nobody has looked at, newest first. Raises nothing."""
        additions, blobs = archive.additions, archive.blobs()
        if len(scan.looked_at) > 2 * len(blobs):
            scan.looked_at.intersection_update(blob.begin_ms for blob in blobs)
        try:
            for blob in reversed(blobs):
                if blob.begin_ms in scan.looked_at:
                    continue
                try:
                    file = archive.file(blob)
                    init, tracks = await file.worker.do(read_init, file, min(PROBE, blob.size))
                except (DvrError, FormatError, OSError) as error:
                    if isinstance(error, DvrError) and error.kind is Kind.UNAVAILABLE:
                        additions = -1  # the disk is busy or away: it is looked at again when somebody asks
                        continue
                    init, tracks = b"", ()
                scan.looked_at.add(blob.begin_ms)
                if init and init not in scan.found:
                    scan.found[init] = _Found(init, tracks, blob)
                    scan.tell()
        finally:
            scan.running, scan.additions = False, additions
            scan.tell()


def read_init(file: BodyFile, size: int) -> tuple[bytes, tuple[Track, ...]]:
    """The init segment that a blob begins with. In a reader thread. Raises `DvrError`, `FormatError`, `OSError`."""
    data = read_extent(Extent(file, 0, size))
    parsed = parse_init(data)
    return bytes(data[: parsed.size]), parsed.tracks

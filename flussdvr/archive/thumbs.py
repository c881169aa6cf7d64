# -*- test-case-name: tests.archive.test_thumbs -*-
"""
Thumbnails on their way to the disk: beside each blob, a smaller one whose only track is Motion JPEG.

    write(at_ms, jpeg) --> [waiting] --the blob that holds at_ms is listed--> writer thread --> .thumbs.mp4, .thumbs.idx

The files are a blob's in all: `ftyp moov uuid (moof mdat)*`, index never ahead of the data, synced with the others
of the root, deleted with their blob. They differ in that nothing depends on them: no row in the catalog, and what a
crash tears off is not repaired but left out by whoever reads. A disk that falls behind loses thumbnails first.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from flussdvr.archive.disk.blob import Blob, BlobFailed, BlobWriter, blob_stem
from flussdvr.archive.disk.root import Root
from flussdvr.archive.ports import StreamArchive
from flussdvr.errors import DvrError
from flussdvr.formats.mp4.fmp4 import BlobInfo, Run, blob_info_box, write_fragment, write_init
from flussdvr.logs.repeated import Repeated, where
from flussdvr.media import Codec, Sample, Track
from flussdvr.timeline import Range

TIMESCALE = 1000
WAITING = 8
"""Thumbnails that wait for their fragment to be written, or for the disk."""
BLOB_WAIT_MS = 20_000
"""When so much more has been recorded, the blob of an older thumbnail will not come any more."""


THUMBS, THUMBS_INDEX = ".thumbs.mp4", ".thumbs.idx"
"""Suffixes of the two files beside a blob."""


def thumbs_paths(blob: Blob) -> tuple[str, str]:
    """Where the thumbnails of a blob are on this machine: the file and its index."""
    stem = blob_stem(blob.root, blob.stream, blob.begin_ms)
    return stem + THUMBS, stem + THUMBS_INDEX


class ThumbsBlob(Blob):
    """The files of a blob's thumbnails, for `BlobWriter`."""

    __slots__ = ()

    @property
    def path(self) -> str:
        return thumbs_paths(self)[0]

    @property
    def index_path(self) -> str:
        return thumbs_paths(self)[1]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG taken at `at_ms`, UTC, that stands for `duration_ms`."""

    at_ms: int
    jpeg: bytes
    width: int
    height: int
    duration_ms: int

    @property
    def track(self) -> Track:
        return Track(1, Codec.MJPEG, TIMESCALE, width=self.width, height=self.height)

    def fragment(self) -> tuple[bytes, int]:
        """As a fragment, and the size of its head."""
        run = Run(self.track, self.at_ms, [max(1, self.duration_ms)], [Sample(0, self.jpeg)])
        head, payload = write_fragment(1, [run])
        return head + payload, len(head)


@dataclass(slots=True, eq=False)
class _Open:
    """The files that are written to; `writer` is `None` once they are not to be trusted."""

    blob: Blob
    root: Root
    writer: BlobWriter | None


class ThumbsRecorder:
    """
    Writes one stream's thumbnails. `root(path)` is a storage root. `written` and `dropped` count.

    Call `close` at the end. Only in the reactor thread.
    """

    log = Logger()

    def __init__(self, archive: StreamArchive, root: Callable[[str], Root]) -> None:
        self.written = 0
        self.dropped = 0
        self._troubles = Repeated(self.log)
        self._archive = archive
        self._root = root
        self._waiting: deque[Thumbnail] = deque()
        self._open: _Open | None = None
        self._work: Deferred[None] | None = None
        self._closed = False
        self._unsubscribe = archive.subscribe(lambda blob: self._advance())

    def write(self, thumbnail: Thumbnail) -> None:
        """Store it once its moment is recorded, or drop it. Never waits, never raises."""
        if self._closed or len(self._waiting) >= WAITING:
            self.dropped += 1
            return
        self._waiting.append(thumbnail)
        self._advance()

    async def close(self) -> None:
        """Write what can be written; returns when the files are closed."""
        self._closed = True
        self._unsubscribe()
        self._advance()
        if self._work is not None:
            waiter: Deferred[None] = Deferred()
            self._work.chainDeferred(waiter)
            await waiter
        self.dropped += len(self._waiting)
        self._waiting.clear()
        await self._end()

    def _advance(self) -> None:
        """Begin to write what waits, unless that is under way."""
        if self._work is None and self._waiting:
            self._work = Deferred()
            Deferred.fromCoroutine(self._write_all()).addBoth(self._rest)

    def _rest(self, result: object) -> None:
        work, self._work = self._work, None
        failure = result if result is not None else None
        if failure is not None:
            name = self._archive.name
            self._troubles.failure(where(failure), "thumbnails of {stream}", failure, stream=name)  # type: ignore[arg-type]
        if work is not None:
            work.callback(None)

    async def _write_all(self) -> None:
        while self._waiting:
            thumbnail = self._waiting[0]
            blob = self._blob_of(thumbnail)
            if blob is None and self._archive.end_ms < thumbnail.at_ms + BLOB_WAIT_MS:
                return
            self._waiting.popleft()
            if blob is not None and await self._write(blob, thumbnail):
                self.written += 1
            else:
                self.dropped += 1

    def _blob_of(self, thumbnail: Thumbnail) -> Blob | None:
        blobs = self._archive.blobs(Range(thumbnail.at_ms, thumbnail.at_ms + 1))
        return blobs[-1] if blobs else None

    async def _write(self, blob: Blob, thumbnail: Thumbnail) -> bool:
        try:
            opened = await self._opened(blob, thumbnail)
            if opened.writer is None:
                return False
            data, head_size = thumbnail.fragment()
            if not opened.root.reserve(len(data)):
                return False
            try:
                await opened.root.writer.do(opened.writer.append, data, head_size)
            finally:
                opened.root.release(len(data))
        except (OSError, DvrError, BlobFailed) as error:
            self._failed(blob, error)
            return False
        return True

    async def _opened(self, blob: Blob, thumbnail: Thumbnail) -> _Open:
        if self._open is not None and self._open.blob is blob:
            return self._open
        await self._end()
        root = self._root(blob.root)
        self._open = opened = _Open(blob, root, None)
        info = BlobInfo(blob.stream, blob.segment_ms or thumbnail.duration_ms, blob.sequence, blob.after)
        head = write_init([thumbnail.track]) + blob_info_box(info)
        files = ThumbsBlob(blob.stream, blob.root, blob.begin_ms, blob.begin_ms)

        def on_sync_failed(error: Exception) -> None:
            opened.writer = None

        opened.writer = await root.create(files, head, on_sync_failed)
        return opened

    async def _end(self) -> None:
        opened, self._open = self._open, None
        if opened is not None and opened.writer is not None:
            try:
                await opened.root.close(opened.writer)
            except (OSError, DvrError) as error:
                self._failed(opened.blob, error)

    def _failed(self, blob: Blob, error: Exception) -> None:
        """No more thumbnails for this blob; the next one gets new files."""
        path, _ = thumbs_paths(blob)
        kind = type(error), getattr(error, "errno", None)
        self._troubles.warn(kind, "{path}: thumbnails are not stored: {error}", path=path, error=error)
        if self._open is not None and self._open.blob is blob and self._open.writer is not None:
            writer, root = self._open.writer, self._open.root
            self._open.writer = None
            root.close(writer).addErrback(lambda failure: None)

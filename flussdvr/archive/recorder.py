# -*- test-case-name: tests.archive.test_recorder -*-
"""
The recorder: one stream's fragments into blobs. The reactor's side of it.

    write ---> [waiting] --row is in the catalog, files are made--> writer thread ---> grown: listed
    gap   ---> the blob ends: all written -> syncer thread closes it -> the row is closed

A blob begins with a sync fragment: after a gap, at the UTC hour, with another init segment. The catalog's row comes
before the file, but is not waited for where the disk of the catalog does not answer: the row is written when it does,
and the next start finds a blob without one. A fragment for which the disk's queue
has no room is dropped whole, ends the blob and makes a gap with the reason "disk". No SQL and one thread hop per
fragment.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from errno import EDQUOT, EFBIG, ENOSPC
from typing import TypedDict

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob, BlobFailed, BlobState, BlobWriter, delete_files, stream_directory
from flussdvr.archive.disk.root import Root, as_error
from flussdvr.archive.ports import Fragment
from flussdvr.archive.streams.numbering import first_discontinuity
from flussdvr.archive.streams.stream_archive import JOIN_MS, LocalStreamArchive
from flussdvr.database.subjects import Blobs
from flussdvr.errors import DvrError
from flussdvr.events.types.archive import DvrBlobClosed, DvrDropWrite, DvrNewFragment, DvrWriteFailed, DvrWriteResumed
from flussdvr.events.types.event import OnEvent
from flussdvr.formats.mp4.fmp4 import BlobInfo, blob_info_box
from flussdvr.logs.repeated import Repeated, where
from flussdvr.timeline import HOUR_MS

ROTATE_S = 4
"""How long `rotate` waits for a sync fragment before it ends the blob with a gap."""
RETRY_S = 5
"""After a failure of the disk, recording tries again this much later, on a sync fragment."""


class _About(TypedDict):
    """What all events of a recorder have."""

    media: str
    path: str


@dataclass(slots=True, eq=False)
class _Recording:
    """A blob on its way: `waiting` until it has a row and files, `inflight` in the writer's queue."""

    blob: Blob
    init: bytes
    end_ms: int
    writer: BlobWriter | None = None
    waiting: list[Fragment] = field(default_factory=list)
    inflight: int = 0
    ended: bool = False
    finishing: bool = False
    failed: bool = False
    suspect: bool = False
    finished: Deferred[None] = field(default_factory=Deferred)


class Recorder:
    """
    Records one stream.

    Counters: `fragments_written`, `fragments_dropped`, `bytes_written`, `last_write_ms` (end of the newest written
    fragment), `error` (why recording is interrupted, or `None`). A blob ends at the UTC hour, and when it has `blob_ms`
    or `blob_bytes`: what is deleted whole must not be much of what is to be kept. `make_room` is awaited when the disk
    is full; it tells how many bytes it has freed.
    """

    log = Logger()

    def __init__(
        self,
        archive: LocalStreamArchive,
        root: Root,
        blobs: Blobs,
        clock: IReactorTime,
        on_event: OnEvent = lambda event: None,
        make_room: Callable[[], Awaitable[int]] | None = None,
        on_closed: Callable[[Recorder], None] = lambda recorder: None,
    ) -> None:
        stream_directory(root.path, archive.name)
        self.archive = archive
        self.root = root
        self.fragments_written = 0
        self.fragments_dropped = 0
        self.bytes_written = 0
        self.last_write_ms: int | None = None
        self.error: DvrError | None = None
        self.blob_ms = HOUR_MS
        self.blob_bytes: int | None = None
        self._blobs = blobs
        self._clock = clock
        self._on_event = on_event
        self._make_room = make_room
        self._on_closed = on_closed
        self._current: _Recording | None = None
        self._unfinished: set[_Recording] = set()
        self._after: str | None = "restart" if len(archive) else None
        self._discontinuity = archive.discontinuity
        self._retry_at: float | None = None
        self._troubles = Repeated(self.log, clock.seconds)
        self._closed = False
        self._holding = False
        """Whether the stream's directory is this process's: from the first blob on."""
        self._rotating: _Recording | None = None

    # -- what the stream calls --------------------------------------------------------------------------------

    @property
    def end_ms(self) -> int:
        """End of what has been accepted for recording: nothing before it is taken. What is misdated does not count."""
        accepted = [one.end_ms for one in self._unfinished if one.blob not in self.archive.misdated]
        return max([self.archive.end_ms, *accepted])

    def opens_blob(self, fragment: Fragment, init: bytes, segment_ms: int) -> bool:
        """Whether `write` of this fragment, now, begins a blob: hence a segment too."""
        if not fragment.sync or self._closed or fragment.begin_ms < self.end_ms - JOIN_MS:
            return False
        if self._retry_at is not None and self._clock.seconds() < self._retry_at:
            return False
        if not self._has_room(len(fragment.data)):
            return False
        current = self._current
        return (
            current is None
            or current.init != init
            or current.blob.segment_ms != segment_ms
            or current.blob.begin_ms // HOUR_MS != fragment.begin_ms // HOUR_MS
            or fragment.begin_ms - current.blob.begin_ms >= self.blob_ms
            or (self.blob_bytes is not None and current.blob.size >= self.blob_bytes)
            or current is self._rotating
            or fragment.begin_ms > current.end_ms + JOIN_MS
        )

    def write(self, fragment: Fragment, init: bytes, segment_ms: int, sequence: int) -> None:
        """
        Record a fragment, or drop and count it.

        `sequence`: media sequence number of the segment it belongs to. Never waits, never raises.
        """
        if self.opens_blob(fragment, init, segment_ms):
            self._begin(fragment, init, segment_ms, sequence)
        current = self._current
        if current is None:
            self._drop()
            return
        if current.init != init or abs(fragment.begin_ms - current.end_ms) > JOIN_MS:
            self._end("tracks_changed" if current.init != init else "timestamp_jump")
            self._drop()
            return
        if not self.root.reserve(len(fragment.data)):
            self._drop()
            self._end("disk")
            self._troubles.warn("slow", "{stream}: {root} is too slow", stream=self.archive.name, root=self.root.path)
            duration_ms = fragment.end_ms - fragment.begin_ms
            self._on_event(DvrDropWrite(**self._about, begin_ms=fragment.begin_ms, duration=duration_ms))
            return
        current.end_ms = fragment.end_ms
        if current.writer is None:
            current.waiting.append(fragment)
        else:
            self._append(current, current.writer, fragment)

    def gap(self, reason: str) -> None:
        """The next fragment does not continue the last one: end the blob."""
        self._end(reason)

    async def rotate(self) -> None:
        """Begin another blob, without a gap if a sync fragment comes soon; returns when all before it is closed."""
        recording = self._rotating = self._current
        timer = self._clock.callLater(ROTATE_S, self._end_if, recording)
        try:
            await self._settled()
        finally:
            if timer.active():
                timer.cancel()

    def _end_if(self, recording: _Recording | None) -> None:
        if recording is not None and recording is self._current:
            self._end("deleted")

    async def close(self) -> None:
        """Write what waits, end the blob; returns when it is closed on the disk and in the catalog."""
        self._closed = True
        self._end("restart")
        await self._settled()
        self._give_back()
        self._on_closed(self)

    def _held(self) -> None:
        if self._holding:  # two blobs have begun before the disk answered
            self.root.give_back(self.archive.name)
        self._holding = True

    def _give_back(self) -> None:
        """Others may record the stream, once nothing of this one is under way."""
        if self._holding and self._closed and not self._unfinished:
            self._holding = False
            self.root.give_back(self.archive.name)

    async def _settled(self) -> None:
        """All blobs of this moment are closed."""
        for recording in tuple(self._unfinished):
            waiter: Deferred[None] = Deferred()
            recording.finished.chainDeferred(waiter)
            await waiter

    # -- a blob's life ----------------------------------------------------------------------------------------

    def _has_room(self, size: int) -> bool:
        if not self.root.reserve(size):
            return False
        self.root.release(size)
        return True

    def _begin(self, fragment: Fragment, init: bytes, segment_ms: int, sequence: int) -> None:
        before, name = self._current, self.archive.name
        if before is not None:
            if before.init != init:
                self._end("tracks_changed")
            elif fragment.begin_ms > before.end_ms + JOIN_MS:
                self._end("timestamp_jump")
            else:
                self._end(None)
        begin_ms = fragment.begin_ms
        if not self._discontinuity:
            self._discontinuity = first_discontinuity(begin_ms)
        elif self._after is not None:
            self._discontinuity += 1
        info = BlobInfo(name, segment_ms, sequence, self._after, self._discontinuity)
        blob = Blob(name, self.root.path, begin_ms, begin_ms, 0, 0, BlobState.OPEN, segment_ms, sequence, self._after)
        blob.discontinuity = self._discontinuity
        self._after = None
        recording = self._current = _Recording(blob, init, begin_ms)
        self._unfinished.add(recording)
        recording.finished.addCallback(lambda _: self._unfinished.discard(recording))
        recording.finished.addCallback(lambda _: self._give_back())
        Deferred.fromCoroutine(self._create(recording, init + blob_info_box(info))).addErrback(
            lambda failure: self._failed(recording, failure)
        )

    async def _create(self, recording: _Recording, head: bytes) -> None:
        await self.root.ready()
        if not self._holding:
            await self.root.hold(self.archive.name)
            self._held()
        (recording.blob.id,) = await self._blobs.insert([recording.blob])

        def on_sync_failed(error: Exception) -> None:
            recording.suspect = True
            self._failed(recording, Failure(error))

        recording.writer = writer = await self.root.create(recording.blob, head, on_sync_failed)
        waiting, recording.waiting = recording.waiting, []
        recording.inflight += 1  # it is not idle between two of these
        for fragment in waiting:
            self._append(recording, writer, fragment)
        recording.inflight -= 1
        if self.error is not None or self._retry_at is not None:
            self._resumed()
        self._finish_if_idle(recording)

    def _append(self, recording: _Recording, writer: BlobWriter, fragment: Fragment) -> None:
        recording.inflight += 1
        self.root.writer.do(writer.append, fragment.data, fragment.head_size).addCallbacks(
            self._written, self._not_written, callbackArgs=(recording, fragment), errbackArgs=(recording, fragment)
        )

    def _written(self, sizes: tuple[int, int], recording: _Recording, fragment: Fragment) -> None:
        size, index_size = sizes
        self.root.release(len(fragment.data))
        recording.inflight -= 1
        self.fragments_written += 1
        self.bytes_written += len(fragment.data)
        self.last_write_ms = fragment.end_ms
        blob, first = recording.blob, not recording.blob.size
        if first:
            blob.end_ms, blob.size, blob.index_size = fragment.end_ms, size, index_size
            self.archive.add(blob)
        else:
            self.archive.grow(blob, fragment.end_ms, size, index_size)
        begin_ms, duration_ms = fragment.begin_ms, fragment.end_ms - fragment.begin_ms
        self._on_event(DvrNewFragment(**self._about, utc=begin_ms // 1000, begin_ms=begin_ms, duration=duration_ms))
        self._finish_if_idle(recording)

    def _not_written(self, failure: Failure, recording: _Recording, fragment: Fragment) -> None:
        self.root.release(len(fragment.data))
        recording.inflight -= 1
        self._drop()
        if failure.check(BlobFailed) is None:
            self._failed(recording, failure)
        self._finish_if_idle(recording)

    def _failed(self, recording: _Recording, failure: Failure) -> None:
        """The disk (or the catalog) refused something: end this blob, try again with another one later."""
        for fragment in recording.waiting:
            self.root.release(len(fragment.data))
            self._drop()
        recording.waiting = []
        first, recording.failed = not recording.failed, True
        if recording is self._current:
            self._end("disk")
        if first:
            self._suspend(failure)
        if recording.writer is None and not recording.finished.called:
            Deferred.fromCoroutine(self._withdraw(recording)).addBoth(lambda _: recording.finished.callback(None))
            return
        self._finish_if_idle(recording)

    def _suspend(self, failure: Failure) -> None:
        error = failure.value or OSError("unknown")
        name, path = self.archive.name, self.root.path
        self._retry_at = self._clock.seconds() + RETRY_S
        full = isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EFBIG)
        changed = self.error is None
        self.error = as_error(error, path)
        if not isinstance(error, OSError | DvrError):
            self._troubles.failure(where(failure), "{stream}: recording to {root}", failure, stream=name, root=path)
        if changed:
            told = {"stream": name, "root": path, "error": self.error}
            self._troubles.error(self.error.code, "{stream} is not recorded: {error}", **told)
            reason = "disk_full" if full else self.error.code
            self._on_event(DvrWriteFailed(**self._about, reason=reason, error=self.error.title))
        if full and self._make_room is not None:
            Deferred.fromCoroutine(self._room(self._make_room)).addErrback(
                lambda failed: self._troubles.failure(where(failed), "making room on {root}", failed, root=path)
            )

    async def _room(self, make_room: Callable[[], Awaitable[int]]) -> None:
        if await make_room():
            self._retry_at = None

    def _resumed(self) -> None:
        self.error = self._retry_at = None
        self._troubles.over("{stream} is recorded again", stream=self.archive.name, root=self.root.path)
        self._on_event(DvrWriteResumed(**self._about))

    def _end(self, reason: str | None) -> None:
        """End the current blob; `reason` is that of the gap that follows, `None` if there is none."""
        recording, self._current = self._current, None
        self._after = self._after or reason
        if recording is not None:
            recording.ended = True
            self._finish_if_idle(recording)

    def _finish_if_idle(self, recording: _Recording) -> None:
        writer = recording.writer
        if not recording.ended or recording.inflight or recording.waiting or writer is None or recording.finishing:
            return
        recording.finishing = True
        Deferred.fromCoroutine(self._finish(recording, writer)).addErrback(
            lambda failure: self._troubles.failure(where(failure), "closing {path}", failure, path=recording.blob.path)
        ).addBoth(lambda _: recording.finished.callback(None))

    async def _finish(self, recording: _Recording, writer: BlobWriter) -> None:
        blob = recording.blob
        try:
            await self.root.close(writer)
        except OSError as error:
            recording.suspect = True
            self._suspend(Failure(error))
        if not blob.size:
            await self._withdraw(recording)
            return
        blob.state = BlobState.SUSPECT if recording.suspect else BlobState.CLOSED
        self.archive.closed(blob)
        await self._blobs.update([blob])
        duration_ms = blob.end_ms - blob.begin_ms
        self._on_event(DvrBlobClosed(**self._about, begin_ms=blob.begin_ms, duration_ms=duration_ms, size=blob.size))

    async def _withdraw(self, recording: _Recording) -> None:
        """Nothing was written to the blob: take it back. If that fails too, the next start does it."""
        blob = recording.blob
        if not blob.id:
            return
        try:
            if recording.writer is not None:
                await self.root.syncer.do(delete_files, blob, self.root.files)
            await self._blobs.delete([blob.id])
        except (OSError, DvrError) as error:
            kind = "left behind", as_error(error, self.root.path).code
            self._troubles.warn(kind, "{path} is left behind: {error}", path=blob.path, error=error)

    @property
    def _about(self) -> _About:
        return {"media": self.archive.name, "path": self.root.path}

    def _drop(self) -> None:
        self.fragments_dropped += 1

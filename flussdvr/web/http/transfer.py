# mypy: allow-untyped-calls
# (twisted is annotated only in part)
"""
The bytes of a body into a TCP socket, those of local files without passing through the process: sendfile(2).

    reactor thread                    reader thread of the file's storage root
    head -> transport, flushed
    dup(socket) ------------ slice --> sendfile sendfile ... until the socket is full
    addWriter(dup) <------ not done --
    doWrite ---------------- slice --> sendfile ...
    close(dup) <-------------- done --

The socket is non-blocking and stays so: when it is full the thread is given back (at once for a slow client, after
`WAIT_MS` for one who empties it as fast as that) and the reactor watches the duplicate for writability. So a viewer
who reads nothing holds a socket and no thread, and the reactor never touches a disk. The way through the reactor
costs three wake-ups; a thread that nobody else wants therefore stays with a client who comes back soon. The duplicate
has its own place in epoll and its own lifetime: it is closed when no thread uses it, whatever becomes of the
connection meanwhile.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from flussdvr.body.body import Extent, Part, file_of
from flussdvr.body.file import BodyFile, Opened
from flussdvr.errors import DvrError
from flussdvr.formats.made import Made, Making
from flussdvr.process.descriptors import for_client
from flussdvr.process.reactors import IReactorTimeFDSet
from flussdvr.threads import Worker

SLICE_S = 0.05
"""A slice gives its thread back after this, however fast the client reads, if others may wait for it."""
WAIT_MS = 8
"""How long in all a slice may wait for room in the socket of a client who has been this fast before."""
FAST_S = 0.003
"""A client for whom the reactor has to wait no longer than this is fast."""
SPARE_WAIT_MS = 100
"""How long a slice may wait for room each time, while its worker has another thread to spare ..."""
SOON_S = 0.2
"""... with a client for whom the reactor has to wait no longer than this."""
CHUNK = 4 << 20
"""At most this in one sendfile(2)."""
PIECE = 256 << 10
"""At most this of a file without a descriptor is in memory for a client."""


@implementer(IWriteDescriptor)
class _Writability:
    """A file descriptor's next writability, as something to await."""

    def __init__(self, reactor: IReactorTimeFDSet, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._waiting: Deferred[None] | None = None

    def wait(self) -> Deferred[None]:
        self._waiting = Deferred()
        self._reactor.addWriter(self)
        return self._waiting

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "transfer"

    def doWrite(self) -> None:
        self.cancel()

    def connectionLost(self, reason: Failure) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Stop watching; whoever waits finds out from the next write how things are."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._reactor.removeWriter(self)
            waiting.callback(None)


class Transfer:
    """
    Bytes, extents and what is made of memory on their way into one socket.

    `sent_ram` and `sent_disk` count what has gone out of each kind. `ram` writes what is in no file. `flushed` says
    whether what was written before (the response's head) has left the transport's own buffer.
    """

    def __init__(
        self,
        reactor: IReactorTimeFDSet,
        descriptor: int,
        parts: Sequence[Part],
        ram: Worker,
        flushed: Callable[[], bool] = lambda: True,
    ) -> None:
        self.sent_ram = 0
        self.sent_disk = 0
        self.stopped = False
        self._reactor = reactor
        self._parts = [part for part in parts if len(part)]
        self._ram = ram
        self._flushed = flushed
        self._socket = for_client(os.dup(descriptor))
        self._writability = _Writability(reactor, self._socket)
        self._making = Making()
        self._index = 0
        self._offset = 0
        self._waited_s = 1.0
        """How long the socket was full the last time that the reactor watched it."""
        self._file: tuple[BodyFile, Opened] | None = None
        self._piece: tuple[int, bytes] | None = None
        """Where in the file it begins, and what was read there, of a file without a descriptor."""

    def stop(self) -> None:
        """The client has gone: end as soon as no thread is at work."""
        self.stopped = True
        self._writability.cancel()

    async def run(self) -> bool:
        """
        Send everything; whether it was (`False` after `stop`).

        Raises `DataGone`, or `OSError` for a broken connection or an unreadable file.
        """
        try:
            while not self._flushed() and not self.stopped:
                await self._writability.wait()
            while not self.stopped and self._index < len(self._parts):
                worker = self._worker()
                full = await worker.do(self._slice, worker)
                if full and not self.stopped:
                    before = self._reactor.seconds()
                    await self._writability.wait()
                    self._waited_s = self._reactor.seconds() - before
            return not self.stopped
        finally:
            self._close()

    def _worker(self) -> Worker:
        """That of the next part that lies on a disk, whose thread also writes the bytes in front of it."""
        for index in range(self._index, len(self._parts)):
            if (file := file_of(self._parts[index])) is not None:
                return file.worker
        return self._ram

    # -- in a reader thread, one at a time ----------------------------------------------------------------------------

    def _slice(self, worker: Worker) -> bool:
        """Send until the socket is full (`True`), time is up, or another file begins (`False`)."""
        deadline = time.monotonic() + SLICE_S
        wait_ms = WAIT_MS if self._waited_s < FAST_S else 0
        soon = self._waited_s < SOON_S
        current: BodyFile | None = None
        poll: select.poll | None = None
        while self._index < len(self._parts) and not self.stopped:
            part = self._parts[self._index]
            file = file_of(part)
            if file is not None and file is not current:
                if current is not None and file != current:
                    return False  # it may lie on another disk, which has its own thread
                current = file
            try:
                full = self._advance(part)
            except BlockingIOError:
                full = True
            if full:
                spare = soon and worker.spare
                if wait_ms <= 0 and not spare:
                    return True
                if poll is None:
                    poll = select.poll()
                    poll.register(self._socket, select.POLLOUT)
                before = time.monotonic()
                if not poll.poll(SPARE_WAIT_MS if spare else wait_ms) and spare:
                    return True
                if not spare:
                    wait_ms -= max(1, int((time.monotonic() - before) * 1000))
            if time.monotonic() > deadline and not worker.spare:
                return False
        return False

    def _advance(self, part: Part) -> bool:
        """Send some of `part`; whether there was no room for more. Raises `BlockingIOError` where there was none."""
        left = len(part) - self._offset
        if isinstance(part, Extent):
            count, wanted = self._send(self._open(part.file), part.offset + self._offset, left)
            self.sent_disk += count
        else:
            wanted = left
            data = self._making.data(part) if isinstance(part, Made) else part
            count = os.write(self._socket, memoryview(data)[self._offset :])
            self.sent_ram += count
        self._offset += count
        if self._offset == len(part):
            self._index += 1
            self._offset = 0
            self._making.forget()
        return count < wanted

    def _send(self, opened: Opened, at: int, left: int) -> tuple[int, int]:
        """Send up to `left` bytes of a file from `at` on: how many went out, of how many that were tried."""
        if opened.descriptor is not None:
            wanted = min(left, CHUNK)
            opened.check(at, at + wanted)
            count = os.sendfile(self._socket, opened.descriptor, at, wanted)
            opened.check(at, at + max(count, 1))  # punched meanwhile, or cut
            return count, wanted
        if self._piece is None:
            self._piece = at, opened.chunk(at, min(left, PIECE))
        begin, data = self._piece
        rest = memoryview(data)[at - begin :]
        count = os.write(self._socket, rest)
        if count == len(rest):
            self._piece = None
        return count, len(rest)

    def _open(self, file: BodyFile) -> Opened:
        if self._file is None or (self._file[0] is not file and self._file[0] != file):
            before, self._file = self._file, None
            if before is not None:
                before[1].close()
            opened = file.open()
            if opened.descriptor is not None:
                for_client(opened.descriptor)
            self._file = file, opened
        return self._file[1]

    def _close(self) -> None:
        os.close(self._socket)
        if self._file is not None:
            file, opened = self._file
            self._file = None
            # The last close of an unlinked blob frees its blocks, which may take the disk a while.
            file.worker.do(opened.close).addErrback(_close_here, opened)


def _close_here(failure: Failure, opened: Opened) -> None:
    """The reader is too busy, or has been stopped."""
    failure.trap(DvrError)
    opened.close()

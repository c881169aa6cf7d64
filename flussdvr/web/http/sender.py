# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
A body as the answer to a request: ranges, preconditions, and the cheapest way out for its bytes.

    plain TCP    `Transfer`: sendfile(2) in the reader thread of the file's storage root
    anything     pread(2) in the reader thread, `request.write`, and a `Gate` that waits for a slow client

RFC 9110 §13-15.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorFDSet
from twisted.logger import Logger
from twisted.web.http import HTTPChannel
from twisted.web.server import Request
from zope.interface import implementer

from flussdvr.body.body import Body, Extent, Part, file_of
from flussdvr.body.reading import DataGone, DiskFailed, read
from flussdvr.errors import DvrError
from flussdvr.formats.made import Made, Making
from flussdvr.logs.redaction import redact_request
from flussdvr.threads import Worker
from flussdvr.web.http.facts import Facts, Sent
from flussdvr.web.http.ranges import matches, may_resume, parse_range
from flussdvr.web.http.transfer import Transfer

SMALL = 64 << 10
"""A body in RAM up to this size goes through the transport: cheaper than a thread."""
CHUNK = 1 << 20
"""Read and written at once where sendfile is impossible."""

log = Logger()


@dataclass(frozen=True, slots=True)
class Sender:
    """How bodies go out: files are read by their own workers, `ram` is for bodies that are in none."""

    reactor: Any
    ram: Worker

    async def send(self, body: Body, request: Request, etag: str | None = None, ranges: bool = True) -> Sent:
        """
        Answer `request` with `body` or, if it has `ranges`, the range of it that is asked for.

        The caller has set the content's headers; this sets those of the transport: status, length, range, entity tag.
        Raises `DvrError` OUT_OF_RANGE before anything is written. Returns when everything has gone out or the client
        is gone; a body whose data vanishes on the way ends with a broken connection.
        """
        chosen = self._begin(len(body), request, etag, ranges)
        if chosen is None:
            return Sent()
        return await self._write(body.slice(*chosen), request)

    async def send_made(
        self, length: int, chunks: Callable[[int, int], AsyncIterator[bytes]], request: Request, etag: str | None
    ) -> None:
        """The same for a body of `length` bytes that is made on the way: `chunks(start, stop)` are a range of it."""
        chosen = self._begin(length, request, etag)
        if chosen is not None:
            await write_chunks(chunks(*chosen), request)

    def _begin(self, length: int, request: Request, etag: str | None, ranges: bool = True) -> tuple[int, int] | None:
        """Status and headers; which part of the body is to be sent, `None` where none is."""
        start, stop = 0, length
        if ranges:
            request.setHeader(b"accept-ranges", b"bytes")
        if etag is not None:
            request.setHeader(b"etag", etag.encode())
            if matches(request.getHeader("if-none-match"), etag):
                request.setResponseCode(304)
                return None
        if ranges and may_resume(request.getHeader("if-range"), etag):
            chosen = self._range(request, stop)
            if chosen is not None:
                request.setResponseCode(206)
                request.setHeader(b"content-range", f"bytes {chosen[0]}-{chosen[1] - 1}/{stop}".encode())
                start, stop = chosen
        request.setHeader(b"content-length", str(stop - start).encode())
        return None if request.method == b"HEAD" else (start, stop)

    def _range(self, request: Request, length: int) -> tuple[int, int] | None:
        try:
            return parse_range(request.getHeader("range"), length)
        except DvrError:
            request.setHeader(b"content-range", f"bytes */{length}".encode())
            raise

    async def _write(self, body: Body, request: Request) -> Sent:
        held = [part for part in body.parts if isinstance(part, bytes)]
        if len(body) <= SMALL and len(held) == len(body.parts):
            request.write(b"".join(held))
            count(request, len(body), 0)
            return Sent(ram=len(body))
        transport = plain_tcp(request)
        try:
            if transport is not None and IReactorFDSet.providedBy(self.reactor):
                return await send_through_socket(self.reactor, transport, body.parts, self.ram, request)
            return await write_through_transport(body.parts, self.ram, request)
        except DataGone as gone:
            log.warn("{file} vanished while it was sent to {peer}", file=gone.file, peer=request.getClientAddress())
            abort(request)
        except (OSError, DiskFailed) as error:
            log.info("sending {uri} ended: {error}", uri=redact_request(request.uri), error=error)
            abort(request)
        return Sent()


def plain_tcp(request: Request) -> tcp.Connection | None:
    """The request's TCP connection if bytes may go into its socket as they are."""
    channel = request.channel
    transport = getattr(channel, "transport", None)
    if isinstance(channel, HTTPChannel) and isinstance(transport, tcp.Connection) and not getattr(transport, "TLS", 0):
        return transport
    return None


async def send_through_socket(
    reactor: Any, transport: tcp.Connection, parts: tuple[Part, ...], ram: Worker, request: Request
) -> Sent:
    transport.setTcpNoDelay(True)  # the head must not wait for the body's acknowledgement, nor the other way round
    transport.setTcpKeepAlive(True)  # a client may read nothing for an hour, as long as it is still there
    request.write(b"")  # the head

    def flushed() -> bool:
        return not transport.dataBuffer and not transport._tempDataBuffer

    transfer = Transfer(reactor, transport.fileno(), parts, ram, flushed)
    request.notifyFinish().addErrback(lambda _: transfer.stop())

    # A coroutine of its own: whoever waits for it may be cancelled when the client goes, but the duplicate of the
    # socket must outlive the slice that a thread is sending.
    done: Deferred[None] = Deferred(lambda _: transfer.stop())
    facts = facts_of(request)
    if facts is not None:
        facts.sent.begin()

    def ended(result: Any) -> None:
        request.sentLength += transfer.sent_ram + transfer.sent_disk
        count(request, transfer.sent_ram, transfer.sent_disk)
        if facts is not None:
            facts.sent.end()
        if not done.called:
            done.callback(result if not isinstance(result, bool) else None)
        elif not isinstance(result, bool):
            log.info("sending {uri} ended: {error}", uri=redact_request(request.uri), error=result.value)

    Deferred.fromCoroutine(transfer.run()).addBoth(ended)
    await done
    return Sent(transfer.sent_ram, transfer.sent_disk)


async def write_through_transport(parts: tuple[Part, ...], ram: Worker, request: Request) -> Sent:
    sent, making = Sent(), Making()

    async def chunks() -> AsyncIterator[bytes]:
        for part in parts:
            for at in range(0, len(part), CHUNK):
                if isinstance(part, Extent):
                    data = await read(part.slice(at, min(at + CHUNK, part.length)))
                    sent.disk += len(data)
                elif isinstance(part, Made):
                    some = part.slice(at, min(at + CHUNK, len(part)))
                    file = file_of(part)
                    data = await (file.worker if file is not None else ram).do(making.data, some)
                    sent.ram += len(data)
                else:
                    data = part[at : at + CHUNK]
                    sent.ram += len(data)
                yield data

    try:
        await write_chunks(chunks(), request, False)
    finally:
        count(request, sent.ram, sent.disk)
    return sent


async def write_chunks(chunks: AsyncIterator[bytes], request: Request, counted: bool = True) -> None:
    """
    Write what `chunks` yields, each only when the client has taken enough of those before it.

    With `counted` they count as bytes from RAM.
    """
    gate = Gate(request)
    collected = False
    try:
        async for chunk in chunks:
            if not await gate.opened():
                return
            request.write(chunk)
            if counted:
                count(request, len(chunk), 0)
    except GeneratorExit:
        collected = True  # by the garbage collector, which lets nobody wait for anything
        raise
    finally:
        if not gate.stopped:
            request.unregisterProducer()
        close = getattr(chunks, "aclose", None)
        if close is not None and not collected:
            await close()


@implementer(IPushProducer)
class Gate:
    """A request's pause, resume and stop, as something to await."""

    def __init__(self, request: Request) -> None:
        self._open: Deferred[None] | None = None
        self.stopped = False
        request.registerProducer(self, True)
        request.notifyFinish().addErrback(lambda _: self._lost())

    def pauseProducing(self) -> None:
        if self._open is None and not self.stopped:
            self._open = Deferred()

    def resumeProducing(self) -> None:
        waiting, self._open = self._open, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def stopProducing(self) -> None:
        # The connection is lost, and the request learns that next. Whoever waits here is not woken before: it
        # would finish a request that does not know yet that its client is gone.
        self.stopped = True

    def _lost(self) -> None:
        self.stopped = True
        self.resumeProducing()

    async def opened(self) -> bool:
        """Wait until writing is allowed; `False` if it never will be again."""
        while self._open is not None:
            await self._open
        return not self.stopped


def facts_of(request: Request) -> Facts | None:
    """Those of a `DvrRequest`; any other has none."""
    found = getattr(request, "facts", None)
    return found if isinstance(found, Facts) else None


def count(request: Request, ram: int, disk: int) -> None:
    """Add to what the request has sent, for the log and for events."""
    facts = facts_of(request)
    if facts is not None:
        facts.sent.ram += ram
        facts.sent.disk += disk
        if facts.on_sent is not None:
            facts.on_sent(ram + disk)


def abort(request: Request) -> None:
    """Break the connection: the only way to say in the middle of a body that the rest will not come."""
    transport = getattr(request.channel, "transport", None)
    if transport is not None:
        transport.abortConnection()

"""
MPEG-TS that is pushed to us: what the body of `PUT|POST /{name}/mpegts` is fed to, piece by piece.

    request body --data_received--> Gather --> TsDemuxer --> PublishedInput --> the stream

HTTP is the web layer's: it admits the publisher, feeds this, and closes the connection when `on_kicked` says so.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.ingest.http.gather import Gather
from flussdvr.ingest.publish.publications import PublishedInput

GARBAGE_MAX = 4 << 20
"""So many bytes without any media are no MPEG-TS."""


class MpegTsPush:
    """One request's body on its way to the stream. After `finished`, or a kick, further pieces are ignored."""

    def __init__(self, published: PublishedInput, clock: IReactorTime) -> None:
        self.published = published
        self._clock = clock
        self._demuxer = TsDemuxer(published.program)
        self._gather = Gather(clock, self._gathered)
        self._fruitless = 0
        self._heard = clock.seconds()
        self._timer: IDelayedCall | None = None
        self._watch()

    def data_received(self, data: bytes) -> None:
        """A piece of the body, of any size."""
        if self.published.active:
            self.published.counters.bytes += len(data)
            self._gather.add(data)

    def finished(self, reason: str = "the publisher has ended the request") -> None:
        """The body is complete, or the connection lost."""
        self._gather.flush()
        if self.published.active:
            try:
                self.published.received(self._demuxer.flush())
            except Exception:
                self.published.crashed(Failure())  # type: ignore[no-untyped-call]
        self._close()
        self.published.source_lost(reason)

    def _gathered(self, data: bytes) -> None:
        if not self.published.active:
            self._close()
            return
        before = self.published.counters.samples
        try:
            self.published.received(self._demuxer.feed(data))
        except FormatError as error:
            self._kick(str(error))
            return
        except Exception:
            self._close()
            self.published.crashed(Failure())  # type: ignore[no-untyped-call]
            return
        if self.published.counters.samples > before:
            self._heard = self._clock.seconds()
            self._fruitless = 0
            return
        self._fruitless += len(data)
        if self._fruitless > GARBAGE_MAX:
            self._kick(self._demuxer.complaint() or "this is no MPEG-TS")

    def _watch(self) -> None:
        """Once in a timeout, not once in a piece."""
        self._timer = None
        if not self.published.active:
            return
        left = self._heard + self.published.timeout_s - self._clock.seconds()
        if left > 0.001:
            self._timer = self._clock.callLater(left, self._watch)
        else:
            complaint = self._demuxer.complaint() if self.published.counters.bytes else None
            why = f": {complaint}" if complaint else ""
            self._kick(f"no media for {self.published.timeout_s:g} s{why}")

    def _kick(self, reason: str) -> None:
        self._close()
        self.published.kick(reason)

    def _close(self) -> None:
        self._gather.clear()
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

# -*- test-case-name: tests.playback.pictures.test_snapshot -*-
"""
Thumbnails from the camera itself: its snapshot URL is asked once per segment.

    wait segment_duration --> GET --> bytes, bounded --codec thread--> checked, scaled --> ThumbsRecorder
      ^--- after a failure: twice as long, at most `MAX_WAIT_S`

A camera may answer anything: an HTML page, 30 MB, a picture that unpacks to gigabytes. None of that is stored, and the
next good picture is.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from PIL import Image
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone, _HTTP11ClientFactory
from twisted.web.http import PotentialDataLoss

from flussdvr.archive.thumbs import Thumbnail, ThumbsRecorder
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.archive import ThumbnailFailed
from flussdvr.events.types.event import OnEvent
from flussdvr.playback.pictures.decoder import MAX_PIXELS, QUALITY, Box, be_nice, undecodable
from flussdvr.process.reactors import IReactorClient
from flussdvr.threads import Busy, Worker

TIMEOUT_S = 10.0
"""For the whole of a snapshot."""
MAX_WAIT_S = 60.0
MAX_BYTES = 8 << 20

DAMAGED = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, struct.error, MemoryError)
"""What Pillow raises for files that are broken in one way or another."""


class SnapshotPoller:
    """
    Asks `url` every `interval_s`. `taken`, `skipped` and `failed` count. `fetch(url)` is the HTTP client.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        url: str,
        interval_s: float,
        recorder: ThumbsRecorder,
        codec: Worker,
        box: Box,
        reactor: IReactorClient,
        utc_ms: Callable[[], int],
        on_event: OnEvent = lambda event: None,
        fetch: Callable[[str], Deferred[bytes]] | None = None,
    ) -> None:
        self.name = name
        self.recorder = recorder
        self.taken = 0
        self.skipped = 0
        self.failed = 0
        self._url = url
        self._interval_s = interval_s
        self._codec = codec
        self._box = box
        self._reactor = reactor
        self._utc_ms = utc_ms
        self._on_event = on_event
        self._fetch = fetch or (lambda url: fetch_jpeg(url, reactor))
        self._failures = 0
        self._stopped = False
        self._loop: Deferred[None] = Deferred.fromCoroutine(self._run())
        self._loop.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def stop(self) -> None:
        self._stopped = True
        self._loop.cancel()
        await self.recorder.close()

    @property
    def wait_s(self) -> float:
        """Until the next snapshot."""
        return max(self._interval_s, min(MAX_WAIT_S, self._interval_s * 2.0 ** min(self._failures, 10)))

    async def _run(self) -> None:
        while True:
            try:
                await self._take()
            except Busy:
                self.skipped += 1
            except Exception as error:
                self._failed(error)
            if self._stopped:
                return
            await deferLater(self._reactor, self.wait_s)

    async def _take(self) -> None:
        at_ms = self._utc_ms()
        data = await self._fetch(self._url)
        jpeg, width, height = await self._codec.do(checked_jpeg, data, self._box)
        if self._failures:
            self.log.info("{stream}: the camera's snapshots are fine again", stream=self.name)
        self._failures = 0
        self.taken += 1
        self.recorder.write(Thumbnail(at_ms, jpeg, width, height, round(self._interval_s * 1000)))

    def _failed(self, error: Exception) -> None:
        if self._stopped:
            return  # a cancelled request fails in more ways than one
        self.failed += 1
        self._failures += 1
        if self._failures == 1:
            code = error.code if isinstance(error, DvrError) else "snapshot_failed"
            title = error.title if isinstance(error, DvrError) else str(error) or type(error).__name__
            where = without_password(self._url)
            self.log.warn("{stream}: no snapshot from {url}: {error}", stream=self.name, url=where, error=title)
            self._on_event(ThumbnailFailed(media=self.name, reason=code, error=title))


class _QuietFactory(_HTTP11ClientFactory):
    """Twisted's, without a line in the log for every connection."""

    noisy = False


class _Received(Protocol):
    """An answer's body, of at most `limit` bytes; whoever cancels `whole` breaks the connection."""

    def __init__(self, limit: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._drop())
        self._limit = limit
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        if self.whole.called:
            return
        self._data += data
        if len(self._data) > self._limit:
            error = DvrError(Kind.UNAVAILABLE, "snapshot_too_large", f"the camera sends more than {self._limit} bytes")
            self.whole.errback(error)
            self._drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(bytes(self._data))
        else:
            self.whole.errback(reason)

    def _drop(self) -> None:
        self._data.clear()
        if self.transport is not None:
            self.transport.loseConnection()


async def _get(url: str, reactor: IReactorClient, limit: int) -> bytes:
    plain, auth = _credentials(url)
    pool = HTTPConnectionPool(reactor, persistent=False)
    pool._factory = _QuietFactory
    response = await HTTPClient(Agent(reactor, pool=pool)).get(plain, auth=auth)
    received = _Received(limit if response.code == 200 else 0)
    response.deliverBody(received)
    if response.code != 200:
        received.whole.addErrback(lambda failure: None).cancel()
        raise DvrError(Kind.UNAVAILABLE, "snapshot_failed", f"the camera answers {response.code}")
    return await received.whole


def fetch_jpeg(
    url: str, reactor: IReactorClient, limit: int = MAX_BYTES, timeout_s: float = TIMEOUT_S
) -> Deferred[bytes]:
    """
    What `url` (with user and password, if need be) answers. Fails with `DvrError` for another status than 200 and for
    more than `limit` bytes, and as treq does.
    """
    fetched = Deferred.fromCoroutine(_get(url, reactor, limit))
    return fetched.addTimeout(timeout_s, reactor)


def checked_jpeg(data: bytes, box: Box) -> tuple[bytes, int, int]:
    """A camera's JPEG made to fit, its width and height. In a codec thread. Raises `DvrError`."""
    be_nice()
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise undecodable(f"{image.width} x {image.height} is too large")
            width, height = box.fit(image.width, image.height)
            image.draft("RGB", (width, height))  # the JPEG decoder itself leaves out what is not needed
            picture = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    except (Image.DecompressionBombError, *DAMAGED) as error:
        raise undecodable(str(error)[:200]) from None
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), width, height


def without_password(url: str) -> str:
    """`url` as it may stand in a log."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def _credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    parts = urlsplit(url)
    if parts.username is None:
        return url, None
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return plain, (unquote(parts.username), unquote(parts.password or ""))

# -*- test-case-name: tests.playback.pictures.test_previews -*-
"""
JPEGs on demand.

    viewer -> cached? -> under way? -> room in the queue? -> read (disk's thread) -> decode (codec thread) -> cache
                |            |               `-- no: Busy, 503
                `- at once   `- wait for that one

What is bounded: pictures under way, hence coded samples in memory; bytes in the cache. A picture is named by its
stream, moment and size, be it read from the live window or from a disk.
"""

from __future__ import annotations

from hashlib import sha256

import av
import PIL
from twisted.logger import Logger

from flussdvr.body.body import Body, Extent
from flussdvr.body.reading import read
from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.errors import DvrError
from flussdvr.events.types.archive import ThumbnailFailed
from flussdvr.events.types.event import OnEvent
from flussdvr.formats.made import Made
from flussdvr.logs.repeated import Repeated
from flussdvr.playback.pictures.decoder import VERSION, Box, key_frame_jpeg, moment_jpeg, undecodable
from flussdvr.playback.pictures.key_frame import KeyFrame
from flussdvr.playback.pictures.moment import Moment
from flussdvr.threads import Busy, Worker

CACHE_BYTES = 32 << 20
UNDER_WAY = 32
"""Pictures that are read, wait for a codec thread or are decoded; more are refused."""

MAX_BYTES = 192 << 20
"""Coded samples in memory, at most."""

Frame = KeyFrame | Moment


class Previews:
    """`codec` decodes. `decoded`, `refused`, `failed` count."""

    log = Logger()

    def __init__(
        self,
        codec: Worker,
        limit: int = UNDER_WAY,
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self.limit = limit
        self.under_way = 0
        self.bytes_under_way = 0
        self.decoded = 0
        self.refused = 0
        self.failed = 0
        self._troubles = Repeated(self.log)
        self._codec = codec
        self._on_event = on_event
        self._cache: Lru[str, bytes] = Lru(CACHE_BYTES)
        self._shared: Shared[str, bytes] = Shared()

    @staticmethod
    def etag(name: str, frame: Frame, box: Box) -> str:
        """The strong entity tag of `jpeg`, known before anything is decoded."""
        made_by = f"{VERSION} {av.__version__} {PIL.__version__}"
        text = f"{made_by} {name} {frame.identity} {box.width}x{box.height}"
        return f'"{sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'

    async def jpeg(self, name: str, frame: Frame, box: Box) -> bytes:
        """
        The picture as JPEG. Raises `DvrError`: `Busy`, CORRUPT for one that cannot be decoded, NOT_FOUND for one that
        has been deleted.
        """
        key = self.etag(name, frame, box)
        cached = self._cache.get(key)
        if cached is not None:
            return cached

        async def make() -> bytes:
            body = frame.sample() if isinstance(frame, KeyFrame) else frame.body
            if self.under_way >= self.limit or self.bytes_under_way + len(body) > MAX_BYTES:
                self.refused += 1
                raise Busy("pictures")
            self.under_way += 1
            self.bytes_under_way += len(body)
            try:
                data = await self._make(frame, body, box)
            except DvrError as error:
                if error.code == "undecodable_picture":
                    self.failed += 1
                    at = {"stream": name, "utc_ms": frame.at_ms}
                    self._troubles.warn(name, "{stream} at {utc_ms}: {error}", error=str(error), **at)
                    self._on_event(ThumbnailFailed(media=name, reason=error.code, begin_ms=frame.at_ms))
                raise
            finally:
                self.under_way -= 1
                self.bytes_under_way -= len(body)
            self.decoded += 1
            self._cache.put(key, data, len(data) + 200)
            return data

        return await self._shared.do(key, make)

    async def _make(self, frame: Frame, body: Body, box: Box) -> bytes:
        if isinstance(frame, KeyFrame):
            return await self._codec.do(key_frame_jpeg, frame.track, await self._read(body), box)
        data = memoryview(await self._read(body))
        samples = [(pts, data[begin : begin + size]) for pts, begin, size in frame.samples]
        if any(not len(sample) for _, sample in samples):
            raise undecodable("its samples are incomplete")
        return await self._codec.do(moment_jpeg, frame.track, samples, frame.pts, box)

    async def _read(self, body: Body) -> bytes:
        parts = []
        for part in body.parts:
            if isinstance(part, Extent):
                parts.append(await read(part))
            else:
                parts.append(part.data() if isinstance(part, Made) else part)
        return b"".join(parts)

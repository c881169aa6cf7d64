# -*- test-case-name: tests.playback.pictures.test_thumbnailer -*-
"""
Thumbnails of a stream that is being recorded: one per segment, from its first key frame.

    live window --first fragment of a segment--> key frame --codec thread--> JPEG --> ThumbsRecorder

When the codec thread falls behind, thumbnails are skipped and counted; recording knows nothing of it.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.thumbs import Thumbnail, ThumbsRecorder
from flussdvr.body.body import Body
from flussdvr.errors import DvrError
from flussdvr.events.types.archive import ThumbnailFailed
from flussdvr.events.types.event import OnEvent
from flussdvr.logs.repeated import Repeated, where
from flussdvr.playback.pictures.decoder import Box, key_frame_jpeg
from flussdvr.playback.pictures.key_frame import live_key_frame
from flussdvr.threads import Busy, Worker

if TYPE_CHECKING:
    from flussdvr.live.fragment import LiveFragment
    from flussdvr.live.window import LiveWindow, News

UNDER_WAY = 2
"""Thumbnails of one stream that may wait for the codec thread."""


class Thumbnailer:
    """
    One stream's thumbnails. `taken`, `skipped` (the codec thread is behind) and `failed` count.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        window: LiveWindow,
        recorder: ThumbsRecorder,
        codec: Worker,
        box: Box,
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self.name = name
        self.recorder = recorder
        self.taken = 0
        self.skipped = 0
        self.failed = 0
        self._window = window
        self._codec = codec
        self._box = box
        self._on_event = on_event
        self._under_way = 0
        self._failing = False
        self._troubles = Repeated(self.log)
        self._unsubscribe = window.subscribe(self._received)
        if window.growing is not None and window.growing.fragments:
            self._take(window.growing.fragments[0])

    async def stop(self) -> None:
        self._unsubscribe()
        await self.recorder.close()

    def _received(self, fragment: News) -> None:
        growing = self._window.growing
        if growing is not None and growing.fragments and growing.fragments[0] is fragment:
            with self.log.failuresHandled("a thumbnail of {stream}", stream=self.name):
                self._take(growing.fragments[0])

    def _take(self, fragment: LiveFragment) -> None:
        if not fragment.sync or not any(track.is_video for track in self._window.tracks):
            return
        if self._under_way >= UNDER_WAY:
            self.skipped += 1
            return
        key = live_key_frame(self._window.init, fragment)
        try:
            sample = joined(key.sample())
        except DvrError as error:
            self._not_made(Failure(error), key.at_ms)
            return
        track, box = key.track, self._box
        width, height = box.fit(track.width, track.height, track.sample_aspect_ratio)
        self._under_way += 1

        def made(jpeg: bytes) -> None:
            self.taken += 1
            self._failing = False
            self.recorder.write(Thumbnail(key.at_ms, jpeg, width, height, self._window.segment_ms))

        def done(result: object) -> None:
            self._under_way -= 1

        work = self._codec.do(key_frame_jpeg, track, sample, box)
        work.addCallback(made).addErrback(self._not_made, key.at_ms).addBoth(done)

    def _not_made(self, failure: Failure, at_ms: int) -> None:
        error = failure.value
        if isinstance(error, Busy):
            self.skipped += 1
            return
        self.failed += 1
        if not isinstance(error, DvrError):
            self._troubles.failure(where(failure), "a thumbnail of {stream}", failure, stream=self.name)
        elif not self._failing:
            self.log.warn("{stream} at {utc_ms}: {error}", stream=self.name, utc_ms=at_ms, error=error)
            self._on_event(ThumbnailFailed(media=self.name, reason=error.code, begin_ms=at_ms))
        self._failing = True


def joined(body: Body) -> bytes:
    """The bytes of a body that lies in RAM."""
    return b"".join(part for part in body.parts if isinstance(part, bytes))

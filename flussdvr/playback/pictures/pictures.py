"""
Everything about pictures, put together: what is served, and the service that stores thumbnails.
"""
# mypy: allow-untyped-calls
# (Service is not annotated)

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from flussdvr.archive.disk.root import Root
from flussdvr.events.types.event import OnEvent
from flussdvr.playback.pictures.previews import UNDER_WAY, Previews
from flussdvr.playback.pictures.sprite import Sprites
from flussdvr.playback.pictures.stored import StoredPictures
from flussdvr.playback.pictures.thumbnails import RunningStreams, Thumbnails
from flussdvr.process.reactors import IReactorClient
from flussdvr.threads import Pool, ThreadWorker, Worker

CODEC_THREADS = max(1, (os.cpu_count() or 2) // 2)
THUMBNAILS_WAITING = 300


class Pictures(Service):
    """
    `previews`, `stored`, `sprites`, and the service `thumbnails`.

    Two codec pools: viewers who ask for many pictures must not cost the archive its thumbnails. `codecs` stands in
    for them in tests.
    """

    def __init__(
        self,
        streams: RunningStreams,
        root: Callable[[str], Root],
        reactor: IReactorClient,
        utc_ms: Callable[[], int],
        on_event: OnEvent = lambda event: None,
        codecs: tuple[Worker, Worker] | None = None,
    ) -> None:
        viewers, archive = codecs or (
            Pool(reactor, "codec", CODEC_THREADS, UNDER_WAY + CODEC_THREADS),
            ThreadWorker(reactor, "thumbnails", THUMBNAILS_WAITING),
        )
        self._workers = viewers, archive
        self.previews = Previews(viewers, on_event=on_event)
        self.stored = StoredPictures(utc_ms)
        self.sprites = Sprites(self.previews, self.stored, viewers)
        self.thumbnails = Thumbnails(streams, root, archive, reactor, utc_ms, on_event)

    def startService(self) -> None:
        super().startService()
        self.thumbnails.startService()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self.thumbnails.stopService()
        for worker in self._workers:
            await worker.stop()

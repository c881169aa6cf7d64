"""
`publish://`: an input that others connect to, and so the sink that they deliver to.

    PublishPoint(sink=PublishInput) --> PublishInput --> sink of the stream's inputs

It is never opened and never fails while nobody publishes; who may publish, and silence, are `publish`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.ingest.source import Input, State
from flussdvr.media import DataLost, LeftOut, Sample, SamplesReceived, Track, TracksChanged, TracksLeftOut


class PublishInput(Input):
    """A `Sink` for one publisher at a time. `publisher`: who that is, for events."""

    publisher: tuple[str | None, str | None] = None, None
    """Protocol and address of who publishes."""

    def _attempt(self) -> None:
        self._wait()

    def open(self) -> None:
        self._wait()

    def close(self) -> None:
        pass

    @property
    def origin(self) -> str:
        return (self.publisher[1] or "").rpartition(":")[0] or self.shown_url

    def published_by(self, proto: str, peer: str) -> None:
        """Somebody has been admitted, whose media will come."""
        if self.state is State.WAITING:
            self.publisher = proto, peer
            self._begin()

    def _begin(self) -> None:
        self.state = State.CONNECTING
        self.tell_opened()
        proto, peer = self.publisher
        self.opened(proto=proto, peer=peer)

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        if self.state is State.WAITING:
            self._begin()
        self.received([TracksChanged(tuple(tracks))])

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.counters.bytes += sum(len(sample.data) for sample in samples)
        self.received([SamplesReceived(track_id, samples)])

    def data_lost(self, reason: str, count: int) -> None:
        self.received([DataLost(reason, count)])

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        if self.state is State.WAITING:
            self._begin()
        self.received([TracksLeftOut(tuple(left_out))])

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        if self.state is not State.STOPPED:
            self.sink.utc_received(utc_ms, dts, timescale)

    def source_lost(self, reason: str) -> None:
        if self.state is State.STOPPED:
            return
        self.counters.failed += 1
        if self.state is not State.WAITING:
            self.tell_closed(reason)
        self._wait()
        self.reason = self.last_error = reason
        self.sink.source_lost(reason)

    def _wait(self) -> None:
        self.publisher = None, None
        self._cancel_timer()  # nobody has to publish within a timeout
        self.state = State.WAITING
        self.left_out = ()
        self.reason = "nobody publishes"

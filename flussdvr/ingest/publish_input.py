"""
`publish://`: an input that others connect to, and so the sink that they deliver to.

    PublishPoint(sink=PublishInput) --> PublishInput --> sink of the stream's inputs

It is never opened and never fails while nobody publishes; who may publish, and silence, are `publish`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.ingest.source import Input, State
from flussdvr.media import DataLost, Sample, SamplesReceived, Track, TracksChanged


class PublishInput(Input):
    """A `Sink` for one publisher at a time."""

    def open(self) -> None:
        self._wait()

    def close(self) -> None:
        pass

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        if self.state is State.WAITING:
            self.state = State.CONNECTING
            self.opened()
        self.received([TracksChanged(tuple(tracks))])

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.counters.bytes += sum(len(sample.data) for sample in samples)
        self.received([SamplesReceived(track_id, samples)])

    def data_lost(self, reason: str, count: int) -> None:
        self.received([DataLost(reason, count)])

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        if self.state is not State.STOPPED:
            self.sink.utc_received(utc_ms, dts, timescale)

    def source_lost(self, reason: str) -> None:
        if self.state is State.STOPPED:
            return
        self.counters.failed += 1
        self._wait()
        self.reason = reason
        self.sink.source_lost(reason)

    def _wait(self) -> None:
        self._cancel_timer()  # nobody has to publish within a timeout
        self.state = State.WAITING
        self.reason = "nobody publishes"

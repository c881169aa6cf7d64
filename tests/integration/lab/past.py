"""
A recording of a time that is over, written into a storage root before the server starts, which then imports it.

    the built-in camera, without its clock --> Stream --> Past: blobs

Nothing is missing in it, however busy the machine is.
"""

from __future__ import annotations

from pathlib import Path

from flussdvr.archive.disk.blob import Blob, BlobWriter
from flussdvr.archive.disk.marker import make_marker
from flussdvr.formats.mp4.fmp4 import BlobInfo, blob_info_box
from flussdvr.ingest.fake.encoder import FakeEncoder, FakeSettings
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.stream import Stream
from flussdvr.media import SamplesReceived
from flussdvr.timeline import HOUR_MS

SEGMENT_MS = 2000


def record(root: Path, name: str, begin_s: int, seconds: int, settings: FakeSettings | None = None) -> None:
    """`seconds` of the stream from `begin_s` (UTC) on. The root is made if it is new."""
    if not root.exists():
        make_marker(str(root))
    encoder = FakeEncoder(settings or FakeSettings(), begin_s, name)
    now_ms = begin_s * 1000
    past = Past(str(root), name)
    stream = Stream(name, SEGMENT_MS, 2, past, lambda: now_ms, now_ms)
    stream.tracks_received(encoder.tracks)
    track = encoder.tracks[0]
    stream.utc_received(now_ms, begin_s * track.timescale, track.timescale)
    fps = encoder.settings.fps
    for index in range(seconds * fps):
        now_ms = begin_s * 1000 + index * 1000 // fps
        events = encoder.encode(index)
        if index == seconds * fps - 1:
            events += encoder.flush()
        for event in events:
            assert isinstance(event, SamplesReceived)
            stream.samples_received(event.track_id, event.samples)
    stream.source_lost("end")
    past.close()


class Past:
    """A stream's recorder that writes at once, a blob an hour."""

    def __init__(self, root: str, name: str) -> None:
        self._root = root
        self._name = name
        self._blob: Blob | None = None
        self._writer: BlobWriter | None = None

    def opens_blob(self, fragment: LiveFragment, init: bytes, segment_ms: int) -> bool:
        return fragment.sync and (self._blob is None or self._blob.begin_ms // HOUR_MS != fragment.begin_ms // HOUR_MS)

    def write(self, fragment: LiveFragment, init: bytes, segment_ms: int, sequence: int) -> None:
        if self.opens_blob(fragment, init, segment_ms):
            self.close()
            self._blob = Blob(self._name, self._root, fragment.begin_ms, fragment.begin_ms)
            self._writer = BlobWriter(self._blob)
            self._writer.create(init + blob_info_box(BlobInfo(self._name, segment_ms, sequence)))
        assert self._writer is not None
        self._writer.append(fragment.data, fragment.head_size)

    def gap(self, reason: str) -> None:
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

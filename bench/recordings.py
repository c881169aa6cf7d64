"""
Archives to measure on, made once and kept in `var/bench`: what a server writes, without waiting for the time to pass.

    film     70 minutes of the load stream, 3 GB: demuxed, cut and written by the server's own parts
    day      24 h of a stream whose samples are not there: indexes and catalog are real, blobs are sparse
    month    100 streams x 30 days, in the catalog and as (sparse) files; the last blob of each stream was left open
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.measure import FOLDER
from bench.media import load_ts
from flussdvr.archive.disk.blob import Blob, BlobState, BlobWriter
from flussdvr.archive.disk.marker import make_marker
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.formats.mp4.fmp4 import BlobInfo, Run, blob_info_box, write_fragment, write_init
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.stream import Stream
from flussdvr.media import Codec, Sample, SamplesReceived, Track, TracksChanged
from flussdvr.threads import InlineWorker
from flussdvr.timeline import HOUR_MS

T0_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, where every recording here begins."""
FILM_S = 70 * 60
STREAMS, DAYS = 100, 30
SEGMENT_MS = 5000
LOOP_S = 48
"""25 pictures/s, key frames every 2 s and 750 AAC frames every 16 s come out even."""
TAIL_S = 600
"""How much of the last, open blob of every stream is really there."""
CONFIG = bytes.fromhex("01640028ffe1001967640028acd940780227e5c05a808080a0000003002000000791e30632c001000468ebecb2")
VIDEO = Track(1, Codec.H264, 90000, CONFIG, width=1920, height=1080)
AUDIO = Track(2, Codec.AAC, 48000, bytes.fromhex("1190"), channels=2, sample_rate=48000)


class Archive:
    """A folder with `archive` (the storage root) and `state`, as `lab.server.Server` lays them out."""

    def __init__(self, name: str) -> None:
        self.folder = (FOLDER / name).absolute()
        self.root = str(self.folder / "archive")
        self.state = str(self.folder / "state")

    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.state)

    @property
    def made(self) -> bool:
        return (self.folder / "made").exists()

    def finish(self, blobs: Sequence[Blob]) -> None:
        """Write the catalog; from here on it is known that everything is there."""
        uuid = make_marker(self.root)
        catalog = SqliteCatalog(f"{self.state}/catalog.sqlite", InlineWorker())
        catalog.open()
        catalog.roots.adopt(self.root, uuid)
        catalog.blobs.insert(blobs)
        catalog.close()
        with sqlite3.connect(f"{self.state}/catalog.sqlite") as connection:
            assert connection.execute("SELECT count(*) FROM blob").fetchone() == (len(blobs),)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        self.keep()
        (self.folder / "made").touch()

    def keep(self) -> None:
        shutil.copy(f"{self.state}/catalog.sqlite", self.folder / "catalog.kept")

    def restore(self) -> None:
        """The catalog as it was made: what was open then is open again."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self.state}/catalog.sqlite{suffix}").unlink(missing_ok=True)
        shutil.copy(self.folder / "catalog.kept", f"{self.state}/catalog.sqlite")

    def forget_indexes(self) -> None:
        """Take the indexes out of the page cache, so that a first request finds them on the disk."""
        for path in Path(self.root).rglob("*.idx"):
            forget(path)


def forget(path: Path) -> None:
    """Take a file out of the page cache."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


# -- film ---------------------------------------------------------------------------------------------------------


class _Writer:
    """A stream's recorder that writes at once, a blob an hour."""

    def __init__(self, root: str) -> None:
        self.blobs: list[Blob] = []
        self._root = root
        self._writer: BlobWriter | None = None

    def opens_blob(self, fragment: LiveFragment, init: bytes, segment_ms: int) -> bool:
        return fragment.sync and (not self.blobs or self.blobs[-1].begin_ms // HOUR_MS != fragment.begin_ms // HOUR_MS)

    def write(self, fragment: LiveFragment, init: bytes, segment_ms: int, sequence: int) -> None:
        if self.opens_blob(fragment, init, segment_ms):
            self.close()
            blob = Blob("film", self._root, fragment.begin_ms, fragment.begin_ms)
            blob.segment_ms, blob.sequence = segment_ms, sequence
            self.blobs.append(blob)
            self._writer = BlobWriter(blob)
            self._writer.create(init + blob_info_box(BlobInfo("film", segment_ms, sequence)))
        assert self._writer is not None
        blob = self.blobs[-1]
        blob.size, blob.index_size = self._writer.append(fragment.data, fragment.head_size)
        blob.end_ms = fragment.end_ms

    def gap(self, reason: str) -> None:
        if reason != "end":
            raise AssertionError(f"a gap in the film: {reason}")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self.blobs[-1].state = BlobState.CLOSED


def film() -> Archive:
    archive = Archive("film")
    if archive.made:
        return archive
    archive.begin()
    make_marker(archive.root)
    tracks, seconds = _loop()
    now_ms = T0_MS
    writer = _Writer(archive.root)
    stream = Stream("film", SEGMENT_MS, 2, writer, lambda: now_ms, T0_MS)
    stream.tracks_received(tracks)
    first = next(sample for samples in seconds[0].values() for sample in samples)
    stream.utc_received(T0_MS, first.dts, 90000)
    for second in range(FILM_S + 2):
        now_ms = T0_MS + second * 1000 + 1000
        turn = second // LOOP_S * LOOP_S
        for track in tracks:
            shift = turn * track.timescale
            samples = seconds[second % LOOP_S].get(track.id, [])
            stream.samples_received(track.id, [replace(sample, dts=sample.dts + shift) for sample in samples])
    stream.source_lost("end")
    writer.close()
    archive.finish(writer.blobs)
    return archive


def _loop() -> tuple[tuple[Track, ...], list[dict[int, list[Sample]]]]:
    """`LOOP_S` seconds of the load stream that follow themselves without a seam, by second and track."""
    demuxer = TsDemuxer()
    tracks: tuple[Track, ...] = ()
    found: dict[int, list[Sample]] = {}
    for event in [*demuxer.feed(load_ts(60).read_bytes()), *demuxer.flush()]:
        if isinstance(event, TracksChanged):
            tracks = tuple(event.tracks)
        elif isinstance(event, SamplesReceived):
            found.setdefault(event.track_id, []).extend(event.samples)
    seconds: list[dict[int, list[Sample]]] = [{} for _ in range(LOOP_S)]
    for track in tracks:
        count = LOOP_S * 25 if track.is_video else LOOP_S * track.sample_rate // 1024
        samples = found[track.id][:count]
        for sample in samples:
            second = min((sample.dts - samples[0].dts) // track.timescale, LOOP_S - 1)
            seconds[second].setdefault(track.id, []).append(sample)
    return tracks, seconds


# -- day and month ------------------------------------------------------------------------------------------------


def day() -> Archive:
    archive = Archive("day")
    if archive.made:
        return archive
    archive.begin()
    make_marker(archive.root)
    blobs = []
    for hour in range(24):
        blob = Blob("day", archive.root, T0_MS + hour * HOUR_MS, T0_MS + (hour + 1) * HOUR_MS)
        blob.segment_ms, blob.sequence, blob.state = SEGMENT_MS, hour * 720, BlobState.CLOSED
        head = write_init((VIDEO, AUDIO)) + blob_info_box(BlobInfo("day", SEGMENT_MS, blob.sequence))
        heads, size = [head], len(head)
        for moof, payload in _fragments(blob.begin_ms, 3600, 4000):
            heads.append(moof)
            size += len(moof) + len(payload)
        _sparse(blob, b"".join(heads), size)
        blobs.append(blob)
    archive.finish(blobs)
    return archive


def month() -> Archive:
    archive = Archive("month")
    if archive.made:
        return archive
    archive.begin()
    make_marker(archive.root)
    blobs = []
    hours = DAYS * 24
    tail = list(_fragments(T0_MS + (hours - 1) * HOUR_MS, TAIL_S, 60))
    for number in range(STREAMS):
        name = f"s{number}"
        for hour in range(hours):
            blob = Blob(name, archive.root, T0_MS + hour * HOUR_MS, T0_MS + (hour + 1) * HOUR_MS)
            blob.segment_ms, blob.sequence = SEGMENT_MS, hour * 720
            blobs.append(blob)
            if hour < hours - 1:
                blob.state = BlobState.CLOSED
                _sparse(blob, b"", 5 << 28, 1_700_000)
                continue
            info = BlobInfo(name, SEGMENT_MS, blob.sequence)
            writer = BlobWriter(blob)
            writer.create(write_init((VIDEO, AUDIO)) + blob_info_box(info))
            for head, payload in tail:
                writer.append(head + payload, len(head))
            blob.end_ms = blob.begin_ms  # as the catalog has it while a blob is being recorded
            writer.close()
    archive.finish(blobs)
    return archive


def _fragments(begin_ms: int, count: int, picture: int) -> Iterator[tuple[bytes, bytes]]:
    """A second each: 25 pictures of about `picture` bytes, 47 frames of audio."""
    noise = os.urandom(2 * picture)
    pictures = [Sample(0, noise[n : picture + 2 * n], n == 0) for n in range(25)]
    frames = [Sample(0, noise[: 20 + n % 7]) for n in range(47)]
    for second in range(count):
        utc = begin_ms + second * 1000
        video = Run(VIDEO, utc * 90, [3600] * 25, pictures)
        yield write_fragment(second + 1, [video, Run(AUDIO, utc * 48, [1024] * 46 + [896], frames)])


def _sparse(blob: Blob, index: bytes, size: int, index_size: int = 0) -> None:
    Path(blob.path).parent.mkdir(parents=True, exist_ok=True)
    Path(blob.index_path).write_bytes(index)
    for path, length in ((blob.path, size), (blob.index_path, index_size)):
        if length:
            with open(path, "ab") as file:
                file.truncate(length)
    blob.size, blob.index_size = size, index_size or len(index)

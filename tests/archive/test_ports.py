"""Playback and what tells of recordings need no more of an archive than the port: any other may stand behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from flussdvr.archive.archive import Archive
from flussdvr.archive.ports import ClosingRecorder, DvrPolicy, Recorder, Recordings, StreamArchive
from flussdvr.archive.recorder import Recorder as BlobRecorder
from flussdvr.archive.schedule import ScheduledRecorder
from flussdvr.body.seekable import SeekableBody
from flussdvr.config.model import DvrSettings
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.key_frame import key_frame_for
from flussdvr.playback.pictures.moment import moment_at
from flussdvr.playback.pictures.previews import Previews
from flussdvr.playback.pictures.stored import StoredPictures
from flussdvr.playback.playback import make_playback
from flussdvr.playback.sources import Source
from flussdvr.playback.view import View
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from flussdvr.web.api.damaged import damaged_ranges
from flussdvr.web.api.stats import Nobody, stream_stats
from flussdvr.web.api.timeline import what_is_recorded
from tests.playback.camera_stamps import result
from tests.playback.recordings import SEGMENT_MS, Recording, T
from tests.test_layers import PACKAGE, imports

WINDOW = Range(T + 1000, T + 16_000)


def members(port: type) -> set[str]:
    """What a port asks for."""
    own = {name for one in port.__mro__ if getattr(one, "_is_protocol", False) for name in vars(one)}
    return {name for name in own if not name.startswith("_")}


class OnlyThePort:
    """An archive behind its port: it has nothing else."""

    def __init__(self, archive: object) -> None:
        self.__archive = archive
        self.__allowed = members(StreamArchive)

    def __getattr__(self, name: str) -> Any:
        if name not in self.__allowed:
            raise AttributeError(f"the port has no {name}")
        return getattr(self.__archive, name)

    def __len__(self) -> int:
        return len(self.__archive)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return True


@pytest.fixture
def source(tmp_path: Path) -> Source:
    recording = Recording(tmp_path)
    recording.blob()
    recording.blob(T + 10_000, seconds=8, after="source_lost")
    return Source("ort", None, OnlyThePort(recording.archive))  # type: ignore[arg-type]


def test_it_hides_what_is_no_part_of_the_port(source: Source) -> None:
    with pytest.raises(AttributeError):
        source.archive.grow  # type: ignore[union-attr]  # noqa: B018


def test_playback(source: Source) -> None:
    playback = make_playback(InlineWorker(), Clock(), lambda: T + 60_000)
    for container in ("fmp4", "ts"):
        body = result(playback.segments.body(source, T + SEGMENT_MS, SEGMENT_MS, View(container)))
        with SeekableBody(body) as file:
            assert len(file.read()) == len(body) > 1000
    export = result(playback.exports.mp4(source, WINDOW.begin_ms, WINDOW.duration_ms, None, False))
    assert len(export.body) > 10_000
    assert result(playback.exports.fragments(source, Range(T, T + 5000)))
    assert result(playback.ts.export(source, WINDOW.begin_ms, WINDOW.duration_ms, None)).length
    table = result(source.archive.table(source.archive.blobs()[0]))  # type: ignore[union-attr]
    name = make_playback(InlineWorker(), Clock(), lambda: 0).inits.url(table.init, table.tracks, None)
    assert result(playback.inits.find(source, name[5:-4], None)) == table.init


def test_pictures(source: Source) -> None:
    previews, stored = Previews(InlineWorker()), StoredPictures(lambda: 2 * T)
    for frame in (result(key_frame_for(source, T + 12_000)), result(moment_at(source, T + 4321))):
        assert result(previews.jpeg("ort", frame, Box(64, 48)))[:2] == b"\xff\xd8"
    assert result(stored.within(source, WINDOW)) == [] and result(stored.first_of(source, [WINDOW])) == [None]


def test_what_tells_of_recordings(source: Source) -> None:
    assert source.archive is not None
    stats = stream_stats("ort", None, source.archive, Nobody(), T + 60_000, True)
    assert stats["dvr_info"]["ranges"] and what_is_recorded(source.archive, WINDOW)
    assert not result(damaged_ranges(source.archive, WINDOW))


@pytest.mark.parametrize(
    ("port", "class_"),
    [
        (Recordings, Archive),
        (Recorder, ScheduledRecorder),
        (Recorder, BlobRecorder),
        (ClosingRecorder, BlobRecorder),
        (DvrPolicy, DvrSettings),
    ],
)
def test_what_stands_behind_the_other_ports(port: type, class_: type) -> None:
    fields = getattr(class_, "__dataclass_fields__", {})
    assert members(port) and all(hasattr(class_, name) or name in fields for name in members(port))


def test_nobody_else_imports_what_stands_behind() -> None:
    wrong = [
        file
        for file in PACKAGE.rglob("*.py")
        if file.relative_to(PACKAGE).parts[0] not in ("archive", "server.py")
        for name in imports(file.read_text())
        if name.startswith("archive.streams.stream_archive")
    ]
    assert wrong == []

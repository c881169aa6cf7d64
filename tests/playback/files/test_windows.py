"""Files of windows of the archive, and where their limits are."""

from __future__ import annotations

from pathlib import Path

import pytest

from flussdvr.archive.disk import trim
from flussdvr.body.seekable import SeekableBody
from flussdvr.errors import DvrError
from flussdvr.export.exporter import Exporter, Order
from flussdvr.formats.made import Made
from flussdvr.formats.mp4 import media as mp4_media
from flussdvr.formats.mp4 import progressive as mp4
from flussdvr.playback.files.windows import Export, Exports
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.playback.recordings import Recording, T, decoded, media
from tests.playback.test_cursor import result as now


@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.parametrize("changes", [False, True])
def test_an_export_has_no_limit_and_goes_on_over_a_change_of_tracks(
    tmp_path: Path, changes: bool, fragmented: bool
) -> None:
    recording = Recording(tmp_path / "dvr")
    recording.blob(seconds=4)
    recording.blob(T + 4000, seconds=4, after="tracks_changed", source=media(audios=0, b_frames=2) if changes else None)
    (tmp_path / "out").mkdir()
    worker, source = InlineWorker(), Source("ort", None, recording.archive)
    exports = Exports(worker, lambda: T + 60_000)
    exporter = Exporter(exports, worker, worker, lambda: [str(tmp_path / "out")])
    window, path = Range(T, T + 8000), tmp_path / "out" / "x.mp4"
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("HEAD_BYTES", "WALK_BYTES"):
            patch.setattr(f"flussdvr.playback.files.windows.{limit}", 1000)
        with pytest.raises(DvrError, match="window_too_long"):
            now(exports.mp4(source, T, 8000, None, False))
        size = now(exporter.export(source, Order("ort", window, str(path), fragmented=fragmented)))
    data = path.read_bytes()
    assert size == len(data) and len(decoded(data)) == 80
    assert (data.find(b"moof") < data.find(b"mdat")) == (fragmented and not changes), "one init segment has no change"


class Long:
    """A recording of which nothing is held that can be read again, and its file."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recording = Recording(path)
        self.first = self.recording.blob(seconds=10)
        self.recording.blob(T + 10_000, seconds=10, skip=2)
        self.recording.blob(T + 20_000, seconds=4, after="tracks_changed", source=media(b_frames=2))
        self.source = Source("ort", None, self.recording.archive)
        self.window = Range(T + 4500, T + 23_500)
        self.plain = self.export()
        monkeypatch.setattr(mp4, "HELD_BYTES", 0)
        monkeypatch.setattr(mp4_media, "MARGIN", 1)
        monkeypatch.setattr(mp4_media, "SMALL", 0)

    def export(self) -> Export:
        exports = Exports(InlineWorker(), lambda: T + 60_000)
        return now(exports.mp4(self.source, self.window.begin_ms, self.window.duration_ms, None, False))

    def bytes_of(self, export: Export) -> bytes:
        with SeekableBody(export.body) as file:
            return file.read()

    def cut(self, begin_ms: int, end_ms: int) -> None:
        """Delete fragments of the first blob."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trim, "check_marker", lambda root, uuid: None)
            cut = trim.trim(self.first, "", trim.Cut((Range(begin_ms, end_ms),), (), trim.Reach.WITHIN))
        assert cut.begins_ms == tuple(range(begin_ms, end_ms, 1000)) and cut.error is None
        self.recording.archive.trimmed(self.first, cut.holes, cut.freed, cut.index_size)


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Long:
    return Long(tmp_path, monkeypatch)


def test_what_is_read_again_gives_the_same_file(long: Long) -> None:
    export, again = long.export(), long.export()
    assert {part.place for part in export.body.parts if isinstance(part, Made)} >= {
        long.recording.archive.file(long.first)
    }
    whole = long.bytes_of(long.plain)
    assert long.bytes_of(export) == whole and len(export.body) == len(whole)
    assert export.etag == again.etag
    assert len(decoded(whole)) == 190


def test_any_range_of_it(long: Long) -> None:
    whole, body = long.bytes_of(long.plain), long.export().body
    head = whole.index(b"mdat") + 100
    for start in (*range(0, head, 97), len(whole) - 50):
        for length in (1, 50, 1000, len(whole)):
            with SeekableBody(body.slice(start, start + length)) as file:
                assert file.read() == whole[start : start + length]
    with SeekableBody(body) as file:
        file.seek(head // 2)
        assert b"".join(iter(lambda: file.read(100), b"")) == whole[head // 2 :]


def test_a_deletion_of_what_the_head_is_made_of_breaks_it_off(long: Long) -> None:
    export = long.export()
    long.cut(T + 6000, T + 8000)
    with SeekableBody(export.body) as file, pytest.raises(DvrError, match="data_gone"):
        file.read()


def test_a_deletion_of_something_else_in_the_same_blob_does_not(long: Long) -> None:
    export = long.export()
    whole = long.bytes_of(long.plain)
    long.cut(T, T + 2000)
    assert long.bytes_of(export) == whole

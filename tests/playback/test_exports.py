"""Files of windows of the archive, and where their limits are."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import Recording, T, decoded, media
from test_cursor import result as now

from flussdvr.errors import DvrError
from flussdvr.export import Exporter, Order
from flussdvr.playback.exports import Exports
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range


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
            patch.setattr(f"flussdvr.playback.exports.{limit}", 1000)
        with pytest.raises(DvrError, match="window_too_long"):
            now(exports.mp4(source, T, 8000, None, False))
        size = now(exporter.export(source, Order("ort", window, str(path), fragmented=fragmented)))
    data = path.read_bytes()
    assert size == len(data) and len(decoded(data)) == 80
    assert (data.find(b"moof") < data.find(b"mdat")) == (fragmented and not changes), "one init segment has no change"

"""Stored thumbnails of a recording that lies on a real directory."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from PIL import Image

from flussdvr.archive.disk.root import Root, RootWorkers
from flussdvr.archive.thumbs import Thumbnail, ThumbsRecorder
from flussdvr.threads import InlineWorker
from tests.playback.camera_stamps import Recording, result


@cache
def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 36), (number % 256, 80, 120)).save(out, "JPEG")
    return out.getvalue()


def root_of(recording: Recording) -> Root:
    recording.root.mkdir(parents=True, exist_ok=True)
    root = Root(str(recording.root), RootWorkers(InlineWorker(), InlineWorker(), InlineWorker()))
    result(_ready(root))
    return root


async def _ready(root: Root) -> None:
    await root.ready()


def store_thumbs(recording: Recording, times: Iterable[int]) -> None:
    """Thumbnails taken at `times`; that of the moment t is `jpeg(t // 1000)`."""
    root = root_of(recording)
    recorder = ThumbsRecorder(recording.archive, lambda path: root)
    for at_ms in times:
        recorder.write(Thumbnail(at_ms, jpeg(at_ms // 1000), 64, 36, 2000))
    result(recorder.close())
    result(_stop(root))
    assert recorder.dropped == 0
    assert Path(recording.root).is_dir()


async def _stop(root: Root) -> None:
    await root.stop()

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from flussdvr.errors import DvrError
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.media import Codec, Track
from flussdvr.playback.fragments import live_span
from flussdvr.playback.pictures import decoder
from flussdvr.playback.pictures.decoder import Box, key_frame_jpeg, moment_jpeg
from flussdvr.playback.pictures.key_frame import KeyFrame
from tests.playback.camera_stamps import T, shoot

FULL = Box(4000, 4000)


def key_frame(kind: str = "h264") -> tuple[Track, bytes]:
    """A track and the sample of its first key frame."""
    take = shoot(kind, T // 1000, 11)
    span = live_span(take.init, take.fragments[:1])
    assert isinstance(span.table, FragmentTable)
    sample = KeyFrame(T, span, take.track).sample().parts[0]
    assert isinstance(sample, bytes)
    return take.track, sample


def size_of(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.load()
        return image.size


@pytest.mark.parametrize(
    ("box", "size", "aspect", "fitted"),
    [
        (Box(320, 9999), (1920, 1080), (1, 1), (320, 180)),
        (Box(320, 240), (1920, 1080), (1, 1), (320, 180)),
        (Box(320, 240), (1080, 1920), (1, 1), (135, 240)),
        (Box(320, 9999), (720, 576), (16, 11), (320, 176)),
        (Box(4000, 4000), (320, 180), (1, 1), (320, 180)),
        (Box(4000, 4000), (720, 576), (16, 15), (768, 576)),
        (Box(16, 16), (7680, 2), (1, 1), (16, 1)),
        (Box(320, 240), (16, 16), (0, 1), (1, 16)),
    ],
)
def test_a_picture_is_made_to_fit_with_its_aspect(
    box: Box, size: tuple[int, int], aspect: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert box.fit(*size, aspect) == fitted


@pytest.mark.parametrize("kind", ["h264", "h265"])
@pytest.mark.parametrize("width", [16, 100, 320])
def test_sizes(kind: str, width: int) -> None:
    assert size_of(key_frame_jpeg(*key_frame(kind), Box(width, 9999))) == (width, round(width * 180 / 320))


def test_the_memory_of_huge_pictures_is_given_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr("flussdvr.playback.pictures.decoder.trim", lambda: given.append("back"))
    track, sample = key_frame("h264")
    key_frame_jpeg(track, sample, FULL)
    assert not given
    huge = replace(track, width=7680, height=4320)
    key_frame_jpeg(huge, sample, FULL)
    with pytest.raises(DvrError):
        key_frame_jpeg(huge, b"", FULL)
    with pytest.raises(DvrError):
        moment_jpeg(huge, [(0, b"")], 0, FULL)
    assert len(given) == 3


def test_a_process_is_as_small_after_pictures_of_8k_as_before(tmp_path: Path) -> None:
    """The first round loads libraries, some 20 MB; a picture in work takes 100 MB."""
    program = [sys.executable, str(Path(__file__).with_name("rss_of_huge_pictures.py"))]
    picture = tmp_path / "picture.h264"
    picture.write_bytes(subprocess.run(program, check=True, capture_output=True).stdout)
    found = json.loads(subprocess.run([*program, str(picture)], check=True, capture_output=True).stdout)
    before, *after = found["mb"]
    assert found["highest"] > before + 80, "they were in memory"
    assert max(after) <= before + 40 and after[-1] <= after[0] + 8, found


@pytest.mark.parametrize("kind", ["h264", "h265"])
def test_what_does_not_decode_is_an_error_and_nothing_else(kind: str) -> None:
    track, sample = key_frame(kind)
    for bad in (b"", b"\0" * 1000, os.urandom(3000), b"<html>" * 100, b"\xff\xff\xff\xff" + sample[4:]):
        with pytest.raises(DvrError) as caught:
            key_frame_jpeg(track, bad, FULL)
        assert caught.value.code == "undecodable_picture"
    for bad_track in (replace(track, config=b"\1\2\3"), replace(track, codec=Codec.AAC)):
        with pytest.raises(DvrError):
            key_frame_jpeg(bad_track, sample, FULL)
    with pytest.raises(DvrError):
        moment_jpeg(track, [], 0, FULL)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_key_frames_are_pictures_or_errors(data: st.DataObject) -> None:
    track, sample = key_frame()
    damaged = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 20))):
        damaged[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    try:
        jpeg = key_frame_jpeg(track, bytes(damaged[: data.draw(st.integers(1, len(sample)))]), Box(64, 64))
    except DvrError as error:
        assert error.code == "undecodable_picture"
    else:
        assert size_of(jpeg)[0] <= 64


def test_a_picture_that_claims_to_be_enormous_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_PIXELS", 320 * 180 - 1)
    with pytest.raises(DvrError):
        key_frame_jpeg(*key_frame(), FULL)

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flussdvr.body.body import Extent
from flussdvr.errors import DvrError
from flussdvr.formats.stamp import read_stamp
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.key_frame import KeyFrame
from flussdvr.playback.pictures.previews import Previews
from flussdvr.playback.pictures.sprite import UNDER_WAY, Grid, Sprites, compose
from flussdvr.playback.pictures.stored import StoredPictures, Thumb
from flussdvr.playback.sources import Source
from flussdvr.threads import Busy, InlineWorker
from flussdvr.timeline import Range
from tests.playback.camera_stamps import Recording, T, lay_down, result, shoot
from tests.playback.thumbs import jpeg, store_thumbs


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    recording = Recording(tmp_path)
    lay_down(recording, shoot("h264-open", T // 1000, 11))
    lay_down(recording, shoot("h264-open", T // 1000 + 20, 7), "source_lost")
    return recording


def sprites() -> Sprites:
    worker = InlineWorker()
    previews = Previews(worker)
    return Sprites(previews, StoredPictures(lambda: 2 * T), worker)


def source_of(recording: Recording) -> Source:
    return Source("ort", None, recording.archive)


def grid(begin_s: float, seconds: float, columns: int, rows: int, width: int = 320) -> Grid:
    begin = T + int(begin_s * 1000)
    return Grid(Range(begin, begin + int(seconds * 1000)), columns, rows, Box(width, 9999))


def tiles(data: bytes, columns: int, rows: int) -> list[int | None]:
    """What each tile shows, in seconds after T."""
    with Image.open(io.BytesIO(data)) as image:
        luma = np.asarray(image.convert("L"))
    height, width = luma.shape[0] // rows, luma.shape[1] // columns
    found = []
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        stamp = read_stamp(luma[row * height : (row + 1) * height, column * width : (column + 1) * width])
        found.append(None if stamp is None else stamp[0] - T // 1000)
    return found


def test_every_tile_shows_its_part_and_a_gap_is_black(recording: Recording) -> None:
    made = sprites()
    sprite = result(made.find(source_of(recording), grid(0, 28, 7, 2)))
    data = result(made.jpeg("ort", sprite))
    assert tiles(data, 7, 2) == [0, 2, 4, 6, 8, 10, None, None, None, None, 20, 22, 24, 26]
    assert (sprite.width, sprite.height) == (320, 180)


def test_parts_shorter_than_a_group_show_what_was_on(recording: Recording) -> None:
    made = sprites()
    sprite = result(made.find(source_of(recording), grid(3, 3, 3, 2)))
    assert tiles(result(made.jpeg("ort", sprite)), 3, 2) == [2, 2, 4, 4, 4, 4]


def test_a_zoom_finds_what_the_last_one_has_decoded(recording: Recording) -> None:
    made = sprites()
    for columns in (12, 6, 3):
        result(made.jpeg("ort", result(made.find(source_of(recording), grid(0, 12, columns, 1)))))
    assert made._previews.decoded == 6
    before = made._cache.cost
    sprite = result(made.find(source_of(recording), grid(0, 12, 3, 1)))
    result(made.jpeg("ort", sprite))
    assert made._cache.cost == before


def test_stored_thumbnails_come_first(recording: Recording) -> None:
    store_thumbs(recording, [T, T + 2000, T + 20_000])
    made = sprites()
    sprite = result(made.find(source_of(recording), grid(0, 28, 7, 1, 160)))
    kinds = [type(tile) for tile in sprite.tiles]
    assert kinds == [Thumb, KeyFrame, KeyFrame, type(None), type(None), Thumb, KeyFrame]
    data = result(made.jpeg("ort", sprite))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (7 * 160, 90)
        with Image.open(io.BytesIO(jpeg(T // 1000))) as stored:
            assert abs(image.getpixel((80, 45))[2] - stored.getpixel((10, 10))[2]) < 8  # type: ignore[index]
    large = result(made.find(source_of(recording), grid(0, 28, 7, 1, 640)))
    assert Thumb not in [type(tile) for tile in large.tiles]
    only = result(made.find(source_of(recording), grid(20, 2, 1, 1, 160)))
    assert [type(tile) for tile in only.tiles] == [Thumb] and (only.width, only.height) == (160, 90)


def test_the_index(recording: Recording) -> None:
    sprite = result(sprites().find(source_of(recording), grid(8, 14, 2, 4, 160)))
    assert sprite.index("sprite.jpg?token=x") == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.750\nsprite.jpg?token=x#xywh=0,0,160,90\n\n"
        "00:00:01.750 --> 00:00:03.500\nsprite.jpg?token=x#xywh=160,0,160,90\n\n"
        "00:00:10.500 --> 00:00:12.250\nsprite.jpg?token=x#xywh=0,270,160,90\n\n"
        "00:00:12.250 --> 00:00:14.000\nsprite.jpg?token=x#xywh=160,270,160,90\n"
    )


def test_nothing_recorded_and_too_many_at_once(recording: Recording) -> None:
    made = sprites()
    for begin in (12, 1000, -50):
        with pytest.raises(DvrError) as caught:
            result(made.find(source_of(recording), grid(begin, 5, 2, 2)))
        assert caught.value.code == "no_recordings"
    sprite = result(made.find(source_of(recording), grid(0, 10, 2, 2)))
    made.under_way = UNDER_WAY
    with pytest.raises(Busy):
        result(made.jpeg("ort", sprite))
    made.under_way = 0
    assert result(made.jpeg("ort", sprite))


def test_a_damaged_picture_is_a_black_tile(recording: Recording) -> None:
    made = sprites()
    sprite = result(made.find(source_of(recording), grid(0, 8, 4, 1)))
    tile = sprite.tiles[1]
    assert isinstance(tile, KeyFrame)
    part = tile.sample().parts[0]
    assert isinstance(part, Extent)
    with open(str(part.file), "r+b") as file:
        file.seek(part.offset)
        file.write(b"\x5a" * part.length)
    assert tiles(result(made.jpeg("ort", sprite)), 4, 1) == [0, None, 4, 6]
    assert compose([b"junk", None], 2, 16, 16)[:2] == b"\xff\xd8"

# -*- test-case-name: tests.playback.pictures.test_sprite -*-
"""
Sprites: many small pictures of a window in one JPEG, for a timeline to show where the pointer is.

    window   [ t0 | t1 | t2 | t3 | t4 | t5 )        columns x rows tiles, each for an equal part of the window
    tile     a stored thumbnail of its part, else the first key frame of it, else what was on when it began
             nothing recorded in it: black, and no cue in the index

    +----+----+----+      WEBVTT
    | t0 | t1 | t2 |      00:00:00.000 --> 00:00:10.000
    +----+----+----+      sprite-F-D-3x2.jpg#xywh=0,0,160,90
    | t3 | t4 | t5 |      ...
    +----+----+----+

A tile is an ordinary preview, so what one zoom has decoded the next one finds in the cache.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from PIL import Image

from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.errors import DvrError
from flussdvr.playback.pictures.decoder import QUALITY, VERSION, Box, be_nice
from flussdvr.playback.pictures.key_frame import KeyFrame, key_frame_after, key_frame_before
from flussdvr.playback.pictures.previews import Previews
from flussdvr.playback.pictures.snapshot import DAMAGED
from flussdvr.playback.pictures.stored import LOOKED_AT, StoredPictures, Thumb
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.threads import Busy, Worker
from flussdvr.timeline import Range

CACHE_BYTES = 32 << 20
MAX_TILES = 144
MAX_SIDE = 8192
UNDER_WAY = 4
WIDTH = 160
STORED_WIDTH = 320
"""Stored thumbnails may be expected to be as wide as this: larger tiles are made from the video."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`columns` x `rows` tiles for `window`, each at most `tile` large."""

    window: Range
    columns: int
    rows: int
    tile: Box

    def part(self, number: int) -> Range:
        """What of the window a tile stands for."""
        count, length = self.columns * self.rows, self.window.duration_ms
        begin = self.window.begin_ms
        return Range(begin + length * number // count, begin + length * (number + 1) // count)


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """What is to be seen where: a tile's picture, or `None` for a black one. All tiles are `width` x `height`."""

    grid: Grid
    tiles: Sequence[Thumb | KeyFrame | None]
    width: int
    height: int
    etag: str

    def index(self, url: str) -> str:
        """The WebVTT that says which part of the picture at `url` belongs to which part of the window."""
        begin = self.grid.window.begin_ms
        cues = ["WEBVTT\n"]
        for number, tile in enumerate(self.tiles):
            if tile is None:
                continue
            row, column = divmod(number, self.grid.columns)
            part = self.grid.part(number)
            place = f"{column * self.width},{row * self.height},{self.width},{self.height}"
            cues.append(f"{_clock(part.begin_ms - begin)} --> {_clock(part.end_ms - begin)}\n{url}#xywh={place}\n")
        return "\n".join(cues)


class Sprites:
    """`codec` puts the tiles together."""

    def __init__(self, previews: Previews, stored: StoredPictures, codec: Worker) -> None:
        self.under_way = 0
        self._previews = previews
        self._stored = stored
        self._codec = codec
        self._cache: Lru[str, bytes] = Lru(CACHE_BYTES)
        self._shared: Shared[str, bytes] = Shared()

    async def find(self, source: Source, grid: Grid, permitted: Callable[[int], bool] = lambda at_ms: True) -> Sprite:
        """
        Which pictures there are, of moments (UTC ms) that are `permitted`: what was on when the window began is of
        before. None is decoded yet. Raises `DvrError` NOT_FOUND where there are none at all.
        """
        parts = [grid.part(number) for number in range(grid.columns * grid.rows)]
        stored: list[Thumb | None] = [None] * len(parts)
        if grid.tile.width <= STORED_WIDTH:
            stored = await self._stored.first_of(source, parts)
        tiles: list[Thumb | KeyFrame | None] = []
        for one, part in zip(stored, parts, strict=True):
            tiles.append(one if one is not None else await _key_frame_in(source, part))
        tiles = [tile if tile is not None and permitted(tile.at_ms) else None for tile in tiles]
        first = next((tile for tile in tiles if isinstance(tile, KeyFrame)), None)
        if first is None:
            thumb = next((tile for tile in tiles if tile is not None), None)
            first = await key_frame_after(source, thumb.at_ms) if thumb is not None else None
        if first is None:
            raise no_recordings()
        track = first.track
        width, height = grid.tile.fit(track.width, track.height, track.sample_aspect_ratio)
        seen = " ".join("-" if tile is None else _identity(tile) for tile in tiles)
        text = f"{VERSION} {source.name} {grid} {width}x{height} {seen}"
        etag = f'"{sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'
        return Sprite(grid, tiles, width, height, etag)

    async def jpeg(self, name: str, sprite: Sprite) -> bytes:
        """The picture. Raises `Busy`."""
        cached = self._cache.get(sprite.etag)
        if cached is not None:
            return cached

        async def make() -> bytes:
            if self.under_way >= UNDER_WAY:
                raise Busy("sprites")
            self.under_way += 1
            try:
                tiles = [await self._tile(name, sprite, tile) for tile in sprite.tiles]
                data = await self._codec.do(compose, tiles, sprite.grid.columns, sprite.width, sprite.height)
            finally:
                self.under_way -= 1
            self._cache.put(sprite.etag, data, len(data) + 200)
            return data

        return await self._shared.do(sprite.etag, make)

    async def _tile(self, name: str, sprite: Sprite, tile: Thumb | KeyFrame | None) -> bytes | None:
        """A damaged picture is a black tile: the others are worth seeing."""
        if isinstance(tile, Thumb):
            return await self._stored.read(tile)
        if tile is None:
            return None
        try:
            return await self._previews.jpeg(name, tile, sprite.grid.tile)
        except Busy:
            raise
        except DvrError:
            return None


def compose(tiles: Sequence[bytes | None], columns: int, width: int, height: int) -> bytes:
    """JPEGs side by side in one. In a codec thread."""
    be_nice()
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for number, data in enumerate(tiles):
        if data is None:
            continue
        try:
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
                image.draft("RGB", (width, height))
                picture = image.convert("RGB")
                if picture.size != (width, height):
                    picture = picture.resize((width, height), Image.Resampling.BOX)
        except DAMAGED:
            continue
        row, column = divmod(number, columns)
        sheet.paste(picture, (column * width, row * height))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


async def _key_frame_in(source: Source, part: Range) -> KeyFrame | None:
    """The first one in `part`; if there is none, that which was on when it began."""
    found = await key_frame_after(source, part.begin_ms, max(1, part.duration_ms), LOOKED_AT)
    if found is None and source.archive is not None:
        first = Range(part.begin_ms, part.begin_ms + 1)
        if source.archive.ranges(first):
            return await key_frame_before(source, part.begin_ms)
    return found


def _identity(tile: Thumb | KeyFrame) -> str:
    return tile.identity if isinstance(tile, KeyFrame) else f"{tile.at_ms}+{tile.extent.length}"


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"

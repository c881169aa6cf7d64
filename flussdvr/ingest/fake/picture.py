"""
The picture of the built-in test source: a clock that people and programs can read.

    +--------------------------------------+  y 0..31: the stamp (see formats/stamp)
    | ## #### #  ##  #  stamp              |
    | white yellow cyan green mag red blue |  colour bars of 75 %, ITU-R BT.601
    |    +----------------------------+    |
    |    |        19:18:32.040        |    |  UTC
    |    |       2026-11-20 UTC       |    |
    |    |         stream name        |    |
    |    +----------------------------+    |
    | (o) ->                               |  a ball that swings once in two seconds
    +--------------------------------------+

All text is rendered once; a picture costs a few small copies into one buffer.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from flussdvr.formats.stamp import ROWS, write_stamp
from flussdvr.timeline import utc_datetime

Plane = NDArray[np.uint8]

BARS = ((180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212), (35, 212, 114))
"""(Y, Cb, Cr) of 75 % white, yellow, cyan, green, magenta, red, blue."""
BLACK, WHITE = 16, 235
CLOCK = "00:00:00.000"


class FakePicture:
    """
    One picture that is drawn anew for each moment.

    `yuv` is planar 4:2:0: luma (height rows), then Cb and Cr (height/4 rows each), `width` wide.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height = width, height
        self.yuv: Plane = np.empty((height * 3 // 2, width), np.uint8)
        self._luma = self.yuv[:height]
        chroma = self.yuv[height:].reshape(2, height // 2, width // 2)
        self._draw_bars(chroma)
        size = max(8, min(height // 8, width // 9))
        self._glyphs = _glyphs(size)
        cell_height, cell_width = self._glyphs["0"].shape
        line = max(8, size // 2)
        self._small = _font(line)
        self._clock_at = (width - cell_width * len(CLOCK)) // 2
        self._top = ROWS + max(0, (height - ROWS - cell_height - 3 * line) // 2) // 2 * 2
        self._date_top = self._top + cell_height
        self._line = line + line // 3
        self._panel = self._luma[self._top : min(height, self._date_top + 2 * self._line + line // 3)]
        self._darken(chroma)
        self._write(title, self._date_top + self._line)
        self._date = ""
        self._ball = _Ball(self._luma, max(4, height // 12))

    def draw(self, second: int, frame: int, fps: int) -> Plane:
        """The picture of `second + frame / fps`; `yuv`, which the next call changes."""
        moment = utc_datetime(second * 1000 + frame * 1000 // fps)
        write_stamp(self._luma, second, frame)
        if (date := moment.strftime("%Y-%m-%d UTC")) != self._date:
            self._date = date
            self._write(date, self._date_top)
        at = self._clock_at
        for character in f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}":
            glyph = self._glyphs[character]
            _blit(self._luma, glyph, self._top, at)
            at += glyph.shape[1]
        self._ball.move((second % 2 + frame / fps) / 2)
        return self.yuv

    def _draw_bars(self, chroma: Plane) -> None:
        bar = np.arange(self.width) * len(BARS) // self.width
        colours = np.array(BARS, np.uint8)
        self._luma[:] = colours[bar, 0]
        chroma[0] = colours[bar[::2], 1]
        chroma[1] = colours[bar[::2], 2]

    def _darken(self, chroma: Plane) -> None:
        """A dark panel behind the text, and no colour behind stamp and panel."""
        margin = max(0, self._clock_at - 12) // 2 * 2
        self._panel[:, margin : self.width - margin] = BLACK
        chroma[:, : ROWS // 2] = 128
        bottom = (self._top + len(self._panel)) // 2
        chroma[:, self._top // 2 : bottom, margin // 2 : (self.width - margin) // 2] = 128

    def _write(self, text: str, top: int) -> None:
        """A centred line of small text, on black."""
        drawn = _render(text, self._small, self._line)[:, : self.width]
        _blit(self._luma, drawn, top, (self.width - drawn.shape[1]) // 2)


class _Ball:
    """A disc that swings along the bottom of the picture."""

    def __init__(self, luma: Plane, size: int) -> None:
        self._strip = luma[-size - 4 : -4 or None]
        self._behind = self._strip.copy()
        y, x = np.mgrid[:size, :size] + 0.5 - size / 2
        inside = x * x + y * y < size * size / 4
        self._inside = inside
        self._size = size
        self._at = 0

    def move(self, phase: float) -> None:
        """`phase` 0..1: once to the right and back."""
        size = self._size
        self._strip[:, self._at : self._at + size] = self._behind[:, self._at : self._at + size]
        self._at = round((self._strip.shape[1] - size) * (0.5 - 0.5 * math.cos(2 * math.pi * phase)))
        self._strip[:, self._at : self._at + size][self._inside] = WHITE


def _font(size: int) -> Any:
    try:
        return ImageFont.load_default(size)
    except OSError:  # a Pillow without FreeType has one small bitmap font
        return ImageFont.load_default()


def _glyphs(size: int) -> dict[str, Plane]:
    """The clock's characters, digits all of one width."""
    font = _font(size)
    height = size + size // 4
    drawn = {character: _render(character, font, height) for character in "0123456789:."}
    wide = max(glyph.shape[1] for glyph in drawn.values())
    return {character: _centred(glyph, wide) for character, glyph in drawn.items()}


def _render(text: str, font: Any, height: int) -> Plane:
    """`text` as luma, white on black, `height` rows."""
    width = max(1, math.ceil(font.getlength(text)))
    image = Image.new("L", (width, height), BLACK)
    ImageDraw.Draw(image).text((0, 0), text, font=font, fill=WHITE)
    return np.asarray(image)


def _centred(glyph: Plane, width: int) -> Plane:
    result = np.full((glyph.shape[0], width), BLACK, np.uint8)
    left = (width - glyph.shape[1]) // 2
    result[:, left : left + glyph.shape[1]] = glyph
    return result


def _blit(target: Plane, block: Plane, top: int, left: int) -> None:
    """Copy `block` into `target`, clipped."""
    left = max(0, left)
    space = target[top : top + block.shape[0], left : left + block.shape[1]]
    space[:] = block[: space.shape[0], : space.shape[1]]

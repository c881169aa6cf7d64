"""
The clock stamp: UTC that can be read back from a picture and from its sound, after any codec.

    y  0..15    row A    32 cells, most significant bit first: the unix second
    y 16..31    row B    frame in the second (8 bit) | checksum (8) | 0xA55A
                         a cell is width//32 pixels wide; 1 is luma 220, 0 is luma 30

The checksum is the sum of the second's four bytes and the frame, modulo 256. The sound of a second is a sine of
400 + 100 * (second mod 16) Hz, louder in the second's first 100 ms. Both survive H.264, H.265, JPEG, AAC and
screenshots. Pure: no I/O, no clock.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 32
"""Luma rows that the stamp takes at the top of the picture."""
ROW = 16
CELLS = 32
MARK = 0xA55A
ONE, ZERO = 220, 30
THRESHOLD = 125

TONES = 16
LOUD, SOFT = 0.45, 0.10
LOUD_MS = 100

Luma = NDArray[np.uint8]
Pcm = NDArray[np.float32]

_BITS = np.arange(CELLS - 1, -1, -1, dtype=np.uint32)


def write_stamp(luma: Luma, second: int, frame: int) -> None:
    """Draw into the top 32 rows of `luma` (height x width, at least 32 wide): `frame` counts from 0 to 255."""
    for top, word in ((0, second & 0xFFFFFFFF), (ROW, _second_word(second, frame))):
        cells = np.where(word >> _BITS & 1, np.uint8(ONE), np.uint8(ZERO)).astype(np.uint8)
        pixels = np.repeat(cells, luma.shape[1] // CELLS)
        luma[top : top + ROW, : len(pixels)] = pixels
        luma[top : top + ROW, len(pixels) :] = ZERO


def read_stamp(luma: Luma) -> tuple[int, int] | None:
    """(second, frame in the second) of a decoded picture's luma (height x width), or None if it bears no stamp."""
    cell = luma.shape[1] // CELLS
    if luma.shape[0] < ROWS or not cell:
        return None
    inner = slice(cell // 4, max(cell // 4 + 1, cell - cell // 4))
    words = []
    for top in (0, ROW):
        row = luma[top + 4 : top + ROW - 4, : CELLS * cell].reshape(ROW - 8, CELLS, cell)
        lit = row[:, :, inner].mean(axis=(0, 2)) > THRESHOLD
        words.append(int((lit.astype(np.uint32) << _BITS).sum()))
    second, frame = words[0], words[1] >> 24
    return (second, frame) if words[1] == _second_word(second, frame) else None


def _second_word(second: int, frame: int) -> int:
    frame &= 0xFF
    checksum = (sum((second & 0xFFFFFFFF).to_bytes(4, "big")) + frame) & 0xFF
    return frame << 24 | checksum << 16 | MARK


def frequency(second: int) -> int:
    """Hz of a second's sine."""
    return 400 + 100 * (second % TONES)


@lru_cache(maxsize=4 * TONES)
def _tone_of(index: int, rate: int) -> Pcm:
    # Each frequency has whole periods in a second: the sine is at 0 wherever one tone follows another.
    time = np.arange(rate) / rate
    loudness = np.where(time * 1000 < LOUD_MS, LOUD, SOFT)
    pcm: Pcm = (loudness * np.sin(2 * np.pi * frequency(index) * time)).astype(np.float32)
    pcm.setflags(write=False)
    return pcm


def tone(second: int, rate: int) -> Pcm:
    """The sound of one UTC second: `rate` samples between -1 and 1, read-only."""
    return _tone_of(second % TONES, rate)


def tones(start: int, count: int, rate: int) -> Pcm:
    """`count` samples of the sound from `start` on: samples of `rate` since 1970."""
    pieces = []
    while count > 0:
        second, offset = divmod(start, rate)
        piece = tone(second, rate)[offset : offset + count]
        pieces.append(piece)
        start += len(piece)
        count -= len(piece)
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def read_tone(pcm: NDArray[Any], rate: int) -> int | None:
    """
    Second modulo 16 that a piece of sound belongs to, or None if it is no clear tone.

    `pcm`: one channel, 0.1 s or more of one second, floats or integers of any scale.
    """
    if len(pcm) < rate // 20:
        return None
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64) * np.hanning(len(pcm))))
    peak = int(spectrum.argmax())
    index = round((peak * rate / len(pcm) - frequency(0)) / 100)
    total = float(np.square(spectrum).sum())
    around = float(np.square(spectrum[max(0, peak - 3) : peak + 4]).sum())
    return index if 0 <= index < TONES and total > 0 and around > total / 2 else None


def read_loud_start(pcm: NDArray[Any], rate: int) -> int | None:
    """
    Where in `pcm` (one channel) a second begins, to about a millisecond: the index at which the sound gets loud.

    None if it does not in there, with 20 ms of soft sound before and of loud sound behind it.
    """
    window = rate // 50
    if len(pcm) < 2 * window:
        return None
    power = np.concatenate(([0.0], np.cumsum(np.square(pcm.astype(np.float64)))))
    energy = power[window:] - power[:-window]
    before, after = energy[:-window], energy[window:]
    ratio = after / (before + energy.max() / 1000 + 1e-12)
    at = int(ratio.argmax())
    return at + window if ratio[at] > (LOUD / SOFT) ** 2 / 3 else None

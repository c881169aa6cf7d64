"""
PES packets: a piece of an elementary stream and the time of its first access unit.

    00 00 01 stream_id length:16 | 10 scrambling:2 ... | PTS? DTS? ... | n | n bytes of header | payload
    timestamp    flags:4 t[32..30] 1 | t[29..15] 1 | t[14..0] 1

ISO/IEC 13818-1 §2.4.3.6. Timestamps are 33 bits of 90 kHz and wrap every 26.5 hours; `Clock` makes them endless.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

WRAP = 1 << 33
FAR = 10 * 90_000
"""Ticks: no coded picture waits longer than 10 s to be decoded (§2.4.2.6), so no two neighbours are further apart."""
HEADER_MAX = 9 + 255
VIDEO_ID, AUDIO_ID, PRIVATE_ID = 0xE0, 0xC0, 0xBD
# Stream ids whose packets have no PES header proper: maps, padding, private 2, ECM, EMM, DSM-CC, H.222.1 E, directory.
_BARE = frozenset({0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF})


class PesHeader(NamedTuple):
    """
    `size`: of the header, that is where the payload begins. `length`: of the whole packet with its header, 0 for
    unbounded. `pts`, `dts`: 33 bits as they are; `dts` is `pts` when there is only one.
    """

    stream_id: int
    length: int
    size: int
    pts: int | None
    dts: int | None
    scrambled: bool


def parse_pes(data: bytes) -> PesHeader | None:
    """The header at the beginning of `data`; `None` for what is none, is truncated or carries no elementary stream."""
    if len(data) < 9 or not data.startswith(b"\0\0\1") or data[6] & 0xC0 != 0x80 or data[3] in _BARE:
        return None
    size = 9 + data[8]
    if len(data) < size:
        return None
    length = data[4] << 8 | data[5]
    pts = dts = None
    if data[7] & 0x80 and size >= 14:
        pts = dts = _timestamp(data, 9)
        if data[7] & 0x40 and size >= 19:
            dts = _timestamp(data, 14)
    return PesHeader(data[3], length + 6 if length else 0, size, pts, dts, bool(data[6] & 0x30))


def _timestamp(data: bytes, at: int) -> int:
    return (
        (data[at] & 0x0E) << 29
        | data[at + 1] << 22
        | (data[at + 2] & 0xFE) << 14
        | data[at + 3] << 7
        | data[at + 4] >> 1
    )


class Clock:
    """
    Unwraps the timestamps of one program: each is the nearest to the one before, of whichever stream.

    `bits` of the timestamps, `far` ticks. A timestamp that is further from the one before than `far` is not the one
    before for the next, until another one is near it: a damaged one would otherwise turn the next by a whole wrap.
    """

    __slots__ = ("_far", "_half", "_strange", "_wrap", "last")

    def __init__(self, bits: int = 33, far: int = FAR) -> None:
        self.last: int | None = None
        self._wrap = 1 << bits
        self._half = self._wrap >> 1
        self._far = far
        self._strange: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """An endless timestamp for one of `bits` bits."""
        last = self.last
        if last is None:
            self.last = timestamp
            return timestamp
        near = self._nearest(timestamp, last)
        if abs(near - last) > self._far:
            if self._strange is None or abs(self._nearest(timestamp, self._strange) - self._strange) > self._far:
                self._strange = near
                return near
            near = self._nearest(timestamp, self._strange)
        self.last, self._strange = near, None
        return near

    def _nearest(self, timestamp: int, to: int) -> int:
        return to + ((timestamp - to + self._half) & (self._wrap - 1)) - self._half


Ticks = npt.NDArray[np.int64]


def timestamp_bytes(flags: int, ticks: Ticks) -> npt.NDArray[np.uint8]:
    """(n, 5) bytes of `n` timestamps; `flags` is 2 for a PTS alone, 3 for one with a DTS, 1 for the DTS."""
    out = np.empty((len(ticks), 5), np.uint8)
    out[:, 0] = flags << 4 | (ticks >> 29) & 0x0E | 1
    out[:, 1] = (ticks >> 22) & 0xFF
    out[:, 2] = (ticks >> 14) & 0xFE | 1
    out[:, 3] = (ticks >> 7) & 0xFF
    out[:, 4] = (ticks << 1) & 0xFE | 1
    return out


def build_pes_headers(
    stream_id: int, pts: Ticks, dts: Ticks | None, payload_sizes: Ticks, stuffing: Ticks
) -> tuple[npt.NDArray[np.uint8], Ticks]:
    """
    Headers of many packets of one stream: ((n, 21 or 26 ...) array, used bytes of each row).

    `dts=None` says that no packet needs one; else it is written where it differs from `pts`. `stuffing` bytes are
    added to each header. `payload_sizes` of 0 leave the packet unbounded, as video may be.
    """
    count = len(pts)
    most = int(stuffing.max(initial=0))
    out = np.full((count, 19 + most), 0xFF, np.uint8)
    out[:, :4] = (0, 0, 1, stream_id)
    has_dts = np.zeros(count, bool) if dts is None else (pts != dts)
    used = np.where(has_dts, 19, 14) + stuffing
    length = used - 6 + payload_sizes
    length[(payload_sizes == 0) | (length > 0xFFFF)] = 0
    out[:, 4] = length >> 8
    out[:, 5] = length & 0xFF
    out[:, 6] = 0x84  # data_alignment_indicator
    out[:, 7] = np.where(has_dts, 0xC0, 0x80)
    out[:, 8] = used - 9
    out[:, 9:14] = timestamp_bytes(2, pts)
    if dts is not None and has_dts.any():
        out[has_dts, 9] |= 0x10
        out[has_dts, 14:19] = timestamp_bytes(1, dts[has_dts])
    return out, used

"""
Transport packets: 188 bytes, many at a time.

    47 | error start priority pid:13 | scrambling:2 adaptation:1 payload:1 continuity:4 | [adaptation] [payload]

ISO/IEC 13818-1 §2.4.3. A stream of 6 Mbit/s has 4 000 packets a second, so nothing here loops over packets: headers
are read as one column of 32-bit words, and *runs* are found in it: packets of one PID with the same flags whose
continuity counters follow each other. Most runs are the middle of a picture.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

PACKET = 188
PAYLOAD = 184
SYNC = 0x47
PAT_PID = 0
NULL_PID = 0x1FFF
PID_COUNT = 0x2000
WINDOW = 16 * PACKET
"""Sync is looked for piece by piece: who makes us look often shall not make us look at everything each time."""
TICKS = 90_000
"""Of PTS and DTS, in a second."""

# The header as a little-endian word: sync is its lowest byte, the continuity counter the low half of its highest.
ERROR = 1 << 15
START = 1 << 14
SCRAMBLING = 3 << 30
ADAPTATION = 1 << 29
HAS_PAYLOAD = 1 << 28
DISCONTINUITY = 0x80
RANDOM_ACCESS = 0x40
HAS_PCR = 0x10

# The next packet of a run: everything the same but the counter, which is one more.
_NEXT = np.uint32(1 << 24)
_COUNTED = np.uint32(0x0FFFFFFF)
_FLAGS = np.uint32(0xF0000000)

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def is_stuffed(packet: bytes, at: int = 0) -> bool:
    """Whether the packet at `at`, which has an adaptation field, has it (also) to fill up (§2.4.3.4)."""
    length = packet[at + 4]
    if not length:
        return True
    flags = packet[at + 5]
    used = 1 + 6 * (flags >> 4 & 1) + 6 * (flags >> 3 & 1) + (flags >> 2 & 1)
    return not flags or (not flags & 3 and length > used)


def pid_word(pid: int) -> int:
    """The PID as it stands in a header word."""
    return (pid & 0x1F00) | (pid & 0xFF) << 16


def packet_runs(data: bytes, count: int) -> tuple[list[int], list[int]]:
    """
    (index of each run's first packet, its header as a little-endian word) of the `count` > 0 packets at the
    beginning of `data`. A run's packets all begin with the same byte, whether or not it is the sync byte.
    """
    words = np.frombuffer(data, "<u4", count * (PACKET // 4))[:: PACKET // 4]
    after, before = words[1:], words[:-1]
    differs = (((after - before) & _COUNTED) ^ _NEXT) | ((after ^ before) & _FLAGS)
    starts = differs.nonzero()[0] + 1
    return [0, *starts.tolist()], [int(words[0]), *words[starts].tolist()]


def packet_rows(data: bytes, count: int) -> npt.NDArray[np.uint8]:
    """The `count` packets at the beginning of `data` as a (count, 188) array; not a copy."""
    return np.frombuffer(data, np.uint8, count * PACKET).reshape(count, PACKET)


def find_sync(data: bytes, begin: int = 0) -> tuple[int, bool]:
    """
    (where packets begin at or behind `begin`, whether that is certain).

    Certain are three sync bytes 188 bytes apart. Without that, the place is the earliest from which more data could
    make them, at most 376 bytes before the end.
    """
    stop = len(data) - 2 * PACKET
    for at in range(begin, stop, WINDOW):
        is_sync = np.frombuffer(data, np.uint8, min(WINDOW, stop - at) + 2 * PACKET, at) == SYNC
        found = is_sync[: -2 * PACKET] & is_sync[PACKET:-PACKET] & is_sync[2 * PACKET :]
        place = int(found.argmax())
        if found[place]:
            return at + place, True
    place = max(begin, stop)
    while 0 <= (place := data.find(b"\x47", place)) and any(data[i] != SYNC for i in range(place, len(data), PACKET)):
        place += 1
    return (place if place >= 0 else len(data)), False


def crc32_mpeg(data: bytes) -> int:
    """
    The CRC of sections (Annex A): zlib's polynomial with the bits of everything the other way round. Over a section
    with its CRC it is 0.
    """
    mirrored = zlib.crc32(data.translate(_REVERSED)) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")

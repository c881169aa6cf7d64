"""
Where every PES packet of a segment goes: arithmetic on sizes and times, before a byte is copied.

    PES        first packet | full packets, 184 bytes each | tail packets
    segment    PAT PMT  PES PES PES ...  PAT PMT  PES ...     a multiple of 16 times PAT and PMT, spread in time

ISO/IEC 13818-1 §2.4.3. In a segment each PID has a multiple of 16 packets with payload, so counters begin at 0 and
end at 15: segments need not know of each other and yet follow each other without a break. What is missing to such a
multiple is made up by spreading the last PES over more packets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flussdvr.formats.mpegts.packet import PAYLOAD

COUNTERS = 16
PCR_PAYLOAD = PAYLOAD - 8
"""What is left in a packet with a PCR: length, flags, 6 bytes of PCR."""
PES_MIN = COUNTERS
"""Smaller ones could not be spread over 16 packets; their headers are stuffed."""
PCR_INTERVAL = 8100
"""90 ms: ISO/IEC 13818-1 §2.7.2 allows 100, of which rounding at the seam of two segments may take some."""
TABLES_INTERVAL = 36_000
"""PAT and PMT come at least every 0.4 s; ETSI TR 101 290 §5.2.1 calls 0.5 s an error."""
TABLES_MAX = 600 * COUNTERS
"""Repetitions in one segment: an hour of it."""
PCR_ONLY_MAX = 600

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Packing:
    """
    How the PES packets of one track are cut, an entry for each.

    `sizes`: bytes with the PES header; `packets`: how many transport packets; `first`: bytes in the first; `full`: how
    many full ones follow. What is left is in the tail: at most one packet, but of the last PES in `last_tail`.
    """

    sizes: Ints
    packets: Ints
    first: Ints
    full: Ints
    last_tail: list[int]

    @property
    def total(self) -> int:
        return int(self.packets.sum())


def pack(sizes: Ints, room: int) -> Packing:
    """Cut PES packets of these sizes (each at least `PES_MIN`); `room` is what a first packet can take."""
    packets = 1 + -(-np.maximum(sizes - room, 0) // PAYLOAD)
    if len(packets):
        packets[-1] += -int(packets.sum()) % COUNTERS
    first = np.minimum(room, sizes - (packets - 1))
    rest = sizes - first
    # As many full packets as leave each of the others a byte.
    full = np.minimum((rest - (packets - 1)) // (PAYLOAD - 1), packets - 1)
    last_tail: list[int] = []
    if len(packets):
        count = int(packets[-1] - 1 - full[-1])
        left = int(rest[-1] - full[-1] * PAYLOAD)
        last_tail = [left // count + (number < left % count) for number in range(count)]
    return Packing(sizes, packets, first, full, last_tail)


def pcr_only_times(carried: Ints, begin: int, end: int) -> Ints:
    """
    When packets with nothing but a PCR are needed, in ticks of 90 kHz: `carried` is when PES packets bring one. The
    segment's clock runs over `[begin, end)`: at `end` begins that of the next one.
    """
    first = [] if len(carried) and int(carried[0]) <= begin else [begin]
    points = np.append(first, carried).astype(np.int64)
    edges = np.append(points, max(end, int(points[-1])))
    needed = np.clip(-(-np.diff(edges) // PCR_INTERVAL) - 1, 0, PCR_ONLY_MAX)
    numbers = np.arange(int(needed.sum())) - np.repeat(np.cumsum(needed) - needed, needed)
    return np.append(first, np.repeat(edges[:-1], needed) + (numbers + 1) * PCR_INTERVAL).astype(np.int64)


@dataclass(slots=True)
class Placing:
    """
    `rows`: for each group of units the index of each unit's first packet; `tables`: the same for the repetitions of
    the tables; `total`: packets in the segment.
    """

    rows: list[Ints]
    tables: Ints
    total: int


def place(times: list[Ints], packets: list[Ints], table_packets: int) -> Placing:
    """
    Interleave groups of units by time; of those at the same time the first group's comes first, and no group is
    reordered: its times must not decrease. `packets`: of each unit. The tables are repeated a multiple of 16 times, at
    least every `TABLES_INTERVAL`.
    """
    group = np.repeat(np.arange(len(times)), [len(part) for part in times])
    every = np.concatenate(times) if len(group) else np.empty(0, np.int64)
    order = np.lexsort((group, every)) if len(group) else np.empty(0, np.int64)
    counts = np.concatenate(packets)[order] if len(group) else np.empty(0, np.int64)
    ends = np.cumsum(counts)
    units = len(counts)
    before = _units_before_tables(every[order])
    starts = np.empty(units, np.int64)
    starts[order] = ends - counts + np.searchsorted(before, np.arange(units), side="right") * table_packets
    begins = np.concatenate((np.zeros(1, np.int64), ends))
    splits = np.cumsum([len(part) for part in times])[:-1]
    total = (int(ends[-1]) if units else 0) + len(before) * table_packets
    return Placing(np.split(starts, splits), begins[before] + np.arange(len(before)) * table_packets, total)


def _units_before_tables(times: Ints) -> Ints:
    """How many of the units, which come at `times`, stand before each repetition of the tables."""
    if not len(times):
        return np.zeros(COUNTERS, np.int64)
    span = int(times[-1] - times[0])
    count = min(COUNTERS * -(-(span + 1) // (COUNTERS * TABLES_INTERVAL)), TABLES_MAX)
    at = times[0] + np.arange(count) * span // count
    before: Ints = np.searchsorted(times, at)
    return before

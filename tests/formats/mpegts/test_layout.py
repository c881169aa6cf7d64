from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.layout import COUNTERS, PCR_INTERVAL, PCR_PAYLOAD, PES_MIN, pack, pcr_only_times, place

near = st.builds(lambda n, off: max(PES_MIN, n * 184 + off), st.integers(0, 40), st.integers(-20, 20))


@given(st.lists(near, max_size=20), st.sampled_from([PCR_PAYLOAD, 184]))
def test_pack(sizes: list[int], room: int) -> None:
    packing = pack(np.array(sizes, np.int64), room)
    assert packing.total % COUNTERS == 0
    for number, size in enumerate(sizes):
        first, full, packets = (int(x[number]) for x in (packing.first, packing.full, packing.packets))
        tail = size - first - 184 * full
        assert 1 <= first <= room
        if number == len(sizes) - 1:
            assert len(packing.last_tail) == packets - 1 - full
            assert sum(packing.last_tail) == tail
            assert all(1 <= length <= 184 for length in packing.last_tail)
        else:
            assert packets == 1 + -(-max(size - room, 0) // 184)
            assert (tail > 0) == (packets - 1 - full == 1)
            assert 0 <= tail < 184


@given(st.lists(st.integers(0, 50_000), max_size=10), st.integers(-1000, 1000), st.integers(0, 100_000))
def test_pcr_is_never_late(steps: list[int], begin: int, length: int) -> None:
    carried = begin + np.cumsum(np.array(steps, np.int64))
    end = max(begin + length, int(carried[-1]) if steps else begin)
    only = pcr_only_times(carried, begin, end)
    points = sorted([*carried.tolist(), *only.tolist()])
    assert all(b - a <= PCR_INTERVAL for a, b in zip(points, points[1:], strict=False))
    if points:
        assert end - points[-1] <= PCR_INTERVAL
    if not steps:
        assert points[0] == begin


def test_an_absurd_gap_is_bounded() -> None:
    assert len(pcr_only_times(np.array([0, 1 << 40]), 0, 1 << 41)) < 2000


lanes = st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=15), min_size=1, max_size=4)


@given(lanes, st.integers(2, 4))
def test_place(lanes: list[list[tuple[int, int]]], table_packets: int) -> None:
    """Every packet has exactly one place, tables are spread, times do not go back."""
    times = [np.sort(np.array([unit[0] for unit in lane], np.int64)) for lane in lanes]
    packets = [np.array([unit[1] for unit in lane], np.int64) for lane in lanes]
    placing = place(times, packets, table_packets)
    taken = [range(row, row + table_packets) for row in placing.tables.tolist()]
    units = []
    for group, (rows, part, count) in enumerate(zip(placing.rows, times, packets, strict=True)):
        assert (np.diff(rows) > 0).all()
        taken += [range(row, row + n) for row, n in zip(rows.tolist(), count.tolist(), strict=True)]
        units += [(row, time, group) for row, time in zip(rows.tolist(), part.tolist(), strict=True)]
    assert sorted(row for one in taken for row in one) == list(range(placing.total))
    assert [unit[1:] for unit in sorted(units)] == sorted(unit[1:] for unit in units)
    assert placing.tables[0] == 0

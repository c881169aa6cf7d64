"""
MPEG transport streams out: samples of a segment to packets.

    TsRun, one per track -> Lane: PES packets -> Placing: where they go -> one array of (packets, 188)
    PCR      on each video PES (audio, when there is none), 0.7 s behind its DTS, at least every 100 ms; it ends where
             the last sample of that track is over, however far the others reach, so that it never goes back

ISO/IEC 13818-1 §2.4, §2.14 and §2.7.2. Segments are a pure function of their samples and yet continuous (see
`mpegts_layout`); their size is known from the sizes of the samples alone. The version of the PMT follows from what
is in it: segments of different programs can be told apart wherever they are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.formats.mpegts.lane import Bytes, Lane, Output, TsRun, open_lane, open_outputs
from flussdvr.formats.mpegts.layout import COUNTERS, Ints, Placing, pcr_only_times, place
from flussdvr.formats.mpegts.packet import (
    ADAPTATION,
    HAS_PAYLOAD,
    HAS_PCR,
    NULL_PID,
    PACKET,
    PAT_PID,
    PAYLOAD,
    RANDOM_ACCESS,
    START,
    SYNC,
    TICKS,
    pid_word,
)
from flussdvr.formats.mpegts.psi import (
    VERSIONS,
    ProgramAssociation,
    ProgramMap,
    build_pat,
    build_pmt,
    content_version,
    packets_payload,
)
from flussdvr.media import Track

__all__ = ["TsMuxer", "TsRun", "program_of"]

PMT_PID = 0x1000
PROGRAM = 1
PCR_LEAD = TICKS * 7 // 10
_EMPTY = np.empty(0, np.int64)


@dataclass(slots=True)
class _Plan:
    lanes: list[Lane] = field(default_factory=list)
    pcr_only: Ints = field(default_factory=lambda: _EMPTY)
    placing: Placing = field(default_factory=lambda: Placing([], _EMPTY, 0))


class TsMuxer:
    """
    Segments of a program with these tracks. `version`: of its PMT; `None` takes what follows from the tracks
    (`content_version`). `announced`: all tracks that are in the PMT, also those that have nothing in these segments.
    Raises `FormatError` for a codec that has no place in MPEG-TS or a configuration that cannot
    be read.
    """

    def __init__(self, tracks: Sequence[Track], version: int | None = None, announced: Sequence[Track] = ()) -> None:
        outputs = open_outputs(tracks)
        self._outputs = {output.track.id: output for output in outputs}
        pmt = _program(outputs, announced)
        self._pcr_pid = pmt.pcr_pid
        pmt = replace(pmt, version=content_version(pmt) if version is None else version % VERSIONS)
        pat = ProgramAssociation(((PROGRAM, PMT_PID),))
        self._tables = [(PAT_PID, packets_payload(build_pat(pat))), (PMT_PID, packets_payload(build_pmt(pmt)))]

    def measure(self, runs: Sequence[TsRun | Run], lead: int = 0) -> int:
        """How many bytes `segment` makes of these; the samples' bytes are not looked at."""
        return self._plan(runs, 0, lead).placing.total * PACKET

    def segment(self, runs: Sequence[TsRun | Run], pts_offset: int = 0, lead: int = 0) -> bytes:
        """
        Whole packets with everything in `runs` (at most one for each track), all timestamps `pts_offset` (90 kHz)
        later. The clock begins `lead` before the first sample of the track that brings it. Raises `FormatError` for
        video samples that are no NAL units with lengths.
        """
        plan = self._plan(runs, pts_offset, lead)
        out = np.full((plan.placing.total, PACKET), 0xFF, np.uint8)
        self._write_tables(out, plan.placing)
        rows = plan.placing.rows
        self._write_pcr_only(out, plan, rows[0])
        for lane, starts in zip(plan.lanes, rows[1:], strict=True):
            _write_headers(out, lane, starts)
            _write_payload(out, lane, starts, lane.stage())
        return out.tobytes()

    def _plan(self, runs: Sequence[TsRun | Run], pts_offset: int, lead: int) -> _Plan:
        plan = _Plan()
        for run in runs:
            columns = TsRun.of(run) if isinstance(run, Run) else run
            output = self._outputs.get(columns.track.id)
            if output is None or any(lane.output is output for lane in plan.lanes):
                raise FormatError(f"track {columns.track.id} is unknown or there twice")
            if len(columns.dts):
                plan.lanes.append(open_lane(output, columns, output.pid == self._pcr_pid, pts_offset))
        # The video first: of what is decoded at the same time it is more.
        plan.lanes.sort(key=lambda lane: not lane.output.track.is_video)
        if plan.lanes:
            clock = next((lane for lane in plan.lanes if lane.has_pcr), None)
            lanes = [clock] if clock is not None else plan.lanes
            begin, end = min(int(lane.times[0]) for lane in lanes) - lead, max(lane.end for lane in lanes)
            plan.pcr_only = pcr_only_times(clock.times if clock is not None else _EMPTY, begin, end)
        times = [plan.pcr_only, *(lane.times for lane in plan.lanes)]
        packets = [np.ones(len(plan.pcr_only), np.int64), *(lane.packing.packets for lane in plan.lanes)]
        plan.placing = place(times, packets, sum(len(payload) // PAYLOAD for _, payload in self._tables))
        return plan

    def _write_tables(self, out: Bytes, placing: Placing) -> None:
        words = _words(out)
        at = placing.tables
        for pid, payload in self._tables:
            count = len(payload) // PAYLOAD
            for number in range(count):
                counters = (np.arange(len(at)) * count + number) % COUNTERS
                words[at] = (SYNC | pid_word(pid) | HAS_PAYLOAD | (0 if number else START)) + (counters << 24)
                out[at, 4:] = np.frombuffer(payload, np.uint8, PAYLOAD, number * PAYLOAD)
                at = at + 1

    def _write_pcr_only(self, out: Bytes, plan: _Plan, starts: Ints) -> None:
        """Packets without payload bear the counter of the last one that had some."""
        if not len(starts):
            return
        before = np.zeros(len(starts), np.int64)
        for lane, rows in zip(plan.lanes, plan.placing.rows[1:], strict=True):
            if lane.has_pcr:
                before = np.append(0, np.cumsum(lane.packing.packets))[np.searchsorted(rows, starts)]
        _words(out)[starts] = (SYNC | pid_word(self._pcr_pid) | ADAPTATION) + (((before - 1) % COUNTERS) << 24)
        out[starts, 4] = PACKET - 5
        out[starts, 5] = HAS_PCR
        _write_pcr(out, starts, plan.pcr_only)


def program_of(tracks: Sequence[Track], announced: Sequence[Track] = ()) -> ProgramMap:
    """The PMT of a program with these tracks, its version 0. Raises `FormatError` as `TsMuxer` does."""
    return _program(open_outputs(tracks), announced)


def _program(own: Sequence[Output], announced: Sequence[Track]) -> ProgramMap:
    """Of tracks that are there, and of those `announced`, the same ones among them."""
    known = {output.pid for output in own}
    more = [output for output in open_outputs(announced) if output.pid not in known]
    outputs = sorted([*own, *more], key=lambda output: not output.track.is_video) if more else own
    clock = next((output for output in outputs if output.track.is_video), outputs[0] if outputs else None)
    return ProgramMap(PROGRAM, clock.pid if clock else NULL_PID, tuple(output.entry for output in outputs))


def _write_headers(out: Bytes, lane: Lane, starts: Ints) -> None:
    """Transport headers and adaptation fields of all packets of a track; what is not written stays 0xff."""
    packing = lane.packing
    words = _words(out)
    total = packing.total
    numbers = np.arange(total)
    ends = np.cumsum(packing.packets)
    rows = np.repeat(starts - (ends - packing.packets), packing.packets) + numbers
    words[rows] = (SYNC | pid_word(lane.output.pid) | HAS_PAYLOAD) + ((numbers % COUNTERS) << 24)
    words[starts] |= np.uint32(START)
    # Packets that are not full: first ones, and the one tail of each PES.
    tails = packing.packets - 1 - packing.full
    single = tails == 1
    single[-1] = False
    left = (packing.sizes - packing.first - packing.full * PAYLOAD)[single]
    short_rows = np.concatenate((starts, (starts + packing.packets - 1)[single]))
    short = np.concatenate((packing.first, left))
    if packing.last_tail:
        count = len(packing.last_tail)
        begin = int(starts[-1] + packing.packets[-1]) - count
        short_rows = np.concatenate((short_rows, np.arange(begin, begin + count)))
        short = np.concatenate((short, np.array(packing.last_tail)))
    partial = short < PAYLOAD
    _write_adaptation(out, short_rows[partial], PAYLOAD - short[partial])
    if lane.has_pcr:
        out[starts, 5] = HAS_PCR | np.where(lane.sync, RANDOM_ACCESS, 0)
        _write_pcr(out, starts, lane.times)


def _write_adaptation(out: Bytes, rows: Ints, sizes: Ints) -> None:
    """Adaptation fields of `sizes` bytes that are all stuffing."""
    _words(out)[rows] |= np.uint32(ADAPTATION)
    out[rows, 4] = sizes - 1
    out[rows[sizes > 1], 5] = 0


def _write_pcr(out: Bytes, rows: Ints, times: Ints) -> None:
    base = (times - PCR_LEAD) & ((1 << 33) - 1)
    for column, shift in enumerate((25, 17, 9, 1), 6):
        out[rows, column] = (base >> shift) & 0xFF
    out[rows, 10] = ((base & 1) << 7) | 0x7E
    out[rows, 11] = 0


def _write_payload(out: Bytes, lane: Lane, starts: Ints, stage: bytearray) -> None:
    packing = lane.packing
    source, bytes_ = memoryview(stage), np.frombuffer(stage, np.uint8)
    target = out.reshape(-1).data
    at = 0
    last = len(starts) - 1
    columns = (starts, packing.first, packing.full, packing.sizes)
    for number, (row, first, full, size) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        row_end = (row + 1) * PACKET
        place = at + first
        target[row_end - first : row_end] = source[at:place]
        if full:
            stop = place + full * PAYLOAD
            out[row + 1 : row + 1 + full, 4:] = bytes_[place:stop].reshape(full, PAYLOAD)
            row_end += full * PACKET
            place = stop
        at += size
        if number == last:
            for length in packing.last_tail:
                row_end += PACKET
                target[row_end - length : row_end] = source[place : place + length]
                place += length
        elif place < at:
            row_end += PACKET
            target[row_end - (at - place) : row_end] = source[place:at]


def _words(out: Bytes) -> npt.NDArray[np.uint32]:
    """The headers as little-endian words; writing to it writes to `out`."""
    words: npt.NDArray[np.uint32] = out.view("<u4")[:, 0]
    return words

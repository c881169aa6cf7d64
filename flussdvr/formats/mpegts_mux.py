"""
MPEG transport streams out: samples of a segment to packets.

    TsMuxer(tracks).segment(runs)      runs -> PES packets (stage) -> transport packets (one array of (n, 188))

    video    one sample a PES: header, AUD, [parameter sets if sync], the sample with start codes
    audio    frames of up to 100 ms a PES, AAC with ADTS headers; MPEG audio and AC-3 as they are
    PCR      on each video PES (audio, when there is none), 0.7 s behind its DTS, at least every 100 ms

ISO/IEC 13818-1 §2.4, §2.14 and §2.7.2. Segments are a pure function of their samples and yet continuous (see
`mpegts_layout`); their size is known from the sizes of the samples alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flussdvr.errors import FormatError
from flussdvr.formats import aac, h264, h265
from flussdvr.formats.fmp4 import Run
from flussdvr.formats.mpegts_layout import (
    COUNTERS,
    PCR_PAYLOAD,
    PES_MIN,
    Ints,
    Packing,
    Placing,
    pack,
    pcr_only_times,
    place,
)
from flussdvr.formats.mpegts_packet import (
    ADAPTATION,
    HAS_PAYLOAD,
    HAS_PCR,
    PACKET,
    PAT_PID,
    PAYLOAD,
    RANDOM_ACCESS,
    START,
    SYNC,
    TICKS,
    pid_word,
)
from flussdvr.formats.nal import MAX_NALS
from flussdvr.formats.pes import AUDIO_ID, PRIVATE_ID, VIDEO_ID, build_pes_headers
from flussdvr.formats.psi import (
    REGISTRATION,
    Descriptor,
    ElementaryStream,
    ProgramAssociation,
    ProgramMap,
    build_pat,
    build_pmt,
    language_descriptor,
    packets_payload,
)
from flussdvr.media import Codec, Track

PMT_PID = 0x1000
FIRST_PID = 0x100
PROGRAM = 1
PCR_LEAD = TICKS * 7 // 10
AUDIO_PES_TICKS = 9000
AUDIO_PES_BYTES = 3000
ADTS_HEADER = 7

_START_CODE = b"\0\0\0\1"
_AUD = {Codec.H264: _START_CODE + b"\x09\xf0", Codec.H265: _START_CODE + b"\x46\x01\x50"}
_STREAM_TYPES = {Codec.H264: 0x1B, Codec.H265: 0x24, Codec.AAC: 0x0F, Codec.AC3: 0x81, Codec.EAC3: 0x87}
_REGISTRATIONS = {Codec.AC3: b"AC-3", Codec.EAC3: b"EAC3"}
_EMPTY = np.empty(0, np.int64)

Bytes = npt.NDArray[np.uint8]


@dataclass(slots=True)
class TsRun:
    """
    The samples of one track in a segment, as columns.

    `dts`: of each sample in the track's ticks, not decreasing; `sizes`: bytes of each; `cto`: composition offsets in
    ticks, `None` for all 0; `sync`: flags, `None` for all. `data`: the samples in their stored form, one behind the
    other, or sample i at `begins[i]`; not needed to `measure`.
    """

    track: Track
    dts: Sequence[int] | Ints
    sizes: Sequence[int] | Ints
    cto: Sequence[int] | Ints | None = None
    sync: Sequence[bool] | npt.NDArray[np.bool_] | None = None
    data: bytes | bytearray | memoryview = b""
    begins: Sequence[int] | Ints | None = None

    @classmethod
    def of(cls, run: Run) -> TsRun:
        """The same samples, from a fragment's run."""
        durations = np.asarray(run.durations, np.int64)
        dts = run.dts + np.cumsum(durations) - durations
        samples = run.samples
        return cls(
            run.track,
            dts,
            [len(sample.data) for sample in samples],
            [sample.cto for sample in samples],
            [sample.sync for sample in samples],
            b"".join([sample.data for sample in samples]),
        )


@dataclass(slots=True)
class _Output:
    """A track as it is in the stream: what does not change from segment to segment."""

    track: Track
    pid: int
    stream_id: int
    aud: bytes = b""
    sets: bytes = b""
    adts: int | None = None

    @property
    def entry(self) -> ElementaryStream:
        codec = self.track.codec
        descriptors: list[Descriptor] = []
        if codec in _REGISTRATIONS:
            descriptors.append((REGISTRATION, _REGISTRATIONS[codec]))
        if not self.track.is_video and self.track.language not in ("", "und"):
            descriptors.append(language_descriptor(self.track.language))
        mpeg1 = 0x03 if self.track.timescale >= 32000 else 0x04
        return ElementaryStream(self.pid, _STREAM_TYPES.get(codec, mpeg1), tuple(descriptors))


@dataclass(slots=True)
class _Lane:
    """A track's PES packets in one segment. `groups`: index of each one's first sample, and behind the last."""

    output: _Output
    run: TsRun
    sizes: Ints
    groups: Ints
    dts: Ints
    pts: Ints
    times: Ints
    sync: npt.NDArray[np.bool_]
    headers: Bytes
    header_sizes: Ints
    packing: Packing
    has_pcr: bool


@dataclass(slots=True)
class _Plan:
    lanes: list[_Lane] = field(default_factory=list)
    pcr_only: Ints = field(default_factory=lambda: _EMPTY)
    placing: Placing = field(default_factory=lambda: Placing([], _EMPTY, 0))


class TsMuxer:
    """
    Segments of a program with these tracks. Raises `FormatError` for a codec that has no place in MPEG-TS or a
    configuration that cannot be read.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._outputs = {track.id: _open(track, number) for number, track in enumerate(tracks)}
        outputs = list(self._outputs.values())
        clock = next((output for output in outputs if output.track.is_video), outputs[0] if outputs else None)
        self._pcr_pid = clock.pid if clock else 0x1FFF
        pmt = ProgramMap(PROGRAM, self._pcr_pid, tuple(output.entry for output in outputs))
        pat = ProgramAssociation(((PROGRAM, PMT_PID),))
        self._tables = [(PAT_PID, packets_payload(build_pat(pat))), (PMT_PID, packets_payload(build_pmt(pmt)))]

    def measure(self, runs: Sequence[TsRun | Run]) -> int:
        """How many bytes `segment` makes of these; the samples' bytes are not looked at."""
        return self._plan(runs, 0).placing.total * PACKET

    def segment(self, runs: Sequence[TsRun | Run], pts_offset: int = 0) -> bytes:
        """
        Whole packets with everything in `runs` (at most one for each track), all timestamps `pts_offset` (90 kHz)
        later. Raises `FormatError` for video samples that are no NAL units with lengths.
        """
        plan = self._plan(runs, pts_offset)
        out = np.full((plan.placing.total, PACKET), 0xFF, np.uint8)
        self._write_tables(out, plan.placing)
        rows = plan.placing.rows
        self._write_pcr_only(out, plan, rows[0])
        for lane, starts in zip(plan.lanes, rows[1:], strict=True):
            stage = _audio_stage(lane) if lane.output.stream_id != VIDEO_ID else _video_stage(lane)
            _write_headers(out, lane, starts)
            _write_payload(out, lane, starts, stage)
        return out.tobytes()

    def _plan(self, runs: Sequence[TsRun | Run], pts_offset: int) -> _Plan:
        plan = _Plan()
        for run in runs:
            columns = TsRun.of(run) if isinstance(run, Run) else run
            output = self._outputs.get(columns.track.id)
            if output is None or any(lane.output is output for lane in plan.lanes):
                raise FormatError(f"track {columns.track.id} is unknown or there twice")
            if len(columns.dts):
                plan.lanes.append(_lane(output, columns, output.pid == self._pcr_pid, pts_offset))
        # The video first: of what is decoded at the same time it is more.
        plan.lanes.sort(key=lambda lane: not lane.output.track.is_video)
        if plan.lanes:
            carried = next((lane.times for lane in plan.lanes if lane.has_pcr), _EMPTY)
            begin = min(int(lane.times[0]) for lane in plan.lanes)
            plan.pcr_only = pcr_only_times(carried, begin, max(int(lane.times[-1]) for lane in plan.lanes))
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
                counters = (np.arange(COUNTERS) * count + number) % COUNTERS
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


def _open(track: Track, number: int) -> _Output:
    codec = track.codec
    pid = FIRST_PID + number
    if codec is Codec.H264:
        _, sps, pps = h264.parse_avcc(track.config)
        return _Output(track, pid, VIDEO_ID, _AUD[codec], b"".join(_START_CODE + nal for nal in sps + pps))
    if codec is Codec.H265:
        _, vps, sps, pps = h265.parse_hvcc(track.config)
        return _Output(track, pid, VIDEO_ID, _AUD[codec], b"".join(_START_CODE + nal for nal in vps + sps + pps))
    if codec is Codec.AAC:
        header = aac.adts_header(aac.parse_audio_specific_config(track.config), 0)
        fixed = int.from_bytes(header, "big") - (ADTS_HEADER << 13)
        return _Output(track, pid, AUDIO_ID + number % 32, adts=fixed)
    if codec in (Codec.AC3, Codec.EAC3):
        return _Output(track, pid, PRIVATE_ID)
    if codec in (Codec.MP2, Codec.MP3):
        return _Output(track, pid, AUDIO_ID + number % 32)
    raise FormatError(f"{codec} has no place in MPEG-TS")


def _lane(output: _Output, run: TsRun, has_pcr: bool, offset: int) -> _Lane:
    rate = run.track.timescale
    dts = np.asarray(run.dts, np.int64)
    sizes = np.asarray(run.sizes, np.int64)
    cto = np.zeros_like(dts) if run.cto is None else np.asarray(run.cto, np.int64)
    sync = np.ones(len(dts), bool) if run.sync is None else np.asarray(run.sync, bool)
    if not len(dts) == len(sizes) == len(cto) == len(sync):
        raise FormatError("a run's columns differ in length")
    if output.stream_id == VIDEO_ID:
        groups = np.arange(len(dts) + 1)
        payload = sizes + len(output.aud) + sync * len(output.sets)
    else:
        extra = ADTS_HEADER if output.adts is not None else 0
        if extra and int(sizes.max()) + extra > 0x1FFF:
            raise FormatError(f"AAC frame of {int(sizes.max())} bytes, too long for ADTS")
        groups = _audio_groups(dts, sizes + extra, rate)
        payload = np.add.reduceat(sizes + extra, groups[:-1])
    heads = groups[:-1]
    decode = _to_90k(dts[heads], rate) + offset
    present = _to_90k(dts[heads] + cto[heads], rate) + offset
    bare = np.where(decode == present, 14, 19) + payload
    stuffing = np.maximum(PES_MIN - bare, 0)
    unbounded = output.stream_id == VIDEO_ID
    headers, header_sizes = build_pes_headers(
        output.stream_id, present, decode, np.zeros_like(payload) if unbounded else payload, stuffing
    )
    packing = pack(header_sizes + payload, PCR_PAYLOAD if has_pcr else PAYLOAD)
    times = np.maximum.accumulate(decode)
    return _Lane(
        output, run, sizes, groups, decode, present, times, sync[heads], headers, header_sizes, packing, has_pcr
    )


def _to_90k(ticks: Ints, rate: int) -> Ints:
    """To the nearest; UTC in ticks of 96 kHz times 90 000 would not fit into 64 bits."""
    if rate == TICKS:
        return ticks
    seconds, rest = np.divmod(ticks, rate)
    result: Ints = seconds * TICKS + (rest * TICKS + rate // 2) // rate
    return result


def _audio_groups(dts: Ints, sizes: Ints, rate: int) -> Ints:
    """Where each PES begins, and the number of frames: up to 100 ms or 3 kB, nothing across a gap."""
    count = len(dts)
    steps = np.diff(dts)
    frame = max(int(np.sort(steps)[len(steps) // 2]), 1) if count > 1 else 1
    most = max(AUDIO_PES_TICKS * rate // TICKS // frame, 1)
    # Frames in a PES follow the first one's PTS: more than a millisecond off needs a PTS of its own.
    gaps = [*((np.abs(steps - frame) * 1000 > rate).nonzero()[0] + 1).tolist(), count]
    ends = np.cumsum(sizes).tolist()
    groups = [0]
    begin = 0
    while begin < count:
        done = ends[begin - 1] if begin else 0
        fits = bisect_right(ends, done + AUDIO_PES_BYTES, begin)
        begin = min(max(fits, begin + 1), begin + most, gaps[bisect_right(gaps, begin)])
        groups.append(begin)
    return np.array(groups)


def _begins(lane: _Lane) -> Ints:
    """Where each sample begins in the run's data. Raises `FormatError` when one lies outside."""
    given = lane.run.begins
    begins = np.cumsum(lane.sizes) - lane.sizes if given is None else np.asarray(given, np.int64)
    if len(begins) != len(lane.sizes) or int(begins.min()) < 0 or int((begins + lane.sizes).max()) > len(lane.run.data):
        raise FormatError("samples lie outside of their data")
    return begins


def _video_stage(lane: _Lane) -> bytearray:
    """All PES packets one behind the other."""
    output, data = lane.output, memoryview(lane.run.data)
    aud, with_sets = output.aud, output.aud + output.sets
    width = lane.headers.shape[1]
    headers = lane.headers.tobytes()
    begins = _begins(lane)
    parts: list[bytes | memoryview] = []
    rows = zip(
        range(0, len(headers), width),
        lane.header_sizes.tolist(),
        lane.sync.tolist(),
        begins.tolist(),
        (begins + lane.sizes).tolist(),
        strict=True,
    )
    for at, size, sync, begin, end in rows:
        parts += (headers[at : at + size], with_sets if sync else aud, data[begin:end])
    stage = bytearray().join(parts)
    ends = np.cumsum(lane.packing.sizes)
    _write_start_codes(np.frombuffer(stage, np.uint8), ends - lane.sizes, ends)
    return stage


def _write_start_codes(stage: Bytes, at: Ints, ends: Ints) -> None:
    """Overwrite the 4-byte lengths of NAL units in all samples at once, the first unit of each, the second ..."""
    code = np.frombuffer(_START_CODE, np.uint8)
    four = np.arange(4)
    for _ in range(MAX_NALS):
        left = at < ends
        if not left.all():
            at, ends = at[left], ends[left]
            if not len(at):
                return
        if int((ends - at).min()) < 4:
            break
        places = at[:, None] + four
        lengths = np.ascontiguousarray(stage[places]).view(">u4")[:, 0]
        stage[places] = code
        at = at + 4 + lengths
        if (at > ends).any():
            break
    else:
        raise FormatError(f"more than {MAX_NALS} NAL units in a picture")
    raise FormatError("NAL unit ends outside of its sample")


def _audio_stage(lane: _Lane) -> bytearray:
    data = memoryview(lane.run.data)
    adts = lane.output.adts
    begins = _begins(lane)
    starts, stops = begins.tolist(), (begins + lane.sizes).tolist()
    width = lane.headers.shape[1]
    headers = lane.headers.tobytes()
    groups = lane.groups.tolist()
    parts: list[bytes | memoryview] = []
    for number, size in enumerate(lane.header_sizes.tolist()):
        parts.append(headers[number * width : number * width + size])
        for frame in range(groups[number], groups[number + 1]):
            start, stop = starts[frame], stops[frame]
            if adts is not None:
                parts.append((adts | (stop - start + ADTS_HEADER) << 13).to_bytes(ADTS_HEADER, "big"))
            parts.append(data[start:stop])
    return bytearray().join(parts)


def _write_headers(out: Bytes, lane: _Lane, starts: Ints) -> None:
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


def _write_payload(out: Bytes, lane: _Lane, starts: Ints, stage: bytearray) -> None:
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

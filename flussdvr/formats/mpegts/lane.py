"""
Lanes: what one track brings to a segment of a transport stream, as PES packets.

    TsRun -> Lane      groups of samples, their times, headers and sizes; no sample is touched
    Lane.stage()       the PES packets themselves, one behind the other

    video    one sample a PES: header, AUD, [parameter sets if sync], the sample with start codes
    audio    frames of up to 100 ms a PES, AAC with ADTS headers; MPEG audio and AC-3 as they are

ISO/IEC 13818-1 §2.4.3.6 and §2.14.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import aac, h264, h265, opus
from flussdvr.formats.codecs.nal import MAX_NALS
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.formats.mpegts.layout import PCR_PAYLOAD, PES_MIN, Ints, Packing, pack
from flussdvr.formats.mpegts.packet import PAYLOAD, TICKS
from flussdvr.formats.mpegts.pes import AUDIO_ID, PRIVATE_ID, VIDEO_ID, build_pes_headers
from flussdvr.formats.mpegts.psi import ElementaryStream, language_descriptor
from flussdvr.formats.mpegts.stream_types import REGISTRATION, Descriptor
from flussdvr.media import Codec, Track

FIRST_PID, OTHER_PIDS = 0x100, 0x180
PIDS = 0x40
"""As many for each codec: more tracks a recording never has (`fmp4.MAX_TRACKS`)."""
Bytes = npt.NDArray[np.uint8]
AUDIO_PES_TICKS = 9000
AUDIO_PES_BYTES = 3000
ADTS_HEADER = 7

_START_CODE = b"\0\0\0\1"
_AUD = {Codec.H264: _START_CODE + b"\x09\xf0", Codec.H265: _START_CODE + b"\x46\x01\x50"}
_STREAM_TYPES = {
    Codec.MPEG2: 0x02,
    Codec.H264: 0x1B,
    Codec.H265: 0x24,
    Codec.OPUS: 0x06,
    Codec.AAC: 0x0F,
    Codec.AC3: 0x81,
    Codec.EAC3: 0x87,
    Codec.DTS: 0x82,
    Codec.DTS_HD: 0x85,
}
CARRIED = frozenset({*_STREAM_TYPES, Codec.MP2, Codec.MP3})
"""The codecs that MPEG-TS has a place for."""
_USUAL = (Codec.H264, Codec.AAC)
_OTHERS = [codec for codec in Codec if codec in CARRIED and codec not in _USUAL]
_REGISTRATIONS = {Codec.AC3: b"AC-3", Codec.EAC3: b"EAC3"}


class NotCarried(FormatError):
    """MPEG-TS has no place for the codec."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(f"{codec} has no place in MPEG-TS")


@dataclass(slots=True)
class TsRun:
    """
    The samples of one track in a segment, as columns.

    `dts`: of each sample in the track's ticks, not decreasing; `sizes`: bytes of each; `cto`: composition offsets in
    ticks, `None` for all 0; `sync`: flags, `None` for all. `data`: the samples in their stored form, one behind the
    other, or sample i at `begins[i]`; not needed to `measure`. `end`: where the last sample is over, in ticks; as long
    after it as it comes after the one before, for `None`.
    """

    track: Track
    dts: Sequence[int] | Ints
    sizes: Sequence[int] | Ints
    cto: Sequence[int] | Ints | None = None
    sync: Sequence[bool] | npt.NDArray[np.bool_] | None = None
    data: bytes | bytearray | memoryview = b""
    begins: Sequence[int] | Ints | None = None
    end: int | None = None

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
            end=run.dts + int(durations.sum()),
        )


@dataclass(slots=True)
class Output:
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
        if codec is Codec.OPUS:
            descriptors += opus.descriptors(self.track.channels)
        if codec in _REGISTRATIONS:
            descriptors.append((REGISTRATION, _REGISTRATIONS[codec]))
        if not self.track.is_video and self.track.language not in ("", "und"):
            descriptors.append(language_descriptor(self.track.language))
        mpeg1 = 0x03 if self.track.timescale >= 32000 else 0x04
        return ElementaryStream(self.pid, _STREAM_TYPES.get(codec, mpeg1), tuple(descriptors))


@dataclass(slots=True)
class Lane:
    """
    A track's PES packets in one segment. `groups`: index of each one's first sample, and behind the last. `end`: when
    the last one is over, in ticks of 90 kHz.
    """

    output: Output
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
    end: int

    def stage(self) -> bytearray:
        """All PES packets one behind the other. Raises `FormatError` for samples that are not what they should be."""
        return _video_stage(self) if self.output.stream_id == VIDEO_ID else _audio_stage(self)


def open_outputs(tracks: Sequence[Track]) -> list[Output]:
    """
    The tracks of a program. A track's PID follows from its codec and from which of its kind it is, so that what a PID
    carries is of one type, however the tracks around it change: ffmpeg takes the type that a PID has first for good.
    Raises `FormatError`, `NotCarried`.
    """
    counts = {True: 0, False: 0}
    outputs = []
    for track in tracks:
        outputs.append(_open_output(track, counts[track.is_video]))
        counts[track.is_video] += 1
    return outputs


def _pid(codec: Codec, place: int) -> int:
    """0x100 for the first H.264 and 0x101 for the first AAC; `place`: among the pictures, or the sounds."""
    if codec is Codec.H264:
        return FIRST_PID + (PIDS + place if place else 0)
    if codec is Codec.AAC:
        return FIRST_PID + 1 + place
    return OTHER_PIDS + PIDS * _OTHERS.index(codec) + place


def _open_output(track: Track, number: int) -> Output:
    codec = track.codec
    if codec not in CARRIED:
        raise NotCarried(codec)
    pid = _pid(codec, number)
    if codec is Codec.H264:
        _, sps, pps = h264.parse_avcc(track.config)
        return Output(track, pid, VIDEO_ID, _AUD[codec], b"".join(_START_CODE + nal for nal in sps + pps))
    if codec is Codec.H265:
        _, vps, sps, pps = h265.parse_hvcc(track.config)
        return Output(track, pid, VIDEO_ID, _AUD[codec], b"".join(_START_CODE + nal for nal in vps + sps + pps))
    if codec is Codec.AAC:
        header = aac.adts_header(aac.parse_audio_specific_config(track.config), 0)
        fixed = int.from_bytes(header, "big") - (ADTS_HEADER << 13)
        return Output(track, pid, AUDIO_ID + number % 32, adts=fixed)
    if codec in (Codec.AC3, Codec.EAC3, Codec.DTS, Codec.DTS_HD):
        return Output(track, pid, PRIVATE_ID)
    if codec in (Codec.MP2, Codec.MP3):
        return Output(track, pid, AUDIO_ID + number % 32)
    if codec is Codec.MPEG2:
        return Output(track, pid, VIDEO_ID)
    return Output(track, pid, PRIVATE_ID)  # Opus


def open_lane(output: Output, run: TsRun, has_pcr: bool, offset: int) -> Lane:
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
        extra = _framing_sizes(output, sizes)
        if output.adts is not None and int(sizes.max()) + ADTS_HEADER > 0x1FFF:
            raise FormatError(f"AAC frame of {int(sizes.max())} bytes, too long for ADTS")
        groups = _audio_groups(dts, sizes + extra, rate)
        payload = np.add.reduceat(sizes + extra, groups[:-1])
    heads = groups[:-1]
    present = _to_90k(dts[heads] + cto[heads], rate) + offset
    decode = _not_after(_to_90k(dts[heads], rate) + offset, present)
    bare = np.where(decode == present, 14, 19) + payload
    stuffing = np.maximum(PES_MIN - bare, 0)
    unbounded = output.stream_id == VIDEO_ID
    headers, header_sizes = build_pes_headers(
        output.stream_id, present, decode, np.zeros_like(payload) if unbounded else payload, stuffing
    )
    packing = pack(header_sizes + payload, PCR_PAYLOAD if has_pcr else PAYLOAD)
    times = np.maximum.accumulate(decode)
    end = max(int(_to_90k(np.array([_end(run, dts)]), rate)[0]) + offset, int(times[-1]))
    return Lane(
        output, run, sizes, groups, decode, present, times, sync[heads], headers, header_sizes, packing, has_pcr, end
    )


def _framing_sizes(output: Output, sizes: Ints) -> Ints:
    """Bytes in front of each frame."""
    if output.adts is not None:
        return np.full_like(sizes, ADTS_HEADER)
    return 3 + sizes // 255 if output.track.codec is Codec.OPUS else np.zeros_like(sizes)


def _end(run: TsRun, dts: Ints) -> int:
    """The tick at which the last sample is over."""
    if run.end is not None:
        return run.end
    return 2 * int(dts[-1]) - int(dts[-2]) if len(dts) > 1 else int(dts[-1])


def _not_after(decode: Ints, present: Ints) -> Ints:
    """`decode`, earlier where a picture would be shown before it is decoded (negative offsets), and in order."""
    if (decode <= present).all():
        return decode
    steps = np.arange(len(decode))
    earlier: Ints = np.minimum.accumulate((np.minimum(decode, present) - steps)[::-1])[::-1] + steps
    return earlier


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


def _sample_begins(lane: Lane) -> Ints:
    """Where each sample begins in the run's data. Raises `FormatError` when one lies outside."""
    given = lane.run.begins
    begins = np.cumsum(lane.sizes) - lane.sizes if given is None else np.asarray(given, np.int64)
    if len(begins) != len(lane.sizes) or int(begins.min()) < 0 or int((begins + lane.sizes).max()) > len(lane.run.data):
        raise FormatError("samples lie outside of their data")
    return begins


def _video_stage(lane: Lane) -> bytearray:
    output, data = lane.output, memoryview(lane.run.data)
    aud, with_sets = output.aud, output.aud + output.sets
    width = lane.headers.shape[1]
    headers = lane.headers.tobytes()
    begins = _sample_begins(lane)
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
    if output.track.codec is Codec.MPEG2:
        return stage  # has start codes of its own
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


def _audio_stage(lane: Lane) -> bytearray:
    data = memoryview(lane.run.data)
    adts, is_opus = lane.output.adts, lane.output.track.codec is Codec.OPUS
    begins = _sample_begins(lane)
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
            elif is_opus:
                parts.append(opus.control_header(stop - start))
            parts.append(data[start:stop])
    return bytearray().join(parts)

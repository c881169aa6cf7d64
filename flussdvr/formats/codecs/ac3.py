"""
AC-3 and E-AC-3: syncframes, and what `dac3` and `dec3` say of them.

    AC-3    0b77 crc1 fscod frmsizecod | bsid bsmod acmod ... lfeon
    E-AC-3  0b77 strmtyp substreamid frmsiz fscod numblkscod acmod lfeon | bsid ...
    sample  one AC-3 syncframe; of E-AC-3 six blocks of every substream

ETSI TS 102 366 §4.3, §E.1.2 and Annex F. bsid, at the same place in both, tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader

SYNCWORD = b"\x0b\x77"
_SAMPLE_RATES = (48000, 44100, 32000)
_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
_BLOCKS = (1, 2, 3, 6)
_DEPENDENT = 1
_BLOCKS_PER_SAMPLE = 6
# Enough for what `parse_syncframe` reads, and less than any frame.
_HEADER = 12
# chan_loc, bit by bit from the least (Table F.6.1): how many channels, and the chanmap bit it stands for (Table E.1.4).
_LOCATIONS = ((2, 10), (2, 9), (1, 8), (1, 7), (2, 6), (2, 5), (2, 4), (1, 3), (1, 1))


@dataclass(frozen=True, slots=True)
class SyncFrame:
    """
    The header of one syncframe, names as in the standard.

    `frame_size` in bytes with the header, `samples` in ticks of `sample_rate`, `channels` with the LFE. `stream_type`
    and `substream_id` are 0 in AC-3; `chan_loc` only of a dependent substream (stream_type 1).
    """

    bsid: int
    fscod: int
    sample_rate: int
    frame_size: int
    samples: int
    acmod: int
    lfeon: bool
    bsmod: int = 0
    bit_rate_code: int = 0
    stream_type: int = 0
    substream_id: int = 0
    chan_loc: int = 0

    @property
    def is_eac3(self) -> bool:
        return self.bsid > 10

    @property
    def channels(self) -> int:
        return _CHANNELS[self.acmod] + self.lfeon

    @property
    def starts_sample(self) -> bool:
        """Whether this is the first substream of its time."""
        return self.stream_type != _DEPENDENT and self.substream_id == 0


def parse_syncframe(data: bytes, position: int = 0) -> SyncFrame:
    """Parse the header at `position`. Raises `FormatError` when there is none, or a truncated one."""
    head = data[position : position + 24]
    if len(head) < _HEADER:
        raise FormatError(f"AC-3 header is truncated: need {_HEADER}, have {len(head)}")
    if not head.startswith(SYNCWORD):
        raise FormatError("no AC-3 syncword")
    r = BitReader(head)
    r.skip(16)
    bsid = head[5] >> 3
    if bsid > 16:
        raise FormatError(f"AC-3 bsid {bsid} is not known")
    return _parse_eac3(r, bsid) if bsid > 10 else _parse_ac3(r, bsid)


def _parse_ac3(r: BitReader, bsid: int) -> SyncFrame:
    r.skip(16)
    fscod, frmsizecod = r.u(2), r.u(6)
    if fscod == 3 or frmsizecod >= 2 * len(_BITRATES):
        raise FormatError(f"AC-3 fscod {fscod}, frmsizecod {frmsizecod}")
    bitrate = _BITRATES[frmsizecod >> 1]
    words = (2 * bitrate, 320 * bitrate // 147 + (frmsizecod & 1), 3 * bitrate)[fscod]
    r.skip(5)
    bsmod, acmod = r.u(3), r.u(3)
    if acmod & 1 and acmod != 1:
        r.skip(2)
    if acmod & 4:
        r.skip(2)
    if acmod == 2:
        r.skip(2)
    rate = _SAMPLE_RATES[fscod] >> max(bsid - 8, 0)
    return SyncFrame(bsid, fscod, rate, words * 2, 1536, acmod, r.flag(), bsmod, frmsizecod >> 1)


def _parse_eac3(r: BitReader, bsid: int) -> SyncFrame:
    stream_type, substream, size = r.u(2), r.u(3), 2 * (r.u(11) + 1)
    fscod, code = r.u(2), r.u(2)
    if stream_type == 3 or (fscod == 3 and code == 3) or size < _HEADER:
        raise FormatError(f"E-AC-3 strmtyp {stream_type}, fscod {fscod}, fscod2 {code}, {size} bytes")
    # With fscod 3 the next two bits are fscod2 and there are six blocks.
    rate, blocks = (_SAMPLE_RATES[code] // 2, 6) if fscod == 3 else (_SAMPLE_RATES[fscod], _BLOCKS[code])
    acmod, lfeon = r.u(3), r.flag()
    r.skip(5)
    chan_loc = _read_chan_loc(r, acmod) if stream_type == _DEPENDENT else 0
    return SyncFrame(
        bsid,
        fscod,
        rate,
        size,
        blocks * 256,
        acmod,
        lfeon,
        stream_type=stream_type,
        substream_id=substream,
        chan_loc=chan_loc,
    )


def _read_chan_loc(r: BitReader, acmod: int) -> int:
    """The locations of a dependent substream's channels, from its chanmap; none if it does not say."""
    for _ in range(2 if acmod == 0 else 1):
        r.skip(5)
        if r.flag():
            r.skip(8)
    chanmap = r.u(16) if r.flag() else 0
    return sum(1 << bit for bit, (_, place) in enumerate(_LOCATIONS) if chanmap >> place & 1)


def split_frames(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """
    ((start, stop) of each whole sample, position of what is not whole yet).

    A sample of E-AC-3 takes its dependent substreams along and six blocks of each; the end of `data` ends it too.
    Substreams whose first one is missing and what follows garbage are passed over. Never raises.
    """
    samples: list[tuple[int, int]] = []
    begin = blocks = 0
    open_ = trusted = False
    position, end = 0, len(data)
    while end - position >= _HEADER:
        try:
            frame = parse_syncframe(data, position)
        except FormatError:
            frame = None
        stop = position + frame.frame_size if frame else 0
        # What is cut off may still belong to the sample before.
        if frame and stop > end:
            if open_ and frame.starts_sample and blocks >= _BLOCKS_PER_SAMPLE:
                samples.append((begin, position))
                open_ = False
            return samples, begin if open_ else position
        if frame and (trusted or stop + 1 >= end or data.startswith(SYNCWORD, stop)):
            if frame.starts_sample and (not open_ or blocks >= _BLOCKS_PER_SAMPLE):
                if open_:
                    samples.append((begin, position))
                begin, blocks, open_ = position, 0, True
            if frame.starts_sample:
                blocks += frame.samples // 256
            position, trusted = stop, True
            continue
        if open_ and blocks >= _BLOCKS_PER_SAMPLE:
            samples.append((begin, position))
        open_ = trusted = False
        position = data.find(SYNCWORD, position + 1)
        if position < 0:
            # Half a syncword may stand at the end.
            return samples, end - 1 if data.endswith(SYNCWORD[:1]) else end
    if open_ and position == end and blocks >= _BLOCKS_PER_SAMPLE:
        samples.append((begin, position))
        return samples, position
    return samples, begin if open_ else position


def build_dac3(frame: SyncFrame) -> bytes:
    """The payload of `dac3` (§F.4). Raises `FormatError` for E-AC-3."""
    if frame.is_eac3:
        raise FormatError("dac3 is of AC-3 only")
    fields = frame.fscod << 22 | frame.bsid << 17 | frame.bsmod << 14 | frame.acmod << 11
    return (fields | frame.lfeon << 10 | frame.bit_rate_code << 5).to_bytes(3, "big")


def parse_dac3(data: bytes) -> tuple[int, int]:
    """(sample rate, channels) of a `dac3` payload. Raises `FormatError`."""
    r = BitReader(data)
    fscod, bsid = r.u(2), r.u(5)
    r.skip(3)
    acmod, lfeon = r.u(3), r.flag()
    r.skip(10)
    if fscod == 3:
        raise FormatError("dac3 fscod is 3")
    return _SAMPLE_RATES[fscod] >> max(bsid - 8, 0) if bsid <= 10 else _SAMPLE_RATES[fscod], _CHANNELS[acmod] + lfeon


def build_dec3(sample: bytes) -> bytes:
    """
    The payload of `dec3` (§F.6) of the stream to which this whole sample belongs.

    Raises `FormatError` when it is not a whole sample of E-AC-3.
    """
    frames = _frames(sample)
    independent: dict[int, list[SyncFrame]] = {}
    current = 0
    for frame in frames:
        if frame.stream_type != _DEPENDENT:
            current = frame.substream_id
        group = independent.setdefault(current, [])
        if all((other.stream_type, other.substream_id) != (frame.stream_type, frame.substream_id) for other in group):
            group.append(frame)
    duration = sum(frame.samples for frame in frames if frame.starts_sample)
    rate = min(len(sample) * 8 * frames[0].sample_rate // (duration * 1000), 0x1FFF)
    bits = format(rate, "013b") + format(len(independent) - 1, "03b")
    for group in independent.values():
        bits += _substream_bits(group)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _frames(sample: bytes) -> list[SyncFrame]:
    frames = []
    position = 0
    while position < len(sample):
        frame = parse_syncframe(sample, position)
        position += frame.frame_size
        if not frame.is_eac3 or position > len(sample):
            raise FormatError("not a whole sample of E-AC-3")
        frames.append(frame)
    if not frames or not frames[0].starts_sample:
        raise FormatError("sample of E-AC-3 does not begin with substream 0")
    return frames


def _substream_bits(group: list[SyncFrame]) -> str:
    first, dependents = group[0], group[1:]
    bits = format(first.fscod, "02b") + format(first.bsid, "05b") + "00" + format(first.bsmod, "03b")
    bits += format(first.acmod, "03b") + str(int(first.lfeon)) + "000" + format(len(dependents), "04b")
    if not dependents:
        return bits + "0"
    locations = 0
    for frame in dependents:
        locations |= frame.chan_loc
    return bits + format(locations, "09b")


def parse_dec3(data: bytes) -> tuple[int, int]:
    """(sample rate, channels) of the first independent substream and its dependents. Raises `FormatError`."""
    r = BitReader(data)
    r.skip(16)
    fscod = r.u(2)
    r.skip(10)
    channels = _CHANNELS[r.u(3)] + r.flag()
    r.skip(3)
    if r.u(4):
        locations = r.u(9)
        channels += sum(count for bit, (count, _) in enumerate(_LOCATIONS) if locations >> bit & 1)
    else:
        r.skip(1)
    # fscod 3: half of a rate that dec3 does not say.
    return _SAMPLE_RATES[fscod] if fscod < 3 else 24000, channels


def sample_channels(sample: bytes) -> int:
    """How many channels come out of one whole sample, dependent substreams included. Raises `FormatError`."""
    first = parse_syncframe(sample)
    return parse_dec3(build_dec3(sample))[1] if first.is_eac3 else first.channels

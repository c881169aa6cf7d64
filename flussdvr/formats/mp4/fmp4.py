"""
Fragmented MP4: the init segment and the fragments that a blob is made of.

    ftyp
    moov
      mvhd
      trak                one per track
        tkhd
        mdia: mdhd hdlr minf: vmhd | smhd, dinf, stbl (empty but for stsd)
      mvex: trex          one per track; the default duration is 1 / frame rate
    [uuid]                of a blob: whose it is, see `BlobInfo`

    moof                  canonical: constant layout, so that a whole index can be read by numpy
      mfhd          16    fragment counter from 1
      traf           8    one per track with samples, in track order
        tfhd        28    default-base-is-moof | default duration | default size | default flags
        tfdt        20    version 1: UTC in the track's timescale
        trun     24 +     version 1: data offset, flags of the first sample
                          [duration] [size] where not constant, [composition offset] where any is not 0
    mdat                  runs grouped by track, same order

ISO/IEC 14496-12 §8.1-8.8.  Pure: no I/O, no clock.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.boxes import (
    HEADER,
    U32,
    U64,
    Box,
    Buffer,
    box,
    boxes,
    child,
    children,
    find,
    full_box,
    full_box_header,
    unpack,
)
from flussdvr.formats.mp4.movie import (
    handler,
    media_header,
    media_information,
    movie_header,
    track_header,
    unpack_language,
)
from flussdvr.formats.mp4.sample_entry import parse_stsd, write_sample_entry, write_stsd
from flussdvr.media import Codec, Sample, Track

__all__ = [
    "BlobInfo",
    "Init",
    "MovieFragment",
    "Run",
    "RunTable",
    "SampleRow",
    "TrackDefaults",
    "TrackRun",
    "blob_info_box",
    "parse_blob_info",
    "parse_fragment",
    "parse_init",
    "write_fragment",
    "write_init",
]

MAX_INIT = 1 << 20
MAX_MOOF = 1 << 24
MAX_TRACKS = 64
MAX_RUNS = 1024
"""Of one fragment."""
MAX_RUN_SAMPLES = 1 << 16
"""Of one run. Needed because a run of constant duration and size takes no bytes per sample."""

USER_TYPE = b"flussdvr-blob\0\0\0"
"""`uuid` of the box behind the init segment of a blob."""

IS_SYNC = 0x0200_0000
NOT_SYNC = 0x0101_0000
NON_SYNC_BIT = 0x0001_0000
DAMAGED = 0x0000_0001
"""`sample_degradation_priority`, whose meaning is ours (14496-12 §8.8.3.1): see `Sample.damaged`. Others write 0."""

# tfhd flags
BASE_DATA_OFFSET, DESCRIPTION_INDEX = 0x1, 0x2
DEFAULT_DURATION, DEFAULT_SIZE, DEFAULT_FLAGS = 0x8, 0x10, 0x20
DEFAULT_BASE_IS_MOOF = 0x020000
TFHD_FLAGS = DEFAULT_BASE_IS_MOOF | DEFAULT_DURATION | DEFAULT_SIZE | DEFAULT_FLAGS
# trun flags
DATA_OFFSET, FIRST_FLAGS = 0x1, 0x4
DURATION, SIZE, FLAGS, CTO = 0x100, 0x200, 0x400, 0x800

U16 = struct.Struct(">H")
I32 = struct.Struct(">i")
TREX = struct.Struct(">IIIII")
MOOF = struct.Struct(">I4s I4sII")
"""moof header and mfhd."""
TRAF = struct.Struct(">I4s I4sIIIII I4sIQ I4sIIiI")
"""traf header, tfhd, tfdt and the constant part of trun."""


@dataclass(slots=True)
class Run:
    """
    The samples of one track in a fragment.

    `dts`: UTC of the first sample in ticks; `durations`: ticks, one per sample. The `dts` of the samples themselves
    are the source's and not looked at.
    """

    track: Track
    dts: int
    durations: Sequence[int]
    samples: Sequence[Sample]


@dataclass(frozen=True, slots=True)
class TrackDefaults:
    """What `trex` says of the samples whose fragment does not."""

    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Init:
    """A parsed init segment: `size` bytes of `ftyp`+`moov`; tracks of codecs unknown to us are left out."""

    tracks: tuple[Track, ...]
    size: int
    defaults: Mapping[int, TrackDefaults]


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """
    Whose a blob is.

    `sequence`: media sequence number of its first segment; `after`: why there is a gap before it, `None` if none;
    `discontinuity`: how many discontinuities the stream had up to its beginning, 0 where nobody has counted them.
    """

    stream: str
    segment_ms: int
    sequence: int = 0
    after: str | None = None
    discontinuity: int = 0


# --- init segment -----------------------------------------------------------------------------------------------------


def write_init(tracks: Sequence[Track]) -> bytes:
    """`ftyp`+`moov` of `tracks`; the same tracks give the same bytes."""
    next_id = max((track.id for track in tracks), default=0) + 1
    moov = box(
        b"moov",
        movie_header(1000, 0, next_id),
        *(_track_box(track) for track in tracks),
        box(b"mvex", *(_track_extends(track) for track in tracks)),
    )
    return box(b"ftyp", b"iso6", U32.pack(1), b"iso6mp41") + moov


def _track_box(track: Track) -> bytes:
    sample_table = (
        write_stsd(write_sample_entry(track)),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    media = box(b"mdia", media_header(track), handler(track), media_information(track, *sample_table))
    return box(b"trak", track_header(track, track.id, 3), media)


def _track_extends(track: Track) -> bytes:
    duration = round(track.timescale / track.frame_rate) if track.frame_rate else 0
    flags = NOT_SYNC if track.is_video else IS_SYNC
    return full_box(b"trex", 0, 0, struct.pack(">IIIII", track.id, 1, duration, 0, flags))


def parse_init(data: Buffer) -> Init:
    """
    The tracks of an init segment: `ftyp` (or `styp`) and `moov`; what follows is not looked at.

    Raises `FormatError` where it is no init segment, cut off, or larger than any.
    """
    for item in boxes(data):
        if item.type == b"moov":
            break
        if item.type not in (b"ftyp", b"styp", b"free", b"skip", b"sidx", b"emsg", b"prft", b"uuid"):
            raise FormatError(f"{item.type!r} at {item.start} comes before moov")
    else:
        raise FormatError("init segment has no moov")
    if item.end > MAX_INIT:
        raise FormatError(f"init segment of {item.end} bytes")
    defaults = _parse_defaults(data, item)
    tracks: dict[int, Track] = {}
    for count, trak in enumerate(one for one in children(data, item) if one.type == b"trak"):
        if count >= MAX_TRACKS:
            raise FormatError(f"more than {MAX_TRACKS} tracks")
        if (track := _parse_track(data, trak, defaults)) is not None:
            tracks[track.id] = track
    return Init(tuple(tracks.values()), item.end, defaults)


def _parse_defaults(data: Buffer, moov: Box) -> dict[int, TrackDefaults]:
    defaults = {}
    if (mvex := find(data, moov, b"mvex")) is not None:
        for item in children(data, mvex):
            if item.type == b"trex":
                track_id, _, duration, size, flags = unpack(TREX, data, item, 4)
                defaults[track_id] = TrackDefaults(duration, size, flags)
    return defaults


def _parse_track(data: Buffer, trak: Box, defaults: Mapping[int, TrackDefaults]) -> Track | None:
    tkhd = child(data, trak, b"tkhd")
    version, _ = full_box_header(data, tkhd)
    (track_id,) = unpack(U32, data, tkhd, 20 if version == 1 else 12)
    mdhd = child(data, trak, b"mdia", b"mdhd")
    version, _ = full_box_header(data, mdhd)
    (timescale,) = unpack(U32, data, mdhd, 20 if version == 1 else 12)
    (language,) = unpack(U16, data, mdhd, 32 if version == 1 else 20)
    if not timescale:
        raise FormatError(f"track {track_id} has timescale 0")
    blank = Track(track_id, Codec.H264, timescale, language=unpack_language(language))
    track = parse_stsd(data, child(data, trak, b"mdia", b"minf", b"stbl", b"stsd"), blank)
    if track is None or not track.is_video or not (default := defaults.get(track_id)) or not default.duration:
        return track
    return _with_frame_rate(track, default.duration)


def _with_frame_rate(track: Track, duration: int) -> Track:
    """`track` with the frame rate that has this default duration, a multiple of 1/1001 where that is meant."""
    rate = Fraction(track.timescale, duration)
    if rate.denominator != 1:
        drop = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
        if drop and round(track.timescale / drop) == duration:
            rate = drop
    return replace(track, frame_rate=rate)


# --- blob info --------------------------------------------------------------------------------------------------------


def blob_info_box(info: BlobInfo) -> bytes:
    """The `uuid` box that stands between the init segment and the first fragment of a blob."""
    fields = {"stream": info.stream, "segment_ms": info.segment_ms, "sequence": info.sequence, "after": info.after}
    if info.discontinuity:
        fields["discontinuity"] = info.discontinuity
    return box(b"uuid", USER_TYPE, json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


def parse_blob_info(payload: Buffer) -> BlobInfo | None:
    """The payload of a `uuid` box; `None` where it has another user type. Raises `FormatError`."""
    if bytes(payload[:16]) != USER_TYPE:
        return None
    try:
        fields = json.loads(bytes(payload[16:]))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"blob info is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise FormatError("blob info is no object")
    stream, segment_ms, sequence, after = (fields.get(key) for key in ("stream", "segment_ms", "sequence", "after"))
    if not isinstance(stream, str) or type(segment_ms) is not int or type(sequence) is not int:
        raise FormatError("blob info lacks stream, segment_ms or sequence")
    if not 0 < segment_ms < 1 << 40 or not 0 <= sequence < 1 << 62 or not (after is None or isinstance(after, str)):
        raise FormatError("blob info is out of range")
    count = fields.get("discontinuity")
    count = count if type(count) is int and 0 <= count < 1 << 53 else 0
    return BlobInfo(stream, segment_ms, sequence, after, count)


# --- fragments --------------------------------------------------------------------------------------------------------


def track_ids(head: Buffer) -> set[int]:
    """The tracks that have samples in a fragment of ours, of which `head` is the beginning. Raises `FormatError`."""
    found = set()
    for moof in boxes(head):
        for traf in children(head, moof) if moof.type == b"moof" else ():
            tfhd = find(head, traf, b"tfhd") if traf.type == b"traf" else None
            if tfhd is not None:
                found.add(unpack(U32, head, tfhd, 4)[0])
        break
    return found


def write_fragment(sequence: int, runs: Sequence[Run]) -> tuple[bytes, bytes]:
    """
    One fragment, canonical: `moof` with the header of its `mdat`, and the payload of that.

    Runs without samples are left out. Only the first sample of a run may differ from the others in being sync:
    `ValueError` otherwise.
    """
    runs = [run for run in runs if run.samples]
    tables = [run_table(run) for run in runs]
    head_size = MOOF.size + sum(TRAF.size + len(table.rows) for table in tables) + 8
    parts = [moof_header(head_size - 8, sequence)]
    payload: list[bytes] = []
    at = head_size
    for run, table in zip(runs, tables, strict=True):
        parts.append(traf_box(run.track.id, run.dts, table, at))
        payload += [sample.data for sample in run.samples]
        at += table.size
    parts.append(HEADER.pack(8 + at - head_size, b"mdat"))
    return b"".join(parts), b"".join(payload)


class RunTable(NamedTuple):
    """What `tfhd` and `trun` of a canonical run say. `columns`: flags of `trun`; `size`: of all samples."""

    samples: int
    size: int
    default_duration: int
    default_size: int
    default_flags: int
    first_flags: int
    columns: int
    rows: bytes


def run_table(run: Run) -> RunTable:
    """The sample table of `run`, with columns only for what is not constant."""
    samples, durations = run.samples, run.durations
    count = len(samples)
    if len(durations) != count:
        raise ValueError(f"run of track {run.track.id}: {count} samples, {len(durations)} durations")
    sizes = [len(sample.data) for sample in samples]
    offsets = [sample.cto for sample in samples]
    present, columns = 0, []
    if durations.count(durations[0]) != count:
        present |= DURATION
        columns.append(durations)
    if sizes.count(sizes[0]) != count:
        present |= SIZE
        columns.append(sizes)
    if any(offsets):
        present |= CTO
        columns.append(offsets if min(offsets) >= 0 else [offset & 0xFFFF_FFFF for offset in offsets])
    return RunTable(
        count,
        sum(sizes),
        0 if present & DURATION else durations[0],
        0 if present & SIZE else sizes[0],
        *_sample_flags(run),
        present,
        _rows(columns, count),
    )


def _rows(columns: Sequence[Sequence[int]], count: int) -> bytes:
    words = [0] * (count * len(columns))
    for index, column in enumerate(columns):
        words[index :: len(columns)] = column
    return struct.pack(f">{len(words)}I", *words)


def _sample_flags(run: Run) -> tuple[int, int]:
    """
    Flags of the samples behind the first, and of the first.

    Those behind the first have one value, so one that is damaged marks them all.
    """
    first = (IS_SYNC if run.samples[0].sync else NOT_SYNC) | DAMAGED * run.samples[0].damaged
    if len(run.samples) == 1:
        return NOT_SYNC if run.track.is_video else IS_SYNC, first
    others = {sample.sync for sample in run.samples[1:]}
    if len(others) != 1:
        raise ValueError(f"run of track {run.track.id} crosses a sync sample")
    damaged = any(sample.damaged for sample in run.samples[1:])
    return (IS_SYNC if others.pop() else NOT_SYNC) | DAMAGED * damaged, first


def moof_header(size: int, sequence: int) -> bytes:
    """The first 24 bytes of a canonical `moof` of `size` bytes."""
    return MOOF.pack(size, b"moof", 16, b"mfhd", 0, sequence & 0xFFFF_FFFF)


def traf_box(track_id: int, dts: int, table: RunTable, data_offset: int) -> bytes:
    """A canonical `traf`; `data_offset` counts from the beginning of the `moof`."""
    rows = len(table.rows)
    header = TRAF.pack(
        TRAF.size + rows,
        b"traf",
        28,
        b"tfhd",
        TFHD_FLAGS,
        track_id,
        table.default_duration,
        table.default_size,
        table.default_flags,
        20,
        b"tfdt",
        1 << 24,
        dts,
        24 + rows,
        b"trun",
        1 << 24 | DATA_OFFSET | FIRST_FLAGS | table.columns,
        table.samples,
        data_offset,
        table.first_flags,
    )
    return header + table.rows


class SampleRow(NamedTuple):
    """One row of a parsed `trun`: ticks, bytes, ISO sample flags, ticks."""

    duration: int
    size: int
    flags: int
    cto: int

    @property
    def sync(self) -> bool:
        return not self.flags & NON_SYNC_BIT


@dataclass(frozen=True, slots=True)
class TrackRun:
    """
    One parsed `trun`.

    `dts` is `None` where the fragment does not date itself; `data_offset` counts from the beginning of the `moof`.
    """

    track_id: int
    dts: int | None
    data_offset: int
    rows: Sequence[SampleRow]


@dataclass(frozen=True, slots=True)
class MovieFragment:
    """A parsed `moof` of `size` bytes; `runs` in the order of the file."""

    sequence: int
    size: int
    runs: Sequence[TrackRun]


def parse_fragment(data: Buffer, defaults: Mapping[int, TrackDefaults], at: int = 0) -> MovieFragment:
    """
    The `moof` at the beginning of `data`, in any layout that the standard allows.

    `at`: where the `moof` stands in its file, for those that count offsets from there. Raises `FormatError`.
    """
    moof = next(boxes(data), None)
    if moof is None or moof.type != b"moof" or moof.end > MAX_MOOF:
        raise FormatError("no moof" if moof is None or moof.type != b"moof" else f"moof of {moof.end} bytes")
    (sequence,) = unpack(U32, data, child(data, moof, b"mfhd"), 4)
    runs: list[TrackRun] = []
    samples = 0
    # Without a base of its own, a traf's data follows that of the traf before (14496-12 §8.8.7).
    follows = 0
    for traf in children(data, moof):
        if traf.type == b"traf":
            for run in _parse_traf(data, traf, defaults, at, follows):
                runs.append(run)
                follows = run.data_offset + sum(row.size for row in run.rows)
                samples += len(run.rows)
                if samples > MAX_RUN_SAMPLES * 2 or len(runs) > MAX_RUNS:
                    raise FormatError(f"moof of more than {len(runs) - 1} runs, {samples} samples")
    return MovieFragment(sequence, moof.end, runs)


def _parse_traf(
    data: Buffer, traf: Box, defaults: Mapping[int, TrackDefaults], at: int, follows: int
) -> Iterator[TrackRun]:
    tfhd = child(data, traf, b"tfhd")
    _, flags = full_box_header(data, tfhd)
    (track_id,) = unpack(U32, data, tfhd, 4)
    default, base = defaults.get(track_id, TrackDefaults()), follows
    field = 8
    if flags & BASE_DATA_OFFSET:
        base = unpack(U64, data, tfhd, field)[0] - at
        field += 8
    elif flags & DEFAULT_BASE_IS_MOOF:
        base = 0
    values = []
    for flag, usual in (
        (DESCRIPTION_INDEX, 1),
        (DEFAULT_DURATION, default.duration),
        (DEFAULT_SIZE, default.size),
        (DEFAULT_FLAGS, default.flags),
    ):
        values.append(unpack(U32, data, tfhd, field)[0] if flags & flag else usual)
        field += 4 * bool(flags & flag)
    default = TrackDefaults(*values[1:])
    dts = _parse_tfdt(data, traf)
    end = base
    for item in children(data, traf):
        if item.type == b"trun":
            offset, rows = _parse_trun(data, item, default)
            offset = end if offset is None else base + offset
            yield TrackRun(track_id, dts, offset, rows)
            end = offset + sum(row.size for row in rows)
            dts = None if dts is None else dts + sum(row.duration for row in rows)


def _parse_tfdt(data: Buffer, traf: Box) -> int | None:
    tfdt = find(data, traf, b"tfdt")
    if tfdt is None:
        return None
    version, _ = full_box_header(data, tfdt)
    return unpack(U64 if version == 1 else U32, data, tfdt, 4)[0]


def _parse_trun(data: Buffer, trun: Box, default: TrackDefaults) -> tuple[int | None, list[SampleRow]]:
    """Data offset if given, and the rows."""
    version, flags = full_box_header(data, trun)
    (count,) = unpack(U32, data, trun, 4)
    field, offset, first_flags = 8, None, None
    if flags & DATA_OFFSET:
        (offset,) = unpack(I32, data, trun, field)
        field += 4
    if flags & FIRST_FLAGS:
        (first_flags,) = unpack(U32, data, trun, field)
        field += 4
    stride = 4 * (flags & (DURATION | SIZE | FLAGS | CTO)).bit_count()
    if count > MAX_RUN_SAMPLES or trun.body + field + count * stride > trun.end:
        raise FormatError(f"trun is truncated: need {field + count * stride}, have {trun.end - trun.body}")
    cells = iter(struct.unpack_from(f">{count * stride // 4}I", data, trun.body + field))
    rows = []
    for index in range(count):
        duration = next(cells) if flags & DURATION else default.duration
        size = next(cells) if flags & SIZE else default.size
        sample_flags = next(cells) if flags & FLAGS else default.flags
        cto = next(cells) if flags & CTO else 0
        if index == 0 and first_flags is not None:
            sample_flags = first_flags
        # Version 0 says unsigned; encoders that write negative offsets with it are known, absurd ones are not.
        cto -= (cto >> 31) << 32
        rows.append(SampleRow(duration, size, sample_flags, cto))
    return offset, rows

"""DTS: frames of FFmpeg's encoder, cut anywhere; headers bit by bit; and garbage."""

from __future__ import annotations

import io
from base64 import b64decode

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats import dts
from flussdvr.formats.mp4.codec_string import codec_string
from flussdvr.formats.mp4.fmp4 import Run, parse_init, write_init
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.elementary import DtsStream
from flussdvr.formats.mpegts.mux import TsMuxer, TsRun
from flussdvr.formats.mpegts.psi import ElementaryStream
from flussdvr.media import Codec, MediaEvent, Sample
from tests.formats.encoded import decoded, recorded
from tests.formats.transport import AUDIO_PID, Packets, samples_of, tracks_of

# Two frames of a sine, mono, 48 kHz.
FRAMES = b64decode(
    "f/6AAfw8D/A0wAE4AAHvgyYEkgAAAQAAAAAOHDly66z8bcWxWAAAAAAAAAAYJ8N+5dNWy5osXq1ypaoWqFiZWlVpVKVSlUJk4AAAAAAA"
    "AX6/AAAAAAP8CvKUIAAAAB+AnyVgAAAAP4E955ERHy3fEREfxqPqpFjJJ45h/7zNVRAFe//6sEXgSg7EDwD4AAgABAACAAEAAIAAQDAQ"
    "D6rSJ0dILFrGWiom54S/IA/gFiZ7o8fz/AACD5/f+/AAAAORIU3Z+YgTDVz+IjiZHeq3hLf8knSSX/5nNVd9EgSSX/5weHQgLgocADyh"
    "gAYGAsDAWBgLAwFgYCwOAsDgP//AAH/+gAH8PA/wNMABOAAB74NnffvwBAAAAABBhTHQYpBjGEIQhCEIQhCEIQhCEIAAAABaYDRowqRI"
    "ERpImRJEyRMgQJlChMsVKDyZEgRJuSvhkjpC6lHlTd53PYzgRVaU8zD878CKU1VDqcvIq/IyRf9pWkUaIL3mfFUIGtcO3GjAJQPVbg7I"
    "OZh9yb5eXS+IvdAGw+TcYLWep1sCQJ1M+qLxrbZvSfSVXqlDouYsZohY0iqeSsR9z6x1EhabxrEGb4QT3cMdvTGggU6LODYh9U7Fn1Mc"
    "lEiz8iZHEQZTbKvt/fJK+6Xrfc0ZAul6EKgQizrjTQc8yzJGpe6zkqvx//4="
)
SIZE = len(FRAMES) // 2
TICKS = 512 * 90_000 // 48_000


def extension(size: int = 64) -> bytes:
    header = f"{0:08b}" + "00" + "0" + f"{15:08b}" + f"{size - 1:016b}"
    return dts.EXTENSION + int(header.ljust(40, "0"), 2).to_bytes(5, "big") + bytes(size - 9)


def stream(count: int, extended: bool = False) -> list[bytes]:
    """Access units."""
    return [FRAMES[n % 2 * SIZE :][:SIZE] + extension() * extended for n in range(count)]


def transport(units: list[bytes], stream_type: int, descriptors: tuple[tuple[int, bytes], ...] = ()) -> bytes:
    out = Packets()
    out.tables([ElementaryStream(AUDIO_PID, stream_type, descriptors)])
    for number, unit in enumerate(units):
        out.pes(AUDIO_PID, unit, 90_000 + number * TICKS)
    return out.data


def demux(data: bytes) -> list[MediaEvent]:
    demuxer = TsDemuxer()
    return [*demuxer.feed(data), *demuxer.flush()]


KINDS = [
    (0x82, ()),
    (0x8A, ()),
    (0x85, ()),
    (0x86, ((0x05, b"HDMV"),)),
    (0x06, ((0x7B, b"\0"),)),
    (0x06, ((0x7F, b"\x0e\0"),)),
    (0x06, ((0x05, b"DTS1"),)),
]


@pytest.mark.parametrize(("stream_type", "descriptors"), KINDS)
@pytest.mark.parametrize("extended", [False, True])
def test_recorded(stream_type: int, descriptors: tuple[tuple[int, bytes], ...], extended: bool) -> None:
    units = stream(60, extended)
    events = demux(transport(units, stream_type, descriptors))
    tracks = tracks_of(events)[-1]
    assert [(one.codec, one.channels, one.timescale) for one in tracks] == [
        (Codec.DTS_HD if extended else Codec.DTS, 1, 48_000)
    ]
    samples = samples_of(events)[AUDIO_PID]
    if stream_type in (0x85, 0x86) or descriptors == ((0x7F, b"\x0e\0"),) or not extended:
        # Where extensions are not announced, the first core may be without its own.
        assert len(samples) >= 59 and [one.data for one in samples[:59]] == units[:59]
    assert {b.dts - a.dts for a, b in zip(samples, samples[1:], strict=False)} == {512}
    entry = {False: "dtsc", True: "dtsh"}[extended]
    assert codec_string(tracks[0]) == entry and entry.encode() in write_init(tracks)
    (read,) = parse_init(write_init(tracks)).tracks
    assert (read.codec, read.config, read.channels, read.sample_rate) == (
        tracks[0].codec,
        tracks[0].config,
        1,
        48_000,
    )


def test_decoded() -> None:
    events = demux(transport(stream(60), 0x82))
    (tracks,) = tracks_of(events)
    samples = samples_of(events)
    expected = decoded(b"".join(stream(60)), "dts", "audio")
    movie = recorded(tracks, samples)
    assert [data for _, data in decoded(movie, "mp4", "audio")] == [data for _, data in expected]
    with av.open(io.BytesIO(movie), format="mp4") as file:
        assert file.streams.audio[0].codec_context.name == "dca"
    (track,) = tracks
    sent = TsMuxer(tracks).segment([TsRun.of(Run(track, samples[track.id][0].dts, [512] * 60, samples[track.id]))])
    assert [data for _, data in decoded(sent, "mpegts", "audio")] == [data for _, data in expected]
    assert [one.data for one in samples_of(demux(sent)).popitem()[1]] == stream(60)


@given(st.lists(st.integers(1, 20 * SIZE), max_size=30), st.booleans())
def test_cut_anywhere(cuts: list[int], extended: bool) -> None:
    units = stream(20, extended)
    data = b"".join(units)
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    reader = DtsStream(1, "und", extended)
    found: list[Sample] = []
    for number, (start, stop) in enumerate(zip(places, places[1:], strict=False)):
        batches = reader.read(90_000 if not number else None, None, data[start:stop])
        found += [sample for batch in batches for sample in batch.samples]
    found += [sample for batch in reader.flush() for sample in batch.samples]
    assert [sample.data for sample in found] == units[: len(found)]
    assert len(found) >= 19
    assert [sample.dts for sample in found] == [48_000 + 512 * n for n in range(len(found))]


def core(blocks: int, size: int, amode: int, rate: int, lfe: int, depth: int, crc: bool) -> bytes:
    bits = "1" + "11111" + str(int(crc)) + f"{blocks - 1:07b}{size - 1:014b}{amode:06b}{rate:04b}" + "0" * 15
    bits += f"{lfe:02b}" + "0" + "0" * 16 * crc + "0" * 7 + f"{depth:03b}"
    return (dts.CORE + int(bits.ljust(128, "0"), 2).to_bytes(16, "big")).ljust(size, b"\0")


@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize(
    ("blocks", "amode", "rate", "lfe", "depth", "expected"),
    [
        (16, 9, 13, 2, 6, (512, 48_000, 6, 24)),
        (32, 2, 8, 0, 0, (1024, 44_100, 2, 16)),
        (64, 0, 3, 1, 3, (2048, 32_000, 2, 20)),
        (128, 15, 13, 1, 5, (4096, 48_000, 9, 24)),
    ],
)
def test_headers(blocks: int, amode: int, rate: int, lfe: int, depth: int, expected: object, crc: bool) -> None:
    found = dts.parse_core(core(blocks, 1000, amode, rate, lfe, depth, crc))
    assert (found.samples, found.sample_rate, found.channels, found.depth) == expected
    assert found.size == 1000
    assert len(dts.build_ddts(found, False)) == 20


@pytest.mark.parametrize("fields", [(5, 1000, 2, 13, 0, 0), (16, 95, 2, 13, 0, 0), (16, 1000, 16, 13, 0, 0)])
def test_damaged_headers(fields: tuple[int, int, int, int, int, int]) -> None:
    with pytest.raises(FormatError):
        dts.parse_core(core(*fields, crc=False))


def test_what_ddts_says() -> None:
    record = dts.build_ddts(dts.parse_core(core(16, 1884, 9, 13, 1, 6, False)), False)
    rate = 1884 * 8 * 48_000 // 512
    assert record[:13] == (48_000).to_bytes(4, "big") + rate.to_bytes(4, "big") * 2 + b"\x18"
    bits = int.from_bytes(record[13:17], "big")
    assert (bits >> 30, bits >> 25 & 31, bits >> 24 & 1, bits >> 18 & 63, bits >> 4 & 0x3FFF) == (0, 1, 1, 9, 1884)
    assert record[17:] == b"\0\x0f\0", "C, L and R, Ls and Rs, LFE"


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([dts.CORE, dts.EXTENSION, FRAMES[:SIZE]]))))
def test_garbage(parts: list[bytes]) -> None:
    reader = DtsStream(1, "und", True)
    for number, part in enumerate(parts):
        reader.read(number, number, part)
    reader.flush()

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import h265
from flussdvr.formats.codecs.h265 import access_unit, build_hvcc, parse_hvcc, parse_sps, read_access_unit
from flussdvr.formats.codecs.nal import split_lengths
from tests.formats.oracle import packets, remux, video

X265 = "log-level=none:pools=none:frame-threads=1"


@pytest.mark.parametrize(
    ("width", "height", "options"),
    [
        (176, 144, {"preset": "ultrafast"}),
        (
            178,
            146,
            {
                "preset": "medium",
                "sample_aspect_ratio": (16, 11),
                "x265_params": X265 + ":bframes=3:hrd=1:vbv-maxrate=500:vbv-bufsize=500",
            },
        ),
        (
            180,
            100,
            {"pix_fmt": "yuv420p10le", "x265_params": X265 + ":scaling-list=default", "sample_aspect_ratio": (5, 7)},
        ),
        (176, 144, {"pix_fmt": "yuv422p", "x265_params": X265 + ":bframes=4:b-adapt=0"}),
        (176, 144, {"pix_fmt": "yuv444p", "x265_params": X265 + ":temporal-layers=2:high-tier=1:level-idc=4.1"}),
    ],
)
def test_against_libx265(width: int, height: int, options: dict[str, Any]) -> None:
    options = {"preset": "ultrafast", "x265_params": X265} | options
    stream = video("libx265", "mpegts", width, height, **options)
    context, units = packets(stream, "mpegts")
    mp4, samples = packets(remux(stream, "mp4", "hvc1"))
    first = read_access_unit(bytes(units[0]))
    sps = parse_sps(first.sps[0])
    assert (sps.width, sps.height) == (width, height) == (context.width, context.height)
    assert sps.sample_aspect_ratio == options.get("sample_aspect_ratio", (1, 1))
    assert sps.frame_rate == Fraction(25)
    assert sps.bit_depth_luma == (10 if "10" in options.get("pix_fmt", "") else 8)
    hvcc = build_hvcc(first.vps, first.sps, first.pps)
    assert hvcc == mp4.extradata
    assert parse_hvcc(hvcc) == (4, first.vps, first.sps, first.pps)
    for unit, sample in zip(units, samples, strict=True):
        read = read_access_unit(bytes(unit))
        assert read.sync == unit.is_keyframe
        assert read.sample == _kept(bytes(sample))
        parts = split_lengths(read.sample)
        assert access_unit(read.sample[a:b] for a, b in parts)[:2] == read[:2]


def _kept(sample: bytes) -> bytes:
    """FFmpeg leaves parameter sets and AUD where they were."""
    kept = [sample[a:b] for a, b in split_lengths(sample) if sample[a] >> 1 not in (32, 33, 34, 35)]
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept)


@pytest.mark.parametrize(
    ("hvcc", "expected"),
    [
        ("010160000000b000000000005d", "hvc1.1.6.L93.B0"),
        ("01022000000090000000000099", "hvc1.2.4.L153.90"),
        ("0124080000009d080000000078", "hvc1.4.10.H120.9D.8"),
        ("0141000000010000000000005d", "hvc1.A1.80000000.L93"),
        ("010160000000b000000000015d", "hvc1.1.6.L93.B0.0.0.0.0.1"),
    ],
)
def test_codec_string(hvcc: str, expected: str) -> None:
    assert h265.codec_string(bytes.fromhex(hvcc)) == expected


def test_open_gop_starts_at_cra() -> None:
    options = {"preset": "ultrafast", "x265_params": X265 + ":open-gop=1:bframes=2:keyint=6:min-keyint=6:scenecut=0"}
    _, units = packets(video("libx265", "mpegts", frames=20, **options), "mpegts")
    read = [read_access_unit(bytes(unit)) for unit in units]
    assert [unit.idr for unit in read].count(True) == 1
    assert [unit.sync for unit in read].count(True) > 2


def test_what_is_left_out() -> None:
    unit = b"\0\0\1\x46\x01\x50\0\0\1\x40\x01v\0\0\1\x42\x01s\0\0\1\x44\x01p\0\0\1\x4e\x01sei\x80\0\0\1\x4c\x01\xff"
    unit += b"\0\0\1\x40\x09v\0\0\1\x26\x01\xaf\0\0\1\x26\x09\xaf\0\0\1\xa6\x01\xaf\0\0\1\x26"
    read = read_access_unit(unit)
    assert read.sample == b"\0\0\0\6\x4e\x01sei\x80\0\0\0\3\x26\x01\xaf"
    assert read[1:] == (True, [b"\x40\x01v"], [b"\x42\x01s"], [b"\x44\x01p"], True, None)


def some_sets() -> tuple[list[bytes], list[bytes], list[bytes]]:
    _, units = packets(video("libx265", "mpegts", frames=1, preset="ultrafast", x265_params=X265), "mpegts")
    read = read_access_unit(bytes(units[0]))
    return read.vps, read.sps, read.pps


SETS = some_sets()


def test_truncated() -> None:
    hvcc = build_hvcc(*SETS)
    for size in range(len(hvcc)):
        with pytest.raises(FormatError):
            parse_hvcc(hvcc[:size])
    whole = parse_sps(SETS[1][0])
    for size in range(len(SETS[1][0])):
        try:
            assert parse_sps(SETS[1][0][:size]).width == whole.width
        except FormatError:
            pass


@given(st.data())
def test_flipped_bits(draw: st.DataObject) -> None:
    sps = bytearray(SETS[1][0])
    for _ in range(draw.draw(st.integers(1, 4))):
        sps[draw.draw(st.integers(2, len(sps) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        read = parse_sps(bytes(sps))
        build_hvcc([], [bytes(sps)], SETS[2])
    except FormatError:
        return
    assert 0 < read.width <= 16888 and 0 < read.height <= 16888


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    sps = SETS[1][0]
    for call in (
        lambda: parse_sps(b"\x42\x01" + data),
        lambda: parse_sps(sps[:16] + data),
        lambda: parse_sps(data),
        lambda: parse_hvcc(b"\x01" + bytes(20) + data),
        lambda: build_hvcc([data], [sps], [b"\x44\x01" + data]),
        lambda: h265.codec_string(data),
        lambda: read_access_unit(b"\0\0\1\x26" + data + b"\0\0\1\x02" + data),
    ):
        try:
            call()
        except FormatError:
            pass

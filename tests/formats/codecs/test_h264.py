from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import h264
from flussdvr.formats.codecs.h264 import NalType, access_unit, build_avcc, parse_avcc, parse_sps, read_access_unit
from flussdvr.formats.codecs.nal import split_lengths
from tests.formats.oracle import packets, remux, video

QUIET = {"x264_params": "log-level=none", "preset": "ultrafast"}


@pytest.mark.parametrize(
    ("width", "height", "options"),
    [
        (176, 144, {"profile": "baseline"}),
        (178, 146, {"profile": "main", "preset": "medium"}),
        (180, 100, {"profile": "high", "preset": "medium", "sample_aspect_ratio": (16, 11)}),
        (176, 144, {"profile": "high444", "pix_fmt": "yuv444p", "sample_aspect_ratio": (5, 7)}),
        (176, 144, {"profile": "high422", "pix_fmt": "yuv422p"}),
        (
            176,
            136,
            {
                "preset": "medium",
                "x264_params": "log-level=none:interlaced=1:nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900",
            },
        ),
    ],
)
def test_against_libx264(width: int, height: int, options: dict) -> None:
    options = QUIET | options
    stream = video("libx264", "mpegts", width, height, **options)
    context, units = packets(stream, "mpegts")
    mp4, samples = packets(remux(stream, "mp4"))
    first = read_access_unit(bytes(units[0]))
    sps = parse_sps(first.sps[0])
    assert (sps.width, sps.height) == (width, height) == (context.width, context.height)
    assert sps.sample_aspect_ratio == options.get("sample_aspect_ratio", (1, 1))
    assert sps.frame_rate == Fraction(25)
    assert sps.profile_idc == (context.profile and first.sps[0][1])
    assert sps.max_num_reorder == (2 if "medium" in options.values() else sps.max_num_reorder)
    avcc = build_avcc(first.sps, first.pps)
    assert avcc == mp4.extradata
    assert parse_avcc(avcc) == (4, first.sps, first.pps)
    assert h264.codec_string(avcc) == f"avc1.{mp4.extradata[1:4].hex().upper()}"
    for unit, sample in zip(units, samples, strict=True):
        read = read_access_unit(bytes(unit))
        assert read.sync == read.idr == unit.is_keyframe
        assert read.sample == _kept(bytes(sample))
        parts = split_lengths(read.sample)
        assert access_unit(read.sample[a:b] for a, b in parts)[:2] == read[:2]


def _kept(sample: bytes) -> bytes:
    """FFmpeg leaves parameter sets and AUD where they were."""
    kept = [sample[a:b] for a, b in split_lengths(sample) if sample[a] & 31 not in (7, 8, 9)]
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept)


def test_open_gop_starts_at_recovery_points() -> None:
    options = {"preset": "medium", "x264_params": "log-level=none:open-gop=1:keyint=6:scenecut=0"}
    _, units = packets(video("libx264", "mpegts", frames=30, **options), "mpegts")
    read = [read_access_unit(bytes(unit)) for unit in units]
    assert [unit.idr for unit in read].count(True) == 1
    assert [unit.sync for unit in read].count(True) > 2
    assert all(unit.intra for unit in read if unit.sync)


def test_intra_refresh_is_not_sync() -> None:
    options = {"preset": "medium", "x264_params": "log-level=none:intra-refresh=1:keyint=6"}
    _, units = packets(video("libx264", "mpegts", frames=20, **options), "mpegts")
    assert [read_access_unit(bytes(unit)).sync for unit in units].count(True) == 1


def test_what_is_left_out() -> None:
    unit = b"\0\0\0\1\x09\x10\0\0\1\x67\x42\0\0\1\x68\xce\0\0\1\x06\x05\x01\x00\x80"
    unit += b"\0\0\1\x0c\xff\x80\0\0\1\xe5\1\0\0\1\x65\x88\x84\0"
    read = read_access_unit(unit)
    assert read.sample == b"\0\0\0\5\x06\x05\x01\x00\x80\0\0\0\3\x65\x88\x84"
    assert (read.sps, read.pps, read.idr, read.sync) == ([b"\x67\x42"], [b"\x68\xce"], True, True)


def test_empty() -> None:
    assert read_access_unit(b"") == (b"", False, [], [], False, False, None)


def recovery(count: str, front: bytes = b"") -> bytes:
    body = int((count + "1001").ljust(8, "0"), 2).to_bytes(1, "big")
    return b"\0\0\1\x06" + front + b"\x06\x01" + body + b"\x80"


I_SLICE, P_SLICE = b"\0\0\1\x41\x88\x80\x44", b"\0\0\1\x41\xc0\x80\x44"  # ue 0, ue 7 | ue 0, ue 0


@pytest.mark.parametrize(
    ("name", "unit", "sync"),
    [
        ("I with recovery", recovery("1") + I_SLICE, True),
        ("behind other SEI", recovery("1", b"\x01\x02ab\xff\x05\x03abc") + I_SLICE, True),
        ("I alone", I_SLICE, False),
        ("P with recovery", recovery("1") + P_SLICE, False),
        ("recovery later", recovery("010") + I_SLICE, False),
        ("SEI ends early", b"\0\0\1\x06\x06" + I_SLICE, False),
        ("SEI size outside", b"\0\0\1\x06\x01\xff\xff\xff" + I_SLICE, False),
        ("slice ends early", recovery("1") + b"\0\0\1\x41", False),
    ],
)
def test_recovery_point(name: str, unit: bytes, sync: bool) -> None:
    assert read_access_unit(unit).sync is sync


def some_sets() -> tuple[list[bytes], list[bytes]]:
    _, units = packets(video("libx264", "mpegts", frames=1, **QUIET), "mpegts")
    read = read_access_unit(bytes(units[0]))
    return read.sps, read.pps


SETS = some_sets()


def test_truncated() -> None:
    sps, pps = SETS
    whole = parse_sps(sps[0])
    for size in range(len(sps[0])):
        try:
            assert (parse_sps(sps[0][:size]).width, whole.height) == (whole.width, whole.height)
        except FormatError:
            pass
    avcc = build_avcc(sps, pps)
    end = len(avcc) - 4 if avcc[1] not in (66, 77, 88) else len(avcc)
    for size in range(end):
        with pytest.raises(FormatError):
            parse_avcc(avcc[:size])


@given(st.data())
def test_flipped_bits(draw: st.DataObject) -> None:
    sps = bytearray(SETS[0][0])
    for _ in range(draw.draw(st.integers(1, 4))):
        sps[draw.draw(st.integers(1, len(sps) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        read = parse_sps(bytes(sps))
    except FormatError:
        return
    assert 0 < read.width <= 16880 and 0 < read.height <= 2 * 16880


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    for call in (
        lambda: parse_sps(bytes([NalType.SPS]) + data),
        lambda: parse_sps(b"\x67\x64\x00\x1f" + data),
        lambda: parse_sps(data),
        lambda: parse_avcc(b"\x01" + data),
        lambda: build_avcc([data], [data]),
        lambda: h264.codec_string(data),
        lambda: read_access_unit(b"\0\0\1\x06" + data + b"\0\0\1\x41" + data),
    ):
        try:
            call()
        except FormatError:
            pass

"""What is read of a picture in one pass is what its NAL units say one by one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.formats.codecs import h264_slice
from flussdvr.formats.codecs.bits import BitReader
from flussdvr.formats.codecs.nal import MAX_NALS
from flussdvr.formats.pictures.access_unit import AccessUnit, Assembler, ByteStream, Role
from flussdvr.formats.pictures.coded import Coded, read_h264, read_h265
from flussdvr.formats.pictures.syntax import H264Syntax, H265Syntax
from tests.formats.clocked import encode

CODE = b"\0\0\1"
SPS, PPS = b"\x67\x42\0\x1e\xf4\x0b\x04\xb2", b"\x68\xce\x3c\x80"
REDUNDANT_PPS = b"\x68\x53\x8e\x60"
"""Id 1; the slices that refer to it have redundant_pic_cnt."""


def slice_of(
    first_mb: int, slice_type: int, frame_num: int, header: int = 0x41, rest: str = "10" * 70, pps: int = 0
) -> bytes:
    """A slice whose SPS counts frames in 4 bits; `rest`: pic_order_cnt_lsb, in 4 bits, and what follows."""
    codes = "".join(f"{code + 1:b}".zfill(2 * (code + 1).bit_length() - 1) for code in (first_mb, slice_type, pps))
    bits = f"{codes}{frame_num:04b}{rest}"
    return bytes((header,)) + int(bits[:128], 2).to_bytes(16, "big")


H264_NALS = [
    b"\x09\xf0",
    SPS,
    PPS,
    REDUNDANT_PPS,
    b"\x06\x06\x01\xc0\x80",  # recovery_frame_cnt 0
    b"\x06\x06\x01\x5c\x80",  # and 1
    b"\x06\x05\x02\x01\x02\x80",
    *(slice_of(mb, kind, number) for mb in (0, 20, 40) for kind in (0, 7) for number in (1, 2)),
    *(slice_of(mb, 0, 1, rest=rest + "10" * 60, pps=1) for mb in (0, 20) for rest in ("10101", "1010010")),
    slice_of(0, 7, 0, 0x65),
    slice_of(20, 7, 0, 0x65),
    slice_of(20, 0, 1, 0x01),
    slice_of(1200, 0, 1),
    b"\x41\x9a",
    b"\x41\0\0\x03\0\0\x03\0\0\x03\x01",
    b"\x0c\xff\x80",
    b"\x0e\x40\x80",
    b"\x0b",
    b"\xc1\x9a\x24",
]
VPS_265, SPS_265, PPS_265 = b"\x40\1\x0c", b"\x42\1\1\1\x60", b"\x44\1\xc1\x72"
H265_NALS = [
    b"\x46\1\x50",
    VPS_265,
    SPS_265,
    PPS_265,
    b"\x44\1\xc0",
    b"\x4e\1\x06\x01\x80\x80",
    b"\x4e\1\x05\x01\x80\x80",
    b"\x50\1\x84\x01\x80",
    b"\x4c\1\x80",
    b"\x26\1\xaf\x11",
    b"\x26\1\x2f\x11",
    b"\x02\1\xd0\x11",
    b"\x02\1\x50\x11",
    b"\x02\1",
    b"\x02\x09\xd0",
    b"\x82\1\xd0",
    b"\x4a\1",
    b"\x60\1\x01",
]
PARTS = {
    "h264": (H264_NALS[:7], [nal for nal in H264_NALS if nal[0] & 31 in (1, 5)], [b"\x0c\xff\x80", b"\x0b"]),
    "h265": (H265_NALS[:7], [nal for nal in H265_NALS if nal[0] < 0x40], [b"\x50\1\x84\x01\x80", b"\x4c\1\x80"]),
}
"""What stands in front of slices, slices, and what stands behind them."""
CODECS: dict[str, tuple[type[H264Syntax | H265Syntax], Callable[[list[bytes]], Coded], list[bytes]]] = {
    "h264": (H264Syntax, read_h264, H264_NALS),
    "h265": (H265Syntax, read_h265, H265_NALS),
}


class H264ByStep(H264Syntax):
    def whole(self, nals: list[bytes]) -> tuple[bytes, Coded] | None:
        return None


class H265ByStep(H265Syntax):
    def whole(self, nals: list[bytes]) -> tuple[bytes, Coded] | None:
        return None


def both(name: str) -> tuple[H264Syntax, H264Syntax] | tuple[H265Syntax, H265Syntax]:
    return (H264Syntax(), H264ByStep()) if name == "h264" else (H265Syntax(), H265ByStep())


def payloads(name: str) -> st.SearchStrategy[list[bytes]]:
    """Mostly what a picture consists of, in that order; any NAL units else."""
    _, _, nals = CODECS[name]
    fronts, slices, others = PARTS[name]
    pictures = st.tuples(
        st.lists(st.sampled_from(fronts), max_size=2),
        st.lists(st.sampled_from(slices), min_size=1, max_size=3),
        st.lists(st.sampled_from(others), max_size=1),
    ).map(lambda parts: [*parts[0], *parts[1], *parts[2]])
    return pictures | pictures | st.lists(st.sampled_from(nals), max_size=5)


def compare(name: str, fed: list[tuple[bytes, bytes]], lost: int | None) -> int:
    """Payloads, each with the head of the next, read both ways. How many pictures were read in one pass."""
    _, read, nals = CODECS[name]
    quick, slow = both(name)
    for nal in nals[1:4]:
        quick.accept(nal, Role.OPENS)
        slow.accept(nal, Role.OPENS)
    one, two = (ByteStream(Assembler(syntax)) for syntax in (quick, slow))
    count = 0
    for number, (payload, head) in enumerate(fed):
        time = number if number % 4 else None
        found = one.feed(payload, time, time, head)
        assert found == two.feed(payload, time, time, head)
        assert one.pending == two.pending
        for unit in found:
            assert unit.coded is None or unit.coded == read(unit.nals)
            count += unit.coded is not None
            if unit.picture:
                assert quick.picture(unit.picture) == slow.picture(unit.picture)
        if number == lost:
            one.lost()
            two.lost()
    assert one.flush() == two.flush()
    return count


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(CODECS)), st.data())
def test_one_pass_says_what_one_nal_unit_after_the_other_says(name: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(payloads(name), min_size=1, max_size=10))
    aud = CODE + CODECS[name][2][0]
    compare(name, [(CODE.join([b"", *nals]), aud) for nals in drawn], data.draw(st.none() | st.integers(0, 9)))


@settings(deadline=None)
@given(st.sampled_from(list(CODECS)), st.data())
def test_the_same_of_payloads_that_begin_and_end_anywhere(name: str, data: st.DataObject) -> None:
    code, end = st.sampled_from([CODE, CODE, b"\0" + CODE, b""]), st.sampled_from([b"", b"", b"\0"])
    drawn = [
        b"".join(data.draw(code) + nal + data.draw(end) for nal in nals)
        for nals in data.draw(st.lists(payloads(name), min_size=1, max_size=8))
    ]
    compare(
        name, [(one, other[:20]) for one, other in pairwise([*drawn, b""])], data.draw(st.none() | st.integers(0, 7))
    )


@pytest.mark.parametrize(
    ("name", "nals", "at_once"),
    [
        ("h264", [slice_of(0, 7, 1), slice_of(20, 7, 1), slice_of(40, 5, 1)], 2),
        ("h264", [slice_of(0, 7, 1), slice_of(20, 7, 1), slice_of(20, 7, 1)], 0),  # again: another picture
        ("h264", [slice_of(0, 7, 1), slice_of(20, 7, 2)], 0),
        ("h264", [slice_of(0, 7, 1), slice_of(20, 7, 1, 0x01)], 0),
        ("h264", [slice_of(0, 7, 1), H264_NALS[0], slice_of(20, 7, 1)], 0),
        ("h264", [slice_of(0, 0, 1, rest="1010010" + "10" * 60, pps=1)] * 2, 0),  # of a redundant picture
        ("h264", [b"\x06\x06\x01\xc0\x80", SPS, slice_of(0, 7, 1), b"\x0c\xff\x80"], 2),
        ("h264", [b"\x67\x42\0\x1f\xf4\x0b\x04\xb2", slice_of(0, 7, 1)], 1),  # another SPS
        ("h264", [b"\xc1\x9a\x24", slice_of(0, 7, 1)], 0),
        ("h265", [b"\x26\1\xaf\x11", b"\x26\1\x2f\x11", b"\x50\1\x84\x01\x80"], 2),
        ("h265", [b"\x26\1\xaf\x11", b"\x26\1\xaf\x11"], 0),
        ("h265", [b"\x26\1\x2f\x11", b"\x26\1\x2f\x11"], 0),
        ("h265", [VPS_265, SPS_265, PPS_265, b"\x4e\1\x06\x01\x80\x80", b"\x26\1\xaf\x11"], 2),
        ("h265", [b"\x42\1\1\2\x60", b"\x26\1\xaf\x11"], 1),
        ("h265", [b"\x26\1\xaf\x11", b"\x4e\1\x06\x01\x80\x80", b"\x26\1\x2f\x11"], 0),
    ],
)
def test_what_is_read_in_one_pass(name: str, nals: list[bytes], at_once: int) -> None:
    """How many of two."""
    aud = CODECS[name][2][0]
    fed = [(CODE.join([b"", aud, *nals]), CODE + aud)] * 2
    assert compare(name, fed, None) == at_once


@pytest.mark.parametrize(("name", "encoder"), [("h264", "libx264"), ("h265", "libx265")])
@pytest.mark.parametrize("slices", [1, 4])
def test_a_picture_in_a_packet_is_read_in_one_pass(name: str, encoder: str, slices: int) -> None:
    options = f"keyint=10:min-keyint=10:scenecut=0:bframes=2:b-adapt=0:aud=1:slices={slices}"
    if name == "h265":
        options += ":open-gop=0"
    units = encode(encoder, options, 30)
    syntax, read, _ = CODECS[name]
    stream = ByteStream(Assembler(syntax()))
    found: list[AccessUnit] = []
    for unit, following in pairwise(units):
        found += stream.feed(unit.data, unit.pts, unit.dts, following.data[:32])
    assert [unit.nals for unit in found] == [unit.nals for unit in units[:-1]]
    assert [unit.coded is not None for unit in found[1:]] == [True] * 28  # the first one brings the parameter sets
    assert all(unit.coded in (None, read(unit.nals)) for unit in found)


def test_a_picture_that_goes_on_in_the_next_packet() -> None:
    stream = ByteStream(Assembler(H264Syntax()))
    first, second = slice_of(0, 0, 1), slice_of(20, 0, 1)
    aud = b"\x09\xf0"
    stream.feed(CODE.join([b"", SPS, PPS]), 0, 0, CODE + aud)
    assert stream.feed(CODE.join([b"", aud, first]), 7, 7, CODE + second) == []
    (unit,) = stream.feed(CODE + second, 8, 8, CODE + aud)
    assert (unit.nals, unit.pts, unit.coded) == ([SPS, PPS, aud, first, second], 0, None)


def test_as_many_nal_units_as_a_picture_can_have() -> None:
    aud = b"\x09\xf0"
    for more in (0, 1):
        assembler = Assembler(H264Syntax())
        for nal in SPS, PPS:
            assembler.add(nal, None)
        assembler.flush()
        nals = [slice_of(0, 0, 1), *[b"\x0c\xff"] * (MAX_NALS - 1 + more)]
        stream = ByteStream(assembler)
        if more:
            with pytest.raises(ValueError, match="NAL units"):
                stream.feed(CODE.join([b"", *nals]), 0, 0, CODE + aud)
        else:
            assert [unit.nals for unit in stream.feed(CODE.join([b"", *nals]), 0, 0, CODE + aud)] == [nals]


slices = st.builds(
    slice_of,
    st.sampled_from([0, 20, 1200, 100_000]),
    st.integers(0, 11),
    st.integers(1, 2),
    st.sampled_from([0x41, 0x61]),
    st.sampled_from(["10" * 70, "0" * 100, "1" * 100]),
)


@given(slices, slices | st.binary(min_size=1, max_size=20), st.integers(1, 17))
def test_the_place_of_a_slice_like_the_one_before(first: bytes, second: bytes, size: int) -> None:
    syntax = H264Syntax()
    for nal in SPS, PPS:
        syntax.accept(nal, Role.OPENS)
    reader = h264_slice.SliceReader({0: h264_slice.parse_pps(PPS)}, syntax.sps)
    second = second[:size]
    assert reader.place(second) is None
    try:
        before = reader.read(first)
    except ValueError:
        assert reader.place(second) is None
        return
    place = reader.place(second)
    if place is None:
        return
    after = reader.read(second)
    assert after.first_mb == place
    assert after[2:] == before[2:]
    bits = BitReader(second)
    bits.skip(8)
    assert bits.ue() == place


def test_slices_of_a_picture_are_told_by_their_place() -> None:
    syntax = H264Syntax()
    for nal in SPS, PPS:
        syntax.accept(nal, Role.OPENS)
    reader = h264_slice.SliceReader({0: h264_slice.parse_pps(PPS)}, syntax.sps)
    reader.read(slice_of(0, 7, 1))
    assert [reader.place(slice_of(mb, kind, 1)) for mb, kind in ((20, 7), (40, 0), (8099, 5))] == [20, 40, 8099]
    assert reader.place(slice_of(20, 7, 2)) is None
    assert reader.place(slice_of(20, 7, 1, 0x61)) is None
    reader.forget()
    assert reader.place(slice_of(20, 7, 1)) is None

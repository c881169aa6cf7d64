from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import ac3
from flussdvr.formats.codecs.ac3 import build_dac3, build_dec3, parse_dac3, parse_dec3, parse_syncframe, split_frames
from tests.formats.oracle import audio, packets


def box_of(data: bytes, name: bytes) -> bytes:
    place = data.index(name)
    return data[place + 4 : place - 4 + int.from_bytes(data[place - 4 : place], "big")]


@pytest.mark.parametrize("codec", ["ac3", "eac3"])
@pytest.mark.parametrize(
    ("rate", "layout", "channels"),
    [(48000, "stereo", 2), (44100, "mono", 1), (32000, "5.1(side)", 6), (48000, "quad(side)", 4)],
)
def test_against_ffmpeg(codec: str, rate: int, layout: str, channels: int) -> None:
    mp4 = audio(codec, "mp4", rate, layout)
    _, samples = packets(mp4)
    expected = [bytes(sample) for sample in samples]
    data = b"".join(expected)
    frames, rest = split_frames(data)
    assert [data[a:b] for a, b in frames] == expected and rest == len(data)
    header = parse_syncframe(data)
    assert (header.is_eac3, header.sample_rate, header.channels) == (codec == "eac3", rate, channels)
    assert (header.samples, header.frame_size) == (1536, len(expected[0]))
    assert ac3.sample_channels(expected[0]) == channels
    if codec == "ac3":
        assert build_dac3(header) == box_of(mp4, b"dac3")
        assert parse_dac3(build_dac3(header)) == (rate, channels)
    else:
        ours, theirs = build_dec3(expected[0]), box_of(mp4, b"dec3")
        # FFmpeg puts the data rate of the largest frame, we of the first.
        assert abs((ours[0] << 5 | ours[1] >> 3) - (theirs[0] << 5 | theirs[1] >> 3)) <= 1
        assert ours[2:] == theirs[2:]
        assert parse_dec3(ours) == (rate, channels)


def eac3(
    stream_type: int = 0, substream: int = 0, blocks: int = 3, acmod: int = 2, chanmap: int | None = None
) -> bytes:
    """A syncframe of 32 bytes."""
    bits = f"{0x0B77:016b}{stream_type:02b}{substream:03b}{15:011b}{0:02b}{blocks:02b}{acmod:03b}0{16:05b}"
    bits += "00000" + "0" + ("" if chanmap is None else f"1{chanmap:016b}")
    return int(bits.ljust(32 * 8, "0"), 2).to_bytes(32, "big")


MAIN = eac3(acmod=7)
SURROUND = eac3(1, chanmap=1 << 9, acmod=2)


def units(data: bytes) -> list[bytes]:
    return [data[a:b] for a, b in split_frames(data)[0]]


def test_dependent_substreams_belong_to_the_sample() -> None:
    sample = MAIN + SURROUND
    assert units(sample * 3) == [sample] * 3
    dec3 = build_dec3(sample)
    assert parse_dec3(dec3) == (48000, 7)
    # One substream, bsid 16, acmod 7, one dependent, Lrs/Rrs.
    assert dec3[2:] == bytes.fromhex("200e0202")
    assert ac3.sample_channels(sample) == 7


def test_what_belongs_to_a_sample_is_waited_for() -> None:
    data = MAIN + SURROUND
    assert split_frames(data[:50]) == ([], 0)
    assert split_frames(data + MAIN[:12]) == ([(0, 64)], 64)
    assert split_frames(SURROUND + data) == ([(32, 96)], 96)


def test_short_syncframes_make_one_sample() -> None:
    half = eac3(blocks=2)
    assert units(half * 5) == [half * 2] * 2
    assert split_frames(half * 5)[1] == 4 * 32
    assert split_frames(half * 3 + half[:12])[1] == 64


def test_two_programs() -> None:
    sample = eac3() + eac3(substream=1)
    assert units(sample * 2) == [sample] * 2
    assert build_dec3(sample)[1] & 7 == 1


def test_false_syncword() -> None:
    data = b"abc" + MAIN[:12] + MAIN * 3
    assert units(data) == [MAIN] * 3


@given(st.binary(max_size=50).filter(lambda data: b"\x0b" not in data), st.integers(2, 6))
def test_resynchronises(garbage: bytes, count: int) -> None:
    assert units(garbage + MAIN * count) == [MAIN] * count


def test_byte_by_byte() -> None:
    data = b"".join(bytes(packet) for packet in packets(audio("ac3", "mp4"))[1])
    got, kept = [], b""
    for byte in data:
        kept += bytes([byte])
        frames, rest = split_frames(kept)
        got += [kept[a:b] for a, b in frames]
        kept = kept[rest:]
    assert got == units(data) and not kept


@given(
    st.lists(
        st.one_of(st.binary(max_size=20), st.sampled_from([MAIN, SURROUND, eac3(blocks=0), b"\x0b\x77"])), max_size=8
    )
)
def test_garbage(parts: list[bytes]) -> None:
    data = b"".join(parts)
    frames, rest = split_frames(data)
    assert 0 <= rest <= len(data)
    previous = 0
    for start, stop in frames:
        assert previous <= start < stop <= len(data)
        previous = stop
        assert parse_syncframe(data, start).starts_sample
    assert previous <= rest
    for call in (parse_syncframe, parse_dac3, parse_dec3, build_dec3, ac3.sample_channels):
        for front in (b"", b"\x0b\x77"):
            try:
                call(front + data)
            except FormatError:
                pass

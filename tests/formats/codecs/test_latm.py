from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.aac import AudioSpecificConfig, parse_audio_specific_config
from flussdvr.formats.codecs.latm import LatmReader, StreamMuxConfig, parse_stream_mux_config, split_loas
from tests.formats.oracle import audio, packets


def loas(element: bytes) -> bytes:
    return (0x2B7 << 13 | len(element)).to_bytes(3, "big") + element


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) & 7)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def bits_of(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


LC = "00010" + "0011" + "0010" + "000"
# same 0 | version 0, framing 1, subframes 0, programs 0, layers 0 | ASC | type 0, fullness | other 0, crc 0
HEAD = "0" + "0" + "1" + "000000" + "0000" + "000" + LC + "000" + "11111111" + "00"


@pytest.mark.parametrize(("rate", "layout"), [(48000, "stereo"), (44100, "mono"), (48000, "5.1")])
def test_against_ffmpeg(rate: int, layout: str) -> None:
    data = audio("aac", "latm", rate, layout)
    context, samples = packets(audio("aac", "mp4", rate, layout))
    reader = LatmReader()
    elements, rest = split_loas(data)
    frames = [frame for start, stop in elements for frame in reader.read(data[start:stop])]
    assert rest == len(data)
    assert frames == [bytes(sample) for sample in samples]
    assert reader.config is not None
    assert reader.config.audio == parse_audio_specific_config(context.extradata)


def test_byte_by_byte_behind_garbage() -> None:
    data = b"\x56\x56\xdfxx\x56" + audio("aac", "latm")
    got, kept = [], b""
    for byte in data:
        kept += bytes([byte])
        elements, rest = split_loas(kept)
        got += [kept[a:b] for a, b in elements]
        kept = kept[rest:]
    whole = audio("aac", "latm")
    assert got == [whole[a:b] for a, b in split_loas(whole)[0]]


def test_config_is_kept() -> None:
    reader = LatmReader()
    same = packed("1" + "00000011" + bits_of(b"xyz"))
    assert reader.read(same) == []
    assert reader.read(packed(HEAD + "00000011" + bits_of(b"abc"))) == [b"abc"]
    assert reader.read(same) == [b"xyz"]
    assert reader.config == StreamMuxConfig(AudioSpecificConfig(2, 48000, 2), 1, 0, 0)


def test_subframes_other_data_and_long_lengths() -> None:
    head = HEAD[:3] + "000001" + HEAD[9:-2] + "1" + "1" + "00000001" + "0" + "00000000" + "1" + "10101010"
    long = bytes(300)
    element = packed(head + "11111111" + "00101101" + bits_of(long) + "00000001" + bits_of(b"z") + "0" * 256)
    reader = LatmReader()
    assert reader.read(element) == [long, b"z"]
    assert reader.config is not None and reader.config.other_bits == 256


def test_version_1_and_fixed_length() -> None:
    asc = bits_of(bytes.fromhex("139056e5a0"))
    value = "00" + f"{len(asc):08b}"
    config = "1" + "0" + "00" + "11111111" + "1" + "000000" + "0000" + "000" + value + asc + "001" + f"{4:09b}" + "00"
    read = parse_stream_mux_config(packed(config))
    assert read == StreamMuxConfig(AudioSpecificConfig(2, 22050, 2, 44100), 1, 192, 0)
    assert LatmReader(read).read(bytes(range(24)), config_present=False) == [bytes(range(24))]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("version A", "0" + "11"),
        ("framing", "0" + "0" + "0"),
        ("programs", "0" + "0" + "1" + "000000" + "0001" + "000"),
        ("layers", "0" + "0" + "1" + "000000" + "0000" + "001"),
        ("CELP", HEAD[:-13] + "011" + "0" * 20),
        ("payload ends early", HEAD + "11110000"),
    ],
)
def test_refused(name: str, config: str) -> None:
    with pytest.raises(FormatError):
        LatmReader().read(packed(config + "0" * 16))


@given(st.binary(max_size=80), st.booleans())
def test_garbage(data: bytes, present: bool) -> None:
    elements, rest = split_loas(data)
    assert 0 <= rest <= len(data) and all(3 <= a < b <= len(data) for a, b in elements)
    reader = LatmReader(StreamMuxConfig(AudioSpecificConfig(2, 48000, 2), 64, 0, 7))
    for element in (data, b"\x20\x00" + data, packed(HEAD + bits_of(data))):
        try:
            frames = reader.read(element, present)
            assert sum(map(len, frames)) <= len(element)
        except FormatError:
            pass

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.mpegaudio import parse_header, split_frames
from tests.formats.oracle import audio, packets


@pytest.mark.parametrize(
    ("codec", "container", "rate", "layout", "layer", "samples"),
    [
        ("mp2", "mp2", 48000, "stereo", 2, 1152),
        ("mp2", "mp2", 44100, "mono", 2, 1152),
        ("mp2", "mp2", 22050, "stereo", 2, 1152),
        ("libmp3lame", "mp3", 44100, "stereo", 3, 1152),
        ("libmp3lame", "mp3", 24000, "mono", 3, 576),
        ("libmp3lame", "mp3", 8000, "mono", 3, 576),
    ],
)
def test_against_ffmpeg(codec: str, container: str, rate: int, layout: str, layer: int, samples: int) -> None:
    data = audio(codec, container, rate, layout)
    _, parts = packets(data, container)
    expected = [bytes(part) for part in parts]
    stream = b"".join(expected)
    frames, rest = split_frames(stream)
    assert rest == len(stream)
    assert [stream[a:b] for a, b in frames] == expected
    header = parse_header(stream)
    assert (header.layer, header.sample_rate, header.samples_per_frame) == (layer, rate, samples)
    assert header.channels == (1 if layout == "mono" else 2)
    assert header.version == (10 if rate > 24000 else 20 if rate > 12000 else 25)


@pytest.mark.parametrize(
    ("word", "size", "bitrate"),
    [
        ("fffb9064", 417, 128000),
        ("fffb9264", 418, 128000),
        ("fffd9404", 480, 160000),
        ("ffff4404", 64 * 2, 128000),
        ("fff34c04", 0, 0),
        ("fff348c4", 144, 32000),
    ],
)
def test_sizes(word: str, size: int, bitrate: int) -> None:
    if not size:
        with pytest.raises(FormatError):
            parse_header(bytes.fromhex(word))
        return
    header = parse_header(bytes.fromhex(word))
    assert (header.frame_size, header.bitrate) == (size, bitrate)


FRAME = bytes.fromhex("fffb1064") + b"\x11" * (144 * 32000 // 44100 - 4)


@given(st.binary(max_size=50).filter(lambda data: b"\xff" not in data), st.integers(2, 6))
def test_resynchronises(garbage: bytes, count: int) -> None:
    data = garbage + FRAME * count
    frames, rest = split_frames(data)
    assert [data[a:b] for a, b in frames] == [FRAME] * count and rest == len(data)


def test_false_syncword() -> None:
    data = b"\xff\xfb\x10\x64zz" + FRAME * 3
    assert len(split_frames(data)[0]) == 3


def test_byte_by_byte() -> None:
    got, kept = [], b""
    for byte in FRAME * 3:
        kept += bytes([byte])
        frames, rest = split_frames(kept)
        got += [kept[a:b] for a, b in frames]
        kept = kept[rest:]
    assert got == [FRAME] * 3 and not kept


@given(st.binary(max_size=64))
def test_garbage(data: bytes) -> None:
    for front in (b"", b"\xff", b"\xff\xfb", b"\xff\xe2"):
        frames, rest = split_frames(front + data)
        assert 0 <= rest <= len(front + data) and all(a + 4 < b for a, b in frames)
        try:
            assert parse_header(front + data).frame_size > 4
        except FormatError:
            pass

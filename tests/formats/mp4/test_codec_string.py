from __future__ import annotations

import pytest

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.codec_string import codec_string
from flussdvr.media import Codec, Track

SEQUENCE = "000001b32d024023ffffe000000001b5148200010000"


@pytest.mark.parametrize(
    ("codec", "config", "expected"),
    [
        (Codec.H264, "0164001fffe1", "avc1.64001F"),
        (Codec.H265, "010160000000b000000000005d", "hvc1.1.6.L93.B0"),
        (Codec.AAC, "1190", "mp4a.40.2"),
        (Codec.AAC, "2b920800", "mp4a.40.5"),
        (Codec.MP3, "", "mp4a.40.34"),
        (Codec.MP2, "", "mp4a.40.33"),
        (Codec.AC3, "", "ac-3"),
        (Codec.EAC3, "", "ec-3"),
        (Codec.MJPEG, "", "mp4v.6C"),
        (Codec.MPEG2, SEQUENCE, "mp4v.61"),
        (Codec.MPEG2, SEQUENCE[:24], "mp4v.6A"),
        (Codec.AV1, "81050c00", "av01.0.05M.08"),
        (Codec.AV1, "814de000", "av01.2.13H.12"),
        (Codec.VP9, "001f820101010000", "vp09.00.31.08"),
        (Codec.OPUS, "", "opus"),
    ],
)
def test_codec_string(codec: Codec, config: str, expected: str) -> None:
    assert codec_string(Track(1, codec, 90000, bytes.fromhex(config))) == expected


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.AAC, Codec.MPEG2, Codec.AV1, Codec.VP9])
def test_damaged(codec: Codec) -> None:
    with pytest.raises(FormatError):
        codec_string(Track(1, codec, 90000, b"\x01"))


def test_every_codec_has_one() -> None:
    for codec in Codec:
        config = {Codec.AAC: "1190", Codec.MPEG2: SEQUENCE, Codec.AV1: "81050c00"}.get(codec, "00" * 30)
        assert codec_string(Track(1, codec, 90000, bytes.fromhex(config)))

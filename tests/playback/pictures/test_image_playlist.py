from __future__ import annotations

import pytest

from flussdvr.errors import DvrError
from flussdvr.playback.pictures.image_playlist import image_count, image_playlist, image_stream, moments
from flussdvr.timeline import Range, RangeSet

T = 1_795_194_000_000


def test_images_lie_along_what_is_recorded() -> None:
    ranges = RangeSet([Range(T + 500, T + 10_500), Range(T + 20_000, T + 22_000)])
    assert list(moments(ranges, 1)) == [T + 500]
    assert list(moments(ranges, 6)) == [T + 500 + 2000 * number for number in range(5)] + [T + 20_000]
    assert len(list(moments(ranges, 1000))) == 1000
    assert list(moments(RangeSet(), 5)) == []


def test_a_playlist() -> None:
    ranges = RangeSet([Range(T + 500, T + 10_500), Range(T + 20_000, T + 22_000)])
    assert image_playlist(ranges, T, 2, 320, 180, "token=x").decode() == (
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-VERSION:7\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-IMAGES-ONLY\n"
        "#EXTINF:6.000,\n#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=1x1,DURATION=6.000\n"
        "seg-1795194000-0.500.hls.jpg?token=x\n"
        "#EXTINF:6.000,\n#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=1x1,DURATION=6.000\n"
        "seg-1795194000-6.500.hls.jpg?token=x\n"
        "#EXT-X-ENDLIST\n"
    )
    assert b"#EXT-X-TARGETDURATION:1\n" in image_playlist(ranges, T, 1000, 320, 180, "")


def test_the_line_of_the_multivariant_playlist() -> None:
    assert image_stream("images-320x180/tpl-1-60-10.m3u8", 320, 180, 60_000, 10) == (
        b'#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=13333,RESOLUTION=320x180,CODECS="jpeg",'
        b'URI="images-320x180/tpl-1-60-10.m3u8"\n'
    )


@pytest.mark.parametrize("text", ["", "0", "1001", "-1", "x", "1.5", "\u00b2", "99999"])
def test_counts(text: str) -> None:
    assert image_count("1000") == 1000
    with pytest.raises(DvrError):
        image_count(text)

import gzip as stdlib_gzip
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.playback.hls.playlist import (
    Block,
    MediaPlaylist,
    Piece,
    Rendition,
    Variant,
    bandwidth,
    deflate,
    gzip,
    multivariant_playlist,
    render_block,
)

T = 1_795_194_000_000  # 2026-11-20T17:00:00Z


def block(
    count: int = 3,
    begin: int = T,
    sequence: int = 7,
    init: str = "init-0.mp4",
    extension: str = "m4s",
    step: int = 5000,
) -> Block:
    begins = np.arange(count, dtype=np.int64) * step + begin
    sizes = np.full(count, 1_000_000, np.int64)
    return render_block(sequence, begins, begins + step, sizes, extension, init, compress=True)


def test_vod() -> None:
    assert MediaPlaylist([Piece(block(), 0, 3)], "VOD", True, 5000).render().decode().splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:5",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init-0.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T17:00:00.000Z",
        "#EXTINF:5.000,",
        "2026/11/20/17/00/00.000-05000.m4s",
        "#EXTINF:5.000,",
        "2026/11/20/17/00/05.000-05000.m4s",
        "#EXTINF:5.000,",
        "2026/11/20/17/00/10.000-05000.m4s",
        "#EXT-X-ENDLIST",
    ]


def test_a_part_of_a_block_and_one_that_does_not_continue_it() -> None:
    pieces = [Piece(block(), 1, 3), Piece(block(2, T + 60_000, 10, "init-1.mp4"), 0, 1, True)]
    lines = MediaPlaylist(pieces, target_ms=5_040, discontinuity_sequence=4).render().decode().splitlines()
    assert lines[2:5] == ["#EXT-X-TARGETDURATION:6", "#EXT-X-MEDIA-SEQUENCE:8", "#EXT-X-DISCONTINUITY-SEQUENCE:4"]
    assert lines[6:9] == [
        '#EXT-X-MAP:URI="init-0.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T17:00:05.000Z",
        "#EXTINF:5.000,",
    ]
    assert lines[-5:] == [
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="init-1.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T17:01:00.000Z",
        "#EXTINF:5.000,",
        "2026/11/20/17/01/00.000-05000.m4s",
    ]


def test_the_same_init_is_not_repeated() -> None:
    pieces = [Piece(block(), 0, 3), Piece(block(begin=T + 15_000, sequence=10), 0, 3)]
    text = MediaPlaylist(pieces).render()
    assert text.count(b"EXT-X-MAP") == 1
    assert b"DISCONTINUITY" not in text


def test_a_hole_inside_a_block() -> None:
    begins = np.array([T, T + 5000, T + 20_000], np.int64)
    holed = render_block(1, begins, begins + 5000, begins, "ts")
    text = MediaPlaylist([Piece(holed, 0, 3)]).render().decode()
    assert text.count("#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-20T17:00:20.000Z\n#EXTINF") == 1
    assert "#EXT-X-VERSION:3\n" in text and "EXT-X-MAP" not in text
    assert "EXT-X-DISCONTINUITY\n" not in MediaPlaylist([Piece(holed, 2, 3)]).render().decode()


def test_the_query_goes_into_every_url() -> None:
    lines = MediaPlaylist([Piece(block(), 0, 3)], query="token=a").render().decode().splitlines()
    assert '#EXT-X-MAP:URI="init-0.mp4?token=a"' in lines
    assert [line for line in lines if not line.startswith("#")][0] == "2026/11/20/17/00/00.000-05000.m4s?token=a"
    text = MediaPlaylist([Piece(block(extension="ts", init=""), 0, 3)], query="token=a").render().decode()
    assert text.count(".ts?token=a\n") == 3


def test_gzip_is_the_same_text() -> None:
    pieces = [Piece(block(begin=T + at * 15_000, sequence=at * 3), int(at == 0), 3) for at in range(5)]
    playlist = MediaPlaylist(pieces, "VOD", True, 5000)
    assert stdlib_gzip.decompress(playlist.render_gzip()) == playlist.render()
    assert playlist.uncompressed < playlist.size
    with_token = MediaPlaylist(pieces, "VOD", True, 5000, query="token=x")
    assert stdlib_gzip.decompress(with_token.render_gzip()) == with_token.render()


@given(st.lists(st.tuples(st.binary(max_size=200), st.booleans()), max_size=8))
def test_joined_deflate_blocks(parts: list[tuple[bytes, bool]]) -> None:
    joined = gzip([(text, deflate(text) if ready else b"") for text, ready in parts])
    assert stdlib_gzip.decompress(joined) == b"".join(text for text, _ in parts)


def test_a_day_is_a_join() -> None:
    pieces = [Piece(block(720, T + hour * 3_600_000, hour * 720), 0, 720) for hour in range(24)]
    playlist = MediaPlaylist(pieces, "VOD", True, 5000)
    text, compressed = playlist.render(), playlist.render_gzip()
    assert text.count(b"#EXTINF") == 17_280
    assert stdlib_gzip.decompress(compressed) == text


def test_multivariant() -> None:
    variant = Variant(
        "tracks-v1/mono.m3u8?token=a",
        3_000_000,
        2_000_000,
        ("avc1.64001f", "mp4a.40.2"),
        1280,
        720,
        Fraction(30000, 1001),
        (Rendition('E"n', "eng", "tracks-a1/mono.m3u8", 2, True), Rendition("a2", "und", "tracks-a2/mono.m3u8")),
    )
    assert multivariant_playlist([variant]).decode().splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="En",LANGUAGE="eng",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
        'URI="tracks-a1/mono.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="a2",DEFAULT=NO,AUTOSELECT=YES,URI="tracks-a2/mono.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2000000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="audio"',
        "tracks-v1/mono.m3u8?token=a",
    ]


def test_bandwidth() -> None:
    begins = np.array([T, T + 5000], np.int64)
    uneven = render_block(1, begins, begins + 5000, np.array([1000, 3000], np.int64), "ts")
    assert bandwidth([Piece(uneven, 0, 2)]) == (4800, 3200)

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import DvrError
from flussdvr.urls.paths import parse
from flussdvr.urls.values import (
    ArchivePlaylist,
    InitSegment,
    LivePlaylist,
    LiveTs,
    MediaInfo,
    MediaPath,
    Mp4Export,
    Picture,
    Playlist,
    RangeList,
    RecordingStatus,
    RewindPlaylist,
    Segment,
    TimeshiftAbsPlaylist,
    TimeshiftAbsTs,
    TimeshiftRelPlaylist,
    TimeshiftRelTs,
    TsExport,
    segment_path,
    spell,
)

F, F_MS = "1525186456", 1_525_186_456_000
V1A1 = (("v", 1), ("a", 1))

ROWS = [
    ("index.m3u8", LivePlaylist, {"multivariant": True, "container": None}),
    ("playlist.m3u8", LivePlaylist, {"multivariant": True, "container": None}),
    ("video.m3u8", LivePlaylist, {"multivariant": False, "container": "ts"}),
    ("mono.m3u8", LivePlaylist, {"multivariant": False, "container": None}),
    ("mono.fmp4.m3u8", LivePlaylist, {"multivariant": False, "container": "fmp4"}),
    ("index.fmp4.m3u8", LivePlaylist, {"multivariant": True, "container": "fmp4"}),
    ("index.ts.m3u8", LivePlaylist, {"multivariant": True, "container": "ts"}),
    ("tracks-v1a1/mono.m3u8", LivePlaylist, {"multivariant": False, "tracks": V1A1}),
    ("tracks-1,2/index.m3u8", LivePlaylist, {"tracks": (("t", 1), ("t", 2))}),
    ("mpegts", LiveTs, {}),
    (f"index-{F}-3600.m3u8", ArchivePlaylist, {"from_ms": F_MS, "duration_ms": 3_600_000, "multivariant": True}),
    (f"archive-{F}-now.m3u8", ArchivePlaylist, {"from_ms": F_MS, "duration_ms": None, "multivariant": True}),
    (f"video-{F}-60.m3u8", ArchivePlaylist, {"duration_ms": 60_000, "multivariant": False, "container": "ts"}),
    (f"mono-{F}-now.m3u8", ArchivePlaylist, {"duration_ms": None, "multivariant": False}),
    (f"index-{F}-60.fmp4.m3u8", ArchivePlaylist, {"container": "fmp4"}),
    (f"video-{F}-60.fmp4.m3u8", ArchivePlaylist, {"container": "fmp4", "multivariant": False}),
    (f"index-{F}-60.ts.m3u8", ArchivePlaylist, {"container": "ts"}),
    (f"index.ts-{F}-60.m3u8", ArchivePlaylist, {"container": "ts"}),
    (f"index-{F}-60.m3u8?event=true", ArchivePlaylist, {"event": True}),
    (f"tracks-v1a1/index-{F}-60.m3u8", ArchivePlaylist, {"tracks": V1A1}),
    (f"archive/{F}/60/index.m3u8", ArchivePlaylist, {"from_ms": F_MS, "depth": 3}),
    (f"index-{F}123-60.m3u8", ArchivePlaylist, {"from_ms": 1_525_186_456_123, "duration_ms": 60_000}),
    (f"index-{F}.5-2.25.m3u8", ArchivePlaylist, {"from_ms": F_MS + 500, "duration_ms": 2250}),
    ("rewind-7200.m3u8", RewindPlaylist, {"back_ms": 7_200_000, "multivariant": True}),
    ("mono-rewind-7200.fmp4.m3u8", RewindPlaylist, {"multivariant": False, "container": "fmp4"}),
    (f"timeshift_abs-{F}.m3u8", TimeshiftAbsPlaylist, {"from_ms": F_MS, "multivariant": True}),
    (f"video-timeshift_abs-{F}.m3u8", TimeshiftAbsPlaylist, {"multivariant": False, "container": "ts"}),
    (f"mono-timeshift_abs-{F}.m3u8", TimeshiftAbsPlaylist, {"multivariant": False, "container": None}),
    (f"timeshift_abs_mono-{F}.m3u8", TimeshiftAbsPlaylist, {"multivariant": False}),
    ("timeshift_rel-90.m3u8", TimeshiftRelPlaylist, {"delay_ms": 90_000, "multivariant": True}),
    ("timeshift_rel-0.m3u8", TimeshiftRelPlaylist, {"delay_ms": 0}),
    ("mono-timeshift_rel-90.m3u8", TimeshiftRelPlaylist, {"multivariant": False}),
    ("video-timeshift_rel-90.m3u8", TimeshiftRelPlaylist, {"multivariant": False, "container": "ts"}),
    ("index.fmp4-timeshift_rel-90.m3u8", TimeshiftRelPlaylist, {"multivariant": True, "container": "fmp4"}),
    (f"archive-{F}-3600.mp4", Mp4Export, {"from_ms": F_MS, "duration_ms": 3_600_000, "keep_gaps": False}),
    (f"archive-{F}-now.mp4", Mp4Export, {"duration_ms": None}),
    (f"archive-{F}-60.mp4?gaps=keep", Mp4Export, {"keep_gaps": True, "split": False}),
    (f"archive-{F}-60.mp4?split=true", Mp4Export, {"keep_gaps": False, "split": True}),
    (f"archive-{F}-60.mp4?split=1", Mp4Export, {"split": False}),
    (f"archive-{F}-60.mp4?filter.tracks=v1a1", Mp4Export, {"tracks": V1A1}),
    (f"archive-{F}-60.mp4?filter=tracks:v1a1", Mp4Export, {"tracks": V1A1}),
    (f"tracks-v1a1/archive-{F}-60.mp4", Mp4Export, {"tracks": V1A1}),
    (f"archive-{F}-3600.ts", TsExport, {"from_ms": F_MS, "duration_ms": 3_600_000}),
    (f"archive-{F}-now.ts", TsExport, {"duration_ms": None}),
    (f"archive/{F}/3600/mpegts", TsExport, {"from_ms": F_MS, "duration_ms": 3_600_000}),
    (f"timeshift_abs-{F}-60.ts", TsExport, {"duration_ms": 60_000}),
    (f"{F}.ts", TimeshiftAbsTs, {"from_ms": F_MS}),
    (f"timeshift_abs-{F}.ts", TimeshiftAbsTs, {"from_ms": F_MS}),
    (f"timeshift_abs/{F}", TimeshiftAbsTs, {"from_ms": F_MS}),
    ("timeshift_rel-30.ts", TimeshiftRelTs, {"delay_ms": 30_000}),
    ("timeshift_rel/30", TimeshiftRelTs, {"delay_ms": 30_000}),
    (
        "2026/11/20/17/00/05.123-05000.m4s",
        Segment,
        {"begin_ms": 1_795_194_005_123, "duration_ms": 5000, "container": "fmp4"},
    ),
    ("2026/11/20/17/00/05.123-05000.ts", Segment, {"container": "ts"}),
    ("tracks-v1/2026/11/20/17/00/05.123-05000.m4s", Segment, {"tracks": (("v", 1),)}),
    ("init-0123456789abcdef.mp4", InitSegment, {"digest": "0123456789abcdef"}),
    (f"{F}.jpg", Picture, {"utc_ms": F_MS, "kind": "jpg", "stored": True}),
    (f"{F}-preview.jpg", Picture, {"utc_ms": F_MS, "kind": "jpg", "stored": False}),
    (f"{F}-preview.mp4", Picture, {"utc_ms": F_MS, "kind": "mp4", "stored": False}),
    ("preview.jpg", Picture, {"utc_ms": None, "kind": "jpg"}),
    ("preview.mp4", Picture, {"utc_ms": None, "kind": "mp4"}),
    ("2018/05/01/14/54/16.jpg", Picture, {"utc_ms": F_MS, "kind": "jpg", "stored": True, "calendar": True}),
    ("2018/05/01/14/54/16-preview.jpg", Picture, {"utc_ms": F_MS, "stored": False}),
    ("2018/05/01/14/54/16-preview.mp4", Picture, {"utc_ms": F_MS, "kind": "mp4", "calendar": True}),
    (
        f"recording_status.json?from={F}&to=now&request=ranges,locks&token=x",
        RecordingStatus,
        {"from_ms": F_MS, "to_ms": None, "requested": frozenset({"ranges", "locks"})},
    ),
    ("recording_status.json", RecordingStatus, {"from_ms": None, "requested": frozenset({"ranges"})}),
    ("media_info.json", MediaInfo, {}),
    ("info.json", MediaInfo, {}),
    ("ranges.json", RangeList, {"closed_from_ms": None, "opened_until_ms": None, "resolution_ms": 0, "limit": None}),
    (
        f"ranges.json?closed_at_gte={F_MS}&opened_at_lte={F_MS + 5}&limit=1000&cursor=&resolution=30&token=x",
        RangeList,
        {"closed_from_ms": F_MS, "opened_until_ms": F_MS + 5, "resolution_ms": 30_000, "limit": 1000, "cursor": None},
    ),
    (f"ranges.json?closed_at_gte={F}&opened_at_lte=undefined", RangeList, {"closed_from_ms": F_MS}),
    (f"index.m3u8?utc={F}&lutc=1525190056", TimeshiftAbsPlaylist, {"from_ms": F_MS, "opening": "1525190056"}),
    (f"video.m3u8?utc={F}&lutc=1525290056", TimeshiftAbsPlaylist, {"from_ms": F_MS, "multivariant": False}),
    (f"index.m3u8?token=T?utc={F}&amp;lutc=1525290056", TimeshiftAbsPlaylist, {"from_ms": F_MS}),
    (f"index.m3u8?UTC={F}&LUTC=1525190056", TimeshiftAbsPlaylist, {"opening": "1525190056"}),
    (f"index.m3u8?token=T&AMP;utc={F}", TimeshiftAbsPlaylist, {"from_ms": F_MS, "opening": ""}),
    (f"mpegts?utc={F}&lutc=1525190056", TimeshiftAbsTs, {"from_ms": F_MS}),
]


@pytest.mark.parametrize("name", ["ort", "a/b/c", "2018/05", "tracks", "with%20space", "caf%C3%A9"])
@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_url(name: str, row: tuple[str, type[MediaPath], dict[str, object]]) -> None:
    url, kind, fields = row
    path, _, query = url.partition("?")
    parsed = parse(f"/{name}/{path}", query)
    assert type(parsed) is kind
    assert parsed.name == name.replace("%20", " ").replace("%C3%A9", "é")
    for field, value in fields.items():
        assert getattr(parsed, field) == value, field


REFUSED = [
    ("index.m3u8", 404),
    ("", 404),
    ("ort/", 404),
    ("ort//index.m3u8", 404),
    ("ort", 404),
    ("ort/other.m3u8", 404),
    ("ort/index--5-10.m3u8", 404),
    ("ort/index-5--10.m3u8", 404),
    ("ort/index-abc-10.m3u8", 404),
    ("ort/index-5-later.m3u8", 404),
    ("ort/index-5-0.m3u8", 400),
    ("ort/ranges.json?limit=-1", 400),
    ("ort/ranges.json?limit=99999999999", 400),
    ("ort/ranges.json?closed_at_gte=yesterday", 400),
    ("ort/ranges.json?resolution=1e9", 400),
    ("ort/ranges.json?opened_at_lte=99999999999999999999", 400),
    ("ort/index-٣-5.m3u8", 404),
    ("ort/index-99999999999999999999-5.m3u8", 400),
    ("ort/archive-999999999999999999-5.mp4", 400),
    ("ort/timeshift_abs-1e9.m3u8", 404),
    ("ort/2026/13/20/17/00/05.123-05000.m4s", 404),
    ("ort/tracks-x9/index.m3u8", 400),
    ("ort/tracks-v0/index.m3u8", 400),
    ("ort/../index.m3u8", 400),
    ("../index.m3u8", 400),
    ("ort/%2e%2e/index.m3u8", 400),
    ("ort/..%2fx/index.m3u8", 400),
    ("ort/%ff/index.m3u8", 400),
    ("ort/%00/index.m3u8", 400),
    ("ort/index.m3u8?utc=soon&lutc=1", 400),
    ("ort/index.m3u8?utc=-5", 400),
    ("ort/recording_status.json?from=x", 400),
    ("x" * 5000 + "/index.m3u8", 400),
]


@pytest.mark.parametrize(("url", "status"), REFUSED)
def test_refused(url: str, status: int) -> None:
    path, _, query = url.partition("?")
    with pytest.raises(DvrError) as refusal:
        parse("/" + path, query)
    assert refusal.value.status == status


@given(st.text(max_size=80), st.text(max_size=80))
def test_never_another_exception(path: str, query: str) -> None:
    try:
        parse(path, query)
    except DvrError as error:
        assert error.status in (400, 404)


@given(
    st.sampled_from([row[0] for row in ROWS]),
    st.integers(0, 60),
    st.sampled_from(["", "0", "9" * 30, "-", ".", "%", "%e", "/", "now", "é", "\x00", "1e5", "?", "&"]),
)
def test_a_known_url_with_something_put_in(url: str, at: int, what: str) -> None:
    url = url[:at] + what + url[at:]
    path, _, query = url.partition("?")
    try:
        parsed = parse("/ort/" + path, query)
    except DvrError as error:
        assert error.status in (400, 404)
    else:
        assert isinstance(parsed.propagated, str)


def test_the_token_goes_on_and_the_shift_does_not() -> None:
    parsed = parse("/ort/index.m3u8", f"token=a%20b&utc={F}&lutc={F}")
    assert isinstance(parsed, Playlist)
    assert parsed.propagated == "token=a+b"
    assert parsed.inherited == f"token=a+b&lutc={F}", "the media playlist is that of the same opening"
    assert parsed.child == f"mono-timeshift_abs-{F}"


@given(st.integers(0, 253_402_300_799_999), st.integers(0, 10**7))
def test_segment_urls_come_back(begin_ms: int, duration_ms: int) -> None:
    segment = parse("/a/b/" + segment_path(begin_ms, duration_ms, "m4s")) if begin_ms > 62_135_596_800_000 else None
    if segment is not None:
        assert isinstance(segment, Segment)
        assert (segment.begin_ms, segment.duration_ms) == (begin_ms, duration_ms)


def test_spelling_of_moments() -> None:
    assert spell(1_500) == "1.500"
    assert spell(2_000) == "2"


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def test_urls_of_an_xtream_codes_panel(in_berlin: None) -> None:
    """As Kodi makes them of http://H/live/me/secret/ort.m3u8 and http://H/live/me/secret/ort, on local time."""
    live = parse("/live/me/secret/ort.m3u8")
    assert isinstance(live, LivePlaylist) and live.name == "ort" and live.multivariant
    assert live.up == "../../../ort/" and live.inherited == "token=secret"
    ts = parse("/live/me/secret/ort")
    assert type(ts) is LiveTs and ts.name == "ort" and ts.parameter("token") == "secret"
    begin_ms = 1_795_194_000_000  # 2026-11-20T17:00:00Z
    shifted = parse("/timeshift/me/secret/90/2026-11-20:18-00/ort.m3u8")
    assert isinstance(shifted, ArchivePlaylist) and shifted.event
    assert (shifted.name, shifted.from_ms, shifted.duration_ms) == ("ort", begin_ms, 5_400_000)
    assert shifted.up == "../../../../../ort/"
    assert shifted.child == "mono-1795194000-5400" and shifted.inherited == "token=secret&event=true"
    download = parse("/timeshift/me/secret/90/2026-11-20:18-00/1477.ts")
    assert isinstance(download, TsExport) and download.name == "1477"
    assert (download.from_ms, download.duration_ms) == (begin_ms, 5_400_000)
    with_token = parse("/timeshift/me/secret/1/2026-07-20:18-00/ort.ts", "token=other")
    assert with_token.parameter("token") == "other"
    assert isinstance(with_token, TsExport) and with_token.from_ms == 1_784_563_200_000, "summer time"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/timeshift/me/secret/90/2026-02-31:18-00/ort.ts", 404),
        ("/timeshift/me/secret/0/2026-02-01:18-00/ort.ts", 400),
        ("/timeshift/me/secret/999999/9999-12-31:23-59/ort.ts", 400),
        ("/timeshift/me/secret/90/1950-02-01:18-00/ort.ts", 400),
        ("/timeshift/me/secret/1234567/2026-02-01:18-00/ort.ts", 404),
        ("/live/me/secret/ort.mp4", 404),
        ("/live/me/ort", 404),
    ],
)
def test_what_is_no_url_of_such_a_panel(path: str, status: int) -> None:
    with pytest.raises(DvrError) as caught:
        parse(path)
    assert caught.value.status == status


def test_a_stream_below_such_a_name_keeps_its_urls() -> None:
    parsed = parse("/live/a/b/index.m3u8")
    assert isinstance(parsed, LivePlaylist) and parsed.name == "live/a/b"
    assert parse("/timeshift/a/b/mono.m3u8").name == "timeshift/a/b"


@pytest.mark.parametrize("row", [row for row in ROWS if issubclass(row[1], Playlist)], ids=lambda row: row[0])
def test_the_child_of_a_playlist_is_a_media_playlist_of_the_same_window(
    row: tuple[str, type[Playlist], dict[str, object]],
) -> None:
    path, _, query = row[0].partition("?")
    parsed = parse("/ort/" + path, query)
    assert isinstance(parsed, Playlist)
    child = parse(f"/ort/{parsed.child}.fmp4.m3u8", parsed.propagated)
    assert type(child) is type(parsed)
    assert isinstance(child, Playlist) and not child.multivariant
    for field in ("from_ms", "duration_ms", "back_ms", "delay_ms", "event"):
        assert getattr(child, field, None) == getattr(parsed, field, None)

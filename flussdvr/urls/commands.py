"""
Commands: what follows the name of a stream in a media URL, and which value it makes.

A row a form, the first that matches counts. Parameters of the query are read here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from flussdvr.media import Codec
from flussdvr.urls.numbers import MAX_MS, NUMBER, bad, calendar, count_of, duration_of, milliseconds, moment, window
from flussdvr.urls.values import (
    ArchivePlaylist,
    ImagePlaylist,
    InitSegment,
    LivePlaylist,
    LiveTs,
    MediaInfo,
    MediaPath,
    Mp4Export,
    Picture,
    RangeList,
    RecordingStatus,
    RewindPlaylist,
    Segment,
    SpritePicture,
    TimeshiftAbsPlaylist,
    TimeshiftAbsTs,
    TimeshiftRelPlaylist,
    TimeshiftRelTs,
    TsExport,
)

Base = dict[str, Any]
Make = Callable[[dict[str, Any], Base, int], MediaPath]

_CODECS = "|".join(codec for codec in Codec if codec.is_video)
_LIST = rf"(?:(?P<list>index|archive|video|mono|playlist)(?:\.(?P<codec>{_CODECS}))?(?:\.(?P<before>fmp4|ts))?)"
_END = rf"(?:\.(?P<coded>{_CODECS}))?(?:\.(?P<after>fmp4|ts))?\.m3u8"
_FROM = rf"(?P<from>{NUMBER})"
_WINDOW = rf"{_FROM}-(?P<duration>{NUMBER}|now)"
_DATE = r"(?P<Y>[0-9]{4})/(?P<M>[0-9]{1,2})/(?P<D>[0-9]{1,2})/(?P<h>[0-9]{1,2})/(?P<m>[0-9]{1,2})/(?P<s>[0-9]{1,2})"
_IMAGES = r"images-(?P<width>[0-9]{1,4})x(?P<height>[0-9]{1,4})"
LONGEST = 6

_MEDIA_LISTS = ("video", "mono")


def _playlist(groups: dict[str, Any], base: Base, count: int) -> Base:
    name = groups.get("list") or ("mono" if groups.get("mono") else "index")
    container = groups.get("after") or groups.get("before") or ("ts" if name == "video" else None)
    codec = groups.get("coded") or groups.get("codec")
    return {
        **base,
        "multivariant": name not in _MEDIA_LISTS,
        "container": container,
        "depth": count - 1,
        "codec": Codec(codec) if codec else None,
    }


def _live(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return LivePlaylist(**_playlist(groups, base, count))


def _archive(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    event = any(key == "event" and value.lower() in ("true", "1", "") for key, value in base["query"])
    return ArchivePlaylist(**_playlist(groups, base, count), **window(groups), event=event)


def _rewind(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return RewindPlaylist(**_playlist(groups, base, count), back_ms=duration_of(groups["seconds"]))


def _timeshift_abs(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftAbsPlaylist(**_playlist(groups, base, count), from_ms=moment(groups["from"]))


def _timeshift_rel(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftRelPlaylist(**_playlist(groups, base, count), delay_ms=_milliseconds_below(groups["seconds"]))


def _milliseconds_below(text: str) -> int:
    """A delay, where 0 is the live edge itself."""
    return min(milliseconds(text), MAX_MS)


def _mp4(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    keep, split = (pair in base["query"] for pair in (("gaps", "keep"), ("split", "true")))
    return Mp4Export(**base, **window(groups), keep_gaps=keep, split=split)


def _ts(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TsExport(**base, **window(groups))


def _abs_ts(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftAbsTs(**base, from_ms=moment(groups["from"]))


def _rel_ts(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftRelTs(**base, delay_ms=_milliseconds_below(groups["seconds"]))


def _segment(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    container = "ts" if groups["extension"] == "ts" else "fmp4"
    return Segment(**base, begin_ms=calendar(groups), duration_ms=int(groups["length"]), container=container)


def _init(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return InitSegment(**base, digest=groups["digest"])


def _picture(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    dated = "Y" in groups
    utc = calendar(groups) if dated else moment(groups["from"]) if groups.get("from") else None
    stored = not groups.get("preview")
    return Picture(**base, utc_ms=utc, kind=groups["kind"], stored=stored, calendar=dated)


def _sprite(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    span = window(groups)
    return SpritePicture(
        **base,
        utc_ms=span["from_ms"],
        duration_ms=span["duration_ms"],
        columns=int(groups["columns"]),
        rows=int(groups["rows"]),
        index=groups["extension"] == "vtt",
    )


def _image_size(groups: dict[str, Any]) -> tuple[int, int]:
    size = int(groups["width"]), int(groups["height"])
    if not (16 <= min(size) and max(size) <= 3840):
        raise bad("the size of a picture is from 16 to 3840 pixels")
    return size


def _image_playlist(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    span = window(groups)
    return ImagePlaylist(
        **base,
        utc_ms=span["from_ms"],
        duration_ms=span["duration_ms"],
        count=int(groups["count"]),
        size=_image_size(groups),
    )


def _image(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    utc_ms = min(moment(groups["from"]) + _milliseconds_below(groups["offset"]), MAX_MS)
    return Picture(**base, utc_ms=utc_ms, size=_image_size(groups))


def _status(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    parsed = MediaPath(**base)
    begin, end, requested = parsed.parameter("from"), parsed.parameter("to"), parsed.parameter("request")
    return RecordingStatus(
        **base,
        from_ms=moment(begin) if begin else None,
        to_ms=moment(end) if end and end != "now" else None,
        requested=frozenset(requested.split(",")) if requested else frozenset({"ranges"}),
    )


def _ranges(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    parsed = MediaPath(**base)

    def given(name: str, read: Callable[[str], int]) -> int | None:
        text = parsed.parameter(name)
        return None if text in (None, "", "null", "undefined") else read(str(text))

    return RangeList(
        **base,
        closed_from_ms=given("closed_at_gte", moment),
        opened_until_ms=given("opened_at_lte", moment),
        resolution_ms=given("resolution", _milliseconds_below) or 0,
        limit=given("limit", count_of),
        cursor=parsed.parameter("cursor") or None,
    )


def _table(rows: Iterable[tuple[str, Make]]) -> list[tuple[re.Pattern[str], Make]]:
    return [(re.compile(pattern), make) for pattern, make in rows]


COMMANDS = _table(
    [
        (rf"{_LIST}\.m3u8", _live),
        (rf"{_LIST}-{_WINDOW}{_END}", _archive),
        (rf"archive/{_FROM}/(?P<duration>{NUMBER}|now)/{_LIST}{_END}", _archive),
        (rf"(?:{_LIST}-)?rewind-(?P<seconds>{NUMBER}){_END}", _rewind),
        (rf"(?:{_LIST}-)?timeshift_abs(?P<mono>_mono)?-{_FROM}{_END}", _timeshift_abs),
        (rf"(?:{_LIST}-)?timeshift_rel(?P<mono>_mono)?-(?P<seconds>{NUMBER}){_END}", _timeshift_rel),
        (r"mpegts", lambda groups, base, count: LiveTs(**base)),
        (rf"(?:archive|index|video|mono|timeshift_abs)-{_WINDOW}\.mp4", _mp4),
        (rf"(?:archive|index|video|mono|timeshift_abs)-{_WINDOW}\.ts", _ts),
        (rf"archive/{_FROM}/(?P<duration>{NUMBER}|now)/mpegts", _ts),
        (rf"(?:timeshift_abs-)?{_FROM}\.ts", _abs_ts),
        (rf"timeshift_abs/{_FROM}", _abs_ts),
        (rf"timeshift_rel-(?P<seconds>{NUMBER})\.ts", _rel_ts),
        (rf"timeshift_rel/(?P<seconds>{NUMBER})", _rel_ts),
        (rf"{_DATE}(?:\.(?P<fraction>[0-9]{{3}}))?-(?P<length>[0-9]{{1,9}})\.(?P<extension>m4s|ts)", _segment),
        (r"init-(?P<digest>[0-9a-f]{16})\.mp4", _init),
        (rf"{_DATE}\.(?P<kind>jpg)", _picture),
        (rf"{_DATE}(?P<preview>-preview)\.(?P<kind>jpg|mp4)", _picture),
        (rf"{_FROM}\.(?P<kind>jpg)", _picture),
        (rf"(?:{_FROM}-)?(?P<preview>preview)\.(?P<kind>jpg|mp4)", _picture),
        (
            rf"sprite-{_FROM}-(?P<duration>{NUMBER})-(?P<columns>[0-9]{{1,3}})x(?P<rows>[0-9]{{1,3}})"
            r"\.(?P<extension>jpg|vtt)",
            _sprite,
        ),
        (
            rf"{_IMAGES}/tpl-{_FROM}-(?P<duration>{NUMBER})-(?P<count>[0-9]{{1,4}})\.m3u8",
            _image_playlist,
        ),
        (rf"{_IMAGES}/seg-{_FROM}-(?P<offset>{NUMBER})\.hls\.jpg", _image),
        (r"recording_status\.json", _status),
        (r"ranges\.json", _ranges),
        (r"(?:media_)?info\.json", lambda groups, base, count: MediaInfo(**base)),
    ]
)

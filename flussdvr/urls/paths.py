"""
Media URLs: one value per kind of URL that a player or a publisher may use.

    /{name}/[tracks-v1a1/]{command}

    live       index.m3u8  video.m3u8  mono.m3u8  playlist.m3u8  index.fmp4.m3u8  mpegts
    archive    index-F-D.m3u8  archive-F-now.m3u8  rewind-N.m3u8  timeshift_abs-F.m3u8  timeshift_rel-N.ts ...
               archive-F-D.mp4  archive-F-D.ts  archive/F/D/mpegts  F.ts
    xc         /live/USER/PASSWORD/NAME  /timeshift/USER/PASSWORD/MINUTES/Y-m-d:H-M/NAME.ts  (Xtream Codes)
    segments   YYYY/MM/DD/hh/mm/ss.mmm-DDDDD.m4s  init-<digest>.mp4
    pictures   F.jpg  F-preview.jpg  preview.mp4  YYYY/MM/DD/hh/mm/ss-preview.mp4  sprite-F-D-10x10.jpg ...
    data       recording_status.json  ranges.json  media_info.json  info.json

The command is what follows the name, and the name may contain slashes: so the longest command at the end of the path
is looked for, and what is left in front is the name. Every URL is parsed here, before any work is done for it; what
is not one of these is a `DvrError` (400 or 404) and never anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from flussdvr.errors import DvrError, Kind
from flussdvr.playback.selection import Selection, parse_selection
from flussdvr.timeline import MILLISECOND_DIGITS

MAX_PATH = 2048
MAX_QUERY = 8192
MAX_OPENING = 40
MAX_MS = 253_402_300_799_000  # the end of the year 9999, where calendars stop
RESOLVED = frozenset({"utc", "lutc"})
"""Parameters that are spent once the URL is understood, and do not go on to the URLs inside a playlist."""

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MediaPath:
    """What every media URL has: the stream's name, a choice of its tracks (or `None` for all), the query."""

    name: str
    tracks: Selection | None = None
    query: Query = ()

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, `None` if it is absent."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def propagated(self) -> str:
        """The query that URLs inside a playlist inherit: the viewer's token, above all."""
        return urlencode([pair for pair in self.query if pair[0] not in RESOLVED])


@dataclass(frozen=True, slots=True)
class Playlist(MediaPath):
    """
    An HLS playlist of any kind.

    `multivariant`: a list of renditions (`index`, `archive`), otherwise one media playlist (`video`, `mono`).
    `container` is `fmp4`, `ts` or `None` where the stream's setting decides. `depth`: how many directories the URL is
    below the stream's own, or below the one that has the stream at `base`.
    """

    multivariant: bool = False
    container: str | None = None
    depth: int = 0
    base: str = ""

    @property
    def up(self) -> str:
        """From the playlist to the stream's own directory."""
        return "../" * self.depth + self.base

    @property
    def inherited(self) -> str:
        """As `propagated`, for a multivariant playlist: the choice of tracks is in its children's paths."""
        return urlencode([pair for pair in self.query if pair[0] not in RESOLVED | {"filter", "filter.tracks"}])

    @property
    def child(self) -> str:
        """The name of the media playlist for the same window, without its container."""
        return "mono"


@dataclass(frozen=True, slots=True)
class LivePlaylist(Playlist):
    pass


@dataclass(frozen=True, slots=True)
class ArchivePlaylist(Playlist):
    """`index-F-D.m3u8`; `duration_ms` is `None` for `now`. `event`: may grow while its end is in the future."""

    from_ms: int = 0
    duration_ms: int | None = None
    event: bool = False

    @property
    def child(self) -> str:
        duration = "now" if self.duration_ms is None else spell(self.duration_ms)
        return f"mono-{spell(self.from_ms)}-{duration}"


@dataclass(frozen=True, slots=True)
class RewindPlaylist(Playlist):
    """`rewind-N.m3u8`: a sliding live playlist that reaches `back_ms` back."""

    back_ms: int = 0

    @property
    def child(self) -> str:
        return f"mono-rewind-{spell(self.back_ms)}"


@dataclass(frozen=True, slots=True)
class TimeshiftAbsPlaylist(Playlist):
    """`timeshift_abs-F.m3u8`: an endless live playlist that was at F when the session first asked for it."""

    from_ms: int = 0

    @property
    def child(self) -> str:
        return f"mono-timeshift_abs-{spell(self.from_ms)}"

    @property
    def inherited(self) -> str:
        """With `lutc`, so that the media playlist is that of the same opening."""
        opening = f"lutc={quote(self.opening)}" if self.opening else ""
        return "&".join(filter(None, (Playlist.inherited.fget(self), opening)))  # type: ignore[attr-defined]

    @property
    def opening(self) -> str:
        """What tells one opening of this moment from another by the same viewer: when it was asked for, if known."""
        return (self.parameter("lutc") or "")[:MAX_OPENING]


@dataclass(frozen=True, slots=True)
class TimeshiftRelPlaylist(Playlist):
    """`timeshift_rel-N.m3u8`: the live playlist of `delay_ms` ago."""

    delay_ms: int = 0

    @property
    def child(self) -> str:
        return f"mono-timeshift_rel-{spell(self.delay_ms)}"


@dataclass(frozen=True, slots=True)
class Mp4Export(MediaPath):
    """
    `archive-F-D.mp4`; `duration_ms` is `None` for `now`, `keep_gaps` keeps wall-clock distances, `split` asks for a
    file per configuration.
    """

    from_ms: int = 0
    duration_ms: int | None = None
    keep_gaps: bool = False
    split: bool = False


@dataclass(frozen=True, slots=True)
class TsExport(MediaPath):
    """`archive-F-D.ts` and `archive/F/D/mpegts`: a download; `duration_ms` is `None` for `now`."""

    from_ms: int = 0
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LiveTs(MediaPath):
    """`mpegts`: endless live MPEG-TS; with `POST` or `PUT`, where a publisher sends it."""


@dataclass(frozen=True, slots=True)
class TimeshiftAbsTs(MediaPath):
    """`timeshift_abs-F.ts`, `timeshift_abs/F`, `F.ts`: endless MPEG-TS from F on, in real time."""

    from_ms: int = 0


@dataclass(frozen=True, slots=True)
class TimeshiftRelTs(MediaPath):
    """`timeshift_rel-N.ts`, `timeshift_rel/N`: endless MPEG-TS of `delay_ms` ago."""

    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Segment(MediaPath):
    """One segment by absolute time; `container` is `fmp4` or `ts`."""

    begin_ms: int = 0
    duration_ms: int = 0
    container: str = "fmp4"


@dataclass(frozen=True, slots=True)
class InitSegment(MediaPath):
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Picture(MediaPath):
    """
    `utc_ms` is `None` for the newest; `stored`: a recorded JPEG, otherwise made on demand; `size`: width and height
    that it must fit into, if the URL says so.
    """

    utc_ms: int | None = None
    kind: str = "jpg"
    stored: bool = False
    calendar: bool = False
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SpritePicture(Picture):
    """`sprite-F-D-CxR.jpg`: many small pictures of a window in one; `index`: the WebVTT that tells where each is."""

    duration_ms: int = 0
    columns: int = 0
    rows: int = 0
    index: bool = False

    @property
    def from_ms(self) -> int:
        return self.utc_ms or 0

    @property
    def picture(self) -> str:
        """The name of the picture."""
        return f"sprite-{spell(self.from_ms)}-{spell(self.duration_ms)}-{self.columns}x{self.rows}.jpg"


@dataclass(frozen=True, slots=True)
class ImagePlaylist(Picture):
    """`images-WxH/tpl-F-D-N.m3u8`: an HLS playlist of `count` pictures of a window."""

    duration_ms: int = 0
    count: int = 0

    @property
    def from_ms(self) -> int:
        return self.utc_ms or 0


@dataclass(frozen=True, slots=True)
class RecordingStatus(MediaPath):
    """`recording_status.json`: `requested` names what to tell; `to_ms` is `None` for `now` or absent."""

    from_ms: int | None = None
    to_ms: int | None = None
    requested: frozenset[str] = frozenset({"ranges"})


@dataclass(frozen=True, slots=True)
class RangeList(MediaPath):
    """
    `ranges.json`: what is recorded, in pages, as the vendor's own player asks for it.

    Only ranges that end at `closed_from_ms` or later and begin at `opened_until_ms` or earlier; gaps shorter than
    `resolution_ms` are not shown. `limit` and `cursor` as in the API's collections.
    """

    closed_from_ms: int | None = None
    opened_until_ms: int | None = None
    resolution_ms: int = 0
    limit: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class MediaInfo(MediaPath):
    """`media_info.json` and `info.json`: the public description of the stream."""


def parse(path: str, query: str = "") -> MediaPath:
    """
    The meaning of a URL's path and query, both as they stood in the request line (percent-encoded).

    Raises `DvrError` with kind BAD_REQUEST or NOT_FOUND.
    """
    pairs = parse_query(query)
    parts = _components(path)
    if (shifted := _XTREAM_SHIFT.fullmatch("/".join(parts))) is not None:
        return _xtream_shift(shifted.groupdict(), len(parts) - 1, pairs)
    for count in range(min(_LONGEST, len(parts) - 1), 0, -1):
        parsed = _command("/".join(parts[-count:]), parts[:-count], count, pairs)
        if parsed is not None:
            return _shifted(parsed)
    if (live := _XTREAM_LIVE.fullmatch("/".join(parts))) is not None:
        return _shifted(_xtream_live(live.groupdict(), len(parts) - 1, pairs))
    raise DvrError(Kind.NOT_FOUND, "not_found", "no such media URL")


def parse_query(query: str) -> Query:
    """
    The parameters in order, with the mistakes of known players mended: a second `?`, a literal `&amp;`, upper case
    in `utc` and `lutc`.
    """
    if len(query) > MAX_QUERY:
        raise _bad("the query is too long")
    pairs = []
    for item in re.split(r"[&?]", re.sub(r"&amp;", "&", query, flags=re.IGNORECASE)):
        key, _, value = item.partition("=")
        key, value = _decode(key.replace("+", " ")), _decode(value.replace("+", " "))
        if key:
            pairs.append((key.lower() if key.lower() in RESOLVED else key, value))
    return tuple(pairs)


def spell(ms: int) -> str:
    """Milliseconds as a number of seconds for a URL: `1700000000` or `1700000000.250`."""
    return f"{ms // 1000}" if ms % 1000 == 0 else f"{ms // 1000}.{ms % 1000:03d}"


def segment_path(begin_ms: int, duration_ms: int, extension: str) -> str:
    """The URL of a segment relative to its stream."""
    begin = datetime.fromtimestamp(begin_ms // 1000, UTC)
    return f"{begin:%Y/%m/%d/%H/%M/%S}.{begin_ms % 1000:03d}-{duration_ms:05d}.{extension}"


def _nested(parsed: MediaPath, front: list[str]) -> MediaPath:
    """`tracks-v1a1/` is a directory more."""
    if isinstance(parsed, Playlist) and "/".join(front) != parsed.name:
        return replace(parsed, depth=parsed.depth + 1)
    return parsed


def _components(path: str) -> list[str]:
    if len(path) > MAX_PATH:
        raise _bad("the path is too long")
    parts = [_decode(part) for part in path.lstrip("/").split("/")]
    for part in parts:
        if (
            part in (".", "..")
            or "/" in part
            or "\\" in part
            or any(ord(char) < 32 or ord(char) == 127 for char in part)
        ):
            raise _bad("the path is not allowed")
        if not part:
            raise DvrError(Kind.NOT_FOUND, "not_found", "no such media URL")
    return parts


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise _bad("the URL is not UTF-8") from None


def _command(command: str, front: list[str], count: int, query: Query) -> MediaPath | None:
    for pattern, make in _COMMANDS:
        match = pattern.fullmatch(command)
        if match is not None:
            name, tracks = _name_and_tracks(front, query)
            parsed = make(match.groupdict(), {"name": name, "tracks": tracks, "query": query}, count)
            return _nested(parsed, front)
    return None


def _name_and_tracks(front: list[str], query: Query) -> tuple[str, Selection | None]:
    tracks = None
    if len(front) > 1 and front[-1].startswith("tracks-"):
        tracks = parse_selection(front[-1].removeprefix("tracks-"))
        front = front[:-1]
    for key, value in query:
        if key == "filter.tracks":
            tracks = parse_selection(value)
        elif key == "filter" and value.startswith("tracks:"):
            tracks = parse_selection(value.removeprefix("tracks:"))
    return "/".join(front), tracks


def _shifted(parsed: MediaPath) -> MediaPath:
    """A live URL with `?utc=` is one of the archive."""
    utc = parsed.parameter("utc")
    if utc is None or not isinstance(parsed, LivePlaylist | LiveTs):
        return parsed
    from_ms = _moment(utc)
    if isinstance(parsed, LiveTs):
        return TimeshiftAbsTs(parsed.name, parsed.tracks, parsed.query, from_ms)
    return TimeshiftAbsPlaylist(
        parsed.name,
        parsed.tracks,
        parsed.query,
        parsed.multivariant,
        parsed.container,
        parsed.depth,
        parsed.base,
        from_ms,
    )


# --- Xtream Codes ----------------------------------------------------------------------------------------------------
# Players that take the server for such a panel (`catchup="xc"` in Kodi's playlists). PASSWORD is the viewer's token,
# USER is not looked at. A moment is local time, as the panels have it: the server's time zone has to be the players'.
#
#     /live/USER/PASSWORD/NAME                                             /live/USER/PASSWORD/NAME.m3u8
#     /timeshift/USER/PASSWORD/MINUTES/YYYY-mm-dd:HH-MM/NAME.ts            .../NAME.m3u8

_XTREAM_LIVE = re.compile(r"live/[^/]+/(?P<password>[^/]+)/(?P<name>[^/.]+)(?P<extension>\.m3u8|)")
_XTREAM_SHIFT = re.compile(
    r"timeshift/[^/]+/(?P<password>[^/]+)/(?P<minutes>[0-9]{1,6})/(?P<begin>[0-9]{4}-[0-9]{2}-[0-9]{2}:[0-9]{2}-[0-9]{2})"
    r"/(?P<name>[^/.]+)(?P<extension>\.m3u8|\.ts)"
)


def _xtream_live(groups: dict[str, str], depth: int, query: Query) -> MediaPath:
    name, query = groups["name"], _with_token(query, groups["password"])
    if groups["extension"]:
        return LivePlaylist(name, None, query, True, None, depth, f"{quote(name)}/")
    return LiveTs(name, None, query)


def _xtream_shift(groups: dict[str, str], depth: int, query: Query) -> MediaPath:
    name, query = groups["name"], _with_token(query, groups["password"])
    duration_ms = int(groups["minutes"]) * 60_000
    try:
        from_ms = int(datetime.strptime(groups["begin"], "%Y-%m-%d:%H-%M").timestamp()) * 1000
    except (ValueError, OverflowError, OSError):
        raise DvrError(Kind.NOT_FOUND, "not_found", "no such moment") from None
    if not (0 <= from_ms <= MAX_MS - duration_ms and duration_ms):
        raise _bad("that is no window")
    if groups["extension"] == ".ts":
        return TsExport(name, None, query, from_ms, duration_ms)
    query = (*query, ("event", "true"))  # of a programme that is not over yet
    return ArchivePlaylist(name, None, query, True, None, depth, f"{quote(name)}/", from_ms, duration_ms, True)


def _with_token(query: Query, password: str) -> Query:
    return query if any(key == "token" for key, _ in query) else (*query, ("token", password))


# --- numbers ---------------------------------------------------------------------------------------------------------


def _bad(title: str) -> DvrError:
    return DvrError(Kind.BAD_REQUEST, "bad_request", title)


_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,9})?"
_NUMBER_PATTERN = re.compile(_NUMBER)
_COUNT_PATTERN = re.compile(r"[0-9]{1,9}")


def _milliseconds(text: str) -> int:
    if not _NUMBER_PATTERN.fullmatch(text):
        raise _bad(f"{text[:40]!r} is not a number of seconds")
    whole, _, fraction = text.partition(".")
    if len(whole) >= MILLISECOND_DIGITS:
        return int(whole)
    return int(whole) * 1000 + int((fraction + "000")[:3])


def _moment(text: str) -> int:
    """A UTC moment in milliseconds."""
    ms = _milliseconds(text)
    if ms > MAX_MS:
        raise _bad(f"{text[:40]} is no moment of this calendar")
    return ms


def _duration(text: str) -> int:
    ms = _milliseconds(text)
    if not 0 < ms <= MAX_MS:
        raise _bad(f"{text[:40]} is no duration")
    return ms


def _window(groups: dict[str, Any]) -> dict[str, Any]:
    duration = None if groups["duration"] == "now" else _duration(groups["duration"])
    from_ms = _moment(groups["from"])
    if duration is not None:
        duration = min(duration, max(1, MAX_MS - from_ms))
    return {"from_ms": from_ms, "duration_ms": duration}


def _calendar(groups: dict[str, Any]) -> int:
    try:
        fields = [int(groups[key]) for key in ("Y", "M", "D", "h", "m", "s")]
        moment = datetime(*fields, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        raise DvrError(Kind.NOT_FOUND, "not_found", "no such moment") from None
    fraction = groups.get("fraction") or ""
    return int(moment.timestamp()) * 1000 + int((fraction + "000")[:3])


# --- the table of commands -------------------------------------------------------------------------------------------

Base = dict[str, Any]
Make = Callable[[dict[str, Any], Base, int], MediaPath]

_LIST = r"(?:(?P<list>index|archive|video|mono|playlist)(?:\.(?P<before>fmp4|ts))?)"
_END = r"(?:\.(?P<after>fmp4|ts))?\.m3u8"
_FROM = rf"(?P<from>{_NUMBER})"
_WINDOW = rf"{_FROM}-(?P<duration>{_NUMBER}|now)"
_DATE = r"(?P<Y>[0-9]{4})/(?P<M>[0-9]{1,2})/(?P<D>[0-9]{1,2})/(?P<h>[0-9]{1,2})/(?P<m>[0-9]{1,2})/(?P<s>[0-9]{1,2})"
_IMAGES = r"images-(?P<width>[0-9]{1,4})x(?P<height>[0-9]{1,4})"
_LONGEST = 6

_MEDIA_LISTS = ("video", "mono")


def _playlist(groups: dict[str, Any], base: Base, count: int) -> Base:
    name = groups.get("list") or ("mono" if groups.get("mono") else "index")
    container = groups.get("after") or groups.get("before") or ("ts" if name == "video" else None)
    return {**base, "multivariant": name not in _MEDIA_LISTS, "container": container, "depth": count - 1}


def _live(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return LivePlaylist(**_playlist(groups, base, count))


def _archive(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    event = any(key == "event" and value.lower() in ("true", "1", "") for key, value in base["query"])
    return ArchivePlaylist(**_playlist(groups, base, count), **_window(groups), event=event)


def _rewind(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return RewindPlaylist(**_playlist(groups, base, count), back_ms=_duration(groups["seconds"]))


def _timeshift_abs(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftAbsPlaylist(**_playlist(groups, base, count), from_ms=_moment(groups["from"]))


def _timeshift_rel(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftRelPlaylist(**_playlist(groups, base, count), delay_ms=_milliseconds_below(groups["seconds"]))


def _milliseconds_below(text: str) -> int:
    """A delay, where 0 is the live edge itself."""
    return min(_milliseconds(text), MAX_MS)


def _mp4(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    keep, split = (pair in base["query"] for pair in (("gaps", "keep"), ("split", "true")))
    return Mp4Export(**base, **_window(groups), keep_gaps=keep, split=split)


def _ts(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TsExport(**base, **_window(groups))


def _abs_ts(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftAbsTs(**base, from_ms=_moment(groups["from"]))


def _rel_ts(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return TimeshiftRelTs(**base, delay_ms=_milliseconds_below(groups["seconds"]))


def _segment(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    container = "ts" if groups["extension"] == "ts" else "fmp4"
    return Segment(**base, begin_ms=_calendar(groups), duration_ms=int(groups["length"]), container=container)


def _init(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    return InitSegment(**base, digest=groups["digest"])


def _picture(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    calendar = "Y" in groups
    utc = _calendar(groups) if calendar else _moment(groups["from"]) if groups.get("from") else None
    stored = not groups.get("preview")
    return Picture(**base, utc_ms=utc, kind=groups["kind"], stored=stored, calendar=calendar)


def _sprite(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    window = _window(groups)
    return SpritePicture(
        **base,
        utc_ms=window["from_ms"],
        duration_ms=window["duration_ms"],
        columns=int(groups["columns"]),
        rows=int(groups["rows"]),
        index=groups["extension"] == "vtt",
    )


def _image_size(groups: dict[str, Any]) -> tuple[int, int]:
    size = int(groups["width"]), int(groups["height"])
    if not (16 <= min(size) and max(size) <= 3840):
        raise _bad("the size of a picture is from 16 to 3840 pixels")
    return size


def _image_playlist(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    window = _window(groups)
    return ImagePlaylist(
        **base,
        utc_ms=window["from_ms"],
        duration_ms=window["duration_ms"],
        count=int(groups["count"]),
        size=_image_size(groups),
    )


def _image(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    utc_ms = min(_moment(groups["from"]) + _milliseconds_below(groups["offset"]), MAX_MS)
    return Picture(**base, utc_ms=utc_ms, size=_image_size(groups))


def _status(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    parsed = MediaPath(**base)
    begin, end, requested = parsed.parameter("from"), parsed.parameter("to"), parsed.parameter("request")
    return RecordingStatus(
        **base,
        from_ms=_moment(begin) if begin else None,
        to_ms=_moment(end) if end and end != "now" else None,
        requested=frozenset(requested.split(",")) if requested else frozenset({"ranges"}),
    )


def _ranges(groups: dict[str, Any], base: Base, count: int) -> MediaPath:
    parsed = MediaPath(**base)

    def given(name: str, read: Callable[[str], int]) -> int | None:
        text = parsed.parameter(name)
        return None if text in (None, "", "null", "undefined") else read(str(text))

    return RangeList(
        **base,
        closed_from_ms=given("closed_at_gte", _moment),
        opened_until_ms=given("opened_at_lte", _moment),
        resolution_ms=given("resolution", _milliseconds_below) or 0,
        limit=given("limit", _count),
        cursor=parsed.parameter("cursor") or None,
    )


def _count(text: str) -> int:
    if not _COUNT_PATTERN.fullmatch(text):
        raise _bad(f"{text[:40]!r} is not a number")
    return int(text)


def _table(rows: Iterable[tuple[str, Make]]) -> list[tuple[re.Pattern[str], Make]]:
    return [(re.compile(pattern), make) for pattern, make in rows]


_COMMANDS = _table(
    [
        (rf"{_LIST}\.m3u8", _live),
        (rf"{_LIST}-{_WINDOW}{_END}", _archive),
        (rf"archive/{_FROM}/(?P<duration>{_NUMBER}|now)/{_LIST}{_END}", _archive),
        (rf"(?:{_LIST}-)?rewind-(?P<seconds>{_NUMBER}){_END}", _rewind),
        (rf"(?:{_LIST}-)?timeshift_abs(?P<mono>_mono)?-{_FROM}{_END}", _timeshift_abs),
        (rf"(?:{_LIST}-)?timeshift_rel(?P<mono>_mono)?-(?P<seconds>{_NUMBER}){_END}", _timeshift_rel),
        (r"mpegts", lambda groups, base, count: LiveTs(**base)),
        (rf"(?:archive|index|video|mono|timeshift_abs)-{_WINDOW}\.mp4", _mp4),
        (rf"(?:archive|index|video|mono|timeshift_abs)-{_WINDOW}\.ts", _ts),
        (rf"archive/{_FROM}/(?P<duration>{_NUMBER}|now)/mpegts", _ts),
        (rf"(?:timeshift_abs-)?{_FROM}\.ts", _abs_ts),
        (rf"timeshift_abs/{_FROM}", _abs_ts),
        (rf"timeshift_rel-(?P<seconds>{_NUMBER})\.ts", _rel_ts),
        (rf"timeshift_rel/(?P<seconds>{_NUMBER})", _rel_ts),
        (rf"{_DATE}(?:\.(?P<fraction>[0-9]{{3}}))?-(?P<length>[0-9]{{1,9}})\.(?P<extension>m4s|ts)", _segment),
        (r"init-(?P<digest>[0-9a-f]{16})\.mp4", _init),
        (rf"{_DATE}\.(?P<kind>jpg)", _picture),
        (rf"{_DATE}(?P<preview>-preview)\.(?P<kind>jpg|mp4)", _picture),
        (rf"{_FROM}\.(?P<kind>jpg)", _picture),
        (rf"(?:{_FROM}-)?(?P<preview>preview)\.(?P<kind>jpg|mp4)", _picture),
        (
            rf"sprite-{_FROM}-(?P<duration>{_NUMBER})-(?P<columns>[0-9]{{1,3}})x(?P<rows>[0-9]{{1,3}})"
            r"\.(?P<extension>jpg|vtt)",
            _sprite,
        ),
        (
            rf"{_IMAGES}/tpl-{_FROM}-(?P<duration>{_NUMBER})-(?P<count>[0-9]{{1,4}})\.m3u8",
            _image_playlist,
        ),
        (rf"{_IMAGES}/seg-{_FROM}-(?P<offset>{_NUMBER})\.hls\.jpg", _image),
        (r"recording_status\.json", _status),
        (r"ranges\.json", _ranges),
        (r"(?:media_)?info\.json", lambda groups, base, count: MediaInfo(**base)),
    ]
)

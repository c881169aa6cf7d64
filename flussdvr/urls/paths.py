"""
Media URLs, read: a path and its query become the value of their kind.

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
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from flussdvr.errors import DvrError, Kind
from flussdvr.playback.selection import Selection, parse_selection
from flussdvr.urls.commands import COMMANDS, LONGEST
from flussdvr.urls.numbers import bad, moment
from flussdvr.urls.values import (
    RESOLVED,
    LivePlaylist,
    LiveTs,
    MediaPath,
    Playlist,
    Query,
    TimeshiftAbsPlaylist,
    TimeshiftAbsTs,
)
from flussdvr.urls.xtream import LIVE, SHIFT, xtream_live, xtream_shift

MAX_PATH = 2048
MAX_QUERY = 8192


def parse(path: str, query: str = "") -> MediaPath:
    """
    The meaning of a URL's path and query, both as they stood in the request line (percent-encoded).

    Raises `DvrError` with kind BAD_REQUEST or NOT_FOUND.
    """
    pairs = parse_query(query)
    parts = _components(path)
    if (shifted := SHIFT.fullmatch("/".join(parts))) is not None:
        return xtream_shift(shifted.groupdict(), len(parts) - 1, pairs)
    for count in range(min(LONGEST, len(parts) - 1), 0, -1):
        parsed = _command("/".join(parts[-count:]), parts[:-count], count, pairs)
        if parsed is not None:
            return _shifted(parsed)
    if (live := LIVE.fullmatch("/".join(parts))) is not None:
        return _shifted(xtream_live(live.groupdict(), len(parts) - 1, pairs))
    raise DvrError(Kind.NOT_FOUND, "not_found", "no such media URL")


def parse_query(query: str) -> Query:
    """
    The parameters in order, with the mistakes of known players mended: a second `?`, a literal `&amp;`, upper case
    in `utc` and `lutc`.
    """
    if len(query) > MAX_QUERY:
        raise bad("the query is too long")
    pairs = []
    for item in re.split(r"[&?]", re.sub(r"&amp;", "&", query, flags=re.IGNORECASE)):
        key, _, value = item.partition("=")
        key, value = _decode(key.replace("+", " ")), _decode(value.replace("+", " "))
        if key:
            pairs.append((key.lower() if key.lower() in RESOLVED else key, value))
    return tuple(pairs)


def _nested(parsed: MediaPath, front: list[str]) -> MediaPath:
    """`tracks-v1a1/` is a directory more."""
    if isinstance(parsed, Playlist) and "/".join(front) != parsed.name:
        return replace(parsed, depth=parsed.depth + 1)
    return parsed


def _components(path: str) -> list[str]:
    if len(path) > MAX_PATH:
        raise bad("the path is too long")
    parts = [_decode(part) for part in path.lstrip("/").split("/")]
    for part in parts:
        if (
            part in (".", "..")
            or "/" in part
            or "\\" in part
            or any(ord(char) < 32 or ord(char) == 127 for char in part)
        ):
            raise bad("the path is not allowed")
        if not part:
            raise DvrError(Kind.NOT_FOUND, "not_found", "no such media URL")
    return parts


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise bad("the URL is not UTF-8") from None


def _command(command: str, front: list[str], count: int, query: Query) -> MediaPath | None:
    for pattern, make in COMMANDS:
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
    from_ms = moment(utc)
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
        parsed.codec,
        from_ms,
    )

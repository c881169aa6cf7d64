"""
URLs of Xtream Codes.

Players that take the server for such a panel (`catchup="xc"` in Kodi's playlists). PASSWORD is the viewer's token,
USER is not looked at. A moment is local time, as the panels have it: the server's time zone has to be the players'.

    /live/USER/PASSWORD/NAME                                             /live/USER/PASSWORD/NAME.m3u8
    /timeshift/USER/PASSWORD/MINUTES/YYYY-mm-dd:HH-MM/NAME.ts            .../NAME.m3u8
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote

from flussdvr.errors import DvrError, Kind
from flussdvr.urls.numbers import MAX_MS, bad
from flussdvr.urls.values import ArchivePlaylist, LivePlaylist, LiveTs, MediaPath, Query, TsExport

LIVE = re.compile(r"live/[^/]+/(?P<password>[^/]+)/(?P<name>[^/.]+)(?P<extension>\.m3u8|)")
SHIFT = re.compile(
    r"timeshift/[^/]+/(?P<password>[^/]+)/(?P<minutes>[0-9]{1,6})/(?P<begin>[0-9]{4}-[0-9]{2}-[0-9]{2}:[0-9]{2}-[0-9]{2})"
    r"/(?P<name>[^/.]+)(?P<extension>\.m3u8|\.ts)"
)


def xtream_live(groups: dict[str, str], depth: int, query: Query) -> MediaPath:
    name, query = groups["name"], _with_token(query, groups["password"])
    if groups["extension"]:
        return LivePlaylist(name, None, query, True, None, depth, f"{quote(name)}/")
    return LiveTs(name, None, query)


def xtream_shift(groups: dict[str, str], depth: int, query: Query) -> MediaPath:
    name, query = groups["name"], _with_token(query, groups["password"])
    duration_ms = int(groups["minutes"]) * 60_000
    try:
        from_ms = int(datetime.strptime(groups["begin"], "%Y-%m-%d:%H-%M").timestamp()) * 1000
    except (ValueError, OverflowError, OSError):
        raise DvrError(Kind.NOT_FOUND, "not_found", "no such moment") from None
    if not (0 <= from_ms <= MAX_MS - duration_ms and duration_ms):
        raise bad("that is no window")
    if groups["extension"] == ".ts":
        return TsExport(name, None, query, from_ms, duration_ms)
    query = (*query, ("event", "true"))  # of a programme that is not over yet
    return ArchivePlaylist(name, None, query, True, None, depth, f"{quote(name)}/", None, from_ms, duration_ms, True)


def _with_token(query: Query, password: str) -> Query:
    return query if any(key == "token" for key, _ in query) else (*query, ("token", password))

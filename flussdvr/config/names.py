"""
Which stream names are possible: a name is part of URLs and of paths on disk at the same time.
"""

from __future__ import annotations

import re

RESERVED_FIRST = frozenset({"streamer", "flussonic", "admin", "ui", "static", "metrics", "favicon.ico", "robots.txt"})
"""What the server itself answers under; no stream name begins with one of these."""

RESERVED_LAST = frozenset({"mpegts", "archive", "embed.html", "media_info.json", "recording_status.json"})
_COMMAND = re.compile(r".*\.(m3u8|mpd|mp4|m4s|ts|jpg)")
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f-\xa0\\?#%*"<>|;{}]')
_YEAR = re.compile(r"[0-9]{4}")

MAX_NAME_BYTES = 512
MAX_PART_BYTES = 200


def stream_name_problem(name: str) -> str | None:
    """Why `name` cannot be a stream's name, or None if it can."""
    parts = name.split("/")
    if not name:
        return "a stream name must not be empty"
    if name.startswith("/") or name.endswith("/"):
        return "a stream name must not begin or end with '/'"
    if any(part in ("", ".", "..") for part in parts):
        return "a stream name must not contain '//', '.' or '..' as a part"
    if any(part.startswith((".", "@")) for part in parts):
        return "no part of a stream name may begin with '.' or '@'"
    if found := _FORBIDDEN.search(name):
        return f"a stream name must not contain {found.group()!r}"
    try:
        encoded = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "a stream name must be valid Unicode"
    if max(encoded) > MAX_PART_BYTES or sum(encoded) + len(parts) > MAX_NAME_BYTES:
        return f"a stream name is at most {MAX_NAME_BYTES} bytes, a part of it {MAX_PART_BYTES}"
    if parts[0] in RESERVED_FIRST:
        return f"'{parts[0]}' is reserved: the server answers under that name"
    if parts[-1] in RESERVED_LAST or _COMMAND.fullmatch(parts[-1]):
        return f"'{parts[-1]}' is reserved: it is what comes after a stream name in a URL"
    return None


def archive_owner(name: str, others: set[str]) -> str | None:
    """
    The stream among `others` whose archive directory `name` would lie in, or None.

    `cam` records to `cam/2026/11/...`: beside it a stream `cam/2026` would record into the same directory.
    """
    parts = name.split("/")
    for end in range(1, len(parts)):
        if _YEAR.fullmatch(parts[end]) and (owner := "/".join(parts[:end])) in others:
            return owner
    return None

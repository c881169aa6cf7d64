"""
Which stream names are possible: a name is part of URLs and of paths on disk at the same time, and people read it.
"""

from __future__ import annotations

import re
import unicodedata

RESERVED_FIRST = frozenset({"streamer", "flussonic", "admin", "ui", "static", "metrics", "favicon.ico", "robots.txt"})
"""What the server itself answers under; no stream name begins with one of these."""

RESERVED_LAST = frozenset(
    "mpegts archive embed.html watch.html media_info.json info.json recording_status.json ranges.json".split()
)
_COMMAND = re.compile(r".*\.(m3u8|mpd|mp4|m4s|ts|jpg|vtt)")
ARCHIVE_FILES = frozenset({"locks.json"})
"""What the archive keeps in a stream's own directory (as `casefold()` has it); other such names begin with a dot."""
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f-\xa0\\?#%*"<>|;{}]')
_YEAR = re.compile(r"[0-9]{4}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Unicode's categories of what cannot be seen or turns the direction of what can: controls, formats, spaces."""
_FILLERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What is invisible although its category says that it is a letter or a mark (Default_Ignorable_Code_Point)."""
_LIKE_PATHS = re.compile("[\u06d4\u0701\u0702\u2044\u2215\u2216\u29f5\u29f8\u29f9\u3002\ua60e\ua4f8\ua789\u2236\u2571]")
"""What looks like `.`, `/`, `\\` or `:` and is not made of them (Unicode's confusables)."""

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
    if problem := _unicode_problem(name):
        return problem
    try:
        encoded = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "a stream name must be valid Unicode"
    if max(encoded) > MAX_PART_BYTES or sum(encoded) + len(parts) > MAX_NAME_BYTES:
        return f"a stream name is at most {MAX_NAME_BYTES} bytes, a part of it {MAX_PART_BYTES}"
    if parts[0] in RESERVED_FIRST:
        return f"'{parts[0]}' is reserved: the server answers under that name"
    if any(part.casefold() in ARCHIVE_FILES for part in parts):
        return "no part of a stream name may be 'locks.json': the archive keeps a file of that name"
    if any(part.casefold().endswith(".mp4") for part in parts):
        return "no part of a stream name may end in '.mp4': files of that name may be among the recordings"
    if parts[-1] in RESERVED_LAST or _COMMAND.fullmatch(parts[-1]):
        return f"'{parts[-1]}' is reserved: it is what comes after a stream name in a URL"
    return None


def _unicode_problem(name: str) -> str | None:
    """Characters that make two names look alike, or one name look like something else."""
    for char in name:
        if unicodedata.category(char) in _UNSEEN or _FILLERS.match(char):
            return f"a stream name must not contain U+{ord(char):04X}: it cannot be seen"
        if char > "\x7f" and (_LIKE_PATHS.match(char) or set("./\\:") & set(unicodedata.normalize("NFKC", char))):
            return f"a stream name must not contain U+{ord(char):04X}: it looks like what separates names"
    if unicodedata.normalize("NFC", name) != name:
        return "a stream name must be in Unicode's composed form (NFC): another spelling of it looks the same"
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

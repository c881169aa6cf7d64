# -*- test-case-name: tests.database.test_rows -*-
"""
What stands in a row, or why the row makes no sense.

    row --read_blob--> Blob      as the catalog says it
                   `-> Blob      SUSPECT: the row names a file, the rest is nonsense, so the file is looked into
                   `-> Nonsense  the row names no file: it is set aside

SQLite stores any type in any column and checks no text, and a flipped bit on the disk passes its checks: nothing in a
row becomes a time, a size or a path unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flussdvr.archive.disk.blob import Blob, BlobState, stream_directory
from flussdvr.archive.disk.recovery import LONGEST_BLOB_MS
from flussdvr.errors import DvrError
from flussdvr.json_text import parse_json
from flussdvr.timeline import MAX_MS, Range

Row = Sequence[object]

MAX_SIZE = 1 << 50
MAX_SEQUENCE = 1 << 53
MAX_SEGMENT_MS = 86_400_000
MAX_HOLES = 1 << 20
"""Characters of JSON: forty thousand holes."""
MAX_NAME = 4096
MAX_REASON = 100
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LINK_ID = re.compile(r"[0-9a-f]{16}")
_FORMAT = re.compile(r"[a-z0-9_]{1,20}")


class Nonsense(ValueError):
    """A row that means nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class RootRow:
    """`path` is `None` for a disk in whose place another was found; `imported`: all that is on it has a row."""

    uuid: str
    path: str | None
    imported: bool = True


@dataclass(slots=True)
class LinkRow:
    """
    A link to `[begin_ms, end_ms)` of a stream, until `expires_ms`. `max_uses`: how many viewers may use it, `None`
    for any number; `uses`: how many have.
    """

    id: str
    stream: str
    begin_ms: int
    end_ms: int
    formats: tuple[str, ...]
    expires_ms: int
    max_uses: int | None
    uses: int
    title: str | None
    created_by: str
    created_ms: int
    revoked: bool = False


def read_root(row: Row) -> RootRow:
    """Of `uuid, path, imported`."""
    uuid, path, imported = row
    if not isinstance(uuid, str) or not uuid or len(uuid) > MAX_NAME or not _encodable(uuid):
        raise Nonsense("its uuid is none")
    return RootRow(uuid, None if path is None else root_path(path), imported != 0)


def read_blob(row: Row) -> Blob:
    """
    Of `id, stream, path, begin_ms, end_ms, size, index_size, state, segment_ms, sequence, after, holes, freed,
    discontinuity`.

    SUSPECT, with nothing in it, where the row names a blob and says something of it that can't be. Nonsense.
    """
    id, stream, root, begin_ms, *rest = row
    if root is None:
        raise Nonsense("it belongs to no storage root")
    root = root_path(root)
    name, begin = stream_name(stream), moment(begin_ms, "begin_ms")
    number = integer(id, "id", 1, (1 << 63) - 1)
    try:
        return _whole_blob(Blob(name, root, begin, begin, id=number), rest)
    except Nonsense:
        return Blob(name, root, begin, begin, state=BlobState.SUSPECT, id=number)


def _whole_blob(blob: Blob, rest: Row) -> Blob:
    end_ms, size, index_size, state, segment_ms, sequence, after, holes, freed, discontinuity = rest
    blob.end_ms = integer(end_ms, "end_ms", blob.begin_ms, min(MAX_MS, blob.begin_ms + LONGEST_BLOB_MS))
    blob.size = integer(size, "size", 0, MAX_SIZE)
    blob.index_size = integer(index_size, "index_size", 0, MAX_SIZE)
    blob.state = BlobState(integer(state, "state", min(BlobState), max(BlobState)))
    blob.segment_ms = integer(segment_ms, "segment_ms", 0, MAX_SEGMENT_MS)
    blob.sequence = integer(sequence, "sequence", 0, MAX_SEQUENCE)
    blob.after = None if after is None else text(after, "after", MAX_REASON)
    blob.holes = read_holes(holes, blob.range)
    blob.freed = integer(freed, "freed", 0, MAX_SIZE)
    blob.discontinuity = integer(discontinuity, "discontinuity", 0, MAX_SEQUENCE)
    if blob.disk_size < 0:
        raise Nonsense("more of it was freed than it had")
    if blob.state is BlobState.CLOSED and not (blob.size and blob.index_size and blob.range):
        raise Nonsense("it is closed and empty")
    return blob


def read_holes(value: object, within: Range) -> tuple[Range, ...]:
    """JSON of what was deleted of a blob: in order, none empty, all of it `within` the blob."""
    if value is None:
        return ()
    pairs = json_value(value, "holes", MAX_HOLES)
    if not isinstance(pairs, list):
        raise Nonsense("its holes are no list")
    holes = [read_range(pair) for pair in pairs]
    edges = [within.begin_ms, *(edge for hole in holes for edge in (hole.begin_ms, hole.end_ms)), within.end_ms]
    if edges != sorted(edges):
        raise Nonsense("its holes are not in order, or not in it")
    return tuple(holes)


def read_range(pair: object) -> Range:
    """Of `[begin_ms, end_ms]`."""
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise Nonsense("a range has a begin and an end")
    begin_ms, end_ms = moment(pair[0], "begin_ms"), moment(pair[1], "end_ms")
    if begin_ms >= end_ms:
        raise Nonsense(f"the range ends ({end_ms}) before it begins ({begin_ms})")
    return Range(begin_ms, end_ms)


def read_stream_range(row: Row) -> tuple[str, Range]:
    """Of `stream, begin_ms, end_ms`: a lock."""
    stream, begin_ms, end_ms = row
    return stream_name(stream), read_range((begin_ms, end_ms))


def read_deletion(row: Row) -> tuple[str, Range, bool]:
    """Of `stream, begin_ms, end_ms, cover`."""
    stream, begin_ms, end_ms, cover = row
    return stream_name(stream), read_range((begin_ms, end_ms)), bool(cover)


def read_named_text(row: Row) -> tuple[str, str]:
    """Of a name and a text: an override, an export job."""
    name, value = row
    return text(name, "its name", MAX_NAME), text(value, "its text", 1 << 24)


def read_signed_out(row: Row) -> tuple[str, int]:
    """Of `id, expires_ms`."""
    id, expires_ms = row
    return text(id, "id", MAX_NAME), moment(expires_ms, "expires_ms")


def read_link(row: Row) -> LinkRow:
    """Of the columns of `link`, in their order."""
    id, stream, begin_ms, end_ms, formats, expires_ms, max_uses, uses, title, created_by, created_ms, revoked = row
    if not isinstance(id, str) or not _LINK_ID.fullmatch(id):
        raise Nonsense("its id is none")
    words = tuple(text(formats, "formats", MAX_NAME).split())
    if not all(_FORMAT.fullmatch(word) for word in words):
        raise Nonsense("its formats are none")
    span = read_range((begin_ms, end_ms))
    return LinkRow(
        id,
        stream_name(stream),
        span.begin_ms,
        span.end_ms,
        words,
        moment(expires_ms, "expires_ms"),
        None if max_uses is None else integer(max_uses, "max_uses", 1, 1 << 40),
        integer(uses, "uses", 0, 1 << 40),
        None if title is None else text(title, "title", MAX_NAME),
        text(created_by, "created_by", MAX_NAME),
        moment(created_ms, "created_ms"),
        revoked != 0,
    )


# -- values -------------------------------------------------------------------------------------------------------


def integer(value: object, what: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Nonsense(f"{what} is {_shown(value)}, not a number from {least} to {most}")
    return value


def moment(value: object, what: str) -> int:
    """UTC milliseconds."""
    return integer(value, what, 0, MAX_MS)


def text(value: object, what: str, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit or not _encodable(value) or "\0" in value:
        raise Nonsense(f"{what} is {_shown(value)}, no text")
    return value


def root_path(value: object) -> str:
    """A path that a storage root may have."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value or len(value) > MAX_NAME:
        raise Nonsense("its path is none")
    return value


def stream_name(value: object) -> str:
    """A name that a stream's directory may have."""
    name = text(value, "stream", MAX_NAME)
    try:
        stream_directory("", name)
    except DvrError as error:
        raise Nonsense(error.title) from None
    return name


def json_value(value: object, what: str, limit: int) -> object:
    try:
        return parse_json(text(value, what, limit), limit)
    except (ValueError, RecursionError) as error:
        raise Nonsense(f"{what}: {str(error)[:200]}") from None


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return True


def _shown(value: object) -> str:
    shown = ascii(value) if not isinstance(value, str | bytes) else ascii(value[:60])
    return shown[:60]

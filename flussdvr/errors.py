"""
Errors: what went wrong, in one word that every layer understands.

Formats raise `FormatError` (the bytes are not what the standard says). The ingest edge turns it into a log line
and a dropped connection, the archive edge into `Kind.CORRUPT`. Everything else raises `DvrError` with a kind; the
web edge maps kinds to HTTP statuses with `STATUS`, once.
"""

from __future__ import annotations

from enum import Enum


class FormatError(ValueError):
    """Bytes from outside that do not follow their standard; the message says what was needed and what was there."""


class Kind(Enum):
    BAD_REQUEST = "bad_request"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    OUT_OF_RANGE = "out_of_range"
    CORRUPT = "corrupt"
    """What is on a disk is not what its standard or its index says: damage."""
    INTERNAL = "internal"
    """We are wrong: a bug, which is logged with its traceback."""
    NO_SPACE = "no_space"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"


STATUS: dict[Kind, int] = {
    Kind.BAD_REQUEST: 400,
    Kind.DENIED: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.OUT_OF_RANGE: 416,
    Kind.CORRUPT: 500,
    Kind.INTERNAL: 500,
    Kind.UNAVAILABLE: 503,
    Kind.NO_SPACE: 507,
}


class DvrError(Exception):
    """
    A refusal with its reason.

    `code` is the machine's word for it (`stream_not_found`, `no_recordings`), `title` the person's sentence,
    `source` where in the request the cause stands (`{"parameter": "from"}`), or empty.
    """

    def __init__(self, kind: Kind, code: str, title: str, source: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {title}")
        self.kind = kind
        self.code = code
        self.title = title
        self.source = source or {}

    @property
    def status(self) -> int:
        return STATUS[self.kind]

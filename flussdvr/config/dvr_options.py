"""What can be said of an archive, in the file and in documents."""

from __future__ import annotations

from typing import Any

from flussdvr.config import doubts
from flussdvr.config.documents import Field, JsonSchema, boolean, expected, limit, number, text, words
from flussdvr.config.options import PATH, Option, OptionKind, aliases, keys, rules, word
from flussdvr.config.reading import listed, path
from flussdvr.config.urls import read_scheme
from flussdvr.config.values import DURATION, INTERVAL, PERCENT, SIZE, Kind, read_interval
from flussdvr.logs.redaction import redact_url

MAX_BYTES = (1 << 63) - 1
MAX_SECONDS = 100 * 366 * 86_400


def _read_copy(url: str) -> str:
    read_scheme(url, ("s3", "s3s", "swift"))
    return url


def _copy(value: Any) -> str | None:
    return None if value is False else _read_copy(text(value))


def _schedule(value: Any) -> tuple[tuple[int, int], ...]:
    def interval(pair: Any) -> tuple[int, int]:
        if isinstance(pair, str):
            return read_interval(pair)
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(one) is int for one in pair):
            raise expected("pairs of hhmm such as [800, 1600]", pair)
        return read_interval(f"{pair[0]}-{pair[1]}")

    return words(interval)(value)


def _root(value: Any) -> str:
    if not text(value).startswith("/") or ".." in value.split("/") or not value.isprintable():
        raise expected("an absolute path of characters that can be seen", ascii(value))
    return value.rstrip("/") or "/"


def _limit_schema(unit: str, most: int | None = None) -> JsonSchema:
    """A limit in documents. Without `most` what a number of 64 bits holds, which JSON's readers often do not."""
    bounds = {"minimum": 0} if most is None else {"minimum": 0, "maximum": most}
    return {"type": "integer", **bounds, "description": f"{unit}; 0 is no limit", "x-also": ["boolean"]}


_SCHEDULE_SCHEMA = {
    "type": "array",
    "items": {"type": "array", "x-also": ["string"], "items": {"type": "integer"}},
    "description": "pairs of hhmm, UTC, such as [[800,1600],[2200,130]]",
}

ROOT = Option(
    "root",
    "root",
    OptionKind(
        PATH.argument,
        path,
        lambda field: Field(field, _root, schema={"type": "string", "description": "directory; absolute"}),
    ),
    "the directory; streams record to `ROOT/STREAM/`",
    "needed",
)
LIMITS = (
    Option(
        "expiration",
        "expiration_s",
        word(
            DURATION,
            "duration; 0 is no limit",
            limit(MAX_SECONDS),
            doubt=doubts.expiration,
            schema=_limit_schema("seconds", MAX_SECONDS),
        ),
        "what is older is deleted",
        "no limit",
        older=("dvr_limit",),
    ),
    Option(
        "storage_limit",
        "storage_limit",
        word(SIZE, "size; 0 is no limit", limit(MAX_BYTES), doubt=doubts.archive_size, schema=_limit_schema("bytes")),
        "of one stream's archive; the oldest is deleted",
        "no limit",
        older=("disk_space",),
    ),
    Option(
        "disk_usage_limit",
        "disk_usage_limit",
        word(
            PERCENT,
            "percent; 0 is no limit",
            limit(100),
            doubt=doubts.disk_usage,
            schema=_limit_schema("percent of the whole disk", 100),
        ),
        "of the whole disk; the oldest is deleted when it is fuller",
        "no limit",
        older=("disk_limit",),
    ),
)
OPTIONS = (
    *LIMITS,
    Option(
        "sync_interval",
        "sync_interval_s",
        word(
            DURATION,
            "duration",
            number(1, 3600),
            doubt=doubts.sync_interval,
            schema={"type": "integer", "minimum": 1, "maximum": 3600, "description": "seconds"},
        ),
        "how often recordings are made safe against loss of power",
        "`5s`",
    ),
    Option(
        "schedule",
        "schedule",
        OptionKind(
            "list of `hhmm-hhmm` in UTC, without leading zeros; may pass midnight",
            lambda field: listed(field, INTERVAL),
            lambda field: Field(
                field, _schedule, lambda value: [list(pair) for pair in value] or None, schema=_SCHEDULE_SCHEMA
            ),
        ),
        "when to record: `schedule 800-1600 2200-130;`",
        "always",
    ),
    Option(
        "copy",
        "copy",
        word(
            Kind(_read_copy),
            "URL of an object store (`s3://KEY:SECRET@host/bucket`, `s3s://`, `swift://`), or `off`",
            _copy,
            masked=redact_url,
            off=True,
            schema={"type": "string", "x-also": ["boolean"]},
        ),
        "each finished hour is copied there. Locks do not work with it",
        "none",
    ),
)
_REFERENCE = Option(
    "reference",
    "name",
    OptionKind("", json=lambda field: Field(field, text, schema={"type": "string", "description": "name of a dvr"})),
)
_OFFLINE = Option(
    "dvr_offline",
    "offline",
    OptionKind("", json=lambda field: Field(field, boolean, lambda value: value or None, schema={"type": "boolean"})),
)
"""What the file says by `dvr @NAME` and `dvr_offline`."""

LIMIT_KEYS = tuple(option.name for option in LIMITS)
LIMIT_FIELDS = tuple(option.field for option in LIMITS)
DVR_RULES = rules(OPTIONS)
ROOT_RULES = rules((ROOT, *OPTIONS))
DVR_FIELDS = keys((ROOT, _REFERENCE, *OPTIONS, _OFFLINE))
STORAGE_FIELDS = keys((ROOT, *OPTIONS))
DVR_ALIASES = aliases(OPTIONS)
"""The older names: read, never shown."""

"""
What a configuration says and hardly means: sentences for warnings.

    expiration 7;      seven seconds         only event=stream_startd;      no such event
    storage_limit 400; 400 bytes             on_play URL max_sesions=2;     sent to the backend, and limits nothing

A doubt never keeps a file from being used. Each function gives a sentence, or `None` where there is no doubt. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

from flussdvr.config.errors import nearest, shown
from flussdvr.config.values import write_duration
from flussdvr.glob import glob

Doubt = Callable[[str, Any], str | None]
"""Of the text of a word and the value that it was read as."""

SHORTEST_EXPIRATION_S = 600
SHORTEST_BARE_EXPIRATION_S = 3600
"""A number without a unit below this was probably meant in minutes, hours or days."""
LONGEST_SYNC_S = 300
"""So much of what was recorded is lost when the power fails."""
LONGEST_TIMEOUT_S = 900
"""A timeout that is longer was probably meant in milliseconds."""
SMALLEST_ARCHIVE = 10 << 20
SMALLEST_LOG = 10 << 10
SESSION_KEYS = ("name", "ip", "proto", "token")
EVERYWHERE = ("0.0.0.0/0", "::/0")


def expiration(text: str, seconds: int) -> str | None:
    if not seconds or seconds >= (SHORTEST_BARE_EXPIRATION_S if text.isdigit() else SHORTEST_EXPIRATION_S):
        return None
    return f"{shown(text)} keeps {write_duration(seconds)} of recordings" + _unit(text, "seconds", "d", "days")


def timeout(text: str, seconds: int | None) -> str | None:
    if seconds is None or 1 <= seconds <= LONGEST_TIMEOUT_S or not text.isdigit():
        return None
    if not seconds:
        return "0 gives up at once; off means never"
    return f"{text} without a unit is {text} seconds ({write_duration(seconds)}), not milliseconds"


def sync_interval(text: str, seconds: int) -> str | None:
    if seconds <= LONGEST_SYNC_S:
        return None
    unit = f"; {text} without a unit is seconds, not milliseconds" if text.isdigit() else ""
    return f"{shown(text)}: a power failure loses up to {write_duration(seconds)} of recordings{unit}"


def everybody(text: str, value: Any) -> str | None:
    """Of an address in `allow ip`."""
    return f"{text} lets everybody in" if str(value) in EVERYWHERE else None


def password(text: str, value: str) -> str | None:
    return None if value else "an empty password keeps nobody out"


def delay(text: str, seconds: int) -> str | None:
    return timeout(text, seconds or None)


def archive_size(text: str, size: int) -> str | None:
    if not size or size >= SMALLEST_ARCHIVE:
        return None
    return f"{shown(text)} keeps {size} bytes of recordings" + _unit(text, "bytes", "G", "GiB")


def log_size(text: str, size: int) -> str | None:
    if size >= SMALLEST_LOG:
        return None
    return f"{shown(text)} is {size} bytes: the file is renamed after every few events"


def disk_usage(text: str, percent: int) -> str | None:
    if percent == 100:
        return "100% never deletes anything: a disk that is full stops recording"
    if 0 < percent < 20:
        return f"{shown(text)} deletes recordings while {100 - percent}% of the disk are free"
    return None


def session_key(text: str, value: str) -> str | None:
    if text in SESSION_KEYS or re.fullmatch(r"header\.[A-Za-z0-9-]+", text):
        return None
    return f"{shown(text)} makes no session; known are {', '.join(SESSION_KEYS)} and header.NAME"


def network(text: str, value: Any) -> str | None:
    if str(value) not in EVERYWHERE:
        return None
    return f"{text} believes what anybody says of their own address"


def parameter(url: str, known: Sequence[str]) -> tuple[str, str | None] | None:
    """Of the query of a URL that only we read: a parameter that there is not; with what may have been meant."""
    scheme, _, rest = url.partition("://")
    for name, _ in parse_qsl(rest.partition("?")[2], keep_blank_values=True):
        if name not in known:
            called = "such option" if scheme.lower() == "securetoken" else f"option {shown(name)}"  # a key may have a ?
            return f"{scheme}:// has no {called}", nearest(name, known)
    return None


def passed_along(name: str, what: str, known: Iterable[str], to: str) -> tuple[str, str | None]:
    """Of an option that is not ours: the sentence, and what may have been meant."""
    return f"{shown(name)} is no option of {what}: {to}", nearest(name, known)


def event_filter(key: str, pattern: str) -> tuple[str, str | None] | None:
    """Of one `key=pattern` of a sink's `only` or `except`; with what may have been meant."""
    events, fields = known_events(), known_fields()
    if key not in fields:
        return f"no event has a field {shown(key)}: this matches nothing", nearest(key, fields)
    if key != "event" or any(glob(pattern)(event) for event in events):
        return None
    return f"there is no event {shown(pattern)}", nearest(pattern.strip("*"), events)


def stream_filter(pattern: str, streams: Iterable[str]) -> tuple[str, str | None] | None:
    """Of a `media=pattern`, where all streams are known."""
    names = list(streams)
    if any(glob(pattern)(name) for name in names):
        return None
    return f"there is no stream {shown(pattern)}", nearest(pattern, names)


@lru_cache(1)
def _schema() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(files("flussdvr.events").joinpath("schema.json").read_bytes())
    return found


@lru_cache(1)
def known_events() -> frozenset[str]:
    """The names of all events, as their schema has them."""
    return frozenset(_constants(_schema()))


@lru_cache(1)
def known_fields() -> frozenset[str]:
    """The names of all fields of all events."""
    return frozenset(_properties(_schema()))


def _constants(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        event = node.get("properties", {}).get("event", {}) if isinstance(node.get("properties"), dict) else {}
        yield from [event["const"]] if "const" in event else event.get("enum", ())
        for one in node.values():
            yield from _constants(one)
    elif isinstance(node, list):
        for one in node:
            yield from _constants(one)


def _properties(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield from node["properties"]
        for one in node.values():
            yield from _properties(one)
    elif isinstance(node, list):
        for one in node:
            yield from _properties(one)


def _unit(text: str, meant: str, unit: str, called: str) -> str:
    return f" (without a unit this means {meant}; write {text}{unit} for {called})" if text.isdigit() else ""

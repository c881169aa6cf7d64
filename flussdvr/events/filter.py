# -*- test-case-name: tests.events.test_filter -*-
"""
Which events a sink gets.

    only event=a,b media=cam*;      within a set every key must match, by any of its values; `*` is a wildcard
    only event=dvr_*;               several sets are alternatives; no set: everything
    except media=test;              what matches any of these is left out
    level warning;                  what is less severe is left out
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flussdvr.config.model import Filter
from flussdvr.glob import glob

LEVELS = ("debug", "info", "notice", "warning", "error", "alert", "critical")
LEVEL_OF: Mapping[str, str] = {
    "source_lost": "warning",
    "thumbnail_failed": "warning",
    "dvr_drop_write": "error",
    "dvr_write_failed": "error",
    "dvr_root_failed": "error",
    "dvr_deletion_failed": "error",
    "dvr_root_imported": "warning",
    "dvr_locks_damaged": "error",
    "dvr_stream_in_use": "error",
    "catalog_rebuilt": "error",
    "catalog_failed": "error",
    "catalog_rows_set_aside": "error",
    "events_dropped": "error",
    "config_reload_failed": "error",
}
"""How severe an event is; any other is "info"."""


def level_of(event: str) -> str:
    return LEVEL_OF.get(event, "info")


def matches(value: Any, patterns: Sequence[str]) -> bool:
    """Whether a field's value is one of `patterns`. A field that is missing or null is nothing, not even `*`."""
    if value is None:
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return any(glob(pattern)(text) for pattern in patterns)


def all_match(event: Mapping[str, Any], chosen: Filter) -> bool:
    return all(matches(event.get(key), patterns) for key, patterns in chosen.items())


def wanted(
    event: Mapping[str, Any], only: Sequence[Filter], except_: Sequence[Filter] = (), level: str | None = None
) -> bool:
    """Whether a sink with these settings gets `event`."""
    if level is not None and LEVELS.index(level_of(str(event.get("event")))) < LEVELS.index(level):
        return False
    if only and not any(all_match(event, chosen) for chosen in only):
        return False
    return not any(all_match(event, chosen) for chosen in except_)


def may_want(name: str, only: Sequence[Filter], except_: Sequence[Filter] = (), level: str | None = None) -> bool:
    """Whether any event of this name could be wanted: what nobody wants need not be made."""
    event = {"event": name}
    chosen = [{key: each[key] for key in ("event",) if key in each} for each in only]
    return wanted(event, chosen, [each for each in except_ if each.keys() == {"event"}], level)

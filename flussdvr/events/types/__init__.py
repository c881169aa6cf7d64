# -*- test-case-name: tests.events.test_event_schema -*-
"""
Events as values: a frozen dataclass each, by subject. They are below everything, so that every room may emit them.

    emit(SourceLost(media="cam", reason="timeout"))

`EVENTS` has all of them by name. `schema.json` beside this folder describes the same fields; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flussdvr.events.types import archive, catalog, server, streams, viewers
from flussdvr.events.types.event import Event


def _named() -> dict[str, type[Event]]:
    """The classes of the subjects that have a name; those that only hold common fields have none."""
    found: dict[str, type[Event]] = {}
    for module in (server, streams, viewers, archive, catalog):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Event) and "event" in vars(kind):
                if found.setdefault(kind.event, kind) is not kind:
                    raise TypeError(f"two classes are {kind.event}")
    return found


EVENTS: Mapping[str, type[Event]] = MappingProxyType(_named())

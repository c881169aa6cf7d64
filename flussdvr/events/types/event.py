# -*- test-case-name: tests.events.types.test_event -*-
"""
What all events have in common: the way from a value to JSON.

    SourceLost(media="cam", reason="timeout")  ->  {"event": "source_lost", "media": "cam", "reason": "timeout"}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

Document = dict[str, Any]
"""The JSON object of an event: its fields as sinks, filters and the API see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that has happened. Immutable, so it may be passed between threads.

    A subclass is one event of docs/events.md. Its attributes are the fields of the JSON object, by name and in order.
    A field with the default None is left out while it is None; any other is always written, also as null.
    """

    event: ClassVar[str]
    """The name of the event."""

    def document(self) -> Document:
        """The fields as JSON values, `event` first. The caller owns the result."""
        found: Document = {"event": self.event}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                found[field.name] = list(value) if isinstance(value, tuple) else value
        return found


OnEvent = Callable[[Event], None]
"""Told what happens; returns at once."""

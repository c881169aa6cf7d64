"""What tests keep of the events that something emits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flussdvr.events.types.event import Event


def documents(into: list[Any]) -> Callable[[Event], None]:
    """An `on_event` that appends each event to `into` as the JSON object that sinks get."""
    return lambda event: into.append(event.document())

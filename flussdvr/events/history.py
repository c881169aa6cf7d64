# -*- test-case-name: tests.events.test_history -*-
"""
What has happened lately, in RAM: for those who look at a page instead of keeping a sink.

    web_request  dvr_new_fragment  dvr_deleted_fragments  *_updated     too many, or too long: not kept
    play_* of who only looks at pictures                                the page does so itself: not kept
    everything else                                                     the last 1000
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

KEPT = 1000
PICTURES = frozenset({"jpeg", "mp4"})
TOO_MANY = frozenset({"web_request", "dvr_new_fragment", "dvr_deleted_fragments"})

Event = Mapping[str, Any]


def is_kept(event: str) -> bool:
    """Whether events of this name are kept."""
    return event not in TOO_MANY and not event.endswith("_updated")


class History:
    """The newest `limit` events, oldest first."""

    def __init__(self, limit: int = KEPT) -> None:
        self._events: deque[Event] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Event) -> None:
        pictures = event["event"].startswith("play_") and event.get("proto") in PICTURES
        if is_kept(event["event"]) and not pictures:
            self._events.append(event)

    def find(
        self, limit: int, after: str | None = None, names: Collection[str] = (), media: str | None = None
    ) -> list[Event]:
        """
        At most `limit` events of these names (of all, if none is named) and this stream, oldest first.

        Those that follow the event with the id `after`, so that who asks again and again misses none; the newest
        there are without it, and where it is not known (any more).
        """
        following = self._after(after)
        chosen = [
            event
            for event in (self._events if following is None else following)
            if (not names or event["event"] in names) and (media is None or event.get("media") == media)
        ]
        return chosen[max(0, len(chosen) - limit) :] if following is None else chosen[:limit]

    def _after(self, id: str | None) -> list[Event] | None:
        if id is None:
            return None
        for back, event in enumerate(reversed(self._events)):
            if event["event_id"] == id:
                return list(islice(self._events, len(self._events) - back, None))
        return None

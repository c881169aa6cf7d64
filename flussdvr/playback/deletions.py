# -*- test-case-name: tests.playback.test_deletions -*-
"""
Deletions that meet downloads which are under way.

    watch(name) -----> Watch ------ takes(begin, end)? --> the download skips that, or breaks off
                         ^
    delete(name, ...) ---'          somebody has deleted ranges of the stream

What was measured, indexed or muxed before a deletion may still be in RAM after it: whoever sends that asks first.
"""

from __future__ import annotations

from weakref import WeakSet

from flussdvr.live.window import Deleted
from flussdvr.playback.fragments import Span
from flussdvr.timeline import Range

MOST = 1000
"""Different deletions that one download tells apart; after more of them, everything counts as deleted."""


class Watch:
    """What was deleted of one stream since the watch began."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._deleted: dict[Deleted, None] = {}

    def add(self, deleted: Deleted) -> None:
        if len(self._deleted) <= MOST:
            self._deleted[deleted] = None

    def takes(self, span: Span) -> bool:
        """Whether any fragment of `span` was deleted."""
        if not self._deleted:
            return False
        rows = slice(span.first, span.stop)
        times = list(zip(span.table.begin_ms[rows].tolist(), span.table.end_ms[rows].tolist(), strict=True))
        return len(self._deleted) > MOST or any(one.takes(*time) for one in self._deleted for time in times)


class Deletions:
    """Only in the reactor thread. A watch ends when nobody holds it any more."""

    def __init__(self) -> None:
        self._watches: WeakSet[Watch] = WeakSet()

    def __len__(self) -> int:
        return len(self._watches)

    def watch(self, name: str) -> Watch:
        """Watch the deletions of the stream `name` from now on."""
        watch = Watch(name)
        self._watches.add(watch)
        return watch

    def delete(self, name: str, spans: tuple[Range, ...], touching: bool) -> None:
        """Somebody has deleted these ranges of a stream. See `live.window.Deleted`."""
        for watch in tuple(self._watches):
            if watch.name == name:
                watch.add(Deleted(spans, touching))

# -*- test-case-name: tests.database.test_watch -*-
"""
What is wrong with the catalog, told once when it begins and once when it is over.
"""

from __future__ import annotations

from twisted.logger import Logger

from flussdvr.database.catalog import Catalog, CatalogState
from flussdvr.events.types.catalog import CatalogFailed, CatalogRebuilt, CatalogRecovered, CatalogRowsSetAside
from flussdvr.events.types.event import OnEvent


class CatalogWatch:
    """`look` at it now and then, in the reactor thread."""

    log = Logger()

    def __init__(self, catalog: Catalog, on_event: OnEvent) -> None:
        self._catalog = catalog
        self._on_event = on_event
        self._before = CatalogState()

    def look(self) -> None:
        now, before = self._catalog.state(), self._before
        self._before = now
        if now.moved_aside is not None and now.moved_aside != before.moved_aside:
            self.log.critical("the catalog is made anew: {moved_aside}", moved_aside=now.moved_aside)
            self._on_event(CatalogRebuilt(error=now.moved_aside))
        if now.refused is not None and before.refused is None:
            self.log.critical(
                "the catalog can't be written: {error}; recording and playback go on, what must be kept is refused",
                error=now.refused,
            )
            self._on_event(CatalogFailed(error=now.refused))
        elif now.refused is None and before.refused is not None:
            self.log.warn("the catalog can be written again")
            self._on_event(CatalogRecovered())
        known = {one.source: one.count for one in before.aside}
        for one in now.aside:
            if (count := one.count - known.get(one.source, 0)) > 0:
                self.log.error(
                    "{count} rows of {source} in the catalog make no sense and are set aside: {reason}",
                    count=count,
                    source=one.source,
                    reason=one.reason,
                )
                self._on_event(CatalogRowsSetAside(source=one.source, count=count, reason=one.reason))

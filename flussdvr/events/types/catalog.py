# -*- test-case-name: tests.events.test_event_schema -*-
"""Events of the catalog, the database of what is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flussdvr.events.types.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRebuilt(Event):
    """
    The catalog was broken or missing and is made anew.

    `error`: a sentence: why, where the broken one is kept, what is lost.
    """

    event: ClassVar[str] = "catalog_rebuilt"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFailed(Event):
    """The catalog can't be written: recording and playback go on, what must be kept is refused."""

    event: ClassVar[str] = "catalog_failed"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRecovered(Event):
    """The catalog can be written again."""

    event: ClassVar[str] = "catalog_recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRowsSetAside(Event):
    """`count` rows of the table `source` make no sense and are not used. `reason`: why, of the first."""

    event: ClassVar[str] = "catalog_rows_set_aside"
    source: str
    count: int
    reason: str

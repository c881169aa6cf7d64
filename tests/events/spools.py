"""A spool in RAM, and no waiting."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.subjects import Spool
from flussdvr.threads import InlineWorker

T = TypeVar("T")


def now(work: Coroutine[Any, Any, T] | Deferred[T]) -> T:
    """The result of what needs nobody else."""
    found: list[Any] = []
    (work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)).addBoth(found.append)
    if hasattr(found[0], "raiseException"):
        found[0].raiseException()
    return found[0]  # type: ignore[no-any-return]


def make_spool() -> Spool:
    catalog = SqliteCatalog(":memory:", InlineWorker())
    now(catalog.open())
    spool = catalog.spool
    now(spool.open())
    return spool

# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""
The catalog: the state database as its users see it. `subjects` says what it keeps.

What can be rebuilt from the disks (roots, blobs, locks) is derived: a catalog that lost it is filled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from flussdvr.archive.disk.blob import Blob
from flussdvr.database.rows import RootRow
from flussdvr.database.subjects import (
    Blobs,
    Deletions,
    ExportJobs,
    Links,
    Locks,
    Overrides,
    Roots,
    SignOuts,
    Spool,
)
from flussdvr.database.thread import OPEN_S
from flussdvr.timeline import Range, RangeSet


@dataclass(frozen=True, slots=True)
class Aside:
    """How many rows of a table have been set aside since the start, and why the first was."""

    source: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class CatalogState:
    """
    What is wrong with the catalog. `refused`: why it can't be written; `moved_aside`: what became of a broken one;
    `unreadable`: what stands in for it knows nothing of it; `copy_refused`: why the overrides have no copy as text.
    """

    refused: str | None = None
    moved_aside: str | None = None
    unreadable: bool = False
    copy_refused: str | None = None
    aside: tuple[Aside, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """What the database knows besides: `roots` all, `blobs` and `locks` without those of the archive."""

    roots: list[RootRow]
    blobs: list[Blob]
    locks: list[tuple[str, Range]]


class Catalog(Protocol):
    """All subjects, and what concerns several of them at once. In the reactor thread."""

    @property
    def roots(self) -> Roots: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def locks(self) -> Locks: ...
    @property
    def deletions(self) -> Deletions: ...
    @property
    def export_jobs(self) -> ExportJobs: ...
    @property
    def stream_overrides(self) -> Overrides: ...
    @property
    def dvr_overrides(self) -> Overrides: ...
    @property
    def links(self) -> Links: ...
    @property
    def sign_outs(self) -> SignOuts: ...
    @property
    def spool(self) -> Spool: ...

    def open(self, patience_s: float = OPEN_S) -> Deferred[None]:
        """Fails with UNAVAILABLE `catalog_too_new` only: whatever else is wrong, there is a catalog then."""
        ...

    def close(self) -> Deferred[None]: ...

    def state(self) -> CatalogState:
        """What is wrong with it now."""
        ...

    def retry(self) -> Deferred[bool]:
        """Where it could not be written: try again. Whether it is written again."""
        ...

    def import_blobs(
        self, path: str, blobs: Sequence[Blob], locks: dict[str, RangeSet], whole: bool
    ) -> Deferred[list[int]]:
        """
        What was found on a root: the ids of new rows, 0 for a blob that has one. `locks` replace those of their
        streams. `whole`: from then on all that is on the root is known.
        """
        ...

    @property
    def broken(self) -> bool:
        """Whether it does not have all that it was told: `restore` is to be called."""
        ...

    def restore(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[None]:
        """After it broke: what the archive knows, as it was."""
        ...

    @property
    def answers(self) -> bool:
        """Whether what did not answer at the start does now: `join` is to be called."""
        ...

    def join(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[Joined]:
        """What the archive knows; from now on the catalog is the one that answers. What it knows besides."""
        ...

"""
What the state database is asked, by subject: each is one Protocol, and an answer is one class a Protocol.

    root      Roots          blob      Blobs          lock       Locks       deletion   Deletions
    override  Overrides      job       ExportJobs     link       Links       sign-out   SignOuts     event   Spool

All methods are called in the reactor thread. They fail with DvrError UNAVAILABLE where the database can't be used, and
CONFLICT where a row would contradict another; everything is done or nothing is.

    held      what follows from the disks (blobs, roots, locks): reported as done after a moment where the database's
              disk does not answer, and written later, in the order in which it was said
    durable   what must be stored: fails with UNAVAILABLE `state_not_writable` where it can't be in time, and is not
              stored then

Rows that make no sense are left out of every `all`, and set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.database.rows import LinkRow, RootRow
from flussdvr.timeline import Range, RangeSet

EventRow = tuple[int, bytes]
"""Id and JSON of an event that waits."""


class Roots(Protocol):
    """Storage roots by the uuid in their marker files; the path of one may change."""

    def all(self) -> Deferred[list[RootRow]]: ...

    def adopt(self, path: str, uuid: str) -> Deferred[bool]:
        """Held: the root with this uuid is at `path` from now on. Whether all that is on it is known."""
        ...


class Blobs(Protocol):
    """One row a blob: written before the file is created, closed after it is synced."""

    def all(self) -> Deferred[list[Blob]]:
        """Those of the roots that have a path, in no order."""
        ...

    def insert(self, blobs: Sequence[Blob]) -> Deferred[list[int]]:
        """Held. Their ids, in order."""
        ...

    def update(self, blobs: Sequence[Blob]) -> Deferred[None]:
        """Held: what is known of each, by its id; as a new row where there is none."""
        ...

    def mark(self, ids: Sequence[int], state: BlobState, held: bool = True) -> Deferred[None]:
        """Held; else durable."""
        ...

    def delete(self, ids: Sequence[int]) -> Deferred[None]:
        """Held."""
        ...


class Locks(Protocol):
    """Ranges that expiry leaves alone, by stream."""

    def all(self) -> Deferred[dict[str, RangeSet]]: ...

    def replace(self, stream: str, locks: RangeSet) -> Deferred[None]:
        """Held."""
        ...

    def change(self, stream: str, gone: Sequence[Range], new: Sequence[Range]) -> Deferred[None]:
        """Held: replace some of a stream's locks, however many there are."""
        ...


class Deletions(Protocol):
    """Ranges that are being deleted, as (stream, range, cover): what a crash interrupts, the next start finishes."""

    def all(self) -> Deferred[list[tuple[str, Range, bool]]]: ...

    def add(self, stream: str, within: Range, cover: bool) -> Deferred[None]:
        """Durable. `cover`: also fragments that only touch the range."""
        ...

    def remove(self, stream: str, within: Range) -> Deferred[None]:
        """Held."""
        ...


class ExportJobs(Protocol):
    """Jobs as JSON, by id."""

    def all(self) -> Deferred[dict[str, str]]:
        """In the order in which they were made."""
        ...

    def save(self, id: str, created_ms: int, job: str) -> Deferred[None]:
        """Durable. `created_ms` (UTC) counts the first time."""
        ...

    def delete(self, id: str) -> Deferred[None]:
        """Durable."""
        ...

    def set_aside(self, id: str, reason: str) -> Deferred[None]:
        """Held: keep a job that its reader makes no sense of where it can be looked at, and nowhere else."""
        ...


class Overrides(Protocol):
    """What the API has changed, as JSON patches over the configuration file, by the name of what they change."""

    def all(self) -> Deferred[dict[str, str]]: ...

    def replace(self, name: str, patch: str | None) -> Deferred[None]:
        """Durable; `None` removes it."""
        ...

    def set_aside(self, name: str, reason: str) -> Deferred[None]:
        """Held: keep a patch that its reader makes no sense of where it can be looked at, and nowhere else."""
        ...


class SignOuts(Protocol):
    """Sign-ins of the web page that were ended before their time."""

    def all(self, now_ms: int) -> Deferred[dict[str, int]]:
        """Until when (UTC ms) each is remembered; those of before `now_ms` are forgotten."""
        ...

    def add(self, id: str, expires_ms: int) -> Deferred[None]:
        """Durable."""
        ...


class Links(Protocol):
    """Signed links to a span of a stream, and who has used one that only so many may use."""

    def all(self) -> Deferred[list[LinkRow]]:
        """Oldest first, also those that are revoked."""
        ...

    def insert(self, link: LinkRow) -> Deferred[None]:
        """Durable."""
        ...

    def revoke(self, id: str) -> Deferred[None]:
        """Durable."""
        ...

    def delete(self, ids: Sequence[str]) -> Deferred[None]:
        """Durable."""
        ...

    def use(self, id: str, viewer: bytes) -> Deferred[int | None]:
        """
        Durable: count a viewer as one who uses this link, once. How many do then; `None` if they would be one too many,
        or the link is revoked or gone.
        """
        ...

    def store_uses(self, uses: Sequence[tuple[str, int]]) -> Deferred[None]:
        """Held: how many have used links that any number may use: (id, uses)."""
        ...


class Spool(Protocol):
    """Events that a sink has not taken yet, so that they outlive the process. Ids count up without holes, by sink."""

    def open(self) -> Deferred[dict[str, tuple[int, int]]]:
        """First and last id of what waits, by sink."""
        ...

    def store(self, sink: str, rows: Sequence[EventRow], taken: int) -> Deferred[None]:
        """Durable: keep `rows`, and nothing more of what is up to the id `taken`."""
        ...

    def load(self, sink: str, after: int, limit: int) -> Deferred[list[EventRow]]:
        """The oldest rows whose ids are greater than `after`."""
        ...

    def forget(self, sink: str) -> Deferred[None]:
        """Of a sink that is not configured any more."""
        ...

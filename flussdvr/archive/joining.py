# -*- test-case-name: tests.archive.test_joining -*-
"""
How a storage root joins: what is on it is listed, what is not is not, and nothing of it stops the others.

    identified --> import    a disk that the catalog has not all of: every name on it, in one transaction
               --> recovery  what a crash left open, and what was imported: see `Archive`
               --> survey    once, behind all this: what has come or gone without the server

Each step can be repeated. An import that is interrupted has left nothing: the catalog remembers that the root is still
to be imported, and the next start goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.logger import Logger

from flussdvr.archive.deletion import is_closed
from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.marker import check_marker
from flussdvr.archive.disk.root import Root
from flussdvr.archive.disk.scan import Scanned, Skipped, scan
from flussdvr.archive.disk.survey import Surveyed, newest, survey
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.database.catalog import Catalog
from flussdvr.events.types.archive import DvrRootImported
from flussdvr.events.types.event import OnEvent
from flussdvr.timeline import RangeSet

SHOWN = 20
"""So many reasons go into an event."""


class Host(Protocol):
    """The archive that roots join."""

    catalog: Catalog

    def archive_of(self, name: str) -> LocalStreamArchive:
        """Made known if it was not."""
        ...

    def streams_of(self, root: str | None = None) -> list[LocalStreamArchive]: ...

    def load(self, blobs: Iterable[Blob]) -> None:
        """List rows, or put them to those that are to be looked into."""
        ...


class Joining:
    """`unknown`: paths of roots that the catalog has not all of."""

    log = Logger()

    def __init__(self, host: Host, on_event: OnEvent, find: Callable[[str, str], Scanned] | None = None) -> None:
        self.unknown: set[str] = set()
        self._host = host
        self._on_event = on_event
        self._find = find or scan_checked

    async def import_all(self, root: Root) -> None:
        """Rows for all that is on a root. DvrError UNAVAILABLE, OSError: it is still unknown."""
        found: Scanned = await root.reader.do(self._find, root.path, root.uuid or "")
        new = await self._insert(root, found, not found.unread)
        self.unknown.discard(root.path)
        self.tell(root, new, 0, found.skipped)

    async def import_newest(self, root: Root) -> None:
        """Rows for the newest day of every stream, and the locks. As `import_all`, which does the rest."""
        await self._insert(root, await root.reader.do(newest, root.path, root.uuid or ""), False)

    async def _insert(self, root: Root, found: Scanned, whole: bool) -> int:
        """In one transaction; how many blobs had no row."""
        merged = {name: self._with(name, locks) for name, locks in found.locks.items()}
        ids = await self._host.catalog.import_blobs(root.path, found.blobs, merged, whole)
        new = self._list(found.blobs, ids)
        await self._protect(found.locks)
        return len(new)

    async def survey(self, root: Root) -> None:
        """Bring list and catalog to what is on the root. DvrError UNAVAILABLE, OSError."""
        archives = self._host.streams_of(root.path)
        known = [blob for archive in archives for blob in (*archive.blobs(), *archive.misdated)]
        known = [blob for blob in known if blob.root == root.path and is_closed(blob)]
        found: Surveyed = await root.reader.do(survey, root.path, root.uuid or "", known)
        gone = [blob for blob in found.gone if is_closed(blob)]
        if gone:
            by_stream: dict[str, list[Blob]] = {}
            for blob in gone:
                by_stream.setdefault(blob.stream, []).append(blob)
            for name, blobs in by_stream.items():
                self._host.archive_of(name).remove(blobs)
            await self._host.catalog.blobs.delete([blob.id for blob in gone])
        new: list[Blob] = []
        if found.new:
            ids = await self._host.catalog.import_blobs(root.path, found.new, {}, True)
            new = self._list(found.new, ids)
        await self._protect(found.locks)
        self.tell(root, len(new), len(gone), found.skipped)

    def _list(self, blobs: list[Blob], ids: list[int]) -> list[Blob]:
        """Those of them that had no row."""
        new = []
        for blob, id in zip(blobs, ids, strict=True):
            if id:
                blob.id = id
                new.append(blob)
        self._host.load(new)
        return new

    def _with(self, name: str, locks: RangeSet) -> RangeSet:
        """The locks of a stream, and these."""
        merged = self._host.archive_of(name).locks.copy()
        for lock in locks:
            merged.add(lock)
        return merged

    async def _protect(self, locks: dict[str, RangeSet]) -> None:
        """
        What the files lock is locked: a file is written before the catalog, so what only it has was asked for.
        """
        for name, some in locks.items():
            merged = self._with(name, some)
            archive = self._host.archive_of(name)
            if merged != archive.locks:
                archive.locks = merged
                await self._host.catalog.locks.replace(name, merged)

    def tell(self, root: Root, found: int, gone: int, skipped: Skipped) -> None:
        """Log and event, if there is anything to tell."""
        if not (found or gone or skipped.count):
            return
        self.log.warn(
            "{path}: {found} recordings that the catalog did not know, {gone} that are not there any more, "
            "{count} things skipped: {skipped}",
            path=root.path,
            found=found,
            gone=gone,
            count=skipped.count,
            skipped=str(skipped) or "none",
        )
        reasons = tuple(skipped.lines[:SHOWN])
        self._on_event(DvrRootImported(path=root.path, found=found, gone=gone, skipped=skipped.count, reasons=reasons))


def scan_checked(root: str, uuid: str) -> Scanned:
    """`scan`, on a disk that is the right one before and after. DvrError UNAVAILABLE, OSError."""
    check_marker(root, uuid)
    found = scan(root)
    check_marker(root, uuid)
    return found


__all__ = ["Host", "Joining", "scan_checked"]

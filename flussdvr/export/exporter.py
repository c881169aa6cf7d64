"""
Exports: recordings as MP4 files, on the server or in an object store.

    window --head, extents--> body --> destination      export_file     /srv/exports/x.mp4
                                                        export_object   s3s://host/bucket/prefix/x.mp4

Either way it is there when it is whole, only where it is permitted, and never in place of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from twisted.internet.defer import CancelledError

from flussdvr.body.body import Body
from flussdvr.config.model import Bucket
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.viewers import DvrExportFinished, ExportStatus
from flussdvr.export.file import FileDestination, Place
from flussdvr.export.object import find_object, is_object
from flussdvr.formats.mp4.ilst import Metadata
from flussdvr.playback.files.windows import Exports
from flussdvr.playback.slots import Slots
from flussdvr.playback.sources import Source
from flussdvr.threads import Worker
from flussdvr.timeline import Range, utc_datetime

FILES_AT_ONCE = 2
UPLOADS_AT_ONCE = 4
"""Exports that are under way: the others wait, with nothing prepared."""
WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """What to export whereto."""

    name: str
    window: Range
    path: str
    meta: bool = False
    fragmented: bool = False


class Canceled(Exception):
    """The export is not wanted any more."""


class Destination(Protocol):
    """Where one export goes. Everything blocks, and raises DvrError."""

    @property
    def name(self) -> str:
        """As it may be shown to everybody."""
        ...

    def check(self) -> None:
        """DvrError DENIED where nothing may be written, CONFLICT where something is."""
        ...

    def write(self, body: Body, copied: Callable[[int, int], None]) -> None:
        """All of it, or nothing."""
        ...

    def left(self) -> int | None:
        """
        After the server was killed: the size of what is there, `None` if nothing is. What was half done is removed.
        """
        ...


class Exporter:
    """
    `exports` finds and computes what to write, `disk` writes to files, `uploads` to object stores until `ending`;
    `roots()` are the permitted directories and buckets, and what is not permitted in them.
    """

    def __init__(
        self,
        exports: Exports,
        disk: Worker,
        uploads: Worker,
        roots: Callable[[], Iterable[Place | Bucket]],
        on_event: OnEvent = lambda event: None,
        ending: Event | None = None,
    ) -> None:
        self._exports = exports
        self._disk = disk
        self._uploads = uploads
        self._ending = ending or Event()
        self._turns = {
            uploads: Slots("uploads", UPLOADS_AT_ONCE, WAITING, WAITING),
            disk: Slots("exports", FILES_AT_ONCE, WAITING, WAITING),
        }
        self._roots = roots
        self._on_event = on_event

    async def export(
        self,
        source: Source,
        order: Order,
        title: str = "",
        copied: Callable[[int, int], None] = lambda done, total: None,
    ) -> int:
        """
        The size of the file, which is complete and on the disk, or in the store. `copied(bytes, of)` is told how far it
        is, in the writing thread, and may raise `Canceled`; so it does when this is cancelled.

        DvrError DENIED, CONFLICT, NOT_FOUND, NO_SPACE, UNAVAILABLE.
        """
        unwanted = Event()

        def heed(done: int, total: int) -> None:
            if unwanted.is_set():
                raise Canceled
            copied(done, total)

        try:
            size = await self._export(source, order, title, heed)
        except (Canceled, CancelledError):
            unwanted.set()
            self.tell(order, "canceled")
            raise
        except DvrError as error:
            self.tell(order, "failed", error.code)
            raise
        except Exception:
            self.tell(order, "failed", "internal_error")
            raise
        self.tell(order, "succeeded", size=size)
        return size

    async def _export(self, source: Source, order: Order, title: str, copied: Callable[[int, int], None]) -> int:
        destination, worker = self._destination(order.path)
        await worker.do(destination.check)
        turns = self._turns[worker]

        async def in_turn() -> int:
            body = await self._body(source, order, title)
            await worker.do(destination.write, body, copied)
            return len(body)

        return await turns.do(order.path, in_turn)

    async def _body(self, source: Source, order: Order, title: str) -> Body:
        """What the file consists of: however long it is, its head is made from one blob after the other."""
        if order.fragmented:
            fragments = await self._exports.fragments(source, order.window)
            if fragments is not None:
                return fragments
        metadata = describe(order, title) if order.meta else None
        body = await self._exports.file(source, order.window, metadata)
        return Body.of(body.parts)

    def named(self, path: str) -> str:
        """`path` as it may be kept and shown: without credentials. DvrError BAD_REQUEST, DENIED for objects."""
        return self._destination(path)[0].name if "://" in path else path

    async def left(self, path: str) -> int | None:
        """The size of what a server that was killed has left at `path`, complete; `None` if nothing. DvrError."""
        destination, worker = self._destination(path)
        return await worker.do(destination.left)

    def _destination(self, path: str) -> tuple[Destination, Worker]:
        roots = list(self._roots())
        if is_object(path):
            buckets = [root for root in roots if isinstance(root, Bucket)]
            return find_object(path, buckets, self._ending), self._uploads
        if "://" in path:
            title = "exports go to files and to s3:// and s3s://"
            raise DvrError(Kind.BAD_REQUEST, "not_supported", title, {"parameter": "path"})
        return FileDestination(path, [root for root in roots if not isinstance(root, Bucket)]), self._disk

    def tell(self, order: Order, status: ExportStatus, error: str | None = None, size: int | None = None) -> None:
        """What has become of an order."""
        finished = DvrExportFinished(
            media=order.name,
            path=order.path,
            begin_ms=order.window.begin_ms,
            duration_ms=order.window.duration_ms,
            status=status,
            error=error,
            size=size,
        )
        self._on_event(finished)


def describe(order: Order, title: str) -> Metadata:
    begin = utc_datetime(order.window.begin_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    comment = f"stream={order.name} from={order.window.begin_ms} duration={order.window.duration_ms}"
    return Metadata(title or order.name, comment, begin)

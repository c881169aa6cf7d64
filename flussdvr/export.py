"""
Exports to files on the server.

    window --head, extents--> body --copy_file_range--> a file without a name --fsync--> link: there, or not at all

A file may be written below `roots` only, wherever symbolic links lead, and never replaces another. It has no name until
it is complete (O_TMPFILE), so nothing is left of one that was interrupted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from errno import EDQUOT, EEXIST, EFBIG, EISDIR, ENOSPC, EOPNOTSUPP
from typing import Any
from uuid import uuid4

from twisted.internet.defer import CancelledError

from flussdvr.archive.body import Body, Extent
from flussdvr.archive.copying import write_body
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats import mp4
from flussdvr.formats.ilst import Metadata
from flussdvr.playback.exports import Exports, Part, last_sync, unbroken
from flussdvr.playback.sources import Source
from flussdvr.threads import Worker
from flussdvr.timeline import Range, utc_datetime

_OURS = re.compile(r"\..*|locks\.json|\d+\.(thumbs\.)?(mp4|idx)")
"""Names that the archive itself has."""
FULL = (ENOSPC, EDQUOT, EFBIG)


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


class Exporter:
    """`exports` finds what to write, `cpu` computes, `disk` writes; `roots()` are the permitted directories."""

    def __init__(
        self,
        exports: Exports,
        cpu: Worker,
        disk: Worker,
        roots: Callable[[], Iterable[str]],
        on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    ) -> None:
        self._exports = exports
        self._cpu = cpu
        self._disk = disk
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
        The size of the file, which is complete and on the disk. `copied(bytes, of)` is told how far it is, in the
        writing thread, and may raise `Canceled`.

        DvrError DENIED, CONFLICT, NOT_FOUND, NO_SPACE, UNAVAILABLE.
        """
        try:
            size = await self._export(source, order, title, copied)
        except (Canceled, CancelledError):
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
        roots = list(self._roots())
        await self._disk.do(check_path, order.path, roots)
        parts = await self._exports.parts(source, order.window)
        metadata = describe(order, title) if order.meta else None
        compute = _fragmented if order.fragmented else _progressive
        body: Body = await self._cpu.do(compute, parts, order.window, metadata)
        await self._disk.do(write_file, body, order.path, roots, copied)
        return len(body)

    def tell(self, order: Order, status: str, error: str | None = None, size: int | None = None) -> None:
        """What has become of an order. `status`: "succeeded", "failed", "canceled"."""
        window = {"begin_ms": order.window.begin_ms, "duration_ms": order.window.duration_ms}
        ended = {"status": status, "error": error, "size": size}
        about = {"media": order.name, "path": order.path, **window}
        self._on_event({"event": "dvr_export_finished", **about, **ended})


def describe(order: Order, title: str) -> Metadata:
    begin = utc_datetime(order.window.begin_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    comment = f"stream={order.name} from={order.window.begin_ms} duration={order.window.duration_ms}"
    return Metadata(title or order.name, comment, begin)


def _progressive(parts: list[Part], window: Range, metadata: Metadata | None) -> Body:
    try:
        pieces = [mp4.Piece(part.table, part.first, part.stop) for part in parts]
        head = mp4.head(pieces, window, metadata=metadata)
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None
    return Body.of([head.head, *(Extent(parts[n].blob.path, at, length) for n, at, length in head.extents)])


def _fragmented(parts: list[Part], window: Range, metadata: Metadata | None) -> Body:
    """As it was recorded, from the key frame on; as far as the codecs stay the same."""
    init = parts[0].table.init
    pieces: list[bytes | Extent] = [init]
    for part in parts:
        table = part.table
        if table.init != init:
            break
        first = last_sync(table, window.begin_ms) if part is parts[0] else part.first
        for begin, end in unbroken(table, first, part.stop):
            at = int(table.offset[begin])
            pieces.append(Extent(part.blob.path, at, int(table.offset[end - 1] + table.size[end - 1]) - at))
    return Body.of(pieces)


# -- the file -----------------------------------------------------------------------------------------------------


def check_path(path: str, roots: Iterable[str]) -> None:
    """DvrError DENIED for a path that is not permitted, CONFLICT for one that is taken."""
    directory, name = os.path.split(path)
    if not path.startswith("/") or "\0" in path or ".." in path.split("/") or _OURS.fullmatch(name) or not name:
        raise _forbidden(path)
    _check_inside(os.path.realpath(directory), path, roots)
    if os.path.lexists(path):
        raise _exists(path)


def _check_inside(directory: str, path: str, roots: Iterable[str]) -> None:
    for root in roots:
        real = os.path.realpath(root)
        if directory == real or directory.startswith(real.rstrip("/") + "/"):
            return
    raise _forbidden(path)


def _forbidden(path: str) -> DvrError:
    title = f"{path[:200]!r} is not below export_root or a DVR root, or is a name of the archive's own"
    return DvrError(Kind.DENIED, "path_not_permitted", title, {"parameter": "path"})


def _exists(path: str) -> DvrError:
    return DvrError(Kind.CONFLICT, "file_exists", f"{path} exists, and is left as it is", {"parameter": "path"})


def write_file(body: Body, path: str, roots: Iterable[str], copied: Callable[[int, int], None]) -> None:
    """Blocking: all of it, or nothing. DvrError, Canceled."""
    try:
        _write_file(body, path, roots, copied)
    except OSError as error:
        if error.errno == EEXIST:
            raise _exists(path) from None
        if error.errno in FULL:
            raise DvrError(Kind.NO_SPACE, "no_space", f"{path}: {error.strerror}") from None
        raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"{path}: {error.strerror or error}") from None


def _write_file(body: Body, path: str, roots: Iterable[str], copied: Callable[[int, int], None]) -> None:
    directory, name = os.path.split(path)
    os.makedirs(directory, exist_ok=True)
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check_inside(os.readlink(f"/proc/self/fd/{at}"), path, roots)  # where it really is, whatever changed since
        space = os.fstatvfs(at)
        if space.f_bavail * space.f_frsize < len(body):
            title = f"{path} would have {len(body)} bytes, {space.f_bavail * space.f_frsize} are free"
            raise DvrError(Kind.NO_SPACE, "no_space", title)
        fd, draft = _nameless(at)
        try:
            done = 0

            def count(more: int) -> None:
                nonlocal done
                done += more
                copied(done, len(body))

            write_body(body, fd, count)
            os.fsync(fd)
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=at, follow_symlinks=True)
            os.fsync(at)
        finally:
            os.close(fd)
            if draft is not None:
                os.unlink(draft, dir_fd=at)
    finally:
        os.close(at)


def _nameless(directory_fd: int) -> tuple[int, str | None]:
    """A file to write to; and its name, where the file system has no files without."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory_fd), None
    except OSError as error:
        if error.errno not in (EOPNOTSUPP, EISDIR):
            raise
    draft = f".export-{uuid4()}"
    return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory_fd), draft

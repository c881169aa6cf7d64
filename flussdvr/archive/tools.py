# -*- test-case-name: tests.archive.test_tools -*-
"""
Operators' tools: they work on a storage root without the server.

    reindex   rebuild indexes that are missing or wrong, by walking the blobs; make the marker of a new disk
    fsck      compare every blob with its index; repair what is only an index or a torn end
    cut       a window of a stream as an MP4 file, copied by the kernel

With `state_dir` the catalog in it is compared and rebuilt too. Without, the server finds out for itself: what it does
not know of a root that is new to its catalog, it imports. `reindex` and a repair want the root for themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from flussdvr.archive.disk.blob import Blob, BlobState, blob_stem, stream_directory
from flussdvr.archive.disk.hold import StreamHolds, hold
from flussdvr.archive.disk.holes import holes_of
from flussdvr.archive.disk.marker import lock_marker, make_marker, read_marker
from flussdvr.archive.disk.recovery import LONGEST_BLOB_MS, ROUNDING_MS, Examined, examine, read_index, recover
from flussdvr.archive.disk.scan import Scanned, Skipped, find_files, find_locks, printable
from flussdvr.archive.disk.trim import freed_by
from flussdvr.archive.disk.walk import reader_of, walk_index
from flussdvr.body.body import Body, Extent
from flussdvr.body.copying import write_body
from flussdvr.body.file import file_at
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.progressive import Piece, head
from flussdvr.threads import InlineWorker, result_of
from flussdvr.timeline import HOUR_MS, Range

CATALOG = "catalog.sqlite"
T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """`problems` that are left, `repaired` ones, what was `skipped` because it is none of ours; `print` shows it."""

    blobs: int = 0
    duration_ms: int = 0
    size: int = 0
    problems: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)
    catalog: bool = True
    """Whether the catalog was looked at, too."""

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        lines = [f"skipped: {line}" for line in self.skipped.lines]
        if (more := self.skipped.count - len(self.skipped.lines)) > 0:
            lines.append(f"skipped: {more} more")
        lines += [f"repaired: {line}" for line in self.repaired] + [f"problem: {line}" for line in self.problems]
        if not self.catalog:
            lines.append("the catalog was not looked at: --state-dir DIR says where it is")
        hours, size = self.duration_ms / HOUR_MS, self.size / (1 << 30)
        counts = f"{len(self.repaired)} repaired, {len(self.problems)} problems"
        return "\n".join([*lines, f"{self.blobs} blobs, {hours:.2f} h, {size:.2f} GiB: {counts}"])


def reindex(root: str, state_dir: str | None = None) -> Report:
    """Rebuild what can be rebuilt. DvrError CONFLICT while a server uses the root; OSError."""
    return _check(root, repair=True, state_dir=state_dir)


def fsck(root: str, repair: bool = False, state_dir: str | None = None) -> Report:
    """Compare everything; with `repair` as `reindex`. DvrError CONFLICT, OSError."""
    return _check(root, repair, state_dir)


def _check(root: str, repair: bool, state_dir: str | None) -> Report:
    root, report = os.path.abspath(root), Report(catalog=state_dir is not None)
    if read_marker(root) is None:
        if repair:
            make_marker(root, _known_uuid(root, state_dir))
        (report.repaired if repair else report.problems).append(f"{root} has no marker")
    state = hold(os.path.abspath(state_dir), "repairing the catalog") if repair and state_dir is not None else None
    held = -1
    try:
        held = lock_marker(root, exclusive=True) if repair else -1
        found = _check_files(root, repair, report)
        if state_dir is not None:
            _check_catalog(root, repair, os.path.join(state_dir, CATALOG), found, report)
    finally:
        if held >= 0:
            os.close(held)
        if state is not None:
            state.release()
    return report


# -- files --------------------------------------------------------------------------------------------------------


def _check_files(root: str, repair: bool, report: Report) -> list[Blob]:
    kinds: dict[tuple[str, int], set[str]] = {}
    scanned = Scanned(skipped=report.skipped)
    for _, stream, begin_ms, kind in find_files(root, scanned):
        kinds.setdefault((stream, begin_ms), set()).add(kind)
    report.problems += [f"{printable(path)}: can't be listed" for path in scanned.unread]
    blobs: list[Blob] = []
    holds = StreamHolds(root)
    try:
        held: dict[str, bool] = {}
        for (stream, begin_ms), present in sorted(kinds.items()):
            if repair and stream not in held:
                held[stream] = _take(holds, stream, report)
            _check_one(root, stream, begin_ms, present, repair and held[stream], report, blobs)
    finally:
        holds.release()
    return blobs


def _take(holds: StreamHolds, stream: str, report: Report) -> bool:
    """Whether the stream's files may be changed; one that is recorded is only looked at."""
    try:
        holds.take(stream)
    except DvrError as error:
        report.problems.append(f"{error.title}: it is not repaired")
        return False
    return True


def _check_one(
    root: str, stream: str, begin_ms: int, present: set[str], repair: bool, report: Report, blobs: list[Blob]
) -> None:
    stem = blob_stem(root, stream, begin_ms)
    if "idx.new" in present:
        _remove(stem + ".idx.new", "a draft that was left behind", repair, report)
    if "mp4" not in present:
        if "idx" in present:
            _remove(stem + ".idx", "an index without a blob", repair, report)
        return
    try:
        table = _check_blob(stem + ".mp4", stem + ".idx", repair, report)
        freed = freed_by(stem + ".idx") if table is not None else 0
    except OSError as error:
        report.problems.append(f"{stem}.mp4: {error.strerror or error}")
        return
    if table is None:
        return
    info, first_ms, end_ms = table.info, int(table.begin_ms[0]), int(table.end_ms[-1])
    if not begin_ms - ROUNDING_MS <= first_ms <= end_ms <= begin_ms + LONGEST_BLOB_MS:
        report.problems.append(f"{stem}.mp4: what is in it is dated {first_ms} to {end_ms}")
        return
    blob = Blob(stream, root, begin_ms, end_ms, table.blob_size, table.consumed, BlobState.CLOSED, info.segment_ms)
    blob.sequence, blob.after, blob.discontinuity = info.sequence, info.after, info.discontinuity
    blob.holes, blob.freed = holes_of(table, blob.range), freed
    blobs.append(blob)
    report.blobs += 1
    report.duration_ms += blob.end_ms - blob.begin_ms
    report.size += blob.size + blob.index_size


def _remove(path: str, what: str, repair: bool, report: Report) -> None:
    if repair:
        os.unlink(path)
    (report.repaired if repair else report.problems).append(f"{path}: {what}")


def _check_blob(path: str, index_path: str, repair: bool, report: Report) -> FragmentTable | None:
    walked = examine(path, index_path, trust_index=False)
    if walked is None:
        report.problems.append(f"{path}: no whole fragment in it")
        return None
    if not walked.changed:
        return walked.table
    behind = _behind(path, walked)
    if behind is not None:
        # Something in the middle can't be walked over, but the index knows what is behind it: nothing is cut.
        report.problems.append(f"{path}: damaged at byte {walked.table.blob_size}")
        return behind
    if repair:
        recover(path, index_path, trust_index=False)
    (report.repaired if repair else report.problems).append(f"{path}: {_difference(walked)}")
    return walked.table


def _behind(path: str, walked: Examined) -> FragmentTable | None:
    """The old index, if the blob holds a fragment of it behind the place that can't be walked over."""
    try:
        table = FragmentTable(walked.old_index)
    except FormatError:
        return None
    with open(path, "rb") as file:
        read = reader_of(file.fileno())
        for entry in walk_index(walked.old_index, walked.head_size):
            behind = entry.offset >= walked.table.blob_size and entry.offset + entry.size <= walked.old_size
            if behind and read(entry.offset, len(entry.head)) == entry.head:
                return table
    return None


def _difference(found: Examined) -> str:
    """What is wrong, in words."""
    if not found.old_index:
        return "has no index"
    if found.table.blob_size != found.old_size:
        return f"the last {found.old_size - found.table.blob_size} bytes are no whole fragment"
    if found.index.startswith(found.old_index):
        return "its index is too short"
    return "its index is another's"


# -- catalog ------------------------------------------------------------------------------------------------------


def _check_catalog(root: str, repair: bool, path: str, found: list[Blob], report: Report) -> None:
    catalog = SqliteCatalog(path, InlineWorker())
    result_of(catalog.open() if repair else catalog.look())
    try:
        if repair and (refused := catalog.state().refused) is not None:
            report.problems.append(f"{path} can't be written: {refused}")
            return
        if (moved := catalog.state().moved_aside) is not None:
            report.repaired.append(moved)
        if repair:
            result_of(catalog.roots.adopt(root, read_marker(root) or ""))
        rows = {(row.stream, row.begin_ms): row for row in result_of(catalog.blobs.all()) if row.root == root}
        missing, wrong = [], []
        notes: list[str] = []
        for blob in found:
            row = rows.pop((blob.stream, blob.begin_ms), None)
            if row is None:
                missing.append(blob)
                notes.append(f"{blob.path}: the catalog does not know it")
            elif (*_sizes(row), row.state) != (*_sizes(blob), BlobState.CLOSED):
                blob.id = row.id
                wrong.append(blob)
                notes.append(f"{blob.path}: the catalog has other sizes")
        notes += [f"{row.path}: in the catalog, not on the disk" for row in rows.values()]
        locks = result_of(catalog.locks.all())
        for stream, found_locks in find_locks(root):
            if locks.get(stream) != found_locks:
                notes.append(f"{root}/{stream}/locks.json: the catalog has other locks")
                if repair:
                    result_of(catalog.locks.replace(stream, found_locks))
        if repair:
            ids: list[int] = result_of(catalog.import_blobs(root, missing, {}, True))
            for blob, id in zip(missing, ids, strict=True):
                blob.id = id
            result_of(catalog.blobs.update(missing + wrong))
            result_of(catalog.blobs.delete([row.id for row in rows.values()]))
        (report.repaired if repair else report.problems).extend(notes)
        for aside in catalog.state().aside:
            line = f"{path}: {aside.count} rows of {aside.source} make no sense: {aside.reason}"
            (report.repaired if repair else report.problems).append(line)
    finally:
        result_of(catalog.close())


def _known_uuid(root: str, state_dir: str | None) -> str | None:
    """What the catalog in `state_dir` says is at `root`."""
    if state_dir is None or not os.path.exists(os.path.join(state_dir, CATALOG)):
        return None
    catalog = SqliteCatalog(os.path.join(state_dir, CATALOG), InlineWorker())
    result_of(catalog.look())
    try:
        return next((row.uuid for row in result_of(catalog.roots.all()) if row.path == root), None)
    finally:
        result_of(catalog.close())


def _sizes(blob: Blob) -> tuple[object, ...]:
    return blob.end_ms, blob.size, blob.index_size, blob.holes, blob.freed


# -- cut ----------------------------------------------------------------------------------------------------------


def cut(root: str, stream: str, from_ms: int, duration_ms: int, out: str) -> Range:
    """
    Write `[from_ms, from_ms + duration_ms)` of a stream to the file `out`, which must not exist; works on a running
    server's root.

    The range that the file shows. DvrError NOT_FOUND where nothing is recorded; OSError. A partial file is removed.
    """
    window = Range(from_ms, from_ms + duration_ms)
    pieces = [piece for path in _paths(os.path.abspath(root), stream, window) if (piece := _piece(path, window))]
    virtual = head(pieces, window)
    with open(out, "xb") as file:
        try:
            files = [file_at(str(piece.base)) for piece in pieces]
            body = virtual.body(lambda number, at, length: Extent(files[number], at, length))
            write_body(Body(tuple(body)), file.fileno())
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(out)
            raise
    return Range(virtual.begin_ms, virtual.begin_ms + virtual.duration_ms)


def _paths(root: str, stream: str, window: Range) -> Iterator[str]:
    """The blobs that may have a part of the window; none is longer than its UTC hour (and a segment)."""
    directory = stream_directory(root, stream)
    for hour_ms in range((window.begin_ms // HOUR_MS - 1) * HOUR_MS, window.end_ms, HOUR_MS):
        of_hour = os.path.dirname(blob_stem(root, stream, max(0, hour_ms)))
        try:
            names = os.listdir(of_hour)
        except FileNotFoundError:
            continue
        begins = sorted(int(name[:-4]) for name in names if name.endswith(".mp4") and name[:-4].isdigit())
        yield from (f"{of_hour}/{begin_ms}.mp4" for begin_ms in begins if begin_ms < window.end_ms)
    if not os.path.isdir(directory):
        raise DvrError(Kind.NOT_FOUND, "stream_not_found", f"{directory} does not exist")


def _piece(path: str, window: Range) -> Piece | None:
    """What of a blob the window needs: from the sync sample before it to a fragment behind it."""
    table = FragmentTable()
    index = read_index(path.removesuffix(".mp4") + ".idx")
    try:
        table.extend(index)
    except FormatError:
        table = FragmentTable()
    if not len(table) and (found := examine(path, "")) is not None:
        table = found.table
    if not len(table) or table.end_ms[-1] <= window.begin_ms or table.begin_ms[0] >= window.end_ms:
        return None
    syncs = np.flatnonzero(table.sync & (table.begin_ms <= window.begin_ms))
    first = int(syncs[-1]) if len(syncs) else 0
    stop = int(np.searchsorted(table.begin_ms, window.end_ms)) + 1
    return Piece(table, max(0, first - 1), min(stop, len(table)), path)


__all__ = ["Report", "cut", "fsck", "reindex"]

# -*- test-case-name: tests.archive.test_redate -*-
"""
Redating: a recording whose date is wrong is dated anew.

    <stream>/2026/11/29/12/1795953600000.mp4  --copy, add the shift to each tfdt-->  .../28/12/1795867200000.mp4.new
      .idx .thumbs.mp4 .thumbs.idx                                                     sync, rename, then delete the old

`tfdt` is UTC (ISO/IEC 14496-12 §8.8.12), so every fragment is changed, and nothing else. Crash-safe: the old files are
deleted when the new ones are on the disk; what is left half done is done by the next call. Blocks on the disk.

`redate` is for a root that no server uses; a running one does it with `copy_anew` (see `redating`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flussdvr.archive.disk.blob import SUFFIXES, Blob, blob_stem, delete_files, stream_directory
from flussdvr.archive.disk.hold import StreamHolds
from flussdvr.archive.disk.holes import shifted_hole
from flussdvr.archive.disk.marker import check_marker, lock_marker
from flussdvr.archive.disk.recovery import LONGEST_BLOB_MS, read_index
from flussdvr.archive.disk.scan import find_files
from flussdvr.archive.disk.walk import Entry, read_head, reader_of, walk_blob, walk_index
from flussdvr.archive.misdated import FUTURE_MS, Aside, Key, read_misdated, write_entries
from flussdvr.body.files import sync_directory
from flussdvr.clock.utc import EARLIEST_MS
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.boxes import U32, U64, boxes, child, children, full_box_header, unpack
from flussdvr.formats.mp4.fmp4 import parse_init
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range

DRAFT = ".new"
LATEST_MS = 1 << 50


@dataclass(slots=True)
class Redated:
    """What was done, a line each; `problems` are what was not."""

    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        count = len(self.done)
        summary = f"{count} {'recording is' if count == 1 else 'recordings are'} dated anew"
        return "\n".join([*self.done, *self.problems, summary])


def list_misdated(root: str, now_ms: int | None = None) -> str:
    """What is set aside on a root, or will be when a server starts at `now_ms` (the machine's clock), a line each."""
    lines = []
    for (stream, begin_ms), aside in sorted(find_misdated(root, now_ms).items(), key=lambda entry: entry[0]):
        stem = blob_stem(root, stream, begin_ms)
        shift = "unknown" if aside.shift_ms is None else f"{aside.shift_ms / 1000:+.3f} s"
        try:
            arrived = utc_text(int(os.stat(stem + ".mp4").st_mtime))
            duration = f"{_range(stem).duration_ms / 1000:.3f} s"
        except OSError as error:
            arrived = duration = error.strerror or str(error)
        dated = f"dated {utc_text(begin_ms // 1000)}, {duration} long, written until {arrived}"
        lines.append(f"{stem}.mp4  {dated}, shift {shift}")
    return "\n".join(lines) or "nothing is misdated"


def find_misdated(root: str, now_ms: int | None = None) -> dict[Key, Aside]:
    """What is known to be misdated on a root, and what is dated after `now_ms` or before there was such a server."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    found = read_misdated(root)
    if now_ms < EARLIEST_MS:
        return found
    for _, stream, begin_ms, kind in find_files(root):
        if kind != "mp4" or (stream, begin_ms) in found:
            continue
        late = begin_ms > now_ms + FUTURE_MS
        if not late and begin_ms > now_ms - LONGEST_BLOB_MS:
            late = _range(blob_stem(root, stream, begin_ms)).end_ms > now_ms + FUTURE_MS
        if late or begin_ms < EARLIEST_MS:
            found[stream, begin_ms] = Aside()
    return found


def utc_text(seconds: int) -> str:
    """A moment for people."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"


def redate(
    root: str,
    stream: str | None = None,
    by_ms: int | None = None,
    begin_ms: int | None = None,
    at_ms: int | None = None,
) -> Redated:
    """
    Date anew what is set aside on a root (of a stream), by `by_ms` or by what is known of each.

    `begin_ms` names one recording of `stream`, set aside or not; it really began `at_ms`.

    DvrError CONFLICT while the root is in use; OSError.
    """
    root, report = os.path.abspath(root), Redated()
    if stream is not None:
        stream_directory(root, stream)
    held = lock_marker(root, exclusive=True)
    try:
        known, entries = read_misdated(root), find_misdated(root)
        for key, aside in _wanted(entries, stream, begin_ms):
            shift_ms = aside.shift_ms if by_ms is None else by_ms
            if at_ms is not None:
                shift_ms = at_ms - key[1]
            path = blob_stem(root, *key) + ".mp4"
            try:
                if shift_ms is None:
                    report.problems.append(f"{path}: by how much is not known; say it with --shift or --at")
                    continue
                report.done.append(f"{path} -> {_redate(root, key, shift_ms)}")
            except (FormatError, DvrError) as error:
                report.problems.append(f"{path}: {error}")
                continue
            if known.pop(key, None) is not None:
                write_entries(root, known)
    finally:
        os.close(held)
    return report


def _wanted(entries: dict[Key, Aside], stream: str | None, begin_ms: int | None) -> list[tuple[Key, Aside]]:
    if stream is not None and begin_ms is not None:
        return [((stream, begin_ms), entries.get((stream, begin_ms), Aside()))]
    found = [entry for entry in entries.items() if stream in (None, entry[0][0])]
    return sorted(found, key=lambda entry: entry[0])


def _redate(root: str, key: Key, shift_ms: int) -> str:
    """Of one blob: the new path. `FormatError`, DvrError CONFLICT, NOT_FOUND; OSError."""
    stream, begin_ms = key
    new = _moved_stem(root, stream, begin_ms, shift_ms)
    if not os.path.exists(blob_stem(root, stream, begin_ms) + ".mp4"):
        if os.path.exists(new + ".mp4"):
            return new + ".mp4"  # a call before this one was interrupted
        raise DvrError(Kind.NOT_FOUND, "blob_gone", "there is no such recording")
    if shift_ms:
        _copy_once(root, stream, begin_ms, shift_ms, lambda: _check_room(root, stream, begin_ms, shift_ms))
        delete_files(Blob(stream, root, begin_ms, begin_ms))
    return new + ".mp4"


def copy_anew(root: str, uuid: str, holds: StreamHolds, stream: str, begin_ms: int, shift_ms: int, spare: int) -> None:
    """
    The files of a blob once more, `shift_ms` later, durably; whatever else is recorded there. `spare`: bytes that must
    be free on the disk besides. In a thread of a running server.

    `FormatError`; DvrError CONFLICT where another recording has that name, UNAVAILABLE, NOT_FOUND; OSError.
    """
    check_marker(root, uuid)
    holds.take(stream)
    try:
        old = blob_stem(root, stream, begin_ms)
        if not os.path.exists(old + ".mp4"):
            raise DvrError(Kind.NOT_FOUND, "blob_gone", "there is no such recording")
        _copy_once(root, stream, begin_ms, shift_ms, lambda: _check_space(root, old, spare))
        check_marker(root, uuid)
    finally:
        holds.give_back(stream)


def _copy_once(root: str, stream: str, begin_ms: int, shift_ms: int, check: Callable[[], None]) -> None:
    """`check` before anything is written. DvrError CONFLICT where there is another recording of that name."""
    old, new = blob_stem(root, stream, begin_ms), _moved_stem(root, stream, begin_ms, shift_ms)
    if not os.path.lexists(new + ".mp4"):
        check()
        try:
            _copy(old, new, shift_ms)
        except BaseException:
            _remove_drafts(new)
            raise
    elif not _is_copy(old, new, shift_ms):
        raise DvrError(Kind.CONFLICT, "recorded_already", f"there is another recording: {new}.mp4")


def _moved_stem(root: str, stream: str, begin_ms: int, shift_ms: int) -> str:
    if not 0 <= begin_ms + shift_ms <= LATEST_MS:
        raise FormatError(f"{begin_ms + shift_ms} ms is no date")
    return blob_stem(root, stream, begin_ms + shift_ms)


def _is_copy(old: str, new: str, shift_ms: int) -> bool:
    """Whether a copy that is there is that of `old`: of its size, and with its index, but for the date."""
    with open(old + ".mp4", "rb") as file:
        head = read_head(reader_of(file.fileno()))
    if head is None or os.stat(old + ".mp4").st_size != os.stat(new + ".mp4").st_size:
        return False
    return _shifted_index(read_index(old + ".idx"), head, shift_ms) == read_index(new + ".idx")


def _check_space(root: str, old: str, spare: int) -> None:
    """DvrError UNAVAILABLE where a copy would take what the disk's recorders need."""
    wanted = os.stat(old + ".mp4").st_size
    about = os.statvfs(root)
    if about.f_bavail * about.f_frsize < wanted + spare:
        title = f"{root} has no room for a copy of {wanted} bytes, which is made before the old one is deleted"
        raise DvrError(Kind.UNAVAILABLE, "disk_full", title)


def _remove_drafts(stem: str) -> None:
    for suffix in SUFFIXES:
        with contextlib.suppress(OSError):
            os.unlink(stem + suffix + DRAFT)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(stem))


def _check_room(root: str, stream: str, begin_ms: int, shift_ms: int) -> None:
    """DvrError CONFLICT where something else is recorded."""
    own = _range(blob_stem(root, stream, begin_ms))
    moved = Range(own.begin_ms + shift_ms, own.end_ms + shift_ms)
    aside = read_misdated(root)
    for _, other, at_ms, kind in find_files(root):
        if kind != "mp4" or other != stream or at_ms == begin_ms or (other, at_ms) in aside or at_ms >= moved.end_ms:
            continue
        there = _range(blob_stem(root, stream, at_ms))
        if there.end_ms - 1 > moved.begin_ms and there.begin_ms < moved.end_ms - 1:
            title = f"{moved.begin_ms} to {moved.end_ms} ms is recorded already: {blob_stem(root, stream, at_ms)}.mp4"
            raise DvrError(Kind.CONFLICT, "recorded_already", title)


def _range(stem: str) -> Range:
    """What a blob shows, by its index; nothing where that is damaged."""
    try:
        table = FragmentTable(read_index(stem + ".idx"))
    except FormatError:
        table = FragmentTable()
    return Range(int(table.begin_ms[0]), int(table.end_ms[-1])) if len(table) else Range(0, 0)


def _copy(old: str, new: str, shift_ms: int) -> None:
    """All files of a blob; its video gets its name last, as that is what makes it one."""
    os.makedirs(os.path.dirname(new), exist_ok=True)
    names = []
    for video, index in ((".thumbs.mp4", ".thumbs.idx"), (".mp4", ".idx")):
        if not os.path.exists(old + video):
            continue
        shutil.copyfile(old + video, new + video + DRAFT)
        with open(new + video + DRAFT, "r+b") as file:
            head, old_index = _shift_video(file.fileno(), shift_ms), read_index(old + index)
            os.fsync(file.fileno())
        with open(new + index + DRAFT, "wb") as file:
            file.write(_shifted_index(old_index, head, shift_ms))
            file.flush()
            os.fsync(file.fileno())
        names += [index, video]
    for name in names:
        os.rename(new + name + DRAFT, new + name)
    directory = os.path.dirname(new)
    for _ in range(5):  # the hour and what may have been made for it: day, month, year, stream
        sync_directory(directory)
        directory = os.path.dirname(directory)


def _shift_video(fd: int, shift_ms: int) -> bytes:
    """Change every `tfdt` of a file in place; its head."""
    read = reader_of(fd)
    head = read_head(read)
    if head is None:
        raise FormatError("it has no head")
    timescales = _timescales(head)
    for entry in walk_blob(read, len(head), os.fstat(fd).st_size):
        os.pwrite(fd, _shifted(entry, timescales, shift_ms), entry.offset)
    return head


def _shifted_index(index: bytes, head: bytes, shift_ms: int) -> bytes:
    if not index.startswith(head):
        raise FormatError("its index is another's: repair it first (flussdvr fsck --repair)")
    timescales = _timescales(head)
    entries = walk_index(index, len(head))
    return head + b"".join(_shifted(entry, timescales, shift_ms) for entry in entries)


def _shifted(entry: Entry, timescales: dict[int, int], shift_ms: int) -> bytes:
    """What the index holds of a fragment, or of a deleted span, at its new time."""
    if entry.deleted:
        return shifted_hole(entry.head, shift_ms)
    return shifted_fragment(entry.head, timescales, shift_ms)


def _timescales(head: bytes) -> dict[int, int]:
    return {track.id: track.timescale for track in parse_init(head).tracks}


def shifted_fragment(head: bytes, timescales: dict[int, int], shift_ms: int) -> bytes:
    """A fragment's `moof` (and what follows it) with `shift_ms` added to the time of each track. `FormatError`."""
    changed = bytearray(head)
    for track_id, at, dts in _times(head):
        moved = dts + (shift_ms * timescales[track_id] + 500) // 1000 if track_id in timescales else -1
        if not 0 <= moved < 1 << 63:
            raise FormatError(f"track {track_id} has no time, or an absurd one")
        changed[at : at + 8] = U64.pack(moved)
    return bytes(changed)


def _times(head: bytes) -> Iterator[tuple[int, int, int]]:
    """(track, where its `tfdt` holds the time, that time) of each track in a `moof`."""
    moof = next(iter(boxes(head)))
    for traf in children(head, moof):
        if traf.type != b"traf":
            continue
        tfdt = child(head, traf, b"tfdt")
        if full_box_header(head, tfdt)[0] != 1:
            raise FormatError("a time of 32 bits")
        (track_id,) = unpack(U32, head, child(head, traf, b"tfhd"), 4)
        yield track_id, tfdt.body + 4, unpack(U64, head, tfdt, 4)[0]

"""
Exports to files on the server.

    body --copy_file_range--> a file without a name --fsync--> link: there, or not at all

A file may be written below the permitted places only, wherever symbolic links lead, and never replaces another. It has
no name until it is complete (O_TMPFILE), so nothing is left of one that was interrupted.

Below a DVR root every name without an extension may be wanted as a directory one day: of a stream, of a year. So a
file's name ends in `.mp4` there, and no part of the path is a name that the archive itself gives to files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from errno import EDQUOT, EEXIST, EFBIG, EISDIR, ENOSPC, EOPNOTSUPP
from uuid import uuid4

from flussdvr.body.body import Body
from flussdvr.body.copying import write_body
from flussdvr.errors import DvrError, Kind

_OURS = re.compile(r"\..*|locks\.json|\d+\.(thumbs\.)?(mp4|idx)(\.new)?")
"""Names that the archive itself gives to files, as `casefold()` has them: some file systems do not tell the case."""
FULL = (ENOSPC, EDQUOT, EFBIG)
_PATH = {"parameter": "path"}


@dataclass(frozen=True, slots=True)
class ArchiveRoot:
    """A DVR root: exports may go there, among the archive's own files."""

    path: str


@dataclass(frozen=True, slots=True)
class PrivateRoot:
    """Where no export may go, even inside of a place that is permitted: the state directory."""

    path: str


Place = str | ArchiveRoot | PrivateRoot
"""What stands for a directory and all that is in it; of several that are one in another, the innermost decides."""


@dataclass(frozen=True, slots=True)
class FileDestination:
    """A file below one of `roots`."""

    path: str
    roots: Sequence[Place]

    @property
    def name(self) -> str:
        return self.path

    def check(self) -> None:
        check_path(self.path, self.roots)

    def write(self, body: Body, copied: Callable[[int, int], None]) -> None:
        write_file(body, self.path, self.roots, copied)

    def left(self) -> int | None:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return None


def check_path(path: str, roots: Iterable[Place]) -> None:
    """DvrError DENIED for a path that is not permitted, CONFLICT for one that is taken. Blocking."""
    directory, name = os.path.split(path)
    if not path.startswith("/") or "\0" in path or ".." in path.split("/") or not name or _is_ours(name):
        raise _forbidden(path)
    if not path.isprintable():
        title = f"{path[:200]!a}: a path has no characters that cannot be seen, or that turn the direction of text"
        raise DvrError(Kind.BAD_REQUEST, "invalid_parameter", title, _PATH)
    _check_inside(os.path.realpath(directory), path, roots)
    if os.path.lexists(path):
        raise _exists(path)


def _check_inside(directory: str, path: str, roots: Iterable[Place]) -> None:
    """`directory`: where the last part of `path` really is."""
    innermost: tuple[str, Place] | None = None
    for root in roots:
        real = os.path.realpath(root if isinstance(root, str) else root.path)
        is_inside = directory == real or directory.startswith(real.rstrip("/") + "/")
        if is_inside and (innermost is None or len(real) >= len(innermost[0])):
            innermost = real, root
    if innermost is None or isinstance(innermost[1], PrivateRoot):
        raise _forbidden(path)
    parts = directory[len(innermost[0]) :].split("/")
    if any(part and _is_ours(part) for part in parts):
        raise _forbidden(path)
    if isinstance(innermost[1], ArchiveRoot) and not path.casefold().endswith(".mp4"):
        raise _forbidden(path)


def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name.casefold()) is not None


def _forbidden(path: str) -> DvrError:
    title = (
        f"{path[:200]!r} is not below export_root or a DVR root, or has a name that the archive may need: "
        "below a DVR root, names of exports end in .mp4"
    )
    return DvrError(Kind.DENIED, "path_not_permitted", title, _PATH)


def _exists(path: str) -> DvrError:
    return DvrError(Kind.CONFLICT, "file_exists", f"{path} exists, and is left as it is", _PATH)


def write_file(body: Body, path: str, roots: Iterable[Place], copied: Callable[[int, int], None]) -> None:
    """Blocking: all of it, or nothing. DvrError, Canceled."""
    try:
        _write_file(body, path, roots, copied)
    except OSError as error:
        if error.errno == EEXIST:
            raise _exists(path) from None
        if error.errno in FULL:
            raise DvrError(Kind.NO_SPACE, "no_space", f"{path}: {error.strerror}", _PATH) from None
        raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"{path}: {error.strerror or error}", _PATH) from None


def _write_file(body: Body, path: str, roots: Iterable[Place], copied: Callable[[int, int], None]) -> None:
    directory, name = os.path.split(path)
    os.makedirs(directory, exist_ok=True)
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check_inside(os.readlink(f"/proc/self/fd/{at}"), path, roots)  # where it really is, whatever changed since
        space = os.fstatvfs(at)
        if space.f_bavail * space.f_frsize < len(body):
            title = f"{path} would have {len(body)} bytes, {space.f_bavail * space.f_frsize} are free"
            raise DvrError(Kind.NO_SPACE, "no_space", title, _PATH)
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

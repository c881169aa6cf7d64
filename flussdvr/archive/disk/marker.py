# -*- test-case-name: tests.archive.disk.test_root -*-
"""
The marker of a storage root: `<root>/.flussdvr`, one line with a uuid.

It tells an unmounted disk (no marker where there was one) and another disk (another uuid) from the one that is meant.
Made on first use only; an operator who replaces a disk for good makes it with `flussdvr reindex ROOT`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from uuid import uuid4

from flussdvr.body.durable import read_bounded
from flussdvr.body.files import sync_directory
from flussdvr.errors import DvrError, Kind

MARKER = ".flussdvr"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_marker(root: str) -> str | None:
    """The uuid of the root; `None` if there is no marker. DvrError CORRUPT if it holds no uuid; OSError."""
    try:
        text = read_bounded(os.path.join(root, MARKER), 200).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EFBIG, errno.EISDIR, errno.ENXIO):
            raise
        raise DvrError(Kind.CORRUPT, "bad_marker", f"{root}/{MARKER} is not a small regular file") from error
    if not _UUID.fullmatch(text):
        raise DvrError(Kind.CORRUPT, "bad_marker", f"{root}/{MARKER} holds no uuid")
    return text


def make_marker(root: str, uuid: str | None = None) -> str:
    """Make the root, if it is missing, and its marker, durably. The uuid; that of another who was faster. OSError."""
    os.makedirs(root, exist_ok=True)
    uuid = uuid or str(uuid4())
    draft = os.path.join(root, f"{MARKER}.{uuid}")
    with open(draft, "x", encoding="ascii") as file:
        file.write(uuid + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, os.path.join(root, MARKER))
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
    sync_directory(root)
    return read_marker(root) or uuid


def check_marker(root: str, uuid: str) -> None:
    """DvrError UNAVAILABLE unless the root is the one that has this uuid."""
    try:
        found = read_marker(root)
    except OSError as error:
        raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"{root}: {error}") from error
    if found is None:
        raise DvrError(Kind.UNAVAILABLE, "disk_not_mounted", f"{root} has no {MARKER}: is its disk mounted?")
    if found != uuid:
        raise DvrError(Kind.UNAVAILABLE, "another_disk", f"{root} is another disk: {found}, expected {uuid}")


def lock_marker(root: str, exclusive: bool) -> int:
    """
    Hold the root: servers share it, a tool that changes files wants it for itself.

    The file descriptor to close in the end. DvrError CONFLICT where others hold it; OSError. Where the file system
    has no locks (some NFS), nothing is held.
    """
    fd = os.open(os.path.join(root, MARKER), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        pids = holders_of(fd)
        os.close(fd)
        user = "a server" if exclusive else "a repair"
        who = f" (process {', '.join(map(str, pids))})" if pids else ""
        raise DvrError(Kind.CONFLICT, "root_in_use", f"{root} is in use by {user}{who}") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            os.close(fd)
            raise
    return fd


def holders_of(fd: int) -> list[int]:
    """The processes of this host that hold a flock(2) on an open file, as far as /proc/locks (proc(5)) says."""
    about = os.fstat(fd)
    wanted = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            fields = [line.split() for line in file]
    except OSError:
        return []
    held = [one for one in fields if len(one) >= 6 and one[1] == "FLOCK" and one[5] == wanted]
    return sorted({int(one[4]) for one in held if one[4].isdigit() and int(one[4])})

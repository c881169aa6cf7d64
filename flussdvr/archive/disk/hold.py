# -*- test-case-name: tests.archive.disk.test_hold -*-
"""
Holding a directory: one process uses it, and any other that wants it is told who does.

    <state_dir>/.flussdvr.lock            while a server runs
    <root>/<stream>/.flussdvr.lock        while it records the stream, and while a tool changes its files

The kernel's lock (flock(2)) on the open file is what holds; it goes with the process, however that ends. The file says
who holds it, for people. It is removed by whoever gives the directory back; one that a crash has left means nothing.

Where a file system has no locks (some NFS), what the file says decides: it is believed while the process that it names
runs on this host, and not when it names another host. A holder that was killed and can't end, because a disk hangs,
runs no more: its lock is void.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Lock

from flussdvr.archive.disk.blob import stream_directory
from flussdvr.archive.disk.marker import holders_of
from flussdvr.body.durable import make_directories, open_regular
from flussdvr.body.files import FILES, Files
from flussdvr.errors import DvrError, Kind
from flussdvr.json_text import parse_json

LOCK_FILE = ".flussdvr.lock"
TRIES = 10
"""The file may be removed by one who gives it back, between opening and locking it; rarely twice."""
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
LIMIT = 4096

Flock = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Holder:
    """
    Who holds a directory. `started`: when the process was started, in clock ticks since the boot of its host (field 22
    of /proc/PID/stat), as pids are used again; `since`: UTC, for people; `what`: what it does with the directory.
    """

    pid: int
    host: str
    started: int
    since: str
    what: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}, {self.what}"

    @classmethod
    def me(cls, what: str) -> Holder:
        pid = os.getpid()
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(pid, socket.gethostname(), started_at(pid) or 0, now, what)

    @property
    def is_running(self) -> bool:
        """Whether it runs on this host; a process that was killed and waits for a disk does not."""
        found = process(self.pid)
        return self.is_here and found is not None and found[0] not in "ZXx" and self.started in (0, found[1])

    @property
    def is_dead(self) -> bool:
        """Whether it is certain that it runs no more."""
        return self.is_here and not self.is_running

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()


class Hold:
    """A directory that is held. `real`: the kernel holds it, not only what the file says. Give it back once."""

    def __init__(self, path: str, fd: int, real: bool) -> None:
        self.path = path
        self.real = real
        self._fd = fd

    @property
    def is_valid(self) -> bool:
        """Whether the file is still the one that is locked: not after another disk was mounted there. Blocks."""
        return self._fd >= 0 and _is_same(self._fd, self.path)

    def release(self) -> None:
        """Give it back; the file goes too, if it is still ours. Blocks; raises nothing."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with contextlib.suppress(OSError):
            if _is_same(fd, self.path):
                os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.close(fd)


def hold(directory: str, what: str, flock: Flock = fcntl.flock) -> Hold:
    """
    Hold a directory. Blocks, but never waits for the holder.

    DvrError CONFLICT `in_use` where it is held, saying by whom; OSError where the file can't be made or opened.
    """
    path = f"{directory}/{LOCK_FILE}"
    for _ in range(TRIES):
        fd = _open(path)
        try:
            real = _lock(fd, path, flock)
            if not _is_same(fd, path):
                os.close(fd)
                continue
            with contextlib.suppress(OSError):  # on a full or read-only disk it is held all the same
                _write(fd, Holder.me(what))
        except _Void:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.close(fd)
            continue
        except BaseException:
            os.close(fd)
            raise
        return Hold(path, fd, real)
    raise DvrError(Kind.CONFLICT, "in_use", f"{directory} is in use: {path} is made and removed by others")


def hold_made(directory: str, what: str) -> Hold:
    """`hold` of a directory that is made if it is missing."""
    os.makedirs(directory, exist_ok=True)
    return hold(directory, what)


class _Void(Exception):
    """The lock belongs to a process that has been killed and can't end."""


def _open(path: str) -> int:
    try:
        fd = open_regular(path, os.O_RDWR)
    except FileNotFoundError:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        return open_regular(path)  # flock(2) needs no right to write
    return fd


def _lock(fd: int, path: str, flock: Flock) -> bool:
    """Whether the kernel holds it. DvrError CONFLICT, OSError, _Void."""
    try:
        flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        holder = read_holder(fd)
        if holder is not None and holder.is_dead:
            raise _Void from None
        raise in_use(path, holder, holders_of(fd)) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    holder = read_holder(fd)
    if (
        holder is not None
        and holder.is_running
        and (holder.pid, holder.started) != (os.getpid(), started_at(os.getpid()))
    ):
        raise in_use(path, holder)
    return False


def in_use(path: str, holder: Holder | None, pids: Sequence[int] = ()) -> DvrError:
    """The refusal that names the holder: as the file says, or at least as the kernel does."""
    unnamed = f"process {', '.join(map(str, pids))}" if pids else "another process"
    who = unnamed if holder is None else str(holder)
    return DvrError(Kind.CONFLICT, "in_use", f"{os.path.dirname(path)} is in use by {who}")


def holder_of(directory: str) -> Holder | None:
    """Who is said to hold a directory, for a message. Blocks."""
    try:
        fd = open_regular(f"{directory}/{LOCK_FILE}")
    except OSError:
        return None
    try:
        return read_holder(fd)
    finally:
        os.close(fd)


def read_holder(fd: int) -> Holder | None:
    """What the file says, if that makes sense."""
    try:
        value = parse_json(os.pread(fd, LIMIT, 0), LIMIT)
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict):
        return None
    pid, started = value.get("pid"), value.get("started")
    texts = [value.get(name) for name in ("host", "since", "what")]
    if type(pid) is not int or not 0 < pid < 1 << 31 or type(started) is not int or not 0 <= started < 1 << 62:
        return None
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        return None
    return Holder(pid, str(texts[0]), started, str(texts[1]), str(texts[2]))


def _write(fd: int, holder: Holder) -> None:
    data = json.dumps(asdict(holder)).encode() + b"\n"
    os.ftruncate(fd, 0)
    os.pwrite(fd, data[:LIMIT], 0)


def _is_same(fd: int, path: str) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    mine = os.fstat(fd)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def process(pid: int) -> tuple[str, int] | None:
    """State and start of a process of this host (proc(5), /proc/PID/stat), `None` if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return fields[0].decode("ascii", "replace"), int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def started_at(pid: int) -> int | None:
    found = process(pid)
    return found[1] if found is not None else None


class StreamHolds:
    """
    The directories of streams on one root that this process holds, each as often as somebody in it wants it.

    In any thread of the root; a disk that hangs holds the lock, and only this root's threads wait for it.
    """

    def __init__(self, root: str, files: Files = FILES, flock: Flock = fcntl.flock) -> None:
        self.root = root
        self._files = files
        self.flock = flock
        self._lock = Lock()
        self._holds: dict[str, tuple[Hold, int]] = {}

    def take(self, stream: str) -> None:
        """DvrError CONFLICT, OSError. Each call wants one of `give_back`. The root must be the right disk."""
        directory = stream_directory(self.root, stream)
        with self._lock:
            held, count = self._holds.get(stream, (None, 0))
            if held is not None and not held.is_valid:  # another disk is there now
                held.release()
                held = None
            if held is None:
                make_directories(directory, self._files)
                held = hold(directory, f"recording {stream}", self.flock)
            self._holds[stream] = held, count + 1

    def check(self, stream: str) -> None:
        """For one who has taken it: hold it again, if another disk is there now. DvrError CONFLICT, OSError."""
        self.take(stream)
        self.give_back(stream)

    def give_back(self, stream: str) -> None:
        with self._lock:
            held, count = self._holds.pop(stream, (None, 0))
            if held is None:
                return
            if count > 1:
                self._holds[stream] = held, count - 1
            else:
                held.release()
                self._tidy(stream)

    def _tidy(self, stream: str) -> None:
        """Remove directories in which nothing was recorded, or nothing is left."""
        directory = stream_directory(self.root, stream)
        while directory != self.root:
            try:
                os.rmdir(directory)
            except OSError:
                return
            directory = os.path.dirname(directory)

    def release(self) -> None:
        """All of them, at the end."""
        with self._lock:
            holds, self._holds = self._holds, {}
        for held, _ in holds.values():
            held.release()

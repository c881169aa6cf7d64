"""
Log events as entries of systemd's journal, with fields that it can be searched by.

    journalctl -u flussdvr FLUSSDVR_STREAM=ort -p warning

An entry is one datagram of `KEY=value` lines (systemd's "Native Journal Protocol"). What is too large for a datagram
goes as a sealed memfd. `JournalObserver` hands what the journal does not take to the observers that write text.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable
from typing import IO, Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from twisted.python.failure import Failure
from twisted.python.reflect import safe_str
from zope.interface import implementer

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "flussdvr"
VALUE_MAX = 64 * 1024
"""Bytes of one value; the rest is cut off."""
BACKLOG = 1000
"""Entries that wait while the journal is busy; what comes after is counted and left out."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
PRIORITIES: dict[Any, int] = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
"""syslog(3)."""
FIELDS = {
    **{name: f"FLUSSDVR_{name.upper()}" for name in ("stream", "root", "path", "url", "peer", "times", "code")},
    **{name: f"FLUSSDVR_{name.upper()}" for name in ("error", "reason", "event", "name")},
}
"""Keys of log events, and the fields that they become. All of them are part of messages: none has a secret."""
_TOO_LARGE = {errno.EMSGSIZE, errno.ENOBUFS}
_FLUSH_S = 1.0
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def encode(fields: Iterable[tuple[str, str]]) -> bytes:
    """
    One entry. A value of several lines is preceded by its length, 64 bits, little endian.

    Raises `ValueError` for a key that the journal would leave out.
    """
    entry = bytearray()
    for key, value in fields:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no field of the journal")
        data = _cut(value.encode("utf-8", "backslashreplace"))
        if b"\n" in data:
            entry += key.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
        else:
            entry += key.encode() + b"=" + data + b"\n"
    return bytes(entry)


def _cut(data: bytes) -> bytes:
    return data if len(data) <= VALUE_MAX else data[:VALUE_MAX].decode("utf-8", "ignore").encode()


def fields_of(event: LogEvent) -> list[tuple[str, str]]:
    """What the journal gets of `event`, a traceback being part of the message; empty if there is nothing to say."""
    message = eventAsText(event, includeTimestamp=False, includeSystem=False)
    if not message:
        return []
    failed = "log_failure" in event or event.get("isError")
    priority = PRIORITIES.get(event.get("log_level"), PRIORITIES[LogLevel.error if failed else LogLevel.info])
    fields = [("MESSAGE", message), ("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", IDENTIFIER)]
    if namespace := event.get("log_namespace"):
        fields.append(("LOGGER", str(namespace)))
    fields += _code(event.get("log_failure"))
    fields += [(FIELDS[key], safe_str(event[key])) for key in FIELDS if event.get(key) is not None]
    return fields


def _code(failure: object) -> list[tuple[str, str]]:
    """Where the exception of `failure` was raised."""
    if not isinstance(failure, Failure):
        return []
    traceback: Any = failure.getTracebackObject()  # type: ignore[no-untyped-call]
    if traceback is None:
        return []
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return [("CODE_FILE", code.co_filename), ("CODE_LINE", str(traceback.tb_lineno)), ("CODE_FUNC", code.co_name)]


class JournalWriter:
    """
    Sends entries to the journal's socket. Any thread; never waits for the journal.

    While the journal is busy, up to `BACKLOG` entries wait for a thread that sends them; how many more there were is
    an entry of its own afterwards.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._sender: threading.Thread | None = None
        self.lost = 0
        """Entries left out since this was last told."""

    def write(self, entry: bytes) -> bool:
        """Whether the journal has the entry, or will; `False` if there is no journal."""
        with self._lock:
            if self._sender is None:
                try:
                    if self.lost:
                        self._send(_lost(self.lost), socket.MSG_DONTWAIT)
                        self.lost = 0
                    self._send(entry, socket.MSG_DONTWAIT)
                    return True
                except BlockingIOError:
                    self._sender = threading.Thread(target=self._send_waiting, name="journal", daemon=True)
                    self._sender.start()
                except OSError:
                    return False
            if len(self._waiting) < BACKLOG:
                self._waiting.append(entry)
            else:
                self.lost += 1
            return True

    def flush(self, timeout_s: float) -> None:
        """Wait for what waits, at most so long."""
        with self._lock:
            sender = self._sender
        if sender is not None:
            sender.join(timeout_s)

    def close(self) -> None:
        self._socket.close()

    def _send(self, entry: bytes, flags: int) -> None:
        try:
            self._socket.sendto(entry, flags, self._path)
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise
            self._send_memfd(entry, flags)

    def _send_memfd(self, entry: bytes, flags: int) -> None:
        memfd = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(memfd, "wb", closefd=False) as file:
                file.write(entry)
            fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, SEALS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", memfd))]
            self._socket.sendmsg([], rights, flags, self._path)
        finally:
            os.close(memfd)

    def _send_waiting(self) -> None:
        """In a thread: it may wait for the journal."""
        while True:
            with self._lock:
                if self._waiting:
                    entry = self._waiting.popleft()
                elif self.lost:
                    entry, self.lost = _lost(self.lost), 0
                else:
                    self._sender = None
                    return
            try:
                self._send(entry, 0)
            except OSError:
                with self._lock:
                    self.lost += 1 + len(self._waiting)
                    self._waiting.clear()
                    self._sender = None
                return


def _lost(count: int) -> bytes:
    message = f"{count} log entries are left out: the journal was too busy"
    return encode([("MESSAGE", message), ("PRIORITY", "4"), ("SYSLOG_IDENTIFIER", IDENTIFIER)])


@implementer(ILogObserver)
class JournalObserver:
    """Sends each event to the journal, or gives it to `otherwise` while there is no journal. Any thread."""

    def __init__(self, writer: JournalWriter, otherwise: ILogObserver) -> None:
        self._writer = writer
        self._otherwise = otherwise

    def __call__(self, event: LogEvent) -> None:
        fields = fields_of(event)
        if fields and not self._writer.write(encode(fields)):
            self._otherwise(event)


def is_journal(file: IO[Any], journal_stream: str) -> bool:
    """
    Whether what is written to `file` ends in the journal.

    `journal_stream` is `$JOURNAL_STREAM`, "DEVICE:INODE" of the stream that systemd has made (systemd.exec(5)).
    """
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError, AttributeError):  # a file object without a file
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


def observing(text: ILogObserver) -> JournalObserver:
    """An observer for the whole process; `text` is what is used where there is no journal."""
    writer = JournalWriter(SOCKET)
    atexit.register(writer.flush, _FLUSH_S)
    return JournalObserver(writer, text)

# -*- test-case-name: tests.events.test_log_file -*-
"""
A sink that is a file.

    jsonlog:///var/log/x.json, /var/log/x.json    one JSON object per line
    log:///var/log/x.log                          2026-11-20T17:00:00.123Z dvr_blob_closed media=cam size=4711

    x.log -> x.log.1 -> x.log.2 ... x.log.N       at `max_size` bytes; N is `max_depth`

Written in a thread of its own: a disk that hangs holds that thread and a bounded number of lines. A file that somebody
else has renamed (logrotate) is made anew.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.config.model import EventSinkSettings
from flussdvr.events.sink import Make
from flussdvr.events.types.server import EventsDropped
from flussdvr.threads import Worker

CAPACITY = 20_000
"""Lines that wait for the disk; `resend_limit` lowers it."""
WRITE_S = 0.2
"""Lines are gathered for so long, or for `throttle_delay`."""
MAX_SIZE = 10 << 20
MAX_DEPTH = 10


class RotatedFile:
    """A file that is appended to, in one thread. Raises `OSError`."""

    def __init__(self, path: str, max_size: int, max_depth: int) -> None:
        self.path = path
        self.max_size = max_size
        self.max_depth = max_depth

    def append(self, lines: list[bytes]) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        pending: list[bytes] = []
        size = self._size()
        for line in lines:
            if size and size + len(line) > self.max_size:
                self._write(pending)
                pending = []
                self._rotate()
                size = 0
            pending.append(line)
            size += len(line)
        self._write(pending)

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            with open(self.path, "ab") as file:
                file.write(b"".join(lines))

    def _rotate(self) -> None:
        for number in range(self.max_depth - 1, 0, -1):
            if os.path.exists(f"{self.path}.{number}"):
                os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        if self.max_depth:
            os.replace(self.path, f"{self.path}.1")
        else:
            os.unlink(self.path)


class FileSink:
    """A `Sink` that writes to the file of its URL. `worker` has one thread, which `stop` ends."""

    log = Logger()

    def __init__(self, settings: EventSinkSettings, reactor: IReactorTime, worker: Worker, make: Make) -> None:
        self.settings = settings
        self.sent = self.resent = self.dropped = 0
        self.error: str | None = None
        self.text = settings.url.startswith("log://")
        path = settings.url.partition("://")[2] or settings.url
        size = MAX_SIZE if settings.max_size is None else settings.max_size
        depth = MAX_DEPTH if settings.max_depth is None else settings.max_depth
        self._file = RotatedFile(path, size, depth)
        self._reactor = reactor
        self._worker = worker
        self._make = make
        self._lines: deque[bytes] = deque()
        self._unannounced = 0
        self._timer: Any = None
        self._writing: Deferred[None] | None = None
        self._stopping = False

    def __len__(self) -> int:
        return len(self._lines)

    def offer(self, event: Mapping[str, Any], data: bytes) -> None:
        limit = self.settings.resend_limit
        if len(self._lines) >= (CAPACITY if limit is None or self.error is None else min(limit, CAPACITY)):
            self.dropped += 1
            self._unannounced += 1
            return
        self._lines.append(as_text(event) if self.text else data + b"\n")
        self._write_later(self.settings.throttle_delay_s or WRITE_S)

    def start(self) -> None:
        pass

    async def stop(self) -> None:
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            waiter: Deferred[None] = Deferred()
            self._writing.chainDeferred(waiter)
            await waiter
        if self._lines and self.error is None:
            self._write()
            if self._writing is not None:
                await self._writing
        await self._worker.stop()

    def _write_later(self, seconds: float) -> None:
        if self._timer is None and self._writing is None and not self._stopping:
            self._timer = self._reactor.callLater(seconds, self._write)

    def _write(self) -> None:
        self._timer = None
        lines = list(self._lines)
        if self._unannounced:
            lost = self._make(EventsDropped(sink=self.settings.name, count=self._unannounced))
            lines.append(as_text(lost) if self.text else json.dumps(lost).encode() + b"\n")
        self._writing = self._worker.do(self._file.append, lines)
        self._writing.addCallbacks(self._written, self._not_written, callbackArgs=(len(self._lines), self._unannounced))

    def _written(self, _: None, count: int, announced: int) -> None:
        self._writing, self.error = None, None
        self._unannounced -= announced
        self.sent += count
        for _index in range(count):
            self._lines.popleft()
        if self._lines or self._unannounced:
            self._write_later(WRITE_S)

    def _not_written(self, failure: Failure) -> None:
        self._writing = None
        if self.error is None:
            error = failure.getErrorMessage()
            self.log.error("event sink {name} can't be written: {error}", name=self.settings.name, error=error)
        self.error = failure.getErrorMessage()
        self._write_later(self.settings.resend_timeout_s or WRITE_S)


def as_text(event: Mapping[str, Any]) -> bytes:
    """One line: when, what, and `key=value` of what is not null; values with blanks are in double quotes."""
    at = datetime.fromtimestamp(event["utc_ms"] / 1000, UTC)
    words = [at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{event['utc_ms'] % 1000:03}Z", str(event["event"])]
    for key, value in event.items():
        if value is not None and key not in ("event", "utc_ms"):
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            plain = text.isascii() and text.isprintable() and text and not set(' "\\').intersection(text)
            words.append(f"{key}={text if plain else json.dumps(text)}")
    return " ".join(words).encode() + b"\n"

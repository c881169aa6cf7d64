"""
A body as a file that is read: for libraries that send files.

    body  [ head | extent | extent ... ]
                    ^ tell(): no more than what `read` is asked for is ever in RAM
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType

from flussdvr.body.body import Body, Part
from flussdvr.body.reading import DataGone, has_hole
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.made import Made, Making


class BodyFile:
    """
    For one thread. `before()` is called before each read and may raise. `failure` is what has last come out of `read`:
    who sends files may well pass it on as something else.
    """

    def __init__(self, body: Body, before: Callable[[], None] = lambda: None) -> None:
        self.failure: BaseException | None = None
        self._body = body
        self._before = before
        self._at = 0
        self._making = Making()
        self._opened: tuple[str, int] | None = None

    def __len__(self) -> int:
        return len(self._body)

    def __enter__(self) -> BodyFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, len(self))[whence])
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, none at the end. `DataGone`; DvrError UNAVAILABLE of a failing disk."""
        self.failure = None
        try:
            self._before()
            stop = len(self) if count is None or count < 0 else self._at + count
            data = b"".join(map(self._bytes, self._body.slice(self._at, stop).parts))
        except OSError as error:
            self.failure = DvrError(Kind.UNAVAILABLE, "disk_failed", f"{error.filename}: {error.strerror or error}")
            raise self.failure from None
        except BaseException as error:
            self.failure = error
            raise
        self._at += len(data)
        return data

    def close(self) -> None:
        if self._opened is not None:
            os.close(self._opened[1])
            self._opened = None

    def _bytes(self, part: Part) -> bytes:
        if isinstance(part, bytes):
            return part
        if isinstance(part, Made):
            return self._making.data(part)
        descriptor = self._open(part.path)
        try:
            data = os.pread(descriptor, part.length, part.offset)
        except OSError as error:
            error.filename = part.path
            raise
        if len(data) < part.length or has_hole(descriptor, part.offset, part.offset + part.length):
            raise DataGone(part.path)
        return data

    def _open(self, path: str) -> int:
        if self._opened is None or self._opened[0] != path:
            self.close()
            try:
                self._opened = path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise DataGone(path) from None
        return self._opened[1]

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
from flussdvr.body.file import BodyFile, Opened
from flussdvr.body.reading import DiskFailed
from flussdvr.formats.made import Made, Making


class SeekableBody:
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
        self._opened: tuple[BodyFile, Opened] | None = None

    def __len__(self) -> int:
        return len(self._body)

    def __enter__(self) -> SeekableBody:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, len(self))[whence])
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, none at the end. `DataGone`, `DiskFailed`."""
        self.failure = None
        try:
            self._before()
            stop = len(self) if count is None or count < 0 else self._at + count
            data = b"".join(map(self._bytes, self._body.slice(self._at, stop).parts))
        except OSError as error:
            self.failure = DiskFailed(error.filename, error)
            raise self.failure from None
        except BaseException as error:
            self.failure = error
            raise
        self._at += len(data)
        return data

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()

    def _bytes(self, part: Part) -> bytes:
        if isinstance(part, bytes):
            return part
        if isinstance(part, Made):
            return self._making.data(part)
        return self._open(part.file).read(part.offset, part.length)

    def _open(self, file: BodyFile) -> Opened:
        if self._opened is None or self._opened[0] != file:
            self.close()
            self._opened = file, file.open()
        return self._opened[1]

# -*- test-case-name: tests.archive.streams.test_index_cache -*-
"""
The indexes that are in use, parsed.

    table(blob)  ->  in RAM, up to date              at once
                     in RAM, the blob has grown      the appended bytes only, read in a reader thread
                     not in RAM                      read and parsed in a reader thread, once for all who ask

Bounded by the bytes that the tables hold; the least recently used go first. A table is extended in the reactor thread
only, and only by little: what has not been looked at for long is parsed anew beside it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.threads import Worker

LIMIT_BYTES = 256 << 20
EXTEND_BYTES = 256 << 10
"""At most this is parsed in the reactor thread (about 0.2 ms a fragment table of a minute)."""
MAX_INDEX = 1 << 28
"""A hundred times the index of an ordinary hour."""


class IndexCache:
    """Fragment tables by blob. `reader(blob)` is the worker that may read its files."""

    def __init__(self, reader: Callable[[Blob], Worker], limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._reader = reader
        self._tables: OrderedDict[Blob, FragmentTable] = OrderedDict()
        self._nbytes: dict[Blob, int] = {}
        self._waiting: dict[Blob, list[Deferred[None]]] = {}

    @property
    def nbytes(self) -> int:
        return sum(self._nbytes.values())

    def __len__(self) -> int:
        return len(self._tables)

    async def table(self, blob: Blob, keep: bool = True) -> FragmentTable:
        """
        The table of at least what `blob.index_size` says now. Without `keep`, that of a closed blob is not kept: for
        those who look at many once. DvrError NOT_FOUND, CORRUPT or UNAVAILABLE.
        """
        wanted = blob.index_size
        while True:
            wanted = min(wanted, blob.index_size)  # smaller once a part of the blob is deleted
            table = self._tables.get(blob)
            if table is not None and table.consumed >= wanted:
                self._tables.move_to_end(blob)
                return table
            if is_trimming(blob) or (blob.closed and not keep):  # while it is trimmed either index may be there
                passing: FragmentTable = await self._reader(blob).do(read_table, blob.index_path)
                return passing
            try:
                await self._one_flight(blob)
            except DvrError as error:
                replaced = is_trimming(blob) or blob.index_size < wanted
                if error.kind is not Kind.CORRUPT or not replaced:
                    raise

    def forget(self, blobs: Iterable[Blob]) -> None:
        """Blobs that are gone or rewritten."""
        for blob in blobs:
            self._tables.pop(blob, None)
            self._nbytes.pop(blob, None)

    def _one_flight(self, blob: Blob) -> Deferred[None]:
        """Read what is missing, once for all who wait. Each has a Deferred of its own and may be cancelled."""
        mine: Deferred[None] = Deferred()
        if (others := self._waiting.get(blob)) is not None:
            others.append(mine)
            return mine
        self._waiting[blob] = [mine]

        def landed(result: None | Failure) -> None:
            for waiter in self._waiting.pop(blob):
                if not waiter.called:
                    waiter.callback(result)

        Deferred.fromCoroutine(self._read(blob)).addBoth(landed)
        return mine

    async def _read(self, blob: Blob) -> None:
        table, stop = self._tables.get(blob), blob.index_size
        reader = self._reader(blob)
        if table is not None and stop - table.consumed <= EXTEND_BYTES:
            start = table.consumed
            more = await reader.do(_read_index, blob.index_path, start, stop)
            try:
                table.extend(more)
            except FormatError as error:
                raise _corrupt(blob, error) from error
        else:
            table = await reader.do(_parse, blob, blob.index_path, stop)
        if table.consumed < stop:
            raise _corrupt(blob, f"{stop} bytes are indexed, {table.consumed} make sense")
        if stop <= blob.index_size and not is_trimming(blob):
            self._keep(blob, table)

    def _keep(self, blob: Blob, table: FragmentTable) -> None:
        self._tables[blob] = table
        self._tables.move_to_end(blob)
        self._nbytes[blob] = table.nbytes
        total = self.nbytes
        while total > self.limit_bytes and len(self._tables) > 1:
            oldest, _ = self._tables.popitem(last=False)
            total -= self._nbytes.pop(oldest)


def is_trimming(blob: Blob) -> bool:
    """Whether its index is being replaced."""
    return blob.state is BlobState.TRIMMING


def _corrupt(blob: Blob, reason: object) -> DvrError:
    return DvrError(Kind.CORRUPT, "corrupt_index", f"{blob.index_path}: {reason}")


def _parse(blob: Blob, path: str, stop: int) -> FragmentTable:
    try:
        return FragmentTable(_read_index(path, 0, stop))
    except FormatError as error:
        raise _corrupt(blob, error) from error


def read_table(path: str) -> FragmentTable:
    """The table of all that an index has now. Blocking. DvrError NOT_FOUND, CORRUPT, UNAVAILABLE."""
    try:
        with open(path, "rb") as file:
            return FragmentTable(file.read(MAX_INDEX))
    except FileNotFoundError:
        raise DvrError(Kind.NOT_FOUND, "blob_gone", f"{path} has been deleted") from None
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_index", f"{path}: {error}") from error
    except OSError as error:
        raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"{path}: {error}") from error


def _read_index(path: str, start: int, stop: int) -> bytes:
    """The bytes `[start, stop)` of an index. DvrError NOT_FOUND, CORRUPT, UNAVAILABLE."""
    if stop - start > MAX_INDEX:
        raise DvrError(Kind.CORRUPT, "corrupt_index", f"{path}: {stop} bytes")
    try:
        with open(path, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), stop - start, start)
    except FileNotFoundError:
        raise DvrError(Kind.NOT_FOUND, "blob_gone", f"{path} has been deleted") from None
    except OSError as error:
        raise DvrError(Kind.UNAVAILABLE, "disk_failed", f"{path}: {error}") from error
    if len(data) < stop - start:
        raise DvrError(Kind.CORRUPT, "corrupt_index", f"{path}: need {stop} bytes, have {start + len(data)}")
    return data

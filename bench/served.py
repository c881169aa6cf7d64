"""The archives of `recordings`, served by a real server in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.recordings import Archive
from tests.integration.lab.server import Server


@contextmanager
def served(archive: Archive, streams: str = "", settings: str = "") -> Iterator[Server]:
    """A server that has just begun to answer; nothing is in its caches. Its streams are only in the archive."""
    server = Server(archive.folder, streams, settings=settings)
    server.log.unlink(missing_ok=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def pid_of(server: Server) -> int:
    assert server.process is not None
    return server.process.pid

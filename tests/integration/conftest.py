"""Fixtures of the integration tests: real processes on loopback, ended by the fixture that started them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.lab.server import Server
from tests.integration.lab.source import Source


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`serve(streams, ...)` starts a server; it is stopped at the end of the test."""
    servers: list[Server] = []

    def start(streams: str, **options: object) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, streams, **options))  # type: ignore[arg-type]
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def shoot() -> Iterator[Callable[..., Source]]:
    """`shoot(output, ...)` starts a live camera; it is stopped at the end of the test."""
    sources: list[Source] = []

    def start(*outputs: str, **options: object) -> Source:
        sources.append(Source(*outputs, **options))
        return sources[-1]

    yield start
    for source in sources:
        source.stop()

"""A client that measures: when the first byte comes, when the last, and how long the server is silent meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field

LIVENESS = "/streamer/api/v3/monitoring/liveness"


@dataclass(frozen=True, slots=True)
class Answer:
    """`first_s`: to the first byte of the body; `total_s`: to the last byte that was wanted; `size` bytes of body."""

    status: int
    first_s: float
    total_s: float
    size: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Connection:
    """One HTTP/1.1 connection that is kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def get(self, path: str, headers: str = "", enough: int | None = None, keep: bool = False) -> Answer:
        """GET; after `enough` bytes of body nothing more is read, and the connection is of no more use."""
        begin = time.perf_counter()
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        wanted = int(fields.get("content-length", 0))
        wanted = wanted if enough is None else min(enough, wanted)
        if not body and wanted:
            body = self._receive()
        first = time.perf_counter() - begin
        parts, size = [body], len(body)
        while size < wanted:
            part = self._receive()
            size += len(part)
            if keep:
                parts.append(part)
        total = time.perf_counter() - begin
        return Answer(int(status.split()[1]), first, total, size, fields, b"".join(parts) if keep else b"")

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data


def get(port: int, path: str, headers: str = "", enough: int | None = None, keep: bool = False) -> Answer:
    """On a connection of its own. Raises `AssertionError` for another status than 200 or 206."""
    connection = Connection(port)
    try:
        answer = connection.get(path, headers, enough, keep)
    finally:
        connection.close()
    assert answer.status in (200, 206), f"{path}: {answer.status}"
    return answer


def idle_s(port: int, seconds: float) -> float:
    """The longest wait when there is nothing to do: what the machine and its other guests add."""
    with Pings(port) as pings:
        time.sleep(seconds)
    return pings.longest_s


class Pings:
    """Somebody else who asks all the time: the longest wait bounds how long the reactor was held."""

    def __init__(self, port: int) -> None:
        self._connection = Connection(port)
        self._waits: list[float] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Pings:
        self._thread.start()
        time.sleep(0.05)
        self._waits.clear()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.05)
        self._stopped = True
        self._thread.join(10)
        self._connection.close()

    @property
    def longest_s(self) -> float:
        return max(self._waits, default=0.0)

    def _run(self) -> None:
        while not self._stopped:
            self._waits.append(self._connection.get(LIVENESS).total_s)
            time.sleep(0.001)

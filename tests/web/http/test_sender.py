import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import Directory, Place, file_at
from flussdvr.errors import DvrError
from flussdvr.formats.made import Made
from flussdvr.web.http.sender import Sender
from flussdvr.web.http.site import Site, write_error
from tests.body.places import Elsewhere

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Now:
    """A worker that does it at once."""

    spare = False

    def do(self, f: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return maybeDeferred(f, *args)


class Threads:
    spare = True

    def do(self, f: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThread(f, *args)


class BodyResource(Resource):
    isLeaf = True

    def __init__(self, sender: Sender, body: Body, etag: str | None) -> None:
        super().__init__()
        self.sender, self.body, self.etag = sender, body, etag

    def render(self, request: Any) -> int:
        async def answer() -> None:
            try:
                await self.sender.send(self.body, request, self.etag)
            except DvrError as error:
                request.write(write_error(request, error))
            if not request._disconnected:
                request.finish()

        self.answering = Deferred.fromCoroutine(answer())
        return NOT_DONE_YET


def test_body(place: Place) -> tuple[Body, bytes]:
    """A body with parts of a file of `place`."""
    data = os.urandom(300_000)
    file = place.file("blob.mp4")
    Path(str(file)).write_bytes(b"x" * 1000 + data)
    body = Body((b"head", Extent(file, 1000, 200_000), Made.of(lambda: b"middle", 6), Extent(file, 201_000, 100_000)))
    return body, b"head" + data[:200_000] + b"middle" + data[200_000:]


test_body.__test__ = False  # type: ignore[attr-defined]


class InMemory:
    """A site over a StringTransport."""

    def __init__(self, body: Body, etag: str | None = '"tag"') -> None:
        clock = Clock()
        self.requests: list[Any] = []
        self.resource = BodyResource(Sender(clock, Now()), body, etag)
        self.site = site = Site(self.resource, clock, None, lambda request, aborted: self.requests.append(request))
        self.protocol = site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def get(self, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} / HTTP/1.1", "Host: x", *headers, "", ""]
        self.protocol.dataReceived("\r\n".join(lines).encode())
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        status, *fields = head.decode().split("\r\n")
        return int(status.split()[1]), {k.lower(): v for k, v in (f.split(": ", 1) for f in fields)}, body


@pytest.fixture(params=[Directory, Elsewhere])
def served(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[InMemory, bytes]:
    body, content = test_body(request.param(str(tmp_path), Now()))
    return InMemory(body), content


def test_whole(served: tuple[InMemory, bytes]) -> None:
    server, content = served
    status, headers, body = server.get()
    assert (status, body) == (200, content)
    assert headers["content-length"] == str(len(content))
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == '"tag"'
    assert (server.requests[0].facts.sent.ram, server.requests[0].facts.sent.disk) == (10, 300_000)


def test_head(served: tuple[InMemory, bytes]) -> None:
    server, content = served
    status, headers, body = server.get(method="HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(content)))


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("0-", 0, None), ("2-9", 2, 10), ("199990-200015", 199_990, 200_016), ("-7", -7, None)],
)
def test_range(served: tuple[InMemory, bytes], header: str, start: int, stop: int | None) -> None:
    server, content = served
    status, headers, body = server.get(f"Range: bytes={header}")
    assert (status, body) == (206, content[start:stop])
    first = start % len(content)
    assert headers["content-range"] == f"bytes {first}-{first + len(body) - 1}/{len(content)}"


def test_unsatisfiable_range(served: tuple[InMemory, bytes]) -> None:
    server, content = served
    status, headers, body = server.get("Range: bytes=99999999-")
    assert status == 416
    assert headers["content-range"] == f"bytes */{len(content)}"
    assert b"range_not_satisfiable" in body
    assert server.get()[0] == 200


def test_preconditions(served: tuple[InMemory, bytes]) -> None:
    server, content = served
    status, headers, body = server.get('If-None-Match: "tag"')
    assert (status, body, headers["etag"]) == (304, b"", '"tag"')
    assert server.get('If-None-Match: "other"')[0] == 200
    assert server.get("Range: bytes=0-5", 'If-Range: "other"')[0] == 200
    assert server.get("Range: bytes=0-5", 'If-Range: "tag"')[2] == content[:6]


@pytest.mark.parametrize("place", [Directory, Elsewhere])
def test_a_vanished_file_breaks_the_connection(tmp_path: Path, place: Callable[..., Place]) -> None:
    server = InMemory(Body((Extent(place(str(tmp_path), Now()).file("none"), 0, 5),)))
    server.get()
    assert server.transport.disconnected or server.transport.aborting


def test_a_disk_or_a_place_that_fails_breaks_the_connection(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(bytes(100_000))
    (tmp_path / "directory").mkdir()
    broken = Elsewhere(str(tmp_path), Now(), fails=2)
    for file in (file_at(str(tmp_path / "directory")), broken.file("blob")):
        server = InMemory(Body((Extent(file, 0, 100_000),)))
        server.get()
        assert server.transport.disconnected or server.transport.aborting
    assert broken.opened == 0


class FullTransport(StringTransport):
    """Pauses its producer when it has much, as a real transport does."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.producer is not None and len(data) > 65536:
            self.producer.pauseProducing()


def test_a_client_that_reads_nothing_holds_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(8 << 20))
    server = InMemory(Body((Extent(file_at(str(path)), 0, 8 << 20),)))
    server.transport = FullTransport()
    server.protocol = server.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
    server.protocol.makeConnection(server.transport)
    server.protocol.dataReceived(GET)
    producer = server.transport.producer
    for chunks in range(1, 8):
        assert chunks << 20 <= len(server.transport.value()) < (chunks << 20) + 2000
        producer.resumeProducing()
    assert len(server.transport.value()) > 8 << 20


# --- sendfile, over a real socket ---


class Listening:
    def __init__(self, body: Body, etag: str | None = None) -> None:
        from twisted.internet import reactor

        self.requests: list[tuple[Any, bool]] = []
        self.resource = BodyResource(Sender(reactor, Threads()), body, etag)
        site = Site(self.resource, reactor, None, lambda request, aborted: self.requests.append((request, aborted)))
        self.port = reactor.listenTCP(0, site, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.address = ("127.0.0.1", self.port.getHost().port)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=5)

    async def answered(self, count: int = 1) -> list[tuple[Any, bool]]:
        """The requests, once so many are over: the client may know that before the server does."""
        for _ in range(1000):
            if len(self.requests) >= count:
                break
            await deferToThread(time.sleep, 0.001)
        return self.requests


@pytest.fixture
def listening() -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def make(*args: Any) -> Listening:
        made.append(Listening(*args))
        return made[-1]

    yield make
    for one in made:
        pytest_twisted.blockon(one.port.stopListening())


def exchange(connection: socket.socket, request: bytes, at_once: int = 1 << 20) -> tuple[bytes, bytes]:
    """One request on a connection, in a thread of the client's own."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            raise ConnectionError("closed in the head")
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")]
    while len(body) < lengths[0]:
        received = connection.recv(at_once)
        if not received:
            raise ConnectionError(f"closed after {len(body)} of {lengths[0]}")
        body += received
    assert len(body) == lengths[0], "too much"
    return head, body


@pytest.mark.parametrize("place", [Directory, Elsewhere])
@pytest_twisted.ensureDeferred
async def test_straight_into_the_socket(
    tmp_path: Path, listening: Callable[..., Listening], place: Callable[..., Place]
) -> None:
    """By sendfile(2) or in chunks; the connection is kept."""
    from twisted.internet import reactor

    assert IReactorFDSet.providedBy(reactor)
    body, content = test_body(place(str(tmp_path), Threads()))
    server = listening(body)
    with server.connect() as connection:
        for _ in range(3):
            head, got = await deferToThread(exchange, connection, GET)
            assert head.startswith(b"HTTP/1.1 200")
            assert got == content
        ranged = b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=100000-200099\r\n\r\n"
        head, got = await deferToThread(exchange, connection, ranged)
        assert head.startswith(b"HTTP/1.1 206")
        assert got == content[100_000:200_100]
    request, aborted = (await server.answered(4))[0]
    assert not aborted
    assert (request.facts.sent.ram, request.facts.sent.disk, request.sentLength) == (10, 300_000, len(content))


@pytest.mark.parametrize("later", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_large_body_in_ram_goes_the_same_way(later: bool, listening: Callable[..., Listening]) -> None:
    """So does one that is made meanwhile: each part of it once, however often the socket is full."""
    content, calls = os.urandom(5 << 20), []

    def made(begin: int, end: int) -> Made:
        def make() -> bytes:
            calls.append(begin)
            return content[begin:end]

        return Made.of(make, end - begin)

    parts = made(0, 1 << 20), made(1 << 20, 4 << 20), made(4 << 20, 5 << 20)
    server = listening(Body(parts if later else (content,)))
    with server.connect() as connection:
        _, got = await deferToThread(exchange, connection, GET)
    assert got == content
    assert calls == ([0, 1 << 20, 4 << 20] if later else [])
    assert (await server.answered())[0][0].facts.sent.ram == len(content)


async def closed(place: Any) -> bool:
    """Whether no file of a place is open; they are closed in a thread, after the answer."""
    for _ in range(1000):
        if not getattr(place, "opened", 0):
            break
        await deferToThread(time.sleep, 0.001)
    return not getattr(place, "opened", 0)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("place", [Directory, Elsewhere])
@pytest_twisted.ensureDeferred
async def test_the_client_goes_in_the_middle(
    tmp_path: Path, listening: Callable[..., Listening], place: Callable[..., Place]
) -> None:
    path, source = tmp_path / "blob", place(str(tmp_path), Threads())
    path.write_bytes(os.urandom(1 << 20) * 30)
    server = listening(Body((Extent(source.file("blob"), 0, 30 << 20),)))
    before = descriptors()
    connection = server.connect()
    await deferToThread(connection.sendall, GET)
    await deferToThread(connection.recv, 100_000)
    assert not server.requests
    connection.close()
    await server.resource.answering
    assert [aborted for _, aborted in await server.answered()] == [True]
    await deferToThread(lambda: None)
    assert await closed(source) and descriptors() == before


@pytest_twisted.ensureDeferred
async def test_a_slow_client_of_another_place_gets_every_byte_once(
    tmp_path: Path, listening: Callable[..., Listening]
) -> None:
    """The socket is full in the middle of chunks again and again."""
    data = os.urandom(1 << 20) * 8
    for name in "ab":
        (tmp_path / name).write_bytes(data)
    place = Elsewhere(str(tmp_path), Threads())
    whole, part = Extent(place.file("a"), 0, len(data)), Extent(place.file("b"), 1_000_003, 999_999)
    server = listening(Body((whole, b"-", part)))

    def read_slowly(connection: socket.socket) -> bytes:
        return exchange(connection, GET, 30_001)[1]

    with server.connect() as connection:
        got = await deferToThread(read_slowly, connection)
    assert got == data + b"-" + data[1_000_003:2_000_002]
    request, aborted = (await server.answered())[0]
    assert not aborted and (request.facts.sent.ram, request.facts.sent.disk) == (1, len(data) + 999_999)
    assert await closed(place)


@pytest.mark.parametrize("fails", [0, 1, 5])
@pytest_twisted.ensureDeferred
async def test_a_place_that_breaks_off_breaks_the_connection(
    tmp_path: Path, listening: Callable[..., Listening], fails: int
) -> None:
    (tmp_path / "blob").write_bytes(bytes(3 << 20))
    place = Elsewhere(str(tmp_path), Threads(), fails)
    server = listening(Body((Extent(place.file("blob"), 0, 3 << 20),)))
    with server.connect() as connection, pytest.raises(ConnectionError):
        await deferToThread(exchange, connection, GET)
    await server.answered()
    assert await closed(place)


@pytest_twisted.ensureDeferred
async def test_a_hole_in_the_file_breaks_the_connection(tmp_path: Path, listening: Callable[..., Listening]) -> None:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(1 << 20))
    os.truncate(path, 4 << 20)
    server = listening(Body((Extent(Directory(str(tmp_path), Threads()).file("blob"), 0, 4 << 20),)))
    with server.connect() as connection, pytest.raises(ConnectionError):
        await deferToThread(exchange, connection, GET)

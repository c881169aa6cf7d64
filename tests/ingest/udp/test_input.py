"""Datagrams on loopback sockets, read in batches; the reactor is a clock with a set of readers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from flussdvr.ingest.source import State
from flussdvr.ingest.udp import socket as udp_socket
from flussdvr.ingest.udp.input import UdpInput
from flussdvr.ingest.udp.socket import DatagramReader, UdpAddress, open_socket
from flussdvr.media import Codec
from tests.ingest.sinks import RecordingSink, media


class Reactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def turn(self, seconds: float = 0.0) -> None:
        """What epoll would do, then time."""
        for reader in list(self.readers):
            reader.doRead()
        self.advance(seconds)


class Sender:
    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        self.socket.connect((host, port))

    def send(self, data: bytes, size: int = 1316, wrap: Callable[[int, bytes], bytes] = lambda i, d: d) -> None:
        for index, at in enumerate(range(0, len(data), size)):
            self.socket.send(wrap(index, data[at : at + size]))


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Line:
    """A sender, an input and what comes out."""

    def __init__(
        self, url: str = "udp://127.0.0.1:{port}", host: str = "127.0.0.1", timeout_s: float | None = 10
    ) -> None:
        port = free_port()
        self.reactor = Reactor()
        self.sink = RecordingSink()
        self.input = UdpInput(url.format(port=port), self.sink, self.reactor, timeout_s=timeout_s)
        self.input.startService()
        self.sender = Sender(port, host)

    def carry(self, data: bytes, per_turn: int = 40_000, **options: Any) -> None:
        for at in range(0, len(data), per_turn):
            self.sender.send(data[at : at + per_turn], **options)
            self.reactor.turn(0.08)

    @property
    def frames(self) -> int:
        return sum(len(self.sink.samples.get(t.id, [])) for t in self.sink.tracks if t.is_video)

    def close(self) -> None:
        self.input.stopService()
        self.sender.socket.close()


@pytest.fixture
def line() -> Iterator[Callable[..., Line]]:
    lines: list[Line] = []

    def make(*args: Any, **options: Any) -> Line:
        lines.append(Line(*args, **options))
        return lines[-1]

    yield make
    for made in lines:
        made.close()
        assert not made.reactor.readers and not made.reactor.getDelayedCalls()


def rtp(index: int, payload: bytes) -> bytes:
    return b"\x80\x21" + (index + 65_530 & 0xFFFF).to_bytes(2, "big") + bytes(8) + payload


def whole(data: bytes, size: int) -> bytes:
    """`data` without the packets that would not fill a datagram."""
    return data[: len(data) // size * size]


@pytest.mark.parametrize("size", [188, 1316, 1400, 9000])
def test_transport_packets_in_datagrams_of_any_size(line: Callable[..., Line], size: int) -> None:
    made = line()
    made.carry(media("mpegts"), size=size)
    assert [t.codec for t in made.sink.tracks] == [Codec.H264, Codec.AAC]
    assert made.frames >= 48
    assert made.input.counters.bytes == len(media("mpegts"))
    assert made.input.state is State.RECEIVING
    assert not made.sink.named("data_lost")


@pytest.mark.parametrize("scheme", ["udp", "rtp"])
def test_rtp_is_recognised(line: Callable[..., Line], scheme: str) -> None:
    made = line(scheme + "://127.0.0.1:{port}")
    made.carry(media("mpegts"), per_turn=10_000_000, wrap=rtp)
    assert made.frames >= 48
    assert not made.sink.named("data_lost")


def test_lost_rtp_is_counted(line: Callable[..., Line]) -> None:
    made = line()
    data = media("mpegts")
    for index, at in enumerate(range(0, len(data), 1316)):
        if index != 3:
            made.sender.send(rtp(index, data[at : at + 1316]), size=2000)
    made.reactor.turn(0.08)
    assert ("data_lost", "rtp", 1) in made.sink.calls
    assert made.input.counters.reasons["rtp"] == 1


def test_the_sender_may_change_to_rtp(line: Callable[..., Line]) -> None:
    made = line()
    made.carry(whole(media("mpegts"), 1316))
    before = made.frames
    made.carry(media("mpegts"), per_turn=10_000_000, wrap=rtp)
    assert made.frames > before + 40


def test_multicast(line: Callable[..., Line]) -> None:
    made = line("udp://239.255.77.77:{port}?interface=127.0.0.1", host="239.255.77.77")
    made.carry(media("mpegts"))
    assert made.frames >= 48


def test_multicast_on_a_named_interface_from_one_source(line: Callable[..., Line]) -> None:
    made = line("udp://127.0.0.1@232.255.77.78:{port}/lo", host="232.255.77.78")
    made.carry(media("mpegts"))
    assert made.frames >= 48


def test_multicast_from_another_source_is_not_heard(line: Callable[..., Line]) -> None:
    made = line("udp://127.0.0.9@232.255.77.79:{port}/127.0.0.1", host="232.255.77.79")
    with pytest.raises(BlockingIOError):
        made.sender.send(b"\x47" * 188)
        made.input._reader._socket.recv(2000)  # type: ignore[union-attr]


def test_two_streams_from_one_group(line: Callable[..., Line]) -> None:
    first = line("udp://239.255.77.80:{port}/127.0.0.1", host="239.255.77.80")
    second = UdpInput(first.input.url, RecordingSink(), Reactor())
    second.startService()
    assert second.state is State.CONNECTED
    second.stopService()


def test_a_port_in_use_is_tried_again(line: Callable[..., Line]) -> None:
    first = line()
    sink, reactor = RecordingSink(), Reactor()
    second = UdpInput(first.input.url, sink, reactor)
    second.startService()
    assert second.state is State.WAITING and "in use" in str(second.reason)
    first.close()
    reactor.advance(2.1)
    assert second.state is State.CONNECTED
    second.stopService()


def test_silence_joins_again_at_once(line: Callable[..., Line]) -> None:
    made = line()
    made.carry(media("mpegts"))
    made.reactor.pump([0.5] * 30)
    assert made.sink.named("lost") == [("lost", "no media for 10 s")]
    assert made.input.state is State.CONNECTED
    made.carry(media("mpegts"))
    assert made.input.state is State.RECEIVING
    assert len(made.sink.named("tracks")) == 2


def test_garbage_is_no_media(line: Callable[..., Line]) -> None:
    made = line()
    made.carry(bytes(range(256)) * 200)
    assert made.frames == 0 and made.input.state is State.CONNECTED


# -- the reader ---------------------------------------------------------------------------------------------------


class Pair:
    """A `DatagramReader` and the socket that sends to it."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind(("127.0.0.1", 0))
        self.sender = Sender(sock.getsockname()[1])
        self.batches: list[list[int]] = []
        self.failures: list[str] = []
        self.reader = DatagramReader(sock, self.reactor, self._received, self.failures.append)
        self.reader.start()

    def _received(self, batch: memoryview, sizes: list[int]) -> None:
        assert len(batch) == sum(sizes)
        self.batches.append(sizes)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.reader.stop()
    made.sender.socket.close()
    assert not made.reactor.readers and not made.reactor.getDelayedCalls()


def test_one_wake_up_takes_all(pair: Pair) -> None:
    for size in (188, 376, 1316, 1, 1316):
        pair.sender.socket.send(bytes(size))
    pair.reactor.turn()
    assert pair.batches == [[188, 376, 1316, 1, 1316]]


def test_while_media_flows_the_clock_says_when_to_look(pair: Pair) -> None:
    pair.sender.socket.send(b"1")
    pair.reactor.turn()
    assert not pair.reactor.readers
    pair.sender.socket.send(b"2")
    pair.sender.socket.send(b"3")
    pair.reactor.advance(0.08)
    assert pair.batches == [[1], [1, 1]]


def test_after_a_silence_the_reactor_watches_again(pair: Pair) -> None:
    pair.sender.socket.send(b"1")
    pair.reactor.turn()
    pair.reactor.pump([0.08] * 20)
    assert pair.reactor.readers == {pair.reader}
    assert not pair.reactor.getDelayedCalls()
    pair.sender.socket.send(b"2")
    pair.reactor.turn()
    assert pair.batches == [[1], [1]]


def test_readers_tick_together() -> None:
    pairs = [Pair() for _ in range(3)]
    due = set()
    for number, each in enumerate(pairs):
        each.reactor.advance(100 + number * 0.02)
        each.sender.socket.send(b"1")
        each.reactor.turn()
        due.add(round(each.reactor.getDelayedCalls()[0].getTime(), 6))
        each.reader.stop()
        each.sender.socket.close()
    assert due == {100.08}


def test_a_fast_stream_is_looked_at_more_often(pair: Pair) -> None:
    pair.reader._room = 100_000
    for _ in range(4):
        for _ in range(100):
            pair.sender.socket.send(bytes(1316))
        pair.reactor.turn(0.08)
    assert pair.reader.period_s < udp_socket.LONGEST_PERIOD_S / 2
    for _ in range(60):
        pair.sender.socket.send(bytes(1316))
        pair.reactor.turn(0.08)
    assert pair.reader.period_s == udp_socket.LONGEST_PERIOD_S


def test_a_flood_is_taken_in_turns(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_socket, "DATAGRAMS_MAX", 10)
    for _ in range(25):
        pair.sender.socket.send(b"x")
    for reader in list(pair.reactor.readers):
        reader.doRead()
    assert [len(batch) for batch in pair.batches] == [10]
    pair.reactor.advance(0)
    assert [len(batch) for batch in pair.batches] == [10, 10, 5]


def test_datagrams_without_bytes(pair: Pair) -> None:
    pair.sender.socket.send(b"")
    pair.reactor.turn(0.08)
    pair.sender.socket.send(b"x")
    pair.reactor.advance(0.08)
    assert pair.batches == [[1]]


def test_what_the_kernel_dropped(pair: Pair) -> None:
    pair.reader._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(50):
        pair.sender.socket.send(bytes(1316))
    pair.reactor.turn()
    taken = sum(len(batch) for batch in pair.batches)
    assert taken < 50
    assert pair.reader.drops() == 50 - taken
    assert pair.reader.drops() == 0


def test_a_broken_socket(pair: Pair) -> None:
    pair.reader.connectionLost(Failure(OSError("gone")))
    assert pair.failures == ["gone"]


def test_stopped_while_receiving(pair: Pair) -> None:
    pair.reader._received = lambda batch, sizes: pair.reader.stop()
    pair.sender.socket.send(b"1")
    pair.reactor.turn()
    assert not pair.reactor.getDelayedCalls()


# -- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "interface", "source"),
    [
        ("udp://239.0.0.1:1234", "239.0.0.1", 1234, "", None),
        ("udp://@239.0.0.1:1234", "239.0.0.1", 1234, "", None),
        ("udp://239.0.0.1:1234?interface=eth0", "239.0.0.1", 1234, "eth0", None),
        ("udp://239.0.0.1:1234/10.0.0.7", "239.0.0.1", 1234, "10.0.0.7", None),
        ("udp://eth2@239.0.0.1:1234", "239.0.0.1", 1234, "eth2", None),
        ("udp://10.1.1.1@239.0.0.1:1234/eth0", "239.0.0.1", 1234, "eth0", "10.1.1.1"),
        ("udp://:5000", "0.0.0.0", 5000, "", None),
        ("udp://@:5000", "0.0.0.0", 5000, "", None),
        ("rtp://localhost:5004", "127.0.0.1", 5004, "", None),
        ("udp://[ff15::1]:1234/eth0", "ff15::1", 1234, "eth0", None),
    ],
)
def test_addresses(url: str, host: str, port: int, interface: str, source: str | None) -> None:
    address = UdpAddress.parse(url)
    assert (str(address.host), address.port, address.interface) == (host, port, interface)
    assert (None if address.source is None else str(address.source)) == source


def test_the_interface_may_be_an_option() -> None:
    assert UdpAddress.parse("udp://239.0.0.1:1", {"interface": "eth1"}).interface == "eth1"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("udp://239.0.0.1", "port is missing"),
        ("udp://239.0.0.1:99999", "out of range"),
        ("udp://example.com:1234", "no IP address"),
        ("udp://10.0.0.1@10.0.0.2:1234", "multicast group"),
        ("udp://10.0.0.1@[ff15::1]:1234", "same family"),
    ],
)
def test_wrong_addresses(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        UdpAddress.parse(url)


@pytest.mark.parametrize(
    "url", ["udp://239.0.0.1:1234/nosuch0", "udp://192.0.2.77:1234", "udp://239.0.0.1:1234/192.0.2.9"]
)
def test_places_that_are_not_here(url: str) -> None:
    with pytest.raises(OSError):
        open_socket(UdpAddress.parse(url)).close()


def test_ipv6_multicast() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        open_socket(UdpAddress.parse(f"udp://[ff11::77]:{free_port()}/lo")).close()
    except OSError as error:
        pytest.skip(f"IPv6 multicast is not possible here: {error}")


@pytest.mark.parametrize("padding", [bytes(20), b"\x47\x1f\xff\x10" + bytes(40)], ids=["zeros", "like a packet"])
@pytest.mark.parametrize("wrap", [lambda _, data: data, rtp], ids=["plain", "rtp"])
def test_padded_datagrams_lose_no_picture(
    line: Callable[..., Line], wrap: Callable[[int, bytes], bytes], padding: bytes
) -> None:
    made = line()
    made.carry(media("mpegts"), per_turn=10_000_000, wrap=lambda number, data: wrap(number, data + padding))
    made.input.stopService()
    assert made.frames == 50
    assert not made.sink.named("data_lost")


@pytest.mark.parametrize(("before", "behind"), [(0, 16), (4, 0)], ids=["204", "192"])
def test_longer_packets_in_datagrams(line: Callable[..., Line], before: int, behind: int) -> None:
    data = media("mpegts")
    packets = [bytes(before) + data[at : at + 188] + b"\x47" * behind for at in range(0, len(data), 188)]
    made = line()
    made.carry(b"".join(packets), per_turn=10_000_000, size=7 * (188 + before + behind))
    made.input.stopService()
    assert made.frames == 50
    assert not made.sink.named("data_lost")


def test_one_group_and_port_is_one_origin() -> None:
    urls = ["udp://239.0.0.1:1234", "udp://239.0.0.1:1234/lo?program=2", "rtp://192.0.2.9@239.0.0.1:1234"]
    assert {UdpInput(url, RecordingSink(), Clock()).origin for url in urls} == {"239.0.0.1:1234"}

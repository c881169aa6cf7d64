"""
A UDP socket that is read in batches: datagrams gather in the kernel, one wake-up takes them all.

    silent --addReader--> readable --removeReader--> tick, every 80 ms --+
       ^                                               | drain, hand over |
       +------- nothing came for a second -------------+------------------+

Twenty streams of 5.6 Mbit/s are 10 600 datagrams a second. A wake-up of the reactor for each would cost more than
everything else that is done with them; a timer for each socket every 80 ms, all on one grid so that they fire in the
same turn of the reactor, makes it about 1 ms of CPU per second and stream. The kernel's buffer is the queue: it is
drained before it is a quarter full, and what it had to drop is read from its own counter.

RFC 768, RFC 1112 and 4607 (multicast), socket(7), ip(7), `SO_MEMINFO` of linux/sock_diag.h.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import floor
from urllib.parse import parse_qsl, urlsplit

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from flussdvr.process.reactors import IReactorTimeFDSet

RECEIVE_BUFFER = 4 << 20
LONGEST_PERIOD_S = 0.08
SHORTEST_PERIOD_S = LONGEST_PERIOD_S / 16
SILENT_TICKS = 12
"""After so many ticks without a datagram the reactor is asked to watch the socket again."""
DATAGRAM_MAX = 65_536
DATAGRAMS_MAX = 4096
DRAIN_MAX = 1 << 20
"""What is taken in one turn; the rest waits for the next, so that one flood does not starve the others."""

SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
MEMINFO_DROPS = 8
IP_ADD_SOURCE_MEMBERSHIP = 39
IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29
MCAST_JOIN_SOURCE_GROUP = 46

_buffer = memoryview(bytearray(DRAIN_MAX + DATAGRAM_MAX))
"""Shared by all sockets: a drain is over before the next begins."""


@dataclass(frozen=True, slots=True)
class UdpAddress:
    """
    Where to listen: `udp://[source@]host:port[/interface][?interface=...]`.

    `interface` is the name or the address of the one to join on, `source` the only sender to be heard (RFC 4607).
    A name in front of the `@` that is no address is taken for an interface (`udp://eth2@239.0.0.1:1234`).
    """

    host: IPv4Address | IPv6Address
    port: int
    interface: str = ""
    source: IPv4Address | IPv6Address | None = None

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str] | None = None) -> UdpAddress:
        """Raises `ValueError` with a sentence for the operator."""
        parts = urlsplit(url)
        if not parts.port:
            raise ValueError(f"{url}: a port is missing, as in {parts.scheme}://239.0.0.1:1234")
        given = {**dict(options or {}), **dict(parse_qsl(parts.query))}
        interface = given.get("interface") or given.get("bind_ip") or parts.path.strip("/")
        host = _literal(parts.hostname or "0.0.0.0", url)
        source = None
        if user := parts.username:
            try:
                source = ip_address(user)
            except ValueError:
                interface = interface or user
        if source is not None and (source.version != host.version or not host.is_multicast):
            raise ValueError(f"{url}: a source in front of the @ needs a multicast group of the same family after it")
        return cls(host, parts.port, interface, source)


def _literal(host: str, url: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(f"{url}: {host!r} is no IP address; names are not looked up here") from None


def open_socket(address: UdpAddress) -> socket.socket:
    """A non-blocking socket, bound, joined, with all the receive buffer that we may have. Raises `OSError`."""
    family = socket.AF_INET if address.host.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _enlarge(sock)
        if address.host.is_multicast:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one group can feed two streams
        # Bound to the group itself: another group on the same port is not ours.
        local, index = _interface(address)
        scope = (0, index) if address.host.version == 6 else ()
        sock.bind((str(address.host), address.port, *scope))
        if address.host.is_multicast:
            _join(sock, address, local, index)
    except BaseException:
        sock.close()
        raise
    return sock


def _enlarge(sock: socket.socket) -> None:
    for option in (SO_RCVBUFFORCE, socket.SO_RCVBUF):  # the first passes rmem_max but needs CAP_NET_ADMIN
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            return
        except PermissionError:
            continue


def _join(sock: socket.socket, address: UdpAddress, local: bytes, index: int) -> None:
    group = address.host.packed
    if address.host.version == 6:
        _only_joined(sock, socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL)
        if address.source is not None:
            sock.setsockopt(socket.IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, _group_source_req(address, index))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("@16si", group, index))
        return
    _only_joined(sock, socket.IPPROTO_IP, IP_MULTICAST_ALL)
    if address.source is None:
        mreqn = struct.pack("@4s4si", group, local, index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreqn)
    elif index:
        sock.setsockopt(socket.IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, _group_source_req(address, index))
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, group + local + address.source.packed)


def _only_joined(sock: socket.socket, level: int, option: int) -> None:
    """Do not hear groups that other sockets of this machine joined (ip(7)); old kernels lack it for IPv6."""
    try:
        sock.setsockopt(level, option, 0)
    except OSError:
        pass


def _interface(address: UdpAddress) -> tuple[bytes, int]:
    """The interface to join on as (IPv4 address, index), zeros where it is told by the other or not at all."""
    if not address.interface:
        return bytes(4), 0
    try:
        local = ip_address(address.interface)
    except ValueError:
        try:
            return bytes(4), socket.if_nametoindex(address.interface)
        except OSError:
            raise OSError(f"there is no network interface {address.interface!r}") from None
    if local.version == 6:
        raise OSError(f"name the interface, not its IPv6 address {local}")
    return local.packed, 0


def _group_source_req(address: UdpAddress, index: int) -> bytes:
    """`struct group_source_req` of netinet/in.h: interface index, two `sockaddr_storage`."""
    assert address.source is not None
    return struct.pack("@I4x", index) + _sockaddr(address.host) + _sockaddr(address.source)


def _sockaddr(host: IPv4Address | IPv6Address) -> bytes:
    if host.version == 4:
        return struct.pack("@H2x4s120x", socket.AF_INET, host.packed)
    return struct.pack("@H2x4x16s104x", socket.AF_INET6, host.packed)


@implementer(IReadDescriptor)
class DatagramReader:
    """
    Reads a non-blocking datagram socket, in batches.

    `received(batch, sizes)`: what gathered, the datagrams end to end and the length of each; the view is only valid
    during the call; it does not raise. `failed(reason)`: the socket broke. `reactor` needs `IReactorTime` and
    `IReactorFDSet`.
    """

    def __init__(
        self,
        sock: socket.socket,
        reactor: IReactorTimeFDSet,
        received: Callable[[memoryview, list[int]], None],
        failed: Callable[[str], None],
    ) -> None:
        self.period_s = LONGEST_PERIOD_S
        self._socket = sock
        self._reactor = reactor
        self._received = received
        self._failed = failed
        self._room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 4
        self._tick: IDelayedCall | None = None
        self._silent = 0
        self._drops = 0
        self._broken = False
        self._closed = False

    def start(self) -> None:
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Close the socket; nothing is reported any more."""
        if self._closed:
            return
        self._closed = True
        self._reactor.removeReader(self)
        if self._tick is not None and self._tick.active():
            self._tick.cancel()
        self._socket.close()

    def read(self) -> tuple[int, int]:
        """Report what has gathered, now; (datagrams, bytes)."""
        if self._broken:
            return 0, 0
        batch, receive, used = _buffer, self._socket.recv_into, 0
        sizes: list[int] = []
        try:
            while used < DRAIN_MAX and len(sizes) < DATAGRAMS_MAX:
                size = receive(batch[used:])
                sizes.append(size)
                used += size
        except BlockingIOError:
            pass
        except OSError as error:
            self._broken = True
            self._failed(str(error))
            return 0, 0
        if used:
            self._received(batch[:used], sizes)
        return len(sizes), used

    def drops(self) -> int:
        """Datagrams that the kernel had no room for, since the last call."""
        try:
            info = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (MEMINFO_DROPS + 1))
            total = int.from_bytes(info[4 * MEMINFO_DROPS :], sys.byteorder)
        except OSError:
            return 0
        new, self._drops = (total - self._drops) & 0xFFFFFFFF, total
        return new

    # -- IReadDescriptor --------------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "udp"

    def doRead(self) -> None:
        """The first datagram after a silence: from here on the clock says when to look, not the socket."""
        self._reactor.removeReader(self)
        self._silent = 0
        self._drain()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor found the descriptor broken, or is stopping."""
        if not self._closed:
            self._failed(reason.getErrorMessage())

    # -- inside -----------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        count = used = 0
        try:
            count, used = self.read()
        finally:  # whatever it raised: a socket that is not looked at again is dead for good
            if not self._closed:
                self._silent = 0 if used else self._silent + 1
                self._next(used, count)

    def _next(self, used: int, count: int) -> None:
        if self._silent > SILENT_TICKS:
            self._reactor.addReader(self)
            return
        if used >= DRAIN_MAX or count >= DATAGRAMS_MAX:
            delay = 0.0
        else:
            self._adapt(used + 1024 * count)
            now = self._reactor.seconds()
            delay = (floor(now / self.period_s) + 1) * self.period_s - now  # all sockets on one grid
        self._tick = self._reactor.callLater(delay, self._drain)

    def _adapt(self, charged: int) -> None:
        """`charged`: what the kernel accounts for the batch; each datagram drags about a KiB of its own along."""
        if charged > self._room and self.period_s > SHORTEST_PERIOD_S:
            self.period_s /= 2
        elif charged < self._room // 4 and self.period_s < LONGEST_PERIOD_S:
            self.period_s *= 2

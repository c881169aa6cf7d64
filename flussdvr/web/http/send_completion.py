# mypy: allow-untyped-calls
# (twisted is annotated only in part)
"""
What has really left: bytes that were written to a socket and then lay in the kernel when the client went away were not
sent to anybody.

    answer ends     more than `SMALL` -> duplicate of the socket, looked at until nothing is left in it or it is dead
    client is gone  likewise; what the transport has not even written is known at once

The kernel tells what it has not sent yet (SIOCOUTQNSD) also of a dead connection, and whether it is dead (TCP_INFO).
A client who has closed its side only may still read all of it, so the end of its side alone says nothing.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flussdvr.process.descriptors import for_client

SIOCOUTQNSD = 0x894B
CLOSE = 7
"""The state of a TCP connection that is over, by a reset or in the end."""
SMALL = 10 * 1460
"""An answer that is no longer than this counts as sent once it is written: it leaves in the first flight (RFC 6928)."""
FIRST_LOOK_S = 0.05
LAST_LOOK_S = 5.0
LONGEST_WATCH_S = 300.0


def unsent(descriptor: int) -> int:
    """Bytes in a TCP socket that have never been sent; 0 for what is no TCP socket."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(descriptor, SIOCOUTQNSD, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def is_dead(descriptor: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == CLOSE
    except OSError:
        return True


def unwritten(transport: Any) -> int:
    """Bytes that lie in a transport's own buffers."""
    if not isinstance(transport, tcp.Connection):
        return 0
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class SendCompletion:
    """
    Watches what is left in a socket until it has left or never will; then `told(bytes that did not leave)`, once.

    OSError where there is no descriptor for it.
    """

    log = Logger()

    def __init__(self, reactor: IReactorTime, transport: tcp.Connection, told: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._transport = transport
        self._told = told
        self._socket = for_client(os.dup(transport.fileno()))
        self._wait_s = FIRST_LOOK_S
        self._until = reactor.seconds() + LONGEST_WATCH_S
        self._timer: Any = reactor.callLater(0, self._look)

    def settle(self) -> None:
        """The client has all of it: it asks for something else."""
        if self._transport.connected:
            self._end(0)

    def _look(self) -> None:
        try:
            self._measure()
        except Exception:
            self.log.failure("watching a socket until its last byte has left")
            self._end(0)

    def _measure(self) -> None:
        closed = not self._transport.connected
        lost = unwritten(self._transport)
        left = unsent(self._socket)
        if closed and left:
            left -= 1  # the end of the connection (FIN) counts as a byte
        if left + (0 if closed else lost) == 0 or is_dead(self._socket) or self._reactor.seconds() > self._until:
            self._end(left + lost)
        else:
            self._timer = self._reactor.callLater(self._wait_s, self._look)
            self._wait_s = min(LAST_LOOK_S, self._wait_s * 1.5)

    def _end(self, left: int) -> None:
        if self._socket >= 0:
            os.close(self._socket)
            self._socket = -1
            if self._timer.active():
                self._timer.cancel()
            self._told(left)

"""Sends a transport stream in real time to UDP ports of this machine, as an encoder would: 7 packets a datagram.

python -m bench.sender FILE SECONDS PORT [PORT ...]
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from bench.media import MUX_RATE

DATAGRAM = 7 * 188


def main() -> None:
    data = Path(sys.argv[1]).read_bytes()
    seconds = float(sys.argv[2])
    ports = [("127.0.0.1", int(port)) for port in sys.argv[3:]]
    interval = DATAGRAM * 8 / MUX_RATE
    views = [memoryview(data)[at : at + DATAGRAM] for at in range(0, len(data), DATAGRAM)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        begin = time.monotonic()
        for number, view in enumerate(views):
            due = begin + number * interval
            if due - begin > seconds:
                return
            if (delay := due - time.monotonic()) > 0:
                time.sleep(delay)
            for port in ports:
                sender.sendto(view, port)


if __name__ == "__main__":
    main()

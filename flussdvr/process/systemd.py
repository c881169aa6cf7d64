"""
Tells systemd how the service is: `READY=1`, `RELOADING=1`, `STOPPING=1`, `WATCHDOG=1` (sd_notify(3)).

Small enough to own; Twisted has nothing for it. Does nothing where `NOTIFY_SOCKET` is not set.
"""

from __future__ import annotations

import os
import socket
import time


def notify(state: str) -> None:
    """Send `state`, lines of `KEY=value`; failures are nobody's business."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.send(state.encode())
    except OSError:
        pass


def reloading() -> None:
    """`Type=notify-reload` wants the monotonic time with it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_interval_s() -> float | None:
    """How often `WATCHDOG=1` is due: half of what the unit file allows; `None` if there is no watchdog."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 2_000_000 if usec.isdigit() and int(usec) else None

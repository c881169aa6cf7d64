"""
What the kernel knows of its clock: adjtimex(2).

NTP daemons tell the kernel that they discipline its clock (STA_UNSYNC is clear, and the call does not answer
TIME_ERROR). Setting the clock by hand sets STA_UNSYNC again.
"""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import Any

STA_UNSYNC = 0x40
TIME_ERROR = 5
SAME_S = 2
"""The kernel speaks of its own clock; where a process is shown another time, what it says proves nothing."""
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class _Timex(ctypes.Structure):
    """`struct timex` of <sys/timex.h>; `padding` is more than what follows."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("tv_sec", ctypes.c_long),
        ("tv_usec", ctypes.c_long),
        ("padding", ctypes.c_byte * 256),
    )


@cache
def _adjtimex() -> Any:
    try:
        return ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None


def kernel_synchronised() -> bool:
    """Whether NTP disciplines the clock that this process sees. False where the kernel does not say. Any thread."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return False
    timex = _Timex()
    state = adjtimex(ctypes.byref(timex))
    if state < 0 or state == TIME_ERROR or timex.status & STA_UNSYNC:
        return False
    seconds: int = timex.tv_sec
    return abs(seconds - time.time()) <= SAME_S


def boot_id() -> str:
    """What is the same until the machine boots again; empty where there is no such thing. Reads procfs."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


__all__ = ["boot_id", "kernel_synchronised"]

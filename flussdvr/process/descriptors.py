"""
File descriptors: most are for clients, a part of them is kept for what records.

    0 ---------------- recordings, sources, clients ---------------- | ----- never a client's ----- limit

The kernel gives the lowest number that is free, so the number of a new one says how many there are: nothing is counted.
"""

from __future__ import annotations

import errno
import os
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

WANTED = 65_536
KEPT = 4
"""One in so many is never a client's: files of the next hour, sources that come back."""


def raise_limit() -> None:
    """As many as the system lets this process have, up to `WANTED`: what one gets unasked is often 1024."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft < WANTED:
        setrlimit(RLIMIT_NOFILE, (WANTED if hard < 0 else min(WANTED, hard), hard))


def is_spare(descriptor: int) -> bool:
    """Whether a client may have this new descriptor; where not, it is to be closed at once."""
    soft, _ = getrlimit(RLIMIT_NOFILE)
    return soft < 0 or descriptor < soft - soft // KEPT


def for_client(descriptor: int) -> int:
    """This new descriptor, for a client; closed, and OSError EMFILE, where it is not to be had."""
    if is_spare(descriptor):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

"""
Memory as a server wants it: no long pauses, nothing kept that is not needed.

    bound    at start: large blocks go back to the kernel when they are freed, from every thread. Left to itself, the C
             library keeps up to 64 MB of freed memory at the top of each thread's arena, where no trim looks
    settle   after start: what lives as long as the process is never looked at again by the garbage collector, whose
             full pass over all that was imported would hold the reactor for tens of milliseconds
    filling  at start: nothing is garbage while a million rows are read, and looking for it takes half the time
    trim     now and then: the C library gives back what its largest moment needed (malloc_trim(3)); where there is
             no such function, nothing happens
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_INTERVAL_S = 30

LARGE_BYTES = 4 << 20
"""Blocks from this size on (planes of huge pictures) are mapped by themselves; smaller ones are used again."""
TOP_BYTES = 8 << 20
"""What an arena may keep free at its top."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of <malloc.h>; setting either ends their growth with what is freed (mallopt(3))."""


def bound() -> None:
    """Call once, at start."""
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, TOP_BYTES)


def settle() -> None:
    """Call once, when everything is made."""
    gc.collect()
    gc.freeze()


@contextmanager
def filling() -> Iterator[None]:
    """While much is made that stays."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def trim() -> None:
    """A few milliseconds without the interpreter's lock: for a thread."""
    malloc_trim = getattr(_libc, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


_libc = ctypes.CDLL(None)

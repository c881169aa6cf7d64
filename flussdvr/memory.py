"""
Memory as a server wants it: no long pauses, nothing kept that is not needed.

    settle   after start: what lives as long as the process is never looked at again by the garbage collector, whose
             full pass over all that was imported would hold the reactor for tens of milliseconds
    trim     now and then: the C library gives back what its largest moment needed (malloc_trim(3)); where there is
             no such function, nothing happens
"""

from __future__ import annotations

import ctypes
import gc

TRIM_INTERVAL_S = 30


def settle() -> None:
    """Call once, when everything is made."""
    gc.collect()
    gc.freeze()


def trim() -> None:
    """A few milliseconds without the interpreter's lock: for a thread."""
    malloc_trim = getattr(_libc, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


_libc = ctypes.CDLL(None)

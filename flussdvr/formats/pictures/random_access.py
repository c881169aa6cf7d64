"""
Where decoding may begin: which pictures become sync samples.

    EXACT      right at once: IDR, CRA, BLA, an I picture with a recovery point or with its SPS
    GRADUAL    right after some pictures: a recovery point with a count (periodic intra refresh)
    LIKELY     an I picture, or one with parameter sets, that promises nothing
    NONE       any other

A stream that has nothing better is begun, and cut, at what it has: it is recorded instead of waited for.

ITU-T H.264 §D.2.8, H.265 §D.3.8; ISO/IEC 14496-12 §8.6.2 and §10.1 (roll groups). Pure.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Access", "SyncChooser"]

GRADUAL_APART_S = 0.5
"""Encoders that mark every picture as a recovery point exist."""
LIKELY_FIRST_S = 3.0
"""Promised nothing for so long, a stream is begun at a likely place ..."""
NONE_FIRST_S = 15.0
"""... and after this time anywhere."""
AGAIN_S = 12.0
"""Such places are used again when nothing better has come for so long."""


class Access(IntEnum):
    NONE = 0
    LIKELY = 1
    GRADUAL = 2
    EXACT = 3


# To look at a member of an enumeration takes as long as a call.
_LIKELY, _GRADUAL, _EXACT = Access.LIKELY, Access.GRADUAL, Access.EXACT


class SyncChooser:
    """Of one track's pictures in decoding order; `at_s` are their times by any clock."""

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._last_s: float | None = None
        self._last = Access.NONE

    def is_sync(self, access: Access, at_s: float) -> bool:
        if self._first_s is None or at_s < self._first_s or (self._last_s is not None and at_s < self._last_s):
            self._first_s, self._last_s = at_s, None
        if not self._chosen(access, at_s):
            return False
        self._last_s, self._last = at_s, access
        return True

    def _chosen(self, access: Access, at_s: float) -> bool:
        assert self._first_s is not None
        if access is _EXACT:
            return True
        if access is _GRADUAL:
            return self._last_s is None or at_s - self._last_s >= GRADUAL_APART_S
        if self._last_s is None:
            return at_s - self._first_s >= (LIKELY_FIRST_S if access is _LIKELY else NONE_FIRST_S)
        return at_s - self._last_s >= AGAIN_S and access >= min(self._last, _LIKELY)

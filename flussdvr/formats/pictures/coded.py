"""
What the NAL units of a picture become: the bytes of a sample, its parameter sets, and whether decoding may begin there.

ISO/IEC 14496-15 §5.3.4.2 and §8.3.2. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from flussdvr.formats.codecs import h264, h265
from flussdvr.formats.pictures.random_access import Access

__all__ = ["Coded", "access_h264", "access_h265", "read_h264", "read_h265"]

Coded = tuple[bytes, tuple[list[bytes], ...], Access]
"""An access unit as a sample keeps it, its parameter sets by kind, SPS and PPS last, and what it is."""

# To look at a member of an enumeration takes as long as a call.
_NONE, _GRADUAL, _EXACT = Access.NONE, Access.GRADUAL, Access.EXACT


def read_h264(nals: Iterable[bytes]) -> Coded:
    """Of any NAL units, none of them empty."""
    coded = h264.access_unit(nals)
    return coded.sample, (coded.sps, coded.pps), access_h264(coded.idr, coded.intra, bool(coded.sps), coded.recovery)


def read_h265(nals: Iterable[bytes]) -> Coded:
    """Of any NAL units, none of them empty."""
    coded = h265.access_unit(nals)
    return coded.sample, (coded.vps, coded.sps, coded.pps), access_h265(coded.sync, coded.recovery)


def access_h264(idr: bool, intra: bool, has_sps: bool, recovery: int | None) -> Access:
    """Of a picture; `intra`: its first slice is I or SI; `recovery`: recovery_frame_cnt, `None` without."""
    if idr or (intra and (has_sps or recovery == 0)):
        # An encoder that repeats its SPS in front of an I picture wants it to be a place to begin.
        return _EXACT
    return _NONE if recovery is None else _GRADUAL


def access_h265(random: bool, recovery: int | None) -> Access:
    """Of a picture; `random`: it is an IRAP one; `recovery`: recovery_poc_cnt, `None` without."""
    return _EXACT if random else _NONE if recovery is None else _GRADUAL

"""
What is in the `mdat` of a virtual MP4: stretches of blobs as they are, and bytes put between them.

    blob      ....[ a a I p p a a ]......[ I p p ]...        used bytes of one span, others in between
    mdat          | a a |sets| I p p a a |sets| I p p |      sets: parameter sets in front of sync samples
                    ^ an extent                              what lies close together is sent along

Pure arithmetic on offsets; no byte of a sample is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flussdvr.formats.mp4.sample_table import Ints

__all__ = ["NEAR", "MdatPart", "Stretches", "lay_out", "part_size"]

NEAR = 1 << 16
"""Bytes between used ones that are sent along rather than making one more extent."""

MdatPart = bytes | tuple[int, int, int]
"""Bytes, or (number of the piece, offset in its blob, length)."""


def part_size(part: MdatPart) -> int:
    """How many bytes it has."""
    return len(part) if isinstance(part, bytes) else part[2]


@dataclass(frozen=True, slots=True)
class Stretches:
    """
    The bytes of one blob that one track uses: stretches `[begins[i], ends[i])`, each of them a chunk. `sets` come in
    front of what is at each of `inserts`, which lie inside the stretches, in order.
    """

    begins: Ints
    ends: Ints
    inserts: Ints
    sets: bytes = b""


def lay_out(piece: int, uses: Sequence[Stretches], at: int) -> tuple[list[MdatPart], list[Ints], int]:
    """
    What of the blob `piece` is in `mdat` from `at` on: the parts, where the chunks of each of `uses` begin in `mdat`
    (what is put in front of a chunk's first sample is part of it), and where the next span's parts begin.
    """
    begins, ends = (np.concatenate([getattr(use, name) for use in uses]) for name in ("begins", "ends"))
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    first = np.append(0, np.flatnonzero(begins[1:] > ends[:-1] + NEAR) + 1)
    begins, ends = begins[first], ends[np.append(first[1:], len(ends)) - 1]
    inserts, sets = _merged(uses)
    inserted = np.append(0, np.cumsum([len(one) for one in sets]))
    before = np.cumsum(ends - begins) - (ends - begins) + at
    chunks = []
    for use in uses:
        inside = np.searchsorted(begins, use.begins, "right") - 1
        shift = inserted[np.searchsorted(inserts, use.begins, "left")]
        chunks.append(use.begins - begins[inside] + before[inside] + shift)
    end = at + int((ends - begins).sum() + inserted[-1])
    return list(_split(piece, begins, ends, inserts, sets)), chunks, end


def _merged(uses: Sequence[Stretches]) -> tuple[Ints, list[bytes]]:
    """All that is put in between, in the order of the blob."""
    inserts = np.concatenate([use.inserts for use in uses])
    order = np.argsort(inserts, kind="stable")
    sets = [use.sets for use in uses for _ in range(len(use.inserts))]
    return inserts[order], [sets[number] for number in order.tolist()]


def _split(piece: int, begins: Ints, ends: Ints, inserts: Ints, sets: Sequence[bytes]) -> Iterator[MdatPart]:
    """The extents, cut where something is put in between."""
    places = np.searchsorted(inserts, begins, "left").tolist()
    for begin, end, number in zip(begins.tolist(), ends.tolist(), places, strict=True):
        at = begin
        while number < len(inserts) and int(inserts[number]) < end:
            if int(inserts[number]) > at:
                yield piece, at, int(inserts[number]) - at
            yield sets[number]
            at = int(inserts[number])
            number += 1
        yield piece, at, end - at

"""
Parameter sets of a video track: which belong to its configuration, and which its samples carry themselves.

    sets of other ids       join the configuration: streams that take turns between them are one track
    other content, once     another configuration (`avc1`, `hvc1`)
    ... again, or soon      the samples carry their sets (`avc3`, `hev1`), and the configuration stays what it is
    another picture format  another configuration in any case: a decoder begins anew

ITU-T H.264 §7.4.1.2.1, H.265 §7.4.2.4.2 (activation); ISO/IEC 14496-15 §5.3.3 and §8.3.3 (sample entries). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum

from flussdvr.errors import FormatError

__all__ = ["Change", "ParameterSets", "Readers"]

SOON_S = 60
"""An encoder that is set up anew within this time changes its mind often."""
SEEN_MAX = 1024
"""Sets that are remembered for having been in a configuration."""


class Change(Enum):
    """What an access unit's sets have changed."""

    NONE = "none"
    CONFIGURATION = "configuration"
    """The track's configuration is another one."""
    CARRIED = "carried"
    """The samples carry their sets, from this one on or already."""


@dataclass(frozen=True, slots=True)
class Readers:
    """
    How a codec's sets are read; all raise `FormatError` for a damaged one.

    `ids`: of each kind, a set's id; SPS are the last but one, PPS the last. `sps_of`: the id of the SPS that a PPS
    belongs to. `format_of`: of an SPS, what a decoder is set up for.
    """

    ids: tuple[Callable[[bytes], int], ...]
    sps_of: Callable[[bytes], int]
    format_of: Callable[[bytes], Hashable]


Sets = tuple[dict[int, bytes], ...]


_UNCHANGED = Change.NONE
"""To look at a member of an enumeration takes as long as a call."""


class ParameterSets:
    """The sets of a track, of each kind by id. `carried`: whether the samples carry their sets."""

    def __init__(self, readers: Readers) -> None:
        self.carried = False
        self._readers = readers
        self._known: Sets = tuple({} for _ in readers.ids)
        self._configured: Sets = tuple({} for _ in readers.ids)
        self._format: Hashable = None
        self._active: int | None = None
        self._seen: set[bytes] = set()
        self._since_s: float | None = None

    @property
    def configured(self) -> list[list[bytes]]:
        """The sets of the configuration, of each kind in the order of their ids."""
        return _listed(self._configured)

    @property
    def in_force(self) -> list[list[bytes]]:
        """The sets that hold now."""
        return _listed(self._selected())

    def update(self, found: Sequence[Sequence[bytes]], active: int | None, now_s: float) -> Change:
        """
        Take over what an access unit brings.

        `active`: id of the SPS that its picture refers to, `None` if that is not known; `now_s`: of any clock.
        """
        if (active == self._active or active is None) and not any(found):
            return _UNCHANGED
        new = False
        for known, id_of, nals in zip(self._known, self._readers.ids, found, strict=True):
            for nal in nals:
                if nal not in known.values():
                    new = self._learn(known, id_of, nal) or new
        if not new and active in (None, self._active):
            return Change.NONE
        sps = self._known[-2]
        self._active = active if active in sps else next(iter(sps), None)
        if self._active is None or not self._known[-1]:
            return Change.NONE
        format_ = self._readers.format_of(sps[self._active])
        if format_ != self._format:
            self._format = format_
            self.carried = False
            self._configure(now_s)
            return Change.CONFIGURATION
        return self._compare(now_s)

    def _learn(self, known: dict[int, bytes], id_of: Callable[[bytes], int], nal: bytes) -> bool:
        try:
            id_ = id_of(nal)
            if known is self._known[-1]:
                self._readers.sps_of(nal)
            elif known is self._known[-2]:
                self._readers.format_of(nal)
        except FormatError:
            return False
        known[id_] = nal
        return True

    def _selected(self) -> Sets:
        """Those that pictures of the running format can refer to."""
        *others, sps, pps = self._known
        used = {id_: nal for id_, nal in sps.items() if self._readers.format_of(nal) == self._format}
        return (*others, used, {id_: nal for id_, nal in pps.items() if self._readers.sps_of(nal) in used})

    def _compare(self, now_s: float) -> Change:
        selected = self._selected()
        if selected == self._configured and not self.carried:
            return Change.NONE
        if self.carried:
            return Change.CARRIED
        both = zip(selected, self._configured, strict=True)
        changed = any(old.get(id_, nal) != nal for new, old in both for id_, nal in new.items())
        if changed:
            again = all(nal in self._seen for sets in selected for nal in sets.values())
            soon = self._since_s is not None and abs(now_s - self._since_s) < SOON_S
            self.carried = again or soon
            if self.carried:
                return Change.CARRIED
        self._configure(now_s if changed else self._since_s)
        return Change.CONFIGURATION

    def _configure(self, since_s: float | None) -> None:
        self._since_s = since_s
        self._configured = self._selected()
        if len(self._seen) > SEEN_MAX:
            self._seen.clear()
        self._seen.update(nal for sets in self._configured for nal in sets.values())


def _listed(sets: Sets) -> list[list[bytes]]:
    return [[nal for _, nal in sorted(of_kind.items())] for of_kind in sets]

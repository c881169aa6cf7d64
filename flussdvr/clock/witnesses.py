# -*- test-case-name: tests.clock.test_witnesses -*-
"""
A vote on UTC of those who state it: sources with time tables (`flussdvr.media.TimeAndDate`).

    heard(origin, utc, media)  ->  a steady line: utc minus monotonic time  ->  agreed()  ->  Objection

One witness proves nothing: multiplexers state seconds at best, many are minutes wrong, some send a recording of
yesterday. So nothing is dated by them. They decide only whether the server's time can be right.

    a witness counts    when its UTC has gone on with the monotonic clock and with its media for `LASTING_MS`; each time
                        that it jumps it has to be steady twice as long (a recording that is sent in a loop)
    they agree          when at least `QUORUM`, and more than half of all that count, are within `AGREE_MS`
    they object         when what they agree on is further from the server's time than `WRONG_MS`, and not by a time
                        zone: tables with local time are common, and agree with each other

An objection stays when the witnesses fall silent, for a day at most.

Pure: times come in as integers, milliseconds; `mono_ms` is the monotonic clock and runs on.
"""

from __future__ import annotations

from dataclasses import dataclass

LATEST_MS = 1 << 52
QUORUM = 2
"""One clock can be wrong; that two places of origin are wrong by the same takes a cause that they share."""
AGREE_MS = 5_000
"""Tables have whole seconds, and media wait for seconds in multiplexers and buffers."""
WRONG_MS = 60_000
"""Expiry does not stop for less, and no live source is this late."""
LASTING_MS = 120_000
"""A table comes each 30 s at least: four statements."""
FRESH_MS = 120_000
"""Who has not been heard for so long counts no more."""
STATEMENTS = 3
DAY_MS = 86_400_000
ZONE_MS = 15 * 60_000
ZONES_MS = 14 * 3_600_000
"""Time zones differ from UTC by whole quarters of an hour, and by 14 hours at most."""
WITNESSES_MAX = 256


@dataclass(slots=True)
class _Witness:
    """`offset_ms`: UTC minus monotonic time. `since_ms`, `statements`: of the steady line that it goes on with."""

    offset_ms: int
    media_ms: int
    heard_ms: int
    since_ms: int
    statements: int = 1
    jumps: int = 0

    def goes_on(self, utc_ms: int, mono_ms: int) -> bool:
        return abs(utc_ms - mono_ms - self.offset_ms) <= AGREE_MS

    def counts(self, mono_ms: int) -> bool:
        needed_ms = min(LASTING_MS << min(self.jumps, 20), DAY_MS)
        fresh = mono_ms - self.heard_ms <= FRESH_MS
        return fresh and self.statements >= STATEMENTS and self.heard_ms - self.since_ms >= needed_ms


class Witnesses:
    """
    Who states UTC, by where it comes from. Bounded; not for several threads.

    `earliest_ms`: who states an earlier time has lost its own clock.
    """

    def __init__(self, earliest_ms: int = 0) -> None:
        self._earliest_ms = earliest_ms
        self._witnesses: dict[str, _Witness] = {}

    def __len__(self) -> int:
        return len(self._witnesses)

    def heard(self, origin: str, utc_ms: int, media_ms: int, mono_ms: int) -> None:
        """
        A source of `origin` states `utc_ms`; `media_ms` is its media time then.

        `origin` is the same for all that may share a clock, such as streams of one encoder: together they are one
        witness.
        """
        if not self._earliest_ms <= utc_ms <= LATEST_MS:
            return
        before = self._witnesses.get(origin)
        if before is None or mono_ms < before.heard_ms:
            self._make_room(mono_ms)
            self._witnesses[origin] = _Witness(utc_ms - mono_ms, media_ms, mono_ms, mono_ms)
            return
        media_went = media_ms - before.media_ms
        if not before.goes_on(utc_ms, mono_ms):
            before.since_ms, before.statements = mono_ms, 1
            before.jumps += 1
        elif mono_ms - before.heard_ms > FRESH_MS or abs(media_went - (mono_ms - before.heard_ms)) > AGREE_MS:
            before.since_ms, before.statements = mono_ms, 1  # it was away, or its media is another
        else:
            before.statements += 1
            if mono_ms - before.since_ms >= DAY_MS:
                before.jumps = 0
        before.offset_ms, before.media_ms, before.heard_ms = utc_ms - mono_ms, media_ms, mono_ms

    def agreed(self, mono_ms: int) -> int | None:
        """UTC minus monotonic time that they agree on (the median), `None` where they do not."""
        offsets = sorted(one.offset_ms for one in self._witnesses.values() if one.counts(mono_ms))
        best: list[int] = []
        first = 0
        for last, offset in enumerate(offsets):
            while offset - offsets[first] > AGREE_MS:
                first += 1
            if last + 1 - first > len(best):
                best = offsets[first : last + 1]
        if len(best) < QUORUM or 2 * len(best) <= len(offsets):
            return None
        return best[len(best) // 2]

    def _make_room(self, mono_ms: int) -> None:
        if len(self._witnesses) >= WITNESSES_MAX:
            del self._witnesses[min(self._witnesses, key=lambda origin: self._witnesses[origin].heard_ms)]


def is_zone(difference_ms: int) -> bool:
    """Whether two clocks that differ by this may show the same moment in two time zones."""
    odd = (difference_ms + ZONE_MS // 2) % ZONE_MS - ZONE_MS // 2
    return abs(difference_ms) <= ZONES_MS + AGREE_MS and abs(odd) <= 2 * AGREE_MS


class Objection:
    """
    What the witnesses have against the served time.

    `difference_ms`: what they say minus that, `None` while they have nothing against it.
    """

    def __init__(self) -> None:
        self.difference_ms: int | None = None
        self._heard_ms = 0
        self._overruled_ms: int | None = None
        """A difference that an operator knows of."""

    def weigh(self, difference_ms: int | None, proven: bool, mono_ms: int) -> None:
        """
        What they agree on now, minus the served time; `None` where they do not agree. `proven`: something better than
        they says that it is right.
        """
        before = self.difference_ms
        if proven:
            self.difference_ms = None
        elif difference_ms is None or (is_zone(difference_ms) and abs(difference_ms) > WRONG_MS):
            if before is not None and mono_ms - self._heard_ms > DAY_MS:
                self.difference_ms = None
        elif abs(difference_ms) <= WRONG_MS:
            self.difference_ms = self._overruled_ms = None
        elif self._overruled_ms is None or abs(difference_ms - self._overruled_ms) > WRONG_MS:
            self._overruled_ms, self._heard_ms = None, mono_ms
            # Seconds of difference between two votes are no news.
            if before is None or abs(difference_ms - before) > 2 * AGREE_MS:
                self.difference_ms = difference_ms

    def stepped(self, shift_ms: int) -> None:
        """The served time is later by this from now on."""
        if self.difference_ms is not None:
            self.difference_ms -= shift_ms
            if abs(self.difference_ms) <= WRONG_MS:
                self.difference_ms = None
        if self._overruled_ms is not None:
            self._overruled_ms -= shift_ms

    def overrule(self, difference_ms: int | None) -> None:
        """An operator knows better, also of what they say at this moment."""
        self._overruled_ms = self.difference_ms if difference_ms is None else difference_ms
        self.difference_ms = None

    def state(self) -> dict[str, int | None]:
        """For the next start; JSON-able."""
        return {"contradicted_ms": self.difference_ms, "overruled_ms": self._overruled_ms}

    def start(self, contradicted_ms: int | None, overruled_ms: int | None, mono_ms: int) -> None:
        """Go on from `state()`: a clock that was wrong when the machine went down is wrong again."""
        self.difference_ms, self._overruled_ms, self._heard_ms = contradicted_ms, overruled_ms, mono_ms

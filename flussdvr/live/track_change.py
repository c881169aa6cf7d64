# -*- test-case-name: tests.live.test_track_change -*-
"""
Another set of tracks, while the video goes on: it begins with the video's next sync sample.

    video     I p p p p p p p | I p p p        the run goes on to the sync sample: no picture is lost
    audio 1   a a a a a a a a | a a a a        goes on, if it is in both sets
    audio 2         b b b b b b b b b b        what is new waits, and is in the new run from its first sample on
                    ^ asked     ^ made

A set that comes and goes must not cost a blob each time. A track that vanishes ends nothing for `GONE_US`; when sets
have changed `OFTEN` times within a minute, the next one has to last for `CALM_US` first. What is held meanwhile is
bounded, and what is not recorded for it has a name (`LeftOut`). Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from flussdvr.live.lane import Lane, Verdict
from flussdvr.media import LeftOut, Sample, Track

GONE_US = 10_000_000
"""A track that is no longer announced may come back within this time."""
OFTEN = 4
OFTEN_US = 60_000_000
CALM_US = 20_000_000
WAIT_US = 120_000_000
"""So long a sync sample is waited for while the pictures go on; then the run ends where it is."""
TOLD_US = 60_000_000
"""So long after the last sample that was left out it is said."""
HELD_BYTES = 4 << 20
"""Of one track; the oldest goes first."""


@dataclass(slots=True)
class TrackChange:
    """
    A set that waits. `lanes` by the source's track id; those in `kept` go on in the running run until then.

    `since_us`: when it was asked for, in the time of arrival.
    """

    tracks: tuple[Track, ...]
    lanes: dict[int, Lane]
    kept: frozenset[int]
    gone: bool
    """Nothing is new: some are missing."""
    since_us: int
    after_us: int
    """It begins with a sync sample later than this, in media time: what came before belongs to the set before."""
    dropped: int = 0

    def hold(self, track_id: int, samples: Sequence[Sample], now_us: int) -> bool:
        """Keep what a new track brings until the set begins; False: it is none of the new ones."""
        lane = self.lanes.get(track_id)
        if lane is None or track_id in self.kept:
            return False
        for sample in (one for given in samples for one in lane.stamps.feed(given)):
            if lane.put(sample) is Verdict.JUMP:
                self.dropped += len(lane.pending)
                lane.restart()
                lane.put(sample)
            lane.offset_us = now_us - lane.media_us(sample.dts)
        while lane.pending_bytes > HELD_BYTES:
            self.dropped += len(lane.take(max(1, len(lane.pending) // 8)))
        return True

    def inherit(self, before: TrackChange) -> None:
        """Take over what tracks that are in both sets have brought while the one before waited."""
        for key, lane in before.lanes.items():
            mine = self.lanes.get(key)
            if mine is None or key in self.kept or key in before.kept:
                continue
            if not _goes_on(lane.track, mine.track, any_id=True):
                continue
            mine.follow(lane)
            for sample in lane.take(len(lane.pending)):
                mine.put(sample)

    def held(self) -> int:
        """Samples of new tracks that have come."""
        return sum(len(lane.pending) for lane in self._new)

    def left_out(self, why: str) -> tuple[LeftOut, ...]:
        """The new tracks, as something that is not recorded."""
        return tuple(LeftOut(name_of(lane.track), why) for lane in self._new)

    @property
    def _new(self) -> list[Lane]:
        return [lane for key, lane in self.lanes.items() if key not in self.kept]


@dataclass(slots=True)
class TrackChanges:
    """Which change is due when. Times in microseconds of one clock that does not go back."""

    made: deque[int] = field(default_factory=lambda: deque(maxlen=OFTEN))

    def note(self, now_us: int) -> None:
        """A change has been made."""
        self.made.append(now_us)

    def is_due(self, change: TrackChange, now_us: int) -> bool:
        """Whether it may begin at a sync sample now."""
        return now_us - change.since_us >= self._calm_us(change, now_us)

    def is_overdue(self, change: TrackChange, now_us: int) -> bool:
        """Whether no sync sample is to be waited for any longer. Where nothing is new, nothing is lost by waiting."""
        if change.gone:
            return False
        return now_us - change.since_us >= max(WAIT_US, self._calm_us(change, now_us) + WAIT_US // 2)

    def _calm_us(self, change: TrackChange, now_us: int) -> int:
        often = len(self.made) == OFTEN and now_us - self.made[0] < OFTEN_US
        return max(CALM_US if often else 0, GONE_US if change.gone else 0)


def plan_change(
    tracks: Sequence[Track], before: Sequence[Track], lanes: Mapping[int, Lane], reference: Lane, now_us: int
) -> TrackChange | None:
    """
    How `tracks` follows on the source's tracks `before` while `reference` goes on; `None` if it does not go on.

    `lanes`: those of `before`, by the source's track id.
    """
    known = {track.id: track for track in before}
    ordered = sorted(tracks, key=lambda track: not track.is_video)
    first = ordered[0] if ordered else None
    if first is None or lanes.get(first.id) is not reference or not _goes_on(known.get(first.id), first):
        return None
    made = {track.id: Lane(replace(track, id=number)) for number, track in enumerate(ordered, start=1)}
    kept = frozenset(track.id for track in tracks if track.id in lanes and _goes_on(known.get(track.id), track))
    gone = all(track == known.get(track.id) for track in tracks)
    after_us = reference.media_us(0) if reference.newest_us is None else reference.newest_us
    return TrackChange(tuple(tracks), made, kept, gone, now_us, after_us)


def name_of(track: Track) -> str:
    """A track for people, so that two kinds of sound are told apart."""
    if track.is_video:
        return f"{track.codec} picture of {track.width}x{track.height}"
    channels = "1 channel" if track.channels == 1 else f"{track.channels} channels"
    return f"{track.codec} sound with {channels}, {track.sample_rate} Hz, language {track.language}"


def _goes_on(before: Track | None, track: Track, any_id: bool = False) -> bool:
    """Whether its samples are of the same kind: only what is said about it may be another."""
    if before is None:
        return False
    return replace(before, language=track.language, id=track.id if any_id else before.id) == track

# -*- test-case-name: tests.live.test_track_change -*-
"""
Another set of tracks, while the video goes on: it begins with the video's next sync sample.

    video     I p p p p p p p | I p p p        the run goes on to the sync sample: no picture is lost
    audio 1   a a a a a a a a | a a a a        goes on, if it is in both sets
    audio 2         b b b b b b b b b b        what is new waits, and is in the new run from its first sample on
                    ^ asked     ^ made

A set that comes and goes must not cost a blob each time. A track that vanishes ends nothing for `GONE_US`; when sets
have changed `OFTEN` times within a minute, the next one has to last for `CALM_US` first. What is held meanwhile is
bounded. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from flussdvr.live.lane import Lane, Verdict
from flussdvr.media import Sample, Track

GONE_US = 10_000_000
"""A track that is no longer announced may come back within this time."""
OFTEN = 4
OFTEN_US = 60_000_000
CALM_US = 20_000_000
WAIT_US = 12_000_000
"""So long a sync sample is waited for; then the run ends where it is."""
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
    dropped: int = 0

    def hold(self, track_id: int, samples: Sequence[Sample]) -> bool:
        """Keep what a new track brings until the set begins; False: it is none of the new ones."""
        lane = self.lanes.get(track_id)
        if lane is None or track_id in self.kept:
            return False
        for sample in (one for given in samples for one in lane.stamps.feed(given)):
            if lane.put(sample) is Verdict.JUMP:
                self.dropped += len(lane.pending)
                lane.restart()
                lane.put(sample)
        while lane.pending_bytes > HELD_BYTES:
            self.dropped += len(lane.take(max(1, len(lane.pending) // 8)))
        return True


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
        """Whether no sync sample is to be waited for any longer."""
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
    return TrackChange(tuple(tracks), made, kept, gone, now_us)


def _goes_on(before: Track | None, track: Track) -> bool:
    """Whether its samples are of the same kind: only what is said about it may be another."""
    return before is not None and replace(before, language=track.language) == track

"""
A lane: one track's samples on their way into fragments.

It keeps the track's own clock straight. Audio times are counted in samples as long as what the source states agrees
with the count within `AUDIO_TOLERANCE_MS` (containers round them); times that go back a little are refused; times that
jump are reported, so that the segmenter can end what it is building.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from flussdvr.errors import FormatError
from flussdvr.formats import dts
from flussdvr.formats.codecs import aac, opus
from flussdvr.live.jumps import JUMP_US, REORDER_MAX, SLOW_SAMPLES, Stamps
from flussdvr.media import Codec, Sample, Track

AUDIO_TOLERANCE_MS = 15
GAP_MS = JUMP_US // 1000
"""A longer silence between two samples of a track is not a long sample but a hole."""
ALONE_FRAMES = 5
"""The last picture that is shown is no further behind the one before it: so many B pictures may be missing."""
SLOW_GAP_FRAMES = SLOW_SAMPLES
"""... unless the track has been that slow before: this many of its usual sample durations."""

APART_US = 60_000_000
"""Tracks of one source whose media times differ by more than this at one arrival have no common time."""

_FRAME_SAMPLES = {
    Codec.AAC: 1024,
    Codec.MP3: 1152,
    Codec.MP2: 1152,
    Codec.AC3: 1536,
    Codec.EAC3: 1536,
    Codec.OPUS: 960,
} | dict.fromkeys((Codec.DTS, Codec.DTS_HD), 512)


def _stated_duration(codec: Codec, sample: Sample, usual: int) -> int:
    """Packets of Opus and frames of DTS say themselves how long they last."""
    try:
        return opus.packet_duration(sample.data) if codec is Codec.OPUS else dts.parse_core(sample.data).samples
    except FormatError:
        return usual


def _frame_samples(track: Track) -> int:
    """Of a frame of sound, as its track says: AAC's have 960 or 1024."""
    if track.codec is Codec.AAC and track.config:
        try:
            return aac.parse_audio_specific_config(track.config).samples_per_frame
        except FormatError:
            pass
    return _FRAME_SAMPLES.get(track.codec, 1024)


_STATING = (Codec.OPUS, Codec.DTS, Codec.DTS_HD)


class Verdict(Enum):
    TAKEN = "taken"
    LATE = "late"
    JUMP = "jump"


class Lane:
    """Samples of one track, in decoding order, not yet in a fragment."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.pending: list[Sample] = []
        self.pending_bytes = 0
        self.mapped_next: int | None = None
        """UTC ticks where the track's next fragment must begin so that it touches the one before."""
        self.paced = False
        """Whether `usual_duration` was seen, and not just declared."""
        self.offset_us: int | None = None
        """Arrival minus media time of the newest sample; `None` before the first."""
        self._base = 0
        """What is added to the source's own times, in ticks: see `move`."""
        self._last_dts: int | None = None
        timescale = track.timescale
        if track.is_video:
            rate = track.frame_rate
            self.usual_duration = int(timescale / rate) if rate else timescale // 25
        else:
            frame = _frame_samples(track)
            self.usual_duration = max(1, frame * timescale // (track.sample_rate or 48_000))
        self._tolerance = timescale * AUDIO_TOLERANCE_MS // 1000
        self.stamps = Stamps(timescale, self.usual_duration, None if track.is_video else self._tolerance)
        """Judges the times of what is put: `feed` gives what may be."""

    def restart(self) -> None:
        """Forget everything but the track: what comes next is unrelated to what came before."""
        self.pending.clear()
        self.pending_bytes = 0
        self.mapped_next = None
        self._last_dts = None

    def moved(self, sample: Sample) -> Sample:
        """`sample` at the lane's own time."""
        return replace(sample, dts=sample.dts + self._base) if self._base else sample

    def move(self, us: int) -> None:
        """The source's times of this track are `us` behind those of its others: so much is added, from now on."""
        ticks = us * self.track.timescale // 1_000_000
        self._base += ticks
        for sample in self.pending:
            sample.dts += ticks
        if self._last_dts is not None:
            self._last_dts += ticks
        if self.offset_us is not None:
            self.offset_us -= us

    def follow(self, before: Lane) -> None:
        """Go on where `before` was: the same track, in another set of tracks."""
        self.stamps, self.usual_duration = before.stamps, before.usual_duration
        self.offset_us, self._base = before.offset_us, before._base

    def put(self, sample: Sample) -> Verdict:
        """Take `sample`, or say why not."""
        last = self._last_dts
        if last is not None:
            step = sample.dts - last
            if not self.track.is_video:
                error = step - self.usual_duration
                if -self._tolerance <= error <= self._tolerance:
                    sample.dts = last + self.usual_duration
                    step = self.usual_duration
            if step <= 0:
                return Verdict.LATE if -step < self.track.timescale * GAP_MS // 1000 else Verdict.JUMP
            usual = max(self.usual_duration, self.stamps.usual)
            if step > max(self.track.timescale * GAP_MS // 1000, SLOW_GAP_FRAMES * usual):
                return Verdict.JUMP
            if self.track.is_video:
                self.usual_duration = step
                self.paced = True
        self._last_dts = sample.dts
        if self.track.codec in _STATING:
            self.usual_duration = _stated_duration(self.track.codec, sample, self.usual_duration)
        self.pending.append(sample)
        self.pending_bytes += len(sample.data)
        return Verdict.TAKEN

    def media_us(self, dts: int) -> int:
        return dts * 1_000_000 // self.track.timescale

    @property
    def newest_us(self) -> int | None:
        return None if self._last_dts is None else self.media_us(self._last_dts)

    @property
    def newest_pts(self) -> int:
        """
        The latest presentation time of what is pending.

        One alone that is far behind all others is not believed, nor one that is a little behind, where its offset
        stands out.
        """
        shown = sorted(self.pending, key=lambda sample: sample.pts)[-2:]
        before, last = shown[0], shown[-1]
        apart, usual = last.pts - before.pts, self.usual_duration
        alone = apart > ALONE_FRAMES * usual or (2 * apart > 3 * usual and self.stamps.stands_out(last.cto))
        return before.pts if alone else last.pts

    def check_first_offset(self) -> None:
        """
        The first pending sample begins a run of media: its composition offset decides where that lies.

        In no order of pictures is a sync sample shown later, measured from its decoding, than all that follow it.
        """
        first, others = self.pending[0], self.pending[1 : 1 + REORDER_MAX]
        near = 2 * self.usual_duration
        if not others:
            return
        places = self._places_among([sample.pts for sample in others])
        if places and all(abs(first.pts - place) * 2 > 3 * self.usual_duration for place in places):
            first.cto = places[-1] - first.dts
        elif first.cto > max(sample.cto for sample in others) + near:
            first.cto = max(0, min(sample.pts for sample in others) - self.usual_duration - first.dts)
        else:
            return
        self.stamps.sync_offset(first.cto)

    def _places_among(self, shown: list[int]) -> list[int]:
        """
        Where pictures that are shown regularly leave room for one more; empty where they are not regular.

        In front of them, or where one of them is missing: pictures that lead are shown before the sync sample. Only the
        earlier half says so: of the later one some have not come yet.
        """
        usual = self.usual_duration
        times = sorted(shown)[: (len(shown) + 1) // 2]
        steps = [after - before for before, after in zip(times, times[1:], strict=False)]
        holes = [index for index, step in enumerate(steps) if 2 * abs(step - usual) > usual]
        if len(steps) < 2 or len(holes) > 1:
            return []
        front = times[0] - usual
        if not holes:
            return [front]
        return [front, times[holes[0]] + usual] if 2 * abs(steps[holes[0]] - 2 * usual) < usual else []

    def cut(self, count: int) -> list[Sample]:
        """All but the oldest `count` samples, which leave the lane: to be put again after a `restart`."""
        left = self.pending[count:]
        del self.pending[count:]
        self.pending_bytes -= sum(len(sample.data) for sample in left)
        return left

    def take(self, count: int) -> list[Sample]:
        """The oldest `count` samples, which leave the lane."""
        taken = self.pending[:count]
        del self.pending[:count]
        self.pending_bytes -= sum(len(sample.data) for sample in taken)
        return taken

    def count_before(self, media_us: int) -> int:
        """How many of the pending samples are presented before `media_us`."""
        ticks = media_us * self.track.timescale
        count = 0
        for sample in self.pending:
            if sample.dts * 1_000_000 >= ticks:
                break
            count += 1
        return count


def move_together(lane: Lane, leader: Lane) -> bool:
    """
    Whether the times of `lane` had to be moved to those of `leader`, as they have nothing in common.

    The same arrival is the same instant then: an encoder has restarted the time of one of its tracks.
    """
    if lane is leader or lane.offset_us is None or leader.offset_us is None:
        return False
    apart_us = lane.offset_us - leader.offset_us
    if abs(apart_us) <= APART_US:
        return False
    lane.move(apart_us)
    return True

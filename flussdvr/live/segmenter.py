"""
The segmenter: samples of all tracks in, fragments out.

    video   I p p p p p p | p p p p p p | I p p p ...      cut before a sync sample, and each second between them
    audio    a a a a a a a|  a a a a a a| a a a a ...      the same instants, by presentation time
            `- fragment -'`- fragment -'

A fragment never crosses a sync sample of the reference track (the first video track, else the first audio track). A
cut waits until the other tracks have reached it, but no longer than `PATIENCE_US` of media and of time: a track that
lags more puts its samples into a later fragment.

Times come from the source's media clock, mapped to UTC by a `MediaClock` which is anchored once the first
`ANCHOR_US` have come in (a burst of old media at the start is thus dated back, not into the future). A jump of a
track's time, a stepped clock or a lost source ends the run of media: `on_gap` is called, and the next fragment begins
a new one with a sync sample and a new anchor. Multiplexers interleave loosely, so a track that has jumped waits for
the others to follow: what they still bring belongs to the run that ends.

Pure but for the callbacks: the time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from flussdvr.live.anchor import Anchor
from flussdvr.live.clock import AHEAD_US, EARLY_US, MediaClock
from flussdvr.live.cutter import Cutter
from flussdvr.live.early import Early, HeldSamples
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.jumped import Jumped
from flussdvr.live.lane import Lane, Verdict, move_together
from flussdvr.live.repeats import Repeats
from flussdvr.live.track_change import TOLD_US, TrackChange, TrackChanges, plan_change
from flussdvr.media import LeftOut, Sample, Track

PATIENCE_US = 700_000
OWN_AHEAD_US = 2 * AHEAD_US
"""No source is further ahead of its arrival than this: an end that is belongs to a clock that has stepped."""
EARLY_SOUND_US = 2_000_000
"""Sound that begins so much before the first picture is recorded without one. Less is left out: a GOP joined midway."""
SLOW_VIDEO_US = 40_000_000
"""As long as nobody knows how slow the video is, sound waits so long for it: for three pictures, 10 s apart ..."""
SLOW_PICTURES = 3
"""... and then for so many pictures that do not come."""
SYNC_WAIT_US = 10_000_000
"""Audio that has waited this long for the video's first sync sample is recorded without the video."""
PENDING_BYTES = 32 << 20
"""What may wait to be cut; a stream that exceeds it is cut where it stands."""
SAME_CLOCK_US = 2_000_000
"""After a hole, a media clock that is still this close to UTC is believed to be the same one."""
TOO_OFTEN = "the tracks of its source change too often, it comes and goes"
NO_KEY_FRAME = "no key frame came for so long that not all of it could wait for one"
SOURCE_ENDED = "its source ended before the next key frame"
TWICE_US = 60_000_000
"""A source whose own clock says that what it sends is recorded already is believed up to here."""
STEP_US = 1_000_000
"""A source that corrects its own statement of UTC by more than this has stepped its clock."""


class Segmenter:
    """
    Cuts one source's samples into fragments.

    `on_tracks(tracks)` before the first fragment of a new set of tracks; `on_fragment(fragment)`;
    `on_gap(reason)` when the next fragment will not continue the last. `floor_ms()` gives the end of what the
    stream has already recorded: nothing is dated before it.
    """

    def __init__(
        self,
        on_tracks: Callable[[tuple[Track, ...]], None],
        on_fragment: Callable[[LiveFragment], None],
        on_gap: Callable[[str], None],
        floor_ms: Callable[[], int],
    ) -> None:
        self._on_tracks = on_tracks
        self._on_fragment = on_fragment
        self._on_gap = on_gap
        self._floor_ms = floor_ms
        self.clock = MediaClock()
        self.late_samples = 0
        self.dropped_samples = 0
        self._source_tracks: tuple[Track, ...] = ()
        self._lanes: dict[int, Lane] = {}
        """By the source's track id. The stream's own ids are 1, 2, ...: the same whatever input feeds it."""
        self._cutter = Cutter()
        self._jumped = Jumped()
        self._now_us = 0
        self._before_us = 0
        self._anchor = Anchor()
        self._repeats = Repeats()
        self._shift_us = 0
        """UTC is later by so much than the clock says: from the next sync sample on."""
        self._shift_since_us = 0
        self._stepped = False
        """That is because the server's clock has stepped, not because the source's was misjudged."""
        self._skipping = False
        """What would be dated before the end of what is recorded is left out."""
        self._stated_offset_us: int | None = None
        self._end_ms = 0
        self._awaited: Sample | None = None
        """The boundary at which other tracks are waited for, since `_awaited_since_us`."""
        self._awaited_since_us = 0
        self._began_us: int | None = None
        """Where the run begins, in media time, until its first fragment is made: no track begins before that."""
        self._lagging = False
        """They were waited for in vain: no more, until they have come so far."""
        self._early = Early()
        self._changes = TrackChanges()
        self._change: TrackChange | None = None
        """Another set of tracks, which begins with the next sync sample."""
        self._left_out: tuple[LeftOut, ...] = ()
        self._left_out_at_us = 0
        self._switched = False
        """The run that begins now goes on from the one before: what its new tracks brought meanwhile belongs to it."""

    # -- what the source says ---------------------------------------------------------------------------------

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        """The source's tracks, at its start and whenever they change."""
        if self._early.holds:
            self._early.hold_tracks(tracks)
            return
        if self._is_early and self._source_tracks != tuple(tracks):
            if not self._extend(tracks):
                self._early.hold_tracks(tracks)
            return
        if self._source_tracks == tuple(tracks):
            self._abandon(TOO_OFTEN)
            return
        if self._rename(tracks) or self._plan(tracks):
            return
        self._settle()
        self._follow(self._jumped.at_us)
        self._flush()
        if self._cutter.lanes:
            self._stop("tracks_changed", keep_clock=True)
        self._abandon(TOO_OFTEN)
        self._changes.note(self._now_us)
        self._source_tracks = tuple(tracks)
        ordered = sorted(tracks, key=lambda track: not track.is_video)
        self._lanes = {track.id: Lane(replace(track, id=number)) for number, track in enumerate(ordered, start=1)}

    @property
    def _is_early(self) -> bool:
        """Whether something has come, and it is not known yet where in UTC it lies: a burst may be going on."""
        if self._cutter.lanes or self.clock.anchored or self._early.over:
            return False
        return any(lane.pending or lane.stamps.waiting for lane in self._lanes.values())

    def _extend(self, tracks: Sequence[Track]) -> bool:
        """Whether there are only more tracks than before, of which nothing is recorded yet: all begin together."""
        if not set(self._source_tracks) <= set(tracks):
            return False
        ordered = sorted(tracks, key=lambda track: not track.is_video)
        lanes = {track.id: Lane(replace(track, id=number)) for number, track in enumerate(ordered, start=1)}
        for key, lane in self._lanes.items():
            lane.track = lanes[key].track
        self._lanes = {**lanes, **self._lanes}
        self._source_tracks = tuple(tracks)
        return True

    def _release(self) -> None:
        """The burst is over: begin with what came before the tracks changed, and go on with what came behind."""
        if not self._early.holds:
            return
        events = self._early.take()
        video = self._beginning()
        if video is None or video.pending:
            self._begin(patient=False)
        for event in events:
            if isinstance(event, HeldSamples):
                self.samples_received(event.track_id, event.samples, event.now_ms)
            else:
                self.tracks_received(event)

    def _rename(self, tracks: Sequence[Track]) -> bool:
        """Whether the source's tracks are the same under other ids, as after a change of PIDs: then they go on."""
        before, after = (sorted(given, key=lambda track: not track.is_video) for given in (self._source_tracks, tracks))
        if [replace(track, id=0) for track in before] != [replace(track, id=0) for track in after]:
            return False
        ids = {old.id: new.id for old, new in zip(before, after, strict=True)}
        self._lanes = {ids[key]: lane for key, lane in self._lanes.items()}
        self._jumped.rename(ids)
        self._abandon(TOO_OFTEN)
        self._source_tracks = tuple(tracks)
        return True

    def _plan(self, tracks: Sequence[Track]) -> bool:
        """Whether the run can go on to the next sync sample before these tracks begin."""
        reference = self._cutter.reference if self._cutter.lanes else self._beginning()
        if reference is None or not reference.track.is_video:
            return False
        change = plan_change(tracks, self._source_tracks, self._lanes, reference, self._now_us)
        if change is None:
            return False
        if self._change is None or self._change.tracks != change.tracks:
            if self._change is not None:
                change.inherit(self._change)
                self._abandon(TOO_OFTEN)
            self._change = change
        return True

    def _beginning(self) -> Lane | None:
        """The video of a run that has not begun, though it can: its first sync sample has come."""
        for lane in self._lanes.values():
            if lane.track.is_video and any(sample.sync for sample in (*lane.pending, *lane.stamps.held)):
                return lane
        return None

    def _abandon(self, why: str) -> None:
        """The set that waits is not made: what its new tracks have brought is left out, and that is said."""
        change, self._change = self._change, None
        if change is not None and (count := change.held() + change.dropped):
            self._leave_out(change, count, why)

    def _leave_out(self, change: TrackChange, count: int, why: str) -> None:
        self.dropped_samples += count
        self._left_out, self._left_out_at_us = change.left_out(why), self._now_us

    def left_out(self, now_us: int) -> tuple[LeftOut, ...]:
        """Tracks of which something was not recorded within the last minute."""
        return self._left_out if abs(now_us - self._left_out_at_us) < TOLD_US else ()

    def _switch(self, flush: bool = False) -> None:
        """Begin with the set that waits. `flush`: no sync sample came, what is pending ends the run before."""
        if flush:
            self._settle()
            self._follow(self._jumped.at_us)
        change, self._change = self._change, None
        if change is None:
            return
        if flush:
            self._flush()
        kept = {key: self._lanes[key] for key in change.kept if key in self._lanes}
        pending = {key: lane.pending[:] for key, lane in kept.items()}
        self._stop("tracks_changed", keep_clock=True)
        for key, before in kept.items():
            lane = change.lanes[key]
            lane.follow(before)
            for sample in pending[key]:
                lane.put(sample)
        self._lanes, self._source_tracks = change.lanes, change.tracks
        self._jumped.keep(self._lanes)
        if change.dropped:
            self._leave_out(change, change.dropped, NO_KEY_FRAME)
        self._changes.note(self._now_us)
        leader = next((self._lanes[key] for key in change.kept if self._lanes[key].pending), None)
        for lane in self._lanes.values():
            move_together(lane, leader or lane)
        self._switched = True
        self._begin(patient=False)
        self._switched = False

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        """The source itself states the UTC of its media time `dts`."""
        self._release()
        self._follow(self._jumped.at_us)
        before, self._stated_offset_us = self._stated_offset_us, utc_ms * 1000 - dts * 1_000_000 // timescale
        if before is not None and self._cutter.lanes and abs(self._stated_offset_us - before) > STEP_US:
            stated = self._stated_offset_us
            self._flush()
            self._stop("clock")
            self._stated_offset_us = stated

    def samples_received(self, track_id: int, samples: Sequence[Sample], now_ms: int) -> None:
        """Samples of one track in decoding order, which came in at `now_ms`."""
        if self._early.holds:
            self._early.hold_samples(track_id, samples, now_ms)
            media_us = self._early.newest_us
            if media_us is not None:
                self._anchor.arrived(media_us, now_ms * 1000)
            if self._anchor.is_ready(now_ms * 1000) or self.pending_bytes > PENDING_BYTES:
                self._release()
            return
        if self._change is not None:
            if self._changes.is_overdue(self._change, now_ms * 1000):
                self._switch(flush=True)
            elif self._change.hold(track_id, samples, now_ms * 1000):
                return
        lane = self._lanes.get(track_id)
        if lane is None or not samples:
            return
        self._received(track_id, lane, [one for sample in samples for one in lane.stamps.feed(sample)], now_ms * 1000)

    def _received(self, track_id: int, lane: Lane, samples: Sequence[Sample], now_us: int) -> None:
        """Samples whose times are settled."""
        if now_us != self._now_us:
            self._before_us, self._now_us = self._now_us, now_us
        if samples and track_id not in self._jumped:
            samples = self._put(lane, samples, now_us)
        if samples:
            self._jumped.add(track_id, samples, now_us)
            if self._jumped.is_complete(self._lanes, now_us) or self.pending_bytes > PENDING_BYTES:
                self._follow(now_us)

    def _put(self, lane: Lane, samples: Sequence[Sample], now_us: int, follow: bool = False) -> Sequence[Sample]:
        """Take samples up to a jump of the track; those from there on are returned, or taken too with `follow`."""
        newest: int | None = None
        left: Sequence[Sample] = ()
        for index, given in enumerate(samples):
            sample = lane.moved(given)
            first = lane.newest_us is None
            verdict = lane.put(sample)
            if verdict is Verdict.JUMP:
                if not follow:
                    left = samples[index:]
                    break
                self._jump(lane, sample, now_us)
                newest, first = None, True
                verdict = lane.put(sample)
            if verdict is not Verdict.TAKEN:
                self.late_samples += 1
                continue
            lane.offset_us = now_us - lane.media_us(sample.dts)
            if first:
                move_together(lane, self._cutter.reference or self._running(lane))
            newest = sample.pts if newest is None else max(newest, sample.pts)
        # Nothing can be shown before it was seen: the sample with the latest presentation time has travelled least.
        if newest is not None:
            self._arrived(lane.media_us(newest), now_us)
        self._work(now_us)
        return left

    def _running(self, lane: Lane) -> Lane:
        """A lane that has brought something since the last run ended, other than `lane` if there is one."""
        return next((one for one in self._lanes.values() if one is not lane and one.newest_us is not None), lane)

    def _follow(self, now_us: int) -> None:
        """End the run before the jump, and begin with what the tracks have brought since."""
        for number, (key, samples) in enumerate(self._jumped.take().items()):
            if not number:
                self._jump(self._lanes[key], samples[0], self._jumped.at_us)
            self._put(self._lanes[key], samples, now_us, follow=True)

    def _settle(self) -> None:
        """Nothing more comes that could tell whether a time is right."""
        for track_id, lane in self._lanes.items():
            if samples := lane.stamps.flush():
                self._received(track_id, lane, samples, self._now_us)
            lane.stamps.restart()

    def flush(self) -> None:
        """Make the last fragment of what is pending: no more will come for it."""
        self._release()
        self._settle()
        self._flush()

    def _flush(self) -> None:
        if self._anchor.first_us is not None and not self._cutter.lanes:
            self._begin(patient=False)
        reference = self._cutter.reference
        if reference is None:
            return
        while self._cut(patient=False):
            pass
        if not self._cutter.lanes:  # the clock was put right on the way: what is pending is another run
            self._begin(patient=False)
            if self._cutter.lanes:
                self._flush()
            return
        if reference.pending:
            # The last picture in decoding order need not be the last one that is shown.
            shift = self._cutter.shift_at(reference.pending[0])
            last = max(reference.pending[-1].dts, reference.newest_pts - shift)
            self._emit(len(reference.pending), last + self._cutter.last_duration(last + shift), shift)
        if self._cutter.reference is not None and self._cutter.reference is not reference:
            self._flush()  # another set of tracks has begun on the way, and none waits now

    def lost(self, reason: str) -> None:
        """The source is gone: what is complete becomes a fragment, and a gap begins."""
        self._release()
        self._settle()
        self._follow(self._jumped.at_us)
        if self._anchor.first_us is not None and not self._cutter.lanes:
            self._begin(patient=False)
        if self._video_appeared():  # after seconds of sound alone, all in one burst
            self._begin(patient=False)
        self._flush()
        if not self.clock.exact:
            self._anchor.remember(self.clock, self._now_us)
        self._adopt()
        self._stop(reason)

    def _adopt(self) -> None:
        """The source is gone, and a set of tracks still waited for its turn: it has none to wait for."""
        change = self._change
        self._abandon(SOURCE_ENDED)
        if change is not None:
            for lane in change.lanes.values():
                lane.restart()
            self._restart_lanes()
            self._lanes, self._source_tracks = change.lanes, change.tracks

    @property
    def pending_bytes(self) -> int:
        held = 0 if self._change is None else sum(lane.pending_bytes for lane in self._change.lanes.values())
        return self._early.bytes + self._jumped.bytes + held + sum(lane.pending_bytes for lane in self._lanes.values())

    # -- a run of media begins and ends -----------------------------------------------------------------------

    def _arrived(self, media_us: int, now_us: int) -> None:
        if self.clock.anchored:
            self.clock.arrived(media_us, now_us)
        else:
            self._anchor.arrived(media_us, now_us)

    def _work(self, now_us: int) -> None:
        if not self._cutter.lanes:
            overflow = self.pending_bytes > PENDING_BYTES
            if self.clock.anchored or overflow or self._anchor.is_ready(now_us):
                self._begin(patient=not overflow)
            if not self._cutter.lanes:
                return
        if self._video_appeared() or self._video_stopped():
            return
        while self._cut(patient=self.pending_bytes <= PENDING_BYTES):
            pass
        reference = self._cutter.reference
        if self.pending_bytes > PENDING_BYTES and reference is not None and len(reference.pending) > 1:
            self._emit(
                len(reference.pending) - 1, reference.pending[-1].dts, self._cutter.shift_at(reference.pending[0])
            )

    def _begin(self, patient: bool) -> None:
        """Start a run of media at the first sync sample of the video, if there is one."""
        video = [lane for lane in self._lanes.values() if lane.track.is_video]
        audio = [lane for lane in self._lanes.values() if not lane.track.is_video and lane.pending]
        if self._skipping and self.clock.anchored:
            for lane in audio:
                while lane.pending and self.clock.utc_us(lane.media_us(lane.pending[0].pts)) < self._floor_us:
                    self.dropped_samples += len(lane.take(1))
            audio = [lane for lane in audio if lane.pending]
        start = self._drop_before_sync(video[0]) if video else None
        if start is not None:
            video[0].check_first_offset()
        if start is not None and not (audio and self._comes_late(video[0], audio[0], start)):
            reference = video[0]
        elif audio and (start is not None or not video or not patient or self._waited(video[0], audio[0])):
            reference = audio[0]
            start = reference.pending[0]
        else:
            return
        start_us = reference.media_us(start.pts)
        self._date(reference, start_us)
        if self._skipping:
            return
        for lane in audio:
            if lane is not reference and not self._switched:
                self._drop_old(lane, start_us)
        used = [lane for lane in self._lanes.values() if lane is reference or lane in audio]
        if reference.track.is_video:
            used = [lane for lane in self._lanes.values() if lane is reference or not lane.track.is_video]
        self._cutter.begin(reference, used)
        self._lagging = False
        self._began_us = None if self._switched else start_us
        self._on_tracks(tuple(lane.track for lane in used))

    def _comes_late(self, video: Lane, audio: Lane, first: Sample) -> bool:
        """Whether there is so much sound in front of the `first` picture that it is recorded for itself."""
        begin_us = audio.media_us(audio.pending[0].dts)
        return not self._switched and video.media_us(first.pts) - begin_us > EARLY_SOUND_US

    def _waited(self, video: Lane, audio: Lane) -> bool:
        """Whether the sound has waited long enough for a picture."""
        waited_us = audio.media_us(audio.pending[-1].dts - audio.pending[0].dts)
        return waited_us > (SLOW_VIDEO_US if video.stamps.waiting else SYNC_WAIT_US)

    def _date(self, reference: Lane, start_us: int) -> None:
        """Find the UTC of a run that begins at media time `start_us`."""
        floor_us = self._floor_us
        told = True
        if self._stated_offset_us is not None:
            self.clock.anchor(0, self._stated_offset_us, exact=True)
        elif not self.clock.anchored:
            kept = self._anchor.continued(start_us, floor_us, self._now_us)
            before_us = self._repeats.find(reference)
            newest_us = reference.newest_us or start_us
            if kept is not None:
                self.clock = kept
            elif before_us is not None and self._anchor.may_repeat(start_us, newest_us, before_us, self._now_us):
                self.clock.anchor(0, before_us)
            else:
                self.clock.anchor(0, self._anchor.offset_us)
                told = False  # but guessed from the arrival: that says nothing about what is recorded
        self.clock.begin(start_us)
        self._anchor.forget()
        ahead_us = floor_us - self.clock.utc_us(start_us)
        if EARLY_US < ahead_us <= TWICE_US and floor_us <= self._now_us and told:
            self._skipping = True  # its own clock says that it is recorded already: sent once more, out of a buffer
        elif ahead_us > 0:
            self.clock.anchor(start_us, floor_us, exact=self.clock.exact)
            self.clock.held_back = True

    @property
    def _floor_us(self) -> int:
        """Nothing is dated before this. An end that lies far in the future of now is a fault, and no floor."""
        recorded_us, own_us = self._floor_ms() * 1000, self._end_ms * 1000
        recorded_us = recorded_us if recorded_us - self._now_us <= AHEAD_US else 0
        return max(recorded_us, own_us if own_us - self._now_us <= OWN_AHEAD_US else 0)

    def _drop_before_sync(self, lane: Lane) -> Sample | None:
        floor_us = self._floor_us if self._skipping and self.clock.anchored else None
        for index, sample in enumerate(lane.pending):
            if sample.sync and (floor_us is None or self.clock.utc_us(lane.media_us(sample.pts)) >= floor_us):
                self._skipping = False
                self.dropped_samples += index
                lane.take(index)
                return sample
        self.dropped_samples += len(lane.pending)
        lane.take(len(lane.pending))
        return None

    def _drop_old(self, lane: Lane, media_us: int) -> None:
        count = lane.count_before(media_us)
        self.dropped_samples += count
        lane.take(count)

    def _jump(self, lane: Lane, sample: Sample, now_us: int) -> None:
        """A track's time jumped: end the run, and keep the clock only if it still tells UTC."""
        self._flush()
        at_us = self.clock.utc_us(lane.media_us(sample.dts))
        running = bool(self._cutter.lanes)
        forward = at_us >= self._end_ms * 1000
        late_us = now_us - at_us
        most_us = SAME_CLOCK_US + max(0, now_us - self._before_us) + max(0, self.clock.deviation_us)
        keep = self.clock.anchored and forward and -SAME_CLOCK_US < late_us < most_us
        if running:
            self._stop("source_lost" if keep else "timestamp_jump", keep_clock=keep)
        else:
            self._restart_lanes()

    def _restart_lanes(self) -> None:
        for lane in self._lanes.values():
            lane.restart()
        self._cutter.end()
        self._shift_us = 0
        self._anchor.restart()

    def _stop(self, reason: str, keep_clock: bool = False) -> None:
        self._restart_lanes()
        if not keep_clock:
            self.clock = MediaClock()
            self._early.over = False
            self._stated_offset_us = None
        self._on_gap(reason)

    # -- cutting ----------------------------------------------------------------------------------------------

    def _cut(self, patient: bool) -> bool:
        """Make one fragment if the next boundary is known and every track has reached it."""
        reference = self._cutter.reference
        index = self._cutter.boundary()
        if reference is None or index is None:
            return False
        sample = reference.pending[index]
        shift = self._cutter.shift_at(sample if sample.sync else reference.pending[0])
        if patient and not self._is_time(reference, sample, shift):
            return False
        self._emit(index, sample.dts, shift)
        change = self._change
        if change is not None and self._cutter.reference is reference and sample.sync and reference.track.is_video:
            if reference.media_us(sample.dts) > change.after_us and self._changes.is_due(change, self._now_us):
                self._switch()
                return False
        return True

    def _is_time(self, reference: Lane, sample: Sample, shift: int) -> bool:
        """
        Whether a fragment that ends in front of `sample` need not wait any longer for what other tracks bring to it.

        They are waited for in media and in time: of a burst one track's samples may come before all of another's.
        """
        boundary_us = reference.media_us(sample.dts + shift)
        if self._cutter.is_reached(boundary_us):
            self._awaited, self._lagging = None, False
            return True
        if self._lagging and self._cutter.is_reached(boundary_us, silent=True):
            return True
        if self._awaited is not sample:
            self._awaited, self._awaited_since_us = sample, self._now_us
        newest = reference.newest_us
        if newest is None or newest - reference.media_us(sample.dts) <= PATIENCE_US:
            return False
        if not self._lagging and 0 <= self._now_us - self._awaited_since_us <= PATIENCE_US:
            return False
        self._lagging = True
        return True

    def _video_stopped(self) -> bool:
        """The video has stopped while the audio goes on: end the run, so that the audio does not pile up."""
        reference = self._cutter.reference
        newest = None if reference is None else reference.newest_us
        if newest is None:
            return False
        others = [lane.newest_us or 0 for lane in self._cutter.lanes if lane is not reference and lane.pending]
        if not others or reference is None:
            return False
        patience_us = SYNC_WAIT_US // 2 if reference.paced else SLOW_VIDEO_US
        if max(others) - newest < max(patience_us, reference.media_us(SLOW_PICTURES * reference.usual_duration)):
            return False
        self._flush()
        self._stop("video_lost", keep_clock=True)
        return True

    def _video_appeared(self) -> bool:
        """A run that began without video has video now: end it, so that the next one has both."""
        reference = self._cutter.reference
        if reference is None or reference.track.is_video:
            return False
        for lane in self._lanes.values():
            if not lane.track.is_video:
                continue
            first = self._drop_before_sync(lane)
            if first is not None:
                start_us = lane.media_us(first.pts)
                kept = [(lane, lane.cut(0))]
                for sound in self._cutter.lanes:  # what ends before the picture is shown
                    count = sound.count_before(start_us - sound.media_us(sound.usual_duration) + 1)
                    kept.append((sound, sound.cut(count)))
                self._flush()
                self._stop("tracks_changed", keep_clock=True)
                for one, samples in kept:
                    for sample in samples:
                        one.put(sample)
                return True
        return False

    def _emit(self, count: int, end_dts: int, end_shift: int) -> None:
        """One fragment: `count` samples of the reference track, the others' up to the same instant."""
        reference = self._cutter.reference
        assert reference is not None
        first = reference.pending[0]
        self._repeats.note(reference, first, self.clock.offset_us(reference.media_us(first.dts)))
        if self._began_us is not None:  # what came since then of the others may lie before it, too
            for lane in self._cutter.lanes:
                if lane is not reference:
                    self._drop_old(lane, self._began_us)
            self._began_us = None
        fragment = self._cutter.take(self.clock, count, end_dts, end_shift)
        self.clock.steer(reference.media_us(end_dts))
        self._end_ms = max(self._end_ms, fragment.end_ms)
        self._on_fragment(fragment)
        self._correct(reference)

    # -- corrections of the clock -----------------------------------------------------------------------------

    def clock_stepped(self, shift_us: int) -> None:
        """
        UTC is later by `shift_us` (or earlier): what was dated stays, what follows is dated anew from a sync sample on.

        A small step back is no reason to lose anything: the run goes on after its own end, and is steered.
        """
        if not self._cutter.lanes:
            self._anchor.stepped(shift_us)
            self._early.stepped(shift_us)
            if self.clock.anchored:
                self.clock.shift(shift_us)
        elif -AHEAD_US <= shift_us < 0:
            self.clock.held_back = True
        else:
            self._stepped = True
            self._request_shift(shift_us)
        if shift_us < -AHEAD_US:
            self._end_ms = 0

    def _request_shift(self, shift_us: int) -> None:
        if not self._shift_us:
            self._shift_since_us = self._now_us
        self._shift_us = shift_us

    def _correct(self, reference: Lane) -> None:
        """Behind a fragment: whether the next one is to be dated by a clock that is put right."""
        if not self._shift_us and reference.newest_us is not None:
            self._request_shift(self.clock.correction(reference.newest_us) or 0)
        if not self._shift_us:
            return
        following = reference.pending[0] if reference.pending else None
        if following is not None and (following.sync or not reference.track.is_video):
            self._apply_shift(reference, following)
        elif self._now_us - self._shift_since_us > SYNC_WAIT_US:
            self._stop("clock")

    def _apply_shift(self, reference: Lane, following: Sample) -> None:
        shift_us, self._shift_us = self._shift_us, 0
        self.clock.shift(shift_us)
        self.clock.held_back = False
        for lane in self._lanes.values():
            lane.mapped_next = None
        self._on_gap("clock")
        ahead_us = self._floor_us - self.clock.utc_us(reference.media_us(following.pts))
        if self._stepped and ahead_us > AHEAD_US:
            self._end_ms = 0
        elif ahead_us > 0:
            self._skipping = True
            self._cutter.end()
        self._stepped = False

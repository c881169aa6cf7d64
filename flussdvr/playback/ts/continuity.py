"""
What makes spans of recordings one transport stream: where each goes in its time, and how its program is called.

    recorded    | A ......... |      gap      | B ...... |     decode times; B has other tracks
    stream      | A ......... | B ...... |                     B `shift_ms` earlier, the PMT's version one higher
                              ^ no picture is decoded or shown before those in front of it are over

The PCR of a span begins where that of the span before it ends, also where the pictures are reordered by less than there
(`lead`). ISO/IEC 13818-1 §2.4.4.9 (version_number), §2.7.2 (PCR).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.shown import shown as exactly_shown
from flussdvr.formats.mpegts.lane import NotCarried
from flussdvr.formats.mpegts.mux import program_of
from flussdvr.formats.mpegts.packet import TICKS
from flussdvr.formats.mpegts.psi import VERSIONS, ProgramMap, content_version
from flussdvr.media import Track
from flussdvr.playback.fragments import Span
from flussdvr.playback.selection import Selection, selected
from flussdvr.timeline import Range

TICKS_PER_MS = TICKS // 1000
SLACK_TICKS = 10 * TICKS_PER_MS
"""Rounding at the seam of two blobs: PCRs are 90 ms apart, 100 ms are allowed."""


_Place = tuple[bool, int]
"""Of a track: whether it is a picture, and which of these."""
PlaceKey = tuple[int, int, int, int, int | None, bool, tuple[Track, ...]]


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A span in a stream: `shift_ms` earlier than it was recorded, `lead` ticks of 90 kHz of PCR in front of its first
    decode time, `version` of its PMT (`None`: what follows from its tracks). `silence`: selected sound that has nothing
    in it is silent. `announced`: the tracks in its PMT, where these are more than it has.
    """

    span: Span
    shift_ms: int = 0
    lead: int = 0
    version: int | None = None
    silence: bool = False
    announced: tuple[Track, ...] = ()

    @property
    def key(self) -> PlaceKey:
        times = self.span.begin_ms, self.span.end_ms, self.shift_ms, self.lead
        return *times, self.version, self.silence, self.announced


class Continuity:
    """
    Places spans one after the other, for one viewer or one file.

    `to_come`: the spans of a file, where they are known beforehand. Then its PMT announces from the beginning what
    comes later: ffmpeg and others set up their decoders once, from the first seconds.
    """

    def __init__(self, selection: Selection | None, to_come: Sequence[Span] = ()) -> None:
        self.selection = selection
        self._all: dict[_Place, Track] = {}
        """By kind and place, the first that the file has."""
        for tracks in dict.fromkeys(span.table.tracks for span in to_come):
            for place, track in _places(selected(tracks, selection)).items():
                self._all.setdefault(place, track)
        self._shift_ms = 0
        self._decoded: int | None = None
        self._shown_ms = 0
        self._last: tuple[Span, Track] | None = None
        self._free: dict[_Place, int] = {}
        """By the place of a track in the program: from when on the next span may bring something of it."""
        self._tracks: tuple[Track, ...] = ()
        self._program: ProgramMap | None = None
        self._version = 0

    def place(
        self, span: Span, used_by_track: Mapping[int, Used] | None = None, shown: Range | None = None
    ) -> Placed | None:
        """
        Where `span` comes in the stream, after everything placed before it; `None` where it has none of the selected
        tracks. `used_by_track`: `used_by_all(span)` where that is known. `shown`: when it is shown, where its table
        does not know (a fragment alone that begins in the middle of a group). Raises `DvrError` CORRUPT where its index
        contradicts itself or a track has no place in MPEG-TS.
        """
        tracks = selected(span.table.tracks, self.selection)
        try:
            if used_by_track is None:
                used_by_track = used_by_all(span)
            used = [used_by_track.get(track.id) for track in tracks]
            announced = self._announced(tracks)
            version = self._version_of(tracks, announced) if any(used) else None
        except FormatError as error:
            raise corrupt(error) from None
        clock = next((number for number, track in enumerate(tracks) if track.is_video), 0)
        times = [used[clock]] if used and used[clock] else used
        there = [one for one in times if one is not None]
        if not there:
            return None
        begin, end = min(one.begin for one in there), max(one.end for one in there)
        shown = shown or Range(span.begin_ms, span.end_ms)
        timed = next(track for track, one in zip(tracks, used, strict=True) if one is there[0])
        places = list(_places(tracks))
        begins = {place: one.begin for place, one in zip(places, used, strict=True) if one}
        lead = self._follow(begin, shown.begin_ms, begins, (span, timed))
        self._decoded, self._shown_ms, self._last = end, shown.end_ms, (span, timed)
        self._free.update({place: one.free for place, one in zip(places, used, strict=True) if one})
        return Placed(span, self._shift_ms, lead, version, announced=announced)

    def _follow(self, begin: int, begin_ms: int, begins: dict[_Place, int], timed: tuple[Span, Track]) -> int:
        """Shift what begins so to where the spans before it end; returns how much of the clock is missing then."""
        if self._decoded is None:
            return 0
        decoded = begin - self._decoded
        apart = [one - self._free[place] for place, one in begins.items() if place in self._free]
        gap = min(decoded, (begin_ms - self._shown_ms) * TICKS_PER_MS, *apart)
        if not 0 <= gap <= SLACK_TICKS:
            gap = min(decoded, self._between(begin_ms, timed), *apart)
            gap_ms = gap // TICKS_PER_MS  # rounded down: never earlier than what is in front of it
            self._shift_ms += gap_ms
            self._free = {place: free + gap_ms * TICKS_PER_MS for place, free in self._free.items()}
            decoded -= gap_ms * TICKS_PER_MS
        return decoded if decoded > SLACK_TICKS else 0

    def _between(self, begin_ms: int, timed: tuple[Span, Track]) -> int:
        """
        From when nothing of the span before is shown to when something of this one is, in ticks of 90 kHz, never more:
        pictures less than one duration apart would be one to players that count in frames.
        """
        begin, end = begin_ms * TICKS_PER_MS, (self._shown_ms + 1) * TICKS_PER_MS
        exact = _shown(*timed)
        if exact is not None and begin <= exact[0] < begin + TICKS_PER_MS:
            begin = exact[0]
        exact = _shown(*self._last) if self._last is not None else None
        if exact is not None and end - TICKS_PER_MS <= exact[1] <= end:
            end = exact[1]
        return begin - end

    def _announced(self, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        """What a PMT lists beside `tracks` and with them, in order; nothing where these are all there is."""
        own = _places(tracks)
        if self._all.keys() <= own.keys():
            return ()
        every = self._all | own
        return tuple(every[place] for place in sorted(every, key=lambda place: (not place[0], place[1])))

    def _version_of(self, tracks: tuple[Track, ...], announced: tuple[Track, ...]) -> int | None:
        """The version of the PMT for these tracks: one more than before where its content is another."""
        if tracks != self._tracks or self._program is None:
            program = program_of(tracks, announced)
            if self._program is None:
                self._version = content_version(program)
            elif program != self._program:
                self._version = (self._version + 1) % VERSIONS
            self._tracks, self._program = tracks, program
        # As a segment by itself has it: it need not be made twice.
        return None if self._version == content_version(self._program) else self._version


def _places(tracks: Sequence[Track]) -> dict[_Place, Track]:
    counts = {True: 0, False: 0}
    places: dict[_Place, Track] = {}
    for track in tracks:
        places[track.is_video, counts[track.is_video]] = track
        counts[track.is_video] += 1
    return places


@dataclass(frozen=True, slots=True)
class Used:
    """
    When the first sample of a track in a span is decoded and the last is over, in ticks of 90 kHz; `free`: when
    another may begin, half a sample earlier where it is sound (frames of sound overlap at seams).
    """

    begin: int
    end: int
    free: int


def used_by_all(span: Span) -> dict[int, Used]:
    """What each track that has something in the span takes of the time, by its id. Raises `FormatError`."""
    return {track.id: used for track in span.table.tracks if (used := _used_by(span, track)) is not None}


def corrupt(error: FormatError) -> DvrError:
    """What is answered where a recording cannot be muxed: it is damaged, or of a codec that MPEG-TS cannot carry."""
    if isinstance(error, NotCarried):
        title = f"{error}: ask for the stream as HLS with fMP4, or as MP4"
        return DvrError(Kind.BAD_REQUEST, "codec_not_in_mpegts", title)
    return DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}")


def _shown(span: Span, track: Track) -> tuple[int, int] | None:
    """When the track is shown in the span, in ticks of 90 kHz, rounded to be longer. `DvrError` CORRUPT."""
    try:
        ticks = exactly_shown(span.table, track, span.first, span.stop)
    except FormatError as error:
        raise corrupt(error) from None
    return None if ticks is None else (ticks[0] * TICKS // track.timescale, -(-ticks[1] * TICKS // track.timescale))


def _used_by(span: Span, track: Track) -> Used | None:
    runs = span.table.runs_of([track.id], span.first, span.stop)
    if not len(runs):
        return None
    last = span.table.samples_of(runs[-1:], track)
    ticks = int(last.run_dts[0]) + int(last.durations.sum())
    begin, end = (value * TICKS // track.timescale for value in (int(runs[0]["dts"]), ticks))
    over = 0 if track.is_video else int(last.durations[-1]) * TICKS // track.timescale // 2
    return Used(begin, end, end - over)

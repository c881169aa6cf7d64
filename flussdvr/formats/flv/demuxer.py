"""
FLV and RTMP media to samples.

    tag --parse_video/parse_audio--> packet  configuration -> Track
                                             frames        -> Sample, times from `flv_time`
    onMetaData --------------------> which tracks to expect, frame rate

Nothing declares the tracks beforehand. `onMetaData` mostly says which there will be; without it both are awaited for
`PROBE_MS` of media, which is held back meanwhile. A track that comes later than that is a change of tracks. Enhanced
RTMP has several tracks of a kind, by number: publishers configure them all in front of the first picture.

Adobe Flash Video File Format 10.1 Annex E, Enhanced RTMP v2.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from flussdvr.errors import FormatError
from flussdvr.formats.flv import amf0
from flussdvr.formats.flv.audio import AudioTrack
from flussdvr.formats.flv.tag import AudioPacket, PacketType, UnsupportedCodec, VideoPacket, parse_audio, parse_video
from flussdvr.formats.flv.time import frame_rate_of
from flussdvr.formats.flv.video import VideoTrack
from flussdvr.media import (
    DataLost,
    LeftOut,
    MediaEvent,
    Sample,
    SamplesReceived,
    Track,
    TracksChanged,
    TracksLeftOut,
)

__all__ = ["AUDIO_TRACK_ID", "VIDEO_TRACK_ID", "FlvDemuxer"]

AUDIO, VIDEO, SCRIPT_DATA = 8, 9, 18
VIDEO_TRACK_ID, AUDIO_TRACK_ID = 1, 2
"""Of the tracks with number 0. Those of number 1 are 3 and 4, and so on."""
TRACKS_MAX = 16
PROBE_MS = 1500
MAX_HELD_BYTES = 8 * 1024 * 1024
MAX_HELD = 2048
MAX_LEFT_OUT = 16


class FlvDemuxer:
    """
    Tags of one source in, media events out.

    Damaged tags are `DataLost`. What is of a codec that is not recorded, or in a track beyond `TRACKS_MAX`, is
    `TracksLeftOut`, and the rest is recorded.
    """

    def __init__(self) -> None:
        self._videos = {0: VideoTrack(VIDEO_TRACK_ID)}
        """By the number of the track."""
        self._audios = {0: AudioTrack(AUDIO_TRACK_ID)}
        self._rate_hint: Fraction | None = None
        self._expected = {VIDEO, AUDIO}
        self._announced: tuple[Track, ...] = ()
        self._held: list[SamplesReceived] = []
        self._held_bytes = 0
        self._first_timestamp: int | None = None
        self._left_out: dict[str, LeftOut] = {}
        self._refused: UnsupportedCodec | None = None
        """Video that is not recorded, while it is not known whether there is sound."""
        self._refused_at = 0

    def feed_tag(self, tag_type: int, timestamp: int, body: bytes) -> list[MediaEvent]:
        """
        One tag: its type (8, 9 or 18), its timestamp in (unwrapped) milliseconds, its body.

        Raises `UnsupportedCodec` for a source of which nothing can be recorded.
        """
        if not body:
            return []
        events: list[MediaEvent] = []
        try:
            if tag_type in (VIDEO, AUDIO):
                for packet in parse_video(body) if tag_type == VIDEO else parse_audio(body):
                    events += self._feed(tag_type, timestamp, packet)
            elif tag_type == SCRIPT_DATA:
                self._read_metadata(body)
        except FormatError as error:
            events.append(DataLost(str(error), 1))
        self._give_up(timestamp)
        return events

    def _feed(
        self, tag_type: int, timestamp: int, packet: VideoPacket | AudioPacket | UnsupportedCodec
    ) -> list[MediaEvent]:
        """One track's part of a tag; what is damaged in it does not stop the other tracks."""
        try:
            if isinstance(packet, UnsupportedCodec):
                return self._unsupported(tag_type, timestamp, packet)
            if isinstance(packet, VideoPacket):
                return self._feed_video(timestamp, packet)
            return self._feed_audio(timestamp, packet)
        except UnsupportedCodec as error:
            error.track = packet.track
            return self._unsupported(tag_type, timestamp, error)
        except FormatError as error:
            return [DataLost(str(error), 1)]

    def _unsupported(self, tag_type: int, timestamp: int, error: UnsupportedCodec) -> list[MediaEvent]:
        """Better a recording without sound, or without pictures, than none."""
        if error.track:
            return self._leave_out(f"{error.what} in track {error.track}", error.advice)
        self._expected.discard(tag_type)
        if tag_type == VIDEO and self._refused is None:
            self._refused, self._refused_at = error, timestamp
        return self._leave_out(error.what, error.advice) + self._tracks_known(timestamp)

    def _leave_out(self, what: str, why: str) -> list[MediaEvent]:
        if what in self._left_out or len(self._left_out) >= MAX_LEFT_OUT:
            return []
        self._left_out[what] = LeftOut(what, why)
        return [TracksLeftOut(tuple(self._left_out.values()))]

    def _give_up(self, timestamp: int) -> None:
        """Pictures that cannot be recorded, and no sound for so long: the publisher is told what to send."""
        if self._refused is not None and not self._tracks() and not 0 <= timestamp - self._refused_at < PROBE_MS:
            raise self._refused

    def flush(self) -> list[MediaEvent]:
        """What is still held back when the source ends."""
        return self._announce() if self._held else []

    def _feed_video(self, timestamp: int, packet: VideoPacket) -> list[MediaEvent]:
        half = self._videos.get(packet.track)
        if half is None:
            if self._full():
                return self._leave_out(f"video track {packet.track}", f"only {TRACKS_MAX} tracks are")
            half = self._videos[packet.track] = VideoTrack(VIDEO_TRACK_ID + 2 * packet.track)
            half.hint_frame_rate(self._rate_hint)
        if packet.type == PacketType.SEQUENCE_START:
            half.configure(packet.codec, packet.data)
            return self._tracks_known(timestamp)
        if packet.type != PacketType.CODED_FRAMES:
            return []
        sample = half.sample(packet, timestamp)
        losses: list[MediaEvent] = [DataLost(reason, count) for reason, count in half.take_losses().items()]
        return losses + self._samples(half.id, [sample] if sample else [], timestamp)

    def _feed_audio(self, timestamp: int, packet: AudioPacket) -> list[MediaEvent]:
        half = self._audios.get(packet.track)
        if half is None:
            if self._full():
                return self._leave_out(f"audio track {packet.track}", f"only {TRACKS_MAX} tracks are")
            half = self._audios[packet.track] = AudioTrack(AUDIO_TRACK_ID + 2 * packet.track)
        if packet.type == PacketType.SEQUENCE_START:
            half.configure(packet.codec, packet.data)
            return self._tracks_known(timestamp)
        if packet.type != PacketType.CODED_FRAMES:
            return []
        return self._samples(half.id, half.samples(packet, timestamp), timestamp)

    def _full(self) -> bool:
        return len(self._videos) + len(self._audios) >= TRACKS_MAX

    def _read_metadata(self, body: bytes) -> None:
        values = amf0.decode(body)
        if len(values) < 2 or values[0] != "onMetaData" or not isinstance(values[1], Mapping):
            return
        metadata = values[1]
        named = {
            kind for kind, key in ((VIDEO, "videocodecid"), (AUDIO, "audiocodecid")) if metadata.get(key) is not None
        }
        self._expected = named or self._expected
        rate = metadata.get("framerate")
        self._rate_hint = frame_rate_of(rate) if isinstance(rate, float) else None
        for half in self._videos.values():
            half.hint_frame_rate(self._rate_hint)

    # tracks

    def _tracks(self) -> tuple[Track, ...]:
        videos = [self._videos[number].track for number in sorted(self._videos)]
        audios = [self._audios[number].track for number in sorted(self._audios)]
        return tuple(track for track in (*videos, *audios) if track is not None)

    def _samples(self, track_id: int, samples: list[Sample], timestamp: int) -> list[MediaEvent]:
        """The samples, behind the tracks if these are new, or nothing while the tracks are awaited."""
        if samples:
            self._held.append(SamplesReceived(track_id, samples))
            self._held_bytes += sum(len(sample.data) for sample in samples)
            if self._first_timestamp is None:
                self._first_timestamp = timestamp
        return self._tracks_known(timestamp)

    def _tracks_known(self, timestamp: int) -> list[MediaEvent]:
        """What may go out: all if the tracks are announced already, or there is nothing more to wait for."""
        if self._announced or self._complete(timestamp):
            return self._announce()
        return []

    def _complete(self, timestamp: int) -> bool:
        if not self._held:
            return False  # publishers configure one track after the other
        tracks = self._tracks()
        have = {VIDEO if track.is_video else AUDIO for track in tracks}
        # Of further ones something has been heard. The first of a kind is expected, or it is not.
        silent = any(half.track is None for halves in (self._videos, self._audios) for n, half in halves.items() if n)
        # From the first sample on: a configuration may come with another time, as FFmpeg's do.
        waited = self._first_timestamp is not None and not 0 <= timestamp - self._first_timestamp < PROBE_MS
        full = self._held_bytes > MAX_HELD_BYTES or len(self._held) > MAX_HELD
        return bool(have) and ((have >= self._expected and not silent) or waited or full)

    def _announce(self) -> list[MediaEvent]:
        events: list[MediaEvent] = []
        tracks = self._tracks()
        if tracks != self._announced:
            self._announced = tracks
            events.append(TracksChanged(tracks))
        events += self._held
        self._held, self._held_bytes = [], 0
        return events

"""Small recordings: media from PyAV's encoders, written into blobs the way the recorder does it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from flussdvr.formats.made import Made
from flussdvr.formats.mp4.fmp4 import BlobInfo, Run, blob_info_box, write_fragment, write_init
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.progressive import Mp4Head
from flussdvr.media import Codec, Sample, Track

WIDTH, HEIGHT = 160, 64
UTC = 1_795_194_000
"""2026-11-20T17:00:00Z."""

CLOSED = "keyint=10:min-keyint=10:scenecut=0:bframes=0:log-level=none"
B_FRAMES = "keyint=10:min-keyint=10:scenecut=0:bframes=2:b-adapt=0:log-level=none"
OPEN_GOP = "keyint=12:min-keyint=12:scenecut=0:bframes=2:b-adapt=0:open-gop=1:log-level=none"
PARAMETERS = {"libx264": "x264-params", "libx265": "x265-params"}


@dataclass
class Media:
    """An encoded track; `samples` begin with dts 0 and have no negative composition offset."""

    track: Track
    samples: list[Sample]


@cache
def video(encoder: str = "libx264", parameters: str = CLOSED, frames: int = 50, width: int = WIDTH) -> Media:
    """25 pictures a second, each of which shows its number (`number`)."""
    file = _encoded(encoder, parameters, frames, width)
    with av.open(file) as source:
        stream = source.streams.video[0]
        codec = {"h264": Codec.H264, "hevc": Codec.H265, "mjpeg": Codec.MJPEG}[stream.codec_context.name]
        config = b"" if codec is Codec.MJPEG else bytes(stream.codec_context.extradata)
        track = Track(1, codec, 90000, config, width=width, height=HEIGHT, frame_rate=Fraction(25))
        packets = [packet for packet in source.demux(stream) if packet.size]
        scale = stream.time_base * 90000
        begin = packets[0].dts
        samples = [
            Sample(int((p.dts - begin) * scale), bytes(p), p.is_keyframe, int((p.pts - p.dts) * scale)) for p in packets
        ]
    return Media(track, samples)


def _encoded(encoder: str, parameters: str, frames: int, width: int) -> io.BytesIO:
    out = io.BytesIO()
    with av.open(out, "w", "mp4") as file:
        options = {PARAMETERS[encoder]: parameters, "preset": "ultrafast"} if encoder in PARAMETERS else {}
        stream = file.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height = width, HEIGHT
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        for count in range(frames):
            bits = np.repeat([count >> bit & 1 for bit in range(8)], 16) * 160 + 48
            picture = np.full((HEIGHT, width, 3), 128, np.uint8)
            picture[:, : len(bits)] = bits[None, :, None]
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = count
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    out.seek(0)
    return out


def number(frame: av.VideoFrame) -> int:
    """The number that a picture shows."""
    grey = frame.to_ndarray(format="gray").astype(int)
    return sum(int(grey[8:-8, bit * 16 + 4 : bit * 16 + 12].mean() > 128) << bit for bit in range(8))


def tone(encoder: str, rate: int = 48000, layout: str = "stereo", frames: int = 94, **options: str) -> io.BytesIO:
    """An MP4 of a tone."""
    out = io.BytesIO()
    with av.open(out, "w", "mp4", options=options) as file:
        stream = file.add_stream(encoder, rate=rate, layout=layout)
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        channels = stream.codec_context.layout.nb_channels
        resampler = av.AudioResampler(stream.codec_context.format.name, layout, rate, size)
        for count in range(frames):
            phase = (np.arange(size) + count * size) * (440 * 2 * np.pi / rate)
            wave = np.tile((np.sin(phase) * 0.2).astype(np.float32), (channels, 1))
            frame = av.AudioFrame.from_ndarray(wave, "fltp", layout)
            frame.sample_rate, frame.pts = rate, count * size
            for ready in resampler.resample(frame):
                file.mux(stream.encode(ready))
        file.mux(stream.encode(None))
    out.seek(0)
    return out


FRAME_SIZES = {Codec.AAC: 1024, Codec.MP3: 1152, Codec.MP2: 1152, Codec.AC3: 1536, Codec.EAC3: 1536}


@cache
def audio(encoder: str = "aac", rate: int = 48000, frames: int = 94, track_id: int = 2) -> Media:
    """A tone, stereo."""
    with av.open(tone(encoder, rate, frames=frames)) as source:
        packets = [bytes(packet) for packet in source.demux(audio=0) if packet.size]
        extradata = bytes(source.streams.audio[0].codec_context.extradata or b"")
    codec = {"aac": Codec.AAC, "libmp3lame": Codec.MP3, "mp2": Codec.MP2, "ac3": Codec.AC3, "eac3": Codec.EAC3}[encoder]
    track = Track(track_id, codec, rate, extradata, channels=2, sample_rate=rate)
    step = FRAME_SIZES[codec]
    return Media(track, [Sample(index * step, data) for index, data in enumerate(packets[:frames])])


@dataclass
class Blob:
    """A recorded blob, its index, and both parsed."""

    data: bytes
    index: bytes
    table: FragmentTable


def record(
    *media: Media, begin: Fraction | int = UTC, per_fragment: int = 25, info: BlobInfo | None = None, first: int = 1
) -> Blob:
    """A blob that shows (video) or plays (audio alone) the first sample of the first of `media` at `begin`, UTC s."""
    lead = media[0]
    origin = Fraction(lead.samples[0].cto, lead.track.timescale) if lead.track.is_video else Fraction(0)
    data = write_init([one.track for one in media])
    data += blob_info_box(info) if info else b""
    index = data
    positions = [0] * len(media)
    for sequence, (_, stop) in enumerate(_groups(lead, per_fragment), first):
        until = _seconds(lead, stop) + (origin if lead.track.is_video else 0)
        runs = []
        for place, one in enumerate(media):
            end = stop if one is lead else positions[place]
            while one is not lead and end < len(one.samples) and _seconds(one, end) < until - origin:
                end += 1
            end = len(one.samples) if stop == len(lead.samples) else end
            if chosen := one.samples[positions[place] : end]:
                shift = begin - (origin if one.track.is_video else 0)
                dts = [
                    round((_seconds(one, at) + shift) * one.track.timescale) for at in range(positions[place], end + 1)
                ]
                runs.append(Run(one.track, dts[0], np.diff(dts).tolist(), chosen))
            positions[place] = end
        head, payload = write_fragment(sequence, runs)
        data += head + payload
        index += head
    return Blob(data, index, FragmentTable(index))


def _seconds(media: Media, at: int) -> Fraction:
    """When a sample is decoded; one behind the last one too."""
    samples = media.samples
    if at < len(samples):
        return Fraction(samples[at].dts, media.track.timescale)
    step = samples[-1].dts - samples[-2].dts if len(samples) > 1 else media.track.timescale // 25
    return Fraction(samples[-1].dts + step, media.track.timescale)


def _groups(lead: Media, per_fragment: int) -> list[tuple[int, int]]:
    """Where fragments begin and end: at sync samples of the video, and when there is enough."""
    cuts, last = [0], 0
    for at, sample in enumerate(lead.samples):
        if at > last and (at - last >= per_fragment or (sample.sync and lead.track.is_video)):
            cuts.append(at)
            last = at
    return list(zip(cuts, [*cuts[1:], len(lead.samples)], strict=True))


def part(media: Media, start: int, stop: int | None = None) -> Media:
    """Some of the samples of `media`, beginning with dts 0."""
    chosen = media.samples[start:stop]
    return Media(media.track, [replace(sample, dts=sample.dts - chosen[0].dts) for sample in chosen])


def virtual(head: Mp4Head, *blobs: Blob) -> bytes:
    """The file that a head and its extents are."""
    parts = head.body(lambda piece, at, length: blobs[piece].data[at : at + length])
    data = b"".join(part.data() if isinstance(part, Made) else part for part in parts)
    assert len(data) == len(head)
    return data


def packets(data: bytes, **options: str) -> dict[int, list[tuple[int, int, bytes, bool]]]:
    """(dts, pts, bytes, sync) of every packet by stream, edit lists not looked at unless `options` say so."""
    with av.open(io.BytesIO(data), options={"ignore_editlist": "1", **options}) as file:
        found: dict[int, Any] = {stream.index: [] for stream in file.streams}
        for packet in file.demux():
            if packet.size:
                found[packet.stream_index].append((packet.dts, packet.pts, bytes(packet), packet.is_keyframe))
    return found


def shown(data: bytes) -> list[tuple[float, int]]:
    """(second, number) of every picture that a player shows."""
    with av.open(io.BytesIO(data)) as file:
        return [(float(frame.time), number(frame)) for frame in file.decode(video=0)]

"""MPEG-TS made faster than real time, and what can befall it on its way."""

from __future__ import annotations

import io
import random
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

from flussdvr.formats.stamp import tones, write_stamp

PACKET = 188
FPS = 25
RATE = 48_000
CLOCK = 90_000
WRAP_S = (1 << 33) / CLOCK
WIDTH, HEIGHT = 160, 90


@lru_cache
def broadcast(
    seconds: int,
    second: int = 1_700_000_000,
    offset_s: float = 0,
    bframes: int = 2,
    codec: str = "libx264",
    width: int = WIDTH,
    layout: str = "mono",
) -> bytes:
    """H.26x and AAC that show and sound `seconds` from `second` on, timestamps from `offset_s`; one GOP a second."""
    out = io.BytesIO()
    with av.open(out, "w", "mpegts", options={"output_ts_offset": str(offset_s)}) as file:
        quiet = {"x264-params": "log-level=none:scenecut=0", "preset": "ultrafast", "bf": str(bframes)}
        if codec == "libx265":
            quiet = {"x265-params": f"log-level=none:scenecut=0:bframes={bframes}", "preset": "ultrafast"}
        video = file.add_stream(codec, rate=FPS, options=quiet)
        video.width, video.height, video.pix_fmt, video.gop_size = width, HEIGHT, "yuv420p", FPS
        audio = file.add_stream("aac", rate=RATE, layout=layout)
        channels = audio.codec_context.layout.nb_channels
        audio_done = 0
        for number in range(seconds * FPS):
            luma = np.full((HEIGHT * 3 // 2, width), 128, np.uint8)
            luma[:HEIGHT] = (np.arange(width) + number).astype(np.uint8)
            write_stamp(luma[:HEIGHT], second + number // FPS, number % FPS)
            file.mux(video.encode(av.VideoFrame.from_ndarray(luma, "yuv420p")))
            while audio_done < (number + 1) * RATE // FPS:
                pcm = tones(second * RATE + audio_done, 1024, RATE)
                frame = av.AudioFrame.from_ndarray(np.tile(pcm, (channels, 1)), "fltp", layout)
                frame.sample_rate, frame.pts = RATE, audio_done
                file.mux(audio.encode(frame))
                audio_done += 1024
        file.mux(video.encode(None))
        file.mux(audio.encode(None))
    return out.getvalue()


def heavy(seconds: int, frame_size: int, keys: set[int] | None = None) -> bytes:
    """
    Video that is quickly made: pictures of about `frame_size` bytes, of which those numbered `keys` are key frames.

    `None`: one a second. The parameter sets come once a second in any case.
    """
    out = io.BytesIO()
    with av.open(io.BytesIO(broadcast(2, bframes=0)), format="mpegts") as source, av.open(out, "w", "mpegts") as file:
        video = file.add_stream_from_template(source.streams.video[0])
        packets = [bytes(packet) for packet in source.demux(video=0) if packet.size]
        key, other = packets[0], packets[1]
        sets = key[: key.index(b"\0\0\1\x65")]  # SPS, PPS and what else comes before the IDR slice
        for number in range(seconds * FPS):
            is_key = number in keys if keys is not None else number % FPS == 0
            data = key if is_key else sets + other if number % FPS == 0 else other
            packet = av.Packet(data + b"\xaa" * frame_size)  # the slice seems to go on
            packet.pts = packet.dts = CLOCK + number * CLOCK // FPS
            packet.time_base, packet.stream = Fraction(1, CLOCK), video
            packet.is_keyframe = is_key
            file.mux(packet)
    return out.getvalue()


def packets_of(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


def joined(*parts: bytes) -> bytes:
    """Broadcasts one behind the other, with the counters of one stream (ISO/IEC 13818-1 §2.4.3.3)."""
    counters: dict[int, int] = {}
    packets = [bytearray(packet) for part in parts for packet in packets_of(part)]
    for packet in packets:
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if packet[3] & 0x10:
            counters[pid] = (counters.get(pid, -1) + 1) % 16
        packet[3] = packet[3] & 0xF0 | counters.get(pid, 0)
    return b"".join(packets)


def lossy(data: bytes, rate: float, seed: int = 1) -> bytes:
    """Each packet is lost with this probability."""
    chance = random.Random(seed)
    return b"".join(packet for packet in packets_of(data) if chance.random() >= rate)


def reordered(data: bytes, window: int, rate: float, seed: int = 1) -> bytes:
    """This share of the runs of `window` packets come in another order."""
    chance = random.Random(seed)
    packets = packets_of(data)
    for at in range(0, len(packets), window):
        if chance.random() < rate:
            part = packets[at : at + window]
            chance.shuffle(part)
            packets[at : at + window] = part
    return b"".join(packets)


def torn(data: bytes, count: int, seed: int = 1) -> bytes:
    """`count` pieces of any length up to 500 bytes are missing, or have become noise."""
    chance = random.Random(seed)
    left = bytearray(data)
    for number in range(count):
        at, length = chance.randrange(len(left)), chance.randrange(1, 500)
        left[at : at + length] = chance.randbytes(length) if number % 2 else b""
    return bytes(left)

"""What comes before a program is chosen is kept, within bounds, and read when it is."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.backlog import CHUNK, KEPT, KEPT_BYTES, Backlog
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.psi import ProgramAssociation, build_pat
from tests.formats.encoded import decoded, recorded, same_pictures
from tests.formats.transport import samples_of, tracks_of

PACKET = 188


@cache
def recording(frames: int) -> bytes:
    """Pictures by FFmpeg's encoder in FFmpeg's transport stream, each another one."""
    out = io.BytesIO()
    with av.open(out, "w", "mpegts") as file:
        picture = file.add_stream("libx264", rate=25, options={"preset": "ultrafast", "x264-params": "log-level=none"})
        picture.width, picture.height, picture.pix_fmt, picture.gop_size = 64, 64, "yuv420p", 12
        for number in range(frames):
            shown = np.full((96, 64), number * 2, np.uint8)
            frame = av.VideoFrame.from_ndarray(shown, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(picture.encode(frame))
        file.mux(picture.encode(None))
    return out.getvalue()


def table(*programs: tuple[int, int]) -> bytes:
    section = b"\0" + build_pat(ProgramAssociation(programs))
    return b"\x47\x40\0\x10" + section + b"\xff" * (184 - len(section))


def with_pat(data: bytes, pat: bytes | None) -> bytes:
    """The stream with another PAT, or with none."""
    packets = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    packets = [pat if packet[1:3] == b"\x40\0" else packet for packet in packets if pat or packet[1:3] != b"\x40\0"]
    return b"".join(packet for packet in packets if packet is not None)


@pytest.mark.parametrize("frames", [20, 100])
@pytest.mark.parametrize("size", [PACKET, 1316, 1 << 20])
@pytest.mark.parametrize("pat", [None, table((7, 0x1234), (1, 0x1000))], ids=["no PAT", "a program without PMT"])
def test_every_picture_is_read_whatever_is_waited_for(pat: bytes | None, size: int, frames: int) -> None:
    """Also where the stream is over before anything is certain."""
    data = with_pat(recording(frames), pat)
    demuxer = TsDemuxer()
    events = [event for at in range(0, len(data), size) for event in demuxer.feed(data[at : at + size])]
    events += demuxer.flush()
    tracks = tracks_of(events)
    assert len(tracks) == 1
    file = recorded(tracks[0], samples_of(events))
    same_pictures(decoded(file, "mp4", "video"), decoded(recording(frames), "mpegts", "video"))
    assert demuxer.packets == len(data) // PACKET
    assert not demuxer.cc_errors + demuxer.dropped_pes


@given(st.lists(st.tuples(st.integers(0, 3 * CHUNK // PACKET), st.integers(0, KEPT // 3)), max_size=60))
def test_pieces_come_back_in_order_and_within_bounds(pieces: list[tuple[int, int]]) -> None:
    backlog = Backlog()
    given, now = b"", 0
    for number, (count, step) in enumerate(pieces):
        now += step
        packets = bytes((number,)) * PACKET * count
        given += packets
        backlog.keep(packets, now)
    kept = b"".join(backlog.take())
    assert given.endswith(kept)
    assert len(kept) <= KEPT_BYTES
    assert now > KEPT or kept == given
    assert (backlog.size, backlog.take()) == (0, [])


def test_what_is_kept_is_bounded_though_no_time_passes() -> None:
    backlog = Backlog()
    for _ in range(2 * KEPT_BYTES // (PACKET * 700)):
        backlog.keep(bytes(PACKET * 700), 0)
        assert backlog.size <= KEPT_BYTES
    assert sum(map(len, backlog.take())) > KEPT_BYTES // 2

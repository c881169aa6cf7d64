"""Streams as encoders and multiplexers in the field make them, judged by the clock in the recorded pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from flussdvr.formats.mp4.fmp4 import parse_init, write_init
from flussdvr.media import PictureTrouble
from tests.formats.clocked import FRAME, H264, H265, Piece, Unit, demux, encode, numbers, pack, record, shown, spread_ms
from tests.formats.transport import VIDEO_PID, losses_of, samples_of, tracks_of

CLOSED = "keyint=10:min-keyint=10:scenecut=0"
B2 = f"{CLOSED}:bframes=2:b-adapt=0"
PYRAMID = f"{CLOSED}:bframes=3:b-adapt=0:b-pyramid=normal"
X265 = f"{B2}:open-gop=0"

Restamp = Callable[[int, Unit], tuple[int, int]]


def aligned(units: Sequence[Unit]) -> list[Piece]:
    return [Piece(unit.data, unit.pts, unit.dts) for unit in units]


def restamped(units: Sequence[Unit], stamp: Restamp) -> list[Piece]:
    return [Piece(unit.data, *stamp(number, unit)) for number, unit in enumerate(units)]


STAMPS: dict[str, Restamp] = {
    "no dts": lambda n, unit: (unit.pts, unit.pts),
    "dts without delay": lambda n, unit: (unit.pts - 2 * FRAME, unit.dts),
    "every seventh early": lambda n, unit: (unit.pts - 5400, unit.dts - 5400) if n % 7 == 5 else (unit.pts, unit.dts),
    "equal dts": lambda n, unit: (unit.pts, unit.dts - FRAME * (n % 2)),
    "repeated pts": lambda n, unit: (unit.pts - FRAME * (n % 5 == 4), unit.dts),
}


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_no_picture_is_dropped_for_its_time(encoder: str, stamp: str) -> None:
    units = encode(encoder, B2 if encoder == "libx264" else X265, 80)
    data = pack(restamped(units, STAMPS[stamp]), H264 if encoder == "libx264" else H265)
    events = demux(data)
    found = samples_of(events)[VIDEO_PID]
    assert len(found) == 80
    assert all(a.dts < b.dts for a, b in pairwise(found))
    recording = record(events)
    assert recording.gaps == ["over"]
    pictures = shown(recording)
    assert [number for _, number in pictures] == list(range(80))
    assert spread_ms(pictures) <= 40
    assert set(losses_of(events)) <= {PictureTrouble.RETIMED}


def test_only_the_first_of_a_group_has_a_time() -> None:
    for parameters in (f"{CLOSED}:bframes=0", B2, PYRAMID):
        units = encode("libx264", parameters)
        pieces = [Piece(unit.data, unit.pts, unit.dts) if unit.key else Piece(unit.data) for unit in units]
        pictures = shown(record(demux(pack(pieces))))
        assert [number for _, number in pictures] == list(range(50))
        assert spread_ms(pictures) <= 40


def alternating(first: Sequence[Unit], second: Sequence[Unit], group: int = 10) -> list[Piece]:
    return aligned([(second if n // group % 2 else first)[n] for n in range(len(first))])


def test_content_of_one_id_that_takes_turns_is_carried_in_the_samples() -> None:
    other = {"libx264": "chroma-qp-offset=4", "libx265": "cbqpoffs=4"}  # another PPS
    for encoder, entry in (("libx264", H264), ("libx265", H265)):
        base = f"{CLOSED}:bframes=0"
        units = alternating(encode(encoder, base, 100), encode(encoder, f"{base}:{other[encoder]}", 100))
        events = demux(pack(units, entry))
        assert len(tracks_of(events)) <= 2, "one change of the configuration, and no more"
        track = tracks_of(events)[-1][0]
        assert track.in_band
        assert parse_init(write_init([track])).tracks[0].in_band
        recording = record(events)
        assert recording.gaps in (["over"], ["tracks_changed", "over"])
        assert numbers(recording) == list(range(100))


def test_another_size_is_another_configuration() -> None:
    units = alternating(encode("libx264", CLOSED, 60), encode("libx264", CLOSED, 60, width=192), 20)
    events = demux(pack(units))
    assert [tracks[0].width for tracks in tracks_of(events)] == [160, 192, 160]
    assert not any(tracks[0].in_band for tracks in tracks_of(events))


def without(unit: Unit, kinds: set[int], h265: bool) -> Unit:
    kept = [nal for nal in unit.nals if (nal[0] >> 1 & 63 if h265 else nal[0] & 31) not in kinds]
    return unit._replace(data=b"".join(b"\0\0\0\1" + nal for nal in kept))


def test_h265_without_vps() -> None:
    units = [without(unit, {32}, True) for unit in encode("libx265", X265)]
    assert numbers(record(demux(pack(aligned(units), H265)))) == list(range(50))


def test_parameter_sets_only_at_the_start() -> None:
    for encoder, entry, kinds in (("libx264", H264, {7, 8}), ("libx265", H265, {32, 33, 34})):
        units = encode(encoder, B2 if encoder == "libx264" else X265)
        rest = [without(unit, kinds, encoder == "libx265") for unit in units[1:]]
        assert numbers(record(demux(pack(aligned([units[0], *rest]), entry)))) == list(range(50))


def test_intra_refresh_is_joined_at_a_recovery_point() -> None:
    units = encode("libx264", "keyint=10:min-keyint=10:scenecut=0:bframes=0:intra-refresh=1", 80)
    events = demux(pack(aligned(units[15:])))
    found = samples_of(events)[VIDEO_PID]
    assert 0 <= next(number for number, sample in enumerate(found) if sample.sync) <= 15
    assert sum(sample.sync for sample in found) >= 3, "segments need places to begin"


def test_interlaced_fields_are_one_sample() -> None:
    units = encode("libx264", f"{CLOSED}:bframes=0:interlaced=1")
    assert numbers(record(demux(pack(aligned(units))))) == list(range(50))

"""The two fields of a frame are one sample, in whichever packets they come."""

from __future__ import annotations

from flussdvr.formats.codecs.h264 import parse_sps
from flussdvr.formats.codecs.nal import escape
from tests.formats.clocked import FRAME, Piece, demux, pack
from tests.formats.transport import VIDEO_PID, losses_of, samples_of

CODE = b"\0\0\0\1"


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def nal(header: int, bits: str) -> bytes:
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return CODE + escape(bytes((header,)) + int(bits, 2).to_bytes(len(bits) // 8, "big"))


# Main profile, level 3, frame_num of 8 bits, order counts of 8 bits, 4 x 2 macroblocks a field, fields allowed.
SPS = nal(0x67, f"{77:08b}{0:08b}{30:08b}" + ue(0) + ue(4) + ue(0) + ue(4) + ue(2) + "0" + ue(3) + ue(1) + "00100")
PPS = nal(0x68, ue(0) + ue(0) + "00" + ue(0) + ue(0) + ue(0) + "000" + ue(0) + ue(0) + ue(0) + "000")
AUD = CODE + b"\x09\xf0"


def field(number: int, bottom: int) -> bytes:
    """A field of picture `number`, of a group of 10: AUD, sets, a slice with nothing behind its header."""
    place = number % 10
    idr = not place and not bottom
    bits = ue(0) + ue(7 if idr else 5) + ue(0) + f"{place:08b}" + f"1{bottom}"
    bits += (ue(number // 10 % 2) if idr else "") + f"{2 * place + bottom:08b}" + "0101" * 4
    return AUD + (SPS + PPS if idr else b"") + nal(0x65 if idr else 0x61, bits)


def test_the_sets_are_what_they_should_be() -> None:
    sps = parse_sps(SPS[4:])
    assert (sps.width, sps.height, sps.frame_mbs_only) == (64, 64, False)


def test_fields() -> None:
    apart, together, late = [], [], []
    for number in range(30):
        at = number * FRAME
        first, second = field(number, 0), field(number, 1)
        apart += [Piece(first, at, at), Piece(second, at + FRAME // 2, at + FRAME // 2)]
        together.append(Piece(first + second, at, at))
        late += [Piece(first, at, at), Piece(second)]
    found = []
    for pieces in (apart, together, late):
        events = demux(pack(pieces))
        assert not losses_of(events)
        found.append([(sample.dts, sample.data, sample.sync) for sample in samples_of(events)[VIDEO_PID]])
    assert len(found[0]) == 30
    assert found[0] == found[1] == found[2]
    assert [sync for _, _, sync in found[0]] == [not number % 10 for number in range(30)]
    assert [dts for dts, _, _ in found[0]] == [number * FRAME for number in range(30)]


def test_a_field_without_its_other_is_a_sample_of_its_own() -> None:
    pieces = [Piece(field(number, 0), number * FRAME, number * FRAME) for number in range(10)]
    assert len(samples_of(demux(pack(pieces)))[VIDEO_PID]) == 10

"""
AV1 in MPEG-TS: PES payloads, each a temporal unit, to samples.

    by the standard     (00 00 01 OBU)*    with emulation prevention, sizes of OBUs or none
    as others send it   OBU*               each with its size, as in a file ("low overhead")

"Carriage of AV1 in MPEG-2 TS" (AOMedia) §3 and §4: a PES carries one access unit; its registration is `AV01`. What
follows shows that a unit was whole, so one is held back.
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import av1
from flussdvr.formats.mpegts.packet import TICKS
from flussdvr.formats.mpegts.video_stream import Batch
from flussdvr.media import Codec, PictureTrouble, Sample, Track

__all__ = ["Av1Stream"]

OBUS_MAX = 1024
_CODE = b"\0\0\1"


def obus_of(payload: bytes) -> bytes:
    """The OBUs of a PES payload, each with its size. Raises `FormatError`."""
    if not payload.startswith((_CODE, b"\0" + _CODE)):
        return payload
    parts = payload.split(_CODE)[1:]
    if len(parts) > OBUS_MAX:
        raise FormatError(f"a temporal unit of {len(parts)} OBUs")
    return b"".join([_obu(part) for part in parts])


def _obu(part: bytes) -> bytes:
    """What stands between start codes: emulation prevention in it is undone, 00 00 03 is 00 00. FormatError."""
    plain = part.replace(b"\0\0\3", b"\0\0")
    # Zeros in front of the next start code are not of this OBU, where it does not say so itself.
    return av1.sized_obu(plain if plain and plain[0] & 2 else plain.rstrip(b"\0"))


class Av1Stream:
    """PES payloads to samples of `av01`. Pictures in front of the first sequence header are of no use and left out."""

    def __init__(self, pid: int, language: str) -> None:
        self.track: Track | None = None
        self.losses: dict[str, int] = {}
        self._pid = pid
        self._language = language
        self._config = b""
        self._held: tuple[int, int, bytes] | None = None
        """(pts, dts, payload) of the last PES, until it is known to be whole."""
        self._damaged = False

    def read(self, pts: int | None, dts: int | None, payload: bytes, head: bytes | None = None) -> list[Batch]:
        batches = self.flush()
        if payload:
            if pts is None or dts is None:
                raise FormatError("AV1 without a time")
            self._held = pts, dts, payload
        return batches if head is None else [*batches, *self.flush()]

    def peek(self, head: bytes) -> list[Batch]:
        return self.flush()

    def finish(self) -> list[Batch]:
        return self.flush()

    def lost(self) -> None:
        """What is held back is not whole; if nothing is, then what would have come."""
        self._held = None
        self._lose(PictureTrouble.INCOMPLETE)
        self._damaged = True

    def flush(self) -> list[Batch]:
        """The picture that was held back."""
        held, self._held = self._held, None
        if held is None:
            return []
        pts, dts, payload = held
        try:
            data = av1.temporal_unit(obus_of(payload))
            self._configure(data)
            sync = av1.is_sync(data)
        except FormatError:
            self.lost()
            return []
        if self.track is None or not data:
            return []
        if sync:
            self._damaged = False
        elif self._damaged:
            self._lose(PictureTrouble.DAMAGED)
        return [Batch(self.track, [Sample(dts, data, sync, pts - dts, self._damaged)])]

    def _lose(self, reason: PictureTrouble) -> None:
        if self.track is not None:
            self.losses[reason] = self.losses.get(reason, 0) + 1

    def _configure(self, data: bytes) -> None:
        """Take over a sequence header. Raises `FormatError`."""
        for kind, begin, payload, end in av1.split_obus(data):
            if kind != av1.SEQUENCE_HEADER:
                continue
            obu = data[begin:end]
            if obu == self._config:
                return
            header = av1.parse_sequence_header(data[payload:end])
            record = av1.build_av1c(obu, header)
            self._config = obu
            self.track = Track(
                self._pid,
                Codec.AV1,
                TICKS,
                record,
                self._language,
                header.width,
                header.height,
                frame_rate=header.frame_rate,
            )
            return

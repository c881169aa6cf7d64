"""
VP9: `vpcC`, and the size of pictures from a key frame's header.

    vpcC     profile 8 | level 8 | depth 4 subsampling 3 full range 1 | colours 8, 8, 8 | size of what follows 16 = 0
    frame    marker 2 | profile 2 | show_existing 1 | frame_type 1 (0: key) | ... 0x498342 | colour | width 16 height 16

VP9 Bitstream & Decoding Process Specification §6.2 and §7.2; VP Codec ISO Media File Format Binding (`codecs`:
vp09.PP.LL.DD). A track's config is the payload of `vpcC` behind its version and flags.
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader

CONFIG_SIZE = 8
_SYNC_CODE = 0x498342
_RGB = 7


def config_of(record: bytes) -> bytes:
    """The config of a `vpcC`, with or without its version and flags (1, 0). Raises `FormatError`."""
    config = record[4:] if record[:4] == b"\x01\0\0\0" else record
    if len(config) < CONFIG_SIZE or config[0] > 3:
        raise FormatError("vpcC is damaged")
    return config[: CONFIG_SIZE - 2] + b"\0\0"


def key_frame_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a key frame, `None` for another one. Raises `FormatError`."""
    bits = BitReader(frame[:20])
    if bits.u(2) != 2:
        raise FormatError("no VP9 frame")
    profile = bits.u(1) | bits.u(1) << 1
    if profile == 3:
        bits.skip(1)
    if bits.flag() or bits.u(1):  # an earlier frame is shown; or it is no key frame
        return None
    bits.skip(2)
    if bits.u(24) != _SYNC_CODE:
        raise FormatError("no VP9 key frame")
    if profile >= 2:
        bits.skip(1)
    if bits.u(3) != _RGB:
        bits.skip(1 + (3 if profile & 1 else 0))
    elif profile & 1:
        bits.skip(1)
    return bits.u(16) + 1, bits.u(16) + 1


def codec_string(config: bytes) -> str:
    """`vp09.00.31.08`. Raises `FormatError`."""
    if len(config) < 3:
        raise FormatError("vpcC is damaged")
    return f"vp09.{config[0]:02}.{config[1]:02}.{config[2] >> 4:02}"

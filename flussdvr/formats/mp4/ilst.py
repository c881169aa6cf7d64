"""
Metadata of a file, as iTunes writes it and everything reads it.

    udta
      meta
        hdlr              mdir, appl
        ilst
          (c)nam  data    title
          (c)cmt  data    comment
          (c)day  data    date, ISO 8601

QuickTime File Format, "Metadata"; the layout of `meta` is ISO/IEC 14496-12 §8.11.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.formats.mp4.boxes import box, full_box

__all__ = ["Metadata", "metadata_box"]

UTF8 = 1


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a recording; an empty text is left out."""

    title: str = ""
    comment: str = ""
    date: str = ""


def metadata_box(metadata: Metadata) -> bytes:
    """`udta` with `metadata`."""
    texts = ((b"\xa9nam", metadata.title), (b"\xa9cmt", metadata.comment), (b"\xa9day", metadata.date))
    items = [box(kind, full_box(b"data", 0, UTF8, bytes(4), text.encode())) for kind, text in texts if text]
    handler = full_box(b"hdlr", 0, 0, bytes(4), b"mdir", b"appl", bytes(9))
    return box(b"udta", full_box(b"meta", 0, 0, handler, box(b"ilst", *items)))

"""
A window as one file per configuration, for players and editors that take no change inside a file.

    recordings   | A A A | B B | A |          A, B: other tracks, codecs, resolutions, sounds
    tar          [header 1.mp4 | 1.mp4 ... | 0 | header 2.mp4 | 2.mp4 | 0 | header 3.mp4 | 3.mp4 | 0 | end ]

A tar's headers say the length of what follows and nothing of its content, so the archive is a body like any other: its
length and any range of it are known before anything is read. POSIX.1-2017, pax, "ustar Interchange Format"; files of
8 GiB or more have their size as GNU tar writes it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence

from flussdvr.body.body import Body, Part
from flussdvr.formats.mp4.sample_entry import write_sample_entry
from flussdvr.media import Track
from flussdvr.timeline import utc_datetime

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


def configuration(tracks: Sequence[Track]) -> tuple[bytes, ...]:
    """What decoders of these tracks are set up with; over a change of it files are split."""
    return tuple(write_sample_entry(track) for track in tracks)


def tar(files: Iterable[tuple[int, Body]]) -> Body:
    """A tar of (beginning in UTC ms, content); the names are numbers and beginnings, in this order."""
    parts: list[Part] = []
    for number, (begin_ms, content) in enumerate(files, 1):
        entry = tarfile.TarInfo(f"{number:03d}_{utc_datetime(begin_ms):%Y-%m-%dT%H-%M-%SZ}.mp4")
        entry.size, entry.mtime = len(content), begin_ms // 1000
        parts += [entry.tobuf(tarfile.GNU_FORMAT), *content.parts, bytes(-len(content) % BLOCK)]
    return Body.of([*parts, END])

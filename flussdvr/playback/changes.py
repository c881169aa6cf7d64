# -*- test-case-name: tests.playback.test_changes -*-
"""
Where the parameters of the pictures change from one recording to the next: there, segments bring their own.

    recordings     | A A A |  gap  | A A | B B : B B | A |        `:` the UTC hour: the same run goes on
    sync samples       -       -      -    B B   B B   A          in front of which parameter sets are sent

A list names the init segment of each recording (`EXT-X-MAP`, RFC 8216 section 4.3.2.5), yet ffmpeg's HLS demuxer, and
with it mpv, Kodi and all that is built on it, sets up its decoder by the first one of a list and passes over the
others. With parameter sets in its pictures a decoder goes on, wherever in such a run it begins. Whoever takes the init
segments is told the same twice. It follows from the recordings alone, so a segment is the same in every list.

ISO/IEC 14496-15 section 5.3.3 has these sets in `avc3` and `hev1` only. The sample entries stay `avc1` and `hvc1`, as
Apple's HLS Authoring Specification wants it (1.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from flussdvr.caching.lru import Lru
from flussdvr.errors import DvrError, FormatError
from flussdvr.formats.mp4.in_band import in_band_sets
from flussdvr.playback.sources import Source

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.ports import StreamArchive
    from flussdvr.live.window import LiveWindow
    from flussdvr.media import Track

KEPT = 20_000
"""Blobs of which it is remembered whether they bring their sets."""
LOOK_BACK = 20
"""Recordings without pictures that are passed over at most, to find what pictures were there before."""

Sets = Mapping[int, bytes]
"""Parameter sets with lengths, by the track's id."""
NO_SETS: Sets = MappingProxyType({})


class Changes:
    """In the reactor thread."""

    def __init__(self) -> None:
        self._known: Lru[tuple[str, int], bool] = Lru(KEPT)

    async def sets(self, source: Source, begin_ms: int, tracks: tuple[Track, ...]) -> Sets:
        """
        What the sync samples of a segment with these `tracks`, which begins at `begin_ms`, begin with when it is sent;
        nothing where its pictures go on with the parameters of those before them, or carry theirs in any case.
        """
        picture = _picture(tracks)
        if picture is None or picture.in_band:
            return NO_SETS
        if source.archive is not None:
            changed = await self._changed(source.archive, begin_ms, picture)
        else:
            changed = source.window is not None and _changed_in(source.window, begin_ms, picture)
        try:
            own = in_band_sets(picture) if changed else b""
        except FormatError:  # nobody can decode it anyway
            return NO_SETS
        return {picture.id: own} if own else NO_SETS

    async def _changed(self, archive: StreamArchive, begin_ms: int, picture: Track) -> bool:
        blob = archive.blob_before(begin_ms + 1)
        if blob is None:
            return False
        if begin_ms >= blob.end_ms:  # only in RAM as yet: perhaps of a blob that is not listed
            try:
                last = _picture((await archive.table(blob)).tracks)
            except DvrError:
                return False
            if last is not None and _differs(last, picture):
                return True
        key = archive.name, blob.begin_ms
        known = self._known.get(key)
        if known is not None:
            return known
        try:
            changed = await _begins_changed(archive, blob, picture)
        except DvrError:  # what was before is away or damaged: that must not keep back what is there
            return False
        self._known.put(key, changed, 1)
        return changed


async def _begins_changed(archive: StreamArchive, blob: Blob, picture: Track) -> bool:
    """Whether the run of blobs in which `blob` is began with other parameters. Raises `DvrError`."""
    begin: Blob | None = blob
    while begin is not None and begin.after is None:
        begin = archive.blob_before(begin.begin_ms)
    for _ in range(LOOK_BACK):
        begin = archive.blob_before(begin.begin_ms) if begin is not None else None
        if begin is None:
            return False
        before = _picture((await archive.table(begin)).present)
        if before is not None:
            return _differs(before, picture)
    return True


def _changed_in(window: LiveWindow, begin_ms: int, picture: Track) -> bool:
    """The same of a stream that is not recorded, as far as its window knows."""
    for segment in reversed(window.recent):
        before = _picture(segment.present) if segment.begin_ms < begin_ms else None
        if before is not None and _differs(before, picture):
            return True
    return False


def _picture(tracks: tuple[Track, ...]) -> Track | None:
    return next((track for track in tracks if track.is_video), None)


def _differs(before: Track, picture: Track) -> bool:
    """Whether a decoder of `before` needs other parameters for `picture`."""
    return before.codec is picture.codec and (before.in_band or before.config != picture.config)

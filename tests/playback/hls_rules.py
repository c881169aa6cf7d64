"""
The rules of HLS that a playlist must keep, by itself and from one reload to the next.

RFC 8216, sections in brackets; those of Apple's authoring specification where they are stricter. Raises
`AssertionError` with the rule that is broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

KNOWN = {
    *("EXTM3U", "EXTINF", "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-PLAYLIST-TYPE"),
    *("EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-ENDLIST"),
    *("EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START", "EXT-X-MEDIA", "EXT-X-STREAM-INF"),
    *("EXT-X-IMAGE-STREAM-INF", "EXT-X-IMAGES-ONLY", "EXT-X-TILES"),
    "EXT-X-GAP",
}
ONCE = {
    *("EXTM3U", "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"),
    *("EXT-X-PLAYLIST-TYPE", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START", "EXT-X-ENDLIST"),
}
ROUNDING_MS = 2


@dataclass
class Listed:
    """One segment: `number` and `discontinuity` are its sequence numbers, `tagged`: its own tag stands before it."""

    uri: str
    duration_ms: int
    number: int
    discontinuity: int
    tagged: bool
    date_ms: int | None
    map: str | None
    dated: bool


@dataclass
class MediaList:
    """What a media playlist says."""

    target_s: int = 0
    sequence: int = 0
    discontinuity_sequence: int = 0
    kind: str = ""
    ended: bool = False
    version: int = 1
    start_s: float | None = None
    images: bool = False
    segments: list[Listed] = field(default_factory=list)

    @property
    def duration_ms(self) -> int:
        return sum(one.duration_ms for one in self.segments)


def parse(text: str) -> MediaList:
    """Reads a media playlist, and checks the form of its lines [4.1-4.3]."""
    lines = text.splitlines()
    assert lines and lines[0] == "#EXTM3U", "begins with EXTM3U [4.3.1.1]"
    assert text.endswith("\n") and "\r" not in text and "" not in lines, "whole lines, none empty"
    tags = [re.match(r"#([A-Z0-9-]+)", line).group(1) for line in lines if line.startswith("#EXT")]  # type: ignore[union-attr]
    assert not set(tags) - KNOWN, f"unknown {set(tags) - KNOWN}"
    assert all(tags.count(tag) <= 1 for tag in ONCE), "a tag of the playlist stands twice"
    made = MediaList()
    pending: dict[str, str] = {}
    uri_map, at_ms, count = None, None, 0
    for line in lines:
        tag, _, value = line.removeprefix("#").partition(":")
        if not line.startswith("#"):
            assert "EXTINF" in pending, f"{line} has no EXTINF [4.3.2.1]"
            duration_ms = round(float(pending["EXTINF"].split(",")[0]) * 1000)
            count += "EXT-X-DISCONTINUITY" in pending
            dated = "EXT-X-PROGRAM-DATE-TIME" in pending
            if dated:
                at_ms = round(datetime.fromisoformat(pending["EXT-X-PROGRAM-DATE-TIME"]).timestamp() * 1000)
            listed = Listed(
                line,
                duration_ms,
                made.sequence + len(made.segments),
                made.discontinuity_sequence + count,
                "EXT-X-DISCONTINUITY" in pending,
                at_ms,
                uri_map,
                dated,
            )
            made.segments.append(listed)
            at_ms = None if at_ms is None else at_ms + duration_ms
            pending = {}
        elif tag == "EXT-X-MAP":
            uri_map = re.search(r'URI="([^"]+)"', value).group(1)  # type: ignore[union-attr]
        elif tag in ("EXTINF", "EXT-X-DISCONTINUITY", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP"):
            assert tag != "EXT-X-GAP" or made.version >= 8, "EXT-X-GAP needs version 8 [8216bis section 8]"
            assert tag not in pending, f"{tag} stands twice before a segment"
            pending[tag] = value
        elif tag in ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"):
            assert not made.segments and not pending, f"{tag} before the first segment [4.3.3]"
            setattr(made, tag.removeprefix("EXT-X-").replace("MEDIA-", "").replace("-", "_").lower(), int(value))
        elif tag == "EXT-X-TARGETDURATION":
            made.target_s = int(value)
        elif tag == "EXT-X-VERSION":
            made.version = int(value)
        elif tag == "EXT-X-PLAYLIST-TYPE":
            made.kind = value
        elif tag == "EXT-X-START":
            made.start_s = float(re.search(r"TIME-OFFSET=(-?[0-9.]+)", value).group(1))  # type: ignore[union-attr]
        elif tag == "EXT-X-ENDLIST":
            made.ended = True
        elif tag == "EXT-X-IMAGES-ONLY":
            made.images = True
    assert not pending, "tags without a segment"
    return made


def check_media(text: str) -> MediaList:
    """One media playlist by itself."""
    made = parse(text)
    assert made.segments, "there are segments"
    assert made.target_s > 0
    for one in made.segments:
        assert one.duration_ms >= 0
        assert int(one.duration_ms / 1000 + 0.5) <= made.target_s, f"{one} is longer than the target [4.3.3.1]"
        assert made.images or not one.tagged or one.dated, f"{one}: a date after each discontinuity [6.2.1]"
    assert made.images or made.segments[0].dated, "the first segment has a date"
    for before, after in pairwise(made.segments):
        if after.date_ms is not None and before.date_ms is not None and not after.tagged:
            apart = after.date_ms - before.date_ms - before.duration_ms
            assert abs(apart) <= ROUNDING_MS, f"{apart} ms between {before} and {after} without a discontinuity"
            assert after.map == before.map, f"{after}: other init segment without a discontinuity [4.3.2.3]"
    fragmented = [one.map is not None for one in made.segments]
    assert all(fragmented) or not any(fragmented), "fMP4 and MPEG-TS mixed"
    assert made.version >= (6 if any(fragmented) else 3), "version [7]"
    assert (made.kind == "VOD") <= made.ended, "VOD is whole [4.3.3.5]"
    if made.kind in ("VOD", "EVENT"):
        assert not made.segments[0].tagged, "a list from its beginning has nothing before it"
    if made.start_s is not None:
        assert abs(made.start_s) * 1000 <= made.duration_ms, "begins inside the list [4.3.5.2]"
    return made


def check_multivariant(text: str) -> None:
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U" and not any(line.startswith("#EXTINF") for line in lines)
    streams = [number for number, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF:")]
    assert streams, "there is a variant"
    for number in streams:
        peak, average = (
            int(re.search(rf"[:,]{name}=(\d+)", lines[number]).group(1))  # type: ignore[union-attr]
            for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH")
        )
        assert peak >= average > 0, "BANDWIDTH is the peak [4.3.4.2]"
        assert not lines[number + 1].startswith("#"), "the URI follows [4.3.4.2]"
    groups = set(re.findall(r'GROUP-ID="([^"]+)"', text))
    assert set(re.findall(r'AUDIO="([^"]+)"', text)) <= groups


def check(text: str) -> MediaList | None:
    """A playlist of either kind; a media playlist is returned."""
    if "#EXT-X-STREAM-INF" in text:
        check_multivariant(text)
        return None
    return check_media(text)


class Watch:
    """
    A media playlist that is reloaded: `see` each text of it [6.2.1, 6.2.2]. `short`: it may have less than three target
    durations, as it ends where the codec of its pictures does.
    """

    def __init__(self, short: bool = False) -> None:
        self.last: MediaList | None = None
        self.short = short

    def see(self, text: str) -> MediaList:
        now, before = check_media(text), self.last
        self.last = now
        if before is None:
            return now
        assert now.target_s >= before.target_s, "the target duration fell"
        assert now.sequence >= before.sequence, "the media sequence went back"
        assert now.segments[-1].number >= before.segments[-1].number, "the end went back"
        known = {one.number: one for one in before.segments}
        for one in now.segments:
            if (old := known.get(one.number)) is not None:
                same = (one.uri, one.duration_ms, one.map, one.date_ms, one.discontinuity)
                assert same == (old.uri, old.duration_ms, old.map, old.date_ms, old.discontinuity), f"{old} -> {one}"
        left = [one for one in before.segments if one.number < now.sequence]
        if now.sequence <= before.segments[-1].number + 1:
            counted = before.discontinuity_sequence + sum(one.tagged for one in left)
            assert now.discontinuity_sequence == counted, "counts the tags that have left, no more and no less"
        assert now.discontinuity_sequence >= before.discontinuity_sequence, "went back"
        if before.kind:
            assert not left, "a VOD or EVENT list loses nothing"
        if left and not self.short:
            assert now.duration_ms >= 3 * 1000 * before.target_s, "shorter than three target durations [6.2.2]"
        return now

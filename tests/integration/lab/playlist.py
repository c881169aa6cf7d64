"""HLS playlists as a client sees them: just enough to know what is listed, and when each segment is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin


@dataclass(frozen=True)
class Listed:
    """A segment of a media playlist; times in seconds of UTC, to the millisecond."""

    begin_s: float
    duration_s: float
    url: str
    discontinuity: bool

    @property
    def end_s(self) -> float:
        return round(self.begin_s + self.duration_s, 3)


def segments(text: str, url: str = "") -> list[Listed]:
    """The segments of a media playlist that was got from `url`."""
    found: list[Listed] = []
    at, duration, discontinuity = 0.0, 0.0, False
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-PROGRAM-DATE-TIME":
            at = datetime.fromisoformat(value).timestamp()
        elif tag == "#EXT-X-DISCONTINUITY":
            discontinuity = True
        elif tag == "#EXTINF":
            duration = float(value.rstrip(","))
        elif line and not line.startswith("#"):
            found.append(Listed(round(at, 3), duration, urljoin(url, line), discontinuity))
            at, discontinuity = at + duration, False
    return found


def uninterrupted(listed: list[Listed]) -> list[tuple[float, float]]:
    """The spans (begin, end) that the segments cover without a gap between them."""
    spans: list[tuple[float, float]] = []
    for segment in listed:
        if spans and abs(segment.begin_s - spans[-1][1]) < 0.002:
            spans[-1] = (spans[-1][0], segment.end_s)
        else:
            spans.append((segment.begin_s, segment.end_s))
    return spans

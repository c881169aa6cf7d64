"""
Media URLs as values: one class for each kind of URL that a player or a publisher may use.

What they look like is in `flussdvr.urls.commands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from flussdvr.media import Codec
from flussdvr.playback.selection import Selection

MAX_OPENING = 40
RESOLVED = frozenset({"utc", "lutc"})
"""Parameters that are spent once the URL is understood, and do not go on to the URLs inside a playlist."""

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MediaPath:
    """What every media URL has: the stream's name, a choice of its tracks (or `None` for all), the query."""

    name: str
    tracks: Selection | None = None
    query: Query = ()

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, `None` if it is absent."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def propagated(self) -> str:
        """The query that URLs inside a playlist inherit: the viewer's token, above all."""
        return urlencode([pair for pair in self.query if pair[0] not in RESOLVED])


@dataclass(frozen=True, slots=True)
class Playlist(MediaPath):
    """
    An HLS playlist of any kind.

    `multivariant`: a list of renditions (`index`, `archive`), otherwise one media playlist (`video`, `mono`).
    `container` is `fmp4`, `ts` or `None` where the stream's setting decides. `depth`: how many directories the URL is
    below the stream's own, or below the one that has the stream at `base`. `codec`: only what has pictures of it.
    """

    multivariant: bool = False
    container: str | None = None
    depth: int = 0
    base: str = ""
    codec: Codec | None = None

    @property
    def up(self) -> str:
        """From the playlist to the stream's own directory."""
        return "../" * self.depth + self.base

    @property
    def inherited(self) -> str:
        """As `propagated`, for a multivariant playlist: the choice of tracks is in its children's paths."""
        return urlencode([pair for pair in self.query if pair[0] not in RESOLVED | {"filter", "filter.tracks"}])

    @property
    def child(self) -> str:
        """The name of the media playlist for the same window, without its container."""
        return "mono"


@dataclass(frozen=True, slots=True)
class LivePlaylist(Playlist):
    pass


@dataclass(frozen=True, slots=True)
class ArchivePlaylist(Playlist):
    """`index-F-D.m3u8`; `duration_ms` is `None` for `now`. `event`: may grow while its end is in the future."""

    from_ms: int = 0
    duration_ms: int | None = None
    event: bool = False

    @property
    def child(self) -> str:
        duration = "now" if self.duration_ms is None else spell(self.duration_ms)
        return f"mono-{spell(self.from_ms)}-{duration}"


@dataclass(frozen=True, slots=True)
class RewindPlaylist(Playlist):
    """`rewind-N.m3u8`: a sliding live playlist that reaches `back_ms` back."""

    back_ms: int = 0

    @property
    def child(self) -> str:
        return f"mono-rewind-{spell(self.back_ms)}"


@dataclass(frozen=True, slots=True)
class TimeshiftAbsPlaylist(Playlist):
    """`timeshift_abs-F.m3u8`: an endless live playlist that was at F when the session first asked for it."""

    from_ms: int = 0

    @property
    def child(self) -> str:
        return f"mono-timeshift_abs-{spell(self.from_ms)}"

    @property
    def inherited(self) -> str:
        """With `lutc`, so that the media playlist is that of the same opening."""
        opening = f"lutc={quote(self.opening)}" if self.opening else ""
        return "&".join(filter(None, (Playlist.inherited.fget(self), opening)))  # type: ignore[attr-defined]

    @property
    def opening(self) -> str:
        """What tells one opening of this moment from another by the same viewer: when it was asked for, if known."""
        return (self.parameter("lutc") or "")[:MAX_OPENING]


@dataclass(frozen=True, slots=True)
class TimeshiftRelPlaylist(Playlist):
    """`timeshift_rel-N.m3u8`: the live playlist of `delay_ms` ago."""

    delay_ms: int = 0

    @property
    def child(self) -> str:
        return f"mono-timeshift_rel-{spell(self.delay_ms)}"


@dataclass(frozen=True, slots=True)
class Mp4Export(MediaPath):
    """
    `archive-F-D.mp4`; `duration_ms` is `None` for `now`, `keep_gaps` keeps wall-clock distances, `split` asks for a
    file per configuration.
    """

    from_ms: int = 0
    duration_ms: int | None = None
    keep_gaps: bool = False
    split: bool = False


@dataclass(frozen=True, slots=True)
class TsExport(MediaPath):
    """`archive-F-D.ts` and `archive/F/D/mpegts`: a download; `duration_ms` is `None` for `now`."""

    from_ms: int = 0
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LiveTs(MediaPath):
    """`mpegts`: endless live MPEG-TS; with `POST` or `PUT`, where a publisher sends it."""


@dataclass(frozen=True, slots=True)
class TimeshiftAbsTs(MediaPath):
    """`timeshift_abs-F.ts`, `timeshift_abs/F`, `F.ts`: endless MPEG-TS from F on, in real time."""

    from_ms: int = 0


@dataclass(frozen=True, slots=True)
class TimeshiftRelTs(MediaPath):
    """`timeshift_rel-N.ts`, `timeshift_rel/N`: endless MPEG-TS of `delay_ms` ago."""

    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Segment(MediaPath):
    """One segment by absolute time; `container` is `fmp4` or `ts`."""

    begin_ms: int = 0
    duration_ms: int = 0
    container: str = "fmp4"


@dataclass(frozen=True, slots=True)
class InitSegment(MediaPath):
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Picture(MediaPath):
    """
    `utc_ms` is `None` for the newest; `stored`: a recorded JPEG, otherwise made on demand; `size`: width and height
    that it must fit into, if the URL says so.
    """

    utc_ms: int | None = None
    kind: str = "jpg"
    stored: bool = False
    calendar: bool = False
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SpritePicture(Picture):
    """`sprite-F-D-CxR.jpg`: many small pictures of a window in one; `index`: the WebVTT that tells where each is."""

    duration_ms: int = 0
    columns: int = 0
    rows: int = 0
    index: bool = False

    @property
    def from_ms(self) -> int:
        return self.utc_ms or 0

    @property
    def picture(self) -> str:
        """The name of the picture."""
        return f"sprite-{spell(self.from_ms)}-{spell(self.duration_ms)}-{self.columns}x{self.rows}.jpg"


@dataclass(frozen=True, slots=True)
class ImagePlaylist(Picture):
    """`images-WxH/tpl-F-D-N.m3u8`: an HLS playlist of `count` pictures of a window."""

    duration_ms: int = 0
    count: int = 0

    @property
    def from_ms(self) -> int:
        return self.utc_ms or 0


@dataclass(frozen=True, slots=True)
class RecordingStatus(MediaPath):
    """`recording_status.json`: `requested` names what to tell; `to_ms` is `None` for `now` or absent."""

    from_ms: int | None = None
    to_ms: int | None = None
    requested: frozenset[str] = frozenset({"ranges"})


@dataclass(frozen=True, slots=True)
class RangeList(MediaPath):
    """
    `ranges.json`: what is recorded, in pages, as the vendor's own player asks for it.

    Only ranges that end at `closed_from_ms` or later and begin at `opened_until_ms` or earlier; gaps shorter than
    `resolution_ms` are not shown. `limit` and `cursor` as in the API's collections.
    """

    closed_from_ms: int | None = None
    opened_until_ms: int | None = None
    resolution_ms: int = 0
    limit: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class MediaInfo(MediaPath):
    """`media_info.json` and `info.json`: the public description of the stream."""


def spell(ms: int) -> str:
    """Milliseconds as a number of seconds for a URL: `1700000000` or `1700000000.250`."""
    return f"{ms // 1000}" if ms % 1000 == 0 else f"{ms // 1000}.{ms % 1000:03d}"


def segment_path(begin_ms: int, duration_ms: int, extension: str) -> str:
    """The URL of a segment relative to its stream."""
    begin = datetime.fromtimestamp(begin_ms // 1000, UTC)
    return f"{begin:%Y/%m/%d/%H/%M/%S}.{begin_ms % 1000:03d}-{duration_ms:05d}.{extension}"

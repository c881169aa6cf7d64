"""
What a URL asks for: live or which part of the archive, and its name in the `media_request` of a backend.

A kind of URL that is not told here is refused to everybody on a stream with `on_play`.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import Range
from flussdvr.urls.values import (
    ArchivePlaylist,
    ImagePlaylist,
    InitSegment,
    LivePlaylist,
    LiveTs,
    MediaInfo,
    MediaPath,
    Mp4Export,
    Picture,
    Playlist,
    RangeList,
    RecordingStatus,
    RewindPlaylist,
    Segment,
    SpritePicture,
    TimeshiftAbsPlaylist,
    TimeshiftAbsTs,
    TimeshiftRelPlaylist,
    TimeshiftRelTs,
    TsExport,
    spell,
)

SLACK_MS = 30_000
"""A player fetches a live segment this long after it has left the playlist, at most."""

KINDS: frozenset[type[MediaPath]] = frozenset(
    {
        *(LivePlaylist, ArchivePlaylist, RewindPlaylist, TimeshiftAbsPlaylist, TimeshiftRelPlaylist),
        *(LiveTs, TsExport, TimeshiftAbsTs, TimeshiftRelTs, Mp4Export, Segment, InitSegment),
        *(Picture, SpritePicture, ImagePlaylist, RecordingStatus, RangeList, MediaInfo),
    }
)
"""By name, not by descent: a new kind that descends from one of these is another question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    `span`: of the archive, `None` for live. `partly`: enough if some of the span is allowed. `either`: permission for
    live or for the archive is enough.
    """

    media_request: str
    span: Range | None = None
    partly: bool = False
    either: bool = False

    @property
    def dvr(self) -> bool:
        return self.span is not None


def asked(parsed: MediaPath, now_ms: int, live_since_ms: int | None, path: bytes = b"") -> Asked:
    """
    `live_since_ms`: where the live window begins; `None`: the stream does not run. `path`: the URL's, as it came.

    Raises `DvrError` DENIED for a kind of URL that is not known here.
    """
    if type(parsed) not in KINDS:
        raise DvrError(Kind.DENIED, "not_authorized", "nobody may use this kind of URL")
    match parsed:
        case Playlist():
            return _playlist(parsed, now_ms)
        case Segment():
            span = Range(parsed.begin_ms, parsed.begin_ms + max(1, parsed.duration_ms))
            if _is_live(parsed.begin_ms, live_since_ms):
                return Asked("hls_live-hls_segment", either=True)
            return Asked(f"dvr_session-hls_segment-{spell(parsed.begin_ms)}-{spell(parsed.duration_ms)}", span, True)
        case InitSegment():
            return Asked("hls_live-hls_init", either=True)
        case LiveTs():
            return Asked("mpegts_handler-request")
        case TimeshiftAbsTs():
            span = _until(parsed.from_ms, now_ms)
            return Asked(f"dvr_handler-timeshift_abs-{spell(parsed.from_ms)}", span)
        case TimeshiftRelTs():
            return Asked(f"dvr_handler-timeshift_rel-{spell(parsed.delay_ms)}", _behind(parsed.delay_ms, now_ms))
        case Mp4Export():
            window, span = _window(parsed.from_ms, parsed.duration_ms, now_ms)
            return Asked(f"dvr_handler-mp4-{window}", span)
        case TsExport():
            window, span = _window(parsed.from_ms, parsed.duration_ms, now_ms)
            kind = "ts_stream" if path.endswith(b"/mpegts") else "ts_file"
            return Asked(f"dvr_stream_handler-{kind}-{window}", span)
        case SpritePicture() | ImagePlaylist():
            window, span = _window(parsed.from_ms, parsed.duration_ms, now_ms)
            return Asked(f"preview-{window}", span)
        case Picture(utc_ms=None):
            return Asked("preview", either=True)
        case Picture(utc_ms=int(utc_ms)):
            if _is_live(utc_ms, live_since_ms):
                return Asked(f"preview-{spell(utc_ms)}", either=True)
            return Asked(f"preview-{spell(utc_ms)}", Range(utc_ms, utc_ms + 1))
        case RecordingStatus() | RangeList() | MediaInfo():
            return Asked("media_info" if isinstance(parsed, MediaInfo) else "recording_status", either=True)
    raise DvrError(Kind.DENIED, "not_authorized", "nobody may use this kind of URL")


def _playlist(parsed: Playlist, now_ms: int) -> Asked:
    kind = "hls_mbr_playlist" if parsed.multivariant else "hls_playlist"
    match parsed:
        case LivePlaylist():
            return Asked(f"hls_live-{kind}")
        case ArchivePlaylist():
            window, span = _window(parsed.from_ms, parsed.duration_ms, now_ms)
            return Asked(f"dvr_session-{kind}-{window}", span)
        case RewindPlaylist():
            name = f"dvr_session-hls_rewind-{spell(parsed.back_ms)}"
            return Asked(name, _until(max(0, now_ms - parsed.back_ms), now_ms))
        case TimeshiftAbsPlaylist():
            name = f"hls_timeshift_playlist-hls_timeshift_abs-{spell(parsed.from_ms)}"
            return Asked(name, _until(parsed.from_ms, now_ms))
        case TimeshiftRelPlaylist():
            name = f"hls_timeshift_playlist-hls_timeshift_rel-{spell(parsed.delay_ms)}"
            return Asked(name, _behind(parsed.delay_ms, now_ms))
    raise DvrError(Kind.DENIED, "not_authorized", "nobody may use this kind of URL")


def _is_live(utc_ms: int, live_since_ms: int | None) -> bool:
    return live_since_ms is not None and utc_ms >= live_since_ms - SLACK_MS


def _until(begin_ms: int, end_ms: int) -> Range:
    return Range(begin_ms, max(begin_ms + 1, end_ms))


def _behind(delay_ms: int, now_ms: int) -> Range | None:
    return _until(max(0, now_ms - delay_ms), 0) if delay_ms else None


def _window(from_ms: int, duration_ms: int | None, now_ms: int) -> tuple[str, Range]:
    if duration_ms is None:
        return f"{spell(from_ms)}-now", _until(from_ms, now_ms)
    return f"{spell(from_ms)}-{spell(duration_ms)}", Range(from_ms, from_ms + duration_ms)

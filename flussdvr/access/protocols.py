"""
Which of a stream's `protocols` an URL belongs to.

    hls      playlists, segments       mp4     archive-F-D.mp4           api    media_info, ranges, recording_status
    tshttp   MPEG-TS of any kind       jpeg    pictures, previews, sprites

What is not listed may not be played, whoever asks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flussdvr.errors import DvrError, Kind
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
)

PROTOCOLS: Mapping[type[MediaPath], str] = {
    **dict.fromkeys((LivePlaylist, ArchivePlaylist, RewindPlaylist, TimeshiftAbsPlaylist, TimeshiftRelPlaylist), "hls"),
    **dict.fromkeys((Segment, InitSegment), "hls"),
    **dict.fromkeys((LiveTs, TsExport, TimeshiftAbsTs, TimeshiftRelTs), "tshttp"),
    Mp4Export: "mp4",
    **dict.fromkeys((Picture, SpritePicture, ImagePlaylist), "jpeg"),
    **dict.fromkeys((RecordingStatus, RangeList, MediaInfo), "api"),
}
"""By name, not by descent: a kind that is not named here is refused where protocols are listed."""


def check_protocol(parsed: MediaPath, allowed: Collection[str] | None) -> None:
    """`allowed`: `None` for all. DvrError DENIED."""
    protocol = PROTOCOLS.get(type(parsed), "")
    if allowed is not None and protocol not in allowed:
        what = protocol or "this kind of URL"
        raise DvrError(Kind.DENIED, "protocol_not_allowed", f"{what} is not among the protocols of {parsed.name}")

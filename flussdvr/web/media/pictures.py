# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Picture URLs.

    F.jpg           a stored thumbnail of just that second: 200; another one near: 302 to it; none: made on demand
    F-preview.jpg   made on demand from the key frame at or after F: 200
    F-preview.mp4   302 to the key frame's own second, there an MP4 of one frame: 200
    preview.*       the newest
    sprite-F-D-CxR.jpg, .vtt    many small ones of a window, and where in the picture they are
    images-WxH/...  for players of HLS: a playlist of pictures, and these

A URL in whole seconds names the first picture in that second, one with a fraction the picture of that millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from twisted.web.http import datetimeToString

from flussdvr.body.body import Body
from flussdvr.errors import DvrError, Kind
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.image_playlist import image_count, image_playlist, image_stream
from flussdvr.playback.pictures.key_frame import (
    NEAR_MS,
    KeyFrame,
    key_frame_for,
    name_of,
    named_key_frame,
    newest_key_frame,
)
from flussdvr.playback.pictures.moment import Moment, moment_at
from flussdvr.playback.pictures.pictures import Pictures
from flussdvr.playback.pictures.previews import Frame
from flussdvr.playback.pictures.sprite import MAX_SIDE, MAX_TILES, WIDTH, Grid
from flussdvr.playback.pictures.stored import nearest
from flussdvr.playback.pictures.thumbnails import HEIGHT, StreamSettings, ThumbnailSettings, default_box
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.timeline import Range, RangeSet
from flussdvr.urls.values import ArchivePlaylist, ImagePlaylist, Picture, SpritePicture, spell
from flussdvr.web.http.ranges import matches
from flussdvr.web.http.sender import Sender
from flussdvr.web.http.site import DvrRequest

JPEG, MP4, VTT = b"image/jpeg", b"video/mp4", b"text/vtt; charset=utf-8"
HLS = b"application/vnd.apple.mpegurl"
SETTLED = b"public, max-age=86400"
"""For what will not change: the picture of a moment that is recorded."""
WIDTHS = range(16, 3841)
RETRY_AFTER_S = 2
MAX_BLOBS = 800

Permitted = Callable[[int], bool]


def anything(at_ms: int) -> bool:
    return True


class PictureSite:
    """Answers the picture URLs. `settings(name)` is a stream's configuration, `None` if it has none any more."""

    def __init__(self, pictures: Pictures, sender: Sender, settings: Callable[[str], StreamSettings | None]) -> None:
        self._pictures = pictures
        self._sender = sender
        self._settings = settings

    async def answer(
        self, parsed: Picture, source: Source, request: DvrRequest, permitted: Permitted = anything
    ) -> None:
        """
        Answer a request for a picture; raises `DvrError`.

        What is found near a moment may be of another that the viewer may not see: `permitted` tells.
        """
        try:
            if isinstance(parsed, ImagePlaylist):
                await self._image_playlist(parsed, source, request)
            elif isinstance(parsed, SpritePicture):
                await self._sprite(parsed, source, request, permitted)
            elif parsed.kind == "mp4":
                await self._one_frame(parsed, source, request, permitted)
            elif parsed.stored and parsed.utc_ms is not None:
                await self._stored(parsed, parsed.utc_ms, source, request, permitted)
            else:
                await self._preview(parsed, source, request, permitted)
        except DvrError as error:
            if error.kind is Kind.UNAVAILABLE:
                request.setHeader(b"retry-after", str(RETRY_AFTER_S).encode())
            raise

    async def stored(self, source: Source, window: Range) -> list[int]:
        """When thumbnails were stored, in whole seconds: their names. DvrError TOO_LARGE for more than a month."""
        if source.archive is not None and len(source.archive.blobs(window)) > MAX_BLOBS:
            title = f"thumbnails are listed of at most {MAX_BLOBS} hours or parts of them"
            raise DvrError(Kind.TOO_LARGE, "window_too_long", title, {"parameter": "from"})
        thumbs = await self._pictures.stored.within(source, window)
        return list(dict.fromkeys(thumb.at_ms // 1000 for thumb in thumbs))

    def image_stream(self, parsed: ArchivePlaylist, width: int, height: int, up: str) -> bytes:
        """What `?thumbnails=N` adds to a multivariant playlist; `width` and `height` are the video's. DvrError."""
        count = image_count(parsed.parameter("thumbnails") or "")
        width, height = default_box(self._enabled(parsed.name)).fit(max(width, 16), max(height, 16))
        width, height = max(width, 16), max(height, 16)
        duration_ms = parsed.duration_ms or 0
        uri = f"{up}images-{width}x{height}/tpl-{spell(parsed.from_ms)}-{spell(duration_ms)}-{count}.m3u8"
        query = "?" + parsed.inherited if parsed.inherited else ""
        return image_stream(uri + query, width, height, duration_ms, count)

    # -- MP4 ----------------------------------------------------------------------------------------------------------

    async def _one_frame(self, parsed: Picture, source: Source, request: DvrRequest, permitted: Permitted) -> None:
        if parsed.utc_ms is None:
            key = await newest_key_frame(source)
        else:
            named = await named_key_frame(source, parsed.utc_ms)
            if named is None:
                found = await key_frame_for(source, parsed.utc_ms)
                _check(found.at_ms, permitted)
                await self._redirect(f"{await _name(source, found)}-preview.mp4", parsed, request)
                return
            key = named
        _check(key.at_ms, permitted)
        _describe(request, MP4, key.at_ms, parsed.utc_ms)
        await self._sender.send(key.one_frame(), request, f'"{key.identity}"')

    # -- JPEG ---------------------------------------------------------------------------------------------------------

    async def _stored(
        self, parsed: Picture, utc_ms: int, source: Source, request: DvrRequest, permitted: Permitted
    ) -> None:
        window = Range(max(0, utc_ms - NEAR_MS), utc_ms + NEAR_MS)
        thumbs = await self._pictures.stored.within(source, window)
        found = nearest([thumb for thumb in thumbs if permitted(thumb.at_ms)], utc_ms)
        if found is None:
            await self._preview(parsed, source, request, permitted)
            return
        if found.at_ms != utc_ms and (utc_ms % 1000 or found.at_ms // 1000 != utc_ms // 1000):
            second = found.at_ms // 1000
            first = next(thumb for thumb in thumbs if thumb.at_ms // 1000 == second)
            await self._redirect(f"{name_of(found.at_ms, first.at_ms)}.jpg", parsed, request)
            return
        data = await self._pictures.stored.read(found)
        if data is None:
            await self._preview(parsed, source, request, permitted)
            return
        _describe(request, JPEG, found.at_ms, parsed.utc_ms)
        await self._sender.send(Body((data,)), request, f'"{found.at_ms:x}-{len(data):x}"')

    async def _sprite(self, parsed: SpritePicture, source: Source, request: DvrRequest, permitted: Permitted) -> None:
        self._enabled(parsed.name)
        box, window = _box(parsed, Box(WIDTH, HEIGHT)), Range(parsed.from_ms, parsed.from_ms + parsed.duration_ms)
        sides = parsed.columns * box.width, parsed.rows * box.width
        if not 0 < parsed.columns * parsed.rows <= MAX_TILES or max(sides) > MAX_SIDE:
            title = f"a sprite has 1 to {MAX_TILES} tiles and at most {MAX_SIDE} pixels on a side"
            raise DvrError(Kind.BAD_REQUEST, "bad_request", title)
        sprite = await self._pictures.sprites.find(source, Grid(window, parsed.columns, parsed.rows, box), permitted)
        grown = source.archive is not None and source.archive.end_ms >= window.end_ms
        if parsed.index:
            url = parsed.picture + ("?" + parsed.propagated if parsed.query else "")
            data, content_type, etag = sprite.index(url).encode(), VTT, None
        else:
            known = matches(request.getHeader("if-none-match"), sprite.etag)
            data = b"" if known else await self._pictures.sprites.jpeg(parsed.name, sprite)
            content_type, etag = JPEG, sprite.etag
        request.setHeader(b"content-type", content_type)
        request.setHeader(b"cache-control", SETTLED if grown else b"no-cache")
        await self._sender.send(Body((data,)), request, etag)

    async def _image_playlist(self, parsed: ImagePlaylist, source: Source, request: DvrRequest) -> None:
        self._enabled(parsed.name)
        count = image_count(str(parsed.count))
        window = Range(parsed.from_ms, parsed.from_ms + parsed.duration_ms)
        ranges = source.archive.ranges(window) if source.archive is not None else RangeSet()
        if not ranges or parsed.size is None:
            raise no_recordings()
        data = image_playlist(ranges, parsed.from_ms, count, *parsed.size, parsed.propagated)
        request.setHeader(b"content-type", HLS)
        request.setHeader(b"cache-control", b"no-cache")
        await self._sender.send(Body((data,)), request)

    def _enabled(self, name: str) -> ThumbnailSettings:
        settings = self._settings(name)
        if settings is None or settings.thumbnails is None:
            raise DvrError(Kind.DENIED, "thumbnails_disabled", "pictures of this stream are not enabled")
        return settings.thumbnails

    async def _preview(self, parsed: Picture, source: Source, request: DvrRequest, permitted: Permitted) -> None:
        box = _box(parsed, default_box(self._enabled(parsed.name)))
        frame = await self._frame(parsed, source)
        _check(frame.at_ms, permitted)
        etag = self._pictures.previews.etag(parsed.name, frame, box)
        known = matches(request.getHeader("if-none-match"), etag)
        data = b"" if known else await self._pictures.previews.jpeg(parsed.name, frame, box)
        _describe(request, JPEG, frame.at_ms, parsed.utc_ms, isinstance(frame, Moment))
        await self._sender.send(Body((data,)), request, etag)

    async def _frame(self, parsed: Picture, source: Source) -> Frame:
        if parsed.utc_ms is None:
            return await newest_key_frame(source)
        if (parsed.parameter("exact") or "").lower() in ("true", "1"):
            moment = await moment_at(source, parsed.utc_ms)
            if moment is not None:
                return moment
        return await key_frame_for(source, parsed.utc_ms)

    async def _redirect(self, command: str, parsed: Picture, request: DvrRequest) -> None:
        """To the picture's own URL; the query (a token) goes along."""
        query = request.uri.partition(b"?")[2]
        location = f"/{quote(parsed.name, safe='/')}/{command}".encode() + (b"?" + query if query else b"")
        request.setResponseCode(302)
        request.setHeader(b"location", location)
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"content-length", b"0")


def _check(at_ms: int, permitted: Permitted) -> None:
    if not permitted(at_ms):
        raise DvrError(Kind.DENIED, "archive_not_allowed", "you may not watch this part of the archive")


async def _name(source: Source, key: KeyFrame) -> str:
    named = await named_key_frame(source, key.at_ms // 1000 * 1000)
    return name_of(key.at_ms, named.at_ms if named is not None else None)


def _box(parsed: Picture, default: Box) -> Box:
    if parsed.size is not None:
        return Box(*parsed.size)
    width = parsed.parameter("width")
    if width is None:
        return default
    if not (width.isascii() and width.isdigit() and len(width) < 6 and int(width) in WIDTHS):
        title = f"width is a number from {WIDTHS.start} to {WIDTHS.stop - 1}"
        raise DvrError(Kind.BAD_REQUEST, "bad_request", title, {"parameter": "width"})
    return Box(int(width), HEIGHT)


def _describe(request: DvrRequest, content_type: bytes, at_ms: int, asked_ms: int | None, exact: bool = False) -> None:
    """What an answer says of its picture. A key frame from before the moment may give way to a better one."""
    request.setHeader(b"content-type", content_type)
    request.setHeader(b"last-modified", datetimeToString(at_ms // 1000))
    request.setHeader(b"x-thumbnail-utc", str(at_ms // 1000).encode())
    request.setHeader(b"x-thumbnail-utc-ms", str(at_ms).encode())
    settled = exact or (asked_ms is not None and at_ms >= asked_ms)
    request.setHeader(b"cache-control", SETTLED if settled else b"no-cache")
